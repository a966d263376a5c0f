"""Wrong answers that people give to the exercises of the last chapter, and a part of the hint each must get."""

import math

import numpy as np


def _smallest(n, good):
    return int(np.flatnonzero(good)[np.argmin(n[good])]) if good.any() else -1


def _best_pair(key, within=np.less_equal):
    def answer(n, lost, m, gone, budget):
        pairs = [(a, b) for a in range(len(n)) for b in range(len(m)) if within(n[a] + m[b], budget)]
        return min(pairs, key=lambda p: key(n[p[0]], lost[p[0]], m[p[1]], gone[p[1]]), default=(-1, -1))

    return answer


_worse = _best_pair(lambda n, lost, m, gone: (max(lost, gone), n + m))


def _half_each(n, lost, m, gone, budget):
    def best(nbytes, loss):
        fits = [i for i in range(len(nbytes)) if nbytes[i] <= budget / 2]
        return min(fits, key=lambda i: loss[i], default=-1)

    return best(n, lost), best(m, gone)


WRONG = {
    "bits_allowed": [
        (lambda budget, package, weights: 8 * budget / weights, "from the budget first"),
        (lambda budget, package, weights: 16 * budget / package, "Only the weights shrink"),
        (lambda budget, package, weights: (budget - package + 2 * weights) / weights, "has 8 bits"),
        (lambda budget, package, weights: 8 * (budget - package + weights) / weights, "takes two bytes"),
        (
            lambda budget, package, weights: max(0, 8 * (budget - package + 2 * weights) / weights),
            "Below zero",
        ),
        (lambda budget, package, weights: 16 - 8 * budget / weights, "First the bytes"),
    ],
    "honest_choice": [
        (lambda n, s, h, needed: _smallest(n, s >= needed), "falls short"),
        (lambda n, s, h, needed: _smallest(n, h >= needed), "let the held-out part choose"),
        (lambda n, s, h, needed: _smallest(n, (s >= needed) & (h >= needed)), "let the held-out part choose"),
        (lambda n, s, h, needed: int(np.argmax(h)), "let the held-out part choose"),
        (lambda n, s, h, needed: int(np.argmax(s)), "smallest"),
        (
            lambda n, s, h, needed: i if (i := _smallest(n, s > needed)) >= 0 and h[i] >= needed else -1,
            "exactly at the limit",
        ),
        (lambda n, s, h, needed: n.min(), "Choose with the searched"),
    ],
    "samples_needed": [
        (
            lambda p, q: -1 if p <= q else max(1, math.ceil(p * (1 - p) / (p - q) ** 2)),
            "Two standard errors",
        ),
        (
            lambda p, q: max(1, math.ceil(4 * p * (1 - p) / (p - q) ** 2)) if p != q else -1,
            "never shown",
        ),
        (
            lambda p, q: -1 if p <= q else max(1, math.ceil(2 * math.sqrt(p * (1 - p)) / (p - q))),
            "square root of n",
        ),
        (lambda p, q: -1 if p <= q else max(1, int(4 * p * (1 - p) / (p - q) ** 2)), "round up"),
        (lambda p, q: -1 if p <= q else math.ceil(4 * p * (1 - p) / (p - q) ** 2), "Without a sample"),
        (lambda p, q: 400, "Which n"),
    ],
    "share_budget": [
        (_best_pair(lambda n, lost, m, gone: (lost + gone, n + m)), "smallest sum"),
        (_half_each, "Half of the budget"),
        (_best_pair(lambda n, lost, m, gone: (lost, gone)), "best for itself"),
        (lambda n, lost, m, gone, budget: (lost.argmin(), gone.argmin()), "within the budget"),
        (_best_pair(lambda n, lost, m, gone: (max(lost, gone), -n - m)), "and then the bytes"),
        (
            _best_pair(lambda n, lost, m, gone: (max(lost, gone), n + m), np.less),
            "exactly the budget",
        ),
        (
            lambda n, lost, m, gone, budget: max(_worse(n, lost, m, gone, budget), (0, 0)),
            "with -1 and -1",
        ),
        (lambda n, lost, m, gone, budget: (len(n) - 1, 0), "There are few"),
    ],
}
