"""The arguments of an operation that decompresses, read and checked.

iOS 16 and 17 keep them as attributes, with bits packed into plain bytes; iOS 18 as inputs, with element
types of a few bits. What a file says is checked here before memory is asked for: each part is as large
as its type and shape say (the reader of packages saw to that), and must fit the other parts.
"""

import math
from dataclasses import dataclass

import numpy as np

from ... import bits as packing
from ...compressed import Compressed
from ...pruning import unpack_mask
from ..format.program import Value
from ..format.protobuf import PackageError
from ..format.weightbin import BITS
from .general import Elements

FLOATS = ("float16", "float32")
INTEGERS = tuple(dtype for dtype in BITS if dtype.lstrip("u").startswith("int") and BITS[dtype] <= 8)
_MOST_DIMENSIONS = 8  # Core ML has 5, and tables 2 more
_MOST_STAGES = 6  # coremltools needs 3: a quantized table, its indices, a mask


@dataclass(frozen=True)
class Stored:
    """A part that is an array: packed where its elements have fewer than 8 bits, else in its shape."""

    array: np.ndarray
    dtype: str
    shape: tuple

    @property
    def count(self):
        return math.prod(self.shape)


class Parts:
    """The arguments of an operation, by name and checked."""

    def __init__(self, operation, lookup):
        self.operation, self.lookup = operation, lookup
        self.where = f"{operation.op} {operation.name!r}"
        # iOS 16 and 17 have attributes, iOS 18 inputs.
        self.old = not operation.inputs

    def error(self, problem):
        return PackageError(f"{self.where}: {problem}")

    def _found(self, name):
        if self.old:
            return self.operation.attributes.get(name)
        return next(iter(self.operation.inputs.get(name, [])), None)

    def __contains__(self, name):
        return self._found(name) is not None

    def get(self, name, kinds):
        """A part as Stored or Compressed, of one of the element types `kinds`."""
        found = self._found(name)
        if found is None:
            raise self.error(f"has no {name}")
        if isinstance(found, str):
            found = self.lookup(found)
        part = self._stored(name, found)
        if str(part.dtype) not in kinds:
            raise self.error(f"{name} is of {part.dtype}; known are {', '.join(kinds)}")
        if len(part.shape) > _MOST_DIMENSIONS:
            raise self.error(f"{name} has {len(part.shape)} dimensions; Core ML has 5")
        return part

    def stored(self, name, kinds):
        """A part that is not compressed itself."""
        part = self.get(name, kinds)
        if isinstance(part, Compressed):
            raise self.error(f"{name} is compressed itself, which Core ML does not know")
        return part

    def axis(self, name, rank):
        part = self.stored(name, ("int32",))
        if part.count != 1:
            raise self.error(f"{name} must be one number, and has {part.count}")
        axis = int(part.array.ravel()[0])
        if not -rank <= axis < rank:
            raise self.error(f"{name} is {axis}, and there are {rank} axes")
        return axis % rank

    def shape(self):
        """The attribute of iOS 16 that gives the shape of the weights."""
        sizes = self.stored("shape", ("uint32",))
        if len(sizes.shape) != 1 or not 0 < sizes.count <= _MOST_DIMENSIONS:
            raise self.error(f"shape is of shape {sizes.shape}")
        return tuple(map(int, sizes.array))

    def packed(self, name, bits, count):
        """The bytes of iOS 16 that hold `count` codes."""
        part = self.stored(name, ("uint8",))
        if len(part.shape) != 1 or part.count != -(-count * bits // 8):
            raise self.error(
                f"{count:,} codes of {bits} bits take {-(-count * bits // 8):,} bytes, and {name} has shape "
                f"{part.shape}"
            )
        return part.array

    def mask(self, name, shape=None):
        """A mask: its packed bits, and where they are set. iOS 16 keeps its shape apart from it."""
        if shape is None:
            part = self.stored(name, ("uint1",))
            packed, shape = part.array, part.shape
        else:
            packed = self.packed(name, 1, math.prod(shape))
        return packed, unpack_mask(packed, shape)

    def survivors(self, name, kinds, kept):
        """A part with one element for each that a mask keeps."""
        part = self.get(name, kinds)
        count = np.count_nonzero(kept)
        if part.shape != (count,):
            raise self.error(f"{name} has shape {part.shape}, and the mask keeps {count}")
        return part

    def _stored(self, name, found):
        if isinstance(found, Compressed):
            if _stages(found) >= _MOST_STAGES:
                raise self.error(f"{name} is the {_MOST_STAGES}th result in a row that is decompressed")
            return found
        if isinstance(found, Value):
            return self._of_value(name, found)
        if isinstance(found, np.ndarray):
            if found.dtype == bool:
                return Stored(np.packbits(found, bitorder="little"), "uint1", found.shape)
            return Stored(found, str(found.dtype), found.shape)
        raise self.error(f"{name} is no array")

    def _of_value(self, name, value):
        kind = value.type
        if kind.kind != "tensor" or kind.dtype not in BITS or kind.dtype == "string":
            raise self.error(f"{name} is {kind}, no array")
        if len(kind.shape) > _MOST_DIMENSIONS + 2:
            raise self.error(f"{name} has {len(kind.shape)} dimensions; Core ML has 5")
        if BITS[kind.dtype] >= 8:
            return Stored(value.numpy(), kind.dtype, kind.shape)
        if value.blob is not None:
            return Stored(value.blob.packed, kind.dtype, kind.shape)
        signed = kind.dtype.startswith("int")
        return Stored(packing.pack(value.immediate, BITS[kind.dtype], signed), kind.dtype, kind.shape)


def _stages(compressed):
    """How many operators decompress one after another."""
    if isinstance(compressed, Elements):
        return 0
    values = vars(compressed).values()
    return 1 + max((_stages(value) for value in values if isinstance(value, Compressed)), default=0)


def array_of(part, kinds, shape=None):
    """A part as the classes take it: an array of one of these types and of this shape, or something else."""
    shape = part.shape if shape is None else shape
    if isinstance(part, Compressed):
        return part
    if part.dtype in kinds and part.shape == shape:
        return part.array
    return Elements(part.array, shape, part.dtype)
