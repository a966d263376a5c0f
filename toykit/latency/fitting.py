"""The roofline against Apple's published latencies, and a null model against the same.

Up to six numbers of the chip are chosen so that the modelled latencies come close to the published
ones: two rates, an overhead, and what tables, zeros and 8-bit inputs change. Eleven rows are few for
six numbers. So each row is also predicted from the others alone (leave one out), and beside it stands
a null model that knows nothing about layers or bytes: one latency however weights are stored, and
another where inputs are 8-bit too. A roofline that does not beat it has not shown anything.

Nor has one that beats it but has a rival as good. Chips are told apart by `activations_in_memory` and
by an `int8_speed` that is given and not fitted: fit both kinds to the same rows before believing what
either says about the chip.
"""

from dataclasses import dataclass

import numpy as np

from ..compressed import check_each, check_flag, check_number
from .descriptions import Chip
from .networks import mobilenet_v2_layers, resnet50_layers
from .published import Published

LAYERS = {"ResNet50": resnet50_layers, "MobileNetv2-1.0": mobilenet_v2_layers}


@dataclass(frozen=True)
class Fit:
    """A model of latencies, fitted to published rows.

    Attributes
    ----------
    chip : Chip or None
        None in a null model.
    rows : tuple of Published
    predicted : array
        Seconds of each row, by the model fitted to all rows.
    left_out : array
        Seconds of each row, by the model fitted to all rows but this. NaN where this row alone says
        how fast 8-bit products are.
    parameters : int
        How many numbers were fitted.
    error, left_out_error : float
        Medians of |predicted / published - 1|.
    """

    chip: Chip | None
    rows: tuple
    predicted: np.ndarray
    left_out: np.ndarray
    parameters: int

    @property
    def published(self):
        return np.array([row.seconds for row in self.rows])

    @property
    def error(self):
        return float(np.median(np.abs(self.predicted / self.published - 1)))

    @property
    def left_out_error(self):
        return float(np.nanmedian(np.abs(self.left_out / self.published - 1)))

    def __repr__(self):
        name = "null model" if self.chip is None else "roofline"
        return (
            f"Fit({name}, {self.parameters} parameters, {len(self.rows)} rows, median error "
            f"{100 * self.error:.1f} %, left out {100 * self.left_out_error:.1f} %)"
        )


def fit(rows, activations_in_memory=False, int8_speed=None):
    """Find the chip whose roofline comes closest to published latencies.

    Least squares of the relative errors. The result describes these rows; it is no prediction for
    other models. Its numbers are the chip's only if no other kind of chip fits as well.

    Parameters
    ----------
    rows : sequence of Published
        Of one model on one device with one system, and more of them than there are parameters.
    activations_in_memory : bool
        As in `Chip`: whether what layers pass on is moved as well.
    int8_speed : float, optional
        As in `Chip`; fitted if left out. With 1 all that 8-bit inputs change is the bytes.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If there are fewer rows, or they are of several series, or of a model whose layers are not known.

    Examples
    --------
    >>> from toykit.latency import read_published
    >>> rows = read_published("notebooks/data/apple_published.csv", source="opt-resnet")
    >>> fit(rows, activations_in_memory=True, int8_speed=1)
    Fit(roofline, 5 parameters, 11 rows, median error 2.0 %, left out 4.0 %)
    """
    rows = _one_series(rows)
    if rows[0].model not in LAYERS:
        raise ValueError(
            f"rows must be of {' or '.join(LAYERS)}, whose layers are known; got {rows[0].model}"
        )
    in_memory = check_flag("activations_in_memory", activations_in_memory)
    if int8_speed is not None:
        int8_speed = check_number("int8_speed", int8_speed, above=0)
    problem = _Roofline(rows, in_memory, int8_speed)
    starts = list(problem.starts())
    if len(rows) <= (count := len(starts[0])):
        raise ValueError(
            f"{count} numbers cannot be fitted to {len(rows)} rows; at least {count + 1} are needed"
        )
    everyone = np.arange(len(rows))
    best = _least_squares(problem, everyone, starts)
    left_out = np.full(len(rows), np.nan)
    for i in everyone:
        others = np.delete(everyone, i)
        if int8_speed is not None or not problem.int8[i] or problem.int8[others].any():
            left_out[i] = problem.seconds(_least_squares(problem, others, [best, *starts]))[i]
    return Fit(problem.chip(best), rows, problem.seconds(best), left_out, len(best))


