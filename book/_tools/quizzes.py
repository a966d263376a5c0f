"""The pages made of the quiz: one for each part, the puzzles, and the two forms of the test with their key."""

import html
from string import ascii_uppercase

# The page of each part of `toykit.quiz`.
PAGES = {
    "size": "book/quiz_part_1",
    "techniques": "book/quiz_part_2",
    "accuracy": "book/quiz_part_3",
    "tools": "book/quiz_part_4",
    "speed": "book/quiz_part_5",
    "puzzles": "book/puzzles",
}
# Tries of each question before the first numbers come again; those of the puzzles have pictures.
DRAWS = dict.fromkeys(PAGES, 20) | {"puzzles": 12}


def substitutions():
    """What the pages call by name, as Markdown."""
    from toykit import quiz, widgets
    from toykit.widgets.embedded import embedded

    found = {f"quiz_{part}": _raw(embedded(widgets.quiz(part, DRAWS[part]))) for part in PAGES}
    for name in quiz.FORMS:
        found[f"learning_test_{name.lower()}"] = _raw(_sheet(quiz.form(name)))
        found[f"learning_key_{name.lower()}"] = _key(quiz.form(name))
    return found


def questions():
    """The names of the questions of each page."""
    from toykit import quiz

    return {page: [*quiz.questions(part)] for part, page in PAGES.items()}


def _raw(text):
    return f"````{{raw}} html\n{text}\n````"


def _sheet(drawn):
    """A form to print: a number for each question, a letter for each choice."""
    from toykit.widgets.markup import inline

    items = []
    for one in drawn:
        choices = "".join(
            f"<li><b>{letter}</b> {html.escape(text)}</li>"
            for letter, text in zip(ascii_uppercase, one.choices, strict=False)
        )
        items.append(f"<li><p>{inline(one.text)}</p><ul>{choices}</ul></li>")
    return f'<ol class="book-test">{"".join(items)}</ol>'


def _key(drawn):
    """The right letter of each question, what each wrong one shows, and the chapter, as a Markdown table."""
    lines = ["| | right | the others | chapter |", "|--:|:-:|---|---|"]
    for number, one in enumerate(drawn, 1):
        letters = dict(zip(one.choices, ascii_uppercase, strict=False))
        others = "; ".join(f"**{letters[text]}** {name}" for text, name in one.misconceptions.items())
        notebook = one.section.partition("#")[0]
        lines.append(
            f"| {number} | **{letters[one.right]}** | {others} | [](../notebooks/{notebook}.ipynb) |"
        )
    return "\n".join(lines)
