"""A small network made by hand, every form that it can be compressed to, and ways to damage what was written."""

import shutil
from pathlib import Path

import numpy as np

import toykit as tk
from tests import handmade
from tests.strategies import trained

WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
FORMS = {
    "int8": ("quantize", {}),
    "uint8 affine": ("quantize", {"mode": "affine", "signed": False}),
    "int8, one scale": ("quantize", {"granularity": "per_tensor", "mode": "affine"}),
    "int4 in blocks": ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 16}),
    "pruned": ("prune", {"sparsity": 0.6}),
    "pruned 2:4": ("prune", {"n_m": (2, 4)}),
    "pruned in blocks": ("prune", {"sparsity": 0.5, "block_size": 8}),
    "palette": ("palettize", {"bits": 4}),
    "palettes of groups": ("palettize", {"bits": 3, "group_size": 16}),
    "even palette": ("palettize", {"bits": 6, "mode": "uniform"}),
    "palette of vectors": ("palettize", {"bits": 4, "cluster_dim": 2}),
    "scaled palette": ("palettize", {"bits": 4, "per_channel_scale": "across"}),
    "pruned palette": ("joint", {"prune": {"sparsity": 0.6}, "palettize": {"bits": 4}}),
    "pruned int8": ("joint", {"prune": {"sparsity": 0.6}, "quantize": {}}),
    "int8 palette": ("joint", {"palettize": {"bits": 6}, "quantize": {"granularity": "per_tensor"}}),
    "all three": (
        "joint",
        {
            "prune": {"sparsity": 0.6},
            "palettize": {"bits": 6},
            "quantize": {"granularity": "per_tensor"},
        },
    ),
}


def write(path):
    """The network: layers beside each other, of which one is too small to be compressed."""
    shapes = {
        "linear": (64, 96),
        "conv": (48, 32, 3, 3),
        "gather": (128, 32),
        "conv_transpose": (32, 48, 3, 3),
    }
    layers = [(kind, trained(shape, seed)) for seed, (kind, shape) in enumerate(shapes.items())]
    return handmade.write(path, [*layers, ("linear", trained((16, 20), 9))])


def compress(source, form, path):
    technique, options = FORMS[form]
    return tk.coreml.save(tk.coreml.compress(source, technique, **options), path)


def copy(path, to):
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(path, to)
    return to


def set_byte(path, place, value):
    """Change one byte of the weight file."""
    file = Path(path, WEIGHTS)
    content = bytearray(file.read_bytes())
    content[place] = value
    file.write_bytes(content)


def record(path, name, part="val"):
    """The record of the weight file in which a part of a weight lies, or a constant."""
    (blob,) = [
        value.blob
        for operation in tk.coreml.Package(path).program.walk()
        if name in operation.outputs
        for parameter, value in operation.constants
        if parameter == part
    ]
    return blob


def flip(path, name, part="val", byte=0, by=1):
    """Flip bits of one byte of such a record."""
    blob = record(path, name, part)
    set_byte(path, blob.start + byte, int(blob.packed[byte]) ^ by)
    return path


def swap(path, one, two, part="data"):
    """Swap the records of two weights of one size, as an edit of the file by hand might."""
    file = Path(path, WEIGHTS)
    content = bytearray(file.read_bytes())
    places = [
        slice(blob.start, blob.start + blob.nbytes) for blob in (record(path, n, part) for n in (one, two))
    ]
    first, second = (bytes(content[place]) for place in places)
    content[places[0]], content[places[1]] = second, first
    file.write_bytes(content)
    return path


def reword(path, old, new):
    """Put other words of the same length in the model file's first place of these."""
    file = Path(path, handmade.MODEL)
    content = file.read_bytes()
    assert old in content and len(old) == len(new)
    file.write_bytes(content.replace(old, new, 1))
    return path


def content(path):
    """Everything that a program computes with, and what an app sees: equal for packages that are the same network."""
    package = tk.coreml.Package(path)
    told = package.description
    found = {"app": [told.inputs, told.outputs, told.states, told.predicted_feature, told.default_function]}
    for label, function in package.program.functions.items():
        found[label] = [function.inputs, function.block.outputs]
        for operation in function.block.walk():
            if operation.op.startswith("constexpr_"):
                continue
            given = {name: [_said(value) for value in values] for name, values in operation.inputs.items()}
            given |= {name: _said(value) for name, value in operation.attributes.items()}
            found[(label, *operation.outputs)] = [operation.op, operation.outputs, given]
    found["weights"] = {name: _said(value) for name, value in tk.coreml.weights(package).items()}
    return found


def _said(value):
    if isinstance(value, str):
        return value
    value = value.numpy() if hasattr(value, "numpy") else value
    dense = value.dense() if hasattr(value, "dense") else value
    return (
        dense if isinstance(dense, str | list) else (np.asarray(dense).dtype.str, np.asarray(dense).tobytes())
    )
