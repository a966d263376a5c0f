"""The scripts that a teacher types along, one for each part of the book: book/live_coding/part_N_NAME.py.

A script is Python. A line "# %% Words" begins a step: what to say before typing. What the class sees is written as an
assertion, `assert EXPRESSION == VALUE`: the teacher types the expression, and the value is what appears. So a script
that runs is one whose every word to the class is true.
"""

import ast
import functools
import re
import runpy
from dataclasses import dataclass
from pathlib import Path

from .project import ROOT

FOLDER = ROOT / "book" / "live_coding"
STEP = re.compile(r"^# %% (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One step of a script.

    Attributes
    ----------
    words : str
        What to say before it is typed.
    lines : list of (str, str)
        What is typed, and what the class then sees, which may be nothing.
    """

    words: str
    lines: list

    @property
    def code(self):
        """What is typed, with what is seen as a comment below it."""
        return "\n".join(f"{typed}\n# {seen}" if seen else typed for typed, seen in self.lines)


@dataclass(frozen=True)
class Script:
    """A script to type along: its file, what its docstring says, and its steps."""

    path: Path
    title: str
    about: str
    steps: list


@functools.cache
def scripts():
    """Each `Script` by the number of its part."""
    return {int(path.stem.split("_")[1]): read(path) for path in sorted(FOLDER.glob("part_*.py"))}


def read(path):
    """Read a script.

    Raises
    ------
    ValueError
        If an assertion is not of the form EXPRESSION == VALUE, or no step has one.
    """
    opening, *rest = STEP.split(path.read_text(encoding="utf-8"))
    title, about = ast.get_docstring(ast.parse(opening)).split("\n\n", 1)
    steps = [Step(words, list(_lines(code))) for words, code in zip(rest[::2], rest[1::2], strict=True)]
    for step in steps:
        if not any(seen for _, seen in step.lines):
            raise ValueError(f"{path.name}: after {step.words!r} the class sees nothing")
    return Script(path, title, " ".join(about.split()), steps)


def _lines(code):
    """Pairs of what is typed and what is seen."""
    before = 0
    lines = code.splitlines()
    for node in ast.parse(code).body:
        if not isinstance(node, ast.Assert):
            continue
        yield from _typed(lines[before : node.lineno - 1])
        before = node.end_lineno
        match node.test:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
                yield ast.get_source_segment(code, left), ast.unparse(right)
            case _:
                raise ValueError(
                    f"assert EXPRESSION == VALUE is what the class can see; got {ast.unparse(node)}"
                )
    yield from _typed(lines[before:])


def _typed(lines):
    if text := "\n".join(lines).strip():
        yield text, ""


def run(path):
    """Run a script as `python` does.

    Raises
    ------
    AssertionError
        If the class would see something else.
    """
    runpy.run_path(str(path), run_name="__main__")
