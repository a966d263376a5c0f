"""The operators of ML programs that toykit runs, by family. `registry` says how one is written."""

from . import (  # noqa: F401  (each registers its operators)
    boxes,
    elementwise,
    images,
    indexing,
    lists,
    normalization,
    products,
    quantized,
    randoms,
    recurrent,
    reductions,
    shapes,
    windows,
)
from .registry import OPERATORS, Operator, room

__all__ = ["OPERATORS", "Operator", "room"]
