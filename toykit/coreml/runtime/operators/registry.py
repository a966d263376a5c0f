"""How an operator of an ML program is written down.

An operator is a function of a backend and of the operator's own parameters, by their names in MIL:

    @operator("leaky_relu")
    def leaky_relu(xp, x, *, alpha):
        return xp.where(x >= 0, x, alpha * x)

Parameters before the star are tensors of the backend (or lists of them); those after it arrive as
plain Python: a number or a string, or a list where the parameter is annotated so (`*, axes: list`, or
`axes: list | None = None`). A
default makes a parameter optional, as it is in MIL. A program may compute any of them, and give a number
as a list of one, or a list of one as a number: they arrive as they are annotated. Two names after the
star are no parameters of MIL: `blocks` are the bodies of a loop or a condition, ready to be called; `state`
are the arrays that outlive a prediction.

An operator that only moves numbers about, or runs seldom, is written in NumPy alone: with
`@numpy_operator` its tensors arrive as NumPy arrays under either backend.
"""

import inspect
import math
from dataclasses import dataclass

from ...format.protobuf import PackageError
from ..limits import largest_result

OPERATORS = {}
CONTEXT = {"blocks", "state"}


@dataclass(frozen=True)
class Operator:
    """An operator that the interpreter can run.

    Attributes
    ----------
    run : callable (backend, **parameters) -> array, or tuple of them
    tensors : frozenset of str
        Parameters that are tensors.
    plain : frozenset of str
        Parameters that are numbers, strings and lists.
    context : frozenset of str
        Those of "blocks" and "state" that it wants.
    required : frozenset of str
        Parameters without a default.
    numpy : bool
        Runs in NumPy under every backend.
    """

    run: object
    tensors: frozenset
    plain: frozenset
    context: frozenset
    required: frozenset
    numpy: bool


def operator(*names, numpy=False):
    """Register a function as the operators called `names`."""

    def register(function):
        tensors, plain, required = set(), set(), set()
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
            (plain if parameter.kind is parameter.KEYWORD_ONLY else tensors).add(name)
            if parameter.default is parameter.empty:
                required.add(name)
        described = Operator(
            _checked(function, plain - CONTEXT),
            frozenset(tensors),
            frozenset(plain - CONTEXT),
            frozenset(plain & CONTEXT),
            frozenset(required - CONTEXT),
            numpy,
        )
        for name in names:
            OPERATORS[name] = described
        return function

    return register


def _checked(function, plain):
    """`function`, with each plain parameter as it is annotated: a list, or one number or string."""
    lists = {name for name in plain if function.__annotations__.get(name) in (list, list | None)}

    def run(xp, **parameters):
        for name in plain & parameters.keys():
            value = parameters[name]
            if name in lists:
                if not isinstance(value, list):
                    parameters[name] = [value]
            elif isinstance(value, list):
                if len(value) != 1 or isinstance(value[0], list):
                    raise PackageError(f"{name} must be one number or word; got a list of {len(value)}")
                parameters[name] = value[0]
        return function(xp, **parameters)

    return run


def numpy_operator(*names):
    """Register a function that is written in NumPy alone."""
    return operator(*names, numpy=True)


def axis_of(axis, rank):
    """`axis` of a tensor of `rank` axes, counted from the first.

    Raises
    ------
    PackageError
        If the tensor has no such axis.
    """
    if not -rank <= axis < rank:
        raise PackageError(f"axis {axis} is outside a tensor of {rank} axes")
    return axis % rank


def check_result(shape, temporary=False):
    """`shape`, if a result of this shape is one that a program may ask for.

    A `temporary` array, a copy on the way that is dropped at once, may be larger than a result.

    Raises
    ------
    PackageError
        If a size is negative, or the result would take more memory in float32 than one result may: a few
        bytes of a broken program must not bring the computer down.
    """
    shape = tuple(int(size) for size in shape)
    if min(shape, default=0) < 0:
        raise PackageError(f"a result would have shape {shape}")
    allowed = largest_result(temporary) // 4
    if math.prod(shape) > allowed:
        raise PackageError(
            f"a result would have {math.prod(shape):,} elements; toykit allows {allowed:,}: "
            "raise it with memory_limit=..."
        )
    return shape
