"""The report of an exploration: its numbers are the result's, strange names stay text, and it needs nothing else."""

import csv
import re
import shlex
import sys
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import toykit as tk
from tests.exploration import nets
from tests.html_page import Page
from toykit import cli
from toykit._text import printable
from toykit.exploration import repeating, report
from toykit.exploration.speed import modelled

HOSTILE = '\x1b[2J</td><script>alert(1)</script>" onclick="x" \u202e'
FEW = [{"technique": "quantize", "bits": 8}, {"technique": "palettize", "bits": 4}]


def model_at(folder):
    return nets.chain(folder / "Model.mlpackage", sizes=(48, 64, 56))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return tk.explore(model_at(folder), out=folder / "out", at_least="18dB", settings=FEW, jobs=1)


def lines_of(html):
    """What is to be copied."""
    return [unescape(re.sub("<.*?>", "", one)) for one in re.findall(r"<pre>(.*?)</pre>", html, re.DOTALL)]


def test_it_lies_in_the_folder_and_has_all_parts_in_the_order_in_which_they_are_needed(found):
    html = (found.folder / "report.html").read_text("utf-8")
    assert re.findall(r"<h2.*?>(.*?)</h2>", html) == [
        "What to do next",
        "Recipes and weights",
        "The recipe, with its reasons",
        "What was verified, and how",
        "What is unknown",
        "How to do it again",
    ]
    assert html.count("<h1>") == html.count("<main>") == 1 and "@media print" in html
    assert html.index("Fidelity, not accuracy") < html.index("What to do next")
    assert "modelled" in html.partition("What is unknown")[2] and "was not measured" in html


def test_its_numbers_are_those_of_the_result(found):
    words = " ".join(Page(report.as_html(found)).words)
    assert f"{found.nbytes:,} bytes" in words and "Met" in words
    for one in found.judgements:
        assert f"{one.value:.1f} dB" in words
    for weight in found.weights:
        assert weight.why in words and weight.chosen.label in words
        for one in weight.candidates:
            assert f"{one.nbytes:,}" in words and f"{one.snr_db:.1f} dB" in words
    for name, digest in found.digests.items():
        assert name in words and digest in words
    package = tk.coreml.Package(found.package)
    assert len(found.digests) == 6 and f"{found.bound.gap:.1%}" in words
    assert all(len(digest) == 64 for digest in found.digests.values()) and package.nbytes == found.nbytes


def test_names_of_strangers_stay_text(found):
    first, *rest = found.weights
    strange = replace(found, model=HOSTILE, weights=(replace(first, name=HOSTILE, why=HOSTILE), *rest))
    page, plain = Page(report.as_html(strange)), Page(report.as_html(found))
    assert page.tags.count("script") == plain.tags.count("script") == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert printable(HOSTILE) in page.words and "\x1b" not in report.as_html(strange)


def test_it_asks_for_nothing_from_anywhere(found):
    html = report.as_html(found)
    page = Page(html)
    assert not {"src", "srcset", "action", "background"} & {name for _, name, _ in page.attributes}
    assert {tag for tag, name, _ in page.attributes if name == "href"} == {"a"}
    assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
    assert "url(" not in html and "@import" not in html and "fetch(" not in html


def test_without_scripts_all_numbers_and_still_pictures_are_there(found):
    (still,) = re.findall(r"<noscript>(.*?)</noscript>", report.as_html(found), re.DOTALL)
    assert still.count("data-weight=") == len(found.weights) and still.count("data-recipe=") == len(
        found.front
    )
    assert still.count("data-setting=") == sum(len(one.candidates) for one in found.weights)
    assert "Every setting of every weight" in still


def test_without_anywidget_the_pictures_are_there(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "toykit.widgets.recipes", None)
    html = report.as_html(found)
    assert "<script" not in html and html.count("data-weight=") == len(found.weights)


