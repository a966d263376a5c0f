"""Palettes against their definition, their own promises, and bad input."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import toykit as tk
from tests.strategies import trained, weights
from toykit import bits as packing
from toykit.kmeans.tables import evenly_spaced
from toykit.palettization import as_vectors
from toykit.settings import INDEX_BITS as BITS


def test_five_by_five_by_hand():
    w = np.float16([[0.1, 0.2, 0.9], [1.1, 0.2, 1.0]])
    p = tk.palettize(w, bits=1)
    assert p.codes.tolist() == [[0, 0, 1], [1, 0, 1]]
    assert p.lut.shape == (1, 1, 2, 1)  # as many dimensions as the weights, then entries and their length
    assert p.lut.ravel().tolist() == [np.float16(0.5 / 3), 1.0]
    assert p.indices.tolist() == [0b101100]  # the first weight is the lowest bit
    assert p.nbytes == 1 + 2 * 2
    assert list(p.parts) == ["indices", "lut"]
    assert repr(p) == "Palettized(2x3, a table of 2 values, 6.7 bits a weight)"


@pytest.mark.parametrize("bits", BITS)
def test_bytes_are_indices_and_tables(bits):
    w = trained((48, 20, 3, 3))
    assert tk.palettize(w, bits).nbytes == -(-w.size * bits // 8) + 2**bits * 2
    grouped = tk.palettize(w, bits, group_size=12, axis=0)
    assert grouped.nbytes == -(-w.size * bits // 8) + 4 * 2**bits * 2
    scaled = tk.palettize(w, bits, per_channel_scale=True)
    assert scaled.nbytes == tk.palettize(w, bits).nbytes + 48 * 2
    assert tk.palettize(np.float32(w), bits).nbytes == -(-w.size * bits // 8) + 2**bits * 4


@given(weights(), st.sampled_from(BITS), st.sampled_from(("kmeans", "uniform")))
def test_dense_is_table_of_codes_and_input_is_untouched(w, bits, mode):
    before = w.copy()
    p = tk.palettize(w, bits, mode)
    assert np.array_equal(w, before)
    assert p.dense().shape == w.shape == p.shape and p.dense().dtype == p.dtype
    assert np.array_equal(p.dense(), p.lut.ravel()[p.codes])
    assert np.array_equal(packing.pack(p.codes, bits), p.indices)
    assert not p.lut.flags.writeable


@given(weights(), st.sampled_from(BITS))
def test_compressing_again_changes_nothing(w, bits):
    once = tk.palettize(w, bits).dense()
    assert np.array_equal(tk.palettize(once, bits).dense(), once)


@given(weights(), st.sampled_from(BITS), st.data())
def test_compressing_again_changes_nothing_with_groups_and_vectors(w, bits, data):
    axis = data.draw(st.integers(0, w.ndim - 1))
    sizes = [size for size in range(1, w.shape[axis] + 1) if w.shape[axis] % size == 0]
    group_size = data.draw(st.sampled_from(sizes))
    cluster_dim = data.draw(st.sampled_from([size for size in sizes if group_size % size == 0]))
    options = dict(group_size=group_size, cluster_dim=cluster_dim, axis=axis)
    once = tk.palettize(w, bits, **options)
    assert np.array_equal(tk.palettize(once.dense(), bits, **options).dense(), once.dense())
    assert once.codes.size * cluster_dim == w.size
    assert once.lut.shape[axis] == w.shape[axis] // group_size


@given(weights(dtypes=("float16",)), st.sampled_from(BITS))
def test_every_weight_has_its_nearest_entry(w, bits):
    p = tk.palettize(w, bits)
    clusters = tk.kmeans.exact(np.ascontiguousarray(w, np.float16).ravel(), 2**bits)
    distance = np.abs(np.float64(w).reshape(-1, 1) - clusters.centroids)
    chosen = distance[np.arange(w.size), p.codes.ravel()]
    assert np.all(chosen <= distance.min(axis=1))
    # The table is the centroids, rounded to float16.
    assert np.array_equal(p.lut.ravel()[: clusters.centroids.size], clusters.centroids.astype(np.float16))


@given(weights(), st.sampled_from(BITS[:-1]))
def test_error_of_kmeans_falls_with_bits(w, bits):
    w = np.float32(w)
    more = BITS[BITS.index(bits) + 1]
    fewer_error = tk.error(w, tk.palettize(w, bits)).mse
    # Entries are rounded to float32, which an error can notice when there is next to none.
    rounding = float(np.max(np.abs(w)) * 2.0**-23) ** 2
    assert tk.error(w, tk.palettize(w, more)).mse <= fewer_error * (1 + 1e-6) + rounding


def test_error_of_uniform_tables_need_not_fall():
    w = np.float32([0.0, *[1 / 3] * 50, *[2 / 3] * 50, 1.0])  # a table of 4 hits thirds, one of 8 sevenths
    assert (
        tk.error(w, tk.palettize(w, 3, "uniform")).mse > 1000 * tk.error(w, tk.palettize(w, 2, "uniform")).mse
    )


@given(weights(elements=st.floats(-100, 100, width=16)), st.sampled_from(BITS))
def test_uniform_is_evenly_spaced_and_within_half_a_step(w, bits):
    p = tk.palettize(np.float32(w), bits, "uniform")
    table = np.float64(p.lut.ravel())
    low, high = float(w.min()), float(w.max())
    step = (high - low) / (2**bits - 1)
    slack = 1e-5 * max(abs(low), abs(high))
    assert np.allclose(table, low + step * np.arange(2**bits), atol=slack)
    assert tk.error(np.float32(w), p).max_abs <= step / 2 + slack


@given(st.lists(st.sampled_from([0.0, -0.0, 0.5, -3.0, 7.0, 2.0**-24]), min_size=1, max_size=30))
def test_unique_loses_nothing_and_takes_the_fewest_bits(numbers):
    w = np.float16(numbers)
    p = tk.palettize(w, mode="unique")
    assert np.array_equal(p.dense(), w)
    assert p.bits == min(b for b in BITS if 2**b >= len(set(numbers)))
    assert p.lut.ravel()[: len(set(numbers))].tolist() == sorted(set(numbers))


def test_unique_takes_the_bits_of_the_group_that_needs_most():
    w = np.float16([[1, 1, 1, 1], [1, 2, 3, 4]])
    p = tk.palettize(w, mode="unique", group_size=1)
    assert p.bits == 2 and p.lut[0].ravel().tolist() == [1, 0, 0, 0]
    assert np.array_equal(p.dense(), w)


def test_own_table_takes_the_first_of_the_nearest():
    w = np.float16([0, 1, 1.5, 2, 9])
    p = tk.palettize(w, lut=[2.0, 0.0, 1.0, 1.0])
    assert p.bits == 2 and p.codes.tolist() == [1, 2, 0, 0, 0]  # 1.5 is halfway: 2.0 comes first
    assert tk.palettize(w, lut=[3.0, 3.0]).codes.tolist() == [0] * 5
    vectors = tk.palettize(np.float16([[0, 1], [2, 3]]), lut=[[0.0, 2.0], [1.0, 3.0]], cluster_dim=2)
    assert vectors.codes.tolist() == [[0, 1]] and vectors.dense().tolist() == [[0, 1], [2, 3]]


@given(weights(dtypes=("float16", "float32")), st.integers(0, 2**32))
def test_own_table_is_the_nearest_of_all(w, seed):
    w = np.asarray(w, w.dtype.newbyteorder("="))
    table = np.random.default_rng(seed).choice(np.append(w.ravel(), [0, 1]).astype(w.dtype), 8)
    distance = np.abs(np.float64(w)[..., None] - np.float64(table))
    assert np.array_equal(tk.palettize(w, lut=table).codes, distance.argmin(axis=-1))


def test_grouped_channels_are_separate_palettes():
    w = trained((12, 5, 3))
    for axis, size in ((0, 4), (1, 5), (1, 1), (2, 3), (-1, 1)):
        p = tk.palettize(w, 2, group_size=size, axis=axis)
        parts = np.split(w, w.shape[axis] // size, axis=axis)
        dense = np.concatenate([tk.palettize(part, 2).dense() for part in parts], axis=axis)
        assert np.array_equal(p.dense(), dense)


def test_vectors_lie_along_the_channels():
    w = np.zeros((4, 2), np.float16)
    w[:, 0], w[:, 1] = [1, 2, 1, 2], [3, 4, 1, 2]
    p = tk.palettize(w, 1, cluster_dim=2)
    assert p.codes.tolist() == [[0, 1], [0, 0]]
    assert p.lut.reshape(2, 2).tolist() == [[1, 2], [3, 4]]
    assert np.array_equal(p.dense(), w)
    across = tk.palettize(w, 2, cluster_dim=2, axis=1)
    assert across.codes.shape == (4, 1) and np.array_equal(across.dense(), w)
    assert tk.palettize(trained((64, 64)), 4, cluster_dim=4).bits_per_weight < 1.3


def test_vectors_beat_numbers_at_equal_bits_where_channels_agree():
    random = np.random.default_rng(0)
    pattern = random.normal(size=(1, 600))
    w = np.float16(np.concatenate([pattern, pattern], axis=0) + 0.01 * random.normal(size=(2, 600)))
    scalar, vector = tk.palettize(w, 2), tk.palettize(w, 4, cluster_dim=2)
    assert tk.error(w, vector).snr_db > tk.error(w, scalar).snr_db + 6


def test_scale_lets_loud_and_quiet_channels_share_a_table():
    w = trained((8, 200), dtype="float32") * 4.0 ** np.arange(8)[:, None].astype("float32")
    plain, scaled = tk.palettize(w, 4), tk.palettize(w, 4, per_channel_scale=True)
    assert scaled.scale.shape == (8, 1)
    assert np.all(np.abs(scaled.lut) <= 1)
    assert tk.error(w[0], scaled.dense()[0]).snr_db > tk.error(w[0], plain.dense()[0]).snr_db + 10
    assert tk.palettize(w, 4, per_channel_scale="across").scale.shape == (1, 200)


def test_scale_of_a_channel_of_zeros_is_one():
    w = trained((3, 50))
    w[1] = 0
    p = tk.palettize(w, 4, per_channel_scale=True)
    assert p.scale[1] == 1
    assert np.all(np.abs(p.dense()[1]) < 0.01)  # zeros are in a cluster with what is next to them


def test_sensitivities_spend_the_table_where_errors_count():
    w = trained((40, 50))
    matters = np.abs(w) > 0.1
    weighted = tk.palettize(w, 3, sensitivities=np.where(matters, 100.0, 0.01))
    plain = tk.palettize(w, 3)
    lost = [np.sum((np.float64(w) - p.dense())[matters] ** 2) for p in (weighted, plain)]
    assert lost[0] < 0.5 * lost[1]
    even = tk.palettize(w, 3, sensitivities=np.ones(w.shape))
    assert np.array_equal(even.indices, plain.indices) and np.array_equal(even.lut, plain.lut)


def test_sensitivities_of_a_group_may_all_be_zero():
    w, counts = trained((4, 50)), np.ones((4, 50))
    counts[:2] = 0
    p = tk.palettize(w, 2, group_size=2, sensitivities=counts)
    assert np.array_equal(p.dense(), tk.palettize(w, 2, group_size=2).dense())


def test_constant_weights_and_more_entries_than_values():
    constant = np.full((4, 4), 0.3, np.float16)
    for mode in ("kmeans", "uniform"):
        p = tk.palettize(constant, 8, mode)
        assert np.array_equal(p.dense(), constant)
    few = tk.palettize(np.float16([3, 1, 3, 2]), 8)
    assert few.lut.ravel()[:4].tolist() == [1, 2, 3, 0] and few.codes.tolist() == [2, 0, 2, 1]
    assert not tk.palettize(np.zeros(5, np.float16), 4, per_channel_scale=True).dense().any()


def test_uniform_where_float16_overflows_or_vanishes():
    wide = np.float16([-60000, 0, 60000])
    assert tk.palettize(wide, 8, "uniform").lut.ravel()[[0, -1]].tolist() == [-60000, 60000]
    assert tk.error(wide, tk.palettize(wide, 8, "uniform")).max_abs < 300
    tiny = np.float16([0, 2**-24, 2**-23])
    assert np.array_equal(tk.palettize(tiny, 4, "uniform").dense(), tiny)


def test_torch_tensors_are_taken():
    torch = pytest.importorskip("torch")
    w = trained((10, 20))
    assert np.array_equal(tk.palettize(torch.tensor(w), 4).dense(), tk.palettize(w, 4).dense())


@given(weights(min_dims=2, max_dims=2))
def test_the_layout_of_the_input_does_not_matter(w):
    assume(w.size > 1)
    plain = np.array(w.tolist(), np.float16 if w.dtype.itemsize == 2 else np.float32)
    assert np.array_equal(tk.palettize(w, 2).dense(), tk.palettize(plain, 2).dense())


def test_every_distinct_vector_has_its_entry():
    w = np.float16([[1, 5, 1], [2, 0, 2], [1, 1, 5], [2, 2, 0]])
    p = tk.palettize(w, mode="unique", cluster_dim=2)
    assert p.lut.reshape(-1, 2).tolist() == [[1, 2], [5, 0]]
    np.testing.assert_array_equal(p.dense(), w)


def test_groups_of_vectors_divide_their_axis():
    with pytest.raises(
        ValueError, match="must divide axis 0, which is 12 long; got 2 groups and cluster_dim=4"
    ):
        as_vectors(trained((12, 3)), 0, 2, 4)


def test_even_entries_over_more_than_the_type_holds():
    ends = np.float16(-60000), np.float16(60000)
    assert evenly_spaced(*ends, 1).tolist() == [-60000, 60000]


BAD = [
    (dict(bits=5), "bits must be one of 1, 2, 3, 4, 6, 8; got 5"),
    (dict(bits=0), "bits must be one of"),
    (dict(bits=9), "bits must be one of"),
    (dict(bits="4"), "bits must be one of"),
    (dict(mode="lloyd"), "mode must be one of 'kmeans', 'uniform', 'unique'; got 'lloyd'"),
    (dict(group_size=5), "group_size must divide the 12 channels of axis 0; got 5"),
    (dict(group_size=0), "group_size must be a whole number of at least 1; got 0"),
    (dict(group_size=24), "group_size must divide the 12 channels of axis 0; got 24"),
    (dict(cluster_dim=5), "cluster_dim must divide the 12 channels of a group; got 5"),
    (dict(cluster_dim=4, group_size=6), "cluster_dim must divide the 6 channels of a group; got 4"),
    (dict(cluster_dim=2, mode="uniform"), "cluster_dim must be 1 with mode='uniform'"),
    (dict(axis=2), "axis must be a whole number from -2 to 1; got 2"),
    (dict(mode="unique"), "at most 256 distinct values a table, these weights have"),
    (dict(mode="unique", bits=4), "bits must be left out with mode='unique'"),
    (dict(per_channel_scale="yes"), "per_channel_scale must be False, True or 'across'; got 'yes'"),
    (dict(sensitivities=np.ones(3)), r"sensitivities must have the weights' shape \(12, 300\), got \(3,\)"),
    (dict(sensitivities=-np.ones((12, 300))), "sensitivities must not be negative, got -1"),
    (dict(sensitivities=np.full((12, 300), np.nan)), "sensitivities must be finite"),
    (dict(sensitivities=np.ones((12, 300)), mode="uniform"), "sensitivities need mode='kmeans'"),
    (
        dict(lut=[1.0, 2.0, 3.0]),
        r"lut must hold 2, 4, 8, 16, 64 or 256 entries .* got an array of shape \(3,\)",
    ),
    (dict(lut=[1.0, 2.0], bits=4), "bits follows from lut: 1 for 2 entries; got 4"),
    (dict(lut=[1.0, np.inf]), "lut must be finite"),
    (dict(lut=[1.0, 1e6]), "lut must fit into the weights' type, float16"),
    (dict(lut=[1.0, 2.0], cluster_dim=2), "entries of cluster_dim = 2 values"),
]


@pytest.mark.parametrize(
    "options, message", BAD, ids=[str(list(options.items())[:2])[:40] for options, _ in BAD]
)
def test_bad_options_say_what_is_allowed(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tk.palettize(trained((12, 300)), **options)


@pytest.mark.parametrize(
    "bad, message",
    [
        (np.float16([1, np.nan]), "finite, got nan at"),
        (np.float16([1, -np.inf]), "finite, got -inf at"),
        (np.zeros((0, 3), np.float16), "at least one weight"),
        (np.float16(1), "a single number"),
        (np.arange(4), "float16, float32 or float64, got int(64|32)"),
        (np.ones(3, complex), "complex128"),
    ],
    ids=["nan", "inf", "empty", "scalar", "int", "complex"],
)
def test_bad_weights_say_what_is_allowed(bad, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tk.palettize(bad)
