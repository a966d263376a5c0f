"""Joint compression: prune, then store the survivors in fewer bits, or a table in fewer bits.

Each technique leaves something to squeeze for the next:

    tk.quantize(tk.prune(w, sparsity=0.7))      a mask, and int8 codes of what is kept
    tk.palettize(tk.prune(w, sparsity=0.7))     a mask, and indices of what is kept
    tk.quantize(tk.palettize(w))                the table itself in int8
    tk.quantize(tk.palettize(tk.prune(w, sparsity=0.7)))    all three

`toykit.quantize` and `toykit.palettize` come here when they are given something compressed. The
arrays are those that Core ML stores since iOS 18, and the order is the one in which it decompresses:
table, then codes, then mask. As in coremltools, the zeros of a pruned tensor take part when scales
and tables are chosen (they are part of the range, and of the k-means), but their codes are not stored.

Not here: pruning what is quantized already, and palettes of quantized codes.
"""

from dataclasses import dataclass, replace

import numpy as np

from . import bits as packing
from . import settings
from .compressed import Compressed, shown
from .palettization import Palettized
from .palettization import palettize as _palettize_weights
from .pruning import Sparse, unpack_mask
from .quantization import Quantized, pack_codes, unpack_codes
from .quantization import quantize as _quantize_weights


@dataclass(frozen=True, eq=False, repr=False)
class SparseQuantized(Compressed):
    """Pruned weights with quantized survivors: `constexpr_sparse_blockwise_shift_scale`.

    Attributes
    ----------
    codes : (n,) int8 or uint8 array, packed if of fewer than 8 bits
        The codes of the weights that were kept, in row-major order.
    scale, zero_point : array, array or None
        As in `toykit.Quantized`, for the whole tensor.
    mask : (ceil(size / 8),) uint8 array
        As in `toykit.Sparse`.
    shape : tuple of int
    bits : int
    signed : bool
    """

    codes: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray | None
    mask: np.ndarray
    shape: tuple
    bits: int
    signed: bool

    @property
    def dtype(self):
        return self.scale.dtype

    def dense(self):
        kept = unpack_mask(self.mask, self.shape)
        codes = np.zeros(self.shape, np.int8 if self.signed else np.uint8)
        codes[kept] = unpack_codes(self.codes, self.bits, self.signed, np.count_nonzero(kept))
        stored = pack_codes(codes, self.bits, self.signed)
        whole = Quantized(stored, self.scale, self.zero_point, self.shape, self.bits, self.signed)
        return np.where(kept, whole.dense(), self.dtype.type(0))

    def _summary(self):
        return f"{_zero(self)}, the rest {'int' if self.signed else 'uint'}{self.bits}"


@dataclass(frozen=True, eq=False, repr=False)
class SparsePalettized(Compressed):
    """Pruned weights with palettized survivors: `constexpr_lut_to_sparse`.

    Attributes
    ----------
    indices : uint8 array
        The packed indices of the weights that were kept, in row-major order.
    lut : float array or Quantized
        As in `toykit.Palettized`; quantized if `toykit.quantize` was the last step.
    mask : (ceil(size / 8),) uint8 array
        As in `toykit.Sparse`.
    shape : tuple of int
    bits : int
        Of an index.
    axis : int
    """

    indices: np.ndarray
    lut: np.ndarray | Quantized
    mask: np.ndarray
    shape: tuple
    bits: int
    axis: int

    @property
    def dtype(self):
        return self.lut.dtype

    def dense(self):
        kept = unpack_mask(self.mask, self.shape)
        codes = np.zeros(self.shape, np.uint8)
        codes[kept] = packing.unpack(self.indices, self.bits, np.count_nonzero(kept))
        lut = self.lut.dense() if isinstance(self.lut, Compressed) else self.lut
        whole = Palettized(packing.pack(codes, self.bits), lut, self.shape, self.bits, self.axis)
        return np.where(kept, whole.dense(), self.dtype.type(0))

    def _summary(self):
        return f"{_zero(self)}, the rest one of {2**self.bits} {_values(self.lut)}"


@dataclass(frozen=True, eq=False, repr=False)
class QuantizedPalette(Compressed):
    """Palettized weights whose table is quantized.

    Attributes
    ----------
    indices : uint8 array
        As in `toykit.Palettized`.
    lut : Quantized
        The table, with one scale and the shape that it has in `toykit.Palettized`.
    shape, bits, axis, scale
        As in `toykit.Palettized`.
    """

    indices: np.ndarray
    lut: Quantized
    shape: tuple
    bits: int
    axis: int
    scale: np.ndarray | None

    @property
    def dtype(self):
        return self.lut.dtype

    def dense(self):
        lut = self.lut.dense()
        return Palettized(self.indices, lut, self.shape, self.bits, self.axis, self.scale).dense()

    def _summary(self):
        return f"{self.lut.size} {_values(self.lut)}"


