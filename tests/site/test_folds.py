"""A page keeps the answers of its predictions, above and below, until the reader has guessed or skipped."""

import re

import pytest

from .conftest import SITE
from .test_instruments import predictions, with_predictions
from .visit import WIDE, Visit

NUMBER = r"(?<![\d.,])\d+(?:[.,]\d+)*"
WITH_UNIT = re.compile(rf"{NUMBER} (?:%|dB|MB|kB|MiB|ms|s|times|points)(?!\w)")

# What a reader sees of a page, without the predictions themselves: they hold their options.
VISIBLE = """() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let text = "";
  while (walk.nextNode()) {
    const around = walk.currentNode.parentElement;
    if (around.closest("script, style, noscript, [data-instrument=predict]")) continue;
    text += around.checkVisibility({ visibilityProperty: true }) ? walk.currentNode.textContent : " ";
  }
  return text.replace(/\\s+/g, " ");
}"""


def answers(label, sealed):
    """The answer, and the numbers with a unit that the reveal gives and the question does not."""
    reveal = re.sub("<[^>]*>", "", sealed["skipped"])
    found = set(WITH_UNIT.findall(reveal))
    if re.match(r"\W?\d", sealed["text"]):
        found.add(sealed["text"])
    return {answer for answer in found if answer not in label}


def pytest_generate_tests(metafunc):
    if "asking" in metafunc.fixturenames:
        metafunc.parametrize("asking", with_predictions() or ["the built book"])


def opened(context, address, name):
    return Visit(context, SITE, address, name, folded=True)


def group(visit, label):
    return visit.page.get_by_role("group", name=label, exact=True)


def skip(element):
    element.evaluate("node => node.closest('.book-curious')?.setAttribute('open', '')")
    element.get_by_role("button", name="Skip, show me").click()


def test_no_answer_is_in_sight_before_it_is_asked_for(context, address, asking):
    visit, kept = opened(context, address, asking), dict(predictions(asking))
    order = visit.page.locator("[data-instrument=predict]")
    in_sight = []
    for number in range(order.count()):
        element = order.nth(number)
        label = element.get_attribute("aria-label")
        text = visit.page.evaluate(VISIBLE)
        for answer in answers(label, kept[label]):
            if place := re.search(rf"(?<![\d.,]){re.escape(answer)}(?![\d.,]*\d)", text):
                in_sight.append(f"{answer}: {text[max(0, place.start() - 80) : place.end() + 40]}")
        skip(element)
    assert not in_sight, f"{asking} gives an answer away:\n" + "\n".join(in_sight)
    assert not visit.page.locator(".book-fold").count() and not visit.faults
    visit.page.close()


@pytest.fixture
def folded(context, address):
    """The page with most folds, freshly opened."""
    names = with_predictions()
    if not names:
        pytest.skip("No page of the built book asks for a prediction.")
    visit = opened(context, address, max(names, key=lambda name: len(predictions(name))))
    yield visit
    visit.page.close()


def first_below(visit):
    """A line of text below the first prediction."""
    return visit.page.locator(".book-fold").first.locator("p, .cell").first


def test_a_guess_opens_what_stands_below_and_leaves_the_other_folds(folded):
    below, count = first_below(folded), folded.page.locator(".book-fold").count()
    below = below.element_handle()
    before = folded.page.evaluate("() => document.querySelector('.bd-article').children.length")
    assert not below.is_visible()
    folded.page.get_by_role("button", name="This is my guess").first.press("Enter")
    assert below.is_visible() and folded.page.locator(".book-fold").count() == count - 1
    assert before == folded.page.evaluate("() => document.querySelector('.bd-article').children.length")


def test_show_everything_opens_the_page_and_closes_it_again_but_for_what_was_answered(folded):
    switch, folds = (
        folded.page.get_by_role("switch", name="Show everything"),
        folded.page.locator(".book-fold"),
    )
    count, text = folds.count(), folded.page.evaluate(VISIBLE)
    switch.press("Space")
    assert not folds.count() and not folded.page.locator(".book-fold-note").count()
    assert folded.page.locator("[data-instrument=predict] .tk-readout").first.inner_text() == ""
    switch.press("Space")
    assert folds.count() == count and folded.page.evaluate(VISIBLE) == text
    skip(folded.page.locator("[data-instrument=predict]").first)
    switch.press("Space")
    switch.press("Space")
    assert folds.count() == count - 1


def test_a_link_into_a_fold_opens_it(folded):
    inside = folded.page.locator(".book-fold [id]").first
    name = inside.get_attribute("id")
    folded.page.evaluate("name => { location.hash = name; }", name)
    folded.page.wait_for_function("name => !document.getElementById(name).closest('.book-fold')", arg=name)
    folded.page.goto("about:blank")
    folded.page.goto(f"{folded.base}{folded.name}#{name}")
    assert folded.page.locator(f"[id='{name}']").is_visible()


def test_a_word_that_was_searched_for_opens_its_fold(folded):
    text = first_below(folded).evaluate("node => node.textContent")
    word = max(re.findall(r"[A-Za-z]+", text), key=len)
    folded.page.goto(f"{folded.base}{folded.name}?highlight={word}")
    folded.page.wait_for_function(
        "() => document.querySelector('.highlighted') && !document.querySelector('.book-fold .highlighted')"
    )


def test_a_printed_page_is_open(folded):
    below = first_below(folded)
    folded.page.emulate_media(media="print")
    assert below.evaluate("node => node.checkVisibility()") and below.bounding_box()["height"] > 0
    assert not folded.page.locator(".book-fold-note").first.is_visible()


def test_a_page_without_javascript_is_open(browser):
    context = browser.new_context(java_script_enabled=False, viewport=WIDE)
    page = context.new_page()
    page.goto((SITE / with_predictions()[0]).as_uri())
    assert page.locator(".tag_prediction ~ p, .tag_prediction ~ section").first.is_visible()
    assert not page.locator(".book-fold, .book-folds").count()
    context.close()


def test_a_distance_is_told_in_points_and_decibels(context, address):
    told = set()
    for name in with_predictions():
        for label, sealed, scale in predictions(name, scale=True):
            unit = scale.get("unit", "").strip()
            if unit not in ("%", "dB") or unit in told:
                continue
            visit = Visit(context, SITE, address, name)
            group(visit, label).get_by_role("slider").press("End")
            group(visit, label).get_by_role("button", name="This is my guess").press("Enter")
            apart = f"{scale['max'] - sealed['answer']:.{scale['digits']}f}"
            says = group(visit, label).locator(".tk-headline").inner_text()
            assert f": {apart} {'points' if unit == '%' else 'dB'} too high." in says
            visit.page.close()
            told.add(unit)
    assert told == {"%", "dB"}
