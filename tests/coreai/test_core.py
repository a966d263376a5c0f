"""Conversion, saving, running and reading of Core AI assets."""

import asyncio
import json
import subprocess
import sys

import numpy as np
import pytest

import toykit as tk
from tests.coreai import needs_coreai
from toykit.coreml.format.protobuf import PackageError

torch = pytest.importorskip("torch")
networks = pytest.importorskip("tests.coreai.networks")
pytestmark = needs_coreai


@pytest.fixture(scope="module")
def net():
    return networks.everything()


@pytest.fixture(scope="module")
def program(net):
    return tk.coreai.convert(net, networks.example(), precision="float32")


@pytest.fixture(scope="module")
def asset(program, tmp_path_factory):
    return tk.coreai.Asset(tk.coreai.save(program, tmp_path_factory.mktemp("assets") / "net.aimodel"))


def inputs():
    image, word = networks.example()
    return {"image": image.numpy(), "word": word.numpy()}


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float16", 0.05)])
def test_a_module_answers_as_in_torch(net, precision, tolerance):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    answer = tk.coreai.run(tk.coreai.convert(net, networks.example(), precision), inputs())
    with torch.no_grad():
        expected = net(*networks.example()).numpy()
    (found,) = answer.values()
    assert found.dtype == precision
    assert np.abs(found - expected).max() < tolerance
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_an_asset_says_what_it_is(asset):
    assert set(asset.files) == {"main.mlirb", "main.hash", "metadata.json"}
    assert asset.nbytes == sum(file.stat().st_size for file in asset.path.iterdir())
    assert asset.metadata["producer"].startswith("coreai-core")
    assert "net.aimodel" in repr(asset)


def test_no_path_of_the_computer_gets_into_an_asset(asset):
    written = (asset.path / "main.mlirb").read_bytes()
    assert b".py" not in written
    assert str(tk.__path__[0]).encode().rpartition(b"/")[0] not in written


def test_weights_have_the_names_of_the_module(net, asset):
    found, state = tk.coreai.weights(asset), net.state_dict()
    assert list(found)[:2] == ["conv.weight", "conv.bias"]  # folded with the batch norm
    for name, value in list(found.items())[2:]:
        assert np.array_equal(value, state[name].numpy())
    assert {"first.weight", "blocks.1.proj.bias", "words.weight", "matrix"} < set(found)


def test_weights_of_a_program_from_elsewhere_are_named_by_their_modules(net):
    import coreai_torch

    with tk.quiet():
        exported = torch.export.export(net, networks.example())
        exported = exported.run_decompositions(coreai_torch.get_decomp_table())
        program = coreai_torch.TorchConverter().add_exported_program(exported).to_coreai()
        release = coreai_torch.TorchConverter(mode=coreai_torch.TorchConverter.Mode.RELEASE)
        bare = release.add_exported_program(exported).to_coreai()
    assert list(tk.coreai.weights(program))[:3] == ["Conv2d_1.weight", "Conv2d_1.bias", "Linear_1.weight"]
    assert list(tk.coreai.weights(bare))[:3] == ["conv2d_0.weight", "add_0.bias", "batch_matmul_0.weight"]


def test_a_prediction_is_an_ordinary_call_where_a_loop_runs(asset):
    model = tk.coreai.load(asset)
    expected = model.predict(inputs())

    async def page():
        return tk.coreai.load(asset.path).predict([inputs(), inputs()])

    for answer in asyncio.run(page()):
        assert all(np.array_equal(answer[name], value) for name, value in expected.items())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"word": None}, ValueError, "'word' is missing"),
        ({"sound": [1.0]}, ValueError, "no input 'sound'"),
        ({"word": [[0.5]]}, TypeError, "whole numbers"),
        ({"image": np.zeros((3, 8, 8))}, ValueError, r"shape \(1, 3, 8, 8\)"),
        ({"image": "noise"}, TypeError, "array of numbers"),
    ],
)
def test_an_input_that_does_not_fit_is_named(asset, change, error, message):
    with pytest.raises(error, match=message):
        tk.coreai.run(asset, inputs() | change)


def test_a_number_that_float16_cannot_hold_is_refused():
    model = tk.coreai.load(tk.coreai.convert(networks.linear(np.eye(4)), torch.zeros(1, 4)))
    (name,) = model.inputs
    with pytest.raises(ValueError, match="fit into float16"):
        model.predict({name: [[1e6, 0, 0, 0]]})


def test_saving_loses_nothing(asset, program, tmp_path, monkeypatch):
    path = tk.coreai.save(program, tmp_path / "a.aimodel")
    before = (path / "main.mlirb").read_bytes()
    with pytest.raises(ValueError, match="exists"):
        tk.coreai.save(program, path, replace=False)

    def full(self, new, *rest):
        new.mkdir()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(program), "save_asset", full)
    with pytest.raises(OSError, match="What was there is as it was"):
        tk.coreai.save(program, path)
    assert (path / "main.mlirb").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.aimodel"]


