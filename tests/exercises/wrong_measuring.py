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


def _fault(
    which, times, least=6, changes=lambda n: n == 1, of=lambda runs: runs[1:], factor=2, models=(0, 1)
):
    runs = [times[which == model] for model in models]
    if min(map(len, runs)) < least:
        return 1
    if changes(np.count_nonzero(np.diff(which))):
        return 2
    return 3 if any(one[0] > factor * np.median(of(one)) for one in runs) else 0


def _last_first(which, times):
    found = _fault(which, times)
    runs = [times[which == model] for model in (0, 1)]
    late = min(map(len, runs)) and any(one[0] > 2 * np.median(one[1:]) for one in runs)
    return 3 if found and late else found


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
    "timing_fault": [
        (lambda which, times: 0 if _fault(which, times) == 1 else _fault(which, times), "need six runs"),
        (
            lambda which, times: _fault(which, times) if len(which) >= 12 or len(which) < 11 else 0,
            "need six runs",
        ),
        (lambda *args: _fault(*args, changes=lambda n: n < 4), "those are turns"),
        (
            lambda which, times: (
                2
                if (w := np.sort(which), (which == w).all())[1] and len(set(w)) > 1 and len(w) > 11
                else _fault(which, times, changes=lambda n: False)
            ),
            "whichever of them was first",
        ),
        (lambda *args: _fault(*args, of=lambda runs: runs), "leave it out"),
        (lambda which, times: _fault(which, np.where(which, 1.0, times)), "Either model"),
        (
            lambda which, times: _fault(which, times) or (3 if times[0] > 2 * np.median(times[1:]) else 0),
            "runs of the same model",
        ),
        (lambda *args: _fault(*args, factor=1.9), "More than twice"),
        (lambda *args: _fault(*args, least=7), "Six runs are enough"),
        (_last_first, "whichever of them was first"),
        (lambda which, times: 5 if _fault(which, times) == 0 else _fault(which, times), "Ask in the order"),
        (lambda which, times: times, ""),
    ],
}
