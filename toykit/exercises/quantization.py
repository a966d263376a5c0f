"""The exercises of the quantization chapter: the scale, the codes, two codes to a byte, and a block of small floats."""

import numpy as np

from .. import bits as packing
from .. import compressed, quantization, small_floats
from .framework import Case, Exercise, Hint


def _symmetric_scale(weights, bits):
    return float(np.abs(weights).max() / (2 ** (bits - 1) - 1))


symmetric_scale = Exercise(
    name="symmetric_scale",
    level="warm-up",
    task="Return the scale of symmetric quantization: the worth of one step when the largest magnitude gets "
    "the largest code of that many bits, 127 for 8.",
    reference=_symmetric_scale,
    cases=[
        Case(np.array([0.5, 127.0, -3.0]), 8, about="one step is worth 1"),
        Case(np.array([0.5, -254.0, 3.0]), 8, about="the largest magnitude is negative"),
        Case(np.array([[1.0, -2.0], [3.5, 0.0]]), 4, about="4 bits: the largest code is 7"),
        Case(np.array([1.0, 1.0]), 2, about="2 bits: the codes are -1, 0 and 1"),
        Case(np.array([2.0, 4.0, 10.0]), 8, about="all positive, and symmetric all the same"),
        Case(np.zeros(3), 8, about="all weights are zero, and so is the scale"),
    ],
    random=lambda rng: (
        rng.normal(size=rng.integers(1, 9, 2)) * 10 ** rng.uniform(-3, 3),
        int(rng.integers(2, 9)),
    ),
    hints=[
        Hint(
            "A large negative weight must fit as well: compare magnitudes.",
            lambda got, want, w, b: np.isclose(got, w.max() / (2 ** (b - 1) - 1)),
        ),
        Hint(
            "That is 2**bits codes over the whole range. Symmetric codes go as far down as up.",
            lambda got, want, w, b: np.isclose(
                got * (2**b - 1), [w.max() - w.min(), 2 * np.abs(w).max(), np.abs(w).max()]
            ).any(),
        ),
        Hint(
            "-128 is given up so that the codes are symmetric: the largest code is 2**(bits - 1) - 1.",
            lambda got, want, w, b: np.isclose(got, np.abs(w).max() / 2 ** (b - 1)),
        ),
        Hint(
            "The scale is what one step is worth, not how many steps go into a weight: "
            "turn the fraction over.",
            lambda got, want, w, b: np.isclose(got * want, 1),
        ),
        Hint(
            "bits is an argument: 127 is the largest code of 8 bits only.",
            lambda got, want, w, b: b != 8 and np.isclose(got, np.abs(w).max() / 127),
        ),
    ],
    hint="code x scale must give back the largest magnitude when code is the largest code.",
    tolerance=1e-9,
)


def _quantize_affine(weights, scale, zero_point):
    return np.clip(np.rint(weights / scale) + zero_point, -128, 127).astype(np.int8)


def _random_affine_case(rng):
    scale = float(2.0 ** rng.integers(-6, 2))  # a power of two: no rounding but the one that is asked for
    weights = rng.integers(-1500, 1500, (3, 5)) / 8 * scale
    return weights, scale, int(rng.integers(-100, 100))


def _affine_like(step, clip=True):
    def codes(got, want, w, s, z):
        values = step(w, s, z)
        values = np.clip(values, -128, 127) if clip else values
        return np.array_equal(got, values.astype(np.int64).astype(np.int8))

    return codes


