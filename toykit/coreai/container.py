"""main.mlirb: where a Core AI asset keeps its program and its large arrays, read with NumPy alone.

It is a file in MLIR's bytecode, a public format:

    header      "ML\\xefR", the version of the format, and who wrote it, up to a zero byte
    sections    number, length, where asked for an alignment with padding, and that many bytes, one after
                the other: texts, names of operators, attributes and types, the operations, resources

A number of the format is a *varint*: the zeros at the low end of its first byte count the bytes that follow, and
what is above the first 1 is the number. Large constants are *blobs*: the section of resources holds them one after
the other, each with its alignment, and the section of their offsets says their keys and lengths. The sum of all
sections and of the header is the size of the file.

Reading maps the file into memory, so that only the blobs that are looked at are loaded; a file of at most 1 MiB is
read at once. The reader trusts nothing. Whatever a file claims, memory grows with the bytes that are there, and the
answer to nonsense is a `PackageError`.

Not here: shapes, types and names of the constants, and the operations. They are encoded by Core AI's own dialect
("aicode", with a version), which Apple has not published and may change: guessing would not be reading. With
coreai-core, `toykit.coreai.weights` asks Apple's code. Small constants lie among the attributes, and are no blobs.

References: https://mlir.llvm.org/docs/BytecodeFormat/
"""

import mmap
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._text import printable
from ..coreml.format.protobuf import PackageError
from ..coreml.format.weightbin import CAN_MAP

MAGIC = b"ML\xefR"
VERSIONS = range(1, 7)  # 0 was before MLIR 16, and differs
SECTIONS = (
    "strings",
    "dialects",
    "attributes and types",
    "offsets of attributes and types",
    "operations",
    "resources",
    "offsets of resources",
    "versions of dialects",
    "properties",
)
MOST_ENTRIES = 2**20  # texts and resources: ResNet-50 has some thousand
_LONGEST_PRODUCER = 1000
_READ_AT_ONCE = 2**20
_PADDING = 0xCB
_BLOB = 0  # of the kinds of resources; others are a bool and a text


@dataclass(frozen=True)
class Blob:
    """A large constant: bytes without a type.

    Attributes
    ----------
    key : str
        By which the program refers to it, such as "resource_11699637483279618618".
    start : int
        Its place in the file.
    nbytes : int
    alignment : int
        Of `start`.
    container : Container
    data : (nbytes,) uint8 array
        A view of the file.
    """

    key: str
    start: int
    nbytes: int
    alignment: int
    container: Any = field(repr=False, compare=False)

    @property
    def data(self):
        return self.container.read(self.start, self.nbytes)


