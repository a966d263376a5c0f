"""What is compressed in which ways to hold predictions against the disk, and toykit's files against coremltools'."""

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
    """A prediction, what toykit wrote, and what coremltools wrote.

    `weights` and `whole` are pairs (predicted, on disk) of bytes: of weight.bin, and of the package. `theirs`
    is the ledger of coremltools' package, `equal` whether its weight.bin is toykit's, byte for byte.
    """

    predicted: tk.size.Ledger
    written: tk.size.Ledger
    theirs: tk.size.Ledger
    weights: tuple
    whole: tuple
    equal: bool


def weight_bytes(ledger):
    """Bytes of weight.bin in a ledger: the constants' data and what lies between them."""
    between = sum(count for name, count in ledger.rest.items() if name.startswith("weight.bin"))
    return between + sum(row.nbytes for row in ledger.rows)


def weight_file(package):
    """What lies in a package's weight.bin."""
    (file,) = [name for name in package.files if name.endswith("weight.bin")]
    return (package.path / file).read_bytes()


def compare(mlmodel, technique, options):
    """Predict, compress with both engines, and read what they wrote."""
    source = tk.coreml.Package(mlmodel.package_path)
    predicted = tk.size.ledger(source).after(technique, **options)
    ours = tk.coreml.compress(source, technique, **options)
    theirs = tk.coreml.compress(source, technique, engine="coremltools", **options)
    return Comparison(
        predicted,
        tk.size.ledger(ours),
        tk.size.ledger(theirs),
        weights=(weight_bytes(predicted), len(weight_file(ours))),
        whole=(predicted.nbytes, ours.nbytes),
        equal=weight_file(ours) == weight_file(theirs),
    )


def deterministic(technique, options):
    """Whether coremltools' arrays do not depend on chance, for a network of any size."""
    if technique == "joint":
        return all(deterministic(name, chosen) for name, chosen in options.items())
    return technique != "palettize" or options.get("mode", "kmeans") != "kmeans"


def label(technique, options):
    """One word for a case: a test's name and a table's cell."""
    words = []
    for name, value in options.items():
        words.append(label(name, value) if isinstance(value, dict) else f"{name}={value}")
    return f"{technique}({', '.join(words)})" if technique != "joint" else " + ".join(words)
