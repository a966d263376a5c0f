"""Plausible wrong answers to the exercises of chapter 9, and a part of the hint each must get."""

import numpy as np


def _fold(divide, move):
    """A fold with its own ideas of the divisor and of the new bias."""

    def answer(weight, bias, gamma, beta, mean, variance, epsilon):
        factor = gamma / divide(variance, epsilon)
        return np.column_stack([weight * factor[:, None], move(factor, bias, beta, mean)])

    return answer


def _root(variance, epsilon):
    return np.sqrt(variance + epsilon)


def _moved(factor, bias, beta, mean):
    return (bias - mean) * factor + beta


def _columns(weight, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    folded = weight * factor if len(factor) == weight.shape[1] else weight * factor[:, None]
    return np.column_stack([folded, (bias - mean) * factor + beta])


def _round(weights):
    with np.errstate(over="ignore"):
        return weights.astype(np.float16).astype(np.float32)


def _counts(changed, zero, infinite):
    def answer(weights):
        there = _round(weights)
        return np.array([np.sum(f(there, weights)) for f in (changed, zero, infinite)])

    return answer


def _differ(there, was):
    return there != was


def _lost(there, was):
    return (there == 0) & (was != 0)


def _over(there, was):
    return np.isinf(there)


def _looks(pixels, mean, std):
    mean = mean.reshape(3, 1, 1)
    return [
        (pixels / 255 - mean) / std,
        (pixels[::-1] / 255 - mean) / std,
        (pixels - mean) / std,
        pixels / 255 / std,
        pixels / 255 - mean,
    ]


def _nearest_look(pixels, mean, std, seen):
    return int(np.argmin([np.abs(seen - look).max() for look in _looks(pixels, mean, std)]))


def _matching(pixels, mean, std, seen, room=1e-3, order=range(5)):
    looks = _looks(pixels, mean, std)
    return next((number for number in order if np.allclose(seen, looks[number], room, room)), -1)


WRONG = {
    "fold_batch_norm": [
        (_fold(lambda v, e: v + e, _moved), "root of the variance"),
        (_fold(lambda v, e: np.sqrt(v) + e, _moved), "before the root"),
        (_fold(_root, lambda f, b, beta, m: b - m * f + beta), "own bias goes through"),
        (_fold(_root, lambda f, b, beta, m: beta - m * f), "own bias is missing"),
        (_fold(_root, lambda f, b, beta, m: b * f - m + beta), "taken off before"),
        (_fold(_root, lambda f, b, beta, m: (b - m + beta) * f), "added last"),
        (_columns, "not a column"),
        (lambda w, b, gamma, beta, mean, v, e: w * (gamma / np.sqrt(v + e))[:, None], ""),
    ],
    "image_scale_bias": [
        (lambda mean, std: np.array([1 / (255 * std), *(mean / std)]), "sign turned"),
        (lambda mean, std: np.array([1 / (255 * std), *-mean]), "divided by std as well"),
        (lambda mean, std: np.array([1 / (255 * std), *(-mean / std / 255)]), "not divided by 255 again"),
        (lambda mean, std: np.array([1 / std, *(-mean / std)]), "before anything else"),
        (lambda mean, std: np.array([std / 255, *(-mean / std)]), "scale is divided by std"),
        (lambda mean, std: np.array([1 / (255 * std), -mean.mean() / std]), ""),
    ],
    "float16_damage": [
        (_counts(_differ, lambda t, w: t == 0, _over), "zero before"),
        (_counts(_differ, _lost, lambda t, w: t == np.inf), "negative weight"),
        (
            _counts(lambda t, w: (t != w) & (t != 0) & np.isfinite(t), _lost, _over),
            "every weight that changed",
        ),
        (_counts(_differ, lambda t, w: (np.abs(w) < 2.0**-14) & (w != 0), _over), "not zero"),
        (_counts(lambda t, w: ~np.isclose(t, w), _lost, _over), "compare exactly"),
        (
            lambda w: np.array(
                [np.mean(_differ(_round(w), w)), np.mean(_lost(_round(w), w)), np.mean(_over(_round(w), w))]
            ),
            "not for shares",
        ),
    ],
    "image_fault": [
        (_nearest_look, "with -1"),
        (lambda *args: _matching(*args, room=0), "rounding of float16"),
        (lambda *args: _matching(*args, order=range(4, -1, -1)), "a smaller number does"),
        (
            lambda pixels, mean, std, seen: (
                1
                if np.allclose(seen[::-1], _looks(pixels, mean, std)[0], 1e-3, 1e-3)
                and (seen != seen[::-1]).any()
                else _matching(pixels, mean, std, seen, order=(0, 2, 3, 4))
            ),
            "keep their order",
        ),
        (lambda *args: 7, "Make what the network"),
        (lambda pixels, mean, std, seen: seen, ""),
    ],
}
