"""A program of Core AI, as far as toykit asks it: its operators in order, and the numbers of its constants.

Everything that depends on how coreai's Python packages hold a program is in this module and `toykit.coreai.names`.
"""

import math
import re

import numpy as np

from ..coreml.constants.parts import Stored
from ..coreml.format.protobuf import PackageError
from ..small_floats import FORMATS
from .asset import apples

CONSTANT = "coreai.constant"
STAGES = (
    "blockwise_shift_scale",
    "lut_to_dense",
    "build_sparse_with_bitmask",
    "sparse_with_bitmask_to_dense",
    "lut_to_sparse_with_bitmask",
    "cast",
)
# Core AI's names of element types, and those of toykit and NumPy.
TYPES = {
    "f16": "float16",
    "f32": "float32",
    "bf16": "bfloat16",
    "f8E4M3FN": "fp8_e4m3",
    "f8E5M2": "fp8_e5m2",
    "f4E2M1FN": "fp4_e2m1",
    "f8E8M0FNU": "e8m0",
    "i1": "bool",
} | {
    f"{sign}i{bits}": f"{'u' if sign == 'u' else ''}int{bits}"
    for sign in "su"
    for bits in (1, 2, 3, 4, 6, 8, 16, 32)
}
_NUMPY = {
    "bfloat16": "uint16",
    "fp8_e4m3": "uint8",
    "fp8_e5m2": "uint8",
    "fp4_e2m1": "uint8",
    "e8m0": "uint8",
}


def functions(program):
    """The functions of a program."""
    return [one.operation for one in program._module._mlir_module.operation.regions[0].blocks[0].operations]


def operations(program):
    """Every operator of a program in its order, those inside of others too."""
    for function in functions(program):
        yield from _inside(function)


def _inside(operation):
    for region in operation.regions:
        for block in region.blocks:
            for one in block.operations:
                yield one.operation
                yield from _inside(one.operation)


def is_stage(operation):
    """Whether an operator may be part of a chain that decompresses a constant."""
    return operation.name.removeprefix("coreai.") in STAGES


def weights_in_use(program):
    """What may be a weight of a program, in the order in which operators use it.

    Yields
    ------
    value : coreai._compiler.ir.Value
    operation : coreai._compiler.ir.Operation
        That results in it: a constant, or the last operator of a chain that decompresses one.
    user : coreai._compiler.ir.Operation
        The first that uses it.
    """
    seen = set()
    for user in operations(program):
        if user.name == CONSTANT or is_stage(user):
            continue
        for value in user.operands:
            operation = getattr(value.owner, "operation", None)
            if operation is None or hash(value) in seen:
                continue
            seen.add(hash(value))
            if _may_be_weight(operation) if operation.name == CONSTANT else _begins_at_constants(operation):
                yield value, operation, user


def _begins_at_constants(operation):
    if operation is None or not is_stage(operation):
        return operation is not None and operation.name == CONSTANT
    return all(_begins_at_constants(getattr(value.owner, "operation", None)) for value in operation.operands)


def _may_be_weight(constant):
    dtype, shape = type_of(constant.results[0])
    if dtype is None or not shape:
        return False
    return is_large(constant) or dtype in FORMATS or dtype.startswith(("float", "bfloat"))


def type_of(value):
    """The element type and the shape of a value, or (None, ()) of one that is no tensor of known lengths."""
    kind = value.type
    element = str(getattr(kind, "element_type", None))
    if element not in TYPES or not getattr(kind, "has_static_shape", False):
        return None, ()
    return TYPES[element], tuple(kind.shape)


def is_large(operation):
    """Whether a constant is a blob of the file, apart from the program."""
    return type(operation.attributes["value"]).__name__ == "Attribute"


def is_even(operation):
    """Whether a constant repeats one number, which is stored once."""
    return bool(getattr(operation.attributes["value"], "is_splat", False))


def read(operation):
    """The numbers of a constant, as `toykit.coreml.constants` takes them.

    Parameters
    ----------
    operation : coreai._compiler.ir.Operation

    Returns
    -------
    Stored
        Elements of fewer than 8 bits are packed, as `toykit.bits` packs them. (coreai-opt's pass over programs gives
        each of FP4 a byte of its own, its Quantizer packs them; here they are packed.) Small floats are the bytes of
        their codes, bfloat16 is float32.
    """
    dtype, shape = type_of(operation.results[0])
    if dtype is None:
        raise PackageError(f"a constant is of type {operation.results[0].type}, which toykit does not know")
    size, bits = math.prod(shape), bits_of(dtype)
    raw = _bytes_of(operation, dtype, size)
    if _is_loose(dtype, raw):
        raw = np.pad(raw, (0, size % 2)).reshape(-1, 2)
        raw = raw[:, 0] | raw[:, 1] << 4
    raw = raw[: -(-size * bits // 8)]
    if bits < 8:
        return Stored(raw, dtype, shape)
    array = raw.view(_NUMPY.get(dtype, dtype)).reshape(shape)
    if dtype == "bfloat16":
        array, dtype = (array.astype(np.uint32) << 16).view(np.float32), "float32"
    array.flags.writeable = False
    return Stored(array, dtype, shape)


def is_loose_fp4(operation):
    """Whether a constant has codes of FP4 in a byte each."""
    if operation.name != CONSTANT or not is_large(operation):
        return False
    dtype, shape = type_of(operation.results[0])
    return dtype == "fp4_e2m1" and _is_loose(dtype, _bytes_of(operation, dtype, math.prod(shape)))


def _bytes_of(operation, dtype, size):
    """The bytes of a constant, and 255 where FP4 might have a byte for each code and has not."""
    bindings = apples("coreai._compiler._mlir_libs._coreaiIR")._bindings.compiler
    raw = np.full(size if dtype == "fp4_e2m1" else -(-size * bits_of(dtype) // 8), 255, np.uint8)
    bindings.copy_constant_value_to_array(constant_op=operation, destination=raw)
    return raw


def _is_loose(dtype, raw):
    return dtype == "fp4_e2m1" and (raw <= 15).all()


def bits_of(dtype):
    """How many bits an element of a type has."""
    if dtype in FORMATS:
        return FORMATS[dtype][0]
    if found := re.fullmatch(r"u?int(\d+)", dtype):
        return int(found[1])
    return 8 if dtype in ("e8m0", "bool") else 32 if dtype == "float32" else 16
