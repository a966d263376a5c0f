"""Write the instructor edition: `python -m book._tools.instructor --out FOLDER`.

Pages of HTML that need nothing beside them, for the teacher and not for the class: what the book says on teaching,
the scripts to type along, and the solutions of all exercises with plausible wrong answers.
"""

import argparse
import html
import re
from pathlib import Path

from markdown_it import MarkdownIt

from toykit._page import page

from . import course, course_pages, keeping, live_coding, solutions, teaching
from .project import ROOT, program, say

STYLE = Path(__file__).with_suffix(".css")
SITE = "../site"
REGION = '<div role="region" aria-label="Table" tabindex="0">'
# Pages of the book that are here as well.
OWN = {"teaching": "index.html"} | {f"teaching_part_{n}": f"part_{n}.html" for n in range(1, 6)}
LINK = re.compile(r"\[([^\]]*)\]\((?:\.\./)?(notebooks/)?(\w+)\.(?:md|ipynb)(#[\w-]+)?\)")
# What the site's Markdown has and others do not: a fence around HTML, and a class for what comes next.
RAW, CLASS = (
    re.compile(r"```\{raw\} html\n(.*?)\n```", re.DOTALL),
    re.compile(r"^\{\.[\w-]+\}\n", re.MULTILINE),
)


def write(folder, site=SITE):
    """Write the instructor edition.

    Parameters
    ----------
    folder : Path
        Made if it is missing. What somebody changed in it stays, and the newer version comes to lie beside it.
    site : str
        The way from `folder` to the book's site, whose pages are linked: "../html".

    Returns
    -------
    list of str
        A sentence for each file that was kept.
    """
    return keeping.put(Path(folder), {name: text.encode() for name, text in pages(site).items()})


def pages(site=SITE):
    """The files of the instructor edition, as a dict of their names to their texts."""
    found = {file: _of_the_book(name, site) for name, file in OWN.items()}
    for part in teaching.parts().values():
        found[f"solutions_{part.number}.html"] = _solutions(part, site)
    scripts = (script.path for script in live_coding.scripts().values())
    return found | {f"live_coding/{path.name}": path.read_text(encoding="utf-8") for path in scripts}


def _of_the_book(name, site):
    """A page of the book, made of its Markdown."""
    text = RAW.sub(r"\1", CLASS.sub("", course_pages.fill(_markdown(name))))
    text = text.replace('"../slides/', f'"{site}/slides/')
    text = LINK.sub(lambda link: _linked(*link.groups(""), site), text)
    body = MarkdownIt("commonmark").enable("table").render(text)
    body = re.sub(r"<h2>(.*?)</h2>", lambda h2: f'<h2 id="{course.anchor(h2[1])[1:]}">{h2[1]}</h2>', body)
    body = body.replace("<table>", f"{REGION}<table>").replace("</table>", "</table></div>")
    title, body = re.match(r"<h1>(.*?)</h1>\n(.*)", body, re.DOTALL).groups()
    return _page(html.unescape(title), body)


def _linked(words, folder, name, heading, site):
    words = words or re.search(r"^# (.+)$", _markdown(name), re.MULTILINE)[1]
    address = OWN.get(name) or f"{site}/{folder or 'book/'}{name}.html"
    return f"[{words}]({address}{heading})"


def _markdown(name):
    return (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")


def _page(title, body):
    head = f"{_contents()}\n<h1>{html.escape(title)}</h1>"
    return page(title, f"{head}\n{body}", STYLE.read_text(encoding="utf-8"))


def _contents():
    """Links to the pages of the edition."""
    rows = (
        f'{html.escape(part.caption)}: <a href="part_{part.number}.html">lessons</a>, '
        f'<a href="solutions_{part.number}.html">solutions</a>'
        for part in teaching.parts().values()
    )
    items = "".join(f"<li>{row}</li>" for row in ('<a href="index.html">Instructor edition</a>', *rows))
    return f"<nav><ul>{items}</ul></nav>"


def _solutions(part, site):
    """The page of the solutions of a part."""
    body = []
    for chapter in part.chapters:
        address = f"{site}/notebooks/{chapter.page}.html"
        body.append(f"<h2>{html.escape(chapter.label)}</h2>")
        body += [_solution(one, address) for one in solutions.of_chapter(chapter.page)]
    return _page(f"Solutions. {part.caption}", "\n".join(body))


def _solution(solution, address):
    from toykit.widgets.markup import inline

    exercise = solution.exercise
    kind = course.kind(exercise.name, solution.heading)
    place = f'<a href="{address}{course.anchor(solution.heading)}">{kind}</a>'
    lean = f"<p>They lean on:</p>{_code(solution.helpers)}" if solution.helpers else ""
    return (
        f'<h3 id="{exercise.name}"><code>{exercise.name}</code></h3>\n<p>{inline(exercise.task)} '
        f"({place})</p>\n{_code(solution.code)}\n"
        f"<p>{len(solution.wrong)} wrong paths, each with what the checker says:</p>\n"
        + "\n".join(map(_wrong, solution.wrong))
        + lean
    )


def _wrong(path):
    from toykit.widgets.markup import inline

    said = path.report.hint or path.report.problem
    return f"<details><summary>{inline(said)}</summary>{_code(path.code)}{_code(repr(path.report))}</details>"


def _code(text):
    return f"<pre><code>{html.escape(text)}</code></pre>"


@program
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--site", default=SITE, help="the way from there to the book's site (%(default)s)")
    options = parser.parse_args()
    for sentence in write(options.out, options.site):
        say(sentence)
    say(f"The instructor edition: {options.out / 'index.html'}")


if __name__ == "__main__":
    main()
