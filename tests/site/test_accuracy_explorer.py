"""The accuracy explorer on its page: what moves together is seen together, and its tasks check themselves."""

import re

import numpy as np
import pytest

from book._tools.project import DATA
from toykit import sweep
from toykit.widgets import accuracy

from .conftest import SITE
from .visit import PHONE, Visit

PAGE = "notebooks/06_accuracy.html"


@pytest.fixture
def explorer(context, address):
    visit = Visit(context, SITE, address, PAGE)
    yield visit.page.locator("[data-instrument=accuracy]"), visit
    visit.page.close()


def put(explorer, setting):
    """Move the sliders, by keyboard, and the choice of layers to (pruned, palette, layer)."""
    *places, layer = map(int, setting)
    for slider, place in zip(explorer.locator("input[type=range]:visible").all(), places, strict=True):
        slider.focus()
        slider.page.keyboard.press("Home")
        for _ in range(place):
            slider.page.keyboard.press("ArrowRight")
    explorer.locator("select").first.select_option(index=layer)


def test_sliders_and_curve_are_in_one_view_on_a_phone(explorer):
    element, visit = explorer
    visit.page.set_viewport_size(PHONE)
    visit.settle()
    top = element.locator("input[type=range]").first.bounding_box()
    curve = element.locator("svg").first.bounding_box()
    assert curve["y"] + curve["height"] - top["y"] < PHONE["height"]


@pytest.mark.parametrize("number", range(len(accuracy.TASKS)))
def test_a_task_knows_the_smallest_that_hears_enough(explorer, number):
    element, _visit = explorer
    task, answer = accuracy.TASKS[number], element.get_by_role("status").nth(1 + number)
    check = element.get_by_role("button", name=f"Check task {number + 1}")
    data = np.load(DATA / "crepe_explorer.npz")
    share = data["right"][..., list(accuracy.SCORES).index(task["score"])] / 150
    sizes = data["nbytes"].astype(float)
    allowed = np.arange(8) > 0 if task["one"] else np.arange(8) == 0
    enough = (share >= task["enough"]) & allowed
    best = np.unravel_index(np.where(enough, sizes, np.inf).argmin(), sizes.shape)
    too_far = np.argwhere((share < task["enough"]) & allowed)[0]

    put(element, (0, 0, 0 if task["one"] else 3))
    check.click()
    assert "first" in answer.inner_text()  # other layers than the task is about
    put(element, too_far)
    check.click()
    assert "not enough" in answer.inner_text()
    put(element, (0, 0, best[2]))
    check.click()
    assert f"{np.sum(enough & (sizes < sizes[0, 0, 0]))} smaller files" in answer.inner_text()
    put(element, best)
    check.click()
    assert answer.inner_text().startswith("\u2713")


def test_another_network_takes_the_place_of_crepe_and_gives_it_back(explorer):
    element, _visit = explorer
    before = element.locator(".tk-readout").inner_text()
    rows = sweep.read(DATA / "networks_whole.csv").where(network="ocr_reader")
    rows = sorted(rows, key=lambda row: -row["nbytes"])
    assert element.locator("input[type=range]:visible").count() == 2

    element.get_by_label("PP-OCRv6: words").check(force=True)
    (slider,) = element.locator("input[type=range]:visible").all()
    assert element.locator("svg:visible").count() == 1 and not element.get_by_role("button").count()
    assert element.locator("svg:visible line[stroke-width='1.5']").count() == len(rows)
    slider.focus()
    for row in rows[1:]:
        element.page.keyboard.press("ArrowRight")
        told = element.locator(".tk-readout").inner_text()
        share = float(re.search(r"([\d.]+) % right", told)[1])
        assert abs(share - 100 * row["right"]) < 0.051 and "float16 90.3 %" in told
        assert slider.get_attribute("aria-valuetext").startswith(row["label"].replace(" kmeans", ""))

    element.get_by_label("MiniLM: sentences").check(force=True)
    assert "77.9 % right" in element.locator(".tk-readout").inner_text()  # from its largest file again
    element.get_by_label("CREPE: tones").check(force=True)
    assert element.locator(".tk-readout").inner_text() == before
    assert element.locator("svg:visible").count() == 3
