"""k-means for vectors: a good partition, found from several starts.

On a line the best partition can be found exactly (`toykit.kmeans.exact`). From two dimensions on
nobody knows how to do that in reasonable time, so three old ideas are used together:

- **Lloyd**: give each vector to its nearest centroid, move each centroid to the mean, repeat.
- **k-means++**: start from vectors of the data, each drawn with a chance in proportion to its
  squared distance to the nearest one drawn before; of several draws the best is kept.
- **An empty cluster** is restarted at the vector that costs most.

Of very many vectors a sample is enough to find a good start; the last steps are taken with all.

Not here: the exact one-dimensional case, and what is stored (`toykit.palettization`).
"""

from importlib.util import find_spec

import numpy as np

from ..compressed import SEEDS, check_int, check_number
from .line import Clusters, check_values
from .loops import compiled

CHUNK = 1 << 20  # distances that are held at once
SAMPLE = 1 << 15  # vectors that are enough to look for a start
RELOCATIONS = 5  # fruitless attempts in a row after which a start is given up


def cluster_vectors(vectors, k, weights=None, seed=0, starts=1, steps=100, tolerance=1e-4):
    """Cluster vectors into at most k clusters.

    Parameters
    ----------
    vectors : (n, d) array of finite float
    k : int
        With k or fewer distinct vectors each is its own cluster, at no cost.
    weights : (n,) array of float, optional
        How much each vector's squared distance counts: not negative, not all zero.
    seed : int
    starts : int
        Independent starts, of which the best result is kept.
    steps : int
        Most steps of Lloyd for each start. With more than 32,768 vectors these are taken with a sample
        of as many, and a quarter of them with all.
    tolerance : float
        Stop when the centroids move by less than this share of the vectors' variance in a step.

    Returns
    -------
    toykit.kmeans.Clusters
        Centroids in lexicographic order.

    References
    ----------
    Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.

    Examples
    --------
    >>> clusters = cluster_vectors(np.float16([[0, 0], [0, 1], [9, 9], [9, 8]]), k=2)
    >>> clusters.centroids.tolist(), clusters.labels.tolist(), clusters.cost
    ([[0.0, 0.5], [9.0, 8.5]], [0, 0, 1, 1], 1.0)
    """
    vectors, weights = check_values(vectors, weights)
    if vectors.ndim != 2:
        raise ValueError(f"vectors must be an (n, d) array, got {vectors.ndim} dimensions")
    k = check_int("k", k, range(1, 1 << 62))
    starts = check_int("starts", starts, range(1, 1 << 62))
    steps = check_int("steps", steps, range(1, 1 << 62))
    tolerance = check_number("tolerance", tolerance, least=0)
    points = vectors.astype(np.float64)
    mass = np.ones(len(points)) if weights is None else weights
    few = _few_distinct(points, mass, k)
    if few is not None:
        return few
    rng = np.random.default_rng(check_int("seed", seed, SEEDS))
    # Distances are differences of large numbers if the cloud is far from zero: move it there.
    offset = np.average(points, axis=0, weights=mass)
    points -= offset
    still = tolerance * np.average(np.mean(points**2, axis=1), weights=mass)
    found = [_from_a_start(points, mass, k, steps, still, rng) for _ in range(starts)]
    centroids, labels, cost = min(found, key=lambda clusters: clusters.cost)
    order = np.lexsort(centroids.T[::-1])
    rank = np.empty(k, np.intp)
    rank[order] = np.arange(k)
    return Clusters(centroids[order] + offset, rank[labels], cost)


