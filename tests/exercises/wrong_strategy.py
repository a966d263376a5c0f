"""Wrong answers that people give to the exercises of the chapter about strategy."""

import numpy as np


def _smallest(n, good):
    return int(np.flatnonzero(good)[np.argmin(n[good])]) if good.any() else -1


def _largest(n, good):
    return int(np.flatnonzero(good)[np.argmax(n[good])]) if good.any() else -1


def _step(needed, data_free, calibrated, trained, samples, training):
    if max(x for x in (data_free, calibrated, trained) if x == x) >= needed:
        return 0
    if samples and calibrated != calibrated:
        return 1
    return 2 if training and trained != trained else 3


def _tries_again(needed, data_free, calibrated, trained, samples, training):
    return 0 if data_free >= needed else 1 if samples else 2


def _without_asking(needed, data_free, calibrated, trained, samples, training):
    found = _step(needed, data_free, calibrated, trained, True, True)
    return found


def _trains_first(needed, data_free, calibrated, trained, samples, training):
    found = _step(needed, data_free, calibrated, trained, samples, training)
    return 2 if found == 1 and training else found


def _pairs(times, settled):
    return sum(settled(times[:, a], times[:, b]) for a in range(times.shape[1]) for b in range(a))


def _either(x, y):
    return bool((x < y).all() or (y < x).all())


def _beyond(trained, indices, tables, room=1e-3, used=False, order=1, wrong=np.any):
    for layer in range(len(trained))[::order]:
        table = tables[layer][np.unique(indices[layer])] if used else tables[layer]
        own = np.abs(trained[layer] - tables[layer][indices[layer]])
        if wrong(own > np.abs(trained[layer][:, None] - table).min(axis=1) + room):
            return layer
    return -1


def _is_moved(trained, indices, tables):
    moved = [np.abs(w - table[i]).max() > 0.001 for w, i, table in zip(trained, indices, tables)]
    return moved.index(True) if True in moved else -1


WRONG = {
    "smallest_good": [
        (lambda n, right, interval, most, needed: int(np.argmin(n)), "limits"),
        (
            lambda n, right, interval, most, needed: _smallest(n, (n <= most) & (right >= needed)),
            "Subtract the interval",
        ),
        (
            lambda n, right, interval, most, needed: _largest(n, right - interval >= needed),
            "at most max_bytes",
        ),
        (
            lambda n, right, interval, most, needed: _largest(n, (n <= most) & (right - interval >= needed)),
            "more accuracy than needed",
        ),
        (
            lambda n, right, interval, most, needed: _smallest(n, (n < most) & (right - interval > needed)),
            "exactly at a limit",
        ),
        (
            lambda n, right, interval, most, needed: max(
                0, _smallest(n, (n <= most) & (right - interval >= needed))
            ),
            "with -1",
        ),
        (lambda n, right, interval, most, needed: n.min(), "First mark"),
        (lambda n, right, interval, most, needed: None if n.size else 0, "return"),
    ],
    "next_step": [
        (_tries_again, "tried already"),
        (_without_asking, "lack what it needs"),
        (_trains_first, "cheap step first"),
        (lambda needed, data_free, *rest: 0 if data_free >= needed else 3, "comes last"),
        (lambda *args: 0, "not good enough to ship"),
        (
            lambda needed, data_free, calibrated, trained, samples, training: (
                1 if samples and calibrated != calibrated else 2 if training else 3
            ),
            "good enough: ship it",
        ),
        (lambda *args: 7, "good enough: ship it"),
        (lambda *args: "ship it", ""),
    ],
    "settled_pairs": [
        (lambda times: 2 * _pairs(times, _either), "counts once"),
        (lambda times: _pairs(times, lambda x, y: not _either(x, y)), "Count the others"),
        (lambda times: _pairs(times, lambda x, y: bool((x <= y).all() or (y <= x).all())), "not faster"),
        (lambda times: _pairs(times, lambda x, y: x.mean() != y.mean()), "hides those"),
        (lambda times: _pairs(times, lambda x, y: bool((y < x).all())), "Both orders"),
        (lambda times: times.size, "For each pair"),
        (lambda times: times < times, ""),
    ],
    "misplaced_layer": [
        (_is_moved, "moves weights is no fault"),
        (lambda *args: _beyond(*args, room=1e-9), "by 0.001 or less"),
        (lambda *args: _beyond(*args, order=-1), "an earlier one has"),
        (lambda *args: _beyond(*args, used=True), "those too that no weight has"),
        (lambda *args: _beyond(*args, wrong=np.all), "A single weight"),
        (lambda *args: len(args[0]) + 4, "how far is its own"),
        (lambda trained, indices, tables: trained, ""),
    ],
}
