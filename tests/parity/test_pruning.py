"""Pruning stores what coremltools stores, array by array and in a package on disk."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import toykit as tk
from tests.parity.cases import Case, arrays, differences
from tests.strategies import trained, weights

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from toykit._quiet import quiet

with quiet():
    from coremltools.optimize.coreml import OpMagnitudePrunerConfig, OpThresholdPrunerConfig
    from coremltools.optimize.coreml._quantization_passes import prune_weights


def ours(w, **options):
    return dict(tk.prune(w, **options).parts)


def theirs(compress, w, *args, **options):
    with quiet():
        stored = compress(w, *args, **options)
    return {"values": stored.nonzero_data, "mask": stored.mask}


def case(option, their_function, their_options, exception="", **our_options):
    return Case(
        "prune",
        option,
        partial(ours, **our_options),
        lambda w: theirs(their_function, w, **their_options),
        exception,
    )


def by_magnitude(share, exception="", **options):
    label = ", ".join(f"{name}={value}" for name, value in {"sparsity": share, **options}.items())
    return case(
        label,
        prune_weights.compress_by_magnitude,
        {"target_sparsity": share, **options},
        exception,
        sparsity=share,
        **options,
    )


BLOCKS = "squares outside float16 are added in float64: test_blocks_of_tiny_and_of_huge_weights"
TIES = "ties go to the first: test_ties_inside_a_group"
CASES = [
    *map(by_magnitude, (0, 0.07, 0.1, 0.3, 0.5, 0.7, 0.75, 0.9, 0.99, 1)),
    *(
        case(
            f"threshold={threshold}",
            prune_weights.compress_by_threshold,
            {"threshold": threshold, "minimum_sparsity_percentile": 0},
            threshold=threshold,
        )
        for threshold in (0, 1e-12, 0.01, 0.1, 1e9)
    ),
    *(
        by_magnitude(share, BLOCKS, block_size=size, dim=dim)
        for dim in (0, 1)
        for size in (2, 3, 4)
        for share in (0, 0.5, 0.9, 1)
    ),
    *(
        case(
            f"n_m={n_m}, dim={dim}",
            prune_weights.compress_by_nm_sparsity,
            {"n_m_ratio": n_m, "dim": dim},
            TIES,
            n_m=n_m,
            dim=dim,
        )
        for dim in (0, 1)
        for n_m in ((1, 2), (1, 3), (2, 4), (3, 4), (4, 4))
    ),
]


def usable(case, label, w):
    """Equal weights have no order in coremltools' n:m, and rounded weights are often equal."""
    return not ("n_m" in case.option and ("rounded" in label or "zeros" in label))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_option_on_every_array(case):
    for label, w in arrays():
        if not usable(case, label, w):
            continue
        assert differences(case, w) == [], label


@given(weights(dtypes=("float16", "float32"), elements=st.floats(-100, 100, width=16)), st.floats(0, 1))
def test_random_arrays_and_shares(w, share):
    native = np.ascontiguousarray(w, w.dtype.newbyteorder("="))
    assert differences(by_magnitude(share), native) == []


@given(
    weights(dtypes=("float16", "float32"), min_dims=2, max_side=12, elements=st.floats(1, 8, width=16)),
    st.data(),
)
def test_random_arrays_in_blocks(w, data):
    dim = data.draw(st.sampled_from([d for d in (0, 1) if w.shape[d] >= 4] or [None]))
    assume(dim is not None)
    size = data.draw(st.integers(2, w.shape[dim] // 2))
    native = np.ascontiguousarray(w, w.dtype.newbyteorder("="))
    assert differences(by_magnitude(data.draw(st.floats(0, 1)), block_size=size, dim=dim), native) == []


def test_blocks_of_tiny_and_of_huge_weights():
    """There coremltools' squares are 0 or infinite, and it zeroes what is large or keeps what is small."""
    for size in (1e-5, 3e4):
        w = (size * trained((64, 32), dtype="float64") / 0.6).astype(np.float16)
        norms = np.sqrt(np.sum(np.square(w.reshape(32, 2, 32).astype(float)), axis=1)).repeat(2, axis=0)
        right = (norms > np.median(norms)) & (w != 0)
        assert np.array_equal(tk.prune(w, sparsity=0.5, block_size=2).kept, right)
        with np.errstate(all="ignore"):
            mask = theirs(prune_weights.compress_by_magnitude, w, 0.5, 2, 0)["mask"]
        assert not np.array_equal(np.unpackbits(mask, bitorder="little").reshape(w.shape), right)


def test_ties_inside_a_group():
    """numpy.argsort need not keep the order of equal weights, and coremltools does not ask it to."""
    w = np.full((2, 64), 0.5, np.float32)
    expected = np.tile([0.0] * 16 + [0.5] * 16, (2, 2))
    assert np.array_equal(tk.prune(w, n_m=(16, 32)).dense(), expected)
    stored = theirs(prune_weights.compress_by_nm_sparsity, w, (16, 32), 1)
    assert stored["values"].size == 64  # as many, but which of them depends on the machine


HALF = OpMagnitudePrunerConfig(target_sparsity=0.5, weight_threshold=0)
SMALL = OpThresholdPrunerConfig(threshold=0.05, weight_threshold=0)
BLOCK = OpMagnitudePrunerConfig(target_sparsity=0.5, block_size=4, dim=1, weight_threshold=0)
PAIRS = OpMagnitudePrunerConfig(n_m_ratio=(2, 4), weight_threshold=0)


@pytest.mark.parametrize(
    "target, precision, config, options",
    [
        ("iOS16", "float16", HALF, {"sparsity": 0.5}),
        ("iOS18", "float16", HALF, {"sparsity": 0.5}),
        ("iOS18", "float32", HALF, {"sparsity": 0.5}),
        ("iOS18", "float16", SMALL, {"threshold": 0.05}),
        ("iOS18", "float16", BLOCK, {"sparsity": 0.5, "block_size": 4, "dim": 1}),
        ("iOS18", "float16", PAIRS, {"n_m": (2, 4)}),
    ],
)
def test_a_package_on_disk(tmp_path, target, precision, config, options):
    from tests.parity.packages import LAYERS, agrees, compressed, network, stored

    model = network(target, precision)
    before = stored(model, tmp_path / "before.mlpackage")
    after = stored(compressed(model, ("prune_weights", config)), tmp_path / "after.mlpackage")
    pruned = 0
    for layer in LAYERS:
        if (layer, "const", "val") in after:
            continue  # coremltools prunes no blocks and no n:m in transposed convolutions
        c = tk.prune(before[layer, "const", "val"].numpy(), **options)
        assert agrees(after[layer, "constexpr_sparse_to_dense", "nonzero_data"], c.values)
        assert agrees(after[layer, "constexpr_sparse_to_dense", "mask"], c.mask)
        pruned += 1
    assert pruned >= 2
