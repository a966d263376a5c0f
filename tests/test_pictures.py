"""The two grids beside a refusal: drawn where they help, with each difference marked, and never instead of the text."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from toykit.exercises import Case, Exercise, check
from toykit.exercises.picture import grids

SVG = "{http://www.w3.org/2000/svg}"


def drawings(html):
    """The two drawings, as trees."""
    found = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    return [ET.fromstring(one.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')) for one in found]


def marks(svg):
    """The digits of the marked cells: bold, and as many as there are thick frames and filled corners."""
    bold = [text.text for text in svg.iter(f"{SVG}text") if text.get("font-weight") == "bold"]
    thick = [frame for frame in svg.iter(f"{SVG}rect") if frame.get("stroke-width") == "3"]
    assert len(bold) == len(thick) == len(list(svg.iter(f"{SVG}path")))
    return bold


def test_what_differs_is_marked_in_both_grids_and_named_for_those_who_do_not_see_them():
    mine, theirs = drawings(grids(np.array([[1, -2], [3, 4]]), np.array([[1, 2], [3, 5]])))
    assert marks(mine) == ["−2", "4"] and marks(theirs) == ["2", "5"]
    assert mine.get("aria-label") == "You gave: shape (2, 2). Marked: [0, 1] −2, [1, 1] 4."
    assert len(list(mine.iter(f"{SVG}text"))) == 4


@pytest.mark.parametrize(
    "got, expected, marked",
    [
        ([True, False, True, True], np.array([True, True, True, False]), ["F", "T"]),
        ([1.0, 2.0, 3.0, 5.0], np.array([1.0, 2.0, 3.0, 4.0]), ["5"]),
        (np.uint8([1, 2, 3, 200]), np.uint8([1, 2, 3, 100]), ["200"]),
        ([1.0, 2.0, np.nan, np.inf], np.array([1.0, 2.0, 3.0, 4.0]), ["nan", "inf"]),
        ((7, [1, 2, 3, 9]), (7, np.array([1, 2, 3, 4])), ["9"]),
        ({"a": 1, "b": [0, 1, 2, 3]}, {"a": 1, "b": np.zeros(4)}, ["1", "2", "3"]),
        (np.zeros((2, 3)), np.zeros((3, 2)), []),
        (np.zeros(4), np.zeros((2, 2)), []),
    ],
)
def test_small_arrays_are_drawn(got, expected, marked):
    mine, theirs = drawings(grids(got, expected))
    assert marks(mine) == marked and len(marks(theirs)) == len(marked)


@pytest.mark.parametrize(
    "got, expected",
    [
        (3, 4),
        ("a", "b"),
        (np.ones(3), np.zeros(3)),
        (np.ones(13), np.zeros(13)),
        (np.ones((2, 2, 2)), np.zeros((2, 2, 2))),
        (np.zeros(0), np.zeros(4)[:0]),
        ({1, 2}, np.zeros(4)),
        (7, (np.zeros(4), np.zeros(4))),
        ([1, [2, 3]], np.zeros(4)),
        (np.array(list("abcd")), np.zeros(4)),
        ({"b": np.ones(4)}, {"a": np.zeros(4)}),
        (np.zeros(4) + 1 / 3 + 1e-7, np.zeros(4) + 1 / 3),
        (np.array([0, 1, 0, 1]), np.array([False, True, False, True])),
    ],
)
def test_where_a_picture_would_say_no_more_there_is_none(got, expected):
    assert grids(got, expected) == ""


def test_the_report_shows_it_beside_the_whole_text():
    exercise = Exercise("twice", "Double.", lambda x: 2 * x, [Case(np.arange(4))])
    report = exercise(lambda x: x)
    assert report.picture in report._repr_html_() and marks(drawings(report.picture)[0]) == ["1", "2", "3"]
    assert "[0, 1, 2, 3]" in repr(report) and "svg" not in repr(report)
    assert exercise(lambda x: 2 * x).picture == ""


def test_refusals_of_the_books_own_exercises_have_pictures():
    assert check.n_m_mask(lambda w, n, m: np.abs(w) > n).picture
    assert not check.sparse_bytes(lambda w: 1).picture
