"""Reports on a model: the same numbers as lines, JSON, CSV and a page."""

import csv
import io
import json
import re

import numpy as np
import pytest

import toykit as tk
from toykit._text import printable
from toykit.cli import size as command
from toykit.size import reports

from . import handmade
from .html_page import Page

HOSTILE = '\x1b[2J</td><script>alert(1)</script>\n=1+1, "q" \u202e'


@pytest.fixture(scope="module")
def ledger():
    rng = np.random.default_rng(0)
    weights = {
        name: rng.normal(size=(64, 48)).astype(np.float16) for name in ("b", HOSTILE, "=SUM(A1)", "a|b")
    }
    return tk.size.ledger({"small": np.zeros(3, np.float32), **weights})


@pytest.fixture(scope="module")
def report(ledger):
    return tk.size.report(ledger, sort="size")


def test_every_choice_is_what_the_ledger_predicts(ledger, report):
    assert [one.about for one in report.predictions] == list(reports.CHOICES)
    for one in report.predictions:
        technique, options = reports.CHOICES[one.about]
        assert one.ledger.nbytes == ledger.after(technique, **options).nbytes and not one.problem
    used = {technique for technique, _ in reports.CHOICES.values()}
    assert used == {"prune", "quantize", "palettize", "joint"}
    assert command.SORTS == reports.SORTS


def test_forms_and_rest_add_up():
    weights = np.random.default_rng(0).normal(size=(64, 80)).astype(np.float16)
    # Two layers; one is compressed by hand.
    forms = [
        tk.size.Row("a", "", (64, 80), "uint4", 5120, 2592, "palette"),
        tk.size.Row("b", "", (64, 80), "float16", 5120, weights.nbytes),
        tk.size.Row("c", "", (64, 80), "float16", 5120, weights.nbytes),
    ]
    found = tk.size.report(tk.size.Ledger(forms, "x", {"header": 7}), {})
    assert found.forms == [("float16", 2, 10_240, 20_480), ("uint4 palette", 1, 5120, 2592)]
    assert sum(nbytes for *_, nbytes in found.forms) + 7 == found.ledger.nbytes
    assert "     0.02 MB  2 weights of float16\n    2,592 B   1 weight of uint4 palette\n" in found.as_text()
    assert found.as_text().startswith("     0.02 MB = 0.02 MiB, 15,360 parameters\n")


def test_what_is_under_ten_thousand_bytes_is_told_in_bytes():
    small = tk.size.report(
        tk.size.Ledger([tk.size.Row("a", "", (9,), "float16", 9, 9_993)], "x", {"header": 6}), {}
    )
    lines = small.as_text().splitlines()
    assert lines[0] == "    9,999 B, 9 parameters" and "        6 B   header" in lines
    assert "9,999 B, 9 parameters" in small.as_html()


def test_lines_are_printable_and_aligned(report):
    text = report.as_text(layers=True)
    assert all(line.isprintable() for line in text.splitlines())
    table = text.splitlines()[-6:]
    assert table[0].split() == ["bytes", "share", "parameters", "type", "shape", "name"]  # nothing uses them
    place = table[0].index("name")
    assert [line[place:] for line in table[1:]] == ["b", printable(HOSTILE), "=SUM(A1)", "a|b", "small"]


def test_json_has_names_as_they_are(report):
    data = json.loads(report.as_json())
    assert report.as_json().isascii()
    assert data["bytes"] == report.ledger.nbytes == sum(row["bytes"] for row in data["weights"])
    assert [row["name"] for row in data["weights"]] == ["b", HOSTILE, "=SUM(A1)", "a|b", "small"]
    assert data["weights"][0]["shape"] == [64, 48]
    one = data["predictions"][0]
    assert one["technique"] == "quantize" and one["exact"] and set(one["declined"]) == {"small"}


def test_csv_holds_no_formula(report):
    rows = list(csv.DictReader(io.StringIO(report.as_csv())))
    assert [row["name"] for row in rows] == ["b", printable(HOSTILE), "'=SUM(A1)", "a|b", "small"]
    assert sum(int(row["bytes"]) for row in rows) == report.ledger.nbytes
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_page_needs_nothing_else_and_runs_nothing(report):
    page = Page(report.as_html())
    assert "script" not in page.tags and page.tags.count("table") == 3
    assert not {"src", "href"} & {name for _, name, _ in page.attributes} and "url(" not in report.as_html()
    assert printable(HOSTILE) in page.words and "\x1b" not in report.as_html()
    assert page.tags.count("tr") == 3 + 2 + len(reports.CHOICES) + 5


def test_what_is_not_known_is_said_everywhere(ledger):
    found = tk.size.report(ledger.group(), {"half": ("prune", {"sparsity": 0.5})})
    problem = "is a prediction or a summary"
    assert re.search(rf" \? MB  half: .*{problem}", found.as_text())
    assert problem in json.loads(found.as_json())["predictions"][0]["problem"]
    assert problem in found.as_html()


def test_progress_is_told(ledger):
    told = []
    tk.size.report(ledger, dict(list(reports.CHOICES.items())[:3]), progress=lambda *step: told.append(step))
    assert told == [(0, 3), (1, 3), (2, 3)]
    with pytest.raises(ValueError, match="sort must be one of"):
        tk.size.report(ledger, sort="weight")


def test_a_package_says_its_forms_and_what_its_system_cannot_hold(tmp_path):
    weights = np.random.default_rng(0).normal(size=(64, 80)).astype(np.float16)
    path = handmade.write(tmp_path / "a.mlpackage", [("linear", weights)])
    text = tk.size.report(tk.size.ledger(path)).as_text()
    assert "weight.bin: header, records, alignment" in text
