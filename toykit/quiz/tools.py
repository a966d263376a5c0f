"""Part IV: Core ML Tools, what they do by default, and what is in the file."""

import numpy as np

from .. import bits as packing
from ..coreml.writing.forms import IN_PROGRAM
from ..palettization import palettize
from ..pruning import prune
from ..settings import THRESHOLD, Declined, complete, fit
from .framework import case, layer, pick, question

_CONVERTING, _PACKAGE = "09_from_pytorch", "10_post_training"
_TRAINING, _INSIDE = "11_training_time", "12_inside_a_package"
_CORE_AI = "12b_core_ai"


@question(
    f"{_CONVERTING}#Fold one by hand",
    "A convolution has a weight of {w}. The batch norm behind it has a factor of {gamma} and a variance of "
    "{variance}, epsilon included. What is the weight after folding?",
    answer="{:.2f}",
    because="{w} times {gamma}, over the square root of {variance}.",
    wrong={
        "forgot the root": "The batch norm divides by a standard deviation, which is the root of the "
        "variance.",
        "multiplied by the deviation": "A batch norm divides by the standard deviation.",
        "forgot the deviation": "That is the factor alone. What else does a batch norm do to what comes in?",
    },
)
def folded_weight(random):
    w, gamma = pick(random, 0.5, 0.8, 1.2, -0.6, -1.5), pick(random, 2.0, 3.0, 0.5)
    variance = pick(random, 4.0, 0.25, 16.0, 6.25)
    root = float(np.sqrt(variance))
    wrong = {
        "forgot the root": w * gamma / variance,
        "multiplied by the deviation": w * gamma * root,
        "forgot the deviation": w * gamma,
    }
    # What both layers do to an input of 1, less what they do to 0.
    right = gamma * (w * 1 - 0) / root
    return case(right, wrong, w=w, gamma=gamma, variance=variance)


@question(
    f"{_CONVERTING}#Fold one by hand",
    "A convolution without a bias is followed by a batch norm with a mean of {mean}, a factor over its "
    "deviation of {f}, and a shift of {beta}. Which bias does the folded layer get?",
    answer="{:.2f}",
    because="{beta} - {f} x {mean}: what the batch norm makes of an input of 0.",
    wrong={
        "the shift alone": "The batch norm subtracts the mean before it multiplies. That does not vanish.",
        "added the mean": "The mean is subtracted.",
        "forgot the factor": "The mean is subtracted first, and multiplied with the rest.",
    },
)
def folded_bias(random):
    mean, f = pick(random, 0.4, -0.5, 1.5, 2.0), pick(random, 0.25, 0.5, 2.0, 3.0)
    beta = pick(random, 0.1, -1.0, 0.5, 1.25)
    wrong = {
        "the shift alone": beta,
        "added the mean": beta + f * mean,
        "forgot the factor": beta - mean,
    }
    return case(f * (0 - mean) + beta, wrong, mean=mean, f=f, beta=beta)


@question(
    f"{_CONVERTING}#What float16 does to the weights",
    "A float16 keeps 11 significant bits. What becomes of the number {x:,}?",
    answer="{:,}",
    because="Between 4,096 and 8,192 they are 4 apart, and the nearest is taken.",
    wrong={
        "kept as it is": "Whole numbers are kept up to 2,048. Beyond, 11 bits do not reach down to the last "
        "one.",
        "the other neighbour": "That number exists in float16, but it is not the nearest.",
        "rounded to tens": "These are steps of 10. Its significant digits are bits.",
    },
)
def float16_of(random):
    x = 4 * int(random.integers(1025, 2047)) + pick(random, 1, 3)
    right = int(np.float16(x))
    wrong = {
        "kept as it is": x,
        "the other neighbour": right + (4 if right < x else -4),
        "rounded to tens": 10 * round(x / 10),
    }
    return case(right, wrong, x=x)


