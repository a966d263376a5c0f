"""The ledger of an asset: with Apple's packages weight by weight, without them blob by blob."""

import json

import pytest

import toykit as tk
from tests.coreai import bytecode, needs_coreai
from toykit.cli.__main__ import main
from toykit.size import assets


def by_hand(folder, blobs):
    """An asset that no converter made."""
    path = folder / "hand.aimodel"
    path.mkdir()
    (path / "main.mlirb").write_bytes(bytecode.file(blobs))
    (path / "main.hash").write_bytes(bytes(32))
    (path / "metadata.json").write_text("{}")
    return path


@pytest.fixture
def without_coreai(monkeypatch):
    monkeypatch.setattr(assets, "find_spec", lambda name: None)


def test_without_apples_packages_rows_are_blobs(tmp_path, without_coreai):
    path = by_hand(tmp_path, {"resource_1": bytes(5000), "resource_2": bytes(300)})
    ledger = tk.size.ledger(path)
    assert [(row.name, row.nbytes, row.dtype) for row in ledger.rows] == [
        ("resource_1", 5000, "bytes"),
        ("resource_2", 300, "bytes"),
    ]
    assert ledger.nbytes == sum(file.stat().st_size for file in path.iterdir())
    assert ledger.parameters == 0 and "pip install 'toykit[coreai]'" in ledger.notes[0]
    with pytest.raises(ValueError, match="hand.aimodel.*blobs of main.mlirb"):
        ledger.after("quantize", bits=8)


def test_the_report_of_blobs_says_what_is_missing_once(tmp_path, without_coreai, capsys):
    path = by_hand(tmp_path, {"resource_1": bytes(5000)})
    assert main(["size", str(path)]) == 0
    said = capsys.readouterr().out
    assert said.count("neither names nor types") == 1 and "parameters" not in said and "smaller" not in said
    assert main(["size", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["predictions"] == [] and len(data["notes"]) == 1
    assert "neither names nor types" in tk.size.report(tk.size.ledger(path)).as_html()


def test_what_is_no_asset_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no asset"):
        tk.size.ledger(tmp_path / "missing.aimodel")
    (tmp_path / "empty.aimodel").mkdir()
    with pytest.raises(tk.coreml.PackageError, match="has no main.mlirb"):
        tk.size.ledger(tmp_path / "empty.aimodel")
    with pytest.raises(ValueError, match="dtype is for modules"):
        tk.size.ledger(tmp_path / "empty.aimodel", dtype="float16")


@pytest.fixture(scope="module")
def network():
    return pytest.importorskip("tests.coreai.networks").everything()


@pytest.fixture(scope="module")
def path(network, tmp_path_factory):
    from tests.coreai import networks

    program = tk.coreai.convert(network, networks.example())
    return tk.coreai.save(program, tmp_path_factory.mktemp("assets") / "net.aimodel")


@needs_coreai
def test_rows_are_the_weights_and_the_sum_is_the_folder(network, path):
    ledger = tk.size.ledger(path)
    assert ledger.nbytes == sum(file.stat().st_size for file in path.iterdir())
    assert [row.name for row in ledger.rows] == list(tk.coreai.weights(path))
    rows = {row.name: row for row in ledger.rows}
    first = rows["first.weight"]
    assert (first.op, first.shape, first.dtype) == ("batch_matmul", (64, 2304), "float16")
    assert (first.parameters, first.nbytes) == (64 * 2304, 2 * 64 * 2304)
    assert rows["conv.weight"].op == "conv2d" and rows["words.weight"].op == "gather_nd"
    assert 0 < ledger.rest["main.mlirb: operations, names, alignment"] < 10_000
    for source in (tk.coreai.Asset(path), tk.coreai.Asset(path).program()):
        assert [row.nbytes for row in tk.size.ledger(source).rows] == [row.nbytes for row in ledger.rows]
