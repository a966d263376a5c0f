"""Packages made by hand, with NumPy alone: a program of layers that stand beside each other.

coremltools is not asked, so a test can try hundreds, with what its passes would tidy up: equal arrays with a
record each, constants that a layer uses in two ways, values that no converter writes.
"""

import numpy as np

from toykit.coreml.format.program import Type, Value
from toykit.coreml.writing import messages
from toykit.exercises.packages import FILE, MODEL, File, operation, save

__all__ = ["FILE", "MODEL", "File", "constant", "examples", "layer", "operation", "save", "write"]
ROWS = 2


def constant(array):
    array = np.asarray(array)
    return Value(Type("tensor", array.dtype.name, array.shape), immediate=array.ravel())


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
        name = names[number] if names else f"w{number}"
        operations.append(file.weight(name, weight))
        found, shape, dtype = layer(number, kind, weight, name)
        operations += found
        inputs.append((f"x{number}", shape, dtype))
        outputs.append(f"y{number}")
    return save(path, file, operations, inputs, outputs, version)


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
