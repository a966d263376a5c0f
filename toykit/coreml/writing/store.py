"""The arrays of a weight file: where each lies, and which are stored once.

Every array gets the next place, or that of an equal one. Which are stored once is coremltools' rule: arrays of
100 elements or more, and whatever an operation is given if another one is given the same. But where coremltools
takes constants for equal that differ by up to 6e-8, here they must be equal to the bit. A store that has no file
counts: it gives the same places without the arrays.

Not here: which arrays there are (`toykit.coreml.writing.rewriting`), and reading them
(`toykit.coreml.format.weightbin`).
"""

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...stored.arrays import Prefix
from ...stored.parts import Part
from ..format import weightbin
from ..format.program import Type, Value
from ..format.weightbin import Blob
from . import forms

_CODES = {name: code for code, name in weightbin.STORED.items()}


class Store:
    """A weight file, written or only counted.

    Parameters
    ----------
    name : str
        By which the program refers to it.
    file : binary file, optional
        Without one, nothing is written.

    Attributes
    ----------
    end : int
        Bytes so far.
    blobs : dict of int to Blob
        By the places of their records; they cannot be read.
    path : Path
    digests : dict of int to bytes
        Of what was written.
    together : bool
        Whether equal arrays of all blocks are stored once, as where several functions share weights; else
        those of each block, which is coremltools' rule.
    """

    def __init__(self, name, file=None):
        self.together = False
        self.name, self.path = name, Path(name)
        self._file: Any = file
        self.end, self.blobs, self.digests = weightbin.ALIGNMENT, {}, {}
        self._arrays, self._operations, self._results, self._moved = {}, {}, {}, {}

    @property
    def writes(self):
        return self._file is not None

    def move(self, scope, blob, shape):
        """The new place of an array of the source, which keeps what it shared there."""
        key = blob.path, blob.offset
        if key not in self._moved:
            self._moved[key] = self.place(scope, Part(blob.dtype, shape, blob.packed))
        return self._moved[key]

    def place(self, scope, part):
        """The place of an array: that of an equal one of the same block, or the next."""
        offset = self._equal(scope, part)
        return self.blobs[self._append(scope, part) if offset is None else offset]

    def values(self, scope, op, outputs, given):
        """What an operation is given: arrays are placed, names stay.

        Equal arrays of 100 elements or more are stored once, and so is everything that an operation is
        given if another one of the same kind is given the same.
        """
        small = [value for value in given.values() if isinstance(value, Part) and not _shared(value)]
        places = {name: self._equal(scope, part) for name, part in given.items() if _shared(part)}
        if None not in places.values():
            for others, values, results in self._operations.get(self._key(scope, op, given, places), ()):
                if all(map(_equal, small, others)):
                    same = zip(outputs, results, strict=True)
                    self._results |= {
                        (scope, name): self._results.get(result, result) for name, result in same
                    }
                    # Names of results belong to a block, places of arrays to all.
                    return values | {name: value for name, value in given.items() if isinstance(value, str)}
        values: dict[str, Any] = {name: self._value(scope, value) for name, value in given.items()}
        places = {name: values[name].blob.offset for name in places}
        known = [self._light(part) for part in small], values, [(scope, name) for name in outputs]
        self._operations.setdefault(self._key(scope, op, given, places), []).append(known)
        return values

    def same(self, scope, outputs):
        """The results of an earlier operation of a block that was given the same; None if there is none."""
        results = [self._results.get((scope, name), (None, name)) for name in outputs]
        return [name for _, name in results] if all(block == scope for block, _ in results) else None

    def _key(self, scope, op, given, places):
        """What operations that are given the same have in common, up to their small arrays."""

        def word(name, value):
            if name in places:
                return places[name]
            if isinstance(value, Part):
                return value.dtype, value.shape
            return self._results.get((scope, value), (scope, value))

        return self._reach(scope), op, *(word(name, value) for name, value in given.items())

    def _reach(self, scope):
        return None if self.together else scope

    def _value(self, scope, value):
        if isinstance(value, str):
            return value
        kind = Type("tensor", value.dtype, value.shape)
        if value.count >= forms.IN_PROGRAM:
            return Value(kind, blob=self.place(scope, value))
        # Elements that are not known are zeros here: they weigh the same.
        packed = np.frombuffer(bytes(value.nbytes) if value.content is None else value.content, np.uint8)
        return Value(kind, immediate=weightbin.elements(packed, value.dtype, value.count))

    def _equal(self, scope, part):
        """The place of an equal array that is stored already, or None."""
        if not _shared(part):
            return None
        for other, offset in self._arrays.get((self._reach(scope), part.dtype, part.shape), ()):
            if _equal(part, other):
                return offset
        return None

    def _append(self, scope, part):
        offset = weightbin.aligned(self.end)
        start, self.end = offset + weightbin.ALIGNMENT, offset + weightbin.ALIGNMENT + part.nbytes
        self.blobs[offset] = Blob(offset, part.dtype, part.count, part.nbytes, start, self)
        if self.writes:
            content = np.ascontiguousarray(part.content).data.cast("B")
            unused = 8 * part.nbytes - part.count * weightbin.BITS[part.dtype]
            record = struct.pack("<IIQQQ", weightbin.SENTINEL, _CODES[part.dtype], part.nbytes, start, unused)
            self._file.seek(offset)
            self._file.write(record.ljust(weightbin.ALIGNMENT, b"\0"))
            self._file.write(content)
            self.digests[offset] = part.digest()
        if _shared(part):
            key = self._reach(scope), part.dtype, part.shape
            self._arrays.setdefault(key, []).append((self._light(part), offset))
        return offset

    def known(self, parts):
        """The parts of a weight without the long ones' contents, for who writes them a second time."""
        long = ("codes", "indices", "values", "mask")
        return {
            name: self._light(part) if name in long and _shared(part) else part
            for name, part in parts.items()
        }

    def _light(self, part):
        """The part without its content, if that was made and not found."""
        if not self.writes:
            return part
        return replace(part, content=None, origin=_Known(_sketch(part), part.digest()))

    def close(self):
        """Write the header."""
        self._file.seek(0)
        self._file.write(struct.pack("<II", len(self.blobs), 2).ljust(weightbin.ALIGNMENT, b"\0"))


@dataclass
class _Known:
    """What is left of an array that was written: enough to know an equal one."""

    sketch: Prefix
    known: bytes

    def digest(self):
        return self.known


def _sketch(part):
    if part.content is None:
        return part.origin.sketch
    beginning = bytes(memoryview(part.content).cast("B")[:64])
    return Prefix(lambda: beginning)


def _shared(value):
    return isinstance(value, Part) and value.count >= forms.STORED_ONCE


def _equal(part, other):
    if part.origin is not None and part.origin is other.origin:  # given to two operations
        return True
    ours, theirs = _sketch(part), _sketch(other)
    if ours is not None and theirs is not None and (ours.differs(theirs) or theirs.differs(ours)):
        return False
    return part.digest() == other.digest()
