"""coremltools opens packages of the user; nothing in them may change, and several threads may ask."""

import hashlib
import json
import shutil
import sys
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

import pytest

ct = pytest.importorskip("coremltools")
torch = pytest.importorskip("torch")

import toykit as tk
from toykit.coreml.format.package import open_package
from toykit.coreml.tools.opening import open_mlmodel


@pytest.fixture(scope="module")
def made():
    layers = {"first": torch.nn.Linear(64, 64), "relu": torch.nn.ReLU(), "last": torch.nn.Linear(64, 64)}
    net = torch.nn.Sequential(OrderedDict(layers)).eval()
    inputs = [ct.TensorType("x", (1, 64))]
    return tk.coreml.convert(net, torch.zeros(1, 64), target="iOS18", inputs=inputs, check=False)


@pytest.fixture
def package(made, tmp_path):
    """A package whose manifest is written as coremltools would not write it."""
    path = tk.coreml.save(made, tmp_path / "net.mlpackage")
    manifest = path / "Manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()), separators=(",", ":")))
    return path


def traces(folder):
    """Everything about a folder that somebody who only reads it must leave: bytes, places, times, rights."""
    kept = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        about = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        kept[path] = about.st_ino, about.st_nlink, about.st_mode, about.st_mtime_ns, about.st_ctime_ns, digest
    return kept


PLAN = {"first.weight": {"technique": "prune", "sparsity": 0.5}}
ASKS = {
    "compress": lambda path: tk.coreml.compress(path, "palettize", bits=4),
    "compress with coremltools": lambda path: tk.coreml.compress(
        path, "joint", engine="coremltools", prune={"sparsity": 0.5}, quantize={"bits": 8}
    ),
    "compress a Package": lambda path: tk.coreml.compress(
        tk.coreml.Package(path), "quantize", engine="coremltools", bits=8
    ),
    "a plan": lambda path: tk.coreml.compress(path, PLAN, engine="coremltools"),
    "a plan of nothing": lambda path: tk.coreml.compress(
        path, {"first.weight": {"technique": "float16"}}, engine="coremltools"
    ),
    "activations": lambda path: tk.coreml.quantize_activations(path, [{"x": [[1.0] * 64]}]),
    "open_mlmodel": open_mlmodel,
    "size": tk.size.ledger,
    "load": tk.coreml.load,
}


@pytest.mark.parametrize("ask", ASKS)
def test_a_package_that_is_read_is_not_touched(package, ask, tmp_path):
    before = traces(package)
    result = ASKS[ask](package)
    if isinstance(result, tk.coreml.Package | ct.models.MLModel):
        copy = tk.coreml.save(result, tmp_path / "copy.mlpackage")
        assert not any(path.is_symlink() for path in copy.rglob("*"))
        tk.coreml.load(copy)
    assert traces(package) == before


def test_the_folder_of_links_goes_with_the_model(package):
    mlmodel = open_mlmodel(package)
    view = Path(mlmodel.package_path)
    assert view.is_dir() and (view / "Data").is_symlink()
    del mlmodel
    assert not view.parent.exists()


def test_what_coremltools_cannot_open_leaves_no_folder_behind(package, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()

    def refuse(*_, **__):
        raise RuntimeError("no")

    monkeypatch.setattr(ct.models, "MLModel", refuse)
    with pytest.raises(RuntimeError):
        open_mlmodel(package)
    assert not list((tmp_path / "scratch").iterdir())


class Vanishing:
    """As MLModel of coremltools 9.1: the folder goes with the object."""

    def __init__(self, path):
        self.package_path = path

    def __del__(self):
        shutil.rmtree(self.package_path)


@pytest.mark.parametrize(
    "read",
    [
        lambda package: package.weight_blobs,
        lambda package: tk.size.ledger(package).after("palettize", bits=4).nbytes,
        lambda package: tk.coreml.compress(package, "quantize", bits=8).nbytes,
        lambda package: tk.coreml.compress(package, "quantize", engine="coremltools", bits=8).nbytes,
        lambda package: list(tk.coreml.weights(package)),
    ],
    ids=["blobs", "ledger", "compress", "coremltools", "weights"],
)
def test_a_package_keeps_the_model_whose_folder_it_is(package, read):
    opened = open_package(Vanishing(str(package)))
    assert read(opened)
    del opened
    assert not package.exists()


def test_threads_that_convert_and_compress_at_once(package, tmp_path):
    expected, out = tk.coreml.compress(package, "quantize", engine="coremltools", bits=8).nbytes, sys.stdout
    failed, sizes = [], []

    def quietly(done, total):
        pass

    def work(number):
        try:
            small = tk.coreml.compress(package, "quantize", engine="coremltools", bits=8, progress=quietly)
            sizes.append(tk.coreml.Package(tk.coreml.save(small, tmp_path / f"{number}.mlpackage")).nbytes)
            tk.coreml.convert(torch.nn.Linear(4, 4).eval(), torch.zeros(1, 4), check=False)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not failed and sizes == [expected] * 4 and sys.stdout is out
