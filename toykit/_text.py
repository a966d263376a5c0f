"""A stranger's text, where people read it.

Names in a package are whatever its author wrote: also escape sequences, which would move a terminal's
cursor or colour what follows, marks that turn the order of letters around, and signs that a table or a
figure reads as its own. Whoever prints a name passes it through here.
"""

import csv
import io
import re
from html import escape

# What Markdown reads as a cell's end, a link, an emphasis, code or a formula. An underscore inside a word is none.
_NUMBER = re.compile(r"[-\u2212+]?[\d.]")
_MARKDOWN = re.compile(r"[\\`*|\[\]$~]")


def printable(text):
    r"""`text` with everything that does not print as itself written out, as Python would in quotes.

    Examples
    --------
    >>> print(printable("\x1b[31mred\n\u202etxt"))
    \x1b[31mred\n\u202etxt
    """
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in str(text))


def in_markdown(text):
    r"""`text` as it reads in a cell of a Markdown table.

    Examples
    --------
    >>> print(in_markdown("a|b <i>"))
    a\|b &lt;i&gt;
    """
    return _MARKDOWN.sub(r"\\\g<0>", escape(printable(text), quote=False))


def in_figure(text):
    r"""`text` as matplotlib draws it sign by sign: a dollar begins no formula.

    Examples
    --------
    >>> print(in_figure("a$b$"))
    a\$b\$
    """
    return printable(text).replace("$", r"\$")


def as_csv(head, rows):
    """Lines as RFC 4180 has them; what a spreadsheet would take for a formula is quoted.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequences
        One cell a column.

    Returns
    -------
    str

    Examples
    --------
    >>> print(as_csv(["name", "bytes"], [["=a+b", 24]]))
    name,bytes
    '=a+b,24
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        cells = [printable(value) for value in row]
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in cells])
    return text.getvalue().rstrip("\n")


def in_table(head, rows, caption=""):
    """An HTML table. Names may be broken at their joints; a column of numbers is not, and stands at the right.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequences of str
        One cell a column.
    caption : str

    Returns
    -------
    str

    Examples
    --------
    >>> in_table(["name", "bytes"], [["conv_1", "1,024"]]).count("text-align:right")
    2
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    numeric = [
        any(column) and all(_NUMBER.match(cell) or not cell for cell in column)
        for column in zip(*rows, strict=True)
    ]
    style = [
        ' style="text-align:right;white-space:nowrap"' if one else ""
        for one in numeric or len(head) * [False]
    ]
    top = "".join(
        f'<th scope="col"{look}>{escape(printable(name))}</th>'
        for name, look in zip(head, style, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{look}>{_breakable(cell)}</td>" for cell, look in zip(row, style, strict=True))
        + "</tr>"
        for row in rows
    )
    above = f"<caption>{_breakable(printable(caption))}</caption>" if caption else ""
    return f"<table>{above}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _breakable(text):
    return re.sub(r"(?<=[_./])(?=[^\W\d])", "<wbr>", escape(text))
