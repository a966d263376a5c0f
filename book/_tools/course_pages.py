"""What the site says of the course, as Markdown: boxes and marks in the chapters, the routes, the table of the map."""

import re

from . import course, slides, teaching_pages
from .course_map import drawing
from .project import ROOT

MARK = re.compile(r"<!-- course: (\w+)(?: (\w+))? -->")
FAULTS = ROOT / "book" / "known_failures.md"


def add_to_notebook(notebook, page):
    """Give a chapter its box, its marks and its next step; `notebook` is changed, as it is read for the site."""
    chapter = course.chapters().get(page)
    if chapter is None:
        return
    first = notebook["cells"][0]
    title, opening, *rest = "".join(first["source"]).split("\n\n")
    first["source"] = "\n\n".join([title, opening, _box(chapter), *rest])
    curious = {words for cell in notebook["cells"] for words in _curious(cell)}
    for heading in chapter.skip:
        if heading not in curious:  # those are folded, and the fold says it
            _insert(
                notebook, heading, "{.course-skip}\nMay be skipped: no later chapter needs it.", at_end=False
            )
    for heading, fault in chapter.faults.items():
        _insert(notebook, heading, _fault(fault), at_end=True)
    notebook["cells"].append(_cell(_next(chapter), notebook))


def _curious(cell):
    if "curious" in cell["metadata"].get("tags", []):
        yield course.headings_in("".join(cell["source"]))[0][1]


def _insert(notebook, heading, text, at_end):
    """Put a paragraph below a heading, or at the end of what stands directly below it."""
    inside = False
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "markdown":
            continue
        source = "".join(cell["source"])
        for _, words in course.headings_in(source):
            line = re.search(rf"^#+ +{re.escape(words)}[ \t]*$", source, re.MULTILINE)
            if inside and line.start() == 0:
                notebook["cells"].insert(number, _cell(text, notebook))
                return
            if inside:
                cell["source"] = f"{source[: line.start()]}{text}\n\n{source[line.start() :]}"
                return
            if words == heading:
                if not at_end:
                    cell["source"] = f"{source[: line.end()]}\n\n{text}\n{source[line.end() :]}"
                    return
                inside = True
    notebook["cells"].append(_cell(text, notebook))


def _cell(text, notebook):
    return {"cell_type": "markdown", "id": f"course-{len(notebook['cells'])}", "metadata": {}, "source": text}


def _chapters(pages, to_notebooks=""):
    """Links to chapters by their numbers: chapters 2, 3 and 4."""
    found = [course.chapters()[page] for page in pages]
    links = [f"[{one.number or one.name}]({to_notebooks}{one.page}.ipynb)" for one in found]
    word = "" if not found[0].number else "chapter " if len(found) == 1 else "chapters "
    return word + _listed(links)


def _listed(words, last="and"):
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _assumes(chapter, to_notebooks=""):
    """What a chapter assumes, in a line of Markdown."""
    said = []
    if chapter.needs:
        said.append(_chapters(chapter.needs, to_notebooks))
    if chapter.one_of:
        said.append(f"one of {_chapters(chapter.one_of, to_notebooks)}")
    if chapter.helps:
        said.append(f"{_chapters(chapter.helps, to_notebooks)} {'help' if chapter.helps[1:] else 'helps'}")
    return "; ".join(said) or "no other chapter"


def _box(chapter):
    gives = "\n".join(f"- {one}" for one in chapter.gives)
    return (
        ":::{admonition} Before and after\n:class: course-box\n"
        f"**Assumes** {_assumes(chapter)}. [The map](../book/map.md) shows the way.\n\n"
        f"**Gives**: afterwards you can\n\n{gives}\n:::"
    )


def _next(chapter):
    page, why = chapter.next["page"], chapter.next["why"]
    other = course.chapters().get(page)
    link = f"[{other.label}]({page}.ipynb)" if other else f"[](../{page}.md)"
    behind = [f"[](../{file}.md)" for file in course.behind(chapter.page)]
    first = f"To see whether this part has become yours: {_listed(behind)}. Then " if behind else ""
    return (
        f":::{{admonition}} Next step\n:class: course-next\n{first}{link}: {why}. What you have done so far is on "
        "[](../book/where_am_i.md).\n:::"
    )


def fault(beginning):
    """The one row of the table of known failures that begins so: (what fails, version, report, what to do)."""
    rows = [
        line for line in FAULTS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| {beginning}")
    ]
    (row,) = rows
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def _fault(beginning):
    what, version, _, instead = fault(beginning)
    return (
        f"{{.course-fault}}\n[Known failure](../book/known_failures.md): Core ML Tools {what} ({version}). "
        f"What to do: {instead.removesuffix(' |')}."
    )


def fill(source):
    """Put what is generated in place of the marks of a page, such as `<!-- course: route day -->`."""
    return MARK.sub(lambda mark: WRITERS[mark[1]](*mark.groups()[1:]), source)


def _map(_):
    return f"```{{raw}} html\n{drawing()}\n```"


def _table(_):
    """The chapters with what they assume and how long they take."""
    lines = ["| chapter | assumes | minutes |", "|---|---|--:|"]
    for chapter in course.chapters().values():
        name = f"[{chapter.label}](../notebooks/{chapter.page}.ipynb)"
        lines.append(f"| {name} | {_assumes(chapter, '../notebooks/')} | {chapter.times} |")
    return "\n".join(lines)


def _hours(_):
    read = sum(chapter.reading for chapter in course.chapters().values())
    do = sum(chapter.doing for chapter in course.chapters().values())
    return f"About **{round(read / 60)} hours** to read, **{round((read + do) / 60)}** with the exercises."


def clock(minutes):
    return f"{minutes // 60}:{minutes % 60:02}"


def _route(name):
    """The parts of a route: a table each, with the time on the clock, the minutes, and links to what is read."""
    lines = []
    for part, steps in course.parts(name):
        now, total = 0, sum(step.minutes for step in steps if not step.pause)
        lines += [f"## {part}", "", f"{total} minutes.", "", "| at | min | what |", "|--:|--:|---|"]
        for step in steps:
            what = f"{step.note} {_linked(step)}" if step.note else _linked(step)
            lines.append(f"| {clock(now)} | {step.minutes} | {what} |")
            now += step.minutes
        lines.append("")
    return "\n".join(lines + _left_out(name))


def _linked(step):
    many = len(step.links) > 1
    links = [
        (f"[{words}]({address})" if address else words) + (f" ({minutes})" if many else "")
        for words, address, minutes in step.links
    ]
    where = f"**{step.chapter.label}**: " if step.chapter else ""
    return where + ", ".join(links)


def _left_out(name):
    used = {step.chapter.page for _, steps in course.parts(name) for step in steps if step.chapter}
    left = [page for page in course.chapters() if page not in used]
    if not left:
        return []
    recipe, numbered = [p for p in left if p[:2] == "00"], [p for p in left if p[:2] != "00"]
    said = [_chapters(pages, "../notebooks/") for pages in (recipe, numbered) if pages]
    return ["", f"Not on this route: {_listed(said)}."]


WRITERS = {"map": _map, "table": _table, "hours": _hours, "route": _route, "slides": slides.in_words}
WRITERS |= teaching_pages.WRITERS
