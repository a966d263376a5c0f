"""Wrong answers that people give to the exercises on calibration and training, with a part of their hint."""

import numpy as np


def attention(w, c, t, axis=1, sign=-1, power=2):
    closeness = sign * np.abs(w[:, None] - c) ** power / t
    raised = np.exp(closeness - closeness.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def mean(a, w):
    return a.T @ w / a.sum(axis=0)


def overflowing(w, c, t):
    with np.errstate(all="ignore"):
        raised = np.exp(-np.square(w[:, None] - c) / t)
        return mean(raised / raised.sum(axis=1, keepdims=True), w)


def fudged(w, c, t, small):
    raised = np.exp(-np.square(w[:, None] - c) / t)
    return mean(raised / (raised.sum(axis=1, keepdims=True) + small), w)


def to_nearest(w, c, t):
    labels = np.abs(w[:, None] - c).argmin(axis=1)
    return np.array([w[labels == j].mean() if (labels == j).any() else c[j] for j in range(len(c))])


def rounded(row, scale):
    return np.round(row[0] / scale) * scale


def moved(row, c, scale, sign=-1, divide=True):
    error = row[0] - rounded(row, scale)
    out = row + sign * error / (c[0, 0] if divide else 1) * c[0]
    out[0] = rounded(row, scale)
    return out


def by_columns(row, hessian, scale, order, whole=None, sign=-1):
    row, free = row.astype(float), list(order)
    while free:
        c = np.linalg.inv(hessian[np.ix_(free, free)]) if whole is None else whole[np.ix_(free, free)]
        nearest = np.round(row[free[0]] / scale) * scale
        row[free] += sign * (row[free[0]] - nearest) / c[0, 0] * c[0]
        row[free[0]] = nearest
        free = free[1:]
    return row


def only_first(row, c, scale):
    out = row.copy()
    out[0] = rounded(row, scale)
    return out


def inside(x, s, lo, hi):
    codes = np.round(x / s)
    return (codes >= lo) & (codes <= hi)


def cubic(step, b, e, s):
    return s * (1 - (1 - (step - b) / (e - b)) ** 3)


def clamped(step, b, e):
    return min(max((step - b) / (e - b), 0), 1)


WRONG = {
    "ste_backward": [
        (lambda x, s, lo, hi, g: np.zeros_like(g), "nothing can learn"),
        (lambda x, s, lo, hi, g: g.copy(), "gets no gradient"),
        (lambda x, s, lo, hi, g: np.where((x >= lo) & (x <= hi), g, 0), "low and high are codes"),
        (lambda x, s, lo, hi, g: np.where(inside(x, s, lo, hi), g, 0) / s, "it cancels"),
        (lambda x, s, lo, hi, g: np.where((x / s > lo) & (x / s < hi), g, 0), "first and the last code"),
        (lambda x, s, lo, hi, g: inside(x, s, lo, hi).astype(float), "gradient that arrives"),
        (lambda x, s, lo, hi, g: np.where(inside(x, s, lo, hi), 0, g), "other way round"),
    ],
    "pruning_schedule": [
        (lambda step, b, e, s: s * clamped(step, b, e), "straight line"),
        (lambda step, b, e, s: s * clamped(step, b, e) ** 3, "starts slowly"),
        (cubic, "Before begin"),
        (lambda step, b, e, s: 0 if step < b else cubic(step, b, e, s), "do not let t grow"),
        (lambda step, b, e, s: s * (1 - clamped(step, b, e)) ** 3, "share that is left"),
        (lambda step, b, e, s: s * (1 - (1 - min(step / e, 1)) ** 3), "counts from begin"),
        (lambda step, b, e, s: s * (1 - (1 - clamped(step, b, e)) ** 2), "exponent is 3"),
    ],
    "dkm_step": [
        (to_nearest, "That is k-means"),
        (overflowing, "0/0 is not a number"),
        (lambda w, c, t: fudged(w, c, t, 1e-12), "the weight is lost"),
        (lambda w, c, t: fudged(w, c, t, 1e-300), "the weight is lost"),
        (lambda w, c, t: mean(attention(w, c, t, axis=0), w), "attention 1 to give"),
        (lambda w, c, t: mean(attention(w, c, t, sign=1), w), "Near means much"),
        (lambda w, c, t: mean(attention(w, c, t, power=1), w), "squared before"),
        (lambda w, c, t: mean(attention(w, c, 1 / t), w), "Divide by the temperature"),
        (lambda w, c, t: attention(w, c, t).T @ w / len(w), "how much attention there was"),
    ],
    "gptq_column": [
        (only_first, "have not moved"),
        (lambda row, c, s: np.r_[np.round(row[0] / s), moved(row, c, s)[1:]], "code of the first weight"),
        (lambda row, c, s: np.round(row / s) * s, "others come later"),
        (lambda row, c, s: moved(row, c, s, sign=1), "wrong way"),
        (lambda row, c, s: moved(row, c, s, divide=False), "Divide by the diagonal"),
        (lambda row, c, s: np.r_[row[0], moved(row, c, s)[1:]], "exactly"),
        (lambda row, c, s: moved(row, np.linalg.inv(c), s), "not those of the Hessian"),
    ],
    "gptq_row": [
        (lambda row, h, s, order: np.round(row / s) * s, "The later ones have to move first"),
        (lambda row, h, s, order: by_columns(row, h, s, np.arange(len(row))), "which column is fixed first"),
        (lambda row, h, s, order: by_columns(row, h, s, order)[order], "stays in its own order"),
        (lambda row, h, s, order: by_columns(row, h, s, order, whole=np.linalg.inv(h)), "each time anew"),
        (lambda row, h, s, order: by_columns(row, h, s, order, whole=h), "inverse of the Hessian"),
        (lambda row, h, s, order: by_columns(row, h, s, order[:-1]), "rounded when its turn comes"),
        (lambda row, h, s, order: by_columns(row, h, s, order, sign=1), "wrong way"),
        (lambda row, h, s, order: np.zeros(len(row)), "A loop over order"),
    ],
    "damped_hessian": [
        (lambda x, d: x @ x.T + d * np.diagonal(x @ x.T).mean() * np.eye(len(x)), "samples are summed up"),
        (lambda x, d: x.T @ x, "without damping"),
        (lambda x, d: x.T @ x + d * np.diagonal(x.T @ x).mean(), "Only the diagonal"),
        (lambda x, d: x.T @ x + d * np.eye(x.shape[1]), "is a share"),
        (lambda x, d: x.T @ x + d * (x.T @ x).mean() * np.eye(x.shape[1]), "not of the whole matrix"),
        (lambda x, d: x.T @ x + d * np.diag(np.diagonal(x.T @ x)), "not a share of its own"),
        (
            lambda x, d: (x.T @ x + d * np.diagonal(x.T @ x).mean() * np.eye(x.shape[1])) / len(x),
            "not the mean",
        ),
    ],
}