@question(
    f"{_CONVERTING}#Inputs: pictures and flexible shapes",
    "A network was trained on (pixel / 255 - {mean}) / {std}. Core ML computes scale * pixel + bias. Which "
    "bias is right?",
    answer="{:.2f}",
    because="A pixel of 0 has to become (0 - {mean}) / {std}.",
    wrong={
        "forgot the deviation": "The mean is subtracted first, and then all is divided by {std}.",
        "added the mean": "The mean is subtracted: what does a pixel of 0 become?",
        "multiplied by the deviation": "The network divides by {std}.",
    },
)
def image_bias(random):
    mean, std = pick(random, 0.4, 0.45, 0.48, 0.5), pick(random, 0.2, 0.22, 0.25, 0.5)
    wrong = {
        "forgot the deviation": -mean,
        "added the mean": mean / std,
        "multiplied by the deviation": -mean * std,
    }
    return case((0 / 255 - mean) / std, wrong, mean=mean, std=std)


SYSTEMS = {
    "8-bit codes with a scale for each channel": 16,
    "a palette of 4 bits for each layer": 16,
    "half of the weights pruned": 16,
    "8-bit weights and 8-bit activations": 17,
    "4-bit codes in blocks of 32": 18,
    "a palette of 3 bits for each layer": 18,
    "a palette of 4 bits for each 16 channels": 18,
    "pruned weights with a palette": 18,
}


@question(
    f"{_TRAINING}#Which system can store what",
    "Your package shall hold {what}. For which target do you have to convert it, at the least?",
    answer="iOS {}",
    because="iOS 16 has sparse weights, 8-bit codes by channel, and one palette a layer, of 1, 2, 4, 6 or 8 "
    "bits. iOS 17 adds quantized activations. iOS 18 adds everything finer.",
    wrong={
        "as old as programs": "iOS 15 runs ML programs, and has no compressed weights at all.",
        "the first that compresses": "iOS 16 was the first to have compressed weights, but not this form.",
        "the next one": "iOS 17 stores weights exactly as iOS 16 does. What it adds are quantized "
        "activations.",
        "the newest is needed": "iOS 26 adds no form.",
        "what is finer": "iOS 18 adds everything finer. This is not among it: an older system can hold it.",
    },
)
def oldest_system(random):
    what = pick(random, *SYSTEMS)
    names = {
        15: "as old as programs",
        16: "the first that compresses",
        17: "the next one",
        18: "what is finer",
        26: "the newest is needed",
    }
    right = SYSTEMS[what]
    others = [system for system in (15, 16, 17, 18, 26) if system != right]
    shown = [others[i] for i in random.permutation(4)[:3]]
    return case(right, {names[system]: system for system in shown}, what=what)


@question(
    f"{_PACKAGE}#Three parts to every call",
    "A network has layers of {sizes} weights. `palettize_weights` gets a configuration without further "
    "options. How many layers does it compress?",
    because="Layers of 2,048 weights or fewer are left alone unless `weight_threshold` says otherwise.",
    wrong={
        "all of them": "Small layers are left alone unless the configuration says otherwise.",
        "the threshold as well": "A layer of exactly 2,048 weights is left alone, too.",
        "those left alone": "These are the ones that it passes over.",
    },
)
def small_layers(random):
    over, under = int(random.integers(1, 4)), int(random.integers(1, 4))
    sizes = [*random.integers(20, 400, over) * 64, THRESHOLD, *random.integers(2, 30, under) * 64]
    found = [int(sizes[i]) for i in random.permutation(len(sizes))]
    right = sum(size > THRESHOLD for size in found)
    wrong = {
        "all of them": len(found),
        "the threshold as well": right + 1,
        "those left alone": len(found) - right,
    }
    return case(right, wrong, sizes=", ".join(f"{size:,}" for size in found))


