"""The configurator: its code runs, and makes the very configurations of `tk.coreml.compress`."""

import csv
import json
from pathlib import Path

import pytest
import traitlets

import toykit as tk
from tests.nightly import NIGHTLY
from toykit import settings
from toykit.widgets import forms, wording

DATA = Path(__file__).resolve().parents[1] / "notebooks" / "data"


@pytest.fixture(scope="module")
def rows():
    with (DATA / "post_training.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def widget(rows):
    return tk.widgets.configurator(rows)


def all_steps(rows):
    for row in rows:
        if row["network"] == "CREPE" and row["technique"] != "none":
            options = json.loads(row["options"])
            yield row, list(options.items()) if row["technique"] == "joint" else [(row["technique"], options)]


def test_forms_have_what_the_table_has(widget, rows):
    assert len({form["name"] for form in widget.forms}) == len(widget.forms) >= 12
    assert {form["technique"] for form in widget.forms} == set(forms.TECHNIQUES.values())
    float16 = {row["network"]: int(row["package_bytes"]) for row in rows if row["technique"] == "none"}
    assert widget.before == float16
    for form in widget.forms:
        for network, size in form["sizes"].items():
            assert 0 < size < float16[network]
        assert 0 <= form["heard"]["CREPE"] <= 1 and "ResNet-50" not in form["heard"]


def test_names_of_all_forms_differ(rows):
    names = [wording.name_of(row["technique"], json.loads(row["options"])) for row, _ in all_steps(rows)]
    assert len(set(names)) == len(names)


def test_configurations_are_those_of_the_wrapper(rows):
    cto = pytest.importorskip("coremltools.optimize.coreml")
    from toykit.coreml.tools.configs import one

    for row, steps in all_steps(rows):
        for technique, options in steps:
            ((_, complete),) = settings.steps(technique, options)
            theirs = one(technique, complete)
            assert eval(wording.configuration(technique, options), {"cto": cto}) == theirs, row["options"]


@pytest.mark.parametrize(
    "technique, options",
    [
        ("prune", {"threshold": 0.1, "minimum_sparsity": 0.0, "weight_threshold": 100}),
        ("prune", {"sparsity": 0.5, "block_size": 4, "dim": 1}),
        ("quantize", {"bits": 4, "signed": False, "mode": "affine", "granularity": "per_tensor"}),
        ("palettize", {"bits": 2, "group_size": 4, "axis": 1, "mode": "uniform"}),
        ("palettize", {"mode": "unique"}),
        ("palettize", {"bits": 4, "per_channel_scale": False, "cluster_dim": 2}),
        ("quantize", {"granularity": "per_block", "block_size": (0, 4), "axis": 1}),
    ],
)
def test_other_options_are_translated_too(technique, options):
    cto = pytest.importorskip("coremltools.optimize.coreml")
    from toykit.coreml.tools.configs import one

    ((_, complete),) = settings.steps(technique, options)
    assert eval(wording.configuration(technique, options), {"cto": cto}) == one(technique, complete)


@pytest.mark.parametrize(
    "technique, options", [("quantize", {"bits": 3}), ("quantize", {"axis": 1}), ("palettize", {"axis": -1})]
)
def test_what_coremltools_has_no_word_for_is_refused(technique, options):
    with pytest.raises(ValueError, match="bits must be one of 4, 8|for coremltools|to coremltools"):
        wording.configuration(technique, options)


def test_nightly_or_in_part_the_code_of_forms_runs_from_its_system_on(widget, tmp_path, monkeypatch):
    pytest.importorskip("coremltools")
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    layers = torch.nn.Conv2d(16, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 128, 3)
    network = torch.nn.Sequential(*layers).eval()
    example = torch.zeros(1, 16, 8, 8)
    with tk.quiet(), torch.no_grad():
        traced = torch.jit.trace(network, example)
    for form in widget.forms if NIGHTLY else widget.forms[::4]:  # a quarter; all of them at night
        for target in ("iOS17", "iOS18"):
            widget.form, widget.target = form["name"], target
            names = {"traced": traced, "example": example}
            if target < form["since"]:
                with tk.quiet(), pytest.raises(ValueError):  # noqa: PT011 - coremltools' words
                    exec(widget.code(), names)
                continue
            with tk.quiet():
                exec(widget.code(), names)
            weights = tk.coreml.weights("Small.mlpackage")
            assert any(not hasattr(weight, "flags") for weight in weights.values()), form["name"]


def test_choices_outside_the_table_are_refused(widget):
    for trait in ("form", "target", "network"):
        with pytest.raises(traitlets.TraitError, match=f"{trait} must be one of"):
            setattr(widget, trait, "something")


def test_fallback_lists_every_form(widget):
    fallback = widget.fallback()
    for form in widget.forms:
        assert form["name"] in fallback.replace("&#x27;", "'")
    assert "cto.OpPalettizerConfig(nbits=4)" in fallback


def test_repr_is_stable(widget, rows):
    assert repr(widget) == repr(tk.widgets.configurator(rows)) == f"<Configurator {widget.digest}>"
    before = repr(widget)
    widget.target = "iOS26"
    assert repr(widget) != before


def test_rows_that_do_not_fit_together_are_refused(rows):
    with pytest.raises(ValueError, match="network 'ResNet-50' has no row in rows of technique 'none'"):
        tk.widgets.configurator([row for row in rows if row["network"] == "CREPE"])
    with pytest.raises(ValueError, match="no form was measured"):
        tk.widgets.configurator([row for row in rows if row["technique"] == "none"])
