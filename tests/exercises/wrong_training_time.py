"""Wrong answers that people give to the exercises on training time, with a part of their hint."""

import numpy as np


def config(target, steps, skip, **other):
    return {
        "global_config": {"target_sparsity": target, "scheduler": {"update_steps": list(steps)}},
        "module_name_configs": dict.fromkeys(skip),
    } | other


def done(step, steps):
    return sum(s <= step for s in steps)


def climb(t, initial, target, power=3):
    return target + (initial - target) * (1 - t) ** power


def over_time(step, steps, initial, target):
    if step < steps[0]:
        return 0.0
    return climb(min((step - steps[0]) / (steps[-1] - steps[0]), 1), initial, target)


def over_time_held(step, steps, initial, target):
    if step < steps[0]:
        return 0.0
    return over_time(max(s for s in steps if s <= step), steps, initial, target)


def entries(step, steps, initial, target, count=0, power=3):
    n = done(step, steps)
    return climb((n - 1) / (len(steps) - 1 + count), initial, target, power) if n else 0.0


def wide(low, high):
    return min(low, 0), max(high, 0)


def affine(low, high, codes=255):
    low, high = wide(low, high)
    return (high - low) / codes, round(-low / ((high - low) / codes))


def symmetric(low, high):
    scale = max(-low, high) / 127.5
    return scale, 128


def negative_zero(low, high):
    low, high = wide(low, high)
    scale = (high - low) / 255
    return scale, round(low / scale)


def truncated(low, high):
    low, high = wide(low, high)
    scale = (high - low) / 255
    return scale, int(-low / scale)


def target(techniques, bits, granularity, activation, joint=True, fine=True, order=False):
    if order and activation == 8:
        return 17
    if (joint and len(techniques) > 1) or (fine and granularity in ("per_block", "per_grouped_channel")):
        return 18
    if ("linear" in techniques and bits == 4) or ("palette" in techniques and bits == 3):
        return 18
    return 17 if activation == 8 else 16


def _stop(weights, steps, target, climb=lambda t: 1 - (1 - t) ** 3, done=None, zeros=round, none=-1, order=1):
    count = len(steps)
    done = np.linspace(0, 1, count) if done is None else done(steps)
    found = int((weights == 0).sum())
    for entry in range(count)[::order]:
        if zeros(target * climb(done[entry] if count > 1 else 1.0) * weights.size) == found:
            return steps[entry]
    return none


def _nearest_stop(weights, steps, target):
    climbed = (
        target * (1 - (1 - np.linspace(0, 1, len(steps))) ** 3) if len(steps) > 1 else np.array([target])
    )
    return steps[int(np.argmin(np.abs(climbed - np.mean(weights == 0))))]


WRONG = {
    "pruning_config": [
        (lambda s, b, e, n, skip: config(s, range(b, e, n), skip), "one entry too early"),
        (lambda s, b, e, n, skip: config(100 * s, range(b, e + 1, n), skip), "between 0 and 1"),
        (lambda s, b, e, n, skip: config(s, range(0, e + 1, n), skip), "first entry"),
        (lambda s, b, e, n, skip: config(s, range(b, e + 1), skip), "as many steps as every"),
        (lambda s, b, e, n, skip: config(s, range(b, e + 1, n), []), "come by name"),
        (
            lambda s, b, e, n, skip: {
                "global_config": {"target_sparsity": s, "update_steps": list(range(b, e + 1, n))},
                "module_name_configs": dict.fromkeys(skip),
            },
            "belong to a scheduler",
        ),
        (lambda s, b, e, n, skip: {"target_sparsity": s, "module_name_configs": dict.fromkeys(skip)}, ""),
        (
            lambda s, b, e, n, skip: config(s, range(b, e + 1, n), skip, module_type_configs={"conv": None}),
            "",
        ),
    ],
    "held_sparsity": [
        (over_time, "stays as it is"),
        (over_time_held, "counts entries"),
        (lambda *a: entries(*a, count=1), "number n - 1"),
        (lambda step, steps, i, t: entries(step, steps, 0.0, t), "starts from initial"),
        (lambda *a: entries(*a, power=1), "straight line"),
        (lambda *a: entries(*a, count=len(a[1]) == 1), "A list of one entry"),
        (lambda step, steps, i, t: entries(max(step, steps[0]), steps, i, t), "not even the initial"),
        (lambda step, steps, i, t: t, ""),
    ],
    "range_to_codes": [
        (lambda low, high: ((high - low) / 255, round(-low / ((high - low) / 255))), "holds zero"),
        (lambda low, high: affine(low, high, 256), "255 steps"),
        (lambda low, high: affine(low, high)[::-1], "Scale first"),
        (symmetric, "symmetric scheme"),
        (negative_zero, "a code from 0 to 255"),
        (truncated, "whole number"),
        (lambda low, high: (high - low, 0), ""),
    ],
    "minimum_target": [
        (lambda t, b, g, a: target(t, b, g, a, joint=False), "joint form"),
        (lambda t, b, g, a: target(t, b, g, a, fine=False), "Blocks and groups"),
        (lambda t, b, g, a: target(t, b, g, a, order=True), "later of two"),
        (lambda t, b, g, a: 18 if b < 8 else target(t, b, g, a), "palette of 4 bits"),
        (lambda t, b, g, a: target(t, 8, g, a), "Linear codes of 4 bits"),
        (lambda t, b, g, a: target(t, b, g, 16), "operator that came"),
        (lambda t, b, g, a: 15, ""),
    ],
    "stopped_after": [
        (_nearest_stop, "say so with -1"),
        (lambda w, steps, t: steps.index(s) if (s := _stop(w, steps, t)) in steps else -1, "not its place"),
        (lambda *args: _stop(*args, order=-1), "the first of them"),
        (
            lambda *args: _stop(*args, done=lambda s: [(n - s[0]) / max(1, s[-1] - s[0]) for n in s]),
            "whatever the gaps",
        ),
        (lambda *args: _stop(*args, zeros=lambda number: number), "up to half a weight"),
        (lambda *args: _stop(*args, zeros=int), "up to half a weight"),
        (lambda *args: 999, "For each entry"),
        (lambda *args: _stop(*args, climb=lambda t: t), "fast at first"),
        (lambda w, steps, t: w, ""),
    ],
}
