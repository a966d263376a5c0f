"""How sure is a median, and how sure is a ratio? Answers that hold for any distribution of times.

Times of runs are not bell-shaped: they have a floor and a long tail. So nothing here assumes a shape.
Each run is above or below the true median like a coin toss. The median lies outside the smallest and
the largest time only if all coins fell alike; and the same count, with a few times dropped at either
end, gives narrower intervals for more runs.

What is assumed is that runs do not depend on each other. A phone that grows hot breaks that: its
later runs are all slower. Look at the times in their order before you believe an interval.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..compressed import check_array, check_fraction, check_int


@dataclass(frozen=True)
class Interval:
    """A median and the bounds that hold it.

    Attributes
    ----------
    low, median, high : float
    confidence : float
        How often, at least, such an interval holds the true median: at least what was asked for.
    dropped : int
        How many values lie outside at either end.
    """

    low: float
    median: float
    high: float
    confidence: float
    dropped: int

    def __str__(self):
        return f"{self.median:.4g} ({self.low:.4g} to {self.high:.4g}, {100 * self.confidence:.1f} %)"


def coverage(runs, dropped):
    """How often the median lies between two of the sorted times of several runs.

    Parameters
    ----------
    runs : int
    dropped : int
        Times left out at either end; 0 takes the smallest and the largest.

    Returns
    -------
    float
        At least so probable; exactly so where no two times are equal.

    Examples
    --------
    >>> coverage(6, 0)  # all six coins alike: 2 of 64 cases
    0.96875
    """
    runs = check_int("runs", runs, range(1, 1_000_001))
    dropped = min(check_int("dropped", dropped, range(2**63)), runs)
    # The interval misses if at most `dropped` coins fell on one side: whole numbers, so exact.
    outside = 2 * sum(math.comb(runs, k) for k in range(dropped + 1))
    return max(0.0, (2**runs - outside) / 2**runs)


def runs_needed(confidence=0.95):
    """The fewest runs whose smallest and largest time hold the median with this confidence.

    Parameters
    ----------
    confidence : float in [0, 1)

    Returns
    -------
    int

    Examples
    --------
    >>> runs_needed(0.95), runs_needed(0.99)
    (6, 8)
    """
    confidence = _check(confidence)
    runs = 1
    while coverage(runs, 0) < confidence:
        runs += 1
    return runs


def median_interval(times, confidence=0.95):
    """The median of some times, and an interval that holds the true median.

    Parameters
    ----------
    times : Measurement or sequence of float
        Of at least `runs_needed(confidence)` runs.
    confidence : float in [0, 1)

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        If there are too few runs, or a time is not finite.

    References
    ----------
    W. R. Thompson, "On confidence ranges for the median and other expectation distributions for
    populations of unknown distribution form", Annals of Mathematical Statistics 7, 1936.

    Examples
    --------
    >>> print(median_interval([2.0, 2.1, 2.0, 2.2, 9.0, 2.1]))
    2.1 (2 to 9, 96.9 %)
    """
    times, confidence = np.sort(_seconds("times", times)), _check(confidence)
    runs = len(times)
    if not runs or coverage(runs, 0) < confidence:
        raise ValueError(
            f"{runs} runs are too few for a confidence of {100 * confidence:g} %: "
            f"at least {runs_needed(confidence)} are needed"
        )
    dropped = 0
    while coverage(runs, dropped + 1) >= max(confidence, 1e-12) and 2 * (dropped + 1) < runs:
        dropped += 1
    low, high = times[dropped], times[runs - 1 - dropped]
    return Interval(float(low), float(np.median(times)), float(high), coverage(runs, dropped), dropped)


def speed_up(before, after, confidence=0.95):
    """How many times faster, from two functions that took turns.

    `measure` lets functions take turns, so round by round the two were disturbed alike. The ratio is
    taken within each round, and the median of the ratios gets its interval.

    Parameters
    ----------
    before, after : Measurement or sequence of float
        Times of the same rounds, in the same order.
    confidence : float in [0, 1)

    Returns
    -------
    Interval
        Above 1 where `after` is faster. If it holds 1, neither was shown to be faster.

    Raises
    ------
    ValueError
        If the two have not the same number of rounds, or too few.

    Examples
    --------
    >>> print(speed_up([4, 4.2, 8, 4, 4.1, 4.4], [2, 2.1, 4, 2, 2, 2.1]))
    2 (2 to 2.095, 96.9 %)
    """
    before, after = _seconds("before", before), _seconds("after", after)
    if len(before) != len(after):
        raise ValueError(
            f"before and after must be times of the same rounds; got {len(before)} and {len(after)} of them"
        )
    for name, seconds in (("before", before), ("after", after)):
        if (seconds <= 0).any():
            raise ValueError(f"{name} must be times above 0; got {seconds.min():g}")
    return median_interval(before / after, confidence)


def _check(confidence):
    confidence = check_fraction("confidence", confidence)
    if confidence == 1:
        raise ValueError("confidence must be below 1: no number of runs makes certain")
    return confidence


def _seconds(name, found):
    """The times of a Measurement, or of a sequence; none were taken of a function that was skipped."""
    return check_array(name, getattr(found, "times", found), dtype=np.float64, empty=True).ravel()
