"""The learner's copies: runnable, with every stub, and without a trace of a solution."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TOOLS = Path(__file__).parents[1] / "book" / "_tools"
sys.path.insert(0, str(TOOLS))
import workshop  # noqa: E402
from common import chapters  # noqa: E402

STUB = 'def double(x):\n    """Return twice x."""\n    raise NotImplementedError'
SOLUTION = 'def double(x):\n    """Return twice x."""\n    return x + x + 0  # the secret'


def cell(source, *tags, output=None, make=new_code_cell):
    made = make(source, metadata={"tags": list(tags)})
    if output:
        made.outputs, made.execution_count = [new_output("stream", text=output)], 7
    return made


@pytest.fixture
def chapter():
    notebook = new_notebook(cells=[
        cell("# Doubling\n\nA short chapter.", make=new_markdown_cell),
        cell("from toykit.exercises import check"),
        cell(STUB, "exercise"),
        cell("double(2)", output="4"),
        cell(SOLUTION, "solution", output="return x + x + 0  # the secret"),
        cell("Twice is **adding it to itself**.", "solution", make=new_markdown_cell),
        cell("print(double(3))", output="6"),
    ])
    notebook.metadata["widgets"] = {"state": {"answer": "return x + x + 0  # the secret"}}
    return notebook


def test_a_copy_has_the_stub_and_nothing_of_the_solution(chapter):
    before = nbformat.writes(chapter)
    copy = workshop.learners_copy(chapter)
    assert nbformat.writes(chapter) == before
    nbformat.validate(copy)
    assert [c.source for c in copy.cells] == [chapter.cells[i].source for i in (0, 1, 2, 3, 6)]
    text = nbformat.writes(copy)
    assert "secret" not in text and "adding it to itself" not in text and "widgets" not in copy.metadata
    assert all(not c.outputs and c.execution_count is None for c in copy.cells if c.cell_type == "code")
    assert workshop.leaks(chapter, copy) == []


@pytest.mark.parametrize("leak", [
    new_markdown_cell("Remember: return x + x + 0  # the secret"),
    cell("pass", output="... return x + x + 0  # the secret ..."),
    new_code_cell("pass", metadata={"note": "return x + x + 0  # the secret"}),
])
def test_a_leak_is_found_in_text_outputs_and_metadata(chapter, leak):
    copy = workshop.learners_copy(chapter)
    copy.cells.append(leak)
    assert workshop.leaks(chapter, copy) == ["return x + x + 0  # the secret"]


def test_a_solution_that_later_cells_need_must_have_a_stub(chapter, tmp_path):
    del chapter.cells[2:4]
    nbformat.write(chapter, tmp_path / "01_doubling.ipynb")
    assert workshop.missing_stubs(chapter) == ["cell 4: double"]
    with pytest.raises(SystemExit):
        workshop.make([tmp_path / "01_doubling.ipynb"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_inside_functions_are_no_missing_stubs():
    notebook = new_notebook(cells=[
        cell("def solve(scale):\n    step = scale\n    return step", "solution"),
        cell("def other(step):\n    return step + sum(scale for scale in [1])"),
        cell("import numpy as solve\nsolve"),
    ])
    assert workshop.missing_stubs(notebook) == []


def test_make_writes_valid_notebooks_and_a_readme(chapter, tmp_path):
    source, out = tmp_path / "01_doubling.ipynb", tmp_path / "out"
    nbformat.write(chapter, source)
    out.mkdir()
    (out / "left_over.txt").write_text("from an older run")
    workshop.make([source], out)
    assert sorted(p.name for p in out.iterdir()) == ["01_doubling.ipynb", "README.md"]
    nbformat.validate(nbformat.read(out / "01_doubling.ipynb", as_version=4))
    assert "- [Doubling](01_doubling.ipynb)" in (out / "README.md").read_text()


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_no_chapter_leaks_a_solution(path):
    notebook = nbformat.read(path, as_version=4)
    copy = workshop.learners_copy(notebook)
    nbformat.validate(copy)
    assert workshop.leaks(notebook, copy) == []
    assert workshop.missing_stubs(notebook) == []
    kept = [c.source for c in copy.cells if "exercise" in workshop.tags(c)]
    assert kept == [c.source for c in notebook.cells if "exercise" in workshop.tags(c)]
