"""The cheapest partition of a line into any number of runs, each of which has a price: with NumPy, block by block.

best[j], the least total for the first j levels, is the least over i of best[i] + cost(i, j) + price: each needs
those before it, which is no work for NumPy. But runs are long, and the last run before j starts far behind j. So
all j of a block that is shorter than a run can be found at once, from starts that lie before the block. A guess
says how long a run is, and a look at the block's end whether that was right: Monge (`dynamic_programming`) has
the best start never move left, so if no position inside of the block starts the last run of its end, none starts
any other.

Of a block the costs of all runs are a table, of which every column's least number is wanted. A table that is
large is cut: some columns first, and their starts fence in those of the columns between.

Where two partitions are equally cheap, the last bits of their costs decide. So starts that are equal but for
rounding are compared once more in the order of operations of the loop, and both find the same partition.

Not here: the same as one loop, `toykit.kmeans.loops`.
"""

import numpy as np

from .dynamic_programming import cost_of

_AT_ONCE = 1 << 13  # numbers of a table that stay in the processor's nearest memory
_ROUNDING = 64 * np.finfo(float).eps  # by how much of the largest number in it a cost may be off


def cheapest_partition(sums, price):
    """As `toykit.kmeans.cheapest_partition`."""
    m, columns = len(sums) - 1, np.ascontiguousarray(sums.T)
    best, start = np.zeros(m + 1), np.zeros(m + 1, np.int64)
    length, share, done = _lengths(sums, price), 0.8, 0
    while done < m:
        stop = min(m, done + max(1, int(share * length[done])))
        first = start[done]
        local = columns[:, first : stop + 1] - columns[:, first, None]
        local = local[:3] + local[3:]
        known = done + 1 - first
        # cost(i, j) is s2[j] - s2[i] less a square over a number. What depends on j alone decides nothing.
        held = best[first : done + 1] - local[2, :known]
        slack = _ROUNDING * (best[done] + local[2, -1])
        found, latest = _starts(held, *local[:2, :known], *local[:2, known:], slack)
        for end in np.flatnonzero(latest > found):
            tied = np.arange(first + found[end], first + latest[end] + 1)
            found[end] += (best[tied] + _run_costs(columns, tied, done + 1 + end)).argmin()
        found += first
        totals = best[found] + _run_costs(columns, found, slice(done + 1, stop + 1)) + price
        best[done + 1 : stop + 1] = totals
        inside = cost_of(*(local[:, -1:] - local[:, known:-1]))
        inside += totals[:-1]
        if inside.min(initial=np.inf) + price < totals[-1] + slack:
            share *= 0.85
            continue
        start[done + 1 : stop + 1] = found
        done, share = stop, min(1.02 * share, 16)
    bounds = [m]
    while bounds[-1]:
        bounds.append(start[bounds[-1]])
    return np.array(bounds[::-1])


def _run_costs(columns, start, stop):
    """What runs cost, to the bit as `toykit.kmeans.loops` has it."""
    differences = columns[:, stop].reshape(6, -1) - columns[:, start]
    return cost_of(*(differences[:3] + differences[3:]))


def _lengths(sums, price):
    """A guess for each position: how many levels the run has that starts there.

    Where levels lie so dense that their mass is a density, a run of cost c is one over which the cube root of
    the density adds up to the cube root of 12 c, and the runs that are cheapest in all cost half their price.
    """
    mass = np.diff(sums[:, 0])
    level = np.diff(sums[:, 1] + sums[:, 4]) / mass
    gap = np.diff(level, append=level[-1])
    travelled = np.concatenate([[0], np.cumsum(np.cbrt(mass * gap**2))])
    reached = np.searchsorted(travelled, travelled + np.cbrt(6 * price))
    return reached - np.arange(travelled.size)


def _starts(held, s0, s1, end0, end1, slack):
    """For each end of a run the first and the last of its best starts: those within `slack` of the least.

    `held` is what a start costs by itself.
    """
    rows, columns = held.size, end0.size
    size = rows * columns
    if size > _AT_ONCE and columns > 2:
        step = int(np.ceil(columns / np.ceil(1.2 * (size / _AT_ONCE) ** 0.5)))
        picked = range(step - 1, columns - 1, step)
        first, last = _starts(held, s0, s1, end0[picked], end1[picked], slack)
        parts = []
        for number, (low, high) in enumerate(
            zip([0, *first.tolist()], [*last.tolist(), rows - 1], strict=True)
        ):
            between = slice(number * step, (number + 1) * step)
            few = slice(low, high + 1)
            part = _starts(held[few], s0[few], s1[few], end0[between], end1[between], slack)
            parts.append(low + np.array(part))
        return np.concatenate(parts, axis=1)
    table = np.subtract.outer(end1, s1)
    table *= table
    table /= np.subtract.outer(end0, s0)
    np.subtract(held, table, out=table)
    first = table.argmin(axis=1)
    near = table <= table[np.arange(columns), first, None] + slack
    last = first.copy()
    for end in np.flatnonzero(np.count_nonzero(near, axis=1) > 1):
        first[end], last[end] = np.flatnonzero(near[end])[[0, -1]]
    return first, last
