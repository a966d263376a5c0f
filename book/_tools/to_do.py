"""What a reader can do in each chapter, for the marks in the table of contents and the page "Where am I".

What somebody did is known to their browser alone (book/_assets/progress.js). What there is to do follows from
the notebooks: the predictions by their labels, the exercises by the names of their checkers; and from the quizzes.
"""

import functools
import json
import re

from . import quizzes
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


def exercises(notebook):
    """The names of the checkers that a notebook calls, in its order."""
    code = ("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code")
    return list(dict.fromkeys(name for source in code for name in re.findall(r"\bcheck\.(\w+)\(", source)))


@functools.cache
def by_page():
    """What there is to do, by the name of the page: {"predictions": labels, "exercises": names}."""
    found = {}
    for path in shown():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        found[f"notebooks/{path.stem}"] = {
            "predictions": list(predictions(notebook).values()),
            "exercises": exercises(notebook),
        }
    return found


def script():
    """The file `chapters.js`, which every page of the site reads."""
    there = by_page() | {page: {"questions": names} for page, names in quizzes.questions().items()}
    return f"window.tkChapters = {json.dumps(there, ensure_ascii=False)};\n"


def table():
    """The table of the page "Where am I", as Markdown: what there is, before anything is done."""
    lines = ["| Chapter | Read | Predictions | Exercises |", "|---|---|--:|--:|"]
    for page, there in by_page().items():
        lines.append(f"| [](../{page}.ipynb) | – | {len(there['predictions'])} | {len(there['exercises'])} |")
    return "\n".join(lines)


def quizzes_table():
    """The table of the quizzes on that page."""
    lines = ["| Quiz | Questions |", "|---|--:|"]
    for page, names in quizzes.questions().items():
        lines.append(f"| [](../{page}.md) | {len(names)} |")
    return "\n".join(lines)
