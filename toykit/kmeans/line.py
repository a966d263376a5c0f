"""k-means: the best few numbers to stand for many.

k-means looks for k centroids such that the squared distance of each value to its nearest
centroid, summed over all values, is as small as possible. Weights are numbers on a line, and on
a line three things become simple:

- **Equal values share a fate**, so only the distinct values and how often each occurs matter.
  float16 has 65,536 bit patterns: counting them replaces millions of weights by thousands of
  levels (`distinct`).
- **A cluster is a run** of neighbouring levels: centroids can be sorted, and the values nearest to
  each lie between the midpoints to its neighbours.
- **The best partition can be found**, not only a good one. Lloyd's algorithm (`lloyd`) settles in
  whichever valley it starts in; `exact` finds the lowest.

Not here: how the optimum is found (`toykit.kmeans.dynamic_programming`, the one to read, and
`toykit.kmeans.lagrangian`, the fast one), clusters of vectors instead of numbers
(`toykit.kmeans.vectors`), and what is stored (`toykit.palettization`).
"""

from typing import NamedTuple

import numpy as np

from ..compressed import as_array, check_array, check_choice, check_int
from .dynamic_programming import RunCosts, layers
from .lagrangian import multiplier, run_means

_AT_ONCE = 1 << 18  # values


class Clusters(NamedTuple):
    """A clustering of numbers, or of vectors.

    Attributes
    ----------
    centroids : (k,) or (k, d) float64 array
        Ascending where they are numbers.
    labels : (n,) array of int
        Which centroid stands for each value.
    cost : float
        Sum over all values of weight times squared distance to the centroid.
    """

    centroids: np.ndarray
    labels: np.ndarray
    cost: float


def distinct(values, weights=None):
    """The distinct values, how much weight each carries, and where each value went.

    Parameters
    ----------
    values : (n,) array of finite float
    weights : (n,) array of float, optional
        How much each value counts; 1 each when left out.

    Returns
    -------
    levels : (m,) float64 array, ascending
    mass : (m,) float64 array
    inverse : (n,) array of int
        `levels[inverse]` is `values`.

    Examples
    --------
    >>> levels, mass, inverse = distinct(np.float16([2, -1, 2, 2]))
    >>> levels.tolist(), mass.tolist(), inverse.tolist()
    ([-1.0, 2.0], [1.0, 3.0], [1, 0, 1, 1])
    """
    values = as_array("values", values)
    if values.ndim != 1 or values.dtype.kind not in "fiub":
        raise TypeError(
            f"values must be an array of numbers of shape (n,), got {values.dtype} of {values.shape}"
        )
    if weights is not None:
        weights = check_array("weights", weights, "fiub", values.shape, np.float64, empty=True)
    if values.dtype != np.float16:
        levels, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        if levels.size and not np.isfinite(levels[[0, -1]]).all():  # they are in order, NaN last
            raise ValueError(f"values must be finite; these are from {levels[0]} to {levels[-1]}")
        mass = counts if weights is None else np.bincount(inverse, weights, levels.size)
        return levels.astype(np.float64) + 0.0, mass.astype(np.float64), inverse
    pattern = np.ascontiguousarray(values).view(np.uint16)
    # In parts: NumPy counts and looks up with numbers of 8 bytes, four times what the values take.
    parts = [slice(start, start + _AT_ONCE) for start in range(0, pattern.size, _AT_ONCE)]
    counts = np.zeros(1 << 16, np.int64)
    for part in parts:
        counts += np.bincount(pattern[part], minlength=1 << 16)
    if counts[0x7C00:0x8000].any() or counts[0xFC00:].any():
        raise ValueError("values must be finite; one is NaN or infinite")
    mass = counts if weights is None else np.bincount(pattern, weights, 1 << 16)
    # The patterns of all finite float16 in ascending order: negative numbers count down from their
    # sign bit 0x8000, which is -0.0 itself; zero and the positive numbers count up from 0.
    ascending = np.r_[0xFBFF:0x7FFF:-1, 0:0x7C00]
    ascending = ascending[counts[ascending] > 0]
    levels = ascending.astype(np.uint16).view(np.float16).astype(np.float64)
    new = np.ones(levels.size, bool)
    new[1:] = levels[1:] > levels[:-1]  # -0.0 and 0.0 are one level
    rank = np.zeros(1 << 16, np.uint16)
    rank[ascending] = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    mass = np.add.reduceat(mass[ascending], first).astype(np.float64)
    inverse = np.empty(pattern.size, np.uint16)
    for part in parts:
        inverse[part] = rank[pattern[part]]
    return levels[first] + 0.0, mass, inverse  # -0.0 + 0.0 is 0.0


