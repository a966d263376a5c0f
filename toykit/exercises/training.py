"""The exercises of the chapter on training: rounding's gradient, a schedule, DKM, what training must not undo."""

import numpy as np

from .framework import Case, Exercise, Hint


def _ste_backward(x, scale, low, high, gradient):
    codes = np.round(x / scale)
    return np.where((codes >= low) & (codes <= high), gradient, 0.0)


def _random_ste_case(rng):
    scale = float(rng.choice([0.25, 0.5, 1.0]))
    # Away from the borders between codes, where rounding half to even matters.
    x = scale * (rng.integers(-12, 13, 12) + rng.choice([-0.25, 0.0, 0.25], 12))
    return x, scale, -8, 7, rng.normal(size=12).round(2)


ste_backward = Exercise(
    name="ste_backward",
    level="warm-up",
    task="Return the gradient with respect to `x`, given the gradient with respect to `clip(round(x / "
    "scale), low, high) * scale`: it passes unchanged where the code is inside `low` to `high`, and is "
    "0 where it was clipped.",
    reference=_ste_backward,
    cases=[
        Case(
            np.array([0.2, 0.6, -13.0]),
            1.0,
            -8,
            7,
            np.array([1.0, 2.0, -3.0]),
            about="the last one is clipped",
        ),
        Case(
            np.array([9.0, 1.0, -9.0]),
            1.0,
            -8,
            7,
            np.array([1.0, 2.0, 3.0]),
            about="one code too large, one too small",
        ),
        Case(
            np.array([3.0, 4.0]),
            0.5,
            -8,
            7,
            np.array([1.0, 1.0]),
            about="a scale of 0.5: the codes are 6 and 8",
        ),
        Case(
            np.array([7.25, 7.75, -8.25, 1.0]),
            1.0,
            -8,
            7,
            np.array([5.0, 6.0, 7.0, 8.0]),
            about="near the ends: the codes are 7, 8, -8 and 1",
        ),
        Case(np.array([7.0, -8.0]), 1.0, -8, 7, np.array([5.0, 6.0]), about="exactly at the ends"),
    ],
    random=_random_ste_case,
    tolerance=1e-9,
    hints=[
        Hint(
            "This is the true derivative of rounding, and nothing can learn from it. The straight-through "
            "estimator lets "
            "the gradient through where the code is inside.",
            lambda got, want, x, s, lo, hi, g: not got.any() and want.any(),
        ),
        Hint(
            "low and high are codes: compare x / scale with them, not x.",
            lambda got, want, x, s, lo, hi, g: (
                s != 1 and np.array_equal(got, np.where((x >= lo) & (x <= hi), g, 0))
            ),
        ),
        Hint(
            "A clipped weight does not change the output, so it gets no gradient.",
            lambda got, want, x, s, lo, hi, g: np.array_equal(got, g),
        ),
        Hint(
            "The scale divides on the way in and multiplies on the way out: as a factor of the gradient "
            "it cancels.",
            lambda got, want, x, s, lo, hi, g: (
                s != 1 and (np.allclose(got, want * s) or np.allclose(got, want / s))
            ),
        ),
        Hint(
            "The first and the last code are inside, and so is what rounds to them.",
            lambda got, want, x, s, lo, hi, g: (
                np.array_equal(got, np.where((x / s > lo) & (x / s < hi), g, 0))
                or np.array_equal(got, np.where((x / s >= lo) & (x / s <= hi), g, 0))
            ),
        ),
        Hint(
            "This is which weights get a gradient. Multiply by the gradient that arrives.",
            lambda got, want, x, s, lo, hi, g: np.array_equal(got.astype(float), (want != 0).astype(float)),
        ),
        Hint(
            "It is the other way round: the clipped weights get no gradient.",
            lambda got, want, x, s, lo, hi, g: np.array_equal(got, g - want),
        ),
    ],
    hint="Compute the codes, see which of them are from low to high, and let the gradient pass there.",
)


def _pruning_schedule(step, begin, end, target):
    t = min(max((step - begin) / (end - begin), 0.0), 1.0)
    return target * (1 - (1 - t) ** 3)


