"""Calls of operators on numbers without an axis, on lengths that a program computes, and on nothing.

A call is one operation of a case with the numbers that it is handed. `variations` changes it: tensors
without an axis, with an axis of length 0, of one axis or five, axes counted from the end. `attempts` are
the ways to hand a call over: as constants, and as results that a program computes, of a known and of an
unknown length. coremltools decides which of them are sound: its type inference is asked what comes out,
and its value inference for the numbers. `check` holds both backends to its word.
"""

import itertools
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import toykit as tk
from tests.parity import running
from toykit._quiet import coremltools, quiet

from . import programs
from .case import array, inside, integers, normal, other, positive

ct = coremltools()
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import Function, types
from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry


@dataclass(frozen=True, eq=False)
class Call:
    """An operator and what it is handed.

    Attributes
    ----------
    operator, target : str
    given : dict of str to array, str, or tuple of arrays
        By parameter.
    kind : str
        "scalar", "empty", "axis", "rank", or "" as the case has it.
    """

    operator: str
    target: str
    given: dict
    kind: str = ""

    def __str__(self):
        return f"{self.kind or 'plain'}: {self.operator}({', '.join(map(_said, self.given.items()))})"

    @property
    def spec(self):
        """coremltools' parameters: dict of str to InputType."""
        with Function({}, opset_version=getattr(ct.target, self.target)):
            return SSAOpRegistry._get_core_op_cls(self.operator).input_spec.input_types

    def computable(self):
        """Parameters that may be results of a program."""
        return [name for name, value in self.given.items() if _numbers(value) and not self.spec[name].const]


@dataclass(frozen=True, eq=False)
class Attempt:
    """A call, and which of its parameters a program computes.

    Attributes
    ----------
    call : Call
    computed : tuple of str
    flexible : bool
        Whether the lengths of their axes are unknown until the program runs.
    """

    call: Call
    computed: tuple = ()
    flexible: bool = False

    def __str__(self):
        how = f"computes {', '.join(self.computed)}" if self.computed else "constant"
        return f"{self.call} [{self.call.target}, {how}{', of unknown lengths' * self.flexible}]"


def _said(item):
    name, value = item
    if isinstance(value, tuple):
        return f"{name}=({', '.join(str(part.shape) for part in value)})"
    if isinstance(value, np.ndarray) and value.size > 6:
        return f"{name}: {value.shape}"
    return f"{name}={value.tolist() if hasattr(value, 'tolist') else value!r}"


def _numbers(value):
    return isinstance(value, (np.ndarray, np.generic)) or (isinstance(value, tuple) and bool(value))


# --- calls ---

X = array(normal(2, 3, 4))
_FLOATS = {
    "inside": "acos asin atanh",
    "normal": "abs atan ceil cos cosh erf exp exp2 floor round sigmoid sign sin sinh tan tanh square relu "
    "relu6 silu softplus softmax reduce_max reduce_mean reduce_min reduce_argmin reduce_sum",
    "positive": "sqrt",
}
_PAIRS = "maximum minimum mul real_div sub pow equal not_equal greater greater_equal less less_equal"


def _call(operator, target="iOS17", **given):
    return Call(operator, target, {name: _fixed(value) for name, value in given.items()})


def _fixed(value):
    """As coremltools stores a parameter."""
    if isinstance(value, (str, tuple)):
        return value
    value = np.asarray(value)
    return value.astype({"f": np.float32, "i": np.int32}.get(value.dtype.kind, value.dtype), copy=False)


