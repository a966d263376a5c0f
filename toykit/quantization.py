"""Quantization: replace each weight by a small whole number and a step that many weights share.

    weight  is about  scale * (code - zero_point)

An 8-bit code takes half the room of a float16 weight, a 4-bit code a quarter, and the scales are
few. What is lost is everything between two steps.

Where the numbers come from. Say the codes run from q_low to q_high and the weights from low to
high. One step of the code must then be worth

    scale = (high - low) / (q_high - q_low)

and the code that stands for 0 is found by asking that q_low stands for low:

    low = scale * (q_low - zero_point)    so    zero_point = q_low - low / scale
                                                           = (q_low*high - q_high*low) / (high - low)

rounded, because a zero that is stored exactly keeps pruned and padded weights at exactly zero.
Symmetric quantization gets there by widening the range to -m ... m, where m is the largest |w|.
Then zero_point is 0 and need not be stored, and one code is given up so that the codes are
symmetric too: -127 ... 127. Affine quantization keeps the range as it is, only that 0 must be in
it, and stores the zero point.

With `format` the codes are small floats instead of whole numbers: `toykit.small_floats` has their arithmetic.

Not here: choosing scales with data (`toykit.training.calibration`), or quantizing activations.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import bits as packing
from . import settings, small_floats
from .compressed import (
    Compressed,
    Part,
    check_array,
    check_divides,
    check_flag,
    check_int,
    check_part,
    check_shape,
    check_weights,
    dense_of,
    split,
    to_each_block,
)
from .pruning import spread, unpack_mask


@dataclass(frozen=True, eq=False, repr=False)
class Quantized(Compressed):
    """Weights as whole numbers and a scale for each tensor, channel or block of them.

    Attributes
    ----------
    codes : array
        8 bits: an int8 or uint8 array of shape `shape`. Fewer: packed into a flat uint8 array,
        see `toykit.bits`. With a mask: one row, of the weights that it keeps.
    scale : float array, as many dimensions as the weights
        The worth of one step. Its shape divides the weights': (64, 1, 1, 1) for a scale for each
        of 64 output channels.
    zero_point : array or None
        For each scale the code that stands for 0, stored like `codes`; None in signed symmetric
        quantization, where it is 0.
    shape : tuple of int
    bits : int
    signed : bool
        Whether the codes are signed.
    mask : uint8 array or None
        Where the weights were pruned before, as in `toykit.Sparse`.
    integers : int8 or uint8 array of shape `shape`
        The codes, unpacked; 0 where the mask keeps no weight.
    zero_points : int8 or uint8 array of the shape of `scale`, or None
        The zero points, unpacked.
    kept : bool array of shape `shape`
        The mask, unpacked; all, where there is none.
    kind : str
        The type of the codes in Core ML's words, such as "uint4".
    """

    codes: Part
    scale: Part
    zero_point: Part | None
    shape: tuple[int, ...]
    bits: int
    signed: bool
    mask: np.ndarray | None = None

    def check(self):
        check_shape("shape", self.shape, least=0, most=8, empty=True)
        check_int("bits", self.bits, range(1, 9))
        check_flag("signed", self.signed)
        codes_shape = self.shape if self.mask is None else (np.count_nonzero(self.kept),)
        _check_codes("codes", self.codes, self.bits, self.signed, codes_shape)
        check_part("scale", self.scale, np.floating, (None,) * len(self.shape))
        check_divides("scale", self.scale, self.shape)
        if self.zero_point is not None:
            _check_codes("zero_point", self.zero_point, self.bits, self.signed, self.scale.shape)

    @property
    def dtype(self):
        return self.scale.dtype

    @property
    def kind(self):
        if isinstance(self.codes, Compressed):
            return str(self.codes.dtype)
        return f"{'int' if self.signed else 'uint'}{self.bits}"

    @property
    def kept(self):
        return np.ones(self.shape, bool) if self.mask is None else unpack_mask(self.mask, self.shape)

    @property
    def integers(self):
        if self.mask is None:
            return unpack_codes(self.codes, self.bits, self.signed, self.shape)
        kept = self.kept
        return spread(unpack_codes(self.codes, self.bits, self.signed, np.count_nonzero(kept)), kept)

    @property
    def zero_points(self):
        if self.zero_point is None:
            return None
        return unpack_codes(self.zero_point, self.bits, self.signed, self.scale.shape)

    def dense(self):
        self.check()
        codes, scale, zero_points = self.integers, dense_of(self.scale), self.zero_points
        # float32 holds the product of a code and a float16 scale exactly, so it is rounded once. Floats in
        # the place of codes, which Core ML allows, are rounded after each step, as Core ML does.
        floats = "f" in (codes.dtype.kind, zero_points is not None and zero_points.dtype.kind)
        steps = split(codes.astype(self.dtype if floats else np.float32), scale.shape)
        with np.errstate(all="ignore"):  # a file may hold scales that lead to infinity
            if zero_points is not None:
                steps = steps - to_each_block(zero_points.astype(np.result_type(steps, zero_points)))
            steps = steps * to_each_block(scale.astype(steps.dtype))
        weights = steps.astype(self.dtype).reshape(self.shape)
        return weights if self.mask is None else np.where(self.kept, weights, self.dtype.type(0))

    def behind(self, mask):
        """The same weights, with a mask and codes only of those that it keeps."""
        codes = self.integers[unpack_mask(mask, self.shape)]
        return replace(self, codes=pack_codes(codes, self.bits, self.signed), mask=mask)

    def in_shape(self, shape):
        """The same weights in another shape, with the one scale that all share."""
        ones, zeros = (1,) * len(shape), self.zero_points
        return replace(
            self,
            codes=pack_codes(self.integers.reshape(shape), self.bits, self.signed),
            scale=self.scale.reshape(ones),
            zero_point=None if zeros is None else pack_codes(zeros.reshape(ones), self.bits, self.signed),
            shape=shape,
        )

    def _summary(self):
        if self.mask is not None:
            return f"{100 * (1 - np.mean(self.kept)):.1f} % zero, the rest {self.kind}"
        offset = "symmetric" if self.zero_point is None else "with zero points"
        return f"{self.kind} {offset}, {self.scale.size} scale{'s' * (self.scale.size > 1)}"


def quantize(
    weights,
    bits=8,
    mode="symmetric",
    granularity=None,
    block_size=None,
    axis=0,
    signed=True,
    format=None,
    scale_format=None,
):
    """Store each weight as a whole number of steps, or as a small float.

    Parameters
    ----------
    weights : array of float, 1 to 5 dimensions, or Sparse, or Palettized
        Of pruned weights the survivors are quantized, of palettized ones the table; see
        `toykit.joint`.
    bits : int from 1 to 8
        Core ML stores 4 and 8. Symmetric codes need 2, for with 1 the only one is 0.
    mode : "symmetric" or "affine"
        Whether the codes lie around 0, or fill the range from the smallest weight to the largest.
        coremltools calls them "linear_symmetric" and "linear".
    granularity : "per_tensor", "per_channel" or "per_block"
        Which weights share a scale: all; those with the same index on `axis`; or those with the
        same index on `axis` and next to each other on the input axis, `block_size` at a time.
        "per_channel" if left out; the table of a palette has no channels and is "per_tensor".
    block_size : int or tuple of int, optional
        For "per_block": the length of a block on the input axis, 32 if left out; or a tuple with
        the length for each axis, 0 for the whole axis.
    axis : int
        The axis of the output channels: 0, or 1 for a transposed convolution. The input axis is
        the other of the two; it is the only one where there is only one.
    signed : bool
        Whether codes run from -128 (symmetric: -127) to 127 or from 0 to 255 (symmetric: 254).
    format : {"int2", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1"}, optional
        What a code is, in place of `bits`. "int2" is bits=2: symmetric ones are -1, 0 and 1. The others are floats of 8
        and 4 bits; `mode` and `signed` do not apply to them. Of pruned weights and of tables they have one scale for
        all, as in Core AI. Core ML Tools 9 stores none of the four.
    scale_format : {"float", "e8m0"}, optional
        Of small floats: whether a scale is a float of the weights' type, or a power of two in one byte. If left out,
        "e8m0" for "per_block", which makes the Microscaling Formats MXFP8 and MXFP4, and "float" otherwise.

    Returns
    -------
    Quantized or SmallFloats
        The type of its scales (but for "e8m0") and of `dense()` is that of the weights. Of palettized weights, a
        Palettized whose table is one of the two; of pruned ones that become small floats, a Sparse of these.

    Raises
    ------
    TypeError, ValueError
        If the weights are not finite floating-point numbers, the options are out of range, a
        block does not divide its axis, or a scale is too large for the weights' type.

    Notes
    -----
    The stored arrays are those of coremltools 9 (`OpLinearQuantizerConfig`), which calculates in
    the type of the weights; so does this function, step by step, to round where it rounds. Where
    all weights of a scale are 0, scale and codes are 0. There are three exceptions, in which
    coremltools stores what does not decompress to anything like the weights. A range that float16
    cannot hold (weights over 32,752, or over 256 with 8-bit zero points) is calculated in float64.
    A scale too small for float16 becomes the smallest that there is. A code that would decompress
    to infinity is moved towards 0.

    Small floats are those of Core AI (coreai-opt 0.4's `quantize_weights` of float16 weights, and "e8m0" as its
    `Quantizer`'s), with the second of these exceptions; tests/parity/coreai says where coreai-opt strays from its own.
    One is off by half the gap between its neighbours at most. Beyond that goes only the "e8m0" scale, which
    ends, as the Microscaling Formats have it, in the binade of the largest weight: what is above the largest number
    becomes that number. For FP4 these are weights of more than 6 scales, which has room for less than 8.

    iOS 16 and 17 store 8 bits, per tensor or per channel, with a zero point for every scale, even
    where it is 0. Everything else needs iOS 18, whose form this is.

    References
    ----------
    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-
    only inference", CVPR 2018. Krishnamoorthi, "Quantizing deep convolutional networks for
    efficient inference", 2018.

    Examples
    --------
    >>> weights = np.float16([[0.5, -1.0, 0.25], [2.0, 0.0, -4.0]])
    >>> c = quantize(weights, bits=8)
    >>> c.integers.tolist(), [f"{scale:.4f}" for scale in c.scale.ravel()]
    ([[64, -127, 32], [64, 0, -127]], ['0.0079', '0.0315'])
    >>> quantize(weights, bits=4, mode="affine", granularity="per_tensor")
    Quantized(2x3, int4 with zero points, 1 scale, 8.0 bits a weight)
    >>> quantize(np.ones((64, 96)), format="fp4_e2m1", granularity="per_block")
    SmallFloats(64x96, fp4_e2m1, 192 e8m0 scales, 4.2 bits a weight)
    """
    options = {"bits": bits, "mode": mode, "granularity": granularity, "block_size": block_size}
    options |= {"axis": axis, "signed": signed, "format": format, "scale_format": scale_format}
    if isinstance(weights, Compressed):
        return weights.quantize_further(quantize, **options)
    weights = check_weights(weights)
    options = settings.complete("quantize", options)
    bits, signed = options["bits"], options["signed"]
    q_low, q_high = packing.code_range(bits, signed)
    if mode == "symmetric":
        q_low, q_high = (q_low + 1, q_high) if signed else (q_low, q_high - 1)

    scale_shape = settings.scale_shape(settings.fit("quantize", options, weights.shape), weights.shape)
    blocks = split(weights, scale_shape)
    low, high = _extremes(blocks)
    if options["format"]:
        return _as_small_floats(weights, blocks, np.maximum(-low, high), scale_shape, options)
    if mode == "symmetric":
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    else:  # 0 must be among the weights that can be stored
        low, high = np.minimum(low, 0), np.maximum(high, 0)

    scale, zero_point = _derive(low, high, q_low, q_high)
    if mode == "symmetric":  # unsigned codes are shifted up by as much as makes them positive
        zero_point = None if signed else np.full_like(scale, q_high // 2)
    codes = _encode(blocks, scale, zero_point, q_low, q_high)
    return Quantized(
        pack_codes(codes.reshape(weights.shape), bits, signed),
        scale.reshape(scale_shape),
        None
        if zero_point is None
        else pack_codes(zero_point.reshape(scale_shape).astype(np.int16), bits, signed),
        weights.shape,
        bits,
        signed,
    )


def _as_small_floats(weights, blocks, largest, scale_shape, options) -> Any:
    """Weights that were split into blocks as floats, with a scale for the largest of each block."""
    # Any: editors go on to offer what a Quantized has, which nearly all results of `quantize` are.
    kind, bits = options["format"], options["bits"]
    scale = small_floats.scales_for(largest, kind, options["scale_format"])
    # Where all weights of a scale are 0, so may it be.
    step = small_floats.worth(scale).astype(np.float64)
    step[step == 0] = 1
    codes = np.empty(blocks.shape, np.uint8)
    for slab, its_scales in _slabs(blocks):
        quotients = (blocks[slab] / step[its_scales]).astype(blocks.dtype)  # as precise as the weights
        codes[slab] = small_floats.encode(quotients, kind)
    codes = pack_codes(codes.reshape(weights.shape), bits, signed=False)
    return small_floats.SmallFloats(codes, scale.reshape(scale_shape), weights.shape, kind, weights.dtype)


def _slabs(blocks):
    """Cut split weights into slabs of about 100,000, whose temporaries stay in the cache.

    Yields where a slab is in the weights, and where its scales are.
    """
    whole = slice(None)
    axis = 0 if blocks.shape[0] > 1 else 1  # with one block on the first axis, cut inside it
    step = max(1, 100_000 * blocks.shape[axis] // blocks.size)
    for start in range(0, blocks.shape[axis], step):
        slab = slice(start, start + step)
        yield ((slab,), (slab,)) if axis == 0 else ((whole, slab), (whole,))


def _extremes(blocks):
    """The smallest and the largest weight of each block."""
    within = tuple(range(1, blocks.ndim, 2))
    one_per_block = [1 if axis in within else n for axis, n in enumerate(blocks.shape)]
    low, high = np.full(one_per_block, np.inf, np.float32), np.full(one_per_block, -np.inf, np.float32)
    short = blocks.size // low.size < 256
    for slab, its_scales in _slabs(blocks):
        weights = blocks[slab].astype(np.float32)  # exact, and quicker to compare than float16
        if short:  # NumPy compares long rows quickly and many short ones slowly: lay the blocks side by side
            between = tuple(range(0, blocks.ndim, 2))
            weights = np.ascontiguousarray(weights.transpose(within + between))
        over = tuple(range(len(within))) if short else within
        its_low, its_high = low[its_scales], high[its_scales]
        np.minimum(its_low, weights.min(over).reshape(its_low.shape), out=its_low)
        np.maximum(its_high, weights.max(over).reshape(its_high.shape), out=its_high)
    return low.astype(blocks.dtype), high.astype(blocks.dtype)


def _derive(low, high, q_low, q_high):
    """Scale and zero point of each block, by the formulas at the top of this module."""

    def formulas(low, high):
        width = high - low
        return width / (q_high - q_low), (q_low * high - q_high * low) / width

    dtype = low.dtype
    with np.errstate(all="ignore"):
        scale, zero_point = formulas(low, high)
        # What left the range of the weights' type on the way is calculated again in float64.
        lost = ~(np.isfinite(scale) & np.isfinite(zero_point))
        wide_scale, wide_zero_point = formulas(low.astype(np.float64), high.astype(np.float64))
        scale = np.where(lost, wide_scale, scale).astype(dtype)
        zero_point = np.where(lost, wide_zero_point, zero_point)
    if not np.isfinite(scale).all():
        raise ValueError(
            f"the weights are so far apart that their scale, {wide_scale.max():.6g}, does not fit into "
            f"{dtype}: use more bits, or divide the weights by a constant"
        )
    # A scale that was rounded to 0 would lose all weights; the smallest there is holds them exactly.
    scale = np.where((scale == 0) & (high > low), np.finfo(dtype).smallest_subnormal, scale)
    # Where all weights are 0 the zero point is 0/0, and 0 will do.
    return scale, np.clip(np.rint(np.nan_to_num(zero_point)), q_low, q_high).astype(dtype)


def _encode(blocks, scale, zero_point, q_low, q_high):
    """The code of each weight: how many steps it is from 0, plus the zero point."""
    largest = float(np.finfo(scale.dtype).max)
    codes = np.empty(blocks.shape, np.int8 if q_low < 0 else np.uint8)
    for slab, its_scales in _slabs(blocks):
        step = scale[its_scales].astype(np.float32)
        steps = blocks[slab].astype(np.float32)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            steps /= step
            steps[...] = steps.astype(blocks.dtype)  # as precise as the weights, and no more
            np.rint(steps, out=steps)  # halves go to the even neighbour
            reach = np.floor(largest / step.astype(np.float64))
        if reach.min() <= q_high - q_low:  # no more steps than decompress to a finite weight
            np.clip(steps, -reach, reach, out=steps)
        if zero_point is not None:
            steps += zero_point[its_scales]
        np.clip(steps, q_low, q_high, out=steps)
        if not step.all():  # 0/0, where all weights of a scale are 0
            np.copyto(steps, 0, where=step == 0)
        codes[slab] = steps
    return codes


def pack_codes(codes, bits, signed):
    """Codes as they are stored: whole bytes keep their shape, smaller codes are packed."""
    codes = check_array("codes", codes, kinds="iu", empty=True)
    low, high = packing.code_range(bits, signed)
    if bits < 8:
        return packing.pack(codes, bits, signed)
    dtype = np.dtype(np.int8 if signed else np.uint8)
    if codes.dtype != dtype and codes.size and not low <= codes.min() <= codes.max() <= high:
        raise ValueError(f"codes must be from {low} to {high}; these are from {codes.min()} to {codes.max()}")
    return codes.astype(dtype)


def unpack_codes(codes, bits, signed, shape):
    """The codes that `pack_codes` stored; `shape` may be a number for a flat array."""
    if isinstance(codes, Compressed):
        return codes.dense()
    shape = shape if isinstance(shape, tuple) else (shape,)
    if check_int("bits", bits, range(1, 9)) == 8:
        return check_array("codes", codes, kinds="iu", shape=shape, empty=True)
    shape = check_shape("shape", shape, least=0, most=8, empty=True)
    _check_codes("codes", codes, bits, check_flag("signed", signed), shape)
    return packing.unpack(codes, bits, math.prod(shape), signed).reshape(shape)


def _check_codes(name, codes, bits, signed, shape):
    """Codes as `pack_codes` stores them for a shape."""
    if bits == 8 or isinstance(codes, Compressed):
        check_part(name, codes, np.int8 if signed else np.uint8, shape)
    else:
        check_part(name, codes, np.uint8, (-(-math.prod(shape) * bits // 8),))