def exact(values, k, weights=None, method="multiplier"):
    """The partition into at most k clusters that has the least cost of all.

    Parameters
    ----------
    values : (n,) array of finite float
    k : int
        With k or fewer distinct values each is its own cluster, at no cost.
    weights : (n,) array of float, optional
        How much each value's squared distance counts: not negative, not all zero.
    method : {"multiplier", "layers"}
        Both find the optimum. "layers" solves k = 1, 2, 3, ... in turn and is the one to read; "multiplier"
        takes as long for 256 clusters as for 16.

    Returns
    -------
    Clusters

    Raises
    ------
    ValueError
        If k is less than 1, or weights have the wrong shape, are negative or all zero.

    Notes
    -----
    Costs are compared in float64, so two partitions whose costs differ by less than a rounding of the sum
    of all squared distances from the median (1e-16 of it) count as equal, and either may be returned.

    References
    ----------
    Wang and Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension by dynamic
    programming", R Journal 2011. Grønlund et al., "Fast exact k-means, k-medians and Bregman
    divergence clustering in 1D", arXiv:1701.07204, 2017.

    Examples
    --------
    >>> clusters = exact(np.float16([0, 1, 9, 10, 11]), k=2)
    >>> clusters.centroids.tolist(), clusters.labels.tolist(), clusters.cost
    ([0.5, 10.0], [0, 0, 1, 1, 1], 2.5)
    """
    values, weights = check_values(values, weights)
    k = check_int("k", k, range(1, 1 << 62))
    check_choice("method", method, ("multiplier", "layers"))
    levels, mass, inverse = distinct(values, weights)
    heavy = mass > 0  # a level that weighs nothing has no say in the partition
    if k >= heavy.sum():
        bounds = np.arange(heavy.sum() + 1)
    else:
        bounds = _partition(levels[heavy], mass[heavy], k, method)
    return _summarize(levels, mass, inverse, bounds)


def _partition(levels, mass, k, method):
    """Bounds of the k runs of least cost."""
    costs = RunCosts(levels, mass)
    return layers(costs, k) if method == "layers" else multiplier(costs, k)


def _summarize(levels, mass, inverse, bounds):
    """Centroids, labels and cost of a partition of the levels that have mass into runs.

    `bounds` (k + 1,) are positions among the levels that weigh something. The cost is summed from
    the distances themselves, so it does not inherit the rounding of running sums.
    """
    heavy = mass > 0
    centroids = run_means(levels[heavy], mass[heavy], bounds)
    labels = nearest(centroids, levels)
    cost = float(np.sum(mass * (levels - centroids[labels]) ** 2))
    labels = labels.astype(np.uint8 if centroids.size <= 256 else np.intp)
    chosen = np.empty(inverse.size, labels.dtype)
    for start in range(0, inverse.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        chosen[part] = labels[inverse[part]]
    return Clusters(centroids, chosen, cost)


def nearest(centroids, values):
    """Which of the ascending `centroids` is nearest to each value; halfway goes to the lower one."""
    centroids = check_array("centroids", centroids, shape=("k",))
    values = check_array("values", values, empty=True)
    middle = centroids[:-1] + (centroids[1:] - centroids[:-1]) / 2
    return np.searchsorted(middle, values, side="left")


def lloyd(values, k, weights=None, start: str | np.ndarray = "uniform", steps=300):
    """Lloyd's algorithm, every step kept, to be read and watched.

    Two half-steps in turn: give each value to its nearest centroid, then move each centroid to the
    mean of what it was given. Neither can raise the cost, so it settles; but only where no small
    move helps, which need not be the optimum.

    Parameters
    ----------
    values : (n,) array of finite float
    k : int
        At most the number of distinct values.
    weights : (n,) array of float, optional
    start : {"uniform", "quantile"} or (k,) array of float
        First centroids: evenly spaced from the smallest to the largest value, or such that equally
        many values lie between them.
    steps : int
        Most steps to take.

    Returns
    -------
    history : list of Clusters
        One a step: the centroids that the step began with, the nearest of them for each value, and
        the cost of that. In the last one the centroids have settled, unless steps ran out.

    Raises
    ------
    ValueError
        If k is less than 1 or more than the number of distinct values.

    Notes
    -----
    A centroid that is nearest to nothing is moved to the value that costs the most.

    References
    ----------
    Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 1982.

    Examples
    --------
    >>> for step in lloyd(np.float16([0, 1, 9, 10, 11]), k=2, start=[0, 1]):
    ...     print(step.centroids.tolist(), step.labels.tolist(), round(step.cost, 2))
    [0.0, 1.0] [0, 1, 1, 1, 1] 245.0
    [0.0, 7.75] [0, 0, 1, 1, 1] 18.19
    [0.5, 10.0] [0, 0, 1, 1, 1] 2.5
    """
    values, weights = check_values(values, weights)
    levels, mass, inverse = distinct(values, weights)
    k = check_int("k", k, range(1, levels.size + 1))
    steps = check_int("steps", steps, range(1, 1 << 62))
    if not isinstance(start, str):
        centroids = np.sort(check_array("start", start, shape=(k,), dtype=np.float64))
    elif check_choice("start", start, ("uniform", "quantile")) == "uniform":
        centroids = np.linspace(levels[0], levels[-1], k)
    else:
        share = (np.cumsum(mass) - mass / 2) / np.sum(mass)
        centroids = np.interp((np.arange(k) + 0.5) / k, share, levels)
    history = []
    for _ in range(steps):
        labels = nearest(centroids, levels)
        cost = mass * (levels - centroids[labels]) ** 2
        history.append(Clusters(centroids, labels[inverse], float(cost.sum())))
        held = np.bincount(labels, mass, k)
        moved = np.bincount(labels, mass * levels, k) / np.where(held > 0, held, 1)
        empty = np.flatnonzero(held == 0)
        moved[empty] = levels[np.argsort(cost, kind="stable")[::-1][: empty.size]]
        moved = np.sort(moved)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return history


def check_values(values, weights):
    """Values and weights as every k-means takes them: finite, and some weight to divide by."""
    values = check_array("values", values, "f")
    if values.ndim < 1:
        raise ValueError("values must be an array, got a single number")
    if weights is None:
        return values, None
    weights = check_array("weights", weights, "fiub", values.shape[:1], np.float64)
    if weights.min() < 0 or not weights.any():
        raise ValueError(
            "weights must not be negative and not all zero; "
            f"these are from {weights.min()} to {weights.max()}"
        )
    return values, weights
