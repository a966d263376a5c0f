"""The networks that the book shrinks.

Each family of models is one module, loaded when its name is first used: `tk.models.resnet50()`
needs torch, `import toykit` does not. (A module must not carry the name of a function in it: the
import of one would hide the other.)
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
