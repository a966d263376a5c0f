"""Weight puzzles: a line and a picture. What was done to these weights, with which setting, in how many bytes?

Each grid is what a technique of toykit made of the drawn weights, so an answer is what was run.
"""

import numpy as np

from .. import bits as packing
from ..palettization import palettize
from ..pruning import prune
from ..quantization import quantize
from .framework import case, pick, question

_PRUNING, _QUANTIZATION = "02_pruning", "03_quantization"
_PALETTES, _SIDE_BY_SIDE = "04_palettization", "05_side_by_side"


def _weights(random, *shape):
    """Weights of two decimals, no two of the same magnitude, none of them zero, every step of a ruler in use."""
    size = int(np.prod(shape))
    steps = random.choice(np.arange(5, 100), size, replace=False)
    return (steps * random.choice((-1, 1), size) / 100).reshape(shape).astype(np.float32)


def _grid(caption, values, form="{:.2f}"):
    rows = np.asarray(values, np.float64) + 0.0
    return caption, [[form.format(value).replace("-", "\N{MINUS SIGN}") for value in row] for row in rows]


def _bits(count):
    return f"{count} bit{'s' * (count > 1)}"


def _dense(stored):
    return np.asarray(stored.dense(), np.float64)


@question(
    f"{_SIDE_BY_SIDE}#The table, recomputed",
    "What was done to these weights?",
    because="Pruning leaves what stays as it is. A ruler has evenly spaced marks, zero among them. A "
    "palette has few values, wherever the weights are.",
    wrong={
        "took it for pruning": "Pruning makes zeros, and leaves every other weight as it was.",
        "took it for a ruler": "The marks of a ruler are evenly spaced. Sort the values that are left: are "
        "they?",
        "took it for a palette": "A palette of two bits has four values. How many do you see, and is one of "
        "them zero?",
        "took it for nothing": "Compare a few weights with those on the left.",
    },
)
def which_technique(random):
    w = _weights(random, 4, 4)
    made = {
        "pruned to 50 %": ("took it for pruning", prune(w, sparsity=0.5)),
        "3-bit codes, one scale": ("took it for a ruler", quantize(w, bits=3, granularity="per_tensor")),
        "a palette of 2 bits": ("took it for a palette", palettize(w, bits=2)),
    }
    right = pick(random, *made)
    wrong = {kind: name for name, (kind, _) in made.items() if name != right}
    wrong["took it for nothing"] = "float16, and nothing else"
    if (right.startswith("3") != (np.abs(_dense(made[right][1])) < 0.005).any()) and not right.startswith(
        "pruned"
    ):
        return None  # a ruler has a use for zero, and a palette has none: by chance it may be the other way round
    return case(right, wrong, grids=(_grid("before", w), _grid("after", _dense(made[right][1]))))


@question(
    f"{_PRUNING}#Five by five",
    "Pruned, to which sparsity?",
    answer="{:.1f} %",
    because="{zeros} of 16 weights are zero.",
    wrong={
        "counted what stays": "That is the share that stays.",
        "one too many": "Count the zeros once more.",
        "ten for sixteen": "Count the weights: a grid of 4 x 4 has 16, and a zero is one of these.",
    },
)
def which_sparsity(random):
    w = _weights(random, 4, 4)
    stored = prune(w, sparsity=pick(random, 0.25, 0.31, 0.38, 0.56, 0.62, 0.69, 0.75))
    zeros = 16 - stored.values.size
    wrong = {
        "counted what stays": 100 - 100 * zeros / 16,
        "one too many": 100 * (zeros + 1) / 16,
        "ten for sixteen": 10.0 * zeros,
    }
    grids = (_grid("before", w), _grid("after", _dense(stored)))
    return case(100 * zeros / 16, wrong, grids, zeros=zeros)


