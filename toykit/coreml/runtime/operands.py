"""What an operator is handed: constants of the program, and earlier results, as tensors or as plain Python."""

import math

import numpy as np

from ..format.protobuf import PackageError
from . import costs
from .limits import work

_LONGEST_PLAIN = 2**20  # elements of a parameter that is no tensor, such as the labels of a classifier
_PLAIN = 40  # bytes of such an element
_SMALL = 1024  # elements of a constant that always stays in memory
_LARGE = 2**16  # elements of a constant after which it is worth while to give memory back


class Constants:
    """How a model gets at its constants.

    Parameters
    ----------
    backend : Backend
    keep : bool
        Whether a constant stays in memory once it is there.
    release : callable ()
        Called after a large constant is read: what it was read from need not stay in memory.
    memory : Memory
        Where the bytes of what is kept are counted.
    """

    def __init__(self, backend, keep, release, memory):
        self.backend, self.keep, self.release, self.memory = backend, keep, release, memory
        self._stored = {}

    def constant(self, read, shape):
        """A constant that `read()` gives, of this shape."""
        return Constant(read, math.prod(shape), self)

    def of_value(self, value):
        """A constant of the program; the same for all that refer to one array of a weight file."""
        if value.blob is None:
            return self.constant(value.numpy, value.type.shape)
        return self._stored.setdefault((value.blob, value.type), self.constant(value.numpy, value.type.shape))


class Constant:
    """A constant of the program: read when it is used, and kept if it is small or all are.

    Parameters
    ----------
    read : callable () -> ndarray, str or list
    count : int
        Of elements.
    constants : Constants
    """

    def __init__(self, read, count, constants):
        self._read, self.count, self._constants = read, count, constants
        self._kept = {}

    def plain(self):
        """As a number, string or list."""
        if "plain" not in self._kept:
            _check_plain(self.count)
            self._constants.memory.allocate(_PLAIN * self.count)
            values = self._read()
            if isinstance(values, np.ndarray):
                values = values.tolist()
            elif isinstance(values, list):  # of labels, each a constant of its own
                values = [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
            self._kept["plain"] = values
        return self._kept["plain"]

    def tensor(self, as_numpy):
        """As an array of the backend, or of NumPy."""
        if as_numpy in self._kept:
            return self._kept[as_numpy]
        keep, backend = self._constants.keep or self.count <= _SMALL, self._constants.backend
        work(2 * costs.WRITE * self.count)
        memory = self._constants.memory
        (memory.allocate if keep else memory.check)(4 * self.count)
        values = np.asarray(self._read())
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
        elif values.dtype.kind not in "iub":
            raise PackageError(f"a tensor is wanted, and {values.dtype} is given")
        array = values if as_numpy else backend.array(values)
        if self.count > _LARGE:
            self._constants.release()
        if keep:
            self._kept[as_numpy] = array
        return array


def as_numpy(backend, value):
    """A result, or a list of results, as NumPy arrays."""
    if isinstance(value, list):
        return [as_numpy(backend, part) for part in value]
    return backend.numpy(value)


def as_plain(backend, value):
    """A result as a number or list; the name of a state as it is."""
    if isinstance(value, str):
        return value
    values = backend.numpy(value)
    _check_plain(values.size)
    return values.tolist()


def _check_plain(count):
    if count > _LONGEST_PLAIN:
        raise PackageError(f"a parameter has {count:,} elements, more than any needs")
    work(costs.WRITE * count)
