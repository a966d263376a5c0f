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
    monkeypatch.setattr(assets, "_can_read_programs", lambda: False)


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


@needs_coreai
def test_the_report_of_an_asset(path, tmp_path, capsys):
    assert main(["size", str(path), "--layers"]) == 0
    said = capsys.readouterr().out
    assert "first.weight" in said and "4-bit palette, " in said and "operations, names, alignment" in said
    assert "? MB  three quarters pruned, the rest 8-bit linear: granularity must be 'per_tensor'" in said
    assert "predictions are close, not exact" in said
    assert main(["size", str(path), "--csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(int(line.split(",")[-2]) for line in lines[1:] if line) == tk.coreai.Asset(path).nbytes
    assert main(["size", str(path), "--html", "--output", str(tmp_path / "size.html")]) == 0
    assert "first.weight" in (tmp_path / "size.html").read_text()
    assert main(["size", str(path), "--html", "--output", str(path / "size.html")]) == 2


CASES = {
    "int8": ("quantize", {"bits": 8}),
    "zero points": ("quantize", {"bits": 8, "mode": "affine"}),
    "one scale": ("quantize", {"bits": 8, "granularity": "per_tensor"}),
    "int4 blocks": ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 32}),
    "int2": ("quantize", {"format": "int2", "granularity": "per_block", "block_size": 32}),
    "fp8": ("quantize", {"format": "fp8_e4m3"}),
    "fp4": ("quantize", {"format": "fp4_e2m1", "granularity": "per_block"}),
    "pruned": ("prune", {"sparsity": 0.75}),
    "n:m": ("prune", {"n_m": (2, 4), "dim": 1}),
    "palette": ("palettize", {"bits": 4}),
    "tables": ("palettize", {"bits": 2, "group_size": 16}),
    "scaled palette": ("palettize", {"bits": 4, "per_channel_scale": "across"}),
    "pruned int8": (
        "joint",
        {"prune": {"sparsity": 0.75}, "quantize": {"bits": 8, "granularity": "per_tensor"}},
    ),
    "pruned palette": ("joint", {"prune": {"sparsity": 0.75}, "palettize": {"bits": 4}}),
    "quantized table": ("joint", {"palettize": {"bits": 4}, "quantize": {"bits": 8}}),
}
# Bytes for each compressed weight that a prediction may miss: those of its operators. Seen: 171 at most, of pruned
# weights that are quantized. In this network of 172,000 weights that is up to 2 %; of ResNet-50 in int8 0.02 %.
MISSED = 200


@needs_coreai
@pytest.mark.parametrize("case", CASES)
def test_predictions_miss_the_operators_alone(path, case, tmp_path):
    technique, options = CASES[case]
    small = tk.coreai.save(tk.coreai.compress(path, technique, **options), tmp_path / "small.aimodel")
    made, predicted = tk.size.ledger(small), tk.size.ledger(path).after(technique, **options)
    compressed = [row for row in made.rows if row.form]
    assert len(compressed) >= 5 and not predicted.exact
    assert 0 <= made.nbytes - predicted.nbytes <= MISSED * len(compressed)
    assert [(row.name, row.form, row.dtype) for row in made.rows] == [
        (row.name, row.form, row.dtype) for row in predicted.rows
    ]


@needs_coreai
def test_what_core_ai_does_not_offer_is_not_predicted(path):
    with pytest.raises(ValueError, match="bits must be 1, 2, 4, 6 or 8"):
        tk.size.ledger(path).after("palettize", bits=3)
