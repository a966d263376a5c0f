"""What a case is, and the numbers that go in.

All floats that go in are float16 numbers, so that a package in either precision gets the same ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch


class Function(torch.nn.Module):
    """A function as a module, which is what the converter takes."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


@dataclass(frozen=True, eq=False)
class TorchCase:
    """A torch function or module, and tensors for it.

    Attributes
    ----------
    name : str
    function : callable
    inputs : tuple of tensors
    target : str
        Deployment target: newer ones have newer operators.
    half : bool
        Whether to convert it in float16 too. Not for functions that only move numbers about, and not
        for those that a rounding takes elsewhere, such as a floor.
    """

    name: str
    function: Callable
    inputs: tuple
    target: str = "iOS17"
    half: bool = False

    @property
    def module(self):
        is_module = isinstance(self.function, torch.nn.Module)
        return (self.function if is_module else Function(self.function)).eval()

    def expected(self):
        """The answers of torch, as a list of arrays."""
        with torch.no_grad():
            found = self.module(*self.inputs)
        return [part.numpy() for part in (found if isinstance(found, (tuple, list)) else (found,))]


@dataclass(frozen=True, eq=False)
class ProgramCase:
    """A program in coremltools' language.

    Attributes
    ----------
    name : str
    build : callable
        Gets the builder and the inputs as its variables; returns one variable or several.
    inputs : dict of str to array
    oracle : callable or None
        Gets the inputs; returns one array or several. None: what coremltools computes itself when the
        inputs are constants.
    target : str
    """

    name: str
    build: Callable
    inputs: dict = field(default_factory=dict)
    oracle: Callable | None = None
    target: str = "iOS17"


def table(*rows, half=False):
    """Cases by name; a row is (name, function, inputs ..., options in a dict)."""
    cases = {}
    for name, function, *inputs in rows:
        options = {"half": half} | (inputs.pop() if isinstance(inputs[-1], dict) else {})
        assert name not in cases, name
        cases[name] = TorchCase(name, function, tuple(inputs), **options)
    return cases


def written(cases):
    """A function that adds a program to a dict of cases: name, build, oracle, target, and the inputs."""

    def case(name, build, oracle=None, target="iOS17", **inputs):
        assert name not in cases, name
        cases[name] = ProgramCase(name, build, inputs, oracle, target)

    return case


def array(tensor):
    return tensor.numpy()


def weights(*shape, seed=2):
    """Small numbers, for the weights of a program."""
    return array(normal(*shape, seed=seed, scale=0.5))


def normal(*shape, seed=0, scale=1.0, shift=0.0):
    """Normal numbers, rounded to float16."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator) * scale + shift).half().float()


def other(*shape):
    """Other ones than `normal` gives for the same shape."""
    return normal(*shape, seed=1)


def positive(*shape, seed=0):
    """Numbers from 0.3 up."""
    return (normal(*shape, seed=seed).abs() + 0.3).half().float()


def inside(*shape):
    """Numbers between -0.9 and 0.9."""
    return (torch.rand(shape, generator=torch.Generator().manual_seed(2)) * 1.8 - 0.9).half().float()


def distinct(*shape):
    """Numbers no two of which are equal, for what sorts or picks."""
    count = int(np.prod(shape))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(3))
    return ((order.float() - count / 2) / 4).reshape(shape)


def integers(*shape, low=-5, high=6, seed=0):
    """Integers from `low` to `high` - 1, in the one width that Core ML has for inputs."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high, shape, generator=generator, dtype=torch.int32)


def seeded(build, seed=0):
    """A module with weights and statistics that look trained: no norm has a scale of 1 or a shift of 0."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = build()
        for layer in module.modules():
            if getattr(layer, "running_var", None) is not None:
                torch.nn.init.normal_(layer.running_mean, std=0.1)
                torch.nn.init.uniform_(layer.running_var, 0.5, 1.5)
            if "Norm" in type(layer).__name__ and getattr(layer, "weight", None) is not None:
                torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
                torch.nn.init.normal_(layer.bias, std=0.2)
    return module.eval().requires_grad_(False)
