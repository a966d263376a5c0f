"""The book's teaching instruments: one drawing each, live in Jupyter and on a static page.

`predict` asks before it tells, `size_explorer` shows what a technique does to a model's bytes,
`explore` puts a layer beside its compressed self, `valley` rounds two weights apart and together, and
`package_explorer` walks through a Core ML package. They need anywidget; nothing else of toykit does.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
