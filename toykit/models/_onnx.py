"""The weights of an ONNX file, in the order in which its network uses them; no onnx package is needed.

An ONNX file is one Protocol Buffers message, as `model.mlmodel` is. Of it we read three things: each
operator's inputs, the arrays by name, and the notes.

Not here: the operators themselves. Our networks are written by hand, and take these arrays.
"""

import numpy as np

from ..coreml.format.protobuf import records

# Numbers of fields, from onnx.proto3 of ONNX 1.16 (https://onnx.ai/onnx/api/classes.html).
_GRAPH, _NOTES = 7, 14  # of a ModelProto
_NODE, _INITIALIZER = 1, 5  # of a GraphProto
_INPUT = 1  # of a NodeProto
_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9  # of a TensorProto
_FLOAT = 1


def read_onnx(path):
    """The float32 arrays and the notes of an ONNX file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to float32 array
        By name, in the order in which operators first take them.
    dict of str to str
        The file's notes, such as the alphabet of a reader of text.
    """
    model = _fields(memoryview(path.read_bytes()))
    graph = _fields(model[_GRAPH][0])
    arrays = dict(filter(None, (_tensor(_fields(one)) for one in graph[_INITIALIZER])))
    used = (bytes(name).decode() for node in graph[_NODE] for name in _fields(node).get(_INPUT, ()))
    notes = [_fields(note) for note in model.get(_NOTES, ())]
    return (
        {name: arrays[name] for name in used if name in arrays},
        {bytes(note[1][0]).decode(): bytes(note[2][0]).decode() for note in notes},
    )


def _fields(message):
    """Field number to the values that it has, in order."""
    found = {}
    for number, _, value in records(message):
        found.setdefault(number, []).append(value)
    return found


def _tensor(about):
    """Name and array; None for what is no float32 array."""
    if about[_TYPE][0] != _FLOAT or _RAW not in about:
        return None
    return bytes(about[_NAME][0]).decode(), np.frombuffer(about[_RAW][0], "<f4").reshape(about.get(_DIMS, []))
