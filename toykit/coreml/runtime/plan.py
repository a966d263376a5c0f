"""From a program to the steps that a computer takes.

A program is checked once, when it is loaded, and turned into a list of steps: which function to call,
which constants to hand it, which earlier results it uses, and which results nothing needs any more.
Running it is then a loop over the list (`Steps.run`).
"""

import math
from collections import ChainMap

import numpy as np

from ..constants.reading import CONSTEXPR, read_constant
from ..format.program import Value
from ..format.protobuf import PackageError
from . import costs
from .operands import as_numpy, as_plain
from .operators import OPERATORS, check_result

# Parameters that take several arguments: they are lists even where a program gives one.
SEVERAL = {"values", "loop_vars", "ref_tensors", "begins", "ends", "end_masks", "elem_shape"}
# What NumPy, torch and Python say of shapes and types that do not go together.
MISFITS = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
_DEEPEST = 50  # loops within loops
_NO_NUMBERS = ("bfloat16", "float8e4m3fn", "float8e5m2")


class UnsupportedOperator(PackageError):
    """The program has an operator that toykit cannot run."""


class Steps:
    """The steps of one block.

    Parameters
    ----------
    block : toykit.coreml.format.program.Block
    scope : dict of str to (Constant or None)
        Names that are known outside the block; None for a result.
    constants : toykit.coreml.runtime.operands.Constants
    rounded : bool
        Whether results that the program declares float16 are rounded to it.
    """

    def __init__(self, block, scope, constants, rounded, depth=0):
        if depth > _DEEPEST:
            raise PackageError(f"the program has blocks within blocks, more than {_DEEPEST} deep")
        self.block, self.constants, self.rounded = block, constants, rounded
        # A copy of all names for each block would take the square of the program's size.
        self.scope = ChainMap(dict.fromkeys(block.inputs), scope)
        self.depth = depth
        compressed = {}
        self.steps = []
        for operation in block.operations:
            try:
                self._add(operation, compressed)
            except UnsupportedOperator:
                raise
            except PackageError as error:
                raise PackageError(f"operation {operation.name!r} ({operation.op}): {error}") from error
        self.constant_outputs = {
            name: given for name in block.outputs if (given := self.scope[name]) is not None
        }
        self.made = set(block.inputs) | {name for step in self.steps for name in step.operation.outputs}
        self._free_early()

    def _add(self, operation, compressed):
        if operation.op == "const":
            value = operation.attributes["val"]
            if value.type.dtype in _NO_NUMBERS:
                raise PackageError(f"constants of type {value.type.dtype} are not supported")
            for name in operation.outputs:
                compressed[name] = value
                self.scope[name] = self.constants.of_value(value)
        elif operation.op in CONSTEXPR:
            values = read_constant(operation, compressed.__getitem__)
            for name, value in values.items():
                compressed[name] = value
                read = value.dense if hasattr(value, "dense") else lambda value=value: value
                self.scope[name] = self.constants.constant(read, value.shape)
        else:
            self.steps.append(_Step(operation, self))
            self.scope.update(dict.fromkeys(operation.outputs))

    def _free_early(self):
        """Note for each step which results are used there for the last time."""
        wanted = set(self.block.outputs)
        for step in reversed(self.steps):
            names = (step.uses | set(step.operation.outputs)) & self.made
            step.frees = sorted(names - wanted)
            wanted |= names

    def needs(self):
        """Names of results outside the block that it uses: set of str."""
        used = {name for step in self.steps for name in step.uses}
        return (used | set(self.block.outputs) - self.constant_outputs.keys()) - self.made

    def run(self, results, inputs, prediction):
        """Take all steps.

        Parameters
        ----------
        results : dict of str to array
            Results of the blocks around this one; not changed.
        inputs : dict of str to array
            Of this block.
        prediction : Prediction

        Returns
        -------
        list of arrays, the outputs of the block.
        """
        prediction.work(costs.CALL + costs.WRITE * len(results))
        held = {name: prediction.allocate(value) for name, value in inputs.items()}
        results = {**results, **inputs}
        self.take(results, held, prediction)
        prediction.free(sum(held.values()))
        return self.outputs(results)

    def take(self, results, held, prediction, start=0, stop=None):
        """Take some of the steps, in order.

        Parameters
        ----------
        results : dict of str to array
            So far; changed.
        held : dict of str to int
            The bytes of those that are this block's own; changed.
        prediction : Prediction
        start, stop : int
            As of a slice.
        """
        for step in self.steps[start:stop]:
            try:
                for name, value in step.run(results, prediction).items():
                    results[name], held[name] = value, prediction.allocate(value)
            except PackageError as error:
                raise PackageError(
                    f"operation {step.operation.name!r} ({step.operation.op}): {error}"
                ) from error
            for name in step.frees:
                del results[name]
                prediction.free(held.pop(name))

    def outputs(self, results):
        """The outputs of the block, out of its results after the last step: list of arrays."""
        return [
            self.constant_outputs[name].tensor(False) if name in self.constant_outputs else results[name]
            for name in self.block.outputs
        ]


