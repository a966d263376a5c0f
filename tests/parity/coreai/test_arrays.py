"""Every option of coreai-opt's passes stores what toykit stores, or differs as its source says.

`cases` has the options and, for each that differs, the reason; `python -m tests.parity.coreai.report arrays` counts.
Below the table are the faults of coreai-opt 0.4.0 that were found on the way, each with the smallest arrays that show
it. A test of these that fails says that a newer version has mended one: take the reason out of `cases`, too.
"""

import numpy as np
import pytest

pytest.importorskip("torch")

import toykit as tk
from tests.coreai import needs_coreai
from tests.nightly import sampled
from tests.strategies import trained
from toykit.coreml.format.protobuf import PackageError

from . import cases, stored

pytestmark = needs_coreai
# With scikit-learn's k-means for each array, or each channel, these take half of the time.
SLOW = ("per_channel", "6 bits", "8 bits", "1 bits per_tensor, fast")
CASES = cases.cases()


def is_slow(case):
    return case.of == "palettize_weights" and any(word in case.name for word in SLOW)


@pytest.mark.parametrize("case", sampled(CASES, [case for case in CASES if not is_slow(case)]))
def test_every_option_on_every_array(case):
    found = dict(cases.outcomes(case))
    assert {label: outcome for label, outcome in found.items() if outcome not in ACCEPTED} == {}


ACCEPTED = ("equal", "explained", "both decline")


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.of == "quantize_weights" and case.why == cases.WIDER]
    + [case for case in CASES if case.name.startswith("quantize fp8_e4m3") and "e8m0" not in case.name]
    + [case for case in CASES if case.name in ("prune 50 % and int8", "prune 50 % and fp8_e4m3fn")],
    ids=str,
)
def test_float16_weights_are_equal_without_a_reason(case):
    """But for channels in which nothing is left."""
    for label, outcome in cases.outcomes(case):
        if "float16" in label and "zeros" not in label:
            assert outcome in ("equal", "both decline"), label


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("quantize_weights", {"dtype": "INT2"}),
        ("quantize_weights", {"dtype": "UINT4", "qscheme": "ASYMMETRIC", "granularity": "PER_TENSOR"}),
        ("quantize_weights", {"dtype": "FP8_E4M3FN"}),
        ("palettize_weights", {"lut_dtype": None, "n_bits": 2, "enable_per_channel_scale": True}),
        ("palettize_weights", {"lut_dtype": "UINT8", "n_bits": 2}),
        ("palettize_weights", {"lut_dtype": "FP8_E4M3FN", "n_bits": 2}),
        ("sparsify_weights", {"n_m_ratio": (2, 4), "target_sparsity": None}),
        ("sparsify_weights", {"quantize_dtype": "INT8"}),
        ("sparsify_weights", {"quantize_dtype": "UINT8"}),
        ("sparsify_weights", {"quantize_dtype": "FP8_E4M3FN"}),
        ("sparsify_weights", {"palettize_nbits": 2}),
    ],
    ids=str,
)
def test_dense_is_what_apples_runtime_multiplies_with(name, options):
    weights = [
        trained(shape, 1, dtype) for shape in ((12, 16), (6, 8, 3, 3)) for dtype in ("float16", "float32")
    ]
    program = stored.compressed(stored.program(weights), name, **options)
    forms = tk.coreai.weights(program).values()
    for form, found, weight in zip(forms, stored.run(program, weights), weights, strict=True):
        assert not isinstance(form, np.ndarray) and form.dtype == weight.dtype
        np.testing.assert_array_equal(form.dense() + 0, found + 0, strict=True)


# Faults of coreai-opt 0.4.0 (and coreai-torch 0.4.3), smallest first.


def only(weight, name, **options):
    """The one weight after a pass: as toykit reads it, and as Apple's runtime multiplies with it."""
    program = stored.compressed(stored.program([weight]), name, **options)
    (form,) = tk.coreai.weights(program).values()
    return form, stored.run(program, [weight])[0]


def test_zeros_that_were_pruned_come_back_as_the_most_negative_weight():
    """uint8 codes of a pruned weight: the mask fills in code 0, which is 127 steps below zero."""
    weight = np.float16([[1, -2, 0.25, 3], [0.5, 2, -0.125, 1]])
    _, dense = only(weight, "sparsify_weights", quantize_dtype="UINT8")
    kept = tk.prune(weight, sparsity=0.5).kept
    assert np.allclose(dense[~kept], -3, rtol=1e-2) and np.allclose(dense[kept], weight[kept], atol=0.02)
    assert not tk.quantize(tk.prune(weight, sparsity=0.5), signed=False).dense()[~kept].any()


