"""Faults of coremltools that toykit has no patch for: each is tried by test_patches.py, in whatever version runs.

The page of known failures has the table of these and of `patches.FAULTS`: `python -m tests.parity.faults` prints it.
"""

import gc
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

import toykit as tk
from tests.parity.running import ct
from toykit._quiet import quiet
from toykit.coreml.tools.patches import FAULTS, Fault

_ISSUES = "https://github.com/apple/coremltools"
PAGE = Path(__file__).parents[2] / "book" / "known_failures.md"
IOS17 = {"minimum_deployment_target": ct.target.iOS17}
KNOWN, INSTEAD, TRIALS = {}, {}, {}


def known(what, instead, issue="", newest=(9, 1)):
    """Note a fault, and what to do, by the name of the function that tells whether the fault is there."""

    def note(trial):
        name = trial.__name__.replace("_", " ")
        KNOWN[name] = Fault(what, f"{_ISSUES}/{issue}" if issue else "", newest)
        INSTEAD[name], TRIALS[name] = instead, trial
        return trial

    return note


def convert(model, *example, **options):
    """What coremltools alone makes of a torch module, or of an exported program."""
    with quiet(), torch.no_grad():
        if example:
            model = torch.jit.trace(model.eval(), example)
            options["inputs"] = [ct.TensorType(shape=tensor.shape) for tensor in example]
        return ct.convert(model, **options)


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def quantized(network, example):
    """What LinearQuantizer makes of a network."""
    from coremltools.optimize.torch.quantization import LinearQuantizer

    torch.manual_seed(0)
    with quiet(), torch.no_grad():
        quantizer = LinearQuantizer(network)
        quantizer.prepare(example_inputs=(example,))(example)
        return quantizer.finalize()


def answer(mlmodel, example):
    model = tk.coreml.load(mlmodel)
    return next(iter(model.predict(dict.fromkeys(model.inputs, example.numpy())).values()))


class Pooled(nn.Module):
    def forward(self, x):
        return nn.functional.max_pool2d(x, 2)


@known(
    "does not convert a pooling without a stride from `torch.export`: `max_pool2d(x, 2)`; from a trace it does",
    "write `max_pool2d(x, 2, stride=2)`",
    "issues/2415",
)
def default_stride():
    exported = torch.export.export(Pooled().eval(), (torch.zeros(1, 1, 4, 4),)).run_decompositions({})
    try:
        convert(exported)
    except ValueError as error:
        return "expected minimum 3 inputs" in str(error)


@known(
    "does not convert what `LinearQuantizer` makes of `Conv1d` and `Conv3d`",
    "write a `Conv1d` as a `Conv2d` over an image one pixel high",
    "issues/2452",
)
def quantized_convolutions():
    failed = []
    for layer, shape in (nn.Conv1d, (4, 4, 9)), (nn.Conv2d, (4, 4, 9, 9)), (nn.Conv3d, (4, 4, 9, 9, 9)):
        example = noise(*shape)
        try:
            convert(quantized(nn.Sequential(layer(4, 8, 3)), example), example, **IOS17)
        except ValueError as error:
            assert "same rank as `scale`" in str(error)
            failed.append(layer)
    return failed == [nn.Conv1d, nn.Conv3d]


