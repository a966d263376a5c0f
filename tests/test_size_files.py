"""Files of tensors: weighed as their own libraries read them, and no code of theirs is run."""

import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk
from toykit.size import tensor_files

RNG = np.random.default_rng(0)
ARRAYS = {
    "conv.weight": RNG.normal(size=(64, 32, 3, 3)).astype(np.float32),
    "conv.bias": RNG.normal(size=64).astype(np.float16),
    "steps": np.array(7),
    "empty": np.zeros((0, 3), np.float32),
    "bytes": RNG.integers(0, 255, (5, 3)).astype(np.uint8),
}


def written(header, data, length=None):
    """A safetensors file, as bytes, from whatever is to be its header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def simple(**changes):
    entry = {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]} | changes
    return {"w": {name: value for name, value in entry.items() if value is not None}}


# --- safetensors ---


def test_safetensors_are_read_as_their_own_library_reads_them(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "model.safetensors"
    library.save_file(ARRAYS, path, metadata={"format": "np"})
    tensors, rest = tensor_files.read(path)
    assert {name for name, _, _ in tensors} == ARRAYS.keys()
    for name, _, weight in tensors:
        values = weight.values()
        assert (weight.shape, weight.dtype) == (ARRAYS[name].shape, ARRAYS[name].dtype.name)
        assert values.dtype == ARRAYS[name].dtype and np.array_equal(values, ARRAYS[name])
    ledger = tk.size.ledger(path)
    assert ledger.nbytes == path.stat().st_size and ledger.rest == rest and ledger.source == path.name


@pytest.mark.parametrize(("technique", "options"), [("prune", {"sparsity": 0.5}), ("palettize", {"bits": 4})])
def test_predictions_are_those_of_the_arrays(technique, options, tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    library.save_file(ARRAYS, tmp_path / "model.safetensors")
    of_file = tk.size.ledger(tmp_path / "model.safetensors").after(technique, **options)
    of_arrays = tk.size.ledger(ARRAYS).after(technique, **options)
    assert {row.name: row.nbytes for row in of_file.rows} == {row.name: row.nbytes for row in of_arrays.rows}
    assert of_file.exact and of_file.nbytes == of_arrays.nbytes


def test_every_type_of_torch_is_weighed_and_bfloat16_read(tmp_path):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    types = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "bool", "int8", "uint8", "int64", "float64"]
    tensors = {name: torch.arange(12).reshape(3, 4).to(getattr(torch, name)) for name in types}
    library.save_file(tensors, tmp_path / "model.safetensors")
    torch.save(tensors, tmp_path / "model.pt")
    expected = {name: (name, tensor.nbytes) for name, tensor in tensors.items()}
    for name in ("model.safetensors", "model.pt"):
        ledger = tk.size.ledger(tmp_path / name)
        assert {row.name: (row.dtype, row.nbytes) for row in ledger.rows} == expected
    (weight,) = [
        weight
        for name, _, weight in tensor_files.read(tmp_path / "model.safetensors")[0]
        if name == "bfloat16"
    ]
    assert np.array_equal(weight.values(), np.arange(12.0).reshape(3, 4))


def test_a_file_is_counted_in_another_type(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(written(simple(), b"\0" * 12))
    assert tk.size.ledger(tmp_path / "a.safetensors", dtype="float32").nbytes == 24
    with pytest.raises(ValueError, match="dtype is for modules, dictionaries and files"):
        tk.size.ledger(tmp_path / "a.mlpackage", dtype="float32")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "length of its header"),
        (b"\0" * 7, "length of its header"),
        (written(simple(), b"\0" * 12, length=2**63), "length of its header"),
        (written(simple(), b"\0" * 12, length=0), "length of its header"),
        (written(simple(), b"\0" * 12, length=10), "its header cannot be read"),
        (written(b"\xff\xfe{}", b""), "its header cannot be read"),
        (written(b"[" * 100_000, b""), "its header cannot be read"),
        (written([1], b""), "no list of names"),
        (written(b'{"w": 1, "w": 2}', b""), "a name comes twice"),
        (written(simple(dtype="F17"), b"\0" * 12), "'w' lacks a dtype"),
        (written(simple(dtype=None), b"\0" * 12), "'w' lacks a dtype"),
        (written(simple(dtype=["F16"]), b"\0" * 12), "'w' lacks a dtype"),
        (written(simple(shape=3), b"\0" * 12), "'w' lacks a dtype"),
        (written({"w": 3}, b"\0" * 12), "'w' lacks a dtype"),
        (written(simple(shape=[-2, -3]), b"\0" * 12), "whole numbers"),
        (written(simple(shape=[2.0, 3]), b"\0" * 12), "whole numbers"),
        (written(simple(shape=[True, 6]), b"\0" * 12), "whole numbers"),
        (written(simple(data_offsets=[0, 6, 12]), b"\0" * 12), "whole numbers"),
        (written(simple(shape=[2, 2]), b"\0" * 12), "its shape 8"),
        (written(simple(shape=[2**62, 2**62]), b"\0" * 12), "and its shape"),
        (written(simple(data_offsets=[2, 14]), b"\0" * 14), "'w' begins at 2"),
        (
            written(simple() | {"v": simple()["w"]}, b"\0" * 12),
            "begins at 0, and what is before it ends at 12",
        ),
        (written(simple(), b"\0" * 13), "take 12 bytes of 13"),
        (written(simple(), b"\0" * 11), "take 12 bytes of 11"),
        (written({"\x1b[2J": simple(dtype="no")["w"]}, b"\0" * 12), r"'\\x1b\[2J' lacks"),
        (written({}, b""), "no parameters"),
    ],
)
def test_what_is_not_sound_is_said(file, words, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(file)
    with pytest.raises(ValueError, match=words):
        tk.size.ledger(path)


@given(st.binary(max_size=200), st.integers(0, 80))
def test_whatever_the_bytes_the_answer_is_a_ledger_or_a_sentence(tmp_path_factory, noise, place):
    sound = written(simple(), b"\0" * 12)
    path = tmp_path_factory.mktemp("noise") / "any.safetensors"
    for file in (noise, sound[:place] + noise[:3] + sound[place + len(noise[:3]) :]):
        path.write_bytes(file)
        try:
            assert tk.size.ledger(path).nbytes == len(file)
        except ValueError as error:
            assert "any.safetensors" in str(error)


def test_a_file_that_shrinks_is_noticed(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(
        written({"w": {"dtype": "F16", "shape": [64, 64], "data_offsets": [0, 8192]}}, b"\0" * 8192)
    )
    ledger = tk.size.ledger(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="has become shorter"):
        ledger.after("prune", sparsity=0.5)


# --- state dicts ---


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("suffix", tensor_files.STATE_DICTS)
@pytest.mark.parametrize("new", [True, False])
def test_state_dicts_are_weighed(torch, tmp_path, suffix, new):
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 3), torch.nn.BatchNorm2d(64), torch.nn.Linear(64, 40)
    ).half()
    path = tmp_path / f"net{suffix}"
    torch.save(net.state_dict(), path, _use_new_zipfile_serialization=new)
    ledger = tk.size.ledger(path)
    assert {row.name: row.nbytes for row in ledger.rows} == {
        name: tensor.nbytes for name, tensor in net.state_dict().items()
    }
    assert ledger.nbytes == path.stat().st_size
    after, of_arrays = (one.after("palettize", bits=4) for one in (ledger, tk.size.ledger(net.state_dict())))
    assert after.nbytes == of_arrays.nbytes


def test_a_checkpoint_is_weighed_by_its_weights_and_the_rest_is_one_line(torch, tmp_path):
    net = torch.nn.Linear(30, 20)
    torch.optim.Adam(net.parameters()).zero_grad()
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 3, "state_dict": net.state_dict(), "optimizer": {"exp_avg": [net.weight * 2]}}, path)
    ledger = tk.size.ledger(path)
    assert [row.name for row in ledger.rows] == ["weight", "bias"] and ledger.nbytes == path.stat().st_size


def test_shared_weights_count_once_and_nested_ones_have_long_names(torch, tmp_path):
    weight = torch.zeros(20, 30)
    path = tmp_path / "a.pt"
    torch.save({"in": weight, "out": weight, "more": [{"b": torch.ones(3)}]}, path)
    assert [row.name for row in tk.size.ledger(path).rows] == ["in", "more.0.b"]
    torch.save(weight, path)
    assert [row.name for row in tk.size.ledger(path).rows] == ["tensor"]


class Hostile:
    """What runs a command when it is unpickled by a reader that trusts it."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("suffix", [*tensor_files.STATE_DICTS, ".pkl", ".pickle", ".joblib", ".pt2"])
