"""Measure CREPE under every compression of chapter 6, and write notebooks/data/crepe_*.

About twenty minutes of one core, most of it 2 x 2,000 tones for each of some forty settings. Answers are kept
as they come in _build/sweep, so an interrupted run continues, and a changed list of settings costs
only what is new. `tests/test_crepe_data.py` measures cells of these files again.

    python -m book._tools.data_crepe [--workers 2] [--only layers|whole|mixed|explorer]
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a worker: settings run side by side

import numpy as np
import torch

import toykit as tk
from toykit import sweep

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


def explorer_tones():
    """Three tones of 0.7 s to listen to: name, Hz, sound."""
    note = tk.data.tones.note
    return [
        ("A2, 110 Hz, a plucked string", 110.0, note(110.0, 0.7, harmonics=12, brightness=0.8)),
        ("A4, 440 Hz, in loud noise", 440.0, note(440.0, 0.7, harmonics=8, noise_db=-4.0)),
        ("E6, 1,318.5 Hz, a whistle", 1318.51, note(1318.51, 0.7, harmonics=1, noise_db=-30.0)),
    ]


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
        from toykit.widgets.accuracy import explorer_data

        path = DATA / "crepe_explorer.npz"
        np.savez_compressed(path, **explorer_data(weights, WHOLE, explorer_tones()))


if __name__ == "__main__":
    main()