def _written():
    """Calls of operators that no program case has."""
    inputs = {"inside": array(inside(2, 3, 4)), "normal": X, "positive": array(positive(2, 3, 4))}
    for kind, names in _FLOATS.items():
        for name in names.split():
            yield _call(name, x=inputs[kind])
    for name in ("reduce_max", "reduce_mean", "reduce_min", "reduce_sum"):
        yield _call(name, x=X, axes=[1], keep_dims=True)
    for name in _PAIRS.split():
        yield _call(name, x=inputs["positive"], y=array(other(2, 3, 4)))
    for name in ["add", "sub", "mul", "maximum", "minimum", "equal", "less", "floor_div", "mod"]:
        yield _call(name, x=array(integers(2, 3, low=-9)), y=array(integers(2, 3, low=1, seed=1)))
    truth = X > 0
    for name in ("logical_and", "logical_or", "logical_xor"):
        yield _call(name, x=truth, y=array(other(2, 3, 4)) > 0)
    yield _call("logical_not", x=truth)
    yield _call("select", cond=truth, a=X, b=array(other(2, 3, 4)))
    yield _call("clip", x=X, alpha=-0.5, beta=0.25)
    yield _call("elu", x=X, alpha=0.5)
    yield _call("leaky_relu", x=X, alpha=0.5)
    x, y = array(normal(2, 3, 4, 5)), array(normal(2, 5, 4, 3))
    yield _call("einsum", values=(x, y), equation="nchw,nwhu->nchu")
    yield _call("instance_norm", x=x, gamma=np.float32([1, 2, 3]), beta=np.float32([0, 1, 2]))
    yield _call("transpose", x=X, perm=[2, 0, 1])
    yield _call("concat", values=(X, array(other(2, 3, 4))), axis=1)
    yield _call("stack", values=(X, array(other(2, 3, 4))), axis=1)
    yield _call("split", x=X, split_sizes=[1, 3], axis=2)
    yield _call("reshape", x=X, shape=[4, 6])
    yield _call("gather", x=X, indices=[2, 0], axis=1)
    yield _call("expand_dims", x=X, axes=[1])
    yield _call("range_1d", end=7, start=1, step=2)
    for name in ("fill", "random_normal", "random_uniform", "random_bernoulli"):
        yield _call(name, shape=[2, 3], **({} if name == "fill" else {"seed": 3}))
    yield _call("random_categorical", x=array(positive(2, 3)), size=4, seed=3)
    for name in ("upsample_bilinear", "upsample_nearest_neighbor"):
        yield _call(name, x=array(normal(1, 2, 3, 4)), scale_factor_height=2, scale_factor_width=3)
    key, value = array(normal(1, 2, 5, 4)), array(other(1, 2, 5, 4))
    query = {"query": array(normal(1, 2, 3, 4)), "key": key, "value": value}
    yield _call("scaled_dot_product_attention", "iOS18", **query)
    yield _call("scaled_dot_product_attention", "iOS18", **query, attn_mask=array(normal(1, 2, 3, 5)) > -1)


def _inside(function, inspected, target):
    """The calls of a coremltools function: what goes into each of its operations is known, or was watched."""
    for operation in function.operations:
        if operation.op_type in SPECIAL or operation.op_type not in tk.coreml.OPERATORS:
            continue
        makers = [variable.op.op_type for variable in _variables(operation) if variable.op]
        if any(maker.startswith("constexpr") for maker in makers):
            continue  # a compressed constant has no value here
        given = {}
        for name, variable in operation.inputs.items():
            if isinstance(variable, (tuple, list)):
                given[name] = tuple(_value(part, inspected) for part in variable)
            elif variable is not None:
                given[name] = _value(variable, inspected)
        yield Call(operation.op_type, target, given)


def _variables(operation):
    for variable in operation.inputs.values():
        yield from variable if isinstance(variable, (tuple, list)) else [variable] * (variable is not None)


def _value(variable, inspected):
    value = inspected[variable.name] if variable.val is None else variable.val
    if isinstance(value, str):
        return value
    return np.asarray(value, types.nptype_from_builtin(variable.dtype))


# Run in blocks, lists or states: tried by cases of their own in `programs_steps`.
SPECIAL = {"classify", "cond", "while_loop", "read_state", "write_state"}
SPECIAL |= {"make_list", "list_length", "list_read", "list_write", "list_gather", "list_scatter"}


def calls():
    """Each call once: those of all program cases and written ones."""
    found = list(_written())
    for case in programs.CASES.values():
        function = running.function(case)
        with tempfile.TemporaryDirectory() as folder:
            path = running.saved(function, case.target, Path(folder) / "m.mlpackage")
            inspected = tk.coreml.load(path, backend="numpy").inspect(case.inputs)
        found += _inside(function, case.inputs | inspected, case.target)
    return list({key(call): call for call in found}.values())


def calls_of(case):
    """The calls in a torch case's package."""
    mlmodel = running.torch_case(case, "float32")
    model = tk.coreml.load(mlmodel, backend="numpy")
    inputs = dict(zip(model.inputs, (tensor.numpy() for tensor in case.inputs), strict=True))
    (function,) = mlmodel._mil_program.functions.values()
    return list(_inside(function, inputs | model.inspect(inputs), case.target))


