"""Part III: a network's answers, single layers, calibration, training."""

import numpy as np

from ..data import pitch
from ..pruning import prune
from ..quantization import quantize
from ..sweep import choose, pareto
from .framework import case, pick, question

_ACCURACY, _LAYERS = "06_accuracy", "06b_which_layers"
_CALIBRATION, _TRAINING = "07_calibration", "08_during_training"
_TRANSFORMER, _READER = "08b_a_transformer", "08c_breaks_at_thirty_percent"


@question(
    f"{_ACCURACY}#A tuner in 22 million weights",
    "A tuner's errors on ten tones, in cents: {off}. What share of the tones does it hear within {limit} "
    "cents?",
    answer="{} %",
    because="The distance counts, to either side: {heard} of 10 are at most {limit} away.",
    wrong={
        "forgot the sign": "A tone that is heard too low is wrong as well: look at the numbers below zero.",
        "those that are wrong": "These are the ones that it misses.",
        "within half of it": "{limit} cents to either side are allowed, not {limit} in all.",
    },
)
def within(random):
    limit = pick(random, 10, 50)
    off = np.round(random.normal(0, 1.1 * limit, 10)).astype(int)
    off = np.where(np.abs(off) == limit, off + 1, off)
    scores = pitch.scores(220 * 2 ** (off / 1200), np.full(10, 220.0))
    right = round(10 * scores[f"within_{limit}"])
    wrong = {
        "forgot the sign": 10 * int(np.sum(off <= limit)),
        "those that are wrong": 100 - 10 * right,
        "within half of it": 10 * int(np.sum(2 * np.abs(off) <= limit)),
    }
    return case(10 * right, wrong, off=", ".join(map(str, off)), limit=limit, heard=right)


@question(
    f"{_ACCURACY}#A Pareto front",
    "Four settings: A has {a:.1f} MB and {pa} %, B {b:.1f} MB and {pb} %, C {c:.1f} MB and {pc} %, D "
    "{d:.1f} MB and {pd} %. One of them is beaten by another. Which?",
    because="Another setting is no larger than it, and more accurate.",
    wrong={
        "the least accurate": "It is the least accurate, and the smallest: nothing that is as small is "
        "better.",
        "the largest": "It is the largest, and the most accurate: nothing else is as good.",
        "in between": "What is smaller is less accurate, and what is more accurate is larger.",
    },
)
def beaten(random):
    mb = np.sort(random.choice(np.arange(20, 120), 4, replace=False)) / 10
    percent = np.sort(random.choice(np.arange(60, 96), 4, replace=False))
    place = int(random.integers(1, 3))  # of the one that is beaten, by size
    percent[place], percent[place - 1] = percent[place - 1], percent[place]
    names = [str(name) for name in random.permutation(list("ABCD"))]
    rows = [
        {"label": name, "nbytes": float(size), "within_50": float(share)}
        for name, size, share in zip(names, mb, percent, strict=True)
    ]
    front = [row["label"] for row in pareto(rows)]
    (right,) = set(names) - set(front)
    wrong = {"the least accurate": front[0], "the largest": front[-1], "in between": front[1]}
    given = {row["label"].lower(): row["nbytes"] for row in rows}
    given |= {f"p{row['label'].lower()}": int(row["within_50"]) for row in rows}
    return case(right, wrong, **given)


@question(
    f"{_ACCURACY}#Sixteen levels in the wrong place",
    "The largest weight of a layer is {largest:.1f}. Its weights get symmetric codes of 4 bits with one "
    "scale. Up to which magnitude does a weight become zero?",
    answer="{:.2f}",
    because="One step is {largest:.1f} / 7, and what is nearer to 0 than to the first mark becomes zero: "
    "half a step.",
    wrong={
        "a whole step": "That is one step. What lies nearer to the first mark than to zero is rounded up to "
        "it.",
        "sixteen steps": "You have taken a sixteenth. The codes reach from -7 to 7, and rounding is to the "
        "nearest.",
        "half of sixteen": "Close: but the largest weight has the code 7, not 16.",
    },
)
def dead_zone(random):
    largest = pick(random, 1.4, 2.1, 2.8, 3.5, 4.2, 5.6, 7.0)
    stored = quantize(np.array([[largest, 0.0]], np.float32), bits=4, granularity="per_tensor")
    wrong = {"a whole step": largest / 7, "sixteen steps": largest / 16, "half of sixteen": largest / 32}
    return case(np.asarray(stored.scale).item() / 2, wrong, largest=largest)


