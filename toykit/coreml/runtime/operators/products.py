"""Operators that multiply matrices: linear layers, matrix products, convolutions, attention."""

import math

import numpy as np

from ...format.protobuf import PackageError
from .elementwise import per_channel
from .registry import check_result, operator


@operator("linear")
def linear(xp, x, weight, bias=None):
    check_result((*x.shape[:-1], weight.shape[0]))
    return xp.linear(x, weight, bias)


@operator("matmul")
def matmul(xp, x, y, *, transpose_x=False, transpose_y=False):
    x = xp.swapaxes(x, -1, -2) if transpose_x and x.ndim > 1 else x
    y = xp.swapaxes(y, -1, -2) if transpose_y and y.ndim > 1 else y
    if x.ndim > 1 and y.ndim > 1:
        check_result((*np.broadcast_shapes(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]))
    return x @ y


@operator("einsum")
def einsum(xp, values, *, equation):
    inputs, _, output = equation.replace(" ", "").partition("->")
    sizes = {}
    for letters, value in zip(inputs.split(","), values):
        for letter, size in zip(letters, value.shape):
            sizes[letter] = max(size, sizes.get(letter, 0))
    check_result([sizes[letter] for letter in output])
    return xp.einsum(equation, *values)


@operator("scaled_dot_product_attention")
def scaled_dot_product_attention(xp, query, key, value, attn_mask=None):
    """softmax(Q K^T / sqrt(E) + mask) V, over the last two axes."""
    scores = matmul(xp, query, key, transpose_y=True) / math.sqrt(query.shape[-1])
    if attn_mask is not None:
        if np.broadcast_shapes(tuple(attn_mask.shape), tuple(scores.shape)) != tuple(scores.shape):
            raise PackageError(
                f"a mask {tuple(attn_mask.shape)} does not go with scores {tuple(scores.shape)}"
            )
        if xp.kind(attn_mask) == "bool":
            scores = xp.where(attn_mask, scores, -math.inf)
        else:
            scores = scores + attn_mask
    return xp.softmax(scores, -1) @ value


