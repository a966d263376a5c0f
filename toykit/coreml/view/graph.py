"""A program as a graph: what computes, what flows between, and which bytes of weight.bin each step uses.

In a program a weight, a stride and the name of a padding are all operations, of type `const`. Here they
are folded into the operation that uses them, as it is written in a network's code: arrays of the weight
file become its constants, small values its settings. What is left is what computes, and the operators
that decompress.
"""

from dataclasses import dataclass, field, replace

from ..format.package import open_package
from ..format.program import Type
from ..format.weightbin import BITS, Blob
from .wording import form_of, setting_of

DECOMPRESSES = "constexpr_"
_FIRST = ("x", "values", "data", "cond", "query")  # parameters whose argument is told first
# Element types of weights and their parts. Shapes and axes are of 32 bits.
_WEIGHTS = {dtype for dtype, bits in BITS.items() if "float" in dtype or 0 < bits <= 8} - {"bool"}


@dataclass(frozen=True)
class Constant:
    """An array of a weight file, where an operation uses it.

    Attributes
    ----------
    name : str
        In the program. A part of a compressed weight has none of its own: it is the operation's
        name and the parameter's.
    parameter : str
        Which of the operation's parameters it is: "weight", "bias", or a part such as "indices".
    type : Type
    form : str
        What it is a part of, in words: "4-bit palette, 1 table"; for what is not compressed, its type.
    technique : {"dense", "pruning", "quantization", "palettization", "joint"}
    blob : Blob
        Its place and its bytes.
    """

    name: str
    parameter: str
    type: Type
    form: str
    technique: str
    blob: Blob


@dataclass(frozen=True)
class Step:
    """An operation that is not a constant.

    Attributes
    ----------
    op, name : str
    depth : int
        How many `cond` and `while_loop` it is inside of.
    inputs : tuple of (str, str)
        Parameters, and the results or inputs that they take.
    constants : tuple of Constant
    settings : dict of str to str
        Small values that lie in the program, as text.
    written : dict of str to Type
        Those of them that are weights, or parts of weights, of fewer elements than the weight file takes.
    outputs : dict of str to Type
    form, technique : str
        For an operator that decompresses: what it decompresses. Else "" and "dense".
    """

    op: str
    name: str
    depth: int
    inputs: tuple
    outputs: dict
    settings: dict = field(default_factory=dict)
    constants: tuple = ()
    form: str = ""
    technique: str = "dense"
    written: dict = field(default_factory=dict)

    @property
    def decompresses(self):
        return self.op.startswith(DECOMPRESSES)


@dataclass(frozen=True)
class Graph:
    """The steps of a function, in the order of the program.

    Attributes
    ----------
    inputs : dict of str to Type
    steps : tuple of Step
    outputs : list of str
        Names of the results that the function returns.
    made_by : dict of str to int
        Result -> number of the step that gives it.
    """

    inputs: dict
    steps: tuple
    outputs: list
    made_by: dict

    def source(self, number, name):
        """The step before `number` that gives the result `name`; None for an input of the function."""
        maker = self.made_by.get(name)
        return maker if maker is not None and maker < number else None

    def edges(self):
        """The results that flow: (step, step) -> their names, in the order of the program."""
        flows = {}
        for number, step in enumerate(self.steps):
            for _, name in step.inputs:
                source = self.source(number, name)
                if source is not None:
                    flows.setdefault((source, number), {})[name] = None
        return {pair: list(names) for pair, names in flows.items()}


def read_graph(package, function=None):
    """Read a function of a package as a graph.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
    function : str, optional
        Which one; by default the one that the package names.

    Returns
    -------
    Graph

    Raises
    ------
    ValueError
        If there is no function of that name.
    """
    package = open_package(package)
    functions = package.program.functions
    if function is None:
        default = package.description.default_function
        function = next(iter(functions)) if len(functions) == 1 else default
    if function not in functions:
        known = ", ".join(map(repr, functions))
        raise ValueError(f"function must be one of the package's: {known}; got {function!r}")
    chosen = functions[function]
    return _Reader().read(chosen.inputs, chosen.block)


