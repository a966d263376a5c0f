"""Wrong answers that people give to the exercises of the chapter on Core AI, and a part of the hint each must get."""

import numpy as np


def _scaled(w, bits, less=0.5, axis=1, low=0, high=-1, zeros=1.0, times=None):
    half = 2 ** (bits - 1)
    largest = np.abs(w).max(axis, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(largest, largest, zeros) / (half - less)
        codes = np.clip(np.rint(w / scale), low - half, half + high)
    return codes if times else scale * codes


def _by(key, part, count):
    chosen = np.argsort(-key)[:count]
    many = np.bincount(part[chosen], minlength=4)
    much = np.bincount(part[chosen], key[chosen], minlength=4)
    return int(max(part[chosen], key=lambda p: (many[p], much[p])))


def _systems(form):
    return {"float16": 0, "int8": 16, "palette": 16, "sparse": 16, "int4": 18, "blocks": 18}.get(form, 99)


WRONG = {
    "all_codes": [
        (lambda w, b: _scaled(w, b, less=1), "lowest code unused"),
        (lambda w, b: _scaled(w, b, high=0), "There is none"),
        (lambda w, b: _scaled(w, b, low=1), "lowest code is used"),
        (lambda w, b: _scaled(w, b, axis=None), "scale of its own"),
        (lambda w, b: _scaled(w, b, zeros=0.0), "zeros"),
        (lambda w, b: _scaled(w, b, times=True), "Those are the codes"),
        (lambda w, b: np.zeros_like(w), "scale, then codes"),
    ],
    "guilty_part": [
        (lambda p, before, after, n: _by(-after, p, n), "least signal left"),
        (lambda p, before, after, n: _by(before - after, p, len(p)), "not all of them"),
        (lambda p, before, after, n: int(p[np.argmax(before - after)]), "single steepest"),
        (lambda p, before, after, n: _by(after - before, p, n), "other way round"),
        (lambda p, before, after, n: len(p), "before - after"),
    ],
    "which_stack": [
        (lambda net, s, f: np.array([s < 27 and s >= _systems(f), net and s >= 27]), "at once"),
        (lambda net, s, f: np.array([s >= _systems(f), s >= 27]), "networks alone"),
        (lambda net, s, f: np.array([s >= _systems(f), bool(net)]), "begins with 27"),
        (lambda net, s, f: np.array([s > _systems(f), net and s > 27]), "this one has it"),
        (lambda net, s, f: np.array([True, net and s >= 27]), "so old"),
        (lambda net, s, f: np.array([False, False]), "this one has it"),
    ],
}
