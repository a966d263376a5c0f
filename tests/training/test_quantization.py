"""Fake quantization computes what is stored, milestones come in their order, scales learn."""

import numpy as np
import pytest
import torch
from torch import nn

import toykit as tk
from toykit.training import QuantizationConfig, Quantizer, calibrate
from toykit.training.observers import OBSERVERS, ActivationQuantizer, codes_for
from toykit.training.straight_through import fake_quantize

from .networks import batch, steps, tiny


@pytest.mark.parametrize("bits", range(2, 9))
def test_without_training_the_weights_are_those_of_quantize(bits):
    # On a grid that float16 holds, both compute the same numbers in different types.
    torch.manual_seed(0)
    linear = nn.Linear(64, 16)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(16, 64).half())
    quantizer = Quantizer()
    quantizer.prepare(nn.Sequential(linear), QuantizationConfig(bits=bits, activations=None, calibrate=True))
    quantizer.finalize()
    ours, expected = quantizer.compressed["0"], tk.quantize(linear.weight.half(), bits)
    assert np.array_equal(ours.scale, expected.scale)
    # tk.quantize divides in float16, as coremltools does: a weight halfway between codes can go either way.
    apart = np.abs(ours.integers.astype(int) - expected.integers)
    assert apart.max() <= 1 and np.mean(apart > 0) < 0.02
    assert ours.nbytes == expected.nbytes


@pytest.mark.parametrize("learned", [False, True])
def test_the_weights_in_training_are_the_stored_ones(learned):
    quantizer = Quantizer()
    model = quantizer.prepare(tiny(), QuantizationConfig(bits=4, learned=learned))
    steps(quantizer, model, 5)
    running = model[4].weight.detach().clone()
    model = quantizer.finalize()
    assert torch.allclose(running, model[4].weight, rtol=1e-3, atol=1e-7)  # stored ones are float16
    assert len(np.unique(quantizer.compressed["4"].integers)) <= 16


def test_learned_steps_learn():
    quantizer = Quantizer()
    model = quantizer.prepare(tiny(), QuantizationConfig(bits=2, learned=True, activations=None))
    step = model[4].parametrizations.weight[0].step
    before = step.detach().clone()
    steps(quantizer, model, 20)
    assert (step != before).all() and (step > 0).all()


def test_milestones():
    config = QuantizationConfig(quantize_from=3, freeze_ranges_at=5, freeze_norms_at=7)
    quantizer = Quantizer()
    model = quantizer.prepare(tiny(), config)
    x, _ = batch()
    original = model[0].parametrizations.weight.original
    assert torch.equal(model[0].weight, original)
    steps(quantizer, model, 3)
    assert not torch.equal(model[0].weight, original)
    assert model[0].input_quantizer.observer is not None
    steps(quantizer, model, 2)
    scale = model[0].input_quantizer.scale
    assert model[0].input_quantizer.observer is None
    steps(quantizer, model, 2)
    mean = model[1].running_mean.clone()
    model.train()
    model(100 * x)  # neither ranges nor running averages follow any more
    assert model[0].input_quantizer.scale == scale
    assert torch.equal(model[1].running_mean, mean)
    quantizer.finalize()
    model.train()
    model(x)
    assert not torch.equal(model[1].running_mean, mean)  # the hook is gone


def test_activations_have_256_values():
    quantizer = Quantizer()
    quantizer.prepare(tiny(), QuantizationConfig(calibrate=True))
    calibrate(quantizer, batch(64)[0])
    model = quantizer.finalize()
    seen = []
    model[4].register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
    model(batch(64, seed=1)[0])
    assert len(seen[0].unique()) <= 256
    codes = seen[0] / model[4].input_quantizer.scale
    assert torch.allclose(codes, codes.round(), atol=1e-3)


def test_calibrating_leaves_batch_norm_alone():
    model = tiny()
    quantizer = Quantizer()
    prepared = quantizer.prepare(model, QuantizationConfig(calibrate=True))
    calibrate(quantizer, batch()[0])
    assert torch.equal(prepared[1].running_mean, model[1].running_mean)


def test_a_channel_of_zeros():
    model = tiny()
    with torch.no_grad():
        model[4].weight[1] = 0
    quantizer = Quantizer()
    prepared = quantizer.prepare(model, QuantizationConfig(bits=4, learned=True))
    steps(quantizer, prepared, 3)
    assert torch.isfinite(quantizer.finalize()(batch()[0])).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 1}, "bits must be a whole number from 2 to 8"),
        ({"activations": 4}, "activations must be one of 8"),
        ({"ranges": "max"}, "ranges must be one of 'moving', 'minmax', 'percentile', 'mse'"),
        ({"freeze_norms_at": 0}, "freeze_norms_at must be a whole number from 1"),
        ({"quantize_from": 9, "freeze_ranges_at": 5}, "freeze_ranges_at must not come before quantize_from"),
    ],
)
def test_bad_configs(options, message):
    with pytest.raises(ValueError, match=message):
        QuantizationConfig(**options)


def test_too_early():
    quantizer = Quantizer()
    model = quantizer.prepare(tiny(), QuantizationConfig(quantize_from=50))
    steps(quantizer, model, 2)
    with pytest.raises(RuntimeError, match="quantization begins at step 50, but step.. was called 2 times"):
        quantizer.finalize()


def test_no_data():
    quantizer = Quantizer()
    quantizer.prepare(tiny(), QuantizationConfig())
    with pytest.raises(RuntimeError, match="no input of '0' was observed"):
        quantizer.finalize()


# Ranges of activations.


def observed(kind, *batches):
    observer = OBSERVERS[kind]()
    for values in batches:
        observer.observe(torch.as_tensor(values))
    return observer.range()


def test_moving_and_extreme_ranges():
    assert observed("minmax", [-1.0, 2.0], [0.0, 3.0]) == (-1.0, 3.0)
    low, high = observed("moving", [-1.0, 2.0], [0.0, 3.0])
    assert (low, high) == (pytest.approx(-0.99), pytest.approx(2.01))


def test_the_percentile_leaves_out_its_share():
    values = torch.arange(10001) / 10000
    low, high = observed("percentile", values)
    assert (low, high) == (pytest.approx(0.0005), pytest.approx(0.9995))


def test_least_squares_beats_every_other_range():
    torch.manual_seed(0)
    values = torch.relu(torch.randn(5000))
    values[:5] = 40.0

    def error(bounds):
        scale, zero_point = codes_for(*bounds)
        return (fake_quantize(values, scale, 0, 255, zero_point) - values).square().mean().item()

    best = error(observed("mse", values))
    assert all(best <= error((0.0, part * 40.0)) * 1.001 for part in np.linspace(0.01, 1, 100))
    assert best <= min(error(observed(kind, values)) for kind in ("minmax", "percentile"))


@pytest.mark.parametrize("bounds", [(-1.0, 3.0), (0.5, 4.0), (-3.0, -1.0), (0.0, 0.0), (-1e-9, 1e-9)])
def test_zero_is_exact(bounds):
    scale, zero_point = codes_for(*bounds)
    assert 0 <= zero_point <= 255 and scale > 0
    assert fake_quantize(torch.zeros(1), scale, 0, 255, zero_point).item() == 0
    assert np.float16(scale) == scale


def test_observers_that_wait_do_not_quantize_before_they_are_frozen():
    quantizer = ActivationQuantizer(OBSERVERS["percentile"](), always=True)
    x = torch.randn(100)
    assert torch.equal(quantizer(x), x)
    quantizer.freeze()
    assert not torch.equal(quantizer(x), x)
