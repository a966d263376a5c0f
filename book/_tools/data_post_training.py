"""Compress CREPE and ResNet-50 with Core ML Tools in every form; write notebooks/data/post_training.csv (chapter 10).

Each row is one package: converted, compressed by coremltools, read back, and compared array for array with
what toykit makes of the same weights. CREPE is then run from the package itself, on 300 hard tones. About
twenty minutes of one core, most of it listening; rows that the file holds already are kept, so a stopped run
continues, and a row is measured anew once its line is deleted.

    python -m book._tools.data_post_training
"""

import csv
import json
import os
from functools import cache

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

import toykit as tk
from toykit.data import pitch, tones

from .project import DATA

FILE = DATA / "post_training.csv"
TONES = 300  # the first of chapter 6's hard tones
COLUMNS = (
    "network",
    "target",
    "technique",
    "options",
    "weight_bytes",
    "package_bytes",
    "compressed",
    "equal",
    "same_weights",
    "declined",
    "within_10",
)

PRUNED = {"sparsity": 0.5}
# Of each form, the oldest system that coremltools makes it for.
FORMS = [
    ("iOS16", "prune", {"sparsity": 0.5}),
    ("iOS16", "prune", {"sparsity": 0.75}),
    ("iOS16", "prune", {"threshold": 0.01}),
    ("iOS16", "prune", {"threshold": 0.01, "minimum_sparsity": 0.0}),
    ("iOS16", "prune", {"sparsity": 0.5, "block_size": 4}),
    ("iOS16", "prune", {"n_m": (2, 4)}),
    ("iOS16", "quantize", {"bits": 8}),
    ("iOS16", "quantize", {"bits": 8, "mode": "affine"}),
    ("iOS16", "quantize", {"bits": 8, "granularity": "per_tensor"}),
    ("iOS18", "quantize", {"bits": 4, "granularity": "per_tensor"}),
    ("iOS18", "quantize", {"bits": 4}),
    ("iOS18", "quantize", {"bits": 4, "granularity": "per_block", "block_size": 32}),
    ("iOS16", "palettize", {"bits": 8}),
    ("iOS16", "palettize", {"bits": 6}),
    ("iOS16", "palettize", {"bits": 4}),
    ("iOS18", "palettize", {"bits": 3}),
    ("iOS16", "palettize", {"bits": 2}),
    ("iOS16", "palettize", {"bits": 1}),
    ("iOS16", "palettize", {"bits": 6, "mode": "uniform"}),
    ("iOS16", "palettize", {"bits": 4, "mode": "uniform"}),
    ("iOS18", "palettize", {"bits": 4, "group_size": 8}),
    ("iOS18", "palettize", {"bits": 4, "per_channel_scale": "across"}),
    ("iOS18", "palettize", {"bits": 4, "cluster_dim": 2}),
    ("iOS18", "joint", {"prune": PRUNED, "palettize": {"bits": 4}}),
    ("iOS18", "joint", {"prune": PRUNED, "quantize": {"bits": 8, "granularity": "per_tensor"}}),
    (
        "iOS18",
        "joint",
        {"palettize": {"bits": 4, "group_size": 8}, "quantize": {"bits": 8, "granularity": "per_tensor"}},
    ),
]
# ResNet-50's weights are random: sizes and equality only, and one form that its classifier declines.
SHORT = [
    ("iOS16", "prune", {"sparsity": 0.5}),
    ("iOS16", "prune", {"sparsity": 0.75}),
    ("iOS16", "prune", {"n_m": (2, 4)}),
    ("iOS16", "quantize", {"bits": 8}),
    ("iOS18", "quantize", {"bits": 4}),
    ("iOS18", "quantize", {"bits": 4, "granularity": "per_block", "block_size": 32}),
    ("iOS16", "palettize", {"bits": 8}),
    ("iOS16", "palettize", {"bits": 6}),
    ("iOS16", "palettize", {"bits": 4}),
    ("iOS18", "palettize", {"bits": 3}),
    ("iOS16", "palettize", {"bits": 2}),
    ("iOS16", "palettize", {"bits": 1}),
    ("iOS18", "palettize", {"bits": 4, "group_size": 8}),
    ("iOS18", "palettize", {"bits": 4, "group_size": 16}),
    ("iOS18", "joint", {"prune": PRUNED, "palettize": {"bits": 4}}),
    ("iOS18", "joint", {"prune": PRUNED, "quantize": {"bits": 8, "granularity": "per_tensor"}}),
]
ROWS = [
    ("CREPE", "iOS16", "none", {}),
    *(("CREPE", *form) for form in FORMS),
    ("ResNet-50", "iOS16", "none", {}),
    *(("ResNet-50", *form) for form in SHORT),
]


