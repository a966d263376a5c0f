"""Inputs to try a model with, where nobody has given any: random, but of a kind that the model takes.

Token numbers must lie in the table that they index, and should reach all of it; an image has bytes; a
size or a count of rounds is small. What an input is for is read from the program: it is followed,
through casts, reshapes, sums with constants and the like, to the operators that use it as a place or
as a size.

Not here: how far two answers are apart (`toykit.coreml.runtime.comparison`).
"""

import math
from dataclasses import dataclass

import numpy as np

from ..format.program import Value
from .operators import OPERATORS

# Of inputs that are just numbers. Models that take a logarithm or a root of theirs want the second, and then
# the whole numbers of masks and sizes are 1: a mask that leaves nothing has no answer either.
SPREADS = {
    "normal": ("normal (mean 0, deviation 1)", lambda rng, shape: rng.normal(size=shape)),
    "uniform": ("uniform from 0 to 1", lambda rng, shape: rng.random(shape)),
}
STEPS = 4  # in a row, of a model with states
_FEWEST, _MOST = 8, 1000  # samples, where nobody says how many
_MOST_WORK = 10**12  # multiply-adds of all of them, by estimate: some tens of seconds
_CALL = 10**7  # as many as an operation costs for being called
_LARGEST_INPUT = 2**16  # elements, where a range of shapes goes on; or 8 times the usual
_MOST_ROWS = 2**24  # of all tables, that are watched
# Operators that pick by place: the parameter that is picked from, and the one that says where.
_PICKS = {
    "gather": ("x", "indices"),
    "gather_along_axis": ("x", "indices"),
    "gather_nd": ("x", "indices"),
    "scatter": ("data", "indices"),
    "scatter_along_axis": ("data", "indices"),
    "scatter_nd": ("data", "indices"),
    "one_hot": ("", "indices"),
}
# Operators whose result holds the same numbers as these parameters.
_SAME = dict.fromkeys(
    [
        "cast",
        "ceil",
        "clip",
        "crop",
        "expand_dims",
        "flatten2d",
        "floor",
        "gather",
        "identity",
        "mod",
        "pad",
        "reduce_max",
        "reduce_min",
        "relu",
        "reshape",
        "reshape_like",
        "reverse",
        "round",
        "slice_by_index",
        "slice_by_size",
        "sliding_windows",
        "split",
        "squeeze",
        "tile",
        "transpose",
    ],
    ("x",),
)
_SAME |= {"select": ("b", "a"), "concat": ("values",), "stack": ("values",)}
_SAME |= {"maximum": ("y", "x"), "minimum": ("y", "x")}
_SUMS = {"add": 1, "sub": -1, "mul": 1, "real_div": -1, "floor_div": -1}


@dataclass(frozen=True)
class Use:
    """What the numbers of an input are used for: `scale * number + shift` lies from `low` to `high`.

    Attributes
    ----------
    input : str
    low, high : int
    scale, shift : float
    table : str
        What rows are picked from, if it is a constant or one-hot vectors; "" for other uses.
    rows : str
        The input or result that says which.
    """

    input: str
    low: int
    high: int
    scale: float = 1.0
    shift: float = 0.0
    table: str = ""
    rows: str = ""

    @property
    def ends(self):
        """The lowest and the highest number that the input may have."""
        ends = sorted(((self.low - self.shift) / self.scale, (self.high - self.shift) / self.scale))
        return math.ceil(ends[0]), math.floor(ends[1])


