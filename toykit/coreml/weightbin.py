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

Reading maps the file into memory, so that only the arrays that are looked at are loaded. Elements of
fewer than 8 bits are packed as in `toykit.bits`.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import bits as packing
from .protobuf import PackageError
from .schema import DTYPES

ALIGNMENT = 64
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
BITS = dict(DTYPES.values())
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
    packed : uint8 array
        The data as stored, mapped from the file.
    start : int
        Place of the data.
    path : Path
        The weight file.
    """

    offset: int
    dtype: str
    count: int
    packed: np.ndarray
    start: int
    path: Path

    @property
    def nbytes(self):
        return self.packed.size

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
        self._bytes = np.memmap(self.path, np.uint8, mode="r")
        self.count, version = struct.unpack_from("<II", self._bytes)
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
        sentinel, code, stored, start, unused = struct.unpack_from("<IIQQQ", self._bytes, offset)
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
        packed = np.asarray(self._bytes[start : start + stored])
        return Blob(offset, dtype, (stored * 8 - unused) // BITS[dtype], packed, start, self.path)

    def let_go(self):
        """Let the pages that were read leave memory. They stay readable: the system fetches them again."""
        mapped = self._bytes._mmap
        if hasattr(mapped, "madvise"):  # not on Windows, where the system decides by itself
            mapped.madvise(mmap.MADV_DONTNEED)

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
