"""The packages of `write_fixtures`, as the archives in `packages/` hold them: one archive a version of coremltools."""

import hashlib
import json
import tarfile
import tempfile
from copy import copy
from functools import cache, cached_property
from pathlib import Path

import numpy as np

import toykit as tk

from . import nets

ARCHIVES = Path(__file__).parent / "packages"
_END = ".tar.xz"


class Fixture:
    """A package, and what its writer says of it.

    Attributes
    ----------
    version, name : str
        Of coremltools; system and form, such as "iOS16 palette 4".
    path : Path
        All tests read the same package: none may change it.
    entry : dict
        Of the archive's index: specification, digests of the weights, answers.
    """

    def __init__(self, version, name):
        self.version, self.name = version, name
        self.path = Path(_unpacked(version), f"{name}.mlpackage")
        self.entry = index(version)["packages"][name]

    def written(self, path):
        """The same network, as it was written to `path` from this package."""
        other = copy(self)
        other.path = path
        vars(other).pop("package", None)
        return other

    @cached_property
    def package(self):
        return tk.coreml.Package(self.path)

    def weights(self):
        """The weight of each operator of the network, decompressed by toykit."""
        # In a package of several functions, names begin with that of the function.
        stored = {
            name.removeprefix("main/"): weight for name, weight in tk.coreml.weights(self.package).items()
        }
        found = {}
        for operation in self.package.program.functions["main"].block.walk():
            if operation.op in nets.SHAPES:
                (operand,) = operation.inputs["x" if operation.op == "gather" else "weight"]
                # What decompresses a weight adds to its name.
                weight = stored[max((name for name in stored if operand.startswith(name)), key=len)]
                found[operation.op] = weight.dense() if hasattr(weight, "dense") else weight
        return found

    def differing_weights(self):
        """Operators whose weight is not, to the bit, what the writer's version decompresses."""
        found, expected = self.weights(), self.entry["weights"]
        return sorted(found.keys() ^ expected.keys()) + [
            operator
            for operator in found.keys() & expected.keys()
            if _described(found[operator]) != expected[operator]
        ]

    def answers(self, backend, function="main", calls=1):
        """toykit's answers to the inputs of `nets`, one after the other; a state is kept between them."""
        several = self.package.description.functions
        model = tk.coreml.load(self.package, backend=backend, function=function if several else None)
        given = {name: value for name, value in nets.inputs().items() if name in model.inputs}
        state = model.make_state() if model.states else None
        return [np.ravel(model.predict(given, state)["answer"]).tolist() for _ in range(calls)]


def _described(array):
    """Type, shape and digest of an array, as the index has them."""
    array = np.ascontiguousarray(array)
    return [str(array.dtype), list(array.shape), hashlib.sha256(array.tobytes()).hexdigest()]


def versions():
    """The versions of coremltools that there are archives of."""
    return sorted(file.name.removesuffix(_END) for file in ARCHIVES.glob(f"*{_END}"))


def newest(version):
    """The newest system that a version writes for."""
    return next(reversed(index(version)["packages"])).split()[0]


@cache
def index(version):
    """What the archive of a version says of its packages."""
    return json.loads(Path(_unpacked(version), "index.json").read_text(encoding="utf-8"))


def names():
    """(version, name) of every package."""
    return [(version, name) for version in versions() for name in index(version)["packages"]]


def _unpacked(version):
    return _scratch(version).name


@cache
def _scratch(version):
    scratch = tempfile.TemporaryDirectory(prefix=f"toykit-zoo-{version}-")
    with tarfile.open(ARCHIVES / f"{version}{_END}") as tar:
        tar.extractall(scratch.name, filter="data")
    return scratch
