"""The constants of a program as rows of a ledger, compressed or not.

A program that was read and one that is only predicted are weighed by the same rule.
"""

import math
from dataclasses import replace

from ..coreml.constants.weights_of import plain_name
from ..coreml.format.program import inner_first
from .ledgers import Row

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


def read_rows(package, program=None):
    """The constants that lie in weight files.

    Parameters
    ----------
    package : Package
        With an ML program.
    program : toykit.coreml.format.program.Program, optional
        Another one that is only predicted.

    Returns
    -------
    list of Row
    """
    rows, seen = [], set()
    for label, function in (program or package.program).functions.items():
        for row in _Rows(function.block, seen).rows():
            rows.append(replace(row, name=package.full_name(label, row.name)))
    return rows


class _Rows:
    def __init__(self, block, seen):
        self.operations = list(inner_first(block))
        self.seen = seen
        self.users = {}
        for operation in self.operations:
            for name in operation.names:
                self.users.setdefault(name, []).append(operation.op)

    def rows(self):
        rows, unfinished = [], {}
        for operation in self.operations:
            parts = self._parts(operation, unfinished)
            outputs = list(operation.outputs) if parts["on_file"] else []
            if any(user in _FORMS for output in outputs for user in self.users.get(output, [])):
                # A stage of joint compression: its bytes belong to the weight at the end of the chain.
                unfinished |= dict.fromkeys(outputs, parts)
            elif outputs and parts["nbytes"]:
                rows.append(self._row(operation, parts))
        return rows

    def _parts(self, operation, unfinished):
        """Bytes of an operation's constants and of the stages before it, their element type and form.

        What several use counts for the first of them.
        """
        stages = {id(parts): parts for name in operation.names if (parts := unfinished.get(name))}
        nbytes = sum(parts["nbytes"] for parts in stages.values())
        for parts in stages.values():
            parts["nbytes"] = 0
        constants = operation.constants
        blobs = [blob for _, value in constants for blob in value.blobs]
        for blob in blobs:
            if (blob.path, blob.offset) not in self.seen:
                self.seen.add((blob.path, blob.offset))
                nbytes += blob.nbytes
        form, codes = _FORMS.get(operation.op, ("", "val"))
        forms = {form, *(form for parts in stages.values() for form in parts["forms"])} - {""}
        dtypes = [_dtype(operation, value) for parameter, value in constants if parameter == codes]
        dtype = next(iter(dtypes + [parts["dtype"] for parts in stages.values()]), "")
        return {"nbytes": nbytes, "forms": forms, "dtype": dtype, "on_file": bool(blobs or stages)}

    def _row(self, operation, parts):
        name, kind = list(operation.outputs.items())[-1]
        shape = tuple(size or 0 for size in kind.shape)
        users = self.users.get(name, [""])
        if parts["forms"]:
            name = plain_name(name)
        form = "+".join(form for form in _ORDER if form in parts["forms"])
        return Row(name, users[0], shape, parts["dtype"], math.prod(shape), parts["nbytes"], form)


def _dtype(operation, value):
    """Element type of a constant. iOS 16 packs indices into bytes: the table says how many bits they have."""
    table = operation.attributes.get("lut")
    if table is not None:
        return f"uint{max(1, math.prod(table.type.shape).bit_length() - 1)}"
    return value.type.dtype