def key(call):
    """Equal for calls that are the same."""

    def hashed(value):
        if isinstance(value, tuple):
            return tuple(map(hashed, value))
        return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value

    given = sorted(call.given.items())
    return call.operator, call.target, tuple((name, hashed(value)) for name, value in given)


# --- variations ---

_AXES = ("axis", "axes", "perm", "batch_axis", "seq_axis")
# Parameters that are lengths, or places that make one.
_LENGTHS = [
    "shape",
    "size",
    "reps",
    "split_sizes",
    "end",
    "k",
    "one_hot_vector_size",
    "max_boxes",
    "lengths",
    "output_shape",
    "target_size_height",
    "target_size_width",
    "target_height",
    "target_width",
    "output_height",
    "output_width",
]


def variations(call):
    """The call itself and what it can be changed into, sound or not."""
    seen = set()
    for kind, given in itertools.chain([("", call.given)], *(make(call) for make in _MAKERS)):
        varied = replace(call, given=given, kind=kind)
        if key(varied) not in seen:
            seen.add(key(varied))
            yield varied


def _tensors(call):
    tensors = tk.coreml.OPERATORS[call.operator].tensors
    return [name for name, value in call.given.items() if name in tensors and _numbers(value)]


def _changed(value, change):
    """`change` of an array, or of all arrays of a tuple."""
    return tuple(map(change, value)) if isinstance(value, tuple) else change(value)


def _ndim(value):
    return value[0].ndim if isinstance(value, tuple) else value.ndim


def _first(array):
    return array.reshape(-1)[0:1].reshape(()) if array.size else array


def _scalars(call):
    """Parameters without an axis, one by one and all tensors together; the vectors for their axes cut off."""
    given, tensors = call.given, _tensors(call)
    for name, value in given.items():
        if _numbers(value) and _ndim(value):
            yield "scalar", given | {name: _changed(value, _first)}
    whole = given | {name: _changed(given[name], _first) for name in tensors}
    yield "scalar", whole
    vectors = [n for n, v in given.items() if n not in tensors and _numbers(v) and _ndim(v)]
    yield "scalar", whole | {name: given[name][:0] for name in vectors}
    yield "scalar", {name: value for name, value in whole.items() if name not in vectors}
    for name, value in given.items():
        if _numbers(value) and name not in tensors and _ndim(value) and value.size:
            yield "scalar", whole | {name: value[:1]}


def _empty(call):
    """An axis of length 0: of one tensor, of all at this place, or wherever an axis has this length."""
    given, tensors = call.given, _tensors(call)

    def emptied(names, chosen):
        def change(array):
            axes = [axis for axis in range(array.ndim) if chosen(axis, array)]
            return array[tuple(slice(0) if axis in axes else slice(None) for axis in range(array.ndim))]

        return given | {name: _changed(given[name], change) for name in names}

    made = []
    for name in tensors:
        made += [emptied([name], lambda axis, _, a=a: axis == a) for a in range(_ndim(given[name]))]
    most = max((_ndim(given[name]) for name in tensors), default=0)
    made += [emptied(tensors, lambda axis, _, a=a: axis == a) for a in range(most)]
    made += [emptied(tensors, lambda axis, array, a=a: axis - array.ndim == -a) for a in range(1, most + 1)]
    sizes = {size for name in tensors for part in _parts(given[name]) for size in part.shape if size > 1}
    made += [emptied(tensors, lambda axis, array, s=s: array.shape[axis] == s) for s in sorted(sizes)]
    made.append(given)
    for one in made:
        yield "empty", one
        for name, value in one.items():
            if name in _LENGTHS and _numbers(value) and name not in tensors:
                for place in np.ndindex(value.shape):
                    shorter = value.copy()
                    shorter[place] = 0
                    yield "empty", one | {name: shorter}
    for name, value in given.items():
        if isinstance(value, np.ndarray) and value.ndim and name not in tensors:
            yield "empty", given | {name: value[:0]}


def _parts(value):
    return value if isinstance(value, tuple) else (value,)


def _axes(call):
    """Axes counted from the other end."""
    ranks = [_ndim(call.given[name]) for name in _tensors(call)]
    for name in _AXES:
        value = call.given.get(name)
        if ranks and _numbers(value):
            for rank in (ranks[0], ranks[0] + 1, ranks[0] + value.size):
                turned = np.where(value < 0, value + rank, value - rank).astype(np.int32)
                yield "axis", call.given | {name: turned}


