"""Whole networks: torch, and toykit running the package that coremltools makes of the same network.

What torch is given are the weights that the package holds. Two things happen to them on the way: the
converter folds batch norms into the convolutions before them, and then rounds to float16. So the
reference folds, too, and rounds what is left: rounding first would be another network, some 3e-4 away.
"""

import copy
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

import toykit as tk
from toykit._quiet import coremltools

from . import networks, running

# Each form of compression, and the networks it is tried on. Palettes are uniform, which takes no
# time to find; how the tables are found makes no difference to running them.
FORMS = {
    "pruned": ("prune", {"sparsity": 0.5}),
    "pruned 2:4": ("prune", {"n_m": (2, 4)}),
    "pruned, iOS 16": ("prune", {"sparsity": 0.5}),
    "int8": ("quantize", {"bits": 8}),
    "int8, iOS 16": ("quantize", {"bits": 8}),
    "int8, affine, iOS 16": ("quantize", {"bits": 8, "mode": "affine", "signed": False}),
    "int8, affine": ("quantize", {"bits": 8, "mode": "affine", "signed": False}),
    "int4": ("quantize", {"bits": 4}),
    "int4, blocks": ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 16}),
    "4-bit palettes": ("palettize", {"bits": 4, "mode": "uniform"}),
    "6-bit palettes, iOS 16": ("palettize", {"bits": 6, "mode": "uniform"}),
    "2-bit palettes by k-means": ("palettize", {"bits": 2}),
    "3-bit palettes of groups": ("palettize", {"bits": 3, "mode": "uniform", "group_size": 4}),
    "palettes with scales": ("palettize", {"bits": 4, "mode": "uniform", "per_channel_scale": "across"}),
    "palettes of vectors": ("palettize", {"bits": 2, "cluster_dim": 2}),
    "pruned and palettized": (
        "joint",
        {"prune": {"sparsity": 0.7}, "palettize": {"bits": 4, "mode": "uniform"}},
    ),
    "pruned and int8": ("joint", {"prune": {"sparsity": 0.7}, "quantize": {"bits": 8}}),
    "int8 palettes": (
        "joint",
        {"palettize": {"bits": 4, "mode": "uniform"}, "quantize": {"granularity": "per_tensor"}},
    ),
    "all three": (
        "joint",
        {
            "prune": {"sparsity": 0.7},
            "palettize": {"bits": 6, "mode": "uniform"},
            "quantize": {"granularity": "per_tensor"},
        },
    ),
}
COMPRESSED = [("small CNN", form) for form in FORMS] + [
    ("U-Net", "4-bit palettes"),
    ("U-Net", "int8"),
    ("transformer encoder", "int4, blocks"),
    ("transformer encoder", "3-bit palettes of groups"),
    ("ViT", "pruned and int8"),
    ("MobileNetV2", "int8"),
    ("MobileNetV3", "4-bit palettes"),
]
# On these, compressing takes many seconds: in the report, not in the tests.
LARGE = [
    *(
        ("ResNet-50", form)
        for form in ("pruned", "int8", "int4, blocks", "4-bit palettes", "pruned and int8")
    ),
    *(("CREPE", form) for form in ("pruned", "int8", "int4, blocks", "4-bit palettes", "pruned and int8")),
]

_FOLDER = Path(mkdtemp(prefix="toykit-agreement-"))


@cache
def network(name):
    """A network and its example input."""
    return networks.build(name)


@cache
def package(name, target="iOS18"):
    """The network's package on disk."""
    mlmodel = tk.coreml.convert(*network(name), target=target, skip_model_load=True, check=False)
    return _save(mlmodel, f"{name}, {target}")


@cache
def compressed(name, form):
    """The network's package, compressed."""
    technique, options = FORMS[form]
    # iOS 16 has operators of its own for what it can store.
    plain = package(name, "iOS16" if "iOS 16" in form else "iOS18")
    return _save(tk.coreml.compress(plain, technique, **options), f"{name}, {form}")


def opened(path):
    """A package as a model of coremltools, which is not asked to predict."""
    return coremltools().models.MLModel(str(path), skip_model_load=True)


def _save(mlmodel, name):
    return tk.coreml.save(mlmodel, _FOLDER / f"{name.replace(':', '-')}.mlpackage")


@cache
def rounded(name):
    """The network with batch norms folded and what is left rounded to float16, as the package has it."""
    model = copy.deepcopy(network(name)[0])
    if any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules()):
        model = fuse(model)
    for layer in model.modules():
        if isinstance(layer, nn.LSTM):
            _add_biases(layer)
        # CREPE's second batch norm has variances up to 497,160. The converter leaves a layer in float32
        # if one of its numbers is too large for float16.
        own = [t for t in (*layer.parameters(False), *layer.buffers(False)) if t.is_floating_point()]
        if all(tensor.abs().max() <= 65504 for tensor in own):
            if hasattr(layer, "eps"):
                layer.eps = float(np.float16(layer.eps))
            for tensor in own:
                tensor.data = tensor.data.half().float()
    return model


def _add_biases(layer):
    """torch's LSTM has two biases that are always added; the package holds, and rounds, their sum."""
    for name, bias in layer.named_parameters():
        if name.startswith("bias_ih"):
            second = getattr(layer, name.replace("_ih", "_hh"))
            bias.data += second.data
            second.data.zero_()


def with_weights(name, path):
    """The network with the weights of a compressed package, decompressed by toykit's `dense()`."""
    model = copy.deepcopy(rounded(name))
    plain, small = tk.coreml.weights(package(name)), tk.coreml.weights(path)
    left, changed = dict(plain), 0
    for parameter in model.parameters():
        # The converter renames what it folds, so a weight is found by its values.
        same = [
            label
            for label, values in left.items()
            if values.shape == tuple(parameter.shape) and np.allclose(values, parameter.numpy(), 1e-3, 1e-6)
        ]
        if same:
            values = small[same[0]]
            if hasattr(values, "dense"):
                changed += 1
                values = values.dense()
            parameter.data = torch.tensor(np.float32(values))
            del left[same[0]]
    assert changed == sum(hasattr(values, "dense") for values in small.values()), "a weight was not found"
    return model


def expected(model, example):
    with torch.no_grad():
        return model(example).numpy()


def answer(path, example, **options):
    """toykit's answer."""
    model = tk.coreml.load(path, **options)
    (found,) = model.predict({next(iter(model.inputs)): example.numpy()}).values()
    return found


def distances(path, model, example, backends=running.BACKENDS):
    """How far toykit's answers are from torch's: dict of (backend, precision) to `running.distance`."""
    reference = expected(model, example)
    assert running.tells(reference, 1e-2)
    return {
        (backend, precision): running.distance(
            answer(path, example, backend=backend, precision=precision), reference
        )
        for backend in backends
        for precision in ("float32", "float16")
    }
