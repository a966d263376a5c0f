"""Gradual magnitude pruning: remove a few weights, let the others recover, remove some more.

Prune 90 % of a trained network at once, and what is left computes something else. Remove the smallest
weights in many small steps while training goes on, and each is small enough to recover from. Zhu
and Gupta remove many weights early, while there are plenty, and few at the end:

    s(t) = s_end + (s_begin - s_end) (1 - t)^3        t from 0 at step `begin` to 1 at step `end`

The weights that run are the weights that train times a mask of zeros and ones. A masked weight has no
influence, so it gets no gradient either; it keeps its value, and may return if others shrink below it
before the schedule ends. After the schedule the mask is fixed, and training goes on with what is left.

One-shot pruning is the schedule of one update: ``begin == end``.

Reference: Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model
compression", arXiv:1710.01878, 2017.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .. import pruning
from ..compressed import check_fraction, check_int, check_number, check_type
from .common import NEVER, Method, check_scope, check_tensor, parametrization_of, trained_weight

# What coremltools 9 takes for zero when it converts a sparse torch weight: float16's epsilon, 2**-10.
SMALLEST = float(np.finfo(np.float16).eps)


@dataclass(frozen=True)
class PruningConfig:
    """How far to prune, and when.

    Parameters
    ----------
    sparsity : float in [0, 1]
        Share of each layer's weights that are zero at the end.
    begin, end : int
        Steps of the first and of the last update of the mask; ``begin == end`` prunes at once.
    every : int
        Steps between updates. The last one falls on `end` whatever `every` is.
    initial : float in [0, 1]
        Sparsity of the first update.
    power : float
        Exponent of the schedule. 1 is a straight line, 3 is Zhu and Gupta's.
    skip : sequence of str
        Names of layers to leave alone.
    min_size : int
        Layers with fewer weights are left alone.

    Raises
    ------
    TypeError, ValueError
        If a share is not between 0 and 1, the steps are not in order, or `initial` exceeds `sparsity`.
    """

    sparsity: float = 0.5
    begin: int = 0
    end: int = 0
    every: int = 1
    initial: float = 0.0
    power: float = 3.0
    skip: tuple = ()
    min_size: int = 0

    def __post_init__(self):
        check_fraction("sparsity", self.sparsity, "the share of weights to set to zero")
        check_fraction("initial", self.initial, "the share of weights that the first update sets to zero")
        check_scope(self)
        for name in ("begin", "end"):
            check_int(name, getattr(self, name), range(NEVER))
        check_int("every", self.every, range(1, NEVER))
        if self.initial > self.sparsity:
            raise ValueError(
                f"initial must not exceed sparsity: from {self.initial} the schedule would "
                f"have to come back to {self.sparsity}"
            )
        if self.end < self.begin:
            raise ValueError(
                f"end must not come before begin, or the schedule never reaches sparsity "
                f"{self.sparsity}; got begin={self.begin}, end={self.end}"
            )
        check_number("power", self.power, above=0)


def scheduled_sparsity(step, config):
    """The sparsity that the schedule asks for after a step.

    Parameters
    ----------
    step : int
        Counted from 0.
    config : PruningConfig

    Returns
    -------
    float

    Examples
    --------
    >>> config = PruningConfig(sparsity=0.8, begin=10, end=20)
    >>> [round(scheduled_sparsity(step, config), 3) for step in (9, 10, 15, 20, 99)]
    [0.0, 0.0, 0.7, 0.8, 0.8]
    """
    step = check_int("step", step, range(NEVER))
    check_type("config", config, PruningConfig, "a PruningConfig")
    if step < config.begin:
        return 0.0
    if step >= config.end:
        return config.sparsity
    # Between two updates of the mask the sparsity stays where the earlier one left it.
    updated = (step - config.begin) // config.every * config.every
    t = updated / (config.end - config.begin)
    return config.sparsity + (config.initial - config.sparsity) * (1 - t) ** config.power


def magnitude_mask(weight, sparsity):
    """A mask that keeps the largest magnitudes: exactly ceil((1 - sparsity) n) of them.

    Parameters
    ----------
    weight : tensor, any shape
    sparsity : float in [0, 1]

    Returns
    -------
    bool tensor of the shape of `weight`
        Among equal magnitudes those that come first in row-major order are kept.

    Examples
    --------
    >>> magnitude_mask(torch.tensor([0.1, -2.0, 0.5, 0.5]), sparsity=0.5).tolist()
    [False, True, True, False]
    """
    check_tensor("weight", weight)
    sparsity = check_fraction("sparsity", sparsity, "the share of weights to set to zero")
    # 1e-9 forgives 0.9 for being a little less than nine tenths: (1 - 0.9) * 10 is not quite 1.
    kept = math.ceil((1 - sparsity) * weight.numel() - 1e-9)
    order = weight.abs().flatten().argsort(descending=True, stable=True)
    mask = torch.zeros(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[order[:kept]] = True
    return mask.reshape(weight.shape)


class Mask(nn.Module):
    """The parametrization: weights times mask."""

    def __init__(self, weight):
        super().__init__()
        self.register_buffer("mask", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, weight):
        return weight * self.mask


class Pruner(Method[PruningConfig]):
    """Prune while training, each layer to the same sparsity. See `Method` for how to use it.

    At the end, weights that are left but at most 2**-10 in size are zeroed too: coremltools does so
    when it converts, and what is evaluated here should be what runs there.

    Examples
    --------
    >>> pruner = Pruner()
    >>> model = pruner.prepare(nn.Sequential(nn.Linear(8, 4)), PruningConfig(sparsity=0.75))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> for _ in range(3):
    ...     loss = model(torch.ones(1, 8)).square().sum()
    ...     loss.backward()
    ...     optimizer.step()
    ...     pruner.step()
    >>> model = pruner.finalize()
    >>> int((model[0].weight != 0).sum())
    8
    """

    config_type = PruningConfig

    def parametrization(self, name, weight):
        return Mask(weight)

    def begin(self, layers):
        self.sparsity = 0.0
        self._update(scheduled_sparsity(0, self.config))

    def advance(self):
        self._update(scheduled_sparsity(self.steps, self.config))

    @torch.no_grad()
    def _update(self, sparsity):
        if sparsity == self.sparsity:
            return
        self.sparsity = sparsity
        for layer in self.layers.values():
            parametrization_of(layer).mask.copy_(magnitude_mask(trained_weight(layer), sparsity))

    def check_complete(self):
        if self.steps < self.config.end:
            raise RuntimeError(
                f"the schedule reaches sparsity {self.config.sparsity} at step {self.config.end}, but step() "
                f"was called {self.steps} times and the sparsity is {self.sparsity:.3g}: train on, or "
                "lower end"
            )

    def compress(self, name, layer, weight):
        kept = (layer.weight * (layer.weight.abs() > SMALLEST)).half()
        return pruning.prune(kept.numpy(), threshold=0)
