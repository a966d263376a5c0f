"""The program of a package: functions, blocks, operations, constants.

A program is a dictionary of functions. A function has a block, and a block a list of operations in
the order in which they run. An operation has named inputs, which are results of earlier operations or
constants, and typed outputs. Large constants are places in a weight file, loaded when they are used.

This is the one place where a program's messages are checked: whatever a field that is absent, of another
kind or out of range would break later, `read_program` refuses. Who gets a `Program` can rely on these:

- types have sizes that a tensor can have; a constant is as long as its type says, and of that type;
- a name is made once where it can be seen, and before it is used; so is each output of a block;
- an operation has an operator; a `const` has one output, of the type of its attribute "val".

Not here: running a program, and turning compressed constants into weights.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import protobuf
from .protobuf import PackageError
from .schema import DTYPES
from .weightbin import Blob, elements, nbytes

_MOST_AXES = 64  # NumPy's; Core ML has 5, and tables 2 more
_MOST_ELEMENTS = 2**63


@dataclass(frozen=True)
class Type:
    """Type of a value.

    Attributes
    ----------
    kind : {"tensor", "list", "tuple", "dictionary", "state"}
    dtype : str
        Element type of a tensor, or of the tensor that a state or a list holds; else "".
    shape : tuple of int or None
        None stands for a size that is known only when the program runs. A scalar has shape ().
    items : tuple of Type
        What a list, tuple, dictionary (key, value) or state is made of.
    """

    kind: str
    dtype: str = ""
    shape: tuple = ()
    items: tuple = ()

    def __str__(self):
        if self.kind == "tensor":
            return f"{self.dtype}[{', '.join('?' if size is None else str(size) for size in self.shape)}]"
        return f"{self.kind}[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, eq=False)
class Value:
    """A constant: in the program itself, or a blob of a weight file. Equal to itself alone.

    Attributes
    ----------
    type : Type
    immediate : object
        Array, list of str, or (for a list, tuple or dictionary) list of Value; None for a blob.
    blob : Blob or None
    """

    type: Type
    immediate: Any = None
    blob: Blob | None = None

    def numpy(self):
        """The constant: an array in its shape, a `str`, or a list. A blob is loaded when it is used."""
        if self.type.kind != "tensor":
            return [item.numpy() for item in self.immediate]
        if self.type.dtype == "string":
            return self.immediate[0] if self.type.shape == () else self.immediate
        return (self.immediate if self.blob is None else self.blob.array()).reshape(self.type.shape)

    @property
    def blobs(self):
        """The blobs that it is or, of a list, those that its items are."""
        if self.blob is not None:
            return [self.blob]
        return [] if self.type.kind == "tensor" else [blob for item in self.immediate for blob in item.blobs]

    def __repr__(self):
        return f"Value({self.type}, {'immediate' if self.blob is None else f'blob at {self.blob.offset}'})"


@dataclass(frozen=True, eq=False)
class Operation:
    """One step of a program.

    Attributes
    ----------
    op : str
        The operator, such as "conv" or "constexpr_lut_to_dense".
    name : str
    inputs : dict of str to list
        Parameter name -> arguments: a `str` names a result or an input of the block, a `Value` is a
        constant. Most parameters have one argument; `concat` has several.
    outputs : dict of str to Type
    attributes : dict of str to Value
        Where a `const` keeps its value ("val"), and compressed constants of iOS 16 and 17 their parts.
    blocks : list of Block
        Bodies of `cond` and `while_loop`.
    source : bytes-like
        The message that it was read from.
    """

    op: str
    name: str
    inputs: dict
    outputs: dict
    attributes: dict
    blocks: list
    source: bytes = field(default=b"", repr=False)

    @property
    def names(self):
        """The results that it uses, in order; one that it uses twice, twice."""
        return [name for values in self.inputs.values() for name in values if isinstance(name, str)]

    @property
    def constants(self):
        """The constants that it is given: (parameter, Value); several, where a parameter has several."""
        held = [(parameter, [value]) for parameter, value in self.attributes.items()]
        held += self.inputs.items()
        return [(name, value) for name, values in held for value in values if not isinstance(value, str)]

    def __repr__(self):
        outputs = ", ".join(f"{name}: {kind}" for name, kind in self.outputs.items())
        return f"{outputs} = {self.op}({', '.join(self.inputs)})"


@dataclass(frozen=True, eq=False)
class Block:
    """Operations in order; `outputs` names the results that leave the block, `source` is its message."""

    inputs: dict
    outputs: list
    operations: list
    source: bytes = field(default=b"", repr=False)

    def walk(self):
        """All operations, with those of inner blocks after the operation that holds them."""
        for operation in self.operations:
            yield operation
            for block in operation.blocks:
                yield from block.walk()


def inner_first(block):
    """All operations of a block, those of inner blocks before the operation that holds them.

    Of this model of a program, or of coremltools' message, which names its parts alike.
    """
    for operation in block.operations:
        for inner in operation.blocks:
            yield from inner_first(inner)
        yield operation


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the program: typed inputs and a block, for the operator set `opset`; and its message."""

    inputs: dict
    opset: str
    block: Block
    source: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, eq=False)
