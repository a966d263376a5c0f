"""Two things that stop coremltools 9 from converting with the torch and NumPy of today, put right for a while.

NumPy 2.4 no longer makes an int of an array that has an axis. coremltools does that where a model
computes a shape: `x.view(x.shape[0], -1)`. And torch's attention layers have a fast path for inference,
a single operator of torch's own, which coremltools does not know; they trace well without it.
"""

import contextlib
from importlib import import_module

import numpy as np


class _Int(int):
    def __new__(cls, value):
        return int(np.asarray(value).item())


class _Float(float):
    def __new__(cls, value):
        return float(np.asarray(value).item())


# bool cannot be subclassed, and arrays of one element still have a truth.
_OF_ONE_ELEMENT = {int: _Int, float: _Float}


@contextlib.contextmanager
def convertible(torch):
    """While this lasts, shapes that a model computes and torch's attention layers can be converted.

    Parameters
    ----------
    torch : module
    """
    ops = import_module("coremltools.converters.mil.frontend.torch.ops")
    cast, fast = ops._cast, torch.backends.mha.get_fastpath_enabled()

    def cast_one(context, node, dtype, name):
        cast(context, node, _OF_ONE_ELEMENT.get(dtype, dtype), name)

    ops._cast = cast_one
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        ops._cast = cast
        torch.backends.mha.set_fastpath_enabled(fast)
