"""The exercises of chapter 1: parameters, bytes, and what a file adds to them."""

import numpy as np

from .framework import Case, Exercise, Hint


def _conv_parameters(in_channels, out_channels, kernel_size, bias):
    return out_channels * (in_channels * kernel_size**2 + bool(bias))


conv_parameters = Exercise(
    name="conv_parameters",
    level="warm-up",
    task="Return how many parameters a convolution with a square kernel has, its biases included if `bias` "
    "is True.",
    reference=_conv_parameters,
    cases=[
        Case(2, 3, 1, False, about="one weight for each pair of channels"),
        Case(3, 64, 7, False, about="the first layer of ResNet-50"),
        Case(1, 2, 3, True, about="two filters of 3 x 3, and a bias for each"),
        Case(64, 256, 1, False, about="a 1 x 1 convolution"),
        Case(5, 3, 2, True),
    ],
    random=lambda rng: (*map(int, rng.integers(1, 300, 2)), int(rng.integers(1, 8)), bool(rng.integers(2))),
    hints=[
        Hint(
            "The kernel is a square: it has kernel_size x kernel_size places.",
            lambda got, want, i, o, k, b: (
                k > 1 and got in (i * o * k, i * o * k + o, i * o * 2 * k, i * o * 2 * k + o)
            ),
        ),
        Hint(
            "Each filter sees all input channels at once, so it has weights for each of them.",
            lambda got, want, i, o, k, b: i > 1 and got in (o * k * k, o * (k * k + 1)),
        ),
        Hint(
            "There is one bias for each output channel: neither for the whole layer, nor for each input.",
            lambda got, want, i, o, k, b: (
                got in (i * o * k * k + 1, i * (o * k * k + 1), i * o * (k * k + 1))
            ),
        ),
        Hint(
            "bias says whether this layer has any: the layers of ResNet-50 have none.",
            lambda got, want, i, o, k, b: not b and got == want + o,
        ),
        Hint(
            "Each output channel adds one more parameter when bias is True.",
            lambda got, want, i, o, k, b: b and got == want - o,
        ),
    ],
    hint="Count the weights of one filter; then ask how many filters there are.",
)


def _model_size(parameters, bits):
    nbytes = parameters * bits / 8
    return nbytes / 10**6, nbytes / 2**20


def _over(got, want, ratio):
    return all(np.isclose(g, w * ratio) for g, w in zip(got, want))


model_size = Exercise(
    name="model_size",
    level="warm-up",
    task="Return the size of a model's parameters in MB (`10**6` bytes) and in MiB (`2**20` bytes), as two "
    "numbers.",
    reference=_model_size,
    cases=[
        Case(1_000_000, 8, about="a million bytes"),
        Case(2**20, 8, about="one MiB"),
        Case(25_557_032, 16, about="ResNet-50 in float16"),
        Case(25_557_032, 4, about="half a byte each"),
        Case(25_557_032, 32),
        Case(0, 16, about="no parameters"),
    ],
    random=lambda rng: (int(rng.integers(1, 10**9)), int(rng.choice([1, 2, 3, 4, 6, 8, 16, 32]))),
    hints=[
        Hint(
            "First MB, then MiB: the smaller unit gives the larger number.",
            lambda got, want, p, b: got[0] != got[1] and _over(got, want[::-1], 1),
        ),
        Hint("A byte has 8 bits.", lambda got, want, p, b: _over(got, want, 8)),
        Hint(
            "Fewer than 8 bits are part of a byte: divide with /, not with //.",
            lambda got, want, p, b: b < 8 and (got[0] == 0 or _over(got, want, 8 / b)),
        ),
        Hint(
            "One of the two is 10**6 bytes, the other 2**20.",
            lambda got, want, p, b: _over(got[:1], got[1:], 1),
        ),
        Hint(
            "bits is an argument: parameters are not always 16 bits wide.",
            lambda got, want, p, b: b != 16 and _over(got, want, 16 / b),
        ),
        Hint(
            "Whole megabytes are too coarse: keep what is behind the point.",
            lambda got, want, p, b: all(g == int(g) and abs(g - w) <= 1 for g, w in zip(got, want)),
        ),
        Hint(
            "2**20 is 1024 x 1024; neither unit mixes 1000 and 1024.",
            lambda got, want, p, b: any(np.isclose(g, p * b / 8 / 1024000) for g in got),
        ),
    ],
    hint="Bits to bytes, then bytes to each of the two units.",
    tolerance=1e-9,
)


