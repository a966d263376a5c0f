"""Every question, with any seed: one right answer, wrong ones that differ and say why, and a section to find it in."""

import json
import re
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toykit as tk
from book._tools.project import ROOT
from tests.nightly import cases
from tests.quiz_oracles import ORACLES
from toykit.coreml.writing import forms
from toykit.quiz import tools

ALL = [(part, name) for part in tk.quiz.PARTS for name in tk.quiz.questions(part)]
SEEDS = st.integers(0, 2**63 - 1)
NUMERALS = {"size": "I", "techniques": "II", "accuracy": "III", "tools": "IV", "speed": "V"}
every = pytest.mark.parametrize("part, name", ALL, ids=[name for _, name in ALL])


def question(part, name):
    return tk.quiz.questions(part)[name]


@every
@settings(max_examples=cases(15, 500))
@given(seed=SEEDS)
def test_no_seed_makes_two_choices_alike_and_the_right_one_is_computed_twice(part, name, seed):
    asked = question(part, name)
    drawn = asked.draw(seed)
    assert len(set(drawn.choices)) == len(drawn.choices) and 3 <= len(drawn.choices) <= 4
    assert drawn.right in drawn.choices
    assert set(drawn.misconceptions) == set(drawn.feedback) == set(drawn.choices) - {drawn.right}
    pictures = {"grids": drawn.grids} if drawn.grids else {}
    again = asked.show(ORACLES[part][name](**drawn.given, **pictures))
    assert again == drawn.right or near(again, drawn.right)


def near(first, second):
    """Two numbers that are apart by one in the last place shown: the border between two roundings lay between them."""
    (a, b) = (re.sub(r"[^\d.]", "", text) for text in (first, second))
    decimals = len(b.partition(".")[2])
    return decimals and abs(float(a) - float(b)) < 1.01 * 10**-decimals


@every
def test_every_misconception_is_met_and_has_words_of_its_own(part, name):
    asked = question(part, name)
    drawn = [asked.draw(seed) for seed in range(100)]
    met = {one for each in drawn for one in each.misconceptions.values()}
    assert met == set(asked.wrong)
    assert len(set(asked.wrong.values())) == len(asked.wrong)
    assert all(len(text.split()) > 3 for text in asked.wrong.values())
    for one in drawn:
        said = [one.text, one.because, *one.feedback.values()]
        assert not any("{" in text.replace("{}", "") or "}" in text for text in said)
        assert not re.search(r"\b1 (bits|doublings|rows)\b", " ".join(said))
    assert len({one.text + str(one.grids) for one in drawn[:20]}) >= 5  # a second try asks something else


def test_every_part_has_its_questions_and_an_oracle_for_each():
    counts = {part: len(tk.quiz.questions(part)) for part in tk.quiz.PARTS}
    assert counts.pop("puzzles") == 12 and min(counts.values()) >= 10
    assert {part: [*ORACLES[part]] for part in ORACLES} == {
        part: [*tk.quiz.questions(part)] for part in tk.quiz.PARTS
    }


def chapters_of_parts():
    """Notebooks by the numeral of their part."""
    parts = re.split(r"- caption: Part (\w+)\.", (ROOT / "_toc.yml").read_text(encoding="utf-8"))[1:]
    texts = dict(zip(parts[::2], parts[1::2], strict=True))
    texts["V"] = texts["V"].partition("- caption:")[0]
    return {part: re.findall(r"file: notebooks/(\w+)", text) for part, text in texts.items()}


@every
def test_the_section_is_in_its_part(part, name):
    notebook, heading = question(part, name).section.split("#")
    assert notebook in chapters_of_parts()[NUMERALS.get(part, "II")]
    cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert re.search(rf"^#+ {re.escape(heading)}$", text, re.MULTILINE)


def test_the_oldest_systems_are_those_of_the_writer():
    old = SimpleNamespace(number=None, programs=[SimpleNamespace(spec_version=forms.IOS16)])
    ways = {
        "8-bit codes with a scale for each channel": [
            ("quantize", {"bits": 8, "granularity": "per_channel"})
        ],
        "a palette of 4 bits for each layer": [("palettize", {"bits": 4})],
        "half of the weights pruned": [("prune", {})],
        "4-bit codes in blocks of 32": [("quantize", {"bits": 4, "granularity": "per_block"})],
        "a palette of 3 bits for each layer": [("palettize", {"bits": 3})],
        "a palette of 4 bits for each 16 channels": [("palettize", {"bits": 4, "group_size": 16})],
        "pruned weights with a palette": [("prune", {}), ("palettize", {"bits": 4})],
    }
    none = {"group_size": None, "per_channel_scale": False, "cluster_dim": 1}
    found = {
        what: 18 if forms.needs(old, [(kind, none | options) for kind, options in steps]) else 16
        for what, steps in ways.items()
    }
    assert found | {"8-bit weights and 8-bit activations": 17} == tools.SYSTEMS


def test_a_question_whose_choices_never_differ_is_an_error():
    asked = tk.quiz.Question("same", "01#x", "", "", "{}", {"w": "w"}, lambda random: tools.case(1, {"w": 1}))
    with pytest.raises(RuntimeError, match="same: in 200 draws"):
        asked.draw(0)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "3", None])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises((TypeError, ValueError), match="seed"):
        question("size", "fits").draw(seed)


def test_the_two_forms_ask_the_same_with_other_numbers():
    a, b = tk.quiz.form("A"), tk.quiz.form("B")
    assert len(a) == 15 and [one.name for one in a] == [one.name for one in b]
    assert all(
        (one.text, one.choices) != (other.text, other.choices) for one, other in zip(a, b, strict=True)
    )
