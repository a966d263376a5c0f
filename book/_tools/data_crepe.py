"""Measure CREPE under every compression of chapter 6, and write notebooks/data/crepe_*.

About half an hour of one core: 2 x 2,000 tones for each of some forty settings, and 2 x 150 for each of the
accuracy explorer's 448. Answers are kept
as they come in _build/sweep, so an interrupted run continues, and a changed list of settings costs
only what is new. `tests/test_crepe_data.py` measures cells of these files again.

    python -m book._tools.data_crepe [--workers 2] [--only layers|whole|mixed|explorer]
"""

import argparse
import copy
import hashlib
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a worker: settings run side by side

import numpy as np
import torch

import toykit as tk
from toykit import sweep
from toykit.data import pitch
from toykit.models.fast_pitch import Listener, with_weights

from .project import BUILD, DATA

CACHE = BUILD / "sweep"

WHOLE = [
    {"technique": "float16"},
    *sweep.grid("prune", sparsity=(0.2, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)),
    *sweep.grid("quantize", bits=(8, 4, 3), granularity="per_tensor"),
    *sweep.grid("quantize", bits=(8, 4, 3, 2), granularity="per_channel"),
    *sweep.grid("quantize", bits=(4, 3, 2), granularity="per_block", block_size=32),
    *sweep.grid("palettize", bits=(8, 6, 4, 3, 2, 1), mode="kmeans"),
    *sweep.grid("palettize", bits=(6, 4, 3), mode="uniform"),
    *sweep.grid("palettize", bits=(4, 3, 2, 1), mode="kmeans", group_size=8),
    {"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 4}},
    {"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 2}},
    {"technique": "joint", "prune": {"sparsity": 0.7}, "palettize": {"bits": 2}},
]
ONE_LAYER = [
    *sweep.grid("palettize", bits=(1, 2, 3, 4, 6, 8), mode="kmeans"),
    *sweep.grid("prune", sparsity=(0.5, 0.7, 0.8, 0.9)),
    *sweep.grid("quantize", bits=(4, 8), granularity="per_tensor"),
    *(
        {"technique": "joint", "prune": {"sparsity": sparsity}, "palettize": {"bits": bits}}
        for sparsity in (0.5, 0.7, 0.8)
        for bits in (2, 3)
    ),
]
PARTS = ("layers", "whole", "mixed", "explorer")
# Budgets of the mixed recipes, in bits a weight over the seven layers: of palettes alone, and of palettes
# and pruned palettes.
BUDGETS = {"palettes": (1.65, 1.8, 2.25, 2.5, 3.0), "pruned palettes": (1.5, 1.75, 2.0, 2.25, 2.5, 3.0)}


def full_exam():
    """For whole networks: 2,000 tones, and 2,000 harder ones that nothing was chosen on."""
    return tk.models.PitchExam(easy=tk.data.tones.easy_tones(), hard=tk.data.tones.hard_tones())


def tune_exam():
    """For single layers, and so for choosing recipes: 600 other hard tones."""
    return tk.models.PitchExam(tune=tk.data.tones.hard_tones(600, seed=2))


def recipes(weights, rows):
    """For each budget, the least damage there is: (kind, bits a weight, choice)."""
    size = sum(weights[name].size for name in set(rows.column("layer")))
    for kind, budgets in BUDGETS.items():
        techniques = ("palettize",) if kind == "palettes" else ("palettize", "joint")
        kept = sweep.Rows(row for row in rows if row["technique"] in techniques)
        options = sweep.candidates(
            kept, "tune_changed", keep=("technique", "bits", "mode", "prune", "palettize")
        )
        for bits in budgets:
            yield kind, bits, sweep.choose(options, max_bytes=bits * size / 8)


# The accuracy explorer: every share pruned, then every palette; None is no palette. Core ML has no others
# between 1 and 8 bits.
SPARSITIES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
BITS = (None, 8, 6, 4, 3, 2, 1)
EXPLORED = 150  # tones of each kind
BINS = 41  # of the histograms
POOLED = 3  # answers that become one, their largest, on the page


def explorer_tones():
    """Three tones of 0.7 s to listen to: name, Hz, sound."""
    note = tk.data.tones.note
    return [
        ("A2, 110 Hz, a plucked string", 110.0, note(110.0, 0.7, harmonics=12, brightness=0.8)),
        ("A4, 440 Hz, in loud noise", 440.0, note(440.0, 0.7, harmonics=8, noise_db=-4.0)),
        ("E6, 1,318.5 Hz, a whistle", 1318.51, note(1318.51, 0.7, harmonics=1, noise_db=-30.0)),
    ]


def explorer_setting(sparsity, bits):
    """As `sweep.apply` reads it."""
    prune, palette = {"sparsity": sparsity}, {"bits": bits}
    if bits is None:
        return {"technique": "prune", **prune} if sparsity else {"technique": "float16"}
    if not sparsity:
        return {"technique": "palettize", **palette}
    return {"technique": "joint", "prune": prune, "palettize": palette}


class Explorer:
    """Measures one setting for the whole network and for each layer alone.

    A layer alone starts from what the trained layers before it have made of the tones, and its
    neighbours' spectra are those of the trained network: seven layers cost as much as three networks.
    """

    def __init__(self, weights):
        self.weights, self.layers = weights, sweep.layers(weights)
        self.exam = {
            "easy": tk.data.tones.easy_tones(EXPLORED),
            "hard": tk.data.tones.hard_tones(EXPLORED),
        }
        sounds = [sound for _, _, sound in explorer_tones()]
        middle = len(sounds[0]) // 2 - tk.data.tones.FRAME // 2
        heard = tk.data.tones.normalise([s[middle : middle + tk.data.tones.FRAME] for s in sounds])
        self.frames = np.concatenate([*(tones.frames for tones in self.exam.values()), heard])
        self.trained = Listener(with_weights({}))
        self.entering = {3: self.trained.begin(self.frames)}
        for layer in range(3, 7):
            self.entering[layer + 1] = self.trained.layer(self.entering[layer], layer)
        half = {name: weights[name].astype(np.float16) for name in self.layers}
        self.limits = [self._limit([array]) for array in half.values()]
        self.limits.insert(0, self._limit(half.values()))

    @staticmethod
    def _limit(arrays):
        """Wide enough for all but one weight in a thousand."""
        return float(np.quantile(np.abs(np.concatenate([array.ravel() for array in arrays])), 0.999))

    def measure(self, setting):
        """For the whole network and each layer: bytes, tones right, pitches heard, answers, histogram."""
        applied = sweep.apply(self.weights, setting)
        digest = hashlib.sha256(self.frames.round(3).tobytes())
        for name in self.layers:
            digest.update(applied.weights[name])
        kept = CACHE / f"explorer-{digest.hexdigest()}.npz"
        if not kept.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            part = kept.with_suffix(f".{os.getpid()}")  # seen whole, also by another that measures
            with part.open("wb") as file:
                np.savez_compressed(file, answers=self.answers(applied.weights))
            part.replace(kept)
        answers = np.load(kept)["answers"]
        found = [self._judge(each) for each in answers]
        result = {name: np.array([one[name] for one in found]) for name in found[0]}
        return result | {"nbytes": self._sizes(applied), "histograms": self._histograms(applied.weights)}

    def answers(self, weights):
        """(8, n, 360): of the network in which all layers have these weights, or one has."""
        model = with_weights(weights)
        other = Listener(model)
        every = [other(self.frames)]
        for layer in range(1, 8):
            one = copy.copy(self.trained)
            if layer == 1:
                one.first = other.first
            elif layer == 7:
                one.model = model  # its classifier; all else that is read of it is as trained
            else:
                one.spectra = self.trained.spectra | {layer: other.spectra[layer]}
            if layer <= 2:
                every.append(one(self.frames))
                continue
            x = self.entering[layer]
            for later in range(layer, 7):
                x = one.layer(x, later)
            every.append(one.classify(x).numpy())
        return np.array(every)

    def _judge(self, answers):
        heard, start, right = pitch.decode(answers), 0, []
        for tones in self.exam.values():
            off = np.abs(pitch.error_cents(heard[start : start + len(tones)], tones.hertz))
            right += [np.sum(off <= 50), np.sum(off <= 10)]
            start += len(tones)
        pooled = np.round(255 * answers[start:].reshape(-1, 360 // POOLED, POOLED).max(axis=2))
        return {
            "right": np.array(right, np.uint8),
            "heard": heard[start:].astype(np.float32),
            "answers": pooled.astype(np.uint8),
        }

    def _sizes(self, applied):
        """Of the whole network in bytes, with all layers compressed or one."""
        whole = sum(2 * array.size for array in self.weights.values())
        saved = [
            2 * self.weights[name].size - applied.stored[name].nbytes if name in applied.stored else 0
            for name in self.layers
        ]
        return np.array([applied.nbytes, *(whole - each for each in saved)], np.uint32)

    def _histograms(self, weights):
        """Logarithms of counts, in 255ths of that of all weights."""
        arrays = [weights[name].ravel() for name in self.layers]
        shades = []
        for limit, array in zip(self.limits, [np.concatenate(arrays), *arrays], strict=True):
            counts, _ = np.histogram(np.clip(array, -limit, limit), BINS, (-limit, limit))
            shades.append(np.round(255 * np.log1p(counts) / np.log1p(array.size)))
        return np.array(shades, np.uint8)


def explorer(weights):
    """What the accuracy explorer shows: arrays (sparsities, bits, 8, ...), and `about` as JSON."""
    measuring = Explorer(weights)
    cells = [measuring.measure(explorer_setting(s, b)) for s in SPARSITIES for b in BITS]
    grid = (len(SPARSITIES), len(BITS), 1 + len(measuring.layers))
    found = {name: np.array([cell[name] for cell in cells]) for name in cells[0]}
    tones = explorer_tones()
    about = {
        "sparsities": SPARSITIES,
        "bits": BITS,
        "tones_of_each": EXPLORED,
        "layers": [{"name": "all seven layers", "limit": measuring.limits[0]}]
        + [
            {"name": name, "shape": weights[name].shape, "limit": limit}
            for name, limit in zip(measuring.layers, measuring.limits[1:], strict=True)
        ],
        "tones": [{"name": name, "hertz": hertz, "samples": len(sound)} for name, hertz, sound in tones],
        "rate": tk.data.tones.RATE,
        "first_cents": float(pitch.BIN_CENTS[0]),
    }
    return {name: values.reshape(*grid, *values.shape[2:]) for name, values in found.items()} | {
        "sounds": np.round(32767 * np.array([sound for _, _, sound in tones])).astype(np.int16),
        "about": np.array(json.dumps(about)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2, help="settings at a time (default 2)")
    parser.add_argument("--only", choices=PARTS, help="write one of the files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    DATA.mkdir(exist_ok=True)
    weights = tk.models.crepe_weights()
    how = {"cache": CACHE, "workers": arguments.workers}
    wanted = [arguments.only] if arguments.only else PARTS
    if "whole" in wanted or "mixed" in wanted:
        full = full_exam()
    if "layers" in wanted or "mixed" in wanted:
        tune = tune_exam()
        one_layer = sweep.sensitivity(weights, ONE_LAYER, tune, metric_name=tune.name, **how)

    if "layers" in wanted:
        settings = ONE_LAYER * len(sweep.layers(weights))
        sweep.write(DATA / "crepe_layers.csv", one_layer, settings, ("layer",))
    if "whole" in wanted:
        rows = sweep.run(weights, WHOLE, full, metric_name=full.name, **how)
        sweep.write(DATA / "crepe_whole.csv", rows, WHOLE)
    if "mixed" in wanted:
        chosen = list(recipes(weights, one_layer))
        settings = [choice.settings for _, _, choice in chosen]
        rows = sweep.run(weights, settings, full, metric_name=full.name, **how)
        for row, (kind, bits, choice) in zip(rows, chosen, strict=True):
            row |= {"kind": kind, "budget_bits": bits, "predicted_damage": choice.damage}
        sweep.write(DATA / "crepe_mixed.csv", rows, settings, ("kind", "budget_bits", "predicted_damage"))
    if "explorer" in wanted:
        np.savez_compressed(DATA / "crepe_explorer.npz", **explorer(weights))


if __name__ == "__main__":
    main()
