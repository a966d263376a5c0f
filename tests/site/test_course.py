"""The course on the built pages: routes walked without a network, the map, terms where they are first used."""

import re

import pytest
from bs4 import BeautifulSoup

from book._tools import course, terms
from tests.nightly import nightly
from toykit.exercises import check

from .conftest import SITE
from .visit import PHONE, WIDE

ROUTES = ("workshop", "day", "evenings")
PAGES = list(course.chapters())


def soup(name):
    """The article of a built page, without scripts and code, which are most of it."""
    path = SITE / f"{name}.html"
    if not path.is_file():
        pytest.skip(f"{name} is not in the built book")
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<article") : text.index("</article>")]
    text = re.sub(r"<(script|style|noscript|pre)\b.*?</\1>", "", text, flags=re.DOTALL)
    return BeautifulSoup(text, "html.parser")


def links_of(page, route):
    """The links in a route's tables, in their order, as [address, words]."""
    page.goto((SITE / "book" / f"route_{route}.html").as_uri())
    links = page.eval_on_selector_all("article td a", "all => all.map(one => [one.href, one.textContent])")
    assert len(links) > 10
    return links


def heading_at(page, address):
    """The words of the heading that an address leads to on the page that is open, if it is in sight."""
    place = address.partition("#")[2]
    heading = page.locator(f"[id='{place}'] :is(h1, h2, h3)" if place else "article h1").first
    return heading.inner_text() if heading.is_visible() else ""


def is_said(words, heading):
    """Whether a link's words are those of the heading in sight; some links lead to places of another name."""
    plain = re.sub(r"^[\d.]+[a-z]?[\d.]* ", "", heading).removesuffix("#").strip()
    elsewhere = ("exercise ", "the exercises", course.OPENING, "The accuracy explorer")
    return plain != "" and (words.startswith(elsewhere) or plain == words)


def as_read(text):
    """Text without what a page shows of it in another way: code, quotes, and where lines end."""
    return " ".join(re.sub("[`'\"\u2018\u2019\u201c\u201d]", "", text).split())


@pytest.mark.parametrize("page", PAGES)
def test_every_task_is_whole_on_its_page(page):
    shown = as_read(" ".join(one.get_text() for one in soup(f"notebooks/{page}").select("blockquote")))
    tasks = {name: as_read(check.all()[name].task) for name in course.places_of_exercises(page)}
    assert [name for name, task in tasks.items() if task not in shown] == []


@pytest.fixture
def offline(browser, request):
    context = browser.new_context(viewport=WIDE, java_script_enabled=request.param, offline=True)
    context.route(re.compile(r"^https?:"), lambda route: route.abort())
    yield context
    context.close()


@pytest.mark.parametrize("offline", [False], ids=["without JavaScript"], indirect=True)
@pytest.mark.parametrize("route", ROUTES)
def test_a_route_leads_to_its_sections_without_a_network(offline, route):
    """Each page is opened once, from its file, and every heading that the route names is looked for in it."""
    page, wrong = offline.new_page(), []
    for address, words in links_of(page, route):
        if page.url.partition("#")[0] != address.partition("#")[0]:
            page.goto(address.partition("#")[0], wait_until="domcontentloaded")
        if not is_said(words, heading_at(page, address)):
            wrong.append((words, address))
    assert wrong == []


@nightly
@pytest.mark.parametrize("offline", [True], ids=["with JavaScript"], indirect=True)
@pytest.mark.parametrize("route", ROUTES)
def test_nightly_a_route_is_walked_link_by_link_without_a_network(offline, route):
    page = offline.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    for address, words in links_of(page, route):
        page.goto("about:blank")
        page.goto(address)
        if not is_said(words, heading_at(page, address)):
            faults.append((words, address))
    assert faults == []


def test_the_map_can_be_read_on_a_phone_and_its_words_keep_apart(context):
    page = context.new_page()
    page.set_viewport_size(PHONE)
    page.goto((SITE / "book" / "map.html").as_uri())
    words = page.eval_on_selector_all(
        ".course-map text",
        """all => all.map(one => { const box = one.getBoundingClientRect();
             return [one.textContent, box.left, box.right, box.top, box.bottom]; })""",
    )
    page.close()
    assert len(words) > 3 * len(PAGES)
    assert min(bottom - top for _, _, _, top, bottom in words) >= 11
    for number, (text, left, right, top, bottom) in enumerate(words):
        assert left >= 0 and right <= PHONE["width"], text
        for other, left2, right2, top2, bottom2 in words[number + 1 :]:
            over = min(right, right2) - max(left, left2) > 0 and min(bottom, bottom2) - max(top, top2) > 3
            assert not over, f"{text} | {other}"


def test_a_box_of_the_map_is_reached_with_the_keyboard_and_leads_to_its_chapter(context):
    page = context.new_page()
    page.goto((SITE / "book" / "map.html").as_uri())
    page.locator(".course-map a").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/01_where_50_mb.html")
    page.close()


TO_THE_GLOSSARY = re.compile(r"(?:^|/)glossary\.html#term-(.+)$")
APART = ["a", "code", "pre", "h1", "h2", "h3", "h4", "thead", "figcaption", "svg"]
BOXES = [
    "admonition",
    "math",
    "cell_output",
    "highlight",
    "tk-instrument",
    "caption",
    "citation",
    "headerlink",
]


def uses(page):
    """The terms in the prose of a built chapter, in its order: (headword or anchor, whether it is a link)."""
    for text in soup(f"notebooks/{page}").find_all(string=True):
        parents = list(text.parents)
        if any({*BOXES} & {*parent.get("class", ())} for parent in parents):
            continue
        link = next((one for one in parents if one.name == "a"), None)
        if link and (to := TO_THE_GLOSSARY.search(link.get("href", ""))):
            yield to[1], True
        elif not any(parent.name in APART for parent in parents):
            yield from (
                (anchor(terms.headword_of(match[0])), False) for match in terms.pattern().finditer(text)
            )


def anchor(headword):
    """The end of a term's address on the glossary's page, as Sphinx makes it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", headword).strip("-")


@pytest.mark.parametrize("page", PAGES)
def test_a_term_is_a_link_where_a_chapter_first_uses_it_and_nowhere_else(page):
    seen, faults = set(), []
    for term, linked in uses(page):
        name = term.lower()
        if linked == (name in seen):
            faults.append((term, "linked again" if linked else "first used without a link"))
        seen.add(name)
    assert faults == [] and len(seen) >= 5


def test_the_index_leads_to_the_chapters_that_use_a_term():
    links = {link["href"] for link in soup("genindex").select("a[href*='#term-here-']")}
    assert len(links) >= 200
    assert "notebooks/07_calibration.html#term-here-hessian" in links
    assert all("term-here-" in link for link in links)
