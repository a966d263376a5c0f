"""Which cells run in the page, and what runs before them: what is said of them holds, with NumPy alone."""

import functools
import json
import re
import subprocess
import sys

import pytest

from book._tools import code_editor, live_cells
from book._tools.project import NOTEBOOKS as FOLDER
from book._tools.project import ROOT, shown
from book._tools.vendor import Unfetched
from toykit.exercises import check

from .test_imports import HEAVY

NOTEBOOKS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in shown()}
# Runs programs in a Python that has NumPy and nothing else of what the book uses.
RUN = f"""
import contextlib, io, json, sys
sys.path.insert(0, {str(ROOT)!r})
sys.modules |= dict.fromkeys({HEAVY!r})  # no import finds them
for program in json.load(sys.stdin):
    printed, namespace, said = io.StringIO(), {{"__name__": "cell"}}, None
    try:
        for code in program["before"]:
            exec(code, namespace)
        with contextlib.redirect_stdout(printed):
            exec(program["code"], namespace)
    except Exception as error:
        said = type(error).__name__
    print(json.dumps([printed.getvalue(), said]))
"""


def run(programs):
    """What each of {"before": codes, "code": code} prints, and the type of its error, where there is NumPy alone."""
    result = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(programs),
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in result.stdout.splitlines()]


@functools.cache
def found():
    """(name of the page, cell) of all cells that can be run."""
    return [(path.stem, cell) for path in shown() for cell in live_cells.of_page(path)]


def program(cell, code=None):
    return {"before": [lines for _, lines in cell.before], "code": code or cell.text}


def source(page, index):
    return "".join(NOTEBOOKS[page]["cells"][index]["source"])


def stored(page, index):
    """The text that the notebook holds as what the cell has printed."""
    outputs = NOTEBOOKS[page]["cells"][index]["outputs"]
    return "".join("".join(output.get("text", ())) for output in outputs)


def test_every_exercise_of_the_book_runs_in_its_page():
    assert sorted(cell.name for _, cell in found() if cell.name) == sorted(check.all())


def test_every_solution_passes_with_what_runs_before_it():
    programs = []
    for page, cell in found():
        if cell.name:
            cells = NOTEBOOKS[page]["cells"]
            after = (
                i for i in range(cell.cell, len(cells)) if "solution" in cells[i]["metadata"].get("tags", ())
            )
            programs.append(
                program(cell, re.sub(r"^check\..*", r"print(\g<0>)", source(page, next(after)), flags=re.M))
            )
    assert programs
    for (printed, error), (_, cell) in zip(run(programs), [f for f in found() if f[1].name], strict=True):
        assert error is None and printed.startswith(f"{cell.name}: passed"), (cell.name, printed, error)


def test_every_cell_to_try_prints_what_is_stored():
    tries = [(page, cell) for page, cell in found() if not cell.name]
    assert len({page for page, _ in tries}) >= 7
    for (page, cell), answer in zip(tries, run([program(cell) for _, cell in tries]), strict=True):
        assert answer == [stored(page, cell.cell), None], (page, cell.cell)


def test_what_is_not_offered_needs_more_than_numpy():
    programs = []
    for page, notebook in NOTEBOOKS.items():
        if not live_cells.TRIED.match(page):
            continue
        offered, earlier = {cell.cell for cell in live_cells.runnable(notebook)}, []
        for index, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] != "code":
                continue
            code, tags = source(page, index), set(cell["metadata"].get("tags", ()))
            own = list(live_cells.statements(index, code))
            is_tried = not tags & live_cells.NOT_TRIED and not live_cells.CHECK.fullmatch(code)
            if index not in offered and is_tried and live_cells.is_text(cell):
                wanted = live_cells.before([statement.tree for statement in own], set())
                needed, missing = live_cells.needed(earlier, wanted)
                assert not missing, (page, index)
                programs.append({"before": [statement.code for statement in needed], "code": code})
            earlier += own
    assert programs
    # A file that is not found is a package that coremltools would have written. What ends well and prints nothing
    # defines a function that draws.
    missing = {"ModuleNotFoundError", "ImportError", "FileNotFoundError"}
    assert all(error in missing or [printed, error] == ["", None] for printed, error in run(programs))


