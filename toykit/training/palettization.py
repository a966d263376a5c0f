"""Differentiable k-means: a palette that the loss can pull at.

k-means after training puts the centroids where the weights are dense, whatever the network needs
them for. In training, the trouble is the assignment: "the nearest centroid" is a choice, and a choice
has no derivative. DKM makes the choice soft. Every weight looks at every centroid, and pays more
attention to near ones:

    attention a_ij = softmax_j( -|w_i - c_j|^2 / temperature )      n weights, k centroids
    centroid    c_j = sum_i a_ij w_i / sum_i a_ij                   a weighted k-means step
    weight     w'_i = sum_j a_ij c_j                                what the network runs with

All three lines have derivatives, so the loss moves the weights, and with them the centroids and the
assignments. The first two lines are repeated a few times. A low temperature makes the attention nearly
all or nothing, a high one lets a weight between two centroids feel both. Here the temperature falls
while training goes on, so that the assignments harden by themselves; in evaluation mode and in
`finalize` each weight takes its nearest centroid and nothing else.

The price is memory: the attention is a number for every pair of weight and centroid, kept for the
backward pass in each round (`attention_bytes`).

Vectors (`cluster_dim` d > 1) cluster d weights of neighbouring output channels at once: bits/d a weight.

Reference: Cho, Alizadeh-Vahid, Adya, Rastegari, "DKM: differentiable k-means clustering layer for neural
network compression", ICLR 2022.
"""

from dataclasses import dataclass

import torch
from torch import nn

from .. import palettization
from ..compressed import check_int, check_number
from ..settings import INDEX_BITS
from .common import NEVER, Method, check_scope, check_tensor, parametrization_of, trained_weight


def attention(vectors, centroids, temperature):
    """How much each vector of weights belongs to each centroid.

    Parameters
    ----------
    vectors : (n, d) tensor
    centroids : (k, d) tensor
    temperature : float
        Of a squared distance. Towards 0 all attention goes to the nearest centroid.

    Returns
    -------
    (n, k) tensor
        Each row sums to 1.
    """
    # The softmax ignores a constant per weight, so |w|^2 can be left out of |w - c|^2. Computed with the
    # weights along the last axis: with few centroids that is two to three times faster.
    closeness = 2 * centroids @ vectors.T - centroids.square().sum(1)[:, None]
    return torch.softmax(closeness / temperature, dim=0).T


def dkm_step(vectors, centroids, temperature):
    """One round of differentiable k-means.

    Parameters
    ----------
    vectors, centroids, temperature
        As in `attention`.

    Returns
    -------
    attention : (n, k) tensor
    centroids : (k, d) tensor
        The mean of the vectors, weighted with their attention. A centroid that nobody attends to stays.

    Examples
    --------
    >>> w = torch.tensor([[0.0], [1.0], [9.0]])
    >>> a, c = dkm_step(w, torch.tensor([[0.0], [8.0]]), temperature=0.1)
    >>> a.round().tolist(), c.tolist()
    ([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0.5], [9.0]])
    """
    for name, value in (("vectors", vectors), ("centroids", centroids)):
        if check_tensor(name, value).dim() != 2 or 0 in value.shape:
            raise ValueError(f"{name} must be a tensor of shape (any, d); got {tuple(value.shape)}")
    if vectors.shape[1] != centroids.shape[1] or vectors.dtype != centroids.dtype:
        raise ValueError(
            f"vectors and centroids must be of one length and type; got {tuple(vectors.shape)} of {vectors.dtype} "
            f"and {tuple(centroids.shape)} of {centroids.dtype}"
        )
    temperature = check_number("temperature", temperature, above=0)
    a = attention(vectors, centroids, temperature)
    mass = a.sum(0)[:, None]
    moved = a.T @ vectors / mass.clamp_min(1e-12)
    return a, torch.where(mass > 1e-6, moved, centroids)


def attention_bytes(weights, bits, cluster_dim=1, rounds=1):
    """Bytes of float32 that the attention of one layer takes until the backward pass.

    Examples
    --------
    >>> attention_bytes(1_000_000, bits=4) / 1e6           # 4 MB of weights ask for 64 MB
    64.0
    """
    weights, rounds = (
        check_int("weights", weights, range(NEVER)),
        check_int("rounds", rounds, range(1, NEVER)),
    )
    bits, cluster_dim = (
        check_int("bits", bits, INDEX_BITS),
        check_int("cluster_dim", cluster_dim, range(1, NEVER)),
    )
    return weights // cluster_dim * 2**bits * 4 * rounds


def nearest(vectors, centroids):
    """The index of the nearest centroid of each vector: where the attention goes as it hardens."""
    return (2 * vectors @ centroids.T - centroids.square().sum(1)).argmax(1)


def to_vectors(weight, cluster_dim):
    """Cut weights into vectors of `cluster_dim` neighbouring output channels: (n, cluster_dim)."""
    blocks = weight.flatten(1).unflatten(0, (-1, cluster_dim))  # (channels / d, d, rest)
    return blocks.transpose(1, 2).reshape(-1, cluster_dim)


