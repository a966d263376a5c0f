"""With a few samples and no training: GPTQ, SparseGPT and sensitivity-weighted k-means as methods.

The methods of this module have the same interface as those that train. Instead of an optimizer there
is a calibration set, a few samples without labels:

    gptq = training.GPTQ()
    model = gptq.prepare(model, training.GPTQConfig(bits=4))
    training.calibrate(gptq, samples)
    model = gptq.finalize()

The mathematics is in `toykit.training.gptq`. Every layer is calibrated with the inputs it has in the
uncompressed network. Not here: layers calibrated one after another, each with the inputs that the
compressed ones before it produce.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import bits as packing
from .. import palettization, pruning
from ..compressed import check_fraction, check_int
from ..palettization import BITS
from ..quantization import Quantized
from .common import NEVER, Method, find_layers
from .gptq import prune_columns, quantize_columns
from .pruning import SMALLEST


def calibrate(method, samples, batch_size=64):
    """Run a calibration set through a prepared model, in evaluation mode and without gradients.

    Parameters
    ----------
    method : Method
        After `prepare`. Its `step` is called once a batch.
    samples : tensor
        Samples along the first axis.
    batch_size : int

    Raises
    ------
    TypeError
        If `samples` is not a floating-point tensor.
    ValueError
        If there are no samples, one is not finite, or the model does not take their shape.
    """
    if not isinstance(samples, torch.Tensor) or not samples.is_floating_point():
        kind = samples.dtype if isinstance(samples, torch.Tensor) else type(samples).__name__
        raise TypeError(f"samples must be a tensor of floating-point numbers; got {kind}")
    if samples.dim() == 0 or len(samples) == 0:
        raise ValueError(f"samples must hold at least one sample; got a tensor of shape {tuple(samples.shape)}")
    if not torch.isfinite(samples).all():
        raise ValueError("samples must be finite; one holds NaN or infinity")
    check_int("batch_size", batch_size, range(1, NEVER))
    if method.model is None:
        raise RuntimeError("calibrate() needs a prepared model: call prepare(model, config) first")
    method.model.eval()
    for batch in samples.split(batch_size):
        try:
            with torch.no_grad():
                method.model(batch)
        except RuntimeError as problem:
            raise ValueError(
                f"the model does not take samples of shape {tuple(samples.shape[1:])}: {problem}"
            ) from problem
        method.step()


@dataclass(frozen=True)
class GPTQConfig:
    """How to quantize, or prune, with second-order information.

    Parameters
    ----------
    bits : {2, ..., 8} or None
        Of symmetric codes with a scale for each output channel; None with `sparsity`.
    sparsity : float in [0, 1] or None
        Prune this share instead (SparseGPT).
    damping : float
        Added to the diagonal, relative to its mean. More for fewer samples.
    max_columns : int
        A layer with more inputs to each output is cut into independent pieces of at most this many:
        a matrix of columns x columns has to be stored and inverted.
    max_rows : int
        Of the inputs of each batch at most this many are used, evenly spread: a convolution has one
        for each position.
    skip, min_size
        As in `PruningConfig`.
    """

    bits: int | None = 4
    sparsity: float | None = None
    damping: float = 0.01
    max_columns: int = 2048
    max_rows: int = 4096
    skip: tuple = ()
    min_size: int = 0

    def __post_init__(self):
        if (self.bits is None) == (self.sparsity is None):
            raise ValueError(f"give either bits or sparsity, and None for the other; got bits={self.bits}, "
                             f"sparsity={self.sparsity}")
        if self.bits is not None:
            check_int("bits", self.bits, range(2, 9))
        else:
            check_fraction("sparsity", self.sparsity, "the share of weights to set to zero")
        if not self.damping > 0:
            raise ValueError(f"damping must be positive; got {self.damping}")
        for name in ("max_columns", "max_rows"):
            check_int(name, getattr(self, name), range(1, NEVER))
        check_int("min_size", self.min_size, range(0, NEVER))


class GPTQ(Method):
    """Quantize or prune layer by layer so that outputs change least. See the top of this module."""

    config_type = GPTQConfig

    def choose(self, model):
        layers = find_layers(model, self.config.skip, self.config.min_size)
        for name, layer in layers.items():
            if getattr(layer, "groups", 1) != 1 or isinstance(layer, nn.Conv3d):
                raise ValueError(f"{name!r} is a grouped or 3-D convolution, which GPTQ here does not know: skip it")
        return layers

    def stand_in(self, name, weight):
        return None

    def begin(self, layers):
        self.model.eval()
        self.hessians, self.rows = {}, {}
        self._hooks = [
            layer.register_forward_pre_hook(lambda layer, inputs, name=name: self._see(name, layer, inputs[0]))
            for name, layer in layers.items()
        ]

    @torch.no_grad()
    def _see(self, name, layer, x):
        rows = input_rows(layer, x)
        rows = rows[:: -(-len(rows) // self.config.max_rows)]
        if name not in self.hessians:
            pieces = -(-rows.shape[1] // self.config.max_columns)
            self.hessians[name] = [torch.zeros(n, n) for n in _sizes(rows.shape[1], pieces)]
            self.rows[name] = 0
        start = 0
        for hessian in self.hessians[name]:
            piece = rows[:, start : start + len(hessian)]
            hessian.addmm_(piece.T, piece)
            start += len(hessian)
        self.rows[name] += len(rows)

    def check_complete(self):
        for name in self._all_layers:
            if name not in self.hessians:
                raise RuntimeError(f"no input of {name!r} was seen: run a calibration set through the model, "
                                   "training.calibrate(method, samples)")
        for hook in self._hooks:
            hook.remove()

    def end(self):
        self.hessians = {}  # they can be many times larger than the model

    def compress(self, name, layer, weight):
        matrix, config = weight.detach().flatten(1), self.config
        pieces = matrix.split([len(hessian) for hessian in self.hessians[name]], dim=1)
        hessians = [hessian / self.rows[name] for hessian in self.hessians[name]]
        if config.bits is None:
            kept = torch.cat([
                prune_columns(piece, hessian, config.sparsity, config.damping)
                for piece, hessian in zip(pieces, hessians, strict=True)
            ], dim=1)  # fmt: skip
            kept = (kept * (kept.abs() > SMALLEST)).half().reshape(weight.shape)
            return pruning.prune(kept.numpy(), threshold=0)
        high = 2 ** (config.bits - 1) - 1
        scale = (matrix.abs().amax(1, keepdim=True) / high).half().float().clamp_min(2.0**-24)
        codes = torch.cat([
            quantize_columns(piece, hessian, scale, -high, high, config.damping)
            for piece, hessian in zip(pieces, hessians, strict=True)
        ], dim=1).reshape(weight.shape).numpy()  # fmt: skip
        return Quantized(
            codes=codes if config.bits == 8 else packing.pack(codes, config.bits, signed=True),
            scale=scale.numpy().astype(np.float16).reshape(-1, *[1] * (weight.dim() - 1)),
            zero_point=None,
            shape=codes.shape,
            bits=config.bits,
            signed=True,
        )


def input_rows(layer, x):
    """The inputs of a layer as rows, one for each time that its weights are applied: (rows, columns).

    The columns are those of ``layer.weight.flatten(1)``: a convolution sees one patch a position.
    """
    if isinstance(layer, nn.Linear):
        return x.reshape(-1, x.shape[-1])
    weight = layer.weight
    if isinstance(layer, nn.Conv1d):
        x, weight = x[:, :, None], weight[:, :, None]

    def pair(value):
        return (0, value[0]) if isinstance(layer, nn.Conv1d) else tuple(value)

    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        left, right, top, bottom = (*layer._reversed_padding_repeated_twice, 0, 0)[:4]
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        x, padding = functional.pad(x, (left, right, top, bottom), mode=mode), (0, 0)
    else:
        padding = pair(layer.padding)
    stride, dilation = (tuple(max(v, 1) for v in pair(value)) for value in (layer.stride, layer.dilation))
    patches = functional.unfold(x, weight.shape[2:], dilation=dilation, padding=padding, stride=stride)
    return patches.transpose(1, 2).reshape(-1, patches.shape[1])


def _sizes(total, pieces):
    """`total` in `pieces` parts whose sizes differ by at most 1."""
    return [total // pieces + (i < total % pieces) for i in range(pieces)]


@dataclass(frozen=True)
class SensitiveConfig:
    """How to palettize with sensitivities.

    Parameters
    ----------
    bits : {1, 2, 3, 4, 6, 8}
    skip, min_size
        As in `PruningConfig`.
    """

    bits: int = 4
    skip: tuple = ()
    min_size: int = 0

    def __post_init__(self):
        check_int("bits", self.bits, BITS)
        check_int("min_size", self.min_size, range(0, NEVER))


class SensitivePalettizer(Method):
    """k-means in which a weight counts as much as the loss depends on it.

    Near a trained optimum the loss grows with the square of a weight's error, times its curvature, and
    the curvature is about the mean of the squared gradient (the diagonal of the Fisher information).
    So: gradients of a few labelled samples, squared and added up, weigh the errors in k-means.

    After `prepare`, call ``loss.backward()`` and `step` for each *single* sample: the square of a sum
    is not the sum of squares. `step` takes the gradients and clears them; no optimizer.

    References
    ----------
    Kim et al., "SqueezeLLM: dense-and-sparse quantization", ICML 2024.

    Examples
    --------
    >>> sensitive = SensitivePalettizer()
    >>> model = sensitive.prepare(nn.Sequential(nn.Linear(8, 4)), SensitiveConfig(bits=1))
    >>> for sample in torch.randn(5, 8):
    ...     model(sample).square().sum().backward()
    ...     sensitive.step()
    >>> len(sensitive.finalize()[0].weight.unique())
    2
    """

    config_type = SensitiveConfig

    def stand_in(self, name, weight):
        return None

    def begin(self, layers):
        self.model.eval()
        self.sensitivities = {name: torch.zeros_like(layer.weight) for name, layer in self.layers.items()}
        for layer in layers.values():
            layer.weight.requires_grad_()

    def advance(self):
        for name, layer in self.layers.items():
            if layer.weight.grad is None:
                raise RuntimeError(f"{name!r} has no gradient: call loss.backward() before step()")
            if not torch.isfinite(layer.weight.grad).all():
                raise FloatingPointError(f"the gradient of {name!r} is not finite: the loss was NaN or infinite")
            self.sensitivities[name] += layer.weight.grad.square()
        self.model.zero_grad()

    def check_complete(self):
        if self.steps == 0:
            raise RuntimeError("no gradient was seen: call loss.backward() and step() for a few samples first")

    def compress(self, name, layer, weight):
        # Only ratios count; the largest as 1 keeps them away from the ends of float32.
        counts = self.sensitivities[name] / self.sensitivities[name].max().clamp_min(1e-30)
        return palettization.palettize(weight.detach().half().numpy(), self.config.bits, sensitivities=counts.numpy())


@torch.no_grad()
def correct_biases(model, original, samples):
    """Give each channel back the mean that compression took from it.

    Rounding errors do not average out over a channel: its output is shifted, by the errors times the
    mean of the inputs. The shift is constant, so a bias can carry the correction, for free.

    Parameters
    ----------
    model : torch.nn.Module
        After `finalize`. Its biases are changed in place; layers without one get one.
    original : torch.nn.Module
        The network before compression.
    samples : tensor

    Returns
    -------
    torch.nn.Module
        `model`.

    References
    ----------
    Nagel, van Baalen, Blankevoort, Welling, "Data-free quantization through weight equalization and
    bias correction", ICCV 2019.
    """
    model.eval(), original.eval()
    # In order: what reaches a layer depends on the biases before it.
    for name in find_layers(original):
        layer, before = model.get_submodule(name), original.get_submodule(name)
        shift = _mean_output(before, original, samples) - _mean_output(layer, model, samples)
        if layer.bias is None:
            layer.bias = nn.Parameter(shift)
        else:
            layer.bias += shift
    return model


def _mean_output(layer, model, samples):
    """The mean of each output channel of a layer over samples."""
    seen = []
    hook = layer.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    model(samples)
    hook.remove()
    channel = -1 if isinstance(layer, nn.Linear) else 1
    return torch.cat([output.movedim(channel, 0).flatten(1) for output in seen], 1).mean(1)
