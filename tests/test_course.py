"""book/course.toml says of the chapters what they are; the map, the routes and the boxes follow from it."""

import re
import xml.etree.ElementTree as ET
from graphlib import TopologicalSorter

import pytest

from book._tools import course, course_map, course_pages, terms, to_do
from book._tools.project import ROOT, chapters, shown
from toykit.exercises import check

PAGES = [path.stem for path in shown()]
each = pytest.mark.parametrize("page", PAGES)
each_route = pytest.mark.parametrize("route", sorted(course.routes()))


def test_every_chapter_has_its_entry_and_every_entry_its_chapter():
    assert [path.stem for path in chapters() if path.stem not in course.chapters()] == []
    assert list(course.tomllib.loads(course.FILE.read_text(encoding="utf-8"))["chapters"]) == PAGES


@each
def test_the_sections_are_those_of_the_notebook_in_its_order(page):
    sections = [words for level, words in course.headings(page) if level == 2]
    timed = [words for words in sections if words not in course.UNTIMED]
    assert list(course.chapters()[page].minutes) == [course.OPENING, *timed]


@each
def test_headings_that_are_named_exist_once(page):
    chapter, there = course.chapters()[page], [words for _, words in course.headings(page)]
    named = [*chapter.skip, *chapter.faults]
    assert {name: there.count(name) for name in named} == dict.fromkeys(named, 1)


@each
def test_the_minutes_are_those_that_the_chapter_names(page):
    chapter = course.chapters()[page]
    opening = " ".join("".join(course.cells(page)[0]["source"]).split())
    if chapter.exercises:
        read, in_all = map(int, re.search(r"About (\d+) minutes to read, (\d+) with the", opening).groups())
    else:
        read = in_all = {"fifteen": 15}[re.search(r"(\w+) minutes to read; there are no ex", opening)[1]]
    assert (chapter.reading, chapter.doing) == (read, in_all - read)
    there = to_do.by_page()[f"notebooks/{page}"]
    assert (chapter.exercises > 0, chapter.transfer > 0) == (
        bool(there["exercises"]),
        bool(there["transfer"]),
    )


@each
def test_the_text_of_an_exercise_says_its_level_once(page):
    cells = course.cells(page)
    for number, cell in enumerate(cells):
        if "exercise" in cell["metadata"].get("tags", ()):
            (name,) = course.checked_in("".join(cells[number + 1]["source"]))
            said = re.findall(r"\*(Warm-up|Build|Decide)\.\*", "".join(cells[number - 1]["source"]))
            assert said == [course.level(name).capitalize()], name


@each
def test_a_transfer_task_is_no_warm_up_and_stands_behind_the_exercises(page):
    sections = [words for level, words in course.headings(page) if level == 2]
    names = to_do.by_page()[f"notebooks/{page}"]["transfer"]
    assert all(course.level(name) in ("build", "decide") for name in names)
    # The recipe alone has no exercises.
    assert bool(names) == (course.TRANSFER in sections) == (page != "00_recipe")
    if names and "Exercises" in sections:
        assert sections[sections.index("Exercises") + 1] == course.TRANSFER


def test_the_table_of_exercises_has_each_at_its_level_and_says_which_are_transfer():
    listed = [
        (name, level, bool(transfer))
        for transfer, level, names in re.findall(
            r"\*\*(transfer, )?([a-z-]+)\*\*: ([^;|]+)", to_do.exercises_table()
        )
        for name in re.findall(r"\[`(\w+)`\]", names)
    ]
    transfer = {name for there in to_do.by_page().values() for name in there["transfer"]}
    assert sorted(listed) == sorted((name, e.level, name in transfer) for name, e in check.all().items())


@each
def test_a_chapter_gives_two_or_three_things_and_its_next_step_is_there(page):
    chapter = course.chapters()[page]
    assert 2 <= len(chapter.gives) <= 3
    target = chapter.next["page"]
    assert target in PAGES or (ROOT / f"{target}.md").is_file()


@each
def test_what_is_folded_for_the_curious_may_be_skipped(page):
    curious = {
        course.headings_in("".join(cell["source"]))[0][1]
        for cell in course.cells(page)
        if "curious" in cell["metadata"].get("tags", ())
    }
    # A heading below a folded one is folded with it.
    upper = {words for level, words in course.headings(page) if words in curious and level == 2}
    assert upper <= {*course.chapters()[page].skip}


def test_what_a_chapter_assumes_stands_before_it_and_there_is_no_circle():
    before = {chapter.page: chapter.before for chapter in course.chapters().values()}
    list(TopologicalSorter(before).static_order())  # raises where there is a circle
    late = [
        (page, one) for page, ones in before.items() for one in ones if PAGES.index(one) >= PAGES.index(page)
    ]
    assert late == []


