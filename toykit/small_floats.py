"""Small floats: weights as floating-point numbers of 8 or 4 bits, and a scale that many of them share.

    weight  is about  scale * number

A float keeps a sign, an exponent and a mantissa. What it loses by rounding is a share of the number, not a fixed
step: its marks lie close together near 0 and far apart at the ends. "fp8_e4m3" has 4 bits of exponent and 3 of
mantissa, "fp8_e5m2" 5 and 2, "fp4_e2m1" 2 and 1, so its sixteen codes mean

    0, 0.5, 1, 1.5, 2, 3, 4, 6    and the same with a minus

With the exponent's bits e and the mantissa's m of M bits, a code means (1 + m / 2**M) * 2**(e - bias). Where e is 0
it means (m / 2**M) * 2**(1 - bias), which goes down to 0 in even steps. E4M3 has a NaN, in the place of 480; E5M2 has
infinity in the place of 65,536, and NaN above it. No weight is stored as these: what is too large becomes the largest
number.

A scale is a float of the weights' type, or "e8m0": one byte, an exponent alone, which means 2**(byte - 127).

Not here: which weights share a scale (`toykit.quantize`), and other small floats, such as those of 6 bits.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from . import bits as packing
from .compressed import (
    Compressed,
    as_array,
    check_array,
    check_choice,
    check_divides,
    check_part,
    check_shape,
    split,
    to_each_block,
)

FORMATS = {  # bits, bits of the mantissa, bias of the exponent, largest number
    "fp8_e4m3": (8, 3, 7, 448.0),
    "fp8_e5m2": (8, 2, 15, 57344.0),
    "fp4_e2m1": (4, 1, 1, 6.0),
}
_BIAS, _NAN = 127, 255  # of E8M0


@dataclass(frozen=True, eq=False, repr=False)
class SmallFloats(Compressed):
    """Weights as floats of 8 or 4 bits and a scale for each tensor, channel or block of them.

    Attributes
    ----------
    codes : uint8 array
        8 bits: of shape `shape`. 4 bits: flat, two codes to a byte, see `toykit.bits`.
    scale : array, as many dimensions as the weights
        Of floats; or of uint8, the exponents of E8M0. Its shape divides the weights'.
    shape : tuple of int
    format : {"fp8_e4m3", "fp8_e5m2", "fp4_e2m1"}
    dense_dtype : numpy.dtype
        The type of `dense()`, which exponents alone do not tell.
    numbers : float32 array of shape `shape`
        What the codes mean, before they are scaled.
    kind : str
        The format.
    """

    codes: np.ndarray
    scale: np.ndarray
    shape: tuple[int, ...]
    format: str
    dense_dtype: np.dtype

    def check(self):
        check_shape("shape", self.shape, least=0, most=8, empty=True)
        bits = FORMATS[check_choice("format", self.format, tuple(FORMATS))][0]
        check_part("codes", self.codes, np.uint8, self.shape if bits == 8 else (-(-self.size * bits // 8),))
        exponents = getattr(self.scale, "dtype", None) == np.uint8
        check_part("scale", self.scale, np.uint8 if exponents else np.floating, (None,) * len(self.shape))
        check_divides("scale", self.scale, self.shape)
        if exponents and (self.scale == _NAN).any():
            raise ValueError(f"scale must hold exponents of E8M0 up to {_NAN - 1}; {_NAN} is no number")

    @property
    def dtype(self):
        return self.dense_dtype

    @property
    def kind(self):
        return self.format

    @property
    def numbers(self):
        bits = FORMATS[self.format][0]
        codes = self.codes if bits == 8 else packing.unpack(self.codes, bits, self.size)
        return decode(codes, self.format).reshape(self.shape)

    def dense(self):
        self.check()
        # float32 holds the product of a small float and a float16 scale exactly, so it is rounded once.
        with np.errstate(over="ignore"):
            scale = worth(self.scale).astype(np.float32)
            steps = split(self.numbers, scale.shape) * to_each_block(scale)
            return steps.astype(self.dtype).reshape(self.shape)

    def in_shape(self, shape):
        """The same numbers in another shape, with the one scale that all share."""
        codes = self.codes.reshape(shape) if FORMATS[self.format][0] == 8 else self.codes
        return replace(self, codes=codes, scale=self.scale.reshape((1,) * len(shape)), shape=shape)

    def _summary(self):
        kind = "e8m0 " * (self.scale.dtype == np.uint8)
        return f"{self.format}, {self.scale.size} {kind}scale{'s' * (self.scale.size > 1)}"


def encode(numbers, format):
    """The codes of the nearest small floats; halves go to the even code, and what is too large to the largest.

    Parameters
    ----------
    numbers : array of float
    format : {"fp8_e4m3", "fp8_e5m2", "fp4_e2m1"}

    Returns
    -------
    uint8 array of the same shape
        The sign is the highest of the format's bits. -0.0 keeps its sign.

    Raises
    ------
    TypeError, ValueError
        If a number is not finite, or the format is unknown.

    References
    ----------
    Micikevicius et al., "FP8 formats for deep learning", 2022. Open Compute Project, "Microscaling Formats (MX)
    Specification", version 1.0, 2023.

    Examples
    --------
    >>> encode([0.2, 0.25, 0.3, -5.0, 100.0], "fp4_e2m1").tolist()
    [0, 0, 1, 14, 7]
    """
    numbers = check_array("numbers", numbers, kinds="f", empty=True)
    bits, mantissa, bias, largest = FORMATS[check_choice("format", format, tuple(FORMATS))]
    magnitude = np.minimum(np.abs(numbers.astype(np.float64)), largest)
    # Below the smallest normal number the steps become no finer.
    exponent = np.frexp(np.maximum(magnitude, 2.0 ** (1 - bias)))[1] - 1
    steps = np.rint(np.ldexp(magnitude, mantissa - exponent)).astype(np.int64)
    # A mantissa that is rounded up to two carries over into the exponent, whose bits are the next higher ones.
    codes = ((exponent + bias - 1) << mantissa) + steps
    return (codes | np.signbit(numbers).astype(np.int64) << (bits - 1)).astype(np.uint8)


def decode(codes, format):
    """What codes mean.

    Parameters
    ----------
    codes : array of whole numbers
    format : {"fp8_e4m3", "fp8_e5m2", "fp4_e2m1"}

    Returns
    -------
    float32 array of the same shape
        Of E4M3, 127 and 255 are NaN. Of E5M2, 124 and 252 are infinite, and what is above them is NaN.

    Raises
    ------
    TypeError, ValueError
        If a code has more bits than the format, or the format is unknown.

    Examples
    --------
    >>> decode(range(16), "fp4_e2m1")[1:10].tolist()
    [0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5]
    """
    codes = check_array("codes", codes, kinds="iu", empty=True)
    values = _values(check_choice("format", format, tuple(FORMATS)))
    if codes.size and not 0 <= codes.min() <= codes.max() < values.size:
        raise ValueError(
            f"codes must be from 0 to {values.size - 1}; these are from {codes.min()} to {codes.max()}"
        )
    return values[codes.astype(np.intp)]


@cache
def _values(format):
    """What each code of a format means."""
    bits, mantissa, bias, largest = FORMATS[format]
    exponent, steps = np.divmod(np.arange(2 ** (bits - 1)), 2**mantissa)
    steps = steps + np.where(exponent > 0, 2**mantissa, 0)
    magnitude = np.ldexp(steps.astype(np.float32), np.maximum(exponent, 1) - bias - mantissa)
    magnitude[magnitude > largest] = np.nan
    if format == "fp8_e5m2":
        magnitude[124] = np.inf
    return np.concatenate([magnitude, -magnitude])


def scales_for(largest, format, scale_format):
    """The scale under which each of some magnitudes fits into a format.

    Parameters
    ----------
    largest : array of float, at least 0
        The largest magnitude of the weights that share a scale.
    format : {"fp8_e4m3", "fp8_e5m2", "fp4_e2m1"}
    scale_format : {"float", "e8m0"}
        A float of the type of `largest`, by which the largest weight becomes the largest number; or an exponent as
        the Microscaling Formats have it, by which it lies in the binade of the largest number, or a little above
        that number.

    Returns
    -------
    array of the same shape, of its type or uint8
        Where `largest` is 0, so is the scale.

    Examples
    --------
    >>> worth(scales_for([3.0, 0.7], "fp4_e2m1", "e8m0")).tolist()
    [0.5, 0.125]
    """
    largest = check_array("largest", largest, kinds="f")
    most = FORMATS[check_choice("format", format, tuple(FORMATS))][3]
    if check_choice("scale_format", scale_format, ("float", "e8m0")) == "e8m0":
        exponent = np.frexp(largest)[1] - np.frexp(most)[1] + _BIAS
        return np.where(largest > 0, np.clip(exponent, 0, _NAN - 1), 0).astype(np.uint8)
    scale, info = (largest / most).astype(largest.dtype), np.finfo(largest.dtype)
    # Scales below the normal numbers have few digits: rounded down, they would cut off much of the weights.
    short = (scale < info.smallest_normal) & (scale.astype(np.float64) * most < largest)
    scale = np.where(short, np.nextafter(scale, info.max), scale)
    beyond = scale.astype(np.float64) * most > float(info.max)  # would decompress to infinity
    return np.where(beyond, np.nextafter(scale, 0, dtype=scale.dtype), scale)


def worth(scale):
    """Scales as floats: those of E8M0, which are bytes, are powers of two.

    Parameters
    ----------
    scale : array of float or uint8

    Returns
    -------
    float array of the same shape

    Raises
    ------
    TypeError
        If it is an array of anything else.

    Examples
    --------
    >>> worth(np.uint8([126, 127, 130])).tolist()
    [0.5, 1.0, 8.0]
    """
    scale = as_array("scale", scale)
    if scale.dtype != np.uint8:
        return check_array("scale", scale, kinds="f", empty=True)
    return np.ldexp(np.float32(1), scale.astype(np.int32) - _BIAS)
