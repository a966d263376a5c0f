"""Write the instructor edition: `python -m book._tools.instructor --out FOLDER`.

Pages of HTML that need nothing beside them, for the teacher and not for the class: what the book says on teaching,
the scripts to type along, and the solutions of all exercises with the wrong answers that people give.
"""

import argparse
import html
from pathlib import Path

from . import course, course_map, keeping, solutions
from .project import program, say

STYLE = Path(__file__).with_suffix(".css")
SITE = "../site"


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
    parts = [
        (caption, f"solutions_{number}.html", there) for number, (caption, there) in enumerate(_parts(), 1)
    ]
    listed = "".join(f'<li><a href="{name}">{html.escape(caption)}</a></li>' for caption, name, _ in parts)
    found = {name: _solutions(caption, there, site) for caption, name, there in parts}
    found["index.html"] = _page(
        "Instructor edition", f"<h2>Solutions, with the usual wrong paths</h2><ul>{listed}</ul>"
    )
    return found


def _parts():
    """The parts of the book that have exercises, as (caption, pages)."""
    return [part for part in course_map.parts() if any(course.chapters()[page].exercises for page in part[1])]


def _page(title, body):
    style = STYLE.read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>\n{style}</style></head>\n'
        f"<body><main><h1>{html.escape(title)}</h1>\n{body}\n</main></body></html>\n"
    )


def _solutions(caption, pages, site):
    """The page of the solutions of a part."""
    body = ['<p><a href="index.html">Instructor edition</a></p>']
    for page in pages:
        chapter = course.chapters()[page]
        body.append(f"<h2>{html.escape(chapter.label)}</h2>")
        body += [_solution(one, f"{site}/notebooks/{page}.html") for one in solutions.of_chapter(page)]
    return _page(f"Solutions. {caption}", "\n".join(body))


def _solution(solution, page):
    from toykit.widgets.markup import inline

    exercise = solution.exercise
    place = f'<a href="{page}{course.anchor(solution.heading)}">{html.escape(solution.heading)}</a>'
    lean = f"<p>They lean on:</p>{_code(solution.helpers)}" if solution.helpers else ""
    return (
        f'<h3 id="{exercise.name}"><code>{exercise.name}</code></h3>\n<p>{inline(exercise.task)} '
        f'<span class="soft">({place})</span></p>\n{_code(solution.code)}\n'
        f"<p>{len(solution.wrong)} usual wrong paths, each with what the checker says:</p>\n"
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
