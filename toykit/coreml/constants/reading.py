"""Compressed constants of a program as toykit's own `Compressed` objects.

A constant that is compressed is the result of an operator whose name starts with `constexpr_`, or of
several in a row. Each is read here: its parts are the arrays of the package, mapped from the file
where they lie there, and `dense()` is what the operator decompresses to, to the bit. iOS 16 and 17
keep the parts as attributes, with bits packed into plain bytes; iOS 18 as inputs, which can be results
of other operators that decompress.

The objects are of the classes that the techniques make (`Sparse`, `Quantized`, `Palettized`), some with
parts that toykit's own never have; for what lies between them see `toykit.coreml.constants.general`.

What a file says is checked before memory is asked for: sizes must agree with each other and with what
is stored, so that a few bytes cannot stand for an absurd number of weights.

References
----------
The operators and their formulas: coremltools, "MIL ops", constexpr,
https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html
"""

import math
from dataclasses import replace

import numpy as np

from ...compressed import Compressed
from ...palettization import Palettized
from ...pruning import Sparse
from ...quantization import Quantized
from ..format.weightbin import BITS
from .general import Cast, Elements, Survivors
from .parts import FLOATS, INTEGERS, Parts, Stored, array_of

_INDICES = ("uint1", "uint2", "uint3", "uint4", "uint6", "uint8")
_MOST_WEIGHTS_A_BYTE = 1024  # 1-bit indices of vectors of 128


def read_constant(operation, lookup):
    """What an operator that decompresses gives.

    Parameters
    ----------
    operation : toykit.coreml.format.program.Operation
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
    parts = Parts(operation, lookup)
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


def _sparse_to_dense(parts):
    packed, kept = parts.mask("mask", parts.shape() if parts.old else None)
    values = parts.survivors("nonzero_data", (*INTEGERS, *FLOATS), kept)
    if isinstance(values, Survivors) and np.array_equal(values.kept, kept):
        return [values.whole]
    return [Sparse(array_of(values, FLOATS), packed, kept.shape)]


def _affine_dequantize(parts):
    codes = parts.stored("quantized_data", ("int8", "uint8"))
    scale = parts.stored("scale", FLOATS)
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
        shape = tuple(part.count if i == axis else 1 for i in range(rank))
        along.append(Stored(part.array.reshape(shape), part.dtype, shape))
    scale, zero_point = along
    return [quantized(codes, scale, zero_point, codes.shape)]


def _blockwise_shift_scale(parts):
    codes = parts.get("data", (*INTEGERS, *FLOATS))
    scale, zero_point = _scales(parts, codes.shape, _dtype_of(codes))
    if zero_point is None and isinstance(codes, Palettized) and codes.scale is None and codes.mask is None:
        # A palette that is scaled: one number along an axis, or one for each place.
        broadcasts = all(scales in (1, size) for scales, size in zip(scale.shape, codes.shape))
        if isinstance(scale, Stored) and scale.dtype == codes.dtype and broadcasts:
            return [replace(codes, scale=scale.array)]
    return [quantized(codes, scale, zero_point, codes.shape)]


def _sparse_blockwise_shift_scale(parts):
    packed, kept = parts.mask("data_mask")
    codes = parts.survivors("nonzero_data", (*INTEGERS, *FLOATS), kept)
    scale, zero_point = _scales(parts, kept.shape, _dtype_of(codes))
    return _survivors(quantized(codes, scale, zero_point, kept.shape, packed), kept)


def _survivors(whole, kept):
    return [kept, Survivors(whole, kept, (int(np.count_nonzero(kept)),))]


def _dtype_of(codes):
    """Core ML's type of codes; NumPy holds those of 4 bits in types of 8."""
    values = getattr(codes, "values", None)
    return values.kind if isinstance(values, Elements) else str(codes.dtype)


def _scales(parts, shape, dtype):
    """Scale and offset for data of this shape and type."""
    scale = parts.get("scale", FLOATS)
    offset = parts.stored("offset", (*INTEGERS, *FLOATS)) if "offset" in parts else None
    if not shape or len(scale.shape) != len(shape):
        raise parts.error(f"scale has shape {scale.shape}, and the data {shape}")
    if not all(scales and size % scales == 0 for size, scales in zip(shape, scale.shape)):
        raise parts.error(f"scales of shape {scale.shape} do not divide data of {shape}")
    if offset is not None and offset.shape != scale.shape:
        raise parts.error(f"offset has shape {offset.shape}, and scale {scale.shape}")
    if offset is not None and offset.dtype not in (*FLOATS, dtype):
        raise parts.error(f"offset is of {offset.dtype}, and the data of {dtype}")
    return scale, offset


