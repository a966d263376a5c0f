"""Packages made by hand, with NumPy alone: a program of layers that stand beside each other.

coremltools is not asked, so a test can try hundreds, with what its passes would tidy up: equal arrays with a
record each, constants that a layer uses in two ways, values that no converter writes.
"""

import json
import struct

import numpy as np

from toykit.coreml.format import protobuf, weightbin
from toykit.coreml.format.program import Operation, Type, Value
from toykit.coreml.format.weightbin import Blob
from toykit.coreml.writing import messages

FILE = "@model_path/weights/weight.bin"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
_CODES = {name: code for code, name in weightbin.STORED.items()}
_FEATURES = {"float16": 65552, "float32": 65568, "int32": 131104}
ROWS = 2


def constant(array):
    array = np.asarray(array)
    return Value(Type("tensor", array.dtype.name, array.shape), immediate=array.ravel())


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


def layer(number, kind, weight, name=None):
    """What a layer of a kind makes of a weight: (operations, its input's shape and type, its outputs)."""
    dtype, name, x = weight.dtype.name, name or f"w{number}", f"x{number}"
    outputs, inputs = weight.shape[0], weight.shape[1] if weight.ndim > 1 else 1
    typed = lambda *shape: Type("tensor", dtype, shape)
    if kind == "linear":
        return (
            [operation("linear", f"y{number}", {"x": x, "weight": name}, typed(ROWS, outputs))],
            (ROWS, inputs),
            dtype,
        )
    if kind == "tied":  # as it is and transposed
        there = operation(
            "matmul",
            f"z{number}",
            {"x": x, "y": name, "transpose_x": constant(False), "transpose_y": constant(True)},
            typed(ROWS, outputs),
        )
        back = operation(
            "matmul",
            f"y{number}",
            {"x": f"z{number}", "y": name, "transpose_x": constant(False), "transpose_y": constant(False)},
            typed(ROWS, inputs),
        )
        return [there, back], (ROWS, inputs), dtype
    if kind == "matmul":
        given = {"x": x, "y": name, "transpose_x": constant(False), "transpose_y": constant(False)}
        return [operation("matmul", f"y{number}", given, typed(ROWS, inputs))], (ROWS, outputs), dtype
    if kind == "gather":
        given = {"x": name, "indices": x, "axis": constant(np.int32(0))}
        return [operation("gather", f"y{number}", given, typed(ROWS, *weight.shape[1:]))], (ROWS,), "int32"
    if kind == "add":
        return (
            [operation("add", f"y{number}", {"x": x, "y": name}, typed(*weight.shape))],
            weight.shape,
            dtype,
        )
    spatial = weight.ndim - 2
    ones = constant(np.ones(spatial, np.int32))
    given = {
        "x": x,
        "weight": name,
        "strides": ones,
        "pad_type": messages.text("valid"),
        "pad": constant(np.zeros(2 * spatial, np.int32)),
        "dilations": ones,
        "groups": constant(np.int32(1)),
    }
    channels, made = (inputs, outputs) if kind == "conv" else (outputs, inputs)
    size = [n if kind == "conv" else 1 for n in weight.shape[2:]]
    result = [1 if kind == "conv" else n for n in weight.shape[2:]]
    return [operation(kind, f"y{number}", given, typed(1, made, *result))], (1, channels, *size), dtype


def write(path, layers, version=9, names=None):
    """Write a package of layers.

    Parameters
    ----------
    path : Path
    layers : list of (kind, array)
    version : int
        Of the specification.
    names : list of str, optional
        Of the weights; w0, w1, ... by default.

    Returns
    -------
    Path
    """
    file, operations, inputs, outputs = File(), [], [], []
    for number, (kind, weight) in enumerate(layers):
        value, name = file.add(weight), names[number] if names else f"w{number}"
        made = Operation("const", name, {}, {name: value.type}, {"val": value}, [])
        operations.append(messages.encode_operation(made, FILE))
        found, shape, dtype = layer(number, kind, weight, name)
        operations += found
        inputs.append((f"x{number}", shape, dtype))
        outputs.append(f"y{number}")
    return save(path, file, operations, inputs, outputs, version)


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


def examples(layers, seed=0):
    """An input for each layer."""
    random = np.random.default_rng(seed)
    found = {}
    for number, (kind, weight) in enumerate(layers):
        _, shape, dtype = layer(number, kind, weight)
        if dtype == "int32":
            found[f"x{number}"] = random.integers(0, len(weight), shape).astype(np.int32)
        else:
            found[f"x{number}"] = random.normal(size=shape).astype(dtype)
    return found