quantize_affine = Exercise(
    name="quantize_affine",
    level="build",
    dtype="int8",
    task="Return int8 codes: how many steps of size `scale` each weight is, rounded (halves to the even "
    "neighbour), then shifted by `zero_point`, and kept between -128 and 127.",
    reference=_quantize_affine,
    cases=[
        Case(np.array([0.0, 1.0, -2.0]), 1.0, 0, about="one step is worth 1"),
        Case(np.array([0.0, 1.0, -2.0]), 0.5, 10, about="0 becomes the zero point"),
        Case(np.array([0.75, -0.75, 1.25]), 1.0, 0, about="to the nearest step"),
        Case(np.array([100.0, 200.0, -300.0]), 1.0, 0, about="200 does not fit into a signed byte"),
        Case(np.array([100.0, -100.0]), 1.0, 50, about="fits before the shift, and not after it"),
        Case(np.array([[0.5, 1.5], [2.5, -0.5]]), 1.0, 0, about="halves go to the even neighbour"),
        Case(
            np.array([0.5, 1.5, -0.5]),
            1.0,
            1,
            about="halves, and an odd zero point: rounded first, then shifted",
        ),
    ],
    random=_random_affine_case,
    hints=[
        Hint(
            "What is returned are codes, stored in int8: what does astype do?",
            lambda got, want, w, s, z: got.dtype != np.int8,
        ),
        Hint(
            "The code of 0.0 is zero_point itself, so the shift is added.",
            _affine_like(lambda w, s, z: np.rint(w / s) - z),
        ),
        Hint(
            "zero_point is in steps, not in the weights' units: divide by scale first, then shift.",
            lambda got, want, w, s, z: (
                s != 1 and _affine_like(lambda w, s, z: np.rint((w + z) / s))(got, want, w, s, z)
            ),
        ),
        Hint(
            "Round before you shift: with an odd zero_point, halves would go to the other neighbour.",
            _affine_like(lambda w, s, z: np.rint(w / s + z)),
        ),
        Hint(
            "Divide by the scale: a weight of three steps gets the code 3.",
            lambda got, want, w, s, z: (
                s != 1 and _affine_like(lambda w, s, z: np.rint(w * s) + z)(got, want, w, s, z)
            ),
        ),
        Hint(
            "Clip last: the shift can push a code out of range.",
            _affine_like(lambda w, s, z: np.clip(np.rint(w / s), -128, 127) + z, clip=False),
        ),
        Hint(
            "A code beyond 127 or -128 wraps around in int8. Clip before you convert.",
            _affine_like(lambda w, s, z: np.rint(w / s) + z, clip=False),
        ),
        Hint(
            "astype(int) cuts off what is behind the point. Round first.",
            _affine_like(lambda w, s, z: np.trunc(w / s + z)),
        ),
        Hint("Round to the nearest step, not down.", _affine_like(lambda w, s, z: np.floor(w / s + z))),
        Hint(
            "Halves go to the even neighbour, as np.rint does it, so that errors do not all lean one way.",
            _affine_like(lambda w, s, z: np.floor(w / s + 0.5) + z),
        ),
        Hint(
            "A signed byte reaches from -128 to 127; symmetric codes leave -128 out, affine ones do not.",
            lambda got, want, w, s, z: (
                np.array_equal(got, np.maximum(want, -127)) or np.array_equal(got, np.maximum(want, 0))
            ),
        ),
    ],
    hint="Divide, round, shift, clip, convert: in this order.",
)


pack_int4 = Exercise(
    name="pack_int4",
    level="build",
    dtype="uint8",
    task="Return a uint8 array with two codes from -8 to 7 in each byte, the first in the low four bits. A "
    "last code without a partner has zeros above it.",
    reference=lambda codes: packing.pack(codes, 4, signed=True),
    cases=[
        Case(np.array([1, 2], np.int8), about="low four bits 0001, high four bits 0010"),
        Case(np.array([1, 2, 3, 4], np.int8), about="two bytes"),
        Case(np.array([-1, 1], np.int8), about="-1 is 1111 in four bits"),
        Case(np.array([1, -1], np.int8), about="a negative code in the high bits"),
        Case(np.array([5], np.int8), about="a code without a partner"),
        Case(np.array([-8, 7, -8], np.int8), about="the ends of the range, and an odd number"),
        Case(np.array([], np.int8), about="no codes, no bytes"),
    ],
    random=lambda rng: (rng.integers(-8, 8, int(rng.integers(1, 30))).astype(np.int8),),
    hints=[
        Hint(
            "The first code of a pair goes into the low four bits, the second is shifted up by four.",
            lambda got, want, codes: codes.size % 2 == 0 and np.array_equal(got, (want >> 4) | (want << 4)),
        ),
        Hint(
            "A negative code has ones far above its four bits; cut them off with & 0b1111 before you "
            "combine.",
            lambda got, want, codes: (codes < 0).any(),
        ),
        Hint(
            "With an odd number of codes the last one still needs a byte.",
            lambda got, want, codes: codes.size % 2 and got.size == codes.size // 2,
            anything=True,
        ),
        Hint(
            "Two codes share a byte: there are half as many bytes as codes, rounded up.",
            lambda got, want, codes: got.size == codes.size > 1,
            anything=True,
        ),
        Hint("Bytes are stored as uint8.", lambda got, want, codes: got.dtype != np.uint8),
    ],
    hint="In binary: byte = low + (high << 4), each of the two cut to four bits.",
)


