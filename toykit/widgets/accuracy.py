"""The accuracy explorer: turn a technique up, and watch the size shrink and the tuner go deaf.

Everything it shows was measured beforehand: the scores come out of a sweep, and `explorer_data`
computes, for each setting, some weights of each layer and what the network answers to a few tones. So
it needs no kernel, and a reader without a network hears the same tones.
"""

import json
from pathlib import Path

import numpy as np
import traitlets

from .. import sweep
from ..data import pitch
from ..data import tones as synthesis
from .base import Instrument, table

BINS = 41  # of the histograms
ROWS, COLUMNS = 10, 30  # weights drawn of a layer
SCORES = {
    "easy_within_50": "clean tones, within 50 cents",
    "hard_within_50": "hard tones, within 50 cents",
    "hard_within_10": "hard tones, within 10 cents",
}
_ARRAYS = ("answers", "weights", "histograms", "sounds")


class AccuracyExplorer(Instrument, js="accuracy"):
    """Technique, strength, layer, tone and score; and the picture that belongs to them.

    Attributes
    ----------
    content : dict
        Families of settings with their sizes and scores, names of layers, and the tones.
    answers, weights, histograms, sounds : bytes
        Arrays of `explorer_data`, row-major.
    family, step, layer, tone : int
        What the reader chose.
    score : str
    """

    content = traitlets.Dict().tag(sync=True)
    answers = traitlets.Bytes().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    histograms = traitlets.Bytes().tag(sync=True)
    sounds = traitlets.Bytes().tag(sync=True)
    family = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    tone = traitlets.Int(0).tag(sync=True)
    score = traitlets.Unicode("easy_within_50").tag(sync=True)

    def fallback(self):
        """Every setting with its size and scores."""
        rows = [
            [f"{family['name']}, {step['name']}", f"{step['nbytes'] / 1e6:.2f}"]
            + [f"{100 * step[score]:.1f}" for score in SCORES]
            for family in self.content["families"]
            for step in family["steps"]
        ]
        return table(
            "CREPE under compression", ["Setting", "MB", *(f"% of {name}" for name in SCORES.values())], rows
        )


def accuracy_explorer(rows, families, data, layer=0):
    """Explore what compression does to a network's accuracy, weights and answers.

    Parameters
    ----------
    rows : list of dict
        One for each setting, with `label`, `nbytes` and the scores in `SCORES`; in the order of `data`.
    families : dict of str to (str, list of (str, int))
        For each family of settings, in the order shown: its technique (one of pruning, quantization,
        palettization, joint: the colour) and its settings from gentle to harsh, a name and the place
        of its row.
    data : mapping or path
        From `explorer_data`, or the .npz file that it was saved to.
    layer : int
        The layer shown first.

    Returns
    -------
    AccuracyExplorer

    Raises
    ------
    ValueError
        If rows and data do not have the same number of settings.
    """
    if isinstance(data, str | Path):
        data = np.load(data)
    if len(data["answers"]) != len(rows):
        raise ValueError(
            f"data must be of the same settings as rows, {len(rows)}; it has {len(data['answers'])}"
        )
    about = json.loads(str(data["about"]))
    heard = data["heard"]
    content = {
        "families": [
            {
                "name": name,
                "color": technique,
                "steps": [
                    {
                        "name": step,
                        "row": place,
                        "nbytes": int(rows[place]["nbytes"]),
                        "heard": heard[place].tolist(),
                    }
                    | {score: float(rows[place][score]) for score in SCORES}
                    for step, place in steps
                ],
            }
            for name, (technique, steps) in families.items()
        ],
        "float16": {"nbytes": int(rows[0]["nbytes"])} | {score: float(rows[0][score]) for score in SCORES},
        "scores": SCORES,
        "shape": [ROWS, COLUMNS, BINS],
        **about,
    }
    arrays = {name: np.ascontiguousarray(data[name]).tobytes() for name in _ARRAYS}
    return AccuracyExplorer(
        label="Accuracy explorer", content=content, layer=layer, family=4, step=2, **arrays
    )


def explorer_data(weights, settings, tones):
    """What the accuracy explorer shows beside the scores.

    Parameters
    ----------
    weights : dict of str to array
        CREPE's.
    settings : list of dict
        The first has to be `{"technique": "float16"}`.
    tones : list of (str, float, (samples,) array)
        Name, frequency in Hz, and sound at 16 kHz, of which the middle 1024 samples are heard.

    Returns
    -------
    dict of str to array
        `answers` (settings, tones, 360) uint8, in 255ths; `heard` (settings, tones) float32, Hz;
        `weights` (settings, layers, 10, 30) int8, some weights of each layer in 127ths of `limits`;
        `histograms` (settings, layers, 41) uint8, logarithms of counts; `sounds` (tones, samples)
        int16; `about`, the names of layers and tones as JSON.
    """
    from ..models import listen

    names = sweep.layers(weights)
    # Wide enough for all but one weight in a thousand.
    limits = [float(np.quantile(np.abs(weights[name]), 0.999)) for name in names]
    middle = len(tones[0][2]) // 2 - synthesis.FRAME // 2
    frames = synthesis.normalise([sound[middle : middle + synthesis.FRAME] for _, _, sound in tones])
    found = {"answers": [], "heard": [], "weights": [], "histograms": []}
    for setting in settings:
        running = sweep.apply(weights, setting).weights
        answers = listen(running, frames)
        found["answers"].append(np.round(255 * answers).astype(np.uint8))
        found["heard"].append(pitch.decode(answers).astype(np.float32))
        layers = [(running[name], limit) for name, limit in zip(names, limits, strict=True)]
        found["weights"].append([_sample(array, limit) for array, limit in layers])
        found["histograms"].append([_histogram(array, limit) for array, limit in layers])
    about = {
        "layers": [
            {"name": name, "shape": list(weights[name].shape), "limit": limit}
            for name, limit in zip(names, limits, strict=True)
        ],
        "tones": [{"name": name, "hertz": hertz, "samples": len(sound)} for name, hertz, sound in tones],
        "rate": synthesis.RATE,
        "first_cents": float(pitch.BIN_CENTS[0]),
    }
    return {name: np.array(values) for name, values in found.items()} | {
        "sounds": np.round(32767 * np.array([sound for _, _, sound in tones])).astype(np.int16),
        "about": np.array(json.dumps(about)),
    }


def _sample(array, limit):
    """Ten output channels by thirty weights out of the middle of each."""
    middle = array.reshape(len(array), -1)
    if array.ndim > 2:  # one tap of thirty input channels, or thirty taps of the only one
        middle = array[:, :, array.shape[2] // 2, 0] if array.shape[1] >= COLUMNS else array[:, 0, :, 0]
    start = (middle.shape[1] - COLUMNS) // 2
    part = middle[:ROWS, start : start + COLUMNS]
    return np.round(127 * np.clip(part / limit, -1, 1)).astype(np.int8)


def _histogram(array, limit):
    counts, _ = np.histogram(np.clip(array, -limit, limit), BINS, (-limit, limit))
    return np.round(255 * np.log1p(counts) / np.log1p(array.size)).astype(np.uint8)
