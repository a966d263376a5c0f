"""The instructor edition: every solution, and every wrong answer of the tests with what the checker says of it."""

import ast
import re

import pytest

from book._tools import course, instructor, live_coding, slides, solutions
from toykit.exercises import check

from .test_exercises import WRONG


@pytest.fixture(scope="module")
def pages():
    return instructor.pages(site="../html")


def test_every_exercise_has_its_solution_and_every_wrong_path_its_code_and_hint(pages):
    text = "".join(pages.values())
    assert {*re.findall(r'<h3 id="(\w+)">', text)} == {*check.all()}
    assert text.count("<details>") == sum(map(len, WRONG.values()))


def test_the_code_of_a_wrong_path_is_what_the_tests_hand_to_the_checker():
    wrong, helpers = solutions.wrong_paths("n_m_mask")
    assert wrong[0].code.startswith("lambda w, n, m: np.abs(w) > np.quantile")
    assert "def sorted_once" in wrong[5].code and "Sort twice" in wrong[5].report.hint
    assert "def best(" in helpers and "def sorted_once" not in helpers and "def by_place" not in helpers
    for one in wrong:
        ast.parse(one.code)


def test_a_wrong_path_of_several_lines_and_what_it_leans_on_are_found():
    source = solutions._Source(
        "def far(x):\n    return near(x)\n\nnear = abs\n\n"
        'WRONG = {\n    "a": [\n        (\n            lambda x: (\n                far(x)\n            ),\n'
        '            "hint",\n        ),\n        (near, ""),\n    ],\n}\n'
    )
    several, named = source.entries["a"]
    assert source.code(named) == "near = abs"
    assert source.code(several).splitlines() == ["lambda x: (", "    far(x)", ")"]
    assert source.helpers([several]) == "def far(x):\n    return near(x)\n\nnear = abs"


def test_links_lead_to_the_pages_of_the_book(pages):
    there = {f"../html/{file}.html" for _, files in course.contents() for file in files}
    there |= {f"../html/slides/{name}.html" for name in slides.decks()}
    linked = {link.partition("#")[0] for text in pages.values() for link in re.findall(r'href="(.+?)"', text)}
    assert linked - pages.keys() - {""} <= there and "../html/slides/part_1.html" in linked
    assert 'id="timing"' in pages["index.html"] and 'href="index.html#timing"' in pages["part_1.html"]


def test_nothing_of_the_site_s_own_markdown_is_left_and_no_page_needs_a_file_beside_it(pages):
    for name, text in pages.items():
        assert not re.search(r"\{raw\}|\{\.|<!-- course|\]\(|src=\"(?!data:)|<link", text) or name.endswith(
            ".py"
        ), name


def test_the_scripts_are_with_it_as_they_are(pages):
    scripts = {name: text for name, text in pages.items() if name.endswith(".py")}
    paths = [script.path for script in live_coding.scripts().values()]
    assert scripts == {f"live_coding/{path.name}": path.read_text(encoding="utf-8") for path in paths}


def test_what_a_teacher_wrote_into_the_folder_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(instructor, "pages", lambda site: {"index.html": f"to {site}"})
    assert instructor.write(tmp_path / "new", site="..") == []
    (tmp_path / "new" / "index.html").write_text("notes of mine")
    monkeypatch.setattr(instructor, "pages", lambda site: {"index.html": "newer"})
    assert "kept" in instructor.write(tmp_path / "new")[0]
    assert (tmp_path / "new" / "index.html").read_text() == "notes of mine"
