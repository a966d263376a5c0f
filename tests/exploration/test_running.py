"""Tasks in other processes: all of them once, also where a worker is lost."""

import contextlib
import gc
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.exploration import nets
from tests.nightly import nightly
from toykit import cli
from toykit.exploration import running
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


@contextlib.contextmanager
def stranger(answers):
    """The address of somebody who says something else, or nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with contextlib.suppress(OSError):  # the end
                while True:
                    other, _ = server.accept()
                    other.sendall(answers)
                    callers.append(other)

        callers = []
        threading.Thread(target=answer, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        for one in callers:
            one.close()


@contextlib.contextmanager
def nobody():
    """An address at which nobody listens."""
    with stranger(b"") as address:
        pass
    yield address


@pytest.mark.parametrize(
    "place, why",
    [
        (nobody(), "no answer within 1 s|Timed out .* after 1 s"),
        (stranger(b""), "no answer within 1 s"),
        (stranger(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "something else answers"),
        (contextlib.nullcontext("10.0.0.1"), "missing port number"),
        (contextlib.nullcontext("http://10.0.0.1:8786"), "unknown address scheme 'http'"),
    ],
    ids=["nobody", "silent", "HTTP", "no port", "http"],
)
def test_a_scheduler_that_does_not_answer_is_one_sentence_soon(place, why, tmp_path, capfd, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(running, "_PATIENCE", 1)
    model = nets.chain(tmp_path / "Model.mlpackage", (48, 64, 48))
    with place as address:
        status = cli.main(["explore", str(model), "--out", str(tmp_path / "out"), "--scheduler", address])
    gc.collect()  # whatever was left complains now
    assert status == 2
    out, said = capfd.readouterr()
    assert out == "" and said.count("\n") == 1 and address in said and re.search(why, said), said
    assert "Start one with `dask scheduler`" in said


def test_a_scheduler_without_distributed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match="scheduler= needs Dask's distributed: pip install 'distributed"):
        running.check_scheduler("tcp://10.0.0.1:8786")
    assert list(run(double, [], scheduler="tcp://10.0.0.1:8786")) == []  # nothing to measure needs nobody