def _random_schedule_case(rng):
    begin = int(rng.integers(0, 50))
    end = begin + int(rng.integers(10, 120))
    return int(rng.integers(0, 200)), begin, end, float(rng.choice([0.5, 0.75, 0.9]))


pruning_schedule = Exercise(
    name="pruning_schedule",
    level="warm-up",
    task="Return the sparsity after a step: 0 until `begin`, `target` from `end` on, and between them the "
    "cubic schedule that prunes much at first and little at last.",
    reference=_pruning_schedule,
    cases=[
        Case(10, 10, 20, 0.8, about="the first step of the schedule"),
        Case(20, 10, 20, 0.8, about="the last one"),
        Case(15, 10, 20, 0.8, about="half-way: seven eighths of the sparsity are there"),
        Case(3, 10, 20, 0.8, about="before it begins"),
        Case(99, 10, 20, 0.8, about="long after it ended"),
        Case(12, 10, 20, 0.5, about="a fifth of the way"),
    ],
    random=_random_schedule_case,
    tolerance=1e-9,
    hints=[
        Hint(
            "Before begin the sparsity is 0, whatever the formula says there.",
            lambda got, want, step, b, e, s: step < b,
        ),
        Hint(
            "After end the sparsity stays at the target: do not let t grow past 1.",
            lambda got, want, step, b, e, s: step > e,
        ),
        Hint(
            "That is a straight line. Many weights go early, few late: what is missing falls with the "
            "third power.",
            lambda got, want, step, b, e, s: np.isclose(got, s * (step - b) / (e - b)),
        ),
        Hint(
            "That schedule starts slowly and ends in a rush. Early is when weights can be spared.",
            lambda got, want, step, b, e, s: np.isclose(got, s * ((step - b) / (e - b)) ** 3),
        ),
        Hint(
            "This is the share that is left, not the share that is gone.",
            lambda got, want, step, b, e, s: np.isclose(got, 1 - want) or np.isclose(got, s - want),
        ),
        Hint(
            "t counts from begin: it is 0 there and 1 at end.",
            lambda got, want, step, b, e, s: np.isclose(got, s * (1 - (1 - min(step / e, 1)) ** 3)),
        ),
        Hint(
            "The exponent is 3.",
            lambda got, want, step, b, e, s: any(
                np.isclose(got, s * (1 - (1 - (step - b) / (e - b)) ** n)) for n in (2, 4, 0.5, 1 / 3)
            ),
        ),
    ],
    hint="Let t go from 0 at begin to 1 at end. What part of the target is still missing at t, and which "
    "power of it?",
)


def _dkm_step(weights, centroids, temperature):
    closeness = -np.square(weights[:, None] - centroids) / temperature
    attention = np.exp(closeness - closeness.max(axis=1, keepdims=True))
    attention /= attention.sum(axis=1, keepdims=True)
    return attention.T @ weights / attention.sum(axis=0)


def _random_dkm_case(rng):
    centroids = np.sort(rng.normal(size=3)).round(2)
    return rng.normal(size=20).round(2), centroids, float(rng.choice([0.1, 0.5, 2.0]))


