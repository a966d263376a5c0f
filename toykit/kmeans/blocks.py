"""The cheapest partition of a line into any number of runs, each of which has a price: with NumPy, block by block.

best[j], the least total for the first j levels, is the least over i of best[i] + cost(i, j) + price: each needs
those before it, which is no work for NumPy. But runs are long, and the last run before j starts far behind j. So
all j of a block that is shorter than a run can be found at once, from starts that lie before the block. A guess
says how long a run is, and a look at the block's end whether that was right: Monge (`dynamic_programming`) has
the best start never move left, so if no position inside of the block starts the last run of its end, none starts
any other.

Of a block the costs of all runs are a table, of which every column's least number is wanted. A table that is
large is cut: some columns first, and their starts fence in those of the columns between.

Not here: the same as one loop, `toykit.kmeans.loops`.
"""

import numpy as np

_AT_ONCE = 1 << 13  # numbers of a table that stay in the processor's nearest memory


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
        found = _starts(held, *local[:2, :known], *local[:2, known:])
        totals = _costs(local[:, known:] - local[:, found])
        totals += best[first + found]
        totals += price
        best[done + 1 : stop + 1] = totals
        inside = _costs(local[:, -1:] - local[:, known:-1])
        inside += totals[:-1]
        if inside.min(initial=np.inf) + price < totals[-1]:
            share *= 0.85
            continue
        start[done + 1 : stop + 1] = first + found
        done, share = stop, min(1.02 * share, 16)
    bounds = [m]
    while bounds[-1]:
        bounds.append(start[bounds[-1]])
    return np.array(bounds[::-1])


def _costs(differences):
    """What runs cost, of the differences of their sums."""
    s0, s1, s2 = differences
    return np.maximum(s2 - s1 * s1 / s0, 0)


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


def _starts(held, s0, s1, end0, end1):
    """For each end of a run the first of its best starts, where `held` is what a start costs by itself."""
    rows, columns = held.size, end0.size
    size = rows * columns
    if size > _AT_ONCE and columns > 2:
        step = int(np.ceil(columns / np.ceil(1.2 * (size / _AT_ONCE) ** 0.5)))
        picked = range(step - 1, columns - 1, step)
        fences = [0, *_starts(held, s0, s1, end0[picked], end1[picked]).tolist(), rows - 1]
        parts = []
        for number, low in enumerate(fences[:-1]):
            between = slice(number * step, (number + 1) * step)
            few = slice(low, fences[number + 1] + 1)
            parts.append(low + _starts(held[few], s0[few], s1[few], end0[between], end1[between]))
        return np.concatenate(parts)
    table = np.subtract.outer(end1, s1)
    table *= table
    table /= np.subtract.outer(end0, s0)
    return np.subtract(held, table, out=table).argmin(axis=1)
