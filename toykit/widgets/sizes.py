"""`size_explorer`: what a technique does to the bytes of a whole model, layer by layer.

All sizes come from the model's ledger, which predicts the stored bytes without compressing; the
widget only looks them up.
"""

import itertools

import numpy as np
import traitlets

from ..compressed import check_choice, check_type
from ..settings import INDEX_BITS, STORED_CODE_BITS, THRESHOLD
from ..size.ledgers import Ledger
from . import grid
from .base import Instrument, table

TECHNIQUES = (
    grid.Technique(
        "prune",
        "Pruning",
        "pruning",
        (grid.Axis.share("sparsity", "Sparsity", [*(s / 10 for s in range(10)), 0.95]),),
    ),
    grid.Technique(
        "quantize",
        "Quantization",
        "quantization",
        (
            grid.Axis.bits(STORED_CODE_BITS),
            grid.Axis.choice(
                "granularity",
                "A scale for each",
                per_tensor="layer",
                per_channel="channel",
                per_block="block of 32",
            ),
        ),
    ),
    grid.Technique(
        "palettize",
        "Palettization",
        "palettization",
        (
            grid.Axis.bits(INDEX_BITS),
            grid.Axis.choice("tables", "A table for each", layer="layer", group="16 channels"),
        ),
    ),
    grid.Technique(
        "joint",
        "Pruning and palettization",
        "joint",
        (grid.Axis.share("sparsity", "Sparsity", (0.5, 0.7, 0.9)), grid.Axis.bits((2, 4, 6, 8))),
    ),
)
MOST_BARS = 160


def _offered(ledger):
    """What the ledger's model can be compressed to: techniques, and for each of their settings the prediction.

    A package for an older system cannot hold every form. An option that it refuses is taken away until the
    controls offer nothing that it refuses; a technique without any is left out.
    """
    offered, problems = [], []
    for technique in TECHNIQUES:
        found, refused = [], []
        for setting in technique.settings():
            try:
                found.append((setting, _after(ledger, technique.name, setting)))
            except ValueError as problem:
                problems.append(problem)
                refused.append(setting)
        axes = technique.axes
        while refused and found:
            # The option that more of the refused settings share than any other.
            name, value = max(
                ((axis.name, value) for axis in axes for value in axis.values),
                key=lambda option: (
                    sum(setting[option[0]] == option[1] for setting in refused)
                    / sum(setting[option[0]] == option[1] for setting in (*refused, *(s for s, _ in found)))
                ),
            )
            axes = tuple(axis.without(value) if axis.name == name else axis for axis in axes)
            found = [(setting, after) for setting, after in found if setting[name] != value]
            refused = [setting for setting in refused if setting[name] != value]
        if found:
            offered.append((grid.Technique(technique.name, technique.label, technique.color, axes), found))
    if not offered:
        raise problems[0]
    return offered


def _after(ledger, technique, setting):
    """The ledger's prediction for one setting of the controls."""
    if technique == "prune":
        # Core ML Tools would leave a layer alone that is less than half zero; here the reader finds out why.
        return ledger.after("prune", minimum_sparsity=0.0, **setting)
    if technique == "palettize":
        group = {"layer": None, "group": 16}[setting["tables"]]
        return ledger.after("palettize", bits=setting["bits"], group_size=group)
    if technique == "joint":
        return ledger.after(
            "joint",
            prune={"sparsity": setting["sparsity"], "minimum_sparsity": 0.0},
            palettize={"bits": setting["bits"]},
        )
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
        return grid.check_setting(self.techniques, proposal)

    def table(self):
        """Return bytes for each setting, as (technique, options in words, bytes, factor) rows."""
        kind = np.int32 if len(self.before) == 4 * len(self.layers) else np.float64
        totals = np.frombuffer(self.sizes, kind).reshape(-1, len(self.layers)).sum(1, np.int64).tolist()
        before = int(np.frombuffer(self.before, kind).sum())
        said = [
            (technique["label"], ", ".join(words))
            for technique in self.techniques
            for words in itertools.product(*(axis["words"] for axis in technique["axes"]))
        ]
        return [(*names, total, before / total) for names, total in zip(said, totals, strict=True)]

    def fallback(self):
        rows = [
            (label, said, f"{total / 1e6:.2f} MB ({total / 2**20:.2f} MiB)", f"{factor:.2f}")
            for label, said, total, factor in self.table()
        ]
        return table(self.label, ["Technique", "Setting", "Size", "Times smaller"], rows)


