"""Protocol Buffers without the protobuf library: bytes to dicts, back, and to changed bytes.

A message is a row of fields. Each field starts with a *varint* (7 bits a byte, lowest first, the top
bit set while more follow) that holds its number and its wire type: 0 for a varint, 1 and 5 for eight
and four bytes, 2 for a length and that many bytes, which are a string, a nested message, or many
numbers packed together. Names are not in the file: `schema.py` has those that a Core ML package uses.

The reader trusts nothing. Whatever a file claims, memory grows with the bytes that are there, and the
answer to nonsense is a `PackageError`.

Not here: groups, and everything else that Core ML's messages do not use.

References: https://protobuf.dev/programming-guides/encoding/
"""

import functools
import struct

import numpy as np

from ..._text import printable
from .schema import MESSAGES

MOST_FIELDS = 2**19  # ResNet-50 has 20,000; a field takes some 500 bytes with what is made of it
_DEPTH = 100  # of nested messages; the protobuf library refuses more, too
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_WIRE = {"uint": _VARINT, "int": _VARINT, "bool": _VARINT, "float": _FOUR, "double": _EIGHT}
_PACKED = {"float": np.dtype("<f4"), "double": np.dtype("<f8")}


class PackageError(ValueError):
    """A Core ML package that cannot be read or run, and why.

    Names in the sentence are a stranger's: what does not print as itself is written out.
    """

    def __init__(self, sentence):
        super().__init__(printable(sentence))


class FieldBudget:
    """Counts down the fields that may still be decoded: a file of a few megabytes must not fill the memory.

    Raises
    ------
    PackageError
        From `spend`, when there are more than `limit`.
    """

    def __init__(self, limit=MOST_FIELDS):
        self.limit = self.left = limit

    def spend(self, count=1):
        self.left -= count
        if self.left < 0:
            raise PackageError(
                f"the model file has more than {self.limit:,} fields; raise the limit with "
                "Package(path, field_limit=...)"
            )


def decode(buffer, message, budget=None, leave=(), depth=0):
    """Read a message.

    Parameters
    ----------
    buffer : bytes-like
    message : str
        Its name in `schema.MESSAGES`.
    budget : FieldBudget, optional
        How many fields there may be; by default 2**19.
    leave : collection of str
        Messages of these kinds inside of it are left as bytes, for who reads them one by one.
    depth : int
        How deep inside of other messages this one lies.

    Returns
    -------
    dict
        Field name to value; a field that is absent has no key. Repeated fields are lists (numbers
        packed as floats: arrays), maps are dicts, nested messages dicts. Unknown fields are skipped.

    Raises
    ------
    PackageError
        If the bytes are not such a message.

    Examples
    --------
    >>> decode(b"\\x08\\x96\\x01", "SizeRange")
    {'lowerBound': 150}
    """
    return _Decoder(budget or FieldBudget(), leave).message(memoryview(buffer), message, depth)


