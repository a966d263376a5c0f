"""What each compressed form promises of its weights, and whether it keeps it.

    linear      no weight is further from what its code says than half a step
    floats      each weight, divided by its scale, has the nearest float of 8 or 4 bits
    palette     each weight has the nearest entry of its table
    pruned      what was kept is as it was, and what was dropped is the smallest

That holds whatever the scales and tables are. Without data there are no better ones than those that the weights
themselves ask for, so these are derived once more with toykit's own techniques, which are Core ML Tools' to the
bit, and compared. Of two best tables of k-means either is right. Only where Core ML Tools leaves a table to chance
(k-means of float32, of vectors, or of few weights a table), any is accepted whose error is about as small.

Not here: which weights belong together (`toykit.verification.pairs`).
"""

import math
from dataclasses import dataclass

import numpy as np

from ..compressed import Compressed, check_choice, dense_of, split, to_each_block
from ..coreml.constants.general import Cast, Elements
from ..palettization import Palettized, palettize
from ..pruning import Sparse
from ..quantization import Quantized, quantize
from ..small_floats import SmallFloats, decode, encode, worth

TABLES = ("derived", "given")
EXACT_KMEANS = 10_000  # float16 weights a table from which coremltools finds the best one
WORSE = 10  # times toykit's squared error: scikit-learn's k-means starts at random
_TIE = 1e-9  # of the squared error: what sums in float64 may make of two that are equal
_SLAB = 2**20  # weights that are looked at together
_LONGEST_GROUP = 32  # of n:m patterns that are recognized
_MOSTLY = 1 / 3  # of the weights: a table that chance found has hardly any in common with toykit's


@dataclass(frozen=True)
class Judgement:
    """What became of a weight.

    Attributes
    ----------
    status : {"equal", "exact", "near", "given", "wrong"}
        Nothing was lost; exactly what toykit stores, or another best table; as near as promised, with a table that
        chance found; as near as promised, with scales or tables that are taken as they are; or something else.
    problem : str
        What is wrong; "" if nothing is.
    alike, count : int
        Where chance may find the table: how many weights are those of toykit's table, and of how many.
    """

    status: str
    problem: str = ""
    alike: int = 0
    count: int = 0


def judge(weights, compressed, tables="derived", chance=False):
    """Hold a compressed weight against the original.

    Parameters
    ----------
    weights : array
        The original.
    compressed : Compressed
    tables : {"derived", "given"}
        Whether scales, zero points and tables must be those that the weights themselves ask for.
    chance : bool
        Whether chance finds every table of k-means, as in coreai-opt. Core ML Tools leaves only some to it.

    Returns
    -------
    Judgement
    """
    check_choice("tables", tables, TABLES)
    dense = compressed.dense()
    if not isinstance(weights, np.ndarray):
        return Judgement("wrong", f"{dense.dtype} {dense.shape} stands for what is no array")
    if dense.shape != weights.shape or dense.dtype != weights.dtype:
        return Judgement("wrong", f"{dense.dtype} {dense.shape} stands for {weights.dtype} {weights.shape}")
    if np.array_equal(dense, weights):
        return Judgement("equal")
    if not np.isfinite(dense).all():
        return Judgement("wrong", some(~np.isfinite(dense), "are infinite or no number"))
    kept = _kept(compressed)
    if kept is not None and (problem := _pruned(weights, kept)):
        return Judgement("wrong", problem)
    if isinstance(compressed, Sparse):
        changed = kept & (dense != weights)
        return (
            Judgement("wrong", some(changed, "were kept, and changed"))
            if changed.any()
            else Judgement("exact")
        )
    problem = _nearness(weights, compressed, dense, kept)
    if problem or tables == "given":
        return Judgement("wrong" if problem else "given", problem)
    return _derived(weights, compressed, dense, kept, chance)


def some(where, what, more=""):
    """A sentence about the numbers of an array that `where` marks."""
    count = int(np.count_nonzero(where))
    first = tuple(map(int, np.argwhere(where)[0]))
    return f"{count:,} of {where.size:,} numbers {what}, the first at {list(first)}{more}"


