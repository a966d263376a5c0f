"""A finalized model converts to a compressed package whose stored arrays are ours.

And the pieces that coremltools.optimize.torch has too compute the same: schedule, masks, GPTQ, DKM.
"""

import numpy as np
import pytest
import torch
from torch import nn

from tests.parity.packages import agrees, stored
from tests.training.networks import Tied, batch, steps, tiny
from toykit import training as T
from toykit.coreml import convert
from toykit.training.gptq import quantize_columns

SPARSE, PALETTE = "constexpr_sparse_to_dense", "constexpr_lut_to_dense"
AFFINE, BLOCKS = "constexpr_affine_dequantize", "constexpr_blockwise_shift_scale"
LAYERS = {"conv": "0", "linear": "4"}

# Our name of a part, and its name in Core ML's operation.
MASK = {"values": "nonzero_data", "mask": "mask"}
TABLE = {"indices": "indices", "lut": "lut"}
CODES = {"codes": "data", "scale": "scale"}

TRAINED = {
    "pruned": (T.Pruner, T.PruningConfig(0.75, end=4), MASK, SPARSE, 16),
    "palettized 1": (T.Palettizer, T.PalettizationConfig(1, steps=4), TABLE, PALETTE, 16),
    "palettized 2": (T.Palettizer, T.PalettizationConfig(2, steps=4), TABLE, PALETTE, 16),
    "palettized 3": (T.Palettizer, T.PalettizationConfig(3, steps=4), TABLE, PALETTE, 18),
    "palettized 4": (T.Palettizer, T.PalettizationConfig(4, steps=4), TABLE, PALETTE, 16),
    "vectors": (T.Palettizer, T.PalettizationConfig(3, 2, steps=4, skip=("4",)), TABLE, PALETTE, 18),
    "W8": (T.Quantizer, T.QuantizationConfig(8, None), CODES, AFFINE, 16),
    "W8A8": (T.Quantizer, T.QuantizationConfig(8), CODES, AFFINE, 17),
    "W4A8": (T.Quantizer, T.QuantizationConfig(4), CODES, BLOCKS, 18),
    "W4A8 learned": (T.Quantizer, T.QuantizationConfig(4, learned=True), CODES, BLOCKS, 18),
}


def trained(name, model=None):
    kind, config, *_ = TRAINED[name]
    method = kind()
    prepared = method.prepare(tiny() if model is None else model, config)
    steps(method, prepared, 6)
    return method, method.finalize()


@pytest.mark.parametrize(
    ("name", "target"),
    [(name, target) for name in TRAINED for target in (16, 17, 18) if target >= TRAINED[name][4]],
)
def test_the_package_stores_what_finalize_promised(name, target, tmp_path):
    _, _, parameters, operation, _ = TRAINED[name]
    method, model = trained(name)
    found = stored(convert(model, batch(1)[0], target=f"iOS{target}"), tmp_path / "m.mlpackage")
    if operation == AFFINE and target == 18:
        operation = BLOCKS
    for layer, our_name in LAYERS.items():
        if our_name not in method.compressed:
            assert not any(key[0] == layer and "constexpr" in key[1] for key in found)
            continue
        compressed = method.compressed[our_name]
        assert {key[1] for key in found if key[0] == layer} == {operation}
        for part, parameter in parameters.items():
            if operation == AFFINE and parameter == "data":
                parameter = "quantized_data"
            assert agrees(found[layer, operation, parameter], compressed.parts[part]), (layer, part)
        if operation == AFFINE:
            assert not found[layer, operation, "zero_point"].numpy().any()


def test_activations_are_quantized_with_our_ranges(tmp_path):
    from toykit.coreml import Package, save

    _, model = trained("W8A8")
    package = Package(save(convert(model, batch(1)[0], target="iOS17"), tmp_path / "m.mlpackage"))
    operations = list(package.program.walk())
    constants = {next(iter(op.outputs)): op.attributes["val"] for op in operations if op.op == "const"}
    found = []
    for op in operations:
        if op.op == "quantize":
            (scale,) = op.inputs["scale"]
            scale = constants[scale] if isinstance(scale, str) else scale
            found.append(float(scale.numpy()))
    assert found == [model[0].input_quantizer.scale, model[4].input_quantizer.scale]


