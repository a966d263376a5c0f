"""The exercises of the chapter on Core AI: a ruler that uses all codes, a part to blame, and which stack can do it."""

import numpy as np

from .framework import Case, Exercise, Hint


def _back(weights, bits, less=0.5, axis: int | None = 1, low=None, times=True):
    """The weights with codes from `low` on; half of the codes' number, `less` that, divides the largest weight."""
    half = 2 ** (bits - 1)
    largest = np.abs(weights).max(axis, keepdims=True)
    scale = np.where(largest, largest, 1) / (half - less)
    codes = np.clip(np.rint(weights / scale), -half if low is None else low, half - 1)
    return scale * codes if times else codes


def _all_codes(weights, bits):
    return _back(weights, bits)


def _random_rows(rng):
    """The largest of each row makes a scale that floats hold exactly, and no other weight lies between two codes."""
    bits = int(rng.integers(2, 6))
    half = 2 ** (bits - 1)
    steps = rng.integers(-half, half, (3, 4)) + rng.choice([-0.25, 0.0, 0.25], (3, 4))
    steps = np.clip(steps, 0.75 - half, half - 0.75)
    steps[np.arange(3), rng.integers(0, 4, 3)] = rng.choice([0.5 - half, half - 0.5], 3)
    return steps * 2.0 ** rng.integers(-3, 3, (3, 1)), bits


all_codes = Exercise(
    name="all_codes",
    level="build",
    task="Return what comes back when weights are stored in `bits` bits with a scale for each row that uses all "
    "codes: the largest magnitude of the row over `2**(bits - 1) - 0.5`. A weight gets the nearest code from "
    "`-2**(bits - 1)` to `2**(bits - 1) - 1`, of two as near the even one, as NumPy rounds. A row of zeros stays one.",
    reference=_all_codes,
    cases=[
        Case(np.array([[3.75, 1.0, -1.5, 0.125]]), 4, about="the largest is positive"),
        Case(np.array([[-3.75, 1.0, 1.5, 0.375]]), 4, about="the largest is negative"),
        Case(np.array([[1.5, -1.0, 0.25], [-3.0, 1.5, 2.5]]), 2, about="two rows, two scales, four codes"),
        Case(np.array([[0.0, 0.0], [15.5, -4.0]]), 5, about="a row of zeros"),
    ],
    random=_random_rows,
    hints=[
        Hint(
            "That scale is `tk.quantize`'s, which leaves the lowest code unused. This one is a little finer.",
            lambda got, want, w, bits: np.allclose(got, _back(w, bits, less=1)),
        ),
        Hint(
            "Those are the codes. What comes back is the scale times the code.",
            lambda got, want, w, bits: got.any() and np.array_equal(got, _back(w, bits, times=False)),
        ),
        Hint(
            "A largest weight that is positive rounds to a code beyond the last one. There is none: clip.",
            lambda got, want, w, bits: np.abs(got).max() > np.abs(want).max() and (got > want).any(),
        ),
        Hint(
            "The lowest code is used here, too: clip at -2**(bits - 1).",
            lambda got, want, w, bits: np.allclose(got, _back(w, bits, low=1 - 2 ** (bits - 1))),
        ),
        Hint(
            "Each row has a scale of its own.",
            lambda got, want, w, bits: len(w) > 1 and np.allclose(got, _back(w, bits, axis=None)),
        ),
        Hint(
            "A row of zeros has no scale to divide by. Nothing over nothing is no number.",
            lambda got, want, *args: np.isnan(got).any(),
        ),
    ],
    hint="scale, then codes = np.rint(weights / scale), clipped, then scale * codes.",
    tolerance=1e-9,
)


def _guilty_part(part, before, after, count):
    return _blamed(part, before - after, count)


def _blamed(part, height, count):
    """The part with most of the `count` highest; of equal ones that whose heights there sum to more."""
    steepest = np.argsort(-height)[:count]
    parts = np.unique(part[steepest])
    return int(
        max(parts, key=lambda p: ((part[steepest] == p).sum(), height[steepest][part[steepest] == p].sum()))
    )


def _random_falls(rng):
    """Falls that are all different, and no two parts with as many and as much."""
    while True:
        size = int(rng.integers(4, 12))
        part = rng.integers(0, 4, size)
        falls = rng.permutation(np.arange(1, 40))[:size]
        after = rng.integers(-10, 30, size)
        count = int(rng.integers(2, size + 1))
        among = np.argsort(-falls)[:count]
        ranks = [((part[among] == p).sum(), falls[among][part[among] == p].sum()) for p in range(4)]
        if ranks.count(max(ranks)) == 1:
            return part, after + falls, after, count


