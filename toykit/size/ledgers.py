"""A ledger: the weights of a model with their bytes, the rest, and the sum.

`Ledger.after` says what the same list would be when compressed, without compressing: whoever makes a ledger
gives it the function that predicts.

A megabyte (MB) is 1,000,000 bytes, as on a box in a shop; a mebibyte (MiB) is 2**20 bytes, 4.9 % more, as
in many tools that then print "MB". The ledger gives both.

Not here: where the rows come from (`toykit.size.sources`).
"""

from dataclasses import dataclass, replace

from ..compressed import check_int
from ..stored.parts import Part
from . import view

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


def weight_row(name, op, weight, parts=()):
    """The row of a `toykit.stored.parts.Weight`: as it is, or stored in these parts."""
    nbytes, dtype = Part(weight.dtype, weight.shape).nbytes, weight.dtype
    if parts:
        nbytes = sum(part.nbytes for part in parts.values())
        dtype = next(parts[codes].dtype for codes in ("codes", "indices", "values") if codes in parts)
    return Row(name, op, weight.shape, dtype, weight.size, nbytes, form_of(parts))


def form_of(parts):
    """What a weight is that is stored in parts of these names: "sparse", "palette", "scaled" or several of them."""
    return "+".join(dict.fromkeys(word for part, word in _FORMS.items() if part in parts))


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
    notes : tuple of str
        What else there is to know, such as why the rows have no names.
    """

    def __init__(self, rows, source, rest=None, predict=None, exact=True, declined=None, notes=()):
        self.source, self.exact, self.notes = source, exact, tuple(notes)
        self.rest, self.declined = dict(rest or {}), dict(declined or {})
        self.nbytes = sum(row.nbytes for row in rows) + sum(self.rest.values())
        self.rows = tuple(replace(row, share=row.nbytes / max(1, self.nbytes)) for row in rows)
        self.parameters = sum(row.parameters for row in rows)
        self._predict = predict

    @property
    def predicts(self):
        """Whether `after` can be asked: not of a prediction, nor of blobs without types."""
        return self._predict is not None

    @property
    def mb(self):
        return self.nbytes / MB

    @property
    def mib(self):
        return self.nbytes / MIB

    def after(self, technique, **options):
        """The ledger after compression by one technique for all weights, predicted.

        Not here: a plan for each layer, or a package that needs a newer system than it has. Those are weighed as
        they are written, `tk.size.ledger(tk.coreml.compress(package, plan, target=...))`.

        Parameters
        ----------
        technique : {"prune", "quantize", "palettize", "joint"}
        **options
            Those of `tk.prune`, `tk.quantize` or `tk.palettize` that can hold for all weights: not
            `sensitivities` and `seed`. Without `axis` each weight has its own, such as 1 in a transposed
            convolution. `weight_threshold` (2,048) leaves weights of at most so many elements as they are,
            `minimum_sparsity` (0.5) those of which `threshold` would zero a smaller share. For "joint", a
            dictionary of options for each technique, in order: `prune={"sparsity": 0.7}, palettize={"bits": 4}`.

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
        >>> from toykit.size import ledger
        >>> import numpy as np
        >>> weights = {"fc.weight": np.zeros((1000, 2048), np.float16), "fc.bias": np.zeros(1000, np.float16)}
        >>> ledger(weights).after("palettize", bits=4)
        Ledger('2 arrays after palettize', 2 weights, 2,049,000 parameters, 1.03 MB)
        """
        if self._predict is None:
            otherwise = " is a prediction or a summary; call after() on a model's own ledger"
            why = f": {self.notes[0]}" if self.notes else otherwise
            raise ValueError(f"{self.source!r}{why}")
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
        return Ledger(rows, self.source, self.rest, None, self.exact, self.declined, self.notes)

    def to_markdown(self, limit=None):
        """The ledger as a Markdown table: the largest `limit` rows, or all, the rest, and the total."""
        return view.markdown(self, _check_limit(limit))

    def plot(self, axes=None, limit=20):
        """Draw the largest `limit` rows and the rest as bars. Returns the matplotlib axes."""
        return view.bars(self, axes, _check_limit(limit))

    def _repr_html_(self):
        return view.html(self)

    def __repr__(self):
        about = "" if self.exact else "about "
        return (
            f"Ledger({self.source!r}, {len(self.rows)} weights, {self.parameters:,} parameters, "
            f"{about}{self.mb:.2f} MB)"
        )


def _check_limit(limit):
    return None if limit is None else check_int("limit", limit, range(2**31))


def _sum(name, rows):
    """One row for several."""

    def common(values):
        different = set(values)
        return different.pop() if len(different) == 1 else ""

    return Row(
        name,
        common(row.op for row in rows),
        (len(rows),) if len(rows) > 1 else rows[0].shape,
        common(row.dtype for row in rows),
        sum(row.parameters for row in rows),
        sum(row.nbytes for row in rows),
        common(row.form for row in rows),
    )
