"""k-means against the plain O(k m**2) programme in fractions, against scikit-learn, and its promises."""

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toykit import kmeans
from toykit.kmeans import blocks, lagrangian, loops, vectors
from toykit.kmeans.dynamic_programming import RunCosts, running_sum
from toykit.kmeans.vectors import cluster_vectors, nearest_vector, plus_plus

# "machine code" is the multiplier, too, as after many tables.
METHODS = ("multiplier", "machine code", "layers")


def exact(values, k, weights=None, method="multiplier"):
    """`kmeans.exact`, which chooses between NumPy and machine code by how much there is to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lagrangian, "MANY", -1 if method == "machine code" else np.inf)
        return kmeans.exact(values, k, weights, "layers" if method == "layers" else "multiplier")


def least_costs(values, weights=None):
    """The least cost for k = 1, 2, ..., by the definition, without any rounding."""
    mass = {}
    for value, weight in zip(values, np.ones(len(values)) if weights is None else weights, strict=True):
        mass[Fraction(float(value))] = mass.get(Fraction(float(value)), 0) + Fraction(float(weight))
    levels = [(level, weight) for level, weight in sorted(mass.items()) if weight]
    m = len(levels)
    cost = {}
    for start in range(m):
        s0 = s1 = s2 = Fraction(0)
        for stop in range(start + 1, m + 1):
            level, weight = levels[stop - 1]
            s0, s1, s2 = s0 + weight, s1 + weight * level, s2 + weight * level**2
            cost[start, stop] = s2 - s1**2 / s0
    best = [cost[0, stop] for stop in range(1, m + 1)]
    answers = [best[-1]]
    for runs in range(2, m + 1):
        best = [
            min(best[i - 1] + cost[i, j] for i in range(runs - 1, j)) if j >= runs else None
            for j in range(1, m + 1)
        ]
        answers.append(best[-1])
    return [float(answer) for answer in answers]


def resolution(values, weights=None):
    """What float64 can tell apart: a rounding of the sum of squares around the median, see `kmeans.exact`."""
    order = np.argsort(values, kind="stable")
    levels = np.asarray(values, np.float64)[order]
    mass = np.ones(levels.size) if weights is None else np.asarray(weights, np.float64)[order]
    median = levels[np.searchsorted(np.cumsum(mass), mass.sum() / 2)]
    return np.finfo(np.float64).eps * np.sum(mass * (levels - median) ** 2)


def assert_optimal(values, weights=None, relative=1e-9):
    want = least_costs(values, weights)
    finest = max(resolution(values, weights), 1e-300)
    for k in range(1, len(want) + 2):
        for method in METHODS:
            got = exact(values, k, weights, method)
            least = want[min(k, len(want)) - 1]
            assert got.cost == pytest.approx(least, rel=relative, abs=finest), (method, k)
            assert len(got.centroids) == min(k, len(want))


@given(
    st.lists(st.integers(-8, 8), min_size=1, max_size=14),
    st.sampled_from((1, 0.125, 1000.0)),
)
def test_exact_is_optimal_on_a_lattice_full_of_ties(numbers, spacing):
    assert_optimal(np.float32(numbers) * np.float32(spacing))


@given(st.lists(st.floats(-60000, 60000, width=16), min_size=1, max_size=12), st.data())
def test_exact_is_optimal_for_any_float16_and_weights(numbers, data):
    values = np.float16(numbers)
    weights = data.draw(
        st.lists(st.sampled_from((0, 1, 0.25, 3, 1000)), min_size=values.size, max_size=values.size)
    )
    if any(weights):
        assert_optimal(values, np.array(weights))


def test_exact_beside_a_weight_that_outweighs_everything():
    """Three values within 1e-4, and a thousand times 4100: the cost among the three is 1e-19 of all squares."""
    values, weights = np.float16([0, 6.104e-05, 1e-4, 4100]), np.array([1.0, 3, 1, 1000])
    assert_optimal(values, weights)
    assert_optimal(values[:3], weights[:3])


@pytest.mark.parametrize(
    "values",
    [
        np.arange(24.0),  # equally spaced: the curve of costs is made of long straight edges
        np.repeat(np.arange(8.0), 3) + np.tile([0, 1e-3, 2e-3], 8),  # triples: nothing between 8 and 24
        2.0 ** np.arange(20),
        np.r_[np.linspace(0, 1e-3, 9), 5e4],  # an outlier that all but hides the rest
        1000 + np.arange(12) / 64,  # a small spread far from zero
        np.float64([1e-200, 2e-200, 7e-200, 9e-200]),
        np.float64([0, 1e-160, 2e-160, 1]),  # no price, however low, sets the first three apart
        np.float32([1, 1 + 2**-23, 1 + 2**-22, 2]),
        np.float64([5.0]),
        np.float64([-0.0, 0.0, -0.0]),
    ],
    ids=["spaced", "triples", "powers", "outlier", "far", "tiny", "vanishing", "neighbours", "one", "zeros"],
)
def test_exact_is_optimal_where_searches_go_wrong(values):
    assert_optimal(values)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("name", ["normal", "student", "laplace", "mixture", "lattice"])
def test_the_two_methods_find_the_same_cost(name, bits):
    random = np.random.default_rng(bits)
    values = {
        "normal": random.normal(size=6000),
        "student": random.standard_t(2, 6000),
        "laplace": np.r_[random.laplace(size=6000), 900, -4000],
        "mixture": np.r_[random.normal(-1, 0.01, 3000), random.normal(2, 0.3, 3000)],
        "lattice": random.integers(-200, 200, 6000) / 64,
    }[name].astype(np.float16)
    fast = exact(values, 2**bits)
    for method in ("machine code", "layers"):
        other = exact(values, 2**bits, method=method)
        assert fast.cost == pytest.approx(other.cost, rel=1e-12)
    assert np.sum((values - fast.centroids[fast.labels]) ** 2) == pytest.approx(fast.cost, rel=1e-9)


@pytest.mark.parametrize("k", [2, 16, 256])
@pytest.mark.parametrize("spread", [1e-3, 0.02, 1, 100])
def test_numpy_and_machine_code_find_the_same_table_to_the_bit(spread, k):
    pytest.importorskip("numba")
    values = (np.random.default_rng(k).standard_t(5, 40_000) * spread).astype(np.float16)
    for weights in (None, np.random.default_rng(1).uniform(0, 3, values.size)):
        slow, fast = exact(values, k, weights), exact(values, k, weights, "machine code")
        assert slow.centroids.tolist() == fast.centroids.tolist() and slow.cost == fast.cost
        assert np.array_equal(slow.labels, fast.labels)


@given(st.integers(0, 10**6), st.integers(3, 40), st.integers(2, 12))
def test_of_equally_cheap_partitions_machine_code_finds_the_same(seed, steps, k):
    """Whole numbers and their mirror image: every partition that is not its own mirror image has a twin."""
    pytest.importorskip("numba")
    half = np.random.default_rng(seed).integers(0, steps, 400)
    values = np.concatenate([half, steps - 1 - half]).astype(np.float16)
    assert np.array_equal(exact(values, k).labels, exact(values, k, method="machine code").labels)


def test_machine_code_is_loaded_after_many_tables_only():
    program = """
