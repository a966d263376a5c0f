"""Operations and shapes of the layers of a package, from the types that its program states.

Looked up by `toykit.latency.layers`.
"""

import math

from ..latency.shapes import Layer
from .package import open_package
from .protobuf import PackageError

_WEIGHTED = ("conv", "conv_transpose", "linear")


def layers(path):
    """The convolutions and linear layers of the package's first function, in order.

    Parameters
    ----------
    path : str, Path or Package

    Returns
    -------
    list of toykit.latency.Layer

    Raises
    ------
    PackageError
        If a shape is known only when the program runs.
    """
    package = open_package(path)
    function = next(iter(package.program.functions.values()))
    types = function.inputs | function.block.inputs
    found = []
    for operation in function.block.walk():
        types |= operation.outputs
        if operation.op not in _WEIGHTED:
            continue
        (x,), (weight,) = operation.inputs["x"], operation.inputs["weight"]
        into, output = types[x].shape, next(iter(operation.outputs.values())).shape
        shape = types[weight].shape if isinstance(weight, str) else weight.type.shape
        if None in (*into, *output, *shape):
            raise PackageError(f"{package}: the size of {operation.name!r} is known only when the program runs")
        # A transposed convolution spreads every input; the others gather into every output.
        if operation.op == "conv_transpose":
            uses = math.prod(into) // into[1]
            channels = output[1]
            shape = (channels, math.prod(shape) // (channels * math.prod(shape[2:])), *shape[2:])
        else:
            uses = math.prod(output) // shape[0]
        found.append(
            Layer(operation.name, tuple(shape), math.prod(shape) * uses, math.prod(into), math.prod(output))
        )
    return found
