"""Figures of the book: one look for all of them, small matrices with numbers, pictures of programs.

`style` has the look and the small figures. `programs` draws a package: `composing` decides what is shown,
`layered` where it stands, `drawing` puts it on a page. `vector` makes SVG of a figure, `narrow` rearranges it for
a phone.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