def _kept(compressed):
    """Which weights a mask keeps; None without a mask."""
    if isinstance(compressed, Sparse) or getattr(compressed, "mask", None) is not None:
        return compressed.kept
    return None


# --- pruned ---


def _pruned(weights, kept):
    """Why these are not the weights that pruning keeps; "" if they are."""
    size = np.abs(weights).astype(np.float64)
    dropped = ~kept & (size > 0)
    if not dropped.any() or size[dropped].max() <= size[kept].min(initial=np.inf):
        return ""
    if weights.ndim > 1 and (_is_pattern(size, kept) or _is_blocks(size, kept)):
        return ""
    larger = dropped & (size > size[kept].min())
    return some(larger, f"were dropped that are larger than one that was kept ({size[kept].min():.3g})")


def _is_pattern(size, kept):
    """Whether the n smallest of each m neighbours were dropped, for some n and m."""
    for axis in (1, 0):
        rows, held = np.moveaxis(size, axis, -1), np.moveaxis(kept, axis, -1)
        for m in range(2, min(_LONGEST_GROUP, size.shape[axis] // 2) + 1):
            few = rows.reshape(-1, rows.shape[-1])[:64], held.reshape(-1, held.shape[-1])[:64]
            if _drops_in_groups(*few, m) and _drops_in_groups(rows, held, m):
                return True
    return False


def _drops_in_groups(size, kept, m):
    whole = size.shape[-1] // m * m
    size = size[..., :whole].reshape(-1, m)
    kept = kept[..., :whole].reshape(-1, m)
    n = m - int(kept.sum(1).max())
    fewer = (kept.sum(1) < m - n) & ((~kept & (size > 0)).sum(1) > n)  # more than n, and not for being zero
    dropped, least = np.where(kept, 0, size).max(1), np.where(kept, size, np.inf).min(1)
    return n > 0 and not fewer.any() and bool((dropped <= least).all())


def _is_blocks(size, kept):
    """Whether whole blocks of neighbours were dropped, those of the smallest root of the sum of squares."""
    for axis in (0, 1):
        rows, held = np.moveaxis(size, axis, 0), np.moveaxis(kept, axis, 0)
        rows, held = rows.reshape(len(rows), -1), held.reshape(len(held), -1)
        # Weights that are zero are dropped in any block.
        borders = (held[1:] != held[:-1]) & (rows[1:] > 0) & (rows[:-1] > 0)
        length = math.gcd(*map(int, np.flatnonzero(borders.any(1)) + 1))
        if length < 2:
            continue
        missing = [(0, -len(rows) % length), (0, 0)]
        blocks = np.pad(rows, missing).reshape(-1, length, rows.shape[1])
        there = np.pad(held, missing).reshape(blocks.shape).any(1)
        norms = np.sqrt(np.square(blocks).sum(1))
        gone = norms[~there].max(initial=0)
        # Of float16 weights the squares are added in float16.
        if gone <= norms[there].min(initial=np.inf) * (1 + length * 2.0**-10):
            return True
    return False


# --- as near as can be, with these scales and tables ---


def _nearness(weights, compressed, dense, kept):
    """Why a weight could lie nearer to the original than it does; "" if none could."""
    if isinstance(compressed, Cast):
        apart = dense != weights.astype(np.float16)
        return some(apart, "are not the original's in float16") if apart.any() else ""
    if isinstance(compressed, Quantized) and not isinstance(compressed.codes, Compressed):
        return _half_a_step(weights, compressed, dense, kept)
    if isinstance(compressed, Palettized):
        return _nearest(weights, compressed, dense, kept)
    if isinstance(compressed, SmallFloats):
        return _nearest_float(weights, compressed)
    return f"no promise is known for this form ({compressed.form})"


def _half_a_step(weights, compressed, dense, kept):
    """Of linear codes: half a step, and what the weights' own type rounds; codes at an end may stand for more."""
    scale = dense_of(compressed.scale).astype(np.float64)
    codes, zeros = compressed.integers, compressed.zero_points
    zeros = np.zeros(1) if zeros is None else zeros.astype(np.float64)
    zeros = np.broadcast_to(zeros, scale.shape)
    ends = _ends(compressed)
    precision = float(np.finfo(weights.dtype).eps)  # of the scale, and of the quotient
    places = [np.arange(size) // (size // scales) for size, scales in zip(weights.shape, scale.shape)]
    # Which scale is each weight's: along axes with one scale, or none, all have the same.
    places = [place if scales > 1 else np.zeros(1, int) for place, scales in zip(places, scale.shape)]
    wrong = np.zeros(weights.shape, bool)
    rows = max(1, _SLAB * len(weights) // weights.size)
    for start in range(0, len(weights), rows):
        slab = slice(start, start + rows)
        place = np.ix_(places[0][slab] if scale.shape[0] > 1 else places[0], *places[1:])
        step, its_codes = scale[place], codes[slab].astype(np.float32)
        with np.errstate(all="ignore"):
            exact = weights[slab] / step
            off = exact + zeros[place] - its_codes
        allowed = 0.5 + precision * (np.abs(exact) + 1)
        beyond = ((its_codes >= ends[1]) & (off > 0)) | ((its_codes <= ends[0]) & (off < 0))
        far = ~((np.abs(off) <= allowed) | beyond)
        if far.any():  # with a step of 0 there is one answer, and with a long one the type may end
            far &= (dense[slab] != weights[slab]) & ~_out_of_reach(step, its_codes, exact, weights.dtype)
        wrong[slab] = far
    if kept is not None:
        wrong &= kept
    return some(wrong, "are more than half a step away from what their codes say") if wrong.any() else ""


def _nearest_float(weights, compressed):
    """Of small floats: no other number is nearer to a weight divided by its scale, but for what the type rounds."""
    scale = worth(compressed.scale).astype(np.float64)
    step = to_each_block(scale)
    exact = split(weights.astype(np.float64), scale.shape) / np.where(step == 0, 1, step)
    best = decode(encode(exact.astype(np.float32), compressed.format), compressed.format)
    further = np.abs(exact - split(compressed.numbers, scale.shape)) - np.abs(exact - best)
    wrong = (further > 2 * float(np.finfo(weights.dtype).eps) * np.abs(exact)) & (step != 0)
    wrong = wrong.reshape(weights.shape)
    return some(wrong, f"do not have the nearest number of {compressed.format}") if wrong.any() else ""


def _ends(compressed):
    """The lowest and the highest code in use: one that is symmetric gives up one of its ends."""
    low = -(2 ** (compressed.bits - 1)) if compressed.signed else 0
    high = low + 2**compressed.bits - 1
    around = _is_symmetric(compressed)
    return low + (around and compressed.signed), high - (around and not compressed.signed)


def _is_symmetric(quantized):
    """Whether codes lie around 0, as far as the zero points tell."""
    zeros = quantized.zero_points
    if zeros is None:
        return quantized.signed
    return bool((zeros == (0 if quantized.signed else (2**quantized.bits - 2) // 2)).all())


def _out_of_reach(step, codes, exact, dtype):
    """Where one code more would decompress to infinity."""
    with np.errstate(over="ignore"):
        return (np.abs(codes + np.sign(exact)) * np.abs(step)) > np.finfo(dtype).max


def _nearest(weights, compressed, dense, kept):
    """Of a palette: no entry is nearer, but for what the type rounds, and a quantized table."""
    tables, scale, room = _tables(compressed)
    counts, length = tables.shape[:-2], tables.shape[-1]
    if scale is not None:
        with np.errstate(all="ignore"):
            weights = np.where(scale == 0, 0, weights / scale)
            dense = np.where(scale == 0, 0, dense / scale)
    ours = _in_tables(weights, counts, length, compressed.axis)
    theirs = _in_tables(dense, counts, length, compressed.axis)
    held = None if kept is None else _in_tables(kept, counts, length, compressed.axis)[..., 0]
    rounding = 2 * float(np.finfo(weights.dtype).eps)
    worst, count = 0.0, 0
    for number, table in enumerate(tables.reshape(-1, *tables.shape[-2:]).astype(np.float64)):
        rows = slice(None) if held is None else held[number]
        given, got = ours[number][rows].astype(np.float64), theirs[number][rows].astype(np.float64)
        # Evenly spaced entries are found by counting steps in the weights' own type.
        allowed = rounding * (np.abs(table).max() + np.ptp(table)) + room
        for start in range(0, len(given), _SLAB):
            slab = slice(start, start + _SLAB)
            best = _distance_to(table, given[slab])
            away = np.sqrt(np.square(given[slab] - got[slab]).sum(1))
            further = away - best
            count += int(np.count_nonzero(further > allowed))
            worst = max(worst, float(further.max(initial=0)))
    if not count:
        return ""
    vectors = "vectors" if length > 1 else "weights"
    return (
        f"{count:,} of {weights.size // length:,} {vectors} do not have the nearest entry of their table; one is "
        f"further away by {worst:.3g}"
    )


def _tables(compressed):
    """The tables in the shape of `lut`, what multiplies their entries, and how far quantization moved an entry."""
    lut = compressed.lut
    if not isinstance(lut, Compressed):
        return lut, compressed.scale, 0.0
    if _scaled_floats(lut):
        return dense_of(lut), compressed.scale, 0.0
    step = dense_of(lut.scale) if isinstance(lut, Quantized) else np.zeros(1)
    return dense_of(lut), compressed.scale, float(np.abs(step).max()) * math.sqrt(lut.shape[-1])


def _scaled_floats(lut):
    """Whether a table is one of floats, repeated for the channels that scale it: how iOS 18 scales a palette."""
    return isinstance(lut, Quantized) and isinstance(lut.codes, Elements) and "float" in lut.codes.kind


def _in_tables(array, counts, length, axis):
    """An array as (tables, vectors of a table, length of a vector)."""
    rank = array.ndim
    axis %= rank
    split = []
    for place, (size, tables) in enumerate(zip(array.shape, counts)):
        vectors = size // length if place == axis else size
        split += [tables, vectors // tables, length if place == axis else 1]
    array = array.reshape(split)
    order = [3 * n for n in range(rank)] + [3 * n + 1 for n in range(rank)] + [3 * n + 2 for n in range(rank)]
    return array.transpose(order).reshape(math.prod(counts), -1, length)


def _distance_to(table, vectors):
    """How far each vector is from the nearest entry."""
    if table.shape[1] == 1:
        entries, values = np.unique(table), vectors[:, 0]
        above = np.clip(np.searchsorted(entries, values), 0, entries.size - 1)
        below = np.maximum(above - 1, 0)
        return np.minimum(np.abs(entries[above] - values), np.abs(entries[below] - values))
    best = np.full(len(vectors), np.inf)
    for entry in table:
        np.minimum(best, np.square(vectors - entry).sum(1), out=best)
    return np.sqrt(best)


# --- the scales and tables that the weights ask for ---


def _derived(weights, compressed, dense, kept, always_chance):
    """Compare with what toykit's own techniques make of the original."""
    source = weights if kept is None else np.where(kept, weights, weights.dtype.type(0))
    everywhere = np.ones(weights.shape, bool) if kept is None else kept
    count, closest, chance = int(np.count_nonzero(everywhere)), None, False
    for technique, options in settings_of(compressed):
        try:
            ours = _apply(source, compressed, technique, options)
        except ValueError:
            continue  # the weights cannot take these options
        ours = ours if kept is None else np.where(kept, ours, ours.dtype.type(0))
        clustered = technique == "palettize" and options["mode"] == "kmeans"
        by_chance = (always_chance and clustered) or not deterministic(weights, technique, options)
        if np.array_equal(ours, dense):
            return Judgement("exact", "", *[count * by_chance] * 2)
        if not by_chance and kept is None and tied(source, ours, dense, technique, options):
            return Judgement("exact")
        chance |= by_chance
        if closest is None or _loss(ours, weights) < _loss(closest, weights):
            closest = ours
    if closest is None:
        return Judgement("wrong", f"toykit does not make this form ({compressed.form}){_GIVEN}")
    alike = int(np.count_nonzero((closest == dense) & everywhere))
    if not chance:
        what = "table" if isinstance(compressed, Palettized) else "scale"
        problem = (
            f"{count - alike:,} of {count:,} weights are not those of the {what} that the original asks for"
        )
        return Judgement("wrong", problem + _GIVEN)
    if not about_as_good(weights, closest, dense):
        more = 10 * math.log10(_loss(dense, weights) / max(_loss(closest, weights), 1e-300))
        return Judgement("wrong", f"the error of its table is {more:.0f} dB above that of toykit's{_GIVEN}")
    return Judgement("near", "", alike, count)


_GIVEN = (
    "; if scales or tables were chosen in another way, take them as they are: --given-tables, tables='given'"
)


def written_by_toykit(judgements):
    """Whether tables that chance may find are toykit's own in many weights: then they should be in all."""
    return sum(one.alike for one in judgements) >= _MOSTLY * sum(one.count for one in judgements)


def _loss(ours, weights):
    return float(np.square(ours.astype(np.float64) - weights).sum())


def about_as_good(weights, ours, theirs):
    """Whether the squared error of a table that chance found is about that of toykit's."""
    dense = np.asarray(weights, np.float64)
    least = dense.size * (np.abs(dense).max() * float(np.finfo(weights.dtype).eps)) ** 2
    return _loss(theirs, weights) <= WORSE * _loss(ours, weights) + least


def tied(weights, ours, theirs, technique, options):
    """Whether both are weights of a best table: k-means may have several.

    Where weights lie a few steps of float16 apart, two ways to share them among the entries often have the same
    squared error: ResNet-50 has such weights at 8 bits. It is compared as it is before the entries, which are the
    means of their weights, are rounded to float16. Only without a scale, which weighs the errors.
    """
    scalar = technique == "palettize" and options["mode"] == "kmeans" and options["cluster_dim"] == 1
    given = [options.get(name) is not None for name in ("lut", "table")]
    if not scalar or any(given) or options["per_channel_scale"]:
        return False
    mine, _ = _around_means(weights, ours, options)
    other, is_rounded = _around_means(weights, theirs, options)
    return is_rounded and other <= mine * (1 + _TIE)


def _around_means(weights, dense, options):
    """The squared error of a palette before its entries are rounded, and whether they are the means, rounded."""
    channels = weights.shape[options["axis"]]
    tables = channels // (options["group_size"] or channels)
    loss, is_rounded = 0.0, True
    for rows, its in zip(
        *(np.split(array, tables, options["axis"]) for array in (weights, dense)), strict=True
    ):
        given = rows.ravel().astype(np.float64)
        entries, codes = np.unique(its.ravel(), return_inverse=True)
        means = np.bincount(codes, given) / np.bincount(codes)
        loss += float(np.square(given - means[codes]).sum())
        steps = np.spacing(np.abs(entries)).astype(np.float64)
        is_rounded &= bool((np.abs(entries - means) <= (0.5 + _TIE) * steps).all())
    return loss, is_rounded


def deterministic(weights, technique, options):
    """Whether coremltools gives the same arrays every time, on every computer."""
    if technique == "prune":
        return options["n_m"] is None  # which of two equal weights goes, it leaves to an unstable sort
    if technique == "palettize" and options["mode"] == "kmeans" and options.get("lut") is None:
        group = options["group_size"] or weights.shape[options["axis"]]
        a_table = math.prod(weights.shape) * group // weights.shape[options["axis"]]
        return options["cluster_dim"] == 1 and str(weights.dtype) == "float16" and a_table >= EXACT_KMEANS
    return True


def settings_of(compressed):
    """The settings that may have made a form, pruning aside: list of (technique, options).

    Options of a quantized table are in "table".
    """
    if isinstance(compressed, Quantized | SmallFloats):
        if any(isinstance(part, Compressed) for part in vars(compressed).values()):
            return []
        lengths = tuple(
            size // scales if scales > 1 else 0
            for size, scales in zip(compressed.shape, compressed.scale.shape)
        )
        one = {"granularity": "per_tensor", "block_size": None}
        shared = {"granularity": "per_block", "block_size": lengths} if any(lengths) else one
        floats = isinstance(compressed, SmallFloats)
        return [("quantize", chosen | shared) for chosen in (_floats if floats else _linear)(compressed)]
    if not isinstance(compressed, Palettized):
        return []
    found = _palette(compressed)
    if found is None:
        return []
    tables = [None]
    if isinstance(compressed.lut, Compressed) and not _scaled_floats(compressed.lut):
        lut = compressed.lut
        if not isinstance(lut, Quantized) or isinstance(lut.codes, Compressed):
            return []
        tables = [chosen | {"granularity": "per_tensor"} for chosen in _linear(lut)]
    return [
        ("palettize", found | {"mode": mode, "table": table})
        for mode in ("uniform", "kmeans", "unique")
        for table in tables
    ]


def _floats(compressed):
    """Format and scales of small floats."""
    exponents = compressed.scale.dtype == np.uint8
    return [{"format": compressed.format, "scale_format": "e8m0" if exponents else "float"}]


def _linear(quantized):
    """Bits, mode and sign of linear codes; where zero points leave it open, both modes."""
    chosen = {"bits": quantized.bits, "signed": quantized.signed}
    modes = ["symmetric"] * (_is_symmetric(quantized) and quantized.bits > 1) + ["affine"]
    return [chosen | {"mode": mode} for mode in modes]


def _palette(compressed):
    """Groups, vectors and scales of a palette as options; None if no options give such."""
    lut, scale, axis = compressed.lut, compressed.scale, compressed.axis % len(compressed.shape)
    counts = lut.shape[:-2]
    if _scaled_floats(lut):
        tables, scale = lut.codes.dense(), dense_of(lut.scale)
        scale = scale.reshape(scale.shape[:-2])
        alike = [bool((tables == tables.take([0], place)).all()) for place in range(len(counts))]
        counts = tuple(1 if same else size for same, size in zip(alike, counts))
    grouped = [place for place, tables in enumerate(counts) if tables > 1]
    per_channel_scale = False
    if scale is not None:
        wide = [place for place, size in enumerate(scale.shape) if size > 1]
        across = [place for place, size in enumerate(scale.shape) if size != compressed.shape[place]]
        if len(wide) == 1 and compressed.cluster_dim == 1:
            per_channel_scale, axis = True, grouped[0] if grouped else wide[0]
        elif len(across) == 1 and len(wide) > 1:
            per_channel_scale, axis = "across", across[0]
        else:
            per_channel_scale = True if wide == [axis] or not wide else "across"
    if grouped not in ([], [axis]):
        return None
    group = compressed.shape[axis] // counts[axis] if grouped else None
    return {
        "bits": compressed.bits,
        "axis": axis,
        "group_size": group,
        "cluster_dim": compressed.cluster_dim,
        "per_channel_scale": per_channel_scale,
    }


def _apply(source, compressed, technique, options):
    """The weights that run after a technique."""
    options = dict(options)
    if technique == "quantize":
        return quantize(source, **options).dense()
    table = options.pop("table")
    if options["mode"] == "unique":
        options["bits"] = None
    made = palettize(source, **options)
    if made.bits != compressed.bits:
        raise ValueError("another number of bits")
    return (made if table is None else quantize(made, **table)).dense()
