"""From what each weight does alone to a recipe that was measured as a whole.

That damage adds up is a guess, good for what is hurt a little. So each recipe is measured before it is believed: the
damage that is allowed is moved until the smallest recipe that the guess allows just passes, and then single weights and
pairs change their settings, where that saves bytes (or damage), as long as what was measured allows it.

Not here: the choice itself (`toykit.exploration.choosing`), and the package (`toykit.exploration.writing`).
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from .measuring import damage

_WIDTH = 0.2  # dB to which the damage that is allowed is found
_FIRST_STEP = 3.0  # dB
_NEARBY = 1.1  # times the damage that a metric let pass: it may let pass that, too
_RANGE = (-20.0, 150.0)  # dB, beyond which nothing is sought


@dataclass(frozen=True)
class Tried:
    """A recipe as the places of its settings, and what was measured."""

    picked: tuple
    nbytes: int
    predicted: float  # damage
    snr_db: float
    value: float


class Search:
    """The recipes of some options, measured.

    Parameters
    ----------
    options : Options
    sizes : callable (picked) -> int
        Bytes of the package, exactly.
    measured : callable (picked) -> (snr_db, value)
    goal : Goal
    tries : int
        How many recipes are measured to improve on one.

    Attributes
    ----------
    tried : dict of tuple to Tried
    """

    def __init__(self, options, sizes, measured, goal, tries):
        self.options, self.goal, self.tries = options, goal, tries
        self._sizes, self._measured = sizes, measured
        self.tried = {}

    def at(self, picked):
        """A recipe, measured once."""
        picked = tuple(picked)
        if picked not in self.tried:
            snr_db, value = self._measured(picked)
            predicted = self.options.total(picked)[1]
            self.tried[picked] = Tried(picked, self._sizes(picked), predicted, snr_db, value)
        return self.tried[picked]

    def run(self, at_least=None):
        """The best recipe; None if none is what was asked for.

        Parameters
        ----------
        at_least : float, optional
            In place of the goal's, to have something in reserve.
        """
        if self.goal.nbytes is not None:
            return self._within_budget(self.goal.nbytes)
        goal = self.goal if at_least is None else replace(self.goal, at_least=at_least)
        return self._good_enough(goal)

    def _within_budget(self, budget):
        allowed, picked, over = budget, [], 1
        for _ in range(8):
            picked = self.options.least_damage(allowed)
            if picked is None:
                return None
            over = self._sizes(picked) - budget
            if over <= 0 and allowed < budget:
                break
            # What is not in the weight file takes bytes, too.
            rest = self._sizes(picked) - self.options.total(picked)[0]
            allowed = budget - rest - max(0, over if allowed < budget else 0)
        best = self.at(picked) if over <= 0 else None
        return best and self._improved(best, lambda one: one.nbytes <= budget, _better, self._repairs)

    def _good_enough(self, goal):
        def passes(level):
            found = self.at(self.options.fewest_bytes(damage(level)))
            return found if goal.met(found.nbytes, found.value) else None

        start = goal.at_least if goal.unit == "dB" else 40.0
        best, low, high = self._bracket(passes, start)
        while best is not None and high - low > _WIDTH:
            middle = (low + high) / 2
            found = passes(middle)
            best, low, high = (found, low, middle) if found else (best, middle, high)
        met = [one for one in self.tried.values() if goal.met(one.nbytes, one.value)]
        if not met:
            return None
        return self.shrunk(min(met, key=_size), lambda one: goal.met(one.nbytes, one.value))

    def shrunk(self, best, allowed):
        """A recipe of fewer bytes that is allowed, or the same: callable (Tried) -> bool says which are."""
        return self._improved(best, allowed, _size, self._savings)

    def _bracket(self, passes, level):
        """A recipe that passes, and two levels around the lowest at which one does."""
        step, found = _FIRST_STEP, passes(level)
        best, low, high = found, level, level
        while _RANGE[0] < level < _RANGE[1]:
            level = level - step if best else level + step
            step *= 1.5
            now = passes(level)
            if bool(now) != bool(found):
                return (best, level, high) if best else (now, low, level)
            best, low, high = now or best, level, level
        return best, level, level

    def _improved(self, best, allowed, key, moves):
        """Change one or two weights at a time, for the better, as often as a recipe passes."""
        left, seen = self.tries, len(self.tried)
        while left > 0:
            found = None
            for picked in moves(best):
                now = self.at(picked)
                left -= len(self.tried) - seen
                seen = len(self.tried)
                if allowed(now) and key(now) < key(best):
                    found = now
                    break
                if left <= 0:
                    break
            if found is None:
                return best
            best = found
        return best

    def _limit(self):
        """The most damage of a recipe that was measured and passed."""
        passed = [one for one in self.tried.values() if self.goal.met(one.nbytes, one.value)]
        most = max((damage(one.snr_db) for one in passed), default=0.0)
        return max(most, damage(self.goal.at_least)) if self.goal.unit == "dB" else _NEARBY * most

    def between(self, small, large, allowed):
        """The smallest recipe near `small`, which is not allowed, that is; None if none is smaller than `large`."""
        for picked in itertools.islice(self._nearby(small, 0, large.nbytes - small.nbytes), self.tries):
            now = self.at(picked)
            if now.nbytes < large.nbytes and allowed(now):
                return now
        return None

    def _savings(self, best):
        """Recipes of fewer bytes, the smallest first."""
        return self._nearby(best, -np.inf, 0)

    def _nearby(self, one, least, most):
        """Recipes that add so many bytes and should do little more damage than is allowed, the smallest first."""
        more, worse, changes = self.options.moves(one.picked)
        within = (least < more) & (more < most)
        likely = np.flatnonzero(within & (damage(one.snr_db) + worse <= self._limit()))
        for number in likely[np.argsort(more[likely], kind="stable")]:
            yield _with(one.picked, changes(number))

    def _repairs(self, best):
        """Recipes of few enough bytes that should do hardly more damage, the best first."""
        more, worse, changes = self.options.moves(best.picked)
        likely = np.flatnonzero(
            (best.nbytes + more <= self.goal.nbytes) & (worse <= 0.1 * damage(best.snr_db))
        )
        for number in likely[np.argsort(worse[likely], kind="stable")]:
            yield _with(best.picked, changes(number))


def _with(picked, changes):
    changed = list(picked)
    for weight, place in changes:
        changed[weight] = place
    return tuple(changed)


def _size(one):
    return one.nbytes


def _better(one):
    return -one.value, one.nbytes
