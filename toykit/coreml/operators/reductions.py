"""Operators that make one number of many: sums, means, largest and smallest."""

from .registry import operator


def _axes(x, axes):
    return tuple(range(x.ndim)) if axes is None else tuple(axes)


@operator("reduce_sum")
def reduce_sum(xp, x, *, axes=None, keep_dims=False):
    return xp.sum(x, axis=_axes(x, axes), keepdims=keep_dims)


@operator("reduce_mean")
def reduce_mean(xp, x, *, axes=None, keep_dims=False):
    # By its sum, because torch has no mean of integers.
    axes = _axes(x, axes)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    return reduce_sum(xp, x, axes=axes, keep_dims=keep_dims) / count


@operator("reduce_max")
def reduce_max(xp, x, *, axes=None, keep_dims=False):
    return xp.amax(x, axis=_axes(x, axes), keepdims=keep_dims)


@operator("reduce_min")
def reduce_min(xp, x, *, axes=None, keep_dims=False):
    return xp.amin(x, axis=_axes(x, axes), keepdims=keep_dims)


@operator("reduce_prod")
def reduce_prod(xp, x, *, axes=None, keep_dims=False):
    kept = x
    for axis in _axes(x, axes):
        kept = xp.prod(kept, axis=axis, keepdims=True)
    return kept if keep_dims else kept.reshape(_remaining(x, axes))


@operator("reduce_l1_norm")
def reduce_l1_norm(xp, x, *, axes=None, keep_dims=False):
    return reduce_sum(xp, xp.abs(x), axes=axes, keep_dims=keep_dims)


@operator("reduce_l2_norm")
def reduce_l2_norm(xp, x, *, axes=None, keep_dims=False):
    return xp.sqrt(reduce_sum_square(xp, x, axes=axes, keep_dims=keep_dims))


@operator("reduce_sum_square")
def reduce_sum_square(xp, x, *, axes=None, keep_dims=False):
    return reduce_sum(xp, xp.square(x), axes=axes, keep_dims=keep_dims)


@operator("reduce_log_sum")
def reduce_log_sum(xp, x, *, axes=None, keep_dims=False):
    return xp.log(reduce_sum(xp, x, axes=axes, keep_dims=keep_dims))


@operator("reduce_log_sum_exp")
def reduce_log_sum_exp(xp, x, *, axes=None, keep_dims=False):
    # The largest is taken out first: exp of it could overflow.
    top = reduce_max(xp, x, axes=axes, keep_dims=True)
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
    at_axis = [axis % x.ndim]
    if reverse:
        x = xp.flip(x, at_axis)
    total = xp.cumsum(x, axis=axis)
    if exclusive:
        total = total - x
    return xp.flip(total, at_axis) if reverse else total


def _remaining(x, axes):
    gone = {axis % x.ndim for axis in _axes(x, axes)}
    return [size for axis, size in enumerate(x.shape) if axis not in gone]
