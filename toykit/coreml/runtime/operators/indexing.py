"""Operators that pick numbers by their place, or put them there; and those that make places."""

import math

import numpy as np

from ...format.protobuf import PackageError
from .registry import axis_of, check_result, numpy_operator


@numpy_operator("slice_by_index")
def slice_by_index(
    xp,
    x,
    *,
    begin: list,
    end: list,
    stride: list | None = None,
    begin_mask: list | None = None,
    end_mask: list | None = None,
    squeeze_mask: list | None = None,
):
    return x[_slices(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)]


@numpy_operator("slice_update")
def slice_update(
    xp,
    x,
    update,
    *,
    begin: list,
    end: list,
    stride: list | None = None,
    begin_mask: list | None = None,
    end_mask: list | None = None,
    squeeze_mask: list | None = None,
):
    y = x.copy()
    y[_slices(x, begin, end, stride, begin_mask, end_mask, squeeze_mask)] = update
    return y


def _slices(x, begin, end, stride, begin_mask, end_mask, squeeze_mask):
    none = [False] * x.ndim
    given = begin, end, stride or [1] * x.ndim, begin_mask or none, end_mask or none, squeeze_mask or none
    if any(len(part) != x.ndim for part in given):
        raise PackageError(f"a slice must say where it begins and ends for each of the {x.ndim} axes")
    return tuple(
        first if single else slice(None if from_start else first, None if to_end else last, step)
        for first, last, step, from_start, to_end, single in zip(*given)
    )


@numpy_operator("slice_by_size")
def slice_by_size(xp, x, *, begin: list, size: list):
    """A size of -1 goes to the end."""
    if not len(begin) == len(size) == x.ndim or any(
        not 0 <= b <= b + max(n, 0) <= length or n < -1 for b, n, length in zip(begin, size, x.shape)
    ):
        raise PackageError(f"a slice of {list(size)} from {list(begin)} does not lie in {tuple(x.shape)}")
    return x[tuple(slice(b, None if n == -1 else b + n) for b, n in zip(begin, size))]


@numpy_operator("gather")
def gather(xp, x, indices, *, axis=0, batch_dims=0, validate_indices=False):
    """The numbers at `indices` of an axis, which their axes replace; the first `batch_dims` go side by side."""
    axis = axis_of(axis, x.ndim)
    own = indices.ndim - batch_dims
    places = _batches(x, indices.shape, batch_dims)
    check_result((math.prod(indices.shape), *x.shape[batch_dims:axis], *x.shape[axis + 1 :]))
    picked = np.moveaxis(x, axis, batch_dims)[(*places, indices)]
    return np.moveaxis(picked, range(batch_dims, indices.ndim), range(axis, axis + own))


def _batches(x, shape, batch_dims):
    """Places along the first axes of x, one array for each, to go with an array of places of this shape."""
    if batch_dims < 0 or x.shape[:batch_dims] != tuple(shape[:batch_dims]):
        raise PackageError(f"the first {batch_dims} axes of {x.shape} and of the indices are not the same")
    return np.indices(shape, sparse=True)[:batch_dims]


@numpy_operator("gather_along_axis")
def gather_along_axis(xp, x, indices, *, axis=0, validate_indices=False):
    return np.take_along_axis(x, indices, axis)


@numpy_operator("gather_nd")
def gather_nd(xp, x, indices, *, batch_dims=0, validate_indices=False):
    *shape, depth = indices.shape
    rest = x.shape[batch_dims + depth :]
    check_result((*shape, *rest))
    picked = x[(*_batches(x, shape, batch_dims), *np.moveaxis(indices, -1, 0))]
    return np.broadcast_to(picked, (*shape, *rest))


_COMBINE = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}


def _put(y, places, updates, mode):
    if mode == "update":
        y[places] = updates
    elif mode in _COMBINE:
        _COMBINE[mode].at(y, places, updates)
    else:
        raise PackageError(f"mode must be update or one of {', '.join(_COMBINE)}; got {mode!r}")
    return y


