"""The exercises of the chapter about strategy: decide, what to do next, and how far a model carries."""

import numpy as np

from .framework import Case, Exercise, Hint


def _smallest_good(nbytes, right, interval, max_bytes, needed):
    good = (nbytes <= max_bytes) & (right - interval >= needed)
    return int(np.flatnonzero(good)[np.argmin(nbytes[good])]) if good.any() else -1


def _takes(choose):
    """Whether the learner took what a certain mistake would take."""
    return lambda got, want, *args: got == choose(*args)


def _first(good):
    return int(np.flatnonzero(good)[0]) if good.any() else -1


def _random_candidates(rng):
    count = int(rng.integers(3, 9))
    # Multiples of 1/64, which floats hold exactly: whether a candidate is at the limit is no question of rounding.
    return (
        rng.permutation(np.arange(1, 20))[:count],
        rng.integers(32, 64, count) / 64,
        rng.integers(0, 6, count) / 64,
        int(rng.integers(5, 20)),
        float(rng.integers(38, 58)) / 64,
    )


smallest_good = Exercise(
    name="smallest_good",
    level="decide",
    task="Return the number of the smallest candidate, counted from 0, that is at most `max_bytes` large and "
    "whose accuracy, less its interval, still reaches what is `needed`; -1 if there is none.",
    reference=_smallest_good,
    cases=[
        Case(
            np.array([40, 20, 10]),
            np.array([0.9, 0.9, 0.5]),
            np.array([0.0, 0.0, 0.0]),
            30,
            0.8,
            about="one is too large, one too inaccurate",
        ),
        Case(
            np.array([30, 20, 10]),
            np.array([0.9, 0.85, 0.82]),
            np.array([0.02, 0.02, 0.04]),
            30,
            0.8,
            about="the smallest could lie at 0.78",
        ),
        Case(
            np.array([30, 10, 20]),
            np.array([0.9, 0.88, 0.95]),
            np.array([0.0, 0.0, 0.0]),
            30,
            0.8,
            about="all are good enough, and not sorted",
        ),
        Case(
            np.array([30, 20]),
            np.array([0.7, 0.6]),
            np.array([0.0, 0.0]),
            30,
            0.8,
            about="nothing is good enough",
        ),
        Case(np.array([8]), np.array([0.75]), np.array([0.25]), 8, 0.5, about="exactly at both limits"),
    ],
    random=_random_candidates,
    hints=[
        Hint(
            "If nothing fits, say so with -1: a limit that gives way was not a limit.",
            lambda got, want, *args: want == -1 != got and not (args[1] >= args[4]).any(),
        ),
        Hint(
            "Subtract the interval: the accuracy was measured on a sample, and the truth may lie at its "
            "lower end.",
            _takes(
                lambda n, right, interval, most, needed: _smallest_good(n, right, 0 * interval, most, needed)
            ),
        ),
        Hint(
            "It also has to be at most max_bytes large.",
            lambda got, want, n, right, interval, most, needed: got >= 0 and n[int(got)] > most,
        ),
        Hint(
            "Of all that are good enough take the smallest: more accuracy than needed is not asked for.",
            lambda got, want, n, right, interval, most, needed: (
                got >= 0
                and right[int(got)] - interval[int(got)] >= needed
                and n[int(got)] <= most
                and n[int(got)] > n[want]
            ),
        ),
        Hint(
            "A candidate exactly at a limit is within it.",
            _takes(lambda n, right, interval, most, needed: _first((n < most) & (right - interval > needed))),
        ),
    ],
    hint="First mark the candidates within both limits; then the smallest of those.",
)

_SHIP, _CALIBRATE, _TRAIN, _LIMITS = range(4)


def _next_step(needed, data_free, calibrated, trained, samples, training):
    if np.nanmax([data_free, calibrated, trained]) >= needed:
        return _SHIP
    if samples and np.isnan(calibrated):
        return _CALIBRATE
    if training and np.isnan(trained):
        return _TRAIN
    return _LIMITS


_NEVER = float("nan")