MARKS = small_floats.decode(range(8), "fp4_e2m1").astype(np.float64)


def _in_fp4(weights, scale):
    codes = small_floats.encode(weights / scale, "fp4_e2m1")
    return small_floats.decode(codes, "fp4_e2m1").astype(np.float64) * scale


def _fp4_block(weights):
    scale = small_floats.scales_for(np.abs(weights).max(keepdims=True), "fp4_e2m1", "e8m0")
    return _in_fp4(weights, small_floats.worth(scale).astype(np.float64))


def _power(magnitude, less=2, rounded=np.floor):
    return 2.0 ** (rounded(np.log2(magnitude)) - less)


def _fp4_like(*scales):
    """Whether an answer is the block with another scale, found from the largest magnitude."""
    return lambda got, want, w: any(np.array_equal(got, _in_fp4(w, find(np.abs(w).max()))) for find in scales)


def _between_marks(got, want, w):
    """Nearly the weights, and not all on marks."""
    scale = _power(np.abs(w).max())
    near = (np.abs(got - w) <= scale / 2) | (np.abs(w) > MARKS[-1] * scale)
    return near.all() and not np.isin(np.abs(got) / scale, MARKS).all()


def _halves_up(got, want, w):
    scale = _power(np.abs(w).max())
    place = np.searchsorted((MARKS[1:] + MARKS[:-1]) / 2, np.abs(w) / scale, "right")
    return np.array_equal(got, np.sign(w) * scale * MARKS[place])


fp4_block = Exercise(
    name="fp4_block",
    level="build",
    task="Return what comes back when a block of weights is stored in FP4 with one scale of E8M0. The scale is "
    "`2**(e - 2)`, where `2**e` is the largest power of two that is not above the largest magnitude. Each weight "
    "becomes the scale times the nearest of 0, 0.5, 1, 1.5, 2, 3, 4 and 6, with its sign; halfway it goes to 0, 1, 2 "
    "or 4. What is above 6 scales becomes 6. A block of zeros stays one.",
    reference=_fp4_block,
    cases=[
        Case(np.array([6.0, 5.1, -1.0, 0.5]), about="the scale is 1"),
        Case(np.array([12.0, 3.4, 0.0, 1.2]), about="the scale is 2"),
        Case(np.array([3.0, 0.7, 0.1, 1.2]), about="the scale is 0.5"),
        Case(np.array([1.0, -8.0, 2.0, 5.0]), about="the largest magnitude is negative, and a power of two"),
        Case(np.array([7.8, -7.1, 6.4, 0.5]), about="more than 6 scales"),
        Case(np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0]), about="halves"),
        Case(np.array([-0.25, -0.75, -1.25, -5.0]), about="halves below zero"),
        Case(np.array([1024.0, 100.0, 0.001, -3.0]), about="one is large, and small ones are lost"),
        Case(np.array([0.002, -0.001, 0.0015]), about="all are small"),
        Case(np.zeros(4), about="all weights are zero"),
    ],
    random=lambda rng: (rng.integers(-32, 33, int(rng.integers(1, 12))) / 8 * 2.0 ** rng.integers(-6, 7),),
    hints=[
        Hint("Zeros have no logarithm; whatever their scale, they stay 0.", lambda got, want, w: not w.any()),
        Hint("Each weight keeps its sign.", lambda got, want, w: np.array_equal(got, np.abs(want))),
        Hint(
            "What comes back is in the weights' units: multiply by the scale again.",
            lambda got, want, w: np.array_equal(got * _power(np.abs(w).max()), want),
        ),
        Hint(
            "The scale must hold a large negative weight, too: compare magnitudes.",
            lambda got, want, w: np.array_equal(got, _in_fp4(w, _power(w.max()))),
        ),
        Hint(
            "The largest number of FP4, 6, lies between 2**2 and 2**3: that is where the 2 in the exponent is from.",
            _fp4_like(lambda magnitude: _power(magnitude, less=0)),
        ),
        Hint(
            "A scale of E8M0 is a power of two: it has an exponent, and no mantissa.",
            _fp4_like(lambda magnitude: magnitude / 6),
        ),
        Hint(
            "The power of two must not be above the largest magnitude: round its exponent down.",
            _fp4_like(
                lambda magnitude: _power(magnitude, rounded=np.ceil),
                lambda magnitude: _power(magnitude, rounded=np.rint),
            ),
        ),
        Hint("Halfway between two marks, go to the one with the even code: 0, 1, 2 or 4.", _halves_up),
        Hint(
            "The marks are not evenly spaced: between 2 and 4 there is only 3, and above 4 only 6.",
            _between_marks,
        ),
    ],
    hint="Scale first, then find the nearest of the eight magnitudes, then give the sign and the scale back.",
)


