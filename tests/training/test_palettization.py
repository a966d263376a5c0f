"""Differentiable k-means: its step, its two limits, its gradient, and what is left at the end."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import toykit as tk
from toykit.training import PalettizationConfig, Palettizer, attention_bytes, dkm_step
from toykit.training.palettization import attention, from_vectors, nearest, to_vectors

from .networks import Tied, steps, tiny


def by_the_paper(vectors, centroids, temperature):
    """Equations of Cho et al., one weight and one centroid at a time."""
    n, k = len(vectors), len(centroids)
    a = np.zeros((n, k))
    for i in range(n):
        close = [np.exp(-np.sum((vectors[i] - centroids[j]) ** 2) / temperature) for j in range(k)]
        a[i] = close / np.sum(close)
    return a, np.array([(a[:, j : j + 1] * vectors).sum(0) / a[:, j].sum() for j in range(k)])


@pytest.mark.parametrize("d", [1, 2, 3])
def test_one_step_is_the_papers(d):
    random = np.random.default_rng(d)
    vectors, centroids = random.normal(size=(20, d)), random.normal(size=(4, d))
    found = dkm_step(torch.from_numpy(vectors), torch.from_numpy(centroids), 0.7)
    for ours, theirs in zip(found, by_the_paper(vectors, centroids, 0.7), strict=True):
        assert np.allclose(ours, theirs, atol=1e-12)


def test_at_low_temperature_it_is_a_step_of_lloyd():
    torch.manual_seed(0)
    vectors, centroids = torch.randn(200, 1).double(), torch.randn(4, 1).double()
    a, moved = dkm_step(vectors, centroids, 1e-9)
    labels = (vectors - centroids.T).abs().argmin(1)
    assert torch.equal(a.argmax(1), labels)
    assert torch.allclose(a.max(1).values, torch.ones(200, dtype=a.dtype))
    means = torch.stack([vectors[labels == j].mean(0) for j in range(4)])
    assert torch.allclose(moved, means)


def test_at_high_temperature_all_centroids_meet():
    vectors = torch.randn(200, 1)
    _, moved = dkm_step(vectors, torch.randn(4, 1), 1e6)
    assert torch.allclose(moved, vectors.mean().expand(4, 1), atol=1e-4)


def test_a_centroid_that_nobody_attends_to_stays():
    _, moved = dkm_step(torch.zeros(5, 1), torch.tensor([[0.0], [100.0]]), 0.01)
    assert moved.flatten().tolist() == [0.0, 100.0]


def test_the_gradient_is_the_true_one():
    torch.manual_seed(0)
    centroids = torch.randn(3, 2).double()

    def weights(vectors):
        a, moved = dkm_step(vectors, centroids, 0.5)
        a, moved = dkm_step(vectors, moved, 0.5)
        return a @ moved

    assert torch.autograd.gradcheck(weights, torch.randn(7, 2).double().requires_grad_())


SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@given(d=st.sampled_from([1, 2, 4]), rest=SHAPES, blocks=st.integers(1, 3))
def test_vectors_and_back(d, rest, blocks):
    weight = torch.randn(d * blocks, *rest)
    vectors = to_vectors(weight, d)
    assert vectors.shape == (weight.numel() // d, d)
    assert torch.equal(from_vectors(vectors, weight.shape), weight)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_vectors_are_those_of_palettize(d):
    torch.manual_seed(0)
    weight = torch.randn(8, 5, 3).half()
    stored = tk.palettize(weight, bits=2, cluster_dim=d)
    labels = nearest(to_vectors(weight.float(), d), torch.tensor(stored.lut.reshape(4, d)).float())
    assert np.array_equal(labels.numpy().reshape(8 // d, 5, 3), stored.codes)


@pytest.mark.parametrize(("bits", "d"), [(1, 1), (2, 1), (4, 1), (4, 2), (3, 2)])
def test_the_end_is_hard(bits, d):
    torch.manual_seed(0)
    palettizer = Palettizer()
    model = palettizer.prepare(
        nn.Sequential(nn.Flatten(), nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 4)),
        PalettizationConfig(bits, d, steps=5),
    )
    steps(palettizer, model, 5)
    model = palettizer.finalize()
    for name in ("1", "3"):
        stored = palettizer.compressed[name]
        assert (stored.bits, stored.cluster_dim) == (bits, d)
        vectors = to_vectors(model.get_submodule(name).weight, d)
        assert len(vectors.unique(dim=0)) <= 2**bits
        assert stored.indices.nbytes == -(-vectors.shape[0] * bits // 8)


def test_the_temperature_falls_by_a_constant_factor():
    palettizer = Palettizer()
    model = palettizer.prepare(tiny(), PalettizationConfig(bits=2, steps=4, start=1.0, end=0.01))
    parametrization, seen = model[4].parametrizations.weight[0], []
    for _ in range(6):
        seen.append(parametrization.temperature)
        steps(palettizer, model, 1)
    ratios = [b / a for a, b in zip(seen, seen[1:], strict=False)]
    assert ratios == pytest.approx([0.01**0.25] * 4 + [1.0])


def test_it_starts_from_the_best_palette_after_training():
    model = tiny()
    palettizer = Palettizer()
    prepared = palettizer.prepare(model, PalettizationConfig(bits=2, steps=1))
    expected = tk.palettize(model[4].weight, bits=2)
    assert np.allclose(prepared.eval()[4].weight.detach(), expected.dense(), atol=1e-6)


def test_layers_that_the_vector_does_not_divide_are_left_alone():
    palettizer = Palettizer()
    model = palettizer.prepare(tiny(), PalettizationConfig(bits=2, cluster_dim=4, steps=1))
    steps(palettizer, model, 1)
    palettizer.finalize()
    assert set(palettizer.compressed) == {"0"}  # the matrix has three outputs
    with pytest.raises(ValueError, match="number of output channels that cluster_dim=7 divides"):
        Palettizer().prepare(tiny(), PalettizationConfig(cluster_dim=7))


def test_fewer_weights_than_centroids():
    palettizer = Palettizer()
    model = palettizer.prepare(Tied(), PalettizationConfig(bits=6, steps=2))
    steps(palettizer, model, 2)
    palettizer.finalize()
    assert palettizer.compressed["last"].bits == 6


def test_memory_of_the_attention():
    assert attention_bytes(1000, bits=2) == attention(torch.zeros(1000, 1), torch.zeros(4, 1), 1.0).nbytes
    assert attention_bytes(1000, bits=4, cluster_dim=2, rounds=3) == 500 * 16 * 4 * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 5}, "bits must be one of 1, 2, 3, 4, 6, 8; got 5"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"start": 0.1, "end": 0.5}, "the temperature must fall and stay positive"),
        ({"end": 0.0}, "end must be a number above 0"),
    ],
)
def test_bad_configs(options, message):
    with pytest.raises(ValueError, match=message):
        PalettizationConfig(**options)


def test_too_early():
    palettizer = Palettizer()
    model = palettizer.prepare(tiny(), PalettizationConfig(steps=100))
    steps(palettizer, model, 3)
    with pytest.raises(RuntimeError, match="falls for 100 steps, but step.. was called 3 times"):
        palettizer.finalize()
