"""`report.html`: what an exploration found, for a person who has to decide something on Monday.

One page that needs no other file and no network. Its parts are in `toykit.exploration.report_parts`.
"""

from .. import _atomic
from .._page import page
from ..plots.recipes import pictures
from ..widgets.embedded import embedded
from . import report_parts as parts
from .writing import REPORT, written

_STYLE = """
body { max-width: 56rem; }
h2 { margin: 2.2rem 0 0.6rem; border-top: 1px solid var(--line); padding-top: 1rem; }
.tk-verdict { border-left: 5px solid light-dark(#00775a, #3cc79f); background: var(--panel); padding: 0.6rem 1rem; }
.tk-verdict.tk-not, .tk-verdict.tk-warning { border-color: light-dark(#c24a00, #ff9a5c); }
.tk-verdict p { margin: 0.3rem 0; }
.tk-verdict + .tk-verdict { margin-top: 0.8rem; }
code, pre { overflow-wrap: anywhere; background: var(--panel); padding: 0 0.25em; font-size: 0.9em; }
pre .tk-option { white-space: nowrap; }
pre { padding: 0.6rem 0.8rem; white-space: pre-wrap; }
li { margin-bottom: 0.6rem; }
[role=region] table { width: 100%; }
summary { cursor: pointer; }
main .tk-instrument { max-width: none; }
@media (max-width: 40rem) { body { margin-top: 1rem; } ol { padding-left: 1.4rem; } }
@media print {
  :root { color-scheme: only light; }
  body { max-width: none; font-size: 10pt; }
  h2 { break-after: avoid; }
  tr, li { break-inside: avoid; }
  .tk-controls, .tk-instrument .tk-control { display: none; }
}
"""


def as_html(found):
    """The report.

    Parameters
    ----------
    found : Exploration

    Returns
    -------
    str
        A page of HTML.
    """
    title = parts.title(found)
    widget = _widget(found)
    drawn = pictures(found.as_data()) if widget is None else embedded(widget)
    body = (
        f"<h1>{parts.text(title)}</h1>",
        parts.verdict(found),
        parts.next_steps(found),
        parts.section("Recipes and weights", drawn),
        parts.recipe(found),
        parts.verified(found),
        parts.unknown(found),
        parts.again(found),
    )
    return page(title, "\n".join(body), _STYLE)


def write(found):
    """Write the report into the folder of an exploration.

    Raises
    ------
    OSError
        If the disk is full.
    """
    with written(found.folder / REPORT):
        _atomic.write(as_html(found), found.folder / REPORT, force=True)


def show(found):
    """Display an exploration in a notebook: the verdict, and the widget, or its pictures where anywidget is missing."""
    from IPython.display import display

    widget = _widget(found)
    drawn = pictures(found.as_data()) if widget is None else ""
    display({"text/plain": str(found), "text/html": parts.verdict(found) + drawn}, raw=True)
    if widget is not None:
        widget._ipython_display_()


def _widget(found):
    """The explorer of the recipes; None where anywidget is not installed."""
    try:
        from ..widgets.recipes import recipe_explorer
    except ImportError:
        return None
    return recipe_explorer(found.as_data())
