"""Ranges of activations: which values the 256 codes of a layer's input are spread over.

Weights are known; activations are not until data flows. An observer watches some, and settles on a
lowest and a highest value. A few outliers make that a choice: cover them, and every other value is
rounded more coarsely; clip them, and they are wrong by a lot.

- `MovingMinMax`: an average of each batch's extremes that forgets slowly. For training.
- `MinMax`: the extremes of everything seen. Nothing is clipped.
- `Percentile`: clips a fixed share, 0.1 % by default.
- `LeastSquares`: tries ranges, keeps the one whose quantized values have the least squared error.

References: Jacob et al., CVPR 2018, for moving averages. Migacz, "8-bit inference with TensorRT", GTC
2017, and Nagel et al., "A white paper on neural network quantization", arXiv:2106.08295, 2021, for
choosing a range that clips.
"""

import warnings

import numpy as np
import torch
from torch import nn

from .straight_through import fake_quantize

LEVELS = 255  # steps between the 256 codes of 8 bits


class MovingMinMax:
    """Averages of the batches' smallest and largest values."""

    waits = False  # whether it needs all batches before it can say anything

    def __init__(self, momentum=0.01):
        self.momentum, self.low, self.high = momentum, None, None

    @property
    def empty(self):
        """Whether nothing was seen yet."""
        return self.low is None

    def observe(self, x):
        """Watch a batch."""
        low, high = x.min().item(), x.max().item()
        if self.low is None:
            self.low, self.high = low, high
        else:
            self.low += self.momentum * (low - self.low)
            self.high += self.momentum * (high - self.high)

    def range(self):
        """The lowest and the highest value to represent, once something was seen."""
        return self.low, self.high


class MinMax(MovingMinMax):
    """The smallest and the largest value ever seen."""

    def observe(self, x):
        low, high = x.min().item(), x.max().item()
        self.low = low if self.low is None else min(low, self.low)
        self.high = high if self.high is None else max(high, self.high)


class Percentile:
    """The range that leaves out a share of the values, half of it at each end.

    Parameters
    ----------
    share : float
        0.001 leaves out one value in a thousand.
    """

    waits = True
    keep = 1 << 16  # values kept of each batch, evenly spread over it

    def __init__(self, share=0.001):
        self.share, self.seen = share, []

    @property
    def empty(self):
        """Whether nothing was seen yet."""
        return not self.seen

    def observe(self, x):
        """Watch a batch."""
        x = x.detach().flatten()
        self.seen.append(x[:: -(-x.numel() // self.keep)].clone())

    def range(self):
        """The lowest and the highest value to represent, once something was seen."""
        values = torch.cat(self.seen).numpy()
        # After a ReLU the lower end is 0 whatever is left out there: half the values are.
        low, high = np.quantile(values, [self.share / 2, 1 - self.share / 2])
        return float(low), float(high)


class LeastSquares(Percentile):
    """Of 100 ranges, each a little narrower than the one before, the one with the least error."""

    def range(self):
        values = torch.cat(self.seen)
        low, high = values.min().item(), values.max().item()

        def error(part):
            scale, zero_point = codes_for(part * low, part * high)
            return (fake_quantize(values, scale, 0, LEVELS, zero_point) - values).square().mean().item()

        part = min((part / 100 for part in range(100, 0, -1)), key=error)
        return part * low, part * high


OBSERVERS = {"moving": MovingMinMax, "minmax": MinMax, "percentile": Percentile, "mse": LeastSquares}


def codes_for(low, high):
    """Scale and zero point of unsigned 8-bit codes that cover a range, and 0 exactly.

    Padding writes zeros, and so does ReLU: a zero that comes back as something else shifts everything.

    Examples
    --------
    >>> codes_for(-1.0, 2.984375)
    (0.015625, 64)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float16((high - low) / LEVELS)) or 1.0  # float16 is what Core ML stores
    return scale, int(np.clip(round(-low / scale), 0, LEVELS))


class ActivationQuantizer(nn.Module):
    """Watches the input of a layer, and quantizes it.

    An observer that `waits` only watches, until `freeze`.

    Attributes
    ----------
    scale, zero_point : float, int
        Of the codes 0 to 255, once something was seen.
    active : bool
        Whether to quantize already.
    always : bool
        Whether to watch in evaluation mode too.
    """

    def __init__(self, observer, always=False):
        super().__init__()
        self.observer, self.active, self.always, self.exported = observer, True, always, False
        self.scale, self.zero_point = None, 0

    def forward(self, x):
        if self.observer is not None and (self.training or self.always):
            self.observer.observe(x.detach())
            if not self.observer.waits:
                self.scale, self.zero_point = codes_for(*self.observer.range())
        if self.scale is None or not (self.active or self.exported):
            return x
        if self.exported:
            # The pair of operations that coremltools turns into Core ML's quantize and dequantize.
            # torch announces that they will go one day; coremltools 9 knows no others.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "torch.quantize_per_tensor")
                return torch.quantize_per_tensor(x, self.scale, self.zero_point, torch.quint8).dequantize()
        return fake_quantize(x, self.scale, 0, LEVELS, self.zero_point)

    @property
    def empty(self):
        """Whether nothing was seen: there is no range."""
        return self.observer is not None and self.observer.empty

    def freeze(self):
        """Settle on the range of what was seen so far."""
        if self.observer is not None:
            self.scale, self.zero_point = codes_for(*self.observer.range())
            self.observer = None

    def export(self):
        """Freeze, and from now on quantize with operations that coremltools converts."""
        self.freeze()
        self.exported = True
