"""Stored arrays laid out for the loops: each row of the matrix starts where a register can load it.

The stored forms of toykit (and of Core ML) are one long row of bits. Where a row of the matrix is a
whole number of register loads, these are used as they are, without a copy. Where it is not, each
row is filled up with zeros, and the input with as many: the one repacking there is. It costs bytes
only for narrow matrices, where a register holds more than a row.
"""

import numpy as np

from .. import bits as bit_packing
from ..compressed import shown
from ..joint import is_joint
from ..palettization import Palettized
from ..pruning import Sparse
from ..quantization import Quantized
from . import loops
from .instructions import LANES, VECTORS


def stored_rows(compressed):
    """The layout for a compressed matrix: something with `nbytes`, `arrange`, `product` and `rows`.

    `arrange(x)` reorders an input once; `product(x, y)` writes W x for such inputs, of shape
    (vectors, n), to y of shape (m, vectors), where `vectors` is one of the layout's; and
    `rows(start, out)` writes rows of W as float32, in that same order.
    """
    if isinstance(compressed, np.ndarray) and compressed.dtype in (np.float16, np.float32):
        return FloatRows(compressed)
    if not isinstance(compressed, (Sparse, Quantized, Palettized)):
        raise TypeError(
            "compressed must be the result of tk.prune, tk.quantize or tk.palettize, or an array of float16 or "
            f"float32; got {shown(compressed)}. AheadOfTime takes any array or compressed weights."
        )
    compressed.check()
    if is_joint(compressed):
        raise ValueError(
            f"compressed must be the result of one technique; got {compressed!r}. AheadOfTime takes any."
        )
    if len(compressed.shape) < 2:
        raise ValueError(f"compressed must have at least two dimensions, got shape {compressed.shape}")
    if isinstance(compressed, Sparse):
        return SparseRows(compressed)
    allowed = (1, 2, 4, 8) if isinstance(compressed, Quantized) else (1, 2, 4)
    if compressed.bits not in allowed:
        raise ValueError(
            f"compressed has codes of {compressed.bits} bits; just-in-time products read codes of "
            f"{', '.join(map(str, allowed))} bits in a {type(compressed).__name__}. AheadOfTime takes any "
            "width."
        )
    return Int8Rows(compressed) if compressed.bits == 8 else TableRows(compressed)


class _Rows:
    """What all layouts share.

    Attributes
    ----------
    arrays : tuple of array
        Everything that is kept in memory.
    vectors : int
        How many vectors a product can take at once, besides one.
    """

    arrays = ()
    vectors = VECTORS

    @property
    def nbytes(self):
        return sum(array.nbytes for array in self.arrays)

    def arrange(self, x):
        return x


class FloatRows(_Rows):
    """Weights as they are, float16 or float32: what the others are compared with."""

    def __init__(self, weights):
        if weights.ndim < 2 or not weights.size:
            raise ValueError(
                f"compressed must have at least two dimensions, and none of length 0; got {weights.shape}"
            )
        self.bits = 8 * weights.itemsize
        weights = np.ascontiguousarray(weights).reshape(len(weights), -1)
        weights = weights.view(np.uint16) if self.bits == 16 else weights
        short = -weights.shape[1] % LANES
        self.weights = np.pad(weights, ((0, 0), (0, short))) if short else weights
        self.arrays = (self.weights,)

    def arrange(self, x):
        return _padded(x, self.weights.shape[1])

    def product(self, x, y):
        loops.float_product[self.bits, len(x)](self.weights, x, y)

    def rows(self, start, out):
        if self.bits == 16:
            loops.half_rows(self.weights, start, out)
        else:
            out[:] = self.weights[start : start + len(out)]


class Int8Rows(_Rows):
    """8-bit codes: a byte each."""

    def __init__(self, quantized):
        rows = quantized.shape[0]
        codes = quantized.codes.reshape(rows, -1)
        short = -codes.shape[1] % LANES
        self.codes = np.pad(codes, ((0, 0), (0, short))) if short else codes
        self.scale, self.zero = _row_scales(quantized)
        self.signed = quantized.signed
        self.arrays = self.codes, self.scale, self.zero

    def arrange(self, x):
        return _padded(x, self.codes.shape[1])

    def product(self, x, y):
        loops.int8_product[self.signed, len(x)](self.codes, self.scale, self.zero, x, y)

    def rows(self, start, out):
        loops.int8_rows(self.codes, self.scale, self.zero, start, out)