class Program:
    """An ML program: `functions` by name; packages with one function call it "main".

    Its types are equal when they say the same, and can be keys of a dictionary. Everything else is equal to
    itself alone: arrays of weights have no single answer to `==`.
    """

    functions: dict
    version: int

    def walk(self):
        """All operations of all functions."""
        for function in self.functions.values():
            yield from function.block.walk()


def read_program(source, find_blob, budget=None, most_weights=math.inf):
    """Read a program: function by function, operation by operation.

    Parameters
    ----------
    source : bytes-like
        A "Program" message.
    find_blob : callable (file name, offset) -> Blob
        Looks up constants that lie in a weight file.
    budget : protobuf.FieldBudget, optional
        How many fields there may be.
    most_weights : int, optional
        How many elements the compressed constants may have together: a few arrays that many of them share
        must not stand for an absurd number of weights.

    Raises
    ------
    PackageError
        If the message describes no program, or a constant does not fit its type.
    """
    return _Reader(find_blob, budget or protobuf.FieldBudget(), most_weights).program(source)


class _Reader:
    """Turns messages into the classes above.

    Each is decoded when its turn comes: no more of them is in memory than one operation's. The types of a
    program are few, and each is read once.
    """

    def __init__(self, find_blob, budget, most_weights):
        self.find_blob, self.budget, self.most_weights = find_blob, budget, most_weights
        self.weights, self.types = 0, {}

    def decode(self, source, kind, depth=0):
        return protobuf.decode(source, kind, self.budget, _ONE_BY_ONE, depth)

    def program(self, source):
        message = self.decode(source, "Program")
        functions = {name: self.function(content) for name, content in message.get("functions", {}).items()}
        if not functions:
            raise PackageError("the program has no functions")
        return Program(functions, message.get("version", 0))

    def function(self, source):
        message = self.decode(source, "Function", 1)
        opset, blocks = message.get("opset", ""), message.get("block_specializations", {})
        if opset not in blocks:
            raise PackageError(f"a function has no block for its operator set {opset!r}")
        inputs = self.typed(message.get("inputs", []))
        return Function(inputs, opset, self.block(blocks[opset], set(inputs), 2), source)

    def block(self, source, known, depth):
        """A block in which the names `known` can be used; a set, which is as it was afterwards."""
        message = self.decode(source, "Block", depth)
        inputs = self.typed(message.get("inputs", []))
        added = inputs.keys() - known
        known |= added
        operations = []
        for number, content in enumerate(message.get("operations", [])):
            decoded = self.decode(content, "Operation", depth + 1)
            try:
                operations.append(self.operation(decoded, content, known, depth + 1))
            except PackageError as error:
                raise PackageError(f"operation {number} ({decoded.get('type', '')}): {error}") from error
            known.update(operations[-1].outputs)  # `|=` with keys would make another set
        outputs = message.get("outputs", [])
        _check_known(outputs, known)
        known -= added.union(*(operation.outputs for operation in operations))
        return Block(inputs, outputs, operations, source)

    def operation(self, message, source, known, depth):
        if not message.get("type"):
            raise PackageError("an operation does not say what it is")
        # Files keep parameters as a map, in no order; sorted, a program reads the same every time.
        attributes = {name: self.value(part) for name, part in sorted(message.get("attributes", {}).items())}
        inputs = {name: self.arguments(part) for name, part in sorted(message.get("inputs", {}).items())}
        _check_known([a for values in inputs.values() for a in values if isinstance(a, str)], known)
        outputs = self.typed(message.get("outputs", []))
        for name in outputs:
            if name in known:
                raise PackageError(f"{name!r} is made twice")
        name = attributes.pop("name", None)
        if name is not None and name.type != _TEXT:
            raise PackageError(f"its name is {name.type}, and not text")
        if message["type"] == "const":
            self.check_constant(attributes, outputs)
        if message["type"].startswith("constexpr_"):
            self.weights += sum(math.prod(size or 1 for size in kind.shape) for kind in outputs.values())
            if self.weights > self.most_weights:
                raise PackageError(f"the compressed constants have more than {self.most_weights:,} elements")
        return Operation(
            op=message["type"],
            name=next(iter(outputs), "") if name is None else name.immediate[0],
            inputs=inputs,
            outputs=outputs,
            attributes=attributes,
            blocks=[self.block(content, known, depth + 1) for content in message.get("blocks", [])],
            source=source,
        )

    @staticmethod
    def check_constant(attributes, outputs):
        if "val" not in attributes:
            raise PackageError("the constant has no value")
        if [attributes["val"].type] != list(outputs.values()):
            made = ", ".join(map(str, outputs.values())) or "nothing"
            raise PackageError(f"the constant is {attributes['val'].type}, and declared as {made}")

    def arguments(self, message):
        found = []
        for binding in message.get("arguments", []):
            kind, content = _chosen(binding)
            found.append(content if kind == "name" else self.value(content))
        return found

    def typed(self, messages):
        found = {}
        for message in messages:
            name = message.get("name", "")
            if not name or name in found:
                raise PackageError(f"{name!r} is made twice" if name else "a result has no name")
            found[name] = self.type(message.get("type", b""))
        return found

    def type(self, source):
        source = bytes(source)
        if source not in self.types:
            self.types[source] = _type(protobuf.decode(source, "ValueType", self.budget))
        return self.types[source]

    def value(self, message):
        kind = self.type(message.get("type", b""))
        if "blobFileValue" in message:
            place = message["blobFileValue"]
            blob = self.find_blob(place.get("fileName", ""), place.get("offset", 0))
            if blob.dtype != kind.dtype and (blob.dtype, kind.dtype) != ("uint8", "bool"):
                raise PackageError(f"a constant of type {kind} lies in a blob of {blob.dtype}")
            return Value(kind, blob=_fits(blob, blob.count, kind))
        held, content = _chosen(message.get("immediateValue", {}))
        if held != kind.kind:
            raise PackageError(f"a constant of type {kind} has {f'a {held} for' if held else 'no'} value")
        if held == "tensor":
            return Value(kind, immediate=_tensor(content, kind))
        items = content.get("values", [])
        if held == "dictionary":
            items = [pair.get(end, {}) for pair in items for end in ("key", "value")]
        return Value(kind, immediate=[self.value(item) for item in items])


