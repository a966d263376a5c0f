"""Small floats against torch's, against the nearest of all values, and against their own promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk
from tests import handmade
from tests.strategies import granularities, trained, weights
from toykit import small_floats
from toykit.coreml.tools import configs
from toykit.settings import complete
from toykit.small_floats import FORMATS, decode, encode, scales_for, worth

torch = pytest.importorskip("torch")
# What each code of FP4 means, as the Microscaling Formats list it.
FP4 = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
TORCHS = {"fp8_e4m3": torch.float8_e4m3fn, "fp8_e5m2": torch.float8_e5m2}
FLOATS = st.sampled_from(list(FORMATS))
HALVES = np.arange(2**16, dtype=np.uint16).view(np.float16)


def values_of(name):
    """The magnitudes of a format in the order of their codes."""
    found = decode(np.arange(2 ** (FORMATS[name][0] - 1)), name)
    return found[np.isfinite(found)].astype(np.float64)


def nearest(number, name):
    """The code of the nearest value, an even one where two are as near: by trying all."""
    values = values_of(name)
    away = np.abs(values - min(abs(number), values[-1]))
    code = min(np.flatnonzero(away == away.min()), key=lambda code: code % 2)
    return code + np.signbit(number) * 2 ** (FORMATS[name][0] - 1)


def expanded(c):
    """The scale of every single weight."""
    grid = np.ix_(*(np.arange(n) * s // n for n, s in zip(c.shape, c.scale.shape, strict=True)))
    return worth(c.scale).astype(np.float64)[grid]


@st.composite
def settings(draw, w):
    options = {"format": draw(FLOATS), "scale_format": draw(st.sampled_from(("float", "e8m0")))}
    return options | draw(granularities(w.shape))


def test_the_sixteen_values():
    signed = [*FP4, *(-value for value in FP4)]
    assert decode(range(16), "fp4_e2m1").tolist() == signed
    assert np.signbit(decode([8], "fp4_e2m1"))[0]
    assert encode(np.float32([*signed[:8], -0.0, *signed[9:]]), "fp4_e2m1").tolist() == list(range(16))


@pytest.mark.parametrize("name", TORCHS)
def test_fp8_is_torchs_for_every_float16(name):
    """torch makes NaN or infinity of what is too large; here it becomes the largest number."""
    finite, most = HALVES[np.isfinite(HALVES)], FORMATS[name][3]
    codes = torch.from_numpy(np.clip(finite, -most, most)).to(TORCHS[name])
    np.testing.assert_array_equal(encode(finite, name), codes.view(torch.uint8).numpy())
    assert finite.size == 2**16 - 2**11  # a sign and ten bits of mantissa for infinities and NaN


@pytest.mark.parametrize("name", TORCHS)
def test_fp8_decodes_as_torchs(name):
    codes = np.arange(256, dtype=np.uint8)
    theirs, ours = torch.from_numpy(codes).view(TORCHS[name]).float().numpy(), decode(codes, name)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(np.signbit(ours[[0, 128]]), [False, True])


def test_what_is_no_number_has_codes_of_its_own():
    assert np.flatnonzero(~np.isfinite(decode(range(256), "fp8_e4m3"))).tolist() == [127, 255]
    assert np.flatnonzero(~np.isfinite(decode(range(128), "fp8_e5m2"))).tolist() == [124, 125, 126, 127]
    assert decode([124, 252], "fp8_e5m2").tolist() == [np.inf, -np.inf]


def test_e8m0_is_torchs():
    exponents = np.arange(255, dtype=np.uint8)
    theirs = torch.from_numpy(exponents).view(torch.float8_e8m0fnu).float().numpy()
    np.testing.assert_array_equal(worth(exponents), theirs)


def test_fp4_is_the_nearest_value_for_every_float16_and_at_every_half():
    finite = HALVES[np.isfinite(HALVES)]
    magnitudes = np.array(FP4, np.float64)
    away = np.abs(magnitudes - np.minimum(np.abs(finite.astype(np.float64)), 6)[:, None])
    first, last = away.argmin(axis=1), 7 - away[:, ::-1].argmin(axis=1)
    codes = np.where(first % 2, last, first) + 8 * np.signbit(finite)
    np.testing.assert_array_equal(encode(finite, "fp4_e2m1"), codes)
    halves = (magnitudes[1:] + magnitudes[:-1]) / 2
    assert encode(halves, "fp4_e2m1").tolist() == [0, 2, 2, 4, 4, 6, 6]
    assert encode(np.nextafter(halves, 9), "fp4_e2m1").tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert encode(np.nextafter(halves, 0), "fp4_e2m1").tolist() == [0, 1, 2, 3, 4, 5, 6]


@given(st.floats(allow_nan=False, allow_infinity=False), FLOATS)
def test_any_number_becomes_the_nearest(number, name):
    assert encode([number], name).tolist() == [nearest(number, name)]


@given(st.lists(st.integers(0, 255)), FLOATS)
def test_codes_come_back(codes, name):
    codes = np.array(codes, int) % 2 ** FORMATS[name][0]
    numbers = decode(codes, name)
    finite = np.isfinite(numbers)
    np.testing.assert_array_equal(encode(numbers[finite], name), codes[finite])


@given(weights(max_side=6), st.data())
def test_parts_add_up_and_decompress_by_the_definition(w, data):
    before, options = w.copy(), data.draw(settings(w))
    c = tk.quantize(w, **options)
    np.testing.assert_array_equal(w, before)
    bits = FORMATS[c.format][0]
    assert c.codes.shape == (w.shape if bits == 8 else (-(w.size * bits // -8),))
    width = 1 if options["scale_format"] == "e8m0" else c.dtype.itemsize
    assert c.nbytes == -(w.size * bits // -8) + c.scale.size * width
    if w.ndim > 1 and w.dtype.type is not np.float64:
        after = tk.size.ledger({"w": w}).after("quantize", weight_threshold=0, **options)
        assert after.nbytes == c.nbytes
    codes = tk.bits.unpack(c.codes, 4, w.size) if bits == 4 else c.codes
    by_definition = decode(codes, c.format).reshape(w.shape) * expanded(c)
    np.testing.assert_array_equal(c.dense(), by_definition.astype(c.dtype), strict=True)
    assert np.isfinite(c.dense()).all()


@given(weights(max_side=6), st.data())
def test_no_weight_is_off_by_more_than_half_a_gap(w, data):
    """... but for what is above the largest number of an E8M0 scale, and what the type rounds."""
    c = tk.quantize(w, **data.draw(settings(w)))
    w = tk.prune(w, sparsity=0).dense().astype(np.float64)
    values, scale = values_of(c.format), expanded(c)
    magnitude = np.abs(w) / np.where(scale == 0, 1, scale)
    place = np.clip(np.searchsorted(values, magnitude), 1, len(values) - 1)
    half = scale * (values[place] - values[place - 1]) / 2
    beyond = np.maximum(magnitude - values[-1], 0) * scale
    rounding = np.finfo(c.dtype).eps * np.abs(w) + float(np.finfo(c.dtype).smallest_subnormal)
    assert np.all(np.abs(c.dense() - w) <= np.maximum(half, beyond) + rounding)
    if c.scale.dtype == np.uint8:
        # In the binade of the largest: 448 of 512, 6 of 8.
        assert magnitude.max() < 2.0 ** np.frexp(values[-1])[1] or c.scale.max() == 254
    else:
        assert np.all(beyond <= half + rounding)


@given(
    weights(max_side=6, elements=st.sampled_from([0, 0.3, -1.7, 2.5, 5, 7.2, -11])),
    st.integers(-6, 6),
    FLOATS,
)
def test_a_power_of_two_goes_into_the_exponents_alone(w, power, name):
    here = tk.quantize(w, format=name, scale_format="e8m0")
    there = tk.quantize(w * w.dtype.type(2.0**power), format=name, scale_format="e8m0")
    np.testing.assert_array_equal(here.codes, there.codes)
    moved = np.where(here.scale > 0, here.scale.astype(int) + power, 0)
    np.testing.assert_array_equal(there.scale, moved)


@given(weights(max_side=6, elements=st.integers(-60, 60)), FLOATS)
def test_what_is_rounded_once_stays_where_it_is(w, name):
    once = tk.quantize(w, format=name, scale_format="e8m0").dense()
    np.testing.assert_array_equal(tk.quantize(once, format=name, scale_format="e8m0").dense(), once)


def test_the_microscaling_rule_in_numbers():
    w = np.float32([[0.7, -3.9, 0.1, 0.0] * 8, [0] * 32])
    c = tk.quantize(w, format="fp4_e2m1", granularity="per_block")
    assert c.scale.tolist() == [[127 + 1 - 2], [0]]  # 3.9 lies in the binade of 2**1, 6 in that of 2**2
    assert c.dense()[0, :4].tolist() == [0.75, -3.0, 0.0, 0.0]  # 7.8 scales become 6
    assert not c.dense()[1].any()
    assert repr(c) == "SmallFloats(2x32, fp4_e2m1, 2 e8m0 scales, 4.2 bits a weight)"
    eight = tk.quantize(w, format="fp8_e4m3", granularity="per_block")
    assert eight.scale[0, 0] == 127 + 1 - 8 and eight.bits_per_weight == 8.25


@given(weights(max_side=6), FLOATS, st.sampled_from((None, "float", "e8m0")), st.floats(0, 1))
def test_pruned_weights_as_small_floats_are_the_survivors_as_small_floats(w, name, scale_format, share):
    pruned = tk.prune(w, sparsity=share)
    c = tk.quantize(pruned, format=name, scale_format=scale_format)
    np.testing.assert_array_equal(c.mask, pruned.mask)
    alone = pruned.values
    if alone.size:
        alone = tk.quantize(alone, format=name, scale_format=scale_format, granularity="per_tensor")
        assert tk.joint.is_joint(c) and c.nbytes == pruned.mask.nbytes + alone.nbytes
        alone = alone.dense()
    np.testing.assert_array_equal(c.dense()[pruned.kept], alone)
    assert not c.dense()[~pruned.kept].any()


@given(weights(max_side=6), FLOATS, st.sampled_from((None, "float", "e8m0")), st.sampled_from((1, 2, 4)))
def test_a_table_of_small_floats_is_the_table_as_small_floats(w, name, scale_format, bits):
    palette = tk.palettize(w, bits=bits, mode="uniform")
    c = tk.quantize(palette, format=name, scale_format=scale_format)
    row = tk.quantize(palette.lut.ravel(), format=name, scale_format=scale_format, granularity="per_tensor")
    assert c.lut.shape == palette.lut.shape and c.nbytes == palette.indices.nbytes + row.nbytes
    np.testing.assert_array_equal(c.dense(), row.dense()[c.codes].reshape(w.shape), strict=True)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("first", [{"prune": {"n_m": (2, 4)}}, {"palettize": {"bits": 6}}])
@pytest.mark.parametrize("scale_format", ["float", "e8m0"])
def test_joint_forms_are_as_large_as_their_ledger_says(name, first, scale_format):
    joint = first | {"quantize": {"format": name, "scale_format": scale_format}}
    after = tk.size.ledger({"w": W}).after("joint", **joint)
    assert after.nbytes == tk.sweep.apply({"w": W}, {"technique": "joint", **joint}).nbytes


def test_int2_is_two_bits():
    w = trained((8, 64))
    named, plain = tk.quantize(w, format="int2"), tk.quantize(w, bits=2)
    assert {n: a.tobytes() for n, a in named.parts.items()} == {
        n: a.tobytes() for n, a in plain.parts.items()
    }
    assert set(np.unique(named.integers)) == {-1, 0, 1} and named.kind == "int2"


def test_a_scale_that_float16_hardly_holds_cuts_nothing_off():
    tiny = np.float16([15, -4, 2, 1]) * np.finfo(np.float16).smallest_subnormal
    for name in FORMATS:
        assert np.abs(tk.quantize(tiny, format=name, granularity="per_tensor").dense()).max() >= 12 * tiny[-1]
    large = np.float16([65504, -30000])
    for name in FORMATS:
        dense = tk.quantize(large, format=name, granularity="per_tensor").dense()
        assert np.isfinite(dense).all() and dense[0] > 65000


@pytest.mark.parametrize("name", FORMATS)
def test_a_slab_at_a_time_is_all_at_once(name):
    w = trained((3, 200_000), seed=3)
    c = tk.quantize(w, format=name)
    scale = scales_for(np.abs(w).max(axis=1, keepdims=True), name, "float")
    np.testing.assert_array_equal(c.scale, scale)
    np.testing.assert_array_equal(c.numbers, decode(encode(w / scale, name), name))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(name, odd):
    for call in (lambda: tk.quantize([1.0, odd], format=name), lambda: encode([1.0, odd], name)):
        with pytest.raises(ValueError, match=r"(weights|numbers) must be finite, got -?(nan|inf) at \(1,\)"):
            call()


W = trained((64, 64))
PRUNED = tk.prune(W, sparsity=0.5)


@pytest.mark.parametrize(
    "make, kind, message",
    [
        (
            lambda: encode([1.0], "fp6"),
            ValueError,
            "format must be one of 'fp8_e4m3', 'fp8_e5m2', 'fp4_e2m1'; got 'fp6'",
        ),
        (lambda: encode([1], "fp4_e2m1"), TypeError, "numbers must be an array of floating-point numbers"),
        (lambda: decode([16], "fp4_e2m1"), ValueError, "codes must be from 0 to 15; these are from 16 to 16"),
        (lambda: decode([0.5], "fp4_e2m1"), TypeError, "codes must be an array of whole numbers"),
        (lambda: worth([1, 2]), TypeError, "scale must be an array of floating-point numbers"),
        (
            lambda: scales_for([1.0], "fp4_e2m1", "e5m2"),
            ValueError,
            "scale_format must be one of 'float', 'e8m0'",
        ),
        (
            lambda: tk.quantize(W, format="fp4"),
            ValueError,
            "format must be one of 'int2', 'fp8_e4m3', 'fp8_e5m2', 'fp4_e2m1'",
        ),
        (
            lambda: tk.quantize(W, format="fp4_e2m1", bits=2),
            ValueError,
            "bits must be left out with format='fp4_e2m1'; got 2",
        ),
        (
            lambda: tk.quantize(W, format="fp8_e4m3", mode="affine"),
            ValueError,
            "mode must be left out with format='fp8_e4m3'; got 'affine'",
        ),
        (
            lambda: tk.quantize(W, format="int2", scale_format="e8m0"),
            ValueError,
            "scale_format goes with small floats",
        ),
        (
            lambda: tk.quantize(tk.prune(W, sparsity=0.5), format="fp4_e2m1", granularity="per_block"),
            ValueError,
            "granularity must be 'per_tensor' for small floats of pruned weights; got 'per_block'",
        ),
        (
            lambda: tk.quantize(tk.palettize(W), format="fp8_e4m3", granularity="per_channel"),
            ValueError,
            "granularity must be 'per_tensor' for the table of a palette; got 'per_channel'",
        ),
        (
            lambda: tk.quantize(tk.quantize(PRUNED, format="fp8_e4m3")),
            TypeError,
            r"got Sparse\(64x64, 50.0 % zero, the",
        ),
        (lambda: tk.palettize(tk.quantize(PRUNED, format="fp8_e4m3")), TypeError, r"got Sparse\(64x64"),
        (lambda: tk.palettize(tk.quantize(W, format="fp4_e2m1")), TypeError, r"got SmallFloats\(64x64, fp4"),
        (lambda: tk.kernels.JustInTime(tk.quantize(W, format="fp4_e2m1")), TypeError, "SmallFloats"),
    ],
)
def test_bad_inputs_are_refused_in_a_sentence(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize(
    "changed, kind, message",
    [
        ({"codes": np.zeros(3, np.uint8)}, ValueError, r"codes must be an array of shape \(4\)"),
        ({"codes": np.zeros(4, np.int8)}, TypeError, "codes must be an array of uint8"),
        ({"scale": np.ones((3, 1), np.float16)}, ValueError, r"scale must divide the shape \(2, 4\)"),
        ({"scale": np.uint8([[1], [255]])}, ValueError, "exponents of E8M0 up to 254; 255 is no number"),
        ({"format": "int2"}, ValueError, "format must be one of"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changed, kind, message):
    fields = vars(tk.quantize(np.ones((2, 4), np.float16), format="fp4_e2m1"))
    with pytest.raises(kind, match=message):
        small_floats.SmallFloats(**(fields | changed)).dense()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"format": "fp4_e2m1"}, "Core ML stores no weights as small floats; got format='fp4_e2m1'"),
        ({"format": "fp8_e4m3"}, "Core ML stores no weights as small floats; got format='fp8_e4m3'"),
        ({"format": "int2"}, "Core ML quantizes to 4 or 8 bits; got bits=2"),
    ],
)
def test_a_package_declines_them(tmp_path, options, message):
    package = handmade.write(tmp_path / "one.mlpackage", [("linear", W)])
    for call in (tk.size.ledger(package).after, lambda *a, **o: tk.coreml.compress(package, *a, **o)):
        with pytest.raises(ValueError, match=message):
            call("quantize", **options)
        if options["format"] != "int2":
            with pytest.raises(ValueError, match=message):
                call("joint", prune={"sparsity": 0.5}, quantize=options)
    with pytest.raises(ValueError, match=message):
        tk.coreml.compress(package, {"w0": {"technique": "quantize", **options}})
    with pytest.raises(ValueError, match=r"coremltools 9 stores no small floats|bits must be one of 4, 8"):
        configs.check("quantize", complete("quantize", options))
