"""The learner's copies: runnable, with every stub, and without a trace of a solution."""

import ast
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from book._tools import clean, execute, keeping, stored_outputs, workshop
from book._tools.project import DATA, chapters
from book._tools.stored_outputs import syntax_tree
from tests.nightly import cases, nightly

ROOT = Path(__file__).parents[1]

STUB = 'def double(x):\n    """Return twice x."""\n    raise NotImplementedError'
SOLUTION = 'def double(x):\n    """Return twice x."""\n    return x + x + 0  # the secret'


def cell(source, *tags, output=None, make=new_code_cell):
    made = make(source, metadata={"tags": list(tags)})
    if output:
        made.outputs, made.execution_count = [new_output("stream", text=output)], 7
    return made


@pytest.fixture
def chapter():
    notebook = new_notebook(
        cells=[
            cell("# Doubling\n\nA short chapter.", make=new_markdown_cell),
            cell("from toykit.exercises import check"),
            cell(STUB, "exercise"),
            cell("double(2)", output="4"),
            cell(SOLUTION, "solution", output="return x + x + 0  # the secret"),
            cell("Twice is **adding it to itself**.", "solution", make=new_markdown_cell),
            cell("print(double(3))", output="6"),
        ]
    )
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


@pytest.mark.parametrize(
    "leak",
    [
        new_markdown_cell("Remember: return x + x + 0  # the secret"),
        cell("pass", output="... return x + x + 0  # the secret ..."),
        new_code_cell("pass", metadata={"note": "return x + x + 0  # the secret"}),
    ],
)
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
    notebook = new_notebook(
        cells=[
            cell("def solve(scale):\n    step = scale\n    return step", "solution"),
            cell("def other(step):\n    return step + sum(scale for scale in [1])"),
            cell("import numpy as solve\nsolve"),
        ]
    )
    assert workshop.missing_stubs(notebook) == []


def test_make_writes_valid_notebooks_and_a_readme(chapter, tmp_path):
    source, out = tmp_path / "01_doubling.ipynb", tmp_path / "out"
    nbformat.write(chapter, source)
    assert workshop.make([source], out) == []
    names = [keeping.RECORD, "01_doubling.ipynb", "README.md", "data", "templates"]
    assert sorted(p.name for p in out.iterdir()) == names
    assert all((out / "data" / path.name).read_bytes() == path.read_bytes() for path in DATA.iterdir())
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


def program(cells):
    """What the cells run, without comments and form."""
    source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    return ast.dump(syntax_tree(source))


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_with_the_answers_a_copy_is_the_program_that_the_book_runs(path):
    # So `make test-notebooks`, which runs the book's notebook and compares what it prints, runs the copy too.
    # The book runs the untouched stub and its check besides; what the stub binds, the solution binds anew.
    notebook = nbformat.read(path, as_version=4)
    found = list(workshop.exercises(notebook))
    untouched = [cell for stub, check, _ in found for cell in (stub, check)]
    run = [cell for cell in notebook.cells if not any(cell is other for other in untouched)]
    assert program(workshop.answered(notebook).cells) == program(run)
    for stub, check, solution in found:
        assert workshop.defined(syntax_tree(stub.source)) <= workshop.defined(syntax_tree(solution.source))
        assert check.source.startswith("check.") and says_passed(solution)


def says_passed(cell):
    return any(": passed, " in text for output in cell.outputs for text in stored_outputs.texts(output))


def answer_and_run(name, folder):
    """Make the folder, write the reference answers into one notebook and run it, as a learner would."""
    workshop.make(chapters(), folder)
    notebook = nbformat.read(DATA.parent / name, as_version=4)
    nbformat.write(workshop.answered(notebook), folder / name)
    execute.execute(folder / name)
    done = nbformat.read(folder / name, as_version=4)
    for cell in done.cells:
        if cell.source.startswith("check."):
            assert says_passed(cell), cell.source


