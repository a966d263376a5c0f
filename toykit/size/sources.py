"""Where a ledger comes from: a torch module, arrays by name, a file of tensors, a Core ML package or a Core AI asset.

Arrays, modules and files of tensors (`toykit.size.tensor_files`) are weighed here: each tensor by its shape and
type, and after compression by the arrays that it would become (`toykit.stored`). For a Core ML package
(`toykit.size.packages`) the prediction is exact to the byte in `weight.bin` and in the whole; for a Core AI asset
(`toykit.size.assets`) nearly.

Not here: what a ledger shows and sums (`toykit.size.ledgers`).
"""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from .. import settings as _settings
from .._text import printable
from ..compressed import as_array, check_choice, check_type
from ..stored.parts import BITS, Stored, Weight
from ..stored.prediction import predict
from . import tensor_files
from .ledgers import Ledger, weight_row
from .modules import named_tensors

# A type of weights -> the one in which the techniques take them.
_TAKEN = {"float16": "float16", "float32": "float32", "float64": "float32", "bfloat16": "float32"}
# Types to count in: those that NumPy knows.
_COUNTED = tuple(name for name in BITS if name not in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "bool"))


def ledger(source, dtype=None):
    """List the weights of a model and their bytes.

    Parameters
    ----------
    source : torch.nn.Module, dict of str to array, path, Package, coremltools MLModel, Asset or AIProgram
        A module's parameters (on the `meta` device, too: shapes are enough); arrays by name; an .mlpackage
        with an ML program; an .aimodel, whose weights have names where Apple's packages for Core AI are installed,
        and are blobs elsewhere; a .safetensors file; or a state dict that torch saved (.pt, .pth, .bin, .ckpt),
        which needs torch. No code of a file is run: those that could (.pt2, .pkl) are refused.
    dtype : str, optional
        Count the weights as if they were stored in this type, such as "float16". A package has its types.

    Returns
    -------
    Ledger

    Raises
    ------
    TypeError
        If the source is none of these.
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If there are no weights, the package is not sound (`toykit.coreml.PackageError`), or a file is not sound
        or could run code when it is loaded.

    Examples
    --------
    >>> import numpy as np
    >>> weights = {"conv.weight": np.zeros((64, 3, 7, 7), np.float32), "conv.bias": np.zeros(64, np.float32)}
    >>> ledger(weights)
    Ledger('2 arrays', 2 weights, 9,472 parameters, 0.04 MB)
    >>> ledger(weights, dtype="float16").nbytes
    18944
    """
    if isinstance(source, dict):
        tensors = [_tensor(name, array) for name, array in source.items()]
        return _from_tensors(tensors, f"{len(tensors)} array{'s' * (len(tensors) != 1)}", dtype)
    kind, suffix = type(source), ""
    if hasattr(source, "named_parameters"):
        return _from_tensors(named_tensors(source), kind.__name__, dtype)
    if isinstance(source, str | os.PathLike):
        source = Path(source)
        suffix, packed = (
            source.suffix.lower(),
            any(around.suffix == ".mlpackage" for around in source.parents),
        )
        if suffix in tensor_files.SUFFIXES and not packed:
            tensors, rest = tensor_files.read(source)
            return _from_tensors(tensors, source.name, dtype, rest)
        if source.is_file() and not packed and suffix not in (".mlpackage", ".mlmodel", ".aimodel", ".zip"):
            raise ValueError(
                printable(
                    f"{source.name} is not weighed: it can be an .mlpackage, an .aimodel, a .safetensors file or a "
                    "state dict "
                )
                + f"({', '.join(tensor_files.STATE_DICTS)})"
            )
    elif kind.__name__ not in ("MLModel", "Package", "Asset", "AIProgram"):
        raise TypeError(
            "source must be a torch module, a dict of arrays, the path of an .mlpackage, of an .aimodel, of a "
            "safetensors file or of a state dict, a Package, an MLModel, an Asset or an AIProgram; got "
            f"{kind.__name__}"
        )
    if dtype is not None:
        raise ValueError(
            "dtype is for modules, dictionaries and files of tensors; a package has the types it is stored in"
        )
    if kind.__name__ in ("Asset", "AIProgram") or suffix == ".aimodel":
        from . import assets

        return assets.ledger(source)
    from . import packages

    return packages.ledger(source)


def _tensor(name, array):
    """(name, operation, Weight) of an array."""
    check_type("a name in source", name, str, "a text")
    values = partial(as_array, f"source[{name!r}]", array)
    numbers = values()
    # NumPy has no bfloat16: these are counted as they are, and read as float32.
    dtype = "bfloat16" if str(getattr(array, "dtype", "")) == "torch.bfloat16" else numbers.dtype.name
    return name, "", Weight(numbers.shape, dtype, values)


def _from_tensors(tensors, source, dtype, rest=None):
    if not tensors:
        raise ValueError(f"the source, {source}, has no parameters: there is nothing to weigh")
    for name, _, weight in tensors:
        if weight.dtype not in BITS:
            raise TypeError(
                f"{name!r} of the source holds {weight.dtype}, which weights cannot be; they are {', '.join(BITS)}"
            )
    if dtype is not None:
        check_choice("dtype", dtype, _COUNTED)
        tensors = [(name, op, _in_type(weight, dtype)) for name, op, weight in tensors]
        rest = None  # of a file that does not hold this type
    rows = [weight_row(name, op, weight) for name, op, weight in tensors]

    def after(technique, options):
        steps = _settings.steps(technique, options)
        compressed, exact, declined = [], True, {}
        for name, op, weight in tensors:
            taken = _TAKEN.get(weight.dtype)
            stored = predict(_in_type(weight, taken), steps) if taken else Stored()
            compressed.append(weight_row(name, op, weight, stored.parts))
            exact &= stored.exact
            if stored.declined:
                declined[name] = stored.declined
        return Ledger(compressed, f"{source} after {technique}", exact=exact, declined=declined)

    return Ledger(rows, source, rest, predict=after)


def _in_type(weight, dtype):
    """A weight as it would be in another type; its values are rounded, for ties depend on it."""
    if weight.dtype == dtype:
        return weight
    values = weight.values and (lambda: weight.values().astype(dtype))
    return replace(weight, dtype=dtype, values=values)