@each
def test_what_a_chapter_assumes_is_what_its_opening_says(page):
    """Each chapter number of the opening is named in the entry, and each of the entry in the opening."""
    chapter = course.chapters()[page]
    opening = "".join(course.cells(page)[0]["source"]).split("\n\n")[1]
    said = set()
    for first, last in re.findall(r"(?i)chapters? (\d+)(?: to (\d+))?", opening):
        said |= {str(number) for number in range(int(first), int(last or first) + 1)}
    said |= {"9"} if "and 9" in opening else set()
    said |= {"2", "3", "4"} if re.search(r"Part II\b|technique chapters", opening) else set()
    linked = re.findall(r"\]\((\w+)\.ipynb\)", opening)
    said |= {course.chapters()[other].number for other in linked if PAGES.index(other) < PAGES.index(page)}
    named = {course.chapters()[other].number for other in chapter.before}
    assert named == said, opening


@each_route
def test_a_route_fits_its_time(route):
    told = course.routes()[route]
    parts = course.parts(route)
    for name, steps in parts:
        taught = sum(step.minutes for step in steps if not step.pause)
        assert 0.5 * told["sitting"] <= taught <= told["sitting"], name
    everything = sum(step.minutes for _, steps in parts for step in steps)
    assert everything <= told.get("total", len(parts) * told["sitting"])


@each_route
def test_a_route_takes_the_chapters_after_those_that_they_need(route):
    met = [step.chapter for _, steps in course.parts(route) for step in steps if step.chapter]
    seen = set()
    for chapter in met:
        assert {*chapter.needs} <= seen, chapter.page
        assert not chapter.one_of or seen & {*chapter.one_of}, chapter.page
        seen.add(chapter.page)


@each_route
def test_exercises_on_a_route_take_no_longer_than_the_chapter_says(route):
    for part in course.routes()[route]["parts"]:
        for entry in part["steps"]:
            if isinstance(entry.get("exercises"), dict):
                assert sum(entry["exercises"].values()) <= course.chapters()[entry["chapter"]].exercises


def test_no_section_is_twice_on_a_route_and_after_eleven_evenings_comes_the_capstone():
    for route in course.routes():
        steps = [step for _, steps in course.parts(route) for step in steps if step.chapter]
        read = [link[:2] for step in steps for link in step.links if "exercise" not in link[0]]
        assert len(read) == len(set(read))
    *evenings, last = [name for name, _ in course.parts("evenings")]
    assert len(evenings) == 11 and all("evening:" in name for name in evenings) and "capstone" in last


@each_route
def test_every_route_has_a_quiz_and_leads_to_the_capstone(route):
    pages = [page for _, steps in course.parts(route) for step in steps for _, page, _ in step.links]
    assert any("quiz_part" in page for page in pages if page) and pages[-1] == "capstone.md"


def test_what_the_class_does_is_told_apart_from_what_it_is_taught():
    both = {"chapter": "02_pruning", "sections": ["Five by five"], "exercises": {"pruning_mask": 8}}
    assert (course.step(both).minutes, course.step(both).doing) == (16, 8)
    quiz = {"page": "quiz_part_1.md", "words": "Quiz", "minutes": 9}
    assert [course.step(quiz | {"doing": doing}).doing for doing in (True, False)] == [9, 0]
    chapter = course.chapters()["02_pruning"]
    whole = course.step({"chapter": "02_pruning", "sections": "all", "exercises": "all"})
    assert whole.doing == chapter.exercises < whole.minutes


def test_a_section_that_no_chapter_has_is_refused():
    with pytest.raises(KeyError):
        course.step({"chapter": "02_pruning", "sections": ["Six by six"]})
    with pytest.raises(KeyError):
        course.step({"chapter": "02_pruning", "exercises": {"no_such_checker": 5}})


def test_a_fault_that_is_met_is_a_row_of_the_page_and_no_prediction_ends_before_its_note():
    for chapter in course.chapters().values():
        for heading, fault in chapter.faults.items():
            assert len(course_pages.fault(fault)) >= 4
            inside, last = False, None
            for cell in course.cells(chapter.page):
                words = [one for _, one in course.headings_in("".join(cell["source"]))]
                if cell["cell_type"] == "markdown" and inside and words:
                    break
                inside = inside or heading in words
                last = cell if inside else None
            assert "widgets.predict(" not in "".join(last["source"]), (
                heading
            )  # the note would be all that it folds


# --- what is made of it ---


def notebook(*sources):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": [text]} for text in sources]
    return {"cells": cells}


