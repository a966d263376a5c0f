"""The exercises of the pruning chapter: the mask, its bytes, and n of each m."""

import math
from typing import Any, Literal

import numpy as np

from .. import pruning
from .framework import Case, Exercise, Hint


def _pruning_mask(weights, sparsity):
    return pruning.prune(weights, sparsity=sparsity).kept


def _random_mask_case(rng):
    # A whole number of weights to drop, and no two of one size: every sound method agrees on these.
    sizes = 1 + np.arange(int(rng.choice([8, 24, 60])))
    weights = rng.permutation(sizes) * rng.choice([-0.125, 0.125], sizes.size)
    return weights.reshape(4, -1), float(rng.choice([0.25, 0.5, 0.75]))


pruning_mask = Exercise(
    name="pruning_mask",
    level="warm-up",
    dtype="bool",
    task="Return a boolean array that is `False` for the share `sparsity` of the weights that are nearest to "
    "zero, and for those tied with them.",
    reference=_pruning_mask,
    cases=[
        Case(np.array([1.0, 2.0, 3.0, 10.0]), 0.5, about="the two smallest go"),
        Case(np.array([0.5, -3.0, 2.0, -0.1]), 0.5, about="a large negative weight is not a small one"),
        Case(np.array([[0.1, -2.0], [-0.4, 0.5]]), 0.25, about="one of four, in two dimensions"),
        Case(np.array([1.0, -1.0, 2.0, 3.0]), 0.25, about="two weights of one size"),
        Case(np.array([0.0, 1.0, -2.0, 4.0]), 0.5, about="one weight is zero already"),
        Case(np.array([3.0, -1.0, 2.0]), 0.0, about="nothing to prune: every weight stays"),
        Case(np.array([3.0, -1.0, 2.0]), 1.0, about="everything goes"),
        Case(np.array([2.0, -2.0, 2.0]), 0.5, about="all of one size: they go together"),
    ],
    random=_random_mask_case,
    hints=[
        Hint(
            "With sparsity 0 nothing may go, not even the smallest weight: it needs a case of its own.",
            lambda got, want, w, s: s == 0,
        ),
        Hint(
            "Compare magnitudes: -3 is a large weight. What does np.abs do?",
            lambda got, want, w, s: s < 1 and (w < 0).any() and _is_quantile(got, w, s),
        ),
        Hint(
            "A weight exactly at the threshold is tied with it, and goes too: > and >= differ there.",
            lambda got, want, w, s: (
                got.dtype == bool and np.array_equal(got, np.abs(w) >= np.quantile(np.abs(w), s))
            ),
        ),
        Hint(
            "It is the other way round: True is for the weights that stay.",
            lambda got, want, w, s: got.dtype == bool and np.array_equal(got, ~want),
        ),
        Hint(
            "The mask says which weights stay, True or False; the weights themselves are not asked for.",
            lambda got, want, w, s: got.dtype.kind == "f" and np.array_equal(got != 0, want),
        ),
        Hint(
            "A mask holds True and False. A comparison gives an array of them.",
            lambda got, want, w, s: got.dtype != bool,
        ),
        Hint(
            "Two weights of one size share their fate. Compare with a threshold instead of counting places.",
            lambda got, want, w, s: len(np.unique(np.abs(w))) < w.size and (got & ~want).any(),
        ),
        Hint(
            "sparsity is the share that goes, not the share that stays.",
            lambda got, want, w, s: np.mean(~got) == 1 - s != s,
        ),
        Hint(
            "sparsity is a share of the weights, not a size: look at how many are below a threshold.",
            lambda got, want, w, s: (
                np.array_equal(got, np.abs(w) > s) or np.array_equal(got, np.abs(w) > s * np.abs(w).max())
            ),
        ),
    ],
    hint="Find the size that the share sparsity of the weights does not exceed; np.quantile knows it.",
)


def _is_quantile(got, w, s):
    return np.array_equal(got, w > np.quantile(w, s)) or np.array_equal(got, w >= np.quantile(w, s))


def _sparse_bytes(weights):
    return 2 * int(np.count_nonzero(weights)) + -(-weights.size // 8)


def _random_sparse_case(rng):
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 30)))
    return (rng.normal(size=shape) * (rng.random(shape) < 0.4),)