class _Reader:
    """Folds the constants of a block, and of the blocks inside it, into the operations that use them."""

    def __init__(self):
        self.steps, self.values, self.types = [], {}, {}

    def read(self, inputs, block):
        self.types |= inputs
        self.block(block, 0)
        made_by = {name: number for number, step in enumerate(self.steps) for name in step.outputs}
        return Graph(inputs, tuple(self._with_techniques(made_by)), list(block.outputs), made_by)

    def block(self, block, depth):
        self.types |= block.inputs
        for operation in block.operations:
            self.types |= operation.outputs
            if operation.op == "const":
                self.values |= dict.fromkeys(operation.outputs, operation.attributes["val"])
                continue
            self.steps.append(self.step(operation, depth))
            for inner in operation.blocks:
                self.block(inner, depth + 1)

    def step(self, operation, depth):
        arguments = {name: [value] for name, value in operation.attributes.items()} | operation.inputs
        inputs, constants, settings, written = [], [], {}, {}
        form = form_of(operation, self._types_of(arguments)) if operation.op.startswith(DECOMPRESSES) else ""
        for parameter in sorted(arguments, key=lambda name: (name not in _FIRST, name)):
            for argument in arguments[parameter]:
                value = self.values.get(argument) if isinstance(argument, str) else argument
                if value is None:
                    inputs.append((parameter, argument))
                elif value.blob is not None:
                    name = argument if isinstance(argument, str) else f"{operation.name}.{parameter}"
                    constants.append(
                        Constant(name, parameter, value.type, form or value.type.dtype, "dense", value.blob)
                    )
                else:
                    settings[parameter] = setting_of(value.numpy(), settings.get(parameter, ""))
                    if value.type.shape and value.type.dtype in _WEIGHTS:
                        written[parameter] = value.type
        constants.sort(key=lambda constant: constant.blob.offset)
        return Step(
            operation.op,
            operation.name,
            depth,
            tuple(inputs),
            operation.outputs,
            settings,
            tuple(constants),
            form,
            written=written,
        )

    def _types_of(self, arguments):
        """The type of each parameter's first argument."""
        return {
            parameter: self.types.get(values[0]) if isinstance(values[0], str) else values[0].type
            for parameter, values in arguments.items()
            if values
        }

    def _with_techniques(self, made_by):
        """The steps, those that decompress with the technique of the whole chain that they belong to."""
        first = {}  # step that decompresses -> one of its chain, on the way to the same one for all of it
        for number, step in enumerate(self.steps):
            if step.decompresses:
                first[number] = number
                for _, name in step.inputs:
                    maker = made_by.get(name)
                    if maker in first:  # only steps before this one are
                        first[_end(first, maker)] = number
        used = {}
        for number in first:
            used.setdefault(_end(first, number), set()).add(self._technique(self.steps[number]))
        for number, step in enumerate(self.steps):
            if number not in first:
                yield step
                continue
            techniques = used[_end(first, number)] - {"dense"}
            technique = "joint" if len(techniques) > 1 else next(iter(techniques), "dense")
            constants = tuple(replace(constant, technique=technique) for constant in step.constants)
            yield replace(step, constants=constants, technique=technique)

    def _technique(self, step):
        """What one operator that decompresses stands for by itself."""
        if "lut_to" in step.op:
            return "palettization"
        if step.op == "constexpr_sparse_to_dense":
            return "pruning"
        if "shift_scale" in step.op or "affine" in step.op:
            # One that multiplies floats by scales belongs to a palette; nothing is quantized in it.
            return "dense" if step.form.startswith("float") else "quantization"
        return "dense"


def _end(way, number):
    """Where a way of steps ends; it is shortened for who comes after."""
    while way[number] != number:
        way[number] = number = way[way[number]]
    return number