@cache
def converted(network, target):
    """The float16 package of a network."""
    if network == "CREPE":
        return tk.coreml.convert(tk.models.crepe(), torch.zeros(1, 1024), target=target)
    return tk.coreml.convert(tk.models.resnet50(), torch.zeros(1, 3, 224, 224), target=target)


def compressed(network, target, technique, options):
    """The package that a row is about."""
    model = converted(network, target)
    if technique == "none":
        return model
    return tk.coreml.compress(model, technique, engine="coremltools", **options)


def sizes(model):
    """Bytes of weight.bin and of the whole package, from disk."""
    package = tk.coreml.Package(model.package_path)
    return {
        "weight_bytes": sum(size for name, size in package.files.items() if name.endswith("weight.bin")),
        "package_bytes": package.nbytes,
    }


def with_toykit(weights, technique, options):
    """What toykit makes of an array of weights, with the options of `tk.coreml.compress`."""
    steps = options.items() if technique == "joint" else [(technique, options)]
    for name, chosen in steps:
        chosen = {key: value for key, value in chosen.items() if key != "minimum_sparsity"}
        weights = getattr(tk, name)(weights, **chosen)
    return weights


def agreement(model, dense, technique, options):
    """How many weights are compressed; for how many of those the stored arrays are equal to toykit's, bit for
    bit, and for how many what they decompress to; and how many large ones were left as they are."""
    compressed = equal = same_weights = declined = 0
    for name, stored in tk.coreml.weights(model).items():
        if isinstance(stored, np.ndarray):
            declined += stored.ndim > 1 and stored.size > 2048
            continue
        compressed += 1
        ours = with_toykit(np.asarray(dense[name]), technique, options)
        equal += same(stored, ours)
        same_weights += np.array_equal(stored.dense(), ours.dense())
    return {"compressed": compressed, "equal": equal, "same_weights": same_weights, "declined": declined}


def same(stored, ours):
    """Whether a weight of a package stores the same arrays as ours, bit for bit.

    iOS 16 has a zero point in every quantized weight; where ours is symmetric, it must be zeros.
    """
    arrays = {name: np.asarray(part) for name, part in stored.parts.items()}
    if "zero_point" not in ours.parts and not np.any(arrays.get("zero_point", 0)):
        arrays.pop("zero_point", None)
    return arrays.keys() == ours.parts.keys() and all(
        part.tobytes() == np.asarray(ours.parts[name]).tobytes() for name, part in arrays.items()
    )


@cache
def exam():
    """Hard tones: each a frame of sound, and the frequency that was played."""
    asked = tones.hard_tones()[:TONES]
    return list(zip(asked.frames[:, None], asked.hertz, strict=True))


def within_10(answers, hertz):
    """Share of the tones that were heard within 10 cents."""
    (name,) = answers[0]
    heard = pitch.decode(np.concatenate([answer[name] for answer in answers]))
    return pitch.scores(heard, np.array(hertz))["within_10"]


def accuracy(model, metric=within_10):
    """What CREPE hears, run from the package."""
    loaded = tk.coreml.load(model)
    (name,) = loaded.inputs
    return tk.coreml.accuracy(loaded, (({name: frame}, hertz) for frame, hertz in exam()), metric)


def measure(network, target, technique, options, listen=True):
    """One row, as strings."""
    model = compressed(network, target, technique, options)
    row = {"network": network, "target": target, "technique": technique, "options": json.dumps(options)}
    row |= sizes(model)
    row |= agreement(model, tk.coreml.weights(converted(network, target)), technique, options)
    row["within_10"] = f"{accuracy(model):.4f}" if network == "CREPE" and listen else ""
    return {name: str(value) for name, value in row.items()}


def read():
    """The rows of the file, by network, target, technique and options."""
    if not FILE.exists():
        return {}
    with FILE.open(encoding="utf-8", newline="") as file:
        return {key(row): row for row in csv.DictReader(file)}


def key(row):
    return row["network"], row["target"], row["technique"], row["options"]


def write(rows):
    part = FILE.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows.values())
    os.replace(part, FILE)


def main():
    torch.set_num_threads(1)
    known, rows = read(), {}
    for number, (network, target, technique, options) in enumerate(ROWS, 1):
        wanted = network, target, technique, json.dumps(options)
        print(f"[{number}/{len(ROWS)}]", *wanted, flush=True)
        rows[wanted] = known.get(wanted) or measure(network, target, technique, options)
        write(rows | {name: row for name, row in known.items() if name not in rows})
    write(rows)


if __name__ == "__main__":
    main()
