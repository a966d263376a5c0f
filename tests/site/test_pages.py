"""Every page of the built book, over http: nothing fails, nothing leaves the site, everyone can read it."""

import re
from types import SimpleNamespace

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.nightly import nightly

from .controls import CONTROLS, kind_of, move, name_of, usable
from .visit import PHONE, WIDE

POOR_TEXT = re.compile(
    r"^(image|figure|picture|plot|\.{0,2}/?_images/.*|.*\.(png|svg|jpe?g|gif|webp))$", re.IGNORECASE
)

# Elements that stick out of the page on the right, unless a box of their own scrolls them.
STICKING_OUT = """() => {
  // A drawer that waits beside the screen is fixed there; it is opened by a button.
  const inBox = node => {
    for (let box = node; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.position === "fixed") return true;
      const inside = box.getBoundingClientRect().right <= innerWidth + 1;
      if (box !== node && style.overflowX !== "visible" && inside) return true;
    }
    return false;
  };
  const width = document.documentElement.clientWidth;
  return [...document.querySelectorAll("body *")]
    .filter(node => node.checkVisibility())
    .map(node => [node, node.getBoundingClientRect()])
    .filter(([node, box]) => box.width > 1 && box.right > width + 1 && box.left < width && !inBox(node))
    .slice(0, 5)
    .map(([node, box]) => `<${node.tagName.toLowerCase()} class="${node.getAttribute("class") || ""}"> ends at `
      + `${Math.round(box.right)} px: ${node.textContent.trim().slice(0, 40)}`);
}"""


def test_images_have_a_text_for_those_who_cannot_see_them(visit):
    images = visit.page.eval_on_selector_all(
        "main img", "images => images.map(image => [image.getAttribute('src'), image.getAttribute('alt')])"
    )
    poor = [
        source[-60:] for source, text in images if not (text or "").strip() or POOR_TEXT.match(text.strip())
    ]
    assert not poor, f"{visit.name}: alternative text is missing or says nothing: {poor}"


# Contrast depends on the colours of a text and of what lies behind it, and on its size: of the thousands of words
# on a page, which axe would look at one by one for half of this suite's time, the first of each kind are marked.
ONE_OF_EACH = """() => {
  const seen = new Set();
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    if (!words.currentNode.data.trim() || !element.checkVisibility()) continue;
    const own = getComputedStyle(element);
    const kind = [own.color, own.fontSize, own.fontWeight];
    for (let box = element; box; box = box.parentElement) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(box);
      kind.push(backgroundColor, backgroundImage, opacity);
    }
    element.toggleAttribute("data-one-of-each", !seen.has(kind.join()));
    seen.add(kind.join());
  }
}"""
MARKED = {"include": [["[data-one-of-each]"]]}


