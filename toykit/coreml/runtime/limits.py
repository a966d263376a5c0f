"""What a model may use: memory for its constants and results, and work. Both are counted before they are spent.

A program of a few hundred bytes can ask for loops within loops, for thousands of large results, and for
constants of a thousand times the bytes that are stored. The limits grow with what there is: with the bytes
of the package, and with the inputs that the caller hands over. So a large network has all it needs, and a
small one that asks for much is refused. Memory is that of constants and of all results that are alive at
a time. Work is in multiply-adds; `costs.py` says what else an operation counts as.
"""

import math
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real

from ..constants.reading import CONSTEXPR
from ..format.protobuf import PackageError

MEMORY = 2**29  # bytes; and so many for each byte of the package and of the inputs:
_FOR_STORED, _FOR_GIVEN = 64, 256
WORK, _FOR_EACH = (
    10**11,
    32,
)  # multiply-adds; and for each byte of the package times each element of the inputs
_SHARE = 8  # one result may take this part of the memory: an operator needs several times as much on its way
_DENSER = 16  # float16 to one bit
_LARGEST = 2**30  # bytes of a result where nothing runs that could say more

_running: ContextVar["Prediction | None"] = ContextVar("running", default=None)


class Memory:
    """Bytes in use, counted and never more than a limit.

    Parameters
    ----------
    limit : int
    """

    def __init__(self, limit):
        self.limit, self.used = limit, 0

    def allocate(self, size):
        """Count `size` bytes as used, if there are so many (`check`)."""
        self.check(size)
        self.used += size

    def check(self, size):
        """Raise a PackageError if there are not `size` bytes left."""
        if self.used + size > self.limit:
            raise PackageError(
                f"constants and results would take {self.used + size:,} bytes at a time; toykit allows "
                f"{self.limit:,}: raise it with memory_limit=..."
            )

    def free(self, size):
        """Count `size` bytes as free again."""
        self.used -= size


class Prediction:
    """What the steps of a program share while it runs.

    Parameters
    ----------
    state : dict of str to array
        Changed by the program.
    memory : Memory
    work_limit : int
    watch : callable (operation, name, array), optional
        Called with every result.
    """

    def __init__(self, state, memory, work_limit, watch=None):
        self.state, self.memory, self.watch = state, memory, watch
        self.work_limit = self.work_left = work_limit

    @contextmanager
    def running(self):
        """Within this context `work` and `largest_result` are about this prediction."""
        token = _running.set(self)
        try:
            yield
        finally:
            _running.reset(token)

    def work(self, count):
        """Count multiply-adds that are about to be done.

        Raises
        ------
        PackageError
            If they are more than are left.
        """
        self.work_left -= max(count, 0)  # a cost from numbers that make no sense may be less than nothing
        if self.work_left < 0:
            raise PackageError(
                f"the prediction would take more than {self.work_limit:,} multiply-adds, or what lasts as "
                "long: "
                "raise it with work_limit=..."
            )

    def allocate(self, value):
        """Count a result as long as it lives: the bytes to `free` afterwards. A view counts as what it shows."""
        size = sum(map(_nbytes, value)) if isinstance(value, list) else _nbytes(value)
        self.memory.allocate(size)
        return size

    def free(self, size):
        """The results of `size` bytes are no longer needed."""
        self.memory.free(size)


def uncompressed(stored, block):
    """Bytes of a package as if its weights were float16: the results of a program do not shrink with them.

    At most `_DENSER` times what is stored, whatever the program says of itself.
    """
    kinds = [kind for one in block.walk() if one.op in CONSTEXPR for kind in one.outputs.values()]
    return min(
        stored + sum(2 * math.prod(kind.shape) for kind in kinds if None not in kind.shape), _DENSER * stored
    )


def memory_limit(limit, stored, given=0):
    """Bytes that a model may take: `limit`, or by default what goes with its bytes and those of its inputs."""
    return MEMORY + _FOR_STORED * stored + _FOR_GIVEN * given if limit is None else limit


def work_limit(limit, stored, given):
    """Multiply-adds of a prediction: `limit`, or what goes with a model's bytes and its inputs' elements."""
    return WORK + _FOR_EACH * stored * given if limit is None else limit


def check_limit(name, value: float | None):
    """A limit that a caller gave, as an int; None stays None.

    Raises
    ------
    TypeError, ValueError
        If it is no number, or less than 1.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number; got {type(value).__name__}")
    if not value >= 1:
        raise ValueError(f"{name} must be 1 or more; got {value}")
    return int(min(value, 2**63))


def work(count):
    """Count multiply-adds for the prediction that runs, if one does."""
    if (prediction := _running.get()) is not None:
        prediction.work(count)


def largest_result(temporary=False):
    """Bytes that a single result may have; or a temporary array of an operator, which may be larger."""
    prediction = _running.get()
    return _LARGEST if prediction is None else prediction.memory.limit // (1 if temporary else _SHARE)


def _nbytes(value):
    return getattr(value, "nbytes", 0)
