"""Every option of coreai-opt's passes, with toykit's way to ask for it, and why the arrays differ where they do.

Each `why` is what the source of coreai-opt 0.4.0 says, put in toykit's functions; `explain` is true only where the
arrays are those that it leads to, to the bit, or where toykit's error is not above coreai-opt's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

import toykit as tk
from tests.parity.cases import same
from tests.strategies import trained
from toykit import quantization, small_floats
from toykit.bits import code_range
from toykit.compressed import split

from . import stored

SHAPES = ((128, 96), (33, 65), (24, 32, 3, 3), (20, 6, 5, 3))
MANY = 10_000  # weights a table, from which on coreai-opt searches exactly
EPSILON = 1e-6


@dataclass(frozen=True)
class Case:
    """One option.

    Attributes
    ----------
    name, of : str
        What it is, and coreai-opt's pass.
    options : dict
        Of the pass.
    ours : function of an array -> Compressed
    why : str
        Where the two differ; empty if nowhere.
    explain : function of (array, ours, theirs) -> bool
    takes : function of an array -> bool
        Which arrays it is tried on.
    """

    name: str
    of: str
    options: dict = field(repr=False)
    ours: Callable = field(repr=False)
    why: str = ""
    explain: Callable = field(default=lambda w, ours, theirs: False, repr=False)
    takes: Callable = field(default=lambda w: True, repr=False)

    def __str__(self):
        return self.name


@cache
def arrays():
    """Labelled weights: odd sizes, ties, one sign, outliers, channels of zeros, in float16 and float32."""
    labelled = []
    for number, shape in enumerate(SHAPES):
        for dtype in ("float16", "float32"):
            w = trained(shape, number, "float64")
            dead, outliers = np.round(w, 3), w.copy()
            dead[::3] = 0
            outliers.reshape(-1)[::97] *= 30
            kinds = {
                "": w,
                "times 40": 40 * w,
                "with ties": np.round(w, 2),
                "positive": np.abs(w),
                "with channels of zeros": dead,
                "with outliers": outliers,
            }
            labelled += [(f"{shape} {dtype} {kind}", kinds[kind].astype(dtype)) for kind in kinds]
    return labelled


@cache
def large():
    """Weights of which a group of 32 channels, and half of which, is enough for an exact search."""
    return [
        (f"{shape} {dtype}", trained(shape, 9, dtype))
        for shape in ((64, 320), (64, 40, 3, 3))
        for dtype in ("float16", "float32")
    ]


@cache
def _program(which):
    weights = [w for _, w in which()]
    return stored.program(weights)


@cache
def _linear():
    return [(label, w) for label, w in arrays() if w.ndim == 2]


def outcomes(case):
    """What becomes of each array: (label, "equal", "explained", "both decline" or what differs)."""
    # coreai-opt stops at a convolution when it is asked for vectors.
    which = (
        [large] if case.takes is exact else [_linear if case.options.get("cluster_dim", 1) > 1 else arrays]
    )
    for labelled in which:
        theirs = tk.coreai.weights(stored.compressed(_program(labelled), case.of, **case.options))
        for (label, w), form in zip(labelled(), theirs.values(), strict=True):
            yield label, outcome(case, w, form)


def exact(w):
    """Whether the search for a table is exact."""
    return w.size >= 2 * MANY


def outcome(case, w, theirs):
    try:
        ours = case.ours(w)
    except ValueError:
        ours = None
    if isinstance(theirs, np.ndarray):  # it was left as it is
        if ours is None:
            return "both decline"
        return "explained" if case.explain(w, ours, theirs) else "coreai-opt declines it"
    if ours is None:
        return "toykit declines it"
    different = differences(stored.parts(ours), stored.parts(theirs))
    if not different:
        return "equal"
    return "explained" if case.explain(w, ours, theirs) else ", ".join(different)


def differences(ours, theirs):
    return [name for name in sorted({*ours, *theirs}) if not same(ours.get(name), theirs.get(name))]


def error(dense, w):
    return np.square(dense.astype(np.float64) - w.astype(np.float64)).sum()


# Whole numbers

WIDER = (
    "it adds 1e-6 to the range before it divides, which changes scales of float32, and of float16 where all weights "
    "are 0, and with them codes at the edge of a step"
)


def widened(w, bits, mode, signed, scale_shape):
    """toykit's arrays of a range that is 1e-6 wider."""
    low_code, high_code = code_range(bits, signed)
    symmetric = mode == "symmetric"
    if symmetric:
        low_code, high_code = (low_code + 1, high_code) if signed else (low_code, high_code - 1)
    blocks = split(w, scale_shape)
    low, high = quantization._extremes(blocks)
    if symmetric:
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    else:
        low, high = np.minimum(low, 0), np.maximum(high, 0)
    width = high - low + EPSILON
    scale = width / (high_code - low_code)
    zero = np.full_like(scale, high_code // 2 if symmetric and not signed else 0)
    if not symmetric:
        zero = np.clip(np.rint((low_code * high - high_code * low) / width), low_code, high_code)
    codes = quantization._encode(blocks, scale, zero, low_code, high_code)
    return {
        "codes": codes.reshape(w.shape),
        "scale": scale.reshape(scale_shape),
        "zero point": zero.reshape(scale_shape).astype(codes.dtype),
    }


GRANULARITIES = ("PER_TENSOR", "PER_CHANNEL", "PER_BLOCK")


def whole_numbers(kind, scheme, granularity):
    bits, signed = int(kind[-1]), kind.startswith("INT")
    mode = "symmetric" if scheme == "SYMMETRIC" else "affine"
    options = {"bits": bits, "mode": mode, "signed": signed, "granularity": granularity.lower()}

    def explain(w, ours, theirs):
        expected = widened(w, bits, mode, signed, theirs.scale.shape)
        return not differences(expected, stored.parts(theirs))

    return Case(
        f"quantize {kind.lower()} {scheme.lower()} {granularity.lower()}",
        "quantize_weights",
        {
            "dtype": kind,
            "qscheme": scheme,
            "granularity": granularity,
        },
        lambda w: tk.quantize(w, **options),
        WIDER,
        explain,
    )


# Small floats

FLOATS = {"FP8_E4M3FN": "fp8_e4m3", "FP8_E5M2": "fp8_e5m2", "FP4_E2M1FN": "fp4_e2m1"}
LOST = (
    f"{WIDER}; a float16 scale that comes out as 0, of a channel of zeros and always for E5M2, whose range of "
    "114,688 float16 does not hold, loses the weights"
)
ROUNDED = (
    "it finds the codes for a float scale and rounds that to a power of two afterwards, so that all weights of a "
    "block are off by the same factor; the Microscaling Formats choose the power first"
)


def floats_of_a_wider_range(w, kind, scale_shape):
    """toykit's codes and scales of a range that is 1e-6 wider, and where there is a scale at all."""
    most, blocks = small_floats.FORMATS[kind][3], split(w, scale_shape)
    low, high = quantization._extremes(blocks)
    largest = np.maximum(-low, high)
    with np.errstate(all="ignore"):
        scale = (2 * largest + EPSILON) / w.dtype.type(2 * most)
        quotients = blocks / scale
    there = np.broadcast_to(scale > 0, blocks.shape)
    quotients = np.clip(np.where(there, quotients, 0), -most, most)
    codes = small_floats.encode(quotients.astype(w.dtype), kind).reshape(w.shape)
    return codes, scale.reshape(scale_shape), there.reshape(w.shape)


def explains_floats(w, kind, form, e8m0=False):
    codes, scale, there = floats_of_a_wider_range(w, kind, form.scale.shape)
    found = stored.parts(form)
    if e8m0:
        import ml_dtypes  # one of Core AI's packages: of a float it makes the nearest power of two, and NaN of 0

        powers = scale.astype(ml_dtypes.float8_e8m0fnu).view(np.uint8)
        return np.array_equal(codes[there], found["codes"][there]) and same(powers, form.scale)
    lost = np.array([]) if there.all() else form.dense()[~there]
    return (
        same(scale, form.scale)
        and np.array_equal(codes[there], found["codes"][there])
        and not np.nan_to_num(lost, nan=0).any()
    )


def floats(kind, granularity, exponents):
    name, per_block = FLOATS[kind], granularity == "PER_BLOCK"
    options = {
        "format": name,
        "scale_format": "e8m0" if exponents else "float",
        "granularity": granularity.lower(),
    }
    scale = {"scale_dtype": "FP8_E8M0FNU"} if exponents and name != "fp4_e2m1" else {}
    assert name != "fp4_e2m1" or (per_block and exponents)

    def explain(w, ours, theirs):
        return explains_floats(w, name, theirs, exponents)

    return Case(
        f"quantize {name} {granularity.lower()}{' e8m0' * exponents}",
        "quantize_weights",
        {"dtype": kind, "granularity": granularity} | scale,
        lambda w: tk.quantize(w, **options),
        ROUNDED if exponents else LOST,
        explain,
    )


# Palettes

SEEN = (
    "it makes float16 of the weights and, in its fast mode, rounds these to four decimals, which makes infinity of "
    "float16 numbers over 6.55; below 10,000 weights a table it leaves the table to scikit-learn's chance"
)


def seen(w, fast):
    """The weights that coreai-opt clusters."""
    with np.errstate(over="ignore"):
        w = w.astype(np.float16)
        return np.round(w, 4) if fast else w


def explains_palette(w, theirs, fast, options):
    """Their arrays are toykit's of the weights that it sees, or toykit's error is not above theirs."""
    scaled = w / theirs.scale if getattr(theirs, "scale", None) is not None else w
    view = seen(scaled, fast)
    if not np.isfinite(view).all():  # scikit-learn refuses infinity, and the exact search spreads it
        return isinstance(theirs, np.ndarray) or not np.isfinite(theirs.dense()).all()
    if isinstance(theirs, np.ndarray):
        return False
    own = {name: value for name, value in options.items() if name != "per_channel_scale"}
    ours = tk.palettize(view, **own)
    vectors = own.get("cluster_dim", 1)
    found = replace(theirs, scale=None)
    tables = int(np.prod(ours.lut.shape[:-2]))
    if vectors == 1 and w.size // tables >= MANY:
        expected = stored.parts(ours)
        expected["table values"] = expected["table values"].astype(w.dtype)
        if error(ours.dense(), view) == error(found.dense(), view):  # of two best tables either will do
            return True
        return not differences(expected, stored.parts(found))
    if vectors == 1 and error(ours.dense(), view) > error(found.dense(), view):
        return False
    # And with their own table, where that is one, toykit's indices are as near.
    if tables > 1:
        return True
    table = found.lut.reshape(-1, vectors) if vectors > 1 else found.lut.ravel()
    again = tk.palettize(view, lut=table.astype(np.float16), axis=found.axis, cluster_dim=vectors)
    return error(again.dense(), view) <= error(found.dense(), view)


def palettes(bits, granularity="PER_TENSOR", fast=False, which=lambda w: True, **options):
    of_theirs, mine = {}, {"bits": bits}
    if granularity == "PER_GROUPED_CHANNEL":
        of_theirs["group_size"] = mine["group_size"] = options["group_size"]
    if granularity == "PER_CHANNEL":
        mine["group_size"] = 1
    if options.get("cluster_dim"):
        of_theirs["cluster_dim"] = mine["cluster_dim"] = options["cluster_dim"]
    if options.get("scaled"):
        of_theirs["enable_per_channel_scale"], mine["per_channel_scale"] = True, "across"
    words_of_it = [
        granularity.lower(),
        *(f"{key}={value}" for key, value in options.items()),
        *["fast"] * fast,
    ]
    return Case(
        f"palettize {bits} bits {', '.join(words_of_it)}",
        "palettize_weights",
        {
            "lut_dtype": None,
            "n_bits": bits,
            "granularity": granularity,
            "enable_fast_kmeans_mode": fast,
            **of_theirs,
        },
        lambda w: tk.palettize(w, **mine),
        SEEN,
        lambda w, ours, theirs: explains_palette(w, theirs, fast, mine),
        which,
    )


FIRST = (
    "of the scales of the channels it keeps the first alone, so that every channel has that one's scale; and its "
    "table is that of float16 weights"
)
TABLES = {
    "INT8": {},
    "UINT8": {"signed": False},
    "FP8_E4M3FN": {"format": "fp8_e4m3"},
    "FP8_E5M2": {"format": "fp8_e5m2"},
}


def tables(kind, scaled=False):
    options = TABLES[kind]

    def ours(w):
        return tk.quantize(tk.palettize(w, per_channel_scale="across" if scaled else False), **options)

    def explain(w, ours, theirs):
        across = np.abs(w).max(axis=0, keepdims=True)
        across[across == 0] = 1
        view = tk.palettize(seen(w / across if scaled else w, False))
        if kind == "FP8_E5M2":  # its scale is 0 in float16, and so is every weight
            return not np.nan_to_num(theirs.dense(), nan=0).any()
        expected = stored.parts(tk.quantize(view, **options))
        scale = expected["table scale"].astype(w.dtype)
        expected["table scale"] = scale * across.flat[0] if scaled else scale
        if scaled and kind == "UINT8":  # and the zero point, which is no length, is scaled as well
            expected["table zero point"] = np.uint8(np.round(127 * across.flat[:1])).reshape(scale.shape)
        return not differences(expected, stored.parts(theirs))

    return Case(
        f"palettize 4 bits, table {kind.lower()}{' scaled' * scaled}",
        "palettize_weights",
        {
            "lut_dtype": kind,
            "enable_fast_kmeans_mode": False,
            "enable_per_channel_scale": scaled,
        },
        ours,
        FIRST if scaled else f"{SEEN}; {LOST}",
        explain,
        exact,
    )


# Sparsity

TIES = "of equal weights in a group it drops any, by an unstable sort"


def pruned(name, why="", explain=lambda *_: False, **options):
    theirs = {"target_sparsity": None} | {
        {"sparsity": "target_sparsity", "n_m": "n_m_ratio"}.get(key, key): value
        for key, value in options.items()
    }
    return Case(name, "sparsify_weights", theirs, lambda w: tk.prune(w, **options), why, explain)


def explains_ties(w, ours, theirs):
    magnitudes = [np.sort(np.abs(form.values.astype(np.float64))) for form in (ours, theirs)]
    return np.array_equal(*magnitudes)


SHIFTED = "what was pruned is code 0, which means -127 steps: zeros come back as the most negative weight"


def joint(kind, which=lambda w: True):
    options = TABLES[kind] | {"granularity": "per_tensor"}

    def explain(w, ours, theirs):
        survivors = tk.prune(w, sparsity=0.5).values
        if kind == "UINT8":
            kept = tk.prune(w, sparsity=0.5).kept
            lowest = -127 * theirs.scale.astype(np.float64)
            return np.allclose(theirs.dense()[~kept], lowest.ravel()[0], rtol=1e-3)
        if kind == "INT8":
            expected = widened(survivors, 8, "symmetric", True, (1,))
            ones = (1,) * w.ndim
            return same(expected["scale"].reshape(ones), theirs.scale) and np.array_equal(
                theirs.integers[theirs.kept], expected["codes"]
            )
        return explains_floats(survivors, TABLES[kind]["format"], theirs.values)

    return Case(
        f"prune 50 % and {kind.lower()}",
        "sparsify_weights",
        {"quantize_dtype": kind},
        lambda w: tk.quantize(tk.prune(w, sparsity=0.5), **options),
        SHIFTED if kind == "UINT8" else LOST,
        explain,
        which,
    )


ALONE = "its table is that of the survivors alone; Core ML Tools', and toykit's, serves the zeros as well"


def pruned_palette(bits, which=lambda w: True):
    def explain(w, ours, theirs):
        survivors = tk.prune(w, sparsity=0.5).values
        mine = tk.palettize(survivors, bits=bits)
        found = theirs.dense()[theirs.kept]
        if w.dtype == np.float16 and survivors.size >= MANY:
            return same(mine.lut.ravel(), theirs.lut.ravel()) and same(mine.dense(), found)
        return error(mine.dense(), survivors) <= error(found, survivors)

    return Case(
        f"prune 50 % and palettize {bits} bits{' exactly' * (which is exact)}",
        "sparsify_weights",
        {"palettize_nbits": bits},
        lambda w: tk.palettize(tk.prune(w, sparsity=0.5), bits=bits),
        ALONE,
        explain,
        which,
    )


@cache
def cases():
    """All of them. Palettes of 3 bits are in `test_arrays`: there coreai-opt stops."""
    return [
        *(
            whole_numbers(kind, scheme, granularity)
            for kind in ("INT2", "UINT2", "INT4", "UINT4", "INT8", "UINT8")
            for scheme in ("SYMMETRIC", "ASYMMETRIC")
            for granularity in GRANULARITIES
        ),
        *(
            floats(kind, granularity, exponents)
            for kind in ("FP8_E4M3FN", "FP8_E5M2")
            for granularity in GRANULARITIES
            for exponents in (False, True)
        ),
        floats("FP4_E2M1FN", "PER_BLOCK", True),
        *(palettes(bits, fast=fast) for bits in (1, 2, 4, 6) for fast in (False, True)),
        palettes(8, fast=True),
        palettes(2, "PER_CHANNEL"),
        *(palettes(bits, "PER_GROUPED_CHANNEL", group_size=8) for bits in (2, 4)),
        *(palettes(4, "PER_GROUPED_CHANNEL", fast, exact, group_size=32) for fast in (False, True)),
        palettes(2, cluster_dim=2),
        palettes(4, cluster_dim=4),
        *(palettes(4, fast=fast, scaled=True) for fast in (False, True)),
        *(tables(kind, scaled) for kind in TABLES for scaled in (False, True)),
        *(pruned(f"prune {share:.0%}", sparsity=share) for share in (0.0, 0.3, 0.5, 0.9, 1.0)),
        *(pruned(f"prune blocks of {size}", sparsity=0.5, block_size=size) for size in (2, 4, 7)),
        *(pruned(f"prune {n}:{m}", TIES, explains_ties, n_m=(n, m)) for n, m in ((1, 4), (2, 4), (3, 8))),
        *(joint(kind) for kind in TABLES),
        *(pruned_palette(bits) for bits in (2, 4)),
        pruned_palette(4, exact),
    ]
