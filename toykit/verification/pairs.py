"""Two programs, operation by operation: which belong together, and in what they are not the same.

Constants are left aside, as in `toykit.coreml.view.graph`: what computes is matched by the names of its results
first, and then by its place among operations of the same kind and shape. Of two that belong together everything
is compared: what they are given, from which results, and what they declare. A constant that one of them is given
belongs to the constant that the other one is given in its place, whatever they are called.

Not here: whether a compressed constant may differ as it does (`toykit.verification.promises`).
"""

from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

import numpy as np

from ..compressed import Compressed, dense_of
from ..coreml.constants.reading import CONSTEXPR, read_constant
from ..coreml.constants.weights_of import plain_name
from ..coreml.format.package import open_package
from ..coreml.format.program import Operation, Program, Type, Value
from ..coreml.format.protobuf import PackageError

_MOST_STEPS = 50_000  # operations to be matched by their order


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant as an operation is given it.

    Attributes
    ----------
    name : str
        With the model and the function, where there are several; without what compression appends.
    operation : Operation or None
        That makes it; None where it is written in the operation that uses it.
    stored : Value, Compressed or array
    type : Type
    """

    name: str
    operation: Operation | None
    stored: Any
    type: Type

    @property
    def compressed(self):
        return isinstance(self.stored, Compressed)

    @property
    def on_file(self):
        """Whether it lies in the weight file, wholly or in part."""
        return self.compressed or (isinstance(self.stored, Value) and bool(self.stored.blobs))

    @property
    def floats(self):
        return self.type.kind == "tensor" and "float" in self.type.dtype

    @property
    def nbytes(self):
        if isinstance(self.stored, Value):
            held = sum(blob.nbytes for blob in self.stored.blobs)
            return held or getattr(self.stored.immediate, "nbytes", 0)
        return self.stored.nbytes

    @property
    def form(self):
        """How it is stored, in words."""
        return self.stored.form if self.compressed else str(self.type.dtype or self.type.kind)

    def dense(self):
        """Its values: an array, text, or a list."""
        return self.stored.numpy() if isinstance(self.stored, Value) else dense_of(self.stored)

    def equals(self, other):
        """Whether the values of two constants are the same, to the bit."""
        if self.type != other.type:
            return False
        ours, theirs = (getattr(one.stored, "blob", None) for one in (self, other))
        if ours is not None and theirs is not None:
            return np.array_equal(ours.packed, theirs.packed)
        return _bits(self.dense()) == _bits(other.dense())


def _bits(value):
    """Something that is equal only for equal values."""
    if isinstance(value, list):
        return [_bits(item) for item in value]
    if isinstance(value, str | bytes):
        return value
    array = np.asarray(value)
    return array.dtype.str, array.shape, array.tobytes()


@dataclass(frozen=True, eq=False)
class Step:
    """An operation that is not a constant, or the end of a block ("return").

    Attributes
    ----------
    op, name : str
    scope : str
        The blocks that it is in.
    arguments : dict of str to list
        Constants, and names of results.
    outputs : dict of str to Type
    blocks : list of list of str
        The inputs of its blocks.
    """

    op: str
    name: str
    scope: str
    arguments: dict
    outputs: dict = field(default_factory=dict)
    blocks: list = field(default_factory=list)

    @property
    def key(self):
        """By which it is known if nothing was renamed."""
        return self.scope, self.op, *self.outputs

    @property
    def kind(self):
        """By which it is known among others in order."""
        return self.op, self.scope.count("/"), len(self.blocks), *self.outputs.values()

    def __str__(self):
        return f"{self.op} {self.name!r}"


class Side:
    """A function of one of the packages: its steps, with what each is given.

    Attributes
    ----------
    package : Package
        With one program.
    label : str
        The function's name.
    steps : list of Step
    constants : list of Constant
        Those that have a name, in order.
    """

    def __init__(self, package, label):
        self.package, self.label = package, label
        self.function = package.program.functions[label]
        self.steps, self.constants = [], []
        self._values, self._raw, self._names = {}, {}, set()
        self._block(self.function.block, "", "the function")

    def _block(self, block, scope, owner):
        for operation in block.operations:
            if operation.op == "const":
                ((name, kind),) = operation.outputs.items()
                self._raw[name] = operation.attributes["val"]
                self._add(name, name, operation, kind)
            elif operation.op in CONSTEXPR:
                self._raw |= read_constant(operation, self._raw.__getitem__)
                for name, kind in operation.outputs.items():
                    self._add(name, plain_name(name), operation, kind)
            else:
                given = {name: [value] for name, value in operation.attributes.items()} | operation.inputs
                arguments = {
                    parameter: [self._argument(operation, parameter, value) for value in values]
                    for parameter, values in given.items()
                }
                blocks = [list(inner.inputs) for inner in operation.blocks]
                outputs = dict(operation.outputs)
                self.steps.append(Step(operation.op, operation.name, scope, arguments, outputs, blocks))
                for number, inner in enumerate(operation.blocks):
                    self._block(inner, f"{scope}/{next(iter(outputs), '')}.{number}", operation.name)
        results = [self._values.get(name, name) for name in block.outputs]
        self.steps.append(Step("return", owner, scope, {"results": results}))

    def _add(self, name, plain, operation, kind):
        plain = name if plain in self._names else plain
        self._names.add(plain)
        label = self.package.full_name(self.label, plain)
        self._values[name] = Constant(label, operation, self._raw[name], kind)
        self.constants.append(self._values[name])

    def _argument(self, operation, parameter, value):
        if isinstance(value, str):
            return self._values.get(value, value)
        return Constant(f"{operation.name}.{parameter}", None, value, value.type)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two constants that stand for each other.

    Attributes
    ----------
    small, big : Constant
    uses : list of str
        The operations that are given them, and as which parameter.
    """

    small: Constant
    big: Constant
    uses: list

    @cached_property
    def same(self):
        return self.small.equals(self.big)


