"""weight.bin: where a package keeps its large arrays.

    header     64 bytes: how many arrays, version 2, zeros
    record     64 bytes: 0xDEADBEEF, element type, bytes of data, where they start, then for
               elements of fewer than 8 bits the unused bits in the last byte; the rest is reserved
    data       from a multiple of 64 on
    record, data, record, data, ...

Each record and each block of data starts at a multiple of 64 bytes; the file ends with the last byte
of data. So an array of n bytes takes 64 bytes for its record, n rounded up to 64 for its data, and
nothing else: the size of the file is arithmetic (`size`). The program refers to an array by the place
of its record. Reserved bytes can be anything: coremltools left them as memory was before version 8,
and with it the elements of fewer than 8 bits, set them to zero.

Reading maps the file into memory, so that only the arrays that are looked at are loaded; a file of at most
1 MiB is read at once. Python in a browser cannot map the files of its page: there each array is read when it is
looked at. Elements of fewer than 8 bits are packed as in `toykit.bits`.

A mapped file must stay as long as it is: the system ends a process that reads behind the end of a file
which somebody has cut meanwhile. Before an array is handed out the length is looked at again, so a file
that was cut earlier gives a `PackageError`. What remains is the moment between that look and the use.
"""

import mmap
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ... import bits as packing
from .protobuf import PackageError
from .schema import DTYPES

ALIGNMENT = 64
_READ_AT_ONCE = 2**20
CAN_MAP = sys.platform != "emscripten"
SENTINEL = 0xDEADBEEF
# Element types in a record. They are numbered differently than in the program.
STORED = {
    1: "float16",
    2: "float32",
    3: "uint8",
    4: "int8",
    5: "bfloat16",
    6: "int16",
    7: "uint16",
    8: "int4",
    9: "uint1",
    10: "uint2",
    11: "uint4",
    12: "uint3",
    13: "uint6",
    14: "int32",
    15: "uint32",
    16: "float8e4m3fn",
    17: "float8e5m2",
}
BITS = dict(DTYPES.values()) | {"int2": 2}  # which is Core AI's alone
# NumPy has no type for these: their elements are shown as the bits that are stored.
_AS_BITS = {"bfloat16": "uint16", "float8e4m3fn": "uint8", "float8e5m2": "uint8"}