sparse_bytes = Exercise(
    name="sparse_bytes",
    level="warm-up",
    task="Return how many bytes a pruned array takes: its non-zero weights in float16, and one bit for every "
    "weight.",
    reference=_sparse_bytes,
    cases=[
        Case(
            np.array([1.0, 0, 0, 2, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0]),
            about="sixteen weights, three of them left",
        ),
        Case(np.zeros(16), about="nothing is left but the mask"),
        Case(np.array([]), about="no weights, no bytes"),
        Case(np.repeat([0, 0.5, 0, -1.0], [9, 1, 5, 2]), about="seventeen bits begin a third byte"),
        Case(
            np.array([[1, -2, 3, 0, 0, 0], [0, 4, 0, 5, 0, 6], [0, 7, 0, 8, 0, 9.0]]), about="two dimensions"
        ),
    ],
    random=_random_sparse_case,
    hints=[
        Hint(
            "These are the values alone. How does a reader of the file know where they go?",
            lambda got, want, w: got == 2 * np.count_nonzero(w),
        ),
        Hint(
            "The mask has a bit for every weight, also for those that are zero.",
            lambda got, want, w: got == 2 * np.count_nonzero(w) - (-np.count_nonzero(w) // 8),
        ),
        Hint(
            "A bit that is left over needs one more byte: round up.",
            lambda got, want, w: np.floor(got) == 2 * np.count_nonzero(w) + w.size // 8,
        ),
        Hint(
            "The mask needs a bit for each weight, not a byte.",
            lambda got, want, w: got == 2 * np.count_nonzero(w) + w.size,
        ),
        Hint(
            "A float16 takes two bytes.",
            lambda got, want, w: got in (n * np.count_nonzero(w) - (-w.size // 8) for n in (1, 4, 8, 16)),
        ),
        Hint(
            "Zeros are not stored: that is the point of it.",
            lambda got, want, w: got in (2 * w.size, 2 * w.size - (-w.size // 8)),
        ),
    ],
    hint="Two bytes for each survivor, and the bytes of a mask with one bit a weight.",
)


def _n_m_mask(weights, n, m):
    groups = np.abs(weights).reshape(-1, m)
    place = groups.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return (place >= n).reshape(weights.shape)


def _above(weights, n, m):
    """The mask by a threshold for each group, its n-th smallest magnitude."""
    groups = np.abs(weights).reshape(-1, m)
    return (groups > np.sort(groups, axis=1)[:, n - 1 : n]).reshape(weights.shape)


def _kept(mask, weights, m):
    """Magnitudes that a mask keeps, a row for each group, 0 for those that go."""
    return np.where(mask, np.abs(weights), 0).reshape(-1, m)


def _random_n_m_case(rng):
    m = int(rng.choice([2, 4, 8]))
    sizes = 1 + np.arange(6 * 2 * m)
    weights = rng.permutation(sizes) * rng.choice([-0.125, 0.125], sizes.size)
    return weights.reshape(6, 2 * m), int(rng.integers(1, m)), m


n_m_mask = Exercise(
    name="n_m_mask",
    level="build",
    dtype="bool",
    task="Return a boolean array that is `False` for the `n` weights nearest to zero in each group of `m` "
    "neighbours in a row; of equal ones the first goes. `m` divides the length of a row.",
    reference=_n_m_mask,
    cases=[
        Case(np.array([[1.0, 2.0, 4.0, 3.0]]), 1, 2, about="two pairs"),
        Case(
            np.array([[9.0, 8.0, 7.0, 6.0, 1.0, 2.0, 3.0, 4.0]]),
            2,
            4,
            about="the right half is smaller, but each group of four loses two",
        ),
        Case(np.array([[1.0, -5.0, 2.0, 3.0]]), 2, 4, about="signs do not count"),
        Case(np.array([[1.0, -1.0, 2.0, 3.0]]), 1, 4, about="two of one size, and one goes: the first"),
        Case(np.array([[4.0, 3.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0]]), 3, 4, about="zeros are of one size too"),
        Case(np.array([[1.0, 2.0, 3.0, 4.0], [8.0, 7.0, 6.0, 5.0]]), 3, 4, about="one of four stays"),
    ],
    random=_random_n_m_case,
    hints=[
        Hint(
            "A mask holds True and False. A comparison gives an array of them.",
            lambda got, want, w, n, m: got.dtype != bool,
        ),
        Hint(
            "With a threshold for each group all equal weights go together. Exactly n of each m go: "
            "count places.",
            lambda got, want, w, n, m: np.array_equal(got, _above(w, n, m)),
        ),
        Hint(
            "Exactly n go, and of equal ones the first: look at what your sorting does with them.",
            lambda got, want, w, n, m: (
                got.dtype == bool
                and np.array_equal(np.sort(_kept(got, w, m), axis=1), np.sort(_kept(want, w, m), axis=1))
            ),
        ),
        Hint(
            "Every group loses its own n smallest weights, whatever the other groups look like.",
            lambda got, want, w, n, m: np.array_equal(got, np.abs(w) > np.quantile(np.abs(w), n / m)),
        ),
        Hint(
            "It is the other way round: True is for the weights that stay.",
            lambda got, want, w, n, m: got.dtype == bool and np.array_equal(got, ~want),
        ),
        Hint(
            "n is how many of each m go, not how many stay.",
            lambda got, want, w, n, m: (
                np.array_equal(got, _n_m_mask(w, m - n, m)) or np.array_equal(got, ~_n_m_mask(w, m - n, m))
            ),
        ),
        Hint(
            "Compare magnitudes: what does np.abs do?",
            lambda got, want, w, n, m: (w < 0).any() and np.array_equal(got, _n_m_mask(w - w.min(), n, m)),
        ),
        Hint(
            "A group is m neighbours in a row, not in a column.",
            lambda got, want, w, n, m: np.array_equal(got, _n_m_mask(np.ascontiguousarray(w.T), n, m).T),
        ),
        Hint(
            "argsort says which weight comes at each place, not at which place each weight comes. "
            "Sort twice, or put False at the first n of what it returns.",
            lambda got, want, w, n, m: np.array_equal(
                got, (np.abs(w).reshape(-1, m).argsort(1) >= n).reshape(w.shape)
            ),
        ),
    ],
    hint="Give the array one row for each group: reshape(-1, m).",
)


def _read(values, mask, shape, order: Literal["little", "big"] = "little", inverted=False, columns=False):
    """The weights that values and a mask say, or None where their numbers do not fit."""
    kept = np.unpackbits(mask, count=math.prod(shape), bitorder=order).astype(bool) ^ inverted
    if kept.sum() != values.size:
        return None
    weights = np.zeros(kept.size, values.dtype)
    if columns:  # the mask is in the order of rows, the values in that of columns
        kept = np.ascontiguousarray(kept.reshape(shape).T).ravel()
        weights[kept] = values
        return weights.reshape(shape[::-1]).T
    weights[kept] = values
    return weights.reshape(shape)


_FAULTS: tuple[dict[str, Any], ...] = ({}, {"order": "big"}, {"inverted": True}, {"columns": True})


def _fits(fault, weights, values, mask):
    found = _read(values, mask, weights.shape, **_FAULTS[fault])
    return found is not None and np.array_equal(found, weights)


def _mask_fault(weights, values, mask):
    return next(fault for fault in range(4) if _fits(fault, weights, values, mask))


def _faulty(weights, fault=0):
    """The arguments of a case: weights, and what a colleague with this fault stored."""
    weights = np.array(weights, np.float16)
    kept = weights != 0
    values = weights.T[kept.T] if fault == 3 else weights[kept]
    return weights, values, np.packbits(kept ^ (fault == 2), bitorder="big" if fault == 1 else "little")


def _random_fault_case(rng):
    shape = (int(rng.integers(2, 6)), int(rng.integers(2, 9)))
    weights = rng.permutation(1 + np.arange(shape[0] * shape[1])).reshape(shape) * (rng.random(shape) < 0.5)
    return _faulty(weights, int(rng.integers(4)))


mask_fault = Exercise(
    name="mask_fault",
    level="decide",
    task="A colleague stored pruned `weights`, in which some are 0, as float16 `values` and a packed `mask`. Return "
    "what is wrong: 0, nothing; 1, the first weight of each eight is the highest bit of its byte; 2, the mask has a 1 "
    "where a weight goes; 3, the values are in the order of columns. One of the four makes `weights` of the two "
    "arrays; if several do, return the smallest.",
    reference=_mask_fault,
    cases=[
        Case(*_faulty([[1, 0, 2, 0, 0, 0, 3, 0]]), about="eight weights, stored as Core ML does"),
        Case(*_faulty([[1, 0, 2, 0, 0, 0, 3, 0]], 1), about="three of eight are left"),
        Case(*_faulty([[1, 0, 2, 0], [0, 3, 0, 4]], 2), about="half of the weights are left"),
        Case(*_faulty([[1, 0, 2, 0], [3, 0, 0, 0]], 3), about="two rows"),
        Case(*_faulty([[1, 0, 2], [0, 3, 0]], 2), about="six weights, and two bits that nobody needs"),
        Case(*_faulty([[1, 2, 0], [0, 3, 4]], 1), about="six weights, and the mask begins at the other end"),
        Case(*_faulty([[1, 0, 0, 2, 2, 0, 0, 1]], 1), about="a mask that is the same backwards"),
        Case(*_faulty([[5, 0, 5], [5, 0, 0]], 3), about="values that are all alike"),
        Case(*_faulty([[0, 0], [0, 0]]), about="nothing is left"),
        Case(
            *_faulty([[0, 0, 0, 0], [0, 0, 0, 0]], 2),
            about="nothing is left, and the mask says: everything goes",
        ),
        Case(*_faulty([[1, 2, 3, 4], [5, 6, 7, 8]], 3), about="everything is left"),
        Case(*_faulty([[1, 0, 0, 0, 2, 2, 2, 0]], 1), about="four of eight: the counts fit either way"),
    ],
    random=_random_fault_case,
    hints=[
        Hint(
            "Read it as Core ML does, first of all: where that gives the weights, nothing is wrong.",
            lambda got, want, w, v, m: want == 0,
        ),
        Hint(
            "As many bits are 1 as there are values, and still the weights are others. What else can be out of order?",
            lambda got, want, w, v, m: got == 0,
        ),
        Hint(
            "The last byte may have bits that belong to no weight: take as many as there are weights.",
            lambda got, want, w, v, m: want == 2 and w.size % 8,
        ),
        Hint(
            "The mask alone does not tell these two apart: put the values where it says, and look at the weights.",
            lambda got, want, w, v, m: {got, want} <= {1, 2, 3},
        ),
    ],
    hint="Four ways to read the two arrays. Which of them gives the weights?",
)
