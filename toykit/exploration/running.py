"""Tasks carried out here, in several processes, or on a cluster; and once more where a worker was lost.

Whoever computes, results come back to this process, which alone keeps them. A worker that is lost takes with it the
task that it was at, and nothing else.

Not here: what a task is (`toykit.exploration.measuring`).
"""

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor

from .._optional import require
from ..compressed import check_type, shown

_TRIES = 3  # times that all workers may be lost before it is said
_PATIENCE = 10  # seconds for a scheduler to answer


def run(function, tasks, jobs=1, scheduler=None):
    """Carry out tasks.

    Parameters
    ----------
    function : callable (task)
        Of a module, so that other processes find it.
    tasks : list
    jobs : int
        Processes on this machine; with 1, this one.
    scheduler : str, optional
        The address of a Dask scheduler, such as "tcp://10.0.0.1:8786".

    Yields
    ------
    (task, result)
        As they are finished.

    Raises
    ------
    ImportError
        If joblib, or distributed, is needed and not installed.
    ChildProcessError
        If workers are lost again and again.
    ConnectionError
        If no scheduler answers.
    """
    if scheduler is not None and tasks:
        yield from _on_cluster(function, tasks, scheduler)
    elif jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, function(task)
    else:
        yield from _in_processes(function, tasks, jobs)


def _in_processes(function, tasks, jobs):
    joblib = require("joblib", "more than one job needs joblib to start processes")
    lost = require("joblib.externals.loky.process_executor", "joblib").BrokenProcessPool
    waiting = dict(enumerate(tasks))
    for _ in range(_TRIES):
        before = len(waiting)
        try:
            parallel = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1)
            calls = (
                joblib.delayed(_numbered)(function, number, task) for number, task in list(waiting.items())
            )
            for number, result in parallel(calls):
                yield waiting.pop(number), result
        except lost:
            if len(waiting) == before:  # the tasks themselves may be what kills it
                continue
        if not waiting:
            return
    raise ChildProcessError(
        f"workers were lost {_TRIES} times, with {len(waiting)} tasks left; is there enough memory? What was measured "
        "is kept: the same command goes on from there, and fewer jobs take less memory"
    )


def _numbered(function, number, task):
    return number, function(task)


def check_scheduler(scheduler):
    """Raise unless a Dask scheduler answers at an address.

    A client cannot be used to find out: where there is no scheduler, it may wait for ever, and it complains once more
    when it goes.

    Raises
    ------
    ImportError, ConnectionError
        As in `run`.
    TypeError
        If it is no text.
    """
    check_type("scheduler", scheduler, str, "the address of a Dask scheduler, such as 'tcp://10.0.0.1:8786'")
    distributed = require("distributed", "scheduler= needs Dask's distributed")

    async def asked():
        keys = distributed.Security().get_connection_args("client")
        async with distributed.core.rpc(scheduler, timeout=_PATIENCE, connection_args=keys) as peer:
            return (await peer.identity())["type"]

    try:
        # A notebook has a loop of its own in this thread.
        with ThreadPoolExecutor(1) as thread:
            kind = thread.submit(asyncio.run, asyncio.wait_for(asked(), _PATIENCE)).result()
        why = None if kind == "Scheduler" else f"a {kind} answers"
    except (
        TimeoutError,
        distributed.comm.CommClosedError,
    ):  # the latter where the wait ends between two tries
        why = f"no answer within {_PATIENCE} s"
    except (OSError, ValueError) as error:
        why = str(error)
    except Exception:  # whatever a stranger says there is no Dask
        why = "something else answers"
    if why is not None:
        raise ConnectionError(
            f"scheduler must be the address of a Dask scheduler that runs, such as 'tcp://10.0.0.1:8786'; at "
            f"{shown(scheduler)}: {why}. Start one with `dask scheduler`, which says its address; or leave scheduler "
            "out, and this computer measures"
        )


def _on_cluster(function, tasks, scheduler):
    distributed = require("distributed", "scheduler= needs Dask's distributed")
    check_scheduler(scheduler)
    with _quiet(), distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False) as client:
        futures = client.map(function, tasks, pure=False, retries=_TRIES)
        by_key = {future.key: task for future, task in zip(futures, tasks, strict=True)}
        try:
            for future, result in distributed.as_completed(futures, loop=client.loop, with_results=True):
                if future.cancelled():  # and the result says so
                    raise ConnectionError(
                        f"the scheduler at {scheduler} is gone. What was measured is kept: the same command goes on "
                        "from there"
                    )
                yield by_key[future.key], result
        except distributed.KilledWorker as error:
            raise ChildProcessError(f"workers of the cluster were lost again and again: {error}") from error


@contextlib.contextmanager
def _quiet():
    """A block in which a client that loses its scheduler logs no traces: the error says it."""
    log = logging.getLogger("distributed.client")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
