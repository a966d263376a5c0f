"""Results for the eye: a table for a terminal, and one for a notebook."""

import math
import textwrap
from html import escape

from .._text import printable

WIDTH = 80


def decibels(value):
    """Decibels in words; of what is not finite, what it means."""
    if value is None:
        return "-"
    if math.isinf(value):
        return "no loss" if value > 0 else "all error"
    return f"{value:.1f}"


def finite(value):
    """For JSON, which has no infinity."""
    return value if value is not None and math.isfinite(value) else None


def text(head, rows, numbers=()):
    """Lines of at most 80 columns; the widest columns of words are cut in their middle to fit.

    Parameters
    ----------
    head : sequence of str
    rows : list of sequences of str
    numbers : collection of int
        Columns that are aligned to the right, and never cut.

    Examples
    --------
    >>> print("\\n".join(text(["weight", "bytes"], [["a", "1,000"]], {1})))
    weight  bytes
    a       1,000
    """
    cells = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    words = [place for place in range(len(widths)) if place not in numbers]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        widest = max(words, key=lambda place: widths[place])
        if widths[widest] <= 8:
            break
        widths[widest] -= 1
    lines = []
    for row in cells:
        padded = [
            cell.rjust(width) if place in numbers else _cut(cell, width).ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(padded).rstrip())
    return lines


def _cut(cell, width):
    if len(cell) <= width:
        return cell
    front = (width - 1) // 2
    return f"{cell[:front]}…{cell[len(cell) - (width - 1 - front) :]}"


def sentences(said, mark=""):
    """Sentences as lines of at most 80 columns."""
    lines = []
    for sentence in said:
        lines += textwrap.wrap(
            mark + printable(sentence),
            WIDTH,
            subsequent_indent=" " * len(mark),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def html(caption, head, rows, said=(), numbers=()):
    """A table for a notebook, with sentences below."""
    align = ["right;white-space:nowrap" if place in numbers else "left" for place in range(len(head))]
    titles = "".join(
        f'<th scope="col" style="text-align:{side}">{escape(cell)}</th>' for side, cell in zip(align, head)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{side}">{escape(printable(cell))}</td>' for side, cell in zip(align, row)
        )
        + "</tr>"
        for row in rows
    )
    words = "".join(f"<p>{escape(printable(sentence))}</p>" for sentence in said)
    title = f"<caption>{escape(printable(caption))}</caption>"
    table = (
        f"<table>{title}<thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
        if rows
        else (f"<p>{escape(printable(caption))}</p>")
    )
    return table + words
