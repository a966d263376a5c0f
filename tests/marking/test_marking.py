"""Marking: answers are found in what learners hand in, and whatever their code does, the class gets its table."""

import csv
import json

import nbformat
import pytest

import toykit as tk
from book._tools import workshop
from book._tools.project import NOTEBOOKS, chapters
from tests.nightly import sampled
from toykit import _text, cli
from toykit.exercises import check
from toykit.marking import answers, examining

RIGHT = """\
def pruning_mask(weights, sparsity):
    threshold = np.quantile(np.abs(weights), sparsity) if sparsity else 0
    return np.abs(weights) > threshold
"""
WRONG = "def pruning_mask(weights, sparsity):\n    return weights > 0\n"
EMPTY = "def pruning_mask(weights, sparsity):\n    # your code here\n    ...\n"


def notebook(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


def page(**parts):
    """A file as a page of the book saves it."""
    return "\n".join(f"# %% 02_pruning/{name}\n{code}" for name, code in parts.items())


def result(*sources):
    (answer,) = answers.in_notebook(notebook(*sources))
    return examining.examine(answer)


def chapter(path):
    """A chapter as learners get it, and with the reference answers, each as the text of its file."""
    book = nbformat.read(path, as_version=4)
    return nbformat.writes(workshop.learners_copy(book)), nbformat.writes(workshop.answered(book))


@pytest.mark.parametrize(
    "name", sampled([path.stem for path in chapters()], {"02_pruning", "08b_a_transformer"})
)
def test_in_a_learners_copy_all_is_untouched_and_with_the_answers_all_passes(name):
    untouched, answered = map(answers.in_notebook, chapter(NOTEBOOKS / f"{name}.ipynb"))
    names = [stub.exercise for stub in untouched]
    assert names == [answer.exercise for answer in answered]
    text = (NOTEBOOKS / f"{name}.ipynb").read_text()
    assert names == [one for one in check.all() if f"check.{one}(" in text]
    assert {examining.examine(stub) for stub in untouched} <= {("untouched", "")}
    assert {examining.examine(answer) for answer in answered} <= {("passed", "")}


def test_what_an_answer_names_comes_with_it_and_nothing_else_runs():
    answer = (
        "from numpy import *\n%matplotlib inline\nimport not_there\nraise RuntimeError('trained for an hour')",
        "!ls\nSHARE = 1\nweights = undefined(3)",
        "def size(x):\n    return larger(x)",
        RIGHT.replace("np.quantile(np.abs(weights), sparsity)", "cut(weights, sparsity * SHARE)").replace(
            "np.abs", "size"
        ),
        "def larger(x):\n    return abs(x)\n\ndef cut(x, share):\n    return np.quantile(abs(x), share)",
        "not Python",
        "check.pruning_mask(pruning_mask)",
    )
    assert result(*answer) == ("passed", "")
    assert result(*answer, "def pruning_mask(weights, sparsity): ...")[0] == "passed"  # behind its check


@pytest.mark.parametrize(
    "sources, found",
    [
        ((EMPTY + "check.pruning_mask(pruning_mask)",), "untouched"),
        (("check.pruning_mask(pruning_mask)",), "There is no function of that name"),
        (("def pruning_mask(:", "check.pruning_mask(pruning_mask)"), "SyntaxError"),
        (("pruning_mask = 3", "check.pruning_mask(pruning_mask)"), "not a function"),
        (("pruning_mask = 1 / 0", "check.pruning_mask(pruning_mask)"), "ZeroDivisionError"),
        (("pruning_mask = exit()", "check.pruning_mask(pruning_mask)"), "stopped"),
        ((WRONG, "check.pruning_mask(pruning_mask)"), "True instead of False"),
        (
            ("def pruning_mask(w, s): return nothing", "check.pruning_mask(pruning_mask)"),
            "NameError: name 'nothing'",
        ),
    ],
)
def test_what_is_said_of_an_answer_that_does_not_pass(sources, found):
    assert found in " ".join(result(*sources))


def test_a_saved_file_is_read_by_name_or_else_the_last_function_is_taken():
    found = answers.in_file(
        page(sparse_bytes="def mine(): ...", pruning_mask=f"{RIGHT}\ndef other(): ...", not_ours="")
    )
    assert [(one.exercise, one.function) for one in found] == [
        ("pruning_mask", "pruning_mask"),
        ("sparse_bytes", "mine"),
    ]
    assert answers.in_file("print(1)") == answers.in_file("") == []


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cells": 3}', '{"cells": [{"cell_type": "code"}]}', "null"]
)
def test_what_is_no_notebook_is_called_so(text):
    with pytest.raises(ValueError, match="no notebook"):
        answers.in_notebook(text)


