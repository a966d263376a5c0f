"""Chapter 12b: rows of notebooks/data/core_ai.json, measured again, and the names of its table, looked up."""

import inspect
import json

import numpy as np
import pytest

import toykit as tk
from toykit.exercises import check
from toykit.settings import THRESHOLD

from .coreai import needs_coreai

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools")

from book._tools import data_core_ai as data
from book._tools.project import NOTEBOOKS

STORED = data.read()
pytestmark = needs_coreai


def names():
    """What the chapter's cell with the table defines, run as it stands."""
    cells = json.loads((NOTEBOOKS / "12b_core_ai.ipynb").read_text("utf-8"))["cells"]
    (source,) = (text for cell in cells if "NAMES = {" in (text := "".join(cell["source"])))
    found = {"tk": tk}
    exec("import importlib\n" + source.partition("\nnames = ")[0], found)
    return found


def test_every_name_of_the_table_is_in_the_installed_packages():
    chapter = names()
    listed = [name for row in chapter["NAMES"].values() for name in row if name]
    assert len(listed) > 20
    for name in listed:
        assert chapter["look_up"](name) is not None


def test_what_the_chapter_says_of_defaults_and_presets():
    from coreai_opt import coreai_utils

    for function in (
        coreai_utils.palettize_weights,
        coreai_utils.quantize_weights,
        coreai_utils.sparsify_weights,
    ):
        assert inspect.signature(function).parameters["weight_num_threshold"].default == 1024
    assert THRESHOLD == 2048
    assert inspect.signature(coreai_utils.palettize_weights).parameters["rounding_precision"].default == 4


def test_the_file_holds_every_form():
    assert [(row["technique"], row["options"]) for row in STORED["resnet50"]["forms"]] == data.FORMS
    assert [(row["class"], row["preset"]) for row in STORED["core_ml"]["forms"]] == [
        form[:2] for form in data.IN_TORCH
    ]


def test_a_row_of_resnet_50(one_thread):
    row = STORED["resnet50"]["forms"][2]
    _, again = data.bytes_and_arrays(row["technique"], row["options"])
    data.resnet.cache_clear()
    for name in ("package_bytes", "compressed", "equal"):
        assert row[name] == again[name], name
    # Apple's writer orders its lists anew each time, and a name may be longer tomorrow.
    assert again["asset_bytes"] == pytest.approx(row["asset_bytes"], rel=1e-3)


@pytest.mark.parametrize("number", [1, 4], ids=["codes", "zeros"])
def test_what_coreai_opt_writes_for_core_ml_is_the_same_with_this_numpy(number):
    kind, preset, technique, options = data.IN_TORCH[number]
    network, example = data.small_network()
    module = data.finalized(network, example, kind, preset)
    package = tk.coreml.convert(module, example, target="iOS18")
    weights = {tuple(p.shape): p.detach().numpy() for p in network.parameters() if p.ndim > 1}
    stored = [w for w in tk.coreml.weights(package).values() if not isinstance(w, np.ndarray)]
    found = [data.beside_toykit(w, weights[tuple(w.shape)], technique, options) for w in stored]
    assert sorted(map(str, found)) == sorted(map(str, STORED["core_ml"]["forms"][number]["weights"]))


def test_the_ruler_of_the_exercise_is_that_of_the_class():
    network, example = data.small_network()
    module = data.finalized(network, example, "Quantizer", "w4")
    package = tk.coreml.convert(module, example, target="iOS18")
    weights = {tuple(p.shape): p.detach().numpy() for p in network.parameters() if p.ndim > 1}
    for stored in tk.coreml.weights(package).values():
        if not isinstance(stored, np.ndarray):
            rows = weights[tuple(stored.shape)].reshape(len(stored.dense()), -1)
            ours = check.all_codes.reference(rows, 4)
            near = np.isclose(stored.dense().reshape(rows.shape), ours, rtol=2e-3, atol=1e-6)
            assert near.mean() > 0.999  # the largest of a row lies between two codes
