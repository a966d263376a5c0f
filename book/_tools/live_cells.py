"""Find the cells that a reader can change and run in the page, and what has to run before each of them.

    runnable(notebook)     ->  a list of `Cell`

An exercise can, and so can another cell of the first seven chapters, of 8b and of 8c, if it, and every earlier line
that it depends on, needs NumPy and toykit alone, and it neither draws nor measures. What depends on what is names,
followed backwards statement by statement: of a cell that draws a matrix, the line that makes the matrix runs, and
the drawing does not. A function that alters its argument would not be noticed; the tests compare what comes out with
what is stored.

Not here: running anything. The pages do that, with book/_assets/live/live.js.
"""

import ast
import builtins
import functools
import json
import re
import symtable
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

# The chapters in which cells that are no exercises can be run.
TRIED = re.compile(r"0[1-7]|08[bc]")
# What of toykit needs more than NumPy.
NEEDS_MORE = {"coreml", "kernels", "models", "plots", "quiet", "training", "widgets"}
NEEDS_MORE |= {"data.digits1d", "data.sentences", "data.words"}
# What of the standard library a browser has not.
NOT_IN_A_PAGE = {"asyncio", "concurrent", "multiprocessing", "subprocess", "threading"}
MODULES = ({"numpy", "toykit"} | sys.stdlib_module_names) - NOT_IN_A_PAGE
NOT_TRIED = {"exercise", "solution", "measured", "nbval-ignore-output", "raises-exception"}
# What the page can show of a cell: text, and the card of a checker.
SHOWN = {"text/plain", "text/html"}
CHECK = re.compile(r"check\.(\w+)\(\w+\)")
# What every exercise may use, whatever its own text names.
COMMON = {"np", "tk", "check"}
# What a reader is told where Python does not run in the page.
INSTEAD = (
    "To write an answer and check it, open this chapter in JupyterLab: run `make lab` in the book's folder, put "
    "your code into the cell below, and run it and the cell after it. Here you can read the task, and open a solution."
)


@dataclass(frozen=True, eq=False)
class Statement:
    """A statement at the top level of a cell: where it stands, its lines, and what Python makes of them."""

    cell: int
    code: str
    tree: ast.stmt


@dataclass(frozen=True)
class Cell:
    """A cell that can be changed and run in the page.

    Attributes
    ----------
    cell : int
        Its index in the notebook.
    name : str
        Of the exercise, as in ``check.name``; "" for a cell that is none.
    text : str
    check : str
        The line that checks an exercise.
    before : list of (int, str)
        What has to run first: index of a cell, and the lines of it that are needed. What a solution defines stands
        there under the index of its exercise: a reader's own answer takes its place.
    """

    cell: int
    name: str
    text: str
    check: str
    before: list


def statements(cell, source):
    """The statements of a cell."""
    lines = source.splitlines()
    for tree in ast.parse(source).body:
        first = min([tree.lineno, *(line.lineno for line in getattr(tree, "decorator_list", ()))])
        yield Statement(cell, "\n".join(lines[first - 1 : tree.end_lineno]), tree)


@functools.cache
def scope(tree):
    """The symbol table of a statement or an expression."""
    return symtable.symtable(ast.unparse(tree), "cell", "exec")


def looked_up(scope):
    """The names that a scope, or one inside it, takes from the cell's own."""
    is_outermost = scope.get_type() == "module"
    own = {s.get_name() for s in scope.get_symbols() if s.is_referenced() and (is_outermost or s.is_global())}
    return own.union(*(looked_up(inner) for inner in scope.get_children()))


@functools.cache
def uses(tree):
    """The names whose values a statement or an expression needs."""
    return frozenset(looked_up(scope(tree)) | changes(tree))


@functools.cache
def binds(tree):
    """The names that a statement, or the target of a loop, gives a value."""
    if isinstance(tree, ast.expr):
        return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return frozenset(s.get_name() for s in scope(tree).get_symbols() if s.is_assigned() or s.is_imported())


@functools.cache
def changes(tree):
    """The names whose values a statement may alter in place: by an item, an attribute, `+=` or a method."""
    found = set()
    if isinstance(tree, (ast.FunctionDef, ast.ClassDef)):
        return found
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                found.add(owner(node))
            case ast.AugAssign(target=target):
                found.add(owner(target))
            case ast.Expr(value=ast.Call(func=ast.Attribute() as method)):
                found.add(owner(method))
            case ast.For() if any(binds(node.target) & changes(inner) for inner in node.body):
                found |= uses(node.iter)  # `for row in rows: row["name"] = 1` alters rows
    return found - {None}


