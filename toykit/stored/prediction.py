"""What a compressed weight is made of, before it is compressed.

From the shape of a weight and the options of a technique follow the arrays that will be stored: how
many codes of how many bits, how many scales, how large a table. Only three things depend on the
weights' values: how many are left after pruning, how many bits "unique" needs, and whether two
weights happen to have equal arrays. With the values these are counted; with shapes alone the first is
estimated, as if no two weights were equal.

`predict` says what becomes of a weight, `fill` makes the arrays. The names of the arrays are those of
`Compressed.parts`. Not here: how a technique makes them (`toykit.stored.arrays` calls the techniques).
"""

import math
from dataclasses import replace
from functools import cache, partial

import numpy as np

from ..kmeans.tables import evenly_spaced, own_table
from ..palettization import as_vectors
from ..pruning import cut_off, prune
from ..quantization import quantize
from ..settings import INDEX_BITS, OPTIONS, Declined, code_type, fit, scale_shape
from . import arrays
from .parts import Part, Stored

_RANK = 5  # Core ML's tensors have no more axes


def predict(weight, steps, smallest=0, widths=INDEX_BITS):
    """How a weight will be stored.

    Parameters
    ----------
    weight : Weight
    steps : list of (technique, options)
        From `toykit.settings.steps`.
    smallest : int
        In a package, elements that an array needs in order to be compressed a second time: with fewer than 10
        it lies in the program, not in the weight file. Vectors are there at least as many as entries of a table.
    widths : sequence of int
        Bits that an index may have.

    Returns
    -------
    Stored

    Raises
    ------
    ValueError
        If an option needs the weights' values and they are unknown.

    Examples
    --------
    >>> from toykit.settings import steps
    >>> from toykit.stored.parts import Weight
    >>> stored = predict(Weight((64, 32, 3, 3), "float16"), steps("quantize", {"bits": 8}))
    >>> {name: (part.dtype, part.shape) for name, part in stored.parts.items()}
    {'codes': ('int8', (64, 32, 3, 3)), 'scale': ('float16', (64, 1, 1, 1))}
    """
    stored, original = Stored(), weight
    for technique, options in steps:
        try:
            _check(original, options)
            options = fit(technique, options, weight.shape, weight.output_axis, weight.input_axis)
            if technique == "prune":
                weight, stored = _prune(weight, options, stored)
            elif technique == "quantize":
                stored = _quantize(weight, options, stored, smallest)
            else:
                stored = _palettize(weight, options, stored, smallest, widths)
        except Declined as reason:
            stored = replace(stored, declined=(*stored.declined, f"{technique}: {reason}"))
    if original.values is None:
        return stored
    made = arrays.Arrays(original, stored.applied)
    parts = {
        name: replace(part, origin=arrays.Origin(made, name, stored.sketches.get(name)))
        for name, part in stored.parts.items()
    }
    return replace(stored, parts=parts)


def fill(weight, stored):
    """The same with the contents of all arrays.

    Parameters
    ----------
    weight : Weight
        With values.
    stored : Stored
        As `predict` returned it for this weight.

    Returns
    -------
    Stored
    """
    made = arrays.arrays_of(arrays.compress(weight, stored.applied))
    parts = {}
    for name, part in stored.parts.items():
        content = np.ascontiguousarray(made.pop(name))
        assert content.nbytes == part.nbytes, (
            f"{name} was predicted as {part}, and has {content.nbytes} bytes"
        )
        parts[name] = replace(part, content=content, origin=None)
    assert not made, f"{', '.join(made)} was not predicted"
    return replace(stored, parts=parts)


def _check(weight, options):
    """What every technique asks of a weight."""
    if weight.size <= options["weight_threshold"]:
        raise Declined(f"{weight.size:,} elements are not more than {options['weight_threshold']:,}")
    if len(weight.shape) < 2:
        raise Declined("a vector is not compressed")
    if len(weight.shape) > _RANK:
        raise Declined(f"{len(weight.shape)} axes are more than Core ML's {_RANK}")
    if weight.values is not None and not weight.finite:
        raise Declined("not all of its values are finite")
    if options.get("dim") is not None and not weight.structured:
        raise Declined("blocks and n:m are for convolutions and linear layers")


