"""A metric of the user's: what it may return, what it may not, and what becomes of what it prints."""

import sys

import numpy as np
import pytest

from toykit.exploration.metrics import HELD_OUT, SEARCH, Metric


def predict(inputs):
    return inputs


def test_truth_values_are_a_share_with_an_interval():
    found = Metric(lambda predict, part: [part == SEARCH] * 6 + [False] * 2)(predict, SEARCH)
    assert (found.value, found.samples) == (0.75, 8)
    assert 0 < found.low < 0.75 < found.high < 1


def test_numbers_are_a_mean_and_have_no_interval():
    found = Metric(lambda predict, part: np.array([1.0, 2.0, 6.0]))(predict, SEARCH)
    assert (found.value, found.samples) == (3.0, 3) and np.isnan(found.low)
    assert found.less_than(found) is None


def test_of_samples_every_third_is_held_out_if_the_metric_knows_no_parts():
    metric = Metric(lambda predict: (mark for mark in [True, True, False, True, False, False]))
    assert (metric(predict, SEARCH).value, metric(predict, HELD_OUT).value) == (0.75, 0.0)
    difference = metric(predict, SEARCH).less_than(metric(predict, SEARCH))
    assert difference.value == 0 and difference.low < 0 < difference.high


def test_of_a_single_number_nothing_is():
    metric = Metric(lambda predict: 0.5)
    assert metric(predict, SEARCH).value == 0.5 and metric(predict, HELD_OUT) is None


@pytest.mark.parametrize(
    "answer, said",
    [
        (float("nan"), "returned nan"),
        ([1.0, float("inf")], "returned inf"),
        ("good", "a number"),
        (None, "a number"),
        ([], "a number"),
        ([[1, 2], [3, 4]], "a number"),
        ({"right": 0.5}, "a number"),
        ([1, [2, 3]], "a number"),
    ],
)
def test_what_is_no_number_is_refused(answer, said):
    with pytest.raises(ValueError, match=f"metric .*{said}"):
        Metric(lambda predict: answer)(predict, SEARCH)


def test_what_it_raises_is_said_with_its_name():
    def fails(predict):
        raise KeyError("label")

    with pytest.raises(ValueError, match="fails raised KeyError: 'label'"):
        Metric(fails)(predict, SEARCH)


def test_it_cannot_end_the_program():
    with pytest.raises(ValueError, match="exit raised SystemExit: 0"):
        Metric(sys.exit)(0, SEARCH)


def test_what_it_prints_goes_to_standard_error(capsys):
    metric = Metric(lambda predict: print("epoch 1") or 0.5)
    assert not metric.printed
    metric(predict, SEARCH)
    assert metric.printed and capsys.readouterr() == ("", "epoch 1\n")


def test_it_is_found_in_a_file_and_may_import_what_lies_beside_it(tmp_path):
    (tmp_path / "beside_the_exam.py").write_text("RIGHT = 0.25")
    (tmp_path / "exam.py").write_text(
        "import beside_the_exam\ndef right(predict):\n    return beside_the_exam.RIGHT\n"
    )
    assert Metric(f"{tmp_path}/exam.py:right")(predict, SEARCH).value == 0.25


@pytest.mark.parametrize(
    "place, error, said",
    [
        ("exam.py", ValueError, "a file and a function"),
        ("gone.py:right", FileNotFoundError, "no file"),
        ("exam.py:wrong", ValueError, "no function 'wrong'"),
        ("broken.py:right", ValueError, "raised SyntaxError"),
        ("program.py:right", ValueError, "raised SystemExit: 0"),
        ("exam.txt:right", ValueError, "no Python file"),
    ],
)
def test_what_is_not_there_is_said(place, error, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exam.py").write_text("def right(predict):\n    return 1\n")
    (tmp_path / "exam.txt").write_text("a text")
    (tmp_path / "program.py").write_text("raise SystemExit(0)")
    (tmp_path / "broken.py").write_text("def right(")
    with pytest.raises(error, match=said):
        Metric(place)
