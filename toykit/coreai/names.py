"""What the weights of a program are called.

Core AI's constants have no names. But every operator has a place, where coreai-torch writes what a debugger needs:
source files, lines, and the classes of the modules that called it. `toykit.coreai.convert` writes something else
there: the name of a weight as the torch module has it ("layer1.0.conv1.weight"), and the module of an operator. A
place goes through files and through compression unchanged, so a weight has one name in all of them.

Of a program from elsewhere, a weight is called by the class and number of the module that uses it ("Linear_2.weight"),
or, where a place says nothing, by the operator and its number in the program ("conv2d_0.weight").
"""

import hashlib
import math
import re
from collections import Counter

from .._optional import require
from .asset import apples
from .program import CONSTANT, functions, operations, read, type_of, weights_in_use

_WEIGHT, _MODULE = "weight", "module"
_ROLES = {"conv": "weight", "matmul": "weight", "gather": "weight", "add": "bias"}
_SEES_THROUGH = (
    "transpose",
    "reshape",
    "cast",
    "broadcast",
    "expand_dims",
    "squeeze",
    "quantize",
    "dequantize",
)


def write_names(program, exported):
    """Write the names of weights and modules into the places of a new program, in place of everything else.

    Parameters
    ----------
    program : coreai.authoring.AIProgram
        With the places that coreai-torch writes by default.
    exported : torch.export.ExportedProgram
        From which it was converted.
    """
    bindings = apples("coreai._compiler._mlir_libs._coreaiIR")._bindings.mlir
    modules = {
        node.name: list(stack.values())[-1][0]
        for node in exported.graph.nodes
        if (stack := node.meta.get("nn_module_stack"))
    }

    def module_of(operation):
        sources = bindings.get_source_info(operation.location)
        names = [name for source in sources for name in source.identifiers]
        return next((modules[name] for name in names if name in modules), "")

    paths = [(operation, module_of(operation)) for operation in operations(program)]
    parameters, notes = _Parameters(exported), {}
    for value, operation, user in weights_in_use(program):
        path, user = module_of(operation), _real_user(user)
        name = parameters.find(operation, value, path or module_of(user))
        if name is None and (path := module_of(user)):
            name = f"{path}.{_role(user)}"
        if name is not None:
            notes[hash(operation)] = {_WEIGHT: name}
    outer = [program._module._mlir_module.operation, *functions(program)]
    for operation, path in (*paths, *((one, "") for one in outer)):
        own = notes.get(hash(operation), {}) | ({_MODULE: path} if path else {})
        _set_place(bindings, operation, own)
    for operation in (*outer, *operations(program)):
        for region in operation.regions:
            for argument in (one for block in region.blocks for one in block.arguments):
                bindings.set_block_arg_location(argument, outer[0].location)


class _Parameters:
    """The parameters of an exported program, to be found by their bytes, or by their module."""

    def __init__(self, exported):
        self._shapes, self._by_bytes = {}, {}
        for name, tensor in {**exported.constants, **exported.state_dict}.items():
            if hasattr(tensor, "shape"):
                self._shapes[name] = tuple(tensor.shape)
                if (data := _bytes(tensor)) is not None:
                    self._by_bytes.setdefault(_digest(data), []).append(name)

    def find(self, operation, value, path):
        inside = [name for name in self._shapes if name.rpartition(".")[0] == path]
        if operation.name == CONSTANT:
            equal = self._by_bytes.get(_digest(read(operation).array.tobytes()), [])
            if equal:
                return next((name for name in equal if name in inside), equal[0])
        if computed := re.match(
            r"(.*?)parametrizations\.(\w+)", path
        ):  # by a module of torch, as in training
            return computed[1] + computed[2]
        # Folded with another constant, such as a batch norm: no longer its bytes, but still of its shape.
        _, shape = type_of(value)
        return next(
            (
                name
                for fits in (lambda other: other == shape, lambda other: math.prod(other) == math.prod(shape))
                for name in inside
                if fits(self._shapes[name])
            ),
            None,
        )


def _bytes(tensor):
    """A tensor as the converter stores it: of at most 32 bits. None of one that is compressed."""
    torch = require("torch", "toykit.coreai.convert needs torch to export the model")
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return None
    narrow = {torch.int64: torch.int32, torch.float64: torch.float32, torch.bfloat16: torch.float32}
    tensor = tensor.detach().cpu().contiguous()
    return tensor.to(narrow.get(tensor.dtype, tensor.dtype)).flatten().view(torch.uint8).numpy().tobytes()


def _digest(data):
    return hashlib.sha256(data).digest()


def _set_place(bindings, operation, notes):
    ir = apples("coreai._compiler.ir")
    attrs = apples("coreai._compiler.dialects.debuginfo.attrs")
    number = bindings.get_operation_id(operation.location, "coreai")
    with operation.context:
        metadata = [attrs.metadata_attr(key, data=ir.StringAttr.get(text)) for key, text in notes.items()]
        if number is not None:
            metadata.append(attrs.create_op_id_metadata(dialect_type="coreai", value=number.value))
        place = attrs.location_attr(ir.Location.file("-", 0, 0), ir.UnitAttr.get(), metadata=metadata)
    bindings.set_op_location(operation, place)


class Namer:
    """Names for the weights of a program, in its order."""

    def __init__(self, program):
        self._numbers, self._given, counts = {}, set(), Counter()
        for operation in operations(program):
            kind = short_name(operation)
            self._numbers[hash(operation)] = counts[kind]
            counts[kind] += 1

    def name(self, operation, user):
        """The name of the weight that `operation` results in; `user` uses it first."""
        name = first = self._find(operation, user)
        number = 2
        while name in self._given:
            name, number = f"{first}_{number}", number + 1
        self._given.add(name)
        return name

    def _find(self, operation, user):
        place = str(operation.location)
        if found := re.search(rf'<"{_WEIGHT}": "(.*?)">', place):
            return _unescaped(found[1])
        user = _real_user(user)
        for one in (place, str(user.location)):
            calls = re.search(r'<"call_stack": \["(.*?)"(, )?', one)
            if calls and calls[2]:  # not the network itself
                return f"{calls[1].replace('$', '_')}.{_role(user)}"
        return f"{short_name(user)}_{self._numbers[hash(user)]}.{_role(user)}"


def _unescaped(text):
    """A text as it was before MLIR printed it, with two hexadecimal digits for each byte that is not plain ASCII."""
    plain = re.sub(
        rb"\\(\\|[0-9A-F]{2})",
        lambda found: b"\\" if found[1] == b"\\" else bytes.fromhex(found[1].decode()),
        text.encode(),
    )
    return plain.decode(errors="replace")


def _real_user(user):
    """The operator that a weight is for, behind those that give it another shape or type."""
    while short_name(user).startswith(_SEES_THROUGH) and (uses := list(user.results[0].uses)):
        user = uses[0].owner.operation
    return user


def _role(user):
    return next((role for part, role in _ROLES.items() if part in short_name(user)), "constant")


def short_name(operation):
    """An operator without what says that it broadcasts, or is made of others: "batch_matmul"."""
    return operation.name.removeprefix("coreai.").removeprefix("decomposable.").removeprefix("broadcasting_")
