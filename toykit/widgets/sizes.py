"""`size_explorer`: what a technique does to the bytes of a whole model, layer by layer.

All sizes come from the model's ledger, which predicts the stored bytes without compressing; the
widget only looks them up.
"""

import numpy as np
import traitlets

from ..options import THRESHOLD
from . import grid
from .base import Instrument, table

TECHNIQUES = (
    grid.Technique("prune", "Pruning", "pruning", (
        grid.Axis.share("sparsity", "Sparsity", [*(s / 10 for s in range(10)), 0.95]),)),
    grid.Technique("quantize", "Quantization", "quantization", (
        grid.Axis.bits((4, 8)),
        grid.Axis.choice("granularity", "A scale for each", per_tensor="layer", per_channel="channel",
                         per_block="block of 32"))),
    grid.Technique("palettize", "Palettization", "palettization", (
        grid.Axis.bits((1, 2, 3, 4, 6, 8)),
        grid.Axis.choice("tables", "A table for each", layer="layer", group="16 channels"))),
    grid.Technique("joint", "Pruning and palettization", "joint", (
        grid.Axis.share("sparsity", "Sparsity", (0.5, 0.7, 0.9)),
        grid.Axis.bits((2, 4, 6, 8)))),
)
MOST_BARS = 160


def _after(ledger, technique, setting):
    """The ledger's prediction for one setting of the controls."""
    if technique == "prune":
        # Core ML Tools would leave a layer alone that is less than half zero; here the reader finds out why.
        return ledger.after("prune", minimum_sparsity=0.0, **setting)
    if technique == "palettize":
        group = {"layer": None, "group": 16}[setting["tables"]]
        return ledger.after("palettize", bits=setting["bits"], group_size=group)
    if technique == "joint":
        return ledger.after("joint", prune={"sparsity": setting["sparsity"], "minimum_sparsity": 0.0},
                            palettize={"bits": setting["bits"]})
    return ledger.after(technique, **setting)


def _values(row, technique, setting):
    """Bytes of a compressed row that hold weights; the others say how to read them."""
    if not row.form:
        return row.nbytes
    if technique == "prune":
        return row.nbytes - -(-row.parameters // 8)
    if technique == "joint":
        return row.nbytes - -(-row.parameters // 8) - 2 * 2 ** setting["bits"]
    return -(-row.parameters * setting["bits"] // 8)


class SizeExplorer(Instrument, js="size_explorer"):
    """The widget; its options are traits, set by its controls or from Python."""

    techniques = traitlets.List().tag(sync=True)
    technique = traitlets.Unicode("prune").tag(sync=True)
    sparsity = traitlets.Float(0.5).tag(sync=True)
    bits = traitlets.Int(4).tag(sync=True)
    granularity = traitlets.Unicode("per_channel").tag(sync=True)
    tables = traitlets.Unicode("layer").tag(sync=True)
    layers = traitlets.List().tag(sync=True)
    before = traitlets.Bytes().tag(sync=True)
    sizes = traitlets.Bytes().tag(sync=True)
    besides = traitlets.Bytes().tag(sync=True)
    notes = traitlets.List().tag(sync=True)

    @traitlets.validate("technique", "sparsity", "bits", "granularity", "tables")
    def _check(self, proposal):
        return grid.check_setting(self.techniques, proposal["trait"].name, proposal["value"])

    def table(self):
        """Return bytes for each setting, as (technique, options in words, bytes, factor) rows."""
        sizes = np.frombuffer(self.sizes, np.int32).reshape(-1, len(self.layers))
        before = int(np.frombuffer(self.before, np.int32).sum())
        rows = []
        for technique in TECHNIQUES:
            words = [dict(zip(axis.values, axis.words)) for axis in technique.axes]
            for setting in technique.settings():
                said = ", ".join(w[v] for w, v in zip(words, setting.values()))
                total = int(sizes[len(rows)].sum())
                rows.append((technique.label, said, total, before / total))
        return rows

    def fallback(self):
        rows = [(label, said, f"{total / 1e6:.2f} MB ({total / 2**20:.2f} MiB)", f"{factor:.2f}")
                for label, said, total, factor in self.table()]
        return table(self.label, ["Technique", "Setting", "Size", "Times smaller"], rows)


def size_explorer(ledger, technique="prune"):
    """Choose a technique and its options, and see the size of a model and of each layer.

    Parameters
    ----------
    ledger : toykit.size.Ledger
        Of a model in float16, as `tk.size.ledger` returns it.
    technique : {"prune", "quantize", "palettize", "joint"}
        What to show first.

    Returns
    -------
    SizeExplorer
        `technique`, `sparsity`, `bits`, `granularity` and `tables` follow the controls in a live
        notebook, and may be set.

    Raises
    ------
    ValueError
        If the ledger has no weights that compression would touch, or is itself a prediction.

    Examples
    --------
    >>> import numpy as np, toykit as tk
    >>> ledger = tk.size.ledger({"fc": np.arange(6400, dtype=np.float16).reshape(100, 64)})
    >>> technique, setting, nbytes, times_smaller = size_explorer(ledger).table()[5]
    >>> technique, setting, nbytes
    ('Pruning', '50 %', 7196)
    """
    large = [i for i, row in enumerate(ledger.rows) if row.parameters > THRESHOLD]
    if not large:
        raise ValueError(f"the ledger has no weight of more than {THRESHOLD:,} elements: "
                         "compression leaves it as it is")
    # The largest layers have a bar each, in the order of the model; one more bar takes the rest.
    shown = sorted(sorted(large, key=lambda i: -ledger.rows[i].nbytes)[:MOST_BARS])

    def column(of_row, rest):
        own = [of_row(i) for i in shown]
        return [*own, sum(of_row(i) for i in range(len(ledger.rows))) - sum(own) + rest]

    sizes, besides, notes = [], [], []
    for chosen in TECHNIQUES:
        for setting in chosen.settings():
            after = _after(ledger, chosen.name, setting)
            rest = sum(after.rest.values())
            total = column(lambda i: after.rows[i].nbytes, rest)
            values = column(lambda i: _values(after.rows[i], chosen.name, setting), rest)
            sizes.append(total)
            besides.append(np.subtract(total, values))
            left = [i for i in large if not after.rows[i].form]
            notes.append("" if not left else _left_alone(after, [ledger.rows[i].name for i in left]))
    before = column(lambda i: ledger.rows[i].nbytes, sum(ledger.rest.values()))
    return SizeExplorer(
        label=f"Size of {ledger.source}, compressed",
        techniques=grid.to_json(TECHNIQUES), technique=technique,
        layers=[*(ledger.rows[i].name for i in shown), "everything else"],
        before=np.array(before, np.int32).tobytes(), sizes=np.array(sizes, np.int32).tobytes(),
        besides=np.array(besides, np.int32).tobytes(), notes=notes)


def _left_alone(after, names):
    reason = after.declined.get(names[0], ("",))[-1].partition(": ")[2]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} stay{'s' * (len(names) == 1)} as before{': ' * bool(reason)}{reason}"
