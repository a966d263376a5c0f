"""The answers in what a learner hands in: a notebook, or the file toykit-answers.py that a page of the book saves.

Of a notebook nothing runs that an answer does not need: the networks of a chapter are not trained again. With the
cell that defines an answer come those imports, functions, classes and plain constants of other cells that it names.
"""

import ast
import json
import re
from dataclasses import dataclass

from ..exercises import check

_CHECK = re.compile(r"^check\.(\w+)\((\w+)\)", re.MULTILINE)
_PART = re.compile(r"^# %% \S+/(\w+)[ \t]*$", re.MULTILINE)
_FOR_IPYTHON = re.compile(r"^[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What somebody wrote for an exercise.

    Attributes
    ----------
    exercise : str
    function : str
        The name of what is checked; "" if nothing was found that defines it.
    code : str
        What has to run before.
    """

    exercise: str
    function: str
    code: str


def in_notebook(text):
    """The answers that the cells of a notebook check, in the order of the book.

    Parameters
    ----------
    text : str
        What is in the file.

    Returns
    -------
    list of Answer

    Raises
    ------
    ValueError
        If it is no notebook.
    """
    try:
        cells = ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    except (KeyError, TypeError, ValueError):
        raise ValueError("it is no notebook") from None
    cells = [_FOR_IPYTHON.sub("", cell) for cell in cells]
    checked = {
        name: (function, place)
        for place, cell in enumerate(cells)
        for name, function in _CHECK.findall(cell)
        if name in check.all()
    }
    found = {name: _answer(name, function, cells[: place + 1]) for name, (function, place) in checked.items()}
    return [found[name] for name in check.all() if name in found]


def in_file(text):
    """The answers of a file toykit-answers.py, as `in_notebook`.

    The file does not say what is checked: it is the function with the exercise's name, or else the last.
    """
    parts = _PART.split(text)
    found = {}
    for name, code in zip(parts[1::2], parts[2::2], strict=True):
        if name in check.all():
            functions = re.findall(r"^def (\w+)", code, re.MULTILINE)
            found[name] = Answer(name, name if name in functions else "".join(functions[-1:]), code)
    return [found[name] for name in check.all() if name in found]


def _answer(name, function, cells):
    defines = re.compile(rf"^(?:def {function}\b|{function}\s*=)", re.MULTILINE)
    homes = [place for place, cell in enumerate(cells) if defines.search(cell)]
    if not homes:
        return Answer(name, "", "")
    home, own = homes[-1], _CHECK.sub("", cells[homes[-1]])
    parts = [
        (place, ast.unparse(tree), _binds(tree), _names(tree))
        for place, cell in enumerate(cells)
        if place != home
        for tree in _definitions(cell)
    ]
    wanted, before = _names(_parsed(own)), None
    while wanted != before:
        before = wanted
        wanted = wanted.union(*(names for _, _, binds, names in parts if binds & wanted))
    needed = [(place, code) for place, code, binds, _ in parts if binds & wanted]
    return Answer(
        name, function, "\n".join(code for _, code in sorted([*needed, (home, own)], key=lambda one: one[0]))
    )


def _parsed(cell):
    try:
        return ast.parse(cell)
    except (MemoryError, RecursionError, SyntaxError, ValueError):  # also of a NUL, or of a thousand brackets
        return ast.Module([], [])


def _definitions(cell):
    """The statements of a cell that give names a meaning, and compute nothing."""
    for tree in _parsed(cell).body:
        if isinstance(tree, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)) or (
            isinstance(tree, ast.Assign)
            and all(isinstance(node, ast.Name) for node in tree.targets)
            and _is_plain(tree.value)
        ):
            yield tree


def _is_plain(value):
    try:
        ast.literal_eval(value)
    except (MemoryError, RecursionError, TypeError, ValueError):
        return False
    return True


def _binds(tree):
    match tree:
        case ast.Import() | ast.ImportFrom():
            return {(alias.asname or alias.name).partition(".")[0] for alias in tree.names}
        case ast.Assign():
            return {node.id for node in tree.targets if isinstance(node, ast.Name)}
    return {tree.name}


def _names(tree):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