def aligned(position):
    """The next multiple of 64 at or after `position`.

    Examples
    --------
    >>> aligned(64), aligned(65)
    (64, 128)
    """
    return -(-position // ALIGNMENT) * ALIGNMENT


def nbytes(count, dtype):
    """Bytes of `count` elements, the last byte filled up.

    Examples
    --------
    >>> nbytes(9, "uint3"), nbytes(9, "float16")
    (4, 18)
    """
    return -(-count * BITS[dtype] // 8)


def size(blobs):
    """Bytes of a weight.bin that holds arrays of these sizes, in this order.

    Parameters
    ----------
    blobs : iterable of int
        Bytes of data of each array.

    Examples
    --------
    A header, a record and one byte; then a record at the next multiple of 64, and another byte:

    >>> size([1]), size([1, 1])
    (129, 257)
    """
    end = ALIGNMENT
    for data in blobs:
        end = aligned(end) + ALIGNMENT + data
    return end


@dataclass(frozen=True)
class Blob:
    """One array of a weight file.

    Attributes
    ----------
    offset : int
        Place of the record, by which the program refers to it.
    dtype : str
        Element type, such as "float16" or "uint4".
    count : int
        Elements.
    nbytes : int
        Of data.
    start : int
        Place of the data.
    file : WeightFile
    path : Path
        Of the weight file.
    packed : uint8 array
        The data as stored, mapped from the file.
    """

    offset: int
    dtype: str
    count: int
    nbytes: int
    start: int
    file: Any = field(repr=False)  # or what stands for one that is not written yet

    @property
    def path(self):
        return self.file.path

    @property
    def packed(self):
        return self.file.read(self.start, self.nbytes)

    def array(self, shape=None):
        """The elements, as a flat array or in `shape`; a view of the file where a byte is not shared.

        Signed elements of 4 bits come as int8, unsigned ones of fewer than 8 bits as uint8, and types
        that NumPy does not have as the unsigned integers that hold their bits.
        """
        return elements(self.packed, self.dtype, self.count).reshape(self.count if shape is None else shape)


def elements(packed, dtype, count):
    """Read `count` elements from the bytes of an array."""
    width = BITS[dtype]
    if width < 8:
        return packing.unpack(packed, width, count, signed=dtype.startswith("int"))
    return packed.view(np.dtype(_AS_BITS.get(dtype, dtype)).newbyteorder("<"))[:count]


class WeightFile:
    """A weight.bin, mapped into memory.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    PackageError
        If the file is not a weight.bin of version 2. A record is checked when it is read.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.nbytes = self.path.stat().st_size
        if self.nbytes < ALIGNMENT:
            raise PackageError(f"{self.path} has {self.nbytes} bytes; its header alone takes {ALIGNMENT}")
        self._map = self._bytes = None
        if self.nbytes <= _READ_AT_ONCE:
            self._bytes = np.frombuffer(self.path.read_bytes(), np.uint8)
            self.nbytes = self._bytes.size
        elif CAN_MAP:
            with self.path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._bytes = np.frombuffer(self._map, np.uint8)
        self.count, version = struct.unpack_from("<II", self._part(0, ALIGNMENT).data)
        if version != 2:
            raise PackageError(f"{self.path} claims version {version} of the format; toykit reads version 2")

    def blob(self, offset):
        """The array whose record is at `offset`.

        Raises
        ------
        PackageError
            If there is no sound record, or its data reaches past the end of the file.
        """
        where = f"{self.path}, record at {offset}"
        if not 0 <= offset <= self.nbytes - ALIGNMENT or offset % ALIGNMENT:
            raise PackageError(f"{where}: not a multiple of {ALIGNMENT} inside a file of {self.nbytes} bytes")
        record = self._part(offset, ALIGNMENT)
        sentinel, code, stored, start, unused = struct.unpack_from("<IIQQQ", record.data)
        if sentinel != SENTINEL:
            raise PackageError(f"{where}: starts with {sentinel:#x}, not {SENTINEL:#x}: no array lies here")
        if code not in STORED:
            raise PackageError(f"{where}: element type {code} is unknown; known are {sorted(STORED)}")
        if start + stored > self.nbytes:
            raise PackageError(
                f"{where}: its {stored} bytes from {start} reach past the end of the file at {self.nbytes}"
            )
        dtype = STORED[code]
        unused = unused if BITS[dtype] < 8 else 0
        if start % ALIGNMENT or unused >= 8 or unused > stored * 8 or (stored * 8 - unused) % BITS[dtype]:
            raise PackageError(f"{where}: {stored} bytes less {unused} bits at {start} are no whole {dtype}s")
        return Blob(offset, dtype, (stored * 8 - unused) // BITS[dtype], stored, start, self)

    def read(self, start, nbytes):
        """Bytes of the file, as a uint8 array: mapped from it where that can be.

        Raises
        ------
        PackageError
            If the file is shorter than it was.
        """
        self.check()
        return self._part(start, nbytes)

    def _part(self, start, nbytes):
        if self._bytes is not None:
            return self._bytes[start : start + nbytes]
        self.check()
        with self.path.open("rb") as file:
            file.seek(start)
            return np.frombuffer(file.read(nbytes), np.uint8)

    def check(self):
        """Raise a PackageError if the file is shorter than it was: what is mapped of it cannot be read."""
        if self._map is not None:
            now = self._map.size()
        else:
            now = self.nbytes if self._bytes is not None else self.path.stat().st_size
        if now < self.nbytes:
            raise PackageError(
                f"{self.path} was cut from {self.nbytes:,} bytes to {now:,} while it was in use"
            )

    def release_pages(self):
        """Let the pages that were read leave memory. They stay readable: the system fetches them again."""
        if self._map is not None and hasattr(self._map, "madvise"):  # Windows decides by itself
            self._map.madvise(mmap.MADV_DONTNEED)

    def blobs(self):
        """All arrays, in the order of the file."""
        found, offset = [], ALIGNMENT
        for _ in range(self.count):
            found.append(self.blob(offset))
            # Each array must end after it began, or a file could send us round in circles.
            if found[-1].start < offset + ALIGNMENT:
                raise PackageError(f"{self.path}: the data of the record at {offset} starts before its end")
            offset = aligned(found[-1].start + found[-1].nbytes)
        return found
