"""Quantization stores what coremltools stores, array by array and in a package on disk."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk
from tests.parity.cases import Case, arrays, differences
from tests.strategies import block_sizes, trained, weights

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from toykit._quiet import quiet

with quiet():
    from coremltools.optimize._utils import pack_elements_into_bits
    from coremltools.optimize.coreml import OpLinearQuantizerConfig
    from coremltools.optimize.coreml._quantization_passes import linear_quantize_weights

THEIR_MODE = {"symmetric": "LINEAR_SYMMETRIC", "affine": "LINEAR"}


def ours(w, **options):
    return dict(tk.quantize(w, **options).parts)


def theirs(w, bits, mode, signed, block_sizes):
    """coremltools' arrays, packed as it packs them when it writes a package."""
    with quiet():
        stored = linear_quantize_weights.blockwise_compress(w, bits, THEIR_MODE[mode], signed, block_sizes(w))

    def packed(codes):
        codes = codes.astype(np.int8 if signed else np.uint8)
        return codes if bits == 8 else pack_elements_into_bits(codes, bits)

    parts = {"codes": packed(stored.data), "scale": stored.scale}
    return parts if stored.offset is None else parts | {"zero_point": packed(stored.offset)}


def on_axes(*lengths):
    """coremltools' block sizes: a length for the first axes, the whole of the others."""
    return lambda w: [*lengths, *[0] * w.ndim][: w.ndim]


GRANULARITIES = {
    "per_tensor": ({"granularity": "per_tensor"}, on_axes()),
    "per_channel": ({"granularity": "per_channel"}, on_axes(1)),
    "per_channel, axis=1": ({"granularity": "per_channel", "axis": 1}, on_axes(0, 1)),
    "per_block, block_size=4": ({"granularity": "per_block", "block_size": 4}, on_axes(1, 4)),
    "per_block, block_size=2, axis=1": (
        {"granularity": "per_block", "block_size": 2, "axis": 1},
        on_axes(2, 1),
    ),
}


def case(bits, mode, signed, granularity):
    options, block_sizes = GRANULARITIES[granularity]
    return Case(
        "quantize",
        f"{'int' if signed else 'uint'}{bits} {mode}, {granularity}",
        partial(ours, bits=bits, mode=mode, signed=signed, **options),
        lambda w: theirs(w, bits, mode, signed, block_sizes),
        "a range or scale that float16 cannot hold: test_where_coremltools_loses_the_weights",
    )


