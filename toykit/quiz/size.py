"""Part I: parameters, bytes, and the file that holds them."""

import numpy as np

from ..coreml.format import weightbin
from ..size import ledger
from .framework import case, pick, question

_CHAPTER = "01_where_50_mb"


def _parameters(*shapes):
    """What the ledger counts in arrays of these shapes."""
    return ledger({f"array{i}": np.zeros(shape, np.float16) for i, shape in enumerate(shapes)}).parameters


@question(
    f"{_CHAPTER}#One layer, by hand",
    "A convolution goes from {i} channels to {o}, with grids of {k} x {k} and biases. How many parameters "
    "has it?",
    answer="{:,}",
    because="A grid for each pair of channels: {o} x {i} x {k} x {k} weights, and {o} biases.",
    wrong={
        "forgot the biases": "These are the weights. Each output channel has one number more.",
        "a grid for each output only": "Each output looks at every input, and has a grid of its own for "
        "each of them.",
        "a bias for each input": "A bias is added to what comes out, so there is one for each output "
        "channel.",
    },
)
def conv_parameters(random):
    i, o, k = pick(random, 3, 8, 16, 32), pick(random, 4, 12, 24, 64), pick(random, 3, 5, 7)
    weights = o * i * k * k
    wrong = {
        "forgot the biases": weights,
        "a grid for each output only": o * k * k + o,
        "a bias for each input": weights + i,
    }
    return case(_parameters((o, i, k, k), (o,)), wrong, i=i, o=o, k=k)


@question(
    f"{_CHAPTER}#One layer, by hand",
    "A convolution has {n:,} weights when it sees pictures of 224 x 224. How many has it for pictures of "
    "{side} x {side}?",
    answer="{:,}",
    because="The same grids slide over every picture: the size of the picture is not in the sum.",
    wrong={
        "grew with the area": "What it computes grows with the area. What it stores are its grids, used at "
        "every point.",
        "grew with the side": "Neither side nor area is in the formula of its weights: look for what is.",
        "a weight for each point": "That would be a weight for each point of the picture. A convolution "
        "shares its weights.",
    },
)
def picture_size(random):
    i, o, side = pick(random, 3, 16, 32), pick(random, 16, 64, 128), pick(random, 112, 448, 672)
    n = _parameters((o, i, 3, 3))
    wrong = {
        "grew with the area": n * side**2 // 224**2,
        "grew with the side": n * side // 224,
        "a weight for each point": side**2,
    }
    return case(n, wrong, n=n, side=side)


@question(
    f"{_CHAPTER}#The whole network",
    "A linear layer takes {i:,} numbers and gives {o:,}, with biases. How many parameters has it?",
    answer="{:,}",
    because="{o:,} x {i:,} weights and {o:,} biases.",
    wrong={
        "forgot the biases": "These are the weights. What is added to each output?",
        "a bias for each input": "A bias is added to what comes out, not to what goes in.",
        "added the two": "Each output has a weight for every input: multiply.",
    },
)
def linear_parameters(random):
    i, o = pick(random, 256, 512, 1024, 2048), pick(random, 10, 100, 360, 1000)
    wrong = {
        "forgot the biases": o * i,
        "a bias for each input": o * i + i,
        "added the two": o + i,
    }
    return case(_parameters((o, i), (o,)), wrong, i=i, o=o)


