"""The Python side of the instrument for differentiable k-means; the browser side is in tests/site."""

import numpy as np
import pytest
import traitlets

import toykit as tk


def run(bits, n=400, frames=5):
    random = np.random.default_rng(bits)
    weights = np.float32(random.normal(size=n))
    return [
        {
            "step": 10 * i,
            "temperature": 0.5 / (i + 1),
            "centroids": np.linspace(-1, 1, 2**bits)[:, None],
            "weights": weights * (1 + 0.1 * i),
        }
        for i in range(frames)
    ]


@pytest.fixture(scope="module")
def widget():
    return tk.widgets.hardening({"1 bit": run(1), "2 bits": run(2)}, name="a test")


def test_positions_are_the_weights_of_each_snapshot(widget):
    low, high = widget.ends
    shown = low + np.frombuffer(widget.positions, "<u2") / 65535 * (high - low)
    described = widget.runs[1]
    at = described["first"]
    frames = shown[at : at + 5 * described["shown"]].reshape(5, -1)
    assert np.allclose(frames[3] / frames[0], 1.3, atol=0.02 * np.abs(1 / frames[0]).max())
    # An even sample of the weights, from the smallest to the largest.
    original = np.sort(run(2)[0]["weights"].ravel())
    assert np.allclose(frames[0], original[np.linspace(0, 399, 150).astype(int)], atol=2e-4)


def test_runs_say_what_was_trained(widget):
    assert [r["clusters"] for r in widget.runs] == [2, 4]
    assert widget.runs[0]["steps"] == [0, 10, 20, 30, 40]
    assert widget.runs[0]["temperatures"] == [0.5, 0.25, 0.1667, 0.125, 0.1]
    assert widget.state_bytes < 30_000


def test_repr_does_not_depend_on_trained_numbers(widget):
    other = {"1 bit": run(1), "2 bits": [s | {"temperature": 2 * s["temperature"]} for s in run(2)]}
    assert repr(widget) == repr(tk.widgets.hardening(other, name="a test"))
    assert repr(widget) != repr(tk.widgets.hardening({"1 bit": run(1)}, name="a test"))
    assert "2 bits, step 40" in widget.fallback()


def test_controls_take_only_what_there_is(widget):
    for trait, value, message in (
        ("run", "3 bits", "run must be one of 1 bit, 2 bits"),
        ("step", -1, "step must be 0 or more"),
        ("factor", 6, "factor must be from -5 to 5"),
    ):
        with pytest.raises(traitlets.TraitError, match=message):
            setattr(widget, trait, value)


def test_bad_input():
    with pytest.raises(ValueError, match="at least one run"):
        tk.widgets.hardening({})
    with pytest.raises(ValueError, match="'a' must have at least two snapshots to watch; got 1"):
        tk.widgets.hardening({"a": run(1, frames=1)})
