"""`latency_explorer`: what Apple measured, what two rival rooflines make of it, and what a null model does.

Published points come from a table, the models from `toykit.latency.fitting`. Nothing else is shown,
so nothing can be read off that neither was published nor is called modelled.
"""

import math

import traitlets

from ..latency import fit, fit_null, read_published
from ..latency.fitting import LAYERS
from .base import Instrument, between, one_of, table

COLORS = {
    "none": "float",
    "palettization": "palettization",
    "pruning": "pruning",
    "quantization": "quantization",
}
# Two kinds of chip that explain the same rows; and what knows nothing of chips.
ROOFLINES = {"roofline": {}, "rival": {"activations_in_memory": True, "int8_speed": 1}}
HEADINGS = {
    "roofline": "Chip A, left out, ms",
    "rival": "Chip B, left out, ms",
    "null": "Null model, left out, ms",
}
WORDS = {
    "none": "float16",
    "palettization": "palettization",
    "pruning": "pruning",
    "quantization": "quantization",
}


class LatencyExplorer(Instrument, js="latency"):
    """The widget; its choices are traits, set by its controls or from Python."""

    series = traitlets.List().tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)
    technique = traitlets.Unicode("all").tag(sync=True)
    model = traitlets.Unicode("roofline").tag(sync=True)

    @traitlets.validate("chosen")
    def _check_chosen(self, proposal):
        return between(proposal, 0, max(0, len(self.series) - 1))

    @traitlets.validate("technique", "model")
    def _check_word(self, proposal):
        technique = proposal["trait"].name == "technique"
        return one_of(proposal, ("all", *WORDS) if technique else (*HEADINGS, "none"))

    def _digested(self):
        # Modelled values come out of a search: to the digits shown they are the same everywhere.
        def rounded(one):
            models = [
                {name: [_shown(v) for v in pair] for name, pair in row["models"].items()}
                for row in one["rows"]
            ]
            errors = {name: [f"{error:.3f}" for error in found[:2]] for name, found in one["errors"].items()}
            return one | {
                "errors": errors,
                "rows": [row | {"models": m} for row, m in zip(one["rows"], models)],
            }

        return self._data() | {"series": [rounded(one) for one in self.series]}

    def fallback(self):
        rows = [
            (
                one["name"],
                row["config"],
                f"{row['ms']:.2f}",
                *(_shown(row["models"].get(name, (None, None))[1]) or "-" for name in HEADINGS),
            )
            for one in self.series
            for row in one["rows"]
        ]
        return table(
            self.label,
            ("Model and device", "Weights", "Published, ms", *HEADINGS.values()),
            rows,
        )


def _shown(value):
    return None if value is None else f"{value:.2f}"


def _series(rows):
    """One model on one device: its published points, and what each model says with and without them."""
    null = fit_null(rows)
    fits = {"null": null}
    if len(rows) > 6 and rows[0].model in LAYERS:
        fits |= {name: fit(rows, **kind) for name, kind in ROOFLINES.items()}

    def ms(seconds):
        return None if math.isnan(seconds) else round(1e3 * float(seconds), 4)

    return {
        "name": f"{rows[0].model} on an {rows[0].device}, {rows[0].system}",
        "errors": {
            name: [round(found.error, 4), round(float(found.left_out_error), 4), found.parameters]
            for name, found in fits.items()
        },
        "rows": [
            {
                "config": row.config,
                "technique": row.technique,
                "color": COLORS[row.technique],
                "ms": round(1e3 * row.seconds, 4),
                "models": {
                    name: [ms(found.predicted[i]), ms(found.left_out[i])] for name, found in fits.items()
                },
            }
            for i, row in enumerate(rows)
        ],
    }


def latency_explorer(path):
    """Choose a model and a device, and see its published latencies beside models of them.

    Chip A multiplies 8-bit numbers faster, and what layers pass on does not go through memory; with
    chip B it does, and its 8-bit products are no faster.

    Parameters
    ----------
    path : str or Path
        A table of published latencies, as `tk.latency.read_published` reads it.

    Returns
    -------
    LatencyExplorer
        `chosen`, `technique` and `model` follow the controls in a live notebook, and may be set.
    """
    groups = {}
    for row in read_published(path):
        groups.setdefault(row.series, []).append(row)
    order = sorted(groups, key=lambda key: (key[0] != "ResNet50", -len(groups[key]), key))
    return LatencyExplorer(
        label="Published and modelled latencies", series=[_series(groups[key]) for key in order]
    )
