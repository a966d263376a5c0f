"""The constants of a program that may be compressed, and what their uses say of them.

Which ones is coremltools' rule: floats in the weight file that some operation uses, other than one that
decompresses. What uses a constant tells its axes: outputs come first in a convolution, last in a matrix product.

Not here: what is asked of each, and whether it can take that (`toykit.stored`).
"""

import numpy as np

from ...stored.parts import Weight
from . import forms

_FLOATS = ("float16", "float32")


def constants_of(package, threshold):
    """Constants of more than `threshold` elements that may be compressed: name -> that of its operation."""
    names = {}
    for part in package.programs:
        for label, constants in constants_in(part).items():
            for name, weight in constants.floats.items():
                if weight.size > threshold:
                    names[part.full_name(label, name)] = constants.operations[name]
    return names


def constants_in(package):
    """The constants of each function of a package with one program: its name -> Constants."""
    return {label: Constants(function.block) for label, function in package.program.functions.items()}


class Constants:
    """What a function says of its constants.

    Attributes
    ----------
    floats : dict of str to Weight
        Constants in a weight file that may be compressed.
    operations : dict of str to str
        A constant's name -> that of its operation: converters may change one and keep the other.
    places : dict of str to (Path, int)
        Where the floats lie.
    names : set of str
    results : set of str
        What leaves a block.
    """

    def __init__(self, block):
        operations = list(block.walk())
        self._constants, self._uses, self.operations = {}, {}, {}
        for operation in operations:
            for parameter, arguments in operation.inputs.items():
                for name in arguments:
                    if isinstance(name, str):
                        self._uses.setdefault(name, []).append((operation, parameter))
            value = operation.attributes.get("val")
            if operation.op == "const" and len(operation.outputs) == 1 and value is not None:
                (name,) = operation.outputs
                self._constants[name], self.operations[name] = value, operation.name
        self.floats = {
            name: self._weight(name, value)
            for name, value in self._constants.items()
            if value.blob is not None
            and value.blob.count >= forms.IN_PROGRAM
            and value.type.dtype in _FLOATS
            and self._uses.get(name)
            and not any(operation.op.startswith("constexpr_") for operation, _ in self._uses[name])
        }
        blobs = {name: self._constants[name].blob for name in self.floats}
        self.places = {name: (blob.path, blob.offset) for name, blob in blobs.items()}
        blocks = [block, *(inner for operation in operations for inner in operation.blocks)]
        self.results = {name for inner in blocks for name in inner.outputs}
        self.names = {name for inner in blocks for name in inner.inputs}
        self.names |= {name for operation in operations for name in operation.outputs}

    def _weight(self, name, value):
        shape = value.type.shape
        outputs, inputs, groups, structured = self._axes(self._uses[name], len(shape))
        return Weight(shape, value.type.dtype, value.numpy, outputs, inputs, groups, structured)

    def _axes(self, uses, rank):
        """Output and input axis of a weight, groups, and whether it can be pruned in patterns.

        An axis is None where the operations that use the weight disagree.
        """
        axes, groups, structured = set(), 1, True
        for operation, parameter in uses:
            kind, pair = operation.op, (0, 1)
            if kind == "conv_transpose":
                pair = (1, 0)
            elif kind == "matmul":
                # y is (inputs, outputs) unless transposed; x, which comes first, the other way round.
                transposed = bool(self._number(operation, f"transpose_{parameter}", False))
                last_is_output = (parameter == "y") != transposed
                pair = (rank - 1, rank - 2) if last_is_output else (rank - 2, rank - 1)
            axes.add(pair)
            if kind in ("conv", "conv_transpose"):
                groups = max(groups, int(self._number(operation, "groups", 1)))
            structured &= kind in ("conv", "linear") and parameter == "weight"
        outputs, inputs = map(set, zip(*axes, strict=True))
        output, into = (axis.pop() if len(axis) == 1 else None for axis in (outputs, inputs))
        return output, into, groups, structured

    def _number(self, operation, parameter, default):
        """A number or truth value that an operation is given."""
        for argument in operation.inputs.get(parameter, ()):
            value = self._constants.get(argument) if isinstance(argument, str) else argument
            if value is not None and value.type.kind == "tensor" and value.type.dtype != "string":
                elements = np.ravel(value.numpy())
                return elements[0] if elements.size else default
        return default
