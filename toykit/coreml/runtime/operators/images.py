"""Operators that resample images: x (n, C, H, W), or any tensor along its last axes.

Resizing asks, for each place of the result, for a place of the input between its elements. The modes
differ in the answer only; `_grid` has all of them.
"""

import math

import numpy as np

from ...format.protobuf import PackageError
from .registry import check_result, numpy_operator


def _grid(into, out, mode):
    """Places along an axis of `into` elements that `out` results are read at: float64 array.

    The formulas are those of MIL's `resize_bilinear`.
    """
    return np.clip(_box_grid(0, into - 1, out, mode), 0, into - 1)


def _between(x, axis, places):
    """Values of x at fractional places along an axis."""
    _some(x, axis, places)
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, x.shape[axis] - 1)
    share = (places - low).astype(np.float32).reshape([-1] + [1] * (x.ndim - axis % x.ndim - 1))
    return np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share


def _some(x, axis, places):
    if len(places) and not x.shape[axis]:
        raise PackageError(f"nothing can be read from an image of {tuple(x.shape)}")


def _resize(x, sizes, mode):
    """Bilinear, to `sizes` of the last axes."""
    check_result((*x.shape[: x.ndim - len(sizes)], *sizes))
    for axis, size in zip(range(-len(sizes), 0), sizes):
        x = _between(x, axis, _grid(x.shape[axis], int(size), mode))
    return x


def _nearest(x, sizes, scales=None):
    """The pixel in which each new one begins; `scales` are how many of these an old one makes."""
    check_result((*x.shape[: x.ndim - len(sizes)], *sizes))
    for number, axis in enumerate(range(-len(sizes), 0)):
        into, out = x.shape[axis], int(sizes[number])
        _some(x, axis, range(out))
        places = np.arange(out) * into // out
        if scales is not None:  # a little more, so that 10 / 3.3333333 is 3
            places = np.minimum((np.arange(out) / scales[number] + 1e-5).astype(int), into - 1)
        x = np.take(x, places, axis)
    return x


@numpy_operator("resize")
def resize(xp, x, *, shape: list, resized_dims, interpolation_mode="LINEAR", sampling_mode="DEFAULT"):
    count = int(resized_dims)
    if not 1 <= count <= min(len(shape), x.ndim):
        raise PackageError(f"resized_dims must be 1 to {min(len(shape), x.ndim)}; got {count}")
    sizes = [size or x.shape[x.ndim - count + i] for i, size in enumerate(shape[len(shape) - count :])]
    if interpolation_mode != "NEAREST_NEIGHBOR":
        return _resize(x, sizes, sampling_mode)
    if sampling_mode == "DEFAULT":
        return _nearest(x, sizes)
    check_result((*x.shape[: x.ndim - count], *sizes))
    for axis, size in zip(range(-count, 0), sizes):
        places = np.floor(_grid(x.shape[axis], int(size), sampling_mode) + 0.5).astype(int)
        _some(x, axis, places)
        x = np.take(x, np.minimum(places, x.shape[axis] - 1), axis)
    return x


@numpy_operator("resize_bilinear")
def resize_bilinear(xp, x, *, target_size_height=1, target_size_width=1, sampling_mode="DEFAULT"):
    return _resize(x, (target_size_height, target_size_width), sampling_mode)


@numpy_operator("resize_nearest_neighbor")
def resize_nearest_neighbor(xp, x, *, target_size_height, target_size_width):
    return _nearest(x, (target_size_height, target_size_width))


@numpy_operator("upsample_bilinear")
def upsample_bilinear(
    xp, x, *, scale_factor_height=1, scale_factor_width=1, align_corners=True, half_pixel_centers=None
):
    sizes = [math.floor(x.shape[-2] * scale_factor_height), math.floor(x.shape[-1] * scale_factor_width)]
    if half_pixel_centers is None:
        half_pixel_centers = not align_corners
    if align_corners:
        mode = "STRICT_ALIGN_CORNERS"
    else:
        mode = "UNALIGN_CORNERS" if half_pixel_centers else "DEFAULT"
    return _resize(x, sizes, mode)


