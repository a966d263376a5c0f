"""Begin a chapter: `make chapter NAME=18_pipelines` writes a notebook that runs, its entries and its test.

The notebook opens as all do and computes one number; the entry in course.toml has the same sections and minutes;
the test holds the number of the text to the code. From there on, everything is to be replaced; slides, a drawing and
questions of the quiz are to be added. Nothing that is there is overwritten, and where one of the steps cannot be made,
none is.
"""

import argparse
import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from .project import ROOT, fail, program, say

NAME = re.compile(r"\d\d[a-z]?_[a-z][a-z0-9_]*")

OPENING = """\
# {title}

*For anyone who has read [chapter 2](02_pruning.ipynb). You will do what this sentence says, so that it can be
tested. About fifteen minutes to read; there are no exercises.*

A question that a reader has after the chapters before, and that a matrix of 5x5 can ask. Does it touch pruning,
quantization or palettization, and what would a reader guess?"""
FIRST = """\
## One matrix

Half of these 25 weights go: the {term}`sparsity` is 0.5. How many bytes are stored?"""
CODE = """\
import numpy as np
import toykit as tk

weights = np.random.default_rng(0).normal(size=(5, 5)).astype(np.float16)
pruned = tk.prune(weights, sparsity=0.5)
print(f"{pruned.nbytes} bytes")"""
LAST = """\
## What to take away

- One sentence for each thing that a reader can do now. Here: 12 values of two bytes and a bitmask of four are 28 bytes.

**Sources.** Where each number comes from that was not computed here."""

ENTRY = """\
[chapters.{name}]
name = "{title}"
ideas = "three or four words for the map"
gives = [
    "do the first thing that the chapter teaches",
    "say the second thing that it teaches",
]
needs = ["02_pruning"]
next = {{ page = "book/map", why = "for what builds on what" }}
exercises = 0
[chapters.{name}.minutes]
"Opening" = 5
"One matrix" = 8
"What to take away" = 2

"""

TEST = '''\
"""Chapter {name}: its text says what its code computes."""

import re

import nbformat

from book._tools.project import NOTEBOOKS


def test_the_bytes_of_the_text_are_those_of_the_code():
    notebook = nbformat.read(NOTEBOOKS / "{name}.ipynb", as_version=4)
    (cell,) = (cell for cell in notebook.cells if cell.cell_type == "code")
    computed = {{}}
    exec(cell.source, computed)
    said = re.search(r"are (\\d+) bytes", notebook.cells[-1].source)[1]
    assert cell.outputs[0].text == f"{{said}} bytes\\n"
    assert computed["pruned"].nbytes == int(said)
'''


def notebook(title):
    """The notebook, not run yet."""
    texts = [
        (new_markdown_cell, OPENING.format(title=title)),
        (new_markdown_cell, FIRST),
        (new_code_cell, CODE),
    ]
    cells = [
        make(text, id=f"cell-{number:03}")
        for number, (make, text) in enumerate([*texts, (new_markdown_cell, LAST)])
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.writes(new_notebook(cells=cells, metadata={"kernelspec": kernel})) + "\n"


def in_contents(text, name):
    """The table of contents with the chapter, behind the one whose name comes before it."""
    before = [
        found for found in re.finditer(r"^ +- file: notebooks/(\w+)\n", text, re.MULTILINE) if found[1] < name
    ]
    indent = re.match(" +", before[-1][0])[0]
    return f"{text[: before[-1].end()]}{indent}- file: notebooks/{name}\n{text[before[-1].end() :]}"


def in_course(text, name, title):
    """course.toml with the chapter's entry, before that of the next chapter, or of the routes behind the last."""
    heads = re.finditer(r"^\[(?:chapters\.(\w+)|routes\b.*)\]", text, re.MULTILINE)
    place = next(head.start() for head in heads if head[1] is None or head[1] > name)
    return text[:place] + ENTRY.format(name=name, title=title) + text[place:]


def files(name, title, root=ROOT):
    """What is to be written, by path: what is new, and what has an entry more.

    Raises
    ------
    ValueError
        If the name is none for a chapter, or one of the new files is there.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"NAME must be two digits and words, such as 18_pipelines or 05b_tables; got {name!r}"
        )
    new = {
        Path("notebooks", f"{name}.ipynb"): notebook(title),
        Path("tests", f"test_chapter_{name}.py"): TEST.format(name=name),
    }
    if there := [str(path) for path in new if (root / path).exists()]:
        raise ValueError(f"{' and '.join(there)}: there already, and left as it is. Take another NAME.")
    contents, course = Path("_toc.yml"), Path("book", "course.toml")
    return new | {
        contents: in_contents((root / contents).read_text("utf-8"), name),
        course: in_course((root / course).read_text("utf-8"), name, title),
    }


def begin(name, title, root=ROOT):
    """Write the files of a new chapter, and return their paths."""
    written = files(name, title, root)
    for path, text in written.items():
        (root / path).write_text(text, encoding="utf-8")
    return list(written)


@program
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="such as 18_pipelines")
    parser.add_argument("--title", help="the heading; by default the words of the name")
    options = parser.parse_args()
    title = options.title or options.name.partition("_")[2].replace("_", " ").capitalize()
    try:
        written = begin(options.name, title)
    except ValueError as problem:
        fail(str(problem))
    for path in written:
        say(f"  {path}")
    say(f"Next: make notebooks NB=notebooks/{options.name}.ipynb, then replace what these files say.")
    say(
        "What teachers are told of it is yours to write: book/teaching.toml, book/_tools/board.py, book/slides.toml."
    )


if __name__ == "__main__":
    main()
