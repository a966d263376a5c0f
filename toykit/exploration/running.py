"""Tasks carried out here, in several processes, or on a cluster; and once more where a worker was lost.

Whoever computes, results come back to this process, which alone keeps them. A worker that is lost takes with it the
task that it was at, and nothing else.

Not here: what a task is (`toykit.exploration.measuring`).
"""

from .._optional import require

_TRIES = 3  # times that all workers may be lost before it is said
_PATIENCE = 20  # seconds for a scheduler to answer


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
    if scheduler is not None:
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


def _on_cluster(function, tasks, scheduler):
    distributed = require("distributed", "scheduler= needs Dask's distributed")
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(f"scheduler: nothing answers at {scheduler}: {error}") from error
    with client:
        futures = client.map(function, tasks, pure=False, retries=_TRIES)
        by_key = {future.key: task for future, task in zip(futures, tasks, strict=True)}
        try:
            for future, result in distributed.as_completed(futures, loop=client.loop, with_results=True):
                yield by_key[future.key], result
        except distributed.KilledWorker as error:
            raise ChildProcessError(f"workers of the cluster were lost again and again: {error}") from error
