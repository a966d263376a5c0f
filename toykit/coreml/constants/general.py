"""Stored forms that Core ML allows and that toykit never makes.

`toykit.prune`, `quantize` and `palettize` store what coremltools stores. The operators that decompress
can do more: a zero point in float16, tables for blocks of several axes, a table inside a table, int8
values that a second operator scales. The classes here hold these, each by the operator's own formula;
`toykit.coreml.constants.reading` uses them where the classes of toykit cannot say what a package holds.

The arrays keep the types that Core ML knows and NumPy does not, such as int4, by name; they are stored
as in a weight file.
"""

import math
from dataclasses import dataclass

import numpy as np

from ... import bits as packing
from ...compressed import Compressed
from ...pruning import unpack_mask
from ..format.weightbin import BITS


@dataclass(frozen=True, eq=False, repr=False)
class General(Compressed):
    """What these forms share: an array that several of their operators refer to is stored once."""

    @property
    def parts(self):
        parts, seen = {}, set()
        for name, part in super().parts.items():
            place = part.__array_interface__["data"][0], part.nbytes
            if part.nbytes and place in seen:
                continue
            seen.add(place)
            parts[name] = part
        return parts


def elements(stored, shape=None, dtype=None):
    """The elements of a part: unpacked, or decompressed where the part is itself compressed.

    Parts that cannot be packed, such as scales, need no shape and type.
    """
    if isinstance(stored, Compressed):
        return stored.dense()
    if dtype is not None and BITS[dtype] < 8:
        stored = packing.unpack(stored, BITS[dtype], math.prod(shape), signed=dtype.startswith("int"))
        return stored.reshape(shape)
    return stored


def spread(kept, values):
    """The values where `kept` is True, in row-major order, and 0 elsewhere."""
    whole = np.zeros(kept.shape, values.dtype)
    whole[kept] = values
    return whole


