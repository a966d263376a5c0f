"""`valley`: two weights and whole numbers for them, each rounded by itself, one after the other, or as a pair.

The arithmetic of its picture is done twice, here and in JavaScript, because the point that a reader drags has
too many places for a table. A test holds the two equal.
"""

import numpy as np
import traitlets

from ..compressed import check_number
from .base import Instrument, between, table

CODES = (-1, 0, 1, 2)  # of each weight; for all that the controls allow, the best pair is among them
LIMITS = {"first": (0, 1), "second": (0, 1), "correlation": (-0.95, 0.95)}


class Valley(Instrument, js="valley"):
    """The widget; `first`, `second` and `correlation` follow its controls, and may be set."""

    first = traitlets.Float(0.4).tag(sync=True)
    second = traitlets.Float(0.4).tag(sync=True)
    correlation = traitlets.Float(0.95).tag(sync=True)

    @traitlets.validate("first", "second", "correlation")
    def _check(self, proposal):
        return between(proposal, *LIMITS[proposal["trait"].name])

    def fallback(self):
        rows = []
        for correlation in (-0.95, -0.5, 0, 0.5, 0.95):
            ways = roundings(self.first, self.second, correlation)
            cells = (
                f"{' or '.join(f'({a}, {b})' for a, b in way['codes'])}: {way['error']:.2f}"
                for way in ways.values()
            )
            rows.append((correlation, *cells))
        return table(
            f"{self.label}: codes for the weights {self.first:g} and {self.second:g}, and the error of the output",
            ("Correlation of the inputs", "Each to its nearest", "One after the other", "Best pair"),
            rows,
            noun="correlations",
        )


def roundings(first, second, correlation):
    """Round two weights in three ways, for inputs of unit energy with this correlation.

    Returns
    -------
    dict of str to dict
        For "nearest", "in_turn" and "jointly": `codes`, a list of pairs (more than one where pairs are equally good),
        and `error`, of the output. "in_turn" also has `moved`, where the second weight goes to make up for the first.

    Examples
    --------
    >>> {name: way["codes"] for name, way in roundings(0.4, 0.4, 0.9).items()}
    {'nearest': [(0, 0)], 'in_turn': [(0, 1)], 'jointly': [(0, 1), (1, 0)]}
    """

    def error(a, b):
        return (first - a) ** 2 + 2 * correlation * (first - a) * (second - b) + (second - b) ** 2

    nearest = int(np.rint(first)), int(np.rint(second))
    # One column of GPTQ, by the inverse of [[1, correlation], [correlation, 1]].
    moved = second + correlation * (first - nearest[0])
    in_turn = nearest[0], int(np.rint(moved))
    errors = {(a, b): error(a, b) for a in CODES for b in CODES}
    least = min(errors.values())
    best = [pair for pair, value in errors.items() if value < least + 1e-9]
    return {
        "nearest": {"codes": [nearest], "error": error(*nearest)},
        "in_turn": {"codes": [in_turn], "error": error(*in_turn), "moved": moved},
        "jointly": {"codes": best, "error": least},
    }


def valley(first=0.4, second=0.4, correlation=0.95):
    """Drag two weights over the error of a layer's output, and see which whole numbers are best for them.

    Parameters
    ----------
    first, second : float in [0, 1]
        The weights.
    correlation : float in [-0.95, 0.95]
        Of their two inputs, which have the same energy.

    Returns
    -------
    Valley

    Raises
    ------
    TypeError, ValueError
        If a number is none, or outside what the controls allow.

    Examples
    --------
    >>> widget = valley(0.4, 0.4, correlation=0.9)
    >>> widget.first = 0.7
    >>> roundings(widget.first, widget.second, widget.correlation)["jointly"]["codes"]
    [(1, 0)]
    """
    given = {"first": first, "second": second, "correlation": correlation}
    for name, value in given.items():
        low, high = LIMITS[name]
        given[name] = float(check_number(name, value, least=low, most=high))
    return Valley(label="Two weights, rounded apart and together", **given)
