"""The exercises of the chapter about measuring: how many runs, the median's bounds, a speed-up, a plan."""

import math

import numpy as np

from .framework import Case, Exercise, Hint


def _sure(runs, dropped, first=0):
    return 1 - 2 * sum(math.comb(runs, k) for k in range(first, dropped + 1)) / 2**runs


def _enough_runs(confidence):
    runs = 1
    while _sure(runs, 0) < confidence:
        runs += 1
    return runs


enough_runs = Exercise(
    name="enough_runs",
    level="warm-up",
    task="Return the fewest runs whose smallest and largest time have the true median between them with at "
    "least this confidence: each run is above or below the median like a coin toss.",
    reference=_enough_runs,
    cases=[
        Case(0.5, about="two runs: one above, one below, in half of the cases"),
        Case(0.75, about="three runs reach it exactly"),
        Case(0.9),
        Case(0.95),
        Case(0.0, about="one run says something about nothing"),
        Case(0.999),
        Case(0.999999, about="one in a million"),
    ],
    random=lambda rng: (float(rng.integers(1, 999)) / 1000,),
    hints=[
        Hint("Runs come in whole numbers.", lambda got, want, confidence: got != int(got)),
        Hint(
            "There are two ways to miss it: all runs above, or all runs below.",
            lambda got, want, confidence: confidence in (0.5, 0.75) and got == want - 1,
        ),
        Hint(
            "With so many runs the confidence is not reached yet: round up.",
            lambda got, want, confidence: got < want,
        ),
        Hint(
            "Fewer would do: with a confidence reached exactly, no further run is needed.",
            lambda got, want, confidence: got == want + 1,
        ),
    ],
    hint="The median is missed if all n runs fall on one side. How probable is that, for n coins?",
)


def _dropped(runs, confidence, sides=2, first=0):
    dropped = 0
    while 2 * (dropped + 1) < runs and 1 - sides * (1 - _sure(runs, dropped + 1, first)) / 2 >= confidence:
        dropped += 1
    return dropped


def _median_bounds(times, confidence):
    ordered = np.sort(times)
    dropped = _dropped(len(times), confidence)
    return float(ordered[dropped]), float(ordered[-1 - dropped])


def _at(times, dropped):
    return float(times[dropped]), float(times[-1 - dropped])


def _gives(make):
    """Whether the learner's two values are those that a certain mistake would give."""
    return lambda got, want, times, confidence: np.allclose(got, make(times, confidence), rtol=1e-9)


def _standard_errors(times, confidence):
    error = times.std(ddof=1) / math.sqrt(len(times))
    return times.mean() - 2 * error, times.mean() + 2 * error


_TIMES = np.array([4.0, 3.0, 9.0, 3.5, 5.0, 3.25, 4.5, 3.75, 6.0])

