"""The least-cost partition of a line into k runs, in a time that does not grow with k.

`toykit.kmeans.dynamic_programming` finds the best partition into 1, 2, 3, ... runs in turn. The search here does
not count runs at all. It charges a price for each one, and finds the cheapest partition into
however many: a single layer instead of k. A high price buys few runs, a low price many. Because
the cost is concave Monge (`toykit.kmeans.dynamic_programming`), the least cost is a convex function of the
number of runs. So some price buys exactly k, or else k lies on an edge of the curve, between two
partitions that one price makes equally cheap, and those can be spliced into one of exactly k
(`splice`). Two to ten prices are enough, for any k.

The price is a Lagrange multiplier, hence the name; in programming contests the method is known as
the "Aliens trick".

References
----------
Aggarwal, Schieber and Tokuyama, "Finding a minimum-weight k-link path in graphs with the concave
Monge property and applications", Discrete & Computational Geometry 1994. Hirschberg and Larmore,
"The least weight subsequence problem", SIAM Journal on Computing 1987. Panter and Dite,
"Quantization distortion in pulse-count modulation with nonuniform spacing of levels",
Proceedings of the IRE 1951.
"""

import itertools
from importlib.util import find_spec

import numpy as np

from . import blocks

MANY = 100  # tables after which machine code is loaded: a second, and 150 MB
_tables = 0


def multiplier(costs, k):
    """Bounds (k + 1,) of the least-cost partition into k runs, by a search for the price of a run.

    Time hardly grows with k: with NumPy (`toykit.kmeans.blocks`) about 2 microseconds a level; as machine code
    (`toykit.kmeans.loops`), which is used after the first tables if numba is installed, a tenth of that.

    Parameters
    ----------
    costs : toykit.kmeans.dynamic_programming.RunCosts
    k : int
        From 1 to the number of levels.
    """
    global _tables
    _tables += 1
    m = costs.count
    if k in (1, m):
        return np.array([0, m]) if k == 1 else np.arange(m + 1)
    few = many = None
    price, power = _first_price(costs, k), 3
    # Walk to a price on each side of the wanted one: the price falls as the cube of k, and each
    # further step in the same direction is twice as bold.
    while few is None or many is None:
        found = cheapest_partition(costs.sums, price)
        runs = len(found) - 1
        if runs == k:
            return found
        if runs < k:
            few = found
        else:
            many = found
        price *= (runs / k) ** power
        power = min(2 * power, 24)
        if price < np.finfo(float).tiny:  # levels so close that a run of them costs nothing
            many = np.arange(m + 1)
        elif price > costs(0, m):
            few = np.array([0, m])
    # In the plane of (runs, cost), the two are corners of a convex curve, and the slope of their
    # chord is a price between theirs. It finds a corner below the chord; if there is none, the
    # chord is an edge of the curve, and k is on it.
    while True:
        price = (_total(costs, few) - _total(costs, many)) / (len(many) - len(few))
        found = cheapest_partition(costs.sums, price)
        runs = len(found) - 1
        if runs == k:
            return found
        if len(few) - 1 < runs < k:
            few = found
        elif k < runs < len(many) - 1:
            many = found
        else:
            return splice(few, many, k)


def _first_price(costs, k):
    """Guess the price that buys k runs, from the theory of fine quantization.

    Of a density f, k clusters cost about (integral of f**(1/3))**3 / (12 k**2), and one cluster
    more saves the derivative of that. f is the mass of a level over the gap to the next one.
    """
    mass = np.diff(costs.sums[:, 0])
    level = np.diff(costs.sums[:, 1] + costs.sums[:, 4]) / mass
    gap = np.diff(level, append=level[-1])
    return np.sum(np.cbrt(mass * gap**2)) ** 3 / (6 * float(k) ** 3)


def _total(costs, bounds):
    return float(np.sum(costs(bounds[:-1], bounds[1:])))


def splice(few, many, k):
    """One partition of k runs out of two, of fewer and of more, that one price makes equally cheap.

    Somewhere a run of `many`, its number (k - number of runs of `few`) higher, lies inside a run of
    `few`. Follow `many` up to the start of the inner run, then jump to the end of the outer run and
    follow `few`. By the Monge inequality this costs no more than what it replaces.

    Parameters
    ----------
    few, many : (runs + 1,) arrays of int, ascending, with the same ends
    k : int
        Between their numbers of runs.

    Returns
    -------
    bounds : (k + 1,) array of int

    Examples
    --------
    >>> splice(np.array([0, 6]), np.array([0, 2, 4, 6]), k=2).tolist()
    [0, 2, 6]
    """
    extra = k - (len(few) - 1)
    inner = many[extra : extra + len(few)]
    i = np.argmax((few[:-1] <= inner[:-1]) & (inner[1:] <= few[1:]))  # two of the same line nest somewhere
    return np.concatenate([many[: i + extra + 1], few[i + 1 :]])


def cheapest_partition(sums, price):
    """Bounds of the partition that minimizes cost plus `price` for each run, of any number of runs.

    Parameters
    ----------
    sums : (m + 1, 6) float64 array
        `toykit.kmeans.dynamic_programming.RunCosts.sums`.
    price : float, positive

    Returns
    -------
    bounds : (runs + 1,) int64 array
    """
    return (_loops() or blocks).cheapest_partition(sums, price)


def run_means(levels, mass, bounds):
    """The mean of each run, carried along from level to level.

    A mean is often halfway between two float16, and its last bit then decides which way it is
    rounded. In this order of operations it is the last bit that coremltools' kmeans1d computes.
    """
    loops = _loops()
    if loops is not None:
        return loops.run_means(levels, mass, bounds)
    means, levels, mass = [], levels.tolist(), mass.tolist()
    for start, stop in itertools.pairwise(bounds.tolist()):
        mean, total = levels[start], mass[start]
        for level, more in zip(levels[start + 1 : stop], mass[start + 1 : stop], strict=True):
            total += more
            mean += more * (level - mean) / total
        means.append(mean)
    return np.array(means)


def _loops():
    """The module of machine code, if numba is installed and so many tables are looked for that loading it pays."""
    if _tables <= MANY or find_spec("numba") is None:
        return None
    from . import loops

    return loops
