"""Plausible wrong answers to the exercises of the accuracy chapter, and a part of the hint each must get."""

import numpy as np


def _as_large_counts_as_beaten(n, a):
    """Forgets that one of the two comparisons has to be strict: a setting beats itself."""
    return np.array(
        [not any((n[j] <= n[i]) and (a[j] >= a[i]) for j in range(len(n)) if j != i) for i in range(len(n))]
    )


def _strict_in_both(n, a):
    return np.array([not any((n[j] < n[i]) and (a[j] > a[i]) for j in range(len(n))) for i in range(len(n))])


def _larger_is_better(n, a):
    return np.array(
        [
            not any((n[j] >= n[i]) and (a[j] >= a[i]) and (n[j], a[j]) != (n[i], a[i]) for j in range(len(n)))
            for i in range(len(n))
        ]
    )


def _best_ratio(n, a):
    front = np.zeros(len(n), bool)
    front[np.argmax(a / n)] = True
    return front


def _positions(n, a):
    return np.flatnonzero(_strict_in_both(n, a))


def _cumulative(w, c, metric):
    changed, out = w.copy(), []
    for i in range(len(w)):
        changed[i] = c[i]
        out.append(metric(w) - metric(changed))
    return np.array(out)


def _alone(w, c, metric):
    out = []
    for i in range(len(w)):
        changed = w.copy()
        changed[i] = c[i]
        out.append(metric(changed))
    return np.array(out)


def _others(w, c, metric):
    out = []
    for i in range(len(w)):
        changed = c.copy()
        changed[i] = w[i]
        out.append(metric(w) - metric(changed))
    return np.array(out)


def _in_place(w, c, metric):
    before, out = metric(w), []
    for i in range(len(w)):
        w[i] = c[i]
        out.append(before - metric(w))
    return np.array(out)


def _uniform(n, d, budget):
    """The same option everywhere, as large as fits."""
    fits = [k for k in range(n.shape[1]) if n[:, k].sum() <= budget]
    return np.full(len(n), fits[-1])


WRONG = {
    "pareto_front": [
        (_larger_is_better, "turned round"),
        (_best_ratio, "best for its size"),
        (_as_large_counts_as_beaten, "do not beat each other"),
        (_strict_in_both, "better in one of the two is enough"),
        (_positions, ""),
    ],
    "layer_damage": [
        (lambda w, c, m: _alone(w, c, m) - m(w), "order of the difference"),
        (_cumulative, "Start from the trained weights"),
        (_alone, "How far did it fall"),
        (_others, "not the other way round"),
        (lambda w, c, m: np.maximum(m(w) - _alone(w, c, m), 0), "Do not hide that"),
        (lambda w, c, m: np.array([m(w) - m(c)] * len(w)), ""),
        (_in_place, "work on a copy"),
    ],
    "pick_bits": [
        (lambda n, d, budget: d.argmin(axis=1), "over the budget"),
        (lambda n, d, budget: n.argmin(axis=1), "Damage saved for each byte"),
        (_uniform, "Damage saved for each byte"),
        (
            lambda n, d, budget: np.array([np.flatnonzero(row <= budget)[-1] for row in n]),
            "for all layers together",
        ),
        (lambda n, d, budget: np.full(len(n), 9), "no option with this number"),
        (lambda n, d, budget: n.min(axis=1).astype(float), ""),
    ],
}