def fit_null(rows):
    """The null model: one latency however weights are stored, and another for 8-bit inputs.

    Both are medians, which no single row moves far.

    Parameters
    ----------
    rows : sequence of Published

    Returns
    -------
    Fit
    """
    rows = _one_series(rows)
    left_out = [_null(rows[:i] + rows[i + 1 :], row) for i, row in enumerate(rows)]
    predicted = [_null(rows, row) for row in rows]
    return Fit(None, rows, np.array(predicted), np.array(left_out), len({row.when for row in rows}))


def _null(known, row):
    """The median of the known rows that are run in the same way; NaN if there is none."""
    alike = [other.seconds for other in known if other.when == row.when]
    return np.median(alike) if alike else np.nan


def _one_series(rows):
    rows = tuple(check_each("rows", rows, Published, "published rows", empty=False))
    series = {row.series for row in rows}
    if len(series) != 1:
        raise ValueError(f"rows must be of one model on one device with one system, got {sorted(series)}")
    return rows


class _Roofline:
    """Published rows as a function of the logarithms of a chip's rates and costs, all positive.

    The same sum as `timing`, for all rows at once: a fit takes some ten thousand of them.
    """

    def __init__(self, rows, activations_in_memory, int8_speed):
        self.rows, self.in_memory, self.int8_speed = rows, activations_in_memory, int8_speed
        layers = LAYERS[rows[0].model]()
        self.operations = 2.0 * np.array([layer.macs for layer in layers])
        self.nbytes = np.array([[row.format.nbytes(layer) for layer in layers] for row in rows])
        self.tables = np.array([sum(row.format.tables(layer) for layer in layers) for row in rows])
        self.sparsity = np.array([row.format.sparsity for row in rows])
        self.int8 = np.array([row.when == "int8_int8" for row in rows])
        self.published = np.array([row.seconds for row in rows])
        if activations_in_memory:
            numbers = np.array([layer.inputs + layer.outputs for layer in layers])
            self.nbytes = self.nbytes + np.outer(np.where(self.int8, 1, 2), numbers)

    def _spelled(self, numbers):
        """The chip's numbers, `int8_speed` last."""
        values = np.exp(numbers)
        return values if self.int8_speed is None else np.append(values, self.int8_speed)

    def chip(self, numbers):
        operations, bandwidth, table_cost, skipping, overhead, int8_speed = map(float, self._spelled(numbers))
        return Chip(
            f"fitted to {len(self.rows)} published rows, {self.rows[0].device}",
            operations,
            bandwidth,
            int8_speed,
            table_cost,
            zero_skipping=skipping / (1 + skipping),
            overhead=overhead,
            activations_in_memory=self.in_memory,
            source=f"least squares on {', '.join(sorted({row.source for row in self.rows}))}",
        )

    def seconds(self, numbers):
        operations, bandwidth, table_cost, skipping, overhead, int8_speed = self._spelled(numbers)
        rate = operations * np.where(self.int8, int8_speed, 1)
        left = 1 - skipping / (1 + skipping) * self.sparsity
        layers = np.maximum(np.outer(left / rate, self.operations), self.nbytes / bandwidth)
        return layers.sum(1) + table_cost * self.tables + overhead

    def starts(self):
        fitted = [] if self.int8_speed is not None else [2.0]
        for operations in (8e12, 20e12):
            for bandwidth in (30e9, 60e9, 120e9):
                yield np.log([operations, bandwidth, 50e-9, 0.3, 0.2 * self.published.max(), *fitted])


def _least_squares(problem, chosen, starts, steps=60):
    """Levenberg and Marquardt's method from each start; the best result."""

    def residuals(numbers):
        return np.log(problem.seconds(numbers)[chosen] / problem.published[chosen])

    def cost(numbers):
        error = residuals(numbers)
        return error @ error

    return min((_descended(residuals, start, steps) for start in starts), key=cost)


def _descended(residuals, numbers, steps):
    """The numbers that a start leads to."""
    damping, error = 1e-2, residuals(numbers)
    for _ in range(steps):
        slopes = np.stack(
            [(residuals(numbers + 1e-5 * step) - error) / 1e-5 for step in np.eye(len(numbers))], axis=1
        )
        pull = slopes.T @ slopes + damping * np.eye(len(numbers))
        step = -np.linalg.solve(pull, slopes.T @ error)
        candidate = numbers + np.clip(step, -1, 1)
        error_there = residuals(candidate)
        if error_there @ error_there < error @ error:
            done = error @ error - error_there @ error_there < 1e-12
            numbers, error, damping = candidate, error_there, damping / 3
            if done:
                break
        else:
            damping *= 4
            if damping > 1e6:
                break
    return numbers
