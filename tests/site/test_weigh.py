"""A reader's package is weighed in the page: as a folder, an archive or dropped, over http and from a file."""

import shutil
import zipfile

import pytest
from axe_playwright_python.sync_playwright import Axe

import toykit as tk
from tests.benchmarks import weighing
from tests.nightly import nightly
from tests.zoo.fixtures import Fixture
from toykit.coreml.view.graph import read_graph

from .conftest import SITE
from .visit import PHONE, WIDE, Visit

PAGE = weighing.PAGE
PYTHON = 180_000  # milliseconds until Python must have started, on a busy machine
FIXTURES = [
    ("9.0", "iOS15 plain"),
    ("8.3", "iOS16 palette 4"),
    ("9.0", "iOS18 plain"),
    ("9.0", "iOS26 palette 4"),
]
BUSY = "document.querySelector('#book-weigh').getAttribute('aria-busy') === 'true'"


def start(browser, base):
    if not (SITE / PAGE).is_file():
        pytest.skip(f"{PAGE} is not in the built book")
    visit = Visit(browser.new_context(viewport=WIDE, accept_downloads=True), SITE, base, PAGE)
    visit.requests = []
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    if not visit.page.evaluate("() => tkLive.available"):
        pytest.skip("THE BOOK WAS BUILT WITHOUT PYTHON FOR ITS PAGES: no package was weighed in one.")
    visit.page.evaluate("() => tkLive.start()")
    visit.requests.clear()
    return visit


@pytest.fixture(scope="module", params=["http", "file"])
def opened(browser, address, request):
    visit = start(browser, address if request.param == "http" else SITE.as_uri() + "/")
    yield visit
    visit.page.context.close()


@pytest.fixture
def weigh(opened):
    """The page, in which Python has started; nothing may fail in it, and nothing is asked of anybody."""
    yield opened
    asked = [url for url in opened.requests if not url.startswith("blob:")]
    assert not opened.faults and not asked, (opened.faults, asked)


def says(visit, text):
    """Wait until the page says something in the place for that."""
    visit.page.locator(".book-work [role=status]", has_text=text).wait_for(timeout=PYTHON)
    visit.page.wait_for_function(f"() => !({BUSY})")


def column(visit, table, number):
    cells = visit.page.get_by_role("region", name=table, exact=True).locator(
        f"tbody tr > :nth-child({number})"
    )
    return cells.all_inner_texts()


def whole(texts):
    return [int(text.replace(",", "")) for text in texts if text != "–"]


@pytest.mark.parametrize("version, name", FIXTURES)
def test_the_numbers_are_those_of_the_command_line(weigh, tmp_path, version, name):
    path = Fixture(version, name).path
    report = tk.size.report(tk.size.ledger(path)).as_data()
    right = [report["bytes"], *(one["bytes"] for one in report["predictions"] if "bytes" in one)]
    for given in (path, weighing.zipped(shutil.copytree(path, tmp_path / path.name))):
        weighing.give(weigh.page, given)
        assert weigh.page.locator("#book-weigh h2").inner_text() == path.name
        assert weighing.shown(weigh.page) == right
        rows = sorted(report["weights"], key=lambda row: -row["bytes"])
        assert whole(column(weigh, "Weight by weight", 2)) == [row["bytes"] for row in rows]
        assert sum(whole(column(weigh, "Now", 3))) == report["bytes"]
        problems = [one["problem"] for one in report["predictions"] if "problem" in one]
        said = "\n".join(column(weigh, "Compressed", 1))
        assert all(problem in said for problem in problems)
        # The explorer is alive, too.
        explorer = weigh.page.locator("[data-instrument=package]")
        operations = explorer.locator("[role=option]")
        assert operations.count() == len(read_graph(path).steps)
        operations.last.click()
        assert operations.last.get_attribute("aria-selected") == "true"


def test_what_cannot_be_weighed_is_said_and_the_next_package_is_weighed(weigh, tmp_path):
    package = shutil.copytree(Fixture("9.0", "iOS18 plain").path, tmp_path / "Whole.mlpackage")
    half = shutil.copytree(package, tmp_path / "half.mlpackage")
    (half / "Manifest.json").unlink()
    (tmp_path / "Old.mlmodel").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("x")
    (tmp_path / "cut.zip").write_bytes(weighing.zipped(package).read_bytes()[:500])
    for given, sentence in {
        half: "half a package: its Manifest.json is missing",
        tmp_path / "Old.mlmodel": "It has no ML program",
        tmp_path / "empty": "holds no package",
        tmp_path / "cut.zip": "is not a zip archive, or it is cut off",
    }.items():
        kind = ".book-folder" if given.is_dir() else ".book-archive"
        weigh.page.locator(f"input{kind}").set_input_files(given)
        says(weigh, sentence)
        assert not weigh.page.locator("#book-weigh h2").count()
    weighing.give(weigh.page, package)


def test_of_several_functions_the_reader_chooses_one(weigh):
    path = Fixture("9.0", "iOS18 two functions").path
    weighing.give(weigh.page, path)
    explorer, select = (
        weigh.page.locator("[data-instrument=package]"),
        weigh.page.get_by_label("Function", exact=True),
    )
    for function in tk.coreml.Package(path).program.functions:
        select.select_option(function)
        steps = read_graph(path, function).steps
        weigh.page.wait_for_function(f"() => !({BUSY})")
        assert explorer.locator("[role=option]").count() == len(steps)


