"""The constants of a program as rows of a ledger, compressed or not.

Works on decoded messages, so that a program that was read and one that is only predicted are weighed
by the same rule.
"""

import math

from ..size import Row
from .forms import SUFFIXES
from .schema import DTYPES

# What each operator that decompresses stands for, and which of its inputs holds the codes.
_FORMS = {
    "constexpr_sparse_to_dense": ("sparse", "nonzero_data"),
    "constexpr_lut_to_dense": ("palette", "indices"),
    "constexpr_lut_to_sparse": ("palette", "indices_nonzero_data"),
    "constexpr_blockwise_shift_scale": ("scaled", "data"),
    "constexpr_sparse_blockwise_shift_scale": ("scaled", "nonzero_data"),
    "constexpr_affine_dequantize": ("scaled", "quantized_data"),
    "constexpr_cast": ("cast", "source_val"),
}
_ORDER = ("sparse", "palette", "scaled", "cast")


def walk(block):
    """All operations of a block, those of inner blocks before the operation that holds them."""
    for operation in block.get("operations", []):
        for inner in operation.get("blocks", []):
            yield from walk(inner)
        yield operation


def references(operation):
    """Pairs (parameter, name) of the results that an operation uses."""
    for parameter, argument in operation.get("inputs", {}).items():
        for binding in argument.get("arguments", []):
            if "name" in binding:
                yield parameter, binding["name"]


def values_of(operation):
    """Constants that an operation holds: parameter -> "Value" message."""
    values = dict(operation.get("attributes", {}))
    for parameter, argument in operation.get("inputs", {}).items():
        for binding in argument.get("arguments", []):
            if "value" in binding:
                values[parameter] = binding["value"]
    return values


def places_of(operation):
    """The places in weight files that an operation refers to."""
    return [value["blobFileValue"] for value in values_of(operation).values() if "blobFileValue" in value]


def shape_of(kind):
    """Shape of a "ValueType" message of a constant tensor."""
    sizes = kind.get("tensorType", {}).get("dimensions", [])
    return tuple(size.get("constant", {}).get("size", 0) for size in sizes)


def read_rows(program, weigh):
    """The constants that lie in weight files.

    Parameters
    ----------
    program : dict
        A "Program", as `protobuf.decode` returns it.
    weigh : callable (blobFileValue) -> int
        Bytes of the data at a place.

    Returns
    -------
    list of Row
    """
    rows, seen = [], set()
    for function in program["functions"].values():
        for block in function["block_specializations"].values():
            rows += _Rows(block, weigh, seen).rows()
    return rows


class _Rows:
    def __init__(self, block, weigh, seen):
        self.operations = list(walk(block))
        self.weigh, self.seen = weigh, seen
        self.users = {}
        for operation in self.operations:
            for _, name in references(operation):
                self.users.setdefault(name, []).append(operation["type"])

    def rows(self):
        rows, unfinished = [], {}
        for operation in self.operations:
            parts = self._parts(operation, unfinished)
            if not parts["nbytes"]:
                continue
            outputs = [output["name"] for output in operation.get("outputs", [])]
            if any(user in _FORMS for output in outputs for user in self.users.get(output, [])):
                # A stage of joint compression: its bytes belong to the weight at the end of the chain.
                unfinished |= dict.fromkeys(outputs, parts)
            else:
                rows.append(self._row(operation, parts))
        return rows

    def _parts(self, operation, unfinished):
        """Bytes of an operation's constants and of the stages before it, their element type and form."""
        stages = {id(parts): parts for _, name in references(operation) if (parts := unfinished.get(name))}
        nbytes = sum(parts["nbytes"] for parts in stages.values())
        for place in places_of(operation):
            key = (place["fileName"], place["offset"])
            if key not in self.seen:
                self.seen.add(key)
                nbytes += self.weigh(place)
        form, codes = _FORMS.get(operation["type"], ("", "val"))
        forms = {form, *(form for parts in stages.values() for form in parts["forms"])} - {""}
        value = values_of(operation).get(codes)
        dtype = _dtype(operation, value) if value else next((p["dtype"] for p in stages.values()), "")
        return {"nbytes": nbytes, "forms": forms, "dtype": dtype}

    def _row(self, operation, parts):
        output = operation["outputs"][-1]
        name, shape = output["name"], shape_of(output["type"])
        if parts["forms"]:
            for suffix in SUFFIXES:
                name = name.removesuffix(suffix)
        users = self.users.get(output["name"], [""])
        form = "+".join(form for form in _ORDER if form in parts["forms"])
        return Row(name, users[0], shape, parts["dtype"], math.prod(shape), parts["nbytes"], form)


def _dtype(operation, value):
    """Element type of a constant. iOS 16 packs indices into bytes: the table says how many bits they have."""
    dtype = DTYPES[value["type"]["tensorType"]["dataType"]][0]
    table = operation.get("attributes", {}).get("lut")
    if table is not None:
        dtype = f"uint{max(1, math.prod(shape_of(table['type'])).bit_length() - 1)}"
    return dtype