@pytest.mark.parametrize("bits", [4, 8])
def test_gptq_too(bits, tmp_path):
    method = T.GPTQ()
    method.prepare(tiny(), T.GPTQConfig(bits=bits))
    T.calibrate(method, batch(64)[0])
    found = stored(convert(method.finalize(), batch(1)[0], target="iOS18"), tmp_path / "m.mlpackage")
    for layer, name in LAYERS.items():
        assert agrees(found[layer, BLOCKS, "data"], method.compressed[name].codes)
        assert agrees(found[layer, BLOCKS, "scale"], method.compressed[name].scale)


def test_shared_weights_convert(tmp_path):
    _method, model = trained("palettized 2", Tied())
    convert(model, batch(1)[0], target="iOS18").save(str(tmp_path / "m.mlpackage"))
    from toykit.coreml import Package

    operations = [op.op for op in Package(tmp_path / "m.mlpackage").program.walk()]
    assert operations.count(PALETTE) == 2 and operations.count("linear") == 3


def test_bits_that_core_ml_lacks_stay_dense(tmp_path):
    method = T.Quantizer()
    model = method.prepare(tiny(), T.QuantizationConfig(3, None))
    steps(method, model, 2)
    found = stored(convert(method.finalize(), batch(1)[0], target="iOS18"), tmp_path / "m.mlpackage")
    assert not any("constexpr" in operation for _, operation, _ in found)


# The pieces.


def test_the_schedule_is_coremltools():
    from coremltools.optimize.torch.pruning import ModuleMagnitudePrunerConfig, PolynomialDecayScheduler

    theirs = ModuleMagnitudePrunerConfig(target_sparsity=0.9, initial_sparsity=0.1)
    scheduler = PolynomialDecayScheduler(update_steps=list(range(20, 101, 5)))
    ours, sparsity = T.PruningConfig(0.9, begin=20, end=100, every=5, initial=0.1), 0.0
    for step in range(130):
        sparsity = scheduler.compute_sparsity(step, sparsity, theirs)
        assert T.scheduled_sparsity(step, ours) == pytest.approx(sparsity, abs=1e-6)


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.75, 0.9])
def test_masks_are_coremltools(sparsity):
    from coremltools.optimize.torch.pruning._utils import magnitude_ranked_mask

    torch.manual_seed(0)
    weight = torch.randn(16, 8, 3, 3)
    theirs = magnitude_ranked_mask(weight, sparsity, 1, "per_scalar")
    assert torch.equal(T.magnitude_mask(weight, sparsity), theirs)


@pytest.mark.parametrize("bits", [4, 8])
def test_gptq_is_coremltools_given_its_scales(bits):
    """coremltools' symmetric scales are wider, 2 max / (2^bits - 1) with a zero point in the middle."""
    from coremltools.optimize.torch.layerwise_compression.algorithms import GPTQ, ModuleGPTQConfig

    torch.manual_seed(0)
    x = torch.randn(300, 3) @ torch.randn(3, 24) + 0.3 * torch.randn(300, 24)
    layer = nn.Linear(24, 6)
    weight = layer.weight.detach().clone()
    config = ModuleGPTQConfig(weight_dtype=f"uint{bits}", granularity="per_channel", hessian_dampening=0.01)
    theirs = GPTQ(layer, config)
    theirs.add_batch(x, layer(x))
    theirs.compress()
    scale = theirs._scale[0].reshape(6, 1)
    middle = int(theirs._zero_point[0].flatten()[0])
    ours = quantize_columns(weight, 2 * x.T @ x / len(x), scale, -middle, 2**bits - 1 - middle, 0.01)
    agree = np.mean(np.isclose((ours * scale).numpy(), layer.weight.detach().numpy(), atol=1e-6))
    assert agree > 0.97  # float32 sums in another order now and then tip a weight halfway between codes


def test_dkm_is_coremltools():
    """One round from the same centroids, without the small additions at coremltools' edges."""
    from coremltools.optimize.torch.palettization._efficient_kmeans import _EfficientKMeans

    torch.manual_seed(0)
    weights, centroids, tau = torch.randn(500, 1), torch.randn(4, 1), 0.2
    distances = _EfficientKMeans.x_c_dist(weights, centroids)
    attention = torch.softmax(-distances / tau, -1)
    a, moved = T.dkm_step(weights, centroids, tau)
    assert torch.allclose(a, attention, atol=1e-4)
    assert torch.allclose(moved, (weights.T @ attention).T / attention.sum(0).view(-1, 1), atol=1e-4)