def _ranks(call):
    """One axis, or five: new ones first, or last. Parameters of one number as a vector of one."""
    given, tensors = call.given, _tensors(call)
    most = max((_ndim(given[name]) for name in tensors), default=0)
    yield "rank", given | {name: _changed(given[name], lambda a: a.reshape(-1)) for name in tensors}
    for name in tensors:
        yield "rank", given | {name: _changed(given[name], lambda a: a.reshape(-1))}
    if 0 < most < 5:
        more = 5 - most
        high = [name for name in tensors if _ndim(given[name]) == most]
        moved = {n: _further(given[n], more, n) for n in _AXES if _numbers(given.get(n))}
        first = {n: _changed(given[n], lambda a: a.reshape((1,) * more + a.shape)) for n in high}
        yield "rank", given | first
        yield "rank", given | first | moved
        yield (
            "rank",
            given | {n: _changed(given[n], lambda a: a.reshape(a.shape + (1,) * more)) for n in high},
        )
    for name, value in given.items():
        if isinstance(value, np.ndarray) and not value.ndim:
            yield "rank", given | {name: value.reshape(1)}


def _further(axes, more, name):
    moved = np.where(axes < 0, axes, axes + more).astype(np.int32)
    return np.concatenate([np.arange(more, dtype=np.int32), moved]) if name == "perm" else moved


_MAKERS = (_scalars, _empty, _axes, _ranks)


def attempts(call):
    """The ways to hand a call over."""
    can = call.computable()
    tensors = tuple(name for name in _tensors(call) if name in can)
    plain = [name for name in can if name not in tensors]
    choices = [(), tensors, *((name,) for name in plain), tuple(can)]
    made = [Attempt(call, computed) for computed in dict.fromkeys(choices)]
    if any(_ndim(call.given[name]) for name in tensors):
        made += [Attempt(call, computed, True) for computed in dict.fromkeys([tensors, tuple(can)])]
    return made


# --- what coremltools makes of them ---


def _placeholder(value):
    """A tensor with two more rows, columns, ..., which the program cuts off."""
    kind = types.fp32 if value.dtype.kind == "f" else types.int32
    return mb.placeholder(shape=[size + 2 for size in value.shape] or [1], dtype=kind)


def _constant(value):
    # A copy: coremltools folds thresholded_relu in place, and would change the case. Without an axis as a
    # number: it repeats a list as often as a number says, and multiplies it with an array.
    if isinstance(value, np.ndarray):
        value = value.copy()[()] if value.ndim or value.dtype != bool else bool(value)
    return mb.const(val=value)


class _Built:
    """A program of several attempts: those that coremltools accepts."""

    def __init__(self, attempts):
        self.inputs = {"unused": np.zeros(1, np.float32)}
        placeholders = {"unused": mb.placeholder(shape=(1,))}
        for number, attempt in enumerate(attempts):
            for name in attempt.computed:
                for i, part in enumerate(_parts(attempt.call.given[name])):
                    key = f"in_{number}_{name}_{i}"
                    placeholders[key] = _placeholder(part)
                    self._give(key, part)
                    if attempt.flexible and part.ndim and name in _tensors(attempt.call):
                        placeholders[key + "_end"] = mb.placeholder(shape=(part.ndim,), dtype=types.int32)
                        self.inputs[key + "_end"] = np.array(part.shape, np.int32)
        self.results = []
        self.target = attempts[0].call.target
        with Function(placeholders, opset_version=getattr(ct.target, self.target)) as self.function:
            for number, attempt in enumerate(attempts):
                self.results.append(self._emit(number, attempt))
            self.function.set_outputs([self.function.inputs["unused"]])

    def _give(self, key, part):
        wide = np.pad(part, [(0, 2)] * part.ndim) if part.ndim else part.reshape(1)
        self.inputs[key] = wide.astype(np.float32 if part.dtype.kind == "f" else np.int32)

    def _emit(self, number, attempt):
        call, arguments = attempt.call, {}
        for name, value in call.given.items():
            if name in attempt.computed:
                found = [self._computed(f"in_{number}_{name}_{i}", v) for i, v in enumerate(_parts(value))]
                arguments[name] = tuple(found) if isinstance(value, tuple) else found[0]
            elif isinstance(value, tuple):
                arguments[name] = tuple(map(_constant, value))
            else:
                arguments[name] = _constant(value)
        found = getattr(mb, call.operator)(**arguments, name=f"out_{number}")
        return list(found) if isinstance(found, (tuple, list)) else [found]

    def _computed(self, key, value):
        variable = self.function.inputs[key]
        if not value.ndim:
            variable = mb.squeeze(x=variable)
        else:
            end = self.function.inputs.get(key + "_end", np.array(value.shape, np.int32))
            variable = mb.slice_by_index(x=variable, begin=[0] * value.ndim, end=end)
        kind = {"float32": None, "int32": None}.get(
            value.dtype.name, types.numpy_type_to_builtin_type(value.dtype)
        )
        return variable if kind is None else mb.cast(x=variable, dtype=types.builtin_to_string(kind))

    def saved(self, folder):
        return running.saved(self.function, self.target, folder)


