"""`package_explorer`: the files, the program and the weight file of a package, and how they hang together.

Only what is written about the weights is in the widget, never the weights: a package of 50 MB takes
some 40 kB of a page.
"""

import tempfile
from pathlib import Path

import traitlets

from ..coreml.format.package import open_package
from ..coreml.view.graph import read_graph
from ..coreml.view.meanings import MEANINGS
from .base import Instrument, table

TECHNIQUES = ("dense", "pruning", "quantization", "palettization", "joint")
_UNKNOWN = "toykit has no sentence about this operator."


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


class _Words:
    """Numbers for words, so that one that occurs often is in the page once."""

    def __init__(self):
        self.numbers = {}

    def __call__(self, word):
        return self.numbers.setdefault(word, len(self.numbers))


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
    graph = read_graph(package, function)
    if not graph.steps:
        raise ValueError("the function has no operations: there is nothing to show")
    word, weights, places = _Words(), [], {}
    used = {constant.blob for step in graph.steps for constant in step.constants}
    for file in package.weight_files.values():
        # A program can also refer to a record that the file does not count.
        blobs = sorted({*file.blobs(), *(blob for blob in used if blob.file is file)}, key=lambda b: b.offset)
        for blob in blobs:
            places[blob] = len(places)
        inside = file.path.relative_to(package.path.resolve()).as_posix()
        # Place of the record, from there to the data, bytes of data.
        weights.append([inside, file.nbytes, [[b.offset, b.start - b.offset, b.nbytes] for b in blobs]])
    steps, constants = [], []
    for number, step in enumerate(graph.steps):
        takes = []
        for parameter, result in step.inputs:
            maker = graph.source(number, result)
            which = None if maker is None else list(graph.steps[maker].outputs).index(result)
            # A result is the number of its step (and which of several it is); an input is its name.
            takes.append([word(parameter), result if maker is None else maker, *([which] if which else [])])
        gives = [[0 if own == step.name else own, word(str(kind))] for own, kind in step.outputs.items()]
        settings = [[word(parameter), word(text)] for parameter, text in step.settings.items()]
        steps.append([word(step.op), step.name, step.depth, takes, gives, settings, word(step.form)])
        for constant in step.constants:
            # A part of a compressed weight has no name of its own.
            own = "" if step.decompresses else constant.name
            texts = (word(constant.parameter), own, word(str(constant.type)), word(constant.form))
            technique = TECHNIQUES.index(constant.technique)
            constants.append([number, *texts, technique, places[constant.blob]])
    return PackageExplorer(
        label=f"Inside {name}",
        files=[[file, nbytes] for file, nbytes in package.files.items()],
        inputs=[[result, str(kind)] for result, kind in graph.inputs.items()],
        outputs=list(graph.outputs),
        words=list(word.numbers),
        steps=steps,
        constants=constants,
        weights=weights,
        meanings={step.op: MEANINGS.get(step.op, _UNKNOWN) for step in graph.steps},
        selected=constants[0][0] if constants else 0,
    )
