"""toykit: compress a neural network's weights, and see every bit that is stored.

`import toykit as tk` needs NumPy alone. What stands on torch, coremltools, numba, matplotlib or
ipywidgets is loaded when it is first used.
"""

from ._lazy import lazy

__version__ = "0.1.0"

# Public name -> the module that defines it. Modules are named by themselves.
_HOME = {
    "Compressed": "compressed",
    "Sparse": "pruning",
    "error": "compressed",
    "prune": "pruning",
    "Quantized": "quantization",
    "quantize": "quantization",
    "Palettized": "palettization",
    "palettize": "palettization",
    "quiet": "_quiet",
}
_MODULES = (
    "bits",
    "compressed",
    "coreml",
    "data",
    "exercises",
    "joint",
    "kernels",
    "kmeans",
    "latency",
    "models",
    "palettization",
    "plots",
    "pruning",
    "quantization",
    "size",
    "sweep",
    "training",
    "widgets",
)

__all__, __getattr__, __dir__ = lazy(__name__, _HOME, _MODULES)
