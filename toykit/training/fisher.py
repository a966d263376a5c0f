"""Sensitivities: palettes in which a weight counts as much as the loss depends on it.

Near a trained optimum the loss grows with the square of a weight's error, times its curvature, and the
curvature is about the mean of the squared gradient, the diagonal of the Fisher information. So gradients
of a few labelled samples, squared and added up, can weigh the errors in k-means.

It is an approximation for small errors of one weight at a time. With few bits errors are large and
everywhere, and it may lead astray: compare with k-means that counts all weights alike.

Reference: Kim et al., "SqueezeLLM: dense-and-sparse quantization", ICML 2024.
"""

from dataclasses import dataclass

import torch

from .. import palettization
from ..compressed import check_int
from ..settings import INDEX_BITS
from .common import Method, check_scope


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
        check_int("bits", self.bits, INDEX_BITS)
        check_scope(self)


class SensitivePalettizer(Method[SensitiveConfig]):
    """k-means in which a weight counts as much as the loss depends on it.

    After `prepare`, call ``loss.backward()`` and `step` for each *single* sample: the square of a sum
    is not the sum of squares. `step` takes the gradients and clears them; no optimizer.

    Examples
    --------
    >>> sensitive = SensitivePalettizer()
    >>> model = sensitive.prepare(torch.nn.Sequential(torch.nn.Linear(8, 4)), SensitiveConfig(bits=1))
    >>> for sample in torch.randn(5, 8):
    ...     model(sample).square().sum().backward()
    ...     sensitive.step()
    >>> len(sensitive.finalize()[0].weight.unique())
    2
    """

    config_type = SensitiveConfig

    def parametrization(self, name, weight):
        return None

    def begin(self, layers):
        self.model.eval()
        self.sensitivities = {}
        for layer in layers.values():
            layer.weight.requires_grad_()

    def advance(self):
        if all(layer.weight.grad is None for layer in self.layers.values()):
            raise RuntimeError(
                f"{next(iter(self.layers))!r} has no gradient, nor has any other layer: call loss.backward() "
                "before step()"
            )
        for name, layer in self.layers.items():
            if layer.weight.grad is None:
                continue
            if not torch.isfinite(layer.weight.grad).all():
                raise FloatingPointError(
                    f"the gradient of {name!r} is not finite: the loss was NaN or infinite"
                )
            self.sensitivities[name] = self.sensitivities.get(name, 0) + layer.weight.grad.square()
        self.model.zero_grad()

    def check_complete(self):
        if self.steps == 0:
            raise RuntimeError(
                "no gradient was seen: call loss.backward() and step() for a few samples first"
            )
        self.leave_out(
            [name for name in self.layers if name not in self.sensitivities],
            "never had a gradient: the loss does not depend on it; it stays as it is",
        )

    def compress(self, name, layer, weight):
        # Only ratios count; the largest as 1 keeps them away from the ends of float32.
        counts = self.sensitivities[name] / self.sensitivities[name].max().clamp_min(1e-30)
        weight = weight.detach().half().numpy()
        return palettization.palettize(weight, self.config.bits, sensitivities=counts.numpy())
