"""MNIST-1D: handwritten digits reduced to a line, made on this computer in a second.

Ten digits are drawn as ten curves of 12 points. Each sample takes one of them, pads, shifts, scales
and shears it, adds noise, and resamples it to 40 numbers. Nothing is downloaded: the package
`mnist1d` holds the templates and the recipe, a seed decides the rest. A linear classifier gets about
a third of them right, a small convolutional network nineteen in twenty.

Reference: Greydanus and Kobak, "Scaling down deep learning with MNIST-1D", ICML 2024.
"""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._optional import require
from ..compressed import check_int

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class Digits:
    """Signals and their digits, split into a training and a test set.

    Attributes
    ----------
    x_train, x_test : (n, 1, 1, 40) float32 tensor
        Images one pixel high: samples, channels, height, width.
    y_train, y_test : (n,) int64 tensor
        The digits, 0 to 9.
    """

    x_train: "torch.Tensor"
    y_train: "torch.Tensor"
    x_test: "torch.Tensor"
    y_test: "torch.Tensor"

    def __repr__(self):
        return f"Digits({len(self.y_train)} to train, {len(self.y_test)} to test)"


def make(samples=10000, seed=42):
    """Generate the signals: four fifths to train, one fifth to test.

    Parameters
    ----------
    samples : int
        How many, a multiple of 10 (the digits are equally frequent) and at least 50. 10,000 take
        about two seconds.
    seed : int
        The same seed gives the same signals. 42 is the package's own.

    Returns
    -------
    Digits

    Raises
    ------
    ImportError
        If mnist1d or torch is not installed.
    ValueError
        If `samples` is not a multiple of 10.

    Examples
    --------
    >>> make(100)
    Digits(80 to train, 20 to test)
    """
    samples = check_int("samples", samples, range(50, 1_000_001))
    seed = check_int("seed", seed, range(2**32))
    if samples % 10:
        raise ValueError(f"samples must be a multiple of 10, the number of digits; got {samples}")
    torch = require("torch", "hold the signals of MNIST-1D")
    source = require("mnist1d.data", "generate the signals of MNIST-1D")
    options = source.get_dataset_args(as_dict=True) | {"num_samples": samples, "seed": seed}
    # The package seeds Python's and NumPy's global generators: give them back as they were.
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the package uses them
    try:
        made = source.make_dataset(source.ObjectView(options))
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002 - as above

    def signals(name):
        return torch.from_numpy(made[name].astype(np.float32)[:, None, None, :])

    def digits(name):
        return torch.from_numpy(made[name].astype(np.int64))

    return Digits(signals("x"), digits("y"), signals("x_test"), digits("y_test"))
