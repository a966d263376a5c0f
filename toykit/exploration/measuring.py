"""What a setting does to the answers: of one weight alone, or of all weights of a recipe.

The damage is the error's share of the answer's power, the inverse of the signal-to-noise ratio: errors that have
nothing to do with each other add up in it, so the damage of a recipe is about the sum of what its weights do alone.
Of several outputs the worst counts.
"""

import contextlib
import hashlib
import math
import sys
import time
from dataclasses import dataclass, field

import numpy as np

from ..coreml.format import weightbin
from ..coreml.format.package import Package
from ..coreml.runtime.comparison import add, tallies_of, worst
from ..coreml.runtime.model import load
from ..coreml.runtime.partial import Partial
from ..coreml.writing import forms
from ..coreml.writing.candidates import constants_in
from ..settings import read_setting
from ..stored.arrays import compress
from ..stored.prediction import predict

MEMORY = 2**30  # bytes that results, and compressed weights, may take between measurements


@dataclass(frozen=True)
class Task:
    """A weight and the settings to try on it: all that a worker needs, wherever it is.

    Attributes
    ----------
    path : str
        Of the package; a worker on another machine has to find it there.
    digest : str
        Of the package and the inputs: workers keep what they have made of them.
    inputs : list of dict
    version : int
        Of the specification.
    memory : int
    weight : str
    settings : tuple of dict
    """

    path: str
    digest: str
    inputs: list = field(repr=False)
    version: int
    memory: int
    weight: str
    settings: tuple


def measure(task):
    """Measure a task: list of (decibels, seconds of this process) for each of its settings.

    Decibels are not a number where the answers are none any more.
    """
    measurer = _KEPT.get(task.digest)
    if measurer is None:
        _KEPT.clear()
        measurer = _KEPT[task.digest] = Measurer(Package(task.path), task.inputs, task.version, task.memory)
    found = []
    with one_thread():
        measurer.expected()
        for setting in task.settings:
            start = time.process_time()
            level = measurer.alone(task.weight, setting)
            found.append((level, time.process_time() - start))
    return found


_KEPT = {}  # of this process: the last measurer, by the digest of its task


class Measurer:
    """A package that answers the same inputs with other weights.

    Parameters
    ----------
    package : Package
        Of one program with one function, without states.
    inputs : list of dict
    version : int
    memory : int
    dense : dict, optional
        What weights become, of another measurer of the package: recipes have most of it in common.

    Attributes
    ----------
    model : Model
    inputs : list of dict
    weights : dict of str to toykit.stored.parts.Weight
        Those that may be compressed, in the order of their first use.
    operators : dict of str to set of str
    """

    def __init__(self, package, inputs, version=forms.IOS16, memory=MEMORY, dense=None):
        (constants,) = constants_in(package).values()
        self.package, self.version, self.memory = package, version, memory
        self.model, self.inputs = load(package), inputs
        self.partial = Partial(self.model, inputs, memory)
        found = [one for one in constants.floats if one not in constants.results]
        found.sort(key=self.partial.first_use)
        self._operations = {next(iter(one.outputs)): one for one in found}
        self.weights = {name: constants.floats[one] for name, one in self._operations.items()}
        self.operators = {name: constants.operators[one] for name, one in self._operations.items()}
        self._expected, self.dense = None, {} if dense is None else dense

    def stored(self, name, setting):
        """How a weight would be stored, without contents; None if it cannot take the setting."""
        steps = read_setting(setting, model=True)
        found = predict(self.weights[name], steps, forms.IN_PROGRAM, forms.widths(self.version))
        return None if found.declined or not found.parts else found

    def nbytes(self, name, setting):
        """Bytes of a weight in the weight file; None if it cannot take the setting."""
        if setting["technique"] == "float16":
            weight = self.weights[name]
            return _placed(weight.size * np.dtype(weight.dtype).itemsize)
        found = self.stored(name, setting)
        if found is None:
            return None
        return sum(_placed(part.nbytes) for part in found.parts.values() if part.count >= forms.IN_PROGRAM)

    def alone(self, name, setting):
        """Decibels of the answers when this weight alone takes the setting."""
        dense = self._values(name, setting)
        operation = self._operations[name]
        self.partial.forward(self.partial.first_use(operation))
        with self.partial.changed({operation: dense}):
            return self._decibels()

    @contextlib.contextmanager
    def compressed(self, recipe):
        """A block in which the weights of a recipe are what they would be in its package.

        Parameters
        ----------
        recipe : dict of str to dict
        """
        values = {self._operations[name]: self._kept(name, setting) for name, setting in recipe.items()}
        with self.partial.changed(values):
            yield

    def together(self, recipe):
        """Decibels of the answers when all weights of a recipe take their settings."""
        self.expected()
        self.partial.forward(0)
        with one_thread(), self.compressed(recipe):
            return self._decibels()

    def expected(self):
        """The answers of the model as it is."""
        if self._expected is None:
            self.partial.forward(0)
            self._expected = self.partial.answers()
        return self._expected

    def _values(self, name, setting):
        found = self.stored(name, setting)
        assert found is not None  # only what can be stored is tried
        return compress(self.weights[name], found.applied).dense()

    def _kept(self, name, setting):
        """The values of a compressed weight, kept while there is memory."""
        key = name, repr(setting)
        values = self.dense.pop(key, None)
        values = self._values(name, setting) if values is None else values
        self.dense[key] = values
        while sum(one.nbytes for one in self.dense.values()) > self.memory and len(self.dense) > 1:
            del self.dense[next(iter(self.dense))]
        return values

    def _decibels(self):
        return decibels(self.model, self.partial.answers(), self.expected())


def decibels(model, found, expected):
    """How much louder the answers are than the errors, in the worst output; NaN where there is no finite answer."""
    tallies = tallies_of(model, model)
    add(tallies, found, expected)
    level = worst(tallies)
    return math.nan if level is None or level == -math.inf else level


def damage(level):
    """The error's share of the answer's power, from decibels.

    Examples
    --------
    >>> damage(40.0), damage(float("inf"))
    (0.0001, 0.0)
    """
    return 10 ** (-level / 10)


@contextlib.contextmanager
def one_thread():
    """A block in which torch computes with one thread: sums come in one order, whatever the machine has."""
    torch = sys.modules.get("torch")
    before = None if torch is None else torch.get_num_threads()
    try:
        if torch is not None:
            torch.set_num_threads(1)
        yield
    finally:
        if torch is not None:
            torch.set_num_threads(before)


def digest_of_inputs(inputs):
    """A number for a list of inputs."""
    digest = hashlib.sha256()
    for one in inputs:
        for name, value in sorted(one.items()):
            array = np.asarray(value)
            digest.update(f"{name} {array.shape} {array.dtype.str}\0".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _placed(nbytes):
    """Bytes of an array in a weight file: its record, and what aligns the next one."""
    return weightbin.ALIGNMENT + weightbin.aligned(nbytes)