def _weight_file_bytes(sizes):
    end = 64
    for size in sizes:
        end = -(-end // 64) * 64 + 64 + size
    return end


weight_file_bytes = Exercise(
    name="weight_file_bytes",
    level="build",
    task="Return the bytes of a `weight.bin` that holds arrays of these `sizes`: a header of 64, then for "
    "each array a record of 64 and its data; record and data each start at a multiple of 64.",
    reference=_weight_file_bytes,
    cases=[
        Case([64, 64], about="two arrays that fill their places"),
        Case([], about="only the header"),
        Case([2], about="one float16: the file ends with its last byte"),
        Case([2, 2], about="the second record starts at a multiple of 64"),
        Case([65, 64, 1]),
        Case([4_096_000, 2_000], about="a linear layer and its bias"),
    ],
    random=lambda rng: ([int(n) for n in rng.integers(1, 5000, int(rng.integers(1, 8)))],),
    hints=[
        Hint(
            "The last array is not filled up: the file ends with its last byte.",
            lambda got, want, sizes: got == -(-want // 64) * 64,
        ),
        Hint("The file itself begins with a header of 64 bytes.", lambda got, want, sizes: got == want - 64),
        Hint(
            "Each array has a record of 64 bytes in front of its data.",
            lambda got, want, sizes: got <= want - 64 * len(sizes) and got != sum(sizes),
        ),
        Hint("That is the data alone. What else is in the file?", lambda got, want, sizes: got == sum(sizes)),
        Hint(
            "What follows an array starts at a multiple of 64, so there may be a gap.",
            lambda got, want, sizes: got == 64 + 64 * len(sizes) + sum(sizes),
        ),
        Hint(
            "An array that already ends at a multiple of 64 needs no filling.",
            lambda got, want, sizes: sizes and got > want and (got - want) % 64 == 0,
        ),
    ],
    hint="Walk through the file with a position: where does the next record start, and where does it end?",
)


def _bits(array):
    return array.dtype.str, array.shape, array.tobytes()


def _saved_by_sharing(arrays):
    distinct = {_bits(array): array.nbytes for array in arrays}
    return _weight_file_bytes([array.nbytes for array in arrays]) - _weight_file_bytes(distinct.values())


def _shared(arrays, key=_bits, cost=_weight_file_bytes):
    """What an answer makes that knows equal arrays by another key, or counts bytes in another way."""
    return cost([a.nbytes for a in arrays]) - cost({key(a): a.nbytes for a in arrays}.values())


def _unaligned(sizes):
    return sum(size + 64 for size in sizes)


def _without_any(arrays):
    """What an answer makes that leaves out all that is there twice."""
    keys = [_bits(array) for array in arrays]
    kept = [array.nbytes for array, key in zip(arrays, keys) if keys.count(key) == 1]
    return _weight_file_bytes([array.nbytes for array in arrays]) - _weight_file_bytes(kept)


def _of_neighbours(arrays):
    """What an answer makes that looks for equal arrays side by side."""
    keys = [None, *map(_bits, arrays)]
    kept = [array.nbytes for array, before, key in zip(arrays, keys, keys[1:]) if key != before]
    return _weight_file_bytes([array.nbytes for array in arrays]) - _weight_file_bytes(kept)


def _random_shared_case(rng):
    distinct = [
        rng.integers(-3, 4, size).astype(np.float16) for size in rng.integers(1, 200, int(rng.integers(1, 5)))
    ]
    return (
        [distinct[int(place)].copy() for place in rng.integers(0, len(distinct), int(rng.integers(2, 9)))],
    )


_ROW = np.arange(32, dtype=np.float16)

saved_by_sharing = Exercise(
    name="saved_by_sharing",
    level="build",
    task="A colleague's package holds these `arrays`, in this order. Return how many bytes shorter its `weight.bin` "
    "becomes if arrays that are equal in type, in shape and in every bit are stored once: the first of them stays.",
    reference=_saved_by_sharing,
    cases=[
        Case([_ROW, _ROW], about="one array, twice"),
        Case([_ROW, _ROW + 1], about="nothing is there twice"),
        Case([_ROW, _ROW + 1, _ROW, _ROW], about="three times, and another one between them"),
        Case([_ROW[:3], _ROW[:3], _ROW], about="short ones, with gaps behind them"),
        Case([], about="no arrays"),
        Case([_ROW.reshape(4, 8), _ROW.reshape(8, 4)], about="the same numbers in two shapes"),
        Case(
            [np.zeros(8, np.float16), np.zeros(8, np.int16)], about="zeros of two types, alike in every bit"
        ),
        Case(
            [np.zeros(2, np.float16), -np.zeros(2, np.float16)], about="0 and -0: equal numbers, other bits"
        ),
        Case([_ROW, _ROW[::-1], _ROW[::-1].copy()], about="backwards"),
    ],
    random=_random_shared_case,
    hints=[
        Hint(
            "Equal arrays need not be neighbours.",
            lambda got, want, a: got == _of_neighbours(a),
        ),
        Hint(
            "One of the equal ones has to stay.", lambda got, want, a: got > want and got == _without_any(a)
        ),
        Hint(
            "An array that is not stored has no record, and leaves no gap: ask for the length of the file, with and "
            "without it.",
            lambda got, want, a: got in (_shared(a, cost=sum), _shared(a, cost=_unaligned)) and got != want,
        ),
        Hint(
            "The same numbers in another shape or type are another array to whoever reads the package.",
            lambda got, want, a: got == _shared(a, np.ndarray.tobytes),
        ),
        Hint(
            "0 and -0 are equal as numbers, and differ in a bit. What do the bytes say?",
            lambda got, want, a: got == _shared(a, lambda array: (array.dtype.str, *array.tolist())),
        ),
    ],
    hint="Two lengths by the rules of exercise 3: of all arrays, and of those that are left.",
)
