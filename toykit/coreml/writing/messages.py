"""Operations as messages: the inverse of `toykit.coreml.format.program`, for what the writer makes itself.

Not here: operations that were read. They keep their message, in which only places and names are changed
(`toykit.coreml.writing.rewriting`).
"""

import functools

from ... import bits as packing
from ..format import protobuf
from ..format.program import Type, Value
from ..format.schema import DTYPES
from ..format.weightbin import BITS

_CODES = {name: code for code, (name, _) in DTYPES.items()}
# Element types of constants in the program that have a field of their own; of all others it holds the bytes.
_FIELDS = {"string": "strings", "bool": "bools", "int32": "ints", "float32": "floats"}


def text(string):
    """A constant that is a string."""
    return Value(Type("tensor", "string"), immediate=[string])


@functools.lru_cache(1024)
def encode_type(kind):
    """The "ValueType" message of a tensor's type."""
    sizes = [{"constant": {"size": size} if size else {}} for size in kind.shape]
    rank = {"rank": len(sizes), "dimensions": sizes} if sizes else {}
    return protobuf.encode({"tensorType": {"dataType": _CODES[kind.dtype], **rank}}, "ValueType")


def encode_place(file, offset):
    """The "Value.BlobFileValue" message of an array of the weight file that the program calls `file`."""
    return protobuf.encode({"fileName": file, "offset": offset}, "Value.BlobFileValue")


def encode_operation(operation, file):
    """The "Operation" message of an operation without blocks.

    Parameters
    ----------
    operation : Operation
    file : str
        The program's name for the weight file in which its arrays lie.

    Returns
    -------
    bytes
    """
    attributes = {"name": text(operation.name), **operation.attributes}
    content = {
        "type": operation.op,
        "inputs": {
            parameter: {"arguments": [_argument(value, file) for value in values]}
            for parameter, values in operation.inputs.items()
        },
        "outputs": [{"name": name, "type": encode_type(kind)} for name, kind in operation.outputs.items()],
        "attributes": {parameter: _value(value, file) for parameter, value in attributes.items()},
    }
    return protobuf.encode(content, "Operation")


def _argument(value, file):
    return {"name": value} if isinstance(value, str) else {"value": _value(value, file)}


def _value(value, file):
    if value.blob is not None:
        held = {"blobFileValue": encode_place(file, value.blob.offset)}
    else:
        held = {"immediateValue": {"tensor": _elements(value.immediate, value.type.dtype)}}
    return {"type": encode_type(value.type), **held}


def _elements(elements, dtype):
    """A "TensorValue" message. What is empty is left out, as protobuf does."""
    if dtype in _FIELDS:
        return {_FIELDS[dtype]: {"values": list(elements)}}
    packed = packing.pack(elements, BITS[dtype], dtype.startswith("int")) if BITS[dtype] < 8 else elements
    return {"bytes": {"values": packed.tobytes()} if packed.size else {}}
