"""The ledger: what each weight of a model takes, now and after compression.

`ledger` takes a torch module, a dictionary of arrays, or a Core ML package, and lists its weights: name,
shape, type, bytes, share. `Ledger.after` says what the same list would be when compressed, without
compressing. For a Core ML package that is exact to the byte in `weight.bin`.

A megabyte (MB) is 1,000,000 bytes, as on a box in a shop; a mebibyte (MiB) is 2**20 bytes, 4.9 % more, as
in many tools that then print "MB". The ledger gives both.

Not here: reading modules and packages (`toykit.size.modules`, `toykit.size.packages`), which are looked up
when they are needed.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import settings as _settings
from ..compressed import check_choice, check_int
from ..stored.parts import BITS, Part, Stored, Weight
from ..stored.prediction import predict
from . import view as ledger_view

MB, MIB = 10**6, 2**20
# A stored array -> the form that it makes of a weight.
_FORMS = {"mask": "sparse", "indices": "palette", "scale": "scaled", "lut_scale": "scaled"}


@dataclass(frozen=True)
class Row:
    """One weight.

    Attributes
    ----------
    name : str
    op : str
        What uses it: "Conv2d" in torch, "conv" in Core ML.
    shape : tuple of int
    dtype : str
        Type of an element as it is stored: of a code, if the weight is compressed.
    parameters : int
        Elements of the weight that runs.
    nbytes : int
        Bytes stored, with scales, tables and masks.
    form : str
        "" if the weight is stored as it is, else "sparse", "palette", "scaled" or several of them.
    share : float
        Of the bytes of the whole model.
    """

    name: str
    op: str
    shape: tuple
    dtype: str
    parameters: int
    nbytes: int
    form: str = ""
    share: float = 0.0


class Ledger:
    """Weights and their bytes.

    Attributes
    ----------
    rows : tuple of Row
    source : str
        Where it comes from, in words.
    rest : dict of str to int
        What takes bytes besides the weights; empty but for packages.
    parameters : int
    nbytes : int
        Bytes of everything. For a package, what it takes on disk.
    mb, mib : float
        `nbytes` in units of 10**6 and of 2**20 bytes.
    exact : bool
        False if a number was estimated, because the weights' values are unknown.
    declined : dict of str to tuple of str
        In a prediction: weights that stay as they are, and why.
    """

    def __init__(self, rows, source, rest=None, predict=None, exact=True, declined=None):
        self.source, self.exact = source, exact
        self.rest, self.declined = dict(rest or {}), dict(declined or {})
        self.nbytes = sum(row.nbytes for row in rows) + sum(self.rest.values())
        self.rows = tuple(replace(row, share=row.nbytes / max(1, self.nbytes)) for row in rows)
        self.parameters = sum(row.parameters for row in rows)
        self._predict = predict

    @property
    def mb(self):
        return self.nbytes / MB

    @property
    def mib(self):
        return self.nbytes / MIB

    def after(self, technique, **options):
        """The ledger after compression, predicted.

        Parameters
        ----------
        technique : {"prune", "quantize", "palettize", "joint"}
        **options
            Those of `tk.prune`, `tk.quantize` or `tk.palettize`. `weight_threshold` (2,048) leaves weights
            of at most so many elements as they are. For "joint", a dictionary of options for each
            technique, in order: `prune={"sparsity": 0.7}, palettize={"bits": 4}`.

        Returns
        -------
        Ledger
            Weights that cannot take the options stay as they are; `declined` says why.

        Raises
        ------
        TypeError, ValueError
            If an option is unknown or out of range, the package is for a system that cannot hold the
            result, or this ledger is itself a prediction or a summary.

        Examples
        --------
        >>> weights = {"fc.weight": np.zeros((1000, 2048), np.float16), "fc.bias": np.zeros(1000, np.float16)}
        >>> ledger(weights).after("palettize", bits=4)
        Ledger('2 arrays after palettize', 2 weights, 2,049,000 parameters, 1.03 MB)
        """
        if self._predict is None:
            raise ValueError(
                f"{self.source!r} is a prediction or a summary; call after() on a model's own ledger"
            )
        return self._predict(technique, options)

    def group(self, depth=1):
        """Sum up the rows whose names share their first `depth` parts, as in "layer1.0.conv1".

        Returns
        -------
        Ledger
            With a row for each group, in the order of the first of its rows.
        """
        depth = check_int("depth", depth, range(1, 2**31))
        groups = {}
        for row in self.rows:
            groups.setdefault(".".join(row.name.split(".")[:depth]), []).append(row)
        rows = [_sum(name, members) for name, members in groups.items()]
        return Ledger(rows, self.source, self.rest, exact=self.exact, declined=self.declined)

    def to_markdown(self, limit=None):
        """The ledger as a Markdown table: the largest `limit` rows, or all, the rest, and the total."""
        return ledger_view.markdown(self, _check_limit(limit))

    def plot(self, axes=None, limit=20):
        """Draw the largest `limit` rows and the rest as bars. Returns the matplotlib axes."""
        return ledger_view.bars(self, axes, _check_limit(limit))

    def _repr_html_(self):
        return ledger_view.html(self)

    def __repr__(self):
        about = "" if self.exact else "about "
        return (
            f"Ledger({self.source!r}, {len(self.rows)} weights, {self.parameters:,} parameters, "
            f"{about}{self.mb:.2f} MB)"
        )


def _check_limit(limit):
    return None if limit is None else check_int("limit", limit, range(2**31))


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
        from .modules import named_tensors

        return _from_tensors(named_tensors(source), kind.__name__, dtype)
    if isinstance(source, str | os.PathLike):
        from ..coreml.format.package import Package

        source = Package(Path(source))
    elif kind.__name__ == "MLModel":
        from ..coreml.format.package import open_package

        source = open_package(source)
    elif kind.__name__ != "Package":
        raise TypeError(
            "source must be a torch module, a dict of arrays, the path of an .mlpackage, a Package or an "
            f"MLModel; got {kind.__name__}"
        )
    if dtype is not None:
        raise ValueError("dtype is for modules and dictionaries; a package has the types it is stored in")
    from . import packages as layout

    return layout.ledger(source)


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


def _sum(name, rows):
    """One row for several."""
    common = lambda values: values.pop() if len(values := set(values)) == 1 else ""  # noqa: E731
    return Row(
        name,
        common(row.op for row in rows),
        (len(rows),) if len(rows) > 1 else rows[0].shape,
        common(row.dtype for row in rows),
        sum(row.parameters for row in rows),
        sum(row.nbytes for row in rows),
        common(row.form for row in rows),
    )
