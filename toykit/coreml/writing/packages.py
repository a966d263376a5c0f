"""Write a package with compressed weights, or say what it would weigh: one path for both.

The program is gone through once. Each constant that a technique takes is replaced by the operations that
decompress it (`forms.write`), and every array, new or old, gets the next place in a new weight file. With
`arrays` the arrays are made and written; without, they are counted, which takes a moment in place of
minutes. So what is predicted is what is written, in structure, names and bytes.

Which constants are compressed is coremltools' rule: floats that some operation uses, of two dimensions or
more and more elements than `weight_threshold` (2,048). So is what is stored once (`_Store`); but where
coremltools takes constants for equal that differ by up to 6e-8, here they must be equal to the bit, and
what is left as it is does not change.

Not here: which technique a weight is given (`toykit.coreml.tools.compression`).
"""

import shutil
import struct
import tempfile
import weakref
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...stored.arrays import Beginning
from ...stored.parts import Part, Weight, digest
from ...stored.prediction import fill, predict
from ..format import protobuf, weightbin
from ..format.package import Package, PackageError
from ..format.schema import MODEL_KINDS
from ..format.weightbin import Blob
from . import forms

_FLOATS = ("float16", "float32")
_VERSION, _PROGRAM = 1, 502  # numbers of the fields of a model that hold its version and an ML program
_CODES = {name: code for code, name in weightbin.STORED.items()}
# iOS 15 has no compressed constants. What an operator is given there means the same in iOS 16.
_RAISED = {"CoreML5": "CoreML6"}


class Store:
    """A weight file, written or only counted.

    Parameters
    ----------
    name : str
        By which the program refers to it.
    file : binary file, optional
        Without one, nothing is written.

    Attributes
    ----------
    end : int
        Bytes so far.
    blobs : dict of int to Blob
        By the places of their records; they cannot be read.
    path : Path
    digests : dict of int to bytes
        Of what was written.
    together : bool
        Whether equal arrays of all blocks are stored once, as where several functions share weights; else
        those of each block, which is coremltools' rule.
    """

    def __init__(self, name, file=None):
        self.together = False
        self.name, self.path, self._file = name, Path(name), file
        self.end, self.blobs, self.digests = weightbin.ALIGNMENT, {}, {}
        self._arrays, self._operations, self._results, self._moved = {}, {}, {}, {}

    @property
    def writes(self):
        return self._file is not None

    def move(self, scope, key, part):
        """The place of an array of the source, which keeps what it shared there."""
        if key not in self._moved:
            self._moved[key] = self.place(scope, part)
        return self._moved[key]

    def place(self, scope, part):
        """The place of an array: that of an equal one of the same block, or the next."""
        offset = self._equal(scope, part)
        return self._append(scope, part) if offset is None else offset

    def values(self, scope, op, outputs, given):
        """What an operation is given, as messages: arrays are placed.

        Equal arrays of 100 elements or more are stored once, and so is everything that an operation is
        given if another one of the same kind is given the same.
        """
        small = [value for value in given.values() if isinstance(value, Part) and not _shared(value)]
        places = {name: self._equal(scope, part) for name, part in given.items() if _shared(part)}
        if None not in places.values():
            for others, messages, results in self._operations.get(self._key(scope, op, given, places), ()):
                if all(map(_equal, small, others)):
                    same = zip(outputs, results, strict=True)
                    self._results |= {
                        (scope, name): self._results.get(result, result) for name, result in same
                    }
                    # Names of results belong to a block, places of arrays to all.
                    return messages | {name: value for name, value in given.items() if isinstance(value, str)}
        messages = {name: self._message(scope, value) for name, value in given.items()}
        places = {name: messages[name]["blobFileValue"]["offset"] for name in places}
        known = [self._light(part) for part in small], messages, [(scope, name) for name in outputs]
        self._operations.setdefault(self._key(scope, op, given, places), []).append(known)
        return messages

    def _key(self, scope, op, given, places):
        """What operations that are given the same have in common, up to their small arrays."""

        def word(name, value):
            if name in places:
                return places[name]
            if isinstance(value, Part):
                return value.dtype, value.shape
            return (
                repr(value) if isinstance(value, dict) else self._results.get((scope, value), (scope, value))
            )

        return self._reach(scope), op, *(word(name, value) for name, value in given.items())

    def _reach(self, scope):
        return None if self.together else scope

    def _message(self, scope, value):
        if not isinstance(value, Part):
            return value
        if value.count < forms.IN_PROGRAM:
            return forms.immediate(value)
        kind = forms.tensor_type(value.dtype, value.shape)
        return {"type": kind, "blobFileValue": {"fileName": self.name, "offset": self.place(scope, value)}}

    def _equal(self, scope, part):
        """The place of an equal array that is stored already, or None."""
        if not _shared(part):
            return None
        for other, offset in self._arrays.get((self._reach(scope), part.dtype, part.shape), ()):
            if _equal(part, other):
                return offset
        return None

    def _append(self, scope, part):
        offset = weightbin.aligned(self.end)
        start, self.end = offset + weightbin.ALIGNMENT, offset + weightbin.ALIGNMENT + part.nbytes
        self.blobs[offset] = Blob(offset, part.dtype, part.count, part.nbytes, start, self)
        if self.writes:
            content = memoryview(np.ascontiguousarray(part.content)).cast("B")
            unused = 8 * part.nbytes - part.count * weightbin.BITS[part.dtype]
            record = struct.pack("<IIQQQ", weightbin.SENTINEL, _CODES[part.dtype], part.nbytes, start, unused)
            self._file.seek(offset)
            self._file.write(record.ljust(weightbin.ALIGNMENT, b"\0"))
            self._file.write(content)
            self.digests[offset] = part.digest()
        if _shared(part):
            key = self._reach(scope), part.dtype, part.shape
            self._arrays.setdefault(key, []).append((self._light(part), offset))
        return offset

    def known(self, parts):
        """The parts of a weight without the long ones' contents, for who writes them a second time."""
        long = ("codes", "indices", "values", "mask")
        return {
            name: self._light(part) if name in long and _shared(part) else part
            for name, part in parts.items()
        }

    def _light(self, part):
        """The part without its content, if that was made and not found."""
        if not self.writes:
            return part
        return replace(part, content=None, origin=_Known(_sketch(part), part.digest()))

    def close(self):
        """Write the header."""
        self._file.seek(0)
        self._file.write(struct.pack("<II", len(self.blobs), 2).ljust(weightbin.ALIGNMENT, b"\0"))