@pytest.mark.parametrize(
    "earlier, cell, needed",
    [
        (["a = 1\nb = 2"], "print(a)", ["a = 1"]),
        (["a = 1", "a = 2"], "print(a)", ["a = 2"]),
        (["a = 1", "a += 1"], "print(a)", ["a = 1", "a += 1"]),
        (["a = [1]", "a[0] = 2"], "print(a)", ["a = [1]", "a[0] = 2"]),
        (["a = [1]", "a.append(2)"], "print(a)", ["a = [1]", "a.append(2)"]),
        (["a = 1\nb = 2", "if b:\n    a = 3"], "a", ["a = 1", "b = 2", "if b:\n    a = 3"]),
        (["a = []\nn = 3", "for i in range(n):\n    a.append(i)"], "a", None),
        (["rows = [{}]", "for row in rows:\n    row['a'] = 1"], "rows", None),
        (["i = 9"], "for i in range(3):\n    print(i)", []),
        (["i = 9", "a = [i for i in range(3)]"], "a", ["a = [i for i in range(3)]"]),
        (["x = 1"], "def f(x):\n    return x\n\n\nf(2)", []),
        (["x = 1", "def f():\n    return x"], "f()", ["x = 1", "def f():\n    return x"]),
        # A function looks its names up when it is called.
        (["def f():\n    return x", "x = 1"], "f()", ["def f():\n    return x", "x = 1"]),
        # Each draw changes the next.
        (["r = np.random.default_rng(0)", "a = r.normal()"], "r.normal()", None),
        (["w = np.random.default_rng(0).normal(size=3)", "plt.plot(w)"], "w", None),
        (["import numpy as np", "np.seterr(all='raise')"], "np", ["import numpy as np"]),
        (["with open('f') as f:\n    a = f.read()"], "a", ["with open('f') as f:\n    a = f.read()"]),
        (["@cache\ndef f():\n    return 1"], "f()", ["@cache\ndef f():\n    return 1"]),
        (["a, b = 1, 2"], "b", ["a, b = 1, 2"]),
        (["c = 1\nb = 1", "while b < 9:\n    b = b * c"], "b", None),
    ],
)
def test_what_a_cell_depends_on(earlier, cell, needed):
    before = [s for i, code in enumerate(earlier) for s in live_cells.statements(i, code)]
    own = [s.tree for s in live_cells.statements(9, cell)]
    chosen, _ = live_cells.needed(before, live_cells.before(own, set()))
    everything = [s.code for s in before]
    if "plt.plot(w)" in earlier:
        needed = everything[:1]
    assert [s.code for s in chosen] == (everything if needed is None else needed)


def test_a_name_that_nothing_gives_a_value_is_told():
    own = [s.tree for s in live_cells.statements(0, "print(len(a), b)")]
    assert live_cells.needed([], live_cells.before(own, set())) == ([], {"a", "b"})


@pytest.mark.parametrize(
    "code, alone",
    [
        ("import numpy as np", True),
        ("from toykit.kmeans import RunCosts", True),
        ("import torch", False),
        ("import matplotlib.pyplot as plt", False),
        ("from toykit import models", False),
        ("from toykit.data import tones", True),
        ("from toykit.data import digits1d", False),
        ("x = tk.data.digits1d.load()", False),
        ("from toykit.coreml.format import weightbin", False),
        ("with tk.quiet():\n    pass", False),
        ("tk.plots.matrix(w)", False),
        ("tk.prune(w, sparsity=0.5)", True),
        ("import subprocess", False),
    ],
)
def test_what_needs_numpy_alone(code, alone):
    ((statement),) = live_cells.statements(0, code)
    assert live_cells.needs_numpy_alone(statement.tree) is alone


def test_the_page_finds_its_cells_by_their_tags():
    (path,) = (path for path in shown() if path.stem == "02_pruning")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    before = len(notebook["cells"])
    live_cells.mark(notebook, path)
    tags = [tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", ())]
    for cell in live_cells.of_page(path):
        assert tags.count(f"live-{cell.cell}") == 1 and tags.count(f"live-check-{cell.cell}") == bool(
            cell.name
        )
    assert len(notebook["cells"]) == before + 1
    place = next(i for i, cell in enumerate(notebook["cells"]) if cell["id"] == "live-instead")
    assert "exercise" in notebook["cells"][place + 1]["metadata"]["tags"]


def test_without_the_editor_the_book_is_built_and_a_line_says_so(monkeypatch, tmp_path, capsys):
    def nobody(*args, **options):
        raise Unfetched("npm could not fetch it.\nIts log.")

    monkeypatch.setattr(code_editor, "BUILD", tmp_path)
    monkeypatch.setattr(code_editor, "pack_of_npm", nobody)
    monkeypatch.setattr(code_editor.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(code_editor.platform, "system", lambda: "Linux")
    assert code_editor.editor() is None
    assert "plain text fields" in capsys.readouterr().out
    monkeypatch.setattr(code_editor.platform, "machine", lambda: "pdp11")
    assert code_editor.editor() is None
    assert "Linux pdp11" in capsys.readouterr().out
    assert not list((tmp_path / "vendor").iterdir())