# Messages that the reader decodes one by one.
_ONE_BY_ONE = {"Function", "Block", "Operation", "ValueType"}
_TEXT = Type("tensor", "string")
# Types made of types: the parts that hold them (None: a list of its own).
_COMPOUND = {
    "listType": ("type",),
    "tupleType": None,
    "dictionaryType": ("keyType", "valueType"),
    "stateType": ("wrappedType",),
}
# The fields of a constant that is in the program itself, and what the names of their element types have
# in common. Types that have no field are bytes, as they lie in memory.
_FIELDS = {"floats": "float", "doubles": "float", "ints": "int", "longInts": "int", "bools": "bool"}


def _chosen(message):
    """(name, content) of the field that is set, of several that exclude each other."""
    return next(reversed(message.items()), ("", {}))


def _check_known(names, known):
    for name in names:
        if name not in known:
            raise PackageError(f"{name!r} is used, and nothing before it makes it")


def _type(message):
    kind, content = _chosen(message)
    if kind == "tensorType":
        return _tensor_type(content)
    if kind not in _COMPOUND:
        raise PackageError("a value has no type")
    if _COMPOUND[kind] is None:
        inner = content.get("types", [])
    else:
        inner = [content.get(part, {}) for part in _COMPOUND[kind]]
    return Type(kind.removesuffix("Type"), items=tuple(map(_type, inner)))


def _tensor_type(message):
    code, dimensions = message.get("dataType", 0), message.get("dimensions", [])
    if code not in DTYPES:
        raise PackageError(f"element type {code} is unknown")
    if message.get("rank", 0) not in (len(dimensions), -1):
        raise PackageError(f"a type of rank {message.get('rank', 0)} has {len(dimensions)} sizes")
    if len(dimensions) > _MOST_AXES:
        raise PackageError(f"a type has {len(dimensions)} axes; Core ML has 5")
    sizes = []
    for dimension in dimensions:
        kind, content = _chosen(dimension)
        if not kind:
            raise PackageError("a size of a type is neither a number nor unknown")
        sizes.append(content.get("size", 0) if kind == "constant" else None)
    if math.prod(size or 1 for size in sizes) >= _MOST_ELEMENTS:
        raise PackageError(f"a type of sizes {sizes} has more elements than any tensor")
    return Type("tensor", DTYPES[code][0], tuple(sizes))


def _fits(content, count, kind):
    """`content`, if its number of elements is that of the type."""
    if None in kind.shape or count != math.prod(kind.shape):
        raise PackageError(f"a constant of type {kind} has {count} elements")
    return content


def _tensor(message, kind):
    """The elements of a constant that is in the program itself, as a flat array or list of text."""
    field, content = _chosen(message)
    values = content.get("values", b"" if field == "bytes" else [])
    if field == "strings" or kind.dtype == "string":
        if field not in ("strings", "") or kind.dtype != "string":
            raise PackageError(f"a constant of type {kind} holds {field}")
        return _fits(values, len(values), kind)
    if field == "bytes":
        packed, count = np.frombuffer(values, np.uint8), math.prod(size or 0 for size in kind.shape)
        if packed.size != nbytes(count, kind.dtype):
            raise PackageError(f"a constant of type {kind} has {packed.size} bytes")
        return _fits(elements(packed, kind.dtype, count), count, kind)
    if field and _FIELDS[field] not in kind.dtype:
        raise PackageError(f"a constant of type {kind} holds {field}")
    try:
        with np.errstate(over="ignore"):  # what is too large for float16 is infinite
            return _fits(np.array(values, dtype=kind.dtype), len(values), kind)
    except (OverflowError, TypeError) as error:
        raise PackageError(f"a constant of type {kind} holds values of another") from error