@question(
    f"{_LAYERS}#Weights that hear nothing",
    "Sound reaches a layer as {moments} moments, and each of its outputs sums over {taps} taps around one "
    "moment. Beyond the moments is padding. How many of its taps are silent?",
    because="Two of {moments} moments are at most {apart} apart. Taps from that far to the left to that far "
    "to the right are heard, {heard} of them, and the others are not.",
    wrong={
        "one tap for each moment": "A tap is heard if it meets any moment, from any output: it looks left "
        "and right.",
        "those that are heard": "These are the taps that are heard.",
        "a moment too many": "Two of {moments} moments are at most one less than {moments} apart.",
    },
)
def silent_taps(random):
    moments, taps = pick(random, 4, 6, 8, 12, 16, 20), pick(random, 48, 64, 80)
    reached = {heard - output for output in range(moments) for heard in range(moments)}
    right = taps - len(reached)
    wrong = {
        "one tap for each moment": taps - moments,
        "those that are heard": len(reached),
        "a moment too many": taps - 2 * moments - 1,
    }
    return case(right, wrong, moments=moments, taps=taps, apart=moments - 1, heard=len(reached))


@question(
    f"{_LAYERS}#Weights that hear nothing",
    "{silent} % of the weights of a layer are silent, and smaller than all others. It is pruned to a "
    "sparsity of {percent} %, by magnitude. Which share of the weights that are heard is lost?",
    answer="{:.0f} %",
    because="The silent {silent} % go first. The rest, {rest} of the {heard} % that are heard, is that "
    "share.",
    wrong={
        "as from all": "Pruning takes the smallest first, and those are the silent ones.",
        "of the whole layer": "That is the share of the whole layer. Of the weights that are heard it is "
        "more.",
        "nothing": "The silent ones go first, but here more weights go than are silent.",
    },
)
def heard_lost(random):
    silent, percent = pick(random, (75, 80), (60, 80), (60, 70), (50, 60), (50, 80), (80, 90), (75, 90))
    weights = np.full(1000, 0.001)
    weights[10 * silent :] = random.permutation(np.linspace(0.1, 1, 1000 - 10 * silent))
    weights[: 10 * silent] = np.linspace(0.0001, 0.001, 10 * silent)
    kept = prune(weights.astype(np.float32), sparsity=percent / 100).dense() != 0
    right = 100 * (1 - kept[10 * silent :].mean())
    wrong = {"as from all": percent, "of the whole layer": percent - silent, "nothing": 0}
    return case(right, wrong, silent=silent, percent=percent, rest=percent - silent, heard=100 - silent)


@question(
    f"{_LAYERS}#Spend bytes where they matter",
    "Layer A does {a2} of damage at 2 bits and {a4} at 4 bits, in {na} or {na2} kB; layer B {b2} and {b4}, "
    "in {nb} or {nb2} kB. At most {budget} kB are allowed. Which layer gets 4 bits?",
    because="Damages are added, and 4 bits for it take away more of the sum than for the other.",
    wrong={
        "the other one": "What counts is by how much the damage falls, not how large the layer is.",
        "both": "Add up the bytes: that is more than is allowed.",
        "neither": "That leaves bytes unused that would take damage away.",
    },
)
def budget(random):
    na, nb = pick(random, 200, 300, 400), pick(random, 60, 80, 120)
    fragile, robust = (
        pick(random, (0.3, 0.02), (0.4, 0.05), (0.25, 0.01)),
        pick(random, (0.05, 0.04), (0.03, 0.01)),
    )
    (a2, a4), (b2, b4) = (robust, fragile) if random.integers(3) else (fragile, robust)
    limit = 2 * na + nb + nb // 2
    options = {"A": [(2, na, a2), (4, 2 * na, a4)], "B": [(2, nb, b2), (4, 2 * nb, b4)]}
    (right,) = (name for name, bits in choose(options, max_bytes=limit).settings.items() if bits == 4)
    wrong = {"the other one": "A" if right == "B" else "B", "both": "both", "neither": "neither"}
    return case(right, wrong, a2=a2, a4=a4, b2=b2, b4=b4, na=na, na2=2 * na, nb=nb, nb2=2 * nb, budget=limit)