def violations(visit, context=None, **rules):
    """What axe finds serious: a line a rule, with the first places."""
    visit.hold_still()  # axe would read a colour half way to another
    # preload: axe would fetch every style sheet again, some from addresses that it takes for theirs.
    options = {"resultTypes": ["violations"], "preload": False, **rules}
    return [
        f"{rule['id']}: {rule['help']}: "
        + "; ".join(
            f"{node['html'][:160]} {node['failureSummary'].splitlines()[-1].strip()[:160]}"
            for node in rule["nodes"][:4]
        )
        for rule in Axe().run(visit.page, context=context, options=options).response["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


def test_axe_finds_nothing_serious(visit):
    found = violations(visit, rules={"color-contrast": {"enabled": False}})
    assert not found, f"{visit.name}:\n" + "\n".join(found)


def show(visit, scheme):
    """Bring the page into "light" or "dark", and wait until it is."""
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
    visit.hold_still()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_kind_of_text_has_contrast(visit, scheme):
    show(visit, scheme)
    visit.page.evaluate(ONE_OF_EACH)
    found = violations(visit, MARKED, runOnly=["color-contrast"])
    assert not found, f"{visit.name}, {scheme}:\n" + "\n".join(found)


@nightly
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_word_has_contrast_nightly(visit, scheme):
    show(visit, scheme)
    found = violations(visit, runOnly=["color-contrast"])
    assert not found, f"{visit.name}, {scheme}:\n" + "\n".join(found)


def test_a_poor_contrast_is_found_wherever_it_is(browser):
    """One word among equals on another ground, one too pale by a parent's opacity, one in the dark only."""
    page = browser.new_page()
    page.set_content("<main><h1>t</h1><p>good</p><p>good <b style='font-weight: 400'>good</b></p></main>")
    visit = SimpleNamespace(page=page, hold_still=lambda: None)
    look = lambda: (page.evaluate(ONE_OF_EACH), violations(visit, MARKED, runOnly=["color-contrast"]))[1]
    assert not look()
    for poor in (
        "<p style='background: #666'>good</p>",
        "<div style='opacity: .4'><p>good</p></div>",
        "<p style='color: #bbb'>good</p>",
    ):
        page.evaluate("poor => document.querySelector('main').insertAdjacentHTML('beforeend', poor)", poor)
        assert "color-contrast" in look()[0], poor
        page.evaluate("document.querySelector('main').lastElementChild.remove()")
        assert not look()
    page.close()


# What the column at 1280 pixels cuts off, so that one has to scroll sideways for it: code, what it prints, tables,
# figures. Folded cells are opened for it. Formulas have a copy for screen readers, which is wider than it seems.
CUT_OFF = """() => {
  document.querySelectorAll("details").forEach(details => { details.open = true; });
  return [...document.querySelectorAll(".bd-article *")]
    .filter(node => !node.closest(".math, .tk-instrument") && node.checkVisibility())
    .filter(node => node.clientWidth && node.scrollWidth > node.clientWidth + 1)
    .filter(node => getComputedStyle(node).overflowX !== "visible")
    .map(node => `${node.scrollWidth - node.clientWidth} px of: ` +
      node.textContent.split("\\n").reduce((a, b) => a.length < b.length ? b : a));
}"""
# Lines that are shown as they are printed, and scrolled: see WIDER in tests/test_notebooks_clean.py.
SCROLLED = re.compile(r"name \| #params|at most .* allowed")


def test_nothing_is_cut_off_by_the_column(visit):
    found = [line for line in visit.page.evaluate(CUT_OFF) if not SCROLLED.search(line)]
    assert not found, f"{visit.name}:\n" + "\n".join(found)


def test_nothing_sticks_out_on_a_phone(visit):
    visit.page.set_viewport_size(PHONE)
    visit.settle()
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    found = visit.page.evaluate(STICKING_OUT)
    visit.page.set_viewport_size(WIDE)
    visit.settle()
    assert wide <= PHONE["width"] and not found, f"{visit.name} is {wide} px wide at 390 px: {found}"


def test_every_control_has_a_name_and_changes_what_is_drawn(visit):
    assert visit.page.locator(".tk-instrument").count() >= visit.widgets_expected
    faults = []
    for number in range(visit.page.locator(".tk-instrument").count()):
        faults += faults_of_instrument(visit, number)
    assert not faults, f"{visit.name}:\n" + "\n".join(faults)


def faults_of_instrument(visit, number):
    """Move each control of one widget. Sliders and choices come first: a button may close the question."""
    instrument = visit.page.locator(".tk-instrument").nth(number)
    who = f"widget {number} ({instrument.get_attribute('data-instrument')})"
    if not instrument.locator(".tk-view").count():
        return [f"{who} has no element of class tk-view, so nothing says what it draws"]
    controls = [
        (index, kind_of(control), name_of(control), usable(control))
        for index, control in enumerate(instrument.locator(CONTROLS).all())
    ]
    faults = [
        f"{who}: a control of type {kind} has no accessible name" for _, kind, name, _ in controls if not name
    ]
    if not controls:
        faults.append(f"{who} has no control")
    for index, kind, name, at_first in controls:
        if kind == "button":
            continue
        control = instrument.locator(CONTROLS).nth(index)
        if kind == "radio" and control.is_checked():
            continue  # the others of its group are moved away from it
        if at_first and usable(control) and not move(visit, instrument, control):
            faults.append(f"{who}: moving {kind} {name!r} by keyboard did not change what is drawn")
    for name in [name for _, kind, name, _ in controls if kind == "button"]:
        if not press(visit, number, name):
            faults.append(f"{who}: pressing {name!r} by keyboard did not change what is drawn")
    return faults


def press(visit, number, name):
    """Press one button; where another has closed the question, open the page anew and move a control first."""
    for attempt in range(2):
        instrument = visit.page.locator(".tk-instrument").nth(number)
        buttons = [button for button in instrument.locator("button").all() if name_of(button) == name]
        if attempt and (not buttons or not usable(buttons[0])):
            others = instrument.locator(CONTROLS.replace(", button", "")).all()
            move(visit, instrument, next(other for other in others if usable(other)))
        if buttons and usable(buttons[0]):
            return move(visit, instrument, buttons[0])
        if not attempt:
            visit.load()
    return False


def test_nothing_failed_and_no_request_left_the_site(visit):
    # Comes last, so that it also hears what went wrong while the controls moved.
    visit.wait_until_quiet()
    assert not visit.faults, f"{visit.name}:\n" + "\n".join(visit.faults)
