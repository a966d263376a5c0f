"""One number in, one number out: arithmetic, comparisons, activations; and sums over axes."""

import torch
from torch import nn
from torch.nn import functional as F

from .case import distinct, inside, integers, normal, other, positive, table

X = normal(2, 3, 4)
Y = other(2, 3, 4)
IMAGE = normal(1, 4, 5, 6)
MASK, OTHER_MASK = integers(2, 3, 4, low=0, high=2), integers(2, 3, 4, low=0, high=2, seed=1)
PRELU = nn.PReLU(4).requires_grad_(False)
PRELU.weight[:] = torch.tensor([0.1, -0.3, 2.0, 0.2])

UNARY = table(
    ("abs", torch.abs, X),
    ("acos", torch.acos, inside(2, 3, 4)),
    ("asin", torch.asin, inside(2, 3, 4)),
    ("atan", torch.atan, X),
    ("atanh", torch.atanh, inside(2, 3, 4)),
    ("ceil", torch.ceil, X * 3),
    ("clamp", lambda x: x.clamp(-0.5, 0.75), X),
    ("clamp from below", lambda x: x.clamp(min=-0.5), X),
    ("clamp from above", lambda x: x.clamp(max=0.25), X),
    ("cos", torch.cos, X),
    ("cosh", torch.cosh, X),
    ("erf", torch.erf, X),
    ("exp", torch.exp, X),
    ("exp2", torch.exp2, X),
    ("floor", torch.floor, X * 3),
    # The converter leaves `inverse` its 1e-4 that keeps it from dividing by zero: little next to these.
    ("reciprocal", torch.reciprocal, positive(2, 3, 4) * 16),
    ("log", torch.log, positive(2, 3, 4)),
    ("negative", torch.neg, X),
    ("round", torch.round, torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.4, 3.6, -3.6])),
    ("rsqrt", torch.rsqrt, positive(2, 3, 4)),
    ("sign", torch.sign, torch.tensor([-2.0, 0.0, 3.0, -0.5])),
    ("sin", torch.sin, X),
    ("sinh", torch.sinh, X),
    ("sqrt", torch.sqrt, positive(2, 3, 4)),
    ("square", torch.square, X),
    ("tan", torch.tan, inside(2, 3, 4)),
    ("tanh", torch.tanh, X),
    ("to integer", lambda x: x.to(torch.int32), X * 3),
    ("integer to float", lambda x: x.float() * 1.5, integers(2, 3)),
    ("to bool", lambda x: x.bool(), MASK),
    ("scalar", lambda x: 3.0 - x * 2.0, torch.tensor([1.25])),
)

BINARY = table(
    ("add", torch.add, X, Y),
    ("add, broadcast", torch.add, X, other(3, 1)),
    ("add, both broadcast", torch.add, normal(2, 1, 4), other(3, 1)),
    ("add integers", torch.add, integers(2, 3), integers(2, 3, seed=1)),
    ("sub", torch.sub, X, Y),
    ("mul", torch.mul, X, Y),
    ("mul integers", torch.mul, integers(2, 3), integers(2, 3, seed=1)),
    ("div", torch.div, X, positive(2, 3, 4)),
    ("div integers", torch.div, integers(2, 6), integers(2, 6, low=1, seed=1)),
    ("floor divide", lambda x, y: torch.div(x, y, rounding_mode="floor"), X * 3, positive(2, 3, 4)),
    (
        "floor divide integers",
        lambda x, y: torch.div(x, y, rounding_mode="floor"),
        integers(3, 8, low=-9, high=10),
        integers(3, 8, low=1, high=5, seed=1),
    ),
    ("divide, cut off", lambda x, y: torch.div(x, y, rounding_mode="trunc"), X * 3, positive(2, 3, 4)),
    ("remainder", torch.remainder, X * 3, positive(2, 3, 4)),
    (
        "remainder of integers",
        torch.remainder,
        integers(3, 8, low=-9, high=10),
        integers(3, 8, low=1, high=5, seed=1),
    ),
    ("pow", torch.pow, positive(2, 3, 4), Y),
    ("pow of a negative", lambda x: x**3, X),
    ("maximum", torch.maximum, X, Y),
    ("minimum", torch.minimum, X, Y),
    ("equal", torch.eq, integers(4, 5, high=0), integers(4, 5, high=0, seed=1)),
    (
        "not equal",
        lambda x, y: torch.ne(x, y).float(),
        integers(4, 5, high=0),
        integers(4, 5, high=0, seed=1),
    ),
    ("less", lambda x, y: torch.lt(x, y).float(), X, Y),
    ("less or equal", torch.le, integers(4, 5), integers(4, 5, seed=1)),
    ("greater", torch.gt, X, Y),
    ("greater or equal", lambda x, y: torch.ge(x, y).int(), integers(4, 5), integers(4, 5, seed=1)),
    ("logical and", lambda x, y: torch.logical_and(x.bool(), y.bool()), MASK, OTHER_MASK),
    ("logical or", lambda x, y: torch.logical_or(x.bool(), y.bool()), MASK, OTHER_MASK),
    ("logical xor", lambda x, y: torch.logical_xor(x.bool(), y.bool()), MASK, OTHER_MASK),
    ("logical not", lambda x: torch.logical_not(x.bool()), MASK),
    ("where", lambda c, x, y: torch.where(c.bool(), x, y), MASK, X, Y),
    ("where, broadcast", lambda c, x: torch.where(c.bool(), x, torch.tensor(-1.0)), MASK[0], X),
    ("masked fill", lambda c, x: x.masked_fill(c.bool(), -2.5), MASK, X),
)

