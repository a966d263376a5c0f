"""The accuracy explorer: prune, give what is left a palette, and watch the tuner go deaf.

Everything it shows was measured beforehand, for each setting on all seven layers of CREPE and on each
alone: ``make data`` writes it to one file. So it needs no kernel, and a reader without a network hears
the same tones. Of other networks it can show settings of the whole network, from the rows of a sweep.
"""

import json
from pathlib import Path

import numpy as np
import traitlets

from ..compressed import (
    check_choice,
    check_each,
    check_flag,
    check_fraction,
    check_int,
    check_names,
    check_type,
)
from .base import Instrument, table

SCORES = {  # in the order of the file
    "easy_within_50": "clean tones within 50 cents",
    "easy_within_10": "clean tones within 10 cents",
    "hard_within_50": "hard tones within 50 cents",
    "hard_within_10": "hard tones within 10 cents",
}
# What to look for: in all layers (0) or in one that the reader chooses, with how many tones right.
TASKS = [
    {
        "text": "Compress all seven layers. Find the smallest file that still hears 95 % of the clean tones "
        "within 50 cents.",
        "score": "easy_within_50",
        "one": False,
        "enough": 0.95,
    },
    {
        "text": "The same with a harder question: the smallest that hears 80 % of the hard tones within 10 "
        "cents.",
        "score": "hard_within_10",
        "one": False,
        "enough": 0.8,
    },
    {
        "text": "Now only one layer may be touched. Which, and how far, for the smallest file that hears 95 % "
        "of the hard tones within 50 cents?",
        "score": "hard_within_50",
        "one": True,
        "enough": 0.95,
    },
]
TECHNIQUES = ("pruning", "quantization", "palettization", "joint")
# By the first word of a setting's label, as `toykit.sweep` writes them.
_COLORS = {
    "float16": "float",
    "prune": "pruning",
    "quantize": "quantization",
    "palettize": "palettization",
}
_ARRAYS = {"right": np.uint16, "nbytes": np.uint32}
_DETAILS = {
    "heard": np.float32,
    "answers": np.uint8,
    "histograms": np.uint8,
    "sounds": np.int16,
}


class AccuracyExplorer(Instrument, js="accuracy"):
    """Two sliders, a layer, a tone and a score; and the picture that belongs to them.

    Attributes
    ----------
    content : dict
        Shares pruned, bits of the palettes, names of layers and tones, the tasks.
    right, nbytes, heard, answers, histograms, sounds : bytes
        Arrays of the file, row-major; the last four are empty in the small explorer.
    pruned, palette, layer, tone : int
        What the reader chose: places in the lists of `content`.
    score : str
    """

    content = traitlets.Dict().tag(sync=True)
    right = traitlets.Bytes().tag(sync=True)
    nbytes = traitlets.Bytes().tag(sync=True)
    heard = traitlets.Bytes().tag(sync=True)
    answers = traitlets.Bytes().tag(sync=True)
    histograms = traitlets.Bytes().tag(sync=True)
    sounds = traitlets.Bytes().tag(sync=True)
    pruned = traitlets.Int(0).tag(sync=True)
    palette = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(0).tag(sync=True)
    tone = traitlets.Int(0).tag(sync=True)
    score = traitlets.Unicode("easy_within_50").tag(sync=True)

    def fallback(self):
        """Every setting of all layers together, with its size and scores."""
        pruned, bits = self.content["pruned"], self.content["palettes"]
        grid = (len(pruned), len(bits), len(self.content["layers"]))
        right = np.frombuffer(self.right, np.uint16).reshape(*grid, len(SCORES))[:, :, 0]
        nbytes = np.frombuffer(self.nbytes, np.uint32).reshape(grid)[:, :, 0]
        rows = [
            [f"{pruned[i]}, {bits[k]}".removesuffix(", "), f"{nbytes[i, k] / 1e6:.2f}"]
            + [f"{100 * share:.1f}" for share in right[i, k] / self.content["tones_of_each"]]
            for i, k in np.ndindex(grid[:2])
        ]
        return table(
            "CREPE under compression",
            ["Setting", "MB", *(f"% of {name}" for name in SCORES.values())],
            rows,
        )


class NetworksExplorer(AccuracyExplorer, js="accuracy"):
    """The accuracy explorer with a choice of network.

    Attributes
    ----------
    network : int
        0 is CREPE, then the others in their order.
    setting : int
        Which file of another network, counted from the largest.
    """

    network = traitlets.Int(0).tag(sync=True)
    setting = traitlets.Int(0).tag(sync=True)

    def fallback(self):
        """CREPE's settings, and a table for each of the other networks."""
        others = (
            table(
                f"{other['name']}, under compression",
                ["Setting", "MB", "% right", "95 % interval"],
                [
                    [
                        row["label"],
                        f"{row['nbytes'] / 1e6:.2f}",
                        f"{100 * row['right']:.1f}",
                        f"{100 * row['low']:.1f} to {100 * row['high']:.1f}",
                    ]
                    for row in other["settings"]
                ],
            )
            for other in self.content["others"]
        )
        return "\n".join((super().fallback(), *others))


