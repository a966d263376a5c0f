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
h1, h2, h3, p, li, caption, td:first-child { overflow-wrap: anywhere; }
[role=region] { overflow-x: auto; margin-bottom: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { font-weight: bold; text-align: left; padding: 0.3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: 0.2rem 0.6rem 0.2rem 0; text-align: left; vertical-align: top; }
td:first-child { min-width: 9rem; }
.number { text-align: right; white-space: nowrap; }
@media (max-width: 40rem) {
  .stacked thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stacked :is(tbody, tr, td) { display: block; }
  .stacked td { border: 0; padding: 0; text-align: left; white-space: normal; overflow-wrap: anywhere; }
  .stacked td:not(:first-child):not(:empty)::before { content: attr(data-label) ": "; color: var(--soft); }
  .stacked tr { border-bottom: 1px solid var(--line); padding: 0.4rem 0; }
  .stacked td:first-child { font-weight: 600; }
}
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


def table(caption, head, rows, numbers=()):
    """A table of a page; where there is no room for its columns, the cells of a row stand below each other.

    Parameters
    ----------
    caption : str
    head : sequence of str
    rows : iterable of sequences of str
    numbers : collection of int
        Columns that are aligned to the right.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> table("Weights", ["name", "bytes"], [["<a>", "1,000"]], {1}).count("&lt;a&gt;")
    1
    """
    look = [' class="number"' * (place in numbers) for place in range(len(head))]
    names = [escape(name) for name in head]
    top = "".join(f'<th scope="col"{one}>{name}</th>' for one, name in zip(look, names, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f'<td{one} data-label="{name}">{escape(printable(cell))}</td>'
            for one, name, cell in zip(look, names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div tabindex="0" role="region" aria-label="{escape(caption)}"><table class="stacked">'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
