"""The exercises of chapter 10: whose configuration counts; what a threshold, groups, a file take."""

import functools
import math
import tempfile
from pathlib import Path

import numpy as np

from ..coreml.tools.compression import outcome
from .framework import Case, Exercise, Hint
from .packages import write_linear


def _configured_bits(name, kind, by_name, by_type, everywhere):
    if name in by_name:
        bits = by_name[name]
    elif kind in by_type:
        bits = by_type[kind]
    else:
        bits = everywhere
    return 16 if bits is None else bits


def _random_configuration(rng):
    names, kinds = ("conv1", "conv2", "classifier"), ("conv", "linear")
    choices = (None, 1, 2, 4, 8)

    def some(keys):
        return {key: choices[rng.integers(5)] for key in keys if rng.random() < 0.5}

    return (
        names[rng.integers(3)],
        kinds[rng.integers(2)],
        some(names),
        some(kinds),
        choices[rng.integers(5)],
    )


def _falls_through(got, want, name, kind, by_name, by_type, everywhere):
    """Whether None was taken as "not said", so that the next rule was asked."""
    for bits in (by_name.get(name), by_type.get(kind), everywhere):
        if bits is not None:
            return got == bits != want
    return False


configured_bits = Exercise(
    name="configured_bits",
    level="warm-up",
    task="Return the bits in which the weights of an operator will be stored. `by_name` maps names of "
    "operators to bits, `by_type` their types, and `everywhere` holds for all others; `None` says: "
    "leave it in float16, 16 bits.",
    reference=_configured_bits,
    cases=[
        Case("conv1", "conv", {}, {}, 4, about="only a rule for everything"),
        Case("conv1", "conv", {}, {"conv": 8}, 4, about="a rule for convolutions"),
        Case("conv1", "conv", {"conv1": 2}, {"conv": 8}, 4, about="a rule of its own"),
        Case(
            "classifier",
            "linear",
            {"conv1": 2},
            {"conv": 8},
            4,
            about="neither the name nor the type is meant",
        ),
        Case("conv1", "conv", {"conv1": None}, {"conv": 8}, 4, about="this one is to be left alone"),
        Case("conv2", "conv", {"conv1": 2}, {"conv": None}, 4, about="convolutions are to be left alone"),
        Case("conv1", "conv", {}, {"linear": 8}, None, about="all others are to be left alone"),
    ],
    random=_random_configuration,
    hints=[
        Hint(
            "None is a decision too: this operator stays in float16, whatever wider rules say.",
            _falls_through,
        ),
        Hint(
            "A rule for a name counts before a rule for a type.",
            lambda got, want, n, k, by_name, by_type, e: (
                n in by_name and k in by_type and got == (by_type[k] or 16)
            ),
        ),
        Hint(
            "The rule for everything holds only where no other does.",
            lambda got, want, n, k, by_name, by_type, everywhere: got == (everywhere or 16),
        ),
        Hint("None means float16: return 16.", lambda got, want, *rules: got == 0 and want == 16),
    ],
    hint="Ask for the name, then for the type, then for everything; the first that says something decides, "
    "None included.",
)


def _stored_bytes(weights, kept, minimum_sparsity, weight_threshold, mask=True):
    """Bytes after pruning by a threshold, given which weights are above it."""
    too_small = weights.size <= weight_threshold
    too_dense = 1 - kept.sum() / weights.size < minimum_sparsity
    if too_small or too_dense:
        return 2 * weights.size
    return int(2 * kept.sum() + (math.ceil(weights.size / 8) if mask else 0))


def _threshold_bytes(weights, threshold, minimum_sparsity, weight_threshold):
    return _stored_bytes(weights, np.abs(weights) > threshold, minimum_sparsity, weight_threshold)


_FOUR = np.array([[0.5, -0.01], [0.02, -2.0]])
_TWENTY = np.arange(20) / 100.0