def test_of_several_packages_the_reader_chooses_one(weigh, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(Fixture("9.0", "iOS18 plain").path, tmp_path / "many" / f"{name}.mlpackage")
    weigh.page.locator("input.book-folder").set_input_files(tmp_path / "many")
    says(weigh, "There are 2 packages in there. Which one?")
    weigh.page.get_by_role("button", name="two.mlpackage").press("Enter")
    weigh.page.locator("h2", has_text="two.mlpackage").wait_for(timeout=PYTHON)


def drop(visit, path):
    """Drop a file or folder of this computer on the frame, as the system does it."""
    frame = visit.page.locator(".book-drop")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    session = visit.page.context.new_cdp_session(visit.page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    place = {"x": box["x"] + 30, "y": box["y"] + box["height"] - 15, "data": data}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place})
    session.detach()


def test_an_archive_or_a_folder_is_dropped(weigh, tmp_path):
    path = shutil.copytree(Fixture("9.0", "iOS18 plain").path, tmp_path / "Dropped.mlpackage")
    drop(weigh, weighing.zipped(path))
    weigh.page.locator("h2", has_text="Dropped.mlpackage").wait_for(timeout=PYTHON)
    drop(weigh, path)
    if weigh.base.startswith("file:"):  # Chromium lets no page that is opened from a file read it
        says(weigh, "does not let a page read a dropped folder here, because the page is opened from a file")
    else:
        weigh.page.locator("h2", has_text="Dropped.mlpackage").wait_for(timeout=PYTHON)


@pytest.mark.parametrize("opened", ["file"], indirect=True)
def test_what_is_made_in_the_page_is_what_the_command_line_writes(weigh, tmp_path):
    pytest.importorskip("coremltools", reason="coremltools writes the package")
    path, page = weighing.write(tmp_path / "Some.mlpackage", 5), weigh.page
    weighing.give(page, path)
    form = page.get_by_role("group", name="Another setting")
    form.get_by_label("Technique").select_option("Pruning, then linear")
    assert not form.get_by_label("Bits of a palette").is_visible()
    form.get_by_label("Weights to zero").select_option("70 %")
    form.get_by_role("button", name="Weigh this").press("Enter")
    choices = {
        "pruned 70 % + int8": ("joint", {"prune": {"sparsity": 0.7}, "quantize": {"bits": 8}}),
        "4-bit palette": ("palettize", {"bits": 4}),
    }
    for about, (technique, options) in choices.items():
        button = page.get_by_role("button", name=f"Make it: {about}", exact=True)
        button.wait_for(timeout=PYTHON)
        button.press("Enter")
        page.get_by_role("heading", name=f"Made: {about}").wait_for(timeout=PYTHON)
        assert "as predicted" in page.locator(".book-made").inner_text()
        with page.expect_download() as download:
            page.get_by_role("link", name="Save Some-small.mlpackage.zip").press("Enter")
        page.locator(".book-made", has_text="Verified against your package").wait_for(timeout=PYTHON)
        small = tk.coreml.compress(path, technique, **options)
        with zipfile.ZipFile(download.value.path()) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        assert found == {
            f"Some-small.mlpackage/{name}": (small.path / name).read_bytes() for name in small.files
        }


@pytest.mark.parametrize("opened", ["file"], indirect=True)
def test_a_large_package_leaves_the_page_alive_and_can_be_stopped(opened, tmp_path):
    pytest.importorskip("coremltools", reason="coremltools writes the package")
    path, page = weighing.write(tmp_path / "Large.mlpackage", 44), opened.page
    page.locator("input.book-folder").set_input_files(path)
    page.wait_for_function("() => document.querySelector('.book-work progress').value > 0.1", timeout=PYTHON)
    page.evaluate("() => new Promise(requestAnimationFrame)")  # the page draws meanwhile
    assert page.evaluate(BUSY) and page.locator(".book-drop").evaluate("frame => frame.inert")
    page.get_by_role("button", name="Stop").press("Enter")
    says(opened, "This was stopped.")
    weighing.give(page, path)
    assert weighing.shown(page) == weighing.expected(path)
    assert not opened.faults


@nightly
@pytest.mark.parametrize("opened", ["file"], indirect=True)
def test_nightly_a_package_of_200_mb(opened, tmp_path):
    path = weighing.write(tmp_path / "Large.mlpackage", 200)
    for given in (path, weighing.zipped(path)):
        weighing.give(opened.page, given)
        assert weighing.shown(opened.page) == weighing.expected(path)


def test_what_is_shown_is_sound_for_axe_and_fits_a_phone(weigh):
    weighing.give(weigh.page, Fixture("9.0", "iOS18 plain").path)
    weigh.page.wait_for_function(f"() => !({BUSY})")  # what waits is pale until then
    weigh.page.locator("tbody small").first.hover()  # the row under the pointer has another background
    for scheme in ("light", "dark"):
        weigh.page.emulate_media(color_scheme=scheme)
        weigh.page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
        weigh.hold_still()
        found = Axe().run(weigh.page, options={"resultTypes": ["violations"], "preload": False}).response
        serious = [one for one in found["violations"] if one["impact"] in ("serious", "critical")]
        assert [(scheme, one["id"], node["html"]) for one in serious for node in one["nodes"]] == []
    weigh.page.set_viewport_size(PHONE)
    weigh.settle()
    assert weigh.page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"]
    weigh.page.set_viewport_size(WIDE)


def test_a_book_without_python_says_what_to_do_instead(browser, address):
    page = browser.new_page()

    def without(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace("data-pack=", "data-none="))

    page.route(f"**/{PAGE}", without)
    page.goto(address + PAGE)
    assert "toykit size Model.mlpackage" in page.locator("#book-weigh").inner_text()
    assert not page.locator("#book-weigh button").count()
    page.close()
