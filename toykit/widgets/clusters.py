"""`lloyd`: k-means on a line, one step at a time, beside the best there is."""

import numpy as np
import traitlets

from .. import compressed, kmeans
from .base import Instrument, between, one_of, table

BINS = 120
STARTS = {
    "uniform": "spread evenly",
    "quantile": "equally many weights each",
    "left": "all on the left",
}


class Lloyd(Instrument, js="lloyd"):
    """The widget; `start` and `step` follow its controls, and may be set."""

    start = traitlets.Unicode("uniform").tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    clusters = traitlets.Int().tag(sync=True)
    ends = traitlets.List().tag(sync=True)
    histogram = traitlets.List().tag(sync=True)
    starts = traitlets.List().tag(sync=True)
    centroids = traitlets.Bytes().tag(sync=True)
    optimum = traitlets.List().tag(sync=True)

    @traitlets.validate("start")
    def _check_start(self, proposal):
        return one_of(proposal, STARTS)

    @traitlets.validate("step")
    def _check_step(self, proposal):
        return between(proposal, 0)

    def _digested(self):
        return {name: value for name, value in self._data().items() if name != "centroids"}

    def fallback(self):
        rows = [
            (
                start["label"],
                f"{'' if start['rests'] else 'more than '}{len(start['excess']) - 1}",
                f"{start['excess'][0]:.1f} %",
                f"{start['excess'][-1]:.2f} %",
            )
            for start in self.starts
        ]
        header = [
            "Centroids start",
            "Steps until they rest",
            "Error above the least, at first",
            "in the last step shown",
        ]
        return table(self.label, header, rows)


def lloyd(values, k=8, name="a layer", steps=150):
    """Watch Lloyd's algorithm from three starts, with the exact optimum beside it.

    Parameters
    ----------
    values : array of float
        Weights; in a live notebook those of any layer.
    k : int
        Number of clusters, 2 to 64.
    name : str
        What the values are, for the headline.
    steps : int
        Most steps to show.

    Returns
    -------
    Lloyd

    Raises
    ------
    TypeError, ValueError
        If the values are not finite floating-point numbers, or hold fewer than k distinct ones.

    Examples
    --------
    >>> widget = lloyd(np.linspace(-1, 1, 200) ** 3, k=4)
    >>> [start["excess"][-1] >= 0 for start in widget.starts]
    [True, True, True]
    """
    values = compressed.check_weights(values, "values").ravel()
    compressed.check_type("name", name, str, "a text")
    k = compressed.check_int("k", k, range(2, 65))
    steps = compressed.check_int("steps", steps, range(1, 1000))
    low, high = float(values.min()), float(values.max())
    levels, mass, _ = kmeans.distinct(values)
    best = kmeans.exact(levels, k, mass)
    if len(best.centroids) < k or best.cost == 0:
        raise ValueError(f"values must have more than k = {k} distinct values for something to be lost")
    starts, positions = [], []
    for start, label in STARTS.items():
        first = np.linspace(low, low + (high - low) / 4, k) if start == "left" else start
        history = kmeans.lloyd(levels, k, mass, start=first, steps=steps)
        # In percent above the least cost; nothing is below it but rounding.
        excess = [round(max(0.0, 100 * (step.cost / best.cost - 1)), 3) for step in history]
        rests = len(history) < steps
        starts.append(
            {
                "name": start,
                "label": label,
                "first": sum(map(len, positions)),
                "excess": excess,
                "rests": rests,
            }
        )
        positions.append(np.stack([step.centroids for step in history]))
    along = (np.concatenate(positions) - low) / (high - low)
    counts, _ = np.histogram(values.astype(np.float64), bins=BINS, range=(low, high))
    return Lloyd(
        label=f"Lloyd's algorithm on {name}, {k} clusters",
        clusters=k,
        ends=[float(f"{end:.3g}") for end in (low, high)],
        histogram=counts.tolist(),
        starts=starts,
        centroids=np.rint(along * 65535).astype("<u2").tobytes(),
        optimum=[round(float(c - low) / (high - low), 5) for c in best.centroids],
    )