class Container:
    """A main.mlirb.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    path : Path
    nbytes : int
    version : int
        Of MLIR's bytecode.
    producer : str
        The MLIR that wrote it, such as "MLIR22.0.0git".
    sections : dict of str to int
        Bytes of "header" and of each section in the order of the file, with what says its length and with padding;
        their sum is `nbytes`.
    strings : tuple of str
        All texts: names of operators, of inputs, keys; and, in what coreai-torch writes, the paths of the author's
        source files.
    blobs : tuple of Blob
        In the order of the file.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    PackageError
        If it is not sound MLIR bytecode; the sentence says where and why.

    Examples
    --------
    >>> container = Container("Net.aimodel/main.mlirb")                     # doctest: +SKIP
    >>> sum(container.sections.values()) == container.nbytes                # doctest: +SKIP
    True
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {printable(self.path)}")
        try:
            self._map, self._bytes = _opened(self.path)
            self.nbytes = len(self._bytes)
            self._read()
        except PackageError as error:
            raise PackageError(f"{self.path}: {error}") from error
        except OSError as error:
            raise PackageError(f"{self.path} cannot be read: {error.strerror}") from error

    def read(self, start, nbytes):
        """Bytes of the file, as a uint8 array.

        Raises
        ------
        PackageError
            If the file is shorter than it was when it was opened.
        """
        if self._map is not None and (now := os.path.getsize(self.path)) < self.nbytes:
            raise PackageError(
                f"{self.path} was cut from {self.nbytes:,} bytes to {now:,} while it was in use"
            )
        return np.frombuffer(self._bytes, np.uint8, nbytes, start)

    def _read(self):
        whole = _Cursor(self._bytes, 0, self.nbytes, "the file")
        if whole.take(len(MAGIC)) != MAGIC:
            raise PackageError("it does not begin with 'ML\\xefR', as MLIR bytecode does")
        self.version = whole.varint()
        if self.version not in VERSIONS:
            known = f"{VERSIONS[0]} to {VERSIONS[-1]}"
            raise PackageError(f"it claims version {self.version} of MLIR bytecode; toykit reads {known}")
        self.producer = whole.text_to_zero()
        self.sections, places = {"header": whole.at}, {}
        while whole.at < whole.end:
            start, number = whole.at, whole.byte()
            length = whole.varint()
            if number & 0x80:
                whole.align(whole.varint())
            name = SECTIONS[number & 0x7F] if number & 0x7F < len(SECTIONS) else None
            if name is None or name in places:
                what = f"is {number & 0x7F}, which is unknown" if name is None else f"({name}) comes twice"
                raise PackageError(f"the section at {start:,} {what}")
            places[name] = whole.part(length, f"the section of {name}")
            self.sections[name] = whole.at - start
        if missing := [name for name in SECTIONS[:5] if name not in places]:
            raise PackageError(f"it has no section of {missing[0]}")
        if ("resources" in places) != ("offsets of resources" in places):
            raise PackageError("it has resources without their offsets, or offsets without resources")
        self.strings = _strings(places["strings"])
        self.blobs = tuple(self._blobs(places)) if "resources" in places else ()

    def _blobs(self, places):
        offsets, data = places["offsets of resources"], places["resources"]
        offsets.varint()  # groups that are not of a dialect: they are encoded alike, and come first
        keys, budget = set(), MOST_ENTRIES
        while offsets.at < offsets.end:
            offsets.varint()  # whose group it is
            count = offsets.varint()
            budget -= 1 + count
            if budget < 0:
                raise PackageError(f"it has more than {MOST_ENTRIES:,} resources")
            for _ in range(count):
                number, size, kind = offsets.varint(), offsets.varint(), offsets.byte()
                if number >= len(self.strings):
                    raise PackageError(
                        f"a resource has text {number:,} as its key, and there are {len(self.strings):,}"
                    )
                key = self.strings[number]
                one = data.part(size, f"resource {key!r}")
                if kind != _BLOB:
                    continue
                if key in keys:
                    raise PackageError(f"there are two resources {key!r}")
                keys.add(key)
                alignment, length = one.varint(), one.varint()
                one.align(alignment)
                if one.end - one.at != length:
                    raise PackageError(f"{one.what} has {length:,} bytes, and room for {one.end - one.at:,}")
                yield Blob(key, one.at, length, alignment, self)
        if data.at != data.end:
            raise PackageError(f"{data.end - data.at:,} bytes of its resources have no offset")


def _opened(path):
    """The map of the file, if it is mapped, and its bytes."""
    if not CAN_MAP or path.stat().st_size <= _READ_AT_ONCE:
        return None, path.read_bytes()
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return mapped, memoryview(mapped)


def _strings(section):
    """The texts of a file: their lengths come first, the last one's first."""
    count = section.varint()
    if count > min(MOST_ENTRIES, section.end - section.at):
        raise PackageError(f"it has {count:,} texts, more than it can hold")
    lengths = [section.varint() for _ in range(count)]
    if sum(lengths) != section.end - section.at:
        raise PackageError(
            f"its texts have {sum(lengths):,} bytes, and the section of strings {section.end - section.at:,}"
        )
    # Each ends with a zero byte.
    return tuple(
        section.take(length).removesuffix(b"\0").decode("utf-8", "backslashreplace")
        for length in reversed(lengths)
    )


class _Cursor:
    """A place in a part of the file, which moves on as it is read, and never leaves the part."""

    def __init__(self, buffer, at, end, what):
        self.buffer, self.at, self.end, self.what = buffer, at, end, what

    def take(self, count):
        if count > self.end - self.at:
            raise PackageError(
                f"{self.what} ends at {self.end:,}, in the middle of {count:,} bytes from {self.at:,}"
            )
        self.at += count
        return bytes(self.buffer[self.at - count : self.at])

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        first = self.byte()
        if first == 0:
            return int.from_bytes(self.take(8), "little")
        more = (first & -first).bit_length() - 1
        return int.from_bytes(bytes([first]) + self.take(more), "little") >> (more + 1)

    def text_to_zero(self):
        found = bytearray()
        while byte := self.byte():
            found.append(byte)
            if len(found) > _LONGEST_PRODUCER:
                raise PackageError(f"the name of its producer is longer than {_LONGEST_PRODUCER:,} bytes")
        return found.decode("utf-8", "backslashreplace")

    def align(self, alignment):
        """Move on to a multiple of an alignment."""
        if alignment < 1 or alignment & (alignment - 1):
            raise PackageError(f"an alignment in {self.what} is {alignment:,}, no power of 2")
        padding = self.take(-self.at % alignment)
        if padding.strip(bytes([_PADDING])):
            raise PackageError(f"the padding before {self.at:,} in {self.what} is not made of {_PADDING:#x}")

    def part(self, length, what):
        """The next bytes as a part of their own."""
        start = self.at
        if length > self.end - start:
            raise PackageError(f"{what} claims {length:,} bytes, and there are {self.end - start:,}")
        self.at += length
        return _Cursor(self.buffer, start, start + length, what)
