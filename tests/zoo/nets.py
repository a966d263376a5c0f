"""The small network of the fixtures: its weights, its inputs, and its answers in NumPy.

    x (1, 8, 5, 5) -> 3x3 convolution to 8 channels -> ReLU -> mean of each channel -+
    ids (1, 3) -> rows of a table of 40 -> their mean ------------------------------+-> linear to 32

Read by the tests and, in the environments of other versions of coremltools, by `write_fixtures`; so NumPy
and Python 3.10 have to do, and nothing of toykit.
"""

import numpy as np

SHAPES = {"gather": (40, 8), "conv": (8, 8, 3, 3), "linear": (32, 8)}
# Smallest weight that is compressed: above this are the three weights, and below it the biases.
THRESHOLD = 250
# Of the fixture with quantized activations: exact in float16.
ACTIVATION_SCALE = 1 / 32


def weights(lattice=False):
    """Weights by the operator that uses them, and biases; on a lattice of 13 values for palettes of them."""
    rng = np.random.default_rng(0)
    made = {name: 0.25 * rng.normal(size=shape) for name, shape in SHAPES.items()}
    if lattice:
        made = {name: np.clip(np.round(8 * values), -6, 6) / 8 for name, values in made.items()}
    made |= {f"{name} bias": 0.1 * rng.normal(size=SHAPES[name][0]) for name in ("conv", "linear")}
    # In float16 already, so that a package in float32 and one in float16 hold the same network.
    return {name: np.float16(values) for name, values in made.items()}


def inputs():
    rng = np.random.default_rng(1)
    return {"x": rng.normal(size=(1, 8, 5, 5)).astype(np.float32), "ids": np.array([[3, 0, 39]], np.int32)}


def features(values, given, quantized=False):
    """What the convolution finds, (1, 8)."""
    x = np.float64(given["x"])
    if quantized:
        x = np.clip(np.round(x / ACTIVATION_SCALE), -128, 127) * ACTIVATION_SCALE
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    found = np.einsum("bcijkl,ockl->boij", windows, np.float64(values["conv"]))
    found += np.float64(values["conv bias"])[:, None, None]
    return np.maximum(found, 0).mean((2, 3))


def linear(values, found):
    return found @ np.float64(values["linear"]).T + np.float64(values["linear bias"])


def answer(values, given, quantized=False):
    """The network's answer, (1, 32), in float64 with weights as they are stored."""
    rows = np.float64(values["gather"])[given["ids"]].mean(1)
    return linear(values, features(values, given, quantized) + rows)


def counted(values, given, calls):
    """Answers of the network with a state: the features of all calls so far are added up."""
    return [linear(values, number * features(values, given)) for number in range(1, calls + 1)]