@question(
    f"{_PRUNING}#Five by five",
    "Pruned, and stored as a mask and values in float16: how many bytes?",
    answer="{} bytes",
    because="{kept} values of 2 bytes, and 16 bits of mask.",
    wrong={
        "forgot the mask": "These are the values. Where do they go?",
        "float32 values": "The values are stored in float16.",
        "all of the weights": "That is the layer before it was pruned.",
    },
)
def how_many_bytes(random):
    w = _weights(random, 4, 4).astype(np.float16)
    stored = prune(w, sparsity=pick(random, 0.25, 0.38, 0.5, 0.62, 0.75, 0.88))
    kept = stored.values.size
    wrong = {
        "forgot the mask": 2 * kept,
        "float32 values": 4 * kept + 2,
        "all of the weights": 32,
    }
    return case(stored.nbytes, wrong, (_grid("after", _dense(stored)),), kept=kept)


@question(
    f"{_PALETTES}#Five by five",
    "How many bits has this palette, at the least?",
    answer="{}",
    because="{values} different values need as many entries, and {word} which.",
    wrong={
        "counted the values": "These are entries of its table. How many bits say which of them is meant?",
        "a bit too few": "That says only {half} numbers, and there are more values.",
        "a bit to spare": "That would do, and so does one bit less.",
    },
)
def bits_of_a_palette(random):
    bits = pick(random, 1, 2, 3)
    found = _dense(palettize(_weights(random, 4, 4), bits=bits))
    values = np.unique(found).size
    wrong = {"counted the values": values, "a bit too few": bits - 1, "a bit to spare": bits + 1}
    return case(
        bits,
        wrong,
        (_grid("after", found),),
        values=values,
        word=f"{_bits(bits)} {'say' if bits > 1 else 'says'}",
        half=2 ** (bits - 1),
    )


@question(
    f"{_PALETTES}#Five by five",
    "A palette of {entries} values, its table in float16: how many bytes?",
    answer="{} bytes",
    because="{bits} for each of {n} indices fill {indices} bytes, and {entries} entries take 2 bytes each.",
    wrong={
        "forgot the table": "These are the indices. The table is stored with them.",
        "a byte for each weight": "Indices are packed: {bits} each.",
        "bits for bytes": "These are the bits of the indices: eight of them make a byte.",
    },
)
def bytes_of_a_palette(random):
    bits, shape = pick(random, 1, 2, 3), pick(random, (4, 4), (4, 6), (5, 5))
    w = _weights(random, *shape).astype(np.float16)
    stored = palettize(w, bits=bits)
    n, table = w.size, 2 * 2**bits
    indices = (n * bits + 7) // 8
    wrong = {
        "forgot the table": indices,
        "a byte for each weight": n + table,
        "bits for bytes": n * bits + table,
    }
    given = {"bits": _bits(bits), "n": n, "indices": indices, "entries": 2**bits}
    return case(stored.nbytes, wrong, (_grid("after", _dense(stored)),), **given)


@question(
    f"{_QUANTIZATION}#Five by five",
    "Codes of 4 bits, symmetric, with one scale: what is the scale?",
    answer="{:.2f}",
    because="The largest weight, {largest:.2f}, has the code 7 or -7; all others are multiples of its "
    "seventh.",
    wrong={
        "an eighth": "The code -8 is given up, so that codes reach as far down as up: the largest is 7.",
        "two steps": "Some weights lie nearer to each other than that.",
        "the largest weight": "That is the largest weight. How many steps is it?",
    },
)
def which_scale(random):
    scale = pick(random, 0.1, 0.12, 0.15, 0.2, 0.25)
    codes = random.integers(-6, 7, (4, 4))
    codes[tuple(random.integers(0, 4, 2))] = 7
    stored = quantize((codes * scale).astype(np.float32), bits=4, granularity="per_tensor")
    right = np.asarray(stored.scale).item()
    wrong = {"an eighth": 7 * right / 8, "two steps": 2 * right, "the largest weight": 7 * right}
    return case(right, wrong, (_grid("after", _dense(stored)),), largest=7 * right)


