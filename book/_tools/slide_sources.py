"""What a slide takes out of the notebooks: a section's cells, a sentence of its text, a number that a cell printed.

A cell is found by the section that it stands in and, where that has several of its kind, by a piece of its source: the
ids of cells are their numbers, and change with every cell that is added above.
"""

import functools
import json
import re
from dataclasses import dataclass

from docutils.nodes import make_id

from toykit.widgets.markup import plain

from . import course
from .execute import WIDGET_VIEW
from .page_figures import WIDE
from .project import NOTEBOOKS
from .stored_widgets import WIDGET_STATE

_HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
_FENCED = re.compile(r"^(```|~~~|:::).*?^\1.*?$", re.DOTALL | re.MULTILINE)
_END = re.compile(r"[.!?:][*)\"]*(?=\s+\W*[A-Z0-9]|\s*$)")
# What MyST has and a slide has not: terms are words there, and sources stay in the book.
_ROLES = ((re.compile(r"\s*\{cite\}`[^`]+`"), ""), (re.compile(r"\{term\}`([^`<]+?)(?: <[^`]+>)?`"), r"\1"))


class Missing(ValueError):
    """The notebooks do not have what a slide asks for; the message says what, and what there is."""


@dataclass(frozen=True)
class Section:
    """A section of a chapter with all below it: its prose in one line, and its cells of code."""

    page: str
    heading: str
    prose: str
    cells: list

    @property
    def link(self):
        """Its address, as a folder beside `notebooks` calls it."""
        place = "" if self.heading == course.OPENING else f"#{make_id(plain(self.heading))}"
        return f"../notebooks/{self.page}.html{place}"

    def cell(self, kind, holding=""):
        """The one cell that shows `kind` and has `holding` in its source.

        Raises
        ------
        Missing
            If there is no such cell, or several.
        """
        there = [cell for cell in self.cells if shows(cell, kind)]
        found = [cell for cell in there if holding in "".join(cell["source"])]
        if len(found) != 1:
            first = ["".join(cell["source"]).strip().splitlines()[0] for cell in there]
            self._miss(
                f"{len(found)} cells with a {kind} hold {holding!r}; those with one begin with {first}"
            )
        return found[0]

    def sentence(self, beginning):
        """The sentence of the prose that begins with these words, in Markdown."""
        at = self.prose.find(f" {beginning}")
        if at < 0:
            self._miss(f"no sentence begins with {beginning!r}")
        rest = self.prose[at + 1 :]
        end = _END.search(rest, len(beginning) - 1)
        return rest[: end.end() if end else len(rest)]

    def number(self, pattern):
        """What the group of a regular expression finds in what the cells printed, or else in the prose."""
        printed = "\n".join(text for cell in self.cells for text in streams(cell))
        found = re.search(pattern, printed, re.MULTILINE) or re.search(pattern, self.prose)
        if not found:
            self._miss(f"nothing that is printed matches {pattern!r}")
        return found[1]

    def _miss(self, what):
        raise Missing(f"{self.page}, {self.heading!r}: {what}.")


def streams(cell):
    """The texts that a cell printed."""
    return ["".join(one["text"]) for one in cell["outputs"] if one["output_type"] == "stream"]


def _data(cell):
    return [one.get("data", {}) for one in cell["outputs"]]


def shows(cell, kind):
    """Whether a cell of code shows a picture, a widget, printed text (output), a table, or is code, as all are."""
    if kind in ("picture", "widget"):
        return any({"picture": WIDE, "widget": WIDGET_VIEW}[kind] in data for data in _data(cell))
    if kind == "table":
        tables = any("<table" in "".join(data.get("text/html", "")) for data in _data(cell))
        return tables and not shows(cell, "widget")
    return kind == "code" or bool(streams(cell))


@functools.cache
def section(place):
    """The `Section` that "page#heading" names; "page" alone is what stands above the first heading.

    Raises
    ------
    Missing
        If there is no such notebook, or no such heading in it.
    """
    page, _, heading = place.partition("#")
    heading = heading or course.OPENING
    if not (NOTEBOOKS / f"{page}.ipynb").is_file():
        raise Missing(f"{place!r}: there is no notebook {page}.")
    prose, cells, inside = [], [], 0  # the level of the heading, while inside of its section
    for cell in course.cells(page):
        if cell["cell_type"] == "code":
            cells += [cell] if inside else []
            continue
        parts = ["", "", *_HEADING.split(_FENCED.sub("", "".join(cell["source"])))]  # marks, words, text, ...
        for marks, words, below in zip(parts[::3], parts[1::3], parts[2::3]):
            if words.strip() == heading or (heading == course.OPENING and len(marks) == 1):
                inside = len(marks)
            elif marks and (len(marks) <= inside or heading == course.OPENING):
                inside = 0
            prose += [below] if inside else []
    if not prose:
        raise Missing(f"{place!r}: {page} has {[words for _, words in course.headings(page)]}.")
    text = " ".join(prose)
    for role, words in _ROLES:
        text = role.sub(words, text)
    return Section(page, heading, " " + " ".join(text.split()), cells)


@functools.cache
def _widgets(page):
    notebook = json.loads((NOTEBOOKS / f"{page}.ipynb").read_text(encoding="utf-8"))
    return notebook["metadata"]["widgets"][WIDGET_STATE]["state"]


def widget(page, cell):
    """The stored model of the widget that a cell shows, and the HTML that stands in for it without scripts."""
    view = next(data[WIDGET_VIEW] for data in _data(cell) if WIDGET_VIEW in data)
    texts = ("".join(data.get("text/html", "")) for data in _data(cell))
    return _widgets(page)[view["model_id"]], next(text for text in texts if text.startswith("<noscript>"))
