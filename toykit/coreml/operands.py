"""What an operator is handed: constants of the program, and earlier results, as tensors or as plain Python."""

import numpy as np

from .protobuf import PackageError

_LONGEST_PLAIN = 2**20  # elements of a parameter that is no tensor, such as the labels of a classifier
_LARGE = 2**16  # elements of a constant after which it is worth while to give memory back


class Constant:
    """A constant of the program: read when it is used, and kept if it is small or `keep` says so.

    Parameters
    ----------
    read : callable () -> ndarray, str or list
    backend : Backend
    keep : bool
        Whether a tensor stays in memory once it is there.
    release : callable ()
        Called after a large constant is read: what it was read from need not stay in memory.
    """

    def __init__(self, read, backend, keep, release):
        self._read, self._backend, self._keep, self._release = read, backend, keep, release
        self._kept = {}

    def plain(self):
        """As a number, string or list."""
        values = self._read()
        if isinstance(values, np.ndarray):
            return _listed(values)
        if isinstance(values, list):  # of labels, each a constant of its own
            return [value.tolist() if isinstance(value, np.ndarray) else value for value in values]
        return values

    def tensor(self, as_numpy):
        """As an array of the backend, or of NumPy."""
        if as_numpy in self._kept:
            return self._kept[as_numpy]
        values = np.asarray(self._read())
        if values.dtype.kind == "f":
            values = values.astype(np.float32)
        elif values.dtype.kind not in "iub":
            raise PackageError(f"a tensor is wanted, and {values.dtype} is given")
        array = values if as_numpy else self._backend.array(values)
        if values.size > _LARGE:
            self._release()
        if self._keep or values.size <= 1024:
            self._kept[as_numpy] = array
        return array


def as_numpy(backend, value):
    """A result, or a list of results, as NumPy arrays."""
    if isinstance(value, list):
        return [as_numpy(backend, part) for part in value]
    return backend.numpy(value)


def as_plain(backend, value):
    """A result as a number or list; the name of a state as it is."""
    return value if isinstance(value, str) else _listed(backend.numpy(value))


def _listed(values):
    if values.size > _LONGEST_PLAIN:
        raise PackageError(f"a parameter has {values.size:,} elements, more than any needs")
    return values.tolist()
