"""Wrong answers that people give to the exercises on pruning, each with a part of the hint it must get."""

import numpy as np


def by_value(w, sparsity):
    return w > np.quantile(w, sparsity)


def in_place(w, sparsity):
    w[np.abs(w) <= np.quantile(np.abs(w), sparsity)] = 0
    return w != 0


def forgot_zero(w, sparsity):
    return np.abs(w) > np.quantile(np.abs(w), sparsity)


def by_place(w, sparsity):
    mask = np.ones(w.size, bool)
    mask[np.argsort(np.abs(w), axis=None, kind="stable")[: round(sparsity * w.size)]] = False
    return mask.reshape(w.shape)


def sorted_once(w, n, m):
    return (np.argsort(np.abs(w).reshape(-1, m), axis=1, kind="stable") >= n).reshape(w.shape)


def best(w, n, m, key=np.abs, axis_swap=False):
    rows = np.ascontiguousarray(w.T) if axis_swap else w
    groups = key(rows).reshape(-1, m)
    kept = np.ones(groups.shape, bool)
    np.put_along_axis(kept, groups.argsort(axis=1, kind="stable")[:, :n], False, axis=1)
    kept = kept.reshape(rows.shape)
    return kept.T if axis_swap else kept


def above_the_nth(w, n, m):
    groups = np.abs(w).reshape(-1, m)
    return (groups > np.sort(groups, axis=1)[:, n - 1 : n]).reshape(w.shape)


WRONG = {
    "pruning_mask": [
        (by_value, "magnitudes"),
        (lambda w, s: ~forgot_zero(w, s), "other way round"),
        (lambda w, s: np.where(forgot_zero(w, s), w, 0), "weights themselves"),
        (lambda w, s: forgot_zero(w, s).astype(int), "holds True and False"),
        (forgot_zero, "sparsity 0"),
        (lambda w, s: np.abs(w) >= np.quantile(np.abs(w), s), "> and >= differ"),
        (by_place, "share their fate"),
        (lambda w, s: np.abs(w) > np.quantile(np.abs(w), 1 - s), "goes, not the share that stays"),
        (lambda w, s: np.abs(w) > s * np.abs(w).max(), "not a size"),
        (in_place, "work on a copy"),
        (lambda w, s: list(forgot_zero(w, s)), ""),
        (lambda w, s: forgot_zero(w.ravel(), s), ""),
    ],
    "sparse_bytes": [
        (lambda w: 2 * np.count_nonzero(w), "values alone"),
        (lambda w: 2 * np.count_nonzero(w) + w.size // 8, "round up"),
        (lambda w: 2 * np.count_nonzero(w) + w.size / 8, "round up"),
        (lambda w: 2 * np.count_nonzero(w) + w.size, "not a byte"),
        (lambda w: 4 * np.count_nonzero(w) + -(-w.size // 8), "two bytes"),
        (lambda w: 2 * w.size + -(-w.size // 8), "not stored"),
        (lambda w: 2 * np.count_nonzero(w) + -(-np.count_nonzero(w) // 8), "for every weight"),
        (lambda w: 2 * np.count_nonzero(w) + -(-len(w) // 8), "mask with one bit"),
    ],
    "n_m_mask": [
        (lambda w, n, m: np.abs(w) > np.quantile(np.abs(w), n / m), "own n smallest"),
        (lambda w, n, m: ~best(w, n, m), "other way round"),
        (lambda w, n, m: best(w, m - n, m), "how many of each m go"),
        (lambda w, n, m: best(w, n, m, key=lambda x: x), "magnitudes"),
        (lambda w, n, m: best(w, n, m, axis_swap=True), "in a row"),
        (sorted_once, "Sort twice"),
        (lambda w, n, m: best(w, n, m).astype(float), "holds True and False"),
        (above_the_nth, "all equal weights go together"),
        (lambda w, n, m: best(w[:, ::-1], n, m)[:, ::-1], "of equal ones the first"),
    ],
}
