"""The quizzes in a browser, from files: what each choice says, other numbers, and what is kept of it."""

import json
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

# What Firefox does once the quiz is there, without the helpers of Playwright.
BY_HAND = """async () => {
  while (!document.querySelector("[data-instrument=quiz] .tk-option")) await new Promise(done => setTimeout(done, 20));
  return %s;
}"""
MARKS = "document.querySelector('.tk-marks').getAttribute('aria-label')"


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


def test_firefox_keeps_what_was_answered_of_a_file_and_of_a_served_page(address, in_firefox):
    asked = tk.quiz.questions("size")
    first, second = (next(iter(asked.values())).draw(seed) for seed in (0, 1))
    wrong = next(text for text in first.choices if text != first.right)
    play = f"({PLAY})({json.dumps([[wrong, second.right]])})"
    pages = [f"{base}{quizzes.PAGES['size']}.html" for base in (SITE.as_uri() + "/", address)]
    told = in_firefox([(page, BY_HAND % do) for page in pages for do in (play, MARKS)])
    assert [each["faults"] for each in told] == 4 * [[]]
    for played, marks in zip(told[::2], told[1::2], strict=True):
        (said,) = played["answer"]
        assert spaces(plain(first.feedback[wrong])) in spaces(said["wrong"])
        assert said["right"].startswith(f"Right: {second.right}.")
        assert marks["answer"] == f"1 of {len(asked)} answered"
