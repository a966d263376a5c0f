"""Operators that bring numbers to a common scale."""

import math

from ...format.protobuf import PackageError
from .elementwise import per_channel
from .reductions import axes_of, reduce_mean, reduce_sum
from .registry import axis_of, operator

_MOST_NEIGHBOURS = 4096


@operator("batch_norm")
def batch_norm(xp, x, mean, variance, gamma=None, beta=None, *, epsilon=1e-5):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, of each channel (axis 1)."""
    factor = 1 / xp.sqrt(variance + epsilon)
    if gamma is not None:
        factor = factor * gamma
    shift = -mean * factor if beta is None else beta - mean * factor
    return x * per_channel(factor, x) + per_channel(shift, x)


@operator("instance_norm")
def instance_norm(xp, x, gamma=None, beta=None, *, epsilon=1e-5):
    y = _standard(xp, x, range(2, x.ndim), epsilon)
    if gamma is not None:
        y = y * per_channel(gamma, x)
    return y if beta is None else y + per_channel(beta, x)


@operator("layer_norm")
def layer_norm(xp, x, gamma=None, beta=None, *, axes: list | None = None, epsilon=1e-5):
    within = axes_of(axes, x)
    y = _standard(xp, x, within, epsilon)
    # gamma and beta have the sizes of the axes; they are repeated along the others.
    shape = [size if axis in within else 1 for axis, size in enumerate(x.shape)]
    if gamma is not None:
        y = y * _spread(gamma, shape)
    return y if beta is None else y + _spread(beta, shape)


def _spread(values, shape):
    if math.prod(values.shape) != math.prod(shape):
        raise PackageError(f"scales or shifts {tuple(values.shape)} do not go with {tuple(shape)}")
    return values.reshape(shape)


@operator("l2_norm")
def l2_norm(xp, x, *, epsilon=1e-6):
    """Divide by the length of the last three axes."""
    axes = list(range(max(x.ndim - 3, 0), x.ndim))
    return x / xp.sqrt(reduce_sum(xp, xp.square(x), axes=axes, keep_dims=True) + epsilon)


@operator("local_response_norm")
def local_response_norm(xp, x, *, size, alpha=1e-4, beta=0.75, k=1.0):
    """Divide by a power of the mean square of `size` neighbouring channels, zeros beyond the ends."""
    if not 1 <= size <= _MOST_NEIGHBOURS:
        raise PackageError(f"size must be 1 to {_MOST_NEIGHBOURS:,} channels; got {size:,}")
    axis_of(1, x.ndim)
    before = size // 2
    widths = [(0, 0)] * x.ndim
    widths[1] = (before, size - 1 - before)
    squares = xp.pad(xp.square(x), widths, 0.0)
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (k + alpha / size * total) ** beta


def _standard(xp, x, axes, epsilon):
    axes = list(axes)
    centred = x - reduce_mean(xp, x, axes=axes, keep_dims=True)
    return centred / xp.sqrt(reduce_mean(xp, xp.square(centred), axes=axes, keep_dims=True) + epsilon)
