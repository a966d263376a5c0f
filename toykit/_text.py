"""A stranger's text, where people read it.

Names in a package are whatever its author wrote: also escape sequences, which would move a terminal's
cursor or colour what follows, marks that turn the order of letters around, and signs that a table or a
figure reads as its own. Whoever prints a name passes it through here.
"""

import re
from html import escape

# What Markdown reads as a cell's end, a link, an emphasis, code or a formula. An underscore inside a word is none.
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
