"""Loops and conditions, lists, states, and the label of a classifier."""

import numpy as np

from ...format.protobuf import PackageError
from .registry import check_result, numpy_operator, operator

_LONGEST_LIST = 100_000


@operator("cond")
def cond(xp, pred, *, blocks):
    if len(blocks) != 2:
        raise PackageError(f"a condition has two blocks; this one has {len(blocks)}")
    return blocks[0 if bool(pred) else 1]()


@operator("while_loop")
def while_loop(xp, loop_vars, *, blocks):
    if len(blocks) != 2:
        raise PackageError(f"a loop has two blocks, a condition and a body; this one has {len(blocks)}")
    going, body = blocks
    while bool(going(*loop_vars)[0]):  # every round is work, and that is limited
        loop_vars = body(*loop_vars)
    return tuple(loop_vars)


# A list is a Python list of tensors, never changed: writing makes a new one.


@operator("make_list")
def make_list(xp, *, elem_shape: list, init_length=1, dynamic_length=True, dtype="fp32"):
    if not 0 <= init_length <= _LONGEST_LIST:
        raise PackageError(f"a list would have {init_length:,} elements; toykit allows {_LONGEST_LIST:,}")
    sizes = [size for size in elem_shape if isinstance(size, int)]
    # A size that is a string is known when the first element is written.
    shape = check_result([max(init_length, 1), *sizes])[1:] if len(sizes) == len(elem_shape) else ()
    kind = {"int32": np.int32, "bool": np.bool_}.get(dtype, np.float32)
    return [xp.array(np.zeros(shape, kind)) for _ in range(init_length)]


@operator("list_length")
def list_length(xp, ls):
    return xp.array(np.array(len(ls), np.int32))


@operator("list_read")
def list_read(xp, ls, *, index):
    return ls[_place(index, ls)]


@operator("list_write")
def list_write(xp, ls, value, *, index):
    return _written(xp, ls, {index: value})


@operator("list_gather")
def list_gather(xp, ls, *, indices: list):
    return xp.stack([ls[_place(index, ls)] for index in indices], 0)


@operator("list_scatter")
def list_scatter(xp, ls, value, *, indices: list):
    return _written(xp, ls, dict(zip(indices, value)))


def _written(xp, ls, values):
    end = max([len(ls) - 1, *values])
    if min(values, default=0) < 0 or end >= _LONGEST_LIST:
        raise PackageError(f"a list of {len(ls)} cannot be written at {sorted(values)}")
    blank = xp.zeros_like(next(iter(values.values()))) if values else None
    return [values.get(i, ls[i] if i < len(ls) else blank) for i in range(end + 1)]


def _place(index, ls):
    if not -len(ls) <= index < len(ls):
        raise PackageError(f"index {index} is outside a list of {len(ls)}")
    return index


# --- states: arrays that outlive a prediction (iOS 18) ---


@operator("read_state")
def read_state(xp, *, input, state):
    return state[input]


@operator("write_state")
def write_state(xp, data, *, input, state):
    state[input] = data
    return ()


@numpy_operator("classify")
def classify(xp, probabilities, *, classes: list):
    """The likeliest label, and each label with its probability."""
    shares = probabilities.reshape(-1)
    if len(shares) != len(classes):
        raise PackageError(f"there are {len(classes)} labels for {len(shares)} probabilities")
    return classes[int(np.argmax(shares))], dict(zip(classes, map(float, shares)))
