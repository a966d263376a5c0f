"""Core ML packages: make them with coremltools, read them without.

`convert` and `quantize_activations` stand on coremltools. `Package` reads an .mlpackage with NumPy alone,
on any computer; there `compress` writes a smaller one, `load` and `run` predict with it, `accuracy` asks it
a whole test set, `compare` says how far the answers of two are apart, and `weights` gives what it stores
as toykit's own objects. `layout` computes the bytes of a package before it is written. `compute_units`
asks Core ML on a Mac which unit would run each operation.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
