"""Slides for each part of the book, generated from its notebooks: `make slides`, and at the end of each build.

`book/slides.toml` says which cells become slides, in which order, and what the speaker says. Pictures, widgets, printed
text, sentences and numbers are taken from the notebooks: a number that changes there changes on its slide.
"""

import functools
import re
import tomllib
from dataclasses import dataclass, field

from . import course, page_widgets, slide_pages
from .project import HTML, ROOT, fail, program, say
from .slide_sources import Missing, section

FILE = ROOT / "book" / "slides.toml"


@dataclass(frozen=True)
class Slide:
    """A slide as the file has it; the file says what each field means."""

    title: str
    say: str
    ask: str
    minutes: float
    at: str = ""
    show: str = ""
    cell: str = ""
    lines: list = field(default_factory=list)
    big: str = ""
    quote: str = ""
    words: str = ""
    numbers: dict = field(default_factory=dict)

    @property
    def section(self):
        """The `Section` that the slide is about; None on the first slide of a deck."""
        return section(self.at) if self.at else None

    def filled(self, text):
        """A text of this slide with its numbers in their places."""
        return re.sub(r"\{(\w+)\}", lambda name: self.section.number(self.numbers[name[1]]), text)

    @property
    def text(self):
        """What stands below the title, in Markdown: the slide's own words, or a sentence of its section."""
        return self.section.sentence(self.quote) if self.quote else self.filled(self.words)


@dataclass(frozen=True)
class Deck:
    """The slides of a part."""

    name: str
    caption: str
    pages: list
    slides: list

    @property
    def minutes(self):
        return sum(slide.minutes for slide in self.slides)


@functools.cache
def decks():
    """The decks in the order of the book, by their names: part_1 and so on."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    parts = [(caption, files) for caption, files in course.contents() if (caption or "").startswith("Part ")]
    return {
        name: Deck(
            name, caption, [course.page_of(file) for file in files], [Slide(**one) for one in table[name]]
        )
        for name, (caption, files) in ((f"part_{number}", part) for number, part in enumerate(parts, 1))
    }


def in_words(_=None):
    """The decks as a list in Markdown, for pages in a folder beside that of the decks."""
    rows = (
        f'<li><a href="../slides/{deck.name}.html">{deck.caption}</a>: {len(deck.slides)} slides, '
        f"{deck.minutes:g} minutes</li>"
        for deck in decks().values()
    )
    return f"```{{raw}} html\n<ul>{''.join(rows)}</ul>\n```"


def write(folder):
    """Write the decks and the script that their widgets share to the folder `slides` of a site.

    Parameters
    ----------
    folder : Path
        The root of the site; pictures go to its `_images`, where its pages have them.

    Raises
    ------
    Missing
        If a slide names something that the notebooks do not have.
    """
    home = folder / "slides"
    home.mkdir(parents=True, exist_ok=True)
    written, kinds = [], {}
    for deck in decks().values():
        written.append(home / f"{deck.name}.html")
        written[-1].write_text(slide_pages.page(deck, folder / "_images", kinds), encoding="utf-8")
    (home / "instruments.js").write_text(page_widgets.scripts("tkInstruments", kinds), encoding="utf-8")
    return written


@program
def main():
    if not (HTML / "_static").is_dir():
        fail("The slides use files of the book, which is not built: run 'make book OPEN=0' first.")
    try:
        for path, deck in zip(write(HTML), decks().values()):
            say(
                f"{len(deck.slides):3} slides, {deck.minutes:3.0f} minutes, {path.stat().st_size:9,} bytes: {path}"
            )
    except Missing as error:
        fail(f"book/slides.toml: {error}")


if __name__ == "__main__":
    main()
