"""One prediction under way: what it remembers, who watches, and how much it may use.

A program of a few hundred bytes can ask for loops within loops and for thousands of large results.
Each operator refuses a result that is too large by itself; this is about all of them together.
"""

from .protobuf import PackageError

LARGEST = 2**32  # bytes of all results that are alive at a time
MOST_CALLS = 500_000  # of the blocks of loops and conditions


class Prediction:
    """What the steps of a program share while it runs.

    Parameters
    ----------
    state : dict of str to array
        Changed by the program.
    watch : callable (operation, name, array), optional
        Called with every result.
    """

    def __init__(self, state, watch=None):
        self.state, self.watch = state, watch
        self._calls = self._bytes = 0

    def enter(self):
        """Count the call of a block.

        Raises
        ------
        PackageError
            If the program has called more blocks than any needs.
        """
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise PackageError(f"the loops did not end within {MOST_CALLS:,} rounds together")

    def hold(self, value):
        """Count a result as long as it lives: the bytes to `drop` afterwards.

        Raises
        ------
        PackageError
            If all results that are alive take more than 4 GiB. A view counts as what it shows.
        """
        size = sum(map(_nbytes, value)) if isinstance(value, list) else _nbytes(value)
        self._bytes += size
        if self._bytes > LARGEST:
            raise PackageError(
                f"results would take {self._bytes:,} bytes at a time; toykit allows {LARGEST:,}"
            )
        return size

    def drop(self, size):
        """The results of `size` bytes are no longer needed."""
        self._bytes -= size


def _nbytes(value):
    return getattr(value, "nbytes", 0)
