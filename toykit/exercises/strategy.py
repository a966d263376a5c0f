"""The exercises of the chapter about strategy: decide, what to do next, how far a model carries, a package checked."""

import functools
import tempfile
from pathlib import Path

import numpy as np

from ..coreml.constants.weights_of import weights
from ..coreml.format.package import Package
from ..coreml.tools.compression import outcome
from .framework import Case, Exercise, Hint
from .packages import write_linear


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


def _too_far(trained, indices, tables):
    """How much farther each weight is from its entry of the table than from the nearest one."""
    apart = np.abs(trained[:, :, None] - tables[:, None, :])
    return np.take_along_axis(apart, indices[:, :, None].astype(int), axis=2)[..., 0] - apart.min(axis=2)


def _misplaced_layer(trained, indices, tables):
    return _first((_too_far(trained, indices, tables) > 0.001).any(axis=1))


def _spoil(path, blobs, rng):
    """Change the indices of one layer or of two in a weight file, or nothing."""
    data, (one, other) = bytearray(path.read_bytes()), rng.permutation(len(blobs))[:2]
    one, other = (
        slice(blobs[place].start, blobs[place].start + blobs[place].nbytes) for place in (one, other)
    )
    match rng.integers(4):
        case 0:
            data[one], data[other] = data[other], data[one]
        case 1:
            data[one] = data[one][1:] + data[one][:1]
        case 2:
            data[one.stop - 1] ^= 3
    path.write_bytes(data)


@functools.cache
def _colleagues_package(seed):
    """Arguments of a case, read from a package that was written, compressed and then spoilt."""
    rng = np.random.default_rng(seed)
    trained = rng.uniform(-0.5, 0.5, (3, 4, 6)).astype(np.float16)
    with tempfile.TemporaryDirectory() as folder:
        package = write_linear(Path(folder, "trained.mlpackage"), trained)
        shipped = outcome(package, "palettize", bits=2, weight_threshold=0).package
        (file,) = shipped.weight_files.values()
        _spoil(file.path, shipped.weight_blobs, rng)
        stored = list(weights(Package(shipped.path)).values())
        indices, tables = [one.codes.ravel() for one in stored], [one.lut.ravel() for one in stored]
        return trained.reshape(3, -1).astype(float), np.stack(indices), np.stack(tables).astype(float)


def _layers(trained, indices, tables=((-1.0, 0.0, 1.0),)):
    return np.array(trained), np.array(indices, np.uint8), np.array(tables)


misplaced_layer = Exercise(
    name="misplaced_layer",
    level="build",
    task="Return the number, counted from 0, of the first layer of a colleague's package in which a weight does not "
    "have the nearest entry of its table: another one is nearer by more than 0.001; -1 if there is none. "
    "`trained` and `indices` have a row for each layer, with the trained weights and the places of their "
    "entries in the layer's table, a row of `tables`.",
    reference=_misplaced_layer,
    cases=[
        Case(*_layers([[0.9, -0.2, 0.1]], [[2, 1, 1]]), about="one layer, and all is well"),
        Case(*_layers([[0.9, -0.2, 0.1]], [[2, 1, 0]]), about="one layer, and its last weight is misplaced"),
        Case(
            *_layers(
                [[0.9, -0.2], [0.9, -0.2], [-0.9, 0.2]], [[2, 1], [1, 2], [2, 1]], [[-1.0, 0.0, 1.0]] * 3
            ),
            about="two of three layers have a fault",
        ),
        Case(*_layers([[0.5, -0.5]], [[1, 0]]), about="two entries are equally near"),
        Case(*_layers([[0.5, -0.5]], [[2, 1]]), about="two entries are equally near, the other way round"),
        Case(
            *_layers([[0.50025, 0.2]], [[1, 1]], [[-1.0, 0.0, 1.0]]),
            about="another entry is nearer by 0.001 at most",
        ),
        Case(*_layers([[0.51, 0.2]], [[1, 1]], [[-1.0, 0.0, 1.0]]), about="another entry is nearer by 0.02"),
        Case(*_layers([[3.0, 0.1]], [[2, 1]]), about="far from its entry, and that is the nearest"),
        Case(*_layers([[0.9, 0.8]], [[1, 1]]), about="the nearest entry is used by no weight"),
        Case(*_layers([[0.3, 0.7]], [[1, 0]], [[0.8, 0.2, 0.5]]), about="a table that is not sorted"),
        Case(
            *_layers([[0.9, 0.1], [4.0, 2.0]], [[2, 1], [1, 0]], [[-1.0, 0.0, 1.0], [2.0, 4.0, 8.0]]),
            about="each layer has its own table",
        ),
    ],
    random=lambda rng: _colleagues_package(int(rng.integers(2**31))),
    hints=[
        Hint(
            "That a palette moves weights is no fault. Is another entry of the table nearer?",
            lambda got, want, trained, indices, tables: (
                want == -1 != got and np.isclose(_too_far(trained, indices, tables)[int(got)], 0).all()
            ),
        ),
        Hint(
            "Nearer by 0.001 or less is no fault: the table was rounded to float16.",
            lambda got, want, *args: want == -1 and _too_far(*args)[int(got)].max() <= 0.001,
        ),
        Hint(
            "That layer has a fault, but an earlier one has, too.",
            lambda got, want, *args: got > want >= 0 and (_too_far(*args)[int(got)] > 0.001).any(),
        ),
        Hint(
            "All entries of the table count, those too that no weight has.",
            lambda got, want, trained, indices, tables: (
                got == -1
                and not np.isin(
                    np.abs(trained[want][:, None] - tables[want]).argmin(axis=1), indices[want]
                ).all()
            ),
        ),
        Hint(
            "A single weight that has another entry than the nearest is a fault.",
            lambda got, want, *args: got == -1,
        ),
    ],
    hint="For each weight: how far is its own entry, and how far the nearest of the table?",
    trials=6,
)
