"""The exercises of the palettization chapter: a uniform table, Lloyd's step, packed indices, the best border."""

import functools
import tempfile
from pathlib import Path

import numpy as np

from .. import bits as packing
from ..coreml.constants import weights_of
from ..coreml.tools.compression import compress
from .framework import Case, Exercise, Hint
from .packages import write_linear


def _uniform_table(weights, bits):
    return np.linspace(weights.min(), weights.max(), 2**bits)


uniform_table = Exercise(
    name="uniform_table",
    level="warm-up",
    task="Return a table of `2**bits` evenly spaced values, of which the first is the smallest weight and "
    "the last the largest.",
    reference=_uniform_table,
    cases=[
        Case(np.array([0.0, 1.0, 3.0, 2.0]), 2, about="four values: 0, 1, 2 and 3"),
        Case(np.array([-1.0, 0.5, 0.25]), 1, about="two values: the smallest and the largest weight"),
        Case(np.array([[-7.0, 0.0], [3.0, 8.0]]), 4, about="16 values, from a matrix"),
        Case(np.array([2.0, 2.0, 2.0]), 3, about="all weights are equal"),
    ],
    random=lambda rng: (
        rng.normal(size=(int(rng.integers(1, 5)), int(rng.integers(2, 9)))),
        int(rng.integers(1, 7)),
    ),
    hints=[
        Hint(
            "That is a table of bits values. bits of index can number 2**bits of them.",
            lambda got, want, w, b: np.size(got) == b,
            anything=True,
        ),
        Hint(
            "2**bits values have one gap fewer between them: divide the range by 2**bits - 1.",
            lambda got, want, w, b: np.allclose(got, w.min() + (w.max() - w.min()) / 2**b * np.arange(2**b)),
        ),
        Hint(
            "The last entry must be the largest weight itself; np.arange stops before its end.",
            lambda got, want, w, b: np.size(got) < np.size(want) and np.ptp(w) > 0,
            anything=True,
        ),
        Hint(
            "This table is symmetric around zero. A table need not be: begin at the smallest weight.",
            lambda got, want, w, b: np.allclose(got, -np.asarray(got)[::-1]),
        ),
        Hint("The first entry is the smallest weight.", lambda got, want, w, b: np.allclose(got[::-1], want)),
        Hint(
            "The entries are evenly spaced in value, not such that each has equally many weights.",
            lambda got, want, w, b: np.allclose(got, np.quantile(w, np.linspace(0, 1, 2**b))),
        ),
    ],
    hint="How wide is the gap between neighbours, when 2**bits values reach from the smallest weight to the "
    "largest?",
    tolerance=1e-9,
)


def _lloyd_step(values, centroids):
    nearest = np.abs(values[:, None] - centroids).argmin(axis=1)
    moved = [
        values[nearest == j].mean() if (nearest == j).any() else centroids[j] for j in range(len(centroids))
    ]
    return np.array(moved)


def _random_lloyd_case(rng):
    values = rng.integers(-64, 64, int(rng.integers(4, 30))) / 8
    centroids = rng.choice(np.arange(-64, 64), int(rng.integers(1, 5)), replace=False) / 8 + 1 / 32
    return values, centroids