class _Tracer:
    """Follows the numbers of the inputs through a function to their uses; counts the operations.

    `prefix` is what `inspect` of a pipeline has before the names of results. `forms` says for every name
    which inputs' numbers it holds: {input: (scale, shift)}.
    """

    def __init__(self, function, prefix):
        self.uses, self.prefix, self.rows, self.operations = [], prefix, 0, 0
        self.types, self.constants = dict(function.inputs), {}
        self.forms = {name: {name: (1.0, 0.0)} for name in function.inputs}
        self.inputs = set(function.inputs)
        self.block(function.block)

    def block(self, block, decides=False):
        """`decides`: whether a loop goes on depends on the block."""
        self.types |= block.inputs
        for operation in block.operations:
            self.types |= operation.outputs
            if operation.op == "const" or operation.op.startswith("constexpr_"):
                self.constants |= dict.fromkeys(operation.outputs, operation.attributes.get("val"))
                continue
            self.operations += 1
            self.note(operation, decides)
            forms = self.made(operation)
            self.forms |= dict.fromkeys(operation.outputs, forms)
            looping = operation.op == "while_loop"
            for number, inner in enumerate(operation.blocks):
                if looping:
                    given = operation.inputs.get("loop_vars", [])
                    self.forms |= {name: self.form(argument) for name, argument in zip(inner.inputs, given)}
                self.block(inner, decides or (looping and number == 0))

    def form(self, argument):
        return self.forms.get(argument, {}) if isinstance(argument, str) else {}

    def value(self, argument):
        return argument if isinstance(argument, Value) else self.constants.get(argument)

    def number(self, operation, parameter):
        """A parameter that is one number, and known; else None."""
        (argument, *_) = operation.inputs.get(parameter, [None])
        value = self.value(argument)
        if value is None or value.type.kind != "tensor" or set(value.type.shape) - {1}:
            return None
        number = np.asarray(value.numpy())
        return number.item() if number.dtype.kind in "fiu" else None

    def place(self, operation, parameter):
        """An axis or a count; 0 where none is given."""
        number = self.number(operation, parameter)
        return number if isinstance(number, int) else 0

    def shape(self, argument):
        kind = argument.type if isinstance(argument, Value) else self.types.get(argument)
        return () if kind is None else kind.shape

    def note(self, operation, decides):
        """Add what the operation does with the numbers of inputs."""
        data, places = _PICKS.get(operation.op, (None, None))
        plain = OPERATORS[operation.op].plain if operation.op in OPERATORS else ()
        for parameter, arguments in operation.inputs.items():
            for argument in filter(self.form, arguments):
                if parameter == places:
                    self.add(argument, 0, *self.picked_from(operation, data, argument))
                elif decides or parameter in plain:
                    low = 0 if parameter == "begin" else 1
                    self.add(argument, low, low + 1)

    def add(self, argument, low, high, table=""):
        if high is None:
            return
        self.rows += (high + 1) * bool(table)
        table = table if self.rows <= _MOST_ROWS else ""
        rows = argument if argument in self.inputs else self.prefix + argument
        for name, (scale, shift) in self.form(argument).items():
            self.uses.append(Use(name, low, high, scale, shift, table, rows))

    def picked_from(self, operation, data, places):
        """The last place to pick from (None: unknown), and the name of the table, if it is one."""
        if operation.op == "one_hot":
            size = self.place(operation, "one_hot_vector_size")
            return (size - 1 if size > 0 else None), operation.name
        (source, *_) = operation.inputs.get(data, [None])
        shape, first = self.shape(source), self.place(operation, "batch_dims")
        if operation.op.endswith("_nd"):
            width = (self.shape(places) or (None,))[-1]
            sizes = shape[first:] if width is None else shape[first : first + width]
        else:
            axis = self.place(operation, "axis")
            sizes = shape[axis : axis + 1 or None]
        known = [size for size in sizes if size]
        is_table = operation.op == "gather" and (isinstance(source, Value) or source in self.constants)
        name = source if isinstance(source, str) else operation.name
        return min(known) - 1 if known else None, name if is_table else ""

    def made(self, operation):
        """What the results of an operation hold of the inputs."""
        # The counters of a loop begin as what they were given.
        same = ("loop_vars",) if operation.op == "while_loop" else _SAME.get(operation.op)
        if same:
            arguments = [argument for parameter in same for argument in operation.inputs.get(parameter, [])]
            # Of a number and the same number counted from the end, the number: the later one wins.
            return {name: form for argument in arguments for name, form in self.form(argument).items()}
        if operation.op not in _SUMS:
            return {}
        return self.sum(operation, *(operation.inputs.get(side, [None])[0] for side in "xy"))

    def sum(self, operation, x, y):
        """Of a sum, product or quotient with a number."""
        sign, swapped = _SUMS[operation.op], bool(self.form(y))
        number = self.number(operation, "x" if swapped else "y")
        if number is None or (swapped and (self.form(x) or operation.op.endswith("_div"))):
            return {}
        if operation.op in ("add", "sub"):
            scale, shift = (sign, number) if swapped else (1, sign * number)
        else:
            scale, shift = (number if sign > 0 else 1 / number if number else 0), 0
        forms = self.form(y if swapped else x)
        forms = {name: (scale * a, scale * b + shift) for name, (a, b) in forms.items()}
        return {name: (a, b) for name, (a, b) in forms.items() if 1e-9 < abs(a) < 1e9 and abs(b) < 1e12}


