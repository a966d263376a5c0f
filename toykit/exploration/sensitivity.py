"""What every setting does to every weight alone: measured once, wherever there is room, and kept."""

import os

import numpy as np

from ..settings import label
from .measuring import Task, damage, digest_of_inputs, measure
from .result import Candidate
from .running import run
from .settings import FLOAT16, advice

_AT_ONCE = 4  # settings of a weight in a task: what is lost with a worker
SMALL = 2**22  # bytes of a package for which starting more processes takes longer than it saves


def sensitivity(
    package, measurer, samples, settings, store, unit=None, jobs=None, scheduler=None, progress=None
):
    """Try each setting on each weight alone, but for what was measured before.

    Parameters
    ----------
    package : Package
    measurer : Measurer
        Of the package.
    samples : list of dict
        Inputs.
    settings : list of dict
    store : Store
        Opened.
    unit, jobs, scheduler, progress
        As in `tk.explore`.

    Returns
    -------
    dict of str to tuple of Candidate
        For each weight that can take one of the settings, those that make it smaller, in their order.

    Raises
    ------
    ValueError
        If no weight can take any.
    """
    tried, tasks, levels = digest_of_inputs(samples), [], {}
    digest, sizes = f"{store.about} {tried}", {}
    for name in measurer.weights:
        sizes[name] = [measurer.nbytes(name, setting) for setting in settings]
        rows = [store.get("alone", tried, name, setting) for setting in settings]
        levels[name] = {place: row["snr_db"] for place, row in enumerate(rows) if row}
        waiting = [place for place, row in enumerate(rows) if not row and sizes[name][place] is not None]
        path = str(package.path.resolve())
        for start in range(0, len(waiting), _AT_ONCE):
            places = waiting[start : start + _AT_ONCE]
            some = tuple(settings[place] for place in places)
            tasks.append((Task(path, digest, samples, measurer.version, measurer.memory, name, some), places))
    places_of = {id(task): places for task, places in tasks}
    jobs = _jobs(jobs, package)
    for done, (task, found) in enumerate(run(measure, [task for task, _ in tasks], jobs, scheduler), 1):
        for place, (level, seconds) in zip(places_of[id(task)], found, strict=True):
            numbers = {"nbytes": sizes[task.weight][place], "snr_db": level, "seconds": seconds}
            row = store.add("alone", tried, task.weight, settings[place], samples=len(samples), **numbers)
            levels[task.weight][place] = row["snr_db"]
        if progress is not None:
            progress(done, len(tasks))
    candidates = {}
    for name, some in levels.items():
        before = measurer.nbytes(name, FLOAT16)
        found = tuple(
            Candidate(setting, label(setting), sizes[name][place], some[place], advice(setting, unit))
            for place, setting in enumerate(settings)
            if not np.isnan(some.get(place, np.nan)) and sizes[name][place] < before
        )
        if found:
            candidates[name] = found
    if not candidates:
        raise ValueError(f"{package} has no weight that can take any of the settings")
    return candidates


def rows_of(candidates, measurer):
    """Bytes and damage of each weight as it is and of each of its candidates, for `Options`."""
    nbytes = [
        [measurer.nbytes(name, FLOAT16), *(one.nbytes for one in some)] for name, some in candidates.items()
    ]
    return nbytes, [[0.0, *(damage(one.snr_db) for one in some)] for some in candidates.values()]


def _jobs(jobs, package):
    if jobs is not None:
        return jobs
    return (os.cpu_count() or 1) if package.nbytes > SMALL else 1
