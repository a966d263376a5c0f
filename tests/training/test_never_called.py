"""Layers that own a weight and are never called: torch's attention, functions, shared weights, dead branches."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import toykit as tk
from toykit.training import (
    GPTQ,
    GPTQConfig,
    Pruner,
    PruningConfig,
    QuantizationConfig,
    Quantizer,
    SensitiveConfig,
    SensitivePalettizer,
    calibrate,
    correct_biases,
)

from .networks import tiny


class Attention(nn.Module):
    """Attention as torch has it, and a layer that is called."""

    def __init__(self):
        super().__init__()
        self.attend, self.last = nn.MultiheadAttention(16, 4, batch_first=True), nn.Linear(16, 4)

    def forward(self, x):
        return self.last(self.attend(x, x, x, need_weights=False)[0])


class Functional(nn.Module):
    """A weight handed to a function, and a layer that nothing uses."""

    def __init__(self):
        super().__init__()
        self.used, self.dead, self.last = nn.Linear(16, 16, bias=False), nn.Linear(16, 16), nn.Linear(16, 4)

    def forward(self, x):
        return self.last(functional.linear(x, self.used.weight).relu())


class Encoder(nn.Module):
    """A whole layer of a transformer, which torch has a fast path for."""

    def __init__(self):
        super().__init__()
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
        self.last = nn.Linear(16, 4)

    def forward(self, x):
        return self.last(self.layers(x))


class TiedToTable(nn.Module):
    """A language model: the table that words go in by is the matrix that they come out by."""

    def __init__(self):
        super().__init__()
        self.table, self.middle, self.last = (
            nn.Embedding(20, 16),
            nn.Linear(16, 16),
            nn.Linear(16, 20, bias=False),
        )
        self.last.weight = self.table.weight

    def forward(self, x):
        return self.last(self.middle(self.table((x[..., 0] > 0).long())).relu())


class TiedUnseen(nn.Module):
    """Two layers share a weight; one is called, the other's weight goes to a function."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 4)
        self.first.weight = self.second.weight

    def forward(self, x):
        return self.last(self.second(functional.linear(x, self.first.weight).relu()))


NETWORKS = {
    Attention: {"attend.out_proj"},
    Functional: {"used", "dead"},
    Encoder: {"layers.layers.0.self_attn.out_proj", "layers.layers.1.self_attn.out_proj"},
    TiedToTable: set(),
    TiedUnseen: {"first"},
}
of_each = pytest.mark.parametrize("kind", NETWORKS, ids=lambda kind: kind.__name__)


def made(kind):
    torch.manual_seed(0)
    return kind(), torch.randn(6, 5, 16)


