"""What coremltools' training-time classes leave arrives in the package, and where it does not.

The chapter on training time tells of these; when coremltools changes, it has to as well.
"""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from toykit._quiet import coremltools, quiet
from toykit.coreml import convert, load, weights
from toykit.coreml.format.package import open_package


def batch(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


FLATTEN = {
    "nn.Flatten": nn.Flatten(),
    "torch.flatten": lambda x: torch.flatten(x, 1),
    "x.flatten": lambda x: x.flatten(1),
    "x.reshape": lambda x: x.reshape(-1, 16 * 36),
    "x.view": lambda x: x.view(-1, 16 * 36),
}


class Network(nn.Module):
    """Convolution, batch norm, ReLU, flatten, linear: the commonest kind."""

    def __init__(self, flatten):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.relu = nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU()
        self.flatten, self.linear = FLATTEN[flatten], nn.Linear(16 * 36, 10)

    def forward(self, x):
        return self.linear(self.flatten(self.relu(self.norm(self.conv(x)))))


def network(flatten="nn.Flatten"):
    model = Network(flatten)
    for seed in range(5):  # batch norms that differ, as trained ones do
        model(batch(seed, 32, 3, 8, 8))
    return model.eval()


def quantized(model, inputs, **options):
    from coremltools.optimize.torch.quantization import LinearQuantizer, LinearQuantizerConfig

    with quiet(), torch.no_grad():
        quantizer = LinearQuantizer(model, LinearQuantizerConfig.from_dict({"global_config": options}))
        quantizer.prepare(example_inputs=(inputs[:1],))(inputs)
        return quantizer.finalize()


def pruned(model):
    from coremltools.optimize.torch.pruning import MagnitudePruner, MagnitudePrunerConfig

    with quiet():
        config = MagnitudePrunerConfig.from_dict({"global_config": {"target_sparsity": 0.75}})
        pruner = MagnitudePruner(model, config)
        pruner.prepare()
        pruner.step()
        return pruner.finalize()


def answers(mlmodel, inputs):
    model = load(mlmodel)
    ((name, _),) = model.inputs.items()
    return next(iter(model.predict({name: inputs.numpy()}).values()))


@pytest.mark.parametrize("flatten", FLATTEN)
def test_codes_are_read_with_another_scale_behind_the_methods_that_reshape(flatten):
    """Unless the pass that merges the two roundings is left out."""
    inputs = batch(9, 32, 3, 8, 8)
    model = quantized(network(flatten), inputs)
    with quiet(), torch.no_grad():
        expected = model(inputs).numpy()
    step = np.abs(expected).max() / 127.5  # of the codes of the outputs
    error = np.abs(answers(convert(model, inputs, target="iOS17", check=False), inputs) - expected).max()
    if not flatten.startswith("x."):
        assert error < 3 * step
        return
    assert error > 30 * step
    passes = coremltools().PassPipeline()
    passes.remove_passes({"common::int_op_canonicalization"})
    mended = convert(model, inputs, target="iOS17", pass_pipeline=passes)
    assert np.abs(answers(mended, inputs) - expected).max() < 3 * step


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.Conv1d, (4, 4, 9)), (nn.Conv2d, (4, 4, 9, 9)), (nn.Conv3d, (4, 4, 9, 9, 9))]
)
def test_only_the_two_dimensional_convolution_converts_quantized(layer, shape):
    """Its weights alone; faults.py tries activations along with them."""
    inputs = batch(1, *shape)
    model = quantized(nn.Sequential(layer(4, 8, 3)), inputs, activation_dtype="float32")
    if layer is nn.Conv2d:
        convert(model, inputs, target="iOS17")
    else:
        with pytest.raises(ValueError, match="should have same rank as `scale`"):
            convert(model, inputs, target="iOS17")


def test_without_a_target_the_package_is_dense_and_nothing_is_said():
    model, inputs = pruned(network()), batch(1, 1, 3, 8, 8)
    dense, sparse = (open_package(convert(model, inputs, target=target)).nbytes for target in (None, "iOS16"))
    assert sparse < 0.6 * dense


def test_batch_norms_stay_beside_weights_that_arrive_pruned_and_not_beside_quantized_ones():
    inputs = batch(2, 32, 3, 8, 8)

    def count(model):
        package = open_package(convert(model, inputs, target="iOS17"))
        return Counter(operation.op for operation in package.program.walk())["batch_norm"]

    assert count(network()) == 0
    assert count(pruned(network())) == 1
    assert count(quantized(network(), inputs)) == 0


def test_a_table_with_scales_is_stored_once_a_channel_for_ios_18_and_once_for_ios_26():
    from coremltools.optimize.torch.palettization import PostTrainingPalettizer, PostTrainingPalettizerConfig

    torch.manual_seed(0)
    options = {"global_config": {"n_bits": 4, "enable_per_channel_scale": True}}
    with quiet():
        config = PostTrainingPalettizerConfig.from_dict(options)
        model = PostTrainingPalettizer(nn.Sequential(nn.Linear(64, 64)).eval(), config).compress()
    sizes = [
        open_package(convert(model, batch(1, 1, 64), target=target)).nbytes for target in ("iOS18", "iOS26")
    ]
    copies = 63 * 16 * 2
    assert sizes[0] - sizes[1] == pytest.approx(copies, abs=128)


def test_stored_codes_are_those_of_torch():
    inputs = batch(3, 32, 3, 8, 8)
    model = quantized(network(), inputs)
    found = weights(convert(model, inputs, target="iOS17"))
    stored = [weight for weight in found.values() if hasattr(weight, "codes")]
    layers = [part for part in model.modules() if hasattr(part, "weight_scale")]
    assert len(stored) == len(layers) == 2
    for layer in layers:
        with quiet():
            codes = layer.get_quantized_weight().int_repr().numpy()
        (match,) = [weight for weight in stored if weight.shape == codes.shape]
        # The largest weight of a channel lies half-way between two codes: the last bit of a division decides.
        ratio = np.abs(layer.weight.detach().flatten(1).numpy() / layer.weight_scale.numpy()[:, None])
        away = (ratio < 127.4).reshape(codes.shape)
        assert np.array_equal(match.codes[away], codes[away])
        assert np.array_equal(match.scale.ravel(), layer.weight_scale.half().numpy())
