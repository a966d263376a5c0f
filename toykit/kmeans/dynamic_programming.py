"""The least-cost partition of a line into k runs, layer by layer: the textbook method.

The best partition of the first j levels into t runs ends with some run, of levels i to j - 1, and
what comes before it is the best partition of the first i levels into t - 1 runs. So the answers for
t follow from those for t - 1, one layer after the other. Two facts make this quick:

- The cost of any run comes from three running sums in constant time (`RunCosts`).
- Trying every i for every j would take m**2 steps a layer. But the cost is **concave Monge**: for
  a <= b <= c <= d,

      cost(a, c) + cost(b, d) <= cost(a, d) + cost(b, c)

  (two runs that cross cost no more than an outer and an inner one), and from this follows that the
  best i never moves left as j moves right. Solve the middle j, and its answer fences in both halves:
  m log m steps.

Not here: a search whose time does not grow with k, `toykit.kmeans.lagrangian`.

References
----------
Wang and Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension by dynamic programming",
R Journal 2011. Grønlund et al., "Fast exact k-means, k-medians and Bregman divergence clustering in
1D", arXiv:1701.07204, 2017.
"""

import numpy as np


class RunCosts:
    """The cost of replacing a run of levels by its mean, in constant time.

    With S0, S1 and S2 the sums of weight, weight times level and weight times level squared over
    levels start to stop - 1, the mean is S1 / S0 and the cost is S2 - S1**2 / S0. A difference of
    two running sums gives each of the three. It also cancels: a short run far from zero is the
    small difference of two large sums. So each sum is kept as a float64 and the rounding error of
    that float64, and the levels are measured from their median.

    Parameters
    ----------
    levels : (m,) float64 array, ascending
    mass : (m,) float64 array, positive

    Attributes
    ----------
    sums : (m + 1, 6) float64 array
        S0, S1, S2 of the levels before each position, then their rounding errors.
    """

    def __init__(self, levels, mass):
        # Powers of two scale exactly, and keep the squares of tiny and huge levels in range.
        unit = np.ldexp(1.0, int(np.frexp(np.max(np.abs(levels)) or 1.0)[1]))
        halfway = np.searchsorted(np.cumsum(mass), np.sum(mass) / 2)
        centred = levels / unit - levels[min(halfway, levels.size - 1)] / unit
        self.unit, self.count = unit, levels.size
        sums = [running_sum(mass), running_sum(mass * centred), running_sum(mass * centred**2)]
        self.sums = np.stack([high for high, _ in sums] + [low for _, low in sums], axis=1)

    def __call__(self, start, stop):
        """Cost of the runs of levels start to stop - 1 (arrays of int, start < stop)."""
        high, low = np.moveaxis(self.sums[stop] - self.sums[start], -1, 0).reshape(2, 3, -1)
        return cost_of(*(high + low)).reshape(np.shape(stop))


def cost_of(s0, s1, s2):
    """What runs cost of which these are the sums."""
    return np.maximum(s2 - s1 * s1 / s0, 0)


def running_sum(terms):
    """Sums of the first 0, 1, ..., n terms, as (float64 sums, what rounding took from them).

    Examples
    --------
    >>> high, low = running_sum(np.array([1e16, 1.0, -1e16]))
    >>> (high + low).tolist()[-1]
    1.0
    """
    high = np.zeros(terms.size + 1)
    np.cumsum(terms, out=high[1:])
    before, after = high[:-1], high[1:]
    added = after - before  # Knuth's two-sum: exactly what an addition lost
    lost = (before - (after - added)) + (terms - added)
    low = np.zeros(terms.size + 1)
    np.cumsum(lost, out=low[1:])
    return high, low


def layers(costs, k):
    """Bounds (k + 1,) of the least-cost partition into k runs, by one layer for each run.

    Time is about k m log m steps of NumPy and memory 4 k m bytes, m being the number of levels.

    Parameters
    ----------
    costs : RunCosts
    k : int
        From 1 to the number of levels.
    """
    m = costs.count
    stops = np.arange(1, m + 1)
    best = costs(np.zeros(m, int), stops)  # of the first j levels in one run, for each j
    came_from = []
    for runs in range(2, k + 1):
        # best[i - 1] is the least cost of the first i levels in runs - 1 runs; i >= runs - 1.
        best, start = _layer(costs, best, runs)
        came_from.append(start)
    bounds = [m]
    for start in reversed(came_from):
        bounds.append(int(start[bounds[-1] - 1]))
    return np.array([*bounds, 0][::-1])


def _layer(costs, before, runs):
    """Extend the least costs of `runs` - 1 runs by one run, for every j at once.

    Divide and conquer, all fences of one depth together: each round solves every j that is halfway
    between two solved ones, looking only between their two starts.
    """
    m = costs.count
    after = np.full(m, np.inf)
    start = np.zeros(m, np.int32)
    # Positions 0 and m + 1 fence in all j of 1..m; fewer than `runs` levels have no partition.
    solved = np.array([runs - 1, m + 1])
    fence = np.array([runs - 1, m - 1])
    while True:
        gap = np.flatnonzero(np.diff(solved) > 1)
        if not gap.size:
            return after, start
        j = (solved[gap] + solved[gap + 1]) // 2
        first, last = fence[gap], np.minimum(fence[gap + 1], j - 1)
        width = last - first + 1
        offset = np.cumsum(width) - width
        owner = np.repeat(np.arange(j.size), width)
        i = np.arange(width.sum()) - offset[owner] + first[owner]
        total = before[i - 1] + costs(i, j[owner])
        least = np.minimum.reduceat(total, offset)
        # The first i that reaches the least: the leftmost best start.
        hit = np.flatnonzero(total == least[owner])
        chosen = i[hit[np.unique(owner[hit], return_index=True)[1]]]
        after[j - 1], start[j - 1] = least, chosen
        solved = np.insert(solved, gap + 1, j)
        fence = np.insert(fence, gap + 1, chosen)
