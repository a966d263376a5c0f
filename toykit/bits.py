"""Packing: small whole numbers, several to a byte.

A 4-bit code needs half a byte and a 3-bit code three eighths of one, but a computer moves whole
bytes. So codes are written one after another into a long row of bits, and the row is cut into
bytes. Core ML starts each byte at its lowest bit, and lets a code run over into the next byte:

    3-bit codes    5     2     7            5 = 101, 2 = 010, 7 = 111
    row of bits    1 0 1 0 1 0 1 1 | 1      lowest bit of each code first
    bytes          0b11010101, 0b00000001   lowest bit of each byte written last, as usual

The bits left over in the last byte are zero. Not here: what the codes mean. That is the business
of `toykit.pruning` (1 bit: kept or not), `toykit.quantization` and `toykit.palettization`.
"""

import numpy as np

from .compressed import as_array, check_array, check_flag, check_int


def pack(codes, bits, signed=False):
    """Write each code in `bits` bits, and the row of bits as bytes.

    Parameters
    ----------
    codes : array of int, any shape
        From 0 to 2**bits - 1, or from -2**(bits - 1) to 2**(bits - 1) - 1 when signed. They are
        read in row-major order.
    bits : int from 1 to 8
        Core ML stores 1, 2, 3, 4, 6 and 8. 5 and 7 follow the same rule.
    signed : bool
        Whether codes are signed; a negative code is stored as its two's complement.

    Returns
    -------
    packed : (ceil(codes.size * bits / 8),) uint8 array

    Raises
    ------
    TypeError
        If the codes are not whole numbers.
    ValueError
        If a code does not fit into `bits` bits, or `bits` is not from 1 to 8.

    Examples
    --------
    >>> [f"{byte:08b}" for byte in pack([5, 2, 7], bits=3)]
    ['11010101', '00000001']
    >>> pack([-1, 3], bits=4, signed=True).tolist()      # 1111 and 0011
    [63]
    """
    bits = check_int("bits", bits, range(1, 9))
    codes = check_array("codes", codes, kinds="iu", empty=True)
    lowest, highest = code_range(bits, signed)
    if codes.size == 0:
        return np.zeros(0, np.uint8)
    if codes.min() < lowest or codes.max() > highest:
        kind = "signed" if signed else "unsigned"
        raise ValueError(
            f"codes of {bits} bits, {kind}, must be from {lowest} to {highest}; "
            f"these are from {codes.min()} to {codes.max()}"
        )
    # The low bits of a negative number are its two's complement; the mask drops the rest.
    codes = codes.astype(np.uint8).ravel() & np.uint8(2**bits - 1)
    if 8 % bits:
        # 3, 5, 6 or 7 bits straddle bytes: spell out every bit, keep the low ones, close ranks. Eight
        # codes end where a byte ends, so this can be done in parts, and takes little memory.
        packed = [np.zeros(0, np.uint8)]
        for start in range(0, codes.size, 1 << 18):
            spelled = np.unpackbits(
                codes[start : start + (1 << 18), None], axis=1, bitorder="little", count=bits
            )
            packed.append(np.packbits(spelled, bitorder="little"))
        return np.concatenate(packed)
    # 1, 2, 4 or 8 bits never do: shift each code to its lane in the byte and merge the lanes.
    lanes = np.zeros((-(codes.size * bits // -8), 8 // bits), np.uint8)
    lanes.reshape(-1)[: codes.size] = codes
    packed = lanes[:, 0].copy()
    for lane in range(1, lanes.shape[1]):
        packed |= lanes[:, lane] << np.uint8(lane * bits)
    return packed


def unpack(packed, bits, count, signed=False):
    """Read back the codes that `pack` wrote.

    Parameters
    ----------
    packed : uint8 array
    bits : int from 1 to 8
    count : int
        How many codes there are; the last byte alone cannot tell.
    signed : bool

    Returns
    -------
    codes : (count,) uint8 array, int8 when signed

    Raises
    ------
    ValueError
        If `count` codes of this width do not take exactly the bytes that are given.

    Examples
    --------
    >>> unpack(pack([5, 2, 7], bits=3), bits=3, count=3).tolist()
    [5, 2, 7]
    """
    bits = check_int("bits", bits, range(1, 9))
    signed = check_flag("signed", signed)
    packed = as_array("packed", packed)
    if packed.dtype != np.uint8:
        raise TypeError(f"packed must be an array of uint8, got {packed.dtype}")
    count = check_int("count", count, range(2**60))
    if packed.size != -(count * bits // -8):
        raise ValueError(
            f"packed must hold {count} codes of {bits} bits, {-(count * bits // -8)} bytes; got {packed.size}"
        )
    packed = packed.ravel()
    if 8 % bits:
        spelled = np.unpackbits(packed, bitorder="little", count=count * bits)
        codes = np.packbits(spelled.reshape(count, bits), axis=1, bitorder="little").reshape(count)
    else:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        codes = (packed[:, None] >> shifts & np.uint8(2**bits - 1)).reshape(-1)[:count]
    if not signed:
        return codes
    # Copy the sign bit into the bits above it: 0b1111 becomes 0b11111111, which int8 reads as -1.
    sign = np.uint8(1 << (bits - 1))
    return ((codes ^ sign) - sign).view(np.int8)


def code_range(bits, signed):
    """The smallest and the largest whole number that `bits` bits can hold.

    Examples
    --------
    >>> code_range(4, signed=False), code_range(4, signed=True)
    ((0, 15), (-8, 7))
    """
    bits = check_int("bits", bits, range(1, 9))
    if check_flag("signed", signed):
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1
