"""All exercises of the book by name, chapter by chapter: `check`."""

from importlib import import_module

from .framework import Exercise

CHAPTERS = (
    "size",
    "pruning",
    "quantization",
    "palettization",
    "side_by_side",
    "accuracy",
    "speed",
    "measuring",
    "strategy",
    "overlapping",
    "own_model",
    "calibration",
    "training",
    "transformer",
    "reading",
    "conversion",
    "post_training",
    "training_time",
    "inside",
    "core_ai",
)


class _Check:
    """All exercises of the book, by name."""

    def __init__(self):
        self._exercises = None

    def all(self):
        """Return the exercises as a dict from name to Exercise, in the order of the book."""
        if self._exercises is None:
            found = {}
            for chapter in CHAPTERS:
                module = import_module(f"{__package__}.{chapter}")
                found |= {e.name: e for e in vars(module).values() if isinstance(e, Exercise)}
            self._exercises = found
        return self._exercises

    def __getattr__(self, name) -> Exercise:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self.all():
            raise AttributeError(f"no exercise is called {name!r}; there are {', '.join(self.all())}")
        return self.all()[name]

    def __dir__(self):
        return sorted(self.all())

    def __repr__(self):
        return f"<check: {', '.join(self.all())}>"


check = _Check()
