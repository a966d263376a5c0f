"""Operators that lay the same numbers out differently, join them or cut them apart."""

import math

import numpy as np

from ...format.protobuf import PackageError
from .registry import axis_of, check_result, numpy_operator, operator


@numpy_operator("shape")
def shape(xp, x):
    return np.array(x.shape, np.int32)


@numpy_operator("reshape")
def reshape(xp, x, *, shape: list):
    """0 keeps the input's size, counted from the last axis; -1 takes what is left."""
    rank = len(shape)
    sizes = []
    for place, size in enumerate(shape):
        if size == 0:
            source = x.ndim - rank + place
            size = x.shape[source] if source >= 0 else 1
        sizes.append(int(size))
    if -1 in sizes:  # said by us, because NumPy gives up where there is nothing
        others = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = x.size // others if others else 0
    return x.reshape(check_result(sizes))


@numpy_operator("reshape_like")
def reshape_like(xp, x, ref_tensors, *, begins: list, ends: list, end_masks: list):
    sizes = []
    for tensor, begin, end, to_end in zip(ref_tensors, begins, ends, end_masks):
        sizes += tensor.shape[begin : None if to_end else end]
    return x.reshape(sizes)


@numpy_operator("flatten2d")
def flatten2d(xp, x, *, axis=1):
    axis = axis_of(axis, x.ndim) if axis != x.ndim else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@numpy_operator("expand_dims")
def expand_dims(xp, x, *, axes: list):
    return np.expand_dims(x, tuple(axes))


@numpy_operator("squeeze")
def squeeze(xp, x, *, axes: list | None = None):
    """Of the axes, those of length 1; the others stay, as in torch."""
    if axes is None:
        return np.squeeze(x)
    return np.squeeze(x, tuple(axis for axis in axes if x.shape[axis] == 1))


@numpy_operator("transpose")
def transpose(xp, x, *, perm: list):
    return np.transpose(x, perm)


@operator("concat")
def concat(xp, values, *, axis, interleave=False):
    """Numbers without an axis make a vector: so a program puts together a shape that it computes."""
    if not any(value.ndim for value in values):
        return stack(xp, values, axis=axis)
    shape = list(values[0].shape)
    shape[axis] = sum(value.shape[axis] for value in values)
    check_result(shape)
    if interleave:
        # One slice of each in turn: they are stacked behind the axis, which then takes both in.
        axis = axis % values[0].ndim
        return xp.stack(values, axis + 1).reshape(shape)
    return xp.concatenate(values, axis)


@operator("stack")
def stack(xp, values, *, axis):
    check_result((len(values), *values[0].shape))
    return xp.stack(values, axis)


@numpy_operator("split")
def split(xp, x, *, axis, num_splits=None, split_sizes: list | None = None):
    axis = axis_of(axis, x.ndim)
    sizes = split_sizes
    if sizes is None:
        if not num_splits or x.shape[axis] % num_splits:
            raise PackageError(f"an axis of {x.shape[axis]} cannot be split into {num_splits} equal parts")
        sizes = [x.shape[axis] // num_splits] * num_splits
    if sum(sizes) != x.shape[axis] or min(sizes, default=-1) < 0:
        raise PackageError(f"parts of {sizes} do not make up an axis of {x.shape[axis]}")
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


@numpy_operator("tile")
def tile(xp, x, *, reps: list):
    if len(reps) != x.ndim:
        raise PackageError(f"reps must have {x.ndim} numbers, one for each axis; got {reps}")
    check_result([size * times for size, times in zip(x.shape, reps)])
    return np.tile(x, reps)


@numpy_operator("pad")
def pad(xp, x, *, pad: list, mode="constant", constant_val=0.0):
    """`pad`: before and after, for the last len(pad) / 2 axes."""
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2]))
    check_result([size + before + after for size, (before, after) in zip(x.shape, widths)])
    if not pad:
        return x
    if mode == "constant":
        return np.pad(x, widths, constant_values=constant_val)
    if mode in ("reflect", "reflection"):
        return np.pad(x, widths, mode="reflect")
    if mode in ("replicate", "replication"):
        return np.pad(x, widths, mode="edge")
    raise PackageError(f"mode must be constant, reflect or replicate; got {mode!r}")


@numpy_operator("reverse")
def reverse(xp, x, *, axes: list | None = None):
    return np.flip(x, None if axes is None else tuple(axes))


