"""The one interface: what all methods promise, and what they say to bad input."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from toykit import training as T
from toykit.training.common import find_layers

from .networks import Tied, batch, steps, tiny

METHODS = {
    "prune": lambda: (T.Pruner(), T.PruningConfig(sparsity=0.75, end=5)),
    "quantize": lambda: (T.Quantizer(), T.QuantizationConfig(bits=4)),
    "learn scales": lambda: (T.Quantizer(), T.QuantizationConfig(bits=4, learned=True)),
    "palettize": lambda: (T.Palettizer(), T.PalettizationConfig(bits=2, steps=5)),
}
every_method = pytest.mark.parametrize("name", METHODS)


def trained(name, model, n=10):
    method, config = METHODS[name]()
    prepared = method.prepare(model, config)
    steps(method, prepared, n)
    return method, method.finalize()


@every_method
def test_what_runs_is_what_is_stored(name):
    method, model = trained(name, tiny())
    assert set(method.compressed) == {"0", "4"}
    for layer, compressed in method.compressed.items():
        weight = model.get_submodule(layer).weight.detach().numpy()
        assert np.array_equal(weight, compressed.dense().astype(np.float32))
        assert compressed.dtype == np.float16
    assert method.nbytes == sum(part.nbytes for c in method.compressed.values() for part in c.parts.values())


@every_method
def test_the_prepared_model_evaluates_as_the_finalized_one(name):
    method, config = METHODS[name]()
    prepared = method.prepare(tiny(), config)
    steps(method, prepared)
    x, _ = batch()
    before = prepared.eval()(x)
    after = method.finalize()(x)
    assert torch.allclose(before, after, atol=0.02)


@every_method
def test_the_original_model_is_untouched(name):
    model = tiny()
    before = copy.deepcopy(model.state_dict())
    trained(name, model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@every_method
def test_training_lowers_the_loss(name):
    method, config = METHODS[name]()
    prepared = method.prepare(tiny(), config)
    first = steps(method, prepared, 1)
    assert steps(method, prepared, 60, rate=0.03) < 0.7 * first


@every_method
def test_a_shared_weight_stays_shared_and_counts_once(name):
    method, config = METHODS[name]()
    prepared = method.prepare(Tied(), config)
    steps(method, prepared)
    model = method.finalize()
    assert model.first.weight is model.second.weight
    assert method.compressed["first"] is method.compressed["second"]
    assert method.nbytes == method.compressed["first"].nbytes + method.compressed["last"].nbytes


@every_method
def test_a_frozen_layer_is_compressed_and_does_not_train(name):
    model = tiny()
    model[0].weight.requires_grad_(False)
    method, config = METHODS[name]()
    prepared = method.prepare(model, config)
    steps(method, prepared)
    assert torch.equal(prepared[0].parametrizations.weight.original, model[0].weight)
    method.finalize()
    assert "0" in method.compressed


@every_method
def test_skipped_and_small_layers_are_left_alone(name):
    method, config = METHODS[name]()
    options = config.__dict__
    prepared = method.prepare(tiny(), type(config)(**options | {"skip": ("0",)}))
    steps(method, prepared)
    method.finalize()
    assert set(method.compressed) == {"4"}
    with pytest.raises(ValueError, match="no layer to compress: .* of at least 1000 weights"):
        type(method)().prepare(tiny(), type(config)(**options | {"min_size": 1000}))
    with pytest.raises(ValueError, match="skip names 'conv9'"):
        type(method)().prepare(tiny(), type(config)(**options | {"skip": ("conv9",)}))


@every_method
def test_order_of_calls(name):
    method, config = METHODS[name]()
    for call in (method.step, method.finalize):
        with pytest.raises(RuntimeError, match=r"prepare\(model, config\) first"):
            call()
    prepared = method.prepare(tiny(), config)
    with pytest.raises(RuntimeError, match="called before"):
        method.prepare(tiny(), config)
    steps(method, prepared)
    model = method.finalize()
    for call in (method.step, method.finalize, lambda: T.calibrate(method, torch.zeros(1, 6))):
        with pytest.raises(RuntimeError, match="after finalize"):
            call()
    with pytest.raises(ValueError, match="'0' is compressed already"):
        METHODS[name]()[0].prepare(model, config)


@every_method
def test_a_prepared_model_is_not_prepared_again(name):
    method, config = METHODS[name]()
    prepared = method.prepare(tiny(), config)
    with pytest.raises(ValueError, match="compressed already"):
        METHODS[name]()[0].prepare(prepared, config)


@every_method
def test_a_model_without_layers(name):
    method, config = METHODS[name]()
    with pytest.raises(ValueError, match="no layer to compress: none is a Linear, Conv1d"):
        method.prepare(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(3)), config)


@every_method
def test_half_precision(name):
    method, config = METHODS[name]()
    with pytest.raises(TypeError, match="0.weight is torch.float16.*model.float"):
        method.prepare(tiny().half(), config)


@every_method
def test_wrong_types(name):
    method, config = METHODS[name]()
    with pytest.raises(TypeError, match="torch.nn.Module; got array"):
        method.prepare(np.zeros(3), config)
    with pytest.raises(TypeError, match="config must be a .*Config; got {.bits.: 4}"):
        method.prepare(tiny(), {"bits": 4})


@every_method
def test_a_loss_that_is_not_a_number(name):
    method, config = METHODS[name]()
    prepared = method.prepare(tiny(), config)
    optimizer = torch.optim.SGD(prepared.parameters(), lr=0.1)
    x, _ = batch()
    (prepared(x).sum() * float("nan")).backward()
    optimizer.step()
    with pytest.raises(FloatingPointError, match="weights of '0' are not finite after step 1.*learning rate"):
        method.step()


def test_find_layers_takes_a_name_for_a_list_of_names():
    assert set(find_layers(tiny(), skip="4")) == {"0"}


def test_storing_twice_or_something_else():
    import toykit as tk

    linear = nn.Linear(8, 4)
    with pytest.raises(ValueError, match=r"\(4, 8\), the compressed one \(8, 4\)"):
        T.store(linear, tk.palettize(linear.weight.T, bits=1))
    T.store(linear, tk.palettize(linear.weight.half(), bits=1))
    with pytest.raises(ValueError, match="compressed already"):
        T.store(linear, tk.palettize(linear.weight.half(), bits=1))

    class Other:
        shape = (4, 8)

    with pytest.raises(TypeError, match="Sparse, Palettized or Quantized; got .*Other"):
        T.store(nn.Linear(8, 4), Other())
