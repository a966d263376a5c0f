"""Operators that treat each number by itself: arithmetic, comparisons, activations.

MIL's definitions of them are at https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html
"""

import math

import numpy as np

from ...format.protobuf import PackageError
from .registry import check_result, operator


def per_channel(values, x):
    """A vector with one entry for each channel, shaped to broadcast over x (n, C, ...); a number as it is."""
    if not values.ndim or tuple(values.shape) == (1,):
        return values.reshape(())
    if x.ndim < 2 or tuple(values.shape) != (x.shape[1],):
        raise PackageError(
            f"a vector {tuple(values.shape)} does not go with the channels of {tuple(x.shape)}"
        )
    return values.reshape(-1, *[1] * (x.ndim - 2))


# --- of one tensor ---


def _unary(name):
    return lambda xp, x: getattr(xp, name)(x)


for _name, _function in {
    "abs": "abs",
    "acos": "arccos",
    "asin": "arcsin",
    "atan": "arctan",
    "atanh": "arctanh",
    "ceil": "ceil",
    "cos": "cos",
    "cosh": "cosh",
    "erf": "erf",
    "exp": "exp",
    "exp2": "exp2",
    "floor": "floor",
    "logical_not": "logical_not",
    "round": "round",
    "sigmoid": "sigmoid",
    "sign": "sign",
    "sin": "sin",
    "sinh": "sinh",
    "sqrt": "sqrt",
    "square": "square",
    "tan": "tan",
    "tanh": "tanh",
}.items():
    operator(_name)(_unary(_function))


@operator("identity", "cast")
def identity(xp, x, *, dtype=None):
    # What a cast changes is the declared type of its result, and every result is brought to its type.
    return x


@operator("inverse")
def inverse(xp, x, *, epsilon=1e-4):
    return 1 / (x + epsilon)


@operator("log")
def log(xp, x, *, epsilon=1e-45):
    return xp.log(x + epsilon)


@operator("rsqrt")
def rsqrt(xp, x, *, epsilon=1e-12):
    return 1 / xp.sqrt(x + epsilon)


@operator("clip")
def clip(xp, x, *, alpha, beta):
    return xp.clip(x, alpha, beta)


@operator("threshold")
def threshold(xp, x, *, alpha):
    return xp.maximum(x, alpha)


# --- of two tensors, each repeated along axes where it has one element ---

_BINARY = {
    "add": lambda xp, x, y: x + y,
    "sub": lambda xp, x, y: x - y,
    "mul": lambda xp, x, y: x * y,
    "real_div": lambda xp, x, y: x / y,
    "floor_div": lambda xp, x, y: x // y,
    "mod": lambda xp, x, y: x % y,
    "pow": lambda xp, x, y: x**y,
    "maximum": lambda xp, x, y: xp.maximum(x, y),
    "minimum": lambda xp, x, y: xp.minimum(x, y),
    "equal": lambda xp, x, y: x == y,
    "not_equal": lambda xp, x, y: x != y,
    "greater": lambda xp, x, y: x > y,
    "greater_equal": lambda xp, x, y: x >= y,
    "less": lambda xp, x, y: x < y,
    "less_equal": lambda xp, x, y: x <= y,
    "logical_and": lambda xp, x, y: xp.logical_and(x, y),
    "logical_or": lambda xp, x, y: xp.logical_or(x, y),
    "logical_xor": lambda xp, x, y: xp.logical_xor(x, y),
}


def _binary(function):
    def run(xp, x, y):
        if x.shape != y.shape:
            check_result(np.broadcast_shapes(tuple(x.shape), tuple(y.shape)))
        return function(xp, x, y)

    return run


for _name, _function in _BINARY.items():
    operator(_name)(_binary(_function))


@operator("select")
def select(xp, cond, a, b):
    check_result(np.broadcast_shapes(*(tuple(part.shape) for part in (cond, a, b))))
    return xp.where(xp.to_bool(cond), a, b)


# --- activations ---


@operator("relu")
def relu(xp, x):
    return xp.maximum(x, 0)


@operator("relu6")
def relu6(xp, x):
    return xp.clip(x, 0, 6)


@operator("clamped_relu")
def clamped_relu(xp, x, *, alpha, beta):
    return xp.minimum(xp.where(x >= 0, x, alpha * x), beta)


@operator("thresholded_relu")
def thresholded_relu(xp, x, *, alpha):
    return xp.where(x >= alpha, x, xp.zeros_like(x))


@operator("leaky_relu")
def leaky_relu(xp, x, *, alpha):
    return xp.where(x >= 0, x, alpha * x)


@operator("prelu")
def prelu(xp, x, alpha):
    return xp.where(x >= 0, x, per_channel(alpha, x) * x)


@operator("elu")
def elu(xp, x, *, alpha):
    return xp.where(x >= 0, x, alpha * xp.expm1(xp.minimum(x, 0)))


@operator("silu")
def silu(xp, x):
    return x * xp.sigmoid(x)


@operator("gelu")
def gelu(xp, x, *, mode="EXACT"):
    if mode == "TANH_APPROXIMATION":
        return 0.5 * x * (1 + xp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    if mode == "SIGMOID_APPROXIMATION":
        return x * xp.sigmoid(1.702 * x)
    return 0.5 * x * (1 + xp.erf(x / math.sqrt(2)))


@operator("softplus")
def softplus(xp, x):
    return xp.log1p(xp.exp(-xp.abs(x))) + xp.maximum(x, 0)


@operator("softplus_parametric")
def softplus_parametric(xp, x, alpha, beta):
    return per_channel(alpha, x) * softplus(xp, per_channel(beta, x) * x)


@operator("softsign")
def softsign(xp, x):
    return x / (1 + xp.abs(x))


@operator("sigmoid_hard")
def sigmoid_hard(xp, x, *, alpha, beta):
    return xp.clip(alpha * x + beta, 0, 1)


@operator("linear_activation")
def linear_activation(xp, x, *, alpha, beta):
    return alpha * x + beta


@operator("scaled_tanh")
def scaled_tanh(xp, x, *, alpha, beta):
    return alpha * xp.tanh(beta * x)


@operator("softmax")
def softmax(xp, x, *, axis=-1):
    return xp.softmax(x, axis)