class TableRows(_Rows):
    """Codes of 1, 2 or 4 bits, and tables.

    Quantized weights come here too: 4 bits and a scale are a table of 16 evenly spaced values.
    """

    def __init__(self, compressed):
        self.bits = compressed.bits
        if isinstance(compressed, Quantized):
            packed, tables = compressed.codes, _even_tables(compressed)
        else:
            packed, tables = compressed.indices, _palette_tables(compressed)
        rows = compressed.shape[0]
        self.codes = _row_bytes(packed, self.bits, rows, compressed.size // rows, LANES)
        # Equal tables are kept once: `rows_a_table` rows share one. All have 16 entries, shorter
        # ones by repetition, so that the unused upper bits of a byte do not matter.
        self.tables = np.ascontiguousarray(np.tile(tables, 16 // tables.shape[1]), np.float32)
        self.rows_a_table = rows // len(self.tables)
        self.arrays = self.codes, self.tables

    def arrange(self, x):
        """All that meet the lowest code of a byte, then all that meet the next; zeros at the end."""
        per_byte, count = 8 // self.bits, self.codes.shape[1]
        padded = _padded(x, per_byte * count)
        by_lane = padded.reshape(count, per_byte, *x.shape[1:]).swapaxes(0, 1)
        return np.ascontiguousarray(by_lane).reshape(padded.shape)

    def product(self, x, y):
        loops.table_product[self.bits, len(x)](self.codes, self.tables, self.rows_a_table, x, y)

    def rows(self, start, out):
        loops.table_rows(self.codes, self.bits, self.tables, self.rows_a_table, start, out)


class SparseRows(_Rows):
    """float16 weights behind a bitmask."""

    vectors = 1

    def __init__(self, sparse):
        if sparse.dtype != np.float16:
            raise ValueError(
                f"compressed holds {sparse.dtype}; just-in-time products read sparse weights in float16, "
                "as Core "
                "ML stores them. Prune weights.astype(np.float16)."
            )
        rows = sparse.shape[0]
        self.mask = _row_bytes(sparse.mask, 1, rows, sparse.size // rows, 2).view("<u2")
        self.values = sparse.values.view(np.uint16)
        kept = sparse.kept.reshape(rows, -1).sum(1)
        if kept.sum() != sparse.values.size:
            raise ValueError(
                f"compressed holds {sparse.values.size} values, and its mask keeps {kept.sum()} weights"
            )
        self.firsts = np.cumsum(kept) - kept
        self.arrays = self.values, self.mask, self.firsts

    def arrange(self, x):
        return _padded(x, 16 * self.mask.shape[1])

    def product(self, x, y):
        loops.sparse_product(self.values, self.firsts, self.mask, x, y)

    def rows(self, start, out):
        loops.sparse_rows(self.values, self.firsts, self.mask, start, out)


def _padded(x, length):
    """x padded with zeros, which meet the codes that rows were padded with."""
    if len(x) == length:
        return x
    padded = np.zeros((length, *x.shape[1:]), np.float32)
    padded[: len(x)] = x
    return padded


def _row_bytes(packed, bits, rows, columns, multiple):
    """Packed codes as (rows, bytes of a row), each row a multiple of so many bytes."""
    if columns * bits % (8 * multiple) == 0:
        return packed.reshape(rows, -1)
    codes = bit_packing.unpack(packed, bits, rows * columns).reshape(rows, columns)
    short = -columns % (8 * multiple // bits)
    return bit_packing.pack(np.pad(codes, ((0, 0), (0, short))), bits).reshape(rows, -1)


def _row_scales(quantized):
    """Scale and zero point of each row."""
    rows, scale, zero = quantized.shape[0], quantized.scale, quantized.zero_points
    if scale.size not in (1, len(scale)) or rows % len(scale):
        raise ValueError(
            f"compressed has scales of shape {scale.shape}; just-in-time products read quantized "
            "weights with a scale a tensor or an output channel. AheadOfTime takes any granularity."
        )
    scale = scale.ravel().astype(np.float32)
    zero = np.zeros_like(scale) if zero is None else zero.ravel().astype(np.float32)
    if quantized.bits == 8:
        scale, zero = np.broadcast_to(scale, rows).copy(), np.broadcast_to(zero, rows).copy()
    return scale, zero


def _even_tables(quantized):
    """For each scale the weights that the codes 0, 1, 2, ... of so many bits stand for."""
    scale, zero = _row_scales(quantized)
    codes = np.arange(2**quantized.bits)
    if quantized.signed:  # the upper half of the codes are negative numbers in two's complement
        codes = np.where(codes < len(codes) // 2, codes, codes - len(codes))
    weights = scale[:, None] * (codes.astype(np.float32) - zero[:, None])
    return weights.astype(quantized.dtype)


def _palette_tables(palettized):
    """For each group of output channels its table; for each channel, if channels have scales."""
    groups = palettized.lut.size // (2**palettized.bits * palettized.cluster_dim)
    if palettized.cluster_dim > 1 or palettized.lut.shape[0] != groups:
        raise ValueError(
            f"compressed has tables of shape {palettized.lut.shape}; just-in-time products read tables of "
            "single weights, one table for all or one for each group of output channels"
        )
    tables = palettized.lut.reshape(groups, -1)
    if palettized.scale is None:
        return tables
    if palettized.scale.shape[0] != palettized.shape[0]:
        raise ValueError(
            f"compressed has scales of shape {palettized.scale.shape}; just-in-time products read scales "
            "of rows"
        )
    return np.repeat(tables, palettized.shape[0] // groups, axis=0) * palettized.scale.reshape(-1, 1)