def _from_a_start(points, mass, k, steps, still, rng):
    """k-means++ and its improvement, on a sample if there are very many points; then Lloyd on all."""
    if len(points) <= SAMPLE:
        return _improve(points, mass, plus_plus(points, mass, k, rng), steps, still, rng)
    # Drawn in proportion to its mass, each point of the sample stands for the same.
    sample = points[rng.choice(len(points), SAMPLE, p=mass / mass.sum())]
    same = np.ones(SAMPLE)
    centroids = _improve(sample, same, plus_plus(sample, same, k, rng), steps, still, rng).centroids
    return _lloyd(points, mass, centroids, max(1, steps // 4), still)[0]


def _improve(points, mass, centroids, steps, still, rng):
    """Lloyd; then, with what is left of the steps, try to put the least useful centroid elsewhere."""
    best, steps = _lloyd(points, mass, centroids, steps, still)
    failures = 0
    while steps > 0 and best.cost > 0 and failures < RELOCATIONS:
        trial, steps = _lloyd(points, mass, _relocate(points, mass, best, rng), steps, still)
        failures = 0 if trial.cost < best.cost else failures + 1
        best = min(best, trial, key=lambda clusters: clusters.cost)
    return best


def _lloyd(points, mass, centroids, steps, still):
    """The two half-steps until the centroids rest; returns the clusters and the steps left."""
    labels, distance = nearest_vector(centroids, points)
    while steps > 0:
        moved = _means(points, mass, labels, distance, centroids)
        shift = np.sum((moved - centroids) ** 2)
        centroids = moved
        labels, distance = nearest_vector(centroids, points)
        steps -= 1
        if shift <= still:
            break
    return Clusters(centroids, labels, float(mass @ distance)), steps


def _relocate(points, mass, clusters, rng):
    """Take the centroid whose points are best served by another, and put it where k-means++ would."""
    centroids, labels, _ = clusters
    own = np.sum((points - centroids[labels]) ** 2, axis=1)
    k = len(centroids)
    # A point's second choice is, but for rare exceptions, the centroid nearest to its own.
    between = np.sum((centroids[:, None] - centroids) ** 2, axis=2)
    np.fill_diagonal(between, np.inf)
    second = np.sum((points - centroids[np.argmin(between, axis=1)[labels]]) ** 2, axis=1)
    least = np.argmin(np.bincount(labels, mass * (second - own), k))
    running = np.cumsum(mass * own)
    at = min(np.searchsorted(running, rng.random() * running[-1], side="right"), len(points) - 1)
    centroids = centroids.copy()
    centroids[least] = points[at]
    return centroids


def nearest_vector(centroids, points):
    """The first of the nearest centroids for each point, and its squared distance."""
    centroids, points = np.asarray(centroids, np.float64), points.astype(np.float64, copy=False)
    if find_spec("numba"):
        return _nearest_by_loop(np.ascontiguousarray(centroids), np.ascontiguousarray(points))
    labels = np.empty(len(points), np.intp)
    # |p - c|**2 = |p|**2 - 2 p.c + |c|**2, where |p|**2 is the same for all c: what is compared is one
    # matrix product. The distance to the winner is then computed from the difference itself.
    half = np.sum(centroids**2, axis=1) / 2
    rows = max(1, CHUNK // len(centroids))
    for first in range(0, len(points), rows):
        part = slice(first, first + rows)
        labels[part] = np.argmin(half - points[part] @ centroids.T, axis=1)
    return labels, np.sum((points - centroids[labels]) ** 2, axis=1)


@compiled
def _nearest_by_loop(centroids, points):
    labels = np.empty(points.shape[0], np.intp)
    least = np.empty(points.shape[0])
    for i in range(points.shape[0]):
        best = np.inf
        for j in range(centroids.shape[0]):
            distance = 0.0
            for d in range(points.shape[1]):
                distance += (points[i, d] - centroids[j, d]) ** 2
            if distance < best:
                best = distance
                labels[i] = j
        least[i] = best
    return labels, least


def plus_plus(points, mass, k, rng):
    """First centroids by k-means++, the best of a few draws for each."""
    draws = 2 + int(np.log(k))
    centroids = np.empty((k, points.shape[1]))
    centroids[0] = points[rng.choice(len(points), p=mass / mass.sum())]
    distance = np.sum((points - centroids[0]) ** 2, axis=1)
    for drawn in range(1, k):
        running = np.cumsum(mass * distance)
        at = np.searchsorted(running, rng.random(draws) * running[-1], side="right")
        at = np.minimum(at, len(points) - 1)
        options = [np.minimum(distance, np.sum((points - points[i]) ** 2, axis=1)) for i in at]
        winner = int(np.argmin([mass @ option for option in options]))
        centroids[drawn], distance = points[at[winner]], options[winner]
    return centroids


def _means(points, mass, labels, distance, centroids):
    """Each centroid moved to the mean of its points; an empty one to the point that costs most."""
    k = len(centroids)
    held = np.bincount(labels, mass, k)
    sums = np.stack([np.bincount(labels, mass * column, k) for column in points.T], axis=1)
    moved = sums / np.where(held > 0, held, 1)[:, None]
    empty = np.flatnonzero(held == 0)
    if empty.size:
        moved[empty] = points[np.argsort(mass * distance)[::-1][: empty.size]]
    return moved


def _few_distinct(points, mass, k):
    """The clusters where no more than k distinct vectors weigh something, else None."""
    sample = np.unique(points[mass > 0][: 4 * k], axis=0)
    if len(sample) > k:  # most often a look at the first few is enough
        return None
    table = np.unique(points[mass > 0], axis=0)
    if len(table) > k:
        return None
    labels, distance = nearest_vector(table, points)
    return Clusters(table, labels, float(mass @ distance))
