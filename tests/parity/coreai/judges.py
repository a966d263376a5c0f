"""Three judges of a network: toykit's interpreter on the Core ML package, Apple's runtime on the asset, and torch.

Conversion takes most of the time, and most of that is the same for a network of one layer as for one of fifty: so
many networks are converted as one, with an input and an output each.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

import toykit as tk

from . import random_networks, stored

SMALL = 32  # elements that stay as they are: Core ML keeps fewer than 10 inside of the program


@dataclass(frozen=True)
class Verdict:
    """How far each judge's answer is from the exact one, and how far rounding can move it."""

    steps: tuple
    tolerance: float
    away: dict
    stopped: dict

    @property
    def agreed(self):
        return all(distance <= self.tolerance for distance in self.away.values())

    def __str__(self):
        names = " > ".join(make.__name__ for make, _ in self.steps)
        away = ", ".join(f"{judge} {distance:.2g}" for judge, distance in self.away.items())
        stopped = "".join(f"; {judge} stops: {str(error)[:200]}" for judge, error in self.stopped.items())
        return f"{names}: {away}; rounding {self.tolerance:.2g}{stopped}"


class Together(nn.Module):
    """Networks side by side."""

    def __init__(self, networks):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, *inputs):
        return tuple(network(x) for network, x in zip(self.networks, inputs, strict=True))


def judge(drawn, precision, compression=None):
    """A verdict on each of some networks, given by their steps; compressed on both stacks, if told so.

    Parameters
    ----------
    drawn : list of steps, as `random_networks.draw` gives them
    precision : {"float32", "float16"}
    compression : key of COMPRESSIONS, optional
        torch gets what toykit's arrays decompress to.
    """
    built = [random_networks.build(steps) for steps in drawn]
    plain, inputs = zip(*built, strict=True)
    networks = plain if compression is None else [dense(network, compression) for network in plain]
    answers = {
        "Core ML": answered(core_ml, plain, inputs, precision, compression),
        "Core AI": answered(core_ai, plain, inputs, precision, compression),
        "torch": in_torch(networks, inputs, precision),
    }
    verdicts = []
    for number, steps in enumerate(drawn):
        right, tolerance = random_networks.exact(networks[number], inputs[number], precision)
        away = {judge: apart(found[number], right) for judge, found in answers.items()}
        stopped = {
            judge: found[number] for judge, found in answers.items() if isinstance(found[number], Exception)
        }
        verdicts.append(Verdict(steps, tolerance, away, stopped))
    return verdicts


def shrunk(verdict, precision, compression=None):
    """The verdict on the smallest network that the judges still disagree on."""
    for number in range(len(verdict.steps)):
        rest = verdict.steps[:number] + verdict.steps[number + 1 :]
        if rest:
            (smaller,) = judge([rest], precision, compression)
            if not smaller.agreed:
                return shrunk(smaller, precision, compression)
    return verdict


def answered(judge, networks, *rest):
    """Each network's answer; of one that stops the judge, the exception in its place."""
    inputs, *options = rest
    try:
        return judge(networks, inputs, *options)
    except Exception as error:  # of converters and runtimes, whatever it is
        if len(networks) == 1:
            return [error]
        half = len(networks) // 2
        return [
            *answered(judge, networks[:half], inputs[:half], *options),
            *answered(judge, networks[half:], inputs[half:], *options),
        ]


def apart(found, right):
    """The largest difference; infinite where a number, the shape or any answer is missing."""
    if isinstance(found, Exception):
        return np.inf
    found = np.asarray(found, np.float64)
    if found.shape != right.shape or not np.isfinite(found).all():
        return np.inf
    return float(np.abs(found - right).max())


def core_ml(networks, inputs, precision, compression):
    package = tk.coreml.convert(
        Together(networks).eval(),
        tuple(inputs),
        target="iOS18",
        precision=precision,
        check=False,
        skip_model_load=True,
    )
    if compression is not None:
        technique, options, _ = COMPRESSIONS[compression]
        package = tk.coreml.compress(package, technique, weight_threshold=SMALL, **options)
    model = tk.coreml.load(package, precision=precision)
    found = model.predict({name: x.numpy() for name, x in zip(model.inputs, inputs, strict=True)})
    return list(found.values())


def core_ai(networks, inputs, precision, compression):
    program = tk.coreai.convert(Together(networks), tuple(inputs), precision)
    if compression is not None:
        name, options = COMPRESSIONS[compression][2]
        program = stored.compressed(program, name, SMALL, **options)
    model = tk.coreai.load(program)
    found = model.predict({name: x.numpy() for name, x in zip(model.inputs, inputs, strict=True)})
    return list(found.values())


def in_torch(networks, inputs, precision):
    dtype, found = getattr(torch, precision), []
    with torch.no_grad():
        for network, x in zip(networks, inputs, strict=True):
            found.append(copy.deepcopy(network).to(dtype)(x.to(dtype)).float().numpy())
    return found


def dense(network, compression):
    """The network with the weights that toykit's arrays decompress to, of float16 weights."""
    technique, options, _ = COMPRESSIONS[compression]
    network = copy.deepcopy(network)
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            weight = layer.weight.data.numpy().astype(np.float16)
            if weight.size <= SMALL:
                continue
            try:
                weight = getattr(tk, technique)(weight, **options).dense()
            except ValueError:  # blocks that do not divide: it stays as it is on both stacks
                continue
            layer.weight.data = torch.from_numpy(weight.astype(np.float32))
    return network


# toykit's technique and options, and the pass of coreai-opt and its.
COMPRESSIONS = {
    "int8": ("quantize", {"bits": 8}, ("quantize_weights", {"dtype": "INT8"})),
    "int4, blocks of 4": (
        "quantize",
        {"bits": 4, "granularity": "per_block", "block_size": 4},
        ("quantize_weights", {"dtype": "INT4", "granularity": "PER_BLOCK", "block_size": 4}),
    ),
    "uint8, affine": (
        "quantize",
        {"bits": 8, "mode": "affine", "signed": False},
        ("quantize_weights", {"dtype": "UINT8", "qscheme": "ASYMMETRIC"}),
    ),
    "pruned": ("prune", {"sparsity": 0.5}, ("sparsify_weights", {"target_sparsity": 0.5})),
    "palette": (
        "palettize",
        {"bits": 8},
        ("palettize_weights", {"lut_dtype": None, "n_bits": 8, "enable_fast_kmeans_mode": False}),
    ),
}
