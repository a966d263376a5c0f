"""The networks that the book shrinks.

Each family of models is one module, loaded when its name is first used: `tk.models.resnet50()`
needs torch, `import toykit` does not. (A module must not carry the name of a function in it: the
import of one would hide the other.)
"""

from .._lazy import lazy

# Public name -> the module that defines it.
_HOME = {
    "Crepe": "crepe_network",
    "crepe": "crepe_network",
    "crepe_weights": "crepe_network",
    "Listener": "fast_pitch",
    "PitchExam": "pitch_accuracy",
    "listen": "fast_pitch",
    "DigitsCNN": "small_cnn",
    "ResNet50": "resnet",
    "digits_cnn": "small_cnn",
    "resnet50": "resnet",
    "with_weights": "fast_pitch",
}

__all__, __getattr__, __dir__ = lazy(__name__, _HOME)
