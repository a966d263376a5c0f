"""What the pages for contributors name is there, and what the papers of the project say is so."""

import hashlib
import importlib
import json
import re
import tomllib
from pathlib import Path

import pytest

import toykit
from book._tools import licences
from book._tools.project import chapters

ROOT = Path(__file__).parents[1]
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
GUIDES = ("CONTRIBUTING.md", "book/architecture.md", "book/contributing.md")


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_that_a_guide_names_is_there(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    named = re.findall(r"`((?:book|tests|toykit|widgets|coreml|stored)/[\w./]+)`", text)
    assert [name for name in named if not any((top / name).exists() for top in (ROOT, ROOT / "toykit"))] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_every_target_that_a_guide_names_is_in_the_makefile(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {*re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE)} <= {*targets}


def test_citation_and_changelog_know_the_version_and_the_licences():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == toykit.__version__
    assert f"\nversion: {toykit.__version__}\n" in CITATION
    assert f"\n## {toykit.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "MIT License" in licence and "CC-BY-4.0" in licence
    assert re.findall(r"^  - ([\w.-]+)$", CITATION.partition("keywords:")[0], re.MULTILINE) == [
        "MIT",
        "CC-BY-4.0",
    ]
    book = re.search(r"^title: (.+)$", (ROOT / "_config.yml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert f'title: "{book}: ' in CITATION


def test_every_member_that_the_reference_lists_is_in_its_module():
    for page in (ROOT / "book").glob("api_*.md"):
        for module, members in re.findall(
            r"automodule:: (\S+)\n +:members: (.+)", page.read_text(encoding="utf-8")
        ):
            missing = {*members.split(", ")} - vars(importlib.import_module(module)).keys()
            assert not missing, f"{page.name} lists {missing}, which {module} does not have"


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_chapter_says_how_long_it_takes_to_read_and_with_the_exercises(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    exercises = any("exercise" in cell["metadata"].get("tags", ()) for cell in cells)
    opening = " ".join("".join(cells[0]["source"]).split())
    assert ("to read; there are no exercises." in opening) == (not exercises)
    if exercises:
        to_read, in_all = map(
            int, re.search(r"About (\d+) minutes to read, (\d+) with the exercises", opening).groups()
        )
        assert to_read < in_all


TAUGHT = [path for path in chapters() if "01" <= path.stem[:2] <= "08"]


@pytest.mark.parametrize("path", TAUGHT, ids=lambda path: path.stem)
def test_a_chapter_leads_to_the_glossary_once_for_each_term(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    linked = [term.lower() for term in re.findall(r"\{term\}`(?:[^<`]*<)?([^>`]+)>?`", prose)]
    assert linked and len(linked) == len(set(linked))


# What stands in a notebook for the site alone: JupyterLab shows such a role as it is written.
ROLES = {"cite", "doc", "term"}


def prose(path):
    """The text of a notebook's Markdown cells, without code, and the headings in it as JupyterLab names them."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return text, {re.sub(r"[`*$]|\{\w+\}", "", heading).strip().replace(" ", "-") for heading in headings}


def dead_links(path):
    """Links of a notebook that lead nowhere in JupyterLab, whose root is the folder of the notebooks."""
    text, _ = prose(path)
    dead = []
    for address in re.findall(r"\]\(([^)\s]+)\)", text):
        if address.startswith("https://"):
            continue
        name, _, heading = address.partition("#")
        target = path.parent / name if name else path
        here = path.resolve().parent
        beside = target.resolve().parent in (here, here / "templates") and target.is_file()
        if not beside or (heading and heading not in prose(target)[1]):
            dead.append(address)
    return dead


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_link_of_a_notebook_leads_somewhere_in_jupyterlab(path):
    assert dead_links(path) == []
    assert set(re.findall(r"\{([\w:]+)\}`", prose(path)[0])) <= ROLES


def test_a_dead_link_is_found(tmp_path):
    def write(name, *texts):
        cells = [{"cell_type": "markdown", "source": [text]} for text in texts]
        (tmp_path / name).write_text(json.dumps({"cells": cells}))
        return tmp_path / name

    write("b.ipynb", "# One `more` thing")
    (tmp_path.parent / "up.md").write_text("x")
    alive = "[1](b.ipynb) [2](b.ipynb#One-more-thing) [3](#Two-of-them) [4](https://example.com) ## no"
    assert dead_links(write("a.ipynb", alive, "## Two of them")) == []
    dead = ["../up.md", "c.ipynb", "b.ipynb#one-more-thing", "#Three"]
    assert dead_links(write("a.ipynb", " ".join(f"[x]({address})" for address in dead))) == dead


SOURCES = re.findall(
    r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text(encoding="utf-8"), re.MULTILINE
)


def test_each_source_is_listed_once_and_what_is_cited_is_listed():
    assert len(SOURCES) == len({*SOURCES})
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    cited = re.findall(r"\{cite\}`([^`]+)`", "\n".join(page.read_text(encoding="utf-8") for page in pages))
    assert cited and {key.strip() for keys in cited for key in keys.split(",")} <= {*SOURCES}


def test_the_paper_cites_what_is_listed_and_claims_no_use():
    paper = (ROOT / "book" / "paper.md").read_text(encoding="utf-8")
    front, text = re.match(r"---\n(.*?)\n---\n(.*)", paper, re.DOTALL).groups()
    assert {*re.findall(r"@(\w+)", text)} <= {*SOURCES}
    assert re.search(r'^title: "(.+)"$', front, re.MULTILINE)[1] in CITATION  # one title for both
    assert re.search(r"^bibliography: references.bib$", front, re.MULTILINE)
    sections = re.findall(r"^# (.+)$", text, re.MULTILINE)
    assert sections[:2] == ["Summary", "Statement of need"] and sections[-1] == "References"
    assert "has not been used in a course yet" in " ".join(text.split())
    assert 700 <= len(text.split()) <= 1200


def test_the_version_that_is_out_has_one_date():
    date = re.search(r'^date-released: "(.+)"$', CITATION, re.MULTILINE)[1]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(toykit.__version__)}, {date}", changes, re.MULTILINE)


def test_the_texts_of_the_licences_are_whole():
    """Of CC BY 4.0, the text that Creative Commons publishes, word for word."""
    text = (ROOT / "book" / "CC-BY-4.0.txt").read_text(encoding="utf-8")
    words = " ".join(re.findall(r"\w+", text))
    digest = hashlib.sha256(words.encode()).hexdigest()
    assert digest == "29464d15882f0148655e642221438d92c3b8231f7e57704394b7567a82008a12"
    shown = licences.in_words()
    assert text in shown["own_licences"] and "MIT License" in shown["own_licences"]
    assert shown["site_licences"].count("{dropdown}") == len(licences.OF_PYTHON) + len(licences.OF_NPM)
    assert "Apache License" in shown["site_licences"]
