"""The report of `toykit explore` in a browser, opened from its file: everyone can read it, and its controls work."""

import pytest
from axe_playwright_python.sync_playwright import Axe

import toykit as tk
from tests.exploration.test_report import FEW, model_at

from .test_pages import STICKING_OUT, faults_of_instrument
from .visit import PHONE, WIDE, Visit

# The smallest letters of what is shown, in pixels.
LEAST = """() => Math.min(...[...document.querySelectorAll("body *")]
  .filter(node => node.checkVisibility() && [...node.childNodes].some(one => one.nodeType === 3 && one.data.trim()))
  .map(node => parseFloat(getComputedStyle(node).fontSize)))"""


@pytest.fixture(scope="module")
def opened(context, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    tk.explore(model_at(folder), out=folder / "out", at_least="18dB", settings=FEW, jobs=1)
    visit = Visit(context, folder / "out", (folder / "out").as_uri() + "/", "report.html")
    visit.page.locator(".tk-instrument .tk-headline").wait_for()
    yield visit
    visit.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened, scheme):
    opened.page.emulate_media(color_scheme=scheme)
    opened.page.wait_for_function(
        "scheme => document.querySelector('.tk-instrument').dataset.tkTheme === scheme", arg=scheme
    )
    opened.hold_still()
    found = Axe().run(opened.page, options={"resultTypes": ["violations"], "preload": False}).response
    assert [(one["id"], one["nodes"][0]["html"][:160]) for one in found["violations"]] == []


def test_it_fits_a_phone_with_letters_that_can_be_read(opened):
    opened.page.set_viewport_size(PHONE)
    opened.settle()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert not opened.page.evaluate(STICKING_OUT) and opened.page.evaluate(LEAST) >= 9
    opened.page.set_viewport_size(WIDE)


def test_on_paper_there_are_pictures_and_no_controls(opened):
    opened.page.emulate_media(media="print")
    assert opened.page.locator(".tk-picture-front").is_visible()
    assert not opened.page.locator(".tk-instrument :is(input, select)").first.is_visible()
    opened.page.emulate_media(media="screen")


def test_controls_move_the_marks_and_nothing_leaves_or_fails(opened):
    assert not faults_of_instrument(opened, 0)
    assert not opened.faults


def test_a_long_path_anywhere_fits_a_phone(opened):
    # Comes last: names of files and of metrics are the reader's, and nothing says where a line may break.
    opened.page.set_viewport_size(PHONE)
    opened.page.evaluate(
        "document.querySelectorAll('main :is(h1, h2, h3, p, li, caption)').forEach(node => node.append('m'.repeat(90)))"
    )
    opened.settle()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