lloyd_step = Exercise(
    name="lloyd_step",
    level="build",
    task="Give each value to its nearest centroid, and return each centroid moved to the mean of the values "
    "it was given, in the order of the centroids. A centroid that is given nothing stays.",
    reference=_lloyd_step,
    cases=[
        Case(np.array([0.0, 1.0, 9.0, 11.0]), np.array([0.0, 10.0]), about="two and two"),
        Case(np.array([0.0, 1.0, 9.0, 11.0]), np.array([0.0, 4.0]), about="4 is nearest to two of them"),
        Case(np.array([1.0, 2.0, 6.0]), np.array([5.0]), about="one centroid"),
        Case(np.array([-3.0, -2.0, 2.0, 3.0, 4.0]), np.array([-1.0, 1.0]), about="negative values"),
        Case(np.array([0.0, 1.0, 2.0]), np.array([1.0, 50.0]), about="a centroid that is nearest to nothing"),
        Case(np.array([0.0, 1.0, 9.0, 11.0]), np.array([10.0, 0.0]), about="the centroids are not sorted"),
        Case(
            np.array([9.0, 0.0, 11.0, 1.0]),
            np.array([30.0, 0.0, 10.0]),
            about="nothing is sorted, and one gets nothing",
        ),
    ],
    random=_random_lloyd_case,
    hints=[
        Hint(
            "A centroid without values has no mean (0 divided by 0): let it stay where it is.",
            lambda got, want, v, c: (
                np.isnan(got).any()
                or np.allclose(np.where(np.isin(np.arange(len(c)), _unused(v, c)), want, got), want)
            ),
        ),
        Hint(
            "That is one number for each value: the table has one for each centroid.",
            lambda got, want, v, c: np.shape(got) == v.shape != c.shape,
            anything=True,
        ),
        Hint(
            "A single step is asked for: assign once, move once.",
            lambda got, want, v, c: np.allclose(got, _lloyd_step(v, want)),
        ),
        Hint(
            "Nearest means the smallest distance, and a distance has no sign: np.abs.",
            lambda got, want, v, c: (
                np.allclose(got, _by_key(v, c, lambda d: -d)) or np.allclose(got, _by_key(v, c, lambda d: d))
            ),
        ),
        Hint(
            "The centroids may come in any order, and their means belong in the same one: borders "
            "between neighbours "
            "need sorted centroids.",
            lambda got, want, v, c: not np.array_equal(c, np.sort(c)) and _sorted_only(got, want, v, c),
        ),
        Hint(
            "The centroids did not move. Each goes to the mean of its values.",
            lambda got, want, v, c: np.allclose(got, c),
        ),
        Hint(
            "The mean makes the squared error least. The middle value and the middle of the range do not.",
            lambda got, want, v, c: (
                np.allclose(got, _by_key(v, c, np.abs, np.median))
                or np.allclose(got, _by_key(v, c, np.abs, lambda x: (x.min() + x.max()) / 2))
            ),
        ),
    ],
    hint="values[:, None] - centroids is a table of all distances: argmin finds the nearest in each row.",
    tolerance=1e-9,
)


def _sorted_only(got, want, values, centroids):
    """Whether these are the right means in another order, or come from borders between unsorted neighbours."""
    borders = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)
    moved = [values[borders == j].mean() if (borders == j).any() else c for j, c in enumerate(centroids)]
    return np.allclose(np.sort(got), np.sort(want)) or np.allclose(got, moved)


def _unused(values, centroids):
    return np.setdiff1d(np.arange(len(centroids)), np.abs(values[:, None] - centroids).argmin(axis=1))


def _by_key(values, centroids, key, middle=np.mean):
    nearest = key(values[:, None] - centroids).argmin(axis=1)
    return [middle(values[nearest == j]) if (nearest == j).any() else c for j, c in enumerate(centroids)]


pack_indices = Exercise(
    name="pack_indices",
    level="build",
    dtype="uint8",
    task="Return the indices as a uint8 array of whole bytes: `bits` bits each, the lowest bit first, each "
    "byte filled from its lowest bit, and what is left of the last byte zero.",
    reference=lambda indices, bits: packing.pack(indices, bits),
    cases=[
        Case(np.array([1, 0, 1, 1, 0, 0, 0, 1], np.uint8), 1, about="eight bits, one byte"),
        Case(np.array([3, 0, 1, 2], np.uint8), 2, about="four to a byte"),
        Case(
            np.array([5, 2, 7], np.uint8), 3, about="3 bits: the third index runs over into the second byte"
        ),
        Case(np.array([15, 1, 8], np.uint8), 4, about="half a byte is left over"),
        Case(np.array([[1, 2], [3, 4]], np.uint8), 6, about="a matrix of 6-bit indices, row by row"),
        Case(np.array([200, 7], np.uint8), 8, about="8 bits are a byte"),
        Case(np.array([], np.uint8), 3, about="no indices, no bytes"),
    ],
    random=lambda rng: (
        lambda bits: (rng.integers(0, 2**bits, int(rng.integers(1, 20))).astype(np.uint8), bits)
    )(int(rng.choice([1, 2, 3, 4, 6, 8]))),
    hints=[
        Hint(
            "The bytes are right, but they must be numbers of type uint8.",
            lambda got, want, i, b: np.array_equal(got, want),
        ),
        Hint(
            "One byte for each index: that is what packing is there to avoid.",
            lambda got, want, i, b: np.size(got) == i.size > np.size(want),
            anything=True,
        ),
        Hint(
            "The first index belongs into the lowest bits of the byte, not the highest.",
            lambda got, want, i, b: np.array_equal(got, _packed_high_first(i, b)),
        ),
        Hint(
            "The order of the bits within an index is turned round: its lowest bit comes first.",
            lambda got, want, i, b: np.array_equal(got, packing.pack(_reversed(i, b), b)),
        ),
        Hint(
            "Core ML lets an index run over into the next byte. You start a new byte where one does not fit.",
            lambda got, want, i, b: np.array_equal(got, _whole_bytes(i, b)),
            anything=True,
        ),
    ],
    hint="Write out all bits in a row, lowest bit of each index first, and cut the row into eights: "
    "np.unpackbits and "
    "np.packbits know bitorder='little'.",
)


