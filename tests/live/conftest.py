"""One start of Python for all tests that need it; without Pyodide they are skipped, and the last lines say so."""

import pytest

from book._tools import live

from .page import Page


@pytest.fixture(scope="session")
def pack(tmp_path_factory):
    """The script that holds Python, as a page loads it."""
    try:
        return live.pack(tmp_path_factory.mktemp("live"))
    except live.Missing as error:
        pytest.skip(f"Python for the pages cannot be had: {error}")


@pytest.fixture(scope="session")
def page(pack):
    """A page in which Python has started."""
    with Page(pack) as page:
        assert page.ask("start") is None
        yield page