def quantized(codes, scale, zero_point, shape, packed=None):
    """Codes with their scales as a `Quantized`; one scale or zero point for all is repeated."""
    dtype = codes.dtype if isinstance(codes, Stored) and codes.dtype in INTEGERS else "int8"
    blocks = scale.shape
    if zero_point is not None:
        blocks = tuple(map(max, blocks, zero_point.shape))
        zero_point = array_of(zero_point, (dtype,), blocks)
    codes, scale = array_of(codes, INTEGERS), array_of(scale, FLOATS, blocks)
    return Quantized(codes, scale, zero_point, shape, BITS[dtype], dtype.startswith("int"), packed)


def _lut_to_dense(parts):
    if parts.old:
        return _lut_to_dense_ios16(parts)
    indices = parts.stored("indices", _INDICES)
    lut, vector_axis = _lut(parts, indices, indices.shape)
    return [palette(indices.array, lut, indices.shape, BITS[indices.dtype], vector_axis)]


def _lut_to_dense_ios16(parts):
    shape = parts.shape()
    lut = parts.stored("lut", (*FLOATS, "int8", "uint8"))
    if len(lut.shape) != 1 or lut.count not in (2, 4, 16, 64, 256):
        raise parts.error(f"a table has 2, 4, 16, 64 or 256 entries in a row, and this one shape {lut.shape}")
    bits = lut.count.bit_length() - 1
    indices = parts.packed("indices", bits, math.prod(shape))
    tables = (1,) * len(shape) + (lut.count, 1)
    lut = array_of(Stored(lut.array.reshape(tables), lut.dtype, tables), FLOATS)
    return [palette(indices, lut, shape, bits, 0)]


def _lut_to_sparse(parts):
    packed, kept = parts.mask("indices_mask")
    indices = parts.survivors("indices_nonzero_data", _INDICES, kept)
    if isinstance(indices, Compressed):
        raise parts.error("indices_nonzero_data is compressed itself, which Core ML does not know")
    lut, vector_axis = _lut(parts, indices, kept.shape)
    whole = palette(indices.array, lut, kept.shape, BITS[indices.dtype], vector_axis, packed)
    return _survivors(whole, whole.kept)


def _lut(parts, indices, shape):
    """The tables for indices of this shape, and the axis of their vectors."""
    lut = parts.get("lut", (*FLOATS, "int8", "uint8"))
    if not shape or len(lut.shape) != len(shape) + 2:
        raise parts.error(f"tables of shape {lut.shape} are not for indices of {shape}")
    *blocks, entries, length = lut.shape
    bits = BITS[indices.dtype]
    if entries != 2**bits or not length:
        raise parts.error(f"tables of shape {lut.shape} are not for {bits}-bit indices: {2**bits} entries")
    if not all(count and size % count == 0 for size, count in zip(shape, blocks)):
        raise parts.error(f"tables of shape {lut.shape} do not divide indices of {shape}")
    if "vector_axis" not in parts and length > 1:
        raise parts.error(f"tables of vectors of {length} need a vector_axis")
    vector_axis = parts.axis("vector_axis", len(shape)) if "vector_axis" in parts else 0
    table = lut.array.nbytes if isinstance(lut, Stored) else lut.nbytes
    places = math.prod(shape)  # each has an index, or at least a bit in a mask
    weights = places * length
    if weights > _MOST_WEIGHTS_A_BYTE * (-(-places // 8) + table):
        raise parts.error(f"vectors of {length} would make {weights:,} weights of a few stored bytes")
    return array_of(lut, FLOATS), vector_axis


def palette(indices, lut, shape, bits, vector_axis, packed=None):
    """Indices of this shape with their tables, as a `Palettized`."""
    indices = indices.reshape(-1)  # those of 8 bits come in the shape of the weight
    length = lut.shape[-1]
    grouped = [axis for axis, count in enumerate(lut.shape[:-2]) if count > 1]
    axis = vector_axis if length > 1 or not grouped else grouped[0]
    whole = tuple(size * length if i == vector_axis else size for i, size in enumerate(shape))
    return Palettized(indices, lut, whole, bits, axis, mask=packed)


def _cast(parts):
    values = parts.get("source_val", ("float16",))
    return [Cast(array_of(values, FLOATS), values.shape)]


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
