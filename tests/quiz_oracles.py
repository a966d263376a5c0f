"""The right answer of every question once more, from what the reader sees: arithmetic alone, nothing of toykit."""

import itertools
import math
import re
import statistics


def numbers(text):
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text.replace("\N{MINUS SIGN}", "-"))]


def grid(grids, caption="after"):
    (rows,) = (rows for name, rows in grids if name == caption)
    return [[float(cell.replace("\N{MINUS SIGN}", "-")) for cell in row] for row in rows]


def flat(rows):
    return list(itertools.chain(*rows))


def aligned(position):
    return -(-position // 64) * 64


def weight_file(a, b):
    end = 64
    for nbytes in (a, b):
        end = aligned(end) + 64
        end = aligned(end) + nbytes
    return end


def steps_of(values):
    """The distances between neighbouring values that differ."""
    levels = sorted({*values})
    return [round(b - a, 3) for a, b in itertools.pairwise(levels)]


# --- what is asked, by name: a function of the numbers that were drawn ---

SIZE = {
    "conv_parameters": lambda i, o, k: o * (i * k**2 + 1),
    "picture_size": lambda n, side: n,
    "linear_parameters": lambda i, o: o * (i + 1),
    "wider": lambda f: f**2,
    "bytes_of_type": lambda millions, dtype, bits: millions * {"float16": 2, "float32": 4}[dtype],
    "mebibytes": lambda nbytes: nbytes / 1024 / 1024,
    "fits": lambda limit: limit / 2,
    "folded": lambda i, o, weights: o * (9 * i + 1),
    "weight_file": weight_file,
    "in_memory": lambda full, small, when: full if "ahead" in when else small,
    "flowing": lambda c, side: c * side**2 * 2 / 10**6,
    "separable": lambda c: c * (9 + c),
}


def ties(w):
    magnitudes = sorted(map(abs, numbers(w)))
    return sum(one <= magnitudes[3] for one in magnitudes)


def lloyd_step(w, a, b, near):
    return statistics.fmean(one for one in numbers(w) if abs(one - a) < abs(one - b))


TECHNIQUES = {
    "pruned_bytes": lambda n, percent, kept: 2 * (n - n * percent // 100) + n // 8,
    "pruned_bits": lambda percent, left: 17 - 16 * percent / 100,
    "needed_sparsity": lambda factor: 100 * (17 - 16 / factor) / 16,
    "pattern_bytes": lambda z, m, n, kept: 2 * n * (m - z) // m + n // 8,
    "ties": ties,
    "symmetric_scale": lambda largest, bits, code: largest / {4: 7, 8: 127}[bits],
    "code_of": lambda w, scale, exact: round(w / scale),
    "zero_point": lambda low, high, scale, up: round(127 - high / scale),
    "block_bits": lambda bits, block: (bits * block + 16) / block,
    "outlier": lambda times, doubled: 20 * math.log10(times),
    "palette_bytes": lambda n, bits, entries: math.ceil(n * bits / 8) + 2 ** (bits + 1),
    "lloyd_step": lloyd_step,
    "joint_bits": lambda percent, bits, left: 1 + bits - bits * percent / 100,
    "decibels": lambda energy, lost, ratio: 10 * math.log10(energy / lost),
}


def beaten(**given):
    points = {letter.upper(): (given[letter], -given[f"p{letter}"]) for letter in "abcd"}
    (name,) = (
        one
        for one, (size, lost) in points.items()
        if any(other != (size, lost) and other[0] <= size and other[1] <= lost for other in points.values())
    )
    return name


def silent_taps(moments, taps, apart, heard):
    reached = [tap for tap in range(taps) if abs(tap - taps // 2) < moments]
    return taps - len(reached)


def budget(a2, a4, b2, b4, na, na2, nb, nb2, budget):
    ways = {
        "neither": (na + nb, a2 + b2),
        "A": (na2 + nb, a4 + b2),
        "B": (na + nb2, a2 + b4),
        "both": (na2 + nb2, a4 + b4),
    }
    return min((damage, name) for name, (kb, damage) in ways.items() if kb <= budget)[1]


def straight_through(w, codes):
    return sum(-2 <= round(one / 0.5) <= 1 for one in numbers(w))


ACCURACY = {
    "within": lambda off, limit, heard: 10 * sum(-limit <= one <= limit for one in numbers(off)),
    "beaten": beaten,
    "dead_zone": lambda largest: largest / 14,
    "silent_taps": silent_taps,
    "heard_lost": lambda silent, percent, rest, heard: 100 * (percent - silent) / (100 - silent),
    "budget": budget,
    "output_off": lambda a, b, p, q: abs(a + b - p - q),
    "gptq_moves": lambda w, q, v, c1, c2: v - (w - q) * c2 / c1,
    "bias_repair": lambda w, s, mean, lost: mean * (sum(numbers(w)) - sum(numbers(s))),
    "codes_left": lambda most, outlier: round(255 * most / outlier),
    "straight_through": straight_through,
    "schedule": lambda target, part, left: target - target * (left / 100) ** 3,
    "attention": lambda few, many, mb, times: mb * 2**many // 2**few,
    "cache_bytes": lambda layers, heads, wide, tokens: layers * heads * tokens * wide * 4 / 10**6,
    "ceiling": lambda bandwidth, weights: bandwidth / weights,
    "constant_input": lambda errors, mean, lost: sum(mean * one for one in numbers(errors)),
}


def oldest_system(what):
    if re.search(r"blocks|3 bits|each 16|pruned weights with", what):
        return 18
    return 17 if "activations" in what else 16


def threshold_bytes(n, percent):
    return 2 * n if percent < 50 else 2 * (n - n * percent // 100) + n // 8


def group_bytes(o, i, bits, group, entries):
    return 2 * o * i if o % group else o * i * bits // 8 + 2 * 2**bits * (o // group)


def joint_flag(percent, before, bits, how):
    stay = 1 - percent / 100
    return 1 + (bits if how == "with" else 16) * stay


def whose_rule(kind, named, owner, asked, op):
    if asked == owner:
        return 16 if "None" in named else int(named.split()[0])
    return kind if op == "conv" else 8


def held_sparsity(target, listed, now, i, n):
    steps = numbers(listed)
    entry = sum(step <= now for step in steps) - 1
    return target - target * (1 - entry / (len(steps) - 1)) ** 3


def where_parts_lie(n, bits, entries):
    table = "the table in the program"
    return f"the indices in weight.bin, {table}" if 2**bits < 10 else "both in weight.bin"


def from_table(byte, table, indices):
    bits, values = byte.strip("`"), numbers(table)
    places = [int(bits[6 - 2 * k : 8 - 2 * k], 2) for k in range(4)]
    return ", ".join(f"{values[place]:.1f}" for place in places)


TOOLS = {
    "folded_weight": lambda w, gamma, variance: w * gamma * variance**-0.5,
    "folded_bias": lambda mean, f, beta: beta - mean * f,
    "float16_of": lambda x: 4 * round(x / 4),
    "image_bias": lambda mean, std: -mean / std,
    "oldest_system": oldest_system,
    "small_layers": lambda sizes: sum(int(one.replace(",", "")) > 2048 for one in sizes.split(", ")),
    "threshold_bytes": threshold_bytes,
    "group_bytes": group_bytes,
    "joint_flag": joint_flag,
    "whose_rule": whose_rule,
    "held_sparsity": held_sparsity,
    "where_parts_lie": where_parts_lie,
    "from_table": from_table,
    "unused_bits": lambda n, bits, used, whole: -n * bits % 8,
    "two_rulers": lambda largest, bits, **shown: 2 * largest / (2**bits - 1),
    "part_to_blame": lambda a, b, c, d, lost: max(
        (a - b, "the stem"), (b - c, "the body"), (c - d, "the head")
    )[1],
}


def in_pairs(before, after, ratios):
    return statistics.median(a / b for a, b in zip(numbers(before), numbers(after), strict=True))


def smallest_good(most, least, **rows):
    good = [
        (rows[letter], letter.upper())
        for letter in "abcd"
        if rows[letter] <= most and rows[f"p{letter}"] - rows[f"i{letter}"] >= least
    ]
    return min(good)[1]


def deadline(gap, fixed, each, deadline, **shown):
    return (deadline - fixed + gap) // (gap + each)


SPEED = {
    "intensity": lambda bits, batch: 16 * batch / bits,
    "half_the_bits": lambda memory, compute, half: max(memory / 2, compute),
    "break_even": lambda ridge, work, reading: math.ceil((2 * ridge - work) / 2),
    "faster": lambda old, new: 100 * (old - new) / new,
    "table_time": lambda cost, outputs, group: cost * outputs / group,
    "null_model": lambda times, first, others: statistics.median(numbers(times)[1:]),
    "holds_the_median": lambda n, cases: 100 * (1 - 2 ** (1 - n)),
    "reported": lambda times: statistics.median(numbers(times)[1:]),
    "in_pairs": in_pairs,
    "smallest_good": smallest_good,
    "little": lambda rate, ms, seconds: rate * ms / 1000,
    "pipeline": lambda n, a, b, c, **shown: a + b + c + (n - 1) * max(a, b, c),
    "deadline": deadline,
    "in_flight": lambda weights, flow, n: weights + n * flow,
    "bits_within": lambda package, weights, budget, rest, left: (
        8 * (budget - package + 2 * weights) / weights
    ),
    "untouched": lambda here, **shown: here,
}


# --- puzzles: functions of the picture, and of the numbers ---


def which_technique(grids):
    before, after = flat(grid(grids, "before")), flat(grid(grids))
    if all(new in (0, old) for new, old in zip(after, before, strict=True)):
        return "pruned to 50 %"
    return "3-bit codes, one scale" if 0 in after else "a palette of 2 bits"


def which_scale(grids, largest):
    return max(map(abs, flat(grid(grids)))) / 7


def what_shares_a_scale(grids):
    after = grid(grids)
    spoilt = sum(value == 0 for value in flat(after))
    return {15: "all weights", 3: "each row", 1: "two neighbours in a row"}[spoilt]


def which_pattern(grids):
    zeros = [[value == 0 for value in row] for row in grid(grids)]
    if zeros[0] == zeros[1] and zeros[2] == zeros[3]:
        return "blocks of 2 rows"
    fours = [sum(row[start : start + 4]) for row in zeros for start in (0, 4)]
    return "2 of each 4 in a row" if {*fours} == {2} else "none: the smallest went"


def wrong_entry(grids, table):
    entries = numbers(table)
    places = [
        (row + 1, column + 1)
        for row, (old, new) in enumerate(zip(grid(grids, "before"), grid(grids), strict=True))
        for column, (w, entry) in enumerate(zip(old, new, strict=True))
        if abs(w - entry) > min(abs(w - other) for other in entries) + 0.011  # of what is shown
    ]
    (place,) = places
    return place


def first_byte(grids, bits):
    indices = flat(grid(grids, "indices"))
    return f"{sum(int(index) << bits * k for k, index in enumerate(indices[: 8 // bits])):08b}"


def joined(grids, bits, mask, kept, entries):
    values = flat(grid(grids))
    alive = [value for value in values if value]
    width = int(bits.split()[0])
    return len(values) // 8 + math.ceil(len(alive) * width / 8) + 2 * 2**width


def rows_a_table(grids):
    rows = [tuple(sorted({*row})) for row in grid(grids)]
    return 6 // len(set(rows))


PUZZLES = {
    "which_technique": which_technique,
    "which_sparsity": lambda grids, zeros: 100 * flat(grid(grids)).count(0) / 16,
    "how_many_bytes": lambda grids, kept: 2 * sum(value != 0 for value in flat(grid(grids))) + 2,
    "bits_of_a_palette": lambda grids, **shown: math.ceil(math.log2(len({*flat(grid(grids))}))),
    "bytes_of_a_palette": lambda grids, bits, n, indices, entries: (
        math.ceil(int(bits.split()[0]) * len(flat(grid(grids))) / 8) + 2 * len({*flat(grid(grids))})
    ),
    "which_scale": which_scale,
    "what_shares_a_scale": what_shares_a_scale,
    "which_pattern": which_pattern,
    "wrong_entry": wrong_entry,
    "first_byte": first_byte,
    "joined": joined,
    "rows_a_table": rows_a_table,
}

ORACLES = {
    "size": SIZE,
    "techniques": TECHNIQUES,
    "accuracy": ACCURACY,
    "tools": TOOLS,
    "speed": SPEED,
    "puzzles": PUZZLES,
}
