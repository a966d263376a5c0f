"""The arrays of a compressed weight, and whether those of two weights can be equal.

`toykit.stored` says which arrays a weight becomes. Here they are made, by the techniques themselves.

Core ML stores equal arrays once, so who computes a size must know which are equal; and to compress a
network only to find that no two arrays are equal would take minutes. Most weights are told apart by a
glance (`Sketch`): the codes of numbers are in the order of the numbers, the scales of a few channels are
quickly made. Only where the glance leaves it open are the arrays made and compared.

Tables of k-means, and codes of its vectors, have no such order. There weights with other extremes are
taken to have other tables, unless they have so few distinct values that the table may hold them all.
"""

from functools import cache, cached_property

import numpy as np

from ..palettization import palettize
from ..pruning import above, prune
from ..quantization import quantize
from ..settings import OPTIONS
from .parts import digest

_TECHNIQUES = {"prune": prune, "quantize": quantize, "palettize": palettize}
_SAMPLE = 256  # elements that a glance takes in
_ROWS = 4  # channels whose scales a glance computes


def compress(weight, applied):
    """A weight after some techniques, as the techniques themselves return it.

    Parameters
    ----------
    weight : toykit.stored.parts.Weight
        With values.
    applied : sequence of (technique, options)
        As `toykit.stored.predict` found that they can be applied.

    Returns
    -------
    Compressed
    """
    result = weight.values()
    for technique, options in applied:
        result = _TECHNIQUES[technique](result, **{name: options[name] for name in OPTIONS[technique]})
    return result


def arrays_of(compressed):
    """The stored arrays by the names that `toykit.stored` uses: name -> array."""
    return {"lut" if name == "lut_codes" else name: array for name, array in compressed.parts.items()}


class Arrays:
    """The arrays of one weight, made when somebody asks."""

    def __init__(self, weight, applied):
        self.weight, self.applied = weight, applied

    def make(self):
        """Name -> array; not kept."""
        return arrays_of(compress(self.weight, self.applied))

    @cached_property
    def digests(self):
        return {name: digest(np.ascontiguousarray(array)) for name, array in self.make().items()}


class Origin:
    """Where a part comes from, for parts whose contents are not made.

    Attributes
    ----------
    sketch : Sketch or None
    """

    def __init__(self, arrays, name, sketch):
        self._arrays, self._name, self.sketch = arrays, name, sketch

    def digest(self):
        return self._arrays.digests[self._name]


class Sketch:
    """What a glance at an array shows. `differs` is true only if the arrays are not equal."""

    def __init__(self, look):
        self.look = look

    @cached_property
    def seen(self):
        return self.look()

    def differs(self, other):
        raise NotImplementedError


class Prefix(Sketch):
    """The first bytes of an array."""

    def differs(self, other):
        if type(other) is not type(self):
            return False
        both = min(len(self.seen), len(other.seen))
        return self.seen[:both] != other.seen[:both]


class FirstChannels(Prefix):
    """What the first channels of a weight become."""


class Levels(Sketch):
    """The numbers behind codes that are in the order of the numbers: seen are the numbers and their ends.

    If the codes of two arrays are equal, then a border between two codes has the same elements below it
    in both, and all that are below are smaller. Of some elements, no border may be left.
    """

    def differs(self, other):
        if type(other) is not Levels or self.seen[0].size != other.seen[0].size:
            return False
        (ours, our_ends), (theirs, their_ends) = self.seen, other.seen
        if not (_wide(ours, our_ends) or _wide(theirs, their_ends)):
            return False
        places = np.linspace(0, ours.size - 1, _SAMPLE).astype(np.int64)
        places = np.concatenate([our_ends, their_ends, places])
        # In float32: NumPy 2.4's sort of float16 leaves some out of order on processors with AVX-512.
        ours, theirs = ours[places].astype(np.float32), theirs[places].astype(np.float32)
        order = np.argsort(ours, kind="stable")
        ours, theirs = ours[order], theirs[order]
        below = np.maximum.accumulate(theirs)[:-1]
        above = np.minimum.accumulate(theirs[::-1])[::-1][1:]
        return not np.any((ours[:-1] < ours[1:]) & (below < above))