threshold_bytes = Exercise(
    name="threshold_bytes",
    level="build",
    task="Return the bytes of an array that `OpThresholdPrunerConfig` prunes: 2 bytes for each weight of "
    "more than `threshold` in size, and a mask of one bit a weight, in whole bytes. Arrays of at most "
    "`weight_threshold` elements, and those of which less than `minimum_sparsity` would be zero, stay "
    "in float16.",
    reference=_threshold_bytes,
    cases=[
        Case(_FOUR, 0.1, 0.25, 0, about="two of four stay, and the mask fits in a byte"),
        Case(np.array([0.5, -0.1, 0.0, 0.3]), 0.1, 0.25, 0, about="one is exactly as large as the threshold"),
        Case(_TWENTY, 0.145, 0.5, 0, about="20 bits of mask are 3 bytes"),
        Case(_TWENTY, 0.045, 0.5, 0, about="only a quarter would be zero"),
        Case(_TWENTY, 0.095, 0.5, 0, about="exactly half would be zero, which is enough"),
        Case(_TWENTY, 0.145, 0.5, 20, about="20 elements are not more than 20"),
        Case(_TWENTY, 0.145, 0.5, 19, about="20 elements are more than 19"),
        Case(_TWENTY, 1.0, 0.5, 0, about="nothing is left but the mask"),
        Case(-_TWENTY, 0.005, 0.0, 0, about="no minimum: 1 weight of 20 is zero, and the mask is stored"),
    ],
    random=lambda rng: (
        rng.normal(size=int(rng.integers(1, 60))).round(2),
        float(rng.uniform(0, 1.5)),
        float(rng.choice([0.0, 0.3, 0.5])),
        int(rng.integers(0, 20)),
    ),
    hints=[
        Hint(
            "Where do the weights go? The mask is stored too.",
            lambda got, want, w, t, m, n: got == _stored_bytes(w, np.abs(w) > t, m, n, mask=False),
        ),
        Hint(
            "The mask takes whole bytes: round up.",
            lambda got, want, w, t, m, n: got != want and abs(got - want) < 1 and want != 2 * w.size,
        ),
        Hint(
            "The size of a weight has no sign: -2 is a large weight.",
            lambda got, want, w, t, m, n: got == _stored_bytes(w, w > t, m, n),
        ),
        Hint(
            "A weight exactly as large as the threshold becomes zero.",
            lambda got, want, w, t, m, n: got == _stored_bytes(w, np.abs(w) >= t, m, n),
        ),
        Hint(
            "If too few would be zero, the array stays as it is: 2 bytes a weight and no mask.",
            lambda got, want, w, t, m, n: got == _stored_bytes(w, np.abs(w) > t, 0, n),
        ),
        Hint(
            "A small array stays as it is, and weight_threshold says which are small. Of exactly that "
            "many elements is small.",
            lambda got, want, w, t, m, n: (
                got == _stored_bytes(w, np.abs(w) > t, m, n - 1)
                or got == _stored_bytes(w, np.abs(w) > t, m, -1)
            ),
        ),
        Hint(
            "Exactly the minimum is enough.",
            lambda got, want, w, t, m, n: got == _stored_bytes(w, np.abs(w) > t, np.nextafter(m, 1), n),
        ),
    ],
    hint="First ask whether the array is pruned at all. Then add up values and mask.",
)


def _grouped_bytes(outputs, inputs, bits, group_size):
    if outputs % group_size:
        return 2 * outputs * inputs
    codes = math.ceil(outputs * inputs * bits / 8)
    return codes + outputs // group_size * 2**bits * 2