guilty_part = Exercise(
    name="guilty_part",
    level="build",
    task="Return the number of the part to blame. Operator `i` belongs to part number `part[i]`; the signal has "
    "`before[i]` dB where it enters and `after[i]` dB where it leaves. Of the `count` operators in which most is lost, "
    "most belong to that part; if two parts have as many, it is the one that loses more in them.",
    reference=_guilty_part,
    cases=[
        Case(np.array([0, 1, 1]), np.array([40, 38, 30]), np.array([38, 30, 20]), 2, about="two of one part"),
        Case(
            np.array([3, 1, 1, 1, 3]),
            np.array([40, 30, 29, 28, 27]),
            np.array([30, 29, 28, 27, 18]),
            2,
            about="many that lose little",
        ),
        Case(
            np.array([0, 1, 2, 2]),
            np.array([40, 38, 12, 11]),
            np.array([38, 12, 11, 9]),
            1,
            about="what comes later inherits the loss",
        ),
        Case(
            np.array([0, 2, 2, 0]),
            np.array([40, 30, 24, 20]),
            np.array([30, 24, 20, 12]),
            4,
            about="as many of each part",
        ),
        Case(
            np.array([1, 0, 0]),
            np.array([60, 30, 22]),
            np.array([30, 22, 15]),
            3,
            about="one steep fall, and two of another part",
        ),
    ],
    random=_random_falls,
    hints=[
        Hint(
            "You took those with the least signal left. An operator behind the break has little left, and need not "
            "have lost any of it: take what each one loses.",
            lambda got, want, part, before, after, count: got == _blamed(part, -after, count),
        ),
        Hint(
            "Only the operators in which most is lost are counted, not all of them.",
            lambda got, want, part, before, after, count: got == _blamed(part, before - after, len(part)),
        ),
        Hint(
            "That part has the single steepest fall. Count how many of the steepest each part has.",
            lambda got, want, part, before, after, count: got == part[np.argmax(before - after)],
        ),
        Hint(
            "Those are the ones that lose least: sort the other way round.",
            lambda got, want, part, before, after, count: got == _blamed(part, after - before, count),
        ),
    ],
    hint="before - after is what is lost in an operator; np.argsort puts the largest last.",
)

_FIRST = {"int8": 16, "palette": 16, "sparse": 16, "int4": 18, "blocks": 18}  # of Core ML's systems


def _which_stack(network, system, form):
    core_ml = form == "float16" or system >= _FIRST.get(form, np.inf)
    return np.array([core_ml, network and system >= 27])


def _random_app(rng):
    form = str(rng.choice([*_FIRST, "float16", "int2", "fp8", "fp4"]))
    network = bool(form != "float16" or rng.integers(2))
    return network, int(rng.choice([16, 17, 18, 26, 27])), form


which_stack = Exercise(
    name="which_stack",
    level="decide",
    dtype="bool",
    task="Return two truths as an array of bool: can the app use Core ML, and can it use Core AI? `system` is the "
    "oldest iOS that it must run on, at least 16. Core AI needs 27, and a `network`. Core ML stores the `form` float16 "
    "always, int8, palette and sparse from 16, int4 and blocks from 18, and int2, fp8 and fp4 never.",
    reference=_which_stack,
    cases=[
        Case(True, 26, "int8", about="the system before the first with Core AI"),
        Case(True, 27, "int8", about="the first system with Core AI"),
        Case(True, 27, "fp4", about="a form that one of them has not"),
        Case(False, 27, "float16", about="decision trees"),
        Case(True, 17, "blocks", about="a form of the next system"),
        Case(True, 18, "int4", about="the first system with the form"),
    ],
    random=_random_app,
    hints=[
        Hint(
            "Both can be right at once: on iOS 27 an app may still use Core ML.",
            lambda got, want, *args: want.all() and not got[0],
        ),
        Hint("Core AI runs networks alone.", lambda got, want, network, *args: got[1] and not network),
        Hint(
            "The app must run on the oldest system, and Core AI begins with 27.",
            lambda got, want, network, system, form: got[1] and system < 27,
        ),
        Hint("From a system on means that this one has it.", lambda got, want, *args: (got < want).any()),
        Hint(
            "Does Core ML store this form, and on a system so old?",
            lambda got, want, *args: got[0] and not want[0],
        ),
    ],
    hint="Two questions, each with its own answer: form and system for the one, network and system for the other.",
)
