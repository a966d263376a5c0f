"""What a reader has done: counted on the chapters, shown in the table of contents and on the page "Where am I"."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from book._tools import course, to_do

from .conftest import SITE
from .visit import PHONE, WIDE, Visit

PAGE = "book/where_am_i.html"
CHAPTER = "notebooks/02_pruning"
# Read from the top to the bottom: each heading, then the end of the page.
READ = """async () => {
  const rest = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  for (const part of document.querySelectorAll(".bd-article h2, footer.prev-next-footer")) {
    part.scrollIntoView({ behavior: "instant", block: "center" });
    await rest();
  }
}"""
# What a browser does that is told to let pages keep nothing.
BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name,
  { configurable: true, get() { throw new DOMException("The operation is insecure.", "SecurityError"); } });"""
FULL = """Storage.prototype.setItem = (key) => {
  if (key === "toykit-progress") throw new DOMException("full", "QuotaExceededError"); };"""


@pytest.fixture
def reader(browser, address, request):
    """A reader who has done nothing yet: a function that opens a page for them."""
    if not (SITE / PAGE).is_file():
        pytest.skip(f"{PAGE} is not in the built book")
    context = browser.new_context(viewport=WIDE, accept_downloads=True)
    base = address if getattr(request, "param", "file") == "http" else SITE.as_uri() + "/"
    opened = []

    def go(name, folded=False):
        opened.append(Visit(context, SITE, base, name, folded=folded))
        return opened[-1]

    go.context = context
    yield go
    for visit in opened:
        assert not visit.faults, visit.faults
    context.close()


both = pytest.mark.parametrize("reader", ["http", "file"], indirect=True)


def state(visit):
    return visit.page.evaluate("() => tkProgress.state()")


def read(visit):
    return state(visit)["pages"].get(CHAPTER, {}).get("read", False)


def row(visit, name=CHAPTER):
    return visit.page.locator("table tr", has=visit.page.locator(f'a[href$="{name}.html"]')).first.locator(
        "td"
    )


def sums(visit):
    return visit.page.locator(".book-sums > span").all_inner_texts()


def test_what_there_is_to_do_is_what_the_notebooks_hold():
    there = to_do.by_page()[CHAPTER]
    assert there["exercises"] == ["pruning_mask", "sparse_bytes", "n_m_mask"]
    assert there["transfer"] == ["mask_fault"]
    assert len(there["predictions"]) == len(set(there["predictions"])) == 2


@both
def test_predictions_exercises_and_reading_are_counted_and_shown(reader):
    chapter = reader(f"{CHAPTER}.html", folded=True)
    predictions = to_do.by_page()[CHAPTER]["predictions"]
    for button in ("This is my guess", "Skip, show me"):
        question = chapter.page.locator("[data-instrument=predict]").filter(
            has=chapter.page.locator("button")
        )
        question.first.get_by_role("button", name=button).press("Enter")
    chapter.page.evaluate(
        "() => { tkProgress.passed(null, 'n_m_mask'); tkProgress.passed(null, 'n_m_mask'); }"
    )
    chapter.page.evaluate("page => tkProgress.passed(page, 'of another edition')", CHAPTER)
    done = state(chapter)["pages"][CHAPTER]
    assert {*done["guessed"], *done["skipped"]} == {*predictions} and len(done["guessed"]) == 1
    assert done["passed"] == ["n_m_mask", "of another edition"] and not done["read"]
    mark = chapter.page.locator('.bd-docs-nav li:has(> a[href="#"]) > .book-done')
    said = "begun, 1 of 2 predictions made, 1 of 3 exercises passed, 0 of 1 transfer tasks passed"
    assert mark.get_attribute("aria-label") == said

    where = reader(PAGE)
    assert row(where).all_inner_texts()[1:] == ["begun", "1 of 2, 1 skipped", "1 of 3", "0 of 1"]
    assert sums(where)[0].startswith("0 of ") and sums(where)[1].startswith("1 of ")
    chapter.page.evaluate(READ)
    where.page.wait_for_function("() => document.querySelector('.book-sums b').textContent === '1'")
    assert row(where).all_inner_texts()[1] == "read"  # the other tab said so
    assert "3. Quantization" in where.page.locator("#book-progress a").inner_text()


def test_chapters_are_called_by_their_own_numbers(reader):
    where = reader(PAGE)
    said = where.page.locator("table").first.locator("td:first-child").all_inner_texts()
    numbers = [chapter.number for chapter in course.chapters().values()]
    assert [text.partition(". ")[0] if number else "" for text, number in zip(said, numbers)] == numbers
    heading = reader("notebooks/08c_breaks_at_thirty_percent.html").page.locator(".bd-article h2").first
    assert heading.inner_text().startswith("8c.1. ")


