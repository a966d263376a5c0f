"""The program of a package: functions, blocks, operations, constants.

A program is a dictionary of functions. A function has a block, and a block a list of operations in
the order in which they run. An operation has named inputs, which are results of earlier operations or
constants, and typed outputs. Large constants are places in a weight file, loaded when they are used.

Not here: running a program, and turning compressed constants into weights.
"""

import math
from dataclasses import dataclass

import numpy as np

from .protobuf import PackageError
from .schema import DTYPES
from .weightbin import Blob, elements, nbytes


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


@dataclass(frozen=True)
class Value:
    """A constant: in the program itself, or a blob of a weight file.

    Attributes
    ----------
    type : Type
    immediate : object
        Array, list of str, or (for a list, tuple or dictionary) list of Value; None for a blob.
    blob : Blob or None
    """

    type: Type
    immediate: object = None
    blob: Blob | None = None

    def numpy(self):
        """The constant: an array in its shape, a `str`, or a list. A blob is loaded when it is used."""
        if self.type.kind != "tensor":
            return [item.numpy() for item in self.immediate]
        if self.type.dtype == "string":
            return self.immediate[0] if self.type.shape == () else self.immediate
        return (self.immediate if self.blob is None else self.blob.array()).reshape(self.type.shape)

    def __repr__(self):
        return f"Value({self.type}, {'immediate' if self.blob is None else f'blob at {self.blob.offset}'})"


