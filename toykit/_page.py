"""A page of HTML that needs no other file and no network: what all reports of toykit stand in."""

from html import escape

from ._text import printable

# The colours are those of toykit.widgets. What a narrow screen cuts off is scrolled to inside a region.
_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1f2328, #eceff2); --soft: light-dark(#4b5158, #b9c0c8);
  --paper: light-dark(#fff, #16191d); --panel: light-dark(#f4f6f8, #22262c); --line: light-dark(#c9ced4, #454b53);
  --link: light-dark(#0a58ca, #8ab8ff); }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: var(--ink); background: var(--paper); }
a { color: var(--link); }
h1, caption, td, th { overflow-wrap: anywhere; }
[role=region] { overflow-x: auto; margin-bottom: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { font-weight: bold; text-align: left; padding: 0.3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: 0.2rem 0.6rem 0.2rem 0; text-align: left; vertical-align: top; }
td:first-child { min-width: 9rem; }
.number { text-align: right; white-space: nowrap; }
"""


def page(title, body, style=""):
    """A page of HTML.

    Parameters
    ----------
    title : str
        Anybody's text.
    body : str
        HTML.
    style : str
        CSS, beside that of all pages.

    Returns
    -------
    str

    Examples
    --------
    >>> "<title>a &lt;b&gt;</title>" in page("a <b>", "<p>Text.</p>")
    True
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(printable(title))}</title>\n<style>{_STYLE}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>"
    )