def owner(node):
    """The name that `name.attribute[item].method` begins with, or None."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def before(body, wanted):
    """The names that need a value before the statements of `body`, if `wanted` need one after them."""
    for tree in reversed(body):
        match tree:
            case ast.If():
                wanted = uses(tree.test) | before(tree.body, wanted) | before(tree.orelse, wanted)
            case ast.For() | ast.While():
                head, target = (
                    (tree.iter, binds(tree.target)) if isinstance(tree, ast.For) else (tree.test, set())
                )
                again = wanted | before(tree.body, wanted)
                wanted = uses(head) | (before(tree.body, again) - target) | before(tree.orelse, wanted)
            case ast.With():
                given = set().union(*(binds(item.optional_vars) for item in tree.items if item.optional_vars))
                wanted = before(tree.body, wanted) - given
                wanted = wanted.union(*(uses(item.context_expr) for item in tree.items))
            case _:
                wanted = (wanted - binds(tree)) | uses(tree)
    return wanted


def makes_generator(tree):
    """Tell whether a statement is `name = np.random.default_rng(...)`."""
    match tree:
        case ast.Assign(value=ast.Call(func=ast.Attribute(attr="default_rng"))):
            return True
    return False


def needed(earlier, wanted):
    """Which of the statements that stand `earlier` have to run, so that `wanted` are what they are there.

    Returns
    -------
    tuple of (list of Statement, set of str)
        The statements in their order, and the names that none of them gives a value.
    """
    trees = [statement.tree for statement in earlier]
    modules = {
        name for tree in trees if isinstance(tree, (ast.Import, ast.ImportFrom)) for name in binds(tree)
    }
    # A function looks its names up when it is called, which may be after a later line has changed them.
    functions = {tree.name: uses(tree) for tree in trees if isinstance(tree, ast.FunctionDef)}
    # Every number that is drawn changes the next one.
    generators = {name for tree in trees if makes_generator(tree) for name in binds(tree)}

    def with_functions(names):
        names, new = set(), set(names)
        while new:
            names |= new
            new = set().union(*(functions.get(name, ()) for name in new)) - names
        return names

    wanted, chosen = with_functions(wanted), []
    for statement in reversed(earlier):
        changed = (changes(statement.tree) | (uses(statement.tree) & generators)) - modules
        if wanted & (binds(statement.tree) | changed):
            chosen.append(statement)
            wanted = with_functions(before([statement.tree], wanted))
    return chosen[::-1], wanted - set(dir(builtins))


def needs_numpy_alone(tree):
    """Tell whether a statement asks for nothing but NumPy, the standard library, and what of toykit needs no more."""
    names = []
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names += [alias.name for alias in node.names]
            case ast.ImportFrom():
                names += [f"{node.module}.{alias.name}" for alias in node.names]
            case ast.Attribute(value=ast.Name(id="tk")):
                names.append(f"toykit.{node.attr}")
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="tk"))):
                names.append(f"toykit.{node.value.attr}.{node.attr}")
    for name in names:
        root, *inner = name.split(".")
        if root not in MODULES or (
            root == "toykit" and {".".join(inner[:1]), ".".join(inner[:2])} & NEEDS_MORE
        ):
            return False
    return True


def is_text(cell):
    """Tell whether a cell has shown nothing but text."""
    return all(set(output.get("data", {})) <= SHOWN for output in cell.get("outputs", ()))


def runnable(notebook, with_tries=True):
    """The cells of a notebook that can be run in the page, in their order; exercises alone without `with_tries`."""
    code = [
        (i, "".join(cell["source"]), cell, set(cell["metadata"].get("tags", ())))
        for i, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code"
    ]
    earlier, found, solved = [], [], {}
    for place, (index, source, cell, tags) in enumerate(code):
        own = list(statements(index, source))
        trees, name, check = [statement.tree for statement in own], "", ""
        wanted = before(trees, set())
        if "exercise" in tags:
            check = code[place + 1][1].strip()
            name = CHECK.fullmatch(check)[1]
            solution, text = next((i, text) for i, text, _, tags in code[place:] if "solution" in tags)
            solved[solution] = index
            wanted = before(ast.parse(text).body, before(trees, COMMON)) | COMMON
        if "exercise" in tags or (
            with_tries and not tags & NOT_TRIED and is_text(cell) and not CHECK.fullmatch(source)
        ):
            first, missing = needed(earlier, wanted)
            if not missing and all(needs_numpy_alone(statement.tree) for statement in first + own):
                groups = groupby(first, lambda statement: solved.get(statement.cell, statement.cell))
                lines = [(at, "\n".join(statement.code for statement in group)) for at, group in groups]
                found.append(Cell(index, name, source, check, lines))
        earlier += own
    return found


def of_page(path):
    """The cells of the notebook at `path` that can be run in its page."""
    notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    return runnable(notebook, bool(TRIED.match(Path(path).name)))


def mark(notebook, path):
    """Tag the cells that the page's script is to find, and say above the first exercise where it is done without.

    The notebook is changed as it was read for its page; the file is not.
    """
    found = runnable(notebook, bool(TRIED.match(path.name)))
    cells = notebook["cells"]
    for cell in found:
        tag(cells[cell.cell], f"live-{cell.cell}")
        if cell.name:
            checks = (i for i in range(cell.cell + 1, len(cells)) if cells[i]["cell_type"] == "code")
            tag(cells[next(checks)], f"live-check-{cell.cell}")
    first = next((cell.cell for cell in found if cell.name), None)
    if first is not None:
        said = f"{{.live-instead}}\n{INSTEAD}"
        cells.insert(first, {"id": "live-instead", "cell_type": "markdown", "metadata": {}, "source": said})


def tag(cell, name):
    cell["metadata"]["tags"] = sorted({*cell["metadata"].get("tags", ()), name})


def add_to_page(app, page, template, context, doctree):
    """Put the cells of a notebook's page into it, as JSON for live/cells.js."""
    path = Path(app.env.doc2path(page)) if page in app.env.found_docs else None
    if path is None or path.suffix != ".ipynb":
        return
    found = [
        {"cell": cell.cell, "name": cell.name, "text": cell.text, "check": cell.check, "before": cell.before}
        for cell in of_page(path)
    ]
    if found:
        # "<" would end the script element early in "</script>".
        data = json.dumps({"page": path.stem, "cells": found}, ensure_ascii=False).replace("<", "\\u003c")
        context["body"] += f'<script type="application/json" id="live-cells">{data}</script>\n'
