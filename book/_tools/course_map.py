"""The map of the book: its chapters from top to bottom, and lines from each to those that build on it.

The order of the book is one in which nothing comes before what it builds on, so that all lines lead down. Chapters that
are named together, such as the three techniques, share a line. Every box is a link.
"""

import html
from dataclasses import dataclass, field

from . import course

# In pixels of a screen 390 wide, where the drawing is shown as large as it is.
_WIDTH, _LANE, _BOX, _GAP, _CAPTION = 356, 11, 42, 8, 24


@dataclass
class Rail:
    """A line down from the chapters that are named together to those that name them.

    Attributes
    ----------
    sources : tuple of str
        Pages.
    ends : list of (str, bool)
        Page, and whether it cannot do without them.
    """

    sources: tuple
    ends: list = field(default_factory=list)


def parts():
    """The parts of the book as (caption, pages of the chapters in it)."""
    for caption, files in course.contents():
        if pages := [page for page in map(course.page_of, files) if page in course.chapters()]:
            yield caption, pages


def rails():
    """Every `Rail` of the map: what is named together somewhere is taken together everywhere."""
    chapters = course.chapters().values()
    named = {tuple(chapter.needs) for chapter in chapters if len(chapter.needs) > 1}
    together = [one for one in sorted(named) if not any({*other} < {*one} for other in named)]
    found = {}
    for chapter in chapters:
        for pages, must in ((chapter.needs, True), (chapter.one_of, False), (chapter.helps, False)):
            groups = [group for group in together if {*group} <= {*pages}]
            taken = {page for group in groups for page in group}
            for sources in (*groups, *((page,) for page in pages if page not in taken)):
                found.setdefault(sources, Rail(sources)).ends.append((chapter.page, must))
    return list(found.values())


def drawing():
    """The map as HTML: SVG, whose colours are those of the page around it."""
    y, captions, top = {}, [], 0
    for caption, pages in parts():
        captions.append((html.escape(caption), top + 14))
        top += _CAPTION
        for page in pages:
            y[page], top = top, top + _BOX + _GAP
    lines = list(rails())
    lanes = _lanes(lines, y)
    left = 10 + _LANE * (1 + max(lanes))
    drawn = [
        line
        for rail, lane in zip(lines, lanes)
        for line in _rail(rail, left - 12 - _LANE * lane, left, y, lines)
    ]
    titles = [f'<text class="part" x="{left}" y="{height}">{caption}</text>' for caption, height in captions]
    boxes = [_box(course.chapters()[page], left, height) for page, height in y.items()]
    return (
        f'<div class="course-map"><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top - _GAP + 1}" '
        f'role="group" aria-label="The chapters, with lines from each to those that build on it">\n'
        + "\n".join([*titles, *drawn, *boxes])
        + "\n</svg></div>"
    )


def _lanes(lines, y):
    """The lane of each rail, counted from the boxes to the left: short ones are the nearest, and none share a place."""
    spans = [(y[rail.sources[0]], max(y[page] for page, _ in rail.ends)) for rail in lines]
    lanes, taken = [0] * len(lines), []
    for number in sorted(range(len(lines)), key=lambda number: spans[number][1] - spans[number][0]):
        start, end = spans[number]
        lane = 0
        while any(other == lane and start < last and first < end for other, first, last in taken):
            lane += 1
        lanes[number] = lane
        taken.append((lane, start, end))
    return lanes


def _rail(rail, x, left, y, lines):
    """The SVG of a rail: dots where it leaves, arrows where it ends."""
    out = {page: y[page] + _BOX - 9 for page in rail.sources}
    into = {}
    for page, _ in rail.ends:
        arriving = [other for other in lines if page in dict(other.ends)]
        into[page] = y[page] + 9 + 10 * arriving.index(rail)
    yield f'<path class="line" d="M{x} {min(out.values())}V{max(into.values())}"/>'
    for height in out.values():
        yield f'<path class="line" d="M{x} {height}H{left}"/><circle class="dot" cx="{left}" cy="{height}" r="2.8"/>'
    for page, must in rail.ends:
        kind, height = "needs" if must else "helps", into[page]
        yield f'<path class="line {kind}" d="M{x} {height}H{left - 6}"/>'
        yield f'<path class="tip {kind}" d="M{left - 1} {height}l-7 -3.5v7z"/>'


def _box(chapter, left, top):
    times = f"{chapter.times} min"
    name, ideas = html.escape(chapter.label), html.escape(chapter.ideas)
    return (
        f'<a href="../notebooks/{chapter.page}.html" aria-label="{name}: {ideas}, {times}">'
        f'<rect x="{left}" y="{top}" width="{_WIDTH - left - 1}" height="{_BOX}" rx="5"/>'
        f'<text class="name" x="{left + 9}" y="{top + 17}">{name}</text>'
        f'<text class="ideas" x="{left + 9}" y="{top + 33}">{ideas}</text>'
        f'<text class="minutes" x="{_WIDTH - 8}" y="{top + 33}">{times}</text></a>'
    )
