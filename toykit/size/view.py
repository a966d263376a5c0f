"""Ledgers for the eye: a table in Markdown, a table in a notebook, bars."""

import numpy as np

from .._optional import require
from .._text import in_figure, in_markdown, in_table
from ..plots.style import COLORS

HEAD = ("weight", "operation", "shape", "type", "parameters", "bytes", "share")
_IN_NOTEBOOK = 12  # rows


def markdown(ledger, limit=None):
    """A Markdown table of the largest `limit` rows (or all), of everything else, and of the sum."""
    lines = [f"| {' | '.join(HEAD)} |", "|---|---|---|---|--:|--:|--:|"]
    *parts, total = (list(map(in_markdown, cells)) for cells in _cells(ledger, limit))
    lines += [f"| {' | '.join(cells)} |" for cells in parts]
    lines.append(f"| {' | '.join(f'**{cell}**' if cell else '' for cell in total)} |")
    return "\n".join(lines)


def html(ledger):
    """The same as HTML, for a notebook."""
    return in_table(HEAD, _cells(ledger, _IN_NOTEBOOK), repr(ledger))


def bars(ledger, axes=None, limit: int | None = 20):
    """Horizontal bars in the order of the model, of the largest `limit` rows and of everything else.

    Returns
    -------
    matplotlib.axes.Axes
        `axes`, or those of a new figure as tall as the bars need.
    """
    plt = require("matplotlib.pyplot", "Ledger.plot needs matplotlib to draw")

    rows, others = _largest(ledger, limit)
    bars = [(row.name, row.nbytes) for row in rows] + others
    if axes is None:
        axes = plt.subplots(figsize=(7, 0.6 + 0.24 * len(bars)), layout="constrained")[1]
    places = np.arange(len(bars))
    axes.barh(places, [count / 10**6 for _, count in bars], color=COLORS["dense"])
    axes.set_yticks(places, [in_figure(name) for name, _ in bars])
    axes.invert_yaxis()
    axes.set_xlabel("MB")
    axes.set_title(f"{in_figure(ledger.source)}: {ledger.mb:.2f} MB")
    return axes


def _largest(ledger, limit):
    """The largest rows in the order of the model, and (name, bytes) of everything else."""
    largest = {id(row) for row in sorted(ledger.rows, key=lambda row: -row.nbytes)[:limit]}
    small = [row.nbytes for row in ledger.rows if id(row) not in largest]
    summed = [(f"{len(small)} smaller ones", sum(small))] if small else []
    return [row for row in ledger.rows if id(row) in largest], [*summed, *ledger.rest.items()]


def _cells(ledger, limit):
    """The texts of each line of the table."""
    rows, others = _largest(ledger, limit)
    for row in rows:
        shape = "×".join(map(str, row.shape))
        kind = f"{row.dtype} {row.form}".strip()
        yield row.name, row.op, shape, kind, f"{row.parameters:,}", f"{row.nbytes:,}", f"{row.share:.1%}"
    for name, count in others:
        yield name, "", "", "", "", f"{count:,}", f"{count / max(1, ledger.nbytes):.1%}"
    about = "" if ledger.exact else "about "
    total = f"{about}{ledger.mb:.2f} MB = {ledger.mib:.2f} MiB"
    yield "all", "", "", total, f"{ledger.parameters:,}", f"{ledger.nbytes:,}", "100.0%"
