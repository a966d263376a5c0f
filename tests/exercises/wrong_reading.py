"""Plausible wrong answers to the exercises of the chapter about the reader, and a part of the hint each must get."""

import numpy as np


def _lost_and_won(before, after):
    return (before & ~after).sum(axis=1), (~before & after).sum(axis=1)


def _smallest(nbytes, fits):
    return int(np.argmin(np.where(fits, nbytes, nbytes.max() + 1))) if fits.any() else -1


def _without_chance(nbytes, before, after, allowed):
    lost, won = _lost_and_won(before, after)
    return _smallest(nbytes, lost - won <= allowed)


def _chance_of_the_difference(nbytes, before, after, allowed):
    loss = before.sum() - after.sum(axis=1)
    return _smallest(nbytes, loss + 2 * np.sqrt(np.abs(loss)) <= allowed)


def _best(nbytes, before, after, allowed):
    lost, won = _lost_and_won(before, after)
    worst = lost - won + 2 * np.sqrt(lost + won)
    return int(worst.argmin()) if (worst <= allowed).any() else -1


def _below_the_limit(nbytes, before, after, allowed):
    lost, won = _lost_and_won(before, after)
    return _smallest(nbytes, lost - won + 2 * np.sqrt(lost + won) < allowed)


def _never_minus_one(nbytes, before, after, allowed):
    lost, won = _lost_and_won(before, after)
    fits = lost - won + 2 * np.sqrt(lost + won) <= allowed
    return int(np.argmin(np.where(fits, nbytes, nbytes.max() + 1)))


def _by_bytes(shapes, sizes, least=2048, scale=2, allowed=lambda size: True, last=False):
    best = None
    for size in sizes:
        total = 0
        for rows, inputs in shapes:
            count = rows * inputs
            packed = count > least and inputs % size == 0
            total += (count + 1) // 2 + count // size * scale if packed else 2 * count
        if allowed(size) and (best is None or (total <= best[0] if last else total < best[0])):
            best = total, size
    return int(best[1]) if best else int(min(sizes))


WRONG = {
    "corrected_bias": [
        (lambda w, c, b, x: b - (w - c) @ x.mean(1), "other way round"),
        (lambda w, c, b, x: (w - c) @ x.mean(1), "keeps its own bias"),
        (lambda w, c, b, x: b + (w - c).sum(1) * x.mean(), "its own input"),
        (lambda w, c, b, x: b + (w - c) @ x.sum(1), "divide by how many"),
        (lambda w, c, b, x: b + (w - c) @ np.abs(x).mean(1), "cancels"),
        (lambda w, c, b, x: c @ x.mean(1) + b, ""),
        (lambda w, c, b, x: b[:, None] + (w - c) @ x, ""),
    ],
    "left_in_float16": [
        (lambda s, b: (s.prod(1) > 2048) & (s[:, 1] % b == 0), "Which ones were left"),
        (lambda s, b: s[:, 1] % b != 0, "whatever divides it"),
        (lambda s, b: (s.prod(1) >= 2048) & (s[:, 1] % b != 0), "exactly so many"),
        (lambda s, b: (s.prod(1) > 2048) & (s[:, 0] % b != 0), "second number"),
        (lambda s, b: (s.prod(1) > 2048) & (s.prod(1) % b != 0), "by itself"),
        (lambda s, b: np.flatnonzero((s.prod(1) > 2048) & (s[:, 1] % b != 0)), ""),
    ],
    "smallest_harmless": [
        (_without_chance, "what chance may hide"),
        (_chance_of_the_difference, "both count as chance"),
        (_below_the_limit, "exactly at the limit"),
        (_best, "take the smallest"),
        (_never_minus_one, "gives way"),
        (lambda n, before, after, allowed: int(n.argmin()), "may lose more"),
    ],
    "best_block": [
        (
            lambda shapes, sizes: int(np.flatnonzero(sizes == _by_bytes(shapes, sorted(sizes)))[0]),
            "not its place",
        ),
        (lambda shapes, sizes: _by_bytes(shapes, sizes), "the smallest of these"),
        (lambda shapes, sizes: _by_bytes(shapes, sorted(sizes), last=True), "the smallest of these"),
        (lambda shapes, sizes: int(sizes.max()), "four times as large"),
        (lambda shapes, sizes: _by_bytes(shapes, sorted(sizes), least=0), "A layer of at most 2,048"),
        (lambda shapes, sizes: _by_bytes(shapes, sorted(sizes), scale=0), "Each block has a scale"),
        (
            lambda shapes, sizes: _by_bytes(
                shapes, sorted(sizes), allowed=lambda size: not (shapes[:, 1] % size).any()
            ),
            "need not divide every layer",
        ),
        (lambda shapes, sizes: sizes, ""),
    ],
}
