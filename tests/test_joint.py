"""Joined techniques: what is stored, what comes back, and what cannot be joined."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import toykit as tk
from tests.strategies import trained, weights

W = trained((32, 16, 3, 3))
PRUNED = tk.prune(W, sparsity=0.7)


def test_pruned_and_quantized_by_hand():
    w = np.float32([[0.1, -127, 0, 5.4], [2.0, 0.2, 0.0, -254]])
    c = tk.quantize(tk.prune(w, threshold=1))
    assert isinstance(c, tk.Quantized)
    assert {name: part.tolist() for name, part in c.parts.items()} == {
        "codes": [-127, 5, 1, -127],
        "scale": [[1.0], [2.0]],
        "mask": [0b10011010],
    }
    assert c.dense().tolist() == [[0, -127, 0, 5], [2, 0, 0, -254]]
    assert c.nbytes == 4 + 8 + 1
    assert repr(c) == "Quantized(2x4, 50.0 % zero, the rest int8, 13.0 bits a weight)"


@given(weights(elements=st.floats(-60, 60, width=16)), st.floats(0, 1), st.data())
def test_pruned_weights_keep_their_zeros_and_quantize_like_the_rest(w, share, data):
    pruned = tk.prune(w, sparsity=share)
    options = {
        "bits": data.draw(st.integers(2, 8)),
        "mode": data.draw(st.sampled_from(("symmetric", "affine"))),
        "granularity": data.draw(st.sampled_from(("per_tensor", "per_channel"))),
        "signed": data.draw(st.booleans()),
    }
    c = tk.quantize(pruned, **options)
    whole = tk.quantize(pruned.dense(), **options)
    np.testing.assert_array_equal(c.dense(), np.where(pruned.kept, whole.dense(), 0))
    assert c.dtype == pruned.dtype and c.shape == pruned.shape
    count = np.count_nonzero(pruned.kept)
    assert c.parts["codes"].nbytes == -(count * options["bits"] // -8)
    np.testing.assert_array_equal(c.mask, pruned.mask)


@given(weights(elements=st.sampled_from((-2, -1, -0.5, 0, 0.25, 1, 3))), st.data())
def test_pruned_weights_of_few_values_palettize_without_loss(w, data):
    pruned = tk.prune(w, sparsity=data.draw(st.sampled_from((0, 0.3, 0.8, 1))))
    c = tk.palettize(pruned, bits=data.draw(st.sampled_from((3, 4, 8))))
    np.testing.assert_array_equal(c.dense(), pruned.dense())


def test_pruned_and_palettized():
    c = tk.palettize(PRUNED, bits=4)
    whole = tk.palettize(PRUNED.dense(), bits=4)
    assert isinstance(c, tk.Palettized)
    np.testing.assert_array_equal(c.lut, whole.lut)
    np.testing.assert_array_equal(c.dense(), np.where(PRUNED.kept, whole.dense(), 0))
    assert c.nbytes == PRUNED.mask.nbytes + -(PRUNED.values.size // -2) + 32
    assert repr(c) == "Palettized(32x16x3x3, 70.0 % zero, the rest one of 16 values, 2.3 bits a weight)"


def test_pruned_and_palettized_in_groups_along_either_axis():
    for axis, groups in ((0, (4, 1, 1, 1)), (1, (1, 2, 1, 1))):
        c = tk.palettize(PRUNED, bits=2, mode="uniform", group_size=8, axis=axis)
        assert c.lut.shape == (*groups, 4, 1)
        whole = tk.palettize(PRUNED.dense(), bits=2, mode="uniform", group_size=8, axis=axis)
        np.testing.assert_array_equal(c.dense(), np.where(PRUNED.kept, whole.dense(), 0))


def test_a_quantized_table():
    palette = tk.palettize(W, bits=6)
    c = tk.quantize(palette)
    assert isinstance(c, tk.Palettized)
    assert list(c.parts) == ["indices", "lut_codes", "lut_scale"]
    assert c.nbytes == palette.nbytes - 64 * 2 + 64 + 2
    table = tk.quantize(palette.lut.ravel(), granularity="per_tensor").dense()
    np.testing.assert_array_equal(c.dense(), table[palette.codes])
    assert c.lut.shape == palette.lut.shape and c.lut.scale.ndim == palette.lut.ndim
    assert repr(c).startswith("Palettized(32x16x3x3, a table of 64 int8 values, 6.1 bits")


@pytest.mark.parametrize(
    "options", [{"bits": 4}, {"mode": "affine"}, {"bits": 4, "mode": "affine", "signed": False}]
)
def test_a_table_quantized_in_other_ways(options):
    palette = tk.palettize(W, bits=4, mode="uniform", group_size=16)
    c = tk.quantize(palette, **options)
    table = tk.quantize(palette.lut.ravel(), granularity="per_tensor", **options).dense()
    np.testing.assert_array_equal(c.lut.dense(), table.reshape(palette.lut.shape))


def test_a_quantized_table_of_vectors_and_of_scaled_channels():
    for options in ({"cluster_dim": 2}, {"per_channel_scale": True}):
        palette = tk.palettize(W[:, :, 0, 0], bits=2, **options)
        c = tk.quantize(palette)
        assert c.shape == palette.shape and tk.error(palette.dense(), c).snr_db > 30


def test_all_three():
    c = tk.quantize(tk.palettize(PRUNED, bits=4), mode="affine")
    assert isinstance(c, tk.Palettized)
    assert list(c.parts) == ["indices", "lut_codes", "lut_scale", "lut_zero_point", "mask"]
    assert not c.dense()[~PRUNED.kept].any()
    assert tk.error(tk.palettize(PRUNED, bits=4).dense(), c).snr_db > 30
    assert "one of 16 int8 values" in repr(c)


@pytest.mark.parametrize(
    "join", [tk.quantize, lambda c: tk.palettize(c, bits=1)], ids=["quantize", "palettize"]
)
def test_weights_that_are_all_zero_or_all_there(join):
    nothing = join(tk.prune(W, sparsity=1))
    assert not nothing.dense().any() and nothing.mask.nbytes == W.size / 8
    everything = tk.prune(W, sparsity=0)
    assert np.count_nonzero(everything.kept) == np.count_nonzero(W)
    np.testing.assert_array_equal(join(everything).dense()[W == 0], 0)


@given(weights(min_dims=2, elements=st.floats(-8, 8, width=16)))
def test_joining_again_changes_nothing(w):
    pruned = tk.prune(w, sparsity=0.5)
    once = tk.quantize(pruned, granularity="per_tensor", bits=8)
    smallest = np.abs(pruned.values).min(initial=np.inf)
    # a survivor smaller than half a step becomes 0, and the next pruning does not store it again
    assume(smallest > once.scale.item() and once.scale.item() > 2**-14)
    again = tk.quantize(tk.prune(once.dense(), sparsity=0), granularity="per_tensor", bits=8)
    for name, part in once.parts.items():
        if name != "scale":
            np.testing.assert_array_equal(again.parts[name], part)


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (
            lambda: tk.quantize(tk.quantize(W)),
            TypeError,
            r"got Quantized\(32x16x3x3, int8.*Its dense\(\) is an array",
        ),
        (lambda: tk.quantize(tk.quantize(tk.palettize(W))), TypeError, "got Palettized"),
        (lambda: tk.quantize(tk.quantize(PRUNED)), TypeError, "got Quantized"),
        (lambda: tk.palettize(tk.quantize(W)), TypeError, r"got Quantized\(.*Its dense\(\) is an array"),
        (lambda: tk.palettize(tk.palettize(W)), TypeError, "got Palettized"),
        (lambda: tk.prune(PRUNED, sparsity=0.9), TypeError, "weights must be an array; got Sparse"),
        (
            lambda: tk.quantize(tk.palettize(W), granularity="per_channel"),
            ValueError,
            "granularity must be 'per_tensor' for the table of a palette; got 'per_channel'",
        ),
        (
            lambda: tk.palettize(PRUNED, cluster_dim=2),
            ValueError,
            "cluster_dim must be 1 for pruned weights; got 2",
        ),
        (
            lambda: tk.palettize(PRUNED, per_channel_scale=True),
            ValueError,
            "per_channel_scale must be False for pruned weights; got True",
        ),
        (lambda: tk.quantize(PRUNED, bits=9), ValueError, "bits must be a whole number from 1 to 8; got 9"),
        (lambda: tk.palettize(PRUNED, bits=5), ValueError, "bits must be one of 1, 2, 3, 4, 6, 8; got 5"),
    ],
)
def test_what_cannot_be_joined_is_named(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_the_techniques_need_numpy_alone():
    program = (
        "import sys, toykit as tk\n"
        "w = [[0.1, 2.0], [-0.5, 0.3]]\n"
        "tk.error(w, tk.quantize(tk.prune(w, sparsity=0.5)))\n"
        "tk.error(w, tk.quantize(tk.palettize(w, bits=1, mode='uniform')))\n"
        "heavy = {'torch', 'coremltools', 'matplotlib', 'ipywidgets', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
