"""A program with compressed constants: one path for what is written and what is only predicted.

The program is gone through once. Each constant that a technique takes is replaced by the operations that
decompress it (`forms.write`), and every array, new or old, gets the next place in a new weight file. If the
store writes, the arrays are made; if it counts, they are not, which takes a moment in place of minutes. So what
is predicted is what is written, in structure, names and bytes.

Not here: which technique a weight is given (`toykit.coreml.tools.compression`), and the files
(`toykit.coreml.writing.packages`).
"""

from collections import Counter

from ...stored.parts import Part
from ...stored.prediction import fill, predict
from ..format import protobuf
from . import forms
from .candidates import Constants

# iOS 15 has no compressed constants. What an operator is given there means the same in iOS 16.
_RAISED = {"CoreML5": "CoreML6"}


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
        self._found = {label: Constants(function.block) for label, function in functions.items()}
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