def _spelled(indices, bits):
    return np.unpackbits(indices.reshape(-1, 1), axis=1, bitorder="little", count=bits)


def _packed_high_first(indices, bits):
    return np.packbits(_spelled(indices, bits)[:, ::-1], bitorder="big")


def _whole_bytes(indices, bits):
    room = 8 // bits
    lanes = np.zeros(-(-indices.size // room) * room, int)
    lanes[: indices.size] = indices.ravel()
    return np.sum(lanes.reshape(-1, room) << (bits * np.arange(room)), axis=1)


def _reversed(indices, bits):
    return np.packbits(_spelled(indices, bits)[:, ::-1], axis=1, bitorder="little").ravel()


def _split_cost(values, left):
    return sum(np.sum((part - part.mean()) ** 2) for part in (values[:left], values[left:]))


def _best_border(values):
    values = np.sort(values)
    return float(min(_split_cost(values, left) for left in range(1, len(values))))


best_border = Exercise(
    name="best_border",
    level="build",
    task="Return the least squared error that two clusters can reach: try every border between neighbours in "
    "the sorted values, and replace both sides by their means.",
    reference=_best_border,
    cases=[
        Case(np.array([0.0, 2.0, 10.0]), about="the border is between 2 and 10"),
        Case(np.array([10.0, 0.0, 2.0]), about="the same values, not sorted"),
        Case(np.array([1.0, 5.0]), about="two values: nothing is lost"),
        Case(np.array([3.0, 3.0, 3.0]), about="all values are equal"),
        Case(np.array([0.0, 0.0, 0.0, 4.0, 5.0, 6.0, 7.0]), about="the largest gap is the border here"),
        Case(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0]), about="and here it is not"),
    ],
    random=lambda rng: (rng.integers(-20, 20, int(rng.integers(2, 15))) / 4,),
    hints=[
        Hint(
            "Sort the values first: a cluster is a run of neighbours.",
            lambda got, want, v: np.isclose(got, min(_split_cost(v, i) for i in range(1, len(v)))),
        ),
        Hint(
            "This is the error at the widest gap. A wide gap is not always the best border: try them all.",
            lambda got, want, v: np.isclose(
                got, _split_cost(np.sort(v), int(np.argmax(np.diff(np.sort(v)))) + 1)
            ),
        ),
        Hint(
            "That is the error at the middle of the values. Try every border.",
            lambda got, want, v: np.isclose(got, _split_cost(np.sort(v), len(v) // 2)),
        ),
        Hint(
            "Add up the squares of the distances; do not divide by how many there are.",
            lambda got, want, v: np.isclose(got * len(v), want),
        ),
        Hint(
            "The sum of distances is something else than the sum of their squares.",
            lambda got, want, v: np.isclose(
                got,
                min(
                    sum(np.sum(np.abs(part - part.mean())) for part in (np.sort(v)[:i], np.sort(v)[i:]))
                    for i in range(1, len(v))
                ),
            ),
        ),
    ],
    hint="For each border: the squared distances of the left part to its mean, and of the right part to its "
    "own.",
    tolerance=1e-9,
)


WIDTHS = (1, 2, 3, 4, 6, 8)


def _spare_bits(tables, indices):
    used = [np.unique(table[index]).size for table, index in zip(tables, indices)]
    return np.array([next(bits for bits in WIDTHS if 2**bits >= count) for count in used])


def _by_count(counts):
    """What an answer makes that counts something else than the weights that differ."""
    return [next((bits for bits in WIDTHS if 2**bits >= count), 8) for count in counts]


def _random_palettes_case(rng):
    """Tables and indices of a package that was written and palettized, each layer in as many bits."""
    levels = [
        int(n) for n in rng.choice([1, 2, 3, 5, 8, 9, 16, 17, 40, 64, 65, 100], int(rng.integers(2, 5)))
    ]
    stored = _in_a_package(tuple(levels), int(rng.integers(2**31)))
    return [one.lut.ravel() for one in stored], [one.codes.ravel() for one in stored]


@functools.cache
def _in_a_package(levels, seed):
    """The layers of a package, each with so many different weights, as palettes of at least 6 bits."""
    rng = np.random.default_rng(seed)
    layers = [rng.permutation(np.resize(np.arange(n) - n // 2, 240)) / 16 for n in levels]
    with tempfile.TemporaryDirectory() as folder:
        package = write_linear(Path(folder, "colleague.mlpackage"), [w.reshape(12, 20) for w in layers])
        bits = 8 if max(levels) > 64 else 6
        shipped = compress(package, "palettize", bits=bits, mode="uniform", weight_threshold=0)
        return tuple(weights_of.weights(shipped).values())


def _palette(table, indices):
    return np.array(table, np.float16), np.array(indices, np.uint8)


def _palettes(*layers):
    pairs = [_palette(*layer) for layer in layers]
    return [table for table, _ in pairs], [index for _, index in pairs]


spare_bits = Exercise(
    name="spare_bits",
    level="build",
    task="A colleague's package has palettes that are wider than they need to be. Return, for each layer, the fewest "
    "bits, of 1, 2, 3, 4, 6 and 8, with which a palette stores exactly the same weights. `tables` and `indices` are "
    "lists with an array for each layer.",
    reference=_spare_bits,
    cases=[
        Case(*_palettes(([0.5, 1, 2, 4], [0, 1, 2, 3, 3, 2])), about="a layer that uses its whole table"),
        Case(
            *_palettes(
                ([0, 1, 2, 3, 0, 1, 2, 3], [0, 1, 4, 1]),
                (np.arange(8), [0, 7, 7, 0]),
                (np.arange(8), [0, 1, 2, 1]),
            ),
            about="three layers with room to spare, each in its own way",
        ),
        Case(*_palettes(([0.5, 1, 2, 4], [0, 3, 3, 0, 0, 3])), about="two of four entries are used"),
        Case(*_palettes(([0, 1, 1, 0], [0, 1, 2, 3])), about="a table in which every entry is there twice"),
        Case(*_palettes(([0, 1, 2, 3], [2, 2, 2])), about="all weights are alike"),
        Case(
            *_palettes((np.arange(64), np.arange(17)), (np.arange(64), np.arange(16))),
            about="seventeen entries are used, and sixteen",
        ),
        Case(
            *_palettes((np.arange(256), np.arange(65)), (np.arange(256), np.arange(9))), about="65, and nine"
        ),
        Case(
            *_palettes(([0, 1, 2, 3, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5, 6, 7])),
            about="the table was filled up with zeros, and they are used",
        ),
        Case(*_palettes(([3, 1, 2, 0], [3, 0])), about="only the first and the last entry"),
        Case([], [], about="no layers"),
    ],
    random=_random_palettes_case,
    trials=8,
    hints=[
        Hint(
            "That is what the tables have room for. Which entries does a layer use?",
            lambda got, want, t, i: np.array_equal(got, _by_count([table.size for table in t])),
        ),
        Hint(
            "Two indices can mean the same weight: what matters is what the table says there.",
            lambda got, want, t, i: np.array_equal(got, _by_count([np.unique(index).size for index in i])),
        ),
        Hint(
            "An entry that no index names need not be stored, wherever it stands.",
            lambda got, want, t, i: (
                np.array_equal(got, _by_count([np.unique(table).size for table in t]))
                or np.array_equal(got, _by_count([int(index.max()) + 1 for index in i]))
            ),
        ),
        Hint(
            "There are no indices of 0, 5 or 7 bits: take the next width.",
            lambda got, want, t, i: (
                np.isin(got, WIDTHS, invert=True).any() and (np.asarray(got) <= want).all()
            ),
        ),
        Hint(
            "Some weights of this layer would have no entry: that many bits are too few.",
            lambda got, want, t, i: np.isin(got, WIDTHS).all() and (np.asarray(got) < want).any(),
        ),
    ],
    hint="How many different weights are there in a layer, and which width has an entry for each?",
)