class Pairing:
    """A function in both packages.

    Attributes
    ----------
    label : str
        "" where there is only one function.
    small, big : Side
    matched : dict of int to int
        Numbers of steps that belong together.
    differences : list of str
        In what the two programs differ besides constants.
    only_small, only_big : list of Step
    constants : list of Pair
    """

    def __init__(self, label, small, big):
        self.label, self.small, self.big = label, small, big
        self.matched = _match(small.steps, big.steps)
        taken = set(self.matched.values())
        self.only_small = [step for n, step in enumerate(small.steps) if n not in self.matched]
        self.only_big = [step for n, step in enumerate(big.steps) if n not in taken]
        self.names, self.differences, pairs = {}, [], {}
        ours, theirs = small.function.inputs, big.function.inputs
        if ours != theirs:
            self.differences.append(f"the function takes {_typed(ours)}; it took {_typed(theirs)}")
        self.names |= dict(zip(ours, theirs))
        for one, two in self._steps():
            self.names |= dict(zip(one.outputs, two.outputs))
            for mine, other in zip(one.blocks, two.blocks):
                self.names |= dict(zip(mine, other))
        for one, two in self._steps():
            self.differences += self._compare(one, two, pairs)
        places = list(self.matched.values())
        if places != sorted(places):
            self.differences.append("operations come in another order")
        self.constants = list(pairs.values())
        self.differences += _counted(self.only_small, "only there")
        self.differences += _counted(self.only_big, "missing")

    def _steps(self):
        for ours, theirs in self.matched.items():
            yield self.small.steps[ours], self.big.steps[theirs]

    def _compare(self, one, two, pairs):
        for parameter in dict.fromkeys([*one.arguments, *two.arguments]):
            ours, theirs = one.arguments.get(parameter), two.arguments.get(parameter)
            where = f"{two}, {parameter}"
            if ours is None or theirs is None or len(ours) != len(theirs):
                yield f"{where}: {_given(ours)}; it was {_given(theirs)}"
                continue
            for mine, other in zip(ours, theirs):
                if isinstance(mine, Constant) and isinstance(other, Constant):
                    key = id(mine), id(other)
                    pairs.setdefault(key, Pair(mine, other, [])).uses.append(f"{two.op} {two.name}")
                elif isinstance(mine, Constant) or isinstance(other, Constant):
                    yield f"{where}: {_given([mine])}; it was {_given([other])}"
                elif self.names.get(mine) != other:
                    yield f"{where}: takes the result {mine!r}, which does not stand for {other!r}"


def _given(arguments):
    if arguments is None:
        return "not given"
    if len(arguments) != 1:
        return f"{len(arguments)} arguments"
    return "a constant" if isinstance(arguments[0], Constant) else f"the result {arguments[0]!r}"


def _typed(inputs):
    return ", ".join(f"{name}: {kind}" for name, kind in inputs.items()) or "nothing"


def _counted(steps, what):
    """Operations of each kind in a sentence: a pass adds or drops many of one."""
    kinds = {}
    for step in steps:
        kinds.setdefault(step.op, []).append(step.name)
    for op, names in kinds.items():
        first = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
        yield f"{len(names)} {op} {what}: {first}"