def test_a_chapter_that_reads_data_runs_in_the_folder_and_is_kept(tmp_path):
    answer_and_run("14_neural_engine.ipynb", tmp_path / "w")
    (tmp_path / "w" / "data" / "apple_published.csv").write_text("mine")
    assert workshop.make(chapters(), tmp_path / "w") == [
        "14_neural_engine.ipynb is kept, with your changes",
        "data/apple_published.csv is kept, with your changes",
    ]
    kept = [tmp_path / "w" / name for name in ("14_neural_engine.ipynb", "data/apple_published.csv")]
    assert sorted(keeping.remove(tmp_path / "w")) == kept


@nightly
@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_nightly_every_chapter_of_the_folder_runs_with_the_answers(tmp_path, path):
    answer_and_run(path.name, tmp_path / "w")


def texts(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != keeping.RECORD
    }


def put(folder, **files):
    return keeping.put(folder, {f"{name}.md": text.encode() for name, text in files.items()})


def test_what_nobody_changed_is_brought_up_to_date(tmp_path):
    assert put(tmp_path / "w", one="1", two="2") == []
    assert put(tmp_path / "w", one="1, better") == []
    assert texts(tmp_path / "w") == {"one.md": "1, better"}
    assert keeping.remove(tmp_path / "w") == [] and not (tmp_path / "w").exists()


def test_a_changed_file_is_kept_and_a_newer_version_comes_beside_it(tmp_path):
    folder = tmp_path / "w"
    put(folder, one="1")
    (folder / "one.md").write_text("mine")
    (folder / "notes.md").write_text("notes")
    assert put(folder, one="1") == ["one.md is kept, with your changes"]
    assert texts(folder) == {"notes.md": "notes", "one.md": "mine"}
    assert put(folder, one="2") == ["one.md is kept, with your changes; the new version is one.new.md"]
    assert put(folder, one="3") == ["one.md is kept, with your changes; the new version is one.new.md"]
    (folder / "one.new.md").write_text("mine, too")
    assert put(folder, one="3") == ["one.md and one.new.md are kept, with your changes"]
    assert put(folder, one="4") == [
        "one.md and one.new.md are kept, with your changes; the new version is one.new2.md"
    ]
    mine = {"notes.md": "notes", "one.md": "mine", "one.new.md": "mine, too"}
    assert texts(folder) == mine | {"one.new2.md": "4"}
    assert keeping.remove(folder) == [folder / name for name in mine] and texts(folder) == mine
    put(folder, two="2")
    assert texts(folder) == mine | {"two.md": "2"}


def test_a_folder_of_before_there_was_a_record_is_the_learners(tmp_path):
    (tmp_path / "one.md").write_text("mine?")
    (tmp_path / "two.md").write_text("2")
    assert put(tmp_path, one="1", two="2") == [
        "one.md is kept, with your changes; the new version is one.new.md"
    ]
    assert texts(tmp_path) == {"one.md": "mine?", "one.new.md": "1", "two.md": "2"}
    (tmp_path / keeping.RECORD).write_text("damaged")
    assert put(tmp_path, one="2", two="2")
    assert texts(tmp_path)["one.md"] == "mine?"


@settings(max_examples=cases(200))
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.dictionaries(st.sampled_from("ab"), st.sampled_from("123"))),
            st.tuples(
                st.just("edit"),
                st.sampled_from(["a.md", "b.md", "a.new.md", "c.md"]),
                st.sampled_from(["1", "mine", "other"]),
            ),
            st.tuples(st.just("delete"), st.sampled_from(["a.md", "b.md", "a.new.md"])),
            st.tuples(st.just("remove")),
        ),
        max_size=12,
    )
)
def test_fuzz_what_a_learner_wrote_is_never_lost(tmp_path_factory, steps):
    folder, theirs = tmp_path_factory.mktemp("w") / "workshop", {}
    for step in steps:
        if step[0] == "put":
            put(folder, **step[1])
            shown = texts(folder)
            assert all(
                any(text == shown[place] for place in shown if place.startswith(name))
                or name in {place[0] for place in theirs}
                for name, text in step[1].items()
            )
        elif step[0] == "edit" and folder.exists():
            (folder / step[1]).write_text(step[2])
            theirs[step[1]] = step[2]
        elif step[0] == "delete":
            (folder / step[1]).unlink(missing_ok=True)
            theirs.pop(step[1], None)
        elif step[0] == "remove":
            keeping.remove(folder)
        there = texts(folder)
        # What they wrote is there; where it is what the book wrote anyway, it counts as the book's.
        lost = {name: text for name, text in theirs.items() if there.get(name) != text}
        assert all(text in "123" for text in lost.values())
        theirs = {name: text for name, text in theirs.items() if name not in lost}