def finalized(method, skipped):
    """The finalized model; the warning names what the record names."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = method.finalize()
    said = " ".join(str(warning.message) for warning in caught)
    assert set(method.skipped) == skipped
    assert all(repr(name) in said for name in skipped) and bool(said) == bool(skipped)
    return model


@of_each
@pytest.mark.parametrize("calibrated", [True, False])
def test_activations_of_what_is_never_called_stay_in_float(kind, calibrated):
    network, x = made(kind)
    quantizer = Quantizer()
    model = quantizer.prepare(network, QuantizationConfig(calibrate=calibrated))
    model(x)
    quantizer.step()
    model = finalized(quantizer, NETWORKS[kind])
    layers = {name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)}
    assert set(quantizer.compressed) == layers  # weights are quantized all the same
    assert {
        name for name in layers if hasattr(model.get_submodule(name), "input_quantizer")
    } == layers - NETWORKS[kind]
    assert torch.isfinite(model(x)).all()


def test_ranges_are_frozen_without_those_that_have_none():
    network, x = made(Attention)
    quantizer = Quantizer()
    model = quantizer.prepare(network, QuantizationConfig(freeze_ranges_at=1))
    for _ in range(2):
        model(x)
        quantizer.step()
    assert model.last.input_quantizer.observer is None
    finalized(quantizer, {"attend.out_proj"})


def test_where_nothing_is_called_the_message_says_what_helps():
    network = nn.MultiheadAttention(16, 4, batch_first=True)
    x = torch.randn(6, 5, 16)
    quantizer = Quantizer()
    quantizer.prepare(network, QuantizationConfig())(x, x, x)
    with pytest.raises(RuntimeError, match="'out_proj' was observed.*activations=None"):
        quantizer.finalize()
    quantizer = Quantizer()
    quantizer.prepare(network, QuantizationConfig(activations=None))(x, x, x)
    finalized(quantizer, set())
    assert set(quantizer.compressed) == {"out_proj"}
    gptq = GPTQ()
    gptq.prepare(network, GPTQConfig())(x, x, x)
    with pytest.raises(RuntimeError, match="'out_proj' was seen.*cannot compress it"):
        gptq.finalize()


@of_each
def test_gptq_leaves_what_it_saw_no_inputs_of(kind):
    network, x = made(kind)
    gptq = GPTQ()
    gptq.prepare(network, GPTQConfig(bits=8))
    calibrate(gptq, x)
    skipped = NETWORKS[kind] - {"first"}  # it shares the weight of a layer that was seen
    model = finalized(gptq, skipped)
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear):
            assert (name in gptq.compressed) == (name not in skipped)
            assert torch.equal(model.get_submodule(name).weight, layer.weight) == (name in skipped)
    network.eval()
    assert functional.mse_loss(model(x), network(x)) < 1e-3 * network(x).var()
    if kind is TiedToTable:
        assert model.table.weight is model.last.weight


def test_layers_that_share_a_weight_share_their_inputs():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
            self.first.weight = self.second.weight

        def forward(self, x):
            return self.first(x) + self.second(3 * x + 1)

    torch.manual_seed(0)
    network, x = Both(), torch.randn(10, 4)
    gptq = GPTQ()
    gptq.prepare(network, GPTQConfig())
    calibrate(gptq, x)
    ((hessian,),) = gptq.hessians.values()
    assert torch.allclose(hessian, x.T @ x + (3 * x + 1).T @ (3 * x + 1), atol=1e-4)
    finalized(gptq, set())
    assert gptq.compressed["first"] is gptq.compressed["second"]


@of_each
def test_sensitivities_come_from_gradients_called_or_not(kind):
    network, x = made(kind)
    sensitive = SensitivePalettizer()
    model = sensitive.prepare(network, SensitiveConfig(bits=2))
    for sample in x:
        model(sample[None]).square().sum().backward()
        sensitive.step()
    model = finalized(sensitive, {"dead"} if kind is Functional else set())
    assert all(len(model.get_submodule(name).weight.unique()) <= 4 for name in sensitive.compressed)


@of_each
def test_pruning_needs_no_inputs(kind):
    network, x = made(kind)
    pruner = Pruner()
    model = pruner.prepare(network, PruningConfig(sparsity=0.5, end=1))
    for _ in range(2):
        model(x)
        pruner.step()
    model = finalized(pruner, set())
    for name, compressed in pruner.compressed.items():
        assert np.array_equal(
            compressed.dense(), model.get_submodule(name).weight.detach().half().float().numpy()
        )


def test_biases_are_corrected_where_outputs_are_seen():
    network, x = made(Attention)
    gptq = GPTQ()
    gptq.prepare(network, GPTQConfig(bits=3))
    calibrate(gptq, x)
    model = finalized(gptq, {"attend.out_proj"})
    before = model.attend.out_proj.bias.clone()
    correct_biases(model, network.eval(), x)
    assert torch.equal(model.attend.out_proj.bias, before)
    assert torch.allclose(model(x).mean((0, 1)), network(x).mean((0, 1)), atol=1e-5)


def test_nothing_is_skipped_where_all_is_called():
    quantizer = Quantizer()
    model = quantizer.prepare(tiny(), QuantizationConfig(calibrate=True))
    model(torch.randn(4, 1, 1, 10))
    finalized(quantizer, set())


def test_attention_with_quantized_activations_converts():
    pytest.importorskip("coremltools")
    network, x = made(Attention)
    quantizer = Quantizer()
    quantizer.prepare(network, QuantizationConfig(calibrate=True))(x)
    model = finalized(quantizer, {"attend.out_proj"})
    package = tk.coreml.convert(model, x, "iOS17")
    (answer,) = tk.coreml.run(package, {next(iter(tk.coreml.load(package).inputs)): x.numpy()}).values()
    assert np.abs(answer - model(x).detach().numpy()).max() < 0.02 * np.abs(answer).max()
