"""Exact k-means and whole palettes against coremltools'; `python -m tests.benchmarks.report`."""

from functools import partial

import numpy as np
import pytest

import toykit as tk
from tests.benchmarks.duels import Duel
from tests.benchmarks.test_speed_pruning_quantization import on_all, resnet50, weights

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from toykit._quiet import quiet

with quiet():
    from coremltools.models.neural_network.quantization_utils import _get_kmeans_lookup_table_and_weight
    from coremltools.optimize.coreml._quantization_passes import palettize_weights

# How many times faster exact k-means has to be. The time does not grow with the number of clusters
# here, and it does in coremltools.
LEAST = {1: 3, 2: 3, 3: 3, 4: 3, 6: 3, 8: 10}


def kmeans_duel(bits):
    def ours(w):
        clusters = tk.kmeans.exact(w.ravel(), 2**bits)
        return clusters.centroids, clusters.labels

    return (
        f"k-means, {2**bits} clusters",
        ours,
        partial(_get_kmeans_lookup_table_and_weight, bits),
        LEAST[bits],
    )


def palettize_duel(bits, mode="kmeans", least=3):
    def ours(w):
        p = tk.palettize(w, bits, mode)
        return p.lut.ravel(), p.codes.ravel()

    def theirs(w):
        stored = palettize_weights.grouped_channelwise_compress(w, mode.upper(), bits, 0, 0)
        return stored.lut.ravel(), stored.indices.astype(np.uint8).ravel()

    return f"palettize, {mode}, bits={bits}", ours, theirs, least


TASKS = [
    *map(kmeans_duel, LEAST),
    palettize_duel(4),
    palettize_duel(8, least=10),
    palettize_duel(4, "uniform", least=2),
]


def duels():
    return [
        Duel(name, partial(on_all, a, weights), partial(on_all, b, weights), least)
        for name, a, b, least in TASKS
    ]


def whole_duels():
    return [
        Duel(f"ResNet-50, {name}", partial(on_all, a, resnet50), partial(on_all, b, resnet50), least)
        for name, a, b, least in (kmeans_duel(4), kmeans_duel(8))
    ]


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("duel", duels(), ids=str)
def test_speed(benchmark, duel, side):
    benchmark.group = str(duel)
    with quiet():
        benchmark.pedantic(getattr(duel, side), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task[0])
def test_both_sides_store_the_same(task):
    _, ours, theirs, _ = task
    (w,) = weights()
    for mine, other in zip(ours(w), theirs(w), strict=True):
        assert np.array_equal(mine, other)
