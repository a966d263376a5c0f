"""Every exercise of the book in the page: solutions pass, stubs are not yet written, and wrong answers fail as here."""

import json
import re
from pathlib import Path

import pytest

from toykit.exercises import check

from ..test_exercises import WRONG

ROOT = Path(__file__).parents[2]
# What the page runs before a cell of an exercise: the names that every chapter with exercises begins with.
NAMES = "import numpy as np\nimport toykit as tk\nfrom toykit.exercises import check"


def stubs_and_solutions():
    """name of the exercise -> (its stub with the cell that checks it, its solution)"""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for stub, asked, solution in zip(cells, cells[1:], cells[2:]):
            if "exercise" in stub["metadata"].get("tags", ()):
                assert "solution" in solution["metadata"]["tags"], path.name
                texts = ["".join(cell["source"]) for cell in (stub, asked, solution)]
                name = re.search(r"check\.(\w+)\(", texts[1])[1]
                found[name] = ("\n\n".join(texts[:2]), texts[2])
    return found


EXERCISES = stubs_and_solutions()


def test_every_exercise_is_here():
    assert set(EXERCISES) == set(check.all())


@pytest.mark.parametrize("name", EXERCISES)
def test_the_stub_is_not_yet_written_and_the_solution_passes(page, name):
    stub, solution = EXERCISES[name]
    untouched = page.run(stub, namespace=name, before=[NAMES])
    assert untouched["error"] is None, untouched["error"]
    value = untouched["value"]
    assert value["exercise"] == name and value["passed"] is False
    assert "Nothing is written here yet" in value["text"]
    solved = page.run(solution, namespace=name, before=[NAMES])
    assert solved["error"] is None, solved["error"]
    assert solved["value"]["passed"] is True, solved["value"]["text"]
    assert solved["output"] == ""


def test_wrong_answers_fail_with_the_message_that_they_get_here(page):
    code = """
import json
from tests.exercises import {module}
answers = {module}.WRONG
json.dumps([[name, repr(check.all()[name](answer))] for name in answers for answer, _ in answers[name]])
"""
    files = sorted((ROOT / "tests" / "exercises").glob("*.py"))
    given = [{"path": f"tests/exercises/{path.name}", "text": path.read_text("utf-8")} for path in files]
    there = []
    for path in files:
        if path.stem.startswith("wrong_"):
            said = page.run(
                code.format(module=path.stem), namespace="wrong", before=[NAMES], files=given, timeout=60
            )
            assert said["error"] is None, said["error"]
            there += json.loads(said["value"]["json"])
    here = [
        [name, repr(check.all()[name](answer))] for name, answers in WRONG.items() for answer, _ in answers
    ]
    different = [(mine, other) for mine, other in zip(here, there, strict=True) if mine != other]
    assert not different, "\n\n".join(f"here: {mine[1]}\nthere: {other[1]}" for mine, other in different)
