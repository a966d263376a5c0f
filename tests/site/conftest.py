"""The built book in a browser. Nothing here runs a notebook: build the book first (`make book OPEN=0`)."""

import importlib.util
import os
import re
import threading
from pathlib import Path

import pytest

from book._tools import vendor
from book._tools.serve import server
from toykit.doctor import find_browser

from . import firefox
from .visit import WIDE, Visit

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(os.environ.get("TOYKIT_SITE", ROOT / "_build" / "html"))
REQUIRED = os.environ.get("TOYKIT_REQUIRE_BROWSER") == "1"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pages():
    """Return the name of every page of the built book: not of decks of slides, and index.html only forwards."""
    found = sorted(
        path.relative_to(SITE).as_posix()
        for path in SITE.rglob("*.html")
        if not {"_static", "slides"} & {*path.relative_to(SITE).parts}
    )
    return [name for name in found if name != "index.html"]


def pytest_generate_tests(metafunc):
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", pages() or ["the built book"], scope="module")


def pytest_itemcollected(item):
    """Keep together, for `--dist loadgroup`, what shares an open page: the tests of a page, else those of a file.

    pytest-xdist reads the mark in the first hook that has all tests, before any of ours.
    """
    page = item.callspec.params.get("page_name", "") if hasattr(item, "callspec") else ""
    item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}:{page}"))


@pytest.fixture(scope="session")
def browser():
    missing = None
    if not (SITE / "index.html").is_file():
        missing = "There is no built book to test: run 'make book OPEN=0' first."
    elif not find_browser():
        missing = (
            "No Chromium, Chrome or Edge was found, so the pages were not tested: install one, or set "
            "TOYKIT_BROWSER to its path."
        )
    elif not importlib.util.find_spec("playwright"):
        missing = "playwright is not installed: run 'make setup'."
    if missing:
        (pytest.fail if REQUIRED else pytest.skip)(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def context(browser):
    """One browser profile for all pages, so that shared scripts are read once."""
    context = browser.new_context(viewport=WIDE)
    yield context
    context.close()


@pytest.fixture(scope="session")
def in_firefox():
    """Visits in Firefox, as `firefox.visit` makes them; skipped where there is none, which CI does not accept."""
    if firefox.executable() is None:
        missing = "Firefox was not found, so its pages were not tested: install firefox-esr"
        (pytest.fail if REQUIRED else pytest.skip)(missing)

    def visit(visits):
        try:
            return firefox.visit(visits)
        except vendor.Unfetched as error:
            pytest.skip(f"Firefox cannot be driven, so what runs in its pages cannot be had: {error}")

    return visit


@pytest.fixture(scope="session")
def address():
    """The address of a server of the built book, on the loopback interface alone."""
    running = server(SITE)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/"
    running.shutdown()


@pytest.fixture(scope="module")
def visit(context, address, page_name):
    """The page `page_name`, served over http, on a wide and light screen."""
    opened = Visit(context, SITE, address, page_name)
    yield opened
    opened.page.close()


@pytest.fixture(scope="module")
def file_visit(context, page_name):
    """The page `page_name`, opened from its file."""
    opened = Visit(context, SITE, SITE.as_uri() + "/", page_name)
    yield opened
    opened.page.close()


def first_chapter():
    """Return the name of the first page with text to search for."""
    return next((name for name in pages() if re.match(r"book/", name)), "index.html")