@dataclass
class _Known:
    """What is left of an array that was written: enough to know an equal one."""

    sketch: Beginning
    known: bytes

    def digest(self):
        return self.known


def _sketch(part):
    if part.content is None:
        return part.origin.sketch
    beginning = bytes(memoryview(part.content).cast("B")[:64])
    return Beginning(lambda: beginning)


def _shared(value):
    return isinstance(value, Part) and value.count >= forms.STORED_ONCE


def _equal(part, other):
    if part.origin is not None and part.origin is other.origin:  # given to two operations
        return True
    ours, theirs = _sketch(part), _sketch(other)
    if ours is not None and theirs is not None and (ours.differs(theirs) or theirs.differs(ours)):
        return False
    return part.digest() == other.digest()


class Rewriter:
    """Puts compressed constants into a program.

    Parameters
    ----------
    package : Package
        With an ML program.
    steps_of : callable (name) -> list of (technique, options)
        What is asked of a constant; an empty list leaves it alone.
    store : Store
    progress : callable (done, total), optional
        Called after each weight.

    Attributes
    ----------
    program : dict
        The new "Program" message.
    spec_version : int
        That of the package, but iOS 16's at least.
    exact : bool
    declined : dict of str to tuple of str
        Weights that stay as they are, or take only some of the techniques -> why.
    stored : dict of str to Stored
        What became of the others, without contents.
    sources : dict of str to Weight
        Every constant that was asked about.
    operations : dict of str to str
        The same constants -> names of their operations, which coremltools goes by.
    """

    def __init__(self, package, steps_of, store, progress=None):
        self._package, self._steps_of, self._store, self._progress = package, steps_of, store, progress
        self.spec_version = max(package.spec_version, forms.IOS16)
        self.exact, self.declined, self.stored, self.sources, self.operations = True, {}, {}, {}, {}
        functions = package.program.functions
        store.together = len(functions) > 1
        self.program = protobuf.decode(package.program_bytes, "Program", protobuf.Fields(package.field_limit))
        messages = self.program.get("functions", {})
        self._found = {label: _Constants(function.block) for label, function in functions.items()}
        self._total = sum(len(found.floats) for found in self._found.values())
        self._uses = Counter(place for found in self._found.values() for place in found.places.values())
        self._made = {}
        self._done = 0
        for label, function in functions.items():
            message = messages[label]
            blocks = message["block_specializations"]
            if len(blocks) > 1:
                raise ValueError(f"{package}: function {label!r} has blocks for several operator sets")
            message["opset"] = _RAISED.get(function.opset, function.opset)
            message["block_specializations"] = {message["opset"]: blocks[function.opset]}
            self._label = label
            self._function(function.block, blocks[function.opset], self._found[label])
            self._move(label, message)
        self._move("", {"attributes": self.program.get("attributes", {})})

    def _function(self, block, message, found):
        self._constants, self._renamed, self._names = found, {}, set(found.names)
        self._block(block, message)
        if self._renamed:
            _rename(message, self._renamed)

    def _block(self, block, message):
        scope, written = id(block), []
        for operation, content in zip(block.operations, message.get("operations", []), strict=True):
            for inner, inside in zip(operation.blocks, content.get("blocks", []), strict=True):
                self._block(inner, inside)
            name = next(iter(operation.outputs), None)
            new = self._compress(scope, name, content) if name in self._constants.floats else None
            if new is None:
                self._move(scope, content)
                new = [content]
            written += new
        if written:
            message["operations"] = written
        self._move(scope, {"attributes": message.get("attributes", {})})

    def _compress(self, scope, name, content):
        """The operations that stand for a constant, or None if it stays as it is."""
        weight, label = self._constants.floats[name], self._package.full_name(self._label, name)
        steps = self._steps_of(label)
        operations = None
        if steps:
            self.sources[label] = weight
            self.operations[label] = self._constants.operations[name]
            scope, stored, parts = self._stored(scope, name, weight, steps)
            if name in self._constants.results:
                reasons = tuple(f"{technique}: it is a result of the network" for technique, _ in steps)
                stored = type(stored)(declined=reasons)
            self.exact &= stored.exact
            if stored.declined:
                self.declined[label] = stored.declined
            if stored.parts:
                self.stored[label] = stored
                operations = self._write(scope, name, content, parts)
        if self._store.writes:
            self._package.let_go()
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
        return operations

    def _stored(self, scope, name, weight, steps):
        """What becomes of a weight, with its arrays if they are written, and the block that has them.

        Constants that share an array in the source, such as those of two functions, share what becomes of
        it: it is made once.
        """
        key = self._constants.places[name], weight.shape, weight.output_axis, weight.input_axis, repr(steps)
        if key in self._made:
            return self._made[key]
        stored = predict(weight, steps, forms.IN_PROGRAM, forms.widths(self.spec_version))
        parts = fill(weight, stored).parts if stored.parts and self._store.writes else stored.parts
        if self._uses[key[0]] > 1:
            self._made[key] = scope, stored, self._store.known(parts)
        return scope, stored, parts

    def _write(self, scope, name, content, parts):
        operations = []

        def add(op, wanted, given, *kinds):
            name = self._unused(wanted)
            outputs = [name] if len(kinds) == 1 else [f"{name}_{number}" for number in range(len(kinds))]
            values = self._store.values(scope, op, outputs, given)
            typed = [{"name": output, "type": kind} for output, kind in zip(outputs, kinds, strict=True)]
            attributes = {"name": forms.text(name)}
            if self.spec_version < forms.IOS18:
                operations.append({"type": op, "outputs": typed, "attributes": attributes | values})
            else:
                inputs = {
                    parameter: {
                        "arguments": [{"name": value} if isinstance(value, str) else {"value": value}]
                    }
                    for parameter, value in values.items()
                }
                operations.append({"type": op, "inputs": inputs, "outputs": typed, "attributes": attributes})
            return outputs

        kind = content["outputs"][0]["type"]
        self._renamed[name] = forms.write(name, kind, parts, self.spec_version, add)
        return operations

    def _unused(self, name):
        """The name, or with a number if the program has it already."""
        free, number = name, 0
        while free in self._names:
            free, number = f"{name}_{number}", number + 1
        self._names.add(free)
        return free

    def _move(self, scope, message):
        """Give the arrays of a message their new places, in their old order."""
        values = sorted(_on_file(message), key=lambda value: value["blobFileValue"].get("offset", 0))
        for value in values:
            place = value["blobFileValue"]
            old = place.get("fileName", ""), place.get("offset", 0)
            blob = self._package.find_blob(*old)
            part = Part(blob.dtype, forms.shape_of(value.get("type", {})), blob.packed)
            value["blobFileValue"] = {
                "fileName": self._store.name,
                "offset": self._store.move(scope, old, part),
            }


