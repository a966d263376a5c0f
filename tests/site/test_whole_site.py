"""What belongs to no single page: the way in, the search, links, and the size of it all."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

import pytest
from axe_playwright_python.sync_playwright import Axe

from book._tools.project import TEMPLATES

from .conftest import SITE, first_chapter, pages
from .visit import WIDE, Visit


class Links(HTMLParser):
    """Collects the links and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors.add(attributes.get("id"))
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])


def test_there_are_pages(browser):
    assert pages()


def test_the_way_in_leads_to_the_first_page(browser):
    text = (SITE / "index.html").read_text(encoding="utf-8")
    target = re.search(r"url=([^\"]+)\"", text)
    assert target is None or (SITE / target[1]).is_file()


def test_every_link_inside_the_book_leads_somewhere(browser):
    parsed = {name: Links((SITE / name).read_text(encoding="utf-8")) for name in [*pages(), "index.html"]}
    dead = set()
    for name, page in parsed.items():
        for link in page.links:
            path, anchor = urldefrag(link)
            if re.match(r"[a-z]+:", link):
                continue
            target = (SITE / name).parent / unquote(path) if path else SITE / name
            if target.is_dir():
                target = target / "index.html"
            key = target.resolve().relative_to(SITE.resolve()).as_posix()
            if not target.is_file() or (
                anchor and key in parsed and unquote(anchor) not in parsed[key].anchors
            ):
                dead.add(f"{name} -> {link}")
    assert not dead, "\n".join(sorted(dead))


def test_the_template_is_offered_as_a_file_of_the_site(browser):
    page = SITE / "notebooks/18_your_own_model.html"
    links = Links(page.read_text(encoding="utf-8")).links
    (offered,) = (link for link in links if link.endswith("/own_model.ipynb"))
    assert (page.parent / offered).read_bytes() == (TEMPLATES / "own_model.ipynb").read_bytes()


@pytest.mark.parametrize("kind", ["http", "file"])
def test_the_search_finds_a_page(context, address, kind):
    base = address if kind == "http" else SITE.as_uri() + "/"
    heading = re.search(r"<h1>([^<]+)", (SITE / first_chapter()).read_text(encoding="utf-8"))[1]
    word = max(re.findall(r"[A-Za-z]+", heading), key=len)
    search = Visit(context, SITE, base, "search.html")
    search.page.goto(f"{base}search.html?q={word}")
    search.page.wait_for_selector("#search-results li a")
    search.page.wait_for_timeout(200)
    assert not search.faults
    search.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_word_that_was_searched_for_can_be_read(browser, scheme):
    context = browser.new_context(viewport=WIDE)
    context.add_init_script("localStorage.setItem('sphinx_highlight_terms', 'the')")
    visit = Visit(context, SITE, SITE.as_uri() + "/", "book/map.html", scheme=scheme)
    assert visit.page.locator("a .highlighted").count() and visit.page.locator("p .highlighted").count()
    rules = {"runOnly": ["color-contrast"], "resultTypes": ["violations"], "preload": False}
    found = Axe().run(visit.page, options=rules).response["violations"]
    assert [node["failureSummary"] for rule in found for node in rule["nodes"]] == []
    context.close()


def test_readers_without_scripts_still_get_every_widget(browser):
    # Each instrument stands beside a table or figure inside <noscript>.
    for name in pages():
        text = (SITE / name).read_text(encoding="utf-8")
        widgets = text.count('<script type="application/vnd.jupyter.widget-view+json">')
        assert text.count("<noscript>") >= widgets, f"{name}: a widget has no fallback"
