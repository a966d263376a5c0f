"""The exercises of the chapters on calibration and training: rounding's gradient, a schedule, DKM, GPTQ."""

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


def _gptq_column(row, inverse_hessian, scale):
    rounded = np.round(row[0] / scale) * scale
    moved = row - (row[0] - rounded) / inverse_hessian[0, 0] * inverse_hessian[0]
    moved[0] = rounded
    return moved


def _moved_by(row, direction, scale):
    """The row without its first weight, moved along `direction` by the error of that weight."""
    return (row - (row[0] - np.round(row[0] / scale) * scale) * direction)[1:]


def _random_gptq_case(rng):
    factors = rng.normal(size=(5, 5)).round(1)
    inverse_hessian = (factors @ factors.T + np.eye(5)).round(3)
    # Never half-way between two multiples: which way a half goes is not asked.
    return rng.normal(size=5).round(2) + 0.003, inverse_hessian, float(rng.choice([0.25, 0.5]))


gptq_column = Exercise(
    name="gptq_column",
    level="build",
    task="Quantize the first weight of a row to the nearest multiple of `scale`, and return the row in which "
    "the other weights have moved to make up for it: by the error, over the first diagonal entry of the "
    "inverse Hessian, times the inverse Hessian's first row.",
    reference=_gptq_column,
    cases=[
        Case(
            np.array([0.7, 0.6, 0.3]),
            np.array([[4.0, 2.0, -1.0], [2.0, 3.0, 0.0], [-1.0, 0.0, 2.0]]),
            1.0,
            about="the first weight goes up, and the others pay",
        ),
        Case(
            np.array([0.4, 0.4]),
            np.array([[2.0, -1.0], [-1.0, 2.0]]),
            1.0,
            about="two inputs that rise together",
        ),
        Case(
            np.array([0.4, 0.4]),
            np.array([[2.0, 0.0], [0.0, 2.0]]),
            1.0,
            about="two inputs that have nothing to do with each other",
        ),
        Case(
            np.array([1.0, 0.3, -0.2]),
            np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.1], [0.2, 0.1, 1.0]]),
            0.5,
            about="the first weight is a multiple already: nothing moves",
        ),
    ],
    random=_random_gptq_case,
    tolerance=1e-9,
    hints=[
        Hint(
            "That is the code of the first weight. What stands in the row is the weight that the code "
            "means: code x scale.",
            lambda got, want, w, c, s: (
                s != 1 and np.isclose(got[0] * s, want[0]) and np.allclose(got[1:], want[1:])
            ),
        ),
        Hint(
            "The first weight is rounded, but the others have not moved: they can make up for the error.",
            lambda got, want, w, c, s: np.array_equal(got[1:], w[1:]) and not np.array_equal(want[1:], w[1:]),
        ),
        Hint(
            "Every weight was rounded. Round the first alone; the others come later, one at a time.",
            lambda got, want, w, c, s: np.allclose(got, np.round(w / s) * s),
        ),
        Hint(
            "The others moved the wrong way, and doubled the error. Which sign has (weight - rounded)?",
            lambda got, want, w, c, s: np.allclose(got[1:], 2 * w[1:] - want[1:]),
        ),
        Hint(
            "Divide by the diagonal entry: it says how much the first weight itself would move.",
            lambda got, want, w, c, s: np.allclose(got[1:], _moved_by(w, c[0], s)),
        ),
        Hint(
            "The first weight is a multiple of scale at the end, exactly.",
            lambda got, want, w, c, s: np.allclose(got[1:], want[1:]),
        ),
        Hint(
            "The entries of the inverse Hessian are asked for, not those of the Hessian.",
            lambda got, want, w, c, s: np.allclose(
                got[1:], _moved_by(w, np.linalg.inv(c)[0] / np.linalg.inv(c)[0, 0], s)
            ),
        ),
    ],
    hint="Three numbers: the rounded weight, the error that rounding made, and how far each other weight "
    "moves for one "
    "unit of it.",
)


def _gptq_row(row, hessian, scale, order):
    return _fixed(row, hessian, scale, order)


def _fixed(row, hessian, scale, order, anew=True, inverted=True, sign=-1):
    """GPTQ over a row; the switches spoil a step, to recognise a mistake."""
    row, free = row.astype(float), list(order)
    whole = np.linalg.inv(hessian) if inverted else hessian
    while free:
        part = np.ix_(free, free)
        inverse = whole[part] if not anew or not inverted else np.linalg.inv(hessian[part])
        rounded = np.round(row[free[0]] / scale) * scale
        row[free] += sign * (row[free[0]] - rounded) / inverse[0, 0] * inverse[0]
        row[free[0]] = rounded
        free = free[1:]
    return row


def _random_row_case(rng):
    factors = rng.normal(size=(6, 4)).round(1)
    hessian = (factors.T @ factors + np.eye(4)).round(2)
    return rng.normal(size=4).round(2) + 0.003, hessian, float(rng.choice([0.25, 0.5])), rng.permutation(4)


_HESSIAN = np.array([[3.0, 2, 1, 1, 0], [2, 4, 2, 0, 1], [1, 2, 5, 2, 2], [1, 0, 2, 3, 1], [0, 1, 2, 1, 2]])

