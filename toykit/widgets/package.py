"""`package_explorer`: the files, the program and the weight file of a package, and how they hang together.

What it draws is listed by `toykit.coreml.view.contents`.
"""

import tempfile
from pathlib import Path

import traitlets

from ..coreml.format.package import open_package
from ..coreml.view.contents import contents
from .base import Instrument, table


class PackageExplorer(Instrument, js="package"):
    """The widget; `selected` and `operator` are traits, set by its controls or from Python."""

    words = traitlets.List().tag(sync=True)
    files = traitlets.List().tag(sync=True)
    inputs = traitlets.List().tag(sync=True)
    outputs = traitlets.List().tag(sync=True)
    steps = traitlets.List().tag(sync=True)
    constants = traitlets.List().tag(sync=True)
    weights = traitlets.List().tag(sync=True)
    meanings = traitlets.Dict().tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)
    operator = traitlets.Unicode("").tag(sync=True)

    @traitlets.validate("selected")
    def _check_selected(self, proposal):
        number, last = proposal["value"], len(self.steps) - 1
        if not 0 <= number <= last:
            raise traitlets.TraitError(f"selected must be an operation's number, 0 to {last}; got {number}")
        return number

    @traitlets.validate("operator")
    def _check_operator(self, proposal):
        known = ["", "constexpr_", *self.meanings]
        if proposal["value"] not in known:
            raise traitlets.TraitError(f"operator must be one of {known}; got {proposal['value']!r}")
        return proposal["value"]

    def _digested(self):
        # The model file notes the versions of the tools that wrote it, and so do its bytes.
        return {name: value for name, value in self._data().items() if name != "files"}

    def table(self):
        """Return a row for each operation: (number, operator, name, type of the result, bytes stored)."""
        stored = dict.fromkeys(range(len(self.steps)), 0)
        sizes = [blob[2] for _, _, blobs in self.weights for blob in blobs]
        for step, *_, blob in self.constants:
            stored[step] += sizes[blob]
        return [
            (number, self.words[op], name, self.words[results[0][1]] if results else "", stored[number])
            for number, (op, name, _, _, results, *_) in enumerate(self.steps)
        ]

    def fallback(self):
        header = ("Number", "Operator", "Name", "Result", "Bytes in the weight file")
        rows = [(*row[:4], f"{row[4]:,}" if row[4] else "") for row in self.table()]
        return table(self.label, header, rows, "operations")


def _made_up(path):
    return path.parent == Path(tempfile.gettempdir()) and path.name.startswith(tempfile.gettempprefix())


def package_explorer(package, function=None, name=None):
    """Walk through a package: its files, its operations, and where each constant lies in weight.bin.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
    function : str, optional
        Which function of the program; by default the one that the package names.
    name : str, optional
        What the title calls the package. By default the name of its folder; one that is made up anew
        each time, as coremltools does for a model that is not saved, is left out.

    Returns
    -------
    PackageExplorer
        `selected`, the number of an operation, and `operator`, the one that the list is limited to,
        follow the controls in a live notebook, and may be set.

    Raises
    ------
    FileNotFoundError
        If there is no package at the path.
    PackageError
        If the package is not sound.
    ValueError
        If there is no function of that name, or it has no operations.

    Examples
    --------
    >>> explorer = package_explorer("ResNet50.mlpackage")                   # doctest: +SKIP
    >>> explorer.table()[0]                                                 # doctest: +SKIP
    (0, 'conv', 'input_3_cast_fp16', 'float16[1, 64, 112, 112]', 18944)
    """
    package = open_package(package)
    if name is None:
        name = "a package" if _made_up(package.path) else package.path.name
    found = contents(package, function)
    selected = found["constants"][0][0] if found["constants"] else 0
    return PackageExplorer(label=f"Inside {name}", selected=selected, **found)