@dataclass(frozen=True, eq=False, repr=False)
class Scaled(General):
    """scale * (codes - zero_point), for blocks along any axes.

    Attributes
    ----------
    codes : array or Compressed
        Of all elements, or of those that `mask` keeps.
    scale : array or Compressed
        As many dimensions as the whole; its sizes divide those of the whole.
    zero_point : array or None
        Its sizes, `zero_point_shape`, are those of `scale`; with iOS 16 one of the two may be a single
        number.
    mask : uint8 array or None
        As in `toykit.Sparse`.
    shape : tuple of int
    codes_dtype, zero_point_dtype : str
    widened : bool
        Whether the formula is evaluated in float32 and rounded once, as the operator of iOS 16 does.
        That of iOS 18 calculates in the type of `scale`, after each step; this matters only where a
        code less its zero point is not a small whole number.
    """

    codes: np.ndarray | Compressed
    scale: np.ndarray | Compressed
    zero_point: np.ndarray | None
    mask: np.ndarray | None
    shape: tuple
    codes_dtype: str
    zero_point_dtype: str = ""
    zero_point_shape: tuple = ()
    widened: bool = False

    @property
    def dtype(self):
        return self.scale.dtype

    def dense(self):
        kept = None if self.mask is None else unpack_mask(self.mask, self.shape)
        if kept is None:
            codes = elements(self.codes, self.shape, self.codes_dtype)
        else:
            codes = spread(kept, elements(self.codes, (np.count_nonzero(kept),), self.codes_dtype))
        scale = elements(self.scale)
        counts = tuple(map(max, scale.shape, self.zero_point_shape or scale.shape))
        blocks = [n for size, count in zip(self.shape, counts) for n in (count, size // count)]
        with np.errstate(all="ignore"):  # a file may hold scales that lead to infinity
            steps = codes.astype(np.float32 if self.widened else self.dtype).reshape(blocks)
            if self.zero_point is not None:
                zero_point = elements(self.zero_point, self.zero_point_shape, self.zero_point_dtype)
                steps = steps - _one_a_block(zero_point.astype(np.float32) if self.widened else zero_point)
            dense = (steps * _one_a_block(scale)).astype(self.dtype).reshape(self.shape)
        return dense if kept is None else np.where(kept, dense, self.dtype.type(0))

    def _summary(self):
        pruned = "" if self.mask is None else "pruned, "
        return f"{pruned}{self.codes_dtype}, {math.prod(self.scale.shape)} scales"


def _one_a_block(array):
    return array.reshape([n for size in array.shape for n in (size, 1)])


@dataclass(frozen=True, eq=False, repr=False)
class Tables(General):
    """Numbers of table entries, with a table for each block along any axes.

    Attributes
    ----------
    indices : uint8 array
        Packed; of all entries, or of those that `mask` keeps.
    lut : array or Compressed
        (blocks along each axis, ..., 2**bits, length of a vector).
    mask : uint8 array or None
        As in `toykit.Sparse`, with one bit for each index.
    shape : tuple of int
        Of the weights.
    bits : int
    vector_axis : int
        The axis along which a vector lies.
    """

    indices: np.ndarray
    lut: np.ndarray | Compressed
    mask: np.ndarray | None
    shape: tuple
    bits: int
    vector_axis: int = 0

    @property
    def dtype(self):
        return self.lut.dtype

    @property
    def kept(self):
        """Where the weights are, of those that are pruned: a vector is kept or dropped as a whole."""
        return np.repeat(unpack_mask(self.mask, self._numbers), self.lut.shape[-1], self.vector_axis)

    @property
    def _numbers(self):
        """Shape of the indices."""
        length = self.lut.shape[-1]
        return tuple(
            size // length if axis == self.vector_axis else size for axis, size in enumerate(self.shape)
        )

    def dense(self):
        shape, length = self._numbers, self.lut.shape[-1]
        if self.mask is None:
            indices = packing.unpack(self.indices, self.bits, math.prod(shape)).reshape(shape)
        else:
            kept = unpack_mask(self.mask, shape)
            indices = spread(kept, packing.unpack(self.indices, self.bits, np.count_nonzero(kept)))
        lut = elements(self.lut)
        table = np.zeros((1,) * len(shape), np.int64)  # which table each index is looked up in
        for axis, (size, blocks) in enumerate(zip(shape, lut.shape)):
            block = np.arange(size) // (size // blocks)
            table = table * blocks + block.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        vectors = lut.reshape(-1, length)[(table << self.bits) + indices]
        weights = np.moveaxis(vectors, -1, self.vector_axis + 1).reshape(self.shape)
        return weights if self.mask is None else np.where(self.kept, weights, self.dtype.type(0))

    def _summary(self):
        pruned = "" if self.mask is None else "pruned, "
        return f"{pruned}{math.prod(self.lut.shape[:-2])} tables of {2**self.bits}"


@dataclass(frozen=True, eq=False, repr=False)
class Masked(General):
    """Elements of which many are 0, of any type.

    Attributes
    ----------
    values : array or Compressed
        Those that are kept, one after another.
    mask : uint8 array
        As in `toykit.Sparse`.
    shape : tuple of int
    values_dtype : str
    """

    values: np.ndarray | Compressed
    mask: np.ndarray
    shape: tuple
    values_dtype: str

    @property
    def dtype(self):
        if BITS[self.values_dtype] >= 8:
            return np.dtype(self.values_dtype)
        return np.dtype(np.int8 if self.values_dtype.startswith("int") else np.uint8)

    def dense(self):
        kept = unpack_mask(self.mask, self.shape)
        return spread(kept, elements(self.values, (np.count_nonzero(kept),), self.values_dtype))

    def _summary(self):
        return f"pruned {self.values_dtype}"


@dataclass(frozen=True, eq=False, repr=False)
class Cast(General):
    """float16 elements that run as float32: `constexpr_cast`."""

    values: np.ndarray | Compressed
    shape: tuple

    dtype = np.dtype(np.float32)

    def dense(self):
        return elements(self.values).astype(np.float32)

    def _summary(self):
        return "float16 that runs as float32"


@dataclass(frozen=True, eq=False, repr=False)
class Survivors(General):
    """What a pruned weight keeps, in a row: between an operator for sparse weights and the next one.

    Attributes
    ----------
    whole : Compressed
        The pruned weight, whose parts are the parts.
    kept : bool array
        Of the shape of `whole`.
    """

    whole: Compressed
    kept: np.ndarray

    @property
    def shape(self):
        return (int(np.count_nonzero(self.kept)),)

    @property
    def dtype(self):
        return self.whole.dtype

    @property
    def parts(self):
        return self.whole.parts

    def dense(self):
        return self.whole.dense()[self.kept]

    def _summary(self):
        return f"what is left of {self.whole!r}"
