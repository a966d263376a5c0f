"""The search for the cheapest partition as one loop, which numba makes machine code of.

As machine code it takes a tenth of the time of `toykit.kmeans.blocks`. But loading numba takes about a second and
150 MB, so it is used where many tables are looked for (`toykit.kmeans.lagrangian`), and where it is installed.
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
    """As `toykit.kmeans.cheapest_partition`.

    best[j], the least total for the first j levels, is the least over i of best[i] + cost(i, j) +
    price. Monge again: once a later start i beats an earlier one at some j, it beats it from there
    on. So the starts that may still win form a queue, each with the j from which on it leads.
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
    """As `toykit.kmeans.lagrangian.run_means`, to the bit."""
    means = np.empty(bounds.size - 1)
    for run in range(means.size):
        mean = levels[bounds[run]]
        total = mass[bounds[run]]
        for level in range(bounds[run] + 1, bounds[run + 1]):
            total += mass[level]
            mean += mass[level] * (levels[level] - mean) / total
        means[run] = mean
    return means