def _prune(weight, options, stored):
    left, sketches = weight, {}
    if weight.values is None:
        kept = _estimated_survivors(weight, options)
    else:
        pruned = cache(lambda: prune(weight.values(), **{name: options[name] for name in OPTIONS["prune"]}))
        if options["dim"] is None:  # each weight by itself
            cut = cut_off(weight.magnitudes, options["sparsity"], options["threshold"])
            kept, ends = weight.magnitudes.count_above(cut), partial(weight.magnitudes.ends_above, cut)
            sketches = arrays.first_survivors(weight, cut)
        else:
            kept, ends = pruned().values.size, None
            for name, array in pruned().parts.items():
                sketches[name] = arrays.Prefix(array[:100].tobytes)
        left = replace(weight, values=lambda: pruned().dense(), ends=ends)
    if options["threshold"] is not None and 1 - kept / weight.size < options["minimum_sparsity"]:
        raise Declined(f"{1 - kept / weight.size:.1%} would be zero, less than minimum_sparsity")
    parts = {"values": Part(weight.dtype, (kept,)), "mask": Part("uint1", weight.shape)}
    return left, Stored(parts, weight.values is not None, stored.declined, (("prune", options),), sketches)


def _estimated_survivors(weight, options):
    """Weights left if no two are equal and none is zero."""
    if options["threshold"] is not None:
        raise ValueError("threshold needs the weights' values; shapes alone are enough for sparsity and n_m")
    size = weight.size
    if options["n_m"] is not None:
        n, m = options["n_m"]
        length = weight.shape[options["dim"]]
        # The last group is filled up with zeros, which are the first to go.
        last = length % m
        zeroed = length // m * n + (max(0, n - (m - last)) if last else 0)
        return size // length * (length - zeroed)
    share = options["sparsity"]
    if share in (0, 1):
        return size if share == 0 else 0
    # The threshold lies at or above the weight of this rank, and everything up to it goes.
    zeroed = math.floor((size - 1) * share) + 1
    block = options["block_size"] or 1
    return max(0, size - math.ceil(zeroed / block) * block)


def _quantize(weight, options, stored, smallest):
    dtype = code_type(options)
    parts, sketches = dict(stored.parts), dict(stored.sketches)
    if "lut" in parts:  # quantize the table, with one scale
        lut = parts["lut"]
        if lut.count < smallest:
            raise Declined(f"a table of {lut.count} entries lies in the program")
        contents = {}
        if lut.content is not None:
            names = ("format", "scale_format") if options["format"] else ("bits", "mode", "signed")
            table = np.frombuffer(lut.content, lut.dtype).reshape(1, -1)
            quantized = quantize(table, granularity="per_tensor", **{name: options[name] for name in names})
            contents = {name: array.tobytes() for name, array in quantized.parts.items()}
        elif "lut" in sketches:
            sketches["lut"] = arrays.Proportions(sketches["lut"].look)
        one = (1,) * len(lut.shape)
        parts["lut"] = Part(dtype, lut.shape, contents.get("codes"))
        exponents = options["scale_format"] == "e8m0"
        parts["lut_scale"] = Part("e8m0" if exponents else lut.dtype, one, contents.get("scale"))
        if options["mode"] == "affine" or not options["signed"]:
            parts["lut_zero_point"] = Part(dtype, one, contents.get("zero_point"))
        applied = (*stored.applied, ("quantize", options))
        return replace(stored, parts=parts, applied=applied, sketches=sketches)
    scales = scale_shape(options, weight.shape)
    values = parts.pop("values", None)
    if values is not None and values.count < smallest:
        raise Declined(f"{values.count} weights that are left lie in the program")
    parts["codes"] = Part(dtype, weight.shape if values is None else values.shape)
    parts["scale"] = Part("e8m0" if options["scale_format"] == "e8m0" else weight.dtype, scales)
    if options["mode"] == "affine" or not options["signed"]:
        parts["zero_point"] = Part(dtype, scales)
    if weight.values is not None:
        if math.prod(scales) > 1:
            sketches |= arrays.first_scales(weight, options, pruned=values is not None)
        elif values is None:
            sketches["codes"] = arrays.levels(weight.values)
    applied = (*stored.applied, ("quantize", options))
    return replace(stored, parts=parts, applied=applied, sketches=sketches)