def accuracy_explorer(data, layer=0, small=False, others=None):
    """Explore what pruning and palettes do to a network's size, weights, accuracy and answers.

    Parameters
    ----------
    data : mapping or path
        The book's ``notebooks/data/crepe_explorer.npz``, or what is in it: `right` (sparsities, palettes,
        8, 4) tones heard right, on all layers and on each alone, by the scores of `SCORES`; `nbytes`,
        `heard`, `answers` and `histograms` of the same settings; `sounds`; and `about`, which names
        them.
    layer : int
        What is compressed at first: 0 is all layers, 1 to 7 one of them.
    small : bool
        Only the sliders, sizes and accuracy of all layers together, in a few kilobytes.
    others : dict of str to list of dict, optional
        Further networks to choose from, by name: for each the rows of a sweep of the whole network, with
        `label`, `nbytes` and the share `right` with its interval, as in ``notebooks/data/networks_whole.csv``.
        The largest file is the network as trained.

    Returns
    -------
    AccuracyExplorer
        With others, a NetworksExplorer.

    Raises
    ------
    ValueError
        If data lacks one of the arrays, there is no such layer, or a row of others lacks a number or a technique.
    """
    if isinstance(data, str | Path):
        data = np.load(data)
    wanted = _ARRAYS if check_flag("small", small) else _ARRAYS | _DETAILS
    if missing := [name for name in (*wanted, "about") if name not in data]:
        raise ValueError(f"data must hold what make data measures; it has no {', '.join(missing)}")
    about = json.loads(str(data["about"]))
    kept = 1 if small else len(about["layers"])
    arrays = {
        name: np.asarray(data[name] if name == "sounds" else data[name][:, :, :kept], kind)
        for name, kind in wanted.items()
    }
    content = {
        "sliders": ["Weights set to zero, the smallest first", "Then a palette for what is left"],
        "colors": ["pruning", "palettization"],
        "pruned": [f"{100 * sparsity:g} %" if sparsity else "nothing" for sparsity in about["sparsities"]],
        "palettes": [_bits(bits) for bits in about["bits"]],
        "layers": about["layers"][:kept],
        "tones_of_each": about["tones_of_each"],
        "scores": [list(pair) for pair in SCORES.items()],
        "tasks": [] if small else TASKS,
        "tones": [] if small else about["tones"],
        "rate": about["rate"],
        "first_cents": about["first_cents"],
    }
    layer = check_int("layer", layer, range(kept))
    explorer = AccuracyExplorer
    if others is not None:
        explorer = NetworksExplorer
        content["others"] = [
            {"name": name, "settings": _settings(name, rows)}
            for name, rows in check_type("others", others, dict, "a dict of rows by name").items()
        ]
    return explorer(label="Accuracy explorer", content=content, layer=layer, **_packed(arrays))


def _settings(name, rows):
    """What is shown of the rows of a sweep of another network, from the largest file to the smallest."""
    shown = []
    for row in check_each(f"others[{name!r}]", rows, dict, "rows of a sweep", empty=False):
        if missing := [
            key for key in ("label", "nbytes", "right", "right_low", "right_high") if key not in row
        ]:
            raise ValueError(f"others[{name!r}] must be rows of a sweep; one lacks {', '.join(missing)}")
        label, left = row["label"].replace(" kmeans", ""), row.get("declined", 0)
        shares = {
            short: round(check_fraction(key, row[key]), 4)
            for short, key in (("right", "right"), ("low", "right_low"), ("high", "right_high"))
        }
        shown.append(
            {
                "label": f"{label}; {left} layer{'s' * (left > 1)} in float16" if left else label,
                "color": _COLORS[check_choice("the technique in label", label.split()[0], tuple(_COLORS))],
                "nbytes": check_int("nbytes", row["nbytes"], range(1, 2**32)),
                **shares,
            }
        )
    return sorted(shown, key=lambda row: -row["nbytes"])


def accuracy_slider(rows, words, slider, technique, tones_of_each=2000):
    """One slider, and what it does to CREPE's size and accuracy: the small explorer for rows of a sweep.

    Parameters
    ----------
    rows : list of dict
        From gentle to harsh, float16 first: each with `nbytes` and the shares in `SCORES`, as in the
        book's ``notebooks/data/crepe_whole.csv``.
    words : list of str
        What the slider says at each row.
    slider : str
        What the slider sets.
    technique : {"pruning", "quantization", "palettization", "joint"}
        The colour.
    tones_of_each : int
        Of how many tones the shares are.

    Returns
    -------
    AccuracyExplorer

    Raises
    ------
    ValueError
        If there is not one word for each row.

    Examples
    --------
    >>> rows = [{"nbytes": n} | dict.fromkeys(SCORES, share) for n, share in ((200, 1.0), (100, 0.5))]
    >>> accuracy_slider(rows, ["float16", "8 bits"], "Bits", "quantization").state_bytes < 1000
    True
    """
    words = check_names("words", words)
    rows = check_each("rows", rows, dict, "rows of a sweep")
    if len(words) != len(rows):
        raise ValueError(f"words must be one for each of {len(rows)} rows; got {len(words)}")
    asked = check_int("tones_of_each", tones_of_each, range(1, 2**16))
    for row in rows:
        if missing := [name for name in ("nbytes", *SCORES) if name not in row]:
            raise ValueError(
                f"rows must have nbytes and the scores of SCORES; one lacks {', '.join(missing)}"
            )
    right = [[round(asked * check_fraction(score, row[score])) for score in SCORES] for row in rows]
    arrays = {
        "right": np.array(right, np.uint16),
        "nbytes": np.array([check_int("nbytes", row["nbytes"], range(2**32)) for row in rows], np.uint32),
    }
    content = {
        "sliders": [check_type("slider", slider, str, "a text"), ""],
        "colors": [check_choice("technique", technique, TECHNIQUES), ""],
        "pruned": list(words),
        "palettes": [""],
        "layers": [{"name": "all layers"}],
        "tones_of_each": asked,
        "scores": [list(pair) for pair in SCORES.items()],
        "tasks": [],
        "tones": [],
    }
    return AccuracyExplorer(label="Accuracy and size", content=content, **_packed(arrays))


def _packed(arrays):
    return {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items()}


def _bits(bits):
    return "none" if bits is None else f"{bits} bit{'s' * (bits > 1)}"
