"""What packages of others are compressed to: every technique, and what of it each system can hold."""

from dataclasses import dataclass
from pathlib import Path

import toykit as tk
from tests.parity import sizes

# Everything that the predictions of packages of our own are held to.
ALL = [*sizes.OLD, *sizes.NEW, *sizes.KMEANS, ("palettize", {"mode": "unique"})]
# One of each technique, for every change.
FEW = [
    ("prune", {"sparsity": 0.5}),
    ("quantize", {"bits": 8}),
    ("palettize", {"bits": 4, "mode": "uniform"}),
    ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 8}),
    ("joint", {"prune": {"sparsity": 0.7}, "palettize": {"bits": 4, "mode": "uniform"}}),
]


@dataclass(frozen=True)
class Written:
    """A package that was predicted and then written.

    Attributes
    ----------
    setting : str
    predicted, on_disk : int
        Bytes of the package.
    rows_agree : bool
        Whether each weight takes the bytes that it was predicted to take.
    path : Path
    """

    setting: str
    predicted: int
    on_disk: int
    rows_agree: bool
    path: Path

    @property
    def right(self):
        return self.predicted == self.on_disk and self.rows_agree


def write(package, candidates, folder, **every):
    """Predict and write every setting that the package takes: an iterator of Written.

    Parameters
    ----------
    package : Path
    candidates : list of (technique, options)
        Those that the package's system cannot hold are left out.
    folder : Path
        Where the packages are written; it is made where it is missing.
    **every
        Options of every technique, such as `weight_threshold`.
    """
    folder.mkdir(exist_ok=True)
    ledger = tk.size.ledger(package)
    for number, (technique, options) in enumerate(candidates):
        options = shared(technique, options, every)
        try:
            predicted = ledger.after(technique, **options)
        except ValueError:
            continue
        path = folder / f"{number}.mlpackage"
        tk.coreml.save(tk.coreml.compress(package, technique, **options), path)
        on_disk = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        rows = [
            [(row.name, row.nbytes, row.form) for row in each.rows]
            for each in (predicted, tk.size.ledger(path))
        ]
        label = sizes.label(technique, options)
        yield Written(label, predicted.nbytes, on_disk, rows[0] == rows[1] and predicted.exact, path)


def shared(technique, options, every):
    """Options of a technique, or of each of the techniques that are joined, with those that all of them take."""
    if technique == "joint":
        return {name: chosen | every for name, chosen in options.items()}
    return options | every
