"""Wrong answers that people give to the exercises on quantization, each with a part of its hint."""

import numpy as np


def codes(w, s, z):
    return np.clip(np.rint(w / s) + z, -128, 127).astype(np.int8)


def pairs(c):
    c = np.append(c, np.int8(0)) if c.size % 2 else c
    return c[::2], c[1::2]


def swapped(c):
    low, high = pairs(c)
    return ((high & 15) | (low & 15) << 4).astype(np.uint8)


def unmasked(c):
    low, high = pairs(c.astype(np.int16))
    return (low + (high << 4)).astype(np.uint8)


def packed(c):
    low, high = pairs(c.astype(np.int16))
    return low & 15 | (high & 15) << 4


MARKS = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])


def power(magnitude, less=2, rounded=np.floor):
    return 2.0 ** (rounded(np.log2(magnitude or 1.0)) - less)


def in_fp4(w, scale, even=True, marks=MARKS):
    """The nearest of the marks by trying all, and at a half the even or the upper one."""
    away = np.abs(np.abs(w)[:, None] / scale - marks)
    low, high = away.argmin(axis=1), len(marks) - 1 - away[:, ::-1].argmin(axis=1)
    chosen = np.where(low % 2, high, low) if even else high
    return np.sign(w) * marks[chosen] * scale


def block(w, **options):
    return in_fp4(w, power(np.abs(w).max()), **options)


def block_by(**options):
    return lambda w: in_fp4(w, power(np.abs(w).max(), **options))


WRONG = {
    "symmetric_scale": [
        (lambda w, b: w.max() / (2 ** (b - 1) - 1), "negative weight"),
        (lambda w, b: np.abs(w).max() / 2 ** (b - 1), "given up"),
        (lambda w, b: (w.max() - w.min()) / (2**b - 1), "as far down as up"),
        (lambda w, b: np.abs(w).max() / (2**b - 1), "as far down as up"),
        (lambda w, b: (2 ** (b - 1) - 1) / max(np.abs(w).max(), 1e-9), "turn the fraction over"),
        (lambda w, b: np.abs(w).max() / 127, "bits is an argument"),
        (lambda w, b: np.abs(w).max(axis=0) / (2 ** (b - 1) - 1), ""),
        (lambda w, b: np.float16(np.abs(w).max() / (2 ** (b - 1) - 1)), "first digits"),
    ],
    "quantize_affine": [
        (lambda w, s, z: np.clip(np.rint(w / s) + z, -128, 127), "int8"),
        (lambda w, s, z: codes(w, s, -z), "zero_point itself"),
        (lambda w, s, z: codes(w + z, s, 0), "divide by scale first"),
        (lambda w, s, z: codes(w, 1 / s, z), "three steps"),
        (lambda w, s, z: (np.rint(w / s) + z).astype(np.int64).astype(np.int8), "wraps around"),
        (lambda w, s, z: (np.clip(np.rint(w / s), -128, 127) + z).astype(int).astype(np.int8), "Clip last"),
        (lambda w, s, z: np.clip(w / s + z, -128, 127).astype(np.int8), "cuts off"),
        (lambda w, s, z: np.clip(np.floor(w / s + z), -128, 127).astype(np.int8), "not down"),
        (lambda w, s, z: np.clip(np.floor(w / s + 0.5) + z, -128, 127).astype(np.int8), "even neighbour"),
        (lambda w, s, z: np.clip(np.rint(w / s + z), -128, 127).astype(np.int8), "Round before you shift"),
        (lambda w, s, z: np.clip(np.rint(w / s) + z, -127, 127).astype(np.int8), "leave -128 out"),
        (lambda w, s, z: np.clip(np.rint(w / s) + z, 0, 127).astype(np.int8), "leave -128 out"),
    ],
    "pack_int4": [
        (swapped, "low four bits"),
        (unmasked, "cut them off"),
        (lambda c: packed(c[: c.size // 2 * 2]).astype(np.uint8), "still needs a byte"),
        (lambda c: c.astype(np.uint8) & 15, "share a byte"),
        (packed, "uint8"),
        (lambda c: [int(b) for b in packed(c)], ""),
    ],
    "fp4_block": [
        (lambda w: in_fp4(w, power(max(w.max(), 0))), "compare magnitudes"),
        (block_by(less=0), "between 2**2 and 2**3"),
        (lambda w: in_fp4(w, np.abs(w).max() / 6 or 1), "no mantissa"),
        (block_by(rounded=np.ceil), "round its exponent down"),
        (block_by(rounded=np.rint), "round its exponent down"),
        (lambda w: block(w, marks=np.arange(0, 6.5, 0.5)), "not evenly spaced"),
        (lambda w: np.rint(w / power(np.abs(w).max())) * power(np.abs(w).max()), "not evenly spaced"),
        (lambda w: block(w, marks=np.append(MARKS, 8)), "not evenly spaced"),
        (lambda w: block(w, even=False), "the even code"),
        (lambda w: np.abs(block(w)), "keeps its sign"),
        (lambda w: block(w) / power(np.abs(w).max()), "multiply by the scale again"),
        (lambda w: block(w) if w.any() else np.full(4, np.nan), "have no logarithm"),
        (lambda w: block(w) + 1, ""),
    ],
}
