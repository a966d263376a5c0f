"""Plausible wrong answers to the exercises of chapter 5, and a part of the hint each must get."""

import numpy as np


def _cheapest_of_all(bits, snr, enough):
    return int(np.argmin(bits))


def _best_of_all(bits, snr, enough):
    good = np.flatnonzero(snr >= enough)
    return int(np.argmax(snr)) if good.size else -1


def _strictly(bits, snr, enough):
    good = np.flatnonzero(snr > enough)
    return int(good[np.argmin(bits[good])]) if good.size else -1


def _place_among_the_good(bits, snr, enough):
    good = np.flatnonzero(snr >= enough)
    return int(np.argmin(bits[good])) if good.size else -1


def _never_gives_up(bits, snr, enough):
    good = np.flatnonzero(snr >= enough)
    return int(good[np.argmin(bits[good])]) if good.size else int(np.argmax(snr))


def _cheapest_above(bits, snr, enough):
    return int(np.where(snr >= enough, bits, np.inf).argmin()) if (snr >= enough).any() else -1


def _ratio(w, d):
    return np.sum(w**2) / np.sum((w - d) ** 2)


WRONG = {
    "signal_to_noise": [
        (lambda w, d: float(-10 * np.log10(_ratio(w, d))), "not noise over signal"),
        (lambda w, d: float(20 * np.log10(_ratio(w, d))), "squares already"),
        (lambda w, d: float(abs(10 * np.log10(_ratio(w, d)))), "is below zero"),
        (lambda w, d: float(10 * np.log(_ratio(w, d))), "decimal"),
        (
            lambda w, d: float(10 * np.log10(np.sum(w**2) / np.sum(d**2))) if d.any() else 0.0,
            "weight by weight",
        ),
        (lambda w, d: float(_ratio(w, d)), ""),
        (
            lambda w, d: (
                float(10 * np.log10(np.sum(w**2) / abs(np.sum(w - d)) ** 2)) if np.sum(w - d) > 1e-9 else 20.0
            ),
            "do not cancel",
        ),
    ],
    "joint_bits": [
        (lambda s, b: (1 - s) * b, "Where do the survivors go?"),
        (lambda s, b: 1 + s * b, "share that is gone"),
        (lambda s, b: (1 - s) * (b + 1), "the pruned ones included"),
        (lambda s, b: 1 + b, "no code at all"),
        (lambda s, b: 1 + (1 - s) * 16, "bits is an argument"),
    ],
    "cheapest": [
        (_cheapest_of_all, "not good enough"),
        (_best_of_all, "not the cheapest"),
        (_strictly, "just good enough counts"),
        (_place_among_the_good, "original arrays"),
        (_never_gives_up, "return -1"),
        (lambda bits, snr, enough: _cheapest_above(bits, np.abs(snr), abs(enough)), "-3 is more than -5"),
    ],
}
