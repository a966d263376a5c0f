"""Core ML packages: make them with coremltools, read them without.

`convert`, `compress` and `save` stand on coremltools. `Package` reads an .mlpackage with NumPy alone,
on any computer, and `layout` computes the bytes of a package before it is written.
"""

from importlib import import_module

# Public name -> the module that defines it.
_HOME = {
    "Package": "package",
    "PackageError": "protobuf",
    "compress": "compression",
    "compress_layers": "recipe",
    "configurations": "recipe",
    "convert": "conversion",
    "save": "conversion",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
