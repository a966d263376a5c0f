"""Pooling: the largest, the mean or the length of what a window sees."""

import math

from ...format.protobuf import PackageError
from .products import padding
from .registry import check_result, operator

_LARGEST_WINDOW = 2**20  # elements; NumPy takes a step for each


@operator("max_pool")
def max_pool(
    xp,
    x,
    *,
    kernel_sizes: list,
    pad_type,
    strides: list | None = None,
    pad: list | None = None,
    ceil_mode=False,
):
    strides = strides or [1] * len(kernel_sizes)
    _, whole = _widths(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    return _over(xp, xp.window_max, _padded(xp, x, whole, -math.inf), kernel_sizes, strides)


@operator("avg_pool")
def avg_pool(
    xp,
    x,
    *,
    kernel_sizes: list,
    pad_type,
    strides: list | None = None,
    pad: list | None = None,
    exclude_padding_from_average=False,
    ceil_mode=False,
):
    strides = strides or [1] * len(kernel_sizes)
    stated, whole = _widths(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    total = _over(xp, xp.window_sum, _padded(xp, x, whole, 0.0), kernel_sizes, strides)
    # How many elements each window is the mean of. What rounding up the size adds is never counted, as in
    # torch; padding is, unless the program says otherwise.
    counted = xp.ones((1, 1, *x.shape[2:]))
    if not exclude_padding_from_average:
        counted = _padded(xp, counted, stated, 1.0)
        whole = [(w[0] - s[0], w[1] - s[1]) for w, s in zip(whole, stated)]
    return total / xp.window_sum(_padded(xp, counted, whole, 0.0), kernel_sizes, strides)


@operator("l2_pool")
def l2_pool(
    xp,
    x,
    *,
    kernel_sizes: list,
    pad_type,
    strides: list | None = None,
    pad: list | None = None,
    ceil_mode=False,
):
    strides = strides or [1] * len(kernel_sizes)
    _, whole = _widths(x, kernel_sizes, strides, pad_type, pad, ceil_mode)
    squares = _padded(xp, xp.square(x), whole, 0.0)
    return xp.sqrt(_over(xp, xp.window_sum, squares, kernel_sizes, strides))


def _over(xp, function, x, kernel, strides):
    """`function` of the windows; torch refuses those of no images or no channels."""
    if x.shape[0] and x.shape[1]:
        return function(x, kernel, strides)
    return xp.zeros(
        (*x.shape[:2], *((size - k) // s + 1 for size, k, s in zip(x.shape[2:], kernel, strides)))
    )


def _widths(x, kernel, strides, pad_type, pad, ceil_mode):
    """The padding that is stated, and the same with what rounding up the output's size adds after it."""
    if math.prod(kernel) > _LARGEST_WINDOW:
        raise PackageError(f"a window of {list(kernel)} has more than {_LARGEST_WINDOW:,} elements")
    stated = padding(x.shape[2:], kernel, strides, pad_type, pad)
    whole = list(stated)
    if ceil_mode:
        for axis, (size, k, stride, (before, after)) in enumerate(zip(x.shape[2:], kernel, strides, stated)):
            outputs = -(-(size + before + after - k) // stride) + 1
            # A last window that would start in the padding after the input is left out.
            if (outputs - 1) * stride >= size + before:
                outputs -= 1
            whole[axis] = (before, max((outputs - 1) * stride + k - size - before, after))
    return stated, whole


def _padded(xp, x, widths, value):
    if not any(sum(pair) for pair in widths):
        return x
    check_result((x.shape[0], x.shape[1], *(size + sum(pair) for size, pair in zip(x.shape[2:], widths))))
    return xp.pad(x, [(0, 0), (0, 0), *widths], value)