class _Decoder:
    def __init__(self, budget, leave):
        self.budget, self.leave = budget, leave

    def message(self, buffer, message, depth):
        if depth > _DEPTH:
            raise PackageError(f"messages are nested more than {_DEPTH} deep")
        fields, result = MESSAGES[message], {}
        for number, wire, value in records(buffer):
            self.budget.spend()
            if number not in fields:
                continue
            name, kind, label = fields[number]
            where = message, name
            if label == "single":
                # Of fields that exclude each other the last one holds: it is the last key.
                result.pop(name, None)
                result[name] = self.value(value, wire, kind, where, depth)
            elif label == "map":
                key, item = self.entry(value, wire, kind, where, depth)
                result.setdefault(name, {})[key] = item
            else:
                if wire == _BYTES and kind in _WIRE:
                    values = self.packed(value, kind, where)
                else:
                    values = [self.value(value, wire, kind, where, depth)]
                if name not in result:
                    result[name] = values
                else:  # grow a list: copying it for every field would take the square of the time
                    result[name] = result[name] if isinstance(result[name], list) else list(result[name])
                    result[name].extend(values)
        return result

    def value(self, value, wire, kind, where, depth):
        """One value of a field, from its wire form."""
        if wire != _WIRE.get(kind, _BYTES):
            raise PackageError(f"{'.'.join(where)} has wire type {wire}, not that of {kind}")
        if wire == _BYTES:
            if kind == "string":
                try:
                    return str(value, "utf-8")
                except UnicodeDecodeError as error:
                    raise PackageError(f"{'.'.join(where)} is not text in UTF-8") from error
            if kind == "bytes" or kind in self.leave:
                return value
            return self.message(value, kind, depth + 1)
        if kind == "bool":
            return bool(value)
        if wire == _VARINT:  # negative numbers are two's complement in 64 bits
            return value - (1 << 64) if kind == "int" and value >> 63 else value
        return struct.unpack("<d" if kind == "double" else "<f", value)[0]

    def entry(self, value, wire, kind, where, depth):
        """A map is stored as messages of two fields: 1 is the key, always text here, and 2 the value."""
        if wire != _BYTES:
            raise PackageError(f"{'.'.join(where)} has wire type {wire}, not that of a map")
        key, item = "", None
        for number, inner, content in records(value):
            self.budget.spend()
            if number == 1:
                key = self.value(content, inner, "string", where, depth)
            elif number == 2:
                item = self.value(content, inner, kind, where, depth)
        return key, self.value(memoryview(b""), _BYTES, kind, where, depth) if item is None else item

    def packed(self, value, kind, where):
        """Numbers stored one after the other in one field."""
        if kind in _PACKED:
            if len(value) % _PACKED[kind].itemsize:
                raise PackageError(f"{len(value)} bytes of packed {kind}s: the last one is cut short")
            return np.frombuffer(value, _PACKED[kind])
        self.budget.spend(len(value) // 4)
        numbers, position = [], 0
        while position < len(value):
            number, position = _read_varint(value, position)
            numbers.append(self.value(number, _VARINT, kind, where, 0))
        return numbers


def encode(content, message):
    """Write a message: the inverse of `decode`, for what `decode` returned or something like it.

    A message inside of it may be bytes, as `decode` can leave it.

    Examples
    --------
    >>> encode({"lowerBound": 150}, "SizeRange")
    b'\\x08\\x96\\x01'
    """
    out = bytearray()
    for number, (name, kind, label) in MESSAGES[message].items():
        if name not in content:
            continue
        value = content[name]
        if label == "map":
            for key, item in value.items():
                out += _record(number, _BYTES, _field(1, key, "string") + _field(2, item, kind))
        elif label == "single":
            out += _field(number, value, kind)
        elif kind in _WIRE:
            out += _record(number, _BYTES, b"".join(_bare(item, kind) for item in value))
        else:
            for item in value:
                out += _field(number, item, kind)
    return bytes(out)


def replace(buffer, changes):
    """The message in `buffer` with other values of some of its fields.

    Parameters
    ----------
    buffer : bytes-like
    changes : dict of int to int, bytes or callable
        Number of a field -> its value, or what makes that of the one it had, called each time that the
        field occurs. Fields that the message lacks are not added.

    Returns
    -------
    bytes
        All other fields, known or not, are those of `buffer`.

    Examples
    --------
    >>> replace(b"\\x08\\x96\\x01", {1: 3})
    b'\\x08\\x03'
    """
    out = bytearray()
    for number, wire, value in records(memoryview(buffer)):
        change = changes.get(number, value)
        out += _record(number, wire, change(value) if callable(change) else change)
    return bytes(out)


def rewrite(buffer, message, changes, holding=b""):
    """The message in `buffer` with others in place of some that it holds, however deep.

    Parameters
    ----------
    buffer : bytes-like
    message : str
    changes : dict of str to callable (bytes, key) -> bytes or list of bytes
        Kind of a message -> what makes the one that takes its place, or, in a row of them, several. The key
        is the text under which a map has it, else "". What lies inside of it is not looked at.
    holding : bytes, optional
        A message without these bytes is copied, unless it is itself of a kind to change.

    Returns
    -------
    bytes
        All other fields, known or not, are those of `buffer`.

    Examples
    --------
    >>> block = encode({"operations": [{"type": "const"}, {"type": "relu"}]}, "Block")
    >>> twice = rewrite(block, "Block", {"Operation": lambda operation, _: [operation, operation]})
    >>> [operation["type"] for operation in decode(twice, "Block")["operations"]]
    ['const', 'const', 'relu', 'relu']
    """
    return _rewrite(memoryview(buffer), MESSAGES[message], changes, holding)


def _rewrite(buffer, fields, changes, holding, key=""):
    out = bytearray()
    for number, wire, value in records(buffer):
        _, kind, label = fields.get(number, ("", "", ""))
        changed = kind in changes
        holds = wire == _BYTES and not changes.keys().isdisjoint(_kinds_inside(kind))
        if not holds or (holding not in bytes(value) and not changed):
            new = value
        elif label == "map":  # of messages, in which 1 is the key and 2 what it stands for
            name = str({number: part for number, _, part in records(value)}.get(1, b""), "utf-8")
            new = _rewrite(value, {2: ("value", kind, "single")}, changes, holding, name)
        elif changed:
            new = changes[kind](value, key)
        else:
            new = _rewrite(value, MESSAGES[kind], changes, holding)
        for content in new if isinstance(new, list) else [new]:
            out += _record(number, wire, content)
    return bytes(out)


@functools.cache
def _kinds_inside(kind):
    """The kinds of messages that lie in one of `kind`, itself included; none for what is no message."""
    found, new = set(), {kind} & MESSAGES.keys()
    while new:
        found |= new
        new = {inner for one in new for _, inner, _ in MESSAGES[one].values()} & MESSAGES.keys() - found
    return found


def records(buffer):
    """Yield (number, wire type, value) of each field; the value is an int or a view of bytes."""
    position, end = 0, len(buffer)
    while position < end:
        key, position = _read_varint(buffer, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise PackageError("a field has number 0, which protobuf does not allow")
        if wire == _BYTES:
            # As `_read_varint` does, without the call: most lengths are of one byte.
            if position < end and (length := buffer[position]) < 0x80:
                position += 1
            else:
                length, position = _read_varint(buffer, position)
        elif wire == _VARINT:
            value, position = _read_varint(buffer, position)
            yield number, wire, value
            continue
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise PackageError(f"field {number} has wire type {wire}, which Core ML does not use")
        if length > end - position:
            left = end - position
            raise PackageError(f"field {number} claims {length} bytes, {left} are left: it is cut short")
        yield number, wire, buffer[position : position + length]
        position += length


def _read_varint(buffer, position):
    if position < len(buffer) and (byte := buffer[position]) < 0x80:  # most are of one byte
        return byte, position + 1
    result = 0
    for shift in range(0, 70, 7):
        if position >= len(buffer):
            raise PackageError("the file ends inside a number: it is cut short")
        byte = buffer[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
    raise PackageError("a number has more than ten bytes, which protobuf does not allow")


def _varint(number):
    if 0 <= number < 0x80:
        return bytes((number,))
    out = bytearray()
    number &= 0xFFFF_FFFF_FFFF_FFFF
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _record(number, wire, value):
    """A field: its number and wire type, and a value as `records` gives it."""
    start = _varint(number << 3 | wire)
    if wire == _BYTES:
        return b"".join((start, _varint(len(value)), value))
    return start + (_varint(value) if wire == _VARINT else bytes(value))


def _field(number, value, kind):
    if kind in _WIRE:
        return _varint(number << 3 | _WIRE[kind]) + _bare(value, kind)
    if kind == "string":
        value = value.encode()
    return _record(number, _BYTES, encode(value, kind) if isinstance(value, dict) else value)


def _bare(value, kind):
    """A number without its field."""
    if kind in _PACKED:
        return struct.pack("<d" if kind == "double" else "<f", value)
    return _varint(int(value))
