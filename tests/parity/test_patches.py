"""Each fault of coremltools that we know: is it there, without a patch, in the versions that are said to have it?

When one of these fails, a new version has been put right, or has the fault too, and `FAULTS` or faults.py has to
say so. What toykit does about a fault can go when no version that it works with has it. `make test-next` asks the
next version.
"""

import inspect
from collections import defaultdict

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
torch = pytest.importorskip("torch", reason="the packages are converted from torch")

import toykit as tk
from tests import handmade
from tests.parity import faults
from tests.parity.faults import convert
from toykit._quiet import coremltools, quiet
from toykit.coreml.tools import activations, patches
from toykit.coreml.tools.opening import open_mlmodel

ct = coremltools()
with quiet():
    import coremltools.optimize.coreml as cto
    from coremltools.optimize import _utils
    from coremltools.optimize.coreml.experimental import _model_debugger, _post_training_quantization

nn = torch.nn
RANDOM = np.random.default_rng(0)


class Flat(nn.Module):
    def forward(self, x):
        return x.view(x.shape[0], x.shape[1] * x.shape[2])


def computed_shapes(_):
    try:
        convert(Flat(), torch.zeros(1, 4, 4))
    except TypeError as error:
        return "0-dimensional" in str(error)


def attention(_):
    layer = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)
    try:
        convert(layer, torch.zeros(1, 3, 8))
    except NotImplementedError as error:
        return "_transformer_encoder_layer_fwd" in str(error)


def ranges(_):
    inputs, inside = defaultdict(dict), defaultdict(dict)
    for value in np.float32([[-5, 5], [-1, 1]]):
        _post_training_quantization._update_tensor_range("x", value, inputs)
        _model_debugger.ModelDebugger.record_intermediate_output(value, "x", inside)
    assert inputs == inside, "one of the two has been put right"
    return inputs["x"] == {"rmin": -1, "rmax": 1}


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("sum", torch.zeros(1, 4))
        self.mix = nn.Linear(4, 4)

    def forward(self, x):
        self.sum.add_(x)
        answer = self.sum * 2
        self.sum[:] = self.mix(self.sum)
        return answer


def states(_):
    state = ct.StateType(wrapped_type=ct.TensorType(shape=(1, 4), dtype=np.float16), name="sum")
    mlmodel = convert(Counter(), torch.zeros(1, 4), states=[state], minimum_deployment_target=ct.target.iOS18)
    debugger = _model_debugger.ModelDebugger
    block = debugger.get_any_block(debugger.get_model_info(mlmodel))
    return len({one.name for one in debugger.get_all_outputs(block)}) < len(block.operations)


def float16_scales(_):
    with np.errstate(over="ignore"):
        found = _utils.get_min_and_max_values({"x": {"rmin": -1e5, "rmax": 1e5}}, "x")
    return not np.isfinite(found).all()


def prediction(path):
    try:
        with quiet():
            open_mlmodel(path).predict({"x": np.zeros((1, 48), np.float32)})
    except Exception as error:
        return "macOS" in str(error) or "CoreML.framework" in str(error)


def progress(_):
    functions = ct.convert, cto.prune_weights, cto.linear_quantize_weights, cto.palettize_weights
    return not any("progress" in inspect.signature(function).parameters for function in functions)


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(16, 8), nn.Linear(8, 8)

    def forward(self, first, second):
        return self.out(self.table(first + second))


def whole_numbers(_):
    first = torch.ones(1, 4, dtype=torch.int32)
    mlmodel = tk.coreml.convert(Embedded(), (first, first), target="iOS17", check=False)
    sample = dict.fromkeys(mlmodel.input_description, first.numpy())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activations, "_leave_integers", lambda config, package: None)
        try:
            tk.coreml.quantize_activations(mlmodel, [sample])
        except Exception:
            return True


def manifest(path):
    file = path / "Manifest.json"
    file.write_text(file.read_text() + "\n")
    before = file.read_bytes()
    with quiet():
        ct.models.MLModel(str(path), skip_model_load=True)
    return file.read_bytes() != before


def skipped_weights(path):
    """48 channels are no groups of 32."""
    config = cto.OpPalettizerConfig(
        nbits=4, granularity="per_grouped_channel", group_size=32, enable_per_channel_scale=True
    )
    with quiet():
        made = cto.palettize_weights(open_mlmodel(path), cto.OptimizationConfig(config))
    before, after = (tk.coreml.weights(source)["w0"] for source in (path, made))
    return isinstance(after, np.ndarray) and not np.array_equal(before, after)


def nearly_equal_constants(path):
    """Two that differ in one element, by the smallest number above 0."""
    config = cto.OptimizationConfig(op_name_configs={"w2": cto.OpLinearQuantizerConfig()})
    with quiet():
        made = cto.linear_quantize_weights(open_mlmodel(path), config)
    return "w1" not in tk.coreml.weights(made)


@pytest.fixture
def path(tmp_path):
    weight = RANDOM.normal(size=(48, 48)).astype(np.float16)
    weight[-1, -1] = 0
    other = weight.copy()
    other[-1, -1] = np.finfo(np.float16).smallest_subnormal
    layers = [("linear", weight), ("linear", other), ("linear", -weight)]
    return handmade.write(tmp_path / "net.mlpackage", layers)


@pytest.mark.parametrize("name", patches.FAULTS)
def test_is_still_there(name, path):
    if name == "prediction" and ct.models.MLModel(str(path)).__proxy__ is not None:
        pytest.skip("this is a Mac")
    assert_known(name, globals()[name.replace(" ", "_")](path), patches.FAULTS[name])


@pytest.mark.parametrize("name", faults.KNOWN)
def test_without_a_patch(name):
    assert_known(name, faults.TRIALS[name](), faults.KNOWN[name])


def assert_known(name, there, fault):
    if patches.has(fault):
        assert there, f"coremltools {ct.__version__} has been put right: say so in `newest` of {name!r}"
    else:
        assert not there, f"coremltools {ct.__version__} has {name!r} too: say so in its `newest`"


def test_the_page_of_known_failures_has_them_all():
    table = "\n".join(faults.rows())
    assert table in faults.PAGE.read_text(encoding="utf-8"), "python -m tests.parity.faults prints the table"


@pytest.mark.parametrize(
    "version, wanted", [((8, 3), True), ((9, 0), True), ((9, 1), False), ((10, 0), False)]
)
def test_only_versions_that_are_known_to_have_it_are_patched(version, wanted, monkeypatch):
    monkeypatch.setattr(patches, "_version", {"coremltools": version, "numpy": (2, 4)}.get)
    assert patches.needed("ranges") == patches.needed("computed shapes") == wanted
    assert patches.needed("prediction")  # no version of coremltools runs a program itself
    monkeypatch.setattr(patches, "_version", {"coremltools": version, "numpy": (2, 3)}.get)
    assert not patches.needed("computed shapes")