def _palettize(weight, options, stored, smallest, widths):
    axis, group, vector = (options[name] for name in ("axis", "group_size", "cluster_dim"))
    channels = weight.shape[axis]
    if axis == 0 and channels // weight.groups % vector:
        raise Declined(f"vectors of {vector} do not divide the channels of a group of the convolution")
    values, bits, groups = stored.parts.get("values"), options["bits"], channels // group
    if values is not None and values.count < smallest:
        raise Declined(f"{values.count} weights that are left lie in the program")
    vectors = weight.size // groups // vector
    own = options["lut"] is not None
    if smallest and vector > 1 and options["mode"] == "kmeans" and not own and vectors < 1 << bits:
        raise Declined(f"{vectors:,} vectors are fewer than the {1 << bits:,} entries of a table")

    tables, used, sketches = None, weight, dict(stored.sketches)
    if options["per_channel_scale"] and weight.values is not None:
        used = replace(weight, values=_scaled(weight, axis), ends=None)
        sketches["scale"] = arrays.first_largest(weight, axis)
    if own:
        tables = own_table(options["lut"], weight.dtype).tobytes() * groups
    elif options["mode"] == "unique":
        bits, tables = _unique(used, axis, groups, vector)
        if bits not in widths:
            raise Declined(f"its distinct values take {bits} bits, which this system does not know")
    elif options["mode"] == "uniform" and weight.values is not None:
        tables = _evenly_spaced(used, axis, groups, bits)
    one_for_each = [1] * len(weight.shape)
    one_for_each[axis] = groups
    lut = Part(weight.dtype, (*one_for_each, 1 << bits, vector), tables)
    if values is None:
        codes = list(weight.shape)
        codes[axis] //= vector
    else:
        codes = values.shape
    parts = {"indices": Part(f"uint{bits}", tuple(codes)), "lut": lut}
    if options["per_channel_scale"]:
        across = list(weight.shape)
        across[axis] = 1
        parts["scale"] = Part(weight.dtype, tuple(across))
    if values is not None:
        parts = {"mask": stored.parts["mask"], **parts}
    if weight.values is not None and not own:  # the codes of one's own table may be in any order
        sketches |= _sketches(used, axis, groups, bits, vector, values is not None)
    applied = (*stored.applied, ("palettize", options))
    return replace(stored, parts=parts, applied=applied, sketches=sketches)


def _sketches(weight, axis, groups, bits, vector, pruned):
    """What tells indices and tables apart: the numbers of the first group."""

    def numbers():
        values = weight.values()
        if groups > 1:
            values = np.swapaxes(values, 0, axis)[: weight.shape[axis] // groups]
        return values[values != 0] if pruned else values

    ends = arrays.extremes(numbers, 1 << bits, weight.ends if groups == vector == 1 else None)
    if vector > 1:
        return {"indices": ends, "lut": ends}
    if pruned and groups > 1:  # which survivors are those of the first group?
        return {"lut": ends}
    return {"indices": arrays.levels(numbers), "lut": ends}


def _scaled(weight, axis):
    """The weights divided by the largest magnitude across the channels, as the tables are made of them."""

    def values():
        dense = weight.values()
        scale = np.abs(dense).max(axis=axis, keepdims=True)
        return dense / np.where(scale == 0, np.ones_like(scale), scale)

    return values


def _evenly_spaced(weight, axis, groups, bits):
    """The tables of "uniform", as bytes."""
    vectors = as_vectors(weight.values(), axis, groups, 1)
    tables = [evenly_spaced(*arrays.extremes_of(values.ravel()), bits) for values in vectors]
    return np.asarray(tables).astype(weight.dtype).tobytes()


def _unique(weight, axis, groups, vector):
    """The fewest bits that count the distinct values of every group, and the tables of these values."""
    if weight.values is None:
        raise ValueError("mode='unique' needs the weights' values; it finds the bits by counting them")
    found = []
    for vectors in as_vectors(weight.values(), axis, groups, vector):
        # In float32: NumPy 2.4's sort of float16 leaves some out of order on processors with AVX-512.
        vectors = vectors.astype(np.float32)
        found.append(np.unique(vectors, axis=0) if vector > 1 else np.unique(vectors)[:, None])
    largest = max(map(len, found))
    bits = next((bits for bits in INDEX_BITS if largest <= 1 << bits), None)
    if bits is None:
        raise Declined(f"{largest:,} distinct values do not fit a table of 256")
    tables = np.zeros((len(found), 1 << bits, vector), weight.dtype)
    for table, entries in zip(tables, found, strict=True):
        table[: len(entries)] = entries
    return bits, tables.tobytes()
