"""Quantization against its formulas in exact fractions, and against its own promises."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import toykit as tk
from tests.strategies import granularities, trained, weights
from toykit.quantization import pack_codes

# Sizes at which every scale of 2 bits or more is a normal float16 number and none overflows.
USUAL = st.floats(-60, 60, width=16).filter(lambda x: x == 0 or abs(x) > 2**-6)


@st.composite
def settings(draw, w, bits=st.integers(1, 8)):  # noqa: B008 - a strategy is never changed
    mode = draw(st.sampled_from(("symmetric", "affine")))
    options = {"bits": draw(bits), "mode": mode, "signed": draw(st.booleans())}
    assume(mode == "affine" or options["bits"] > 1)
    # With one bit a step is the whole range, which the weights' type need not hold: see the test of that error.
    largest = float(np.finfo(np.float16 if w.dtype.type is np.float16 else np.float32).max)
    reach = max(float(np.max(w)), 0.0) - min(float(np.min(w)), 0.0)
    assume(reach / (2 ** options["bits"] - 1) <= largest)
    return options | draw(granularities(w.shape))


def expanded(c):
    """Scale and zero point of every single weight."""
    grid = np.ix_(*(np.arange(n) * s // n for n, s in zip(c.shape, c.scale.shape)))
    zero_point = np.zeros(c.scale.shape, int)
    if c.zero_point is not None:
        stored = c.zero_point
        if c.bits < 8:
            stored = tk.bits.unpack(stored, c.bits, c.scale.size, c.signed).reshape(c.scale.shape)
        zero_point = stored.astype(int)
    return c.scale[grid], zero_point[grid]


def range_of(c):
    low, high = tk.bits.code_range(c.bits, c.signed)
    if c.zero_point is None:
        low += 1
    return low, high


def test_the_talks_example():
    """w = 2.35 x int8: the scale is what one step is worth."""
    c = tk.quantize(np.float32([[2.35 * 127, -2.35 * 40, 1.0]]), bits=8)
    assert c.scale[0, 0] == pytest.approx(2.35)
    assert c.codes.tolist() == [[127, -40, 0]]
    assert c.dense() == pytest.approx(np.float32([[298.45, -94, 0]]))
    assert repr(c) == "Quantized(1x3, int8 symmetric, 1 scale, 18.7 bits a weight)"


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", range(2, 9))
def test_symmetric_by_its_formula_in_fractions(bits, signed):
    w = trained((6, 7), seed=bits, dtype="float32")
    c = tk.quantize(w, bits=bits, granularity="per_tensor", signed=signed)
    half = 2 ** (bits - 1) - 1
    scale = Fraction(float(np.abs(w).max())) / half
    assert float(c.scale.item()) == pytest.approx(float(scale), rel=1e-7)
    steps = [round(Fraction(float(x)) / Fraction(float(c.scale.item()))) for x in w.ravel()]
    shift = 0 if signed else half
    assert c.integers.ravel().tolist() == [step + shift for step in steps]
    assert (c.zero_point is None) == signed


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", range(1, 9))
def test_affine_by_its_formula_in_fractions(bits, signed):
    w = trained((6, 7), seed=bits, dtype="float32") + np.float32(0.05)
    c = tk.quantize(w, bits=bits, mode="affine", granularity="per_tensor", signed=signed)
    low, high = Fraction(float(w.min())), Fraction(float(w.max()))
    q_low, q_high = tk.bits.code_range(bits, signed)
    assert float(c.scale.item()) == pytest.approx(float((high - low) / (2**bits - 1)), rel=1e-6)
    _, zero_point = expanded(c)
    assert zero_point.ravel()[0] == round((q_low * high - q_high * low) / (high - low))
    steps = [round(Fraction(float(x)) / Fraction(float(c.scale.item()))) for x in w.ravel()]
    codes = np.clip(np.array(steps) + zero_point.ravel()[0], q_low, q_high)
    assert c.integers.ravel().tolist() == codes.tolist()


@given(weights(max_side=6), st.data())
def test_parts_add_up_and_decompress_by_the_definition(w, data):
    before = w.copy()
    c = tk.quantize(w, **data.draw(settings(w, bits=st.integers(4, 8))))
    np.testing.assert_array_equal(w, before)
    low, high = range_of(c)
    assert c.integers.min() >= low and c.integers.max() <= high
    offsets = 0 if c.zero_point is None else -(c.scale.size * c.bits // -8)
    assert c.nbytes == -(w.size * c.bits // -8) + c.scale.nbytes + offsets
    assert c.codes.shape == (w.shape if c.bits == 8 else (-(w.size * c.bits // -8),))
    scale, zero_point = expanded(c)
    by_definition = (scale.astype(np.float64) * (c.integers.astype(int) - zero_point)).astype(c.dtype)
    dense = c.dense()
    assert dense.dtype == c.dtype and dense.shape == c.shape == w.shape
    np.testing.assert_array_equal(dense, by_definition)
    assert np.isfinite(dense).all()


@given(weights(max_side=6), st.data())
def test_every_weight_is_within_half_a_step(w, data):
    """... plus what the type's rounding of scale, quotient, zero point and result can add."""
    c = tk.quantize(w, **data.draw(settings(w)))
    w = tk.prune(w, sparsity=0).dense().astype(np.float64)
    info = np.finfo(c.dtype)
    unit, steps = float(info.eps) / 2, 2**c.bits - 1
    scale = expanded(c)[0].astype(np.float64)
    of_scale = steps * np.maximum(unit * scale, float(info.smallest_subnormal) / 2)
    of_zero_point = 4 * steps * unit * scale if c.zero_point is not None else 0
    rounding = of_scale + of_zero_point + unit * (np.abs(w) + scale)
    reach = np.floor(float(info.max) / np.where(scale == 0, 1, scale)) * scale
    beyond = np.maximum(np.abs(w) - reach, 0)  # where one step more would decompress to infinity
    lost = np.abs(c.dense() - w)
    assert np.all(lost <= scale / 2 + rounding + beyond)