def from_vectors(vectors, shape):
    """Undo `to_vectors`."""
    d = vectors.shape[1]
    return vectors.reshape(shape[0] // d, -1, d).transpose(1, 2).reshape(shape)


@dataclass(frozen=True)
class PalettizationConfig:
    """How large the palettes are, and how assignments harden.

    Parameters
    ----------
    bits : {1, 2, 3, 4, 6, 8}
        Of an index: a palette has 2**bits entries.
    cluster_dim : int
        Weights that an entry stands for: that many neighbouring output channels. Layers whose number
        of channels it does not divide are left alone.
    steps : int
        Steps over which the temperature falls from `start` to `end`; after them it stays at `end`.
    start, end : float
        Temperatures, as multiples of the mean squared error of palettizing the layer after training.
        At 1, a weight that is typically far from its centroid looks around.
    rounds : int
        k-means rounds in each forward pass.
    skip, min_size
        As in `PruningConfig`.

    Raises
    ------
    TypeError, ValueError
        If an option is out of range, or the temperature would rise.
    """

    bits: int = 4
    cluster_dim: int = 1
    steps: int = 1000
    start: float = 0.5
    end: float = 0.01
    rounds: int = 1
    skip: tuple = ()
    min_size: int = 0

    def __post_init__(self):
        check_int("bits", self.bits, INDEX_BITS)
        for name in ("cluster_dim", "steps", "rounds"):
            check_int(name, getattr(self, name), range(1, NEVER))
        check_scope(self)
        start, end = check_number("start", self.start, above=0), check_number("end", self.end, above=0)
        if end > start:
            raise ValueError(
                f"the temperature must fall and stay positive: 0 < end <= start; "
                f"got start={self.start}, end={self.end}"
            )


class SoftPalette(nn.Module):
    """The parametrization: weights made of centroids, softly in training and strictly in evaluation."""

    def __init__(self, centroids, temperature, rounds):
        super().__init__()
        self.register_buffer("centroids", centroids)
        self.temperature, self.rounds = temperature, rounds

    def forward(self, weight):
        vectors, centroids = to_vectors(weight, self.centroids.shape[1]), self.centroids
        if not self.training:
            return from_vectors(centroids[nearest(vectors, centroids)], weight.shape)
        soft, centroids = dkm_step(vectors, centroids, self.temperature)
        for _ in range(self.rounds - 1):
            soft, centroids = dkm_step(vectors, centroids, self.temperature)
        self.centroids = centroids.detach()
        return from_vectors(soft @ centroids, weight.shape)


def snapshot(layer, step):
    """What a prepared layer looks like in the middle of training, for `toykit.widgets.hardening`.

    Parameters
    ----------
    layer : torch.nn.Module
        Of a model that `Palettizer` has prepared.
    step : int

    Returns
    -------
    dict
        `step`, `temperature`, `centroids` (k, d) and `weights`, the ones that train.
    """
    parametrization = parametrization_of(layer)
    return {
        "step": step,
        "temperature": parametrization.temperature,
        "centroids": parametrization.centroids.numpy().copy(),
        "weights": trained_weight(layer).detach().numpy().copy(),
    }


class Palettizer(Method[PalettizationConfig]):
    """Palettize while training, with differentiable k-means. See `Method` for how to use it.

    It starts from the best palettes after training (`tk.palettize`), one a layer.

    Examples
    --------
    >>> palettizer = Palettizer()
    >>> model = palettizer.prepare(nn.Sequential(nn.Linear(8, 4)), PalettizationConfig(bits=1, steps=3))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> for _ in range(3):
    ...     loss = model(torch.ones(1, 8)).square().sum()
    ...     loss.backward()
    ...     optimizer.step()
    ...     palettizer.step()
    >>> model = palettizer.finalize()
    >>> len(model[0].weight.unique())
    2
    """

    config_type = PalettizationConfig

    def choose(self, model):
        d = self.config.cluster_dim
        self.unit = {}
        layers = super().choose(model)
        layers = {name: layer for name, layer in layers.items() if layer.weight.shape[0] % d == 0}
        if not layers:
            raise ValueError(
                f"the model has no layer to compress: none has a number of output channels that "
                f"cluster_dim={d} divides"
            )
        return layers

    def parametrization(self, name, weight):
        config = self.config
        after = palettization.palettize(weight.numpy(), config.bits, cluster_dim=config.cluster_dim)
        lut = torch.tensor(after.lut.reshape(-1, config.cluster_dim))
        lost = (weight - torch.from_numpy(after.dense())).square().sum().item()
        # The unit of temperature, a squared distance between vectors; any will do where nothing is lost.
        self.unit[name] = lost * config.cluster_dim / weight.numel() or 1e-12
        return SoftPalette(lut, config.start * self.unit[name], config.rounds)

    def begin(self, layers):
        self.advance()

    def advance(self):
        """Let the temperatures fall, by the same factor in each step."""
        progress = min(self.steps / self.config.steps, 1)
        factor = self.config.start * (self.config.end / self.config.start) ** progress
        for name, layer in self.layers.items():
            parametrization_of(layer).temperature = factor * self.unit[name]

    def check_complete(self):
        if self.steps < self.config.steps:
            raise RuntimeError(
                f"the temperature falls for {self.config.steps} steps, but step() was called {self.steps} "
                "times and assignments are still soft: train on, or lower steps"
            )

    def compress(self, name, layer, weight):
        lut = parametrization_of(layer).centroids.half()
        return palettization.palettize(weight.half().numpy(), lut=lut.numpy(), cluster_dim=lut.shape[1])
