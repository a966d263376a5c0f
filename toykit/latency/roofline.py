"""The roofline: a layer takes as long as its operations or its bytes, whichever takes longer."""

from dataclasses import dataclass

import numpy as np

from ..compressed import check_choice, check_each, check_flag, check_int, check_type, shown
from .descriptions import Chip, Format, Layer

WHEN = ("ahead_of_time", "just_in_time", "int8_int8")


@dataclass(frozen=True)
class Timing:
    """Modelled seconds of each layer: arrays of one number a layer, in order.

    Attributes
    ----------
    names : tuple of str
    compute, memory, tables : array
        What the operations, the bytes and the look-up tables of each layer take by themselves.
    layers : array
        The longer of `compute` and `memory`, and `tables`.
    bottleneck : tuple of {"compute", "memory", "tables"}
        The largest of the three.
    overhead : float
    total : float
        Of all layers, and the overhead.
    load : float
        Seconds that decompressing ahead of time takes once, when the model is loaded: reading the
        stored bytes and writing the dense ones.
    """

    names: tuple
    compute: np.ndarray
    memory: np.ndarray
    tables: np.ndarray
    overhead: float
    load: float

    @property
    def layers(self):
        return np.maximum(self.compute, self.memory) + self.tables

    @property
    def bottleneck(self):
        kinds = ("compute", "memory", "tables")
        return tuple(kinds[k] for k in np.argmax([self.compute, self.memory, self.tables], axis=0))

    @property
    def total(self):
        return float(self.layers.sum() + self.overhead)

    def __repr__(self):
        kinds = self.bottleneck
        most = ", ".join(f"{kinds.count(k)} by {k}" for k in ("compute", "memory", "tables") if k in kinds)
        return f"Timing(modelled {1e3 * self.total:.3g} ms, {len(self.names)} layers bound: {most})"


def timing(layers, chip, format=Format(), when="just_in_time", batch=1):  # noqa: B008 - it is frozen
    """Model how long a network takes.

    Parameters
    ----------
    layers : sequence of Layer
    chip : Chip
    format : Format, or dict of str to Format
        Of the weights: one for all layers, or one for each by its name.
    when : {"just_in_time", "ahead_of_time", "int8_int8"}
        Weights are read as they are stored; or read dense, in float16; or read in 8 bits and
        multiplied with inputs of 8 bits.
    batch : int
        Inputs that share one reading of the weights.

    Returns
    -------
    Timing

    Examples
    --------
    >>> chip = Chip("a chip of round numbers", operations=1e12, bandwidth=10e9)
    >>> layer = Layer("fc", (1000, 2048), 2_048_000, 2048, 1000)
    >>> timing([layer], chip)
    Timing(modelled 0.41 ms, 1 layers bound: 1 by memory)
    >>> timing([layer], chip, Format(bits=4), "just_in_time")
    Timing(modelled 0.102 ms, 1 layers bound: 1 by memory)
    >>> timing([layer], chip, Format(bits=4), "ahead_of_time")
    Timing(modelled 0.41 ms, 1 layers bound: 1 by memory)
    >>> timing([layer], chip, batch=200)
    Timing(modelled 0.819 ms, 1 layers bound: 1 by compute)
    """
    check_choice("when", when, WHEN)
    batch = check_int("batch", batch, range(1, 2**31))
    layers = tuple(check_each("layers", layers, Layer, "Layers", empty=False))
    check_type("chip", chip, Chip, "a Chip")
    formats = _formats(layers, format)
    stored = np.array([form.nbytes(layer) for layer, form in zip(layers, formats, strict=True)])
    dense = np.array([2.0 * layer.weights for layer in layers])
    compute, memory, tables = _terms(layers, chip, formats, when, batch, stored, dense)
    load = float((stored + dense).sum() / chip.bandwidth) if when == "ahead_of_time" else 0.0
    return Timing(tuple(layer.name for layer in layers), compute, memory, tables, chip.overhead, load)


def _formats(layers, format):
    """The format of each layer."""
    if isinstance(format, Format):
        return [format] * len(layers)
    if not isinstance(format, dict) or not all(isinstance(one, Format) for one in format.values()):
        raise TypeError(f"format must be a Format, or a dict of one for each layer; got {shown(format)}")
    missing = [layer.name for layer in layers if layer.name not in format]
    if missing:
        raise ValueError(
            f"format has no entry for the layers {', '.join(missing)}; it has {', '.join(map(str, format))}"
        )
    return [format[layer.name] for layer in layers]


def _terms(layers, chip, formats, when, batch, stored, dense):
    operations = 2.0 * batch * np.array([layer.macs for layer in layers])
    rate = chip.operations * (chip.int8_speed if when == "int8_int8" else 1)
    if when == "just_in_time":
        operations *= 1 - chip.zero_skipping * np.array([form.sparsity for form in formats])
    moved = dense.copy() if when == "ahead_of_time" else stored
    if chip.activations_in_memory:
        numbers = batch * np.array([layer.inputs + layer.outputs for layer in layers])
        moved = moved + (1 if when == "int8_int8" else 2) * numbers
    tables = np.zeros(len(layers))
    if when == "just_in_time":
        counts = [float(form.tables(layer)) for layer, form in zip(layers, formats, strict=True)]
        tables = chip.table_cost * np.array(counts)
    return operations / rate, moved / chip.bandwidth, tables


def intensity(layer, format=Format(), batch=1, activations=True):  # noqa: B008 - it is frozen
    """Operations for each byte that is moved; above a chip's `ridge`, computing is the bottleneck.

    Parameters
    ----------
    layer : Layer
    format : Format
    batch : int
    activations : bool
        Whether to count what the layer reads and writes besides weights, in float16.

    Returns
    -------
    float

    Examples
    --------
    >>> round(intensity(Layer("fc", (1000, 2048), 2_048_000, 2048, 1000)), 3)
    0.999
    """
    batch = check_int("batch", batch, range(1, 2**31))
    check_type("layer", layer, Layer, "a Layer")
    check_type("format", format, Format, "a Format")
    activations = check_flag("activations", activations)
    moved = format.nbytes(layer) + (2 * batch * (layer.inputs + layer.outputs) if activations else 0)
    return 2 * batch * layer.macs / moved