SETTINGS = ((4, 0), (4, 32), (8, 0), (8, 32))


def _stored(weights, bits, block):
    if block:
        return quantization.quantize(weights, bits=bits, granularity="per_block", block_size=block)
    return quantization.quantize(weights, bits=bits, granularity="per_channel")


def _decibels(weights, bits, block):
    return compressed.error(weights, _stored(weights, bits, block)).snr_db


def _smallest_setting(weights, floor, ios):
    """The settings in the order of their bytes, so the first that is good enough is the smallest."""
    allowed = SETTINGS if ios >= 18 else SETTINGS[2:3]
    good = (one for one in allowed if _decibels(weights, *one) >= floor)
    return next(good, (0, 0))


def _layer(seed, outlier=0.0):
    weights = np.random.default_rng(seed).normal(0, 0.5, (2, 64)).astype(np.float16)
    weights[0, 5] += np.float16(outlier)
    return weights


def _random_setting_case(rng):
    weights = _layer(int(rng.integers(2**31)), float(rng.choice([0, 4, 30])))
    floor = _decibels(weights, *SETTINGS[int(rng.integers(4))]) + float(rng.choice([-0.3, 0.3]))
    return weights, round(floor, 1), int(rng.choice([16, 17, 18, 26]))


smallest_setting = Exercise(
    name="smallest_setting",
    level="decide",
    task="Return (bits, block): the setting of symmetric quantization that stores the float16 `weights` in the fewest "
    "bytes and keeps at least `floor` decibels of signal to noise, on a phone with iOS `ios`. `bits` is 4 or 8. "
    "`block` is 0 for one scale a row, or 32 for a scale to each 32 neighbours in a row, which has 64 or more. Codes "
    "of 4 bits and blocks need iOS 18. (0, 0) if no setting will do.",
    reference=_smallest_setting,
    cases=[
        Case(_layer(0), 15.0, 18, about="4 bits are enough"),
        Case(_layer(0), 30.0, 18, about="4 bits are not enough"),
        Case(_layer(0), 15.0, 17, about="the same layer, and an older phone"),
        Case(_layer(1, 4.0), 15.0, 18, about="one weight is large"),
        Case(_layer(1, 200.0), 37.5, 18, about="one weight is huge"),
        Case(_layer(0), 70.0, 26, about="nothing reaches this floor"),
        Case(_layer(1, 200.0), 44.5, 17, about="on this phone, nothing does"),
        Case(_layer(0), 45.5, 18, about="a floor that is nearly too high"),
        Case(_layer(0), -5.0, 16, about="a floor that everything reaches"),
    ],
    random=_random_setting_case,
    hints=[
        Hint(
            "Not on this phone: codes of 4 bits and blocks need iOS 18.",
            lambda got, want, w, floor, ios: ios < 18 and tuple(got) not in ((8, 0), (0, 0)),
        ),
        Hint(
            "Nothing reaches the floor here: the answer to that is (0, 0).",
            lambda got, want, w, floor, ios: want == (0, 0),
        ),
        Hint(
            "This one keeps enough, and takes more bytes than another one that does: count scales, too.",
            lambda got, want, w, floor, ios: tuple(got) in SETTINGS and _decibels(w, *got) >= floor,
        ),
        Hint(
            "Measured, this one stays below the floor. Signal to noise is about energies: ten times the logarithm "
            "of their ratio.",
            lambda got, want, w, floor, ios: tuple(got) in SETTINGS and _decibels(w, *got) < floor,
        ),
        Hint(
            "There is a setting that will do.",
            lambda got, want, w, floor, ios: tuple(got) == (0, 0),
        ),
    ],
    hint="Two numbers: 4 or 8, and 0 or 32.",
)
