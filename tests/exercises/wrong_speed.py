"""Wrong answers that people give to the exercises of the chapters about speed."""

import numpy as np


def _best(formats, key):
    return min(range(len(formats)), key=lambda i: key(*formats[i]))


def _session(weights, bits, unpacking, batches, operations, bandwidth, longer=max, load=1, writes=2, tie=1):
    step = lambda nbytes, work: longer(nbytes / bandwidth, weights * work / operations)
    packed = weights * bits / 8
    ahead = load * step(packed + writes * weights, unpacking) + sum(step(2 * weights, 2 * b) for b in batches)
    just = sum(step(packed, unpacking + 2 * b) for b in batches)
    plan = tie if ahead == just else int(just < ahead)
    return plan, just if plan else ahead


def _batches(other):
    return lambda w, bits, u, batches, *chip: _session(w, bits, u, other(batches) if batches else [], *chip)


def _claims(before, after, claimed, room=0.5, order=(0, 1, 2), none=3, kinds=None):
    found = []
    for old, new, said in zip(before, after, claimed):
        gains = kinds(old, new) if kinds else (old / new - 1, 1 - new / old, new / old - 1)
        found.append(next((k for k in order if abs(100 * gains[k] - said) <= room), none))
    return np.array(found, int)


WRONG = {
    "arithmetic_intensity": [
        (
            lambda m, n, batch, bits: m * n * batch / (m * n * bits / 8 + 2 * batch * (m + n)),
            "two operations",
        ),
        (
            lambda m, n, batch, bits: 2 * m * n * batch / (m * n * batch * bits / 8 + 2 * batch * (m + n)),
            "read once",
        ),
        (
            lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits / 8 + 2 * (m + n)),
            "grow with the batch",
        ),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits / 8), "goes in"),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * 2 + 2 * batch * (m + n)), "how wide"),
        (lambda m, n, batch, bits: 2 * m * n * batch * 8 / bits / (m * n + batch * (m + n)), "Only weights"),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits + 2 * batch * (m + n)), "8 bits"),
        (
            lambda m, n, batch, bits: (m * n * bits / 8 + 2 * batch * (m + n)) / (2 * m * n * batch),
            "not bytes",
        ),
        (lambda m, n, batch, bits: 2 * m * n * batch / (m * n * bits / 8 + 2 * batch * n), "three kinds"),
        (lambda m, n, batch, bits: (2 * m * n, m * n), ""),
    ],
    "break_even_batch": [
        (
            lambda o, b, u: o / b - u / 2 if (o / b - u / 2) % 1 else max(1, int(o / b - u / 2)),
            "whole number",
        ),
        (lambda o, b, u: max(1, int(o / b - u / 2)), "round up"),
        (lambda o, b, u: -((u * b - 2 * o) // (2 * b)), "less than one"),
        (lambda o, b, u: max(1, -(-o // b)), "also has to unpack"),
        (lambda o, b, u: max(1, -((u * b - o) // b)), "half as many"),
        (lambda o, b, u: max(1, -((u * b - 4 * o) // (2 * b))), "two bytes"),
        (lambda o, b, u: max(1, -((-u * b - 2 * o) // (2 * b))), "earlier"),
        (lambda o, b, u: 64, "Write down"),
    ],
    "choose_format": [
        (
            lambda m, w, formats, c: _best(formats, lambda bits, t: w * bits / 8 / c[1] + t * c[2]),
            "fewer bytes save nothing",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: (2 * m / c[0] + w * bits / 8 / c[1] + t * c[2], bits)
            ),
            "nor the sum",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: (max(2 * m / c[0], w * bits / 8 / c[1]), -bits)
            ),
            "Each table",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: (max(2 * m / c[0], w * bits / 8 / c[1]) + t * c[2], bits)
            ),
            "accuracy",
        ),
        (
            lambda m, w, formats, c: _best(
                formats, lambda bits, t: -max(2 * m / c[0], w * bits / 8 / c[1]) - t * c[2]
            ),
            "slowest",
        ),
        (lambda m, w, formats, c: 1, "smallest"),
        (lambda m, w, formats, c: formats[0], ""),
    ],
    "when_to_unpack": [
        (lambda *args: _session(*args, load=0), "begins with a step"),
        (lambda *args: _session(*args, tie=0), "Equally long"),
        (lambda *args: _session(*args, longer=lambda a, b: a + b), "the longer of the two"),
        (lambda *args: _session(*args, writes=0), "also writes"),
        (_batches(lambda batches: [sum(batches) / len(batches)] * len(batches)), "hides those"),
        (_batches(lambda batches: [sum(batches)]), "reads the weights again"),
        (lambda *args: (1 - _session(*args)[0], _session(*args)[1]), "The seconds are right"),
        (lambda *args: _session(*args)[::-1], "seconds of one step"),
        (lambda *args: _session(*args)[0], ""),
    ],
    "read_claims": [
        (lambda *args: _claims(*args, room=1e-9), "0.5 of room"),
        (lambda *args: _claims(*args, order=(2, 1, 0)), "the smallest number"),
        (lambda *args: _claims(*args, none=0), "Then it is 3"),
        (
            lambda *args: _claims(
                *args, kinds=lambda old, new: (1 - new / old, old / new - 1, new / old - 1)
            ),
            "with the old one",
        ),
        (lambda before, after, claimed: np.full(before.size, 9), "Calculate all three"),
        (lambda before, after, claimed: 0, ""),
    ],
}