@question(
    f"{_CALIBRATION}#Two weights",
    "A neuron's weights {a} and {b} are stored as {p} and {q}. Both inputs are always equal. By how much of "
    "the input is its output off?",
    answer="{:.1f}",
    because="It computes ({p} + {q}) times the input and should compute ({a} + {b}) times the input.",
    wrong={
        "added both distances": "The two errors meet the same input, and have opposite signs: they take "
        "each other back.",
        "distance of the weights": "That is how far the weights have moved. What counts is what they "
        "compute.",
        "the larger error": "Both errors reach the output, not only the larger one.",
    },
)
def output_off(random):
    a, b = (pick(random, 0.3, 0.4, 0.6, 0.7, 1.3, 1.4) for _ in range(2))
    p, q = int(np.ceil(a)), int(np.floor(b))
    inputs = random.normal(size=8)
    right = np.abs(np.array([a - p, b - q]) @ np.stack([inputs, inputs])).max() / np.abs(inputs).max()
    wrong = {
        "added both distances": abs(a - p) + abs(b - q),
        "distance of the weights": float(np.hypot(a - p, b - q)),
        "the larger error": max(abs(a - p), abs(b - q)),
    }
    return case(right, wrong, a=a, b=b, p=p, q=q)


@question(
    f"{_CALIBRATION}#Two weights",
    "GPTQ rounds a row's first weight from {w:.1f} to {q:.1f}. The first row of the inverse Hessian is "
    "({c1}, {c2}). The second weight is {v:.1f}. Where does it move?",
    answer="{:.2f}",
    because="{w:.1f} - {q:.1f}, over {c1}, times {c2}, is taken from {v:.1f}.",
    wrong={
        "stayed": "It is still free, and can make up for the first one's error.",
        "the wrong way": "Inputs that rise together have a negative entry there. The second has to make up "
        "for what the first has lost: look at the sign.",
        "forgot the diagonal": "The error is divided by the first diagonal entry before it is passed on.",
    },
)
def gptq_moves(random):
    c1, c2 = pick(random, 2, 4, 5), -pick(random, 1, 3)
    q, v = pick(random, 0.0, 0.5, 1.0), pick(random, 0.3, 0.6, 0.8)
    w = q + pick(random, -0.2, -0.1, 0.1, 0.2)
    moved = (w - q) / c1 * c2
    wrong = {"stayed": v, "the wrong way": v + moved, "forgot the diagonal": v - (w - q) * c2}
    # The least squares: the second weight of the best row whose first is q.
    hessian = np.linalg.inv([[c1, c2], [c2, 10]])
    right = v + hessian[0, 1] / hessian[1, 1] * (w - q)
    return case(right, wrong, w=w, q=q, v=v, c1=c1, c2=c2)


@question(
    f"{_CALIBRATION}#A cheap repair",
    "Three weights of a channel, {w}, are stored as {s}. Each of its inputs is {mean} on average. What is "
    "added to the bias, so that the output is right on average?",
    answer="{:.2f}",
    because="The weights have lost {lost:.1f} in all, and each input brings {mean} of it to the output.",
    wrong={
        "the wrong way": "That is the shift itself. The bias has to take it back.",
        "forgot the inputs": "So much the weights have lost. The output loses that times the mean of the "
        "inputs.",
        "averaged the errors": "The errors are added up in the output, not averaged.",
    },
)
def bias_repair(random):
    mean = pick(random, 0.5, 2.0, 3.0)
    weights = random.integers(-9, 10, 3) / 10
    stored = np.round(weights * 2) / 2
    lost = float(np.sum(weights - stored))
    wrong = {"the wrong way": -lost * mean, "forgot the inputs": lost, "averaged the errors": lost * mean / 3}
    inputs = np.full(3, mean)
    shown = [", ".join(f"{value:.1f}" for value in values) for values in (weights, stored + 0.0)]
    return case(weights @ inputs - stored @ inputs, wrong, w=shown[0], s=shown[1], mean=mean, lost=lost)