ACTIVATIONS = table(
    ("relu", F.relu, X),
    ("relu6", F.relu6, X * 4),
    ("leaky relu", lambda x: F.leaky_relu(x, 0.1), X),
    ("prelu", PRELU, IMAGE),
    ("elu", lambda x: F.elu(x, 0.7), X),
    ("selu", F.selu, X),
    ("gelu", F.gelu, X),
    ("gelu, tanh", lambda x: F.gelu(x, approximate="tanh"), X),
    ("silu", F.silu, X),
    ("mish", F.mish, X),
    ("softplus", F.softplus, X),
    ("softplus, sharp", lambda x: F.softplus(x, beta=3), X),
    ("softsign", F.softsign, X),
    ("sigmoid", torch.sigmoid, X),
    ("hard swish", F.hardswish, X * 3),
    ("hard sigmoid", F.hardsigmoid, X * 3),
    ("hard tanh", lambda x: F.hardtanh(x, -0.5, 0.8), X),
    ("threshold", lambda x: F.threshold(x, 0.2, 0.2), X),
    ("softmax", lambda x: F.softmax(x, -1), X),
    ("softmax over the first axis", lambda x: F.softmax(x, 0), X),
    ("softmax of large numbers", lambda x: F.softmax(x * 30, 1), X),
    ("log softmax", lambda x: F.log_softmax(x, 1), X),
    ("glu", lambda x: F.glu(x, -1), X),
    half=True,
)

REDUCTIONS = table(
    ("mean", lambda x: x.mean((0, 2)), X),
    ("mean of all", lambda x: x.mean(), X + 1),
    ("mean, kept", lambda x: x.mean((2, 3), keepdim=True), IMAGE),
    ("sum", lambda x: x.sum(1), X),
    ("sum of integers", lambda x: x.sum(1), integers(3, 4)),
    ("max of all", lambda x: x.max(), X),
    ("amax", lambda x: x.amax((1, 2)), X),
    ("amin", lambda x: x.amin(-1, keepdim=True), X),
    ("max and where", lambda x: torch.max(x, 1), distinct(2, 3, 4)),
    ("min and where", lambda x: torch.min(x, 2), distinct(2, 3, 4)),
    ("argmax", lambda x: x.argmax(1), distinct(2, 3, 4)),
    ("argmin", lambda x: x.argmin(-1, keepdim=True), distinct(2, 3, 4)),
    ("argmax, first of equals", lambda x: x.argmax(1), integers(6, 8, high=-3).float()),
    ("log sum exp", lambda x: torch.logsumexp(x, (0, 2)), X * 2),
    ("log sum exp of large numbers", lambda x: torch.logsumexp(x * 100, 1), X),
    ("norm 1", lambda x: torch.linalg.vector_norm(x, 1, (0, 2)), X),
    ("norm 2", lambda x: torch.linalg.vector_norm(x, 2, (1,)), X),
    ("norm, infinite", lambda x: torch.linalg.vector_norm(x, float("inf"), (1,)), X),
    ("frobenius norm", lambda x: torch.norm(x, dim=(0, 2)), X),
    ("variance", lambda x: x.var(1, correction=0), X),
    ("standard deviation", lambda x: x.std(-1), X),
    ("any", lambda x: (x > 1).any(1), X),
    ("all", lambda x: (x > -1).all(1), X),
    ("cumsum", lambda x: x.cumsum(1), X),
    ("normalize", lambda x: F.normalize(x, dim=1), X),
    ("cosine similarity", lambda x, y: F.cosine_similarity(x, y, dim=1), X, Y),
    ("distances", lambda x, y: ((x[:, None] - y[None]) ** 2).sum(-1), normal(3, 5), other(4, 5)),
    half=True,
)

CASES = UNARY | BINARY | ACTIVATIONS | REDUCTIONS