@pytest.mark.parametrize("name", ["a.mlpackage", "a", "missing/a.aimodel"])
def test_saving_needs_a_place(program, tmp_path, name):
    with pytest.raises(ValueError, match="aimodel|does not exist"):
        tk.coreai.save(program, tmp_path / name)


def test_saving_replaces_assets_only(program, tmp_path):
    (tmp_path / "a.aimodel").mkdir()
    (tmp_path / "a.aimodel" / "diary.txt").write_text("dear diary")
    with pytest.raises(ValueError, match="not an asset"):
        tk.coreai.save(program, tmp_path / "a.aimodel")
    assert (tmp_path / "a.aimodel" / "diary.txt").exists()


@pytest.mark.parametrize("call", [tk.coreai.load, tk.coreai.weights, tk.coreai.Asset])
def test_what_is_no_asset_is_refused(call, tmp_path):
    with pytest.raises(FileNotFoundError, match="no asset"):
        call(tmp_path / "none.aimodel")
    (tmp_path / "empty.aimodel").mkdir()
    with pytest.raises(PackageError, match="no main.mlirb"):
        call(tmp_path / "empty.aimodel")
    with pytest.raises(TypeError, match="got int"):
        call(3)


@pytest.mark.parametrize("broken", [b"", b"ML\xefR", b"not bytecode at all", None])
def test_a_broken_program_is_refused(broken, asset, tmp_path):
    path = tmp_path / "broken.aimodel"
    path.mkdir()
    (path / "main.hash").write_bytes((asset.path / "main.hash").read_bytes())
    whole = (asset.path / "main.mlirb").read_bytes()
    (path / "main.mlirb").write_bytes(whole[:-1] if broken is None else broken)
    for call in (tk.coreai.load, tk.coreai.weights):
        with pytest.raises(PackageError, match="broken.aimodel"):
            call(path)


def test_conversion_refuses_what_is_no_module():
    with pytest.raises(TypeError, match="torch.nn.Module"):
        tk.coreai.convert("net", torch.zeros(1))
    with pytest.raises(TypeError, match="tuple of tensors"):
        tk.coreai.convert(networks.linear(np.eye(4)), [1.0])
    with pytest.raises(ValueError, match="precision"):
        tk.coreai.convert(networks.linear(np.eye(4)), torch.zeros(1, 4), "int8")
    with pytest.raises(ValueError, match="cannot be converted"):
        tk.coreai.convert(networks.linear(np.eye(4)), torch.zeros(1, 5))