CASES = [
    case(bits, mode, signed, granularity)
    for bits in (8, 4)
    for mode in THEIR_MODE
    for signed in (True, False)
    for granularity in GRANULARITIES
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_option_on_every_array(case):
    for label, w in arrays():
        assert differences(case, w) == [], label


@pytest.mark.parametrize("mode", THEIR_MODE)
@pytest.mark.parametrize("bits", [2, 3, 6])
def test_the_teaching_widths_follow_the_same_rules(bits, mode):
    for granularity in GRANULARITIES:
        for label, w in arrays():
            assert differences(case(bits, mode, False, granularity), w) == [], label


# Sizes whose scales float16 can hold.
USUAL = st.floats(-100, 100, width=16).filter(lambda x: x == 0 or abs(x) > 2**-10)


@given(
    weights(dtypes=("float16", "float32"), elements=USUAL, max_side=6),
    st.sampled_from((8, 4)),
    st.sampled_from(tuple(THEIR_MODE)),
    st.booleans(),
    st.data(),
)
def test_random_arrays_and_blocks(w, bits, mode, signed, data):
    lengths = data.draw(block_sizes(w.shape))
    native = np.ascontiguousarray(w, w.dtype.newbyteorder("="))
    random = Case(
        "quantize",
        "random",
        partial(ours, bits=bits, mode=mode, signed=signed, granularity="per_block", block_size=lengths),
        lambda w: theirs(w, bits, mode, signed, on_axes(*lengths)),
    )
    assert differences(random, native) == []


@pytest.mark.parametrize(
    "w, bits, mode, signed",
    [
        (np.float16([[60000, -40000, 1000, 0]]), 8, "symmetric", True),
        (np.float16([[60000, -40000, 1000, 0]]), 4, "affine", True),
        (np.float16([[300, -280, 20, 0]]), 8, "affine", False),
        (np.float16([[5e-7, -3e-7, 1e-7, 0]]), 8, "symmetric", True),
        (np.float16([[5e-7, -3e-7, 1e-7, 0]]), 8, "affine", False),
        (np.float16([[65504, 60000, 0, 1]]), 8, "affine", False),
    ],
    ids=["range", "range, affine", "zero point", "tiny scale", "tiny scale, affine", "infinite result"],
)
def test_where_coremltools_loses_the_weights(w, bits, mode, signed):
    """The three exceptions that the docstring lists: ours is right to a step, coremltools' is not."""
    with np.errstate(all="ignore"):
        stored = theirs(w, bits, mode, signed, on_axes())
    c = tk.quantize(w, bits=bits, mode=mode, signed=signed, granularity="per_tensor")
    largest = float(np.abs(w).max())

    def worst(codes, scale, zero_point):
        if bits < 8:
            codes = tk.bits.unpack(codes, bits, w.size, signed)
            zero_point = zero_point if zero_point is None else tk.bits.unpack(zero_point, bits, 1, signed)
        steps = codes.reshape(w.shape).astype(float) - (0 if zero_point is None else zero_point.astype(float))
        with np.errstate(all="ignore"):
            dense = (steps * scale.astype(float)).astype(np.float16)
        return np.max(np.abs(np.nan_to_num(dense.astype(float), nan=np.inf) - w))

    assert worst(c.codes, c.scale, c.zero_point) <= 1.01 * c.scale.item()
    assert worst(stored["codes"], stored["scale"], stored.get("zero_point")) > 0.4 * largest


def test_affine_quantization_is_not_idempotent_in_coremltools_either():
    w = trained((4, 50), seed=1)
    once = tk.quantize(w, mode="affine").dense()
    again = theirs(once, 8, "affine", True, on_axes(1))
    scale, codes, offset = again["scale"], again["codes"], again["zero_point"]
    assert np.any((scale * (codes.astype(np.float16) - offset)).astype(np.float16) != once)


PACKAGES = [
    ("iOS18", {"dtype": "int8"}, {"bits": 8}),
    ("iOS18", {"dtype": "uint8", "mode": "linear"}, {"bits": 8, "mode": "affine", "signed": False}),
    ("iOS18", {"dtype": "int4", "granularity": "per_tensor"}, {"bits": 4, "granularity": "per_tensor"}),
    (
        "iOS18",
        {"dtype": "int4", "mode": "linear", "granularity": "per_block", "block_size": 16},
        {"bits": 4, "mode": "affine", "granularity": "per_block", "block_size": 16},
    ),
    (
        "iOS18",
        {"dtype": "uint4", "granularity": "per_block", "block_size": 32},
        {"bits": 4, "signed": False, "granularity": "per_block", "block_size": 32},
    ),
    ("iOS16", {"dtype": "int8"}, {"bits": 8}),
    ("iOS17", {"dtype": "uint8", "mode": "linear"}, {"bits": 8, "mode": "affine", "signed": False}),
]


@pytest.mark.parametrize("target, their_options, our_options", PACKAGES)
def test_a_package_on_disk(tmp_path, target, their_options, our_options):
    check_package(tmp_path, target, "float16", their_options, our_options)


def test_a_package_in_float32(tmp_path):
    check_package(tmp_path, *PACKAGES[0][:1], "float32", *PACKAGES[0][1:])


def check_package(tmp_path, target, precision, their_options, our_options):
    from tests.parity.packages import LAYERS, agrees, compressed, network, stored

    model = network(target, precision)
    before = stored(model, tmp_path / "before.mlpackage")
    config = OpLinearQuantizerConfig(**({"mode": "linear_symmetric"} | their_options), weight_threshold=0)
    after = stored(compressed(model, ("linear_quantize_weights", config)), tmp_path / "after.mlpackage")
    for layer in LAYERS:
        axis = 1 if layer == "conv_transpose" else 0  # where coremltools finds the output channels
        c = tk.quantize(before[layer, "const", "val"].numpy(), axis=axis, **our_options)
        if target == "iOS18":
            form, names = "constexpr_blockwise_shift_scale", ("data", "scale", "offset")
            zero_point = c.zero_point
        else:  # the older form has a zero point always
            form, names = "constexpr_affine_dequantize", ("quantized_data", "scale", "zero_point")
            zero_point = np.zeros(c.scale.shape, np.int8) if c.zero_point is None else c.zero_point
        for name, part in zip(names, (c.codes, c.scale, zero_point)):
            if part is None:
                assert (layer, form, name) not in after
            else:
                assert agrees(after[layer, form, name], part), (layer, name)