def _match(ours, theirs):
    """Numbers of steps that belong together: ours -> theirs, in our order."""
    known = {step.key: number for number, step in enumerate(theirs)}
    found = {}
    for number, step in enumerate(ours):
        other = known.get(step.key)
        if other is not None and theirs[other].kind == step.kind:
            found[number] = known.pop(step.key)
    rest = len(ours) - len(found), len(theirs) - len(found)
    if min(rest) and max(len(ours), len(theirs)) <= _MOST_STEPS:
        back = {other: number for number, other in found.items()}
        one = [("matched", n) if n in found else step.kind for n, step in enumerate(ours)]
        two = [("matched", back[n]) if n in back else step.kind for n, step in enumerate(theirs)]
        for a, b, size in SequenceMatcher(None, one, two, autojunk=False).get_matching_blocks():
            found |= {a + i: b + i for i in range(size)}
    return dict(sorted(found.items()))


class Pairings:
    """All functions of two packages.

    Parameters
    ----------
    small, big : str, Path, Package or coremltools.models.MLModel

    Attributes
    ----------
    small, big : Package
    functions : list of Pairing
    differences : list of str
        Of the packages, their models and functions; not of the functions' programs.

    Raises
    ------
    ValueError
        If one is a pipeline and the other is not, or a model in a pipeline is no ML program.
    """

    def __init__(self, small, big):
        self.small, self.big = open_package(small), open_package(big)
        self.functions, self.differences = [], []
        for package in (self.small, self.big):
            others = [part for part in package.models if part.kind != "mlProgram"]
            if others:
                raise ValueError(
                    f"{others[0]} is of type {others[0].kind}, and toykit looks into ML programs only: verify "
                    "one model of a pipeline: Package(path).models[0]"
                )
        if len(self.small.models) != len(self.big.models):
            counts = [len(package.models) or "no" for package in (self.small, self.big)]
            raise ValueError(
                f"{self.small.path.name} is a pipeline of {counts[0]} models, and {self.big.path.name} of {counts[1]}"
            )
        for one, two in zip(self.small.programs, self.big.programs, strict=True):
            self._program(one, two)

    def _program(self, one, two):
        ours, theirs = one.program.functions, two.program.functions
        for name in [name for name in theirs if name not in ours]:
            self.differences.append(f"the function {name!r} is missing")
        for name in [name for name in ours if name not in theirs]:
            self.differences.append(f"there is a new function {name!r}")
        for name in [name for name in theirs if name in ours]:
            label = one.full_name(name, "")[:-1] if len(ours) > 1 or one.number is not None else ""
            if _version(ours[name].opset) < _version(theirs[name].opset):
                self.differences.append(
                    f"{label or name}: is for {ours[name].opset}; it was for {theirs[name].opset}"
                )
            self.functions.append(Pairing(label, Side(one, name), Side(two, name)))

    @property
    def constants(self):
        return [pair for function in self.functions for pair in function.constants]

    @property
    def structure(self):
        """In what the programs differ besides constants, in sentences: list of str."""
        return [
            f"{function.label}: {sentence}" if function.label else sentence
            for function in self.functions
            for sentence in function.differences
        ]


def _version(opset):
    digits = "".join(sign for sign in opset if sign.isdigit())
    return int(digits or 0)


def with_values(package, values):
    """A package that holds other values in place of some constants.

    Parameters
    ----------
    package : Package
    values : dict of Operation to array
        By the operation that makes the constant.

    Returns
    -------
    Package
        In memory: its program is another, its files are the same.
    """
    if package.models:
        return package.with_models([with_values(part, values) for part in package.models])
    functions = {
        name: replace(function, block=_block_with(function.block, values))
        for name, function in package.program.functions.items()
    }
    return package.with_program(Program(functions, package.program.version))


def _block_with(block, values):
    return replace(block, operations=[_operation_with(operation, values) for operation in block.operations])


def _operation_with(operation, values):
    if operation in values:
        # Of an operator for sparse weights the mask comes first, and nobody needs it any more.
        *_, (name, kind) = operation.outputs.items()
        array = np.asarray(values[operation])
        if kind.shape != array.shape:
            raise PackageError(f"{name!r} has shape {kind.shape}, and not {array.shape}")
        value = Value(kind, immediate=array.ravel())
        return Operation("const", operation.name, {}, {name: kind}, {"val": value}, [])
    if operation.blocks:
        return replace(operation, blocks=[_block_with(block, values) for block in operation.blocks])
    return operation
