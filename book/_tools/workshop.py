"""Make the learner's copies of the notebooks: `make workshop` writes `_build/workshop/`, with the data that they read.

A copy is the chapter without the cells tagged `solution` and without outputs: those of a solution
would give it away, those of a prediction its answer, and a learner runs the notebook anyway. The
copies come from the same files as the book, so they cannot fall behind it. What a learner changed stays:
a newer version comes to lie beside it.
"""

import ast
import builtins
import re
from pathlib import Path

import nbformat

from .keeping import put
from .project import DATA, ROOT, TEMPLATES, WORKSHOP, alone, chapters, fail, program, say
from .stored_outputs import syntax_tree

README = """\
# Workshop

The chapters of the book as notebooks for you to work in: the exercises are open, the solutions are
left out, and nothing has been run yet.

{start}
## Work

- Run the cells from the top: Shift + Enter.
- A prediction waits for your guess, or for an honest skip, and then shows the answer.
- An exercise is a function to fill in. The cell below it checks your function: it names the input
  that broke it, what came out and what was expected, and gives a hint. Change the function, run
  both cells again.
- Some cells after an exercise use your function, and fail until it is written. That is meant.
- Each solution is in the book itself, folded under its exercise.
- `data` holds the measurements that some chapters read, `templates` the notebook for a model of your own.
{kept}

## Chapters

{chapters}
"""

# How a copy is started, and what becomes of what is written in it: where `make workshop` put it, and in a kit.
IN_THE_BOOK = {
    "start": """\
## Start

In the folder of the book, which holds the Makefile:

    make setup
    .venv/bin/jupyter lab _build/workshop

`make setup` needs the network once. After that everything works without it.
""",
    "kept": """\
- What you write here stays. When the book changes, `make workshop` puts a newer version beside a file
  that you changed, with `.new` in its name; `make clean` removes only what you did not change.
""",
}
IN_THE_KIT = {
    "start": """\
## Start

The page `index.html` of the kit says how, for your system. It takes no network.
""",
    "kept": "- What you write here stays. To begin a chapter again, take it out of the kit's zip.\n",
}


def tags(cell):
    return set(cell.metadata.get("tags", ()))


def learners_copy(notebook):
    """Return a copy of `notebook` without solutions, outputs and widget states.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Left as it is.
    """
    copy = nbformat.from_dict(notebook)
    copy.cells = [nbformat.from_dict(cell) for cell in notebook.cells if "solution" not in tags(cell)]
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    copy.metadata = nbformat.from_dict({k: v for k, v in notebook.metadata.items() if k != "widgets"})
    return copy


def exercises(notebook):
    """Yield the cells of each exercise: the stub, the check below it, and the solution.

    Raises
    ------
    ValueError
        If one is missing, or the solution does not end with the very check: it would be another program.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, stub in enumerate(code):
        if "exercise" not in tags(stub):
            continue
        check, solution = [*code[number + 1 : number + 3], None, None][:2]
        if not solution or "solution" not in tags(solution) or not solution.source.endswith(check.source):
            raise ValueError(
                f"After an exercise come its check and a solution that ends with it: {stub.source[:60]!r}"
            )
        yield stub, check, solution


def answered(notebook):
    """Return the learner's copy of `notebook` with the reference answers in the place of the stubs."""
    copy = learners_copy(notebook)
    stubs = [cell for cell in copy.cells if "exercise" in tags(cell)]
    for stub, (_, check, solution) in zip(stubs, exercises(notebook), strict=True):
        stub.source = solution.source.removesuffix(check.source)
    return copy


def lines(cell):
    """Return the lines of a cell that say something: two words or more, or code of some length."""
    return {line.strip() for line in cell.source.splitlines() if len(line.strip()) >= 8}


def leaks(notebook, copy):
    """Return what of the solutions is still to be read in `copy`, as a sorted list of lines.

    A line that the chapter also shows outside of its solutions is no secret. Outputs count: a printed
    solution would be one.
    """
    solutions = [cell for cell in notebook.cells if "solution" in tags(cell)]
    public = set().union(*(lines(cell) for cell in notebook.cells if "solution" not in tags(cell)))
    secret = set().union(*map(lines, solutions)) - public
    text = set(strings(copy))
    return sorted(line for line in secret if any(line in part for part in text))


def strings(value):
    """Yield every string in a nested structure of dictionaries and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings(item)


def missing_stubs(notebook):
    """Return names that only solutions define and that other cells use, as "cell 9: name".

    Without its solutions such a notebook would stop with a NameError: the exercise needs a stub.
    """
    known, secret, problems = set(dir(builtins)), set(), []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        tree = syntax_tree(cell.source)
        if "solution" in tags(cell):
            secret |= defined(tree)
            continue
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        known |= defined(tree)
        problems += [f"cell {number}: {name}" for name in sorted((used & secret) - known - inside(tree))]
    return problems


def defined(tree):
    """Return the names that a cell binds at its top level, where later cells can see them."""
    names, nodes = set(), list(tree.body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            continue  # what is inside is its own
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        nodes += ast.iter_child_nodes(node)
    return names


def inside(tree):
    """Return the names that functions in a cell bind: arguments and local variables."""
    return {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)} | {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def title(notebook):
    """Return the first heading of a notebook, or "" if it has none."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (heading := re.search(r"^# +(.+)$", cell.source, re.MULTILINE)):
            return heading[1].strip()
    return ""


def make(paths, folder, place=IN_THE_BOOK):
    """Write the learner's copy of each notebook, the data that they read, and a README, to `folder`.

    Returns
    -------
    list of str
        A sentence for each file that was kept, because the learner changed it.

    Raises
    ------
    SystemExit
        If a copy would show a line of a solution, or would need one to run.
    """
    copies, problems = [], []
    for path in paths:
        notebook = nbformat.read(path, as_version=4)
        copy = learners_copy(notebook)
        nbformat.validate(copy)
        problems += [f"  {path.name} shows a line of a solution: {line}" for line in leaks(notebook, copy)]
        problems += [f"  {path.name} needs a solution, {where}" for where in missing_stubs(notebook)]
        copies.append((path.name, copy))
    if problems:
        fail("The workshop's copies cannot be made:\n" + "\n".join(problems))
    contents = "\n".join(f"- [{title(copy) or Path(name).stem}]({name})" for name, copy in copies)
    files = {name: nbformat.writes(copy) + "\n" for name, copy in copies}
    files["README.md"] = README.format(**place, chapters=contents)
    files_of = (path for near in (DATA, TEMPLATES) for path in sorted(near.iterdir()) if path.is_file())
    beside = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files_of}
    return put(folder, {**{name: text.encode() for name, text in files.items()}, **beside})


@program
def main():
    paths = chapters()
    with alone():
        kept = make(paths, WORKSHOP)
    for sentence in kept:
        say(sentence)
    say(f"{len(paths)} notebooks without solutions: {WORKSHOP.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
