"""What every instrument of the book shares on the Python side.

An instrument is one anywidget: toykit computes all its data here, as a few compact arrays and a
small JSON trait, and its JavaScript only draws them. So the same widget answers in a live notebook
and on a page with no kernel behind it.

To add one: subclass `Instrument`, name its JavaScript file in ``widgets/js``, declare its data as
traits with ``sync=True``, and write `fallback`, what a reader without JavaScript gets.
"""

import hashlib
import html
import json
import math
import re
from functools import cache
from pathlib import Path

from .._optional import require

require("anywidget", "toykit.widgets needs anywidget to show instruments")

import anywidget  # noqa: E402 - after the sentence that says what to install
import traitlets  # noqa: E402 - it comes with anywidget

_JS = Path(__file__).parent / "js"


@cache
def _source(name):
    """A file of ``js`` without indentation and comments: each widget carries its own copy."""
    text = (_JS / name).read_text(encoding="utf-8")
    text = re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^\s+", "", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL), flags=re.MULTILINE)


def one_of(proposal, allowed):
    """What a trait is to be set to, if it is one of the values that its control offers."""
    name, value = proposal["trait"].name, proposal["value"]
    if value not in allowed:
        raise traitlets.TraitError(f"{name} must be one of {', '.join(map(str, allowed))}; got {value!r}.")
    return value


def between(proposal, low, high=math.inf):
    """The same for a number between two ends, which it may reach."""
    name, value = proposal["trait"].name, proposal["value"]
    if not low <= value <= high:
        expected = f"{low} or more" if high == math.inf else f"from {low} to {high}"
        raise traitlets.TraitError(f"{name} must be {expected}; got {value}.")
    return value


def canonical(value):
    """Return `value` with its floats at five figures, so that equal data give equal text anywhere."""
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, (bytes, memoryview)):
        return hashlib.sha256(bytes(value)).hexdigest()
    if isinstance(value, dict):
        return {str(key): canonical(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    return value


def table(caption, header, rows, noun="settings"):
    """Return an HTML table, the plainest picture of data, folded because it is long.

    Parameters
    ----------
    caption : str
    header : sequence of str
    rows : sequence of sequences, one cell a column; the first cell names the row
    noun : str
        What the rows are.
    """

    def row(cells, tags):
        return (
            "<tr>"
            + "".join(
                f"<{tag}>{html.escape(str(cell))}</{tag.split()[0]}>"
                for tag, cell in zip(tags, cells, strict=True)
            )
            + "</tr>"
        )

    head = row(header, ['th scope="col"'] * len(header))
    body = "\n".join(row(cells, ['th scope="row"'] + ["td"] * (len(cells) - 1)) for cells in rows)
    return (
        f"<details><summary>{html.escape(caption)}: {len(rows)} {noun}</summary>\n"
        f"<table><caption>{html.escape(caption)}</caption>\n<thead>{head}</thead>\n"
        f"<tbody>\n{body}\n</tbody></table></details>"
    )


class Instrument(anywidget.AnyWidget):
    """One visual with its own controls.

    Subclasses are declared with the name of their JavaScript file,
    ``class Predict(Instrument, js="predict")``; a stylesheet of that name is added if there is one.

    Attributes
    ----------
    label : str
        The name that a screen reader announces.
    """

    label = traitlets.Unicode().tag(sync=True)

    def __init_subclass__(cls, js=None, **kwargs):
        if js is not None:
            cls._esm = _source("base.js") + "\n" + _source(f"{js}.js")
            style = f"{js}.css"
            cls._css = _source("base.css") + (_source(style) if (_JS / style).exists() else "")
        super().__init_subclass__(**kwargs)

    def _data(self):
        """The traits that an instrument adds to a bare widget: its data and its controls."""
        inherited = set(anywidget.AnyWidget.class_traits()) | {"_esm", "_css", "_anywidget_id", "comm"}
        return {name: getattr(self, name) for name in self.trait_names(sync=True) if name not in inherited}

    def _digested(self):
        """What the digest stands for: all data, unless some of it may differ between processors."""
        return self._data()

    @property
    def digest(self):
        """Eight hexadecimal digits that change when the data or a control does."""
        text = json.dumps(canonical(self._digested()), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    @property
    def state_bytes(self):
        """Size of the widget's own data in a saved page, without the JavaScript it shares."""
        return sum(
            len(value) if isinstance(value, bytes) else len(json.dumps(value))
            for value in self._data().values()
        )

    def fallback(self):
        """Return the HTML that stands in for the instrument where JavaScript is off."""
        raise NotImplementedError

    def __repr__(self):
        # No memory address: the text is compared when the notebooks are verified.
        return f"<{type(self).__name__} {self.digest}>"

    def _ipython_display_(self):
        from IPython.display import display

        # Two outputs: a page shows the widget's, and a browser without JavaScript shows what is
        # inside <noscript>, which any other browser ignores.
        display(
            {
                "text/plain": f"{self!r}, without JavaScript",
                "text/html": f'<noscript><div class="tk-fallback">{self.fallback()}</div></noscript>',
            },
            raw=True,
        )
        if (bundle := self._repr_mimebundle_()) is not None:
            data, metadata = bundle
            display(data, metadata=metadata, raw=True)