@question(
    f"{_PACKAGE}#Exercises",
    "A layer of {n:,} weights is pruned with `OpThresholdPrunerConfig`, whose threshold {percent} % of them "
    "do not exceed. Its `minimum_sparsity` stays at 0.5. How many bytes does the layer take then?",
    answer="{:,} bytes",
    because="With at least half of the weights at zero it is pruned: values and a mask. With less it stays "
    "in float16.",
    wrong={
        "pruned all the same": "Less than half of it would be zero: the configuration passes over such a "
        "layer.",
        "left as it was": "More than half of it becomes zero, so the minimum is reached.",
        "forgot the mask": "These are the values alone: a pruned layer has a mask.",
        "stored what goes": "That share of the weights goes. The others are stored.",
    },
)
def threshold_bytes(random):
    n, percent = pick(random, 4000, 8000, 16000), pick(random, 20, 30, 40, 60, 70, 80)
    weights = random.permutation(np.repeat([0.001, 0.5], (n * percent // 100, n - n * percent // 100)))
    stored = prune(weights.astype(np.float16), threshold=0.01)
    kept, mask = stored.values.size, n // 8
    wrong = {"forgot the mask": 2 * kept, "stored what goes": 2 * (n - kept) + mask}
    if percent < 50:
        return case(2 * n, wrong | {"pruned all the same": stored.nbytes}, n=n, percent=percent)
    return case(stored.nbytes, wrong | {"left as it was": 2 * n}, n=n, percent=percent)


@question(
    f"{_PACKAGE}#Exercises",
    "A layer of {o} outputs and {i} inputs gets palettes of {bits} bits for groups of {group} outputs. How "
    "many bytes does Core ML Tools store for it?",
    answer="{:,} bytes",
    because="If {group} divides {o}: the packed indices, and a table of {entries} float16 values a group. "
    "If it does not, the layer is left in float16.",
    wrong={
        "compressed all the same": "{group} does not divide {o}. What does Core ML Tools do with such a "
        "layer?",
        "left as it was": "{group} divides {o}, so the layer is compressed.",
        "one table for all": "Each group has a table of its own.",
        "forgot the tables": "These are the indices. The tables are stored, too.",
    },
)
def group_bytes(random):
    o, group = pick(random, 64, 72, 96, 100), pick(random, 8, 16, 32)
    i, bits = pick(random, 64, 96), pick(random, 2, 4)
    indices, entries = o * i * bits // 8, 2**bits
    wrong = {"one table for all": indices + 2 * entries, "forgot the tables": indices}
    given = {"o": o, "i": i, "bits": bits, "group": group, "entries": entries}
    try:
        fit("palettize", complete("palettize", {"bits": bits, "group_size": group}), (o, i))
    except Declined:
        wrong["compressed all the same"] = indices + 2 * entries * (o // group + 1)
        return case(2 * o * i, wrong, **given)
    stored = palettize(
        random.normal(size=(o, i)).astype(np.float16), bits=bits, group_size=group, mode="uniform"
    )
    return case(stored.nbytes, wrong | {"left as it was": 2 * o * i}, **given)


@question(
    f"{_PACKAGE}#Two at once",
    "A package is pruned to {percent} %, so that its layers take {before:.1f} bits a weight. Then "
    "`palettize_weights` is called with {bits} bits, {how} `joint_compression=True`. What do they take now, "
    "tables left out?",
    answer="{:.1f} bits",
    because="With the flag the survivors become indices, beside the mask. Without it the second call does "
    "nothing, and says nothing.",
    wrong={
        "believed the call": "Without the flag the second call passes over what is compressed already.",
        "nothing happened": "With the flag the second call does something: the survivors get a palette.",
        "the palette alone": "The mask is still there.",
        "an index for each weight": "Zeros need no index.",
    },
)
def joint_flag(random):
    percent, bits, flag = pick(random, 40, 50, 60, 75), pick(random, 2, 4), bool(random.integers(2))
    stay = 1 - percent / 100
    before = prune(layer(random, 40, 50), sparsity=percent / 100).bits_per_weight
    joint = 1 + bits * stay
    wrong = {"the palette alone": bits * stay, "an index for each weight": 1.0 + bits}
    wrong |= {"nothing happened": before} if flag else {"believed the call": joint}
    how = "with" if flag else "without"
    return case(joint if flag else before, wrong, percent=percent, before=before, bits=bits, how=how)


@question(
    f"{_PACKAGE}#Not every layer alike",
    "An `OptimizationConfig` has 8 bits for everything, {kind} bits for the type `conv`, and {named} for "
    "the name `{owner}`. How many bits do the weights of the {op} `{asked}` get?",
    answer="{} bits",
    because="A rule for a name beats one for a type, which beats the one for everything; `None` leaves the "
    "weight in float16, 16 bits.",
    wrong={
        "took the rule for everything": "A narrower rule exists for this layer.",
        "took the rule for the type": "That is the rule for convolutions. Is this one, and has it no rule "
        "of its own?",
        "took the rule for the name": "That is the rule for `{owner}`. Whose weights are asked for?",
        "took None for no rule": "`None` is a rule: leave this one alone.",
        "left it alone": "Nothing says `None` for this one.",
    },
)
def whose_rule(random):
    kind, named = pick(random, 4, 6), pick(random, 2, 3, None)
    owner, asked, op = pick(
        random, ("stem", "stem", "conv"), ("stem", "body", "conv"), ("stem", "head", "linear")
    )
    by_name = 16 if named is None else named
    values = {
        "took the rule for everything": 8,
        "took the rule for the type": kind,
        "took the rule for the name": by_name,
        "left it alone": 16,
    }
    if asked == owner:
        right = by_name
    else:
        right = kind if op == "conv" else 8
    wrong = {name: bits for name, bits in values.items() if bits != right}
    if named is None:
        del wrong["left it alone" if asked != owner else "took the rule for the type"]
        wrong |= {"took None for no rule": kind} if asked == owner else {}
    return case(
        right,
        wrong,
        kind=kind,
        named="`None`" if named is None else f"{named} bits",
        owner=owner,
        asked=asked,
        op=op,
    )


@question(
    f"{_TRAINING}#MagnitudePruner",
    "`MagnitudePruner` shall reach a sparsity of {target} %, with `update_steps` {listed}. How sparse is "
    "the layer after step {now}?",
    answer="{:.1f} %",
    because="Step {now} comes after entry {i} of {n}, counted from 0, and the cubic climb is counted in "
    "entries.",
    wrong={
        "counted in steps": "The climb is counted in entries of the list, not in steps.",
        "a straight line": "Between the entries the climb is cubic: much at first, little at last.",
        "one entry ahead": "The next entry has not come yet: what the last one left still holds.",
    },
)
def held_sparsity(random):
    target = pick(random, 60, 75, 80, 90)
    steps = [0, *(int(s) for s in np.cumsum(random.integers(1, 9, 4)) * 10)]
    i = int(random.integers(1, 4))
    now = int(random.integers(steps[i] + 1, steps[i + 1]))

    def climbed(share):
        return target * (1 - (1 - share) ** 3)

    wrong = {
        "counted in steps": climbed(now / steps[-1]),
        "a straight line": target * i / 4,
        "one entry ahead": climbed((i + 1) / 4),
    }
    return case(climbed(i / 4), wrong, target=target, listed=f"`{steps}`", now=now, i=i, n=len(steps))


@question(
    f"{_INSIDE}#Every byte of a small package",
    "A layer of {n:,} weights gets a palette of {bits} bits. Where do its parts lie in the package?",
    because="Arrays of fewer than ten elements are written into the program. There are {n:,} indices, and "
    "{entries} entries of the table.",
    wrong={
        "all that is large together": "A table of {entries} entries is short enough to be written into the "
        "program.",
        "tables are small": "Arrays of fewer than ten elements are in the program. How many entries has "
        "this one?",
        "weights are in the program": "The program holds what has fewer than ten elements. Indices are many.",
        "swapped the two": "It is the other way round: what is long lies in `weight.bin`.",
    },
)
def where_parts_lie(random):
    n, bits = pick(random, 4096, 10_000, 65_536), pick(random, 2, 3, 4, 6)
    entries = 2**bits
    both, apart = "both in weight.bin", "the indices in weight.bin, the table in the program"
    wrong = {
        "weights are in the program": "both in the program",
        "swapped the two": "the table in weight.bin, the indices in the program",
    }
    if entries < IN_PROGRAM:
        right, wrong = apart, wrong | {"all that is large together": both}
    else:
        right, wrong = both, wrong | {"tables are small": apart}
    return case(right, wrong, n=n, bits=bits, entries=entries)


@question(
    f"{_INSIDE}#Every byte of a small package",
    "The first byte of a layer's indices of 2 bits is {byte}, and its table has the values {table}. What "
    "are its first four weights?",
    because="From the lowest bits on, the indices are {indices}.",
    wrong={
        "began with the highest bits": "The first index lies in the lowest bits of the byte.",
        "counted from one": "Indices are counted from 0.",
        "turned each index round": "Within an index the bits stand as in any number: the lowest is on the "
        "right.",
    },
)
def from_table(random):
    byte = int(random.integers(1, 255))
    table = [
        round(float(value), 1) for value in np.sort(random.choice(np.arange(-9, 10), 4, replace=False)) / 10
    ]
    indices = packing.unpack(np.array([byte], np.uint8), bits=2, count=4)

    def weights(places):
        return ", ".join(f"{table[place]:.1f}" for place in places)

    turned = [0, 2, 1, 3]
    wrong = {
        "began with the highest bits": weights(indices[::-1]),
        "counted from one": weights((indices - 1) % 4),
        "turned each index round": weights([turned[index] for index in indices]),
    }
    shown = ", ".join(f"{value:.1f}" for value in table)
    return case(
        weights(indices), wrong, byte=f"`{byte:08b}`", table=shown, indices=", ".join(map(str, indices))
    )


@question(
    f"{_INSIDE}#Writing a package",
    "A record says how many bits of the last byte are unused. What does it say for {n} indices of {bits} "
    "bits?",
    because="{n} x {bits} bits are {used}, and the next multiple of 8 is {whole}.",
    wrong={
        "the bits that are used": "So many bits of the last byte are used.",
        "none": "Bytes come whole: do {used} bits fill them?",
        "an index more": "That is room left as if one index fewer had been stored.",
    },
)
def unused_bits(random):
    n, bits = int(random.integers(9, 60)), pick(random, 2, 3, 4, 6)
    used = n * bits
    whole = 8 * packing.pack(np.zeros(n, np.uint8), bits=bits).size
    right = whole - used
    wrong = {"the bits that are used": used % 8, "none": 0, "an index more": right + bits}
    return case(right, wrong, n=n, bits=bits, used=used, whole=whole)


@question(
    f"{_CORE_AI}#coreai-opt writes for Core ML",
    "The largest weight of a row is {largest}. coreai-opt's class `Quantizer` stores the row as int{bits}, with "
    "a scale for each channel. What is the scale?",
    answer="{:.4f}",
    because="`Quantizer`, in torch, uses all {count} codes: {largest} over {wide}. `quantize_weights`, for a finished "
    "program, divides by {narrow}.",
    wrong={
        "the other ruler": "That is the ruler of the other way through coreai-opt, and of `tk.quantize`.",
        "over all codes": "The range runs from minus the largest to plus the largest: the codes share twice that.",
        "over half the codes": "That ruler would put the largest weight on a code that does not exist.",
    },
)
def two_rulers(random):
    bits, largest = pick(random, 4, 8), pick(random, 0.5, 1.5, 3.0, 4.5)
    half = 2 ** (bits - 1)
    wrong = {
        "the other ruler": largest / (half - 1),
        "over all codes": largest / (2 * half - 1),
        "over half the codes": largest / half,
    }
    given = {"largest": largest, "bits": bits, "count": 2 * half, "wide": half - 0.5, "narrow": half - 1}
    return case(largest / (half - 0.5), wrong, **given)


@question(
    f"{_CORE_AI}#The part that broke it",
    "A compressed network is run beside its original. The signal has {a} dB in front of the stem, {b} dB behind "
    "it, {c} dB behind the body, and {d} dB behind the head, where it ends. Which part loses most?",
    because="What a part loses is the difference: {lost}.",
    wrong={
        "the least left": "The head has least left, since it inherits what was lost before. What did it lose itself?",
        "the first below 20 dB": "The first below a limit need not have lost most: how much came in?",
        "the first": "The stem has lost something. Another part loses more.",
        "the one between": "The body has lost something. Another part loses more.",
    },
)
def part_to_blame(random):
    parts = ["the stem", "the body", "the head"]
    while True:
        lost = random.choice(np.arange(2, 26), 3, replace=False)
        signal = int(random.integers(40, 60)) - np.concatenate([[0], np.cumsum(lost)])
        if signal[-1] > 0:
            break
    worst = int(lost.argmax())
    below = next((i for i in range(3) if signal[i + 1] < 20), worst)
    wrong = {}
    for name, index in (
        ("the least left", 2),
        ("the first below 20 dB", below),
        ("the first", 0),
        ("the one between", 1),
    ):
        if index != worst and parts[index] not in wrong.values():
            wrong[name] = parts[index]
    a, b, c, d = (int(value) for value in signal)
    return case(parts[worst], wrong, a=a, b=b, c=c, d=d, lost=", ".join(f"{int(x)} dB" for x in lost))
