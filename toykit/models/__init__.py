"""The networks that the book shrinks.

Each family of models is one module, loaded when its name is first used: `tk.models.resnet50()`
needs torch, `import toykit` does not. (A module must not carry the name of a function in it: the
import of one would hide the other.)
"""

from importlib import import_module

# Public name -> the module that defines it.
_HOME = {
    "Crepe": "pitch",
    "crepe": "pitch",
    "crepe_weights": "pitch",
    "Listener": "fast_pitch",
    "PitchExam": "exam",
    "listen": "fast_pitch",
    "DigitsCNN": "small_cnn",
    "ResNet50": "resnet",
    "digits_cnn": "small_cnn",
    "resnet50": "resnet",
    "with_weights": "fast_pitch",
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
