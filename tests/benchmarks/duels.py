"""One task, done by toykit and by coremltools, in turns in one process."""

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Duel:
    """A task that both sides do.

    Attributes
    ----------
    name : str
    ours, theirs : function without arguments
    least : float
        How many times faster toykit has to be.
    """

    name: str
    ours: Callable
    theirs: Callable
    least: float

    def __str__(self):
        return self.name


@dataclass(frozen=True)
class Result:
    """Best times in seconds, and the peak of the memory that each side allocated, in bytes."""

    ours: float
    theirs: float
    our_peak: int
    their_peak: int

    @property
    def ratio(self):
        return self.theirs / self.ours


def fight(duel, rounds=5):
    """Take turns, and keep each side's best time: what other programs do can only slow one down."""
    best = {"ours": float("inf"), "theirs": float("inf")}
    peaks = {}
    for side in best:
        tracemalloc.start()
        getattr(duel, side)()
        peaks[side] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    for _ in range(rounds):
        for side in best:
            start = time.perf_counter()
            getattr(duel, side)()
            best[side] = min(best[side], time.perf_counter() - start)
    return Result(best["ours"], best["theirs"], peaks["ours"], peaks["theirs"])
