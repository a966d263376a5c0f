"""The small kit, unzipped and opened from its files, without a network: its links, an exercise, a widget."""

import zipfile
from urllib.parse import unquote, urlsplit

import pytest

from book._tools import kit

from .conftest import SITE
from .controls import CONTROLS, move, usable
from .test_live_cells import RIGHT, WRONG, exercise
from .visit import PHONE, WIDE, Visit

# What of a page can be seen, and is wider than the screen.
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def unzipped(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kit, "HTML", SITE)
        made = kit.make(folder / "made", wheels=False)
    with zipfile.ZipFile(made) as archive:
        archive.extractall(folder)
    return folder / kit.TOP


@pytest.fixture
def offline(browser):
    context = browser.new_context(viewport=WIDE, offline=True)
    yield context
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_link_of_the_start_page_leads_to_a_file_of_the_kit(unzipped, offline, scheme):
    visit = Visit(offline, unzipped, f"{unzipped.as_uri()}/", "index.html", scheme)
    links = visit.page.eval_on_selector_all("a", "all => all.map(link => link.href)")
    assert len(links) >= 9
    for link in links:
        path, place = unquote(urlsplit(link).path), urlsplit(link).fragment
        page = unzipped.__class__(path).read_text(encoding="utf-8")
        assert not place or f'id="{place}"' in page
    visit.page.set_viewport_size(PHONE)
    assert not visit.page.evaluate(WIDER) and not visit.faults


def test_the_first_exercise_is_solved_and_a_widget_moves(unzipped, offline):
    visit = Visit(offline, unzipped, f"{unzipped.as_uri()}/", "index.html")
    visit.page.get_by_role("link", name="the end of chapter 2").click()
    visit.page.wait_for_url("**/02_pruning.html#exercises")
    visit.page.close()
    visit = Visit(offline, unzipped, f"{unzipped.as_uri()}/", "site/notebooks/02_pruning.html")
    instrument = visit.page.locator(".tk-instrument").first
    assert move(visit, instrument, next(one for one in instrument.locator(CONTROLS).all() if usable(one)))
    if not visit.page.evaluate("window.tkLive?.available"):
        pytest.skip("Python for the pages cannot be had: the site was built without it")
    mask = exercise(visit)
    mask.write(WRONG)
    assert "Not yet" in mask.check()
    mask.write(RIGHT)
    assert "Passed" in mask.check()
    assert not visit.faults, "\n".join(visit.faults)
