"""A convolutional network small enough to train in front of the reader.

Three convolutions and a linear layer, 28,170 parameters, for the signals of `toykit.data.digits1d`.
A signal of 40 samples is an image one pixel high, and the layers are `Conv2d`: what is learned is the
same as with `Conv1d`, and coremltools can convert a `Conv2d` whose activations are quantized.
"""

import torch
from torch import nn

from ..compressed import SEEDS, check_int


class DigitsCNN(nn.Module):
    """Convolution, batch norm and ReLU three times, then a linear layer.

    Each convolution halves the length: 40 samples, 20, 10, 5.

    Parameters
    ----------
    classes : int
        How many digits there are to tell apart.

    Examples
    --------
    >>> import torch
    >>> DigitsCNN()(torch.zeros(7, 1, 1, 40)).shape
    torch.Size([7, 10])
    """

    def __init__(self, classes=10):
        super().__init__()
        classes = check_int("classes", classes, range(1, 1_000_001))
        self.conv1, self.norm1 = nn.Conv2d(1, 32, (1, 5), (1, 2), (0, 2), bias=False), nn.BatchNorm2d(32)
        self.conv2, self.norm2 = nn.Conv2d(32, 64, (1, 5), (1, 2), (0, 2), bias=False), nn.BatchNorm2d(64)
        self.conv3, self.norm3 = nn.Conv2d(64, 72, (1, 3), (1, 2), (0, 1), bias=False), nn.BatchNorm2d(72)
        self.linear = nn.Linear(72 * 5, classes)
        self.relu = nn.ReLU()

    def forward(self, x):
        """Class scores, (n, classes), of signals, (n, 1, 1, 40)."""
        x = self.relu(self.norm1(self.conv1(x)))
        x = self.relu(self.norm2(self.conv2(x)))
        x = self.relu(self.norm3(self.conv3(x)))
        return self.linear(x.flatten(1))


def digits_cnn(seed=0):
    """The small network with weights drawn from a seed; the caller's random state stays as it is.

    Examples
    --------
    >>> sum(p.numel() for p in digits_cnn().parameters())
    28170
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(check_int("seed", seed, SEEDS))
        return DigitsCNN()