def test_a_step_that_the_type_cannot_hold_is_refused():
    apart = np.float16([-48000, 18000])
    with pytest.raises(ValueError, match="does not fit into float16: use more bits"):
        tk.quantize(apart, bits=1, mode="affine", granularity="per_tensor")
    assert np.isfinite(tk.quantize(apart, bits=2, mode="affine", granularity="per_tensor").dense()).all()


@given(weights(max_side=6, elements=USUAL), st.data())
def test_symmetric_quantization_of_what_is_quantized_changes_nothing(w, data):
    options = data.draw(settings(w, bits=st.integers(2, 8))) | {"mode": "symmetric"}
    c = tk.quantize(w, **options)
    again = tk.quantize(c.dense(), **options)
    np.testing.assert_array_equal(again.dense(), c.dense())


def test_affine_quantization_is_not_idempotent():
    """After rounding, the range is a little different, and so is its step; coremltools is no different."""
    w = trained((4, 50), seed=1)
    once = tk.quantize(w, mode="affine").dense()
    assert np.any(tk.quantize(once, mode="affine").dense() != once)


@given(weights(elements=USUAL), st.sampled_from(("symmetric", "affine")))
def test_zeros_stay_exactly_zero(w, mode):
    c = tk.quantize(w, bits=4, mode=mode, granularity="per_tensor")
    assert not c.dense()[np.asarray(w) == 0].any()


def test_more_bits_and_finer_scales_lose_less():
    w = trained((64, 96), seed=5) * np.geomspace(0.1, 4, 64).astype(np.float16)[:, None]
    for mode in ("symmetric", "affine"):
        by_bits = [tk.error(w, tk.quantize(w, bits=b, mode=mode)).mse for b in range(2, 9)]
        assert by_bits == sorted(by_bits, reverse=True)
        finer = [
            tk.error(w, tk.quantize(w, bits=4, mode=mode, granularity=g)).mse
            for g in ("per_tensor", "per_channel", "per_block")
        ]
        assert finer == sorted(finer, reverse=True)


def test_granularities_count_their_scales():
    w = trained((8, 64, 3, 3))
    shapes = {
        ("per_tensor", None, 0): (1, 1, 1, 1),
        ("per_channel", None, 0): (8, 1, 1, 1),
        ("per_channel", None, 1): (1, 64, 1, 1),
        ("per_channel", None, -4): (8, 1, 1, 1),
        ("per_block", None, 0): (8, 2, 1, 1),
        ("per_block", 16, 0): (8, 4, 1, 1),
        ("per_block", 4, 1): (2, 64, 1, 1),
        ("per_block", (2, 0, 1, 3), 0): (4, 1, 3, 1),
    }
    for (granularity, block_size, axis), shape in shapes.items():
        c = tk.quantize(w, granularity=granularity, block_size=block_size, axis=axis)
        assert c.scale.shape == shape
    assert tk.quantize(w[0, :, 0, 0], granularity="per_block", block_size=16).scale.shape == (4,)
    assert tk.quantize(w, bits=4, granularity="per_block").bits_per_weight == pytest.approx(4 + 16 / 288)


def test_large_arrays_are_cut_into_slabs_that_do_not_show():
    w = trained((3, 70, 900), seed=2)
    for granularity, axes in (("per_tensor", (1,)), ("per_channel", (2,)), ("per_channel", (0, 1))):
        for part in (w, w[:1], np.swapaxes(w, 0, 2)):
            axis = 0 if granularity == "per_tensor" or axes == (2,) else 1
            c = tk.quantize(part, granularity=granularity, axis=axis)
            over = tuple(a for a in range(3) if granularity == "per_tensor" or a != axis)
            largest = np.abs(part).max(over, keepdims=True)
            np.testing.assert_array_equal(c.scale, (2 * largest / np.float16(254)).astype(np.float16))
            np.testing.assert_array_equal(c.codes, np.rint(part / c.scale))


def test_a_channel_of_zeros_stays_zero():
    w = trained((3, 8))
    w[1] = 0
    for mode, signed in itertools.product(("symmetric", "affine"), (True, False)):
        c = tk.quantize(w, mode=mode, signed=signed)
        assert c.scale[1, 0] == 0 and not c.codes[1].any() and not c.dense()[1].any()
        assert np.isfinite(c.dense()).all() and c.dense()[0].any()


