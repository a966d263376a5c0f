"""The constants of a program that may be compressed, and what their uses say of them.

Which ones is coremltools' rule: floats in the weight file that some operation uses, other than one that
decompresses. What uses a constant tells its axes: outputs come first in a convolution, last in a matrix product.

Not here: what is asked of each, and whether it can take that (`toykit.stored`).
"""

import numpy as np

from ...stored.parts import Weight
from ..format.program import Value
from . import forms

_FLOATS = ("float16", "float32")


def constants_in(package):
    """The constants of each function of a package with one program: its name -> Constants."""
    return {label: Constants(function) for label, function in package.program.functions.items()}


class Constants:
    """What a function says of its constants.

    Names belong to a block: constants of two branches may have one name. So a constant is known by its operation.

    Attributes
    ----------
    floats : dict of Operation to Weight
        Constants in a weight file that may be compressed.
    operators : dict of Operation to set of str
        The kinds of operators that use each of the floats.
    places : dict of Operation to (Path, int)
        Where the floats lie.
    results : set of Operation
        Whose outputs leave a block.
    names : set of str
    """

    def __init__(self, function):
        self._makers, self._uses, self.results = dict.fromkeys(function.inputs), {}, set()
        self.names = set(function.inputs)
        self._read(function.block)
        self.floats, self.operators, self.places = {}, {}, {}
        for operation, uses in self._uses.items():
            if uses and not any(op.startswith("constexpr_") for op, *_ in uses):
                value = operation.attributes["val"]
                self.floats[operation] = _weight(value, uses)
                self.operators[operation] = {op for op, *_ in uses}
                self.places[operation] = value.blob.path, value.blob.offset

    def _read(self, block):
        """Operations in order: what a name stands for is what made it last, for no block hides a name of another."""
        self.names.update(block.inputs)
        self._makers |= dict.fromkeys(block.inputs)
        for operation in block.operations:
            for parameter, arguments in operation.inputs.items():
                for name in arguments:
                    maker = self._makers[name] if isinstance(name, str) else None
                    if maker in self._uses:
                        self._uses[maker].append(self._use(operation, parameter, maker))
            for inner in operation.blocks:
                self._read(inner)
            self.names.update(operation.outputs)
            self._makers |= dict.fromkeys(operation.outputs, operation)
            if operation.op == "const" and _may_be_compressed(operation.attributes["val"]):
                self._uses[operation] = []
        self.results.update(self._makers[name] for name in block.outputs)

    def _use(self, operation, parameter, maker):
        """An operation that uses a weight: its kind, output and input axis, groups, and whether patterns are pruned."""
        kind, axes, groups = operation.op, (0, 1), 1
        if kind == "conv_transpose":
            axes = (1, 0)
        elif kind == "matmul":
            # y is (inputs, outputs) unless transposed; x, which comes first, the other way round.
            transposed = bool(self._number(operation, f"transpose_{parameter}", False))
            rank = len(maker.attributes["val"].type.shape)
            last_is_output = (parameter == "y") != transposed
            axes = (rank - 1, rank - 2) if last_is_output else (rank - 2, rank - 1)
        if kind in ("conv", "conv_transpose"):
            groups = max(1, int(self._number(operation, "groups", 1)))  # a file may say anything
        return kind, axes, groups, kind in ("conv", "linear") and parameter == "weight"

    def _number(self, operation, parameter, default):
        """A number or truth value that an operation is given."""
        for argument in operation.inputs.get(parameter, ()):
            maker = self._makers[argument] if isinstance(argument, str) else None
            value = argument if maker is None else maker.attributes.get("val")
            if isinstance(value, Value) and value.type.kind == "tensor" and value.type.dtype != "string":
                elements = np.ravel(value.numpy())
                return elements[0] if elements.size else default
        return default


def _may_be_compressed(value):
    """Whether a constant is one of floats that lies in a weight file."""
    return value.blob is not None and value.blob.count >= forms.IN_PROGRAM and value.type.dtype in _FLOATS


def _weight(value, uses):
    """A weight; an axis is None where the operations that use it disagree."""
    _, axes, groups, structured = zip(*uses, strict=True)
    outputs, inputs = map(set, zip(*axes, strict=True))
    output, into = (axis.pop() if len(axis) == 1 else None for axis in (outputs, inputs))
    return Weight(value.type.shape, value.type.dtype, value.numpy, output, into, max(groups), all(structured))
