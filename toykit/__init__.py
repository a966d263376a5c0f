"""toykit: compress a neural network's weights, and see every bit that is stored.

`import toykit as tk` needs NumPy alone. What stands on torch, coremltools, numba, matplotlib or
ipywidgets is loaded when it is first used.
"""

from . import _lazy
from ._version import __version__ as __version__

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
