"""Whole networks, run by toykit from their packages, against torch; `agreement` says with which weights."""

import sys

import numpy as np
import pytest

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.nightly import sampled
from tests.parity import agreement, networks, running

# One network of each kind on every change; the large ones, and others of their kind, at night.
DAILY = ["CREPE", "small CNN", "U-Net", "transformer encoder", "LSTM"]

WITHIN = {"float32": 1e-4, "float16": 1e-2}


@pytest.mark.parametrize("name", sampled(networks.NETWORKS, DAILY))
def test_as_converted(name):
    _, example = agreement.network(name)
    found = agreement.distances(agreement.package(name), agreement.rounded(name), example)
    for (backend, precision), apart in found.items():
        assert apart <= WITHIN[precision], (backend, precision)


@pytest.mark.parametrize(
    ("name", "form"),
    sampled(agreement.COMPRESSED, [pair for pair in agreement.COMPRESSED if pair[0] in DAILY]),
)
def test_compressed(name, form):
    _, example = agreement.network(name)
    path = agreement.compressed(name, form)
    found = agreement.distances(path, agreement.with_weights(name, path), example)
    for (backend, precision), apart in found.items():
        assert apart <= WITHIN[precision], (backend, precision)


@pytest.mark.parametrize("backend", running.BACKENDS)
@pytest.mark.parametrize(
    ("name", "form"), [("CREPE", None), ("LSTM", None)] + [("small CNN", form) for form in agreement.FORMS]
)
def test_ahead_and_on_the_fly_are_equal(name, form, backend):
    _, example = agreement.network(name)
    path = agreement.compressed(name, form) if form else agreement.package(name)
    answers = [
        agreement.answer(path, example, backend=backend, weights=weights)
        for weights in ("ahead", "on the fly")
    ]
    assert np.array_equal(*answers)


@pytest.mark.parametrize("form", ["int8", "4-bit palettes", "pruned", "pruned and palettized"])
def test_compressed_lstm(form):
    """Its weights are stored in another order than torch's; so coremltools decompresses them, too."""
    import coremltools.optimize.coreml as cto

    _, example = agreement.network("LSTM")
    path = agreement.compressed("LSTM", form)
    stored = [operation.op for operation in tk.coreml.Package(path).program.walk()]
    assert sum(op.startswith("constexpr") for op in stored) >= 8
    with tk.quiet():
        plain = cto.decompress_weights(agreement.opened(path))
    assert running.distance(agreement.answer(path, example), agreement.answer(plain, example)) <= 1e-4


# Sums in another order differ in the last bits of float32; of these, some round to another float16.
@pytest.mark.parametrize(("precision", "within"), [("float32", 1e-5), ("float16", 1e-2)])
@pytest.mark.parametrize(
    "name", sampled(["ViT", "U-Net", "MobileNetV3", "LSTM", "transformer encoder"], DAILY)
)
def test_backends_agree(name, precision, within):
    _, example = agreement.network(name)
    one, two = (
        agreement.answer(agreement.package(name), example, backend=backend, precision=precision)
        for backend in running.BACKENDS
    )
    assert running.distance(one, two) <= within


def test_a_rounded_network_is_nearer_than_the_original():
    """The reference matters: without rounding, and without folding first, torch is further away."""
    network, example = agreement.network("MobileNetV2")
    ours = agreement.answer(agreement.package("MobileNetV2"), example)
    near = running.distance(ours, agreement.expected(agreement.rounded("MobileNetV2"), example))
    far = running.distance(ours, agreement.expected(network, example))
    assert near < 1e-5 < 1e-4 < far


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("backend", running.BACKENDS)
def test_memory(backend):
    """The float32 weights, once, and the activations: never those and the weights of the file as well."""
    from tests.benchmarks.interpreter import memory

    path = agreement.package("ResNet-50")
    weights = 4 * 25_557_032
    # Four of the largest activations are alive at a time, 3.2 MB each; and torch lays out anew the largest
    # weight of a convolution, 9.4 MB, which on the fly is there in its own layout as well.
    activations, largest, slack = 4 * 3.2e6, 4 * 512 * 512 * 9, 3e6
    loaded, peak = memory(path, backend, "float32", "ahead")
    assert 0.95 * weights < loaded < 1.05 * weights
    assert peak < weights + activations + largest + slack
    loaded, peak = memory(path, backend, "float32", "on the fly")
    assert loaded < slack and peak < activations + 2 * largest + slack


@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML predicts on macOS only")
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_against_core_ml(name):
    from toykit._quiet import coremltools

    ct = coremltools()
    _, example = agreement.network(name)
    model = ct.models.MLModel(str(agreement.package(name)), compute_units=ct.ComputeUnit.CPU_ONLY)
    (theirs,) = model.predict({next(iter(model.input_description)): example.numpy()}).values()
    ours = agreement.answer(agreement.package(name), example, precision="float16")
    assert running.distance(ours, theirs) <= WITHIN["float16"]


@pytest.mark.skipif(sys.platform != "darwin", reason="Core ML predicts on macOS only")
@pytest.mark.parametrize(("name", "form"), agreement.COMPRESSED)
def test_compressed_against_core_ml(name, form):
    from toykit._quiet import coremltools

    ct = coremltools()
    _, example = agreement.network(name)
    path = agreement.compressed(name, form)
    model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit.CPU_ONLY)
    (theirs,) = model.predict({next(iter(model.input_description)): example.numpy()}).values()
    ours = tk.coreml.run(path, {next(iter(model.input_description)): example.numpy()}, precision="float16")
    assert running.distance(next(iter(ours.values())), theirs) <= WITHIN["float16"]