def test_nothing_is_printed(tmp_path):
    code = f"""
import numpy as np, toykit as tk
from tests.coreai import networks
program = tk.coreai.convert(networks.linear(np.eye(64)), networks.torch.zeros(1, 64))
path = tk.coreai.save(program, {str(tmp_path / "a.aimodel")!r})
tk.coreai.run(path, {{next(iter(tk.coreai.load(path).inputs)): np.zeros((1, 64))}})
tk.coreai.weights(path)
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_metadata_must_be_json(asset, tmp_path):
    path = tmp_path / "a.aimodel"
    path.mkdir()
    (path / "main.mlirb").write_bytes(b"")
    copy = tk.coreai.Asset(path)
    with pytest.raises(PackageError, match="cannot be read"):
        copy.metadata  # noqa: B018 - asking for it is the test
    for text in ("{", json.dumps([1])):
        (path / "metadata.json").write_text(text)
        with pytest.raises(PackageError, match="JSON"):
            copy.metadata  # noqa: B018


def test_weights_that_coreai_opt_trains_have_their_names_and_forms():
    from coreai_opt.palettization import KMeansPalettizer, KMeansPalettizerConfig
    from coreai_opt.quantization import Quantizer, QuantizerConfig

    image = (networks.example()[0],)
    found = {}
    for compressor, config in ((Quantizer, QuantizerConfig), (KMeansPalettizer, KMeansPalettizerConfig)):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 64, 3), torch.nn.Flatten(1), torch.nn.Linear(64 * 36, 64)
        ).eval()
        with tk.quiet():
            work = compressor(net, config())
            prepared = work.prepare(image)
            with torch.no_grad():
                prepared(*image)
            trained = work.finalize()
        found[compressor] = tk.coreai.weights(tk.coreai.convert(trained, image, precision="float32"))
    for weights, kind in zip(found.values(), (tk.Quantized, tk.Palettized), strict=True):
        assert list(weights) == ["0.weight", "0.bias", "2.weight", "2.bias"]
        assert isinstance(weights["0.weight"], kind)
        assert isinstance(weights["2.weight"], kind)


def test_a_bias_that_a_batch_norm_leaves_has_its_name():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, bias=False), torch.nn.BatchNorm2d(16)).eval()
    found = tk.coreai.weights(tk.coreai.convert(net, networks.example()[0]))
    assert list(found) == ["0.weight", "1.bias"]


def test_without_apples_packages_one_sentence_says_what_to_install(asset):
    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0].startswith('coreai'):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition('.')[0])
sys.meta_path.insert(0, Blocked())
import toykit as tk
asset = tk.coreai.Asset({str(asset.path)!r})
assert asset.nbytes and asset.blobs
for call in (tk.coreai.load, tk.coreai.weights):
    try:
        call(asset)
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (sentence,) = set(done.stdout.splitlines())
    assert "pip install 'toykit[coreai]'" in sentence
    assert "macOS 26" in sentence


class Counting(torch.nn.Module):
    """Adds up what it is given."""

    def __init__(self):
        super().__init__()
        self.register_buffer("sum", torch.zeros(4))

    def forward(self, x):
        self.sum.add_(x[0])
        return x + self.sum


def test_a_state_is_changed_and_goes_on():
    model = tk.coreai.load(tk.coreai.convert(Counting(), torch.ones(1, 4)))
    state = model.make_state()
    answers = model.predict([{"x": np.ones((1, 4))}] * 3, state)
    assert [next(iter(answer.values()))[0, 0] for answer in answers] == [2, 3, 4]
    assert next(iter(state.values())).tolist() == [3, 3, 3, 3]
    with pytest.raises(ValueError, match="make_state"):
        model.predict({"x": np.ones((1, 4))})
    with pytest.raises(ValueError, match="make_state"):
        model.predict({"x": np.ones((1, 4))}, {"sum": 3})


def test_a_conversion_displays_nothing_in_jupyter(monkeypatch):
    shown = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *what: shown.append(what))
    tk.coreai.convert(torch.nn.Linear(4, 4).eval(), torch.zeros(1, 4))
    assert shown == []


@pytest.mark.parametrize("call", ["weights(path)", "load(path)", "compress(path, 'quantize')"])
def test_nothing_is_printed_by_whatever_comes_first(asset, call):
    code = f"import toykit as tk\npath = {str(asset.path)!r}\ntk.coreai.{call}"
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class _Scaled(torch.nn.Module):
    def forward(self, x, factor):
        return x * factor


class _Nothing(torch.nn.Module):
    def forward(self, x):
        return x, None


def test_an_input_may_be_a_single_number():
    program = tk.coreai.convert(_Scaled(), (torch.ones(2), torch.tensor(1.0)))
    found = tk.coreai.run(program, {"x": np.ones(2), "factor": np.array(3.0)})
    assert np.array_equal(*found.values(), [3, 3])


def test_a_name_may_have_any_letters():
    named = torch.nn.Sequential()
    named.add_module('größe\\"', torch.nn.Linear(4, 4))
    assert set(tk.coreai.weights(tk.coreai.convert(named, torch.zeros(1, 4)))) == {
        'größe\\".weight',
        'größe\\".bias',
    }


@pytest.mark.parametrize(
    ("dtype", "precision"), [("bfloat16", "float16"), ("float64", "float16"), ("float16", "float32")]
)
def test_a_module_of_another_precision_is_refused(dtype, precision):
    dtype = getattr(torch, dtype)
    with pytest.raises(ValueError, match=f"got {dtype}"):
        tk.coreai.convert(torch.nn.Linear(4, 4).to(dtype), torch.zeros(1, 4, dtype=dtype), precision)


def test_an_output_that_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match="no tensor, such as None"):
        tk.coreai.convert(_Nothing(), torch.zeros(1, 4))


def test_a_length_may_be_any():
    import coreai_torch

    net, batch = torch.nn.Linear(64, 64).eval(), torch.export.Dim("batch", min=1, max=8)
    with tk.quiet():
        exported = torch.export.export(net, (torch.zeros(2, 64),), dynamic_shapes=({0: batch},))
        exported = exported.run_decompositions(coreai_torch.get_decomp_table())
        program = coreai_torch.TorchConverter().add_exported_program(exported).to_coreai()
    for rows in (1, 3):
        x = np.random.default_rng(rows).normal(size=(rows, 64)).astype(np.float32)
        (found,) = tk.coreai.run(program, {"input": x}).values()
        assert np.allclose(found, net(torch.from_numpy(x)).detach(), atol=1e-5)
    small = tk.coreai.compress(program, "quantize", bits=8)
    assert tk.coreai.compare(net, small).worst > 30
    assert tk.coreai.verify(small, program, tables="given").ok