@pytest.mark.parametrize("way", ["zip", "old", "pickle"])
def test_a_file_that_would_run_code_is_refused_and_runs_none(torch, tmp_path, suffix, way):
    path, mark = tmp_path / f"evil{suffix}", tmp_path / "ran"
    held = {"weight": torch.zeros(3), "more": Hostile(mark)}
    if way == "pickle":
        path.write_bytes(pickle.dumps(Hostile(mark)))
    else:
        torch.save(held, path, _use_new_zipfile_serialization=way == "zip")
    with pytest.raises(ValueError, match=rf"evil{suffix} is not opened.*run\s+code.*save the weights alone"):
        tk.size.ledger(path)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Hostile(mark)))  # it would have
    assert mark.exists()


def test_programs_are_refused(torch, tmp_path):
    net = torch.nn.Linear(3, 4)
    with tk.quiet():  # torch warns that this way of saving is an old one
        torch.jit.save(torch.jit.trace(net, torch.zeros(1, 3)), tmp_path / "script.pt")
    torch.save(net, tmp_path / "module.pt")
    torch.export.save(torch.export.export(net, (torch.zeros(1, 3),)), tmp_path / "program.pt2")
    os.rename(tmp_path / "program.pt2", tmp_path / "renamed.pt")
    for name in ("script.pt", "module.pt", "renamed.pt"):
        with pytest.raises(ValueError, match=f"{name} is not opened.*save the weights alone"):
            tk.size.ledger(tmp_path / name)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"text", b"\x80\x02.", b"\x80\x02}q\x00.", b"\x1f\x8b" + b"\0" * 50]
)
def test_a_broken_state_dict_is_a_sentence(torch, tmp_path, content):
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.pt is not opened|no parameters"):
        tk.size.ledger(tmp_path / "bad.pt")


