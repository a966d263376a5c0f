"""Packages from nothing, with NumPy alone: what an exercise hands out, or weighs.

    write_linear(folder / "a.mlpackage", weights)     ->  a package of linear layers that stand beside each other

Not here: compressing them (`toykit.coreml.compress`), and operations of other kinds.
"""

import json
import struct
from pathlib import Path

import numpy as np

from ..coreml.format import protobuf, weightbin
from ..coreml.format.program import Operation, Type, Value
from ..coreml.format.weightbin import Blob
from ..coreml.writing import messages

FILE = "@model_path/weights/weight.bin"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
_CODES = {name: code for code, name in weightbin.STORED.items()}
_FEATURES = {"float16": 65552, "float32": 65568, "int32": 131104}


def operation(op, name, given, kind):
    """The message of an operation with one output."""
    inputs = {key: [value] for key, value in given.items()}
    return messages.encode_operation(Operation(op, name, inputs, {name: kind}, {}, []), FILE)


class File:
    """A weight.bin in memory, in which every array has a record of its own."""

    def __init__(self):
        self.content, self.count = bytearray(64), 0

    def add(self, array):
        """A constant that is an array of the file."""
        self.content += bytes(-len(self.content) % 64)
        offset, data = len(self.content), np.ascontiguousarray(array).tobytes()
        record = struct.pack(
            "<IIQQQ", weightbin.SENTINEL, _CODES[array.dtype.name], len(data), offset + 64, 0
        )
        self.content += record.ljust(64, b"\0") + data
        self.count += 1
        struct.pack_into("<II", self.content, 0, self.count, 2)
        blob = Blob(offset, array.dtype.name, array.size, len(data), offset + 64, None)
        return Value(Type("tensor", array.dtype.name, array.shape), blob=blob)

    def weight(self, name, array):
        """The message of a constant with a name."""
        value = self.add(array)
        return messages.encode_operation(
            Operation("const", name, {}, {name: value.type}, {"val": value}, []), FILE
        )


def save(path, file, operations, inputs, outputs, version=9):
    """Write a package of one function.

    Parameters
    ----------
    path : Path
    file : File
    operations : list of bytes
        Messages.
    inputs : list of (name, shape, dtype)
    outputs : list of str
    version : int
        Of the specification.

    Returns
    -------
    Path
    """
    opset = f"CoreML{version - 1}"
    block = {"outputs": outputs, "operations": operations}
    kinds = {name: messages.encode_type(Type("tensor", dtype, shape)) for name, shape, dtype in inputs}
    typed = [{"name": name, "type": kind} for name, kind in kinds.items()]
    function = {"inputs": typed, "opset": opset, "block_specializations": {opset: block}}
    features = [
        {"name": name, "type": {"multiArrayType": {"shape": list(shape), "dataType": _FEATURES[dtype]}}}
        for name, shape, dtype in inputs
    ]
    model = {
        "specificationVersion": version,
        "description": {
            "input": features,
            "output": [
                {"name": name, "type": {"multiArrayType": {"dataType": _FEATURES["float32"]}}}
                for name in outputs
            ],
            "metadata": {"author": "someone"},
        },
        "mlProgram": protobuf.encode({"version": 1, "functions": {"main": function}}, "Program"),
    }
    weights = path / "Data/com.apple.CoreML/weights"
    weights.mkdir(parents=True)
    (path / MODEL).write_bytes(protobuf.encode(model, "Model"))
    (weights / "weight.bin").write_bytes(file.content)
    entry = {
        "author": "com.apple.CoreML",
        "description": "a network",
        "name": "model.mlmodel",
        "path": "com.apple.CoreML/model.mlmodel",
    }
    entries = {"A": entry, "B": entry | {"name": "weights", "path": "com.apple.CoreML/weights"}}
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": "A"}
    (path / "Manifest.json").write_text(json.dumps(manifest))
    return path


def write_linear(path, weights):
    """Write a package of linear layers.

    Parameters
    ----------
    path : str or Path
        Does not exist yet.
    weights : list of (outputs, inputs) array
        Stored in float16; they are called w0, w1, ...

    Returns
    -------
    Path
    """
    file, operations, inputs = File(), [], []
    for number, weight in enumerate(np.asarray(weight, np.float16) for weight in weights):
        rows, columns = weight.shape
        operations.append(file.weight(f"w{number}", weight))
        given, kind = {"x": f"x{number}", "weight": f"w{number}"}, Type("tensor", "float16", (1, rows))
        operations.append(operation("linear", f"y{number}", given, kind))
        inputs.append((f"x{number}", (1, columns), "float16"))
    return save(Path(path), file, operations, inputs, [f"y{number}" for number in range(len(inputs))])
