"""Pruning against definitions written as loops, and against its own promises."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import toykit as tk
from tests.strategies import trained, weights
from toykit.pruning import Magnitudes

SHARES = st.sampled_from((0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)) | st.floats(0, 1)


def kept_by_threshold(w, threshold):
    return np.abs(w) > w.dtype.type(threshold)


def norms_by_loop(w, block_size, dim):
    """The norm of each weight's block in float64, one block after the other."""
    w = np.moveaxis(w.astype(np.float64), dim, 0)
    norms = np.empty_like(w)
    for start in range(0, len(w), block_size):
        block = slice(start, start + block_size)
        norms[block] = np.sqrt(np.sum(w[block] ** 2, axis=0))
    return np.moveaxis(norms, 0, dim)


def kept_in_groups_by_loop(w, n, m, dim):
    """Sort each group by size, ties by place, and drop the first n; a short group is filled with zeros."""
    kept = np.zeros(w.shape, bool)
    rest = [range(size) for axis, size in enumerate(w.shape) if axis != dim]
    for others in itertools.product(*rest):
        for start in range(0, w.shape[dim], m):
            places = range(start, min(start + m, w.shape[dim]))
            index = [(*others[:dim], place, *others[dim:]) for place in places]
            fill = m - len(index)
            order = sorted(index, key=lambda i: (abs(w[i]), i[dim]))
            nonzero = [i for i in order if w[i] != 0]
            dropped = n - fill - (len(order) - len(nonzero))
            for i in nonzero[max(dropped, 0) :]:
                kept[i] = True
    return kept


def test_five_by_five_by_hand():
    w = np.float16([[0.1, -0.9, 0.2, 0.8], [0.3, 0.7, -0.4, 0.6]])
    c = tk.prune(w, sparsity=0.5)
    assert c.dense().tolist() == np.where(np.abs(w) > 0.5, w, 0).tolist()
    assert c.values.tolist() == w[np.abs(w) > 0.5].tolist()
    assert c.mask.tolist() == [0b10101010]  # the first weight is the lowest bit
    assert c.nbytes == 4 * 2 + 1
    assert list(c.parts) == ["values", "mask"]
    assert repr(c) == "Sparse(2x4, 50.0 % zero, 9.0 bits a weight)"


def test_half_of_the_weights_cost_nine_bits():
    c = tk.prune(trained((64, 3, 3, 3)), sparsity=0.5)
    assert c.bits_per_weight == pytest.approx(9, abs=0.1)
    assert c.compression_factor == pytest.approx(16 / 9, abs=0.02)


@given(weights(), SHARES)
def test_sparsity_keeps_the_largest_and_at_most_the_share_it_promises(w, share):
    before = w.copy()
    c = tk.prune(w, sparsity=share)
    w = tk.prune(w, sparsity=0).dense()  # row-major, native, as it is stored
    dense = c.dense()
    assert dense.shape == c.shape == before.shape and dense.dtype == c.dtype == w.dtype
    np.testing.assert_array_equal(dense[c.kept], w[c.kept])
    assert not dense[~c.kept].any() and dense[c.kept].all()
    assert c.sparsity == np.mean(dense == 0)
    if c.kept.any() and not c.kept.all():
        assert np.abs(w[c.kept]).min() > np.abs(w[~c.kept]).max()
    assert np.sum(~c.kept) >= int(share * (w.size - 1)) + (share > 0)
    np.testing.assert_array_equal(before, w.astype(before.dtype))


@given(st.integers(1, 300), st.data())
def test_sparsity_is_exact_where_nothing_ties(size, data):
    """At a rank that is whole, the weights up to that rank go and no others."""
    rank = data.draw(st.integers(1, size))
    w = np.random.default_rng(size).permutation(np.arange(1.0, size + 2))
    kept = tk.prune(w, sparsity=rank / size).kept
    np.testing.assert_array_equal(kept, w > rank + 1 if rank < size else np.zeros(w.size, bool))


@given(weights(elements=st.floats(-2, 2, width=16)), st.floats(0, 3))
def test_threshold(w, threshold):
    c = tk.prune(w, threshold=threshold)
    w = tk.prune(w, sparsity=0).dense()
    np.testing.assert_array_equal(c.kept, kept_by_threshold(w, threshold) & (w != 0))


def test_threshold_is_taken_in_the_type_of_the_weights():
    assert tk.prune(np.float16([0.1]), threshold=0.1).sparsity == 1
    assert tk.prune(np.float32([0.1]), threshold=0.1).sparsity == 1
    assert tk.prune(np.float16([60000]), threshold=1e9).sparsity == 1


