"""The operators of ML programs that toykit runs, by family. `registry` says how one is written."""

from . import (  # noqa: F401  (each registers its operators)
    boxes,
    control_flow,
    elementwise,
    images,
    indexing,
    normalization,
    pooling,
    products,
    quantized,
    random_numbers,
    recurrent,
    reductions,
    transformations,
)
from .registry import OPERATORS, Operator, check_result

__all__ = ["OPERATORS", "Operator", "check_result"]
