"""Plausible wrong answers to the exercises of chapter 12, and a part of the hint each must get."""

import struct

import numpy as np


def _fields(data, offset):
    return struct.unpack_from("<QQ", data, offset + 8)


def _counts_bytes(data, offset):
    size, start = _fields(data, offset)
    return np.frombuffer(data, np.uint8, size, start).astype(np.float16)


def _to_the_end(data, offset):
    _size, start = _fields(data, offset)
    return np.frombuffer(data[: len(data) // 2 * 2], np.float16, offset=start)


def _first_record(data, offset):
    size, start = _fields(data, 64)
    return np.frombuffer(data, np.float16, size // 2, start)


def _behind_the_record(data, offset):
    size, _start = _fields(data, offset)
    return np.frombuffer(data, np.float16, size // 2, offset + 64)


def _as_float32(data, offset):
    size, start = _fields(data, offset)
    return np.frombuffer(data, np.float32, size // 4, start)


def _codes(indices, shifts=(0, 2, 4, 6), mask=3):
    return ((indices[:, None] >> np.array(shifts)) & mask).ravel()


def _spread(c, s):
    return np.repeat(s, c.shape[1] // s.shape[1], axis=1)


def _tiled(c, s, o):
    times = c.shape[1] // s.shape[1]
    return np.tile(s, times) * (c.astype(float) - np.tile(o, times))


def _wraps(c, s, o):
    return _spread(c, s) * (c - _spread(c, o))


def _record(codes, end, *, packed=None, size=None, start=None, unused=None, fill=True, order="<"):
    place = -(-end // 64) * 64 if fill else end
    if packed is None:
        both = np.append(codes, np.zeros(codes.size % 2, np.uint8)).reshape(-1, 2)
        packed = both[:, 0] | both[:, 1] << 4
    record = struct.pack(
        f"{order}IIQQQ",
        0xDEADBEEF,
        11,
        packed.size if size is None else size,
        place + 64 if start is None else start,
        4 * (codes.size % 2) if unused is None else unused,
    )
    return np.frombuffer(bytes(place - end) + record.ljust(64, b"\0") + packed.tobytes(), np.uint8)


def _first_code_highest(codes, end):
    both = np.append(codes, np.zeros(codes.size % 2, np.uint8)).reshape(-1, 2)
    return _record(codes, end, packed=both[:, 0] << 4 | both[:, 1])


def _faults(data, offsets, questions="mark block end taken", order=1, which=0, earlier=True):
    """(record, fault) of the first of several faults that a reader asks for."""
    taken, found = [], []
    for record, offset in enumerate(offsets):
        mark, _, count, start = struct.unpack_from("<IIQQ", data, offset)
        asked = {
            "mark": mark != 0xDEADBEEF,
            "block": start % 64,
            "end": start + count > len(data),
            "taken": any(start < end and begin < start + count for begin, end in taken),
        }
        numbers = [number for number, name in enumerate(asked, 1) if asked[name] and name in questions]
        if numbers:
            found.append((record, numbers[which]))
        taken.append((start, start + count))
    return found[::order][0] if found else (-1, 0)


def _both(data, offsets):
    """Blames the earlier one of two records with common data."""
    record, fault = _faults(data, offsets)
    return (record - 1, fault) if fault == 4 else (record, fault)


def _ends_at(data, offsets):
    """Takes data that ends with the file for too long."""
    record, fault = _faults(data, offsets)
    ends = [sum(struct.unpack_from("<QQ", data, offset + 8)) for offset in offsets]
    return (ends.index(len(data)), 3) if record == -1 and len(data) in ends else (record, fault)


WRONG = {
    "read_float16": [
        (_counts_bytes, "counts bytes"),
        (_to_the_end, "where the record says"),
        (_first_record, "which record is meant"),
        (_behind_the_record, "64 bytes further on"),
        (_as_float32, "half as many"),
    ],
    "from_table": [
        (lambda i, t, n: t[_codes(i)], "not always full"),
        (lambda i, t, n: t[_codes(i, (6, 4, 2, 0))[:n]], "lowest bits"),
        (lambda i, t, n: _codes(i)[:n].astype(float), "what the table has"),
        (lambda i, t, n: t[i & 3], "four indices"),
        (lambda i, t, n: t[_codes(i, mask=1)[:n]], "keep the lowest two"),
    ],
    "shift_scale": [
        (_tiled, "made of neighbours"),
        (lambda c, s, o: _spread(c, s) * c - _spread(c, o), "then the scale"),
        (lambda c, s, o: _spread(c, s) * c, "Where is the offset"),
        (lambda c, s, o: _spread(c, s) * (c.astype(float) + _spread(c, o)), "not added"),
        (_wraps, "wrap around"),
    ],
    "write_record": [
        (_first_code_highest, "lowest four bits"),
        (lambda c, end: _record(c, end, fill=False), "multiple of 64"),
        (lambda c, end: _record(c, end, packed=c), "a byte each"),
        (lambda c, end: _record(c, end, start=-(-end // 64) * 64), "64 bytes further on"),
        (lambda c, end: _record(c, end, start=64), "beginning of the file"),
        (lambda c, end: _record(c, end, size=c.size), "not the codes"),
        (lambda c, end: _record(c, end, unused=0), "unused"),
        (lambda c, end: _record(c, end, order=">"), "Little end first"),
    ],
    "file_fault": [
        (_ends_at, "ends where it ends"),
        (lambda *args: _faults(*args, questions="mark"), "One of the records"),
        (lambda *args: _faults(*args, order=-1), "an earlier one has"),
        (lambda *args: _faults(*args, which=-1), "smallest number counts"),
        (lambda *args: (_faults(*args)[0], 1 if _faults(*args)[1] else 0), "the fault is another one"),
        (_both, "the later one"),
        (lambda data, offsets: (0, 1) if _faults(data, offsets)[0] > 0 else (-1, 0), "Read the mark"),
        (lambda data, offsets: len(offsets), ""),
    ],
}
