"""The exercises of chapter 9: fold a batch norm, an image's scale and bias, what float16 does to weights."""

import warnings

import numpy as np

from .framework import Case, Exercise, Hint


def _folded(weight, bias, gamma, beta, mean, variance, epsilon, divisor=None, moved=None):
    """The folded layer as one array; `divisor` and `moved` replace a step, to recognise a mistake."""
    divisor = np.sqrt(variance + epsilon) if divisor is None else divisor
    factor = gamma / divisor
    moved = (bias - mean) * factor + beta if moved is None else moved(factor)
    return np.column_stack([weight * factor[:, None], moved])


def _fold_batch_norm(weight, bias, gamma, beta, mean, variance, epsilon):
    return _folded(weight, bias, gamma, beta, mean, variance, epsilon)


def _layer(rng):
    outputs, inputs = rng.integers(1, 5, 2)
    gamma, beta, mean, bias = rng.normal(size=(4, outputs)).round(2)
    return (
        rng.normal(size=(outputs, inputs)).round(2),
        bias,
        gamma,
        beta,
        mean,
        rng.uniform(0.1, 4, outputs),
        1e-3,
    )


def _is_folded(**change):
    """A test of a result against a fold with one step changed."""

    def when(got, want, weight, bias, gamma, beta, mean, variance, epsilon):
        made = {name: make(bias, gamma, beta, mean, variance, epsilon) for name, make in change.items()}
        other = _folded(weight, bias, gamma, beta, mean, variance, epsilon, **made)
        return np.allclose(got, other, rtol=1e-9, atol=1e-12) and not np.allclose(
            other, want, rtol=1e-9, atol=1e-12
        )

    return when


def _wrong_axis(got, want, weight, bias, gamma, beta, mean, variance, epsilon):
    factor = gamma / np.sqrt(variance + epsilon)
    return len(factor) == weight.shape[1] > 1 and np.allclose(got[:, :-1], weight * factor)


fold_batch_norm = Exercise(
    name="fold_batch_norm",
    level="build",
    task="The layer `y = weight @ x + bias` is followed by `gamma * (y - mean) / sqrt(variance + epsilon) + "
    "beta`. Return one array of shape `(outputs, inputs + 1)`: the weights of a layer that does both, "
    "and its bias as last column.",
    reference=_fold_batch_norm,
    cases=[
        Case(
            np.array([[2.0]]),
            np.array([0.0]),
            np.array([3.0]),
            np.array([0.0]),
            np.array([0.0]),
            np.array([4.0]),
            0.0,
            about="one weight, no shift: times 3 / 2",
        ),
        Case(
            np.array([[2.0]]),
            np.array([0.0]),
            np.array([1.0]),
            np.array([5.0]),
            np.array([0.0]),
            np.array([1.0]),
            0.0,
            about="only beta",
        ),
        Case(
            np.array([[1.0]]),
            np.array([4.0]),
            np.array([3.0]),
            np.array([0.0]),
            np.array([1.0]),
            np.array([4.0]),
            0.0,
            about="the mean is taken off before the factor",
        ),
        Case(
            np.array([[1.0, 2.0], [3.0, 4.0]]),
            np.array([0.5, -0.5]),
            np.array([2.0, 1.0]),
            np.array([0.0, 1.0]),
            np.array([0.0, 0.25]),
            np.array([1.0, 4.0]),
            0.0,
            about="each output has a factor of its own",
        ),
        Case(
            np.array([[1.0, -1.0]]),
            np.array([1.0]),
            np.array([3.0]),
            np.array([0.5]),
            np.array([0.5]),
            np.array([2.0]),
            0.25,
            about="epsilon counts",
        ),
        Case(
            np.array([[1.0, -1.0]]),
            np.array([0.0]),
            np.array([1.0]),
            np.array([0.0]),
            np.array([0.5]),
            np.array([0.0]),
            0.25,
            about="a variance of zero: this is what epsilon is for",
        ),
    ],
    random=_layer,
    hints=[
        Hint(
            "The factor belongs to an output: it multiplies a row of the weights, not a column.", _wrong_axis
        ),
        Hint(
            "Divide by the standard deviation, which is the root of the variance.",
            _is_folded(divisor=lambda b, g, be, m, v, e: v + e),
        ),
        Hint(
            "epsilon is added to the variance, before the root.",
            _is_folded(divisor=lambda b, g, be, m, v, e: np.sqrt(v) + e),
        ),
        Hint(
            "The layer's own bias goes through the batch norm too: the factor multiplies it.",
            _is_folded(moved=lambda b, g, be, m, v, e: lambda f: b - m * f + be),
        ),
        Hint(
            "The layer's own bias is missing.",
            _is_folded(moved=lambda b, g, be, m, v, e: lambda f: be - m * f),
        ),
        Hint(
            "The mean is taken off before the factor multiplies, so the factor multiplies it too.",
            _is_folded(moved=lambda b, g, be, m, v, e: lambda f: b * f - m + be),
        ),
        Hint(
            "beta is added last: the factor leaves it alone.",
            _is_folded(moved=lambda b, g, be, m, v, e: lambda f: (b - m + be) * f),
        ),
    ],
    hint="Put y = weight @ x + bias into the second formula, and collect what multiplies x and what does "
    "not.",
    tolerance=1e-9,
)


def _image_scale_bias(mean, std):
    return np.array([1 / (255 * std), *(-np.asarray(mean) / std)])


image_scale_bias = Exercise(
    name="image_scale_bias",
    level="build",
    task="The network was trained on `(pixel / 255 - mean) / std`, with a mean for each of red, green and "
    "blue and one std. Core ML computes `scale * pixel + bias`. Return the array [scale, bias of red, "
    "of green, of blue].",
    reference=_image_scale_bias,
    cases=[
        Case(np.array([0.0, 0.0, 0.0]), 1.0, about="pixels from 0 to 1, and nothing else"),
        Case(np.array([0.5, 0.5, 0.5]), 0.5, about="pixels from -1 to 1"),
        Case(np.array([0.25, 0.5, 0.75]), 1.0, about="three means"),
        Case(
            np.array([0.485, 0.456, 0.406]), 0.226, about="ImageNet's means, and the mean of its three stds"
        ),
    ],
    random=lambda rng: (rng.uniform(0.1, 0.9, 3).round(3), round(rng.uniform(0.1, 0.9), 3)),
    hints=[
        Hint(
            "The mean is subtracted: the bias has its sign turned.",
            lambda got, want, mean, std: (
                np.allclose(got[0], want[0]) and np.allclose(got[1:], -want[1:]) and mean.any()
            ),
        ),
        Hint(
            "The mean is divided by std as well, once the bracket is multiplied out.",
            lambda got, want, mean, std: std != 1 and np.allclose(got, [want[0], *-mean]),
        ),
        Hint(
            "The mean is on the scale of pixel / 255, so it is not divided by 255 again.",
            lambda got, want, mean, std: np.allclose(got[1:] * 255, want[1:]) and mean.any(),
        ),
        Hint(
            "The pixel is divided by 255 before anything else, and that is part of the scale.",
            lambda got, want, mean, std: np.isclose(got[0], 1 / std) and not np.isclose(got[0], want[0]),
        ),
        Hint(
            "The scale is divided by std.",
            lambda got, want, mean, std: (
                std != 1 and (np.isclose(got[0], 1 / 255) or np.isclose(got[0], std / 255))
            ),
        ),
    ],
    hint="Multiply out (pixel / 255 - mean) / std, and read off what multiplies pixel and what stands alone.",
    tolerance=1e-9,
)


def _rounded(weights):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too large a weight becomes infinite, which is what we count
        return weights.astype(np.float16).astype(np.float32)


def _float16_damage(weights):
    there = _rounded(weights)
    return np.array(
        [np.sum(there != weights), np.sum((there == 0) & (weights != 0)), np.sum(np.isinf(there))]
    )


def _float32(*values):
    return np.array(values, dtype=np.float32)


float16_damage = Exercise(
    name="float16_damage",
    level="warm-up",
    task="Return an array of three counts of float32 weights: how many change when they are rounded to "
    "float16, how many that were not zero become zero, and how many become infinite.",
    reference=_float16_damage,
    cases=[
        Case(_float32(1.0, 0.5, -2.0), about="float16 holds these exactly"),
        Case(_float32(0.1, 1.0, -0.2), about="0.1 has no end in binary"),
        Case(_float32(2.4e-7, 1.0), about="tiny, coarse, and not zero"),
        Case(_float32(2e-8, 0.0, 1.0), about="one is too small, and one was zero before"),
        Case(_float32(70000.0, -70000.0, 65504.0), about="65,504 is the largest number of float16"),
        Case(np.array([[497160.0, 3e-8], [0.25, 0.3]], np.float32), about="all kinds"),
    ],
    random=lambda rng: ((rng.normal(size=(4, 5)) * 10.0 ** rng.integers(-9, 6, (4, 5))).astype(np.float32),),
    hints=[
        Hint(
            "Zeros that were zero before have lost nothing.",
            lambda got, want, w: got[1] == np.sum(_rounded(w) == 0) != want[1],
        ),
        Hint(
            "A negative weight can become infinite too.",
            lambda got, want, w: got[2] == np.sum(_rounded(w) == np.inf) != want[2],
        ),
        Hint(
            "A difference that is small is a difference: compare exactly.",
            lambda got, want, w: got[0] == np.sum(~np.isclose(_rounded(w), w)) != want[0],
        ),
        Hint(
            "The first count holds every weight that changed, those that became zero or infinite too.",
            lambda got, want, w: got[0] == want[0] - want[1] - want[2] != want[0],
        ),
        Hint(
            "float16 can hold numbers smaller than 2 ** -14, down to 2 ** -24, with fewer digits. They "
            "are not zero.",
            lambda got, want, w: got[1] == np.sum((np.abs(w) < 2.0**-14) & (w != 0)) != want[1],
        ),
        Hint(
            "Count them: the task asks for numbers of weights, not for shares.",
            lambda got, want, w: np.allclose(np.asarray(got) * w.size, want) and w.size > 1,
            anything=True,
        ),
    ],
    hint="Round with astype(np.float16), and compare with what was there before.",
)


def _prepared(pixels, mean, std):
    """What a network sees: as it should be, and with each of the faults, in the order of their numbers."""
    mean = mean[:, None, None]
    right = (pixels / 255 - mean) / std
    swapped = (pixels[::-1] / 255 - mean) / std
    return right, swapped, (pixels - mean) / std, pixels / 255 / std, pixels / 255 - mean


def _agrees(seen, guess):
    return np.allclose(seen, guess, rtol=1e-3, atol=1e-3)


def _image_fault(pixels, mean, std, seen):
    explained = (number for number, guess in enumerate(_prepared(pixels, mean, std)) if _agrees(seen, guess))
    return next(explained, -1)


def _seen(fault, pixels, mean, std, off=0.0):
    """Arguments of a case: the network sees what a fault leaves, rounded to float16."""
    pixels, mean = np.array(pixels, np.uint8).reshape(3, 1, -1), np.array(mean)
    return pixels, mean, std, _prepared(pixels, mean, std)[fault].astype(np.float16) + np.float16(off)


def _random_picture(rng):
    mean = rng.uniform(0.2, 0.6, 3).round(3)
    off = float(rng.choice([0, 0, 0, 0.25]))
    return _seen(rng.integers(5), rng.integers(0, 256, 3 * rng.integers(2, 5)), mean, 0.25, off)


image_fault = Exercise(
    name="image_fault",
    level="build",
    task="Return what is wrong with what the network saw: 0 nothing, `seen` is `(pixels / 255 - mean) / std`, with a "
    "mean for each of the three colours; 1 red and blue of the picture are exchanged; 2 the pixels are not "
    "divided by 255; 3 the means are not taken off; 4 it is not divided by std. Of several that explain `seen` "
    "return the smallest, and -1 if none does. `pixels` and `seen` are (3, height, width); `seen` is rounded, "
    "so up to 0.001 and 0.1 % of a value say nothing.",
    reference=_image_fault,
    cases=[
        Case(
            *_seen(0, [0, 51, 102, 153, 204, 255], [0.5, 0.4, 0.3], 0.5), about="as it should be, in float16"
        ),
        Case(*_seen(1, [0, 51, 102, 153, 204, 255], [0.5, 0.4, 0.3], 0.5), about="a picture in BGR"),
        Case(*_seen(2, [0, 51, 102, 153, 204, 255], [0.5, 0.4, 0.3], 0.5), about="values in the hundreds"),
        Case(*_seen(3, [0, 51, 102, 153, 204, 255], [0.5, 0.4, 0.3], 0.5), about="nothing below zero"),
        Case(
            *_seen(4, [0, 51, 102, 153, 204, 255], [0.5, 0.4, 0.3], 0.5), about="half as wide as it should be"
        ),
        Case(*_seen(1, [90, 180, 90, 180, 90, 180], [0.5, 0.4, 0.3], 0.5), about="a grey picture in BGR"),
        Case(*_seen(3, [0, 51, 102, 153, 204, 255], [0.0, 0.0, 0.0], 0.5), about="means of zero"),
        Case(*_seen(2, [0, 0, 0, 0, 0, 0], [0.5, 0.4, 0.3], 0.5), about="a black picture"),
        Case(
            *_seen(0, [0, 51, 102, 153, 204, 255], [0.5, 0.4, 0.3], 0.5, 0.5), about="something else is wrong"
        ),
    ],
    random=_random_picture,
    hints=[
        Hint(
            "None of the four explains it: say so with -1.",
            lambda got, want, *args: want == -1 and got in range(5),
        ),
        Hint(
            "It is the picture whose first and last colour are exchanged. The means keep their order.",
            lambda got, want, *args: want == 1,
        ),
        Hint(
            "It is explained, up to the rounding of float16: compare with some room.",
            lambda got, want, *args: want != -1 == got,
        ),
        Hint(
            "That explains it as well, but a smaller number does, too.",
            lambda got, want, *args: (
                got in range(1, 5) and _agrees(args[-1], _prepared(*args[:-1])[int(got)])
            ),
        ),
    ],
    hint="Make what the network would have seen with each of the four, and compare it with `seen`.",
)
