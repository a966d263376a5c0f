"""Test data made on the spot, with answers that are known exactly.

Each kind of data is one module: `tk.data.tones` synthesises sounds, `tk.data.pitch` measures how
well their pitch was heard; both need NumPy alone. `tk.data.digits1d` generates MNIST-1D. Nothing is
ever downloaded.
"""

from importlib import import_module

_MODULES = ("digits1d", "pitch", "tones")

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")


def __dir__():
    return sorted([*globals(), *__all__])