def constants_of(package, threshold):
    """Constants of more than `threshold` elements that may be compressed: name -> that of its operation."""
    names = {}
    for part in package.programs:
        for label, function in part.program.functions.items():
            constants = _Constants(function.block)
            for name, weight in constants.floats.items():
                if weight.size > threshold:
                    names[part.full_name(label, name)] = constants.operations[name]
    return names


class _Constants:
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
        return Weight(shape, value.type.dtype, value.numpy, *self._axes(self._uses[name], len(shape)))

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
        agreed = (axis.pop() if len(axis) == 1 else None for axis in (outputs, inputs))
        return *agreed, groups, structured

    def _number(self, operation, parameter, default):
        """A number or truth value that an operation is given."""
        for argument in operation.inputs.get(parameter, ()):
            value = self._constants.get(argument) if isinstance(argument, str) else argument
            if value is not None and value.type.kind == "tensor" and value.type.dtype != "string":
                elements = np.ravel(value.numpy())
                return elements[0] if elements.size else default
        return default


def _on_file(message):
    """The "Value" messages inside a message that are places in a weight file; not those of inner blocks."""
    if isinstance(message, dict):
        if "blobFileValue" in message:
            yield message
        for key, inner in message.items():
            if key not in ("blocks", "block_specializations"):
                yield from _on_file(inner)
    elif isinstance(message, list) and message and isinstance(message[0], dict):
        for inner in message:
            yield from _on_file(inner)


