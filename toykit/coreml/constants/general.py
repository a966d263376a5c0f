"""What Core ML stores beside `Sparse`, `Quantized` and `Palettized`: stages between these, and a cast.

`toykit.prune`, `quantize` and `palettize` store what coremltools stores. The operators that decompress
can be put together in more ways; `toykit.coreml.constants.reading` says these with the same three
classes, whose parts can be compressed themselves, and with the few here.
"""

from dataclasses import dataclass

import numpy as np

from ... import bits as packing
from ...compressed import Compressed, Part, dense_of
from ..format.weightbin import BITS


@dataclass(frozen=True, eq=False, repr=False)
class Cast(Compressed):
    """float16 elements that run as float32: `constexpr_cast`."""

    values: Part
    shape: tuple[int, ...]

    @property
    def dtype(self):
        return np.dtype(np.float32)

    def dense(self):
        return dense_of(self.values).astype(np.float32)

    def _summary(self):
        return "float16 that runs as float32"


@dataclass(frozen=True, eq=False, repr=False)
class Elements(Compressed):
    """An array of a type or shape that toykit would not store in its place.

    Such are whole numbers that no scale multiplies, floats that one does, a zero point of another type
    than the codes, and one number for all channels where others have one for each.

    Attributes
    ----------
    elements : array
        Packed if of fewer than 8 bits.
    shape : tuple of int
        Of the array, or what the array is repeated to.
    kind : str
        Core ML's name of the type, such as "uint4".
    """

    elements: np.ndarray
    shape: tuple[int, ...]
    kind: str

    @property
    def dtype(self):
        packed_signed = BITS[self.kind] < 8 and self.kind.startswith("int")
        return np.dtype(np.int8) if packed_signed else self.elements.dtype

    @property
    def parts(self):
        return {"": self.elements}  # known by the name of what it is a part of

    def dense(self):
        bits, signed = BITS[self.kind], self.kind.startswith("int")
        if bits >= 8:
            return np.broadcast_to(self.elements, self.shape)
        return packing.unpack(self.elements, bits, self.size, signed).reshape(self.shape)

    def _summary(self):
        return self.kind


@dataclass(frozen=True, eq=False, repr=False)
class Survivors(Compressed):
    """What a pruned weight keeps, in a row: between an operator for sparse weights and the next one.

    Attributes
    ----------
    whole : Compressed
        The pruned weight, whose parts are the parts.
    kept : bool array
        Of the shape of `whole`.
    shape : tuple of int
    """

    whole: Compressed
    kept: np.ndarray
    shape: tuple[int, ...]

    @property
    def dtype(self):
        return self.whole.dtype

    @property
    def parts(self):
        return self.whole.parts

    def dense(self):
        return self.whole.dense()[self.kept]

    def _summary(self):
        return f"what is left of {self.whole!r}"
