"""The bytes of a package, with its weights as they are or as they would be compressed.

The size of a compressed package is that of the package which `toykit.coreml.writing.packages` would write: the same
code goes through the program and gives each array its place, only that the arrays are not made. So it is
exact to the byte, in `weight.bin` and in the rest.
"""

from functools import cache
from pathlib import Path

from .. import settings as _settings
from ..coreml.format.package import open_package
from ..coreml.writing import forms
from ..coreml.writing.candidates import constants_in
from ..coreml.writing.packages import model_bytes, weight_file
from ..coreml.writing.rewriting import Rewriter
from ..coreml.writing.store import Store
from .ledgers import Ledger
from .rows import read_rows


def ledger(package):
    """What each constant of a package weighs, and what the rest of the package does.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel

    Returns
    -------
    toykit.size.Ledger
        A row for each constant in a weight file, in the order of the program. Its `after` predicts what
        `toykit.coreml.compress` would write. Of several functions names begin with that of the function,
        "main/conv_weight", and what they share counts for the first; in a pipeline they begin with the
        number of the model, "0/conv_weight". What models of other kinds hold is in the model file, a part
        of the rest.
    """
    package = open_package(package)
    rows = [row for part in package.programs for row in read_rows(part)]
    constants = cache(constants_in)  # the same in every prediction
    return Ledger(
        rows,
        package.path.name,
        rest=_rest(package.files, rows),
        predict=lambda technique, options: _after(package, constants, technique, options),
    )


def _rest(files, rows):
    """Bytes of everything that is not data of a constant, by what it is."""
    rest, data = {}, sum(row.nbytes for row in rows)
    for path, count in files.items():
        name = path.rpartition("/")[2]
        if name.endswith("weight.bin"):  # the models of a pipeline have 0-weight.bin, 1-weight.bin, ...
            name, count, data = "weight.bin: header, records, alignment", count - data, 0
        rest[name] = rest.get(name, 0) + count
    return rest


def _after(package, constants, technique, options):
    """The ledger that the package would have."""
    steps = _settings.steps(technique, options)
    forms.check(package, steps)
    files, rewriters = weigh(package, lambda _: steps, constants)
    rows = [
        row
        for part, rewritten in zip(package.programs, rewriters, strict=True)
        for row in read_rows(part, rewritten.program)
    ]
    return Ledger(
        rows,
        f"{package.path.name} after {technique}",
        rest=_rest(files, rows),
        exact=all(rewritten.exact for rewritten in rewriters),
        declined={name: why for rewritten in rewriters for name, why in rewritten.declined.items()},
    )


def weigh(package, steps_of, constants=constants_in, version=forms.IOS16):
    """The files that a compressed package would have, with a setting for each weight.

    Parameters
    ----------
    package : Package
    steps_of : callable (name) -> list of (technique, options)
        As in `toykit.coreml.writing.rewriting.Rewriter`.
    constants : callable (package) -> dict
        `constants_in`, or what remembers its answers.
    version : int
        Of the specification.

    Returns
    -------
    (dict of str to int, list of Rewriter)
        Bytes of each file, and what became of the constants of each program.
    """
    root = package.path.resolve()
    gone = {old.path.relative_to(root) for old in package.weight_files.values()}
    files = {path: size for path, size in package.files.items() if Path(path) not in gone}
    rewriters = []
    for part in package.programs:
        name, weights = weight_file(part)
        store = Store(name)
        rewriters.append(Rewriter(part, steps_of, store, version=version, constants=constants(part)))
        if weights is not None:
            files[weights.as_posix()] = store.end
    files[package.model_file.relative_to(root).as_posix()] = len(model_bytes(package, rewriters))
    return dict(sorted(files.items())), rewriters