@pytest.mark.parametrize("value", [0.3, -0.3, 1.0, 2.0**-10, 0.0])
def test_constant_weights_come_back(value):
    w = np.full((2, 3), value, np.float16)
    for mode, signed in itertools.product(("symmetric", "affine"), (True, False)):
        for bits in (4, 8):
            dense = tk.quantize(w, bits=bits, mode=mode, signed=signed).dense()
            # a scale below 2**-14 is a multiple of 2**-24, and up to 255 steps share what is missing
            np.testing.assert_allclose(dense, w, rtol=2**-9, atol=255 * 2**-25)


def test_subnormal_weights_are_stored_exactly_where_their_scale_would_vanish():
    unit = 2.0**-24  # the smallest float16
    w = np.float16([[1, -2, 3, 0, 60]]) * np.float16(unit)
    for mode in ("symmetric", "affine"):
        c = tk.quantize(w, bits=8, mode=mode)
        assert c.scale.item() == unit
        np.testing.assert_array_equal(c.dense(), w)
    tiny = np.float32([[1e-45, -3e-45]])
    np.testing.assert_array_equal(tk.quantize(tiny).dense(), tiny)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("mode", ["symmetric", "affine"])
def test_weights_up_to_the_end_of_float16(bits, mode):
    w = np.float16([[65504, -65504, 40000, -100, 0], [65504, 12, 300, 0, 7], [-65504, 1, -2, -33000, 0]])
    c = tk.quantize(w, bits=bits, mode=mode)
    lost = np.abs(c.dense().astype(float) - w)
    assert np.isfinite(c.dense()).all()
    assert np.all(lost <= c.scale.astype(float))  # a whole step at the end, where a half would overflow


def test_a_scale_beyond_float16_is_refused():
    w = np.float16([[65504, -65504]])
    with pytest.raises(
        ValueError, match="scale, 131008, does not fit into float16: use more bits, or divide"
    ):
        tk.quantize(w, bits=1, mode="affine")
    assert tk.quantize(w.astype(np.float32), bits=1, mode="affine").scale.item() == 131008


W = np.ones((8, 12), np.float32)


@pytest.mark.parametrize(
    "options, kind, message",
    [
        ({"bits": 0}, ValueError, "bits must be a whole number from 1 to 8; got 0"),
        ({"bits": 9}, ValueError, "bits must be a whole number from 1 to 8; got 9"),
        ({"bits": 4.0}, TypeError, "bits must be a whole number from 1 to 8, got 4.0"),
        ({"bits": "8"}, TypeError, "got '8'"),
        (
            {"bits": 1},
            ValueError,
            "symmetric quantization needs at least 2 bits; got bits=1. Use mode='affine'",
        ),
        ({"mode": "linear"}, ValueError, "mode must be one of 'symmetric', 'affine'; got 'linear'"),
        ({"granularity": "per_row"}, ValueError, "granularity must be one of 'per_tensor'.*got 'per_row'"),
        ({"block_size": 4}, ValueError, "block_size goes with granularity='per_block'; got 'per_channel'"),
        (
            {"granularity": "per_block"},
            ValueError,
            "block_size must divide axis 1, which is 12 long: 1, 2, 3, 4, 6, 12; got 32",
        ),
        (
            {"granularity": "per_block", "block_size": 5},
            ValueError,
            "block_size must divide axis 1, which is 12 long: 1, 2, 3, 4, 6, 12; got 5",
        ),
        ({"granularity": "per_block", "block_size": 0}, ValueError, "of at least 1; got 0"),
        (
            {"granularity": "per_block", "block_size": (3, 4)},
            ValueError,
            "must divide axis 0, which is 8 long",
        ),
        ({"granularity": "per_block", "block_size": (4,)}, ValueError, r"each of the 2 axes; got \(4,\)"),
        ({"granularity": "per_block", "block_size": 2.5}, TypeError, "got 2.5"),
        ({"axis": 2}, ValueError, "axis must be a whole number from -2 to 1; got 2"),
    ],
)
def test_bad_options_are_named(options, kind, message):
    with pytest.raises(kind, match=message):
        tk.quantize(W, **options)


def test_an_int_block_size_needs_to_know_its_axis():
    with pytest.raises(ValueError, match="with axis=2, block_size must be a tuple"):
        tk.quantize(np.ones((2, 4, 4)), granularity="per_block", block_size=2, axis=2)


def test_codes_outside_of_their_bits_are_refused():
    for bits, signed, codes in ((8, True, [0, 128]), (8, False, [-1, 0]), (4, True, [0, 8])):
        with pytest.raises(ValueError, match="must be from"):
            pack_codes(codes, bits, signed)
    assert pack_codes([-128, 127], 8, True).dtype == np.int8


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf], [], 1.5, np.arange(3), np.zeros(2, complex)])
def test_bad_weights_are_refused(bad):
    with pytest.raises((TypeError, ValueError), match="weights must"):
        tk.quantize(bad)
