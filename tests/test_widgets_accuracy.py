"""The accuracy explorer: what travels to the page, and what a reader without JavaScript gets."""

from pathlib import Path

import numpy as np
import pytest

import toykit as tk
from toykit import sweep
from toykit.widgets import accuracy

DATA = Path(__file__).resolve().parents[1] / "notebooks" / "data"


@pytest.fixture(scope="module")
def data():
    with np.load(DATA / "crepe_explorer.npz") as file:
        return dict(file)


@pytest.fixture
def explorer(data):
    return tk.widgets.accuracy_explorer(data, layer=2)


def test_content(explorer, data):
    sparsities, palettes, layers, scores = data["right"].shape
    assert len(explorer.content["pruned"]) == sparsities and explorer.content["pruned"][:2] == [
        "nothing",
        "30 %",
    ]
    assert len(explorer.content["palettes"]) == palettes and explorer.content["palettes"][-1] == "1 bit"
    assert explorer.layer == 2 and len(explorer.content["layers"]) == layers == 8
    assert scores == len(accuracy.SCORES)
    assert np.frombuffer(explorer.right, np.uint16).tolist() == data["right"].ravel().tolist()
    assert len(explorer.answers) == data["answers"].size
    # In base64, as a page holds it, a third more; and the code.
    assert explorer.state_bytes * 4 / 3 + len(explorer._esm) + len(explorer._css) < 400_000


def test_small_explorer_is_of_all_layers_together_and_weighs_little(data):
    small = tk.widgets.accuracy_explorer(data, small=True)
    assert small.right == data["right"][:, :, 0].astype(np.uint16).tobytes()
    assert small.nbytes == data["nbytes"][:, :, 0].tobytes()
    assert small.state_bytes < 3_000 and not small.answers and not small.content["tasks"]


def test_a_path_is_read(data):
    by_path = tk.widgets.accuracy_explorer(DATA / "crepe_explorer.npz")
    assert repr(by_path) == repr(tk.widgets.accuracy_explorer(data))


def test_fallback_has_every_setting(explorer, data):
    fallback = explorer.fallback()
    assert fallback.count("<tr>") == 1 + data["right"].shape[0] * data["right"].shape[1]
    assert f"<td>{data['nbytes'][2, 4, 0] / 1e6:.2f}</td>" in fallback
    assert "50 %, 3 bits" in fallback


def test_tasks_can_be_solved_and_have_something_to_find(data):
    asked = 150
    for task in accuracy.TASKS:
        share = data["right"][..., list(accuracy.SCORES).index(task["score"])] / asked
        layers = slice(1, None) if task["one"] else slice(0, 1)
        enough = share[:, :, layers] >= task["enough"]
        sizes = data["nbytes"][:, :, layers]
        assert enough.any() and not enough.all()
        assert enough[0, 0].all()  # float16 hears enough, and is not the smallest that does
        assert sizes[enough].min() < sizes[0, 0].min()
        assert np.sum(sizes[enough] == sizes[enough].min()) == 1


def test_a_slider_for_rows_of_a_sweep():
    whole = sweep.read(DATA / "crepe_whole.csv")
    rows = [whole[0], *whole.where(technique="quantize", granularity="per_channel")]
    words = ["float16", "8 bits", "4 bits", "3 bits", "2 bits"]
    widget = tk.widgets.accuracy_slider(rows, words, "Bits of a code", "quantization")
    shares = np.frombuffer(widget.right, np.uint16).reshape(-1, 4) / 2000
    np.testing.assert_allclose(shares, [[row[score] for score in accuracy.SCORES] for row in rows])
    assert np.frombuffer(widget.nbytes, np.uint32).tolist() == [row["nbytes"] for row in rows]
    assert '<th scope="row">3 bits</th><td>8.36</td><td>99.0</td>' in widget.fallback()
    with pytest.raises(ValueError, match="one for each of 5 rows; got 4"):
        tk.widgets.accuracy_slider(rows, words[1:], "Bits of a code", "quantization")
    with pytest.raises(ValueError, match="technique must be one of"):
        tk.widgets.accuracy_slider(rows, words, "Bits of a code", "pruned")


@pytest.fixture(scope="module")
def reader():
    return sweep.read(DATA / "networks_whole.csv").where(network="ocr_reader")


def test_another_network_is_shown_from_the_largest_file_to_the_smallest(data, explorer, reader):
    both = tk.widgets.accuracy_explorer(data, layer=2, others={"words": reader})
    (other,) = both.content["others"]
    found = other["settings"]
    assert other["name"] == "words" and len(found) == len(reader) and found[0]["label"] == "float16"
    assert [row["nbytes"] for row in found] == sorted(reader.column("nbytes"), reverse=True)
    known = {row["nbytes"]: row for row in reader}
    for row in found:
        near = [known[row["nbytes"]][name] for name in ("right_low", "right", "right_high")]
        np.testing.assert_allclose([row["low"], row["right"], row["high"]], near, atol=5e-5)
    assert {row["color"] for row in found} == {"float", "pruning", "quantization", "palettization"}
    assert "quantize 4-bit per-block block 32; 18 layers in float16" in [row["label"] for row in found]
    # CREPE's own are as they were; the page pays a few kilobytes.
    assert {**both.content, "others": []} == {**explorer.content, "others": []}
    assert both.right == explorer.right and both.state_bytes - explorer.state_bytes < 4_000
    assert "<td>4.21</td><td>92.0</td><td>90.7 to 93.1</td>" in both.fallback()
    assert both.fallback().startswith(explorer.fallback())


def test_rows_that_are_no_sweep_of_another_network_are_refused(data, reader):
    def explore(others):
        return tk.widgets.accuracy_explorer(data, others=others)

    with pytest.raises(TypeError, match="others must be a dict of rows by name"):
        explore(reader)
    with pytest.raises(ValueError, match="one lacks right_low, right_high"):
        explore({"words": [{"label": "float16", "nbytes": 9, "right": 1.0}]})
    with pytest.raises(ValueError, match="the technique in label must be one of"):
        explore({"words": [reader[0] | {"label": "squeezed"}]})
    with pytest.raises(ValueError, match="right must be between 0 and 1"):
        explore({"words": [reader[0] | {"right": 90}]})


def test_repr_is_stable(explorer):
    before = repr(explorer)
    assert before == f"<AccuracyExplorer {explorer.digest}>"
    explorer.layer = 3
    assert repr(explorer) != before


def test_what_is_no_data_of_the_explorer_is_refused(data):
    with pytest.raises(ValueError, match="it has no right, about"):
        tk.widgets.accuracy_explorer({name: data[name] for name in data if name not in ("right", "about")})
    with pytest.raises(ValueError, match="layer must be a whole number from 0 to 7"):
        tk.widgets.accuracy_explorer(data, layer=8)
    with pytest.raises(TypeError, match="small must be True or False"):
        tk.widgets.accuracy_explorer(data, small="yes")


def test_scores_are_those_of_an_exam():
    """The explorer names its scores as the sweep's file does."""
    assert set(accuracy.SCORES) <= set(sweep.read(DATA / "crepe_whole.csv").columns)
