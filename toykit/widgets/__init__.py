"""The book's teaching instruments: one drawing each, live in Jupyter and on a static page.

`predict` asks before it tells, `size_explorer` shows what a technique does to a model's bytes,
`explore` puts a layer beside its compressed self, and `package_explorer` walks through a Core ML
package. They need anywidget; nothing else of toykit does.
"""

from .._lazy import lazy

# Public name -> the module that defines it.
_HOME = {
    "accuracy_explorer": "accuracy",
    "configurator": "forms",
    "explore": "weights",
    "hardening": "attention",
    "latency_explorer": "latency",
    "lloyd": "clusters",
    "package_explorer": "package",
    "predict": "prediction",
    "roofline_explorer": "roofline",
    "size_explorer": "sizes",
    "timeline_explorer": "timeline",
}

__all__, __getattr__, __dir__ = lazy(__name__, _HOME)
