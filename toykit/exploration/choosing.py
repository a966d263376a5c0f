"""A setting for each weight: the least damage within some bytes, or the fewest bytes within some damage.

If damage adds up, this is the multiple-choice knapsack problem. It is solved by dynamic programming over bytes in
small steps, and Lagrange's relaxation says how far from the best the answer can be at most: it prices damage in
bytes, lets each weight choose by itself, and no choice within the limit can cost less.

Not here: whether damage does add up, which is for a measurement to say (`toykit.exploration.searching`).
"""

import numpy as np

_STEPS = 60_000  # of bytes: rounding them up costs at most a step a weight
_MOST_MOVES = 1500  # single moves that are joined to pairs


class Options:
    """What each weight could be.

    Parameters
    ----------
    nbytes, damage : list of sequences of float
        For each weight, of each of its settings.

    Examples
    --------
    >>> options = Options([[50, 25], [20, 10]], [[1.0, 8.0], [0.0, 0.5]])
    >>> options.least_damage(65), options.fewest_bytes(1.5), options.bound(1.5)
    ([0, 1], [0, 1], 60.0)
    """

    def __init__(self, nbytes, damage):
        most = max(map(len, nbytes))

        def filled(rows):
            return np.array([[*row, *[np.inf] * (most - len(row))] for row in rows], float)

        self.nbytes, self.damage = filled(nbytes), filled(damage)
        self._least = self.nbytes.min(axis=1)
        # One that is larger than the least damaged costs bytes for nothing.
        low, high = self.ends
        span = high - low
        self._step = max(1.0, span / _STEPS)
        self._table, self._taken = self._solve(int(span / self._step) + len(nbytes) + 1)

    def _solve(self, size):
        """The least damage within each number of steps, and what each weight takes for it."""
        with np.errstate(invalid="ignore"):
            steps = np.ceil((self.nbytes - self._least[:, None]) / self._step)
        table, taken = np.zeros(size), []
        for shifts, worse in zip(steps, self.damage, strict=True):
            grown, place = np.full(size, np.inf), np.zeros(size, np.int16)
            for number, (shift, more) in enumerate(zip(shifts, worse, strict=True)):
                if np.isfinite(shift) and shift < size:
                    reached = table[: size - int(shift)] + more
                    better = reached < grown[int(shift) :]
                    grown[int(shift) :][better] = reached[better]
                    place[int(shift) :][better] = number
            table = grown
            taken.append((place, shifts))
        return table, taken

    def least_damage(self, nbytes):
        """The places of the settings with the least damage within some bytes; None if nothing is so small."""
        steps = int((nbytes - self._least.sum()) // self._step)
        return None if steps < 0 else self._picked(min(steps, len(self._table) - 1))

    def fewest_bytes(self, damage):
        """The places of the settings with the fewest bytes within some damage; None if nothing does so little."""
        within = np.flatnonzero(self._table <= damage)
        return self._picked(int(within[0])) if len(within) else None

    def _picked(self, steps):
        picked = []
        for place, shifts in reversed(self._taken):
            picked.append(int(place[steps]))
            steps -= int(shifts[picked[-1]])
        return picked[::-1]

    @property
    def ends(self):
        """The fewest and the most bytes that a choice can have."""
        most = np.where(np.isfinite(self.nbytes), self.nbytes, -np.inf).max(axis=1)
        return float(self._least.sum()), float(most.sum())

    def bound(self, damage):
        """Bytes below which no choice within some damage can be; infinite where nothing does so little."""
        return _relaxed(self.nbytes, self.damage, damage)

    def bound_of_damage(self, nbytes):
        """Damage below which no choice within some bytes can be."""
        return _relaxed(self.damage, self.nbytes, nbytes)

    def total(self, picked):
        """(bytes, damage) of a choice."""
        rows = np.arange(len(picked))
        return float(self.nbytes[rows, picked].sum()), float(self.damage[rows, picked].sum())

    def moves(self, picked):
        """Changes of one or two weights: list of (bytes, damage, changes), what they add and [(weight, place)]."""
        rows = np.arange(len(picked))
        more = self.nbytes - self.nbytes[rows, picked][:, None]
        with np.errstate(invalid="ignore"):
            worse = self.damage - self.damage[rows, picked][:, None]
        weights, places = np.nonzero(np.isfinite(more) & np.isfinite(worse) & ((more != 0) | (worse != 0)))
        more, worse = more[weights, places], worse[weights, places]
        near = np.argsort(np.abs(worse), kind="stable")[:_MOST_MOVES]
        one, two = np.nonzero(np.triu(np.ones((len(near), len(near)), bool), 1))
        one, two = near[one], near[two]
        apart = weights[one] != weights[two]
        one, two = one[apart], two[apart]
        single = np.arange(len(weights))
        first, second = np.concatenate([single, one]), np.concatenate([np.full(len(single), -1), two])
        more = np.concatenate([more, more[one] + more[two]])
        worse = np.concatenate([worse, worse[one] + worse[two]])

        def changes(number):
            pair = (first[number], second[number])
            return [(int(weights[move]), int(places[move])) for move in pair if move >= 0]

        return more, worse, changes


def _relaxed(cost, used, limit):
    """Lagrange's bound of the least cost within a limit of what is used."""
    if used.min(axis=1).sum() > limit:
        return np.inf
    finite = np.isfinite(cost) & np.isfinite(used)
    cost, used = np.where(finite, cost, np.inf), np.where(finite, used, 0)
    best, low, high = -np.inf, -60.0, 120.0  # powers of ten of the price
    for _ in range(200):
        middle = (low + high) / 2
        priced = cost + 10**middle * used
        taken = priced.argmin(axis=1)[:, None]
        total = np.take_along_axis(used, taken, 1).sum() - limit
        best = max(best, float(np.take_along_axis(cost, taken, 1).sum() + 10**middle * total))
        low, high = (middle, high) if total > 0 else (low, middle)
    return max(best, float(cost.min(axis=1).sum()))
