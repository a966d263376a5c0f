"""The accuracy explorer: what travels to the page, and what a reader without JavaScript gets."""

from pathlib import Path

import numpy as np
import pytest

import toykit as tk
from toykit import sweep
from toykit.widgets import accuracy

DATA = Path(__file__).resolve().parents[1] / "notebooks" / "data"


@pytest.fixture
def explorer():
    rows = [
        {"label": f"setting {i}", "nbytes": 44_000_000 // (i + 1)}
        | dict.fromkeys(accuracy.SCORES, 1 - 0.02 * i)
        for i in range(len(np.load(DATA / "crepe_explorer.npz")["answers"]))
    ]
    families = {
        "Pruning": ("pruning", [("20 % zero", 1), ("40 % zero", 2)]),
        "Palette": ("palettization", [("8 bits", 3)]),
    }
    return tk.widgets.accuracy_explorer(rows, families, DATA / "crepe_explorer.npz", layer=2)


def test_content(explorer):
    step = explorer.content["families"][0]["steps"][1]
    assert step["nbytes"] == 44_000_000 // 3 and step["easy_within_50"] == pytest.approx(0.96)
    assert len(step["heard"]) == len(explorer.content["tones"]) == 3
    assert explorer.layer == 2 and len(explorer.content["layers"]) == 7
    settings = len(np.load(DATA / "crepe_explorer.npz")["answers"])
    assert len(explorer.answers) == settings * 3 * 360
    assert len(explorer.weights) == settings * 7 * accuracy.ROWS * accuracy.COLUMNS
    assert explorer.state_bytes < 300_000


def test_fallback_has_every_setting(explorer):
    fallback = explorer.fallback()
    assert "Pruning, 40 % zero" in fallback and "<td>14.67</td>" in fallback and "<td>96.0</td>" in fallback


def test_repr_is_stable(explorer):
    before = repr(explorer)
    assert before == f"<AccuracyExplorer {explorer.digest}>"
    explorer.layer = 3
    assert repr(explorer) != before


def test_data_of_other_settings_is_refused():
    with pytest.raises(ValueError, match="the same settings"):
        tk.widgets.accuracy_explorer([{"nbytes": 1}], {}, DATA / "crepe_explorer.npz")


def test_explorer_data():
    pytest.importorskip("torch")
    weights = tk.models.crepe_weights()
    sound = tk.data.tones.note(220.0, seconds=0.2)
    data = accuracy.explorer_data(
        weights, [{"technique": "float16"}, {"technique": "prune", "sparsity": 0.9}], [("A3", 220.0, sound)]
    )
    assert data["answers"].shape == (2, 1, 360) and data["sounds"].shape == (1, 3200)
    assert data["heard"][0, 0] == pytest.approx(220, rel=0.005)
    assert data["weights"].shape == (2, 7, accuracy.ROWS, accuracy.COLUMNS)
    assert np.mean(data["weights"][1] == 0) > 0.5 > np.mean(data["weights"][0] == 0)
    layer = weights["conv2.weight"]
    limit = np.quantile(np.abs(layer), 0.999)
    np.testing.assert_array_equal(
        data["weights"][0, 1, 3],
        np.round(127 * np.clip(layer[3, 497:527, 32, 0].astype(np.float16) / limit, -1, 1)),
    )
    total = np.expm1(data["histograms"][0, 1].astype(float) / 255 * np.log1p(layer.size)).sum()
    assert total == pytest.approx(
        layer.size, rel=0.1
    )  # shades of 255 are coarse, and all weights are counted


def test_scores_are_those_of_an_exam():
    """The explorer shows columns of the sweep's file by name."""
    assert set(accuracy.SCORES) <= set(sweep.read(DATA / "crepe_whole.csv").columns)
