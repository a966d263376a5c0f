"""Activations in 8 bits: to integers and back (iOS 17 and later)."""

from ...format.protobuf import PackageError
from .registry import axis_of, operator

_RANGES = {"int8": (-128, 127), "uint8": (0, 255)}


@operator("quantize")
def quantize(xp, input, scale, zero_point=None, *, output_dtype, axis=None):
    """clip(round(input / scale) + zero_point)"""
    if output_dtype not in _RANGES:
        raise PackageError(f"output_dtype must be int8 or uint8; got {output_dtype!r}")
    if not bool((scale > 0).all()):
        raise PackageError("scale must be greater than 0")
    codes = xp.round(input / _along(scale, input, axis))
    if zero_point is not None:
        codes = codes + xp.to_float(_along(zero_point, input, axis))
    return xp.clip(codes, *_RANGES[output_dtype])


@operator("dequantize")
def dequantize(xp, input, scale, zero_point=None, *, axis=None):
    """scale * (input - zero_point)"""
    codes = xp.to_float(input)
    if zero_point is not None:
        codes = codes - xp.to_float(_along(zero_point, input, axis))
    return codes * _along(scale, input, axis)


def _along(values, x, axis):
    """A number as it is, a vector along `axis`."""
    if values.ndim == 0:
        return values
    return values.reshape([-1 if place == axis_of(axis, x.ndim) else 1 for place in range(x.ndim)])