def test_every_channel_gets_the_scale_of_the_first():
    """A quantized table and `enable_per_channel_scale` together."""
    weight = np.float16([[1, 8], [-1, 4], [0.5, -8], [-0.5, 2]])
    for kind, options in cases.TABLES.items():
        if kind in ("INT8", "FP8_E4M3FN"):
            _, dense = only(
                weight, "palettize_weights", lut_dtype=kind, n_bits=4, enable_per_channel_scale=True
            )
            assert np.allclose(dense[:, 0], weight[:, 0], rtol=0.1)
            assert np.allclose(dense[:, 1], weight[:, 1] / 8, rtol=0.1)
            ours = tk.quantize(tk.palettize(weight, bits=4, per_channel_scale="across"), **options)
            assert np.allclose(ours.dense(), weight, rtol=0.1)


def test_e5m2_of_float16_is_nothing():
    """The range of its codes, 114,688, is infinite in float16, and the scale 0."""
    weight = trained((8, 32), 2)
    form, dense = only(weight, "quantize_weights", dtype="FP8_E5M2")
    assert not form.scale.any() and not dense.any()
    assert np.allclose(tk.quantize(weight, format="fp8_e5m2").dense(), weight, rtol=0.13, atol=1e-3)


def test_a_channel_of_zeros_is_no_number_in_fp8():
    """0 divided by a scale of 0."""
    weight = np.float16([[1, 2, 3], [0, 0, 0]])
    _, dense = only(weight, "quantize_weights", dtype="FP8_E4M3FN")
    assert np.isnan(dense[1]).all() and np.isfinite(dense[0]).all()
    assert not tk.quantize(weight, format="fp8_e4m3").dense()[1].any()


@pytest.mark.parametrize(
    ("options", "ours"),
    [
        ({"dtype": "FP4_E2M1FN"}, "fp4_e2m1"),
        ({"dtype": "FP8_E4M3FN", "scale_dtype": "FP8_E8M0FNU"}, "fp8_e4m3"),
        ({"dtype": "FP8_E5M2", "scale_dtype": "FP8_E8M0FNU"}, "fp8_e5m2"),
    ],
)
def test_codes_are_for_another_scale_than_is_stored(options, ours):
    """Powers of two as scales: the codes are found first, for a scale that is no power of two, and stay.

    A block of -1.4 ... 1.4 comes back larger or smaller as a whole; toykit's are the Microscaling Formats', to which
    `test_torch` compares them.
    """
    weight = np.linspace(-1.4, 1.4, 64, dtype=np.float32).reshape(2, 32)
    program = stored.compressed(
        stored.program([weight]), "quantize_weights", granularity="PER_BLOCK", **options
    )
    (form,) = tk.coreai.weights(program).values()
    dense = form.dense()
    factor = np.sum(dense * weight) / np.sum(weight**2)
    assert not 0.95 < factor < 1.05
    mine = tk.quantize(weight, format=ours, granularity="per_block")
    assert cases.error(mine.dense(), weight) < cases.error(dense, weight) / 1.4


def test_fp4_takes_a_byte_for_a_weight(tmp_path):
    """In the file as well: an asset in FP4 is as large as one in FP8, where int4 takes half.

    Apple's runtime on Linux takes two codes from a byte. So it reads the first half of them, and every second as 0, or
    ends the process (seen with 64 x 96 weights). Core AI's own Quantizer packs them, see `test_torch`; and so does
    `tk.coreai.compress`.
    """
    program = stored.program([trained((256, 512), 4)])
    scales = {"FP4_E2M1FN": {}, "FP8_E4M3FN": {"scale_dtype": "FP8_E8M0FNU"}, "INT4": {}}
    sizes = {}
    for kind, scale in scales.items():
        small = stored.compressed(program, "quantize_weights", dtype=kind, granularity="PER_BLOCK", **scale)
        sizes[kind] = tk.coreai.Asset(tk.coreai.save(small, tmp_path / f"{kind}.aimodel")).nbytes
        if kind == "FP4_E2M1FN":
            with pytest.raises(PackageError, match="a byte each"):
                tk.coreai.load(small)
    assert abs(sizes["FP4_E2M1FN"] - sizes["FP8_E4M3FN"]) < 100 and sizes["INT4"] < 0.6 * sizes["FP4_E2M1FN"]


def test_the_fast_mode_of_palettes_makes_infinity_of_7():
    """Which is the mode that is used if none is asked for: float16 numbers times 10,000."""
    weight = trained((128, 96), 5)
    weight[0, 0] = 7
    form, dense = only(weight, "palettize_weights", lut_dtype=None, n_bits=2)
    assert not np.isfinite(form.lut).all() and not np.isfinite(dense).all()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("palettize_weights", {"lut_dtype": None, "n_bits": 3}, r"only uint2\|uint4\|uint6 is supported"),
        ("sparsify_weights", {"palettize_nbits": 3}, r"only uint2\|uint4\|uint6 is supported"),
        ("palettize_weights", {"lut_dtype": None, "cluster_dim": 2}, "no attribute 'groups'"),
    ],
)
def test_where_it_stops(name, options, message):
    """Tables of eight entries, which it offers, and vectors for convolutions."""
    with pytest.raises(RuntimeError, match=message):
        stored.compressed(stored.program([trained((8, 8, 3, 3), 6)]), name, **options)
