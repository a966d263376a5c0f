"""Networks whose inputs have several lengths, run at each of them against torch, on both backends.

Lengths that a program computes go through `shape`, `gather` and `concat` into reshapes, slices, fills and
ranges: coremltools writes them wherever a network asks for the size of its input.
"""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

import coremltools as ct

from tests.parity import running
from tests.parity.operators.case import seeded


class Words(nn.Module):
    """A table of words, and one of positions that is cut to the length of the sentence."""

    def __init__(self):
        super().__init__()
        self.words, self.places, self.out = nn.Embedding(20, 8), nn.Embedding(32, 8), nn.Linear(8, 5)

    def forward(self, x):
        return self.out(self.words(x) + self.places(torch.arange(x.shape[1])))


class Positions(nn.Module):
    """A parameter cut to the length of the input."""

    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(torch.randn(1, 32, 8))

    def forward(self, x):
        return x + self.places[:, : x.shape[1]]


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.layer = kind(8, 6, batch_first=True, **options)

    def forward(self, x):
        return self.layer(x)[0]


class Attention(nn.Module):
    """Heads that are split and joined by the length of the input, with a causal mask of this length."""

    def __init__(self):
        super().__init__()
        self.inner, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        n = x.shape[1]
        q, k, v = (part.reshape(1, n, 2, 4).transpose(1, 2) for part in self.inner(x).chunk(3, -1))
        mask = torch.triu(torch.full((n, n), -1e4), 1)
        y = torch.softmax(q @ k.transpose(-1, -2) / 2 + mask, -1) @ v
        return self.out(y.transpose(1, 2).reshape(1, n, 8))


class Fused(Attention):
    """The same in one operator, which iOS 18 has."""

    def forward(self, x):
        n = x.shape[1]
        q, k, v = (part.reshape(1, n, 2, 4).transpose(1, 2) for part in self.inner(x).chunk(3, -1))
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(1, n, 8))


class Rotated(nn.Module):
    """The first two steps behind the others, of which there may be none."""

    def forward(self, x):
        return torch.cat([x[:, 2:], x[:, :2]], 1)


class Last(nn.Module):
    """The last step, picked by a computed place; its mean with a length that is computed too."""

    def forward(self, x):
        return x[:, x.shape[1] - 1] + x.sum(1) / x.shape[1]


class Tiled(nn.Module):
    """One vector repeated to the length of the input, and joined to it."""

    def __init__(self):
        super().__init__()
        self.vector = nn.Parameter(torch.randn(1, 1, 8))

    def forward(self, x):
        return torch.cat([x, self.vector.expand(1, x.shape[1], 8)], -1)


class Scaled(nn.Module):
    """Half of the input, resized to its length, and to twice that of the input."""

    def forward(self, x):
        y = nn.functional.avg_pool1d(x.transpose(1, 2), 2)
        return nn.functional.interpolate(y, scale_factor=2.0), x.flatten(1, 2)


NETWORKS = {
    "embedding and positions": Words,
    "a table of positions": Positions,
    "lstm": lambda: Recurrent(nn.LSTM),
    "lstm, both ways": lambda: Recurrent(nn.LSTM, bidirectional=True, num_layers=2),
    "gru": lambda: Recurrent(nn.GRU),
    "attention": Attention,
    "attention, fused": Fused,
    "rotated": Rotated,
    "last step": Last,
    "tile": Tiled,
    "pool and resize": Scaled,
}
LENGTHS = (6, 2, 17)


def example(name, length):
    generator = torch.Generator().manual_seed(length)
    if name.startswith("embedding"):
        return torch.randint(0, 20, (1, length), generator=generator, dtype=torch.int32)
    return torch.randn(1, length, 8, generator=generator)


@cache
def network(name):
    return seeded(NETWORKS[name])


@cache
def package(name, kind):
    first = example(name, LENGTHS[0])
    rest = tuple(first.shape[2:])
    if kind == "range":
        shape = (1, ct.RangeDim(1, 32, LENGTHS[0]), *rest)
    else:
        shape = ct.EnumeratedShapes([(1, length, *rest) for length in LENGTHS])
    dtype = np.int32 if first.dtype == torch.int32 else np.float32
    inputs = [ct.TensorType(name="x", shape=shape, dtype=dtype)]
    return tk.coreml.convert(
        network(name),
        first,
        target="iOS18" if name.endswith("fused") else "iOS17",
        inputs=inputs,
        precision="float32",
        skip_model_load=True,
    )


@pytest.mark.parametrize("backend", running.BACKENDS)
@pytest.mark.parametrize("kind", ["range", "enumerated"])
@pytest.mark.parametrize("name", NETWORKS)
def test_lengths(name, kind, backend):
    model = tk.coreml.load(package(name, kind), backend=backend)
    for length in (*LENGTHS, *((1, 9, 32) if kind == "range" and name != "pool and resize" else ())):
        x = example(name, length)
        with torch.no_grad():
            expected = network(name)(x)
        found = model.predict({"x": x.numpy()}).values()
        for ours, reference in zip(
            found, expected if isinstance(expected, tuple) else (expected,), strict=True
        ):
            assert running.distance(ours, reference.numpy()) < 1e-5, length