next_step = Exercise(
    name="next_step",
    level="decide",
    task="Return what comes next: 0 ship it, 1 calibrate, 2 train, 3 change the limits. Accuracies that were "
    "not measured are NaN; `samples` and `training` say whether you have what calibrating and training "
    "need. Cheap steps first.",
    reference=_next_step,
    cases=[
        Case(0.8, 0.9, _NEVER, _NEVER, True, True, about="good enough without any data"),
        Case(0.8, 0.7, _NEVER, _NEVER, True, True, about="not good enough yet, everything is possible"),
        Case(0.8, 0.7, 0.75, _NEVER, True, True, about="calibrating was tried, and was not enough"),
        Case(
            0.8, 0.7, _NEVER, _NEVER, False, True, about="no samples to calibrate with, but it can be trained"
        ),
        Case(0.8, 0.7, 0.8, _NEVER, True, True, about="calibrated, it reaches exactly what is needed"),
        Case(0.8, 0.7, 0.75, 0.78, True, True, about="everything was tried"),
        Case(0.8, 0.7, _NEVER, _NEVER, False, False, about="nothing can be tried"),
        Case(0.8, 0.7, 0.6, 0.85, True, True, about="training did it"),
    ],
    random=lambda rng: (
        float(rng.integers(70, 95)) / 100,
        float(rng.integers(50, 100)) / 100,
        float(rng.choice([_NEVER, rng.integers(50, 100) / 100])),
        float(rng.choice([_NEVER, rng.integers(50, 100) / 100])),
        bool(rng.integers(2)),
        bool(rng.integers(2)),
    ),
    hints=[
        Hint("Something that was measured is good enough: ship it.", lambda got, want, *args: want == _SHIP),
        Hint(
            "It was tried already: its accuracy is no NaN. On to the next step.",
            lambda got, want, needed, data_free, calibrated, trained, samples, training: (
                (got == _CALIBRATE and not np.isnan(calibrated)) or (got == _TRAIN and not np.isnan(trained))
            ),
        ),
        Hint(
            "For that you lack what it needs: samples to calibrate, the training to train.",
            lambda got, want, needed, data_free, calibrated, trained, samples, training: (
                (got == _CALIBRATE and not samples) or (got == _TRAIN and not training)
            ),
        ),
        Hint(
            "Calibrating takes minutes, training days: the cheap step first.",
            lambda got, want, *args: got == _TRAIN and want == _CALIBRATE,
        ),
        Hint(
            "Changing the limits comes last, when nothing else is left to try.",
            lambda got, want, *args: got == _LIMITS,
        ),
        Hint(
            "Nothing reaches what is needed. That is not good enough to ship.",
            lambda got, want, *args: got == _SHIP,
        ),
    ],
    hint="Ask in the order of cost: good enough? can calibrate and have not? can train and have not?",
)


def _settled_pairs(times):
    count = 0
    for a in range(times.shape[1]):
        for b in range(a):
            first, second = times[:, a], times[:, b]
            count += bool((first < second).all() or (second < first).all())
    return count


settled_pairs = Exercise(
    name="settled_pairs",
    level="build",
    task="Return of how many pairs of candidates (columns) every chip (rows) says the same: that the one is "
    "faster than the other. Equally fast on some chip is not settled.",
    reference=_settled_pairs,
    cases=[
        Case(np.array([[1.0, 2.0], [3.0, 4.0]]), about="two chips agree"),
        Case(np.array([[1.0, 2.0, 9.0], [4.0, 2.5, 9.0]]), about="two chips disagree about the first two"),
        Case(
            np.array([[1.0, 2.0, 3.0], [2.0, 1.0, 3.0]]), about="three candidates: the third is last on both"
        ),
        Case(
            np.array([[3.0, 2.0, 1.0], [6.0, 5.0, 5.0]]),
            about="two candidates are equally fast on the second chip",
        ),
        Case(np.array([[5.0, 1.0, 3.0]]), about="a single chip is always of one opinion"),
        Case(np.array([[1.0], [2.0]]), about="a single candidate has no pair"),
    ],
    random=lambda rng: (
        rng.integers(1, 30, (int(rng.integers(1, 4)), int(rng.integers(2, 7)))).astype(float),
    ),
    hints=[
        Hint(
            "Each pair counts once: a with b is the same pair as b with a.",
            lambda got, want, times: got == 2 * want,
        ),
        Hint(
            "Those are the pairs on which the chips disagree. Count the others.",
            lambda got, want, times: got == times.shape[1] * (times.shape[1] - 1) // 2 - want,
        ),
        Hint(
            "Equally fast is not faster: where a chip sees a tie, nothing is settled.",
            lambda got, want, times: (
                got
                == sum(
                    bool((times[:, a] <= times[:, b]).all() or (times[:, b] <= times[:, a]).all())
                    for a in range(times.shape[1])
                    for b in range(a)
                )
            ),
        ),
        Hint(
            "The mean over the chips hides those that disagree. Every single chip has to say the same.",
            lambda got, want, times: (
                got
                == sum(
                    times[:, a].mean() != times[:, b].mean() for a in range(times.shape[1]) for b in range(a)
                )
            ),
        ),
        Hint(
            "Both orders are settled: all chips may say that a is faster, or all that b is.",
            lambda got, want, times: (
                got
                == sum(
                    bool((times[:, b] < times[:, a]).all()) for a in range(times.shape[1]) for b in range(a)
                )
            ),
        ),
    ],
    hint="For each pair: is a faster than b in every row, or b faster than a in every row?",
)