@dataclass(frozen=True, eq=False)
class Expected:
    """One result: its shape (None for a length that coremltools does not know), type, and numbers if known."""

    shape: tuple
    dtype: np.dtype
    value: object = None


def expected(attempt):
    """What coremltools says of an attempt's results: list of Expected; None if it does not accept it."""
    try:
        with quiet():
            (found,) = _Built([attempt]).results
            said = [_expected(variable) for variable in found]
    except Exception:  # coremltools raises whatever its NumPy code meets
        return None
    return None if any(size is not None and size < 0 for one in said for size in one.shape) else said


def _expected(variable):
    shape = tuple(size if isinstance(size, (int, np.integer)) else None for size in variable.shape)
    dtype = np.dtype(types.nptype_from_builtin(variable.dtype))
    return Expected(shape, dtype, None if variable.val is None else np.asarray(variable.val))


def tried(variation):
    """Every attempt at a variation that coremltools accepts: list of (Attempt, list of Expected).

    Of what a program computes it knows less, and accepts more. So nothing is tried that it does not accept
    with constants, or with tensors of known shapes; what it says of those is held against all attempts.
    """
    constant, *others = attempts(variation)
    said = expected(constant)
    found = [] if said is None else [(constant, said)]
    if said is None and others:
        said = expected(others[0])
    if said is None:
        return []
    return found + [(attempt, said) for attempt in others if expected(attempt) is not None]


def check(pairs):
    """Run attempts on both backends: list of (Attempt, what is expected, what is not so)."""
    if not pairs:
        return []
    with tempfile.TemporaryDirectory() as folder:
        try:
            with quiet():
                built = _Built([attempt for attempt, _ in pairs])
                path = built.saved(Path(folder) / "m.mlpackage")
        except Exception:  # a value or type that coremltools accepts, and cannot write
            return [] if len(pairs) == 1 else [problem for pair in pairs for problem in check([pair])]
        try:
            found = {
                backend: tk.coreml.load(path, backend=backend).inspect(built.inputs)
                for backend in running.BACKENDS
            }
        except tk.coreml.PackageError as error:
            # The operation that is refused bears the number of its attempt; the others are run without it.
            problem = str(error).partition("mlpackage: ")[2]
            refused = int(re.match(r"operation 'out_(\d+)", problem)[1])
            return [(*pairs[refused], problem), *check(pairs[:refused] + pairs[refused + 1 :])]
    problems = []
    for (attempt, said), results in zip(pairs, built.results, strict=True):
        if len(results) != len(said):
            problems.append(
                (attempt, said, f"{len(results)} results, coremltools says {len(said)} of constants")
            )
            continue
        for variable, wanted in zip(results, said, strict=True):
            problem = _difference(
                {backend: values[variable.name] for backend, values in found.items()}, wanted
            )
            if problem:
                problems.append((attempt, said, problem))
    return problems


def _difference(found, wanted):
    """What is wrong with a result of each backend; "" if nothing is."""
    reference = found["numpy"] if wanted.value is None else wanted.value
    for backend, values in found.items():
        if len(values.shape) != len(wanted.shape) or any(
            size not in (None, ours) for ours, size in zip(values.shape, wanted.shape)
        ):
            return f"{backend}: shape {values.shape}, coremltools says {wanted.shape}"
        kind = "f" if wanted.dtype.kind == "f" else wanted.dtype.kind
        if values.dtype.kind not in (kind, "i" if kind == "u" else kind):
            return f"{backend}: {values.dtype}, coremltools says {wanted.dtype}"
        if values.size and (apart := running.distance(values, reference)) > WITHIN:
            return f"{backend}: {apart:.2g} from {'NumPy' if wanted.value is None else 'coremltools'}"
    return ""