@numpy_operator("upsample_nearest_neighbor")
def upsample_nearest_neighbor(xp, x, *, scale_factor_height=1, scale_factor_width=1):
    scales = scale_factor_height, scale_factor_width
    return _nearest(x, [math.floor(x.shape[axis] * scales[axis]) for axis in (-2, -1)], scales)


@numpy_operator("crop_resize")
def crop_resize(
    xp,
    x,
    boxes=None,
    box_indices=None,
    roi=None,
    *,
    target_height=1,
    target_width=1,
    normalized_coordinates=False,
    spatial_scale=1.0,
    box_coordinate_mode="CORNERS_HEIGHT_FIRST",
    sampling_mode="DEFAULT",
    pad_value=0.0,
):
    """Cut boxes out of images and bring each to one size. `roi` is how iOS 15 and 16 pass the boxes."""
    given = boxes if roi is None else roi
    if given is None:
        raise PackageError("lacks boxes")
    count = len(given)
    shape = check_result(
        (count, *((1, x.shape[1]) if roi is None else x.shape[:2]), target_height, target_width)
    )
    if roi is None:
        images = range(count) if box_indices is None else box_indices.astype(int)
        chosen = [x[image][None] for image in images]
    else:
        rows = roi.reshape(count, math.prod(roi.shape[1:]))
        given = rows[:, -4:]
        chosen = [x if rows.shape[1] == 4 else x[int(row[0])][None] for row in rows]
    height, width = x.shape[-2:]
    crops = []
    for image, box in zip(chosen, given):
        top, left, bottom, right = _corners(box, box_coordinate_mode)
        if normalized_coordinates:
            top, bottom, left, right = (
                top * (height - 1),
                bottom * (height - 1),
                left * (width - 1),
                right * (width - 1),
            )
        rows = _box_grid(top * spatial_scale, bottom * spatial_scale, target_height, sampling_mode)
        columns = _box_grid(left * spatial_scale, right * spatial_scale, target_width, sampling_mode)
        inside = ((rows >= 0) & (rows <= height - 1))[:, None] & ((columns >= 0) & (columns <= width - 1))
        crop = _between(_between(image, -2, np.clip(rows, 0, height - 1)), -1, np.clip(columns, 0, width - 1))
        crops.append(np.where(inside, crop, np.float32(pad_value)))
    y = np.stack(crops) if crops else np.zeros(shape, np.float32)
    return y[:, 0] if roi is None else y


def _corners(box, mode):
    a, b, c, d = map(float, box)
    if mode == "CORNERS_HEIGHT_FIRST":
        return a, b, c, d
    if mode == "CORNERS_WIDTH_FIRST":
        return b, a, d, c
    if mode == "CENTER_SIZE_HEIGHT_FIRST":
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if mode == "CENTER_SIZE_WIDTH_FIRST":
        return b - d / 2, a - c / 2, b + d / 2, a + c / 2
    raise PackageError(f"box_coordinate_mode {mode!r} is unknown")


def _box_grid(first, last, out, mode):
    """The same between two coordinates, for the last - first + 1 elements from one to the other."""
    into = last - first + 1
    i = np.arange(out, dtype=np.float64)
    if not out:
        return i
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if out == 1:
            return np.array([first if mode.startswith("STRICT") else (first + last) / 2], np.float64)
        return first + i * (last - first) / (out - 1)
    if mode == "DEFAULT":
        return first + i * into / out
    if mode == "OFFSET_CORNERS":
        delta = max(1, into - 1) / out
        return first + 0.5 * delta + i * delta
    if mode == "UNALIGN_CORNERS":
        return np.clip(first + (i + 0.5) * into / out - 0.5, min(first, last), max(first, last))
    raise PackageError(
        "sampling_mode must be DEFAULT, STRICT_ALIGN_CORNERS, ALIGN_CORNERS, OFFSET_CORNERS or "
        f"UNALIGN_CORNERS; got {mode!r}"
    )


