"""toykit: compress a neural network's weights, and see every bit that is stored.

`import toykit as tk` needs NumPy alone. What stands on torch, coremltools, numba, matplotlib or
ipywidgets is loaded when it is first used.
"""

from importlib import import_module

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

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name):
    if name in _HOME:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