@question(
    f"{_CALIBRATION}#Activations and their outliers",
    "Activations lie between 0 and {most}, but for a few outliers of up to {outlier}. Codes from 0 to 255 "
    "cover everything. Which code does {most} get?",
    because="One step is {outlier} / 255, and {most} is so many of them, rounded.",
    wrong={
        "the outliers clipped": "That is its code if the range ends at {most}. Here it covers the outliers, "
        "too.",
        "what the outliers get": "These are the codes that lie above it.",
        "the value itself": "A code counts steps, and a step is not 1.",
    },
)
def codes_left(random):
    most, outlier_ = pick(random, 4, 6, 8, 10), pick(random, 40, 60, 64, 80, 100)
    activations = np.array([[0.0, most, outlier_]], np.float32)
    stored = quantize(activations, bits=8, mode="affine", granularity="per_tensor", signed=False)
    right = int(stored.integers[0, 1])
    wrong = {"the outliers clipped": 255, "what the outliers get": 255 - right, "the value itself": most}
    return case(right, wrong, most=most, outlier=outlier_)


@question(
    f"{_TRAINING}#A staircase has no slope",
    "Five weights, {w}, have a scale of 0.5 and codes from -2 to 1. How many of them get a gradient through "
    "the straight-through estimator, if codes that were clipped get none?",
    because="Over the scale and rounded they are {codes}; those between -2 and 1 pass their gradient on.",
    wrong={
        "the staircase itself": "That is the staircase's own slope. The estimator passes the gradient on as "
        "if a straight line had run.",
        "forgot the clipping": "Where the code was clipped, the line is flat: nothing that the weight does "
        "changes the output.",
        "those that were clipped": "These are the ones that were clipped.",
    },
)
def straight_through(random):
    exact = np.round(random.uniform(-4.2, 3.2, 5), 1)
    codes = np.rint(exact)
    right = int(np.sum((codes >= -2) & (codes <= 1)))
    wrong = {"the staircase itself": 0, "forgot the clipping": 5, "those that were clipped": 5 - right}
    shown = ", ".join(f"{value:.2f}" for value in exact / 2)
    return case(right, wrong, w=shown, codes=", ".join(f"{code + 0:.0f}" for code in codes))


@question(
    f"{_TRAINING}#Prune a little, recover, prune some more",
    "Gradual pruning goes to a sparsity of {target} % along the cubic schedule. How sparse is the layer "
    "after {part} % of the way?",
    answer="{:.1f} %",
    because="What is missing falls with the third power of the time that is left, {left} %.",
    wrong={
        "a straight line": "So it would be at a steady pace. The schedule prunes much at first and little "
        "at last.",
        "slow at first": "That is the cube of the time that has passed: little at first. It is the other "
        "way round.",
        "the square": "What is missing falls with the third power, not the second.",
    },
)
def schedule(random):
    target, part = pick(random, 60, 75, 80, 90), pick(random, 20, 25, 50, 60, 75)
    t = part / 100
    wrong = {
        "a straight line": target * t,
        "slow at first": target * t**3,
        "the square": target * (1 - (1 - t) ** 2),
    }
    return case(target * (1 - (1 - t) ** 3), wrong, target=target, part=part, left=100 - part)


@question(
    f"{_TRAINING}#A palette that learns",
    "The attention of a layer's palette of {few} bits takes {mb} MB while it trains. How much with {many} "
    "bits?",
    answer="{:,} MB",
    because="A number for each pair of weight and centroid, and {many} bits make {times} times as many "
    "centroids.",
    wrong={
        "grew with the bits": "It grows with the number of centroids, not with the number of bits.",
        "one bit more": "That is a doubling. Each further bit doubles the centroids once more.",
        "did not grow": "Each weight shares its attention among all centroids, and there are more of them "
        "now.",
    },
)
def attention(random):
    few, many = pick(random, (2, 4), (2, 6), (2, 3), (4, 6), (4, 8), (3, 6))
    mb = pick(random, 20, 40, 60, 200)
    times = 2 ** (many - few)
    wrong = {"grew with the bits": round(mb * many / few), "one bit more": 2 * mb, "did not grow": mb}
    return case(mb * times, wrong, few=few, many=many, mb=mb, times=times)