def test_a_state_dict_cut_short_is_a_sentence(torch, tmp_path):
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(100, 100)}, buffer)
    whole = buffer.getvalue()
    for size in range(0, len(whole), len(whole) // 25):
        (tmp_path / "cut.pt").write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.pt"):
            tk.size.ledger(tmp_path / "cut.pt")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda torch: torch.zeros(1).expand(10**12), "fewer numbers than its shape"),
        (lambda torch: torch.eye(3).to_sparse(), "sparse"),
        (lambda torch: torch.zeros(3, dtype=torch.complex64), "which weights cannot be"),
        (lambda torch: 3, "no parameters"),
    ],
)
def test_odd_tensors_are_told(torch, tmp_path, make, words):
    torch.save({"odd\x1b": make(torch)}, tmp_path / "a.pt")
    with pytest.raises((TypeError, ValueError), match=words):
        tk.size.ledger(tmp_path / "a.pt")


def test_containers_that_hold_themselves_or_each_other_many_times_end(torch, tmp_path):
    inner = [torch.ones(3)]
    for _ in range(60):
        inner = [inner, inner]
    round_about = {"w": inner}
    round_about["self"] = round_about
    torch.save(round_about, tmp_path / "a.pt")
    assert len(tk.size.ledger(tmp_path / "a.pt").rows) == 1


def test_an_older_torch_is_not_asked(torch, tmp_path, monkeypatch):
    torch.save({"w": torch.ones(3)}, tmp_path / "a.pt")
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(ValueError, match="CVE-2025-32434"):
        tk.size.ledger(tmp_path / "a.pt")


def test_an_archive_that_unpacks_to_more_than_it_is_is_not_unpacked(torch, tmp_path):
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(3)}, buffer)
    with (
        zipfile.ZipFile(buffer) as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    with pytest.raises(ValueError, match="compressed archive"):
        tk.size.ledger(tmp_path / "bomb.pt")


@pytest.mark.parametrize("name", ["net.onnx", "model.safetensors.index.json", "weights", "a\x1b.gguf"])
def test_other_files_are_told_what_is_weighed(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(
        ValueError, match=r"is not weighed: it can be an \.mlpackage, an \.aimodel, a \.safetensors file"
    ) as told:
        tk.size.ledger(tmp_path / name)
    assert str(told.value).isprintable()


def test_a_file_of_a_package_is_no_state_dict(tmp_path):
    (tmp_path / "a.mlpackage" / "Data").mkdir(parents=True)
    (tmp_path / "a.mlpackage" / "Data" / "weight.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"lies inside a package: give .*a\.mlpackage itself"):
        tk.size.ledger(tmp_path / "a.mlpackage" / "Data" / "weight.bin")


def test_files_that_are_none(tmp_path):
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(ValueError, match="is no file"):
        tk.size.ledger(tmp_path / "folder.pt")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        tk.size.ledger(tmp_path / "none.safetensors")
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("a/b.txt", "text")
    with pytest.raises(ValueError, match="program"):
        tk.size.ledger(tmp_path / "zip.pt")
