"""The loops themselves: a compressed matrix times a vector, and rows of it decompressed.

Each `*_product` computes y = W x with W as it is stored; a weight is decompressed in a register,
used once and forgotten. Each `*_rows` writes some rows of W out as float32, for the products with
many vectors at once, where a weight is used again and again while it is in the cache.

Arithmetic may be reordered (`fastmath`): a sum of n products is then made of several partial sums,
which is what lets it run on vector instructions, and its last digits depend on how many there are.
"""

import numpy as np
from numba import njit

from . import instructions

# Where the ones of each byte are, and how many: the plain way to read a bitmask.
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
COUNT = _BITS.sum(1).astype(np.int64)
POSITIONS = np.argsort(1 - _BITS, axis=1, kind="stable").astype(np.int64)


@njit(fastmath=True)
def dense_product(weights, x, y):
    """float32 weights: the rival of all others."""
    m, n = weights.shape
    # Four rows at once share each x[k]. The last four may repeat a row; it gets the same value.
    for i in range(0, m, 4):
        i1, i2, i3 = min(i + 1, m - 1), min(i + 2, m - 1), min(i + 3, m - 1)
        a = b = c = d = np.float32(0)
        for k in range(n):
            a += weights[i, k] * x[k]
            b += weights[i1, k] * x[k]
            c += weights[i2, k] * x[k]
            d += weights[i3, k] * x[k]
        y[i], y[i1], y[i2], y[i3] = a, b, c, d


@njit
def half_rows(weights, start, out):
    """Rows start, start + 1, ... of float16 weights, seen as uint16, as many as `out` has."""
    for r in range(len(out)):
        for k in range(weights.shape[1]):
            out[r, k] = instructions.half_to_float(weights[start + r, k])


@njit(fastmath=True)
def int8_rows(codes, scale, zero, start, out):
    """Rows of 8-bit weights."""
    for r in range(len(out)):
        i = start + r
        for k in range(codes.shape[1]):
            out[r, k] = (np.float32(codes[i, k]) - zero[i]) * scale[i]


@njit
def int8_int8_product(codes, scale, x, x_scale, y):
    """Both sides in 8 bits: whole numbers are multiplied and added, exactly, and scaled once."""
    for i in range(len(codes)):
        total = np.int32(0)
        for k in range(len(x)):
            total = instructions.add_product_int32(total, codes[i, k], x[k])
        y[i] = np.float32(total) * (scale[i] * x_scale)


def _float_product(bits, vectors):
    four_rows = instructions.rows_product(bits, vectors=vectors)

    @njit
    def product(weights, x, y):
        m, count = weights.shape
        sums = np.empty((4, vectors), np.float32)
        for i in range(0, m, 4):
            i1, i2, i3 = min(i + 1, m - 1), min(i + 2, m - 1), min(i + 3, m - 1)
            four_rows((weights[i], weights[i1], weights[i2], weights[i3]), (), x, sums, count)
            for v in range(vectors):
                y[i, v], y[i1, v], y[i2, v], y[i3, v] = sums[0, v], sums[1, v], sums[2, v], sums[3, v]

    return product


def _int8_product(signed, vectors):
    four_rows = instructions.rows_product(8, signed, vectors)

    @njit
    def product(codes, scale, zero, x, y):
        m, count = codes.shape
        sums = np.empty((4, vectors), np.float32)
        for i in range(0, m, 4):
            i1, i2, i3 = min(i + 1, m - 1), min(i + 2, m - 1), min(i + 3, m - 1)
            # The zero point is taken off each code, which is exact; off the sum it would cancel digits.
            four_rows(
                (codes[i], codes[i1], codes[i2], codes[i3]),
                (zero[i : i + 1], zero[i1 : i1 + 1], zero[i2 : i2 + 1], zero[i3 : i3 + 1]),
                x,
                sums,
                count,
            )
            for v in range(vectors):
                y[i, v], y[i1, v] = sums[0, v] * scale[i], sums[1, v] * scale[i1]
                y[i2, v], y[i3, v] = sums[2, v] * scale[i2], sums[3, v] * scale[i3]

    return product


def _table_product(bits, vectors):
    four_rows = instructions.rows_product(bits, vectors=vectors)

    @njit
    def product(codes, tables, rows_a_table, x, y):
        m, count = codes.shape
        sums = np.empty((4, vectors), np.float32)
        for i in range(0, m, 4):
            i1, i2, i3 = min(i + 1, m - 1), min(i + 2, m - 1), min(i + 3, m - 1)
            t, t1, t2, t3 = i // rows_a_table, i1 // rows_a_table, i2 // rows_a_table, i3 // rows_a_table
            rows = (codes[i], codes[i1], codes[i2], codes[i3])
            four_rows(rows, (tables[t], tables[t1], tables[t2], tables[t3]), x, sums, count)
            for v in range(vectors):
                y[i, v], y[i1, v], y[i2, v], y[i3, v] = sums[0, v], sums[1, v], sums[2, v], sums[3, v]

    return product


_VECTORS = (1, instructions.VECTORS)

# Weights as they are, float16 (seen as uint16) or float32, by their bits and by vectors.
float_product = {(bits, v): _float_product(bits, v) for bits in (16, 32) for v in _VECTORS}
# w = scale (code - zero), by whether codes are signed and by vectors.
int8_product = {(signed, v): _int8_product(signed, v) for signed in (False, True) for v in _VECTORS}
# Codes of 1, 2 or 4 bits and tables of 16 float32 (shorter ones are repeated), by bits and by vectors.
table_product = {(bits, v): _table_product(bits, v) for bits in (1, 2, 4) for v in _VECTORS}


@njit
def table_rows(codes, bits, tables, rows_a_table, start, out):
    """Rows of the same weights: those in the lowest bits of each byte first, then the next."""
    count = codes.shape[1]
    for r in range(len(out)):
        i = start + r
        table = tables[i // rows_a_table]
        for lane in range(8 // bits):
            for k in range(count):
                out[r, lane * count + k] = table[(codes[i, k] >> (lane * bits)) & 15]


@njit
def expanded_row(values, first, mask, x):
    return instructions.expanded_row(values, first, mask, x, len(mask))


@njit(fastmath=True)
def listed_row(values, first, mask, x):
    """The same product where there is no instruction for it: from one 1 of the mask to the next."""
    total, at = np.float32(0), first
    for word in range(len(mask)):
        for half in range(2):
            byte = (mask[word] >> (8 * half)) & 255
            for k in range(COUNT[byte]):
                column = 16 * word + 8 * half + POSITIONS[byte, k]
                total += instructions.half_to_float(values[at]) * x[column]
                at += 1
    return total


def _sparse_product(row):
    @njit
    def product(values, firsts, mask, x, y):
        for i in range(len(mask)):
            y[i, 0] = row(values, firsts[i], mask[i], x[0])

    return product


# The float16 weights that are left, seen as uint16; the number of each row's first one; and the
# bitmask in words of 16 bits.
sparse_product = _sparse_product(expanded_row if instructions.HAS_EXPAND else listed_row)


@njit
def sparse_rows(values, firsts, mask, start, out):
    """Rows of the same weights."""
    for r in range(len(out)):
        i = start + r
        out[r] = 0
        at = firsts[i]
        for word in range(mask.shape[1]):
            for half in range(2):
                byte = (mask[i, word] >> (8 * half)) & 255
                for k in range(COUNT[byte]):
                    column = 16 * word + 8 * half + POSITIONS[byte, k]
                    out[r, column] = instructions.half_to_float(values[at])
                    at += 1