class _Step:
    """One call of an operator."""

    def __init__(self, operation, steps):
        self.operation, self.backend, self.rounded = operation, steps.constants.backend, steps.rounded
        operator = OPERATORS.get(operation.op)
        if operator is None:
            raise UnsupportedOperator(
                f"toykit cannot run operator {operation.op!r}, which makes {operation.name!r}; it can run "
                + ", ".join(sorted(OPERATORS))
            )
        self.operator = operator
        shapes = [kind.shape for kind in operation.outputs.values()]
        self.known = [shape for shape in shapes if None not in shape]
        self.open = len(self.known) < len(shapes)  # some sizes are known when the program runs
        self.frees, self.uses = [], set()
        self.given = {}  # constants, ready to hand over
        self.later = []  # (parameter, how to get it), for what is known when the program runs
        for parameter, arguments in operation.inputs.items():
            if parameter not in self.operator.tensors | self.operator.plain:
                raise PackageError(f"has a parameter {parameter!r}, which toykit does not know")
            self._bind(parameter, arguments, steps)
        missing = self.operator.required - set(operation.inputs)
        if missing:
            raise PackageError(f"lacks {', '.join(sorted(missing))}")
        self.work = costs.CALL + costs.WRITE * sum(map(math.prod, self.known))
        self.work += costs.READ * sum(map(costs.elements, self.given.values()))
        self.blocks = [
            Steps(block, steps.scope, steps.constants, steps.rounded, steps.depth + 1)
            for block in operation.blocks
        ]
        for block in self.blocks:
            self.uses |= block.needs()

    def _bind(self, parameter, arguments, steps):
        several = parameter in SEVERAL
        if not several and len(arguments) != 1:
            raise PackageError(f"{parameter} has {len(arguments)} arguments; one is wanted")
        plain = parameter in self.operator.plain
        getters = [self._getter(argument, plain, steps) for argument in arguments]
        fixed = all(constant for _, constant in getters) and (plain or steps.constants.keep)
        values = [get for get, _ in getters]

        def together(results):
            return [value(results) for value in values]

        get = together if several else values[0]
        if fixed:
            self.given[parameter] = get({})
        else:
            self.later.append((parameter, get))

    def _getter(self, argument, plain, steps):
        """(function of the results so far, whether it is a constant)"""
        numpy = self.operator.numpy
        if isinstance(argument, Value):
            constant = steps.constants.of_value(argument)
        else:
            constant = steps.scope[argument]
        if constant is not None:
            if plain:
                return lambda results: constant.plain(), True
            return lambda results: constant.tensor(numpy), True
        self.uses.add(argument)
        if plain:
            return lambda results: as_plain(self.backend, results[argument]), False
        if numpy:
            return lambda results: as_numpy(self.backend, results[argument]), False
        return lambda results: results[argument], False

    def run(self, results, prediction):
        """What the operation makes: dict of str to array."""
        for shape in self.known:
            check_result(shape)
        parameters = dict(self.given)
        for parameter, get in self.later:
            parameters[parameter] = get(results)
        prediction.work(
            self.work + costs.READ * sum(costs.elements(parameters[name]) for name, _ in self.later)
        )
        if "blocks" in self.operator.context:
            parameters["blocks"] = [self._callable(block, results, prediction) for block in self.blocks]
        if "state" in self.operator.context:
            parameters["state"] = prediction.state
        try:
            prediction.work(costs.extra(self.operation.op, parameters))
            values = self.operator.run(self.backend, **parameters)
            values = values if isinstance(values, (tuple, list)) and not self._makes_list() else (values,)
            values = [
                self._typed(value, kind)
                for value, kind in zip(values, self.operation.outputs.values(), strict=True)
            ]
        except PackageError:
            raise
        except MISFITS as error:
            # A sound program does not get here.
            raise PackageError(f"{type(error).__name__}: {error}") from error
        made = dict(zip(self.operation.outputs, values))
        if self.open:
            prediction.work(costs.WRITE * sum(map(costs.elements, values)))
        if prediction.watch is not None:
            for name, value in made.items():
                prediction.watch(self.operation, name, value)
        return made

    def _makes_list(self):
        """Whether the result is one list, and not several results."""
        kinds = list(self.operation.outputs.values())
        return len(kinds) == 1 and kinds[0].kind == "list"

    @staticmethod
    def _callable(block, results, prediction):
        return lambda *inputs: block.run(results, dict(zip(block.block.inputs, inputs)), prediction)

    def _typed(self, value, kind):
        """A result as the program declares it."""
        if kind.kind != "tensor" or kind.dtype == "string" or isinstance(value, (list, str, int)):
            return value
        xp = self.backend
        if isinstance(value, (np.ndarray, np.generic)):
            value = xp.array(np.asarray(value))
        if len(value.shape) != len(kind.shape) or any(
            declared is not None and size != declared for size, declared in zip(value.shape, kind.shape)
        ):
            raise PackageError(f"the result has shape {tuple(value.shape)}, and the program declares {kind}")
        if kind.dtype.startswith("float"):
            return xp.to_float16(value) if self.rounded and kind.dtype == "float16" else xp.to_float(value)
        if kind.dtype == "bool":
            return xp.to_bool(value)
        return xp.to_int(value, kind.dtype)