@dataclass(frozen=True)
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
    """

    op: str
    name: str
    inputs: dict
    outputs: dict
    attributes: dict
    blocks: list

    def __repr__(self):
        outputs = ", ".join(f"{name}: {kind}" for name, kind in self.outputs.items())
        return f"{outputs} = {self.op}({', '.join(self.inputs)})"


@dataclass(frozen=True)
class Block:
    """Operations in order; `outputs` names the results that leave the block."""

    inputs: dict
    outputs: list
    operations: list

    def walk(self):
        """All operations, with those of inner blocks after the operation that holds them."""
        for operation in self.operations:
            yield operation
            for block in operation.blocks:
                yield from block.walk()


@dataclass(frozen=True)
class Function:
    """A function of the program: typed inputs and a block, for the operator set `opset`."""

    inputs: dict
    opset: str
    block: Block


@dataclass(frozen=True)
class Program:
    """An ML program: `functions` by name; packages with one function call it "main"."""

    functions: dict
    version: int

    def walk(self):
        """All operations of all functions."""
        for function in self.functions.values():
            yield from function.block.walk()


def read_program(message, find_blob):
    """Build a program from its decoded message.

    Parameters
    ----------
    message : dict
        A "Program", as `protobuf.decode` returns it.
    find_blob : callable (file name, offset) -> Blob
        Looks up constants that lie in a weight file.

    Raises
    ------
    PackageError
        If the message describes no program, or a constant does not fit its type.
    """
    return _Reader(find_blob).program(message)


class _Reader:
    """Turns decoded messages into the classes above."""

    def __init__(self, find_blob):
        self.find_blob = find_blob

    def program(self, message):
        functions = {name: self.function(content) for name, content in message.get("functions", {}).items()}
        if not functions:
            raise PackageError("the program has no functions")
        return Program(functions, message.get("version", 0))

    def function(self, message):
        opset, blocks = message.get("opset", ""), message.get("block_specializations", {})
        if opset not in blocks:
            raise PackageError(f"a function has no block for its operator set {opset!r}")
        return Function(self.typed(message.get("inputs", [])), opset, self.block(blocks[opset]))

    def block(self, message):
        operations = [self.operation(content) for content in message.get("operations", [])]
        return Block(self.typed(message.get("inputs", [])), message.get("outputs", []), operations)

    def operation(self, message):
        # Files keep parameters as a map, in no order; sorted, a program reads the same every time.
        attributes = {name: self.value(part) for name, part in sorted(message.get("attributes", {}).items())}
        outputs = self.typed(message.get("outputs", []))
        name = attributes.pop("name", None)
        return Operation(
            op=message.get("type", ""),
            name=next(iter(outputs), "") if name is None else str(name.numpy()),
            inputs={name: self.arguments(part) for name, part in sorted(message.get("inputs", {}).items())},
            outputs=outputs,
            attributes=attributes,
            blocks=[self.block(content) for content in message.get("blocks", [])],
        )

    def arguments(self, message):
        return [
            binding["name"] if "name" in binding else self.value(binding.get("value", {}))
            for binding in message.get("arguments", [])
        ]

    def typed(self, messages):
        return {message.get("name", ""): self.type(message.get("type", {})) for message in messages}

    def type(self, message):
        if "tensorType" in message:
            tensor = message["tensorType"]
            code, sizes = tensor.get("dataType", 0), tensor.get("dimensions", [])
            if code not in DTYPES:
                raise PackageError(f"element type {code} is unknown")
            if tensor.get("rank", 0) not in (len(sizes), -1):
                raise PackageError(f"a type of rank {tensor['rank']} has {len(sizes)} sizes")
            return Type("tensor", DTYPES[code][0], tuple(map(_size, sizes)))
        for key, parts in _COMPOUND.items():
            if key in message:
                inner = message[key].get("types", [])
                if parts is not None:
                    inner = [message[key].get(part, {}) for part in parts]
                return Type(key.removesuffix("Type"), items=tuple(map(self.type, inner)))
        raise PackageError("a value has no type")

    def value(self, message):
        kind = self.type(message.get("type", {}))
        if "blobFileValue" in message:
            place = message["blobFileValue"]
            blob = self.find_blob(place.get("fileName", ""), place.get("offset", 0))
            if blob.dtype != kind.dtype and (blob.dtype, kind.dtype) != ("uint8", "bool"):
                raise PackageError(f"a constant of type {kind} lies in a blob of {blob.dtype}")
            return Value(kind, blob=_fits(blob, blob.count, kind))
        content = message.get("immediateValue", {})
        if "tensor" in content:
            return Value(kind, immediate=_tensor(content["tensor"], kind))
        if kind.kind == "tensor":
            raise PackageError(f"a constant of type {kind} has no value")
        if "dictionary" in content:
            pairs = content["dictionary"].get("values", [])
            items = [pair.get(end, {}) for pair in pairs for end in ("key", "value")]
        else:
            items = content.get("list", content.get("tuple", {})).get("values", [])
        return Value(kind, immediate=[self.value(item) for item in items])


# Types made of types: the parts that hold them (None: a list of its own).
_COMPOUND = {
    "listType": ("type",),
    "tupleType": None,
    "dictionaryType": ("keyType", "valueType"),
    "stateType": ("wrappedType",),
}


def _size(dimension):
    return dimension["constant"].get("size", 0) if "constant" in dimension else None


def _fits(content, count, kind):
    """`content`, if its number of elements is that of the type."""
    if None in kind.shape or count != math.prod(kind.shape):
        raise PackageError(f"a constant of type {kind} has {count} elements")
    return content


def _tensor(message, kind):
    """The elements of a constant that is in the program itself, as a flat array or list of text."""
    field, content = next(iter(message.items()), ("", {}))
    values = content.get("values", b"" if field == "bytes" else [])
    if (field == "strings") != (kind.dtype == "string"):
        raise PackageError(f"a constant of type {kind} holds {field or 'nothing'}")
    if field == "strings":
        return _fits(values, len(values), kind)
    if field == "bytes":  # types that the message has no field for, as they lie in memory
        packed, count = np.frombuffer(values, np.uint8), math.prod(size or 0 for size in kind.shape)
        if packed.size != nbytes(count, kind.dtype):
            raise PackageError(f"a constant of type {kind} has {packed.size} bytes")
        return _fits(elements(packed, kind.dtype, count), count, kind)
    try:
        return _fits(np.array(values, dtype=kind.dtype), len(values), kind)
    except (OverflowError, TypeError) as error:
        raise PackageError(f"a constant of type {kind} holds values of another") from error