def quantize(weights, bits=8, mode="symmetric", granularity=None, **options):
    """Quantize what is left of pruned weights, or the table of palettized ones.

    Parameters
    ----------
    weights : Sparse, Palettized or SparsePalettized
    bits, mode, granularity, **options
        As in `toykit.quantize`. A table has no channels: its granularity is "per_tensor".

    Returns
    -------
    SparseQuantized, QuantizedPalette or SparsePalettized

    Raises
    ------
    TypeError
        If there is nothing in `weights` to quantize.
    ValueError
        If a table is to be quantized in another way than "per_tensor", and as `toykit.quantize`.

    Notes
    -----
    coremltools leaves tables of fewer than 10 entries as they are: int8 would not save anything.

    Examples
    --------
    >>> import toykit as tk
    >>> pruned = tk.prune(np.linspace(-1, 1, 256, dtype="float32"), sparsity=0.75)
    >>> tk.quantize(pruned, granularity="per_tensor")
    SparseQuantized(256, 75.0 % zero, the rest int8, 3.1 bits a weight)
    """
    if isinstance(weights, Sparse):
        whole = _quantize_weights(weights.dense(), bits, mode, granularity, **options)
        return SparseQuantized(
            pack_codes(whole.integers[weights.kept], whole.bits, whole.signed),
            whole.scale,
            whole.zero_point,
            weights.mask,
            whole.shape,
            whole.bits,
            whole.signed,
        )
    lut = getattr(weights, "lut", None)
    if not isinstance(lut, np.ndarray):
        raise TypeError(
            f"weights must be an array, or pruned or palettized weights; got {shown(weights)}. Its "
            "dense() is an array"
        )
    options |= {"bits": bits, "mode": mode, "granularity": granularity}
    options = settings.complete("quantize", options, before=("palettize",))
    settings.fit("quantize", options, weights.shape)
    table = _quantize_table(lut, *(options[name] for name in ("bits", "mode", "signed")))
    if isinstance(weights, SparsePalettized):
        return replace(weights, lut=table)
    return QuantizedPalette(weights.indices, table, weights.shape, weights.bits, weights.axis, weights.scale)


def palettize(weights, bits=None, mode="kmeans", **options):
    """Palettize what is left of pruned weights.

    Parameters
    ----------
    weights : Sparse
    bits, mode, **options
        As in `toykit.palettize`, but for vectors (`cluster_dim`) and `per_channel_scale`, which
        coremltools cannot join with pruning.

    Returns
    -------
    SparsePalettized

    Raises
    ------
    TypeError
        If the weights are compressed in another way than pruned.
    ValueError
        If an option cannot be joined with pruning, and as `toykit.palettize`.

    Examples
    --------
    >>> import toykit as tk
    >>> tk.palettize(tk.prune(np.linspace(-1, 1, 256, dtype="float16"), sparsity=0.75), bits=2)
    SparsePalettized(256, 75.0 % zero, the rest one of 4 values, 1.8 bits a weight)
    """
    if not isinstance(weights, Sparse):
        raise TypeError(
            f"weights must be an array, or pruned weights; got {shown(weights)}. Its dense() is an array"
        )
    options |= {"bits": bits, "mode": mode}
    settings.complete("palettize", options, before=("prune",))
    whole = _palettize_weights(weights.dense(), **options)
    indices = packing.pack(whole.codes[weights.kept], whole.bits)
    return SparsePalettized(indices, whole.lut, weights.mask, whole.shape, whole.bits, whole.axis)


def _quantize_table(lut, bits, mode, signed):
    """A table as one row of weights, with the results in the table's own shape."""
    row = _quantize_weights(lut.ravel(), bits, mode, "per_tensor", signed=signed)
    ones = (1,) * lut.ndim
    codes, zero_point = row.codes, row.zero_point
    if row.bits == 8:  # codes of whole bytes have a shape
        codes = codes.reshape(lut.shape)
        zero_point = None if zero_point is None else zero_point.reshape(ones)
    return replace(row, codes=codes, scale=row.scale.reshape(ones), zero_point=zero_point, shape=lut.shape)


def _zero(compressed):
    kept = np.count_nonzero(unpack_mask(compressed.mask, compressed.shape))
    return f"{100 * (1 - kept / compressed.size):.1f} % zero"


def _values(lut):
    if isinstance(lut, Quantized):
        return f"{'int' if lut.signed else 'uint'}{lut.bits} values"
    return "values"
