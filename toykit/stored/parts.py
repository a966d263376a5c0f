"""A weight, and the arrays that it is stored in: by their shapes alone, or with their contents.

The vocabulary of `toykit.stored`, which says what a weight becomes, and of those who ask it: the ledger of
arrays and modules, and the writer of Core ML packages.
"""

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..pruning import Magnitudes
from ..small_floats import FORMATS

BITS = (
    {"float16": 16, "bfloat16": 16, "float32": 32, "float64": 64}
    | {
        # Of files of others: weighed, not compressed.
        "float8_e4m3fn": 8,
        "float8_e5m2": 8,
        "bool": 8,
    }
    | {name: bits for name, (bits, *_) in FORMATS.items()}
    | {"e8m0": 8}
    | {f"{sign}int{bits}": bits for bits in (1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64) for sign in ("", "u")}
)


@dataclass(frozen=True)
class Part:
    """One stored array.

    Attributes
    ----------
    dtype : str
        Element type, such as "float16" or "uint4".
    shape : tuple of int
    content : bytes-like or None
        The elements as they are stored; None where the weight was not compressed.
    origin : object or None
        Where there is no content: `digest()` makes it after all, and `sketch` tells most arrays apart
        without. See `toykit.stored.Origin`.
    """

    dtype: str
    shape: tuple
    content: object = None
    origin: Any = field(default=None, compare=False, repr=False)

    def digest(self):
        """A number for the content: that of equal arrays is equal."""
        return self.origin.digest() if self.content is None else digest(self.content)

    def in_shape(self, shape, dtype=None):
        """The same bytes as an array of another shape and type."""
        return replace(self, shape=tuple(shape), dtype=dtype or self.dtype)

    @property
    def count(self):
        return math.prod(self.shape)

    @property
    def nbytes(self):
        """Bytes of the elements, the last byte filled up."""
        return -(-self.count * BITS[self.dtype] // 8)


def digest(content):
    """The same 16 bytes for equal contents, and for no others."""
    return hashlib.blake2b(memoryview(content).cast("B"), digest_size=16).digest()


@dataclass(frozen=True)
class Weight:
    """A weight that may be compressed.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
    values : callable () -> array, or None
        None where only the shape is known.
    output_axis, input_axis : int or None
        None where they differ between the operations that use the weight.
    groups : int
        Of a grouped convolution.
    structured : bool
        Whether blocks and n:m patterns can be pruned: Core ML does so in convolutions and linear layers.
    ends : callable () -> (smallest, largest, number of distinct values) or None
        Of what is left of a pruned weight, where that can be told without its values.
    """

    shape: tuple
    dtype: str
    values: Any = None
    output_axis: int | None = 0
    input_axis: int | None = 1
    groups: int = 1
    structured: bool = True
    ends: Any = None

    @property
    def size(self):
        return math.prod(self.shape)

    @cached_property
    def finite(self):
        """Whether all values are finite."""
        values = self.values()
        if values.dtype != np.float16:
            return bool(np.isfinite(values).all())
        # The exponents of infinities and NaNs are all ones: whole numbers are quicker to compare.
        exponents = values.view(np.uint16).ravel()
        pieces = range(0, exponents.size, 2**20)
        return all((exponents[start : start + 2**20] & 0x7FFF).max() < 0x7C00 for start in pieces)

    @cached_property
    def magnitudes(self):
        """The magnitudes of the values, for pruning."""
        return Magnitudes(self.values, self.size, self.values().dtype)  # of either byte order


@dataclass(frozen=True)
class Stored:
    """How a weight will be stored.

    Attributes
    ----------
    parts : dict of str to Part
        Empty where the weight stays as it is.
    exact : bool
        False where a number was estimated because the values are unknown.
    declined : tuple of str
        For each technique that leaves the weight as it is, why.
    applied : tuple of (technique, options)
        The others, with what the weight makes of the options: axis, blocks.
    sketches : dict of str to toykit.stored.arrays.Sketch
        By the names of parts whose contents are not made.
    """

    parts: dict = field(default_factory=dict)
    exact: bool = True
    declined: tuple = ()
    applied: tuple = ()
    sketches: dict = field(default_factory=dict)
