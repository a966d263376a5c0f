"""Quantization-aware training: let the network feel the rounding while it can still react.

In the forward pass weights, and if wanted the inputs of each layer, are quantized and dequantized at
once (*fake* quantization: the values are those that codes can stand for, the arithmetic is float). In
the backward pass the straight-through estimator carries the gradient past the rounding to the weights
in full precision, which move a little at a time until one day a code flips.

Two ways to find the scale of the weights, one a channel:

- from the largest weight of the channel, new in each step, as `tk.quantize` does;
- *learned* (LSQ): the scale is a parameter, and the loss decides how many outliers to clip for a finer
  step in the middle. It wins where codes are few.

Order matters, hence the milestones: ranges of activations are observed from the start; quantization
begins when they are known; ranges are frozen when they have settled; and batch norm is frozen to its
running averages near the end, because those are what runs later.

Not here: zero points for weights, blocks, and 4-bit activations (Core ML has int8 only).

References: Jacob et al., "Quantization and training of neural networks for efficient
integer-arithmetic-only inference", CVPR 2018. Esser et al., "Learned step size quantization", ICLR 2020.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .. import bits as packing
from ..compressed import check_choice, check_flag, check_int
from ..quantization import Quantized
from .common import NEVER, NEVER_CALLED, Method, check_scope, parametrization_of
from .observers import OBSERVERS, ActivationQuantizer
from .straight_through import fake_quantize, half_through

SMALLEST_SCALE = 2.0**-24  # of float16, the type that Core ML stores scales in


@dataclass(frozen=True)
class QuantizationConfig:
    """What to quantize, how, and when.

    Parameters
    ----------
    bits : int from 2 to 8
        Of the weights. Core ML stores 4 and 8.
    activations : 8 or None
        Bits of the input of each layer; None leaves activations in float. A layer whose weight is used
        without calling it, such as `out_proj` of torch's attention, has no input to be seen: its weight
        is quantized, its activations are not, and `Quantizer.skipped` names it.
    learned : bool
        Learn the weights' scales (LSQ) instead of taking the largest weight of a channel.
    ranges : {"moving", "minmax", "percentile", "mse"}
        How the range of activations is found, see `toykit.training.observers`. The last two need all
        the data first: they watch without quantizing until `freeze_ranges_at`, or `finalize`.
    calibrate : bool
        No training: the prepared model stays in evaluation mode, as batch norm and dropout should be,
        and ranges are observed in it.
    quantize_from, freeze_ranges_at, freeze_norms_at : int, optional
        Milestones, in steps. `quantize_from` is 0 by default: from the start. The others do not
        happen by default.
    skip, min_size
        As in `PruningConfig`.

    Raises
    ------
    TypeError, ValueError
        If an option is not among those above, or ranges are frozen before there is anything to freeze.
    """

    bits: int = 8
    activations: int | None = 8
    learned: bool = False
    ranges: str = "moving"
    calibrate: bool = False
    quantize_from: int = 0
    freeze_ranges_at: int | None = None
    freeze_norms_at: int | None = None
    skip: tuple = ()
    min_size: int = 0

    def __post_init__(self):
        check_int("bits", self.bits, range(2, 9))
        if self.activations is not None:
            check_int("activations", self.activations, (8,))
        check_choice("ranges", self.ranges, tuple(OBSERVERS))
        check_flag("learned", self.learned)
        check_flag("calibrate", self.calibrate)
        check_int("quantize_from", self.quantize_from, range(NEVER))
        check_scope(self)
        for name in ("freeze_ranges_at", "freeze_norms_at"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), range(1, NEVER))
        if self.freeze_ranges_at is not None and self.freeze_ranges_at < self.quantize_from:
            raise ValueError(
                "freeze_ranges_at must not come before quantize_from, or the ranges never follow what "
                f"quantization does; got {self.freeze_ranges_at} and {self.quantize_from}"
            )


class MaxAbsScale(nn.Module):
    """The parametrization whose scale fits the largest weight of each output channel."""

    def __init__(self, weight, bits):
        super().__init__()
        self.high = 2 ** (bits - 1) - 1
        self.low = -self.high
        self.active = True

    def scale(self, weight):
        largest = weight.detach().flatten(1).abs().amax(1)
        scale = (largest / self.high).half().to(weight.dtype).clamp_min(SMALLEST_SCALE)
        return scale.reshape(-1, *[1] * (weight.dim() - 1))

    def forward(self, weight):
        if not self.active:
            return weight
        return fake_quantize(weight, self.scale(weight), self.low, self.high)


class LearnedScale(nn.Module):
    """The parametrization whose scale is a parameter, one for each output channel."""

    def __init__(self, weight, bits):
        super().__init__()
        self.low, self.high = packing.code_range(bits, signed=True)
        # Esser et al. start from 2 <|w|> / sqrt(high), wide enough for the bulk of a bell curve ...
        start = 2 * weight.flatten(1).abs().mean(1) / math.sqrt(self.high)
        self.step = nn.Parameter(start.clamp_min(SMALLEST_SCALE).reshape(-1, *[1] * (weight.dim() - 1)))
        # ... and make a step's gradient smaller the more weights add to it.
        self.slowdown = 1 / math.sqrt(weight[0].numel() * self.high)
        self.active = True

    def scale(self, weight):
        step = self.step * self.slowdown + (self.step * (1 - self.slowdown)).detach()
        return half_through(step.abs().clamp_min(SMALLEST_SCALE))

    def forward(self, weight):
        if not self.active:
            return weight
        return fake_quantize(weight, self.scale(weight), self.low, self.high)


class Quantizer(Method[QuantizationConfig]):
    """Quantize while training. See `Method` for how to use it.

    With ``calibrate=True`` there is no optimizer: run the prepared model on a few batches and
    `finalize`. The weights are then those of `tk.quantize`, and the ranges of the activations are found
    from the batches.

    Examples
    --------
    >>> quantizer = Quantizer()
    >>> model = quantizer.prepare(nn.Sequential(nn.Linear(8, 4)), QuantizationConfig(bits=4))
    >>> y = model(torch.randn(16, 8))
    >>> quantizer.step()
    >>> model = quantizer.finalize()
    >>> quantizer.compressed["0"].bits, int(quantizer.compressed["0"].nbytes)    # 32 codes, 4 scales
    (4, 24)
    """

    config_type = QuantizationConfig

    def parametrization(self, name, weight):
        kind = LearnedScale if self.config.learned else MaxAbsScale
        return kind(weight, self.config.bits)

    def begin(self, layers):
        self.inputs, self._input_hooks = {}, {}
        if self.config.activations:
            for name, layer in layers.items():
                self.inputs[name] = layer.input_quantizer = ActivationQuantizer(
                    OBSERVERS[self.config.ranges](), always=self.config.calibrate
                )
                # The hook finds the quantizer on the layer it is called with, so copies of the model work.
                self._input_hooks[name] = layer.register_forward_pre_hook(_quantize_input)
        self._norm_hooks = []
        self._apply_milestones()
        if self.config.calibrate:
            self.model.eval()

    def advance(self):
        self._apply_milestones()

    def _apply_milestones(self):
        config = self.config
        active = self.steps >= config.quantize_from
        for layer in self.layers.values():
            parametrization_of(layer).active = active
        for quantizer in self.inputs.values():
            quantizer.active = active
        if self.steps == config.freeze_ranges_at:
            self._check_observed()
            for quantizer in self.inputs.values():
                if not quantizer.empty:
                    quantizer.freeze()
        if self.steps == config.freeze_norms_at:
            for part in self.model.modules():
                if isinstance(part, nn.modules.batchnorm._BatchNorm):
                    # Whoever calls model.train() next turns it on again; the hook turns it off in time.
                    self._norm_hooks.append(part.register_forward_pre_hook(_evaluate))

    def check_complete(self):
        if self.steps < self.config.quantize_from:
            raise RuntimeError(
                f"quantization begins at step {self.config.quantize_from}, but step() was called "
                f"{self.steps} times: train on, or lower quantize_from"
            )
        self._check_observed()

    def _check_observed(self):
        if self.inputs and all(quantizer.empty for quantizer in self.inputs.values()):
            raise RuntimeError(
                f"no input of {next(iter(self.inputs))!r} was observed, nor of any other layer, so ranges "
                "are "
                "unknown: run the prepared model on some data first, in training mode unless calibrate=True. "
                "If it ran, it uses the weights without calling the layers, as torch.nn.MultiheadAttention "
                "does: then take activations=None"
            )

    def compress(self, name, layer, weight):
        parametrization = parametrization_of(layer)
        scale = parametrization.scale(weight)
        codes = (
            (weight / scale).round().clamp(parametrization.low, parametrization.high).to(torch.int8).numpy()
        )
        bits = self.config.bits
        return Quantized(
            codes=codes if bits == 8 else packing.pack(codes, bits, signed=True),
            scale=scale.numpy().astype(np.float16),
            zero_point=None,
            shape=codes.shape,
            bits=bits,
            signed=True,
        )

    def end(self):
        for name, quantizer in self.inputs.items():
            if quantizer.empty:
                self._input_hooks[name].remove()
                del self._all_layers[name].input_quantizer
                self.skipped[name] = f"{NEVER_CALLED}; its activations stay in float"
            else:
                quantizer.export()
        for hook in self._norm_hooks:
            hook.remove()


def _quantize_input(layer, inputs):
    return (layer.input_quantizer(inputs[0]), *inputs[1:])


def _evaluate(norm, inputs):
    norm.eval()
