"""Part II: pruning, quantization, palettization, and two at once."""

import numpy as np

from ..compressed import error
from ..kmeans import lloyd
from ..palettization import palettize
from ..pruning import prune
from ..quantization import quantize
from .framework import case, layer, pick, question

_PRUNING, _QUANTIZATION = "02_pruning", "03_quantization"
_PALETTES, _SIDE_BY_SIDE = "04_palettization", "05_side_by_side"


@question(
    f"{_PRUNING}#Five by five",
    "{percent} % of {n:,} weights are pruned, and the others stay in float16. How many bytes are stored?",
    answer="{:,} bytes",
    because="{kept:,} values of 2 bytes, and {n:,} bits of mask, eight to a byte.",
    wrong={
        "forgot the mask": "These are the values alone. What says where they go?",
        "a byte of mask for each weight": "The mask needs a yes or a no for each weight: one bit, eight to "
        "a byte.",
        "stored the zeros": "The zeros are not stored: the mask says where they are.",
    },
)
def pruned_bytes(random):
    n, percent = pick(random, 400, 800, 1200, 1600, 2000), pick(random, 25, 40, 50, 60, 75, 80, 90)
    stored = prune(layer(random, n), sparsity=percent / 100)
    kept = stored.values.size
    wrong = {
        "forgot the mask": 2 * kept,
        "a byte of mask for each weight": 2 * kept + n,
        "stored the zeros": 2 * n + n // 8,
    }
    return case(stored.nbytes, wrong, n=n, percent=percent, kept=kept)


@question(
    f"{_PRUNING}#Where does it pay?",
    "A layer is pruned to a sparsity of {percent} %. How many bits does it take for each of its weights, on "
    "average?",
    answer="{:.2f} bits",
    because="16 bits for each weight that stays, {left} %, and 1 bit of mask for each weight.",
    wrong={
        "forgot the mask": "That is what the values take. Each weight costs something more, whether it "
        "stays or goes.",
        "sparsity for what stays": "The sparsity is the share that goes, not the share that stays.",
        "no mask for the zeros": "The mask has a bit for every weight, those that are zero included.",
    },
)
def pruned_bits(random):
    percent = pick(random, 30, 40, 60, 65, 70, 75, 80, 85, 90)
    s = percent / 100
    wrong = {
        "forgot the mask": 16 * (1 - s),
        "sparsity for what stays": 16 * s + 1,
        "no mask for the zeros": 17 * (1 - s),
    }
    right = prune(layer(random, 40, 50), sparsity=s).bits_per_weight
    return case(right, wrong, percent=percent, left=100 - percent)


@question(
    f"{_PRUNING}#Where does it pay?",
    "A layer shall become {factor} times smaller than in float16, by pruning alone. Which sparsity does "
    "that need?",
    answer="{:.2f} %",
    because="16 / {factor} bits a weight may be spent. The mask takes 1 of them, and what is left, over 16, "
    "is the share that may stay.",
    wrong={
        "forgot the mask": "That would do if nothing had to say where the values go. One bit a weight does.",
        "what may stay": "That is the share that may stay. How much has to go?",
        "added the mask": "The mask takes its bit out of what may be spent. You have given one to it.",
    },
)
def needed_sparsity(random):
    factor = pick(random, 2.5, 3, 4, 5, 6, 8)
    stay = (16 / factor - 1) / 16
    wrong = {
        "forgot the mask": 100 * (1 - 1 / factor),
        "what may stay": 100 * stay,
        "added the mask": 100 * (1 - (16 / factor + 1) / 16),
    }
    return case(100 * (1 - stay), wrong, factor=factor)


