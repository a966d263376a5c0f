"""The book as a course: what `book/course.toml` says of each chapter and of the three routes, beside the notebooks.

The map, the routes, and what stands at the head and the end of each chapter are made from here; no notebook holds
any of it.
"""

import functools
import json
import re
import tomllib
from dataclasses import dataclass, field

import yaml

from toykit.exercises import check

from .project import NOTEBOOKS, ROOT, shown

FILE = ROOT / "book" / "course.toml"
OPENING = "Opening"
# Sections that are counted with the exercises, or take no time.
TRANSFER = "Transfer"
UNTIMED = {"Exercises", "Exercise", TRANSFER, "Sources"}


@dataclass(frozen=True)
class Chapter:
    """A chapter as the file has it; the file says what each field means."""

    page: str
    name: str
    ideas: str
    gives: list
    next: dict
    exercises: int
    minutes: dict
    transfer: int = 0
    needs: list = field(default_factory=list)
    one_of: list = field(default_factory=list)
    helps: list = field(default_factory=list)
    skip: list = field(default_factory=list)
    faults: dict = field(default_factory=dict)

    @property
    def number(self):
        """As a reader says it: 1, 6b; of the recipe, nothing."""
        return self.page.partition("_")[0].lstrip("0")

    @property
    def label(self):
        return f"{self.number}. {self.name}" if self.number else self.name

    @property
    def reading(self):
        return sum(self.minutes.values())

    @property
    def doing(self):
        """Minutes for the exercises and the transfer task."""
        return self.exercises + self.transfer

    @property
    def times(self):
        """Minutes to read, and for all exercises."""
        return f"{self.reading} + {self.doing}" if self.doing else f"{self.reading}"

    @property
    def before(self):
        """All chapters that this one names, of either kind."""
        return [*self.needs, *self.one_of, *self.helps]


@functools.cache
def chapters():
    """Each `Chapter` by the name of its page, in the order of the book."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))["chapters"]
    return {path.stem: Chapter(path.stem, **table[path.stem]) for path in shown() if path.stem in table}


@functools.cache
def routes():
    return tomllib.loads(FILE.read_text(encoding="utf-8"))["routes"]


@functools.cache
def contents():
    """The parts of the table of contents as (caption or None, files), in its order."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    return [
        (
            part.get("caption"),
            [one["file"] for file in part["chapters"] for one in (file, *file.get("sections", ()))],
        )
        for part in parts
    ]


def page_of(file):
    return file.removeprefix("notebooks/")


def behind(page):
    """The files that stand behind the part that a chapter ends, in a part without a caption: quizzes and the like."""
    parts = [*contents(), (None, [])]
    return next(
        (
            files
            for (_, before), (caption, files) in zip(parts, parts[1:])
            if page_of(before[-1]) == page and not caption
        ),
        [],
    )


@functools.cache
def cells(page):
    return json.loads((NOTEBOOKS / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]


def headings_in(text):
    """The headings of a Markdown text, as (level, words); what looks like one in a block of code is none."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    return [(len(marks), words.strip()) for marks, words in re.findall(r"^(#+) +(.+)$", prose, re.MULTILINE)]


@functools.cache
def headings(page):
    """The headings of a chapter, in its order, as (level, words)."""
    texts = ("".join(cell["source"]) for cell in cells(page) if cell["cell_type"] == "markdown")
    return [heading for text in texts for heading in headings_in(text)]


def checked_in(code):
    """The names of the checkers that a cell calls."""
    return re.findall(r"\bcheck\.(\w+)\(", code)


@functools.cache
def places_of_exercises(page):
    """The heading above the check of each exercise, by the name of its checker."""
    found, above = {}, None
    for cell in cells(page):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            above = (headings_in(text) or [(0, above)])[-1][1]
        else:
            found |= {name: above for name in checked_in(text) if name not in found}
    return found


def level(name):
    """How much an exercise asks, as its checker has it: warm-up, build or decide."""
    return check.all()[name].level


def kind(name, place):
    """An exercise's level, and whether it is the transfer task, in words."""
    return f"transfer, {level(name)}" if place == TRANSFER else level(name)


def anchor(heading):
    """The end of a link to a heading, as the site names it; the opening is the page itself."""
    if heading == OPENING:
        return ""
    plain = re.sub(r"[`*$]|\{\w+\}", "", heading).strip().lower()
    return "#" + re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@dataclass(frozen=True)
class Step:
    """One step of a route.

    Attributes
    ----------
    links : list of (words, address or None, minutes)
        What is read, done or shown; addresses are those from a page in `book`.
    chapter : Chapter or None
    note : str
        What happens, in a sentence; may be empty.
    pause : bool
        Nothing is taught.
    doing : int
        Those of its minutes in which the class works: exercises, a quiz.
    """

    links: list
    chapter: Chapter | None
    note: str
    pause: bool
    doing: int

    @property
    def minutes(self):
        return sum(minutes for _, _, minutes in self.links)


def step(entry):
    """Read one step of the file. Words that no chapter has raise a KeyError."""
    note = entry.get("note", "")
    if "chapter" not in entry:
        words = entry.get("pause") or entry.get("words")
        minutes = entry["minutes"]
        doing = minutes if entry.get("doing") else 0
        return Step([(words, entry.get("page"), minutes)], None, note, "pause" in entry, doing)
    chapter = chapters()[entry["chapter"]]
    page = f"../notebooks/{chapter.page}.ipynb"
    sections, exercises = entry.get("sections", []), entry.get("exercises", {})
    if sections == "all":
        sections = [name for name in chapter.minutes if name not in chapter.skip]
    links = [(name, page + anchor(name), chapter.minutes[name]) for name in sections]
    doing = chapter.exercises if exercises == "all" else sum(exercises.values())
    if exercises == "all":
        place = next((name for _, name in headings(chapter.page) if name in UNTIMED - {TRANSFER}), None)
        links.append(("the exercises", page + (anchor(place) if place else ""), chapter.exercises))
    else:
        places = places_of_exercises(chapter.page)
        links += [
            (f"exercise `{name}` ({level(name)})", page + anchor(places[name]), minutes)
            for name, minutes in exercises.items()
        ]
    return Step(links, chapter, note, pause=False, doing=doing)


@functools.cache
def parts(route):
    """The parts of a route, as a list of (name, list of `Step`)."""
    return [(part["name"], [step(entry) for entry in part["steps"]]) for part in routes()[route]["parts"]]
