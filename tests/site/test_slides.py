"""The decks of slides, from their files and without a network: each slide fits, each widget answers, each prints."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from book._tools import slides

from .conftest import SITE
from .controls import CONTROLS, move, usable
from .visit import PATIENCE, PHONE, Visit

STAGE = {"width": 1280, "height": 720}
DECKS = list(slides.decks())

# What of the present slide lies outside of its stage, what is cut off, and what is shown too small to see.
MISFITS = """() => {
  const slide = document.querySelector("section.present .slide"), stage = slide.getBoundingClientRect();
  const name = (node) => `<${node.tagName.toLowerCase()} class="${node.className}">`;
  const inside = (node, box) => {
    const { left, right, top, bottom } = node.getBoundingClientRect();
    return left >= box.left - 1 && right <= box.right + 1 && top >= box.top - 1 && bottom <= box.bottom + 1;
  };
  const found = [...slide.querySelectorAll(":scope > :not(.notes)")].filter((node) => !inside(node, stage));
  for (const box of slide.querySelectorAll(".shown")) {
    if (box.clientHeight < 250) found.push(box);
    found.push(...[...box.children].filter((node) => !inside(node, box.getBoundingClientRect())));
  }
  return found.map(name);
}"""


@pytest.fixture(scope="module")
def offline(browser):
    context = browser.new_context(viewport=STAGE, offline=True, reduced_motion="reduce")
    yield context
    context.close()


def opened(context, name, **options):
    if not (SITE / f"slides/{name}.html").is_file():
        pytest.skip("the built book has no slides")
    return Visit(context, SITE, SITE.as_uri() + "/", f"slides/{name}.html", **options)


def ready(visit):
    visit.page.wait_for_function("() => window.Reveal && Reveal.isReady()", timeout=PATIENCE)
    return visit


def unfit(visit):
    """The misfits of the present slide, once what is drawn has found its size."""
    for _ in range(10):
        if not (found := visit.page.evaluate(MISFITS)):
            break
        visit.page.wait_for_timeout(40)
    return found


@pytest.mark.parametrize("name", DECKS)
def test_every_slide_fits_and_every_widget_answers(offline, name):
    visit, faults = ready(opened(offline, name)), []
    for number, slide in enumerate(slides.decks()[name].slides):
        visit.page.evaluate("number => Reveal.slide(number)", number)
        faults += [(slide.title, "does not fit", found) for found in unfit(visit)]
        assert "Ask:" in visit.page.evaluate("() => Reveal.getSlideNotes()")
        if slide.show == "widget":
            instrument = visit.page.query_selector("section.present .tk-instrument")
            control = next(one for one in instrument.query_selector_all(CONTROLS) if usable(one))
            if not move(visit, instrument, control):
                faults.append((slide.title, "does not answer"))
            if skip := instrument.query_selector("button >> text=Skip, show me"):
                skip.press("Enter")
            faults += [(slide.title, "does not fit once it has answered", found) for found in unfit(visit)]
        elif slide.show == "picture":
            loaded = (
                "() => [...document.querySelectorAll('section.present img')].every(one => one.naturalWidth)"
            )
            visit.page.wait_for_function(loaded, timeout=PATIENCE)
    visit.page.close()
    assert faults + visit.faults == []


@pytest.mark.parametrize("name", DECKS)
def test_a_deck_prints_a_page_for_each_slide_and_axe_finds_nothing_in_either_scheme(offline, name):
    visit, deck = opened(offline, name, query="?print-pdf"), slides.decks()[name]
    widgets = sum(slide.show == "widget" for slide in deck.slides)
    visit.page.wait_for_function(
        """([pages, widgets]) => document.querySelectorAll(".pdf-page").length === pages &&
             document.querySelectorAll(".tk-instrument").length === widgets""",
        arg=[len(deck.slides), widgets],
        timeout=PATIENCE,
    )
    assert pages_of(visit) == len(deck.slides)
    found = []
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        visit.page.evaluate("scheme => { document.documentElement.dataset.theme = scheme; }", scheme)
        visit.hold_still()
        options = {"resultTypes": ["violations"], "preload": False, **rules}
        found += [
            (scheme, rule["id"], node["html"][:150])
            for rule in Axe().run(visit.page, options=options).response["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"][:3]
        ]
    visit.page.close()
    assert found + visit.faults == []


def pages_of(visit):
    data = visit.page.pdf(prefer_css_page_size=True, print_background=True)
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", data))


def test_notes_are_printed_if_asked_for_a_page_each(offline):
    visit = opened(offline, "part_1", query="?print-pdf&showNotes=separate-page")
    count = len(slides.decks()["part_1"].slides)
    visit.page.wait_for_function(
        "count => document.querySelectorAll('.speaker-notes-pdf').length === count",
        arg=count,
        timeout=PATIENCE,
    )
    assert pages_of(visit) == 2 * count
    visit.page.close()


def test_the_speaker_sees_the_notes_of_the_slide_that_is_shown(offline):
    visit, (_, slide, *_) = ready(opened(offline, "part_1")), slides.decks()["part_1"].slides
    with visit.page.expect_popup() as popup:
        visit.page.keyboard.press("s")
    visit.page.keyboard.press("ArrowRight")
    popup.value.wait_for_function(
        "words => document.querySelector('.speaker-controls-notes').textContent.includes(words)",
        arg=slide.ask,
        timeout=PATIENCE,
    )
    popup.value.close()
    visit.page.close()


def test_a_clicker_turns_the_page_and_arrows_move_the_slider_that_has_the_focus(offline):
    visit = ready(opened(offline, "part_1"))
    place = next(i for i, one in enumerate(slides.decks()["part_1"].slides) if one.show == "widget")
    visit.page.evaluate("number => Reveal.slide(number)", place)
    slider = visit.page.locator("section.present input[type=range]")
    before = slider.input_value()
    slider.press("ArrowRight")
    assert slider.input_value() != before
    assert visit.page.evaluate("() => Reveal.getState().indexh") == place
    slider.press("PageDown")
    assert visit.page.evaluate("() => Reveal.getState().indexh") == place + 1
    visit.page.close()


def test_on_a_phone_a_deck_is_a_page_that_reads_from_top_to_bottom(browser):
    context = browser.new_context(viewport=PHONE, offline=True, reduced_motion="reduce")
    visit = opened(context, "part_2", scheme="dark")
    widgets = sum(slide.show == "widget" for slide in slides.decks()["part_2"].slides)
    assert visit.page.locator(".tk-instrument").count() == widgets
    assert visit.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    assert visit.page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    visit.page.set_viewport_size(STAGE)  # turned to a wide screen, it becomes a deck
    ready(visit)
    assert visit.page.evaluate("() => Reveal.getConfig().transition") == "none"
    assert visit.faults == []
    context.close()


@pytest.mark.parametrize("name", DECKS)
def test_the_links_of_a_deck_lead_to_sections_of_the_book(browser, name):
    if not (SITE / f"slides/{name}.html").is_file():
        pytest.skip("the built book has no slides")
    links = re.findall(
        r'href="\.\./(notebooks/[^"]+)"', (SITE / f"slides/{name}.html").read_text(encoding="utf-8")
    )
    assert len(links) >= len(slides.decks()[name].slides) - 1
    dead = []
    for page, _, place in (link.partition("#") for link in sorted({*links})):
        if (
            (SITE / page).is_file()
            and place
            and f'id="{place}"' not in (SITE / page).read_text(encoding="utf-8")
        ):
            dead.append((page, place))
    assert dead == []
