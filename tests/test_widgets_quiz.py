"""The quiz widget: what the JavaScript fills in is what the question says; and the sheets that are printed."""

import html
import re

import pytest
import traitlets

import toykit as tk
from book._tools import quizzes, to_do
from book._tools.project import ROOT
from toykit.widgets import markup
from toykit.widgets.questions import filled


@pytest.fixture(scope="module", params=tk.quiz.PARTS)
def part(request):
    return request.param, tk.widgets.quiz(request.param, draws=4)


def test_every_draw_says_what_the_question_says(part):
    name, widget = part
    for content, question in zip(widget.content, tk.quiz.questions(name).values(), strict=True):
        assert content["name"] == question.name
        for seed, draw in enumerate(content["draws"]):
            drawn = question.draw(seed)
            assert filled(content, content["text"], draw) == markup.inline(drawn.text)
            assert filled(content, content["because"], draw) == markup.inline(drawn.because)
            assert [text for text, _ in draw["choices"]] == [*drawn.choices]
            for text, kind in draw["choices"]:
                if kind < 0:
                    assert text == drawn.right
                else:
                    said = filled(content, content["feedback"][kind], draw)
                    assert said == markup.inline(drawn.feedback[text])
            assert [[caption, rows] for caption, rows in drawn.grids] == draw.get("grids", [])


def test_without_javascript_every_question_is_there_with_its_answer_folded(part):
    name, widget = part
    assert widget.fallback().count("<details>") == len(tk.quiz.questions(name))
    assert "{" not in widget.fallback()


def test_nothing_readable_gives_an_answer_away(part):
    _, widget = part
    readable = {name: value for name, value in widget._data().items() if name != "sealed"}
    assert readable == {"label": widget.label, "current": 0, "attempt": 0, "answered": []}


def test_where_the_reader_is_can_be_set_from_python_and_is_checked(part):
    _, widget = part
    widget.current, widget.attempt = 1, 7
    for name, value in (("current", 99), ("current", -1), ("attempt", -1)):
        with pytest.raises(traitlets.TraitError, match=name):
            setattr(widget, name, value)


@pytest.mark.parametrize("options", [{"part": "sizes"}, {"part": 1}, {"draws": 0}, {"draws": "2"}])
def test_bad_input(options):
    with pytest.raises((TypeError, ValueError), match=next(iter(options))):
        tk.widgets.quiz(**{"part": "size"} | options)


def test_the_pages_are_light_and_complete():
    pages = quizzes.substitutions()
    for part_, page in quizzes.PAGES.items():
        assert len(pages[f"quiz_{part_}"]) < 150_000
        assert f"{{{{ quiz_{part_} }}}}" in (ROOT / f"{page}.md").read_text(encoding="utf-8")
        assert quizzes.questions()[page] == [*tk.quiz.questions(part_)]
        assert f"[](../{page}.md) | {len(tk.quiz.questions(part_))} |" in to_do.quizzes_table()


def test_the_key_fits_the_sheet():
    pages = quizzes.substitutions()
    for name in tk.quiz.FORMS:
        sheet, key = pages[f"learning_test_{name.lower()}"], pages[f"learning_key_{name.lower()}"]
        items = re.findall(r"<li><p>.*?</ul></li>", sheet)
        rows = key.splitlines()[2:]
        for item, row, drawn in zip(items, rows, tk.quiz.form(name), strict=True):
            choices = dict(re.findall(r"<li><b>(\w)</b> (.*?)</li>", item))
            letters = re.findall(r"\*\*(\w)\*\*", row)
            assert html.unescape(choices[letters[0]]) == drawn.right
            assert sorted(letters) == sorted(choices)
            for letter, kind in re.findall(r"\*\*(\w)\*\* ([^;|]+?)(?:;| \|)", row)[:3]:
                assert drawn.misconceptions[html.unescape(choices[letter])] == kind


def test_the_call_of_the_protocol_prints_what_stands_there(capsys):
    text = (ROOT / "book/measuring_learning.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {})
    assert capsys.readouterr().out.strip() == code.rpartition("# ")[2].strip()
    assert "There are no figures yet" in text