def test_a_page_is_not_read_while_a_prediction_holds_back_what_follows(reader):
    chapter = reader(f"{CHAPTER}.html", folded=True)
    chapter.page.evaluate(READ)
    assert chapter.page.locator(".book-fold").count() and not read(chapter)
    while (skips := chapter.page.get_by_role("button", name="Skip, show me")).count():
        skips.first.press("Enter")
    chapter.page.evaluate(READ)
    chapter.page.wait_for_function("page => tkProgress.state().pages[page].read", arg=CHAPTER)


def test_a_jump_to_the_end_has_read_nothing_and_where_it_stopped_is_a_link(reader):
    chapter = reader(f"{CHAPTER}.html")
    chapter.page.locator("footer.prev-next-footer").scroll_into_view_if_needed()
    chapter.settle()
    chapter.settle()
    assert not read(chapter)
    chapter.page.locator(".bd-article h2").nth(2).scroll_into_view_if_needed()
    chapter.page.wait_for_function("() => tkProgress.state().last.place !== 'what-to-take-away'")
    last = state(chapter)["last"]
    link = reader(PAGE).page.locator("#book-progress a")
    assert last["page"] == CHAPTER and link.get_attribute("href").endswith(f"{CHAPTER}.html#{last['place']}")


@both
def test_progress_is_saved_erased_and_loaded_again(reader, tmp_path):
    where = reader(PAGE)
    where.page.evaluate("page => tkProgress.passed(page, 'n_m_mask')", CHAPTER)
    with where.page.expect_download() as download:
        where.page.get_by_role("button", name="Save as a file").press("Enter")
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert json.loads(saved.read_text())["pages"][CHAPTER]["passed"] == ["n_m_mask"]

    where.page.get_by_role("button", name="Erase").press("Enter")
    assert where.page.evaluate("() => document.activeElement.textContent") == "Keep it"
    where.page.keyboard.press("Enter")
    assert row(where).nth(3).inner_text() == "1 of 3"
    where.page.get_by_role("button", name="Erase").press("Enter")
    where.page.get_by_role("button", name="Erase it for good").press("Enter")
    assert row(where).nth(3).inner_text() == "0 of 3" and state(where)["pages"] == {}
    assert not where.page.locator(".book-done").count()
    assert (
        where.page.evaluate("() => Object.keys(localStorage).filter(key => key.includes('progress'))") == []
    )

    where.page.evaluate("page => tkProgress.passed(page, 'pruning_mask')", CHAPTER)
    where.page.locator("input[type=file]").set_input_files(saved)
    where.page.get_by_text("toykit-progress.json is loaded").wait_for()
    assert row(where).nth(3).inner_text() == "2 of 3"  # added to what was there


FILES = {
    "no JSON": "holds no progress",
    "[1, 2]": "holds no progress",
    '{"pages": {}}': "holds no progress",
    '{"version": 2, "pages": {}}': "newer edition",
    " " * 1_000_001: "1,000,001 bytes",
    '{"version": 1, "pages": {"__proto__": {"passed": 7}, "x": null, "y": {"read": "yes"}}}': "is loaded",
}


def test_a_file_that_is_no_progress_changes_nothing(reader, tmp_path):
    where = reader(PAGE)
    where.page.evaluate("page => tkProgress.passed(page, 'n_m_mask')", CHAPTER)
    for text, says in FILES.items():
        file = tmp_path / "chosen.json"
        file.write_text(text)
        where.page.locator("input[type=file]").set_input_files(file)
        where.page.locator(".book-said", has_text=says).wait_for()
        assert row(where).nth(3).inner_text() == "1 of 3" and sums(where)[0].startswith("0 of ")


@pytest.mark.parametrize("script", [BLOCKED, FULL], ids=["blocked", "full"])
def test_all_of_it_works_where_nothing_is_kept(reader, script):
    reader.context.add_init_script(script)
    where = reader(PAGE)
    where.page.evaluate("page => tkProgress.passed(page, 'n_m_mask')", CHAPTER)
    assert "forgotten when you leave" in where.page.locator(".book-note").inner_text()
    assert row(where).nth(3).inner_text() == "1 of 3"
    where.page.get_by_role("button", name="Erase").click()
    where.page.get_by_role("button", name="Erase it for good").click()
    assert row(where).nth(3).inner_text() == "0 of 3"


def test_a_page_with_marks_is_sound_for_axe_and_fits_a_phone(reader):
    where = reader(PAGE)
    where.page.evaluate("page => tkProgress.passed(page, 'n_m_mask')", CHAPTER)
    where.page.get_by_role("button", name="Erase").click()
    for scheme in ("light", "dark"):
        where.page.emulate_media(color_scheme=scheme)
        where.page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
        where.hold_still()
        found = Axe().run(where.page, options={"resultTypes": ["violations"], "preload": False}).response
        assert [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")] == []
    where.page.set_viewport_size(PHONE)
    where.settle()
    assert where.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]


def test_without_javascript_the_page_says_what_it_would_show(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / PAGE).as_uri())
    assert "With JavaScript, this page would show" in page.locator("article noscript").inner_text()
    assert page.locator("table td").nth(7).inner_text() == "3"  # the predictions of the first chapter
    context.close()