import sys
import numpy as np
from toykit import kmeans
from toykit.kmeans import lagrangian
values = np.random.default_rng(0).normal(size=300).astype(np.float16)
lagrangian.MANY = 3
for table in range(3):
    kmeans.exact(values, 16)
print("numba" in sys.modules)
kmeans.exact(values, 16)
print("numba" in sys.modules)
"""
    pytest.importorskip("numba")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_blocks_stay_right_where_the_guess_of_a_run_is_wrong(monkeypatch):
    values = np.random.default_rng(5).standard_t(2, 3000).astype(np.float16)
    best = exact(values, 16).cost
    for wrong in (1, 10**6):
        monkeypatch.setattr(blocks, "_lengths", lambda sums, price, wrong=wrong: np.full(len(sums), wrong))
        assert exact(values, 16).cost == best
    monkeypatch.setattr(blocks, "_AT_ONCE", 16)  # tables are cut again and again
    assert exact(values, 16).cost == best


def test_without_numba_the_answers_are_the_same():
    program = """
import json, sys
sys.modules["numba"] = None
import numpy as np
from toykit import kmeans
from toykit.kmeans import vectors
random = np.random.default_rng(0)
values, points = random.normal(size=400).astype(np.float16), random.normal(size=(60, 4))
costs = [[kmeans.exact(values, k, method=method).cost for method in ("multiplier", "layers")] for k in (16, 300)]
vectors.CHUNK = 64  # points are taken in parts
found = [function(points[:20], points) for function in (vectors.nearest_vector, vectors._nearest_by_loop)]
print(json.dumps([costs, [[labels.tolist(), distances.tolist()] for labels, distances in found]]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    costs, found = json.loads(done.stdout)
    random = np.random.default_rng(0)
    values, points = random.normal(size=400).astype(np.float16), random.normal(size=(60, 4))
    for k, both in zip((16, 300), costs):
        assert both == pytest.approx([kmeans.exact(values, k).cost] * 2, rel=1e-12)
    square = np.sum((points[:, None] - points[:20]) ** 2, axis=2)
    for labels, distances in [*found, nearest_vector(points[:20], points)]:
        assert np.array_equal(labels, square.argmin(axis=1))
        assert distances == pytest.approx(square.min(axis=1), rel=1e-12)


def test_compiled_without_a_place_for_the_cache(monkeypatch):
    numba = pytest.importorskip("numba")

    def njit(**options):
        if options.pop("cache", False):
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: (function, options)

    monkeypatch.setattr(numba, "njit", njit)
    function, options = loops.compiled(len)
    assert function is len and options == {"nogil": True}


@given(st.lists(st.floats(-100, 100, width=16), min_size=2, max_size=40), st.integers(1, 12))
def test_error_falls_with_clusters_and_labels_are_nearest(numbers, k):
    values = np.float16(numbers)
    fewer, more = kmeans.exact(values, k), kmeans.exact(values, k + 1)
    assert more.cost <= fewer.cost * (1 + 1e-12)
    distance = np.abs(values[:, None] - fewer.centroids)
    chosen = np.take_along_axis(distance, fewer.labels[:, None].astype(int), axis=1)
    assert np.all(chosen[:, 0] <= distance.min(axis=1))
    assert np.all(np.diff(fewer.centroids) > 0)


@given(st.lists(st.floats(-60000, 60000, width=16), min_size=1, max_size=50))
def test_distinct_float16_by_counting_is_unique(numbers):
    values = np.float16(numbers)
    levels, mass, inverse = kmeans.distinct(values)
    want, counts = np.unique(values.astype(np.float64), return_counts=True)
    assert levels.tolist() == want.tolist() and mass.tolist() == counts.tolist()
    assert np.array_equal(levels[inverse], values)
    assert not np.any(np.signbit(levels[levels == 0]))


def test_weights_count_like_repetition():
    values, times = np.float32([0, 1, 5, 6, 20]), np.array([3, 1, 2, 1, 1])
    weighted = kmeans.exact(values, 3, times)
    repeated = kmeans.exact(np.repeat(values, times), 3)
    assert weighted.centroids.tolist() == repeated.centroids.tolist()
    assert weighted.cost == repeated.cost


def test_running_sums_keep_what_rounding_took():
    terms = np.array([1e16, 1.0, 1.0, -1e16, 3.0])
    high, low = running_sum(terms)
    assert (high + low).tolist() == [0, 1e16, 1e16, 1e16 + 2, 2, 5]


def test_cost_of_runs_is_concave_monge():
    levels = np.sort(np.random.default_rng(1).normal(size=12))
    costs = RunCosts(levels, np.arange(1.0, 13))
    for a in range(9):
        for b, c, d in ((a, a + 1, a + 3), (a + 1, a + 2, a + 3), (a + 2, a + 3, 12)):
            if a < c and b < d:
                crossing = costs(a, c) + costs(b, d)
                assert crossing <= costs(a, d) + (costs(b, c) if b < c else 0) + 1e-12


@given(st.data())
def test_splice_gives_any_number_between(data):
    m = data.draw(st.integers(3, 20))
    inner = st.sets(st.integers(1, m - 1))
    few, many = sorted([data.draw(inner), data.draw(inner)], key=len)
    few, many = (np.array([0, *sorted(bounds), m]) for bounds in (few, many))
    for k in range(len(few), len(many) - 1):
        bounds = lagrangian.splice(few, many, k)
        assert len(bounds) == k + 1 and bounds[0] == 0 and bounds[-1] == m
        assert np.all(np.diff(bounds) > 0)


def test_lloyd_never_climbs_and_never_beats_the_optimum():
    values = np.random.default_rng(2).standard_t(3, 3000).astype(np.float16)
    best = kmeans.exact(values, 16).cost
    for start in ("uniform", "quantile"):
        costs = [step.cost for step in kmeans.lloyd(values, 16, start=start)]
        assert all(after <= before * (1 + 1e-12) for before, after in zip(costs, costs[1:], strict=False))
        assert costs[-1] >= best * (1 - 1e-12)
    settled = kmeans.lloyd(values, 16, start=kmeans.exact(values, 16).centroids)
    assert settled[-1].cost == pytest.approx(best, rel=1e-12)


def test_lloyd_ends_with_its_steps():
    values = np.random.default_rng(2).standard_t(3, 3000).astype(np.float16)
    whole = kmeans.lloyd(values, 16)
    assert len(whole) > 5
    assert [step.cost for step in kmeans.lloyd(values, 16, steps=5)] == [step.cost for step in whole[:5]]


def test_lloyd_gives_an_empty_centroid_the_costliest_value():
    history = kmeans.lloyd(np.float16([0, 0, 1, 9]), 3, start=[0, 100, 200])
    assert history[-1].cost == 0
    assert history[-1].centroids.tolist() == [0, 1, 9]


@pytest.mark.parametrize("k, clouds, dims", [(4, 3, 2), (16, 25, 2), (16, 1, 4), (64, 25, 2)])
def test_vectors_cost_no_more_than_scikit_learn(k, clouds, dims):
    KMeans = pytest.importorskip("sklearn.cluster").KMeans
    random = np.random.default_rng(k + dims)
    points = np.concatenate(
        [
            random.normal(centre, 0.2, (1500 // clouds, dims))
            for centre in random.uniform(-2, 2, (clouds, dims))
        ]
    )
    ours, theirs = [], []
    for seed in range(10):
        ours.append(cluster_vectors(points, k, seed=seed, steps=100).cost)
        theirs.append(KMeans(k, n_init=1, max_iter=100, random_state=seed).fit(points).inertia_)
    assert np.median(ours) <= np.median(theirs) * (1 + 1e-6)


def test_vectors_are_labelled_by_the_nearest_centroid_in_order():
    points = np.random.default_rng(0).normal(size=(500, 3)) + 1000
    clusters = cluster_vectors(points, 8, weights=np.arange(500.0))
    distance = np.linalg.norm(points[:, None] - clusters.centroids, axis=2)
    assert np.array_equal(clusters.labels, distance.argmin(axis=1))
    assert clusters.cost == pytest.approx(np.arange(500.0) @ distance.min(axis=1) ** 2)
    assert clusters.centroids[:, 0].tolist() == sorted(clusters.centroids[:, 0])


def test_vectors_same_seed_same_answer_and_more_starts_no_worse():
    points = np.random.default_rng(0).normal(size=(400, 2))
    one, again = cluster_vectors(points, 12, seed=3), cluster_vectors(points, 12, seed=3)
    assert np.array_equal(one.centroids, again.centroids) and np.array_equal(one.labels, again.labels)
    assert cluster_vectors(points, 12, seed=3, starts=4).cost <= one.cost * (1 + 1e-9)


def test_vectors_with_fewer_distinct_than_clusters():
    points = np.float32([[1, 2], [3, 4], [1, 2]])
    clusters = cluster_vectors(points, 16)
    assert clusters.cost == 0 and clusters.centroids.tolist() == [[1, 2], [3, 4]]
    assert clusters.labels.tolist() == [0, 1, 0]
    zero_weight = cluster_vectors(points, 1, weights=[1, 0, 1])
    assert zero_weight.centroids.tolist() == [[1, 2]] and zero_weight.cost == 0


def test_vectors_of_which_only_the_first_are_few():
    points = np.float32([[0, 0]] * 40 + [[1, 0], [9, 0]])
    clusters = cluster_vectors(points, 2)
    assert clusters.centroids[:, 0] == pytest.approx([1 / 41, 9]) and clusters.cost == pytest.approx(40 / 41)


def test_many_vectors_start_from_a_sample_and_end_with_all(monkeypatch):
    points = np.random.default_rng(0).normal(size=(4000, 2))
    whole = cluster_vectors(points, 8, starts=3)
    monkeypatch.setattr(vectors, "SAMPLE", 1000)
    found = cluster_vectors(points, 8, starts=3)
    labels, distance = nearest_vector(found.centroids, points)
    assert np.array_equal(found.labels, labels) and found.cost == pytest.approx(distance.sum())
    assert found.cost < 1.02 * whole.cost


def test_vectors_an_empty_cluster_restarts_where_it_costs_most():
    from toykit.kmeans.vectors import _means

    points = np.array([[0.0, 0], [0, 1], [50, 50]])
    centroids = np.array([[0.0, 0], [900, 900]])
    labels, distance = nearest_vector(centroids, points)
    assert _means(points, np.ones(3), labels, distance, centroids)[1].tolist() == [50, 50]


def test_plus_plus_draws_points_that_are_not_there_yet():
    points = np.repeat(np.eye(4), 50, axis=0)
    centroids = plus_plus(points, np.ones(200), 4, np.random.default_rng(0))
    assert len(np.unique(centroids, axis=0)) == 4


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda v: kmeans.exact(v, 0), "k must be"),
        (lambda v: kmeans.exact(v, 2.5), "k must be"),
        (lambda v: kmeans.exact(v, 2, method="guess"), "method must be one of"),
        (lambda v: kmeans.exact(np.float16([]), 2), "at least one"),
        (lambda v: kmeans.exact(np.float16([1, np.nan]), 2), "finite"),
        (lambda v: kmeans.exact(np.arange(3), 2), "floating-point"),
        (lambda v: kmeans.exact(v, 2, weights=[1, 1]), r"weights must be an array of shape \(3,\)"),
        (lambda v: kmeans.exact(v, 2, weights=[1, -1, 1]), "not be negative"),
        (lambda v: kmeans.exact(v, 2, weights=[0, 0, 0]), "not all zero"),
        (lambda v: kmeans.exact(v, 2, weights=[1, np.inf, 0]), "finite"),
        (lambda v: kmeans.exact(np.float16(1), 2), "got a single number"),
        (lambda v: kmeans.distinct([[1.0, 2.0]]), r"values must be an array of numbers of shape \(n,\)"),
        (lambda v: kmeans.distinct(["a"]), "values must be an array of numbers"),
        (lambda v: kmeans.distinct([1.0, np.inf]), "values must be finite; these are from 1.0 to inf"),
        (lambda v: kmeans.distinct(np.float16([1, np.nan])), "values must be finite; one is NaN"),
        (lambda v: kmeans.lloyd(v, 4), "k must be a whole number from 1 to 3; got 4"),
        (lambda v: kmeans.lloyd(v, 2, start=[1]), r"start must be an array of shape \(2,\)"),
        (lambda v: kmeans.lloyd(v, 2, start="random"), "start must be one of"),
        (lambda v: cluster_vectors(v, 2), "must be an"),
        (lambda v: cluster_vectors(v[:, None], 0), "k must be"),
        (lambda v: cluster_vectors(v[:, None], 1, starts=0), "starts must be"),
    ],
)
def test_bad_input_says_what_is_allowed(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call(np.float16([1, 2, 4]))