median_bounds = Exercise(
    name="median_bounds",
    level="build",
    task="Return (low, high): sort the times, and drop as many at either end as you can while the true "
    "median stays between the two with at least this confidence.",
    reference=_median_bounds,
    cases=[
        Case(np.array([3.0, 1.0, 2.0]), 0.7, about="three runs: without dropping any the confidence is 0.75"),
        Case(_TIMES, 0.95, about="nine runs: one may go at either end"),
        Case(_TIMES, 0.99, about="nine runs, more confidence: none may go"),
        Case(_TIMES, 0.8, about="nine runs, less confidence: two may go"),
        Case(np.arange(25, 0, -1) / 2.0, 0.95, about="25 runs, from slow to fast"),
        Case(np.arange(25, 0, -1) / 2.0, 0.9, about="25 runs, less confidence"),
        Case(
            np.array([6.0, 1.0, 5.0, 2.0, 4.0, 3.0]),
            0.8,
            about="six runs: with one dropped the confidence is 0.78",
        ),
        Case(
            np.array([4.0, 1.0, 3.0, 2.0, 5.0]),
            0.0,
            about="no confidence asked for: low and high are the middle one",
        ),
        Case(np.array([4.0, 1.0, 3.0, 2.0]), 0.0, about="four runs have two in the middle"),
        Case(np.array([7.0]), 0.0, about="a single run"),
    ],
    random=lambda rng: (
        1 + rng.lognormal(0, 1, int(rng.integers(6, 60))),
        float(rng.choice([0.5, 0.8, 0.9, 0.95])),
    ),
    hints=[
        Hint(
            "Bounds by rank need the times in order of size. Sort a copy first.",
            lambda got, want, times, confidence: (
                np.allclose(got, _at(times, _dropped(len(times), confidence))) and not np.allclose(got, want)
            ),
        ),
        Hint(
            "The smallest and the largest hold the median more often than asked for. With more runs you "
            "can drop "
            "some.",
            _gives(lambda times, confidence: (times.min(), times.max())),
        ),
        Hint(
            "All runs can lie on one side, too: the sum begins at C(n, 0).",
            _gives(lambda times, confidence: _at(np.sort(times), _dropped(len(times), confidence, first=1))),
        ),
        Hint(
            "The median can lie outside at either end: count the missed cases of both.",
            _gives(lambda times, confidence: _at(np.sort(times), _dropped(len(times), confidence, sides=1))),
        ),
        Hint(
            "A mean and its standard error assume a bell. Times have a long tail, which pulls the mean "
            "and widens "
            "the error.",
            _gives(_standard_errors),
        ),
        Hint(
            "Percentiles of the times say where single runs lie. The median is surer than a single run.",
            _gives(
                lambda times, confidence: np.quantile(times, [(1 - confidence) / 2, (1 + confidence) / 2])
            ),
        ),
        Hint(
            "One more at either end is one too many: the confidence falls below what was asked for.",
            _gives(lambda times, confidence: _at(np.sort(times), _dropped(len(times), confidence) + 1)),
        ),
    ],
    hint="With k dropped at either end the median is missed if at most k of n coins fall on one side: "
    "2 (C(n, 0) + ... + C(n, k)) of 2^n cases.",
    tolerance=1e-9,
)


def _triple(ratios, dropped):
    ratios = np.sort(ratios)
    return float(ratios[dropped]), float(np.median(ratios)), float(ratios[len(ratios) - 1 - dropped])


def _paired_speed_up(before, after, dropped):
    return _triple(before / after, dropped)


def _ratio_is(make):
    return lambda got, want, before, after, dropped: np.allclose(got, make(before, after, dropped), rtol=1e-9)


def _random_pairs(rng):
    rounds = int(rng.integers(6, 20))
    disturbance = rng.lognormal(0, 0.5, rounds)
    return 3 * disturbance * rng.uniform(0.9, 1.1, rounds), disturbance, int(rng.integers(0, 3))


paired_speed_up = Exercise(
    name="paired_speed_up",
    level="build",
    task="Return (low, median, high) of how many times faster `after` is: a ratio for each round, sorted, "
    "with `dropped` of them left out at either end for low and high.",
    reference=_paired_speed_up,
    cases=[
        Case(
            np.array([4.0, 8.0, 4.0]),
            np.array([2.0, 4.0, 2.0]),
            0,
            about="the second round was disturbed, and both with it: exactly twice as fast in each",
        ),
        Case(
            np.array([6.0, 4.0, 10.0]),
            np.array([2.0, 2.0, 4.0]),
            0,
            about="three times, twice, two and a half times",
        ),
        Case(
            np.array([6.0, 4.0, 10.0, 30.0, 5.0]),
            np.array([2.0, 2.0, 4.0, 3.0, 4.0]),
            1,
            about="one left out at either end",
        ),
        Case(np.array([1.0, 1.0, 3.0, 1.0]), np.array([2.0, 4.0, 3.0, 2.0]), 0, about="slower, for once"),
    ],
    random=_random_pairs,
    hints=[
        Hint(
            "Above 1 is to mean faster: the time before, divided by the time after.",
            _ratio_is(lambda b, a, d: _triple(a / b, d)),
        ),
        Hint(
            "Keep the rounds together: what disturbed one of a pair disturbed the other. Divide first, "
            "then sort.",
            _ratio_is(lambda b, a, d: _triple(np.sort(b) / np.sort(a), d)),
        ),
        Hint(
            "A mean of ratios is pulled by a single strange round; take their median.",
            lambda got, want, b, a, d: (
                math.isclose(got[1], np.mean(b / a)) and not math.isclose(got[1], want[1])
            ),
        ),
        Hint(
            "That is the ratio of the two medians, which may come from different rounds. Take the median "
            "of the "
            "ratios.",
            lambda got, want, b, a, d: (
                math.isclose(got[1], np.median(b) / np.median(a)) and not math.isclose(got[1], want[1])
            ),
        ),
        Hint(
            "Leave `dropped` ratios out at either end.",
            lambda got, want, b, a, d: d > 0 and np.allclose(got, _triple(b / a, 0)),
        ),
        Hint(
            "The median is that of all rounds: only the bounds leave some out, and the same number at "
            "either end.",
            lambda got, want, b, a, d: (
                d > 0 and math.isclose(got[0], want[0]) != math.isclose(got[2], want[2])
            ),
        ),
    ],
    hint="One ratio a round, then sort the ratios: low and high stand `dropped` places from the ends.",
    tolerance=1e-9,
)


