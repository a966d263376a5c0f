"""Time functions against each other, fairly; and the speed at which memory is read.

A single timing says little: the first call is slow, other programs get in between, the clock of the
processor changes. So every function runs once beforehand, then all take turns for several rounds, and
what counts is the median. Rounds in turn matter most: whatever disturbs one disturbs its rivals too,
so that ratios hold where seconds do not.
"""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..compressed import check_flag, check_int, check_number, check_type
from .computer import available_memory, machine


@dataclass(frozen=True)
class Measurement:
    """Seconds of one function.

    Attributes
    ----------
    name : str
    times : (rounds,) array
        Seconds of a call in each round.
    median : float
    spread : float
        Half the distance between the quartiles, as a share of the median: 0.05 is 5 %.
    skipped : str
        Why it was not measured; "" if it was. The numbers are then NaN.
    """

    name: str
    times: np.ndarray
    skipped: str = ""

    @property
    def median(self):
        return float(np.median(self.times)) if len(self.times) else float("nan")

    @property
    def spread(self):
        if not len(self.times):
            return float("nan")
        low, high = np.percentile(self.times, (25, 75))
        return float((high - low) / 2 / self.median)

    def __repr__(self):
        if self.skipped:
            return f"Measurement({self.name!r}, skipped: {self.skipped})"
        return f"Measurement({self.name!r}, {1e3 * self.median:.3g} ms +- {100 * self.spread:.0f} %)"


def measure(functions, rounds=9, at_least=0.005, threads=1, memory=0, progress=False):
    """Time functions in turns.

    Parameters
    ----------
    functions : dict of callable
        By names, which may be numbers. Each is called without arguments.
    rounds : int
        How often all take their turn.
    at_least : float
        Seconds of a turn: a function that is quicker is called several times, and the turn divided.
    threads : int or None
        How many threads NumPy's and torch's products may use, where the package threadpoolctl is
        there to tell them (scikit-learn brings it) or torch is loaded; None leaves them alone.
        The setting before is restored.
    memory : int
        Bytes that the functions need together. If fewer are available nothing is run and every
        result says so.
    progress : bool
        Whether to write a line about the round to standard error.

    Returns
    -------
    dict of Measurement
        By the same names.

    Examples
    --------
    >>> found = measure({"sum": lambda: sum(range(100)), "len": lambda: len("abc")}, rounds=3, at_least=0)
    >>> found["sum"].median > 0, len(found["len"].times)
    (True, 3)
    """
    rounds = check_int("rounds", rounds, range(1, 10**6))
    check_type("functions", functions, dict, "a dict of functions by their names")
    if not functions:
        raise ValueError("functions must hold at least one function by its name")
    for name, function in functions.items():
        check_type(f"functions[{name!r}]", function, Callable, "a function")
    at_least = check_number("at_least", at_least, 0, 3600)
    memory, progress = check_int("memory", memory, range(2**63)), check_flag("progress", progress)
    if (free := short_of_memory(memory)) is not None:
        why = f"it needs {memory / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free"
        return {name: Measurement(name, np.zeros(0), why) for name in functions}
    times = {name: [] for name in functions}
    with thread_limit(threads):
        repeats = {name: _repeats(function, at_least) for name, function in functions.items()}
        for number in range(rounds):
            if progress:
                print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
            for name, function in functions.items():
                times[name].append(_turn(function, repeats[name]))
    if progress:
        print(file=sys.stderr)
    return {name: Measurement(name, np.array(found)) for name, found in times.items()}


def bandwidth(nbytes=None, rounds=7, threads=1):
    """Bytes a second at which one thread reads memory: the best of several rounds.

    It adds up an array of float32 that is too large for the last cache, as NumPy does it.

    Parameters
    ----------
    nbytes : int, optional
        Of the array. Twice the last cache if left out, at least 256 MiB and at most 2 GiB, and at
        most a quarter of the memory that is free.
    rounds, threads
        As in `measure`.

    Returns
    -------
    float
    """
    rounds = check_int("rounds", rounds, range(1, 10**6))
    if threads is not None:
        threads = check_int("threads", threads, range(1, 1025))
    if nbytes is None:
        nbytes = min(max(2 * machine().last_cache, 2**28), 2**31, (available_memory() or 2**32) // 4)
    nbytes = check_int("nbytes", nbytes, range(1, 2**63))
    if (free := short_of_memory(nbytes)) is not None:
        raise ValueError(f"nbytes must fit into memory, of which {free:,} bytes are free; got {nbytes:,}")
    array = np.ones(max(1, nbytes // 4), np.float32)
    # NumPy adds float32 in pairs of partial sums, which uses vectors; a dot product does so as well,
    # and which one keeps up with memory depends on the processor.
    runs = measure(
        {"sum": lambda: np.add.reduce(array), "dot": lambda: np.dot(array, array)}, rounds, 0, threads
    )
    return array.nbytes / min(run.times.min() for run in runs.values())


def size_beyond_cache(bytes_a_weight=4, multiple=256):
    """The side of a square matrix that does not fit into the last cache, twice over.

    Examples
    --------
    >>> side = size_beyond_cache()
    >>> side % 256, 4 * side**2 >= 2 * machine().last_cache
    (0, True)
    """
    bytes_a_weight = check_number("bytes_a_weight", bytes_a_weight, above=0)
    multiple = check_int("multiple", multiple, range(1, 2**31))
    side = np.sqrt(2 * machine().last_cache / bytes_a_weight)
    return int(np.ceil(side / multiple)) * multiple


def short_of_memory(nbytes):
    """Bytes that are free, if these are too many to be had; None if not, or where the system does not tell."""
    free = available_memory()
    return free if free is not None and nbytes > 0.8 * free else None


@contextlib.contextmanager
def thread_limit(threads):
    """Let products use so many threads inside the block."""
    if threads is None:
        yield
        return
    threads = check_int("threads", threads, range(1, 1025))
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError):
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(threads))
        torch = sys.modules.get("torch")
        if torch is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(threads)
        yield


def _repeats(function, at_least):
    function()
    once = _turn(function, 1)
    return max(1, int(at_least / max(once, 1e-9)))


def _turn(function, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats
