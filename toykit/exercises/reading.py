"""The exercises of the chapter about the reader of text: a constant error, layers left behind, a loss in pairs."""

import numpy as np

from .framework import Case, Exercise, Hint


def _corrected_bias(weights, compressed, bias, inputs):
    return bias + (weights - compressed) @ inputs.mean(axis=1)


def _corrects(wrong):
    """Whether the learner's answer is what a certain mistake gives."""
    return lambda got, want, w, c, b, x: np.allclose(got, wrong(w, c, b, x))


def _random_layer(rng):
    weights = rng.normal(size=(3, 5))
    return weights, np.round(weights * 2) / 2, rng.normal(size=3), rng.normal(2, 1, (5, 8))


corrected_bias = Exercise(
    name="corrected_bias",
    level="build",
    task="Return the bias with which the compressed layer's outputs are, on average over the samples, those of the "
    "trained layer with its own `bias`. `weights` and `compressed` are (out, in), `inputs` is (in, samples).",
    reference=_corrected_bias,
    cases=[
        Case(
            np.array([[1.0, 2.0]]),
            np.array([[1.0, 1.5]]),
            np.array([0.25]),
            np.array([[3.0, 5.0], [2.0, 4.0]]),
            about="the second weight has lost 0.5, and meets 3 on average",
        ),
        Case(
            np.array([[1.0, 2.0], [0.5, -1.0]]),
            np.array([[1.0, 2.0], [0.5, -1.0]]),
            np.array([1.0, -1.0]),
            np.array([[3.0, 5.0], [2.0, 4.0]]),
            about="nothing was lost",
        ),
        Case(
            np.array([[2.0, 1.0], [1.0, 3.0]]),
            np.array([[1.0, 2.0], [2.0, 3.0]]),
            np.array([0.0, 0.5]),
            np.array([[4.0, -4.0, 0.0], [1.0, 1.0, 1.0]]),
            about="the first input is zero on average",
        ),
        Case(
            np.array([[1.0, 1.0], [2.0, -1.0], [0.0, 4.0]]),
            np.array([[1.5, 1.0], [2.0, -2.0], [1.0, 4.0]]),
            np.zeros(3),
            np.array([[2.0], [6.0]]),
            about="a single sample",
        ),
    ],
    random=_random_layer,
    hints=[
        Hint(
            "The other way round: what the weights have lost is added to the bias.",
            _corrects(lambda w, c, b, x: b - (w - c) @ x.mean(1)),
        ),
        Hint(
            "That is the correction. The layer keeps its own bias, too.",
            _corrects(lambda w, c, b, x: (w - c) @ x.mean(1)),
        ),
        Hint(
            "Each weight meets its own input: take the mean of each channel over the samples, not of all numbers.",
            _corrects(lambda w, c, b, x: b + (w - c).sum(1) * x.mean()),
        ),
        Hint(
            "On average over the samples: divide by how many there are.",
            lambda got, want, w, c, b, x: (
                x.shape[1] > 1 and np.allclose(got, b + (w - c) @ x.sum(1)) and not np.allclose(got, want)
            ),
        ),
        Hint(
            "An input that is sometimes above and sometimes below zero cancels: do not take its size.",
            lambda got, want, w, c, b, x: (x < 0).any() and np.allclose(got, b + (w - c) @ np.abs(x).mean(1)),
        ),
    ],
    hint="The mean of a sum is the sum of the means: the outputs are off by (weights - compressed) @ mean input.",
    tolerance=1e-9,
)


def _left_in_float16(shapes, block_size):
    large = shapes.prod(axis=1) > 2048
    return large & (shapes[:, 1] % block_size != 0)


left_in_float16 = Exercise(
    name="left_in_float16",
    level="build",
    task="Return a boolean array that is `True` for each layer that should have been compressed and stays in float16: "
    "it has more than 2,048 weights, and its inputs are no multiple of `block_size`. `shapes` has a row "
    "(outputs, inputs) for each layer.",
    dtype="bool",
    reference=_left_in_float16,
    cases=[
        Case(np.array([[384, 192], [360, 120], [768, 384]]), 32, about="32 divides 192 and 384, but not 120"),
        Case(
            np.array([[96, 9], [384, 9]]),
            32,
            about="the first has 864 weights: nobody meant to compress it",
        ),
        Case(np.array([[120, 384], [360, 120]]), 24, about="24 divides all"),
        Case(np.array([[64, 32], [128, 16]]), 24, about="exactly 2,048 weights: not more"),
        Case(np.array([[192, 16]]), 32, about="fewer inputs than a block"),
        Case(np.zeros((0, 2), int), 32, about="no layers"),
    ],
    random=lambda rng: (
        rng.choice([9, 16, 24, 48, 96, 120, 192, 384], (8, 2)),
        int(rng.choice([16, 24, 32])),
    ),
    hints=[
        Hint(
            "*More* than 2,048: a layer with exactly so many is small.",
            lambda got, want, s, b: np.array_equal(got, (s.prod(1) >= 2048) & (s[:, 1] % b != 0)),
        ),
        Hint(
            "Blocks lie along the inputs, the second number of a shape.",
            lambda got, want, s, b: np.array_equal(got, (s.prod(1) > 2048) & (s[:, 0] % b != 0)),
        ),
        Hint(
            "Those are the layers that were compressed. Which ones were left?",
            lambda got, want, s, b: len(s) and np.array_equal(got, (s.prod(1) > 2048) & ~want),
        ),
        Hint(
            "A layer of at most 2,048 weights is not meant to be compressed, whatever divides it.",
            lambda got, want, s, b: np.array_equal(got, s[:, 1] % b != 0),
        ),
        Hint(
            "Each channel by itself has to be divided: that a block divides all weights together is not enough.",
            lambda got, want, s, b: np.array_equal(got, (s.prod(1) > 2048) & (s.prod(1) % b != 0)),
        ),
    ],
    hint="Two conditions for each row: rows times columns above 2,048, and a remainder of the inputs by the block.",
)


def _at_most_lost(before, after, errors=2):
    lost, won = (before & ~after).sum(axis=-1), (~before & after).sum(axis=-1)
    return lost - won + errors * np.sqrt(lost + won)


def _smallest(nbytes, fits):
    return int(np.flatnonzero(fits)[np.argmin(nbytes[fits])]) if fits.any() else -1


def _smallest_harmless(nbytes, before, after, allowed):
    return _smallest(nbytes, _at_most_lost(before, after) <= allowed)


def _takes(judge):
    """Whether the learner took what a certain judge of (before, after, allowed) would take."""
    return lambda got, want, nbytes, before, after, allowed: (
        got == _smallest(nbytes, judge(before, after, allowed)) != want
    )


def _read(*changes):
    """`before`, 20 words of which the first 15 are read, and a row of `after` for each (lost, won)."""
    before = np.arange(20) < 15
    after = np.array([before] * len(changes))
    for row, (lost, won) in zip(after, changes):
        row[:lost] = False
        row[15 : 15 + won] = True
    return before, after


def _random_settings(rng):
    before = rng.random(40) < 0.8
    flips = rng.random((5, 40)) < rng.uniform(0, 0.2, (5, 1))
    return rng.permutation(np.arange(10, 15)), before, before ^ flips, int(rng.integers(3, 14))


smallest_harmless = Exercise(
    name="smallest_harmless",
    level="decide",
    task="Return the number, from 0, of the smallest setting whose loss may be at most `allowed` words; -1 if there is "
    "none. A loss may be: the words lost, minus those won, plus twice the square root of lost and won together. "
    "`before` (words) and the rows of `after` (settings, words) are `True` where a word was read.",
    reference=_smallest_harmless,
    cases=[
        Case(
            np.array([30, 20]), *_read((1, 0), (9, 0)), 5, about="the smaller one has lost nine words of 20"
        ),
        Case(np.array([30, 20]), *_read((0, 0), (3, 1)), 4, about="3 lost and 1 won may be a loss of 6"),
        Case(np.array([20, 30, 25]), *_read((1, 1), (0, 0), (0, 2)), 3, about="not sorted by size"),
        Case(np.array([20]), *_read((4, 0)), 8, about="4 + 2 x 2 is 8: exactly at the limit"),
        Case(np.array([20, 10]), *_read((6, 0), (8, 1)), 5, about="neither may be shipped"),
        Case(
            np.array([20, 10]),
            *_read((0, 0), (5, 5)),
            5,
            about="as many right as before, and not the same ones",
        ),
    ],
    random=_random_settings,
    hints=[
        Hint(
            "Lost and won words both count as chance, although they cancel in the difference.",
            _takes(
                lambda b, a, allowed: (
                    b.sum() - a.sum(-1) + 2 * np.sqrt(np.abs(b.sum() - a.sum(-1))) <= allowed
                )
            ),
        ),
        Hint(
            "Not measured is not harmless: add what chance may hide, twice the square root of lost and won.",
            _takes(lambda b, a, allowed: _at_most_lost(b, a, 0) <= allowed),
        ),
        Hint(
            "A loss exactly at the limit is allowed.",
            _takes(lambda b, a, allowed: _at_most_lost(b, a) < allowed),
        ),
        Hint(
            "If no setting will do, the answer is -1: a limit that gives way was not a limit.",
            lambda got, want, *args: want == -1 != got,
        ),
        Hint(
            "Of the settings that will do take the smallest: fewer words lost than allowed are not asked for.",
            lambda got, want, n, before, after, allowed: (
                0 <= got < len(n) and n[got] > n[want] and _at_most_lost(before, after[got]) <= allowed
            ),
        ),
        Hint(
            "This one may lose more than is allowed.",
            lambda got, want, n, before, after, allowed: (
                0 <= got < len(n) and _at_most_lost(before, after[got]) > allowed
            ),
        ),
    ],
    hint="lost = (before & ~after).sum(axis=1), won the other way round; then mark the rows within the limit.",
)


def _in_blocks(shapes, size, least=2048, scale=2):
    """Bytes of all layers as 4-bit codes with a scale for each block."""
    rows, inputs = shapes.T
    number = rows * inputs
    taken = (number > least) & (inputs % size == 0)
    return int(np.where(taken, (number + 1) // 2 + scale * number // size, 2 * number).sum())


def _smallest_by(sizes, nbytes):
    return int(min(sizes, key=lambda size: (nbytes(size), size)))


def _best_block(shapes, sizes):
    return _smallest_by(sizes, lambda size: _in_blocks(shapes, size))


def _random_layers(rng):
    sizes = rng.permutation([8, 12, 16, 24, 32, 48, 64, 96])[: int(rng.integers(2, 6))]
    return np.stack([rng.integers(20, 300, 5), rng.choice([36, 48, 72, 96, 120, 192, 256, 384], 5)], 1), sizes


best_block = Exercise(
    name="best_block",
    level="decide",
    task="Return the block size, of those in `sizes`, with which the layers take the fewest bytes in codes of 4 "
    "bits: half a byte for each weight, rounded up to whole bytes for each layer, and 2 bytes for the scale of "
    "each block, `size` weights of a row. Layers whose inputs the size does not divide, and those of at most "
    "2,048 weights, stay in float16. `shapes` has a row (outputs, inputs) for each layer. Of sizes with equally "
    "many bytes return the smallest.",
    reference=_best_block,
    cases=[
        Case(np.array([[64, 64]]), np.array([16, 32, 64]), about="one layer, and all sizes divide it"),
        Case(
            np.array([[64, 96], [64, 40]]),
            np.array([32, 8, 96]),
            about="one of the layers can only be cut into blocks of 8",
        ),
        Case(
            np.array([[512, 96], [64, 40]]),
            np.array([8, 32]),
            about="the layer that 32 does not divide is a small one",
        ),
        Case(
            np.array([[64, 96], [32, 64]]),
            np.array([32, 96]),
            about="the second layer has 2,048 weights: no size is for it",
        ),
        Case(np.array([[47, 47], [50, 52]]), np.array([32, 24, 16]), about="no size divides anything"),
        Case(np.array([[47, 47]]), np.array([47, 1, 3]), about="a layer of an odd number of weights"),
        Case(np.array([[32, 128]]), np.array([128]), about="a single size"),
    ],
    random=_random_layers,
    hints=[
        Hint(
            "Return the size itself, not its place in `sizes`.",
            lambda got, want, shapes, sizes: got not in sizes,
        ),
        Hint(
            "Equally many bytes: return the smallest of these sizes.",
            lambda got, want, shapes, sizes: _in_blocks(shapes, got) == _in_blocks(shapes, want),
        ),
        Hint(
            "Fewer scales are not all: a layer that the size does not divide stays in float16, four times as large.",
            lambda got, want, shapes, sizes: got == max(sizes),
        ),
        Hint(
            "A layer of at most 2,048 weights stays in float16 with every size.",
            lambda got, want, shapes, sizes: (
                got == _smallest_by(sizes, lambda size: _in_blocks(shapes, size, least=0))
            ),
        ),
        Hint(
            "It need not divide every layer: one that stays in float16 may cost less than the scales of all others.",
            lambda got, want, shapes, sizes: (
                not (shapes[:, 1] % got).any() and bool((shapes[:, 1] % want).any())
            ),
        ),
        Hint(
            "Each block has a scale, and it takes 2 bytes.",
            lambda got, want, shapes, sizes: (
                got == _smallest_by(sizes, lambda size: _in_blocks(shapes, size, scale=0))
            ),
        ),
    ],
    hint="For each size add up the bytes of all layers, in blocks or in float16; then compare.",
)
