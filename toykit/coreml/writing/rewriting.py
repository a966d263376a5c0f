"""A program with compressed constants: one path for what is written and what is only predicted.

The program is gone through once. Each constant that a technique takes is replaced by the operations that
decompress it (`forms.write`), and every array, new or old, gets the next place in a new weight file. If the
store writes, the arrays are made; if it counts, they are not, which takes a moment in place of minutes. So what
is predicted is what is written, in structure, names and bytes.

Not here: which technique a weight is given (`toykit.coreml.tools.compression`), and the files
(`toykit.coreml.writing.packages`).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from ...stored.prediction import fill, predict
from ..format import protobuf
from ..format.program import Function, Operation, Program
from . import forms, messages
from .candidates import constants_in

_ON_FILE = b"@model_path/"  # what a message holds that has an array of a weight file


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
    version : int
        Of the specification, which is raised to it.
    constants : dict of str to Constants, optional
        What `constants_in(package)` returned, for who rewrites a program several times.

    Attributes
    ----------
    program : Program
        The new one.
    content : bytes
        Its message. What did not change is as it was, to the byte.
    spec_version : int
        That of the package, but iOS 16's and `version` at least.
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

    def __init__(self, package, steps_of, store, progress=None, version=forms.IOS16, constants=None):
        self._package, self._steps_of, self._store, self._progress = package, steps_of, store, progress
        self.spec_version = max(package.spec_version, forms.IOS16, version)
        self.exact, self.declined, self.stored, self.sources, self.operations = True, {}, {}, {}, {}
        found = constants_in(package) if constants is None else constants
        store.together = len(found) > 1
        self._total = sum(len(constants.floats) for constants in found.values())
        self._uses = Counter(place for constants in found.values() for place in constants.places.values())
        self._made = {}
        self._done = 0
        functions = {}
        for self._label, function in package.program.functions.items():
            self._constants, self._renamed = found[self._label], {}
            self._names = set(self._constants.names)
            functions[self._label] = self._function(function)
        self.program = Program(functions, package.program.version)
        changes = {"Function": lambda _, label: functions[label].source}
        self.content = self._message("", package.program_bytes, "Program", changes)

    def _function(self, function: Function):
        opsets = protobuf.decode(function.source, "Function", leave=("Block",))["block_specializations"]
        if len(opsets) > 1:
            raise ValueError(
                f"{self._package}: function {self._label!r} has blocks for several operator sets"
            )
        block = self._block(function.block)
        source = self._message(self._label, function.source, "Function", {"Block": lambda *_: block.source})
        opset = function.opset
        if self.spec_version > self._package.spec_version:
            opset = f"CoreML{self.spec_version - 1}"  # 5 came with iOS 15, and version 6 of the specification
            name = opset.encode()
            source = protobuf.replace(source, {2: name, 3: lambda entry: protobuf.replace(entry, {1: name})})
        return replace(function, opset=opset, block=block, source=source)

    def _block(self, block):
        scope, groups = id(block), []
        self._forget(block.inputs)
        for operation in block.operations:
            blocks = [self._block(inner) for inner in operation.blocks]
            self._forget(operation.outputs)
            new = self._compress(scope, operation)
            groups.append([self._moved(scope, operation, blocks)] if new is None else new)
        sources = iter([operation.source for operation in group] for group in groups)
        source = self._message(scope, block.source, "Block", {"Operation": lambda *_: next(sources)})
        return replace(
            block, operations=[operation for group in groups for operation in group], source=source
        )

    def _forget(self, made):
        """Names that are made anew: what had them before belonged to another block."""
        for name in made:
            self._renamed.pop(name, None)

    def _compress(self, scope, operation):
        """The operations that stand for a constant, or None if it stays as it is."""
        weight = self._constants.floats.get(operation)
        if weight is None:
            return None
        (name,) = operation.outputs
        label = self._package.full_name(self._label, name)
        steps = self._steps_of(label)
        operations = None
        if steps:
            self.sources[label] = weight
            self.operations[label] = operation.name
            here, (scope, stored, parts) = scope, self._stored(scope, operation, weight, steps)
            if operation in self._constants.results:
                reasons = tuple(f"{technique}: it is a result of the network" for technique, _ in steps)
                stored = type(stored)(declined=reasons)
            self.exact &= stored.exact
            if stored.declined:
                self.declined[label] = stored.declined
            if stored.parts:
                self.stored[label] = stored
                operations = self._write(scope, operation, parts, here)
        if self._store.writes:
            self._package.release_pages()
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
        return operations

    def _stored(self, scope, operation, weight, steps):
        """What becomes of a weight, with its arrays if they are written, and the block that has them.

        Constants that share an array in the source, such as those of two functions, share what becomes of
        it: it is made once.
        """
        place = self._constants.places[operation]
        key = place, weight.shape, weight.output_axis, weight.input_axis, repr(steps)
        if key in self._made:
            return self._made[key]
        stored = predict(weight, steps, forms.IN_PROGRAM, forms.widths(self.spec_version))
        parts = fill(weight, stored).parts if stored.parts and self._store.writes else stored.parts
        if self._uses[place] > 1:
            self._made[key] = scope, stored, self._store.known(parts)
        return scope, stored, parts

    def _write(self, scope, constant, parts, here):
        operations = []
        ((name, kind),) = constant.outputs.items()

        def add(op, wanted, given, *kinds, once=False):
            name = self._unused(wanted)
            outputs = [name] if len(kinds) == 1 else [f"{name}_{number}" for number in range(len(kinds))]
            values = self._store.values(scope, op, outputs, given)
            # What another block makes cannot be seen from here.
            if once and scope == here and (same := self._store.same(scope, outputs)):
                return same
            attributes, inputs = values, {}
            if self.spec_version >= forms.IOS18:
                attributes, inputs = {}, {parameter: [value] for parameter, value in values.items()}
            made = Operation(op, name, inputs, dict(zip(outputs, kinds, strict=True)), attributes, [])
            operations.append(replace(made, source=messages.encode_operation(made, self._store.name)))
            return outputs

        # coremltools names by the operation, which has a word before it where the layer's name is a number.
        self._renamed[name] = forms.write(constant.name, kind, parts, self.spec_version, add)
        return operations

    def _unused(self, name):
        """The name, or with a number if the program has it already."""
        free, number = name, 0
        while free in self._names:
            free, number = f"{name}_{number}", number + 1
        self._names.add(free)
        return free

    def _moved(self, scope, operation, blocks):
        """An operation that stays: with new places, new names of what it uses, and its blocks."""
        arrays = sorted((v for _, v in operation.constants if v.blobs), key=lambda v: v.blobs[0].offset)
        renamed = not self._renamed.keys().isdisjoint(operation.names)
        if not (arrays or renamed or blocks or _ON_FILE in bytes(operation.source)):
            return operation
        new = self._renamed | {id(value): self._placed(scope, value) for value in arrays}

        def new_of(given):
            return new.get(given if isinstance(given, str) else id(given), given)

        sources = iter(blocks)
        changes: dict[str, Callable] = {"Block": lambda *_: next(sources).source}
        if renamed:
            changes["Argument"] = lambda argument, _: self._renamed_in(scope, argument)
        return replace(
            operation,
            attributes={parameter: new_of(value) for parameter, value in operation.attributes.items()},
            inputs={parameter: list(map(new_of, values)) for parameter, values in operation.inputs.items()},
            blocks=blocks,
            source=self._message(scope, operation.source, "Operation", changes),
        )

    def _placed(self, scope, value):
        """A constant with its arrays at their new places."""
        if value.blobs and value.blob is None:
            return replace(value, immediate=[self._placed(scope, item) for item in value.immediate])
        return replace(value, blob=value.blob and self._store.move(scope, value.blob, value.type.shape))

    def _renamed_in(self, scope, argument):
        """The message of what an operation is given: constants at their new places, results by their new names."""

        def name(old):
            old = str(old, "utf-8")
            return self._renamed.get(old, old).encode()

        argument = protobuf.replace(argument, {1: lambda binding: protobuf.replace(binding, {1: name})})
        return self._message(scope, argument, "Argument", {})

    def _message(self, scope, source, kind, changes):
        """A message with the arrays in it at their new places, and other changes."""

        def place(content, _):
            old = protobuf.decode(content, "Value.BlobFileValue")
            blob = self._package.find_blob(old.get("fileName", ""), old.get("offset", 0))
            return messages.encode_place(
                self._store.name, self._store.move(scope, blob, (blob.count,)).offset
            )

        return protobuf.rewrite(source, kind, changes | {"Value.BlobFileValue": place}, _ON_FILE)
