"""Writes main.mlirb by hand, as the format's document has it: what toykit reads, on machines without coreai."""


def varint(number):
    """A number of up to 64 bits."""
    for extra in range(8):
        if number < 1 << 7 * (extra + 1):
            return (((number << 1) | 1) << extra).to_bytes(extra + 1, "little")
    return b"\0" + number.to_bytes(8, "little")


def section(number, data, at, alignment=None):
    """A section that begins at a place of the file."""
    if alignment is None:
        return bytes([number]) + varint(len(data)) + data
    head = bytes([number | 0x80]) + varint(len(data)) + varint(alignment)
    return head + b"\xcb" * (-(at + len(head)) % alignment) + data


def strings(texts):
    texts = [text.encode() + b"\0" for text in texts]
    return varint(len(texts)) + b"".join(varint(len(text)) for text in texts[::-1]) + b"".join(texts)


def file(blobs, texts=("main",), alignment=16, version=6, producer=b"by hand", more=()):
    """A file with these blobs, by their keys; its operations are empty.

    `more` are resources that are no blobs: (key, kind, bytes).
    """
    texts = [*texts, *blobs, *(key for key, *_ in more)]
    found = b"ML\xefR" + varint(version) + producer + b"\0"
    found += section(1, varint(0), len(found))
    found += section(3, varint(0) * 2, len(found))
    found += section(2, b"", len(found))
    found += section(4, varint(0), len(found))
    data, infos = b"", b""
    for key, blob in blobs.items():
        head = varint(alignment) + varint(len(blob))
        one = head + b"\xcb" * (-(len(data) + len(head)) % alignment) + blob
        infos += varint(texts.index(key)) + varint(len(one)) + bytes([0])
        data += one
    for key, kind, one in more:
        infos += varint(texts.index(key)) + varint(len(one)) + bytes([kind])
        data += one
    if infos:
        infos = varint(0) + varint(0) + varint(len(blobs) + len(more)) + infos
        found += section(6, infos, len(found))
        found += section(5, data, len(found), alignment)
    return found + section(0, strings(texts), len(found))
