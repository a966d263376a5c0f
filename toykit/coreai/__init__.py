"""Core AI assets: Apple's second stack, since iOS 27, with the words of `toykit.coreml`.

An `.aimodel` is a folder. What is in it, `Asset` says without Apple's packages. With them (`pip install
'toykit[coreai]'`, where there are wheels) `convert` makes a program of a torch module and `save` an asset of it,
`compress` makes it smaller, `weights` gives what it stores as toykit's own objects, and `load` and `run` ask Apple's
runtime, also where there is no Mac.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