@question(
    f"{_PRUNING}#Which weights go?",
    "Of each {m} neighbours in a row exactly {z} are set to zero, in a layer of {n:,} weights. How many "
    "bytes does Core ML store?",
    answer="{:,} bytes",
    because="{kept:,} values of 2 bytes and a bit of mask for each weight: the order saves nothing.",
    wrong={
        "order saves the mask": "The order could save the mask, but Core ML stores one bit for each weight "
        "whatever the pattern.",
        "a place for each value": "A few bits for the place of each value are another way to store it, and "
        "not Core ML's.",
        "swapped zeros and values": "{z} of {m} are the zeros, not the values.",
    },
)
def pattern_bytes(random):
    (z, m), n = pick(random, (1, 4), (3, 4), (6, 8), (2, 8)), pick(random, 800, 1600, 2000)
    stored = prune(layer(random, 10, n // 10), n_m=(z, m))
    kept = stored.values.size
    wrong = {
        "order saves the mask": 2 * kept,
        "a place for each value": 2 * kept + kept * (m.bit_length() - 1) // 8,
        "swapped zeros and values": 2 * (n - kept) + n // 8,
    }
    return case(stored.nbytes, wrong, z=z, m=m, n=n, kept=kept)


@question(
    f"{_PRUNING}#Five by five",
    "Eight weights, {w}, are pruned to a sparsity of 50 %. How many become zero?",
    because="The threshold lies between the fourth and the fifth magnitude, which are equal, and what ties "
    "with it goes.",
    wrong={
        "exactly half": "Half of them would be these. But some weights tie with the threshold, and none of "
        "them is kept.",
        "kept what ties": "Weights that tie with the threshold are not kept: look at what exceeds it.",
        "the survivors": "These are the ones that stay.",
    },
)
def ties(random):
    below, tied = pick(random, (3, 2), (3, 3), (2, 3), (2, 4), (3, 4), (1, 5))
    steps = np.cumsum(random.integers(1, 4, 9 - tied)) / 10
    magnitudes = [*steps[:below], *[steps[below]] * tied, *steps[below + 1 :]]
    weights = random.permutation(np.array(magnitudes[:8]) * random.choice((-1, 1), 8)).round(1)
    gone = int(np.sum(prune(weights, sparsity=0.5).dense() == 0))
    wrong = {"exactly half": 4, "kept what ties": below, "the survivors": 8 - gone}
    return case(gone, wrong, w=_numbers(weights))


@question(
    f"{_QUANTIZATION}#Five by five",
    "The largest magnitude in a layer is {largest:g}. Its weights are quantized to {bits} bits, symmetric, "
    "with one scale. What is the scale?",
    answer="{:.3f}",
    because="The largest magnitude gets the largest code, {code}, and {largest:g} / {code} is one step.",
    wrong={
        "half of all codes": "That counts the lowest code as well, which has no partner above zero: it is "
        "given up.",
        "all codes on one side": "That spreads all codes from zero to the largest weight. Half of them are "
        "negative.",
        "divided by the bits": "Bits are not codes: {bits} bits make many more.",
    },
)
def symmetric_scale(random):
    bits, step = pick(random, 4, 8), pick(random, 0.02, 0.025, 0.04, 0.05, 0.125)
    code = 2 ** (bits - 1) - 1
    largest = round(step * code, 4)
    weights = np.array([[largest, -largest / 3, 0.0]])
    stored = quantize(weights.astype(np.float32), bits=bits, granularity="per_tensor")
    wrong = {
        "half of all codes": largest / (code + 1),
        "all codes on one side": largest / (2**bits - 1),
        "divided by the bits": largest / bits,
    }
    return case(np.asarray(stored.scale).item(), wrong, largest=largest, bits=bits, code=code)


@question(
    f"{_QUANTIZATION}#A ruler",
    "A weight of {w:g} is stored with a scale of {scale}. Which code does it get?",
    because="{w:g} / {scale} is {exact:.2f}, rounded to the nearest whole number.",
    wrong={
        "cut off": "You have cut off what follows the point. The nearest mark lies on the other side.",
        "lost the sign": "Codes have a sign: marks of the ruler lie on both sides of zero.",
        "multiplied": "A code counts steps: how many steps of {scale} are there in the weight?",
    },
)
def code_of(random):
    scale = pick(random, 0.25, 0.5, 0.125)
    exact = -(int(random.integers(1, 6)) + pick(random, 0.6, 0.72, 0.84))
    w = round(exact * scale, 4)
    # A larger weight has the largest code, so that the scale is what the question says.
    stored = quantize(np.array([[w, 7 * scale]], np.float32), bits=4, granularity="per_tensor")
    right = int(stored.integers[0, 0])
    wrong = {"cut off": int(exact), "lost the sign": -right, "multiplied": round(w * scale, 2)}
    return case(right, wrong, w=w, scale=scale, exact=exact)


@question(
    f"{_QUANTIZATION}#When the weights are not centred",
    "Weights lie between {low:.2f} and {high:.2f}. Affine quantization with codes from -128 to 127 gives a "
    "scale of {scale}. Which code stands for zero?",
    because="The smallest weight has the code -128, and zero lies {up} steps of {scale} above it.",
    wrong={
        "forgot the lowest code": "So many steps lie between the smallest weight and zero. But the smallest "
        "has the code -128, not 0.",
        "zero for zero": "That is where a symmetric ruler has it. Here the codes reach as far down as the "
        "weights do.",
        "the wrong way": "Zero lies above the smallest weight, so its code lies above -128.",
    },
)
def zero_point(random):
    scale, point = pick(random, 0.01, 0.02, 0.04), int(random.integers(-100, 60))
    low, high = -(point + 128) * scale, (127 - point) * scale
    stored = quantize(
        np.array([[low, 0.0, high]], np.float32), bits=8, mode="affine", granularity="per_tensor"
    )
    right = np.asarray(stored.zero_point).item()
    wrong = {"forgot the lowest code": point + 128, "zero for zero": 0, "the wrong way": -128 - (point + 128)}
    return case(right, wrong, low=low, high=high, scale=scale, up=point + 128)


@question(
    f"{_QUANTIZATION}#More rulers",
    "Codes of {bits} bits, and a scale in float16 for each block of {block} weights. How many bits is that "
    "for a weight?",
    answer="{:.3f} bits",
    because="{bits} bits of code, and 16 bits of scale shared by {block} weights.",
    wrong={
        "forgot the scales": "These are the codes. Each block stores its scale, too.",
        "bytes for bits": "A scale takes 2 bytes. In bits that is more.",
        "a scale for each weight": "The scale is shared by the whole block.",
    },
)
def block_bits(random):
    bits, block = pick(random, 4, 8), pick(random, 16, 32, 64, 128)
    weights = layer(random, 4, 2 * block)
    stored = quantize(weights, bits=bits, granularity="per_block", block_size=block)
    wrong = {
        "forgot the scales": bits,
        "bytes for bits": bits + 2 / block,
        "a scale for each weight": bits + 16,
    }
    return case(stored.bits_per_weight, wrong, bits=bits, block=block)


@question(
    f"{_QUANTIZATION}#One large weight",
    "One weight of a layer becomes {times} times as large as the largest was. All weights share one scale. "
    "How much signal to noise do the other weights lose, about?",
    answer="{:.0f} dB",
    because="The step becomes {times} times as large, which is {doubled} doublings of the error, and each "
    "costs 6 dB, as a bit does.",
    wrong={
        "only itself": "Its size sets the scale, and the scale is everybody's.",
        "a decibel for each bit": "These are the bits that it costs. How many decibels is a bit worth?",
        "3 dB a bit": "Doubling an energy is 3 dB. Here the error doubles, and its energy becomes four "
        "times as large.",
    },
)
def outlier(random):
    doubled = pick(random, 2, 3, 4, 5, 6)
    wrong = {"only itself": 0, "a decibel for each bit": doubled, "3 dB a bit": 3 * doubled}
    signal = np.ones(4)
    once, more = (error(signal, signal + step).snr_db for step in (0.01, 0.01 * 2**doubled))
    return case(once - more, wrong, times=2**doubled, doubled=doubled)


@question(
    f"{_PALETTES}#Five by five",
    "{n:,} weights get a palette of {bits} bits, its entries in float16. How many bytes are stored?",
    answer="{:,} bytes",
    because="{n:,} indices of {bits} bits, packed into bytes, and {entries} entries of 2 bytes.",
    wrong={
        "forgot the table": "These are the indices. The table is stored, too.",
        "a byte for each index": "Indices are packed: {bits} bits each, and an index may share its byte "
        "with others.",
        "as many entries as bits": "{bits} bits can say more numbers than {bits}, and each has an entry.",
    },
)
def palette_bytes(random):
    n, bits = pick(random, 40, 100, 200, 400, 1000), pick(random, 2, 3, 4, 6)
    table = palettize(layer(random, n), bits=bits, mode="uniform")
    indices = (n * bits + 7) // 8
    wrong = {
        "forgot the table": indices,
        "a byte for each index": n + 2 * 2**bits,
        "as many entries as bits": indices + 2 * bits,
    }
    return case(table.nbytes, wrong, n=n, bits=bits, entries=2**bits)


@question(
    f"{_PALETTES}#A better table: Lloyd's two steps",
    "The weights are {w}, and a table has the entries {a:.1f} and {b:.1f}. Where is its first entry after "
    "one step of Lloyd's algorithm?",
    answer="{:.2f}",
    because="{near} are nearer to {a:.1f} than to {b:.1f}, and the entry moves to their average.",
    wrong={
        "did not move": "The second half of the step moves each entry.",
        "average of all": "Each entry moves to the average of its own weights: which are nearer to it?",
        "middle of its weights": "That is the middle between its smallest and its largest weight, not their "
        "average.",
    },
)
def lloyd_step(random):
    weights = np.sort(np.cumsum(random.integers(1, 6, 6)) / 10 - 1).round(1)
    a, b = round(weights[1] + 0.1, 1), round(weights[-1] - 0.1, 1)
    if (np.abs(np.abs(weights - a) - np.abs(weights - b)) < 0.01).any():
        return None  # as near to the one as to the other
    found = lloyd(weights, 2, start=np.array([a, b]), steps=2)
    own = weights[found[0].labels == 0]
    wrong = {
        "did not move": a,
        "average of all": weights.mean(),
        "middle of its weights": (own[0] + own[-1]) / 2,
    }
    right = found[-1].centroids[0]
    return case(right, wrong, w=_numbers(weights), a=a, b=b, near=_numbers(own))


@question(
    f"{_SIDE_BY_SIDE}#Two at once",
    "A layer is pruned to a sparsity of {percent} %, and what is left gets a palette of {bits} bits. How "
    "many bits a weight is that, without the table?",
    answer="{:.1f} bits",
    because="1 bit of mask for each weight, and {bits} bits for {left} % of them.",
    wrong={
        "forgot the mask": "These are the indices. What says which weights they belong to?",
        "an index for each weight": "Zeros have no index: the mask has said already that they are zero.",
        "values in float16": "That is pruning alone. The survivors are stored as indices now.",
    },
)
def joint_bits(random):
    percent, bits = pick(random, 30, 40, 50, 60, 70, 80, 90), pick(random, 2, 3, 4)
    share = 1 - percent / 100
    stored = palettize(prune(layer(random, 40, 50), sparsity=percent / 100), bits=bits, mode="uniform")
    wrong = {
        "forgot the mask": bits * share,
        "an index for each weight": 1 + bits,
        "values in float16": 1 + 16 * share,
    }
    table = 16 * 2**bits / stored.size
    return case(stored.bits_per_weight - table, wrong, percent=percent, bits=bits, left=100 - percent)


@question(
    f"{_SIDE_BY_SIDE}#Exercises",
    "The weights of a layer have an energy of {energy}, and the errors of their codes one of {lost}. What "
    "is the signal to noise?",
    answer="{:.0f} dB",
    because="{energy} / {lost} is {ratio:.0f}, and ten times its decimal logarithm is the answer.",
    wrong={
        "twenty times the logarithm": "Twenty is for a ratio of magnitudes. Energies are squares already.",
        "no logarithm": "That is the ratio itself. Decibels are ten times its decimal logarithm.",
        "a logarithm alone": "That is the logarithm: a bel. A decibel is a tenth of it.",
    },
)
def decibels(random):
    ratio, lost = pick(random, 100, 1000, 10_000, 50, 200), pick(random, 0.1, 0.2, 0.4)
    right = error([np.sqrt(ratio)], [np.sqrt(ratio) - 1]).snr_db
    wrong = {
        "twenty times the logarithm": 2 * right,
        "no logarithm": ratio,
        "a logarithm alone": right / 10,
    }
    return case(right, wrong, energy=round(ratio * lost, 1), lost=lost, ratio=float(ratio))


def _numbers(values):
    """A list of numbers in words."""
    return ", ".join(f"{value:.1f}" for value in values)
