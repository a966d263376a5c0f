"""The package explorer on the page about packages: list, search, connections, details and the weight file."""

import json
import re

import pytest

from .conftest import SITE
from .test_instruments import STATES
from .visit import PHONE, WIDE, Visit

PAGE = "notebooks/12_inside_a_package.html"


def stored():
    """The state of every package explorer on the page, in its order."""
    source = (SITE / PAGE).read_text(encoding="utf-8")
    models = [
        model["state"] for text in STATES.findall(source) for model in json.loads(text)["state"].values()
    ]
    return [state for state in models if {"steps", "weights", "meanings"} <= set(state)]


@pytest.fixture(scope="module")
def opened(context, address):
    if not (SITE / PAGE).is_file() or not stored():
        pytest.skip(f"{PAGE} is not in the built book, or has no package explorer.")
    visit = Visit(context, SITE, address, PAGE)
    yield visit
    visit.page.close()


@pytest.fixture
def explorer(opened):
    """The page, its first package explorer, and what is stored for it."""
    opened.load()
    element = opened.page.locator('[data-instrument="package"]').first
    element.scroll_into_view_if_needed()
    label = element.get_attribute("aria-label")
    return opened, element, next(state for state in stored() if state["label"] == label)


def chosen(element):
    """The number of the operation that is marked, as its row and as the details say."""
    rows = element.locator("[role=option][aria-selected=true]")
    number = int(re.match(r"(\d+) of", element.get_by_role("region").inner_text())[1]) - 1
    assert rows.count() <= 1
    if rows.count():
        assert rows.first.get_attribute("id").endswith(f"-{number}")
    return number


def details(element):
    return element.get_by_role("region").inner_text()


def test_the_list_has_every_operation_and_says_which_is_chosen(explorer):
    _, element, state = explorer
    assert element.locator("[role=option]").count() == len(state["steps"])
    assert chosen(element) == state["selected"]
    assert f"of {len(state['steps'])}" in details(element)


def test_keys_walk_through_the_list_and_the_page_stays_where_it_is(explorer):
    visit, element, state = explorer
    names = [state["words"][step[0]] for step in state["steps"]]
    listbox, last = element.get_by_role("listbox"), len(names) - 1
    listbox.focus()
    before = visit.page.evaluate("scrollY")
    for key, number in (
        ("End", last),
        ("ArrowDown", last),
        ("ArrowUp", last - 1),
        ("Home", 0),
        ("ArrowDown", 1),
    ):
        visit.page.keyboard.press(key)
        assert chosen(element) == number and names[number] in details(element)
        assert state["meanings"][names[number]] in details(element)
        active = visit.page.locator(f"#{listbox.get_attribute('aria-activedescendant')}")
        row, box = active.bounding_box(), element.locator(".tk-pk-scroll").bounding_box()
        assert box["y"] - 1 <= row["y"] and row["y"] + row["height"] <= box["y"] + box["height"] + 1
        assert f"Operation {number + 1}, {names[number]}" in element.locator(".tk-readout").inner_text()
    assert visit.page.evaluate("scrollY") == before


def test_search_and_filter_shorten_the_list_and_say_to_how_many(explorer):
    visit, element, state = explorer
    names, total = [state["words"][step[0]] for step in state["steps"]], len(state["steps"])
    op = max(set(names), key=lambda name: (names.count(name) < total, names.count(name), name))
    element.get_by_label("Operator").select_option(op)
    assert element.locator("[role=option]").count() == names.count(op)
    assert f"{names.count(op)} of {total} operations" in element.inner_text()
    element.get_by_label("Operator").select_option("")
    search = element.get_by_label("Search")
    own = state["steps"][-1][1]
    search.fill(own.upper())
    rows = element.locator("[role=option]")
    assert 1 <= rows.count() < total and own in element.locator(".tk-pk-list").inner_text()
    search.press("Enter")
    assert visit.page.evaluate("document.activeElement.getAttribute('role')") == "listbox"
    assert own in details(element)
    search.fill("no operation is called like this")
    assert rows.count() == 0 and f"0 of {total} operations" in element.inner_text()
    search.fill("")
    assert rows.count() == total


def test_connections_are_drawn_and_those_of_the_chosen_one_stand_out(explorer):
    visit, element, state = explorer
    pairs = {
        (take[1], number)
        for number, step in enumerate(state["steps"])
        for take in step[3]
        if isinstance(take[1], int)
    }
    assert element.locator(".tk-pk-edge").count() == len(pairs)
    element.get_by_role("listbox").focus()
    visit.page.keyboard.press("End")
    last = len(state["steps"]) - 1
    assert element.locator(".tk-pk-on").count() == sum(last in pair for pair in pairs)


def test_a_jump_goes_to_where_an_input_comes_from(explorer):
    _visit, element, state = explorer
    target = next(
        n
        for n in range(len(state["steps"]) - 1, 0, -1)
        if any(isinstance(t[1], int) for t in state["steps"][n][3])
    )
    source = next(take[1] for take in state["steps"][target][3] if isinstance(take[1], int))
    element.locator("[role=option]").nth(target).click()
    assert chosen(element) == target
    element.get_by_role("button", name=re.compile(f"^Go to operation {source + 1},")).first.press("Enter")
    assert chosen(element) == source
    users = sum(any(take[1] == source for take in step[3]) for step in state["steps"])
    assert element.locator(".tk-pk-users button").count() == users


def test_constants_say_where_they_lie_and_the_weight_file_leads_back(explorer):
    _visit, element, state = explorer
    places = [place for _, _, blobs in state["weights"] for place in blobs]
    largest = max(range(len(places)), key=lambda i: places[i][2])
    owner = next(constant[0] for constant in state["constants"] if constant[-1] == largest)
    record, lead, nbytes = places[largest]
    strip = element.locator(".tk-pk-strip").first
    box = strip.bounding_box()
    # Its middle on the strip: every array has a pixel, and the rest goes by bytes.
    scale = (box["width"] - len(places)) / sum(place[2] for place in places)
    middle = largest + sum(place[2] for place in places[:largest]) * scale + (1 + nbytes * scale) / 2
    strip.click(position={"x": middle, "y": 8})
    assert chosen(element) == owner
    assert f"record at {record:,}, data from {record + lead:,}" in details(element)
    assert f"{nbytes:,} bytes" in details(element)
    assert f"at byte {record:,}" in element.locator(".tk-pk-file").inner_text()
    assert element.locator(".tk-pk-chosen-part").get_attribute("d").count("M") >= 1


def test_on_a_phone_the_details_stand_below_the_list(explorer):
    visit, element, _ = explorer
    visit.page.set_viewport_size(PHONE)
    visit.settle()
    scroller, region = (
        element.locator(".tk-pk-scroll").bounding_box(),
        element.get_by_role("region").bounding_box(),
    )
    assert (
        region["y"] >= scroller["y"] + scroller["height"] and region["x"] + region["width"] <= PHONE["width"]
    )
    visit.page.set_viewport_size(WIDE)
    visit.settle()
    scroller, region = (
        element.locator(".tk-pk-scroll").bounding_box(),
        element.get_by_role("region").bounding_box(),
    )
    assert region["x"] >= scroller["x"] + scroller["width"]
