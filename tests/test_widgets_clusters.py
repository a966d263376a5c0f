"""The Python side of the k-means instrument; the browser side is in tests/site."""

import numpy as np
import pytest
import traitlets

import toykit as tk
from tests.strategies import trained
from toykit.widgets.clusters import STARTS


@pytest.fixture(scope="module")
def widget():
    return tk.widgets.lloyd(trained((4000,)), k=6, name="a test")


def test_frames_are_lloyds_steps(widget):
    values = trained((4000,))
    frames = np.frombuffer(widget.centroids, "<u2").reshape(-1, 6) / 65535
    low, high = float(values.min()), float(values.max())
    for start in widget.starts[:2]:
        history = tk.kmeans.lloyd(values, 6, start=start["name"], steps=150)
        assert len(history) == len(start["excess"])
        shown = low + frames[start["first"] : start["first"] + len(history)] * (high - low)
        assert np.allclose(shown, [step.centroids for step in history], atol=(high - low) / 65000)
    assert sum(len(start["excess"]) for start in widget.starts) == len(frames)


def test_excess_is_above_the_exact_optimum(widget):
    values = trained((4000,))
    best = tk.kmeans.exact(values, 6)
    first = tk.kmeans.lloyd(values, 6, steps=1)[0].cost
    assert widget.starts[0]["excess"][0] == pytest.approx(100 * (first / best.cost - 1), abs=1e-3)
    assert all(excess >= 0 for start in widget.starts for excess in start["excess"])
    assert [start["name"] for start in widget.starts] == list(STARTS)


def test_repr_is_stable_and_the_fallback_lists_every_start(widget):
    assert repr(widget) == repr(tk.widgets.lloyd(trained((4000,)), k=6, name="a test"))
    assert repr(widget) != repr(tk.widgets.lloyd(trained((4000,)), k=5, name="a test"))
    assert all(label in widget.fallback() for label in STARTS.values())
    assert widget.state_bytes < 30_000


def test_controls_take_only_what_there_is(widget):
    with pytest.raises(traitlets.TraitError, match="start must be one of uniform, quantile, left"):
        widget.start = "random"
    with pytest.raises(traitlets.TraitError, match="step must be 0 or more"):
        widget.step = -1


@pytest.mark.parametrize(
    "values, k, message",
    [
        (np.float32([1, 2, 3]), 3, "more than k = 3 distinct"),
        (np.float32([1, np.nan, 3]), 2, "finite"),
        (trained((50,)), 1, "k must be a whole number from 2 to 64"),
        (trained((50,)), 65, "k must be a whole number from 2 to 64"),
    ],
)
def test_bad_input(values, k, message):
    with pytest.raises(ValueError, match=message):
        tk.widgets.lloyd(values, k=k)