class Flattened(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.linear = nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Linear(576, 10)

    def forward(self, x):
        return self.linear(self.relu(self.conv(x)).flatten(1))


@known(
    "reads codes with another scale behind `x.flatten`, `x.reshape` and `x.view` of quantized activations "
    "(the pass `int_op_canonicalization`): the answers are nonsense",
    "toykit refuses the package; use `nn.Flatten()`, or leave the pass out",
)
def two_scales():
    example = noise(8, 3, 8, 8)
    model = quantized(Flattened(), example)
    expected = model(example).detach().numpy()
    mlmodel = convert(model, example, **IOS17)
    return np.abs(answer(mlmodel, example) - expected).max() > 30 / 127 * np.abs(expected).max()


@known(
    "passes over options without a word: an `output_padding` that the kernel leaves no room for, running statistics "
    "of `InstanceNorm2d`, `antialias`, `torch.std(correction=2)`, `x.argmax()` without an axis",
    "toykit refuses the package; write that part in another way",
)
def options():
    layer = nn.ConvTranspose1d(1, 1, 5, stride=8, padding=1, output_padding=3).eval()
    example = noise(1, 1, 20)
    return layer(example).shape[-1] == 158 and answer(convert(layer, example), example).shape[-1] == 169


@known(
    'stops with "need to have the same rank" when it quantizes the table of a palette of three axes or more for iOS 26',
    "toykit's own engine does it",
)
def table_in_8_bits():
    import coremltools.optimize.coreml as cto

    layer = nn.Conv2d(32, 32, 3).eval()
    mlmodel = convert(layer, noise(1, 32, 4, 4), minimum_deployment_target=ct.target.iOS26)
    palette = cto.OpPalettizerConfig(nbits=4, mode="uniform")
    codes = cto.OpLinearQuantizerConfig(granularity="per_tensor")
    with quiet():
        small = cto.palettize_weights(mlmodel, cto.OptimizationConfig(palette))
        try:
            cto.linear_quantize_weights(small, cto.OptimizationConfig(codes), joint_compression=True)
        except ValueError as error:
            return "same rank" in str(error)


@known("has no random inputs for images in its benchmarker", "hand it inputs", "issues/2678", newest=(9, 0))
def random_images():
    from coremltools.models.ml_program.experimental import perf_utils

    image = ct.ImageType(shape=(1, 3, 8, 8))
    with quiet():
        traced = torch.jit.trace(nn.Conv2d(3, 4, 3).eval(), torch.zeros(1, 3, 8, 8))
        description = ct.convert(traced, inputs=[image]).get_spec().description
    try:
        perf_utils._gen_random_inputs(description)
    except ValueError as error:
        return "imageType" in str(error)


@known(
    "compares the sum of the centres with the bound when `DKMPalettizer` may drop clusters (`kmeans_error_bnd` above "
    "0; the default is 0)",
    "leave the default",
    "pull/2700",
    newest=(9, 0),
)
def error_bound():
    from coremltools.optimize.torch.palettization._efficient_kmeans import _EfficientKMeans

    values = torch.tensor([[-1.0], [-1.1], [-0.9], [-10.0], [-10.1], [-9.9]])
    labels, centres = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([[-1.0], [-10.0], [-50.0]])
    fitted = _EfficientKMeans(n_clusters=3, init=centres, labels=labels, max_iter=5, tol=1e-4, error_bnd=2.0)
    return len(fitted.fit(values).cluster_centers_) == 3


@known(
    "keeps the temporary package of every model until the program ends; 9.1.dev1 deletes it with its model, so hold "
    "the model while you read `package_path`",
    "toykit's `Package` holds the model; `tk.coreml.Package(mlmodel.package_path)` does not",
    "issues/2670",
    newest=(9, 0),
)
def temporary_packages():
    mlmodel = convert(nn.Linear(2, 2), torch.zeros(1, 2))
    folder = Path(mlmodel.package_path)
    del mlmodel
    gc.collect()
    return folder.exists()


@known(
    "makes -inf in float16 of a large finite number, such as a mask of `torch.finfo(torch.float32).min`; 9.1.dev1 "
    "takes -65504",
    "take -65504 in the network",
    "pull/2669",
    newest=(9, 0),
)
def masks():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.full((1, 16), torch.finfo(torch.float32).min))

        def forward(self, x):
            return x + self.mask

    return np.isinf(answer(convert(Masked(), torch.zeros(1, 16)), torch.zeros(1, 16))).all()


@known(
    "quantizes in `ModuleSparseGPTConfig`, too, whose documentation says that it only prunes",
    "set `weight_dtype`",
)
def sparse_gpt():
    from coremltools.optimize.torch.layerwise_compression import ModuleSparseGPTConfig

    return ModuleSparseGPTConfig().weight_dtype == torch.uint8


@known(
    "recommends functions that do not exist, in the warnings of the old ones: "
    "`coremltools.optimize.coreml.sparsify_weights` is `prune_weights`",
    "the new names",
)
def old_names():
    import coremltools.optimize.coreml as cto

    mlmodel = convert(nn.Linear(2, 2), torch.zeros(1, 2))
    with quiet(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ct.compression_utils.sparsify_weights(mlmodel, mode="percentile_based", target_percentile=0.5)
    recommended = any("optimize.coreml.sparsify_weights" in str(one.message) for one in caught)
    return recommended and not hasattr(cto, "sparsify_weights")


def seen(fault):
    """In which of the two versions that we tried."""
    if fault.newest is None:
        return "every version"
    words = "9.0; still in 9.1.dev1" if fault.newest >= (9, 1) else "9.0; fixed in 9.1.dev1"
    return (f"with NumPy {'.'.join(map(str, fault.numpy))}, " if fault.numpy else "") + words


def rows():
    """The table of the page, line by line."""
    yield "| Core ML Tools ... | version | report | what to do |"
    yield "|---|---|---|---|"
    for name, fault in {**FAULTS, **KNOWN}.items():
        number = fault.issue.rpartition("/")[2]
        report = f"[{number}]({fault.issue})" if number else "none known"
        does = INSTEAD.get(name, "toykit works around it" if fault.where else "toykit mends it")
        yield f"| {fault.what} | {seen(fault)} | {report} | {does} |"


if __name__ == "__main__":
    print("\n".join(rows()))
