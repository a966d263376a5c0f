"""The bytes of a Core AI asset, weight by weight, and what they would be compressed.

With Apple's packages every weight has its name, shape and type. Without them a row is a *blob*, a large constant of
which the file says the bytes alone (`toykit.coreai.container`). In both cases the rows and the rest are the bytes of
the folder.

A prediction counts the arrays that each weight becomes (`toykit.stored`) and keeps the rest as it is. It is not exact:
what the additional operators take is not counted, some 50 to 200 bytes for each weight, nor is alignment.
"""

import math
import tempfile
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from .. import settings as _settings
from .._quiet import working
from ..compressed import Compressed
from ..coreai.asset import PROGRAM, Asset, is_program
from ..coreai.compression import plan
from ..coreai.names import short_name
from ..coreai.program import CONSTANT, is_even, is_large, read
from ..coreai.saving import save
from ..coreai.weights_of import found
from ..coreml.constants.general import Elements
from ..palettization import Palettized
from ..pruning import Sparse
from ..quantization import Quantized
from ..stored.parts import BITS, Stored, Weight, digest
from ..stored.prediction import predict
from .ledgers import Ledger, Row, form_of, weight_row

# What coreai-opt compresses: constants that only these use, and any of so many elements.
_COMPRESSED_FOR = {"conv2d", "batch_matmul", "gather_nd", "transpose"}
_IN_ANY_CASE = 10**8
_REST = f"{PROGRAM}: operations, names, alignment"
_BLOBS = (
    "the rows are blobs of main.mlirb, which have neither names nor types; with Apple's packages each weight has its "
    "name, shape and type, and sizes can be predicted: pip install 'toykit[coreai]'"
)

_PREDICTED = (
    "predictions are close, not exact: they count arrays, and not the operators that decompress them, some 100 bytes a "
    "weight"
)


def ledger(source):
    """What each weight of an asset takes, and what the rest does.

    Parameters
    ----------
    source : str, Path, Asset or coreai.authoring.AIProgram
        A program is weighed as it would be saved.

    Returns
    -------
    toykit.size.Ledger
        A row for each weight, where Apple's packages are installed; else for each blob of the file, with a note that
        says so. What several weights share counts for the first. Its `after` predicts what
        `toykit.coreai.compress` would write, and is not exact.
    """
    if is_program(source):
        with tempfile.TemporaryDirectory() as folder:
            return _ledger(Asset(save(source, Path(folder, "program.aimodel"))), "a program")
    asset = source if isinstance(source, Asset) else Asset(source)
    return _ledger(asset, asset.path.name)


def _ledger(asset, name):
    container = asset.container
    if not _can_read_programs():
        rows = [Row(blob.key, "", (), "bytes", 0, blob.nbytes) for blob in container.blobs]
        return Ledger(rows, name, _rest(asset, rows), notes=[_BLOBS])
    with working():
        weights = _weights(asset.program(), container)
    rows = [weight.row for weight in weights]
    rest = _rest(asset, rows)
    predict = partial(_after, weights, name, rest)
    return Ledger(rows, name, rest, predict=predict, notes=[_PREDICTED])


def _can_read_programs():
    """Whether Apple's packages are installed; they are not imported to find out."""
    try:
        return find_spec("coreai") is not None
    except ModuleNotFoundError:  # so says who keeps packages from being imported
        return False


def _rest(asset, rows):
    """Bytes of everything that is no weight."""
    rest = dict(asset.files)
    rest[_REST] = rest.pop(PROGRAM) - sum(row.nbytes for row in rows)
    return rest


@dataclass(frozen=True)
class _Stored:
    """A weight of a program: its row, and how coreai-opt sees it.

    Attributes
    ----------
    row : Row
    weight : Weight or None
        None where it is not one that coreai-opt would compress; `why` says the reason.
    why : str
    """

    row: Row
    weight: Weight | None
    why: str = ""


