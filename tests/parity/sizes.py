"""What is compressed in which ways to hold the ledger's predictions against the disk."""

from dataclasses import dataclass

import toykit as tk

# Forms that iOS 16 has, too.
OLD = [
    ("prune", {"sparsity": 0.5}),
    ("prune", {"sparsity": 0.9}),
    ("prune", {"sparsity": 0.5, "block_size": 2}),
    ("prune", {"n_m": (2, 4)}),
    ("prune", {"threshold": 0.05, "minimum_sparsity": 0.2}),
    ("quantize", {"bits": 8}),
    ("quantize", {"bits": 8, "signed": False}),
    ("quantize", {"bits": 8, "mode": "affine"}),
    ("quantize", {"bits": 8, "granularity": "per_tensor"}),
    ("quantize", {"bits": 8, "weight_threshold": 100}),
    *(("palettize", {"bits": bits, "mode": "uniform"}) for bits in (1, 2, 4, 6, 8)),
]
# Forms that need iOS 18.
NEW = [
    ("quantize", {"bits": 4}),
    ("quantize", {"bits": 4, "mode": "affine", "signed": False}),
    ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 16}),
    ("quantize", {"bits": 8, "granularity": "per_block", "block_size": 8}),
    ("palettize", {"bits": 3, "mode": "uniform"}),
    ("palettize", {"bits": 4, "mode": "uniform", "group_size": 8}),
    ("palettize", {"bits": 2, "mode": "uniform", "group_size": 4}),
    ("palettize", {"bits": 4, "mode": "uniform", "per_channel_scale": "across"}),
    ("joint", {"prune": {"sparsity": 0.7}, "palettize": {"bits": 4, "mode": "uniform"}}),
    ("joint", {"prune": {"sparsity": 0.7}, "quantize": {"bits": 8}}),
    ("joint", {"palettize": {"bits": 4, "mode": "uniform"}, "quantize": {"granularity": "per_tensor"}}),
    (
        "joint",
        {
            "prune": {"sparsity": 0.7},
            "palettize": {"bits": 6, "mode": "uniform"},
            "quantize": {"granularity": "per_tensor"},
        },
    ),
]
# k-means takes its time and stores what "uniform" does; so only where it is the only way.
KMEANS = [("palettize", {"bits": 2, "cluster_dim": 2}), ("palettize", {"bits": 4})]

# For ResNet-50, on which each takes seconds.
LARGE = [
    ("prune", {"sparsity": 0.5}),
    ("prune", {"sparsity": 0.75}),
    ("prune", {"sparsity": 0.9}),
    ("quantize", {"bits": 8}),
    ("quantize", {"bits": 4, "granularity": "per_block"}),
    *(("palettize", {"bits": bits, "mode": "uniform"}) for bits in (8, 6, 4, 3, 2, 1)),
    ("palettize", {"bits": 4, "mode": "uniform", "group_size": 16}),
    ("joint", {"prune": {"sparsity": 0.75}, "quantize": {"bits": 8}}),
]


@dataclass(frozen=True)
class Comparison:
    """A ledger before compression, its prediction, and the ledger of what coremltools wrote.

    `weights` and `whole` are pairs (predicted, on disk) of bytes: of weight.bin, and of the package.
    """

    predicted: tk.size.Ledger
    written: tk.size.Ledger
    weights: tuple
    whole: tuple


def weight_bytes(ledger):
    """Bytes of weight.bin in a ledger: the constants' data and what lies between them."""
    between = sum(count for name, count in ledger.rest.items() if name.startswith("weight.bin"))
    return between + sum(row.nbytes for row in ledger.rows)


def compare(mlmodel, technique, options, path):
    """Predict, compress and save to `path`, and read what lies there."""
    predicted = tk.size.ledger(mlmodel).after(technique, **options)
    tk.coreml.save(tk.coreml.compress(mlmodel, technique, **options), path)
    package = tk.coreml.Package(path)
    written = tk.size.ledger(package)
    (weight_file,) = [count for name, count in package.files.items() if name.endswith("weight.bin")]
    return Comparison(
        predicted,
        written,
        weights=(weight_bytes(predicted), weight_file),
        whole=(predicted.nbytes, package.nbytes),
    )


def label(technique, options):
    """One word for a case: a test's name and a table's cell."""
    words = []
    for name, value in options.items():
        words.append(label(name, value) if isinstance(value, dict) else f"{name}={value}")
    return f"{technique}({', '.join(words)})" if technique != "joint" else " + ".join(words)
