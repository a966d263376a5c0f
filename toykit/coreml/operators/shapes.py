"""Operators that lay the same numbers out differently, join them or cut them apart."""

import math

import numpy as np

from ..protobuf import PackageError
from .registry import numpy_operator, operator, room


@numpy_operator("shape")
def shape(xp, x):
    return np.array(x.shape, np.int32)


@numpy_operator("reshape")
def reshape(xp, x, *, shape):
    """0 keeps the input's size, counted from the last axis; -1 takes what is left."""
    rank = len(shape)
    sizes = []
    for place, size in enumerate(shape):
        if size == 0:
            source = x.ndim - rank + place
            size = x.shape[source] if source >= 0 else 1
        sizes.append(int(size))
    return x.reshape(sizes)


@numpy_operator("reshape_like")
def reshape_like(xp, x, ref_tensors, *, begins, ends, end_masks):
    sizes = []
    for tensor, begin, end, to_end in zip(ref_tensors, begins, ends, end_masks):
        sizes += tensor.shape[begin : None if to_end else end]
    return x.reshape(sizes)


@numpy_operator("flatten2d")
def flatten2d(xp, x, *, axis=1):
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), -1)


@numpy_operator("expand_dims")
def expand_dims(xp, x, *, axes):
    return np.expand_dims(x, tuple(axes))


@numpy_operator("squeeze")
def squeeze(xp, x, *, axes=None):
    return np.squeeze(x, None if axes is None else tuple(axes))


@numpy_operator("transpose")
def transpose(xp, x, *, perm):
    return np.transpose(x, perm)


@operator("concat")
def concat(xp, values, *, axis, interleave=False):
    """Numbers without an axis make a vector: so a program puts together a shape that it computes."""
    if not any(value.ndim for value in values):
        return stack(xp, values, axis=axis)
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    room(shape)
    if interleave:
        # One slice of each in turn: they are stacked behind the axis, which then takes both in.
        axis = axis % values[0].ndim
        return xp.stack(values, axis + 1).reshape(shape)
    return xp.concatenate(values, axis)


@operator("stack")
def stack(xp, values, *, axis):
    room((len(values), *values[0].shape))
    return xp.stack(values, axis)


@numpy_operator("split")
def split(xp, x, *, axis, num_splits=None, split_sizes=None):
    if split_sizes is None:
        if not num_splits or x.shape[axis] % num_splits:
            raise PackageError(f"an axis of {x.shape[axis]} cannot be split into {num_splits} equal parts")
        split_sizes = [x.shape[axis] // num_splits] * num_splits
    if sum(split_sizes) != x.shape[axis] or min(split_sizes) < 0:
        raise PackageError(f"parts of {split_sizes} do not make up an axis of {x.shape[axis]}")
    return tuple(np.split(x, np.cumsum(split_sizes)[:-1], axis))


@numpy_operator("tile")
def tile(xp, x, *, reps):
    if len(reps) != x.ndim:
        raise PackageError(f"reps must have {x.ndim} numbers, one for each axis; got {reps}")
    room([size * times for size, times in zip(x.shape, reps)])
    return np.tile(x, reps)


@numpy_operator("pad")
def pad(xp, x, *, pad, mode="constant", constant_val=0.0):
    """`pad`: before and after, for the last len(pad) / 2 axes."""
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2]))
    room([size + before + after for size, (before, after) in zip(x.shape, widths)])
    if mode == "constant":
        return np.pad(x, widths, constant_values=constant_val)
    modes = {"reflect": "reflect", "replicate": "edge", "reflection": "reflect", "replication": "edge"}
    if mode not in modes:
        raise PackageError(f"mode must be constant, reflect or replicate; got {mode!r}")
    return np.pad(x, widths, mode=modes[mode])


@numpy_operator("reverse")
def reverse(xp, x, *, axes=None):
    return np.flip(x, None if axes is None else tuple(axes))


@numpy_operator("reverse_sequence")
def reverse_sequence(xp, x, lengths, *, seq_axis=0, batch_axis=0):
    y = np.moveaxis(x, (batch_axis, seq_axis), (0, 1)).copy()
    if len(lengths) != len(y) or not all(0 <= length <= y.shape[1] for length in lengths):
        raise PackageError(
            f"{len(y)} sequences of {y.shape[1]} steps cannot be reversed as far as lengths say"
        )
    for row, length in zip(y, lengths):
        row[: int(length)] = row[: int(length)][::-1].copy()
    return np.moveaxis(y, (0, 1), (batch_axis, seq_axis))


@numpy_operator("crop")
def crop(xp, x, *, crop_height, crop_width):
    (top, bottom), (left, right) = crop_height, crop_width
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


@numpy_operator("sliding_windows")
def sliding_windows(xp, x, *, axis, size, stride=1):
    axis = axis % x.ndim
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, size, axis), -1, axis + 1)
    windows = windows[(slice(None),) * axis + (slice(None, None, stride),)]
    room(windows.shape)
    return windows


@numpy_operator("space_to_depth")
def space_to_depth(xp, x, *, block_size):
    return _into_channels(x, block_size, (0, 3, 5, 1, 2, 4))


@numpy_operator("depth_to_space")
def depth_to_space(xp, x, *, block_size):
    n, channels, height, width = x.shape
    s = block_size
    split = x.reshape(n, s, s, channels // s**2, height, width).transpose(0, 3, 4, 1, 5, 2)
    return split.reshape(n, channels // s**2, height * s, width * s)


@numpy_operator("pixel_shuffle")
def pixel_shuffle(xp, x, *, upscale_factor):
    n, channels, height, width = x.shape
    s = upscale_factor
    split = x.reshape(n, channels // s**2, s, s, height, width).transpose(0, 1, 4, 2, 5, 3)
    return split.reshape(n, channels // s**2, height * s, width * s)


@numpy_operator("pixel_unshuffle")
def pixel_unshuffle(xp, x, *, downscale_factor):
    return _into_channels(x, downscale_factor, (0, 1, 3, 5, 2, 4))


def _into_channels(x, s, order):
    """Each s x s block of an image becomes s**2 channels, in `order` of (n, C, H, s, W, s)."""
    n, channels, height, width = x.shape
    split = x.reshape(n, channels, height // s, s, width // s, s).transpose(order)
    return split.reshape(n, channels * s**2, height // s, width // s)


@numpy_operator("space_to_batch")
def space_to_batch(xp, x, *, block_shape, paddings):
    room([size + sum(pair) for size, pair in zip(x.shape[2:], paddings)])
    x = np.pad(x, [(0, 0), (0, 0), *paddings])
    n, channels, height, width = x.shape
    a, b = block_shape
    split = x.reshape(n, channels, height // a, a, width // b, b).transpose(3, 5, 0, 1, 2, 4)
    return split.reshape(n * a * b, channels, height // a, width // b)


@numpy_operator("batch_to_space")
def batch_to_space(xp, x, *, block_shape, crops):
    n, channels, height, width = x.shape
    a, b = block_shape
    split = x.reshape(a, b, n // (a * b), channels, height, width).transpose(2, 3, 4, 0, 5, 1)
    y = split.reshape(n // (a * b), channels, height * a, width * b)
    (top, bottom), (left, right) = crops
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]
