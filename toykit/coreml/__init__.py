"""Core ML packages: make them with coremltools, read them without.

`convert` and `quantize_activations` stand on coremltools. `Package` reads an .mlpackage with NumPy alone,
on any computer; there `compress` writes a smaller one, `load` and `run` predict with it, `accuracy` asks it
a whole test set, `compare` says how far the answers of two are apart, and `weights` gives what it stores
as toykit's own objects. `layout` computes the bytes of a package before it is written. `compute_units`
asks Core ML on a Mac which unit would run each operation.
"""

from .._lazy import lazy

# Public name -> the module that defines it.
_HOME = {
    "Model": "runtime.model",
    "OPERATORS": "runtime.operators",
    "Package": "format.package",
    "PackageError": "format.protobuf",
    "UnsupportedOperator": "runtime.plan",
    "accuracy": "runtime.evaluation",
    "compare": "runtime.comparison",
    "compress": "tools.compression",
    "compress_layers": "tools.compression",
    "compute_units": "tools.placement",
    "configurations": "tools.recipe",
    "convert": "tools.conversion",
    "load": "runtime.model",
    "quantize_activations": "tools.activations",
    "run": "runtime.model",
    "save": "writing.saving",
    "weights": "constants.weights_of",
}

__all__, __getattr__, __dir__ = lazy(__name__, _HOME)
