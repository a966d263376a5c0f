"""`hardening`: differentiable k-means while a network trains, from soft assignments to hard ones."""

import numpy as np
import traitlets

from ..compressed import as_array, check_each, check_int, check_number, check_type, check_weights
from .base import Instrument, between, one_of, table

SHOWN = 150  # weights of the layer that are drawn
FACTORS = (-5, 5)  # how far the reader may change the temperature, in powers of 2


class Hardening(Instrument, js="hardening"):
    """The widget; `run`, `step` and `factor` follow its controls, and may be set."""

    run = traitlets.Unicode().tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    factor = traitlets.Int(0).tag(sync=True)
    ends = traitlets.List().tag(sync=True)
    runs = traitlets.List().tag(sync=True)
    positions = traitlets.Bytes().tag(sync=True)

    @traitlets.validate("run")
    def _check_run(self, proposal):
        return one_of(proposal, [run["name"] for run in self.runs])

    @traitlets.validate("step")
    def _check_step(self, proposal):
        return between(proposal, 0)

    @traitlets.validate("factor")
    def _check_factor(self, proposal):
        return between(proposal, *FACTORS)

    def _digested(self):
        # Weights that were trained differ from one processor to the next.
        return {"label": self.label, "runs": [[r["name"], r["clusters"], r["steps"]] for r in self.runs]}

    def fallback(self):
        rows = []
        for run in self.runs:
            for at in (0, len(run["steps"]) // 2, len(run["steps"]) - 1):
                centroids = ", ".join(f"{c:.3f}" for c in run["centroids"][at])
                label, temperature = f"{run['name']}, step {run['steps'][at]}", run["temperatures"][at]
                rows.append((label, f"{temperature:.2g}", centroids))
        return table(self.label, ["Run", "Temperature", "Centroids"], rows)


def hardening(runs, name="a layer"):
    """Watch the weights of a layer choose their centroids.

    Parameters
    ----------
    runs : dict of str to list of dict
        For each run, under the name that the reader chooses it by, snapshots in the order of training
        (`toykit.training.palettization.snapshot`): `step`, `temperature`, `centroids` (k,) and
        `weights` (n,), the same weights in each.
    name : str
        What the weights are, for the headline.

    Returns
    -------
    Hardening

    Raises
    ------
    ValueError
        If there is no run, or a run has fewer than two snapshots.

    Examples
    --------
    >>> w = np.linspace(-1, 1, 50)
    >>> hardening({"1 bit": [{"step": s, "temperature": 0.5 / (s + 1), "centroids": [-0.5, 0.5], "weights": w}
    ...                      for s in range(3)]}).runs[0]["clusters"]
    2
    """
    check_type("runs", runs, dict, "a dict of snapshots by the names of runs")
    check_type("name", name, str, "a text")
    if not runs:
        raise ValueError("runs must hold at least one run")
    described, positions, weights = [], [], {}
    for label, snapshots in runs.items():
        check_type("a name in runs", label, str, "a text")
        check_each(f"runs[{label!r}]", snapshots, dict, "snapshots")
        for snapshot in snapshots:
            if missing := {"step", "temperature", "centroids", "weights"} - snapshot.keys():
                raise ValueError(f"every snapshot in runs[{label!r}] needs {', '.join(sorted(missing))}")
            check_int("step", snapshot["step"], range(2**53))
            check_number("temperature", snapshot["temperature"], least=0)
        sizes = {as_array(f"weights in runs[{label!r}]", snapshot["weights"]).size for snapshot in snapshots}
        if len(sizes) > 1:
            raise ValueError(
                f"runs[{label!r}] must hold the same weights in each snapshot; got {sorted(sizes)} of them"
            )
        if len(snapshots) < 2:
            raise ValueError(f"run {label!r} must have at least two snapshots to watch; got {len(snapshots)}")
        stack = check_weights(np.stack([np.ravel(s["weights"]) for s in snapshots]), "weights")
        # Evenly spread over the weights in the order of their size.
        order = np.argsort(stack[0], kind="stable")
        weights[label] = stack[:, order[np.linspace(0, order.size - 1, min(SHOWN, order.size)).astype(int)]]
    low = float(min(w.min() for w in weights.values()))
    high = float(max(w.max() for w in weights.values()))
    for label, snapshots in runs.items():
        tables = [check_weights(s["centroids"], f"centroids in runs[{label!r}]").ravel() for s in snapshots]
        if len({table.size for table in tables}) > 1:
            raise ValueError(f"runs[{label!r}] must hold as many centroids in each snapshot")
        centroids = np.stack(tables).astype(float)
        described.append(
            {
                "name": label,
                "clusters": centroids.shape[1],
                "shown": weights[label].shape[1],
                "first": sum(map(len, positions)),
                "steps": [int(s["step"]) for s in snapshots],
                "temperatures": [float(f"{s['temperature']:.4g}") for s in snapshots],
                "centroids": [[float(f"{c:.4g}") for c in row] for row in centroids],
            }
        )
        positions.append(np.rint((weights[label] - low) / (high - low) * 65535).astype("<u2").ravel())
    return Hardening(
        label=f"Differentiable k-means on {name}",
        ends=[low, high],
        runs=described,
        run=described[0]["name"],
        positions=np.concatenate(positions).tobytes(),
    )