@question(
    f"{_QUANTIZATION}#More rulers",
    "4 bits, and one large weight: what shares a scale?",
    because="The large weight spoils those that share its scale, and no others.",
    wrong={
        "all of them": "With one scale for all, every small weight would have become zero.",
        "a row": "With a scale for each row, the whole row of the large weight suffers, and no other.",
        "a block": "With a scale for each block of two, the large weight spoils its one neighbour only.",
        "a column": "The large weight's column would suffer. Look along its row.",
    },
)
def what_shares_a_scale(random):
    w = (_weights(random, 4, 4) / 4).round(2) + np.float32(0.0)
    w[np.abs(w) < 0.05] = 0.1
    w[tuple(random.integers(0, 4, 2))] = 8.0
    ways = {
        "all weights": ("all of them", {"granularity": "per_tensor"}),
        "each row": ("a row", {"granularity": "per_channel"}),
        "two neighbours in a row": ("a block", {"granularity": "per_block", "block_size": 2}),
    }
    right = pick(random, *ways)
    wrong = {kind: name for name, (kind, _) in ways.items() if name != right}
    wrong["a column"] = "each column"
    found = _dense(quantize(w, bits=4, **ways[right][1]))
    return case(right, wrong, (_grid("before", w), _grid("after", found)))


@question(
    f"{_PRUNING}#Which weights go?",
    "Half of the weights are gone: in which pattern?",
    because="Look along the rows for two zeros in each four neighbours, down the columns for neighbours "
    "that went together; what fits neither is free.",
    wrong={
        "saw no order": "There is an order: count the zeros along the rows, and look down the columns.",
        "saw 2 of 4": "Then each four neighbours of a row, from its start on, would have exactly two zeros.",
        "saw blocks": "Then each weight would have gone together with its neighbour in the row below or "
        "above.",
        "saw a share": "Half of them are gone, not three quarters.",
    },
)
def which_pattern(random):
    w = _weights(random, 4, 8)
    ways = {
        "none: the smallest went": ("saw no order", {"sparsity": 0.5}),
        "2 of each 4 in a row": ("saw 2 of 4", {"n_m": (2, 4)}),
        "blocks of 2 rows": ("saw blocks", {"sparsity": 0.5, "block_size": 2}),
    }
    found = {name: _dense(prune(w, **options)) == 0 for name, (_, options) in ways.items()}
    by_row = {name: bool((zeros.reshape(8, 4).sum(1) == 2).all()) for name, zeros in found.items()}
    in_pairs = {name: bool((zeros[::2] == zeros[1::2]).all()) for name, zeros in found.items()}
    right = pick(random, *ways)
    wrong = {kind: name for name, (kind, _) in ways.items() if name != right}
    wrong["saw a share"] = "3 of each 4 in a row"
    expected = {"2 of each 4 in a row": (True, False), "blocks of 2 rows": (False, True)}
    if (by_row[right], in_pairs[right]) != expected.get(right, (False, False)):
        return None  # more than one name fits
    after = np.where(found[right], 0, w)
    return case(right, wrong, (_grid("before", w), _grid("after", after)))


