"""What a reader can do in each chapter, for the marks in the table of contents and the page "Where am I".

What somebody did is known to their browser alone (book/_assets/progress.js). What there is to do follows from
the notebooks: the predictions by their labels, the exercises by the names of their checkers, the transfer
tasks among them by their heading; and from the quizzes.
"""

import functools
import json

from toykit.exercises.framework import LEVELS

from . import course, quizzes
from .execute import WIDGET_STATE
from .project import shown

PREDICTION = "toykit.widgets.prediction.Prediction"


def predictions(notebook):
    """The stored predictions of a notebook: label by the number of the widget's model."""
    models = notebook["metadata"].get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    return {
        number: model["state"]["label"]
        for number, model in models.items()
        if model["state"].get("_anywidget_id") == PREDICTION
    }


@functools.cache
def by_page():
    """What there is to do, by the name of the page: {"predictions": labels, "exercises": names, "transfer": names}."""
    found = {}
    for path in shown():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        places = course.places_of_exercises(path.stem)
        found[f"notebooks/{path.stem}"] = {
            "predictions": list(predictions(notebook).values()),
            "exercises": [name for name, place in places.items() if place != course.TRANSFER],
            "transfer": [name for name, place in places.items() if place == course.TRANSFER],
        }
    return found


def script():
    """The file `chapters.js`, which every page of the site reads."""
    there = by_page() | {page: {"questions": names} for page, names in quizzes.questions().items()}
    return f"window.tkChapters = {json.dumps(there, ensure_ascii=False)};\n"


def table():
    """The table of the page "Where am I", as Markdown: what there is, before anything is done."""
    lines = [
        "| Chapter | Read | Predic\N{SOFT HYPHEN}tions | Exer\N{SOFT HYPHEN}cises | Trans\N{SOFT HYPHEN}fer |",
        "|---|---|--:|--:|--:|",
    ]
    for page, there in by_page().items():
        counts = (f"{len(there[kind])}" for kind in ("predictions", "exercises", "transfer"))
        lines.append(f"| [](../{page}.ipynb) | – | {' | '.join(counts)} |")
    return "\n".join(lines)


def exercises_table():
    """All exercises by level, as Markdown: a row for each chapter that has some."""
    lines = ["| Chapter | Exercises |", "|---|---|"]
    for page, there in by_page().items():
        said = [
            f"**{before}{level}**: {', '.join(_linked(page, name) for name in names)}"
            for before, kind in (("", "exercises"), ("transfer, ", "transfer"))
            for level in LEVELS
            if (names := [name for name in there[kind] if course.level(name) == level])
        ]
        if said:
            label = course.chapters()[course.page_of(page)].label
            lines.append(f"| [{label}](../{page}.ipynb) | {'; '.join(said)} |")
    return "\n".join(lines)


def _linked(page, name):
    place = course.places_of_exercises(course.page_of(page))[name]
    return f"[`{name}`](../{page}.ipynb{course.anchor(place)})"


def quizzes_table():
    """The table of the quizzes on that page."""
    lines = ["| Quiz | Questions |", "|---|--:|"]
    for page, names in quizzes.questions().items():
        lines.append(f"| [](../{page}.md) | {len(names)} |")
    return "\n".join(lines)
