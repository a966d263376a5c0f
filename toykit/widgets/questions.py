"""`quiz`: the questions of a part, one at a time, each with other numbers at every try.

All draws are made here, with texts and numbers apart, so that a page of twelve questions with twenty draws each stays
small. What is right lies in the widget's binary state, as with `predict`, where nobody meets it by accident.

The widget tells the page around it: ``tk-quiz`` when it is there, with a function that marks the questions that were
answered before, and ``tk-answered`` with the name of a question whose first choice was right.
"""

import html
import json
import re

import traitlets

from ..compressed import check_choice, check_int
from ..quiz import PARTS, questions
from ..quiz.framework import fill
from . import markup
from .base import Instrument, between

_NAMES = {
    "size": "Part I. Size",
    "techniques": "Part II. Techniques",
    "accuracy": "Part III. Accuracy",
    "tools": "Part IV. Core ML Tools",
    "speed": "Part V. Speed",
    "puzzles": "Weight puzzles",
}


class Quiz(Instrument, js="quiz"):
    """Questions, of which number `current` is shown, at its draw `attempt`; the names of those `answered`."""

    current = traitlets.Int(0).tag(sync=True)
    attempt = traitlets.Int(0).tag(sync=True)
    answered = traitlets.List(traitlets.Unicode()).tag(sync=True)
    sealed = traitlets.Bytes().tag(sync=True)

    @property
    def content(self):
        """What is drawn, as `quiz` has made it."""
        return json.loads(self.sealed)

    @traitlets.validate("current")
    def _check_current(self, proposal):
        return between(proposal, 0, len(self.content) - 1 if self.sealed else 0)

    @traitlets.validate("attempt")
    def _check_attempt(self, proposal):
        return between(proposal, 0)

    def fallback(self):
        return "".join(_without_javascript(number, one) for number, one in enumerate(self.content, 1))


def quiz(part, draws=20):
    """A quiz of one part of the book.

    Parameters
    ----------
    part : {"size", "techniques", "accuracy", "tools", "speed", "puzzles"}
    draws : int
        From 1 to 100, for each question: after so many tries the first numbers come again.

    Returns
    -------
    Quiz
        Its `answered` follows the reader in a live notebook.

    Raises
    ------
    TypeError, ValueError
        If there is no such part, or `draws` is out of range.

    Examples
    --------
    >>> quiz("size", draws=2)  # doctest: +ELLIPSIS
    <Quiz ...>
    """
    asked = questions(check_choice("part", part, PARTS)).values()
    draws = check_int("draws", draws, range(1, 101))
    content = [_content(one, draws) for one in asked]
    return Quiz(label=f"Quiz: {_NAMES[part]}", sealed=json.dumps(content, ensure_ascii=False).encode())


def section_address(section):
    """Where a section is on the site, from its root, and how it is called: (address, words).

    Examples
    --------
    >>> section_address("02_pruning#Where does it pay?")
    ('notebooks/02_pruning.html#where-does-it-pay', 'chapter 2, "Where does it pay?"')
    """
    notebook, heading = section.split("#")
    anchor = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")  # as docutils makes it
    return f"notebooks/{notebook}.html#{anchor}", f'chapter {int(notebook[:2])}, "{heading}"'


def _content(question, draws):
    """One question: its texts as HTML with places, and what stands there in each draw."""
    address, words = section_address(question.section)
    kinds = [*question.wrong]
    return {
        "name": question.name,
        "where": [address, words],
        "places": [f"{{{place}}}" for place in question.places],
        "text": markup.inline(fill_nothing(question.text)),
        "because": markup.inline(fill_nothing(question.because)),
        "feedback": [markup.inline(fill_nothing(question.wrong[kind])) for kind in kinds],
        "draws": [_draw(question, kinds, seed) for seed in range(draws)],
    }


def fill_nothing(text):
    """A text with places, and a true minus sign before the numbers that stand in it already."""
    return fill(re.sub(r"[{}]", lambda brace: 2 * brace[0], text))


def _draw(question, kinds, seed):
    found, choices = question.case(seed)
    values = [
        markup.inline(fill(f"{{:{form}}}", found.given[name])) for name, form in question.places.values()
    ]
    # The number of the misconception beside each choice; -1 beside the right one.
    shown = [[text, kinds.index(kind) if kind else -1] for kind, text in choices]
    return {"values": values, "choices": shown} | ({"grids": found.grids} if found.grids else {})


def filled(content, text, draw):
    """A text of a question with the values of a draw, as the JavaScript fills it."""
    for place, value in zip(content["places"], draw["values"], strict=True):
        text = text.replace(place, value)
    return text


def _without_javascript(number, content):
    draw = content["draws"][0]
    pictures = "".join(picture(caption, rows) for caption, rows in draw.get("grids", ()))
    choices = "".join(f"<li>{html.escape(text)}</li>" for text, _ in draw["choices"])
    (right,) = (text for text, kind in draw["choices"] if kind < 0)
    return (
        f"<p><strong>{number}.</strong> {filled(content, content['text'], draw)}</p>{pictures}<ul>{choices}</ul>"
        f"<details><summary>Show the answer</summary><p><strong>{html.escape(right)}.</strong> "
        f"{filled(content, content['because'], draw)}</p></details>"
    )


def picture(caption, rows):
    """A grid of weights as a table."""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><caption>{html.escape(caption)}</caption><tbody>{body}</tbody></table>"
