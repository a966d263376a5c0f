"""Tasks in other processes: all of them once, also where a worker is lost."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.nightly import nightly
from toykit.exploration.running import run

pytest.importorskip("joblib")


def double(task):
    return 2 * task[0]


def deadly(task):
    """Kills the process that comes first."""
    number, folder = task
    with open(Path(folder, f"{number} {os.getpid()} {time.monotonic_ns()}"), "x"):
        pass
    if number == 3:
        try:
            with open(Path(folder, "killed"), "x"):
                pass
        except FileExistsError:
            return 2 * number
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def always_deadly(task):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_has_its_result(jobs):
    tasks = [(number,) for number in range(7)]
    assert dict(run(double, tasks, jobs)) == {task: 2 * task[0] for task in tasks}


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_lost_worker_costs_what_it_was_at_and_nothing_that_was_finished(tmp_path):
    tasks = [(number, str(tmp_path)) for number in range(8)]
    seen = {}
    for task, result in run(deadly, tasks, jobs=2):
        assert task not in seen
        seen[task] = result
    assert seen == {task: 2 * task[0] for task in tasks}


@nightly
def test_nightly_workers_that_are_always_lost_are_said():
    with pytest.raises(ChildProcessError, match="workers were lost 3 times, with 4 tasks left"):
        list(run(always_deadly, [(number,) for number in range(4)], jobs=2))