@question(
    f"{_TRANSFORMER}#Which is larger, the weights or the cache?",
    "A decoder has {layers} layers, each with {heads} heads for keys and values, {wide} numbers wide. How "
    "much does its KV cache take after {tokens:,} tokens, in float16?",
    answer="{:,.1f} MB",
    because="A key and a value for each token, in each head of each layer: 2 x {layers} x {heads} x {wide} "
    "numbers of 2 bytes.",
    wrong={
        "keys alone": "Each head keeps a value beside the key.",
        "a byte for each": "A float16 takes 2 bytes.",
        "one layer for all": "Each layer has keys and values of its own.",
        "pairs of tokens": "Scores are computed for pairs. What is kept is a key and a value for each token.",
    },
)
def cache_bytes(random):
    layers, heads, wide = pick(random, 12, 16, 32), pick(random, 4, 8, 12), pick(random, 64, 128)
    tokens = pick(random, 500, 1000, 4000, 8000)
    megabytes = 4 * layers * heads * wide * tokens / 1e6
    wrong = {
        pick(random, "keys alone", "a byte for each"): megabytes / 2,
        "one layer for all": megabytes / layers,
        "pairs of tokens": 2 * layers * heads * tokens**2 / 1e6,
    }
    return case(megabytes, wrong, layers=layers, heads=heads, wide=wide, tokens=tokens)


@question(
    f"{_TRANSFORMER}#Writing is a product with one vector",
    "A Mac reads {bandwidth} GB a second. A decoder's weights take {weights} GB, and its cache next to "
    "nothing. How many tokens a second can it write, at the best?",
    answer="{:.1f}",
    because="Each token reads every weight once: {bandwidth} / {weights}.",
    wrong={
        "bits for bytes": "Both are told in bytes: nothing has to be divided by 8.",
        "read for each operation": "A weight serves for a multiplication and an addition, and is read once.",
        "read once for all": "The weights do not fit on the chip: each token reads all of them again.",
    },
)
def ceiling(random):
    bandwidth, weights = pick(random, 100, 200, 400, 800), pick(random, 1.5, 2.5, 4.0, 8.0, 16.0)
    right = bandwidth / weights
    wrong = {
        "bits for bytes": right / 8,
        "read for each operation": right / 2,
        "read once for all": float(bandwidth),
    }
    return case(right, wrong, bandwidth=bandwidth, weights=weights)


@question(
    f"{_READER}#The same thing every time",
    "Four weights of an output are stored with errors of {errors}. Each of their inputs is {mean} in every "
    "picture. By how much is the output moved?",
    answer="{:+.2f}",
    because="The errors are added up, {lost}, and each meets the same {mean}: all pictures are moved alike.",
    wrong={
        "errors cancel": "They would, on average, if inputs had no preferred sign. These always have the same.",
        "forgot the inputs": "So much the weights are off in all. Each error is multiplied by its input.",
        "added magnitudes": "Errors have signs: some of them take others back.",
        "averaged the errors": "An output adds up its products. It does not average them.",
    },
)
def constant_input(random):
    errors = random.choice(np.arange(-9, 10), 4, replace=False) / 100
    lost, mean = errors.sum(), pick(random, 2.0, 3.0, 5.0)
    if min(abs(lost), np.abs(errors).sum() - abs(lost)) < 0.02:
        return None
    fourth, moved = pick(
        random, ("added magnitudes", np.abs(errors).sum()), ("averaged the errors", lost / 4)
    )
    wrong = {"errors cancel": 0.0, "forgot the inputs": lost, fourth: mean * moved}
    texts = (f"{error:+.2f}" for error in errors)
    return case(lost * mean, wrong, errors=", ".join(texts), mean=mean, lost=f"{lost:+.2f}")
