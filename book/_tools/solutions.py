"""The solutions of the exercises with plausible wrong paths, read where they are kept.

A solution is in its notebook, tagged so. A wrong path is an entry of WRONG in tests/exercises/wrong_*.py, the very
answer that the tests hand to the checker; what the checker says of it is asked anew.
"""

import ast
import functools
import re
from dataclasses import dataclass
from importlib import import_module
from textwrap import dedent

import nbformat

from . import course, workshop
from .project import NOTEBOOKS, ROOT

FOLDER = ROOT / "tests" / "exercises"


@dataclass(frozen=True)
class WrongPath:
    """A plausible wrong answer to an exercise.

    Attributes
    ----------
    code : str
    report : toykit.exercises.Report
        What a learner reads who hands it in.
    """

    code: str
    report: object


@dataclass(frozen=True)
class Solution:
    """An exercise with a solution and wrong paths.

    Attributes
    ----------
    exercise : toykit.exercises.Exercise
    heading : str
        Under which it stands in its chapter.
    code : str
    wrong : list of WrongPath
    helpers : str
        Code that wrong paths lean on.
    """

    exercise: object
    heading: str
    code: str
    wrong: list
    helpers: str


def of_chapter(page):
    """Each `Solution` of a chapter, in its order."""
    from toykit.exercises import check

    notebook = nbformat.read(NOTEBOOKS / f"{page}.ipynb", as_version=4)
    places = course.places_of_exercises(page)
    for _, checked, solution in workshop.exercises(notebook):
        name = course.checked_in(checked.source)[0]
        # The first line, a comment, speaks to a learner who opens the fold.
        code = re.sub(r"\A#.*\n", "", solution.source.removesuffix(checked.source).strip())
        wrong, helpers = wrong_paths(name)
        yield Solution(check.all()[name], places[name], code, wrong, helpers)


def wrong_paths(name):
    """The wrong paths of an exercise, and the code that they lean on.

    Raises
    ------
    KeyError
        If the tests hold no wrong answer to it.
    """
    from toykit.exercises import check

    answers, source = _answers()[name]
    expressions = source.entries[name]
    reports = [check.all()[name](answer) for answer, _ in answers]
    codes = [source.code(one) for one in expressions]
    wrong = [WrongPath(code, report) for code, report in zip(codes, reports, strict=True)]
    return wrong, source.helpers(expressions)


@functools.cache
def _answers():
    """By the name of each exercise its wrong answers and the `_Source` of their file."""
    found = {}
    for path in sorted(FOLDER.glob("wrong_*.py")):
        source = _Source(path.read_text(encoding="utf-8"))
        table = import_module(f"tests.exercises.{path.stem}").WRONG
        found |= {name: (answers, source) for name, answers in table.items()}
    return found


class _Source:
    """A file of wrong answers, as text.

    Attributes
    ----------
    entries : dict of str to list of ast.expr
        By exercise, the expression of each answer.
    """

    def __init__(self, text):
        self._text = text
        tree = ast.parse(text)
        self._defined = {name: node for node in tree.body for name in _names(node)}
        table = self._defined.pop("WRONG").value
        self.entries = {
            key.value: [pair.elts[0] for pair in answers.elts]
            for key, answers in zip(table.keys, table.values, strict=True)
        }

    def code(self, answer):
        """An answer as a learner would see it: its expression, or the function that it names."""
        return self._segment(self._defined.get(getattr(answer, "id", None), answer))

    def helpers(self, answers):
        """The definitions that answers lean on, in the order of the file."""
        shown = {one.id for one in answers if isinstance(one, ast.Name)}
        used, waiting = set(), [*answers]
        while waiting:
            named = {node.id for node in ast.walk(waiting.pop()) if isinstance(node, ast.Name)}
            new = (named & self._defined.keys()) - used
            used |= new
            waiting += [self._defined[name] for name in new]
        code = (self._segment(node) for name, node in self._defined.items() if name in used - shown)
        return "\n\n".join(dict.fromkeys(code))

    def _segment(self, node):
        text = ast.get_source_segment(self._text, node)
        first, _, rest = text.partition("\n")
        return f"{first}\n{dedent(rest)}" if isinstance(node, ast.expr) and rest else text


def _names(node):
    """The names that a statement defines, imports aside."""
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
