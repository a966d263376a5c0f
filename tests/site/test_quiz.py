"""The quizzes in a browser, from files: what each choice says, other numbers, and what is kept of it."""

import re

import pytest

import toykit as tk
from book._tools import quizzes
from toykit.widgets.markup import plain
from toykit.widgets.questions import section_address

from .conftest import SITE
from .visit import PHONE, WIDE, Visit

# Each question once wrong, with its first numbers, then right with the next ones. It returns what was said.
PLAY = """(asked) => {
  const quiz = document.querySelector("[data-instrument=quiz]");
  const press = (name) => [...quiz.querySelectorAll("button")].find((one) => one.textContent === name).click();
  const said = () => quiz.querySelector(".tk-readout").innerText;
  const choose = (text) => {
    const rows = [...quiz.querySelectorAll(".tk-option")];
    rows.find((one) => one.children[1].textContent === text).querySelector("input").click();
    press("Check");
  };
  return asked.map(([wrong, right]) => {
    const found = { text: quiz.querySelector(".tk-question").innerText };
    found.wide = document.documentElement.scrollWidth;
    choose(wrong);
    const link = quiz.querySelector(".tk-readout a").href;
    Object.assign(found, { wrong: said(), link, focused: document.activeElement.className });
    press("Other numbers");
    choose(right);
    found.right = said();
    press("Next");
    return found;
  });
}"""


def spaces(text):
    return re.sub(r"\s+", " ", text).strip()


def test_every_question_is_answered_wrong_then_right_and_that_is_kept(browser):
    context = browser.new_context(viewport=PHONE)
    base = SITE.as_uri() + "/"
    for part, name in quizzes.PAGES.items():
        if not (SITE / f"{name}.html").is_file():
            pytest.skip(f"{name}.html is not in the built book")
        drawn = [(one.draw(0), one.draw(1)) for one in tk.quiz.questions(part).values()]
        wrong = [next(text for text in first.choices if text != first.right) for first, _ in drawn]
        visit = Visit(context, SITE, base, f"{name}.html")
        asked = [[text, second.right] for text, (_, second) in zip(wrong, drawn, strict=True)]
        for said, text, (first, second) in zip(visit.page.evaluate(PLAY, asked), wrong, drawn, strict=True):
            assert spaces(said["text"]) == spaces(plain(first.text)) and said["wide"] <= PHONE["width"]
            assert spaces(plain(first.feedback[text])) in spaces(said["wrong"])
            assert first.right not in said["wrong"].splitlines()[0] and said["focused"] == "tk-readout"
            assert said["right"].startswith(f"Right: {second.right}.")
            address, _ = section_address(first.section)
            assert said["link"] == base + address
            path, anchor = address.split("#")
            assert f'id="{anchor}"' in (SITE / path).read_text(encoding="utf-8")
        assert not visit.faults, visit.faults
    visit.load()  # the marks are there again
    marks = visit.page.locator(".tk-marks")
    assert marks.get_attribute("aria-label") == f"{len(drawn)} of {len(drawn)} answered"
    where = Visit(context, SITE, base, "book/where_am_i.html")
    rows = where.page.locator("table").nth(1).locator("tbody tr td:last-child").all_inner_texts()
    counts = [len(tk.quiz.questions(part)) for part in quizzes.PAGES]
    assert rows == [f"{count} of {count}" for count in counts]
    assert where.page.locator(".book-sums > span").last.inner_text().startswith(f"{sum(counts)} of ")
    context.close()


def test_the_answer_is_shown_on_request_and_the_keyboard_is_enough(browser):
    context = browser.new_context(viewport=WIDE)
    visit = Visit(context, SITE, SITE.as_uri() + "/", f"{quizzes.PAGES['size']}.html")
    first = next(iter(tk.quiz.questions("size").values())).draw(0)
    quiz = visit.page.locator("[data-instrument=quiz]")
    quiz.locator("input").first.focus()
    visit.page.keyboard.press("Space")
    for _ in range(first.choices.index(first.right) + 1):  # one beyond the right one, or round to the first
        visit.page.keyboard.press("ArrowDown")
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("Enter")
    assert "is not it" in quiz.locator(".tk-readout").inner_text()
    answer = quiz.get_by_role("button", name="Show the answer")
    answer.focus()
    visit.page.keyboard.press("Enter")
    assert f"{first.right}. {plain(first.because)}" in spaces(quiz.locator(".tk-readout").inner_text())
    assert visit.page.evaluate("() => tkProgress.state().pages") == {}  # that is no answer of the reader's
    context.close()
