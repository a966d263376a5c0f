"""Part V: what a product waits for, what a time is worth, a decision, many requests, and a model of one's own."""

import numpy as np

from ..latency.descriptions import Chip, Format, Layer
from ..latency.intervals import coverage, speed_up
from ..latency.roofline import timing
from ..sweep import Rows, decide
from .framework import case, pick, question

_WHEN, _CHIP, _MEASURING = "13_ahead_or_just_in_time", "14_neural_engine", "15_measuring_on_a_device"
_STRATEGY, _ASYNC, _OWN = "16_strategy", "17_async", "18_your_own_model"


def _listed(values, form="{:g}"):
    return ", ".join(form.format(value) for value in values)


@question(
    f"{_WHEN}#Who is waiting for whom?",
    "A matrix is stored in {bits} bits a weight and multiplied with a batch of {batch}, each weight read "
    "once. How many operations are there for each byte that is read?",
    answer="{:g}",
    because="2 x {batch} operations for a weight, and {bits} / 8 bytes to read it.",
    wrong={
        "a single operation": "A multiplication and an addition are two operations.",
        "bits for bytes": "{bits} are its bits. How many bytes are read?",
        "forgot the batch": "Each weight that is read serves the whole batch.",
    },
)
def intensity(random):
    bits, batch = pick(random, 2, 4, 8, 16), pick(random, 2, 4, 8, 16)
    layer = Layer("layer", (64, 64), 4096, 64, 64)
    right = 2 * batch * layer.macs / Format(bits).nbytes(layer)
    wrong = {
        "a single operation": right / 2,
        "bits for bytes": 2 * batch / bits,
        "forgot the batch": right / batch,
    }
    return case(right, wrong, bits=bits, batch=batch)


@question(
    f"{_WHEN}#Who is waiting for whom?",
    "Reading a layer's weights takes {memory:g} ms and its operations take {compute:g} ms, on a processor "
    "that does both at a time. Its weights are stored in half of the bits; taking them apart costs nothing. "
    "How long does the layer take then?",
    answer="{:g} ms",
    because="Reading takes {half:g} ms now and computing still {compute:g}: a product takes as long as the "
    "slower of the two.",
    wrong={
        "half of everything": "Only the reading became shorter. The operations are as many as before.",
        "added the two": "Reading and computing go on at the same time.",
        "as before": "Before, it waited for the memory. What does it wait for now?",
        "the reading alone": "The reading is done then. Are the operations?",
        "believed in bits": "It never waited for its weights.",
    },
)
def half_the_bits(random):
    memory, compute = pick(random, 2.0, 3.0, 4.0, 6.0), pick(random, 0.5, 1.2, 1.6, 2.5, 3.5, 5.0, 8.0)
    layer = Layer("layer", (1000, 1000), 10**6, 1000, 1000)
    chip = Chip("of round numbers", operations=2e6 / (compute / 1e3), bandwidth=2e6 / (memory / 1e3))
    right = round(1e3 * timing([layer], chip, Format(bits=8)).total, 6)
    before, half = max(memory, compute), memory / 2
    wrong = {"added the two": half + compute, "half of everything": before / 2}
    if right == before:
        wrong["believed in bits"] = half
    elif right == half:
        wrong["as before"] = before
    else:
        wrong |= {"as before": before, "the reading alone": half}
        del wrong["half of everything"]
    return case(right, wrong, memory=memory, compute=compute, half=half)


