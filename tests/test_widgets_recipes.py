"""The explorer of recipes: what it shows is what the exploration measured."""

import json

import pytest
import traitlets

import toykit as tk
from toykit.plots.recipes import pictures
from toykit.plots.scales import Scale, scale_of

CODES, PALETTE = {"technique": "quantize", "bits": 8}, {"technique": "palettize", "bits": 4}
ARGUMENTS = {"model": "'m.mlpackage'", "at_least": "'40dB'", "out": "'o'"}


def candidate(setting, nbytes, snr_db):
    label = f"{setting['technique']} {setting['bits']}-bit"
    return {"setting": setting, "label": label, "nbytes": nbytes, "snr_db": snr_db}


def recipe(nbytes, value, **settings):
    return {"settings": settings, "nbytes": nbytes, "value": value, "snr_db": value, "kind": "on the way"}


def data(**changes):
    """As `Exploration.as_data` gives it, of two weights."""
    weights = [
        {"name": name, "nbytes": 2000, "candidates": some, "chosen": some[0], "why": ""}
        for name in ("<a>", "b")
        for some in [[candidate(CODES, 1000, None), candidate(PALETTE, 500, 20.5)]]
    ]
    best = [
        recipe(1200, 18.0, **{"<a>": PALETTE, "b": PALETTE}),
        recipe(1700, 41.0, **{"<a>": CODES, "b": PALETTE}),
        recipe(3200, 55.0, b=CODES),
    ]
    whole = {"front": best, "recipes": [*best, recipe(1800, 30.0)], "recipe": best[1], "weights": weights}
    whole |= {"goal": {"nbytes": None, "at_least": 40.0, "unit": "dB"}, "metric": "", "arguments": ARGUMENTS}
    return whole | {"model": "m.mlpackage", "nbytes_before": 4200, "curve": []} | changes


def test_each_recipe_says_what_its_weights_get_and_how_to_have_it():
    widget = tk.widgets.recipe_explorer(json.loads(json.dumps(data())))
    assert widget.recipe == 1 and [one["places"] for one in widget.recipes] == [[1, 1], [0, 1], [-1, 0]]
    assert [one["words"] for one in widget.recipes] == ["18.0 dB", "41.0 dB", "55.0 dB"]
    assert widget.recipes[1]["next"] == ""
    assert widget.recipes[0]["next"] == "toykit explore m.mlpackage --budget 1200 --out o"
    assert widget.weights[0]["settings"] == [
        ["quantize 8-bit", "1,000", "the same answers"],
        ["palettize 4-bit", "500", "20.5 dB"],
    ]


def test_the_pictures_mark_what_was_chosen_and_what_was_asked_for():
    drawn = pictures(data())
    assert drawn.count('class="tk-here"') == 3 and drawn.count("stroke-dasharray") == 3
    assert "&lt;a&gt;" in drawn and "<a>" not in drawn
    curve = [[500, 5.0], [1000, 12.0], [1700, 42.0], [2000, 45.0], [9000, 80.0]]
    assert pictures(data(curve=curve)).count("stroke-dasharray") == 3 + 2 and "dotted" not in drawn
    budget = pictures(data(goal={"nbytes": 1700, "at_least": None, "unit": "dB"}))
    assert budget.count("stroke-dasharray") == 1
    assert "4 recipes" not in pictures(data(front=[], recipes=[]))


def test_many_weights_are_folded():
    few = data()
    many = [few["weights"][0] | {"name": f"w{number}", "nbytes": number} for number in range(50)]
    drawn = pictures(data(weights=many))
    shown, _, folded = drawn.partition("<summary>10 smaller weights</summary>")
    assert shown.count("data-weight=") == 40 and folded.count("data-weight=") == 10 and ">w0<" in folded


def test_choices_are_checked_and_what_is_no_exploration_is_refused():
    widget = tk.widgets.recipe_explorer(data())
    for name in ("recipe", "weight"):
        with pytest.raises(traitlets.TraitError, match=f"{name} must be from 0"):
            setattr(widget, name, 3)
    assert repr(widget) == repr(tk.widgets.recipe_explorer(data()))
    assert "20.5 dB" in widget.fallback() and "data-recipe" in widget.fallback()
    with pytest.raises(ValueError, match="it has no nbytes_before, front"):
        tk.widgets.recipe_explorer({"model": "m"})
    with pytest.raises(TypeError, match="found must be what an exploration found"):
        tk.widgets.recipe_explorer([])


def test_scales_have_round_ticks_and_hold_all_values():
    assert scale_of([5.0]).percent(5.0) == 50.0 and scale_of([0.0, 0.0]).percent(0.0) == 50.0
    assert Scale(0.0, 1e6).ticks() == [0, 2e5, 4e5, 6e5, 8e5, 1e6]
    for low, high in ((-7.3, 61.0), (0.9412, 0.9431), (1e7, 4.4e7), (3.0, 3.5)):
        scale = scale_of([low, high])
        ticks = scale.ticks()
        assert 2 <= len(ticks) <= 7 and all(scale.low <= one <= scale.high for one in ticks)
