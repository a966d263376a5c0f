"""Where coremltools leaves tables to chance, for scikit-learn's k-means starts at random.

Fewer than 10,000 weights a table, float32, groups of channels, vectors: everything but the numbers is the same, the
error is no larger, and with coremltools' tables the bytes are its own.
"""

import numpy as np
import pytest

pytest.importorskip("coremltools")

from coremltools.optimize.coreml._quantization_passes import palettize_weights

import toykit as tk
from tests import handmade
from tests.nightly import NIGHTLY, cases
from toykit._quiet import quiet
from toykit.compressed import Compressed
from toykit.coreml.format.package import Package
from toykit.stored import arrays
from toykit.stored.parts import digest

from . import sizes, writing

TABLE = {"bits": 8, "granularity": "per_tensor"}
OLD = [("palettize", {"bits": bits}) for bits in (2, 1, 4, 6, 8)]
NEW = [
    ("palettize", {"bits": 3, "group_size": 8}),
    ("palettize", {"bits": 4, "cluster_dim": 2}),
    ("palettize", {"bits": 3, "per_channel_scale": "across"}),
    ("palettize", {"bits": 2, "group_size": 16, "per_channel_scale": "across"}),
    ("palettize", {"bits": 2, "cluster_dim": 4, "group_size": 16}),
    ("palettize", {"bits": 2, "cluster_dim": 2, "per_channel_scale": "across"}),
    ("joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 2}}),
    ("joint", {"palettize": {"bits": 4, "group_size": 4}, "quantize": TABLE}),
    ("joint", {"palettize": {"bits": 2, "cluster_dim": 2}, "quantize": TABLE}),
    ("joint", {"prune": {"n_m": (2, 4)}, "palettize": {"bits": 4}, "quantize": TABLE}),
]
CASES = [(9, *setting) for setting in OLD + NEW] + [(7, *setting) for setting in OLD]
CASES += [(10, *setting) for setting in OLD + NEW[:7]]  # coremltools cannot write quantized tables for iOS 26


@pytest.mark.parametrize(
    ("version", "technique", "options"), CASES if NIGHTLY else CASES[:13:6] + CASES[15:16]
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32] if NIGHTLY else [np.float16])
def test_all_but_the_numbers_is_the_same(version, technique, options, dtype, tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    layers = [
        ("linear", random.normal(size=(64, 48)).astype(dtype)),
        ("conv", random.normal(size=(64, 64, 1)).astype(dtype)),
    ]
    source = writing.settled(Package(handmade.write(tmp_path / "net.mlpackage", layers, version)))
    ours, theirs = writing.with_both(source, technique, options)
    assert _shapes(ours) == _shapes(theirs)
    assert len(sizes.weight_file(ours)) == len(sizes.weight_file(theirs))
    assert writing.metadata(ours, values=False) == writing.metadata(theirs, values=False)

    whole, expected = tk.coreml.weights(source), tk.coreml.weights(theirs)
    known = {
        digest(np.ascontiguousarray(weight)): expected[name]
        for name, weight in whole.items()
        if isinstance(expected[name], Compressed)
    }
    assert known

    def taken(weight, applied):
        return known[digest(np.ascontiguousarray(weight.values()))]

    monkeypatch.setattr(arrays, "compress", taken)
    again = tk.coreml.compress(source, technique, **options)
    assert sizes.weight_file(again) == sizes.weight_file(theirs)
    assert writing.metadata(again) == writing.metadata(theirs)
    passes = len(options) if technique == "joint" else 1
    assert writing.contents(writing.passed(again, passes)) == writing.contents(theirs)


def _shapes(package):
    """Operators, types and shapes of what stands for each weight."""
    return [
        (operation.op, {name: str(kind) for name, kind in operation.outputs.items()})
        for operation in Package(package.path).program.walk()
        if operation.op.startswith("constexpr_")
    ]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8])
def test_the_error_of_a_scalar_table_is_no_larger(bits, dtype):
    random = np.random.default_rng(bits)
    for _ in range(cases(3, 100)):
        weight = (random.choice([1e-4, 0.01, 1, 50]) * random.normal(size=(16, 24))).astype(dtype)
        for group_size in (4, 16):
            ours, theirs = _tables(weight, bits, group_size)
            assert _error(ours.dense(), weight) <= _error(theirs, weight)


@pytest.mark.parametrize("seed", range(cases(8, 300)))
def test_only_rounding_can_make_it_larger(seed):
    """Of weights a few roundings of float16 apart, a best table may lose more when it is rounded than a worse one.

    What it loses is known: as many weights as an entry has, times the square of how far it moved.
    """
    random = np.random.default_rng(seed)
    weight = (1024 + random.integers(0, 40, size=(8, 12))).astype(np.float16)
    for bits in (2, 3, 4):
        ours, theirs = _tables(weight, bits, 8)
        codes, table = ours.codes.ravel(), ours.lut.ravel().astype(np.float64)
        count = np.bincount(codes, minlength=table.size)
        means = np.bincount(codes, weight.ravel(), table.size) / np.maximum(count, 1)
        lost = np.sum(count * (table - means) ** 2)
        assert np.all(np.abs(means - table)[count > 0] <= 0.5)  # float16 of 1,024 and more: whole numbers
        best = _error(means[codes].reshape(weight.shape), weight)
        assert _error(ours.dense(), weight) == pytest.approx(best + lost, rel=1e-12)
        assert best <= _error(theirs, weight) * (1 + 1e-12)  # sums of float64 numbers


def _tables(weight, bits, group_size):
    """A weight as toykit stores it, and the one that coremltools' arrays stand for."""
    with quiet():
        found = palettize_weights.grouped_channelwise_compress(weight, "KMEANS", bits, 0, group_size)
        theirs = palettize_weights.decompress(found)
    return tk.palettize(weight, bits=bits, group_size=group_size), theirs


def _error(found, weight):
    return np.square(found.astype(np.float64) - weight.astype(np.float64)).sum()
