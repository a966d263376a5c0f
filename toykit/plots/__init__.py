"""Figures of the book: one look for all of them, small matrices with numbers, pictures of programs.

`style` has the look and the small figures. `programs` draws a package: `composing` decides what is shown,
`layered` where it stands, `drawing` puts it on a page.
"""

from .._lazy import lazy

# Public name -> the module that defines it.
_HOME = {
    "COLORS": "style",
    "FAINT": "style",
    "INK": "style",
    "PAPER": "style",
    "diverging": "style",
    "label_line": "style",
    "matrix": "style",
    "program": "programs",
    "use_style": "style",
}

__all__, __getattr__, __dir__ = lazy(__name__, _HOME)
