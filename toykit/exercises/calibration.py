"""The exercises of the chapter on calibration: GPTQ, few samples, what the phone hears."""

import numpy as np

from .framework import Case, Exercise, Hint


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


def _output_errors(weights, candidates, inputs):
    return np.array([np.mean((inputs @ (candidate - weights).T) ** 2) for candidate in candidates])


def _seen_and_heard(weights, candidates, seen, heard):
    return tuple(int(_output_errors(weights, candidates, inputs).argmin()) for inputs in (seen, heard))


def _candidates(weights, errors, seen, heard):
    weights = np.array(weights, float)
    return weights, weights + np.array(errors, float), np.array(seen, float), np.array(heard, float)


def _random_candidates_case(rng):
    outputs, columns = int(rng.integers(1, 4)), int(rng.integers(2, 6))

    def halves(*shape):
        return rng.integers(-4, 5, shape) / 2  # sums of their products are exact

    seen, heard = halves(int(rng.integers(1, 9)), columns), halves(int(rng.integers(1, 9)), columns)
    return _candidates(
        halves(outputs, columns), halves(int(rng.integers(2, 6)), outputs, columns) / 4, seen, heard
    )


seen_and_heard = Exercise(
    name="seen_and_heard",
    level="decide",
    task="A colleague has made several `candidates` of a layer for a phone, and calibrated on the inputs `seen`; the "
    "phone's microphone gives inputs like `heard`. Return two numbers: of the candidate that is best on `seen`, and of "
    "the one that is best on `heard`. Best is the smallest mean squared error of the outputs, and of equal ones the "
    "first. `weights` are (out, in), `candidates` (number, out, in), inputs have a row for each sample.",
    reference=_seen_and_heard,
    cases=[
        Case(
            *_candidates([[1, 2]], [[[1.5, 0]], [[0, 1]]], [[0, 1]], [[1, 0]]),
            about="one input is silent in what was seen, the other one on the phone",
        ),
        Case(
            *_candidates([[1, 2]], [[[1, 1]], [[0, 1.5]]], [[1, -1], [2, -2]], [[1, 1], [1, 1]]),
            about="two errors that cancel in what was seen",
        ),
        Case(
            *_candidates([[1, 2]], [[[0.5, 0]], [[-0.5, 0]], [[0.5, 0]]], [[1, 0]], [[1, 3]]),
            about="all are equally good",
        ),
        Case(
            *_candidates([[1, 2], [3, 4]], [[[1, 0], [0, 0]], [[0, 0], [0, 0]]], [[0, 1]], [[1, 0]]),
            about="the second is the layer itself",
        ),
        Case(
            *_candidates([[4]], [[[2]], [[1]], [[-1]]], [[1], [2]], [[100]]),
            about="one weight, and loud sounds",
        ),
        Case(
            *_candidates(
                [[1, 2]], [[[1.5, 0]], [[0, 1]]], [[2, 0], [0, 3], [0, 3]], [[2, 0], [2, 0], [0, 3]]
            ),
            about="samples of either kind, in other numbers",
        ),
        Case(
            *_candidates([[0, 0], [0, 0]], [[[0, 2], [0, 0]], [[0, 0], [2, 2]]], [[1, 0]], [[1, 1]]),
            about="errors of different outputs",
        ),
    ],
    random=_random_candidates_case,
    hints=[
        Hint(
            "That is nearest to the weights. What do the outputs say, for these inputs?",
            lambda got, want, w, c, s, h: (
                tuple(got) == 2 * (int(np.square(c - w).mean(axis=(1, 2)).argmin()),)
            ),
        ),
        Hint(
            "First what was seen, then what is heard.", lambda got, want, w, c, s, h: tuple(got) == want[::-1]
        ),
        Hint(
            "The phone hears other inputs than those that the colleague had.",
            lambda got, want, w, c, s, h: tuple(got) == 2 * (want[0],),
        ),
        Hint(
            "Outputs are inputs times the transposed weights: each row of a layer makes one.",
            lambda got, want, w, c, s, h: (
                w.shape[0] == w.shape[1] and tuple(got) == _seen_and_heard(w.T, c.transpose(0, 2, 1), s, h)
            ),
        ),
        Hint(
            "Equally good ones: the first counts.",
            lambda got, want, w, c, s, h: all(
                _output_errors(w, c, x)[g] == _output_errors(w, c, x)[e] for g, e, x in zip(got, want, (s, h))
            ),
        ),
        Hint(
            "A mean of squares: errors of opposite sign do not make up for each other.",
            lambda got, want, w, c, s, h: (
                tuple(got)
                == tuple(
                    int(np.abs((x @ (c - w).transpose(0, 2, 1)).mean(axis=(1, 2))).argmin()) for x in (s, h)
                )
            ),
        ),
    ],
    hint="For each candidate and set of inputs: how far the outputs are from the trained layer's, squared, the mean.",
)