def test_a_command_of_it_repeats_it_and_measures_nothing_again(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = f"explore {model_at(tmp_path).name} --at-least 12dB --out out --samples 1 --jobs 1"
    assert cli.main(line.split()) == 0
    before = (tmp_path / "out/measurements.csv").read_bytes()
    copied = lines_of((tmp_path / "out/report.html").read_text("utf-8"))
    assert copied[-1] == "toykit explore Model.mlpackage --at-least 12dB --samples 1 --out out"
    assert cli.main(shlex.split(copied[-1])[1:]) == 0
    assert (tmp_path / "out/measurements.csv").read_bytes() == before
    alone = len([row for row in csv.DictReader(before.decode().splitlines()) if row["part"] == "alone"])
    (budget,) = (one for one in copied if "--budget" in one)
    cli.main(shlex.split(budget)[1:])
    after = (tmp_path / "out/measurements.csv").read_text().splitlines()
    assert alone == len([row for row in csv.DictReader(after) if row["part"] == "alone"]) > 0
    (plan,) = (one for one in copied if one.startswith("toykit compress"))
    assert cli.main(shlex.split(plan)[1:]) == 0 and (tmp_path / "smaller.mlpackage").is_dir()


def test_what_is_not_met_says_what_to_do_and_what_it_would_take(tmp_path):
    path = model_at(tmp_path)
    short = tk.explore(path, out=tmp_path / "out", budget=100, settings=FEW, jobs=1)
    html = (tmp_path / "out/report.html").read_text("utf-8")
    assert not short.met and "Not met" in html and "Decide whether the nearest is enough" in html
    assert f"{short.nbytes:,}, which is the budget that it would take" in html


def test_a_metric_has_its_interval_and_no_warning_of_fidelity(found):
    judged = [
        replace(one, value=0.9, original=0.95, low=0.8, high=0.96, difference=(-0.1, -0.05, 0.02), samples=50)
        for one in found.judgements
    ]
    goal = replace(found.goal, at_least=0.9, unit="")
    recipes = [replace(one, value=0.9) for one in found.recipes]
    given = {"recipes": tuple(recipes), "front": tuple(recipes[:1]), "recipe": recipes[0]}
    asked = replace(found, metric="exam.py:right", goal=goal, judgements=tuple(judged), **given)
    words = " ".join(Page(report.as_html(asked)).words)
    assert "Fidelity, not accuracy" not in words and "0.9 by exam.py:right (0.8 to 0.96 with 95 %)" in words
    assert "-0.050 (-0.100 to +0.020)" in words
    assert "The interval reaches down to 0.800, and 0.9 was asked for" in words
    enough = replace(asked, goal=replace(goal, at_least=0.7))
    assert "Look at the answers that changed" in report.as_html(enough)


def test_what_is_not_verified_is_said_first(found):
    wrong = replace(found, met=False, verification=replace(found.verification, problems=("w0 is <wrong>",)))
    html = report.as_html(wrong)
    assert (
        html.index("w0 is &lt;wrong&gt;")
        < html.index("Do not ship this package.")
        < html.index("Put it into")
    )


def test_a_notebook_shows_the_verdict_and_the_widget(found, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    found._ipython_display_()
    assert shown[0]["text/plain"] == str(found) and "Fidelity, not accuracy" in shown[0]["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in shown[-1] and len(shown) == 3
    assert found._repr_html_() in shown[0]["text/html"]


def test_arrays_and_networks_are_repeated_from_python():
    def given(model, inputs=None, at_least=None, out=None, jobs=None):
        return repeating.arguments_of(given, locals())

    inputs = {"x": np.zeros(2)}
    assert repeating.command(given(object(), inputs, 40, out=Path("a b"), jobs=3)) == (
        "tk.explore(model, inputs=inputs, at_least=40, out='a b')"
    )
    assert repeating.command(given("m", "x.npz", out="a b")) == "toykit explore m --inputs x.npz --out 'a b'"
    settings = repeating.command({"model": "'m'", "settings": "[{'technique': 'prune'}]", "out": "'o'"})
    assert settings == "tk.explore('m', settings=[{'technique': 'prune'}], out='o')"


def test_a_modelled_time_is_a_range_that_the_recipe_moves(found):
    guess, same = modelled(found.source, found.recipe.settings), modelled(found.source, {})
    assert guess.layers == 2 and guess.before == same.before == same.after
    assert guess.after[0] < guess.before[0] and guess.after[1] == guess.before[1]
    odd = {"w0": {"technique": "prune", "threshold": 0.1}}
    assert "threshold" in modelled(found.source, odd)
