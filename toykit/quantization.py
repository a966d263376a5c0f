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

Not here: choosing scales with data (`toykit.calibration`), or quantizing activations.
"""

import math
from dataclasses import dataclass

import numpy as np

from . import bits as packing
from .compressed import Compressed, check_choice, check_int, check_weights

BLOCK_SIZE = 32  # what coremltools takes for a block when it is not told


@dataclass(frozen=True, eq=False, repr=False)
class Quantized(Compressed):
    """Weights as whole numbers and a scale for each tensor, channel or block of them.

    Attributes
    ----------
    codes : array
        8 bits: an int8 or uint8 array of shape `shape`. Fewer: packed into a flat uint8 array,
        see `toykit.bits`.
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
    integers : int8 or uint8 array of shape `shape`
        The codes, unpacked.
    """

    codes: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray | None
    shape: tuple
    bits: int
    signed: bool

    @property
    def dtype(self):
        return self.scale.dtype

    @property
    def integers(self):
        return _unpacked(self.codes, self.bits, self.signed, self.shape)

    def dense(self):
        one_per_block = [n for scales in self.scale.shape for n in (scales, 1)]
        steps = _blocks(self.integers.astype(np.float32), self.scale.shape)
        if self.zero_point is not None:
            zero_point = _unpacked(self.zero_point, self.bits, self.signed, self.scale.shape)
            steps -= zero_point.reshape(one_per_block)
        # float32 holds the product of a code and a float16 scale exactly, so it is rounded once.
        steps *= self.scale.astype(np.float32).reshape(one_per_block)
        return steps.astype(self.dtype).reshape(self.shape)

    def _summary(self):
        sign = "int" if self.signed else "uint"
        offset = "symmetric" if self.zero_point is None else "with zero points"
        return f"{sign}{self.bits} {offset}, {self.scale.size} scale{'s' * (self.scale.size > 1)}"


def quantize(
    weights, bits=8, mode="symmetric", granularity="per_channel", block_size=None, axis=0, signed=True
):
    """Store each weight as a whole number of steps.

    Parameters
    ----------
    weights : array of float, 1 to 5 dimensions
    bits : int from 1 to 8
        Core ML stores 4 and 8. Symmetric codes need 2, for with 1 the only one is 0.
    mode : "symmetric" or "affine"
        Whether the codes lie around 0, or fill the range from the smallest weight to the largest.
        coremltools calls them "linear_symmetric" and "linear".
    granularity : "per_tensor", "per_channel" or "per_block"
        Which weights share a scale: all; those with the same index on `axis`; or those with the
        same index on `axis` and next to each other on the input axis, `block_size` at a time.
    block_size : int or tuple of int, optional
        For "per_block": the length of a block on the input axis, 32 if left out; or a tuple with
        the length for each axis, 0 for the whole axis.
    axis : int
        The axis of the output channels: 0, or 1 for a transposed convolution. The input axis is
        the other of the two; it is the only one where there is only one.
    signed : bool
        Whether codes run from -128 (symmetric: -127) to 127 or from 0 to 255 (symmetric: 254).

    Returns
    -------
    Quantized
        The type of its scales and of `dense()` is that of the weights.

    Raises
    ------
    TypeError, ValueError
        If the weights are not finite floating-point numbers, the options are out of range, a
        block does not divide its axis, or a scale is too large for the weights' type.

    Notes
    -----
    The stored arrays are those of coremltools 9 (`OpLinearQuantizerConfig`), which calculates in
    the type of the weights; so does this function, step by step, to round where it rounds. Where
    all weights of a scale are 0, scale, codes and zero point are 0. Three exceptions, in which
    coremltools stores something that does not decompress to the weights: a range beyond
    float16 (weights over 32,752, or over about 500 with 8-bit zero points) is calculated in
    float64; a scale too small for float16 becomes the smallest that there is; and a
    code that would decompress to infinity is moved towards 0.

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
    """
    weights = check_weights(weights)
    bits = check_int("bits", bits, range(1, 9))
    mode = check_choice("mode", mode, ("symmetric", "affine"))
    q_low, q_high = packing.code_range(bits, signed)
    if mode == "symmetric":
        if bits == 1:
            raise ValueError("symmetric quantization needs at least 2 bits; got 1. Use mode='affine'.")
        q_low, q_high = (q_low + 1, q_high) if signed else (q_low, q_high - 1)

    scale_shape = _scale_shape(weights.shape, granularity, block_size, axis)
    blocks = _blocks(weights.astype(np.float32), scale_shape)
    within = tuple(range(1, blocks.ndim, 2))
    low = blocks.min(axis=within, keepdims=True).astype(weights.dtype)
    high = blocks.max(axis=within, keepdims=True).astype(weights.dtype)
    if mode == "symmetric":
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    else:  # 0 must be among the weights that can be stored
        low, high = np.minimum(low, 0), np.maximum(high, 0)

    scale, zero_point = _derive(low, high, q_low, q_high)
    if mode == "symmetric" and signed:
        zero_point = np.zeros_like(scale)
    elif mode == "symmetric":  # all codes are shifted up by as much as makes them positive
        zero_point = np.full_like(scale, q_high // 2)
    steps = _round_to_steps(blocks, scale, q_low - zero_point, q_high - zero_point)
    codes = (steps + zero_point) * (scale > 0)
    return Quantized(
        _stored(codes.reshape(weights.shape), bits, signed),
        scale.reshape(scale_shape),
        None if mode == "symmetric" and signed else _stored(zero_point.reshape(scale_shape), bits, signed),
        weights.shape,
        bits,
        signed,
    )


def _scale_shape(shape, granularity, block_size, axis):
    """How many scales there are along each axis."""
    granularity = check_choice("granularity", granularity, ("per_tensor", "per_channel", "per_block"))
    if granularity != "per_block" and block_size is not None:
        raise ValueError(f"block_size needs granularity='per_block'; got {granularity!r}")
    ndim = len(shape)
    axis = check_int("axis", axis, range(-ndim, ndim)) % ndim
    lengths = [0] * ndim  # of a block on each axis; 0 is the whole axis, as coremltools writes it
    if granularity == "per_channel":
        lengths[axis] = 1
    elif isinstance(block_size, tuple | list):
        lengths = block_size
        if len(lengths) != ndim:
            raise ValueError(f"block_size must have a length for each of {ndim} axes; got {block_size}")
    elif granularity == "per_block":
        if axis > 1:
            raise ValueError(f"with axis {axis}, say how long a block is on each axis: block_size=(...)")
        lengths[axis] = 1
        lengths[1 - axis if ndim > 1 else 0] = BLOCK_SIZE if block_size is None else block_size

    scales = []
    for axis, (size, length) in enumerate(zip(shape, lengths)):
        length = check_int("block_size", length, range(0 if length is not block_size else 1, 2**31)) or size
        if size % length:
            divisors = ", ".join(str(d) for d in range(1, size + 1) if size % d == 0)
            raise ValueError(f"block_size must divide axis {axis}, which is {size} long; got {length}. Use {divisors}")
        scales.append(size // length)
    return tuple(scales)


def _blocks(array, scale_shape):
    """The array with each axis split in two: which block, and where in the block."""
    split = [n for size, scales in zip(array.shape, scale_shape) for n in (scales, size // scales)]
    return array.reshape(split)


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


def _round_to_steps(blocks, scale, lowest, highest):
    """The number of steps nearest to each weight, among those that codes can say; in place."""
    dtype = scale.dtype
    scale = np.where(scale == 0, 1, scale).astype(np.float32)
    # No more steps than decompress to a finite weight.
    reach = np.floor(float(np.finfo(dtype).max) / scale.astype(np.float64))
    with np.errstate(over="ignore"):
        steps = np.divide(blocks, scale, out=blocks)
        steps[...] = steps.astype(dtype, copy=False)  # the quotient in the weights' own precision
    np.rint(steps, out=steps)  # halves go to the even neighbour
    return np.clip(steps, np.maximum(lowest, -reach), np.minimum(highest, reach), out=steps)


def _stored(codes, bits, signed):
    """Codes as they are stored: whole bytes keep their shape, smaller codes are packed."""
    codes = codes.astype(np.int8 if signed else np.uint8)
    return codes if bits == 8 else packing.pack(codes, bits, signed)


def _unpacked(codes, bits, signed, shape):
    if bits == 8:
        return codes
    return packing.unpack(codes, bits, math.prod(shape), signed).reshape(shape)