@question(
    f"{_CHAPTER}#One layer, by hand",
    "A convolution gets {f} times as many input channels and {f} times as many output channels. How many "
    "times as many weights has it?",
    because="There is a grid for each pair of channels, and there are {f} x {f} times as many pairs.",
    wrong={
        "counted one side": "That is what more outputs alone would do. The inputs have grown, too.",
        "the grid grew as well": "The grids stay as large as they are: only their number grows.",
        "added the two": "Two factors of {f} are multiplied, not added.",
    },
)
def wider(random):
    f, i = pick(random, 3, 4, 5, 6, 7, 8), 8
    before, after = _parameters((i, i, 3, 3)), _parameters((f * i, f * i, 3, 3))
    wrong = {"counted one side": f, "the grid grew as well": f**4, "added the two": 2 * f}
    return case(after // before, wrong, f=f)


@question(
    f"{_CHAPTER}#From parameters to bytes",
    "A network has {millions} million parameters, stored in {dtype}. How large is that?",
    answer="{:.1f} MB",
    because="{millions} million numbers of {bits} bits, 8 bits to a byte.",
    wrong={
        "a byte for each": "A {dtype} takes {bits} bits. How many bytes is that?",
        "the other type": "float32 has 4 bytes and float16 has 2: you have swapped them.",
        "bits for bytes": "{bits} are its bits. Sizes are told in bytes.",
    },
)
def bytes_of_type(random):
    millions, dtype = int(random.integers(15, 300)) / 10, pick(random, "float16", "float32")
    size = np.dtype(dtype).itemsize
    wrong = {
        "a byte for each": millions,
        "the other type": millions * (6 - size),
        "bits for bytes": millions * 8 * size,
    }
    return case(millions * size, wrong, millions=millions, dtype=dtype, bits=8 * size)


@question(
    f"{_CHAPTER}#MB or MiB?",
    "A package has {nbytes:,} bytes. How many MiB are these?",
    answer="{:.2f} MiB",
    because="A MiB has 1,048,576 bytes: {nbytes:,} / 1,048,576.",
    wrong={
        "divided by a million": "These are MB. A MiB is a little larger, so there are fewer of them.",
        "the wrong way": "You have multiplied by 1.048576. A MiB is larger than an MB, so the number "
        "becomes smaller.",
        "half of the way": "You have divided by 1,024 and by 1,000. Both steps are of 1,024.",
    },
)
def mebibytes(random):
    nbytes = int(random.integers(5_000_000, 90_000_000))
    wrong = {
        "divided by a million": nbytes / 1e6,
        "the wrong way": nbytes * 2**20 / 1e12,
        "half of the way": nbytes / 1_024_000,
    }
    return case(nbytes / 2**20, wrong, nbytes=nbytes)


@question(
    f"{_CHAPTER}#From parameters to bytes",
    "How many parameters in float16 fit into {limit} MB, if nothing else is stored?",
    answer="{} million",
    because="{limit} million bytes, 2 for each parameter.",
    wrong={
        "a byte for each": "A float16 takes 2 bytes.",
        "float32 instead": "4 bytes are those of a float32.",
        "multiplied": "Two bytes for each parameter: fewer parameters than bytes, not more.",
    },
)
def fits(random):
    limit = pick(random, 6, 10, 15, 25, 44, 75)
    right = limit / np.dtype(np.float16).itemsize
    return case(
        right,
        {"a byte for each": float(limit), "float32 instead": limit / 4, "multiplied": 2.0 * limit},
        limit=limit,
    )


@question(
    f"{_CHAPTER}#What the converter folded away",
    "A convolution without biases goes from {i} channels to {o}, with grids of 3 x 3; a batch norm follows. "
    "How many numbers of the two are in the package?",
    answer="{:,}",
    because="{weights:,} weights, into which the batch norm is multiplied, and {o} biases: one number a "
    "channel remains of four.",
    wrong={
        "kept the batch norm": "Mean, variance, factor and shift are constants after training. The "
        "converter folds them.",
        "kept what is learned": "Factor and shift go with the rest of the batch norm: into the weights, and "
        "into a bias.",
        "nothing remains of it": "The factor can be multiplied into the weights. What the batch norm adds "
        "has to stay somewhere.",
    },
)
def folded(random):
    i, o = pick(random, 16, 32, 64), pick(random, 16, 64, 128, 256)
    weights = o * i * 9
    wrong = {
        "kept the batch norm": weights + 4 * o,
        "kept what is learned": weights + 2 * o,
        "nothing remains of it": weights,
    }
    return case(_parameters((o, i, 3, 3), (o,)), wrong, i=i, o=o, weights=weights)


@question(
    f"{_CHAPTER}#To the byte",
    "Two arrays of {a} and {b} bytes are all that a `weight.bin` holds. How long is the file?",
    answer="{} bytes",
    because="A header of 64; for each array a record of 64 and its data, each of which starts at a multiple "
    "of 64.",
    wrong={
        "only the data": "That is the data. Something says what it is and where.",
        "a record less": "A header for the file, and a record for each of the two arrays.",
        "no alignment": "All the parts are there. But record and data each start at a multiple of 64.",
    },
)
def weight_file(random):
    a, b = (int(random.integers(1, 60)) * 2 + 64 * int(random.integers(0, 4)) for _ in range(2))
    wrong = {"only the data": a + b, "a record less": 128 + a + b, "no alignment": 192 + a + b}
    return case(weightbin.size([a, b]), wrong, a=a, b=b)


@question(
    f"{_CHAPTER}#Why it matters, and which size does",
    "The weights of a network take {full} MB in float16 and {small} MB in its compressed package. A phone "
    "decompresses them {when}. What do they take in memory while the network runs?",
    answer="{} MB",
    because="Ahead of time all weights lie in memory in float16, {full} MB. Just in time memory holds the "
    "small form, {small} MB.",
    wrong={
        "disk for memory": "That is what lies on the disk. These weights are written out before the first "
        "product.",
        "as if never compressed": "That is what the weights take once they are all written out. Here they "
        "never are.",
        "kept both forms": "One of the two forms is all that the products need. Which one?",
        "the difference": "That is what compressing saves on the disk.",
    },
)
def in_memory(random):
    small, factor = pick(random, 3, 5, 6, 7, 11, 13), pick(random, 4, 8)
    full, ahead = small * factor, bool(random.integers(2))
    wrong = {"disk for memory": small} if ahead else {"as if never compressed": full}
    wrong |= {"kept both forms": full + small, "the difference": full - small}
    when = "ahead of time, when the model is loaded" if ahead else "just in time, piece by piece"
    return case(full if ahead else small, wrong, full=full, small=small, when=when)


@question(
    f"{_CHAPTER}#Why it matters, and which size does",
    "Between two layers flow {c} channels of {side} x {side} points, in float16. How much is that?",
    answer="{:.2f} MB",
    because="{c} x {side} x {side} numbers of 2 bytes.",
    wrong={
        "a byte for each": "A float16 takes 2 bytes.",
        "float32 instead": "4 bytes are those of a float32.",
        "counted a side once": "A channel is a picture: {side} x {side} points.",
    },
)
def flowing(random):
    c, side = pick(random, 32, 64, 128, 256), pick(random, 56, 112, 160)
    values = c * side * side
    wrong = {
        "a byte for each": values / 1e6,
        "float32 instead": 4 * values / 1e6,
        "counted a side once": 2 * c * side / 1e6,
    }
    return case(np.zeros((c, side, side), np.float16).nbytes / 1e6, wrong, c=c, side=side)


@question(
    f"{_CHAPTER}#Two roads",
    "A convolution of {c} channels to {c}, with grids of 3 x 3, is replaced by two: one that looks at "
    "points, for each channel alone, and one that looks at pairs of channels, at a single point. How many "
    "weights have the two?",
    answer="{:,}",
    because="{c} grids of 3 x 3, and {c} x {c} pairs.",
    wrong={
        "the one that was replaced": "That is the convolution as it was: all pairs and all points at once.",
        "forgot the pairs": "These are the grids of the first. The second has a weight for each pair.",
        "forgot the points": "These are the pairs of the second. The first has a grid for each channel.",
    },
)
def separable(random):
    c = pick(random, 32, 48, 64, 96, 128, 192, 256)
    wrong = {
        "the one that was replaced": 9 * c * c,
        "forgot the pairs": 9 * c,
        "forgot the points": c * c,
    }
    return case(_parameters((c, 1, 3, 3), (c, c, 1, 1)), wrong, c=c)
