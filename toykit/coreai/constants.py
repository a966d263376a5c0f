"""Compressed constants of a Core AI program as toykit's own objects.

A weight that is compressed is the end of a chain of operators that begins at constants:

    blockwise_shift_scale           (data - offset1) * scale + offset2, for each block
    lut_to_dense                    table entries for indices
    build_sparse_with_bitmask,
    sparse_with_bitmask_to_dense    values where a mask says
    lut_to_sparse_with_bitmask      the last two steps in one, of indices
    cast                            between the others

As in `toykit.coreml.constants.reading`, the parts are the stored arrays and `dense()` is what the operators give, to
the bit. An offset that is 0 everywhere has no part: Core AI stores one number for it.

With one exception, in the last bit: of 8-bit codes with a zero point for each channel or block, Apple's interpreter on
Linux multiplies code and zero point by the scale one by one, and rounds twice. `dense()` is the formula above.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..coreml.constants.general import Elements
from ..coreml.constants.parts import FLOATS, Stored, array_of
from ..coreml.constants.reading import palette, quantized
from ..coreml.format.protobuf import PackageError
from ..palettization import Palettized
from ..pruning import Sparse
from ..quantization import Quantized
from ..small_floats import FORMATS, SmallFloats
from .program import CONSTANT, bits_of, is_stage, read, type_of

TYPES_OF_CODES = tuple(f"{sign}int{bits}" for sign in ("u", "") for bits in (1, 2, 3, 4, 6, 8))


@dataclass(frozen=True)
class _Codes:
    """Codes that are compressed in turn, of a type that only a later operator turns into floats."""

    whole: Palettized | Sparse
    dtype: str

    @property
    def shape(self):
        return self.whole.shape

    def row(self):
        """The codes of a table, or of what a mask keeps."""
        inside: Any = self.whole.lut if isinstance(self.whole, Palettized) else self.whole.values
        return Stored(inside.elements, self.dtype, inside.shape)


@dataclass(frozen=True)
class _Masked:
    """Values and a mask, on their way to the operator that puts them in place."""

    values: object
    packed: np.ndarray
    shape: tuple


def read_weight(value):
    """The weight that a value is.

    Parameters
    ----------
    value : coreai._compiler.ir.Value

    Returns
    -------
    Compressed, ndarray or None
        None if it is not made of constants alone.

    Raises
    ------
    PackageError
        If the chain is one that toykit has no object for.
    """
    part = _part(value)
    if isinstance(part, Stored):
        if bits_of(part.dtype) >= 8:
            return part.array
        return Elements(part.array, part.shape, part.dtype)
    if isinstance(part, _Masked):
        raise PackageError("a mask and its values are used by something else than what puts them in place")
    return part.whole if isinstance(part, _Codes) else part


def _part(value) -> Any:
    operation = getattr(value.owner, "operation", None)
    if operation is None:  # an input
        return None
    if operation.name == CONSTANT:
        return read(operation)
    if not is_stage(operation):
        return None
    parts = [_part(operand) for operand in operation.operands]
    if any(part is None for part in parts):
        return None
    return _READERS[operation.name.removeprefix("coreai.")](operation, *parts)


def _shift_scale(operation, data, scale, shift, offset):
    if not isinstance(scale, Stored) or np.any(offset.array):
        raise _unknown(operation, "an offset after the scale")
    dtype = np.dtype(type_of(operation.results[0])[0])
    zero = None if _is_zero(shift) else shift
    if isinstance(data, Stored) and data.dtype in FORMATS and zero is None:
        return _small_floats(data, scale, dtype)
    if scale.dtype not in FLOATS:
        raise _unknown(operation, f"scales of {scale.dtype} for {data.dtype}")
    if isinstance(data, _Codes):
        return _scaled_codes(operation, data, scale, zero)
    if isinstance(data, Palettized) and zero is None and data.scale is None:
        return replace(data, scale=scale.array)
    if isinstance(data, Stored) and data.dtype in TYPES_OF_CODES:
        return _quantized(data, scale, zero, data.shape)
    return quantized(data, scale, zero, data.shape)


def _quantized(codes, scale, zero, shape, mask=None):
    """Codes with their scales; offsets have the shape and the type that scales and codes have."""
    zero = None if zero is None else zero.array
    return Quantized(codes.array, scale.array, zero, shape, *_kind(codes.dtype), mask)


def _kind(dtype):
    return bits_of(dtype), dtype.startswith("int")


def _small_floats(data, scale, dtype):
    return SmallFloats(data.array, scale.array, data.shape, data.dtype, dtype)


def _scaled_codes(operation, data, scale, zero):
    whole, row = data.whole, data.row()
    if isinstance(whole, Palettized):
        if scale.count != 1:
            raise _unknown(operation, "several scales for the table of a palette")
        ones = (1,) * len(whole.lut.shape)
        scale = Stored(scale.array.reshape(ones), scale.dtype, ones)
        if zero is not None and zero.dtype in FLOATS:  # a whole number, which coreai-opt stores as a float
            kind = np.int8 if data.dtype.startswith("int") else np.uint8
            zero = Stored(zero.array.reshape(ones).astype(kind), data.dtype, ones)
        if data.dtype in FORMATS:
            return replace(whole, lut=_small_floats(row, scale, scale.array.dtype))
        return replace(whole, lut=_quantized(row, scale, zero, row.shape))
    if data.dtype in FORMATS and scale.count == 1:
        one = Stored(scale.array.reshape(1), scale.dtype, (1,))
        return Sparse(_small_floats(row, one, scale.array.dtype), whole.mask, whole.shape)
    if data.dtype in TYPES_OF_CODES and zero is None:
        return _quantized(row, scale, None, whole.shape, whole.mask)
    # With a zero point what was pruned does not run as 0: it is a code like the others.
    return Quantized(whole, scale.array, zero.array, whole.shape, *_kind(data.dtype))


def _is_zero(part):
    return not np.any(part.array)


def _lut_to_dense(operation, indices, lut, axis):
    axis = int(axis.array.ravel()[0])
    table = array_of(lut, FLOATS) if lut.dtype in FLOATS else Elements(lut.array, lut.shape, lut.dtype)
    whole = palette(indices.array, table, indices.shape, bits_of(indices.dtype), axis % len(indices.shape))
    return whole if lut.dtype in FLOATS else _Codes(whole, lut.dtype)


def _build_sparse(operation, values, mask):
    return _Masked(values, mask.array, mask.shape)


def _sparse_to_dense(operation, masked):
    values, packed, shape = masked.values, masked.packed, masked.shape
    if isinstance(values, Palettized):
        ones = (1,) * len(shape) + values.lut.shape[-2:]
        return Palettized(values.indices, values.lut.reshape(ones), shape, values.bits, mask=packed)
    if isinstance(values, Stored) and values.dtype in FLOATS:
        return Sparse(values.array, packed, shape)
    if isinstance(values, Stored):
        return _Codes(Sparse(Elements(values.array, values.shape, values.dtype), packed, shape), values.dtype)
    raise _unknown(operation, f"values that are {values!r}")


def _lut_to_sparse(operation, masked, lut, axis):
    indices = masked.values
    whole = palette(
        indices.array,
        array_of(lut, FLOATS),
        masked.shape,
        bits_of(indices.dtype),
        int(axis.array.ravel()[0]),
        masked.packed,
    )
    return _Masked(whole, masked.packed, whole.shape)


def _cast(operation, part):
    dtype, _ = type_of(operation.results[0])
    own = part.dtype if isinstance(part, (Stored, _Codes)) else str(getattr(part, "dtype", None))
    # Codes become floats of the same values; of other casts toykit has no object.
    return part if own == dtype or isinstance(part, _Codes) else None


def _unknown(operation, what):
    return PackageError(f"{operation.name} with {what} is a form that toykit has no object for")


_READERS = {
    "blockwise_shift_scale": _shift_scale,
    "lut_to_dense": _lut_to_dense,
    "build_sparse_with_bitmask": _build_sparse,
    "sparse_with_bitmask_to_dense": _sparse_to_dense,
    "lut_to_sparse_with_bitmask": _lut_to_sparse,
    "cast": _cast,
}
