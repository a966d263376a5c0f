"""What a package holds, as plain lists: its files, the operations of a function, and where each constant lies.

Only what is written about the weights is in there, never the weights: a package of 50 MB takes some 40 kB. The
package explorer draws it, in notebooks (`toykit.widgets`) and for a reader's own package in the page.
"""

from ..format.package import open_package
from .graph import read_graph
from .meanings import MEANINGS

TECHNIQUES = ("dense", "pruning", "quantization", "palettization", "joint")
_UNKNOWN = "toykit has no sentence about this operator."


class _Words:
    """Numbers for words, so that one that occurs often is there once."""

    def __init__(self):
        self.numbers = {}

    def __call__(self, word):
        return self.numbers.setdefault(word, len(self.numbers))


def contents(package, function=None):
    """List what a package holds.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
    function : str, optional
        Which function of the program; by default the one that the package names.

    Returns
    -------
    dict
        Of lists of numbers and texts; what often occurs is a number in `words`.

        - `files`: (path, bytes);
        - `inputs`: (name, type), and `outputs`: names, of the function;
        - `steps`: (operator, name, depth, what it takes, what it gives, settings, form);
        - `constants`: (step, parameter, name, type, form, number in `TECHNIQUES`, number of the array);
        - `weights`: for each weight file (path, bytes, its arrays as (place of the record, bytes from there to the
          data, bytes of data));
        - `meanings`: operator -> a sentence.

    Raises
    ------
    PackageError
        If the package is not sound.
    ValueError
        If there is no function of that name, or it has no operations.
    """
    package = open_package(package)
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
    return {
        "files": [[file, nbytes] for file, nbytes in package.files.items()],
        "inputs": [[result, str(kind)] for result, kind in graph.inputs.items()],
        "outputs": list(graph.outputs),
        "words": list(word.numbers),
        "steps": steps,
        "constants": constants,
        "weights": weights,
        "meanings": {step.op: MEANINGS.get(step.op, _UNKNOWN) for step in graph.steps},
    }