@numpy_operator("reverse_sequence")
def reverse_sequence(xp, x, lengths, *, seq_axis=0, batch_axis=0):
    y = np.moveaxis(x, (batch_axis, seq_axis), (0, 1)).copy()
    if lengths.shape != y.shape[:1] or not all(0 <= length <= y.shape[1] for length in lengths):
        raise PackageError(
            f"{len(y)} sequences of {y.shape[1]} steps cannot be reversed as far as lengths say"
        )
    for row, length in zip(y, lengths):
        row[: int(length)] = row[: int(length)][::-1].copy()
    return np.moveaxis(y, (0, 1), (batch_axis, seq_axis))


@numpy_operator("crop")
def crop(xp, x, *, crop_height: list, crop_width: list):
    return _cropped(x, (crop_height, crop_width))


def _cropped(x, cuts):
    """The last axes without (before, after) of each."""
    kept = [size - before - after for size, (before, after) in zip(x.shape[-len(cuts) :], cuts, strict=True)]
    if min(kept) < 0 or any(min(pair) < 0 for pair in cuts):
        raise PackageError(f"{[list(pair) for pair in cuts]} cannot be cut off {tuple(x.shape)}")
    return x[(..., *(slice(before, before + size) for size, (before, _) in zip(kept, cuts)))]


@numpy_operator("sliding_windows")
def sliding_windows(xp, x, *, axis, size, stride=1):
    axis = axis_of(axis, x.ndim)
    if stride < 1 or not 1 <= size <= x.shape[axis]:
        raise PackageError(f"windows of {size}, stride {stride}, do not fit into an axis of {x.shape[axis]}")
    windows = np.moveaxis(np.lib.stride_tricks.sliding_window_view(x, size, axis), -1, axis + 1)
    windows = windows[(slice(None),) * axis + (slice(None, None, stride),)]
    check_result(windows.shape)
    return windows


@numpy_operator("space_to_depth")
def space_to_depth(xp, x, *, block_size):
    return _into_channels(x, block_size, (0, 3, 5, 1, 2, 4))


@numpy_operator("depth_to_space")
def depth_to_space(xp, x, *, block_size):
    n, channels, height, width = x.shape
    s = _block(block_size)
    split = x.reshape(n, s, s, channels // s**2, height, width).transpose(0, 3, 4, 1, 5, 2)
    return split.reshape(n, channels // s**2, height * s, width * s)


@numpy_operator("pixel_shuffle")
def pixel_shuffle(xp, x, *, upscale_factor):
    n, channels, height, width = x.shape
    s = _block(upscale_factor)
    split = x.reshape(n, channels // s**2, s, s, height, width).transpose(0, 1, 4, 2, 5, 3)
    return split.reshape(n, channels // s**2, height * s, width * s)


@numpy_operator("pixel_unshuffle")
def pixel_unshuffle(xp, x, *, downscale_factor):
    return _into_channels(x, downscale_factor, (0, 1, 3, 5, 2, 4))


def _block(size):
    if size < 1:
        raise PackageError(f"a block must be 1 or more wide; got {size}")
    return size


def _into_channels(x, s, order):
    """Each s x s block of an image becomes s**2 channels, in `order` of (n, C, H, s, W, s)."""
    n, channels, height, width = x.shape
    s = _block(s)
    split = x.reshape(n, channels, height // s, s, width // s, s).transpose(order)
    return split.reshape(n, channels * s**2, height // s, width // s)


@numpy_operator("space_to_batch")
def space_to_batch(xp, x, *, block_shape: list, paddings: list):
    check_result([size + sum(pair) for size, pair in zip(x.shape[2:], paddings)])
    x = np.pad(x, [(0, 0), (0, 0), *paddings])
    n, channels, height, width = x.shape
    a, b = map(_block, block_shape)
    split = x.reshape(n, channels, height // a, a, width // b, b).transpose(3, 5, 0, 1, 2, 4)
    return split.reshape(n * a * b, channels, height // a, width // b)


@numpy_operator("batch_to_space")
def batch_to_space(xp, x, *, block_shape: list, crops: list):
    n, channels, height, width = x.shape
    a, b = map(_block, block_shape)
    split = x.reshape(a, b, n // (a * b), channels, height, width).transpose(2, 3, 4, 0, 5, 1)
    y = split.reshape(n // (a * b), channels, height * a, width * b)
    return _cropped(y, crops)