def _bound_unit(units, shares):
    return int(np.argmax([shares[units == unit].sum() for unit in range(3)]))


def _counted(units, shares):
    return int(np.bincount(units[units >= 0], minlength=3).argmax())


def _random_plan(rng):
    units = rng.integers(-1, 3, int(rng.integers(3, 30)))
    shares = np.where(units >= 0, rng.integers(1, 100, units.size), 0).astype(float)
    return units, shares / max(shares.sum(), 1)


bound_unit = Exercise(
    name="bound_unit",
    level="warm-up",
    task="Return the unit that has most of the estimated work: 0 (CPU), 1 (GPU) or 2 (Neural Engine). -1 "
    "stands for an operation without a unit, such as a constant. Of units with equal shares take the "
    "smaller number.",
    reference=_bound_unit,
    cases=[
        Case(
            np.array([-1, 2, 2, 0]),
            np.array([0.0, 0.6, 0.3, 0.1]),
            about="a constant, and most on the Neural Engine",
        ),
        Case(
            np.array([-1, -1, -1, 0]),
            np.array([0.2, 0.2, 0.2, 0.4]),
            about="more than half has no unit: the rest decides",
        ),
        Case(
            np.array([0, 0, 0, 2]),
            np.array([0.1, 0.1, 0.1, 0.7]),
            about="three small operations on the CPU, one large one",
        ),
        Case(
            np.array([2, 1, 1, 1]),
            np.array([0.4, 0.2, 0.2, 0.2]),
            about="the largest operation is not on the busiest unit",
        ),
        Case(np.array([1, 0]), np.array([0.5, 0.5]), about="equal shares: take the smaller number"),
    ],
    random=_random_plan,
    hints=[
        Hint(
            "Of units with equal shares take the smaller number.",
            lambda got, want, units, shares: math.isclose(
                shares[units == got].sum(), shares[units == want].sum()
            ),
        ),
        Hint("-1 is no unit: leave those operations out.", lambda got, want, units, shares: got == -1),
        Hint(
            "Operations differ in size: add up their shares of the work and do not count them.",
            lambda got, want, units, shares: got == _counted(units, shares),
        ),
        Hint(
            "The largest operation alone does not decide: add up the shares of each unit.",
            lambda got, want, units, shares: got == units[np.argmax(shares)],
        ),
    ],
    hint="Three sums: the shares where the unit is 0, 1 and 2. Which is the largest?",
)


def _timing_fault(which, times):
    runs = [times[which == model] for model in (0, 1)]
    if min(map(len, runs)) < 6:
        return 1
    if np.count_nonzero(np.diff(which)) == 1:
        return 2
    return 3 if any(one[0] > 2 * np.median(one[1:]) for one in runs) else 0


def _warm_ups(which, times, of_all=False, first_run=False):
    """The runs that a mistake would take for a warm-up."""
    runs = [times] if first_run else [times[which == model] for model in (0, 1)]
    return any(one[0] > 2 * np.median(one if of_all else one[1:]) for one in runs)


