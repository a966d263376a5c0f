"""What the weights of a program are called.

Core AI's constants have no names. But every operator has a place, where coreai-torch writes what a debugger needs:
source files, lines, and the classes of the modules that called it. `toykit.coreai.convert` writes something else
there: the name of a weight as the torch module has it ("layer1.0.conv1.weight"), and the module of an operator. A
place goes through files and through compression unchanged, so a weight has one name in all of them.

Of a program from elsewhere, a weight is called by the class and number of the module that uses it ("Linear_2.weight"),
or, where a place says nothing, by the operator and its number in the program ("conv2d_0.weight").
"""

import hashlib
import re
from collections import Counter

from .._optional import require
from .asset import PURPOSE
from .program import CONSTANT, operations, read

_WEIGHT, _MODULE = "weight", "module"
_ROLES = {
    "conv": "weight",
    "matmul": "weight",
    "gather": "weight",
    "add": "bias",
}
_SEES_THROUGH = ("transpose", "reshape", "cast", "broadcast", "expand_dims", "squeeze")


def write_names(program, exported):
    """Write the names of weights and modules into the places of a new program, in place of everything else.

    Parameters
    ----------
    program : coreai.authoring.AIProgram
        With the places that coreai-torch writes by default.
    exported : torch.export.ExportedProgram
        From which it was converted.
    """
    bindings = require("coreai._compiler._mlir_libs._coreaiIR", PURPOSE)._bindings.mlir
    modules = {
        node.name: list(stack.values())[-1][0]
        for node in exported.graph.nodes
        if (stack := node.meta.get("nn_module_stack"))
    }
    names = _Names(exported)
    module = program._module._mlir_module.operation
    for operation in list(operations(program)):
        sources = [
            name for source in bindings.get_source_info(operation.location) for name in source.identifiers
        ]
        path = next((modules[name] for name in sources if name in modules), "")
        notes = {_MODULE: path} if path else {}
        if operation.name == CONSTANT and (name := names.find(operation, path)):
            notes[_WEIGHT] = name
        number = bindings.get_operation_id(operation.location, "coreai")
        _set_place(bindings, operation, notes, number)
    for outer in (module, *(block_op.operation for block_op in module.regions[0].blocks[0].operations)):
        _set_place(bindings, outer, {}, bindings.get_operation_id(outer.location, "coreai"))
    for operation in (
        module,
        *(one.operation for one in module.regions[0].blocks[0].operations),
        *operations(program),
    ):
        for region in operation.regions:
            for block in region.blocks:
                for argument in block.arguments:
                    bindings.set_block_arg_location(argument, module.location)


class _Names:
    """The parameters of an exported program, to be found by their bytes, or by their module."""

    def __init__(self, exported):
        self.shapes, self.by_bytes = {}, {}
        for name, tensor in {**exported.constants, **exported.state_dict}.items():
            if hasattr(tensor, "shape"):
                self.shapes[name] = tuple(tensor.shape)
                self.by_bytes.setdefault(_digest(_bytes(tensor)), []).append(name)

    def find(self, operation, path):
        part = read(operation)
        if not part.shape:
            return None
        equal = self.by_bytes.get(_digest(part.array.tobytes()), [])
        inside = [name for name in self.shapes if name.rpartition(".")[0] == path]
        if equal:
            return next((name for name in equal if name in inside), equal[0])
        # Folded with another constant, such as a batch norm: no longer its bytes, but still of its shape.
        same = [name for name in inside if self.shapes[name] == part.shape]
        same += [name for name in inside if _count(self.shapes[name]) == part.count > 1]
        return same[0] if same and part.dtype.startswith(("float", "bfloat")) else None


def _count(shape):
    count = 1
    for length in shape:
        count *= length
    return count


def _bytes(tensor):
    """A tensor as the converter stores it: of at most 32 bits."""
    torch = require("torch", "toykit.coreai.convert needs torch to export the model")
    narrow = {torch.int64: torch.int32, torch.float64: torch.float32, torch.bfloat16: torch.float32}
    tensor = tensor.detach().cpu()
    return tensor.to(narrow.get(tensor.dtype, tensor.dtype)).contiguous().numpy().tobytes()


def _digest(data):
    return hashlib.sha256(data).digest()


def _set_place(bindings, operation, notes, number):
    ir = require("coreai._compiler.ir", PURPOSE)
    attrs = require("coreai._compiler.dialects.debuginfo.attrs", PURPOSE)
    context = operation.context
    with context:
        metadata = [attrs.metadata_attr(key, data=ir.StringAttr.get(text)) for key, text in notes.items()]
        if number is not None:
            metadata.append(attrs.create_op_id_metadata(dialect_type="coreai", value=number.value))
        place = attrs.location_attr(ir.Location.file("-", 0, 0), ir.UnitAttr.get(), metadata=metadata)
    bindings.set_op_location(operation, place)


class Namer:
    """Names for the weights of a program, in its order."""

    def __init__(self, program):
        numbers, counts = {}, Counter()
        for operation in operations(program):
            kind = short_name(operation)
            numbers[hash(operation)] = counts[kind]
            counts[kind] += 1
        self._numbers, self._given = numbers, set()

    def name(self, operation, user):
        """The name of the weight that `operation` results in; `user` uses it first."""
        name = self._find(operation, user)
        number = 2
        while name in self._given:
            name, number = f"{name.rpartition('_')[0] if number > 2 else name}_{number}", number + 1
        self._given.add(name)
        return name

    def _find(self, operation, user):
        place = str(operation.location)
        if found := re.search(rf'<"{_WEIGHT}": "(.*?)">', place):
            return found[1]
        while short_name(user).startswith(_SEES_THROUGH) and (uses := list(user.results[0].uses)):
            user = uses[0].owner.operation
        role = next((role for part, role in _ROLES.items() if part in short_name(user)), "constant")
        calls = re.search(r'<"call_stack": \["(.*?)"(, )?', place) or re.search(
            r'<"call_stack": \["(.*?)"(, )?', str(user.location)
        )
        if calls and calls[2]:
            return f"{calls[1].replace('$', '_')}.{role}"
        return f"{short_name(user)}_{self._numbers[hash(user)]}.{role}"


def short_name(operation):
    """An operator without what says that it broadcasts, or is made of others: "batch_matmul"."""
    return operation.name.removeprefix("coreai.").removeprefix("decomposable.").removeprefix("broadcasting_")
