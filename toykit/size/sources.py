"""Where a ledger comes from: a torch module, a dictionary of arrays, or a Core ML package.

Arrays and modules are weighed here: each tensor by its shape and type, and after compression by the arrays
that it would become (`toykit.stored`). For a Core ML package (`toykit.size.packages`) the prediction is exact
to the byte in `weight.bin` and in the whole.

Not here: what a ledger shows and sums (`toykit.size.ledgers`).
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from .. import settings as _settings
from ..compressed import check_choice
from ..coreml.format.package import Package, open_package
from ..stored.parts import BITS, Part, Stored, Weight
from ..stored.prediction import predict
from . import packages
from .ledgers import Ledger, Row
from .modules import named_tensors

# A stored array -> the form that it makes of a weight.
_FORMS = {"mask": "sparse", "indices": "palette", "scale": "scaled", "lut_scale": "scaled"}


def ledger(source, dtype=None):
    """List the weights of a model and their bytes.

    Parameters
    ----------
    source : torch.nn.Module, dict of str to array, path, Package or coremltools MLModel
        A module's parameters (on the `meta` device, too: shapes are enough); arrays by name; or an
        .mlpackage with an ML program.
    dtype : str, optional
        Count a module's or a dictionary's weights as if they were stored in this type, such as
        "float16". A package has its types.

    Returns
    -------
    Ledger

    Raises
    ------
    TypeError
        If the source is none of these.
    FileNotFoundError
        If there is no package at the path.
    ValueError
        If there are no weights, or the package is not sound (`toykit.coreml.PackageError`).

    Examples
    --------
    >>> weights = {"conv.weight": np.zeros((64, 3, 7, 7), np.float32), "conv.bias": np.zeros(64, np.float32)}
    >>> ledger(weights)
    Ledger('2 arrays', 2 weights, 9,472 parameters, 0.04 MB)
    >>> ledger(weights, dtype="float16").nbytes
    18944
    """
    if isinstance(source, dict):
        tensors = [_tensor(name, array) for name, array in source.items()]
        return _from_tensors(tensors, f"{len(tensors)} array{'s' * (len(tensors) != 1)}", dtype)
    kind = type(source)
    if hasattr(source, "named_parameters"):
        return _from_tensors(named_tensors(source), kind.__name__, dtype)
    if isinstance(source, str | os.PathLike):
        source = Package(Path(source))
    elif kind.__name__ == "MLModel":
        source = open_package(source)
    elif kind.__name__ != "Package":
        raise TypeError(
            "source must be a torch module, a dict of arrays, the path of an .mlpackage, a Package or an "
            f"MLModel; got {kind.__name__}"
        )
    if dtype is not None:
        raise ValueError("dtype is for modules and dictionaries; a package has the types it is stored in")
    return packages.ledger(source)


def _tensor(name, array):
    """(name, operation, Weight) of an array."""
    array = np.asanyarray(array)
    if array.dtype.name not in BITS:
        raise TypeError(f"{name!r} holds {array.dtype}, which weights cannot be; they are {', '.join(BITS)}")
    return name, "", Weight(array.shape, array.dtype.name, lambda: array)


def _from_tensors(tensors, source, dtype):
    if not tensors:
        raise ValueError(f"the source, {source}, has no parameters: there is nothing to weigh")
    if dtype is not None:
        check_choice("dtype", dtype, tuple(BITS))
        tensors = [(name, op, _in_type(weight, dtype)) for name, op, weight in tensors]
    rows = [_row(name, op, weight) for name, op, weight in tensors]

    def after(technique, options):
        steps = _settings.steps(technique, options)
        compressed, exact, declined = [], True, {}
        for name, op, weight in tensors:
            stored = predict(weight, steps) if weight.dtype.startswith("float") else Stored()
            compressed.append(_row(name, op, weight, stored.parts))
            exact &= stored.exact
            if stored.declined:
                declined[name] = stored.declined
        return Ledger(compressed, f"{source} after {technique}", exact=exact, declined=declined)

    return Ledger(rows, source, predict=after)


def _in_type(weight, dtype):
    """A weight as it would be in another type; its values are rounded, for ties depend on it."""
    values = weight.values and (lambda: weight.values().astype(dtype))
    return replace(weight, dtype=dtype, values=values)


def _row(name, op, weight, parts=()):
    nbytes, dtype, form = Part(weight.dtype, weight.shape).nbytes, weight.dtype, ""
    if parts:
        nbytes = sum(part.nbytes for part in parts.values())
        dtype = next(parts[codes].dtype for codes in ("codes", "indices", "values") if codes in parts)
        form = "+".join(dict.fromkeys(word for part, word in _FORMS.items() if part in parts))
    return Row(name, op, weight.shape, dtype, weight.size, nbytes, form)