@operator("conv")
def conv(
    xp,
    x,
    weight,
    bias=None,
    *,
    strides: list | None = None,
    pad_type="valid",
    pad: list | None = None,
    dilations: list | None = None,
    groups=1,
):
    kernel, rank = weight.shape[2:], x.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    reach = _reach(x, weight, strides, dilations)
    if groups < 1 or x.shape[1] != weight.shape[1] * groups or weight.shape[0] % groups:
        raise PackageError(
            f"weights of {tuple(weight.shape)} and {groups} groups do not go with {tuple(x.shape)}"
        )
    widths = padding(x.shape[2:], reach, strides, pad_type, pad)
    padded = [size + sum(pair) for size, pair in zip(x.shape[2:], widths)]
    check_result((x.shape[0], x.shape[1], *padded))
    outputs = [max((size - r) // stride + 1, 0) for size, r, stride in zip(padded, reach, strides)]
    check_result((x.shape[0], weight.shape[0], *outputs))
    # The copies of what each window holds that a backend may make on the way.
    check_result((x.shape[0], x.shape[1] * math.prod(kernel), *outputs), temporary=True)
    if 0 in x.shape or 0 in weight.shape:  # torch refuses some of these
        total = xp.zeros((x.shape[0], weight.shape[0], *outputs))
        return total if bias is None else total + per_channel(bias, total)
    return xp.conv(x, weight, bias, strides, widths, dilations, groups)


@operator("conv_transpose")
def conv_transpose(
    xp,
    x,
    weight,
    bias=None,
    *,
    pad: list | None = None,
    output_shape: list | None = None,
    pad_type="valid",
    strides: list | None = None,
    dilations: list | None = None,
    groups=1,
):
    rank = x.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    reach = _reach(x, weight, strides, dilations)
    if groups < 1 or x.shape[1] != weight.shape[0] or x.shape[1] % groups:
        raise PackageError(
            f"weights of {tuple(weight.shape)} and {groups} groups do not go with {tuple(x.shape)}"
        )
    whole = [(size - 1) * s + r for size, s, r in zip(x.shape[2:], strides, reach)]
    channels = weight.shape[1] * groups
    check_result((x.shape[0], channels, *whole))
    # What is cut off the whole, before and after; where less than nothing is, zeros are added.
    if pad_type == "custom":
        cut = _custom(pad, rank)
    elif pad_type == "same":
        surplus = [max(w - size * s, 0) for w, size, s in zip(whole, x.shape[2:], strides)]
        cut = [(n // 2, n - n // 2) for n in surplus]
    else:
        cut = [(0, 0)] * rank
    if output_shape is not None:
        wanted = check_result(output_shape)[-rank:]
        if tuple(output_shape[:-rank]) not in ((), (x.shape[0], channels)):
            raise PackageError(
                f"output_shape {output_shape} does not go with ({x.shape[0]}, {channels}, ...)"
            )
        cut = [(before, w - before - size) for w, (before, _), size in zip(whole, cut, wanted)]
    if 0 in x.shape or 0 in weight.shape:  # torch refuses some of these
        total = xp.zeros((x.shape[0], channels, *whole))
    else:
        total = xp.conv_transpose(x, weight, strides, dilations, groups)
    added = [(max(-before, 0), max(-after, 0)) for before, after in cut]
    if any(sum(pair) for pair in added):
        total = xp.pad(total, [(0, 0), (0, 0), *added], 0.0)
    ends = [size - max(after, 0) for size, (_, after) in zip(total.shape[2:], cut)]
    kept = tuple(slice(max(before, 0), end) for (before, _), end in zip(cut, ends))
    total = total[(slice(None), slice(None), *kept)]
    return total if bias is None else total + per_channel(bias, total)


def _reach(x, weight, strides, dilations):
    """How far a kernel reaches along each axis: list of int."""
    kernel = weight.shape[2:]
    if x.ndim != weight.ndim or not len(strides) == len(dilations) == len(kernel):
        raise PackageError(
            f"x {tuple(x.shape)}, weights {tuple(weight.shape)}, strides {strides} and dilations {dilations} "
            "do not have the same axes"
        )
    if min(*kernel, *strides, *dilations) < 1:
        raise PackageError(
            f"windows {list(kernel)}, strides {strides} and dilations {dilations} must be 1 or more"
        )
    return [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]


def _custom(pad, rank):
    """(before, after) for each of the last `rank` axes."""
    if pad is None or len(pad) != 2 * rank or min(pad) < 0:
        raise PackageError(f"pad must be two numbers from 0 up for each of {rank} axes; got {pad}")
    return list(zip(pad[::2], pad[1::2]))


def padding(sizes, reach, strides, pad_type, pad):
    """What is added before and after each axis: list of (int, int).

    "same" makes as many outputs as strides fit into the input; an odd element goes after ("same") or
    before ("same_lower").
    """
    if not len(strides) == len(reach) == len(sizes) or not sizes:
        raise PackageError(f"strides {list(strides)} and windows {list(reach)} do not go with {tuple(sizes)}")
    if min(*strides, *reach) < 1:
        raise PackageError(f"strides {list(strides)} and windows {list(reach)} must be 1 or more")
    if pad_type == "custom":
        return _custom(pad, len(sizes))
    if pad_type == "valid":
        return [(0, 0)] * len(sizes)
    if pad_type not in ("same", "same_lower"):
        raise PackageError(f"pad_type must be valid, custom, same or same_lower; got {pad_type!r}")
    widths = []
    for size, r, stride in zip(sizes, reach, strides):
        total = max((-(-size // stride) - 1) * stride + r - size, 0)
        small, large = total // 2, total - total // 2
        widths.append((small, large) if pad_type == "same" else (large, small))
    return widths