@numpy_operator("scatter")
def scatter(xp, data, indices, updates, *, axis=0, mode="add", validate_indices=False):
    return _put(data.copy(), (slice(None),) * axis_of(axis, data.ndim) + (indices,), updates, mode)


@numpy_operator("scatter_along_axis")
def scatter_along_axis(xp, data, indices, updates, *, axis=0, mode="add", validate_indices=False):
    places = list(np.ix_(*map(range, indices.shape)))
    places[axis] = indices
    return _put(data.copy(), tuple(places), updates, mode)


@numpy_operator("scatter_nd")
def scatter_nd(xp, data, indices, updates, *, mode="add", validate_indices=False):
    return _put(data.copy(), tuple(np.moveaxis(indices, -1, 0)), updates, mode)


@numpy_operator("argsort")
def argsort(xp, x, *, axis=-1, ascending=False):
    return _order(x, axis, ascending)


@numpy_operator("topk")
def topk(
    xp,
    x,
    *,
    k=1,
    axis=-1,
    ascending=False,
    sort=True,
    return_indices=True,
    output_indices_dtype="int32",
):
    axis = axis_of(axis, x.ndim)
    k = x.shape[axis] if k == -1 else k
    if not 0 <= k <= x.shape[axis]:
        raise PackageError(f"k must be -1 or 0 to {x.shape[axis]}, the size of the axis; got {k}")
    places = np.take(_order(x, axis, ascending), range(k), axis)
    values = np.take_along_axis(x, places, axis)
    return (values, places) if return_indices else values


def _order(x, axis, ascending):
    """Places in order of their values; of equal values the first place comes first."""
    axis = axis_of(axis, x.ndim)
    if ascending:
        return np.argsort(x, axis, kind="stable")
    # Sorted from behind, and read from behind: so equal values keep their order.
    last = x.shape[axis] - 1
    return last - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)


@numpy_operator("non_zero")
def non_zero(xp, x):
    return np.argwhere(x)


@numpy_operator("one_hot")
def one_hot(xp, indices, *, one_hot_vector_size, axis=-1, on_value=1, off_value=0):
    check_result((*indices.shape, one_hot_vector_size))
    axis = axis + indices.ndim + 1 if axis < 0 else axis
    if not 0 <= axis <= indices.ndim:
        raise PackageError(f"axis {axis} is none of the {indices.ndim + 1} of the result")
    places = np.arange(one_hot_vector_size).reshape([-1] + [1] * (indices.ndim - axis))
    return np.where(np.expand_dims(indices, axis) == places, on_value, off_value)


@numpy_operator("band_part")
def band_part(xp, x, *, lower=-1, upper=-1):
    axis_of(-2, x.ndim)
    row, column = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    kept = np.ones((x.shape[-2], x.shape[-1]), bool)
    if lower >= 0:
        kept &= row - column <= lower
    if upper >= 0:
        kept &= column - row <= upper
    return np.where(kept, x, np.zeros_like(x))


@numpy_operator("fill")
def fill(xp, *, shape: list, value=0.0):
    return np.full(check_result(shape), value, _narrow(value))


@numpy_operator("fill_like")
def fill_like(xp, ref_tensor, *, value=0.0):
    return np.full(ref_tensor.shape, value, _narrow(value))


def _narrow(value) -> np.dtype:
    """The type of 32 bits or fewer for numbers like this one: NumPy would take 64."""
    return np.dtype("bool" if isinstance(value, bool) else "int32" if isinstance(value, int) else "float32")


@numpy_operator("range_1d")
def range_1d(xp, *, end, start, step):
    if step == 0:
        raise PackageError("step must not be 0")
    check_result([max(math.ceil((end - start) / step), 0)])
    return np.arange(start, end, step, dtype=_narrow(start + end + step))
