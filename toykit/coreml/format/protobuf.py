"""Protocol Buffers without the protobuf library: bytes to dicts, and back.

A message is a row of fields. Each field starts with a *varint* (7 bits a byte, lowest first, the top
bit set while more follow) that holds its number and its wire type: 0 for a varint, 1 and 5 for eight
and four bytes, 2 for a length and that many bytes, which are a string, a nested message, or many
numbers packed together. Names are not in the file: `schema.py` has those that a Core ML package uses.

The reader trusts nothing. Whatever a file claims, memory grows with the bytes that are there, and the
answer to nonsense is a `PackageError`.

Not here: groups, and everything else that Core ML's messages do not use.

References: https://protobuf.dev/programming-guides/encoding/
"""

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


class Fields:
    """How many fields may still be decoded: a file of a few megabytes must not fill the memory.

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


def decode(buffer, message, fields=None):
    """Read a message.

    Parameters
    ----------
    buffer : bytes-like
    message : str
        Its name in `schema.MESSAGES`.
    fields : Fields, optional
        How many fields there may be; by default 2**19.

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
    return _decode(buffer, message, fields or Fields(), 0)


def _decode(buffer, message, budget, depth):
    if depth > _DEPTH:
        raise PackageError(f"messages are nested more than {_DEPTH} deep")
    fields, result = MESSAGES[message], {}
    for number, wire, value in _records(memoryview(buffer)):
        budget.spend()
        if number not in fields:
            continue
        name, kind, label = fields[number]
        if label == "map":
            entry = _map_entry(value, wire, kind, f"{message}.{name}", budget, depth)
            result.setdefault(name, {}).update([entry])
        elif label == "repeated":
            if wire == _BYTES and kind in _WIRE:
                values = _packed(value, kind, budget)
            else:
                values = [_value(value, wire, kind, f"{message}.{name}", budget, depth)]
            if name not in result:
                result[name] = values
            else:  # grow a list: copying it for every field would take the square of the time
                result[name] = result[name] if isinstance(result[name], list) else list(result[name])
                result[name].extend(values)
        elif label == "single":
            # Of fields that exclude each other the last one holds: it is the last key.
            result.pop(name, None)
            result[name] = _value(value, wire, kind, f"{message}.{name}", budget, depth)
    return result


def encode(content, message):
    """Write a message: the inverse of `decode`, for what `decode` returned or something like it.

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
                entry = _field(1, key, "string") + _field(2, item, kind)
                out += _varint(number << 3 | _BYTES) + _varint(len(entry)) + entry
        elif label == "single":
            out += _field(number, value, kind)
        elif kind in _WIRE:
            packed = b"".join(_bare(item, kind) for item in value)
            out += _varint(number << 3 | _BYTES) + _varint(len(packed)) + packed
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
    out, packers = bytearray(), {_EIGHT: bytes, _FOUR: bytes, _VARINT: _varint}
    for number, wire, value in _records(memoryview(buffer)):
        change = changes.get(number, value)
        value = change(value) if callable(change) else change
        out += _varint(number << 3 | wire)
        out += _varint(len(value)) + bytes(value) if wire == _BYTES else packers[wire](value)
    return bytes(out)


def _records(buffer):
    """Yield (number, wire type, value) of each field; the value is an int or a view of bytes."""
    position = 0
    while position < len(buffer):
        key, position = _read_varint(buffer, position)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise PackageError("a field has number 0, which protobuf does not allow")
        if wire == _VARINT:
            value, position = _read_varint(buffer, position)
            yield number, wire, value
            continue
        if wire == _BYTES:
            length, position = _read_varint(buffer, position)
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise PackageError(f"field {number} has wire type {wire}, which Core ML does not use")
        if length > len(buffer) - position:
            left = len(buffer) - position
            raise PackageError(f"field {number} claims {length} bytes, {left} are left: it is cut short")
        yield number, wire, buffer[position : position + length]
        position += length


def _read_varint(buffer, position):
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


def _value(value, wire, kind, where, budget, depth):
    """One value of a field, from its wire form."""
    if wire != _WIRE.get(kind, _BYTES):
        raise PackageError(f"{where} has wire type {wire}, not that of {kind}")
    if kind == "uint":
        return value
    if kind == "int":  # negative numbers are two's complement in 64 bits
        return value - (1 << 64) if value >> 63 else value
    if kind == "bool":
        return bool(value)
    if kind == "bytes":
        return value
    if kind == "string":
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise PackageError(f"{where} is not text in UTF-8") from error
    if kind in _PACKED:
        return struct.unpack("<d" if kind == "double" else "<f", value)[0]
    return _decode(value, kind, budget, depth + 1)


def _map_entry(value, wire, kind, where, budget, depth):
    """A map is stored as messages of two fields: 1 is the key, always text here, and 2 the value."""
    if wire != _BYTES:
        raise PackageError(f"{where} has wire type {wire}, not that of a map")
    key, item = "", None
    for number, inner, content in _records(value):
        budget.spend()
        if number == 1:
            key = _value(content, inner, "string", where, budget, depth)
        elif number == 2:
            item = _value(content, inner, kind, where, budget, depth)
    return key, _value(b"", _BYTES, kind, where, budget, depth) if item is None else item


def _packed(value, kind, budget):
    """Numbers stored one after the other in one field."""
    if kind in _PACKED:
        if len(value) % _PACKED[kind].itemsize:
            raise PackageError(f"{len(value)} bytes of packed {kind}s: the last one is cut short")
        return np.frombuffer(value, _PACKED[kind])
    budget.spend(len(value) // 4)
    numbers, position = [], 0
    while position < len(value):
        number, position = _read_varint(value, position)
        numbers.append(_value(number, _VARINT, kind, "a packed number", budget, 0))
    return numbers


def _varint(number):
    out = bytearray()
    number &= 0xFFFF_FFFF_FFFF_FFFF
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number, value, kind):
    if kind in _WIRE:
        return _varint(number << 3 | _WIRE[kind]) + _bare(value, kind)
    content = value.encode() if kind == "string" else value if kind == "bytes" else encode(value, kind)
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + bytes(content)


def _bare(value, kind):
    """A number without its field."""
    if kind in _PACKED:
        return struct.pack("<d" if kind == "double" else "<f", value)
    return _varint(int(value))