def size_explorer(ledger, technique="prune"):
    """Choose a technique and its options, and see the size of a model and of each layer.

    Parameters
    ----------
    ledger : toykit.size.Ledger
        Of a model in float16, as `tk.size.ledger` returns it. For a package the options are those that its
        system can hold: before iOS 18 there are no tables of groups and no joint forms, for example.
    technique : {"prune", "quantize", "palettize", "joint"}
        What to show first.

    Returns
    -------
    SizeExplorer
        `technique`, `sparsity`, `bits`, `granularity` and `tables` follow the controls in a live
        notebook, and may be set.

    Raises
    ------
    TypeError, ValueError
        If the ledger has no weights that compression would touch, is itself a prediction, or of a package
        for a system that holds nothing compressed; or if `technique` is none that is offered.

    Examples
    --------
    >>> import numpy as np, toykit as tk
    >>> ledger = tk.size.ledger({"fc": np.arange(6400, dtype=np.float16).reshape(100, 64)})
    >>> technique, setting, nbytes, times_smaller = size_explorer(ledger).table()[5]
    >>> technique, setting, nbytes
    ('Pruning', '50 %', 7196)
    """
    check_type("ledger", ledger, Ledger, "a Ledger, as tk.size.ledger returns it")
    check_choice("technique", technique, [one.name for one in TECHNIQUES])
    large = [i for i, row in enumerate(ledger.rows) if row.parameters > THRESHOLD]
    if not large:
        raise ValueError(
            f"ledger has no weight of more than {THRESHOLD:,} elements: compression leaves it as it is"
        )
    # The largest layers have a bar each, in the order of the model; one more bar takes the rest.
    shown = sorted(sorted(large, key=lambda i: -ledger.rows[i].nbytes)[:MOST_BARS])

    def column(of_row, rest):
        own = [of_row(i) for i in shown]
        return [*own, sum(of_row(i) for i in range(len(ledger.rows))) - sum(own) + rest]

    sizes, besides, notes = [], [], []
    offered = _offered(ledger)
    check_choice("technique", technique, [chosen.name for chosen, _ in offered])
    for chosen, found in offered:
        for setting, after in found:
            rest = sum(after.rest.values())
            stored = [row.nbytes for row in after.rows]
            coded = [_values(row, chosen.name, setting) for row in after.rows]
            total, values = column(stored.__getitem__, rest), column(coded.__getitem__, rest)
            sizes.append(total)
            besides.append(np.subtract(total, values))
            left = [i for i in large if not after.rows[i].form]
            notes.append("" if not left else _left_alone(after, [ledger.rows[i].name for i in left]))
    before = column(lambda i: ledger.rows[i].nbytes, sum(ledger.rest.values()))
    # JavaScript has no whole numbers of 64 bits that it could add up; a float holds 2**53 bytes exactly.
    kind = np.int32 if max(*before, *map(max, sizes)) < 2**31 else np.float64
    return SizeExplorer(
        label=f"Size of {ledger.source}, compressed",
        techniques=grid.to_json([chosen for chosen, _ in offered]),
        technique=technique,
        layers=[*(ledger.rows[i].name for i in shown), "everything else"],
        before=np.array(before, kind).tobytes(),
        sizes=np.array(sizes, kind).tobytes(),
        besides=np.array(besides, kind).tobytes(),
        notes=notes,
    )


def _left_alone(after, names):
    reason = after.declined.get(names[0], ("",))[-1].partition(": ")[2]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} stay{'s' * (len(names) == 1)} as before{': ' * bool(reason)}{reason}"
