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

import numpy as np


def compiled(function):
    """The function as machine code where numba is installed, else as it is."""
    try:
        from numba import njit
    except ImportError:
        return function
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep the machine code: compile it again in each process
        return njit(nogil=True)(function)


def multiplier(costs, k):
    """Bounds (k + 1,) of the least-cost partition into k runs, by a search for the price of a run.

    Time is about ten times m log m steps whatever k is, and memory 100 bytes a level.

    Parameters
    ----------
    costs : toykit.kmeans.dynamic_programming.RunCosts
    k : int
        From 1 to the number of levels.
    """
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


@compiled
def _run_cost(sums, start, stop):
    """`toykit.kmeans.dynamic_programming.RunCosts` for one run."""
    s0 = (sums[stop, 0] - sums[start, 0]) + (sums[stop, 3] - sums[start, 3])
    s1 = (sums[stop, 1] - sums[start, 1]) + (sums[stop, 4] - sums[start, 4])
    s2 = (sums[stop, 2] - sums[start, 2]) + (sums[stop, 5] - sums[start, 5])
    return max(s2 - s1 * s1 / s0, 0.0)


@compiled
def _beats(sums, best, late, early, stop):
    """Whether the last run before `stop` had better start at `late` than at `early`."""
    return best[late] + _run_cost(sums, late, stop) < best[early] + _run_cost(sums, early, stop)


@compiled
def cheapest_partition(sums, price):
    """Bounds of the partition that minimizes cost plus `price` for each run, of any number of runs.

    best[j], the least total for the first j levels, is the least over i of best[i] + cost(i, j) +
    price. Monge again: once a later start i beats an earlier one at some j, it beats it from there
    on. So the starts that may still win form a queue, each with the j from which on it leads.

    Parameters
    ----------
    sums : (m + 1, 6) float64 array
        `toykit.kmeans.dynamic_programming.RunCosts.sums`.
    price : float, positive

    Returns
    -------
    bounds : (runs + 1,) int64 array
    """
    m = sums.shape[0] - 1
    best = np.zeros(m + 1)
    start = np.zeros(m + 1, np.int64)
    queue = np.zeros(m + 1, np.int64)  # starts that may still win, ascending
    leads = np.ones(m + 1, np.int64)  # the j from which on each of them is the best of the queue
    head, tail = 0, 1
    for j in range(1, m + 1):
        while head + 1 < tail and leads[head + 1] <= j:
            head += 1
        start[j] = queue[head]
        best[j] = best[start[j]] + _run_cost(sums, start[j], j) + price
        # Position j is now a possible start too. Drop those it beats as soon as they would lead.
        low = high = j + 1
        while tail > head and j < m:
            low = max(leads[tail - 1], j + 1)
            if not _beats(sums, best, j, queue[tail - 1], low):
                break
            tail -= 1
        if tail > head:
            # The last one still leads at low. Stride on, doubling, to where j leads; then halve.
            stride = 1
            high = low
            while high < m:
                high = min(low + stride, m)
                if _beats(sums, best, j, queue[tail - 1], high):
                    break
                low = high
                stride *= 2
            if low == high:
                continue  # j never leads
            while high - low > 1:
                middle = (low + high) // 2
                if _beats(sums, best, j, queue[tail - 1], middle):
                    high = middle
                else:
                    low = middle
        else:
            high = j + 1
        queue[tail] = j
        leads[tail] = high
        tail += 1
    runs = 0
    j = m
    while j > 0:
        j = start[j]
        runs += 1
    bounds = np.zeros(runs + 1, np.int64)
    j = m
    for run in range(runs, 0, -1):
        bounds[run] = j
        j = start[j]
    return bounds


@compiled
def run_means(levels, mass, bounds):
    """The mean of each run, carried along from level to level.

    A mean is often halfway between two float16, and its last bit then decides which way it is
    rounded. In this order of operations it is the last bit that coremltools' kmeans1d computes.
    """
    means = np.empty(bounds.size - 1)
    for run in range(means.size):
        mean = levels[bounds[run]]
        total = mass[bounds[run]]
        for level in range(bounds[run] + 1, bounds[run + 1]):
            total += mass[level]
            mean += mass[level] * (levels[level] - mean) / total
        means[run] = mean
    return means
