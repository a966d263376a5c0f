"""Every form with every part, weight by weight: what it stands for and weighs, by formulas of this file's own."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk
from toykit.joint import is_joint


def packed(numbers, bits):
    """Each number's bits, the lowest first, in a row: by way of text, to owe nothing to toykit."""
    row = "".join(f"{int(number) % 2**bits:0{bits}b}"[::-1] for number in np.ravel(numbers))
    return np.uint8([int(row[start : start + 8][::-1], 2) for start in range(0, len(row), 8)])


def stored(codes, bits, signed=False):
    return packed(codes, bits) if bits < 8 else np.asarray(codes, np.int8 if signed else np.uint8)


def bytes_of(count, bits):
    return -(-count * bits // 8)


@st.composite
def blocked(draw, most_axes=3):
    """A shape, and into how many blocks each of its axes is cut."""
    blocks = draw(st.lists(st.integers(1, 3), min_size=1, max_size=most_axes))
    return tuple(n * draw(st.integers(1, 3)) for n in blocks), tuple(blocks)


def place(index, shape, blocks):
    """The block that a weight is in."""
    return tuple(i // (size // n) for i, size, n in zip(index, shape, blocks, strict=True))


def floats(draw, shape, dtype):
    random = np.random.default_rng(draw(st.integers(0, 9999)))
    return random.normal(0, draw(st.sampled_from((0.001, 1, 100))), shape).astype(dtype)


def whole(draw, shape, bits, signed):
    low = -(2 ** (bits - 1)) if signed else 0
    return np.random.default_rng(draw(st.integers(0, 9999))).integers(low, low + 2**bits, shape)


def mask_of(draw, shape):
    """Which are kept, or None for no mask."""
    share = draw(st.sampled_from((None, 0, 0.5, 1)))
    return None if share is None else np.random.default_rng(draw(st.integers(0, 9999))).random(shape) < share


def quantized(draw, shape, blocks, dtype, mask):
    """The form, the weights that it stands for, and its bytes."""
    bits, signed = draw(st.integers(1, 8)), draw(st.booleans())
    codes, scale = whole(draw, shape, bits, signed), floats(draw, blocks, dtype)
    zeros = whole(draw, blocks, bits, signed) if draw(st.booleans()) else None
    kept = np.ones(shape, bool) if mask is None else mask
    weights = np.zeros(shape, dtype)
    for index in np.ndindex(shape):
        if kept[index]:
            block = place(index, shape, blocks)
            zero = 0 if zeros is None else int(zeros[block])
            weights[index] = dtype.type(float(scale[block]) * (int(codes[index]) - zero))
    made = tk.Quantized(
        stored(codes if mask is None else codes[mask], bits, signed),
        scale,
        None if zeros is None else stored(zeros, bits, signed),
        shape,
        bits,
        signed,
        None if mask is None else packed(mask, 1),
    )
    nbytes = bytes_of(np.count_nonzero(kept), bits) + scale.nbytes
    nbytes += bytes_of(math.prod(blocks), bits) if zeros is not None else 0
    return made, weights, nbytes + (0 if mask is None else bytes_of(math.prod(shape), 1))


@given(st.data(), blocked(), st.sampled_from((np.dtype("float16"), np.dtype("float32"))))
def test_quantized_by_its_formula(data, cut, dtype):
    made, weights, nbytes = quantized(data.draw, *cut, dtype, mask_of(data.draw, cut[0]))
    np.testing.assert_array_equal(made.dense(), weights, strict=True)
    assert made.nbytes == nbytes == sum(part.nbytes for part in made.parts.values())
    assert is_joint(made) == (made.mask is not None)


@given(st.data(), blocked(), st.sampled_from((np.dtype("float16"), np.dtype("float32"))))
def test_palettized_by_looking_up(data, cut, dtype):
    draw, (numbers, blocks) = data.draw, cut
    bits, length, axis = (
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)),
        draw(st.integers(0, len(blocks) - 1)),
    )
    shape = tuple(size * length if i == axis else size for i, size in enumerate(numbers))
    tables = (*blocks, 2**bits, length)
    if draw(st.booleans()):  # a table that is quantized itself, with one scale
        lut, entries, nbytes = quantized(draw, tables, (1,) * len(tables), dtype, None)
    else:
        lut = entries = floats(draw, tables, dtype)
        nbytes = lut.nbytes
    indices, mask = whole(draw, numbers, bits, False), mask_of(draw, numbers)
    scale = (
        floats(draw, [draw(st.sampled_from((1, n))) for n in shape], dtype) if draw(st.booleans()) else None
    )
    kept = np.ones(numbers, bool) if mask is None else mask
    weights = np.zeros(shape, dtype)
    for index in np.ndindex(shape):
        vector = tuple(n // length if i == axis else n for i, n in enumerate(index))
        if kept[vector]:
            entry = entries[(*place(vector, numbers, blocks), indices[vector], index[axis] % length)]
            factor = 1.0 if scale is None else float(np.broadcast_to(scale, shape)[index])
            weights[index] = dtype.type(float(entry) * factor)
    made = tk.Palettized(
        packed(indices if mask is None else indices[mask], bits),
        lut,
        shape,
        bits,
        axis - len(shape) if draw(st.booleans()) else axis,
        scale,
        None if mask is None else packed(mask, 1),
    )
    np.testing.assert_array_equal(made.dense(), weights, strict=True)
    nbytes += bytes_of(np.count_nonzero(kept), bits) + (0 if scale is None else scale.nbytes)
    assert made.nbytes == nbytes + (0 if mask is None else bytes_of(kept.size, 1))
    assert is_joint(made) == (mask is not None or not isinstance(lut, np.ndarray))
    np.testing.assert_array_equal(made.kept, np.repeat(kept, length, axis))


SCALE, TABLE = np.ones((2, 1), np.float16), np.ones((1, 1, 2, 1), np.float16)


@pytest.mark.parametrize(
    "make, kind, message",
    [
        (
            lambda: tk.Quantized(
                np.zeros((4, 6), np.int8), np.ones((3, 1), np.float16), None, (4, 6), 8, True
            ),
            ValueError,
            r"scale must divide the shape \(4, 6\); got an array of shape \(3, 1\)",
        ),
        (
            lambda: tk.Quantized([[0] * 6] * 4, SCALE, None, (4, 6), 8, True),
            TypeError,
            "codes must be an array of int8",
        ),
        (
            lambda: tk.Quantized(np.zeros((4, 6), ">i2"), SCALE, None, (4, 6), 8, True),
            TypeError,
            "codes must be an array of int8; got an array of >i2",
        ),
        (
            lambda: tk.Quantized(np.zeros(12, np.uint8), SCALE, SCALE, (4, 6), 4, True),
            TypeError,
            "zero_point must be an array of uint8",
        ),
        (
            lambda: tk.Palettized(np.zeros(3, np.uint8), TABLE, (4, 6), 1, 0, np.ones((3, 1), np.float16)),
            ValueError,
            r"scale must broadcast to the shape \(4, 6\); got an array of \(3, 1\)",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make().dense()


@given(st.data(), blocked())
def test_sparse_by_its_mask(data, cut):
    dtype = np.dtype(data.draw(st.sampled_from(("float16", "float32"))))
    kept = data.draw(st.integers(0, 2)) / 2 > np.random.default_rng(0).random(cut[0])
    weights = np.where(kept, floats(data.draw, cut[0], dtype), dtype.type(0))
    made = tk.Sparse(weights[kept], packed(kept, 1), cut[0])
    np.testing.assert_array_equal(made.dense(), weights, strict=True)
    assert made.nbytes == dtype.itemsize * np.count_nonzero(kept) + bytes_of(kept.size, 1)
    assert not is_joint(made)


@pytest.mark.parametrize(
    "made",
    [
        lambda: tk.Quantized(
            np.zeros(3, np.int8), np.ones((1,), np.float16), None, (8,), 8, True, np.uint8([3])
        ),
        lambda: tk.Palettized(np.uint8([0, 0]), np.ones((1, 2, 1), np.float16), (8,), 1, mask=np.uint8([3])),
        lambda: tk.Palettized(np.uint8([0]), np.ones((2, 2, 3), np.float16), (8,), 1),
        lambda: tk.Sparse(np.ones(3, np.float16), np.uint8([3]), (8,)),
    ],
    ids=["more codes than are kept", "more indices", "vectors that do not divide", "more values"],
)
def test_parts_that_a_mask_does_not_fit_are_refused(made):
    with pytest.raises(ValueError, match="codes|indices|lut|values"):
        made().dense()
