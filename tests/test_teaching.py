"""What a teacher is told is so: objectives, minutes, misconceptions with questions that reveal them, what to draw."""

import re

import pytest

from book._tools import board, board_pictures, course, course_pages, teaching, teaching_pages
from book._tools.project import ROOT
from toykit import quiz
from toykit.exercises import check

PARTS = teaching.parts()
every_part = pytest.mark.parametrize("name", PARTS)


def test_every_chapter_is_in_the_file_and_in_no_other_order():
    assert list(teaching.notes()) == list(course.chapters())
    assert [page for part in PARTS.values() for page in part.pages] == list(course.chapters())[1:]


@pytest.mark.parametrize("page", course.chapters())
def test_every_chapter_has_something_to_draw(page):
    assert len(teaching.notes()[page]["draw"].split()) > 8
    drawn = board.sketch(page)
    assert re.match(r"```{raw} html\n<(figure><img|pre) .*\n```\Z", drawn, re.DOTALL)
    assert (page in board.SKETCHES) != (page in board_pictures.PICTURES)


def test_a_sketch_fits_on_a_page_and_its_numbers_are_computed():
    assert all(len(line) <= 80 for page in board.SKETCHES for line in board.text(page).splitlines())
    assert board.faster(4.0, 1.0).splitlines()[3:] == [
        "takes      75 % less time",
        "is         300 % faster",
        "is         4.00 times as fast",
    ]
    drawn = board.stages(lengths=(1, 2, 1), requests=2, width=2)
    assert drawn.splitlines() == ["prepare  |1 2", "predict  |  111 222", "read out |      1   2"]


@pytest.mark.parametrize("page", [page for part in PARTS.values() for page in part.pages])
def test_every_misconception_is_given_away_by_a_question_of_its_chapter(page):
    found = teaching.misconceptions(page)
    assert len(found) >= 2
    for one in found:
        assert one.drawn.section.startswith(f"{page}#")
        assert one.told_by in one.drawn.choices and one.told_by != one.drawn.right
        assert (ROOT / f"{one.quiz}.md").is_file()
        assert one.then.endswith((".", "?")) and one.belief.endswith(".")


def test_a_question_or_a_choice_that_the_quiz_does_not_have_is_refused():
    entry = {"belief": "", "question": "ties", "choice": "exactly half", "then": ""}
    assert teaching._misconception(**entry).told_by == "4"
    for wrong in ({"question": "no_such_question"}, {"choice": "no such choice"}):
        with pytest.raises(KeyError, match="no.such"):
            teaching._misconception(**entry | wrong)


@every_part
def test_a_lesson_has_all_that_its_chapters_give_and_ask(name):
    lesson, part = teaching_pages.lesson(name), PARTS[name]
    assert all(f"\n- {one}" in lesson for chapter in part.chapters for one in chapter.gives)
    beliefs = [one for page in part.pages for one in teaching.misconceptions(page)]
    assert lesson.count("gives it away") == len(beliefs) >= 5
    for chapter in part.chapters:
        assert all(check.all()[one].task in lesson for one in course.places_of_exercises(chapter.page))
    asked = {one.drawn.name for one in beliefs}
    assert 2 * len(asked) >= len(quiz.questions(name))


def rows(table):
    """The rows of a table as {words: numbers}, without links and marks."""
    found = {}
    for line in table.splitlines()[2:]:
        name, *numbers = (
            re.sub(r"\[(.+?)\]\(.+?\)|\*", r"\1", cell).strip() for cell in line.split("|")[1:-1]
        )
        found[name] = [int(number or 0) for number in numbers]
    return found


def test_the_minutes_are_those_of_the_course_and_add_up():
    found = rows(teaching_pages.timing())
    chapters = course.chapters().values()
    for one in chapters:
        read, *doing, together = found.pop(one.label)
        assert (read, *doing) == (sum(one.minutes.values()), one.exercises, one.transfer)
        assert together == read + one.doing
    everything = found.pop("All chapters")
    assert everything[3] == sum(one.reading + one.doing for one in chapters) == sum(everything[:3])
    assert list(found) == [part.caption for part in PARTS.values()]
    recipe = [next(iter(chapters)).reading, 0, 0]  # is in no part
    parts = [numbers[:3] for numbers in found.values()]
    assert [sum(column) for column in zip(recipe, *parts, strict=True)] == everything[:3]


@pytest.mark.parametrize("name, caption", teaching_pages.ROUTES.items())
def test_the_minutes_of_a_route_are_those_of_its_steps(name, caption):
    steps = [step for _, there in course.parts(name) for step in there]
    taught, doing, together, pauses = rows(teaching_pages.routes())[caption]
    assert taught + doing == together == sum(step.minutes for step in steps if not step.pause)
    assert together + pauses == sum(step.minutes for step in steps)
    assert f"{taught} minutes of teaching and {doing} of exercises" in teaching_pages.route(name)


@pytest.mark.parametrize("name", ["teaching", *(f"teaching_part_{number}" for number in range(1, 6))])
def test_no_mark_is_left_and_every_page_is_in_the_contents(name):
    text = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
    assert "<!-- course" in text and "<!-- course" not in course_pages.fill(text)
    assert any(f"book/{name}" in files for _, files in course.contents())
