"""Wrong answers that people give to the exercises of the chapter about measuring."""

import math

import numpy as np


def _runs(sure, confidence, strict=False):
    runs = 1
    while sure(runs) < confidence or (strict and sure(runs) == confidence):
        runs += 1
    return runs


def _dropping(times, confidence, sides=2, more=0, first=0):
    runs, dropped = len(times), 0
    while (
        2 * (dropped + 1) < runs
        and 1 - sides * sum(math.comb(runs, k) for k in range(first, dropped + 2)) / 2**runs >= confidence
    ):
        dropped += 1
    return dropped + more


def _ranked(times, dropped):
    ordered = np.sort(times)
    return ordered[dropped], ordered[len(ordered) - 1 - dropped]


def _standard_errors(times, confidence):
    error = times.std(ddof=1) / math.sqrt(len(times))
    return times.mean() - 2 * error, times.mean() + 2 * error


def _triple(ratios, dropped, middle=np.median):
    ratios = np.sort(ratios)
    return ratios[dropped], middle(ratios), ratios[len(ratios) - 1 - dropped]


def _unsorted(times, confidence):
    dropped = _dropping(times, confidence)
    return times[dropped], times[len(times) - 1 - dropped]


WRONG = {
    "enough_runs": [
        (lambda confidence: _runs(lambda n: 1 - 0.5**n, confidence), "two ways"),
        (lambda confidence: 1 + math.log2(1 / (1 - confidence)) + 0.5, "whole numbers"),
        (lambda confidence: max(1, math.floor(1 + math.log2(1 / (1 - confidence)))), "round up"),
        (lambda confidence: _runs(lambda n: 1 - 2 * 0.5**n, confidence, strict=True), "Fewer would do"),
        (lambda confidence: 30, "one side"),
        (lambda confidence: [6], ""),
    ],
    "median_bounds": [
        (_unsorted, "Sort a copy"),
        (lambda times, confidence: (times.min(), times.max()), "you can drop some"),
        (
            lambda times, confidence: _ranked(times, _dropping(times, confidence, sides=1)),
            "either end: count",
        ),
        (_standard_errors, "assume a bell"),
        (
            lambda times, confidence: _ranked(times, _dropping(times, confidence, first=1)),
            "begins at C(n, 0)",
        ),
        (
            lambda times, confidence: tuple(np.quantile(times, [(1 - confidence) / 2, (1 + confidence) / 2])),
            "where single runs lie",
        ),
        (lambda times, confidence: _ranked(times, _dropping(times, confidence, more=1)), "one too many"),
        (lambda times, confidence: (np.median(times) - 1, np.median(times) + 1), "2^n cases"),
        (lambda times, confidence: np.median(times), ""),
    ],
    "paired_speed_up": [
        (lambda before, after, dropped: _triple(after / before, dropped), "the time before"),
        (lambda before, after, dropped: _triple(np.sort(before) / np.sort(after), dropped), "Divide first"),
        (lambda before, after, dropped: _triple(before / after, dropped, np.mean), "strange round"),
        (
            lambda before, after, dropped: (
                _triple(before / after, dropped)[0],
                np.median(before) / np.median(after),
                _triple(before / after, dropped)[2],
            ),
            "different rounds",
        ),
        (lambda before, after, dropped: _triple(before / after, 0), "Leave `dropped`"),
        (
            lambda before, after, dropped: (
                np.sort(before / after)[dropped],
                np.median(before / after),
                np.max(before / after),
            ),
            "all rounds",
        ),
        (lambda before, after, dropped: (0.0, 1.0, 2.0), "places from the ends"),
        (lambda before, after, dropped: np.median(before / after), ""),
    ],
    "bound_unit": [
        (
            lambda units, shares: int(np.unique(units)[np.unique(units, return_counts=True)[1].argmax()]),
            "no unit",
        ),
        (lambda units, shares: int(np.bincount(units[units >= 0], minlength=3).argmax()), "do not count"),
        (lambda units, shares: int(units[np.argmax(shares)]), "largest operation alone"),
        (
            lambda units, shares: 2 - int(np.argmax([shares[units == unit].sum() for unit in (2, 1, 0)])),
            "smaller number",
        ),
        (lambda units, shares: 0, "Three sums"),
        (lambda units, shares: "Neural Engine", ""),
    ],
}
