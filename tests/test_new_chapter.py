"""A chapter from the template: it runs, stands in its place, and overwrites nothing."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest

from book._tools import new_chapter, terms
from book._tools.project import ROOT
from tests.nightly import nightly

NAME = "08d_next"


@pytest.fixture
def copy(tmp_path):
    """What a new chapter touches."""
    for folder in ("notebooks", "tests", "book"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "_toc.yml", tmp_path)
    shutil.copy(ROOT / "book" / "course.toml", tmp_path / "book")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_chapter_stands_behind_the_one_before_it(copy):
    assert len(new_chapter.begin(NAME, "Next", copy)) == 4
    toc = (copy / "_toc.yml").read_text().splitlines()
    place = toc.index(f"          - file: notebooks/{NAME}")
    assert "08c_" in toc[place - 1]
    course = (copy / "book" / "course.toml").read_text()
    assert course.index("[chapters.08c_") < course.index(f"[chapters.{NAME}]") < course.index("[chapters.09_")
    new_chapter.begin("99_last", "Last", copy)
    course = (copy / "book" / "course.toml").read_text()
    assert course.index("[chapters.17_") < course.index("[chapters.99_last]") < course.index("[routes.")


@pytest.mark.parametrize(
    "name", ["", "next", "8_next", "08d-next", "../08d_next", "08D_next", "08d_next.ipynb"]
)
def test_a_name_that_is_none_is_refused_and_nothing_is_written(copy, name):
    before = contents(copy)
    with pytest.raises(ValueError, match="NAME must be two digits"):
        new_chapter.begin(name, "Next", copy)
    assert contents(copy) == before


@pytest.mark.parametrize("there", [f"notebooks/{NAME}.ipynb", f"tests/test_chapter_{NAME}.py"])
def test_nothing_is_overwritten(copy, there):
    (copy / there).write_text("mine")
    before = contents(copy)
    with pytest.raises(ValueError, match=f"{there}: there already"):
        new_chapter.begin(NAME, "Next", copy)
    assert contents(copy) == before


def test_the_text_uses_the_terms_that_the_site_links(copy):
    """tests/site asks five of each chapter."""
    new_chapter.begin(NAME, "Next", copy)
    cells = nbformat.read(copy / "notebooks" / f"{NAME}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert len({terms.headword_of(found[0]) for found in terms.pattern().finditer(text)}) >= 5


@nightly
def test_nightly_a_new_chapter_passes_the_tests_of_notebooks_and_of_the_course(tmp_path):
    """In a copy of the repository, run and tested as an author would."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if not name.startswith("tests/zoo/packages") and (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    run = [sys.executable, "-m"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    chosen = ["course", "notebooks_clean", "documents", "prose", f"chapter_{NAME}"]
    for command in (
        [*run, "book._tools.new_chapter", NAME],
        [*run, "book._tools.execute", f"notebooks/{NAME}.ipynb"],
        [*run, "pytest", "-q", "-x", "-p", "no:cacheprovider", *(f"tests/test_{name}.py" for name in chosen)],
    ):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