def test_a_chapter_gets_its_box_its_marks_and_its_next_step():
    made = {"cells": [{**cell, "metadata": {**cell["metadata"]}} for cell in course.cells("09_from_pytorch")]}
    before = len(made["cells"])
    course_pages.add_to_notebook(made, "09_from_pytorch")
    texts = ["".join(cell["source"]) for cell in made["cells"]]
    assert texts[0].index("course-box") > texts[0].index("with the exercises.*")
    assert "[1](01_where_50_mb.ipynb) helps" in texts[0]
    assert sum("{.course-skip}" in text for text in texts) == len(course.chapters()["09_from_pytorch"].skip)
    assert sum(text.count("{.course-fault}") for text in texts) == len(
        course.chapters()["09_from_pytorch"].faults
    )
    assert "course-next" in texts[-1] and "10_post_training.ipynb" in texts[-1]
    assert len(made["cells"]) > before
    names = [cell.get("id") for cell in made["cells"]]
    assert len(names) == len(set(names))


def test_a_mark_stands_below_its_heading_and_a_note_at_the_end_of_its_section():
    made = notebook("# A", "## One\n\nText.\n\n## Two\n\nMore.", "Still two.", "### Three")
    for cell in made["cells"]:
        cell["source"] = "".join(cell["source"])
    course_pages._insert(made, "One", "mark", at_end=False)
    course_pages._insert(made, "One", "note", at_end=True)
    course_pages._insert(made, "Two", "second", at_end=True)
    course_pages._insert(made, "Three", "third", at_end=True)
    text = "|".join(cell["source"] for cell in made["cells"])
    assert (
        text == "# A|## One\n\nmark\n\n\nText.\n\nnote\n\n## Two\n\nMore.|Still two.|second|### Three|third"
    )


def test_the_last_chapter_of_a_part_leads_to_what_stands_behind_the_part(monkeypatch):
    files = ["notebooks/02_pruning", "notebooks/03_quantization"]
    toc = [("Part II", files), (None, ["book/quiz"]), ("Part III", ["notebooks/06_accuracy"])]
    monkeypatch.setattr(course, "contents", lambda: toc)
    assert [course.behind(page) for page in map(course.page_of, (*files, toc[2][1][0]))] == [
        [],
        ["book/quiz"],
        [],
    ]
    last = course_pages._next(course.chapters()["03_quantization"])
    assert "[](../book/quiz.md). Then [4. Palettization]" in last


@pytest.mark.parametrize("name", ["map", "route_workshop", "route_day", "route_evenings", "preface"])
def test_no_mark_is_left_on_a_page(name):
    page = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
    filled = course_pages.fill(page)
    assert "<!-- course" in page and "<!-- course" not in filled


def test_every_box_of_the_map_is_a_link_and_every_need_a_line():
    svg = ET.fromstring(course_map.drawing().removeprefix('<div class="course-map">').removesuffix("</div>"))
    space = "{http://www.w3.org/2000/svg}"
    links = [link.get("href") for link in svg.iter(f"{space}a")]
    assert links == [f"../notebooks/{page}.html" for page in PAGES]
    rails = course_map.rails()
    drawn = {(source, page) for rail in rails for source in rail.sources for page, _ in rail.ends}
    assert drawn == {(one, chapter.page) for chapter in course.chapters().values() for one in chapter.before}
    tips = [path for path in svg.iter(f"{space}path") if path.get("class").startswith("tip")]
    assert len(tips) == sum(len(rail.ends) for rail in rails)


def test_no_two_lines_of_the_map_lie_on_each_other():
    verticals = re.findall(r'class="line" d="M(\d+) (\d+)V(\d+)"', course_map.drawing())
    lines = sorted((int(x), int(top), int(bottom)) for x, top, bottom in verticals)
    assert len(lines) == len(course_map.rails())
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in zip(lines, lines[1:], strict=False))


# --- terms ---


def test_words_with_another_meaning_are_terms_of_the_glossary():
    assert {*terms.BY_HAND} <= {*terms.headwords()}


@pytest.mark.parametrize(
    "text, found",
    [
        ("Two decibels or 3 dB", ["decibel (dB)", "decibel (dB)"]),
        ("Sensitivities of layers", ["sensitivity"]),
        ("The Hessian, not a hessian", ["Hessian"]),
        ("what `w` weighs, weight.bin and counterweight", []),
        ("batch normalization of a batch", ["batch normalization", "batch"]),
        ("a tap, a block, an index", []),
        ("just in time", ["just in time"]),
    ],
)
def test_a_term_is_found_in_the_forms_that_people_write(text, found):
    assert [terms.headword_of(match[0]) for match in terms.pattern().finditer(text)] == found


@pytest.mark.parametrize("term", ["decibel (dB)", "signal to noise", "sensitivity", "Hessian", "tap"])
def test_the_glossary_defines(term):
    assert term in terms.headwords()
