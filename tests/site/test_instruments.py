"""What the instruments promise besides the keyboard: predictions keep their answer, themes are followed."""

import base64
import json
import re

import pytest

from .conftest import SITE, pages
from .visit import WIDE, Visit

STATES = re.compile(r'<script type="application/vnd\.jupyter\.widget-state\+json">(.*?)</script>', re.DOTALL)


def predictions(name, scale=False):
    """The label and the sealed reveal of every prediction on a page, and its scale if asked for."""
    found = []
    for text in STATES.findall((SITE / name).read_text(encoding="utf-8")):
        for model in json.loads(text)["state"].values():
            for buffer in model.get("buffers", ()):
                if buffer["path"] == ["sealed"]:
                    sealed = json.loads(base64.b64decode(buffer["data"]))
                    state = model["state"]
                    found.append((state["label"], sealed, *([state["scale"]] if scale else [])))
    return found


def with_predictions():
    return [name for name in pages() if predictions(name)]


@pytest.fixture
def asked(context, address):
    """A page with predictions, freshly opened, and for each its element and what it keeps."""
    names = with_predictions()
    if not names:
        pytest.skip("No page of the built book asks for a prediction.")
    visit = Visit(context, SITE, address, names[0])
    yield (
        visit,
        [
            (visit.page.get_by_role("group", name=label, exact=True), sealed)
            for label, sealed in predictions(names[0])
        ],
    )
    visit.page.close()


def test_no_prediction_shows_its_answer_before_it_is_asked(asked):
    _visit, questions = asked
    for element, sealed in questions:
        options = element.locator("input[type=radio]").count()
        text = element.inner_text()
        assert options or sealed["text"] not in text
        assert element.locator(".tk-readout").inner_text() == ""
        assert not element.locator(".tk-right").count()


def test_skipping_opens_the_answer_and_moves_the_focus_there(asked):
    _visit, questions = asked
    element, sealed = questions[0]
    element.get_by_role("button", name="Skip, show me").press("Enter")
    readout = element.locator(".tk-readout")
    assert sealed["text"] in readout.inner_text() and "{guess}" not in readout.inner_text()
    assert "You said" not in readout.inner_text()
    assert readout.evaluate("node => node === document.activeElement")
    assert readout.get_attribute("aria-live") == "polite"


def test_committing_shows_the_guess_beside_the_answer(asked):
    visit, questions = asked
    with_slider = [(e, sealed) for e, sealed in questions if e.locator("input[type=range]").count()]
    element, sealed = (with_slider or questions)[0]
    control = element.locator("input").first
    control.focus()
    visit.page.keyboard.press("ArrowRight" if control.get_attribute("type") == "range" else "Space")
    guess = control.get_attribute("aria-valuetext")
    element.get_by_role("button", name="This is my guess").press("Enter")
    text = element.locator(".tk-readout").inner_text()
    assert sealed["text"] in text and ("You said" in text or "what you said" in text)
    assert guess is None or guess in text
    assert not element.locator("input:enabled").count() and not element.locator("button").count()


def test_other_predictions_stay_closed(asked):
    _visit, questions = asked
    questions[0][0].get_by_role("button", name="Skip, show me").press("Enter")
    assert all(element.locator(".tk-readout").inner_text() == "" for element, _ in questions[1:])


def test_a_reload_asks_afresh(asked):
    visit, questions = asked
    questions[0][0].get_by_role("button", name="Skip, show me").press("Enter")
    visit.load()
    assert questions[0][0].locator(".tk-readout").inner_text() == ""


def test_instruments_follow_the_theme(asked):
    visit, _questions = asked
    for theme in ("dark", "light"):
        visit.page.emulate_media(color_scheme=theme)
        visit.page.wait_for_function(
            "theme => [...document.querySelectorAll('.tk-instrument')].every(i => i.dataset.tkTheme === "
            "theme)",
            arg=theme,
        )


def test_without_javascript_the_question_is_there_and_the_answer_is_folded(browser):
    names = with_predictions()
    if not names:
        pytest.skip("No page of the built book asks for a prediction.")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / names[0]).as_uri())
    for _, sealed in predictions(names[0]):
        answer = page.locator(".tk-fallback details", has_text=sealed["text"]).first
        assert answer.count() and not answer.locator("p").first.is_visible()
    context.close()


@pytest.mark.parametrize("instrument", ["lloyd", "hardening"])
def test_while_it_plays_the_sentence_follows_and_is_not_read_out_at_each_step(context, address, instrument):
    marker = f'tk.instrument(\\"{instrument}\\"'
    names = [name for name in pages() if marker in (SITE / name).read_text(encoding="utf-8")]
    if not names:
        pytest.skip("No page of the built book plays anything.")
    visit = Visit(context, SITE, address, names[0])
    element = visit.page.locator(f"[data-instrument={instrument}]").first
    readout = element.locator(".tk-readout")
    before = readout.inner_text()
    element.get_by_role("button", name="Play").press("Enter")
    assert readout.get_attribute("aria-live") == "off"
    visit.page.wait_for_function(
        "([node, before]) => node.innerText !== before", arg=[readout.element_handle(), before]
    )
    assert before.startswith("Step 0") and not readout.inner_text().startswith("Step 0:")
    element.get_by_role("button", name="Pause").press("Enter")
    assert readout.get_attribute("aria-live") == "polite"
    visit.page.close()


def test_who_wants_less_motion_gets_the_end_at_once(browser, address):
    marker = 'tk.instrument(\\"lloyd\\"'
    names = [name for name in pages() if marker in (SITE / name).read_text(encoding="utf-8")]
    if not names:
        pytest.skip("No page of the built book plays anything.")
    context = browser.new_context(viewport=WIDE, reduced_motion="reduce")
    element = Visit(context, SITE, address, names[0]).page.locator("[data-instrument=lloyd]").first
    slider, play = element.get_by_role("slider"), element.get_by_role("button", name="Play")
    for end in ("max", "min", "max"):
        play.press("Enter")
        assert slider.input_value() == slider.get_attribute(end)
        assert play.is_visible()  # and not Pause
    context.close()


def test_the_weights_of_the_valley_can_be_dragged(context, address):
    marker = 'tk.instrument(\\"valley\\"'
    names = [name for name in pages() if marker in (SITE / name).read_text(encoding="utf-8")]
    if not names:
        pytest.skip("No page of the built book has a valley.")
    visit = Visit(context, SITE, address, names[0])
    element = visit.page.locator("[data-instrument=valley]").first
    weights = [element.get_by_role("slider", name=name) for name in ("First weight", "Second weight")]
    before, said = [w.input_value() for w in weights], element.locator(".tk-readout").inner_text()
    cross = element.locator("svg g[style*=grab] circle")
    cross.scroll_into_view_if_needed()
    box = cross.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(x + 25, y - 25, steps=3)
    visit.page.mouse.up()
    visit.page.mouse.move(x, y)  # the button is up: nothing moves any more
    after = [w.input_value() for w in weights]
    assert all(float(b) < float(a) for b, a in zip(before, after, strict=True))
    assert element.locator(".tk-readout").inner_text() != said
    visit.page.close()
