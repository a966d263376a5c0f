"""Compressed constants of a program as toykit's own `Compressed` objects.

A constant that is compressed is the result of an operator whose name starts with `constexpr_`, or of
several in a row. Each is read here: its parts are the arrays of the package, mapped from the file
where they lie there, and `dense()` is what the operator decompresses to, to the bit. iOS 16 and 17
keep the parts as attributes, with bits packed into plain bytes; iOS 18 as inputs, which can be results
of other operators that decompress.

Where toykit makes the same form, the object is of toykit's class (`Sparse`, `Quantized`, `Palettized`,
`SparseQuantized`, `SparsePalettized`, `QuantizedPalette`); for the rest see `toykit.coreml.general`.

What a file says is checked before memory is asked for: sizes must agree with each other and with what
is stored, so that a few bytes cannot stand for an absurd number of weights.

References
----------
The operators and their formulas: coremltools, "MIL ops", constexpr,
https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from .. import bits as packing
from ..compressed import Compressed
from ..joint import QuantizedPalette, SparsePalettized, SparseQuantized
from ..palettization import Palettized
from ..pruning import Sparse, unpack_mask
from ..quantization import Quantized
from .general import Cast, Masked, Scaled, Survivors, Tables
from .program import Value
from .protobuf import PackageError
from .weightbin import BITS

_FLOATS = ("float16", "float32")
_INTEGERS = tuple(dtype for dtype in BITS if dtype.lstrip("u").startswith("int") and BITS[dtype] <= 8)
_INDICES = ("uint1", "uint2", "uint3", "uint4", "uint6", "uint8")
_MOST_DIMENSIONS = 8  # Core ML has 5, and tables 2 more
_MOST_STAGES = 6  # coremltools needs 3: a quantized table, its indices, a mask
_MOST_WEIGHTS_A_BYTE = 1024  # 1-bit indices of vectors of 128


def read_constant(operation, lookup):
    """What an operator that decompresses gives.

    Parameters
    ----------
    operation : toykit.coreml.program.Operation
        Its `op` is in `CONSTEXPR`.
    lookup : callable (name) -> Compressed, array or Value
        The value of an earlier constant: what this function returned for it or, for a `const`, its
        Value or array. (An array of uint8 cannot say that its elements have 4 bits; a Value can.)

    Returns
    -------
    dict of str to Compressed or ndarray
        By the names of the outputs. Operators for sparse weights have two: a mask (bool array), and
        what is left of the weight, in a row, which the following operator puts in its place.

    Raises
    ------
    PackageError
        If parts are missing, do not fit each other, or do not give what the operation declares.
    """
    parts = _Parts(operation, lookup)
    try:
        results = _READERS[operation.op](parts)
    except KeyError as error:
        raise parts.error(f"refers to {error}, which is no constant that comes before") from error
    if len(results) != len(operation.outputs):
        raise parts.error(f"has {len(operation.outputs)} outputs, not {len(results)}")
    for result, (name, kind) in zip(results, operation.outputs.items()):
        if kind.kind != "tensor" or kind.shape != result.shape or str(result.dtype) != _held(kind.dtype):
            raise parts.error(f"gives {result.dtype}{list(result.shape)} for {name!r}, declared as {kind}")
        if 0 in result.shape and not isinstance(result, Survivors):
            raise parts.error("holds no weights")
    return dict(zip(operation.outputs, results))


def _held(dtype):
    """How NumPy holds elements of a type."""
    if dtype == "uint1":
        return "bool"
    return dtype if BITS[dtype] >= 8 else "int8" if dtype.startswith("int") else "uint8"


@dataclass(frozen=True)
class _Stored:
    """A part that is an array: packed where its elements have fewer than 8 bits, else in its shape."""

    array: np.ndarray
    dtype: str
    shape: tuple

    @property
    def count(self):
        return math.prod(self.shape)

    def elements(self):
        if BITS[self.dtype] >= 8:
            return self.array
        signed = self.dtype.startswith("int")
        return packing.unpack(self.array, BITS[self.dtype], self.count, signed).reshape(self.shape)


class _Parts:
    """The arguments of an operation, by name and checked."""

    def __init__(self, operation, lookup):
        self.operation, self.lookup = operation, lookup
        self.where = f"{operation.op} {operation.name!r}"
        # iOS 16 and 17 have attributes, iOS 18 inputs.
        self.old = not operation.inputs

    def error(self, problem):
        return PackageError(f"{self.where}: {problem}")

    def get(self, name, kinds, optional=False):
        """A part as _Stored or Compressed, of one of the element types `kinds`."""
        if self.old:
            found = self.operation.attributes.get(name)
        else:
            found = next(iter(self.operation.inputs.get(name, [])), None)
        if found is None and optional:
            return None
        if found is None:
            raise self.error(f"has no {name}")
        if isinstance(found, str):
            found = self.lookup(found)
        part = self._stored(name, found)
        if str(part.dtype) not in kinds:
            raise self.error(f"{name} is of {part.dtype}; known are {', '.join(kinds)}")
        if len(part.shape) > _MOST_DIMENSIONS:
            raise self.error(f"{name} has {len(part.shape)} dimensions; Core ML has 5")
        return part

    def stored(self, name, kinds, optional=False):
        """A part that is not compressed itself."""
        part = self.get(name, kinds, optional)
        if isinstance(part, Compressed):
            raise self.error(f"{name} is compressed itself, which Core ML does not know")
        return part

    def whole_number(self, name, optional=False):
        part = self.stored(name, ("int32",), optional)
        if part is None:
            return None
        if part.count != 1:
            raise self.error(f"{name} must be one number, and has {part.count}")
        return int(part.array.ravel()[0])

    def axis(self, name, rank, optional=False):
        axis = self.whole_number(name, optional)
        if axis is not None and not -rank <= axis < rank:
            raise self.error(f"{name} is {axis}, and there are {rank} axes")
        return None if axis is None else axis % rank

    def shape(self):
        """The attribute of iOS 16 that gives the shape of the weights."""
        sizes = self.stored("shape", ("uint32",))
        if len(sizes.shape) != 1 or not 0 < sizes.count <= _MOST_DIMENSIONS:
            raise self.error(f"shape is of shape {sizes.shape}")
        return tuple(map(int, sizes.array))

    def packed(self, name, bits, count):
        """The bytes of iOS 16 that hold `count` codes."""
        part = self.stored(name, ("uint8",))
        if len(part.shape) != 1 or part.count != -(-count * bits // 8):
            raise self.error(
                f"{count:,} codes of {bits} bits take {-(-count * bits // 8):,} bytes, and {name} has shape "
                f"{part.shape}"
            )
        return part.array

    def mask(self, name, shape=None):
        """A mask: its packed bits, and where they are set. iOS 16 keeps its shape apart from it."""
        if shape is None:
            part = self.stored(name, ("uint1",))
            packed, shape = part.array, part.shape
        else:
            packed = self.packed(name, 1, math.prod(shape))
        return packed, unpack_mask(packed, shape)

    def survivors(self, name, kinds, kept):
        """A part with one element for each that a mask keeps."""
        part = self.get(name, kinds)
        count = np.count_nonzero(kept)
        if part.shape != (count,):
            raise self.error(f"{name} has shape {part.shape}, and the mask keeps {count}")
        return part

    def _stored(self, name, found):
        if isinstance(found, Compressed):
            if _stages(found) >= _MOST_STAGES:
                raise self.error(f"{name} is the {_MOST_STAGES}th result in a row that is decompressed")
            return found
        if isinstance(found, Value):
            return self._of_value(name, found)
        if isinstance(found, np.ndarray):
            if found.dtype == bool:
                return _Stored(np.packbits(found, bitorder="little"), "uint1", found.shape)
            return _Stored(found, str(found.dtype), found.shape)
        raise self.error(f"{name} is no array")

    def _of_value(self, name, value):
        kind = value.type
        if kind.kind != "tensor" or kind.dtype not in BITS or kind.dtype == "string":
            raise self.error(f"{name} is {kind}, no array")
        if len(kind.shape) > _MOST_DIMENSIONS + 2:
            raise self.error(f"{name} has {len(kind.shape)} dimensions; Core ML has 5")
        if BITS[kind.dtype] >= 8:
            return _Stored(value.numpy(), kind.dtype, kind.shape)
        if value.blob is not None:
            return _Stored(value.blob.packed, kind.dtype, kind.shape)
        signed = kind.dtype.startswith("int")
        return _Stored(packing.pack(value.immediate, BITS[kind.dtype], signed), kind.dtype, kind.shape)


def _stages(compressed):
    """How many operators decompress one after another."""
    values = (getattr(compressed, field.name) for field in fields(compressed))
    return 1 + max((_stages(value) for value in values if isinstance(value, Compressed)), default=0)


def _array(part):
    """A part as the classes take it: an array as it is stored, or something compressed."""
    return part.array if isinstance(part, _Stored) else part


def _sparse_to_dense(parts):
    kinds = (*_FLOATS, *_INTEGERS)
    packed, kept = parts.mask("mask", parts.shape() if parts.old else None)
    values = parts.survivors("nonzero_data", kinds, kept)
    if isinstance(values, Survivors) and np.array_equal(values.kept, kept):
        return [values.whole]
    if isinstance(values, _Stored) and values.dtype in _FLOATS:
        return [Sparse(values.array, packed, kept.shape)]
    return [Masked(_array(values), packed, kept.shape, str(values.dtype))]


def _affine_dequantize(parts):
    codes = parts.stored("quantized_data", ("int8", "uint8"))
    scale = parts.stored("scale", _FLOATS)
    zero_point = parts.stored("zero_point", ("int8", "uint8", "float32"))
    rank = len(codes.shape)
    if not rank:
        raise parts.error("quantized_data must have at least one axis")
    axis = parts.axis("axis", rank)
    length = codes.shape[axis]
    along = []
    for name, part in (("scale", scale), ("zero_point", zero_point)):
        if part.shape not in ((), (length,)):
            raise parts.error(f"{name} has shape {part.shape}; axis {axis} has {length}")
        along.append(tuple(part.count if i == axis else 1 for i in range(rank)))
    parts_of = (codes.array, scale.array.reshape(along[0]), zero_point.array.reshape(along[1]))
    if zero_point.dtype == codes.dtype and along[0] == along[1]:
        return [Quantized(*parts_of, codes.shape, 8, codes.dtype == "int8")]
    return [Scaled(*parts_of, None, codes.shape, codes.dtype, zero_point.dtype, along[1], widened=True)]


def _blockwise_shift_scale(parts):
    codes = parts.get("data", (*_INTEGERS, *_FLOATS))
    scale, zero_point, plain = _scales(parts, codes.shape, str(codes.dtype))
    if zero_point is None and isinstance(codes, Palettized | QuantizedPalette) and codes.scale is None:
        # A palette that is scaled. With blocks of scales it would not broadcast.
        sizes = zip(scale.shape, codes.shape)
        if isinstance(scale, _Stored) and scale.dtype == codes.dtype and all(n in (1, m) for n, m in sizes):
            fields = {name: getattr(codes, name) for name in ("indices", "lut", "shape", "bits", "axis")}
            return [type(codes)(**fields, scale=scale.array)]
    if plain and isinstance(codes, _Stored):
        signed = codes.dtype.startswith("int")
        zeros = None if zero_point is None else zero_point.array
        return [Quantized(codes.array, scale.array, zeros, codes.shape, BITS[codes.dtype], signed)]
    return [_scaled(codes, scale, zero_point, None, codes.shape)]


def _sparse_blockwise_shift_scale(parts):
    packed, kept = parts.mask("data_mask")
    codes = parts.survivors("nonzero_data", (*_INTEGERS, *_FLOATS), kept)
    scale, zero_point, plain = _scales(parts, kept.shape, str(codes.dtype))
    if plain and isinstance(codes, _Stored):
        signed = codes.dtype.startswith("int")
        zeros = None if zero_point is None else zero_point.array
        width = BITS[codes.dtype]
        whole = SparseQuantized(codes.array, scale.array, zeros, packed, kept.shape, width, signed)
    else:
        whole = _scaled(codes, scale, zero_point, packed, kept.shape)
    return [kept, Survivors(whole, kept)]


def _scales(parts, shape, dtype):
    """Scale and offset for data of this shape and type; and whether `Quantized` can hold them."""
    scale = parts.get("scale", _FLOATS)
    offset = parts.stored("offset", (*_INTEGERS, *_FLOATS), optional=True)
    if not shape or len(scale.shape) != len(shape):
        raise parts.error(f"scale has shape {scale.shape}, and the data {shape}")
    if not all(scales and size % scales == 0 for size, scales in zip(shape, scale.shape)):
        raise parts.error(f"scales of shape {scale.shape} do not divide data of {shape}")
    if offset is not None and offset.shape != scale.shape:
        raise parts.error(f"offset has shape {offset.shape}, and scale {scale.shape}")
    if offset is not None and offset.dtype not in (*_FLOATS, dtype):
        raise parts.error(f"offset is of {offset.dtype}, and the data of {dtype}")
    plain = dtype in _INTEGERS and (offset is None or offset.dtype == dtype)
    return scale, offset, plain and isinstance(scale, _Stored)


def _scaled(codes, scale, zero_point, packed, shape):
    stored = _array(codes), _array(scale), None if zero_point is None else zero_point.array
    types = () if zero_point is None else (zero_point.dtype, zero_point.shape)
    return Scaled(*stored, packed, shape, str(codes.dtype), *types)


def _lut_to_dense(parts):
    if parts.old:
        return _lut_to_dense_ios16(parts)
    indices = parts.stored("indices", _INDICES)
    lut, vector_axis = _lut(parts, indices, indices.shape)
    return [_palette(indices.array, lut, None, indices.shape, BITS[indices.dtype], vector_axis)]


def _lut_to_dense_ios16(parts):
    shape = parts.shape()
    lut = parts.stored("lut", (*_FLOATS, "int8", "uint8"))
    if len(lut.shape) != 1 or lut.count not in (2, 4, 16, 64, 256):
        raise parts.error(f"a table has 2, 4, 16, 64 or 256 entries in a row, and this one shape {lut.shape}")
    bits = lut.count.bit_length() - 1
    indices = parts.packed("indices", bits, math.prod(shape))
    table = lut.array.reshape((1,) * len(shape) + (lut.count, 1))
    return [_palette(indices, table, None, shape, bits, 0)]


def _lut_to_sparse(parts):
    packed, kept = parts.mask("indices_mask")
    indices = parts.survivors("indices_nonzero_data", _INDICES, kept)
    if isinstance(indices, Compressed):
        raise parts.error("indices_nonzero_data is compressed itself, which Core ML does not know")
    lut, vector_axis = _lut(parts, indices, kept.shape)
    whole = _palette(indices.array, lut, packed, kept.shape, BITS[indices.dtype], vector_axis)
    if lut.shape[-1] > 1:
        kept = np.repeat(kept, lut.shape[-1], vector_axis)
    return [kept, Survivors(whole, kept)]


def _lut(parts, indices, shape):
    """The tables for indices of this shape, and the axis of their vectors."""
    lut = parts.get("lut", (*_FLOATS, "int8", "uint8"))
    if not shape or len(lut.shape) != len(shape) + 2:
        raise parts.error(f"tables of shape {lut.shape} are not for indices of {shape}")
    *blocks, entries, length = lut.shape
    bits = BITS[indices.dtype]
    if entries != 2**bits or not length:
        raise parts.error(f"tables of shape {lut.shape} are not for {bits}-bit indices: {2**bits} entries")
    if not all(count and size % count == 0 for size, count in zip(shape, blocks)):
        raise parts.error(f"tables of shape {lut.shape} do not divide indices of {shape}")
    vector_axis = parts.axis("vector_axis", len(shape), optional=True)
    if vector_axis is None and length > 1:
        raise parts.error(f"tables of vectors of {length} need a vector_axis")
    stored = lut.array.nbytes if isinstance(lut, _Stored) else lut.nbytes
    weights = math.prod(shape) * length
    if weights > _MOST_WEIGHTS_A_BYTE * (indices.array.nbytes + stored):
        raise parts.error(f"vectors of {length} would make {weights:,} weights of a few stored bytes")
    return _array(lut), vector_axis or 0


def _palette(indices, lut, packed, shape, bits, vector_axis):
    """Indices with their tables, as toykit's class where it has one."""
    grouped = [axis for axis, count in enumerate(lut.shape[:-2]) if count > 1]
    length = lut.shape[-1]
    axis = vector_axis if length > 1 or not grouped else grouped[0]
    whole = tuple(size * length if i == vector_axis else size for i, size in enumerate(shape))
    one_axis = grouped in ([], [axis])
    if one_axis and isinstance(lut, np.ndarray) and str(lut.dtype) in _FLOATS:
        if packed is None:
            return Palettized(indices, lut, whole, bits, axis)
        if length == 1:
            return SparsePalettized(indices, lut, packed, whole, bits, axis)
    if one_axis and isinstance(lut, Quantized):
        if packed is None:
            return QuantizedPalette(indices, lut, whole, bits, axis, None)
        if length == 1:
            return SparsePalettized(indices, lut, packed, whole, bits, axis)
    return Tables(indices, lut, packed, whole, bits, vector_axis)


def _cast(parts):
    values = parts.get("source_val", ("float16",))
    return [Cast(_array(values), values.shape)]


_READERS = {
    "constexpr_affine_dequantize": _affine_dequantize,
    "constexpr_blockwise_shift_scale": _blockwise_shift_scale,
    "constexpr_cast": _cast,
    "constexpr_lut_to_dense": _lut_to_dense,
    "constexpr_lut_to_sparse": _lut_to_sparse,
    "constexpr_sparse_blockwise_shift_scale": _sparse_blockwise_shift_scale,
    "constexpr_sparse_to_dense": _sparse_to_dense,
}
CONSTEXPR = frozenset(_READERS)