class RandomInputs:
    """Draws inputs for a model, and sees which rows of its tables they visit.

    Parameters
    ----------
    model : toykit.coreml.Model
    seed : int

    Attributes
    ----------
    shapes : list of dict of str to tuple
        To be tried: of every input the default, and then the ends of what is flexible.
    steps : int
        Predictions in a row, with the state carried on; 1 without states.
    whole : dict of str to (int, int)
        Inputs that are whole numbers: from, to.
    """

    def __init__(self, model, seed):
        self.inputs, self.seed = model.inputs, seed
        self.steps = STEPS if model.states else 1
        self.shapes = _shapes(self.inputs)
        self.uses, operations = {}, 0
        for part in getattr(model, "models", (model,)):
            prefix = "" if part.package.number is None else f"{part.package.number}/"
            traced = _Tracer(part.package.program.functions[part.function], prefix)
            operations += traced.operations
            for use in traced.uses:
                if use.input in self.inputs and self.inputs[use.input].kind == "multiArray":
                    self.uses.setdefault(use.input, []).append(use)
        self.whole = {
            name: range_of(self.uses[name]) if name in self.uses else (0, 1)
            for name, feature in self.inputs.items()
            if name in self.uses or feature.dtype.startswith("int")
        }
        self.tables = [use for uses in self.uses.values() for use in uses if use.table]
        self.visited = [np.zeros(use.high + 1, bool) for use in self.tables]
        self._nbytes, self._calls = model.package.nbytes, operations * _CALL

    @property
    def has_numbers(self):
        """Whether an input is just numbers, of which the spread can be chosen."""
        return any(
            feature.kind != "image" and name not in self.whole for name, feature in self.inputs.items()
        )

    @property
    def spreads(self):
        """The spreads that differ: list of keys of `SPREADS`."""
        return list(SPREADS)[: 1 + (self.has_numbers or any(map(self._is_free, self.whole)))]

    def range(self, name, spread):
        """The lowest and highest number of an input of whole numbers."""
        low, high = self.whole[name]
        if spread == "uniform" and self._is_free(name):
            low = high = min(max(1, low), high)
        return low, high

    def _is_free(self, name):
        """Whether an input is of whole numbers that pick no rows."""
        return not any(use.table for use in self.uses.get(name, ()))

    def enough(self, number=0):
        """How many samples of a shape visit every row of the tables that the inputs can reach."""
        needed = [_FEWEST]
        for name in {use.input for use in self.tables}:
            low, high = self.whole[name]
            needed.append(
                math.ceil((high - low + 1) / max(1, self.steps * math.prod(self.shapes[number][name])))
            )
        return max(needed)

    def counts(self, samples=None):
        """How many samples of each of the shapes: those asked for, or as many as visit every row in seconds.

        Where shapes are flexible, the largest visits the most.
        """
        counts = [samples or _FEWEST, *[1] * (len(self.shapes) - 1)]
        if samples is None and self.tables:
            numbers = [max(math.prod(shapes[use.input]) for use in self.tables) for shapes in self.shapes]
            largest = numbers.index(max(numbers))
            work = self.steps * (self._nbytes * numbers[largest] + self._calls)
            counts[largest] = min(self.enough(largest), _MOST, max(_FEWEST, _MOST_WORK // max(1, work)))
        return counts

    def draw(self, counts, spread):
        """Yield samples, each a list of inputs that follow each other, with the number of their shape.

        Parameters
        ----------
        counts : list of int
            How many of each of the shapes.
        spread : str
            A key of `SPREADS`.
        """
        rng, shuffled = np.random.default_rng(self.seed), {}
        for number, (shapes, count) in enumerate(zip(self.shapes, counts)):
            for _ in range(count):
                yield (
                    number,
                    [
                        {
                            name: self._one(name, shape, spread, rng, shuffled)
                            for name, shape in shapes.items()
                        }
                        for _ in range(self.steps)
                    ],
                )

    def _one(self, name, shape, spread, rng, shuffled):
        feature = self.inputs[name]
        if feature.kind == "image":
            if feature.color == "GRAYSCALE_FLOAT16":
                return rng.random(shape).astype(np.float32)
            return rng.integers(0, 256, shape if feature.color == "GRAYSCALE" else (*shape, 3)).astype(
                np.uint8
            )
        if name in self.whole:
            low, high = self.range(name, spread)
            if high - low >= _MOST_ROWS:
                return rng.integers(low, high + 1, shape)
            if name not in shuffled:
                shuffled[name] = _Shuffled(low, high, rng)
            return shuffled[name].draw(math.prod(shape)).reshape(shape)
        return SPREADS[spread][1](rng, shape)

    def watch(self, operation, name, value):
        """Take note of the rows that an input, or a result of the program, visits."""
        for use, visited in zip(self.tables, self.visited):
            if use.rows == name:
                rows = np.asarray(value).astype(np.int64).ravel()
                rows = np.where(rows < 0, rows + visited.size, rows)
                visited[rows[(rows >= 0) & (rows < visited.size)]] = True

    def coverage(self):
        """For each table: (input, name of the table, rows visited, rows), and no table twice."""
        found = {}
        for use, visited in zip(self.tables, self.visited):
            found[use.input, use.table] = (use.input, use.table, int(visited.sum()), visited.size)
        return list(found.values())


def range_of(uses):
    """The lowest and highest number for all uses of an input, or its first; not negative, if that can be."""
    lows, highs = zip(*(use.ends for use in uses))
    low, high = max(lows), min(highs)
    if low > high:
        low, high = lows[0], max(lows[0], highs[0])
    low = max(low, 0) if high >= 0 else low
    return max(low, -(2**31)), min(high, 2**31 - 1)


class _Shuffled:
    """Draws numbers without replacement; when all have been drawn, they are shuffled again."""

    def __init__(self, low, high, rng):
        self.numbers, self.rng = np.arange(low, high + 1), rng
        self.place = self.numbers.size

    def draw(self, count):
        taken = []
        while count:
            if self.place == self.numbers.size:
                self.rng.shuffle(self.numbers)
                self.place = 0
            taken.append(self.numbers[self.place : self.place + count].copy())
            self.place += taken[-1].size
            count -= taken[-1].size
        return np.concatenate(taken) if taken else np.zeros(0, np.int64)


def _shapes(inputs):
    """The shapes to try, without doubles."""
    found = [{name: feature.shape or (1,) for name, feature in inputs.items()}]
    for end in (0, 1):
        shapes = {name: _end(feature, end) for name, feature in inputs.items()}
        if shapes not in found:
            found.append(shapes)
    return found


def _end(feature, end):
    """The smallest (0) or largest (1) shape that an input may have, if it fits into memory with ease."""
    if feature.shapes:
        return sorted((*feature.shapes, feature.shape), key=math.prod)[-end]
    if not feature.ranges:
        return feature.shape or (1,)
    lows = [max(low, 1) for low, _ in feature.ranges]
    if not end:
        return tuple(lows)
    usual = feature.shape if len(feature.shape) == len(lows) else lows
    sizes = [
        max(low, 2 * size if high < 0 else high) for low, (_, high), size in zip(lows, feature.ranges, usual)
    ]
    while math.prod(sizes) > max(_LARGEST_INPUT, 8 * math.prod(usual)) and sizes != lows:
        sizes = [max(low, size // 2) for low, size in zip(lows, sizes)]
    return tuple(sizes)