@question(
    f"{_WHEN}#Exercises",
    "A processor does {ridge} operations in the time in which it reads a byte. Just in time, taking a "
    "weight apart costs {work} operations, and small weights are read in no time. Against float16, read "
    "ahead of time: from which batch on is just in time no faster?",
    because="Reading a float16 takes the time of {reading} operations. {work} and 2 for each input take as "
    "long from there on.",
    wrong={
        "forgot the work": "Just in time each weight has to be taken apart first: that counts, too.",
        "one operation an input": "An input takes two operations for each weight: a multiplication and an "
        "addition.",
        "read one byte": "A float16 has two bytes.",
    },
)
def break_even(random):
    ridge, work = pick(random, 10, 16, 20, 32, 50), pick(random, 4, 6, 8, 12)
    batch = 1
    while max(2 * batch, 2 * ridge) > work + 2 * batch:
        batch += 1
    wrong = {
        "forgot the work": ridge,
        "one operation an input": 2 * ridge - work,
        "read one byte": max(1, (ridge - work + 1) // 2),
    }
    return case(batch, wrong, ridge=ridge, work=work, reading=2 * ridge)


@question(
    f"{_CHIP}#How much is typical?",
    "A network took {old:.2f} ms and now takes {new:.2f} ms. By how many percent is it faster?",
    answer="{:.0f} %",
    because="Faster is a speed-up, old / new - 1.",
    wrong={
        "time saved": "That is the time saved, 1 - new / old. A speed-up compares speeds.",
        "forgot the one": "That is new in percent of old, or old in percent of new: how much is it more?",
        "the time that is left": "That is the share of the time that is left.",
    },
)
def faster(random):
    old, new = pick(random, 1.6, 2.0, 2.4, 3.0), pick(random, 0.8, 1.0, 1.2, 1.5)
    rounds = speed_up([old] * 6, [new] * 6)
    wrong = {
        "time saved": 100 * (1 - new / old),
        "forgot the one": 100 * old / new,
        "the time that is left": 100 * new / old,
    }
    return case(100 * (rounds.median - 1), wrong, old=old, new=new)


@question(
    f"{_CHIP}#Tables cost time",
    "A look-up table costs {cost} ns on some chip. A layer of {outputs:,} outputs gets a table for each "
    "{group} of them. How much time do its tables take?",
    answer="{:g} ns",
    because="{outputs:,} / {group} tables, {cost} ns each.",
    wrong={
        "a table for each output": "{group} outputs share a table.",
        "a table for each place": "{group} is how many outputs share a table, not how many tables there are.",
        "one table": "That is one table. Each group has one.",
    },
)
def table_time(random):
    cost, outputs, group = pick(random, 50, 76, 100), pick(random, 256, 512, 1024), pick(random, 4, 8, 16)
    layer = Layer("layer", (outputs, 64), outputs * 64, 64, outputs)
    chip = Chip("of round numbers", operations=1e12, bandwidth=1e10, table_cost=cost / 1e9)
    found = timing([layer], chip, Format(bits=4, table=True, group_size=group)).tables.sum()
    wrong = {
        "a table for each output": float(outputs * cost),
        "a table for each place": float(group * cost),
        "one table": float(cost),
    }
    return case(round(found * 1e9, 3), wrong, cost=cost, outputs=outputs, group=group)


@question(
    f"{_CHIP}#Two stories about one chip",
    "Published latencies of one network: {times} ms. A null model predicts each row as the median of the "
    "others. What does it say for the first, {first:.2f} ms?",
    answer="{:.3f} ms",
    because="The other four, in order, are {others}; their median lies half way between the two in the "
    "middle.",
    wrong={
        "kept the row": "That is the median of all five. The row that is predicted is left out.",
        "the mean": "That is the mean of the others. A median is what half of them stay below.",
        "the row itself": "That is the row itself: a model that has seen it predicts nothing.",
    },
)
def null_model(random):
    times = np.round(random.uniform(0.9, 1.8, 5), 2)
    others = np.sort(times[1:])
    wrong = {
        "kept the row": float(np.median(times)),
        "the mean": float(others.mean()),
        "the row itself": float(times[0]),
    }
    return case(
        float(np.median(others)),
        wrong,
        times=_listed(times, "{:.2f}"),
        first=float(times[0]),
        others=_listed(others, "{:.2f}"),
    )


@question(
    f"{_MEASURING}#How many runs?",
    "You have {n} runs of a model. How often does the true median lie between the smallest and the largest "
    "of such runs?",
    answer="{:.2f} %",
    because="Each run is a toss of a coin. Only if all {n} fall alike, in 2 of {cases:,} cases, does the "
    "median lie outside.",
    wrong={
        "one side only": "The coins can fall alike in two ways: all above the median, or all below.",
        "always": "All runs may happen to be slow, or all quick.",
        "one run in so many": "Count the ways in which {n} coins can fall, not the coins.",
    },
)
def holds_the_median(random):
    n = int(random.integers(3, 10))
    wrong = {
        "one side only": 100 * (1 - 0.5**n),
        "always": 100.0,
        "one run in so many": 100 * (1 - 1 / n),
    }
    return case(100 * coverage(n, 0), wrong, n=n, cases=2**n)


@question(
    f"{_MEASURING}#A time is not a number",
    "A model is run six times: {times} ms. Which number would you report for a run in use?",
    answer="{:.1f} ms",
    because="The first run is the warm-up. Of the five others, the median is the one in the middle.",
    wrong={
        "counted the warm-up": "The first run loads and prepares. It is another thing, and told apart.",
        "the mean of the rest": "A slow run or two move a mean. The median stays where most runs are.",
        "the best run": "That is the floor: what nothing disturbed. Most runs are slower.",
    },
)
def reported(random):
    usual = 10 * float(random.integers(2, 9)) + np.round(random.uniform(0, 2, 5), 1)
    usual[int(random.integers(5))] += int(random.integers(6, 20))
    times = [round(float(usual.max()) + int(random.integers(10, 60)), 1), *usual]
    right = float(np.median(times[1:]))
    wrong = {
        "counted the warm-up": float(np.median(times)),
        "the mean of the rest": float(np.mean(times[1:])),
        "the best run": float(min(times)),
    }
    return case(right, wrong, times=_listed(times, "{:.1f}"))


@question(
    f"{_MEASURING}#Faster? Compare in pairs",
    "Two models took turns, five rounds. The first took {before} ms, the second {after} ms; something else "
    "ran in the last rounds. How many times as fast is the second?",
    answer="{:.2f}",
    because="The ratios of the rounds are {ratios}, and their median is in the middle.",
    wrong={
        "means first": "That divides the means, in which the disturbed rounds weigh most.",
        "the wrong way": "That is how the second compares with the first: below 1 if it is slower.",
        "the best of each": "That compares two runs of different rounds.",
    },
)
def in_pairs(random):
    before = random.integers(40, 60, 5) * 2.0
    after = np.round(before / random.choice([1.5, 1.6, 2.0, 2.5, 1.25], 5)) + 0.0
    before[3:], after[3:] = before[3:] * 3, after[3:] * pick(random, 2.0, 4.0)
    right = speed_up(before, after, confidence=0.9).median
    ratios = np.sort(before / after)
    wrong = {
        "means first": before.mean() / after.mean(),
        "the wrong way": 1 / right,
        "the best of each": before.min() / after.min(),
    }
    return case(right, wrong, before=_listed(before), after=_listed(after), ratios=_listed(ratios, "{:.2f}"))


@question(
    f"{_STRATEGY}#Exercises",
    "At most {most:.1f} MB, and at least {least} %, shown. A: {a} MB, {pa} ± {ia} %. B: {b} MB, {pb} ± {ib} "
    "%. C: {c} MB, {pc} ± {ic} %. D: {d} MB, {pd} ± {id} %. Which do you take?",
    because="Of those within {most:.1f} MB whose lower end reaches {least} %, it is the smallest.",
    wrong={
        "forgot the interval": "The lower end of its interval does not reach {least} %: what is not shown "
        "does not count.",
        "over the limit": "It is the best, and larger than what is allowed.",
        "more than asked": "It is within the limits, and so is a smaller one.",
    },
)
def smallest_good(random):
    most, least = pick(random, 6, 8, 10), pick(random, 80, 85, 90)
    small, enough, large = np.sort(random.choice(np.arange(20, 10 * most - 1), 3, replace=False)) / 10
    rows = {
        "forgot the interval": (small, least + 1, 2),
        None: (enough, least + 2, 1),
        "more than asked": (large, least + 4, 2),
        "over the limit": (most + 1.5, least + 6, 1),
    }
    names = dict(zip(rows, (str(name) for name in random.permutation(list("ABCD"))), strict=True))
    table = Rows(
        {"label": names[kind], "MB": float(mb), "low": float(share - interval)}
        for kind, (mb, share, interval) in rows.items()
    )
    decision = decide(table, prefer="MB", at_most={"MB": float(most)}, at_least={"low": float(least)})
    (right,) = (row["label"] for row in decision.rows if row["verdict"] == "chosen")
    given = {"most": float(most), "least": least}
    for kind, (mb, share, interval) in rows.items():
        letter = names[kind].lower()
        given |= {letter: float(mb), f"p{letter}": int(share), f"i{letter}": interval}
    return case(right, {kind: name for kind, name in names.items() if kind}, **given)


@question(
    f"{_ASYNC}#Little's law",
    "Requests come at {rate} a second, and each takes {ms} ms. How many are being worked on at a time, on "
    "average?",
    answer="{:g}",
    because="{rate} a second times {seconds:g} s.",
    wrong={
        "divided": "The longer each takes, the more there are: multiply.",
        "one worker": "One worker finishes 1 / time a second: that is a rate, and not what is there at a "
        "time.",
        "milliseconds": "A thousandth is missing: rate and time need the same unit.",
    },
)
def little(random):
    rate, ms = pick(random, 10, 20, 30, 50, 60), pick(random, 40, 50, 70, 80, 120)
    horizon = 1000  # seconds, in which each of rate * horizon requests stays for ms / 1000
    right = rate * horizon * (ms / 1000) / horizon
    wrong = {
        "divided": round(1000 * rate / ms, 2),
        "one worker": round(1000 / ms, 2),
        "milliseconds": float(rate * ms),
    }
    return case(round(right, 6), wrong, rate=rate, ms=ms, seconds=ms / 1000)


@question(
    f"{_ASYNC}#Three requests",
    "{n} requests are there at 0, and each goes through stages of {a}, {b} and {c}. Different stages work "
    "on different requests at the same time. When is the last one done?",
    because="The first takes {sum}, and the others follow it at the pace of the slowest stage, {slowest}.",
    wrong={
        "one after the other": "So it would be without overlap: each waits until the one before is done "
        "with everything.",
        "the slowest stage alone": "The slowest stage sets the pace. The first has to reach it, and the "
        "last to leave it.",
        "all at once": "So long one request takes. A stage works on one at a time.",
    },
)
def pipeline(random):
    stages = [int(length) for length in random.integers(1, 9, 3)]
    n = int(random.integers(3, 9))
    free = [0, 0, 0]
    for _ in range(n):
        now = 0
        for stage, length in enumerate(stages):
            now = free[stage] = max(now, free[stage]) + length
    wrong = {
        "one after the other": n * sum(stages),
        "the slowest stage alone": n * max(stages),
        "all at once": sum(stages),
    }
    a, b, c = stages
    return case(free[-1], wrong, n=n, a=a, b=b, c=c, sum=sum(stages), slowest=max(stages))


@question(
    f"{_ASYNC}#Exercises",
    "Inputs arrive {gap} ms apart. A batch starts when its last one is there, and takes {fixed} ms and "
    "{each} ms for each input. The first input has to be answered within {deadline} ms. How large may the "
    "batch be?",
    because="The first of {best} waits {waits} ms for the last, and the batch takes {takes} ms; one input "
    "more is too many.",
    wrong={
        "forgot the waiting": "The first input waits until the last is there: that time counts, too.",
        "forgot what is fixed": "Each batch takes {fixed} ms before the first input is worked on.",
        "the gaps alone": "When the last one has come, the batch has not been computed yet.",
    },
)
def deadline(random):
    gap, fixed, each = (int(random.integers(low, high)) for low, high in ((2, 9), (4, 16), (1, 5)))
    limit = 10 * int(random.integers(4, 10))

    def largest(gap, fixed, each):
        return max(b for b in range(200) if b == 0 or (b - 1) * gap + fixed + b * each <= limit)

    right = largest(gap, fixed, each)
    wrong = {
        "forgot the waiting": largest(0, fixed, each),
        "forgot what is fixed": largest(gap, 0, each),
        "the gaps alone": largest(gap, 0, 0),
    }
    return case(
        right,
        wrong,
        gap=gap,
        fixed=fixed,
        each=each,
        deadline=limit,
        best=right,
        waits=(right - 1) * gap,
        takes=fixed + right * each,
    )


@question(
    f"{_ASYNC}#Memory: what is in flight",
    "A network's weights take {weights} MB, decompressed just in time, and what flows through it takes "
    "{flow} MB for a request. What do {n} requests in flight take together?",
    answer="{:g} MB",
    because="The weights are shared: {weights} MB once, and {flow} MB for each of {n} requests.",
    wrong={
        "weights for each": "All requests share the weights.",
        "the weights alone": "What flows through the layers is not shared.",
        "one request": "That is one request. Each of {n} has what flows of its own.",
    },
)
def in_flight(random):
    weights, flow, n = pick(random, 6.4, 12.8, 25.5), pick(random, 1.6, 2.4, 4.0), int(random.integers(3, 12))
    right = weights + sum(flow for _ in range(n))
    wrong = {
        "weights for each": round(n * (weights + flow), 6),
        "the weights alone": weights,
        "one request": round(weights + flow, 6),
    }
    return case(round(right, 6), wrong, weights=weights, flow=flow, n=n)


@question(
    f"{_OWN}#Size: where the bytes are",
    "A package of {package:,} kB holds {weights:,} thousand weights in float16 that can be compressed. The rest stays "
    "as it is. How many bits may each of them have on average, if the package may take {budget:,} kB?",
    answer="{:.2f} bits",
    because="{rest:,} kB are no weights that shrink. Of the budget {left:,} kB are left, 8 bits each, for {weights:,} "
    "thousand weights.",
    wrong={
        "all for the weights": "Something else is in the package, too, and stays.",
        "the whole shrinks": "That scales the whole package down. A part of it stays as it is.",
        "bytes for bits": "These are bytes for each weight.",
    },
)
def bits_within(random):
    weights, rest = pick(random, 200, 400, 500, 800), pick(random, 20, 40, 60)
    package = 2 * weights + rest
    budget = rest + weights * pick(random, 2, 3, 4, 5, 6) // 8
    right = 8 * (budget - rest) / weights
    wrong = {
        "all for the weights": 8 * budget / weights,
        "the whole shrinks": 16 * budget / package,
        "bytes for bits": right / 8,
    }
    return case(right, wrong, package=package, weights=weights, budget=budget, rest=rest, left=budget - rest)


@question(
    f"{_OWN}#Explore: a limit in, a recipe out",
    "A search tried {recipes} recipes on {searched} sounds. The one that it chose gets {there:.1f} % of them right, "
    "and of {judged} others, which it never saw, {here:.1f} %. What share do you report?",
    answer="{:.1f} %",
    because="The {judged} others did not choose it, so nothing but the recipe speaks from their {here:.1f} %.",
    wrong={
        "what it was chosen by": "It was chosen because it does well on these: some of that is their luck.",
        "all together": "More sounds, and a part of them chose the recipe. That part brings its luck along.",
        "what was lost": "That is how far the two are apart, and not how good it is.",
    },
)
def untouched(random):
    recipes, searched, judged = (
        pick(random, 30, 40, 60),
        pick(random, 100, 200, 300),
        pick(random, 200, 400, 500),
    )
    there = int(random.integers(88, 96))
    here = there - pick(random, 1.5, 2.5, 3.5)
    wrong = {
        "what it was chosen by": float(there),
        "all together": (searched * there + judged * here) / (searched + judged),
        "what was lost": there - here,
    }
    return case(here, wrong, recipes=recipes, searched=searched, judged=judged, there=float(there), here=here)