def _softmax(closeness, axis):
    raised = np.exp(closeness - closeness.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def _moved(attention, weights):
    return attention.T @ weights / attention.sum(axis=0)


def _gives(got, w, closeness, axis=1):
    """Whether these centroids come from a softmax of `closeness`."""
    return np.allclose(got, _moved(_softmax(closeness, axis), w))


dkm_step = Exercise(
    name="dkm_step",
    level="build",
    task="Return the centroids after one step of differentiable k-means: every weight shares its attention "
    "among the centroids (softmax of minus the squared distance over the temperature), and each "
    "centroid moves to the mean of the weights, weighted with their attention.",
    reference=_dkm_step,
    cases=[
        Case(
            np.array([0.0, 1.0, 2.0, 5.0]),
            np.array([0.5, 3.0]),
            4.0,
            about="a high temperature: the centroids approach",
        ),
        Case(np.array([0.0, 1.0, 9.0]), np.array([0.0, 8.0]), 0.5, about="a low temperature: almost k-means"),
        Case(
            np.array([-1.0, 1.0]),
            np.array([-1.0, 1.0]),
            2.0,
            about="two weights, two centroids, and some doubt",
        ),
        Case(
            np.array([-3.0, 3.0, 40.0]),
            np.array([-3.0, 3.0]),
            0.01,
            about="distances at which exp overflows or vanishes",
        ),
    ],
    random=_random_dkm_case,
    tolerance=1e-6,
    hints=[
        Hint(
            "That is k-means: every weight went to its nearest centroid only. Let it share its attention.",
            lambda got, want, w, c, t: _gives(got, w, -np.square(w[:, None] - c) / 1e-9),
        ),
        Hint(
            "exp of a very negative number is 0, and 0/0 is not a number. Subtract the largest exponent "
            "of each weight "
            "first: the shares stay the same.",
            lambda got, want, w, c, t: not np.isfinite(got).all(),
            anything=False,
        ),
        Hint(
            "Where all shares vanish, a small number under the fraction makes them 0 and not 0/0: the "
            "weight is lost. "
            "Subtract the largest exponent of each weight first; the shares stay the same.",
            lambda got, want, w, c, t: not np.exp(-np.square(w[:, None] - c) / t).any(axis=1).all(),
        ),
        Hint(
            "Each weight has attention 1 to give. Let the shares of a weight sum to 1, not those of a "
            "centroid.",
            lambda got, want, w, c, t: _gives(got, w, -np.square(w[:, None] - c) / t, axis=0),
        ),
        Hint(
            "Near means much attention: the exponent is minus the squared distance.",
            lambda got, want, w, c, t: _gives(got, w, np.square(w[:, None] - c) / t),
        ),
        Hint(
            "The distance is squared before it is divided by the temperature.",
            lambda got, want, w, c, t: _gives(got, w, -np.abs(w[:, None] - c) / t),
        ),
        Hint(
            "Divide by the temperature: a high one makes the differences small.",
            lambda got, want, w, c, t: (
                _gives(got, w, -np.square(w[:, None] - c) * t) or _gives(got, w, -np.square(w[:, None] - c))
            ),
        ),
        Hint(
            "A mean is divided by how much attention there was, not by the number of weights.",
            lambda got, want, w, c, t: any(
                np.allclose(got, _softmax(-np.square(w[:, None] - c) / t, 1).T @ w / n) for n in (1, len(w))
            ),
        ),
    ],
    hint="Three lines: squared distances (weights by centroids), a softmax over the centroids, a weighted "
    "mean.",
)


def _holds(weights, kind, asked):
    if kind == "sparsity":
        return np.count_nonzero(weights == 0) >= asked * weights.size
    if kind == "bits":
        return np.unique(weights).size <= 2**asked
    n, m = asked
    return bool(((weights.reshape(-1, m) == 0).sum(axis=1) >= n).all())


def _broken_promises(layers, promises):
    return np.array(
        [
            not all(_holds(weights, kind, asked) for kind, asked in promised.items())
            for weights, promised in zip(layers, promises, strict=True)
        ],
        bool,
    )


def _as_trained(*pairs):
    return [np.array(weights, float) for weights, _ in pairs], [dict(promised) for _, promised in pairs]


def _random_promises_case(rng):
    pairs = []
    for _ in range(int(rng.integers(2, 6))):
        weights = rng.integers(-3, 4, (4, 8)) * (rng.random((4, 8)) < 0.6) / 4
        promised = {
            "sparsity": float(rng.choice([0.25, 0.5, 0.75])),
            "bits": int(rng.integers(1, 4)),
            "n_m": (1, 4),
        }
        kept = rng.permutation(list(promised))[: int(rng.integers(1, 3))]
        weights[0, 0] += float(rng.choice([0, 1e-6]))  # an optimizer's last step
        pairs.append((weights, {str(kind): promised[str(kind)] for kind in kept}))
    return _as_trained(*pairs)


broken_promises = Exercise(
    name="broken_promises",
    dtype="bool",
    level="build",
    task="A colleague has trained compressed `layers`, a list of arrays, and then a little more, without masks and "
    "tables. Return a boolean array that is `True` for each layer that no longer holds what was promised. Each of "
    '`promises` is a dictionary with one or more of: `"sparsity"`, the share of weights that are 0, or more; `"bits"`, '
    'at most `2 ** bits` different weights; `"n_m"`, in each `m` neighbours in a row `n` zeros, or more.',
    reference=_broken_promises,
    cases=[
        Case(
            *_as_trained(([[0, 1, 0, 2]], {"sparsity": 0.5}), ([[0, 1, 3, 2]], {"sparsity": 0.5})),
            about="half of the weights are 0, as promised, and a quarter",
        ),
        Case(
            *_as_trained(([[0, 1, 1e-9, 2]], {"sparsity": 0.5}), ([[0, 1, 0, 2]], {"sparsity": 0.5})),
            about="one weight of the first layer has moved, by very little",
        ),
        Case(
            *_as_trained(([[-0.0, 1, 0, 2]], {"sparsity": 0.5}), ([[0, 0, 0, 2]], {"sparsity": 0.5})),
            about="-0 is 0, too",
        ),
        Case(
            *_as_trained(([[1, 2, 1, 2]], {"bits": 1}), ([[1, 2, 1, 3]], {"bits": 1})),
            about="two values, and three",
        ),
        Case(
            *_as_trained(([[1, 2, 3, 4]], {"bits": 2}), ([[0, 1, 2, 3, 4]], {"bits": 2})),
            about="0 is a value",
        ),
        Case(
            *_as_trained(
                ([[0, 1, 2, 0, 0, 3, 0, 4]], {"n_m": (2, 4)}), ([[0, 0, 0, 1, 2, 3, 4, 0]], {"n_m": (2, 4)})
            ),
            about="the second layer has as many zeros, and not in each group",
        ),
        Case(
            *_as_trained(([[0, 0, 0, 0], [1, 0, 0, 0]], {"n_m": (1, 4)}), ([[1, 2, 3, 4]], {"n_m": (1, 4)})),
            about="more zeros than promised, and none",
        ),
        Case(
            *_as_trained(
                ([[0, 0, 1, 2], [0, 3, 0, 4]], {"n_m": (1, 2)}),
                ([[0, 1, 2, 0], [3, 0, 0, 4]], {"n_m": (1, 2)}),
            ),
            about="neighbours in a row, not in a column",
        ),
        Case(
            *_as_trained(
                ([[0, 0, 1, 2]], {"sparsity": 0.5, "bits": 1}), ([[0, 0, 1]], {"sparsity": 0.5, "bits": 1})
            ),
            about="two promises, and the first layer holds one of them",
        ),
        Case(
            *_as_trained(
                ([[0, 1, 2, 3]], {"sparsity": 0.5, "bits": 2}), ([[1, 2, 1]], {"bits": 1, "sparsity": 0.0})
            ),
            about="two promises, and the first layer holds the other one",
        ),
        Case([], [], about="no layers"),
    ],
    random=_random_promises_case,
    hints=[
        Hint(
            "It is the other way round: True is for the layers that do not hold what was promised.",
            lambda got, want, layers, promises: np.array_equal(got, ~want),
        ),
        Hint(
            "A weight of 1e-9 is not 0: it has to be stored.",
            lambda got, want, layers, promises: np.array_equal(
                got, _broken_promises([np.where(np.abs(w) < 1e-5, 0, w) for w in layers], promises)
            ),
        ),
        Hint(
            "n of each m are zeros, and here the groups are not alike: look at each of them, along a row.",
            lambda got, want, layers, promises: (
                any("n_m" in one for one in promises) and all(len(one) == 1 for one in promises)
            ),
        ),
        Hint(
            "A layer with two promises has to hold both.",
            lambda got, want, layers, promises: any(len(one) > 1 for one in promises) and (want & ~got).any(),
        ),
        Hint(
            "Promises are kept exactly at their limits, and by more than was asked.",
            lambda got, want, layers, promises: (got & ~want).any(),
        ),
    ],
    hint="Count: the zeros of a layer, its different weights, the zeros of each group.",
)
