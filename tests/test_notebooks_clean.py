"""What is stored in the notebooks is complete, and the same on every computer; and the check that says so works."""

import json

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book._tools import format_cells, stored_outputs
from book._tools.project import chapters
from toykit.plots.vector import NARROW

KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
DRAWN = {"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_a_chapter_is_complete_and_free_of_chance(path):
    assert stored_outputs.problems_in(path) == []


# Ruff holds the lines of code to the width of the page (notebooks/ruff.toml), and this what they print.
COLUMNS = 76
WIDER = {
    "print(pruner.report())": "a table of coremltools, shown as it is",
    "print(sweep.decide(rows": "says why a setting is refused: a sentence for each limit, in one line",
}


def wide_lines(cell):
    """The lines under a cell that the page cuts off; what is shown as HTML or as a figure is not text there."""
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        text = output.get("text") or (data["text/plain"] if data.keys() == {"text/plain"} else "")
        yield from (line for line in "".join(text).splitlines() if len(line) > COLUMNS)


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_what_cells_print_fits_the_column(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if not any(call in "".join(cell["source"]) for call in WIDER):
            assert list(wide_lines(cell)) == []


def test_no_cell_is_excused_without_need():
    cells = [cell for path in chapters() for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    wide = ["".join(cell["source"]) for cell in cells if list(wide_lines(cell))]
    assert all(any(call in source for source in wide) for call in WIDER)


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_answers_and_solutions_are_closed_in_jupyterlab(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert format_cells.folded(notebook) == notebook, "make format closes them"
    for _, source, tags, _ in stored_outputs.code_cells(notebook):
        if "solution" in tags or "widgets.predict(" in source:
            # Of a closed cell JupyterLab shows the first line.
            assert tags & format_cells.FOLDED and source.startswith(("# A solution", "# A prediction"))


def test_formatting_changes_code_and_nothing_else():
    # Ruff alone would write this number as 109.84757995605467, and the other without an exponent.
    numbers = {"heard": [109.84757995605469, 5e-05]}
    cell = new_code_cell(
        "%matplotlib inline\nx=[1,\n  2,];",
        metadata={"tags": ["measured"], "jupyter": {"source_hidden": True}},
        outputs=[new_output("display_data", data={"application/json": numbers})],
    )
    made = new_notebook(cells=[new_markdown_cell("x=1"), cell], metadata={**KERNEL, "widgets": numbers})
    before = json.loads(json.dumps(made))
    after = format_cells.formatted(before, "notebooks/any.ipynb")
    assert after["cells"][1].pop("source") == ["%matplotlib inline\n", "x = [1, 2];"]
    before["cells"][1].pop("source")
    before["cells"][1]["metadata"].pop("jupyter")  # a cell that the page shows is open
    assert after == before


def notebook(
    tmp_path, source, text=None, *, tags=(), data=None, count=1, name="stdout", metadata=None, extra=None
):
    """Write a notebook of one cell, and return its path."""
    outputs = [new_output("stream", name=name, text=text)] if text is not None else []
    if data is not None:
        outputs.append(new_output("display_data", data=data))
    cell = new_code_cell(
        source, execution_count=count, outputs=outputs, metadata={"tags": list(tags), **(metadata or {})}
    )
    made = new_notebook(cells=[cell], metadata={**KERNEL, **(extra or {})})
    path = tmp_path / "bad.ipynb"
    path.write_text(json.dumps(made))
    return path


@pytest.mark.parametrize(
    "source",
    [
        "1 + 1",
        "x",
        "print('a')",
        "x = 3\nx",
        "import matplotlib.pyplot as plt\nplt.show()",
        "for i in range(3):\n    print(i)",
        "with open(__file__) as f:\n    print(f.name)",
        "%matplotlib inline\nx",
        "display(x)",
        "tk.size.ledger(model)",
        "a.b[0]",
    ],
)
def test_a_cell_that_shows_something_must_have_an_output(tmp_path, source):
    assert stored_outputs.shows_something(source)
    assert any("no stored output" in fault for fault in stored_outputs.broken(notebook(tmp_path, source)))


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "x;",
        "def f():\n    print(1)",
        "import numpy as np",
        "...",
        "'a note'",
        "# only a comment",
        "tk.plots.use_style()",
        "rng.seed(0)",
        "class A:\n    def show(self):\n        print(1)",
        "if missing:\n    print('install it')",
        "print('x', file=log)",
        "f = lambda: print(1)",
        "assert x == 1",
    ],
)
def test_a_cell_that_shows_nothing_needs_no_output(tmp_path, source):
    assert not stored_outputs.shows_something(source)
    assert stored_outputs.broken(notebook(tmp_path, source)) == []


def test_a_stub_may_have_no_output(tmp_path):
    assert stored_outputs.broken(notebook(tmp_path, "mask", tags=["exercise"])) == []


def test_a_cell_that_was_never_run_is_found(tmp_path):
    # nbval compares such a cell with nothing, and passes.
    assert "has not been run" in stored_outputs.broken(notebook(tmp_path, "x = 1", count=None))[0]


def test_an_error_is_found_unless_it_is_the_lesson(tmp_path):
    error = new_output("error", ename="ValueError", evalue="sparsity must be between 0 and 1", traceback=[])
    for tags, faults in (((), 1), (("raises-exception",), 0)):
        path = notebook(tmp_path, "tk.prune(w, sparsity=50)", tags=tags)
        made = json.loads(path.read_text())
        made["cells"][0]["outputs"] = [error]
        path.write_text(json.dumps(made))
        assert len(stored_outputs.broken(path)) == faults


def test_a_missing_error_is_found(tmp_path):
    assert (
        "holds no error" in stored_outputs.broken(notebook(tmp_path, "x = 1", tags=["raises-exception"]))[0]
    )


CHANCE = {
    "wrote /home/ada/book/model.mlpackage": "an absolute path",
    "wrote /Users/ada/x": "an absolute path",
    "C:\\Users\\ada": "an absolute path",
    "/tmp/tmpa8f3/weight.bin": "an absolute path",
    "<Widget at 0x7f2a11c0>": "a memory address",
    "on adas-laptop.local": "a host name",
    "started 09:41:07": "a clock time",
    "error 0.12345678901234": "a number with more than nine decimals",
    "took 12.5 ms": "a duration",
    "took 3 s": "a duration",
    "1.2 seconds": "a duration",
    "100 loops, 4.31 µs each": "a duration",
    "Wall time: short": "a duration",
}


@pytest.mark.parametrize("text, what", CHANCE.items(), ids=CHANCE)
def test_what_differs_between_machines_is_found(tmp_path, text, what):
    finds = stored_outputs.chance(notebook(tmp_path, "print(text)", text))
    assert any(what in find for find in finds), finds
    html = stored_outputs.chance(
        notebook(tmp_path, "report", data={"text/html": f"<p style='x'>{text}</p>", "text/plain": "r"})
    )
    assert any(what in find for find in html) or "<" in text
    assert stored_outputs.chance(notebook(tmp_path, "print(text)", text, tags=["measured"])) == []


@pytest.mark.parametrize(
    "text",
    [
        "25,557,032 parameters, 51.1 MB",
        "0.1234567",
        "weights/layer1/conv",
        "int8/int4",
        "a ratio of 3:2",
        "16 steps",
        "3 sizes",
        "version 9.0",
        "shape (64, 3, 7, 7)",
        "<Predict 0a1b2c3d>",
        "4 minibatches",
        "https://example.org/home/x",
    ],
)
def test_ordinary_output_is_left_alone(tmp_path, text):
    assert stored_outputs.chance(notebook(tmp_path, "print(text)", text)) == []


def test_published_durations_may_be_compared(tmp_path):
    assert stored_outputs.chance(notebook(tmp_path, "print(text)", "1.38 ms", tags=["cited"])) == []
    assert stored_outputs.chance(notebook(tmp_path, "print(text)", "/home/ada/x", tags=["cited"]))


def test_a_warning_is_not_an_output(tmp_path):
    assert (
        "stored a warning"
        in stored_outputs.chance(notebook(tmp_path, "x = 1", "DeprecationWarning", name="stderr"))[0]
    )


def test_the_name_of_this_computer_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_outputs.platform, "node", lambda: "workshop7")
    assert (
        "name of this computer"
        in stored_outputs.chance(notebook(tmp_path, "print(1)", "run on workshop7"))[0]
    )


def test_a_figure_needs_a_text(tmp_path):
    source = "plt.show()"
    assert "alternative text" in stored_outputs.untidy(notebook(tmp_path, source, data=DRAWN))[0]
    described = {"mystnb": {"image": {"alt": "A curve that bends at 70 %"}}}
    assert stored_outputs.untidy(notebook(tmp_path, source, data=DRAWN, metadata=described)) == []


@pytest.mark.parametrize(
    "data, fault",
    [
        ({"image/png": "iVBORw0KGgo="}, "stores pixels"),
        ({"image/svg+xml": "<svg/>" + 100_000 * " "}, "a figure of 100,006 bytes; at most 100,000"),
        ({"image/svg+xml": "<svg/>", NARROW: "<svg/>" + 100_000 * " "}, "a figure of 100,006 bytes"),
    ],
)
def test_a_figure_is_a_drawing_of_a_moderate_size(tmp_path, data, fault):
    described = {"mystnb": {"image": {"alt": "A curve that bends at 70 %"}}}
    (found,) = stored_outputs.untidy(notebook(tmp_path, "plt.show()", data=data, metadata=described))
    assert fault in found


@pytest.mark.parametrize(
    "extra, fault",
    [
        ({"jupytext": {"formats": "ipynb,py"}}, "metadata holds jupytext"),
        ({"kernelspec": {"display_name": "Ada's env", "name": "ada"}}, "the kernel is"),
        ({"language_info": {"name": "python", "version": "3.11.7"}}, "version of one machine"),
    ],
)
def test_metadata_of_one_machine_is_found(tmp_path, extra, fault):
    assert fault in stored_outputs.untidy(notebook(tmp_path, "x = 1", extra=extra))[0]


def test_a_large_notebook_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_outputs, "LARGEST", 100)
    assert "the file takes" in stored_outputs.untidy(notebook(tmp_path, "x = 1"))[0]