class Extremes(Sketch):
    """The smallest and the largest of the numbers behind a table; None if the table may hold them all."""

    def differs(self, other):
        if type(other) is not Extremes or self.seen is None or other.seen is None:
            return False
        return self.seen != other.seen


class Proportions(Extremes):
    """The same for a quantized table, which does not depend on the numbers' size."""

    def differs(self, other):
        if type(other) is not Proportions or self.seen is None or other.seen is None:
            return False
        (a, b), (c, d) = self.seen, other.seen
        return abs(float(a) * float(d) - float(b) * float(c)) > 1e-3 * abs(float(b) * float(d))


def _wide(numbers, ends):
    """Whether the smallest and the largest number surely have different codes."""
    low, high = (float(numbers[place]) for place in ends)
    return high - low > 0.5 * max(abs(low), abs(high))


def levels(numbers):
    """A sketch of codes that one table or scale makes of numbers."""

    def look():
        found = np.asarray(numbers()).ravel()
        return found, ends_of(found)

    return Levels(look)


def extremes_of(numbers):
    """The smallest and the largest of numbers in a row."""
    low, high = ends_of(numbers)
    return numbers[low], numbers[high]


def ends_of(numbers):
    """Places of the smallest and the largest number."""
    if numbers.dtype == np.float16:  # whole numbers are quicker to compare: their order is that of one sign
        bits = numbers.view(np.uint16)
        ends = np.array([bits.argmax(), bits.view(np.int16).argmax()])
        if numbers[ends[0]] < 0 < numbers[ends[1]]:
            return ends
    return np.array([numbers.argmin(), numbers.argmax()])


def extremes(numbers, entries, known=None):
    """A sketch of a table of so many entries that k-means makes of numbers.

    `known` may tell their ends, and how many distinct ones there are, without them.
    """

    def look():
        ends = known() if known else None
        if ends is not None:
            return ends[:2] if ends[2] > entries else None
        found = np.asarray(numbers()).ravel()
        first = found[: 16 * entries].astype(np.float32)
        return extremes_of(found) if np.unique(first).size > entries else None

    return Extremes(look)


def first_survivors(weight, cut):
    """Sketches of what pruning leaves above a magnitude, and of the mask: those of the first weights."""

    @cache
    def look():
        first = np.asarray(weight.values()).flat[: 8 * _SAMPLE].astype(weight.dtype)  # in native byte order
        kept = above(np.abs(first), cut)
        return {"values": first[kept].tobytes(), "mask": np.packbits(kept, bitorder="little").tobytes()}

    return {name: Prefix(lambda name=name: look()[name]) for name in ("values", "mask")}


def first_scales(weight, options, pruned):
    """Sketches of codes, scale and zero point: what the first channels become.

    The first axis that is cut into blocks is cut short; blocks do not depend on each other.
    """
    blocks = options["block_size"]
    axis = next(
        i for i, (size, block) in enumerate(zip(weight.shape, blocks, strict=True)) if 0 < block < size
    )
    few = range(min(_ROWS * blocks[axis], weight.shape[axis]))

    def look():
        part = np.asarray(weight.values()).take(few, axis)
        chosen = {name: options[name] for name in ("bits", "mode", "signed", "format", "scale_format")}
        return part, quantize(part, granularity="per_block", block_size=blocks, **chosen)

    def codes():
        part, quantized = whole.seen
        return (quantized.integers[part != 0] if pruned else quantized.codes).tobytes()

    whole = Sketch(look)
    sketches = {
        "scale": FirstChannels(lambda: whole.seen[1].scale.tobytes()),
        "zero_point": FirstChannels(lambda: whole.seen[1].zero_point.tobytes()),
    }
    # Which of the survivors are those of the first channels is only known where these come first.
    return sketches | ({} if pruned and axis else {"codes": FirstChannels(codes)})


def first_largest(weight, axis):
    """A sketch of the scales across an axis."""

    def look():
        rows = np.moveaxis(np.asarray(weight.values()), axis, 0)
        return np.abs(rows.reshape(rows.shape[0], -1)[:, :16]).max(axis=0).tobytes()

    return Prefix(look)