@question(
    f"{_PALETTES}#A better table: Lloyd's two steps",
    "The entries of the table are {table}. Which weight of this colleague's package has the wrong one?",
    answer="row {}, column {}",
    because="It has an entry, and another one is nearer.",
    wrong={
        "the largest error": "It is far from its entry, and every other entry is farther.",
        "the largest weight": "It has the nearest entry that there is.",
        "the nearest miss": "Its entry is the nearest.",
    },
)
def wrong_entry(random):
    w = _weights(random, 4, 4)
    stored = palettize(w, bits=2)
    found = _dense(stored)
    table = np.unique(found)
    off = np.abs(found - w).ravel()
    order, largest = np.argsort(-off), int(np.argmax(np.abs(w)))
    broken = int(random.integers(16))
    entry = int(np.searchsorted(table, found.ravel()[broken]))
    after = found.copy()
    after.ravel()[broken] = table[(entry + 2) % 4]
    others = [int(order[0]), largest, int(order[-1])]
    names = ("the largest error", "the largest weight", "the nearest miss")
    wrong = {name: (place // 4 + 1, place % 4 + 1) for name, place in zip(names, others, strict=True)}
    grids = (_grid("before", w), _grid("after", after))
    shown = ", ".join(f"{value:.2f}" for value in table)
    return case((broken // 4 + 1, broken % 4 + 1), wrong, grids, table=shown)


@question(
    f"{_PALETTES}#Five by five",
    "Indices of {bits} bits: which bits has their first byte?",
    because="The first index goes into the lowest bits, which are written on the right.",
    wrong={
        "began with the highest bits": "The first index lies in the lowest bits.",
        "turned each index round": "The indices are in their places. Within each, the lowest bit is on the "
        "right.",
        "took the last": "That begins with the last index of the row.",
    },
)
def first_byte(random):
    bits = pick(random, 2, 4)
    each = 8 // bits
    indices = random.integers(0, 2**bits, (2, each)).astype(np.uint8)
    first = [f"{index:0{bits}b}" for index in indices[0]]
    packed = packing.pack(indices, bits=bits)
    wrong = {
        "began with the highest bits": "".join(first),
        "turned each index round": "".join(text[::-1] for text in reversed(first)),
        "took the last": "".join(f"{index:0{bits}b}" for index in reversed(indices[1])),
    }
    return case(f"{packed[0]:08b}", wrong, (_grid("indices", indices, "{:.0f}"),), bits=bits)


@question(
    f"{_SIDE_BY_SIDE}#Two at once",
    "Pruned, and what is left has a palette of {entries} values: how many bytes?",
    answer="{} bytes",
    because="{mask} bytes of mask, {kept} indices of {bits}, and {entries} entries of 2 bytes.",
    wrong={
        "an index for each weight": "A zero has no index: the mask has said that it is zero.",
        "forgot the mask": "Something says which weights are zero.",
        "values in float16": "The survivors are indices now, not values.",
    },
)
def joined(random):
    bits, shape = pick(random, 1, 2), pick(random, (4, 8), (4, 4), (6, 8))
    pruned = prune(_weights(random, *shape).astype(np.float16), sparsity=pick(random, 0.5, 0.62, 0.75))
    stored = palettize(pruned, bits=bits)
    found = _dense(stored)
    n, kept, table = found.size, pruned.values.size, 2 * 2**bits
    indices, mask = (kept * bits + 7) // 8, n // 8
    wrong = {
        "an index for each weight": mask + (n * bits + 7) // 8 + table,
        "forgot the mask": indices + table,
        "values in float16": mask + 2 * kept,
    }
    given = {"bits": _bits(bits), "mask": mask, "kept": kept, "entries": 2**bits}
    return case(stored.nbytes, wrong, (_grid("after", found),), **given)


@question(
    f"{_PALETTES}#One table is not always enough",
    "Palettes of 1 bit: how many rows share a table?",
    answer="{}",
    because="Rows that share a table have the same two values.",
    wrong={
        "each row its own": "Compare neighbouring rows: some have the same values.",
        "two rows": "Look for rows with the same two values: are there two of them, each time?",
        "half of them": "Three rows would have the same two values. Compare the first row with the third.",
        "all of them": "Then the whole grid would have two values.",
    },
)
def rows_a_table(random):
    w = _weights(random, 6, 4)
    names = {1: "each row its own", 2: "two rows", 3: "half of them", 6: "all of them"}
    right = pick(random, *names)
    found = _dense(palettize(w, bits=1, group_size=right))
    wrong = {name: rows for rows, name in names.items() if rows != right}
    tables = [tuple(np.unique(row)) for row in found.round(2)]
    if {*map(len, tables)} != {2} or len({*tables}) < 6 // right:
        return None  # a row has one of its two values only, or two tables look alike
    return case(right, wrong, (_grid("before", w), _grid("after", found)))