def _weights(program, container):
    blobs, seen = {blob.key: blob.nbytes for blob in container.blobs}, set()
    return [_weight(*one, blobs, seen) for one in found(program)]


def _weight(name, value, operation, blobs, seen):
    nbytes = sum(_nbytes(constant, blobs, seen) for constant in _constants(operation))
    users = _users(operation)
    op = users[0][0] if users else ""
    if isinstance(value, Compressed):
        row = Row(name, op, value.shape, _type_of(value), value.size, nbytes, form_of(value.parts))
        return _Stored(row, None, "it is compressed already")
    row = Row(name, op, value.shape, value.dtype.name, value.size, nbytes)
    if value.dtype.kind != "f":
        return _Stored(row, None, f"{value.dtype} is not compressed")
    others = [used for used, _, direct in users if direct not in _COMPRESSED_FOR]
    if others and value.size < _IN_ANY_CASE:
        return _Stored(row, None, f"Core AI's compression leaves what {others[0]} uses as it is")
    axes = {axes for _, axes, _ in users}
    output, input_ = axes.pop() if len(axes) == 1 else (0, 1)  # so coreai-opt, where uses disagree
    output, input_ = output % value.ndim, input_ % value.ndim
    weight = Weight(value.shape, value.dtype.name, lambda: value, output_axis=output, input_axis=input_)
    return _Stored(row, weight)


def _constants(operation):
    """The constants at which the chain begins that an operator ends."""
    if operation.name == CONSTANT:
        return [operation]
    return [one for operand in operation.operands for one in _constants(operand.owner.operation)]


def _nbytes(constant, blobs, seen):
    """Bytes of a constant, where it was not counted before: of a blob, or of what lies among the attributes."""
    value = constant.attributes["value"]
    if is_large(constant):
        key = str(value).partition("<")[2].partition(">")[0]
        nbytes = blobs[key]
    else:
        stored = read(constant)
        bits = BITS.get(stored.dtype, 8)
        key = stored.dtype, stored.shape, digest(stored.array)
        nbytes = math.ceil((1 if is_even(constant) else stored.count) * bits / 8)
    if key in seen:
        return 0
    seen.add(key)
    return nbytes


def _users(operation):
    """For each use of a weight: what computes with it, its output and input axes, and what uses it directly."""
    uses = []
    for use in operation.results[0].uses:
        user, place = use.owner.operation, use.operand_number
        direct = short_name(user)
        if direct == "transpose":
            behind = [(short_name(one.owner.operation), one.operand_number) for one in user.results[0].uses]
            axes = {(-2, -1) if number else (-1, -2) for name, number in behind if name == "batch_matmul"}
            uses.append(
                (behind[0][0] if behind else direct, axes.pop() if len(axes) == 1 else (0, 1), direct)
            )
        elif direct == "batch_matmul":
            uses.append((direct, (-1, -2) if place else (-2, -1), direct))
        else:
            uses.append((direct, (0, 1), direct))
    return uses


def _type_of(value):
    """The type of the numbers that a weight is stored in."""
    while isinstance(value, Sparse):
        value = value.values
    if isinstance(value, Palettized):
        return f"uint{value.bits}"
    if isinstance(value, Quantized):
        if isinstance(value.codes, Elements):
            return value.codes.kind
        return f"{'' if value.signed else 'u'}int{value.bits}"
    return getattr(value, "format", None) or str(value.dtype)


def _after(weights, name, rest, technique, options):
    """The ledger that the asset would have, about."""
    steps = _settings.steps(technique, options)
    plan(steps)
    rows, declined = [], {}
    for one in weights:
        stored = Stored(declined=(one.why,)) if one.weight is None else predict(one.weight, steps)
        if stored.parts:
            rows.append(weight_row(one.row.name, one.row.op, one.weight, stored.parts))
        else:
            rows.append(one.row)
        if stored.declined:
            declined[one.row.name] = stored.declined
    return Ledger(rows, f"{name} after {technique}", rest, exact=False, declined=declined)