gptq_row = Exercise(
    name="gptq_row",
    level="build",
    task="Return a row quantized by GPTQ to multiples of `scale`. Its columns are fixed one after the other, "
    "in "
    "`order`: each is rounded to the nearest, and those that come after it in `order` move as in "
    "exercise 1, with "
    "the inverse of the part of `hessian` that belongs to this column and the ones after it.",
    reference=_gptq_row,
    cases=[
        Case(
            np.array([0.5, -1.6, -0.4, 1.1, -0.6]), _HESSIAN, 0.25, np.arange(5), about="from left to right"
        ),
        Case(
            np.array([-1.1, 0.9, -0.4, -0.5, -1.3]),
            _HESSIAN,
            0.25,
            np.array([2, 1, 0, 3, 4]),
            about="the largest diagonal entry first",
        ),
        Case(
            np.array([0.4, 1.6]),
            np.eye(2),
            1.0,
            np.array([1, 0]),
            about="inputs that have nothing to do with each other",
        ),
        Case(np.array([0.3]), np.array([[2.0]]), 0.5, np.array([0]), about="a single column"),
    ],
    random=_random_row_case,
    tolerance=1e-9,
    hints=[
        Hint(
            "`order` says which column is fixed first, second and so on.",
            lambda got, want, row, h, s, order: np.allclose(got, _fixed(row, h, s, range(len(row)))),
        ),
        Hint(
            "The row stays in its own order: column 0 is still the first entry of what you return.",
            lambda got, want, row, h, s, order: np.allclose(got, want[order]),
        ),
        Hint(
            "When a column is fixed it drops out: invert the part of the Hessian that is left, each time "
            "anew.",
            lambda got, want, row, h, s, order: np.allclose(got, _fixed(row, h, s, order, anew=False)),
        ),
        Hint(
            "The rule wants the inverse of the Hessian.",
            lambda got, want, row, h, s, order: np.allclose(got, _fixed(row, h, s, order, inverted=False)),
        ),
        Hint(
            "The later ones moved the wrong way, and doubled the error. Which sign has (weight - rounded)?",
            lambda got, want, row, h, s, order: np.allclose(got, _fixed(row, h, s, order, sign=1)),
        ),
        Hint(
            "Every weight went to its own nearest multiple. The later ones have to move first.",
            lambda got, want, row, h, s, order: np.allclose(got, np.round(row / s) * s),
        ),
        Hint(
            "At the end every entry is a multiple of scale: each column is rounded when its turn comes.",
            lambda got, want, row, h, s, order: not np.allclose(np.round(got / s), got / s),
        ),
    ],
    hint="A loop over order: invert hessian[np.ix_(free, free)], round the first of the free columns, move "
    "all of them, "
    "and take the first one out.",
)


def _damped_hessian(inputs, damping):
    hessian = inputs.T @ inputs
    return hessian + damping * np.diagonal(hessian).mean() * np.eye(len(hessian))


damped_hessian = Exercise(
    name="damped_hessian",
    level="warm-up",
    task="Return the Hessian of a layer's `inputs`, which have a row for each sample: their transpose times "
    "themselves. "
    "Add to each entry of its diagonal the mean of the diagonal times `damping`.",
    reference=_damped_hessian,
    cases=[
        Case(np.array([[1.0, 2.0]]), 0.0, about="one sample, no damping: no inverse either"),
        Case(np.array([[1.0, 2.0]]), 0.1, about="one sample"),
        Case(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 0.5, about="three samples, two columns"),
        Case(np.array([[3.0, 0.0], [4.0, 0.0]]), 0.01, about="a column whose inputs are all zero"),
    ],
    random=lambda rng: (rng.normal(size=rng.integers(1, 7, 2)).round(1), float(rng.choice([0.01, 0.1, 1.0]))),
    tolerance=1e-9,
    hints=[
        Hint(
            "One row and one column for each input of the layer: the samples are summed up.",
            lambda got, want, x, d: np.shape(got) == (len(x), len(x)) != want.shape,
            anything=True,
        ),
        Hint("That is the Hessian without damping.", lambda got, want, x, d: np.allclose(got, x.T @ x)),
        Hint(
            "Only the diagonal is damped: the entries beside it stay.",
            lambda got, want, x, d: np.allclose(got, x.T @ x + d * np.diagonal(x.T @ x).mean()),
        ),
        Hint(
            "damping is a share, of the mean of the diagonal.",
            lambda got, want, x, d: np.allclose(got, x.T @ x + d * np.eye(x.shape[1])),
        ),
        Hint(
            "The mean of the diagonal, not of the whole matrix.",
            lambda got, want, x, d: np.allclose(got, x.T @ x + d * (x.T @ x).mean() * np.eye(x.shape[1])),
        ),
        Hint(
            "Each entry of the diagonal gets the same: the mean times damping, not a share of its own.",
            lambda got, want, x, d: np.allclose(got, x.T @ x + d * np.diag(np.diagonal(x.T @ x))),
        ),
        Hint(
            "The sum over the samples, not the mean.", lambda got, want, x, d: np.allclose(got * len(x), want)
        ),
    ],
    hint="inputs.T @ inputs first; then np.diagonal, its mean, and np.eye.",
)
