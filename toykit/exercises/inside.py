"""The exercises of chapter 12: read a weight.bin, a table and blocks; write a record, find a broken one."""

import struct

import numpy as np

from .framework import Case, Exercise, Hint


def _read_float16(data, offset):
    size, start = struct.unpack_from("<QQ", data, offset + 8)
    return np.frombuffer(data, np.float16, size // 2, start)


def weight_file(*arrays, gap=0):
    """Bytes of a weight.bin with these float16 arrays; `gap` blocks of zeros before each one's data."""
    data = struct.pack("<II", len(arrays), 2).ljust(64, b"\0")
    offsets = []
    for array in arrays:
        stored = np.asarray(array, np.float16).tobytes()
        offsets.append(len(data))
        start = len(data) + 64 * (1 + gap)
        record = struct.pack("<IIQQQ", 0xDEADBEEF, 1, len(stored), start, 0)
        data += record.ljust(start - len(data), b"\0") + stored
        data += bytes(-len(data) % 64)
    return data, offsets


def _file_case(*arrays, gap=0, pick=0, about=""):
    data, offsets = weight_file(*arrays, gap=gap)
    return Case(data, offsets[pick], about=about)


def _random_file(rng):
    arrays = [rng.normal(size=rng.integers(1, 90)).round(2) for _ in range(3)]
    data, offsets = weight_file(*arrays, gap=int(rng.integers(0, 3)))
    return data, offsets[int(rng.integers(0, 3))]


read_float16 = Exercise(
    name="read_float16",
    level="build",
    dtype="float16",
    task="Given the bytes of a `weight.bin` and the place of a record, return the float16 array that it "
    "describes. In the record, 8 bytes from its start, stand two unsigned integers of 8 bytes, little "
    "end first: the bytes of data, and where in the file they start.",
    reference=_read_float16,
    cases=[
        _file_case([1.0, 2.0, 3.0], about="one array of three"),
        _file_case([1.0, 2.0], [5.0, 6.0, 7.0], pick=1, about="the second array of the file"),
        _file_case([4.0, 8.0], gap=1, about="the data does not follow its record at once"),
        _file_case(np.arange(40.0), about="more than 64 bytes of data"),
    ],
    random=_random_file,
    hints=[
        Hint(
            "Those are twice as many: the record counts bytes, and a float16 has two.",
            lambda got, want, data, o: got.size == 2 * want.size,
            anything=True,
        ),
        Hint(
            "The array ends where the record says, not at the end of the file.",
            lambda got, want, data, o: got.size > want.size and np.array_equal(got[: want.size], want),
            anything=True,
        ),
        Hint(
            "That is the first array of the file. offset says which record is meant.",
            lambda got, want, data, o: o != 64 and np.array_equal(got, _read_float16(data, 64)),
            anything=True,
        ),
        Hint(
            "The record says where its data starts. Do not take for granted that it is 64 bytes further on.",
            lambda got, want, data, o: np.array_equal(
                got, np.frombuffer(data, np.float16, want.size, o + 64)
            ),
        ),
        Hint(
            "Those are half as many: a float16 has two bytes, a float32 would have four.",
            lambda got, want, data, o: got.size == want.size // 2,
            anything=True,
        ),
    ],
    hint="struct.unpack_from('<QQ', data, offset + 8) reads the two integers; np.frombuffer takes a type, a "
    "count and a place.",
)


def _from_table(indices, lut, count):
    codes = (indices[:, None] >> np.arange(0, 8, 2)) & 3
    return lut[codes.ravel()[:count]]


def _table(rng):
    count = int(rng.integers(1, 30))
    indices = rng.integers(0, 256, -(-count // 4), dtype=np.uint8)
    return indices, rng.normal(size=4).round(1), count


from_table = Exercise(
    name="from_table",
    level="warm-up",
    task="Return `count` weights of a palette of 2 bits: four indices lie in each byte, the first in the "
    "lowest two bits, and each index is a place in the table.",
    reference=_from_table,
    cases=[
        Case(
            np.array([0b11100100], np.uint8),
            np.array([-1.0, 0.0, 0.5, 2.0]),
            4,
            about="the indices 0, 1, 2, 3",
        ),
        Case(
            np.array([0b00000001], np.uint8),
            np.array([7.0, 8.0, 9.0, 6.0]),
            1,
            about="one weight in a byte for four",
        ),
        Case(
            np.array([0b00011011, 0b10], np.uint8),
            np.array([-1.0, 0.0, 0.5, 2.0]),
            5,
            about="five weights in two bytes",
        ),
    ],
    random=_table,
    hints=[
        Hint(
            "The last byte is not always full: stop after count weights.",
            lambda got, want, i, t, n: got.size > n and np.array_equal(got[:n], want),
            anything=True,
        ),
        Hint(
            "Within a byte the first index lies in the lowest bits, at the right end.",
            lambda got, want, i, t, n: (
                n > 3 and np.array_equal(got, t[((i[:, None] >> np.arange(6, -1, -2)) & 3).ravel()[:n]])
            ),
        ),
        Hint(
            "Those are the indices. The weights are what the table has at these places.",
            lambda got, want, i, t, n: np.array_equal(
                got, ((i[:, None] >> np.arange(0, 8, 2)) & 3).ravel()[:n]
            ),
        ),
        Hint(
            "A byte holds four indices of two bits.",
            lambda got, want, i, t, n: got.size == i.size,
            anything=True,
        ),
        Hint(
            "An index has two bits: after shifting, keep the lowest two, with & 3.",
            lambda got, want, i, t, n: np.array_equal(
                got, t[((i[:, None] >> np.arange(0, 8, 2)) & 1).ravel()[:n]]
            ),
        ),
    ],
    hint="Shift each byte right by 0, 2, 4 and 6 bits, keep two bits with & 3, and look them up in order.",
)


def _shift_scale(codes, scale, offset):
    block = codes.shape[1] // scale.shape[1]
    spread = np.repeat(scale, block, axis=1), np.repeat(offset, block, axis=1).astype(np.float64)
    return spread[0] * (codes.astype(np.float64) - spread[1])


def _blocks(rng):
    rows, blocks, block = (int(n) for n in rng.integers(1, 5, 3))
    codes = rng.integers(-128, 128, (rows, blocks * block), dtype=np.int8)
    offset = rng.integers(-128, 128, (rows, blocks), dtype=np.int8)
    return codes, rng.uniform(0.1, 2, (rows, blocks)).round(2), offset


shift_scale = Exercise(
    name="shift_scale",
    level="build",
    task="Do what `constexpr_blockwise_shift_scale` does along the second axis: return `scale * (codes - "
    "offset)`, where each scale and offset belongs to a block of neighbouring codes. `codes` has shape "
    "`(rows, columns)`, the other two `(rows, blocks)`.",
    reference=_shift_scale,
    cases=[
        Case(np.array([[1, 2]], np.int8), np.array([[0.5]]), np.array([[0]], np.int8), about="one block"),
        Case(
            np.array([[1, 2, 3, 4]], np.int8),
            np.array([[1.0, 10.0]]),
            np.array([[0, 0]], np.int8),
            about="two blocks",
        ),
        Case(
            np.array([[5, 6], [7, 8]], np.int8),
            np.array([[1.0], [2.0]]),
            np.array([[1], [-1]], np.int8),
            about="an offset for each row",
        ),
        Case(
            np.array([[100, -100]], np.int8),
            np.array([[1.0]]),
            np.array([[-100]], np.int8),
            about="a difference that int8 cannot hold",
        ),
    ],
    random=_blocks,
    hints=[
        Hint(
            "A block is made of neighbours: repeat each scale, do not repeat the row of scales.",
            lambda got, want, c, s, o: np.allclose(
                got,
                np.tile(s, c.shape[1] // s.shape[1])
                * (c.astype(float) - np.tile(o, c.shape[1] // s.shape[1])),
            ),
        ),
        Hint(
            "First the offset is taken off the codes; then the scale multiplies.",
            lambda got, want, c, s, o: np.allclose(
                got, np.repeat(s, c.shape[1] // s.shape[1], 1) * c - np.repeat(o, c.shape[1] // s.shape[1], 1)
            ),
        ),
        Hint(
            "Where is the offset? It is taken off the codes.",
            lambda got, want, c, s, o: np.allclose(got, np.repeat(s, c.shape[1] // s.shape[1], 1) * c),
        ),
        Hint(
            "The offset is taken off, not added.",
            lambda got, want, c, s, o: np.allclose(
                got,
                np.repeat(s, c.shape[1] // s.shape[1], 1)
                * (c.astype(float) + np.repeat(o, c.shape[1] // s.shape[1], 1)),
            ),
        ),
        Hint(
            "A difference of two int8 numbers can leave the range of int8 and wrap around. Make them "
            "float first.",
            lambda got, want, c, s, o: np.any(np.abs(got - want) > 100 * s.min()),
        ),
    ],
    hint="np.repeat(scale, columns // blocks, axis=1) gives each code its scale.",
    tolerance=1e-6,
)


def _write_record(codes, end):
    start = -(-end // 64) * 64 + 64
    packed = np.zeros(-(-codes.size // 2), np.uint8)
    packed[:] = codes[0::2]
    packed[: codes.size // 2] |= codes[1::2] << 4
    record = struct.pack("<IIQQQ", 0xDEADBEEF, 11, packed.size, start, 4 * (codes.size % 2))
    padding = bytes(start - 64 - end)
    return np.frombuffer(padding + record.ljust(64, b"\0") + packed.tobytes(), np.uint8)


def _codes_to_write(rng):
    return rng.integers(0, 16, rng.integers(1, 30)).astype(np.uint8), int(rng.integers(1, 300))


def _written(codes, end, **other):
    """What a mistake would write: other fields of the record, or other data."""
    right = _write_record(codes, end).tobytes()
    at = -end % 64
    fields = dict(
        zip(("mark", "kind", "size", "start", "unused"), struct.unpack_from("<IIQQQ", right, at), strict=True)
    )
    record = struct.pack("<IIQQQ", *(fields | other).values())
    return np.frombuffer(right[:at] + record + right[at + 32 :], np.uint8)


write_record = Exercise(
    name="write_record",
    level="build",
    dtype="uint8",
    task="Given codes of 4 bits and `end`, the bytes that a `weight.bin` has so far, return the bytes to append, as an "
    "array of uint8: zeros up to the next multiple of 64; the record of 64 bytes; the data, two codes to a byte, the "
    "first in the lowest bits. The record, little end first: `0xDEADBEEF` and 11 (the type uint4), 4 bytes each; then, "
    "8 bytes each, how many bytes of data there are, where in the file they start, and how many bits of the last byte "
    "are unused; zeros to its end.",
    reference=_write_record,
    cases=[
        Case(np.array([1, 2], np.uint8), 128, about="two codes"),
        Case(np.array([15, 0, 7, 8], np.uint8), 192, about="four codes, further on"),
        Case(np.array([3, 4], np.uint8), 130, about="a file that ends between two multiples of 64"),
        Case(np.array([1, 2, 3], np.uint8), 128, about="half a byte is left over"),
    ],
    random=_codes_to_write,
    hints=[
        Hint(
            "Two codes lie in each byte, the first of them in the lowest four bits.",
            lambda got, want, codes, end: np.array_equal(got[:-1], want[:-1]) and got[-1] != want[-1],
        ),
        Hint(
            "The record begins at a multiple of 64: fill up with zeros before it.",
            lambda got, want, codes, end: (
                got.size < want.size and np.array_equal(got[:8], want[-end % 64 :][:8])
            ),
            anything=True,
        ),
        Hint(
            "Those are the codes, a byte each. Two of them share one.",
            lambda got, want, codes, end: got.size == want.size - -(-codes.size // 2) + codes.size,
            anything=True,
        ),
        Hint(
            "The data starts behind the record, 64 bytes further on.",
            lambda got, want, codes, end: np.array_equal(got, _written(codes, end, start=-(-end // 64) * 64)),
        ),
        Hint(
            "The start counts from the beginning of the file, not from the record.",
            lambda got, want, codes, end: np.array_equal(got, _written(codes, end, start=64)),
        ),
        Hint(
            "The record counts the bytes of data, not the codes.",
            lambda got, want, codes, end: np.array_equal(got, _written(codes, end, size=codes.size)),
        ),
        Hint(
            "With an odd number of codes, four bits of the last byte are unused. The record says so.",
            lambda got, want, codes, end: np.array_equal(got, _written(codes, end, unused=0)),
        ),
        Hint(
            "Little end first: in struct, an order that begins with <.",
            lambda got, want, codes, end: bytes(got[-end % 64 :][:4]) == b"\xde\xad\xbe\xef",
            anything=True,
        ),
    ],
    hint="struct.pack('<IIQQQ', 0xDEADBEEF, 11, ...) makes the five numbers; bytes.ljust(64, b'\\0') fills up the "
    "record.",
)


def _record_faults(data, offsets):
    """For each record its faults, smallest number first; what an earlier record has taken counts as well."""
    taken = []
    for offset in offsets:
        mark, _, nbytes, start = struct.unpack_from("<IIQQ", data, offset)
        end = start + nbytes
        is_taken = any(start < other_end and other < end for other, other_end in taken)
        found = (mark != 0xDEADBEEF, start % 64 != 0, end > len(data), is_taken)
        yield [number for number, wrong in enumerate(found, start=1) if wrong]
        taken.append((start, end))


def _file_fault(data, offsets):
    faults = enumerate(_record_faults(data, offsets))
    return next(((record, numbers[0]) for record, numbers in faults if numbers), (-1, 0))


def _spoilt(*changes, arrays=((1.0, 2.0, 3.0), (4.0,) * 40, (5.0, 6.0)), cut=0):
    """Arguments of a case: a file in which fields of records, given as (record, field, how), are changed."""
    data, offsets = weight_file(*arrays)
    data = bytearray(data[: len(data) - cut] if cut else data.rstrip(b"\0"))
    for record, field, change in changes:
        at, form = {"mark": (0, "<I"), "nbytes": (8, "<Q"), "start": (16, "<Q")}[field]
        place = offsets[record] + at
        struct.pack_into(form, data, place, change(*struct.unpack_from(form, data, place)))
    return bytes(data), list(offsets)


def _random_fault(rng):
    arrays = [rng.uniform(1, 2, rng.integers(1, 90)) for _ in range(4)]
    record, other = rng.permutation(4)[:2]
    starts = np.array(weight_file(*arrays)[1]) + 64
    changes = [
        (record, "mark", lambda mark: mark ^ 0xFF),
        (record, "start", lambda start: start + 2),
        (record, "nbytes", lambda nbytes: nbytes + 2**20),
        (record, "start", lambda start: int(starts[other])),
    ]
    return _spoilt(*[changes[i] for i in rng.permutation(4)[: rng.integers(0, 3)]], arrays=arrays)


file_fault = Exercise(
    name="file_fault",
    level="build",
    task="Return (number of the first record with a fault, counted from 0; its fault) of a `weight.bin`, and (-1, 0) "
    "if all is well. The faults, of which the smallest counts: 1 the record does not begin with `0xDEADBEEF`; 2 "
    "its data does not start at a multiple of 64; 3 its data runs beyond the end of the file; 4 its data has "
    "bytes that are data of an earlier record, too. `offsets` has the places of the records, in order; their "
    "fields are those of exercise 4.",
    reference=_file_fault,
    cases=[
        Case(*_spoilt(), about="three arrays, and all is well"),
        Case(*_spoilt((1, "mark", lambda mark: 0xDEADBEEE)), about="the second mark is another one"),
        Case(
            *_spoilt((2, "start", lambda start: start - 32)), about="the third data starts at half of a block"
        ),
        Case(*_spoilt(cut=62), about="the file was cut by two bytes"),
        Case(*_spoilt((2, "start", lambda start: 128)), about="the third data starts where the first does"),
        Case(
            *_spoilt((2, "start", lambda start: 320)),
            about="the third data lies in the second, behind where that starts",
        ),
        Case(
            *_spoilt((0, "nbytes", lambda nbytes: 140)),
            about="the first data runs into the second: the second is the one that comes later",
        ),
        Case(
            *_spoilt((2, "mark", lambda mark: 0), (1, "nbytes", lambda nbytes: 10**6)),
            about="the second record and the third have a fault",
        ),
        Case(
            *_spoilt((1, "start", lambda start: 130), (1, "mark", lambda mark: 1)),
            about="two faults in one record",
        ),
        Case(*_spoilt((1, "nbytes", lambda nbytes: 2**63)), about="a length of 8 bytes"),
    ],
    random=_random_fault,
    hints=[
        Hint(
            "All is well in this file: its last data ends where it ends.",
            lambda got, want, *args: want[0] == -1,
        ),
        Hint("One of the records has a fault.", lambda got, want, *args: got[0] == -1),
        Hint(
            "That record has a fault, but an earlier one has, too.",
            lambda got, want, data, offsets: (
                got[0] > want[0] and bool(list(_record_faults(data, offsets))[got[0]])
            ),
        ),
        Hint(
            "The record is right. Of its faults, the smallest number counts.",
            lambda got, want, data, offsets: (
                got[0] == want[0] and got[1] in list(_record_faults(data, offsets))[got[0]]
            ),
        ),
        Hint(
            "The record is right, and the fault is another one.", lambda got, want, *args: got[0] == want[0]
        ),
        Hint(
            "Of two records with common data, the later one has the fault.",
            lambda got, want, *args: got[1] == 4 and got[0] < want[0],
        ),
    ],
    hint="Read the mark, the bytes and the start of each record with struct.unpack_from, and ask four questions.",
)