WITHIN = 1e-5  # of float32


def _takes_nothing(given):
    """Whether a slice of a tensor has an axis of length 0."""
    x, unmasked = given["x"], [False] * given["x"].ndim
    begin_mask, end_mask = given.get("begin_mask", unmasked), given.get("end_mask", unmasked)
    ends = zip(given["begin"], begin_mask, given["end"], end_mask, given.get("stride", [1] * x.ndim))
    slices = (
        slice(None if all_before else b, None if all_behind else e, s)
        for b, all_before, e, all_behind, s in ends
    )
    return any(not range(*one.indices(size)) for one, size in zip(slices, x.shape))


# Where coremltools 9 is wrong: of which attempts, and how.
_MISTAKEN = {
    "concat": (lambda a: a.call.given.get("interleave"), "its value inference does not interleave"),
    "scatter_along_axis": (lambda a: a.call.given["mode"] != "update", "its value inference knows no mode"),
    "split": (lambda a: "split_sizes" in a.computed, "it takes computed sizes for those of one result"),
    "squeeze": (
        lambda a: a.flexible or "axes" not in a.call.given,
        "it takes an unknown length for more than 1, and a row for the number in it",
    ),
    "select": (
        lambda a: a.call.given["cond"].ndim > max(a.call.given["a"].ndim, a.call.given["b"].ndim),
        "it gives the result the shape of a and b, without cond's",
    ),
    "slice_by_index": (
        lambda a: (
            a.call.given["x"].ndim == a.call.given["end"].size
            and ((a.call.given["end"] > a.call.given["x"].shape).any() or _takes_nothing(a.call.given))
        ),
        "it does not end a slice where the tensor ends, and says 1 of a slice of nothing",
    ),
    "reshape": (lambda a: a.flexible and 0 in a.call.given["shape"], "it declares the 0 that keeps a length"),
}

# What coremltools 9 lets pass because it compares nothing there: how toykit refuses it.
_UNCHECKED = {
    "axes and places that a tensor does not have": (
        "outside a tensor|out of (bounds|range)|not lie in|for each of|repeated"
    ),
    "lengths that belong together": (
        "not go with|not the same|the same axes|mismatch|broadcast|cannot be reversed|not make up|subscripts"
    ),
    "windows of nothing, or wider than what they look at": "must be 1|fit into",
    "the largest number of none": "identity|empty|nothing can be read",
}
# Of these it computes something all the same: it cuts off what is too long, passes over a second mention, and sorts a
# number along an axis.
_LENIENT = {"split", "slice_by_size", "expand_dims", "argsort"}


def excused(attempt, said, problem):
    """Why a problem is coremltools' own; "" if it is not. What it knows the numbers of cannot be refused."""
    wrong, how = _MISTAKEN.get(attempt.call.operator, (lambda a: False, ""))
    if wrong(attempt):
        return how
    unknown = attempt.call.operator in _LENIENT or all(one.value is None for one in said)
    if unknown and problem.startswith("operation"):
        return next((reason for reason, words in _UNCHECKED.items() if re.search(words, problem)), "")
    return ""


# Sorts of values: whether an attempt has them.
VALUES = {
    "numbers without an axis": lambda attempt: attempt.call.kind == "scalar",
    "computed parameters": lambda attempt: bool(set(attempt.computed) - set(_tensors(attempt.call))),
    "lengths known when it runs": lambda attempt: attempt.flexible,
    "axes of length 0": lambda attempt: attempt.call.kind == "empty",
    "other ranks and axes": lambda attempt: attempt.call.kind in ("rank", "axis"),
    "all": lambda attempt: True,
}


def survey(calls, step=1):
    """Try calls and their variations, or every `step`-th of these.

    Yields
    ------
    Attempt
    str
        What is not so; "" if all is.
    str
        Why that is coremltools' own mistake; "" if it is not.
    """
    for number, call in enumerate(calls):
        for variation in itertools.islice(variations(call), number % step, None, step):
            pairs = tried(variation)
            problems = {id(attempt): (said, problem) for attempt, said, problem in check(pairs)}
            for attempt, _ in pairs:
                said, problem = problems.get(id(attempt), (None, ""))
                yield attempt, problem, excused(attempt, said, problem) if problem else ""