def _random_order(rng):
    count = int(rng.integers(5, 9))
    which = np.repeat([0, 1], count) if rng.random() < 0.25 else rng.permutation(np.repeat([0, 1], count))
    times = rng.integers(8, 14, 2 * count) / 4
    if rng.random() < 0.5:
        times[np.flatnonzero(which == rng.integers(2))[0]] *= 3
    return which, times


_TURNS = np.tile([0, 1], 6)

timing_fault = Exercise(
    name="timing_fault",
    level="decide",
    task="Return what is wrong with a colleague's measurement of two models: 1 one of them has fewer runs than a 95 % "
    "interval of its median needs; 2 they did not take turns, all runs of one are before all of the other; 3 a "
    "warm-up is among them, the first run of a model takes more than twice the median of its other runs; 0 "
    "nothing of these. Of several faults return the smallest. `which` says of each run, in order, whether it is "
    "of model 0 or 1; `times` has its time.",
    reference=_timing_fault,
    cases=[
        Case(_TURNS, np.array([2.0, 3.0] * 6), about="they take turns, six runs each"),
        Case(_TURNS[:10], np.array([2.0, 3.0] * 5), about="five runs each"),
        Case(_TURNS[:11], np.array([2.0, 3.0] * 5 + [2.0]), about="six runs of one, and five of the other"),
        Case(np.zeros(12, int), np.full(12, 2.0), about="no run of model 1"),
        Case(np.repeat([0, 1], 6), np.repeat([2.0, 3.0], 6), about="first all runs of one"),
        Case(np.repeat([1, 0], 6), np.repeat([2.0, 3.0], 6), about="first all runs of the other"),
        Case(
            np.repeat([0, 1, 0], 6),
            np.repeat([2.0, 3.0, 2.0], 6),
            about="six, then six of the other, then six",
        ),
        Case(
            _TURNS,
            np.array([5.0] + [3.0, 2.0] * 5 + [3.0]),
            about="the first run took 5, the others of that model 2",
        ),
        Case(_TURNS, np.array([2.0, 8.0] + [2.0, 3.0] * 5), about="the first run of the second model"),
        Case(_TURNS, np.array([4.0, 3.0] + [2.0, 3.0] * 5), about="exactly twice the median"),
        Case(_TURNS, np.array([6.0, 1.5] * 6), about="one model is simply four times as slow"),
        Case(
            _TURNS,
            np.array([9.0, 3.0, 2.0, 3.0, 2.0, 3.0, 8.0, 3.0, 8.0, 3.0, 4.0, 3.0]),
            about="the others have a median of 4",
        ),
        Case(_TURNS, np.array([2.0, 3.0] * 5 + [2.0, 9.0]), about="a slow run, but the last"),
        Case(np.repeat([0, 1], 6), np.array([9.0] + [2.0] * 5 + [3.0] * 6), about="two faults"),
    ],
    random=_random_order,
    hints=[
        Hint("Both models need six runs.", lambda got, want, *args: want == 1),
        Hint(
            "Six of one, then six of the other, and again: those are turns.",
            lambda got, want, which, times: got == 2 and np.count_nonzero(np.diff(which)) > 1,
        ),
        Hint("They did not take turns, whichever of them was first.", lambda got, want, *args: want == 2),
        Hint(
            "A warm-up is slow against the *others*: leave it out of their median.",
            lambda got, want, *args: want == 3 and got == 0 and not _warm_ups(*args, of_all=True),
        ),
        Hint("Either model may have its warm-up.", lambda got, want, *args: want == 3 and got == 0),
        Hint(
            "Compare with runs of the same model: another one may be faster.",
            lambda got, want, *args: got == 3 and _warm_ups(*args, first_run=True),
        ),
        Hint("More than twice the median, and the first run only.", lambda got, want, *args: got == 3),
        Hint("Six runs are enough.", lambda got, want, *args: got == 1),
    ],
    hint="Ask in the order of the numbers: the runs of each model, the order, the first run of each.",
)
