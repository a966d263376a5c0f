"""Operations and shapes of the layers of a package, from the types that its program states.

Looked up by `toykit.latency.layers`.
"""

import math

from ..coreml.format.package import open_package
from ..coreml.format.protobuf import PackageError
from .descriptions import Layer

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
        If the package is not sound, or a shape is known only when the program runs.
    """
    package = open_package(path)
    function = next(iter(package.program.functions.values()))
    types = function.inputs | function.block.inputs
    found = []
    for operation in function.block.walk():
        types |= operation.outputs
        for block in operation.blocks:
            types |= block.inputs
        if operation.op not in _WEIGHTED:
            continue
        arguments = [*operation.inputs.get("x", []), *operation.inputs.get("weight", [])]
        shapes = [types[value].shape if isinstance(value, str) else value.type.shape for value in arguments]
        shapes += [kind.shape for kind in operation.outputs.values()]
        least = 1 if operation.op == "linear" else 3  # axes
        if len(shapes) != 3 or any(len(shape) < least or 0 in shape for shape in shapes):
            raise PackageError(
                f"{package}: {operation.name!r} ({operation.op}) is not made of tensors with sizes"
            )
        into, shape, output = shapes
        if None in (*into, *output, *shape):
            raise PackageError(
                f"{package}: the size of {operation.name!r} is known only when the program runs"
            )
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
