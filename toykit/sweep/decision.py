"""The last step of a sweep: which candidate, and why not the others?

A decision that can be argued with has its limits written down before the numbers are seen, and a
reason beside every candidate that was not taken.
"""

import numbers
from dataclasses import dataclass

from .._rows import Rows
from ..compressed import check_each, check_number, check_type, shown


@dataclass(frozen=True)
class Decision:
    """What was decided, with reasons.

    Attributes
    ----------
    chosen : dict or None
        The row that was taken; None if no row is within the limits.
    rows : Rows
        All candidates in their order, each with a column `verdict`: "chosen", or why not.
    """

    chosen: dict | None
    rows: Rows

    def __str__(self):
        width = max(len(str(row["label"])) for row in self.rows)
        return "\n".join(f"{row['label']!s:{width}}  {row['verdict']}" for row in self.rows)

    def _repr_html_(self):
        return Rows({"label": row["label"], "verdict": row["verdict"]} for row in self.rows)._repr_html_()


def decide(rows, at_most=None, at_least=None, prefer="nbytes"):
    """Take the best row within limits, and say why each of the others was not taken.

    Parameters
    ----------
    rows : list of dict
        Candidates; each has a `label` and a number in every column that is named here.
    at_most, at_least : dict of str to float, optional
        Limits by column.
    prefer : str
        Of the rows within all limits, take the one with the least of this; of equal ones, the first.

    Returns
    -------
    Decision

    Raises
    ------
    ValueError
        If there is no row, or a row lacks a number that is asked for. A limit on a number that was
        never measured would otherwise be passed or failed by accident.

    Examples
    --------
    >>> points = [{"label": "8 bits", "nbytes": 80, "right": 0.91},
    ...           {"label": "4 bits", "nbytes": 40, "right": 0.90},
    ...           {"label": "2 bits", "nbytes": 20, "right": 0.55}]
    >>> print(decide(points, at_most={"nbytes": 100}, at_least={"right": 0.89}))
    8 bits  within the limits, but nbytes is 80, not 40
    4 bits  chosen
    2 bits  right is 0.55, at least 0.89 needed
    """
    rows = check_each("rows", rows, dict, "candidates", empty=False)
    check_type("prefer", prefer, str, "the name of a column")
    at_most, at_least = _limits("at_most", at_most), _limits("at_least", at_least)
    for row in rows:
        for column in ("label", prefer, *at_most, *at_least):
            number = row.get(column)
            if number is None or (
                column != "label" and not (isinstance(number, numbers.Real) and number == number)
            ):
                raise ValueError(
                    f"every candidate in rows needs {column!r}; {shown(row.get('label', row))} has "
                    f"{shown(number)}"
                )
    reasons = [_against(row, at_most, at_least) for row in rows]
    within = [number for number, against in enumerate(reasons) if not against]
    best = min(within, key=lambda number: rows[number][prefer], default=None)
    judged = Rows()
    for number, (row, against) in enumerate(zip(rows, reasons, strict=True)):
        verdict = "; ".join(against)
        if number == best:
            verdict = "chosen"
        elif best is not None and not against:
            verdict = (
                f"within the limits, but {prefer} is {_short(row[prefer])}, not {_short(rows[best][prefer])}"
            )
        judged.append({**row, "verdict": verdict})
    return Decision(None if best is None else rows[best], judged)


def _limits(name, limits):
    limits = {} if limits is None else check_type(name, limits, dict, "a dict of limits by column")
    return {
        check_type(f"a column in {name}", column, str, "a text"): check_number(f"{name}[{column!r}]", limit)
        for column, limit in limits.items()
    }


def _against(row, at_most, at_least):
    """What speaks against a row, a sentence for each limit that it breaks."""
    too_much = [
        f"{name} is {_short(row[name])}, at most {_short(most)} allowed"
        for name, most in at_most.items()
        if row[name] > most
    ]
    too_little = [
        f"{name} is {_short(row[name])}, at least {_short(least)} needed"
        for name, least in at_least.items()
        if row[name] < least
    ]
    return too_much + too_little


def _short(value):
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