@given(weights(min_dims=2, max_side=9, elements=st.floats(-8, 8, width=16)), st.data())
def test_blocks_go_together(w, data):
    dim = data.draw(st.sampled_from([d for d in (0, 1) if w.shape[d] >= 4] or [None]))
    assume(dim is not None)
    size = data.draw(st.integers(2, w.shape[dim] // 2))
    c = tk.prune(w, sparsity=data.draw(SHARES), block_size=size, dim=dim)
    w = tk.prune(w, sparsity=0).dense()
    norms = norms_by_loop(w, size, dim)
    kept, zeroed = norms[c.kept], norms[~c.kept & (w != 0)]
    if kept.size and zeroed.size:  # as precise as the type of the weights
        assert kept.min() >= zeroed.max() * (1 - 4 * size * np.finfo(w.dtype).eps) - 1e-3


@pytest.mark.parametrize("size", [1e-4, 2e-6, 5000, 30000])
@pytest.mark.parametrize("dim", [0, 1])
def test_blocks_whose_squares_leave_float16(size, dim):
    w = trained((64, 64), seed=3, dtype="float64")
    w = (w / np.abs(w).max() * size).astype(np.float16)
    c = tk.prune(w, sparsity=0.5, block_size=4, dim=dim)
    norms = norms_by_loop(w, 4, dim)
    np.testing.assert_array_equal(c.kept, (norms > np.percentile(norms, 50)) & (w != 0))


def test_blocks_of_tiny_weights_are_kept_at_sparsity_0():
    w = np.full((8, 8), 1e-6, np.float16)
    assert tk.prune(w, sparsity=0, block_size=2).sparsity == 0


@given(
    weights(min_dims=2, max_dims=4, max_side=9, elements=st.sampled_from((0, 1, -1, 2, -2, 3.5))), st.data()
)
def test_n_of_m_with_many_ties(w, data):
    dim = data.draw(st.sampled_from([d for d in (0, 1) if w.shape[d] >= 2] or [None]))
    assume(dim is not None)
    m = data.draw(st.integers(1, w.shape[dim] // 2))
    n = data.draw(st.integers(1, m))
    c = tk.prune(w, n_m=(n, m), dim=dim)
    w = tk.prune(w, sparsity=0).dense()
    np.testing.assert_array_equal(c.kept, kept_in_groups_by_loop(w, n, m, dim))


def test_two_of_four_by_hand():
    w = np.float32([[1, 2, 3, 4, -8, -7, -6, 5]])
    assert tk.prune(w, n_m=(2, 4)).dense().tolist() == [[0, 0, 3, 4, -8, -7, 0, 0]]
    assert tk.prune(w.T, n_m=(2, 4), dim=0).dense().T.tolist() == [[0, 0, 3, 4, -8, -7, 0, 0]]


def test_n_of_m_in_groups_of_more_than_255():
    w = np.arange(1, 1201, dtype=np.float32).reshape(2, 600)
    c = tk.prune(w, n_m=(299, 300))
    assert c.values.tolist() == [300, 600, 900, 1200]


@given(weights(min_dims=2, max_side=9), st.data())
def test_pruning_what_is_pruned_changes_nothing(w, data):
    options = [{"sparsity": data.draw(SHARES)}, {"threshold": data.draw(st.floats(0, 100))}]
    options += [{"n_m": (1, 2), "dim": d} for d in (0, 1) if w.shape[d] >= 4]
    for option in options:
        c = tk.prune(w, **option)
        again = tk.prune(c.dense(), **option)
        np.testing.assert_array_equal(again.values, c.values)
        np.testing.assert_array_equal(again.mask, c.mask)


def test_ties_all_go():
    assert tk.prune(np.float16([1, 1, 1, 2]), sparsity=0.25).sparsity == 0.75
    assert tk.prune(np.full(9, 0.5, np.float16), sparsity=0.1).sparsity == 1
    assert tk.prune(np.full(9, 0.5, np.float16), sparsity=0).sparsity == 0


def test_sparsity_0_stores_no_zeros_and_1_stores_nothing_else():
    w = np.float16([0.0, -0.0, 1.0, 6e-8])
    c = tk.prune(w, sparsity=0)
    assert c.values.tolist() == w[2:].tolist() and c.mask.tolist() == [0b1100]
    everything = tk.prune(w, sparsity=1)
    assert everything.values.size == 0 and everything.nbytes == 1
    assert everything.dense().tolist() == [0, 0, 0, 0]
    assert repr(everything) == "Sparse(4, 100.0 % zero, 2.0 bits a weight)"


@pytest.mark.parametrize("share", [5e-324, 1e-9, 0.3, 1 - 1e-9, np.nextafter(1, 0)])
def test_one_weight_and_shares_next_to_the_ends(share):
    assert tk.prune([0.5], sparsity=share).sparsity == 1  # it ties with its own percentile
    assert tk.prune([0.5, 1.0, 2.0], sparsity=share).kept[0] == False  # noqa: E712 - a bool of NumPy is not False itself


W = np.ones((8, 8), np.float32)


@pytest.mark.parametrize(
    "options, kind, message",
    [
        (
            {"sparsity": -0.1},
            ValueError,
            "sparsity must be between 0 and 1, the share of weights to zero; got -0.1",
        ),
        ({"sparsity": 1.2}, ValueError, "got 1.2"),
        ({"sparsity": 50}, ValueError, "got 50. For 50 %, pass 0.5"),
        ({"sparsity": "50%"}, TypeError, "got '50%'. For 50 %, pass 0.5"),
        ({}, ValueError, "give one of sparsity, threshold and n_m; got none of them"),
        ({"sparsity": 0.5, "threshold": 1}, ValueError, "got sparsity and threshold"),
        ({"threshold": -1}, ValueError, "threshold must be a number of at least 0; got -1"),
        ({"threshold": np.nan}, ValueError, "got nan"),
        ({"threshold": "1"}, TypeError, "got '1'"),
        ({"block_size": 2}, ValueError, "give one of"),
        ({"threshold": 1, "block_size": 2}, ValueError, "block_size goes with sparsity"),
        ({"sparsity": 0.5, "dim": 0}, ValueError, "dim is the axis of block_size or n_m"),
        (
            {"sparsity": 0.5, "block_size": 1},
            ValueError,
            "block_size must be a whole number of at least 2; got 1",
        ),
        (
            {"sparsity": 0.5, "block_size": 5},
            ValueError,
            "block_size must take at most half of axis 0, which is 8 long; got 5",
        ),
        ({"sparsity": 0.5, "block_size": 2, "dim": 2}, ValueError, "dim must be one of 0, 1; got 2"),
        ({"n_m": (3, 2)}, ValueError, "n of n_m must be a whole number from 1 to 2; got 3"),
        ({"n_m": (2, 5)}, ValueError, "n_m must take at most half of axis 1, which is 8 long; got 5"),
        ({"n_m": 2}, TypeError, "n_m must be two whole numbers, zero n of each m; got 2"),
        ({"n_m": (0.5, 4)}, TypeError, "n of n_m must be a whole number from 1 to 4, got 0.5"),
    ],
)
def test_bad_options_are_named(options, kind, message):
    with pytest.raises(kind, match=message):
        tk.prune(W, **options)


@pytest.mark.parametrize(
    "w, options, message",
    [
        (W[0], {"sparsity": 0.5, "block_size": 2}, "block_size needs weights of 2 to 5 dimensions, got 1"),
        (W[0], {"n_m": (2, 4)}, "n_m needs weights of 2 to 5 dimensions, got 1"),
        (
            W[:3],
            {"sparsity": 0.5, "block_size": 2},
            "block_size must take at most half of axis 0, which is 3 long; got 2",
        ),
        (W[:, :1], {"n_m": (1, 2)}, "n_m must take at most half of axis 1, which is 1 long; got 2"),
    ],
)
def test_axes_too_short_are_named(w, options, message):
    with pytest.raises(ValueError, match=message):
        tk.prune(w, **options)


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf], [], 1.5, np.arange(3), np.zeros(2, complex)])
def test_bad_weights_are_refused(bad):
    with pytest.raises((TypeError, ValueError), match="weights must"):
        tk.prune(bad, sparsity=0.5)


@given(w=weights(), data=st.data())
def test_magnitudes_are_those_of_the_sorted_weights(w, data):
    magnitudes, ordered = Magnitudes(lambda: w, w.size, w.dtype), np.sort(np.abs(w).astype(np.float64), None)
    ranks = data.draw(st.lists(st.integers(0, w.size - 1), min_size=1, max_size=3))
    assert magnitudes.at(ranks).tolist() == ordered[ranks].tolist()
    for threshold in (w.dtype.type(0), magnitudes.at(ranks)[0], w.dtype.type(np.inf)):
        assert magnitudes.count_above(threshold) == np.count_nonzero(ordered > float(threshold))
        left, ends = w[np.abs(w) > threshold], magnitudes.ends_above(threshold)
        if ends is not None:
            assert ends == (left.min(), left.max(), np.unique(left.astype(np.float64)).size)
