"""The code of a prediction can be read, in JupyterLab or on the page, without meeting the answer."""

import ast
import base64
import json
import tomllib

import pytest

from book._tools.execute import WIDGET_VIEW
from book._tools.project import DATA, chapters
from book._tools.stored_outputs import code_cells, read, syntax_tree
from book._tools.stored_widgets import WIDGET_STATE

FILE = "data/predictions.toml"
TOLD = {"near", "low", "high", "wrong", "reveal"}


def calls_of(source, name):
    """The calls of `tk.widgets.<name>` in a cell."""
    nodes = (node for node in ast.walk(syntax_tree(source)) if isinstance(node, ast.Call))
    return [node for node in nodes if ast.unparse(node.func) == f"tk.widgets.{name}"]


def predictions(path):
    """Yield the source and the tags of each cell that asks, the call, and the state of its widget."""
    notebook = read(path)
    models = notebook["metadata"].get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for _, source, tags, cell in code_cells(notebook):
        views = [output.get("data", {}).get(WIDGET_VIEW) for output in cell["outputs"]]
        for call in calls_of(source, "predict"):
            (view,) = filter(None, views)
            yield source, tags, call, models[view["model_id"]]


def tells(call):
    """What a call of `predict` says of its answer: the answer, written down, or a text about it."""
    answers = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "answer")]
    written = [ast.unparse(answer) for answer in answers if isinstance(answer, ast.Constant)]
    return sorted({keyword.arg for keyword in call.keywords if keyword.arg} & TOLD) + written


def names(source, sealed, options):
    """Whether a cell names a number, or one of several options more often than the others."""
    if options:
        texts = [node.value for node in ast.walk(syntax_tree(source)) if isinstance(node, ast.Constant)]
        return len({texts.count(option) for option in options}) > 1
    number = sealed["text"].split()[0]
    # A shorter one is also the end or the step of a slider.
    return sum(map(str.isdigit, number)) > 2 and number in source


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_a_cell_asks_and_does_not_tell(path):
    for source, tags, call, model in predictions(path):
        (sealed,) = (buffer["data"] for buffer in model["buffers"] if buffer["path"] == ["sealed"])
        sealed, question = json.loads(base64.b64decode(sealed)), model["state"]["question"]
        assert "hide-input" in tags, f"computes an answer: tag it hide-input ({question})"
        assert not tells(call), f"keep it in {FILE} ({question})"
        assert not names(source, sealed, model["state"]["options"]), question


def test_each_text_belongs_to_one_prediction():
    cells = [source for path in chapters() for _, source, _, _ in code_cells(read(path))]
    asked = [call for source in cells for call in calls_of(source, "feedback")]
    assert {ast.literal_eval(call.args[0]) for call in asked} == {FILE}
    tables = tomllib.loads((DATA.parent / FILE).read_text(encoding="utf-8"))
    assert sorted(ast.literal_eval(call.args[1]) for call in asked) == sorted(tables)
    assert len(asked) == sum(len(calls_of(source, "predict")) for source in cells)


@pytest.mark.parametrize(
    "source",
    [
        "tk.widgets.predict('Which?', 'b', options=['a', 'b'])",
        "tk.widgets.predict('Which?', answer='b', options=['a', 'b'])",
        "tk.widgets.predict('How many?', 7, min=0, max=9)",
        "tk.widgets.predict('How many?', seven, min=0, max=9, reveal='Seven.')",
        "tk.widgets.predict('Which?', b, options=['a', 'b'], wrong={'a': 'No.'})",
    ],
)
def test_a_call_that_tells_is_found(source):
    assert tells(calls_of(source, "predict")[0])


@pytest.mark.parametrize(
    "source, answer, options",
    [
        ("x = 'b'\noptions = ['a', 'b']", "b", ["a", "b"]),
        ("wrong = ['a']\noptions = ['a', 'b']", "b", ["a", "b"]),
        ("size = 28.78", "28.78 MB", []),
    ],
)
def test_a_cell_that_names_its_answer_is_found(source, answer, options):
    assert names(source, {"text": answer}, options)
    assert not names("options = ['a', 'b']", {"text": answer}, options)
