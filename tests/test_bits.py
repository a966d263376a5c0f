"""Packing against the definition, written out one bit at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toykit import bits


def packed_by_definition(codes, width):
    """Lowest bit of each code first, eight bits to a byte, the lowest bit of each byte first."""
    row = "".join(format(code % 2**width, f"0{width}b")[::-1] for code in codes)
    return [int(row[i : i + 8][::-1], 2) for i in range(0, len(row), 8)]


@st.composite
def codes(draw):
    width, signed = draw(st.integers(1, 8)), draw(st.booleans())
    lowest, highest = bits.code_range(width, signed)
    return draw(st.lists(st.integers(lowest, highest), max_size=70)), width, signed


@given(codes())
def test_packing_is_its_definition_and_comes_back(case):
    numbers, width, signed = case
    packed = bits.pack(np.array(numbers, int), width, signed=signed)
    assert packed.dtype == np.uint8
    assert packed.tolist() == packed_by_definition(numbers, width)
    back = bits.unpack(packed, width, len(numbers), signed=signed)
    assert back.tolist() == numbers
    assert back.dtype == (np.int8 if signed else np.uint8)


@given(codes())
def test_packing_is_coremltools_packing(case):
    pytest.importorskip("coremltools")
    from coremltools.optimize._utils import pack_elements_into_bits, restore_elements_from_packed_bits

    numbers, width, signed = case
    if not numbers:
        return
    array = np.array(numbers, np.int8 if signed else np.uint8)
    packed = pack_elements_into_bits(array, width)
    np.testing.assert_array_equal(bits.pack(array, width, signed=signed), packed)
    np.testing.assert_array_equal(
        bits.unpack(packed, width, array.size, signed=signed),
        restore_elements_from_packed_bits(packed, width, array.size, are_packed_values_signed=signed),
    )


def test_codes_of_any_shape_are_read_in_row_major_order():
    table = np.arange(16).reshape(4, 4)
    np.testing.assert_array_equal(bits.pack(table.T, 4), bits.pack(table.T.ravel().tolist(), 4))


def test_the_input_is_not_changed():
    numbers = np.arange(4, dtype=np.uint8)
    packed = bits.pack(numbers, 8)
    packed[0] = 9
    assert numbers.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (
            lambda: bits.pack([0, 16], 4),
            ValueError,
            "4 bits, unsigned, must be from 0 to 15; these are from 0 to 16",
        ),
        (lambda: bits.pack([-1], 4), ValueError, "must be from 0 to 15; these are from -1 to -1"),
        (lambda: bits.pack([-9, 7], 4, signed=True), ValueError, "signed, must be from -8 to 7"),
        (lambda: bits.pack([2**40], 8), ValueError, "from 0 to 255"),
        (lambda: bits.pack([0.0, 1.0], 4), TypeError, "codes must be an array of whole numbers, got float64"),
        (lambda: bits.pack([0], 0), ValueError, "bits must be a whole number from 1 to 8; got 0"),
        (lambda: bits.pack([0], 9), ValueError, "bits must be a whole number from 1 to 8; got 9"),
        (lambda: bits.pack([0], "4"), TypeError, "bits must be a whole number from 1 to 8, got '4'"),
        (
            lambda: bits.unpack(np.zeros(2, np.uint8), 4, 5),
            ValueError,
            "packed must hold 5 codes of 4 bits, 3 bytes; got 2",
        ),
        (lambda: bits.unpack(np.zeros(2, np.int64), 4, 4), TypeError, "uint8, got int64"),
    ],
)
def test_bad_input_is_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
