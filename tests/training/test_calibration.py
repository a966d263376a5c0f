"""Second-order compression against brute force and least squares; sensitivities; bad calibration sets."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import toykit as tk
from toykit.training import (
    GPTQ,
    GPTQConfig,
    QuantizationConfig,
    Quantizer,
    SensitiveConfig,
    SensitivePalettizer,
    calibrate,
    correct_biases,
)
from toykit.training.gptq import compensate, inverse_factor, prune_columns, quantize_columns
from toykit.training.layerwise import input_rows

from .networks import batch, tiny


def correlated(n, columns, seed=0):
    """Inputs of which most vary together, as activations do."""
    torch.manual_seed(seed)
    return (
        torch.randn(n, 3).double() @ torch.randn(3, columns).double() + 0.3 * torch.randn(n, columns).double()
    )


def lost(weight, other, x):
    return ((weight - other) @ x.T).square().sum().item()


def test_after_each_column_the_rest_is_the_least_squares_answer():
    x = correlated(200, 6)
    torch.manual_seed(1)
    weight, damping = torch.randn(3, 6).double(), 1e-9
    seen = []

    def rule(group, cost, first):
        def replace(i, column):
            seen.append(group.clone())
            return column.round()

        return replace

    done = compensate(weight, inverse_factor(x.T @ x, damping), rule)
    for j in range(1, 6):
        # With the first j columns as they are, the others minimise |(W - Q) X|.
        missing = (weight - torch.cat([done[:, :j], torch.zeros(3, 6 - j)], 1)) @ x.T
        free = torch.linalg.lstsq(x[:, j:], missing.T).solution.T
        assert torch.allclose(seen[j][:, j:], free, atol=1e-5)


def test_cost_is_what_removing_a_weight_costs():
    x = correlated(200, 5)
    weight = torch.randn(1, 5).double()
    factor = inverse_factor(x.T @ x, 1e-9)
    # Optimal brain surgeon for the first weight: w_0^2 / (H^-1)_00.
    rest = torch.linalg.lstsq(x[:, 1:], (weight @ x.T).T).solution.T
    best = torch.cat([torch.zeros(1, 1), rest], 1)
    price = (weight[0, 0] / factor[0, 0]).square().item()
    assert lost(weight, best, x) == pytest.approx(price, rel=1e-6)


def test_small_cases_against_brute_force():
    ours, nearest, best = 0, 0, 0
    for seed in range(30):
        x = correlated(100, 4, seed)
        torch.manual_seed(seed)
        weight, scale = torch.randn(1, 4).double(), torch.full((1, 1), 0.5).double()
        codes = quantize_columns(weight, x.T @ x, scale, -8, 7, 1e-6)

        def error(codes):
            return lost(weight, torch.as_tensor(codes).reshape(1, 4) * scale, x)

        # The last column cannot be improved: what came before is fixed, and its own best is taken.
        *before, last = codes[0].tolist()
        assert error(codes) == min(error([*before, other]) for other in range(-8, 8)), last
        # All columns together can: it is greedy. But it stands between rounding and the optimum.
        rounded = (weight / scale).round().clamp(-8, 7)
        around = itertools.product(*[range(int(c) - 2, int(c) + 3) for c in rounded[0]])
        best += min(error(c) for c in around)
        ours += error(codes)
        nearest += error(rounded)
    assert best <= ours < 0.9 * nearest, (best, ours, nearest)  # four columns leave little room


def test_without_correlation_it_is_rounding():
    weight, scale = torch.randn(4, 7), torch.full((4, 1), 0.3)
    codes = quantize_columns(weight, torch.eye(7), scale, -8, 7)
    assert torch.equal(codes, (weight / scale).round().clamp(-8, 7).to(torch.int8))


def test_groups_of_columns_change_nothing(monkeypatch):
    x, weight, scale = correlated(400, 40), torch.randn(5, 40).double(), torch.full((5, 1), 0.4).double()
    together = quantize_columns(weight, x.T @ x, scale, -8, 7)
    monkeypatch.setattr("toykit.training.gptq.GROUP", 7)
    assert torch.equal(quantize_columns(weight, x.T @ x, scale, -8, 7), together)


def test_pruned_outputs_are_nearer_than_with_the_smallest_weights_gone():
    x, held_out = correlated(500, 40).split([400, 100])
    torch.manual_seed(0)
    weight = torch.randn(10, 40).double()
    pruned = prune_columns(weight, x.T @ x, 0.5)
    assert int((pruned == 0).sum()) == 200
    smallest = weight * (weight.abs() > weight.abs().median())
    assert lost(weight, pruned, held_out) < 0.2 * lost(weight, smallest, held_out)


def test_inputs_that_are_always_zero():
    x = correlated(100, 6)
    x[:, 2] = 0
    codes = quantize_columns(torch.randn(2, 6).double(), x.T @ x, torch.ones(2, 1).double(), -8, 7)
    assert codes.shape == (2, 6)
    with pytest.raises(ValueError, match="every input of the calibration set was 0"):
        quantize_columns(torch.randn(2, 6), torch.zeros(6, 6), torch.ones(2, 1), -8, 7)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(6, 4),
        nn.Conv1d(3, 4, 3, padding=1),
        nn.Conv1d(3, 4, 3, padding="same", dilation=2),
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0)),
        nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(2, 4, 3, dilation=2),
    ],
)
def test_rows_times_weights_are_the_outputs(layer):
    torch.manual_seed(0)
    shape = {nn.Linear: (5, 7, 6), nn.Conv1d: (5, 3, 11), nn.Conv2d: (5, 2, 9, 8)}[type(layer)]
    x = torch.randn(shape)
    outputs = layer(x) if isinstance(layer, nn.Linear) else layer(x).movedim(1, -1)
    rows = input_rows(layer, x) @ layer.weight.flatten(1).T + layer.bias
    assert torch.allclose(rows, outputs.reshape(-1, 4), atol=1e-5)


def run(method, config, model, x):
    method.prepare(model, config)
    calibrate(method, x)
    return method.finalize()


@pytest.mark.parametrize("bits", [4, 3, 2])
@pytest.mark.parametrize("max_columns", [2048, 25])
def test_gptq_beats_rounding_on_inputs_it_has_not_seen(bits, max_columns):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 60), nn.ReLU(), nn.Linear(60, 20))
    x = torch.randn(400, 3)
    gptq = GPTQ()
    careful = run(gptq, GPTQConfig(bits=bits, skip=("0",), max_columns=max_columns), model, x[:300])
    simple = copy.deepcopy(model)
    simple[2].weight.data = torch.tensor(tk.quantize(model[2].weight.half(), bits).dense()).float()
    y, errors = model(x[300:]), []
    for other in (careful, simple):
        errors.append((other(x[300:]) - y).square().sum().item())
    assert errors[0] < 0.7 * errors[1]
    assert gptq.compressed["2"].nbytes == tk.quantize(model[2].weight.half(), bits).nbytes


def test_sparse_gpt_prunes_a_network():
    model, x = tiny(), batch(200)[0]
    method = GPTQ()
    pruned = run(method, GPTQConfig(bits=None, sparsity=0.5), model, x)
    assert method.compressed["4"].sparsity == pytest.approx(0.5, abs=0.01)
    simple = copy.deepcopy(model)
    for i in (0, 4):
        simple[i].weight.data = torch.tensor(tk.prune(model[i].weight.half(), sparsity=0.5).dense()).float()
    fresh = batch(200, seed=5)[0]
    y = model.eval()(fresh)
    assert (pruned(fresh) - y).square().sum() < (simple.eval()(fresh) - y).square().sum()


def test_sensitivities_are_squared_gradients_of_single_samples():
    model = tiny()
    x, y = batch(6)
    method = SensitivePalettizer()
    prepared = method.prepare(model, SensitiveConfig(bits=2))
    expected = torch.zeros_like(model[4].weight)
    model.eval()
    for i in range(6):
        functional.cross_entropy(prepared(x[i : i + 1]), y[i : i + 1]).backward()
        method.step()
        loss = functional.cross_entropy(model(x[i : i + 1]), y[i : i + 1])
        (gradient,) = torch.autograd.grad(loss, model[4].weight)
        expected += gradient.square()
    assert torch.allclose(method.sensitivities["4"], expected, rtol=1e-4, atol=1e-9)
    method.finalize()
    counts = (expected / expected.max()).numpy()
    again = tk.palettize(model[4].weight.half(), 2, sensitivities=counts)
    assert np.allclose(method.compressed["4"].lut, again.lut, atol=1e-3)


def test_corrected_biases_give_the_mean_back():
    model, x = tiny().eval(), batch(200)[0]
    method = Quantizer()
    method.prepare(model, QuantizationConfig(bits=2, activations=None, calibrate=True))
    coarse = method.finalize()
    away = (coarse(x) - model(x)).mean(0).abs().max()
    corrected = correct_biases(coarse, model, x)
    assert (corrected(x) - model(x)).mean(0).abs().max() < 1e-4 < away


def test_a_layer_without_bias_gets_one():
    model = nn.Sequential(nn.Linear(6, 4, bias=False))
    x = torch.randn(50, 6) + 1
    method = Quantizer()
    method.prepare(model, QuantizationConfig(bits=2, activations=None, calibrate=True))
    corrected = correct_biases(method.finalize(), model, x)
    assert torch.allclose(corrected(x).mean(0), model(x).mean(0), atol=1e-5)


class Moody(nn.Module):
    """A network that fails from the nth time on that it is run, and has a norm that never trains."""

    def __init__(self, runs):
        super().__init__()
        self.one, self.norm, self.two = nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2, bias=False)
        self.runs = runs
        self.train()
        self.norm.eval()

    def forward(self, x):
        self.runs -= 1
        if self.runs < 0:
            raise KeyError("moody")
        return self.two(self.norm(self.one(x)))


def modes_and_hooks(model):
    return [
        (part.training, len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.modules()
    ]


@pytest.mark.parametrize("runs", [9, 0, 1, 2, 3])
def test_correcting_biases_leaves_modes_and_hooks_as_they_were_and_all_or_nothing(runs):
    original, model = Moody(runs=9), Moody(runs)
    before = [modes_and_hooks(original), modes_and_hooks(model)]
    biases = copy.deepcopy(model.state_dict())
    if runs < 2:
        with pytest.raises(ValueError, match="does not take samples of shape"):
            correct_biases(model, original, torch.randn(5, 6))
        assert model.two.bias is None
        assert all(torch.equal(value, biases[name]) for name, value in model.state_dict().items())
    else:
        correct_biases(model, original, torch.randn(5, 6))
        assert model.two.bias is not None
    assert [modes_and_hooks(original), modes_and_hooks(model)] == before


def test_correcting_biases_of_networks_that_do_not_belong_together():
    with pytest.raises(ValueError, match="no layer '0' of its shape"):
        correct_biases(nn.Sequential(nn.Linear(6, 5)), nn.Sequential(nn.Linear(6, 4)), torch.randn(5, 6))
    with pytest.raises(TypeError, match="original must be a torch.nn.Module"):
        correct_biases(tiny(), None, torch.randn(5, 6))


def test_calibrating_leaves_the_mode_as_it_was_also_when_the_network_fails():
    from toykit.training import Pruner, PruningConfig

    for runs in (9, 0):
        method = Pruner()
        prepared = method.prepare(Moody(runs), PruningConfig())
        prepared.norm.eval()
        before = modes_and_hooks(prepared)
        if runs:
            calibrate(method, torch.randn(5, 6))
        else:
            with pytest.raises(ValueError, match="does not take samples"):
                calibrate(method, torch.randn(5, 6))
        assert modes_and_hooks(prepared) == before


def test_a_failed_finalize_leaves_the_network_in_training():
    method = GPTQ()
    prepared = method.prepare(nn.Sequential(nn.Linear(6, 4)), GPTQConfig())
    calibrate(method, torch.zeros(3, 6))
    prepared.train()
    before = modes_and_hooks(prepared)
    with pytest.raises(ValueError, match="every input of the calibration set was 0"):
        method.finalize()
    assert modes_and_hooks(prepared) == before
    prepared.eval()
    calibrate(method, torch.randn(30, 6))  # other samples will do
    assert modes_and_hooks(method.finalize()) == [(False, 0, 0)] * 2


@pytest.mark.parametrize(
    ("samples", "problem", "message"),
    [
        (torch.zeros(0, 1, 1, 10), ValueError, r"at least one sample; got a tensor of shape \(0, 1, 1, 10\)"),
        (torch.zeros(4, 3, 1, 10), ValueError, r"does not take samples of shape \(3, 1, 10\): "),
        (torch.zeros(4, 1, 1, 11), ValueError, r"does not take samples of shape \(1, 1, 11\): "),
        (torch.full((4, 1, 1, 10), float("nan")), ValueError, "must be finite"),
        (torch.zeros(4, 1, 1, 10, dtype=torch.int64), TypeError, "floating-point numbers; got torch.int64"),
        (np.zeros((4, 1, 1, 10)), TypeError, "floating-point numbers; got ndarray"),
        (torch.tensor(1.0), ValueError, "at least one sample"),
    ],
)
def test_bad_calibration_sets(samples, problem, message):
    method = GPTQ()
    method.prepare(tiny(), GPTQConfig())
    with pytest.raises(problem, match=message):
        calibrate(method, samples)


def test_no_calibration_at_all():
    with pytest.raises(RuntimeError, match="needs a prepared model"):
        calibrate(GPTQ(), torch.zeros(1, 1))
    method = GPTQ()
    method.prepare(tiny(), GPTQConfig())
    with pytest.raises(RuntimeError, match="no input of '0' was seen"):
        method.finalize()
    sensitive = SensitivePalettizer()
    sensitive.prepare(tiny(), SensitiveConfig())
    with pytest.raises(RuntimeError, match="no gradient was seen"):
        sensitive.finalize()
    with pytest.raises(RuntimeError, match="call loss.backward"):
        sensitive.step()


def test_a_gradient_that_is_not_a_number():
    method = SensitivePalettizer()
    model = method.prepare(tiny(), SensitiveConfig())
    (model(batch()[0]).sum() * float("nan")).backward()
    with pytest.raises(FloatingPointError, match="gradient of '0' is not finite"):
        method.step()


def test_grouped_convolutions_are_named():
    with pytest.raises(ValueError, match="'0' is a grouped or 3-D convolution"):
        GPTQ().prepare(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), GPTQConfig())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": None}, "give either bits or sparsity"),
        ({"bits": 4, "sparsity": 0.5}, "give either bits or sparsity"),
        ({"bits": 1}, "bits must be a whole number from 2"),
        ({"bits": None, "sparsity": 50}, "pass 0.5"),
        ({"damping": 0}, "damping must be a number above 0"),
        ({"max_columns": 0}, "max_columns"),
    ],
)
def test_bad_configs(options, message):
    with pytest.raises(ValueError, match=message):
        GPTQConfig(**options)
