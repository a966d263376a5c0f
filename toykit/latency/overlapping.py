"""Requests that overlap: how many are answered a second, and how long each one takes.

Latency is what one request waits for. Throughput is how many are answered in a second. While one
request is being prepared, another can be predicted, so several in flight answer more of them a
second, though none of them sooner. `overlap` does it with threads and notes when everything began and
ended. Threads help where the work leaves Python's lock: NumPy's and torch's products do, and so does
Core ML.

Not here: cancelling a request, and dropping those that come too late; an app needs both.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..compressed import check_each, check_int, check_number, check_type
from .measuring import thread_limit


@dataclass(frozen=True)
class Requests:
    """What happened to each request: arrays of one number a request, in the order of arrival.

    Attributes
    ----------
    arrivals, starts, ends : array
        Seconds since the first arrival. Between arrival and start a request waits for a worker.
    workers : int
    results : list
        What the function returned.
    span : float
        Seconds from the first arrival to the last end.
    rate : float
        Requests answered a second.
    latency : array
        Seconds from arrival to end, waiting included.
    in_flight : float
        How many requests were there on average, waiting ones included. By Little's law it is the
        rate times the mean latency.
    working : float
        How many of them were being worked on, on average.
    """

    arrivals: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    workers: int
    results: list

    @property
    def span(self):
        return float(self.ends.max() - self.arrivals.min())

    @property
    def rate(self):
        return len(self.ends) / self.span

    @property
    def latency(self):
        return self.ends - self.arrivals

    @property
    def in_flight(self):
        return float(self.latency.sum() / self.span)

    @property
    def working(self):
        return float((self.ends - self.starts).sum() / self.span)

    def __repr__(self):
        return (
            f"Requests({len(self.ends)} requests, {self.workers} workers: {self.rate:.3g} a second, "
            f"median latency {1e3 * np.median(self.latency):.3g} ms)"
        )


def overlap(function, inputs, workers=1, gap=0.0, threads=1):
    """Answer requests with several workers, and note when each arrived, began and ended.

    Parameters
    ----------
    function : callable
        Called with one input; with several workers from several threads at once.
    inputs : iterable
        One for each request.
    workers : int
        Requests that are worked on at a time.
    gap : float
        Seconds between two arrivals; with 0 all are there from the beginning.
    threads : int or None
        As in `measure`: how many threads a single product may use. One each, so that workers do not
        fight over the same cores.

    Returns
    -------
    Requests

    Raises
    ------
    ValueError
        If there is no input, or `gap` is negative.
    Exception
        What the function raises. Requests that have not begun by then never do.

    Examples
    --------
    >>> done = overlap(lambda x: time.sleep(0.02), range(4), workers=4)
    >>> done.span < 4 * 0.02, bool(done.latency.min() >= 0.02)
    (True, True)
    """
    workers = check_int("workers", workers, range(1, 1025))
    check_type("function", function, Callable, "a function")
    inputs = check_each("inputs", inputs, object, "inputs", empty=False)
    gap = check_number("gap", gap, 0, 3600)
    times = np.zeros((3, len(inputs)))
    failed = threading.Event()

    def answer(number, value):
        if failed.is_set():
            return None
        times[1, number] = time.perf_counter()
        try:
            return function(value)
        except BaseException:
            failed.set()
            raise
        finally:
            times[2, number] = time.perf_counter()

    with thread_limit(threads), ThreadPoolExecutor(workers) as pool:
        jobs = []
        begin = time.perf_counter()
        for number, value in enumerate(inputs):
            due = begin + number * gap
            time.sleep(max(0.0, due - time.perf_counter()))
            times[0, number] = due
            jobs.append(pool.submit(answer, number, value))
        results = [job.result() for job in jobs]
    arrivals, starts, ends = times - begin
    return Requests(arrivals, starts, ends, workers, results)
