"""Joined techniques store what coremltools stores for iOS 18, in packages on disk."""

import numpy as np
import pytest

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
pytest.importorskip("torch", reason="the packages are converted from torch")

from toykit._quiet import quiet

with quiet():
    from coremltools.optimize.coreml import (
        OpLinearQuantizerConfig,
        OpMagnitudePrunerConfig,
        OpPalettizerConfig,
    )

from tests.parity.packages import LAYERS, agrees, compressed, network, stored


def prune(**options):
    return "prune_weights", OpMagnitudePrunerConfig(weight_threshold=0, **options)


def palettize(**options):
    return "palettize_weights", OpPalettizerConfig(weight_threshold=0, **options)


def quantize(**options):
    return "linear_quantize_weights", OpLinearQuantizerConfig(weight_threshold=0, **options)


def sparse(w, axis):
    return tk.prune(w, sparsity=0.7)


SCALED = {"data": "lut_codes", "scale": "lut_scale", "offset": "lut_zero_point"}
SPARSE_TABLE = {"indices_nonzero_data": "indices", "indices_mask": "mask", "lut": "lut"}
SPARSE_SCALED = {
    "constexpr_sparse_blockwise_shift_scale": {
        "nonzero_data": "codes",
        "data_mask": "mask",
        "scale": "scale",
        "offset": "zero_point",
    },
    "constexpr_sparse_to_dense": {"mask": "mask"},
}
JOINED = {
    "pruned, int8": (
        [prune(target_sparsity=0.7), quantize()],
        lambda w, axis: tk.quantize(sparse(w, axis), axis=axis),
        SPARSE_SCALED,
    ),
    "pruned, uint4 affine in blocks": (
        [
            prune(target_sparsity=0.7),
            quantize(mode="linear", dtype="uint4", granularity="per_block", block_size=16),
        ],
        lambda w, axis: tk.quantize(
            sparse(w, axis),
            bits=4,
            mode="affine",
            signed=False,
            granularity="per_block",
            block_size=16,
            axis=axis,
        ),
        SPARSE_SCALED,
    ),
    "pruned 2:4, int4": (
        [prune(n_m_ratio=(2, 4)), quantize(dtype="int4", granularity="per_tensor")],
        lambda w, axis: tk.quantize(tk.prune(w, n_m=(2, 4)), bits=4, granularity="per_tensor"),
        SPARSE_SCALED,
    ),
    "pruned, 4-bit k-means": (
        [prune(target_sparsity=0.7), palettize(nbits=4)],
        lambda w, axis: tk.palettize(sparse(w, axis), bits=4),
        {"constexpr_lut_to_sparse": SPARSE_TABLE},
    ),
    "pruned, 3-bit uniform in groups": (
        [
            prune(target_sparsity=0.7),
            palettize(nbits=3, mode="uniform", granularity="per_grouped_channel", group_size=16),
        ],
        lambda w, axis: tk.palettize(sparse(w, axis), bits=3, mode="uniform", group_size=16, axis=axis),
        {"constexpr_lut_to_sparse": SPARSE_TABLE},
    ),
    "6-bit k-means, int8 table": (
        [palettize(nbits=6), quantize(granularity="per_tensor")],
        lambda w, axis: tk.quantize(tk.palettize(w, bits=6)),
        {"constexpr_lut_to_dense": {"indices": "indices"}, "constexpr_blockwise_shift_scale": SCALED},
    ),
    "4-bit uniform, uint8 affine table": (
        [
            palettize(nbits=4, mode="uniform"),
            quantize(mode="linear", dtype="uint8", granularity="per_tensor"),
        ],
        lambda w, axis: tk.quantize(tk.palettize(w, bits=4, mode="uniform"), mode="affine", signed=False),
        {"constexpr_lut_to_dense": {"indices": "indices"}, "constexpr_blockwise_shift_scale": SCALED},
    ),
    "pruned, 4-bit k-means, int8 table": (
        [prune(target_sparsity=0.7), palettize(nbits=4), quantize(granularity="per_tensor")],
        lambda w, axis: tk.quantize(tk.palettize(sparse(w, axis), bits=4)),
        {
            "constexpr_lut_to_sparse": {"indices_nonzero_data": "indices", "indices_mask": "mask"},
            "constexpr_blockwise_shift_scale": SCALED,
        },
    ),
}


def compare(tmp_path, name):
    """Every array that either side stores, as {(layer, operation, parameter): equal or not}."""
    steps, ours, forms = JOINED[name]
    model = network()
    before = stored(model, tmp_path / "before.mlpackage")
    after = stored(compressed(model, *steps), tmp_path / "after.mlpackage")
    compared = {}
    for layer in LAYERS:
        if not any(key[:2] == (layer, form) for key in after for form in forms):
            continue  # coremltools prunes no 2:4 in transposed convolutions
        w = before[layer, "const", "val"].numpy()
        c = ours(w, 1 if layer == "conv_transpose" else 0)
        names = {(form, theirs): mine for form in forms for theirs, mine in forms[form].items()}
        theirs = {key[1:]: value for key, value in after.items() if key[0] == layer}
        assert set(theirs) == {key for key, mine in names.items() if mine in c.parts}
        assert set(c.parts) == {mine for key, mine in names.items() if key in theirs}
        for key, value in theirs.items():
            compared[layer, *key] = agrees(value, c.parts[names[key]])
    return compared


@pytest.mark.parametrize("name", JOINED)
def test_a_package_on_disk(tmp_path, name):
    compared = compare(tmp_path, name)
    assert len({layer for layer, *_ in compared}) >= 2
    assert [key for key, equal in compared.items() if not equal] == []


@pytest.mark.parametrize("name", ["pruned, int8", "pruned, 4-bit k-means", "6-bit k-means, int8 table"])
def test_what_it_decompresses_to(name):
    """coremltools' own decompression of its own package gives toykit's `dense()`."""
    import coremltools.optimize.coreml as cto

    steps, ours, _ = JOINED[name]
    model = network()
    with quiet():
        weights = cto.get_weights_metadata(model, weight_threshold=2048)
        whole = cto.get_weights_metadata(
            cto.decompress_weights(compressed(model, *steps)), weight_threshold=2048
        )
    assert len(weights) == len(whole) == 3
    for (label, w), theirs in zip(weights.items(), whole.values()):
        dense = ours(w.val, 1 if "transposed" in label else 0).dense()
        np.testing.assert_array_equal(dense, theirs.val)