def _rename(block, names):
    """Use results by their new names."""
    block["outputs"] = [names.get(name, name) for name in block.get("outputs", [])]
    for operation in block.get("operations", []):
        for argument in operation.get("inputs", {}).values():
            for binding in argument.get("arguments", []):
                if "name" in binding:
                    binding["name"] = names.get(binding["name"], binding["name"])
        for inner in operation.get("blocks", []):
            _rename(inner, names)


def model_bytes(package, rewriters):
    """The model file with a new program for each; everything else in it stays as it is, to the byte."""

    def changed(model, rewritten):
        changes = {_VERSION: rewritten.spec_version, _PROGRAM: protobuf.encode(rewritten.program, "Program")}
        return protobuf.replace(model, changes)

    whole = package.model_file.read_bytes()
    if not package.models:
        return changed(whole, *rewriters)
    parts, new = iter(package.models), iter(rewriters)

    def models(pipeline):
        def change(model):
            return changed(model, next(new)) if next(parts).kind == "mlProgram" else model

        return protobuf.replace(pipeline, {1: change})

    field = next(number for number, kind in MODEL_KINDS.items() if kind == package.kind)
    inside = models if package.kind == "pipeline" else lambda content: protobuf.replace(content, {1: models})
    version = max(package.spec_version, *(rewritten.spec_version for rewritten in rewriters))
    return protobuf.replace(whole, {_VERSION: version, field: inside})


def weight_file(package):
    """The name by which the program refers to its weights, and the file's path inside the package."""
    root = package.path.resolve()
    for name, weights in package.weight_files.items():
        return name, weights.path.relative_to(root)
    return "@model_path/weights/weight.bin", None


def write_package(package, steps_of, progress=None):
    """Compress constants of a package.

    Parameters
    ----------
    package : Package
        Left as it is.
    steps_of, progress
        As in `Rewriter`.

    Returns
    -------
    Package
        In a folder of its own, which goes when the object goes.
    """
    folder = Path(tempfile.mkdtemp(prefix="toykit-"))
    try:
        path = _write(package, steps_of, folder / package.path.name, progress)
        written = Package(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(written, shutil.rmtree, folder, ignore_errors=True)
    return written


def _write(package, steps_of, path, progress):
    root = package.path.resolve()
    model = package.model_file.relative_to(root)
    replaced = {model, *(old.path.relative_to(root) for old in package.weight_files.values())}

    def skip(folder, names):
        here = Path(folder).relative_to(root)
        return [name for name in names if here / name in replaced]

    shutil.copytree(root, path, symlinks=True, ignore=skip)
    rewriters, digests = [], []
    for part in package.programs:
        name, weights = weight_file(part)
        store = Store(name)
        if weights is None:
            rewriters.append(Rewriter(part, steps_of, store, progress))
        else:
            with (path / weights).open("wb") as file:
                store = Store(name, file)
                rewriters.append(Rewriter(part, steps_of, store, progress))
                store.close()
        digests.append(store.digests)
    (path / model).write_bytes(model_bytes(package, rewriters))
    for written, rewritten, known in zip(Package(path).programs, rewriters, digests, strict=True):
        _check(written, rewritten, known)
    return path


def _check(written, rewritten, digests):
    """Read back what was written: the program, and every array, bit for bit."""
    path = written.path
    program = protobuf.decode(written.program_bytes, "Program")
    if protobuf.encode(program, "Program") != protobuf.encode(rewritten.program, "Program"):
        raise PackageError(f"{path.name}: the program that was written is not the one that was made")
    users = {}
    for operation in written.program.walk():
        for value in _values(operation):
            if value.blob is not None:
                users.setdefault(value.blob.offset, (operation.name, value.blob))
    for offset, (name, blob) in users.items():
        if digest(blob.packed) != digests[offset]:
            raise PackageError(f"{path.name}: what was written of {name!r} is not what was made")


def _values(operation):
    yield from operation.attributes.values()
    for arguments in operation.inputs.values():
        yield from (argument for argument in arguments if not isinstance(argument, str))