grouped_bytes = Exercise(
    name="grouped_bytes",
    level="build",
    task="Return the bytes of a layer with palettes for groups of `group_size` outputs: the indices of all "
    "weights, packed, and one table of `2 ** bits` float16 values a group. If `group_size` does not "
    "divide the outputs, Core ML Tools leaves the layer in float16.",
    reference=_grouped_bytes,
    cases=[
        Case(8, 32, 4, 8, about="one group"),
        Case(16, 32, 4, 8, about="two groups, two tables"),
        Case(16, 32, 2, 8, about="tables of 4 values"),
        Case(8, 3, 1, 4, about="24 bits of indices"),
        Case(2, 5, 3, 1, about="30 bits of indices need 4 bytes"),
        Case(1000, 2048, 4, 16, about="ResNet-50's classifier: 1000 is no multiple of 16"),
        Case(1000, 2048, 4, 8, about="a multiple of 8 it is"),
        Case(4, 8, 4, 16, about="fewer outputs than a group has"),
    ],
    random=lambda rng: (
        int(rng.integers(1, 9)) * 4,
        int(rng.integers(1, 50)),
        int(rng.choice([1, 2, 3, 4, 6, 8])),
        int(rng.choice([1, 2, 4, 8, 16])),
    ),
    hints=[
        Hint(
            "group_size is the number of outputs that share a table, not the number of tables.",
            lambda got, want, o, i, b, g: o // g != g and got == math.ceil(o * i * b / 8) + g * 2**b * 2,
        ),
        Hint(
            "One table is not enough: each group has its own.",
            lambda got, want, o, i, b, g: got == math.ceil(o * i * b / 8) + 2**b * 2,
        ),
        Hint("The tables are stored too.", lambda got, want, o, i, b, g: got == math.ceil(o * i * b / 8)),
        Hint(
            "A table's values are float16, 2 bytes each.",
            lambda got, want, o, i, b, g: got in (want - o // g * 2**b, want + o // g * 2 ** (b + 1)),
        ),
        Hint(
            "Where group_size does not divide the outputs, nothing is compressed.",
            lambda got, want, o, i, b, g: o % g != 0 and got < want,
        ),
        Hint(
            "Indices are packed into bytes, and the last byte is begun: round up.",
            lambda got, want, o, i, b, g: want - 1 <= got < want,
        ),
    ],
    hint="Indices of all weights, and tables: how many groups, how many values, how many bytes each?",
)


@functools.cache
def _weighed(shapes, bits):
    """Bytes of the weight file of a package that is written, compressed and weighed."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        package = write_linear(Path(folder, "layers.mlpackage"), [rng.normal(size=shape) for shape in shapes])
        smaller = outcome(package, "palettize", bits=bits, mode="uniform").package
        (file,) = smaller.weight_files.values()
        return file.path.stat().st_size


def _weight_bin(shapes, bits):
    return _weighed(tuple(map(tuple, shapes.tolist())), bits)


def _arrays(shapes, bits, least=2048, inside=10, up=7):
    """Bytes of data of each array in the file, with what a mistake may count in another way."""
    for rows, columns in shapes.tolist():
        count = rows * columns
        if count <= least:
            yield 2 * count
            continue
        yield (count * bits + up) // 8
        if 2**bits >= inside:
            yield 2 * 2**bits


def _file(arrays, header=64, record=64, block=64, last=0):
    filled = [record + -(-nbytes // block) * block for nbytes in arrays]
    return header + sum(filled) - (1 - last) * (-arrays[-1] % block)


def _counts(arrays=None, **file):
    """Whether the learner counted with a certain mistake."""

    def same(got, want, shapes, bits):
        return got == _file(list(_arrays(shapes, bits, **(arrays or {}))), **file)

    return same


weight_bin = Exercise(
    name="weight_bin",
    level="build",
    task="Return the bytes of the `weight.bin` of a package of linear layers after `tk.coreml.compress(package, "
    '"palettize", bits=bits)`. A header has 64 bytes, and so has the record before each array; the data of an '
    "array is filled up to a multiple of 64, but for that of the last. A layer of more than 2,048 weights "
    "becomes its indices, packed, and behind them a table of `2 ** bits` float16 values, which lies in the "
    "program instead if it has fewer than ten. All others stay as they are, in float16. `shapes` has a row "
    "(outputs, inputs) for each layer.",
    reference=_weight_bin,
    cases=[
        Case(np.array([[64, 64]]), 4, about="one layer; its table lies in the file"),
        Case(np.array([[64, 64]]), 2, about="one layer; its table lies in the program"),
        Case(
            np.array([[40, 60], [50, 50]]), 2, about="two layers, whose data ends between two multiples of 64"
        ),
        Case(np.array([[64, 64], [10, 30]]), 4, about="the second layer is too small to be compressed"),
        Case(np.array([[32, 64]]), 4, about="exactly 2,048 weights"),
        Case(np.array([[47, 47]]), 3, about="an odd number of weights, and a table of eight"),
        Case(np.array([[51, 41]]), 1, about="one bit a weight"),
        Case(np.array([[47, 51]]), 6, about="a table of 64"),
    ],
    random=lambda rng: (rng.integers(5, 80, (int(rng.integers(1, 5)), 2)), int(rng.choice([1, 2, 3, 4, 6]))),
    hints=[
        Hint(
            "A table of fewer than ten values lies in the program, not in this file.", _counts({"inside": 0})
        ),
        Hint(
            "A table of ten values or more lies in this file, with a record of its own.",
            _counts({"inside": 999}),
        ),
        Hint("More than 2,048 weights: exactly as many are not enough.", _counts({"least": 2047})),
        Hint("A layer of 2,048 weights or fewer stays in float16.", _counts({"least": 0})),
        Hint("Data is filled up to a multiple of 64, but nothing follows the last.", _counts(last=1)),
        Hint("Each array begins at a multiple of 64: what is missing to it is filled up.", _counts(block=1)),
        Hint("The file begins with a header of 64 bytes.", _counts(header=0)),
        Hint("Each array has a record before it.", _counts(record=0)),
        Hint("Indices that fill a byte in part take the whole byte.", _counts({"up": 0})),
    ],
    hint="List the bytes of all arrays in the file, in order; then add records, filling and header.",
    trials=5,
)