HOSTILE = {
    "endless": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "leaves": "import os\nos._exit(0)",
    "lies": (
        "import os\nfor end in range(3, 30):\n    try:\n"
        """        os.write(end, b'[]\\n"a"\\n{\\n{"exercise": [], "result": 3}\\n')\n"""
        "    except OSError: pass"
    ),
    "prints": 'print(\'{"exercise": "pruning_mask", "result": "passed", "problem": ""}\')',
    "looks": "import os\nassert 'TOYKIT_SECRET' not in os.environ and os.listdir('.') == []",
}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class") / "handed_in"
    for name in ("anna", "ben/.ipynb_checkpoints", "empty"):
        (folder / name).mkdir(parents=True)
    untouched, answered = chapter(NOTEBOOKS / "02_pruning.ipynb")
    (folder / "anna" / "02_pruning.ipynb").write_text(answered)
    (folder / "anna" / "toykit-answers.py").write_text(page(pruning_mask=WRONG))
    (folder / "ben" / "02_pruning.ipynb").write_text(untouched)
    (folder / "ben" / ".ipynb_checkpoints" / "02_pruning.ipynb").write_text(answered)
    (folder / "=carla.py").write_text(page(pruning_mask=WRONG))
    (folder / "list.txt").write_text("anna, ben")
    (folder / "torn.ipynb").write_text("{")
    for name, code in HOSTILE.items():
        (folder / f"{name}.py").write_text(
            page(pruning_mask=f"{code}\n{WRONG}", n_m_mask="def n_m_mask(w, n, m): ...")
        )
    return folder


@pytest.fixture(scope="module")
def marks(handed_in):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOYKIT_SECRET", "no business of an answer")
        return tk.marking.mark(handed_in, seconds=3)


def test_a_class_gets_its_table(marks):
    assert marks.exercises == ["pruning_mask", "sparse_bytes", "n_m_mask", "mask_fault"]
    lines = list(csv.DictReader(marks.as_csv().splitlines()))
    by_name = {line.pop("learner"): [*line.values()] for line in lines}
    assert list(by_name) == ["'=carla", "anna", "ben", *sorted(HOSTILE), "torn"]
    assert by_name["anna"] == 4 * ["passed"]  # the better of her two masks counts
    assert by_name["ben"] == 4 * ["untouched"]
    assert by_name["'=carla"] == ["failed", "", "", ""] and by_name["torn"] == 4 * [""]
    said = str(marks)
    assert all(len(line) <= 80 for line in said.splitlines())
    assert "not marked: torn.ipynb: it is no notebook" in said
    assert "not marked: list.txt: no notebook, and no file that a page has saved" in said
    assert "not marked: empty: no notebook" in said
    data = json.loads(marks.as_json())
    assert data["marks"][0] == {
        "learner": "=carla",
        "exercise": "pruning_mask",
        "result": "failed",
        "problem": data["marks"][0]["problem"],
        "file": "=carla.py",
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_code_fails_alone(marks, name):
    found = {one.exercise: one for one in marks.marks if one.learner == name}
    assert found["pruning_mask"].result == "failed" and found["n_m_mask"].result == "untouched"
    problem = found["pruning_mask"].problem
    assert problem == {
        "endless": "It took longer than 3 seconds, and was stopped.",
        "leaves": "It ended the process (0).",
    }.get(name, problem)
    assert "AssertionError" not in problem


def test_the_command(handed_in, tmp_path, capsys):
    small = tmp_path / "small"
    small.mkdir()
    (small / "anna.py").write_text(page(pruning_mask=RIGHT))
    assert cli.main(["mark", str(small)]) == 0
    assert capsys.readouterr().out.splitlines()[:4] == [
        "1 learner, 1 exercise",
        "",
        "learner  passed  failed  untouched  which failed",
        "anna          1       0          0",
    ]
    out = tmp_path / "class.csv"
    assert cli.main(["mark", str(small), "--csv", "--output", str(out)]) == 0
    assert out.read_text() == "learner,pruning_mask\nanna,passed\n"
    assert cli.main(["mark", str(small), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["learners"] == ["anna"]


def test_what_cannot_be_marked(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        tk.marking.mark(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no notebook"):
        tk.marking.mark(tmp_path)
    (tmp_path / "a.py").write_text("")
    for name, wrong in (("seconds", 0), ("seconds", float("nan")), ("memory", 1)):
        with pytest.raises(ValueError, match=name):
            tk.marking.mark(tmp_path, **{name: wrong})
    with pytest.raises(TypeError, match="progress"):
        tk.marking.mark(tmp_path, progress=3)


def test_a_table_for_a_spreadsheet_holds_no_formula():
    assert _text.as_csv(["a"], [["=1+1"], ["-1"], ["x,y"], ["\x1b"]]) == "a\n'=1+1\n'-1\n\"x,y\"\n\\x1b"
