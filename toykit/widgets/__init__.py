"""The book's teaching instruments: one drawing each, live in Jupyter and on a static page.

`predict` asks before it tells, `size_explorer` shows what a technique does to a model's bytes, and
`explore` puts a layer beside its compressed self. They need anywidget; nothing else of toykit does.
"""

from importlib import import_module

# Public name -> the module that defines it.
_HOME = {
    "accuracy_explorer": "accuracy",
    "explore": "weights",
    "hardening": "hardening",
    "latency_explorer": "latency",
    "lloyd": "clusters",
    "predict": "prediction",
    "roofline_explorer": "roofline",
    "size_explorer": "sizes",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return globals()[name]


def __dir__():
    return sorted([*globals(), *__all__])