@numpy_operator("resample")
def resample(
    xp,
    x,
    coordinates,
    *,
    sampling_mode,
    padding_mode,
    padding_value,
    coordinates_mode,
    align_corners,
):
    """Read images at places (x, y) that a tensor gives: coordinates (n, H, W, 2)."""
    check_result((*x.shape[:2], *coordinates.shape[1:3]))
    across, down = (
        _unnormalized(coordinates[..., i].astype(np.float64), size, coordinates_mode, align_corners)
        for i, size in enumerate((x.shape[3], x.shape[2]))
    )
    return _sample(x, across, down, sampling_mode, padding_mode, padding_value, align_corners)


@numpy_operator("affine")
def affine(
    xp,
    x,
    transform_matrix,
    *,
    output_height,
    output_width,
    sampling_mode,
    padding_mode,
    padding_value,
    coordinates_mode,
    align_corners,
):
    check_result((*x.shape[:2], output_height, output_width))
    # Both ends of the mapping count alike: with corners not aligned, -1 is the edge of a pixel there too.
    columns = _normalized(output_width, align_corners)
    rows = _normalized(output_height, align_corners)[:, None]
    a = np.broadcast_to(transform_matrix, (len(x), 6)).astype(np.float64)[:, :, None, None]
    across, down = (
        _unnormalized(
            a[:, i] * columns + a[:, i + 1] * rows + a[:, i + 2], size, coordinates_mode, align_corners
        )
        for i, size in ((0, x.shape[3]), (3, x.shape[2]))
    )
    return _sample(x, across, down, sampling_mode, padding_mode, padding_value, align_corners)


def _normalized(size, align_corners):
    """Where the centres of pixels lie from -1 to 1, the centres of the outer ones or their edges."""
    return np.linspace(-1, 1, size) if align_corners else (2 * np.arange(size) + 1) / size - 1


def _unnormalized(places, size, mode, align_corners):
    if mode == "unnormalized":
        return places
    if mode == "normalized_zero_to_one":
        places = 2 * places - 1
    elif mode != "normalized_minus_one_to_one":
        raise PackageError(f"coordinates_mode {mode!r} is unknown")
    return (places + 1) / 2 * (size - 1) if align_corners else ((places + 1) * size - 1) / 2


def _sample(x, across, down, sampling_mode, padding_mode, padding_value, align_corners):
    height, width = x.shape[-2:]
    if across.size and not height * width:
        raise PackageError(f"nothing can be read from an image of {tuple(x.shape)}")
    across = _folded(across, width, padding_mode)
    down = _folded(down, height, padding_mode)
    batch = np.arange(len(x))[:, None, None]

    def read(column, row):
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        values = x[batch, :, np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        return np.where(inside[..., None], values, np.float32(padding_value))

    if sampling_mode == "nearest":
        y = read(np.rint(across).astype(int), np.rint(down).astype(int))
    elif sampling_mode == "bilinear":
        left, top = np.floor(across).astype(int), np.floor(down).astype(int)
        right = (across - left)[..., None].astype(np.float32)
        low = (down - top)[..., None].astype(np.float32)
        y = (read(left, top) * (1 - right) + read(left + 1, top) * right) * (1 - low)
        y = y + (read(left, top + 1) * (1 - right) + read(left + 1, top + 1) * right) * low
    else:
        raise PackageError(f"sampling_mode must be nearest or bilinear; got {sampling_mode!r}")
    return np.moveaxis(y, -1, 1)


def _folded(places, size, mode):
    """Bring places outside the image back into it, as the padding asks."""
    # Far outside is far enough: an integer must be able to hold the place.
    places = np.clip(np.nan_to_num(places), -(2.0**31), 2.0**31)
    if mode == "constant":
        return places
    if mode == "border":
        return np.clip(places, 0, size - 1)
    if mode == "reflection":
        if size == 1:
            return np.zeros_like(places)
        folded = np.abs(places) % (2 * (size - 1))
        return np.minimum(folded, 2 * (size - 1) - folded)
    if mode == "symmetric":
        folded = np.abs(places + 0.5) % (2 * size)
        return np.clip(np.minimum(folded, 2 * size - folded) - 0.5, 0, size - 1)
    raise PackageError(f"padding_mode must be constant, border, reflection or symmetric; got {mode!r}")