@pytest.mark.parametrize("call", range(12))
def test_a_workshop_that_is_stopped_loses_nothing(tmp_path, monkeypatch, call):
    folder, count = tmp_path / "w", [0]
    put(folder, one="1", two="2", three="3")
    (folder / "one.md").write_text("mine")
    real = {name: getattr(Path, name) for name in ("write_bytes", "unlink")} | {"replace": os.replace}

    def counted(name):
        def stop(*arguments, **options):
            count[0] += 1
            if count[0] > call:
                raise OSError(28, "No space left on device")
            return real[name](*arguments, **options)

        return stop

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", counted("write_bytes"))
        patch.setattr(Path, "unlink", counted("unlink"))
        patch.setattr(os, "replace", counted("replace"))
        with contextlib.suppress(OSError):
            put(folder, one="1b", two="2b")
    assert texts(folder)["one.md"] == "mine" and texts(folder)["two.md"] in ("2", "2b")
    put(folder, one="1b", two="2b")
    assert texts(folder) == {"one.md": "mine", "one.new.md": "1b", "two.md": "2b"}


def test_clean_keeps_what_is_the_learners_and_removes_the_rest(tmp_path):
    build, folder = tmp_path / "_build", tmp_path / "_build" / "workshop"
    put(folder, one="1", two="2")
    for name in (
        "html/index.html",
        "workshop/.ipynb_checkpoints/one-checkpoint.md",
        "workshop/mine/notes.md",
    ):
        (build / name).parent.mkdir(parents=True, exist_ok=True)
        (build / name).write_text("1" if "checkpoint" in name else "mine")
    (folder / "two.md").write_text("mine")
    for name in ("toykit/__pycache__", ".venv/lib/__pycache__", ".hypothesis", ".ruff_cache", "kept"):
        (tmp_path / name).mkdir(parents=True)
    kept = clean.clean(tmp_path, build, folder)
    assert kept == [folder / "mine" / "notes.md", folder / "two.md"]
    assert texts(build) == {"workshop/mine/notes.md": "mine", "workshop/two.md": "mine"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".venv", "_build", "kept", "toykit"]
    assert (tmp_path / ".venv/lib/__pycache__").is_dir() and not (tmp_path / "toykit/__pycache__").exists()
    shutil.rmtree(folder / "mine")
    (folder / "two.md").unlink()
    assert clean.clean(tmp_path, build, folder) == [] and not build.exists()


def test_a_workshop_folder_that_is_a_link_is_left_alone(tmp_path):
    build, elsewhere = tmp_path / "_build", tmp_path / "elsewhere"
    build.mkdir()
    put(elsewhere, one="1")
    (build / "workshop").symlink_to(elsewhere)
    assert clean.clean(tmp_path, build, build / "workshop") == [build / "workshop"]
    assert texts(elsewhere) == {"one.md": "1"}


def test_make_clean_needs_no_environment_and_says_what_it_kept(tmp_path):
    shutil.copytree(ROOT / "book", tmp_path / "book", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "_build" / "workshop").mkdir(parents=True)
    (tmp_path / "_build" / "workshop" / "notes.md").write_text("mine")
    python = f"PYTHON={sys.executable} -S"
    done = subprocess.run(
        ["make", "--no-print-directory", "clean", python], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Kept in _build/workshop, because you made or changed it:",
        "  notes.md",
        "Remove that folder yourself when you no longer need it.",
    ]
