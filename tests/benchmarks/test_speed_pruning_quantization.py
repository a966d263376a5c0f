"""Pruning and quantization against coremltools' array functions; `python -m tests.benchmarks.report`."""

from functools import cache, partial

import numpy as np
import pytest

import toykit as tk
from tests.benchmarks.duels import Duel
from tests.strategies import trained

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from toykit._quiet import quiet

with quiet():
    from coremltools.optimize.coreml._quantization_passes import linear_quantize_weights, prune_weights

SHAPE = (1250, 1600)  # 2 million weights, whose rows divide into blocks of 32


@cache
def weights():
    return (trained(SHAPE),)


@cache
def resnet50():
    """All weights of ResNet-50 that coremltools compresses, in float16."""
    network = tk.models.resnet50()
    tensors = [parameter.detach() for parameter in network.parameters() if parameter.ndim > 1]
    return tuple(np.float16(tensor.numpy()) for tensor in tensors if tensor.numel() > 2048)


def prune_duel(name, function, their_options, least=3, **our_options):
    theirs = partial(getattr(prune_weights, function), **their_options)
    return name, partial(tk.prune, **our_options), theirs, least


def quantize_duel(name, bits, mode, block_sizes, **our_options):
    their_mode = {"symmetric": "LINEAR_SYMMETRIC", "affine": "LINEAR"}[mode]

    def theirs(w):
        lengths = [*block_sizes, *[0] * w.ndim][: w.ndim]
        return linear_quantize_weights.blockwise_compress(w, bits, their_mode, True, lengths)

    return f"int{bits} {mode}, {name}", partial(tk.quantize, bits=bits, mode=mode, **our_options), theirs, 2


TASKS = [
    prune_duel("prune, sparsity=0.5", "compress_by_magnitude", {"target_sparsity": 0.5}, sparsity=0.5),
    prune_duel("prune, sparsity=0.9", "compress_by_magnitude", {"target_sparsity": 0.9}, sparsity=0.9),
    prune_duel(
        "prune, threshold=0.05",
        "compress_by_threshold",
        {"threshold": 0.05, "minimum_sparsity_percentile": 0},
        threshold=0.05,
    ),
    prune_duel(
        "prune, block_size=4",
        "compress_by_magnitude",
        {"target_sparsity": 0.5, "block_size": 4, "dim": 0},
        least=2,  # half of the time is the float16 sum that both sides do, or they would not be equal
        sparsity=0.5,
        block_size=4,
    ),
    prune_duel("prune, n_m=(2, 4)", "compress_by_nm_sparsity", {"n_m_ratio": (2, 4), "dim": 1}, n_m=(2, 4)),
] + [
    quantize_duel(name, bits, mode, lengths, **options)
    for bits in (8, 4)
    for mode in ("symmetric", "affine")
    for name, lengths, options in (
        ("per_tensor", [], {"granularity": "per_tensor"}),
        ("per_channel", [1], {"granularity": "per_channel"}),
        ("per_block of 32", [1, 32], {"granularity": "per_block", "block_size": 32}),
    )
]


def on_all(function, arrays):
    for w in arrays():
        function(w)


def duels():
    weights()
    return [
        Duel(name, partial(on_all, a, weights), partial(on_all, b, weights), least)
        for name, a, b, least in TASKS
    ]


def whole_duels():
    """What every layer of ResNet-50 can take: no blocks of 32 in its first layer's three channels."""
    resnet50()  # built before anything is measured
    return [
        Duel(f"ResNet-50, {name}", partial(on_all, a, resnet50), partial(on_all, b, resnet50), least)
        for name, a, b, least in TASKS
        if "block" not in name and "n_m" not in name
    ]


@pytest.mark.parametrize("side", ["ours", "theirs"])
@pytest.mark.parametrize("duel", duels(), ids=str)
def test_speed(benchmark, duel, side):
    benchmark.group = str(duel)
    with quiet():
        benchmark.pedantic(getattr(duel, side), rounds=5, warmup_rounds=1)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task[0])
def test_both_sides_store_the_same(task):
    _, ours, theirs, _ = task
    (w,) = weights()
    c, stored = ours(w), theirs(w)
    if isinstance(c, tk.Sparse):
        assert np.array_equal(c.values, stored.nonzero_data) and np.array_equal(c.mask, stored.mask)
    else:
        assert np.array_equal(c.integers, stored.data.astype(np.int8)) and np.array_equal(
            c.scale, stored.scale
        )
