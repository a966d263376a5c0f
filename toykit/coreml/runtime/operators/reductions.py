"""Operators that make one number of many: sums, means, largest and smallest."""

import math

from ...format.protobuf import PackageError
from .registry import axis_of, operator


def axes_of(axes, x):
    """Axes of x, each counted from the first and named once; all of them for None."""
    places = tuple(axis_of(axis, x.ndim) for axis in (range(x.ndim) if axes is None else axes))
    if len(set(places)) < len(places):
        raise PackageError(f"axes {axes} name one of {x.ndim} axes repeatedly")
    return places


def _reduced(function, x, axes, keep_dims):
    """`function` over some axes; over none of them each number stands for itself, which torch reads as all."""
    axes = axes_of(axes, x)
    return function(x, axis=axes, keepdims=keep_dims) if axes else x


@operator("reduce_sum")
def reduce_sum(xp, x, *, axes: list | None = None, keep_dims=False):
    return _reduced(xp.sum, x, axes, keep_dims)


@operator("reduce_mean")
def reduce_mean(xp, x, *, axes: list | None = None, keep_dims=False):
    # By its sum, because torch has no mean of integers.
    count = math.prod(x.shape[axis] for axis in axes_of(axes, x))
    return reduce_sum(xp, x, axes=axes, keep_dims=keep_dims) / count


@operator("reduce_max")
def reduce_max(xp, x, *, axes: list | None = None, keep_dims=False):
    return _reduced(xp.amax, x, axes, keep_dims)


@operator("reduce_min")
def reduce_min(xp, x, *, axes: list | None = None, keep_dims=False):
    return _reduced(xp.amin, x, axes, keep_dims)


@operator("reduce_prod")
def reduce_prod(xp, x, *, axes: list | None = None, keep_dims=False):
    kept = x
    for axis in axes_of(axes, x):
        kept = xp.prod(kept, axis=axis, keepdims=True)
    return kept if keep_dims else kept.reshape(_remaining(x, axes))


@operator("reduce_l1_norm")
def reduce_l1_norm(xp, x, *, axes: list | None = None, keep_dims=False):
    return reduce_sum(xp, xp.abs(x), axes=axes, keep_dims=keep_dims)


@operator("reduce_l2_norm")
def reduce_l2_norm(xp, x, *, axes: list | None = None, keep_dims=False):
    return xp.sqrt(reduce_sum_square(xp, x, axes=axes, keep_dims=keep_dims))


@operator("reduce_sum_square")
def reduce_sum_square(xp, x, *, axes: list | None = None, keep_dims=False):
    return reduce_sum(xp, xp.square(x), axes=axes, keep_dims=keep_dims)


@operator("reduce_log_sum")
def reduce_log_sum(xp, x, *, axes: list | None = None, keep_dims=False):
    return xp.log(reduce_sum(xp, x, axes=axes, keep_dims=keep_dims))


@operator("reduce_log_sum_exp")
def reduce_log_sum_exp(xp, x, *, axes: list | None = None, keep_dims=False):
    # The largest is taken out first: exp of it could overflow. Infinity stays, and of nothing it is log(0).
    if 0 in x.shape:
        return reduce_log_sum(xp, x, axes=axes, keep_dims=keep_dims)
    top = reduce_max(xp, x, axes=axes, keep_dims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    kept = top + xp.log(reduce_sum(xp, xp.exp(x - top), axes=axes, keep_dims=True))
    return kept if keep_dims else kept.reshape(_remaining(x, axes))


@operator("reduce_argmax")
def reduce_argmax(xp, x, *, axis=-1, keep_dims=False, output_dtype="int32"):
    return xp.argmax(x, axis=axis, keepdims=keep_dims)


@operator("reduce_argmin")
def reduce_argmin(xp, x, *, axis=-1, keep_dims=False, output_dtype="int32"):
    return xp.argmin(x, axis=axis, keepdims=keep_dims)


@operator("cumsum")
def cumsum(xp, x, *, axis=0, exclusive=False, reverse=False):
    at_axis = [axis_of(axis, x.ndim)]
    if reverse:
        x = xp.flip(x, at_axis)
    total = xp.cumsum(x, axis=axis)
    if exclusive:
        total = total - x
    return xp.flip(total, at_axis) if reverse else total


def _remaining(x, axes):
    return [size for axis, size in enumerate(x.shape) if axis not in axes_of(axes, x)]
