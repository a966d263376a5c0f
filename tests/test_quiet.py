"""Noise is held back; news is not."""

import asyncio
import contextlib
import contextvars
import io
import logging
import subprocess
import sys
import threading
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nightly import cases
from toykit import _quiet
from toykit._quiet import quiet, working
from toykit.coreml.tools.patches import reporting


def state():
    """What quiet() changes in a process."""
    levels = [logging.getLogger(name).level for name in ("coremltools", "torch")]
    return sys.stdout, sys.stderr, list(warnings.filters), warnings.showwarning, levels


def test_holds_back(capsys, recwarn):
    with quiet():
        print("Running MIL default pipeline:  10%")
        print("bar", file=sys.stderr)
        warnings.warn("traced", stacklevel=1)
        logging.getLogger("coremltools").warning("torch 2.13 has not been tested")
    captured = capsys.readouterr()
    assert captured.out == captured.err == "" and not recwarn.list


def test_errors_and_exceptions_pass(caplog):
    with pytest.raises(ValueError, match="3 bits"), quiet():
        logging.getLogger("coremltools").error("something broke")
        raise ValueError("3 bits need iOS 18")
    assert "something broke" in caplog.text


def test_everything_is_as_before(capsys):
    logger = logging.getLogger("coremltools")
    level, filters = logger.level, list(warnings.filters)
    with quiet():
        pass
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert logger.level == level and list(warnings.filters) == filters
    print("heard")
    assert capsys.readouterr().out == "heard\n"


def test_import_of_coremltools_says_nothing():
    pytest.importorskip("coremltools")
    code = "from toykit._quiet import coremltools; print(coremltools().__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("coremltools\n", "")


def test_missing_coremltools_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(ImportError, match=r"needs coremltools .*pip install 'coremltools==9\.0'.*WSL"):
        _quiet.coremltools()


@settings(max_examples=cases(200))
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["begin", "end", "print", "fail"])), max_size=40)
)
def test_fuzz_blocks_that_overlap_are_silent_inside_and_put_everything_back(events):
    """Each of four contexts, as threads and tasks have them, begins, ends and prints as it likes."""
    heard = io.StringIO()
    with contextlib.redirect_stdout(heard):
        before, expected = state(), ""
        contexts = [(contextvars.copy_context(), []) for _ in range(4)]
        events = [*events, *((who, "end") for who, (_, blocks) in enumerate(contexts) for _ in range(40))]
        for number, (who, event) in enumerate(events):
            context, blocks = contexts[who]
            if event == "begin":
                blocks.append(quiet())
                context.run(blocks[-1].__enter__)
            elif event == "print":
                context.run(print, number)
                expected += f"{number}\n" * (not blocks)
            elif blocks and event == "end":
                context.run(blocks.pop().__exit__, None, None, None)
            elif blocks:
                error = KeyError(number)
                assert not context.run(blocks.pop().__exit__, KeyError, error, None)
        assert state() == before and heard.getvalue() == expected


def test_threads_that_overlap_leave_everything_as_it_was(capsys):
    before, first_in, second_in, first_out = state(), *(threading.Event() for _ in range(3))

    def first():
        with quiet():
            first_in.set()
            second_in.wait(30)
            print("hidden")
        print("heard")
        first_out.set()

    def second():
        first_in.wait(30)
        with quiet():
            second_in.set()
            first_out.wait(30)
            print("hidden")

    threads = [threading.Thread(target=one) for one in (first, second)]
    [thread.start() for thread in threads]
    first_in.wait(30)
    print("so is the main thread")
    [thread.join() for thread in threads]
    assert state() == before
    assert sorted(capsys.readouterr().out.splitlines()) == ["heard", "so is the main thread"]


def test_tasks_that_overlap_are_silent_inside_only(capsys):
    before = state()

    async def task(number):
        with quiet():
            print("hidden")
            await asyncio.sleep(0.001 * number)
            await asyncio.to_thread(print, "hidden, too")
        print(number)
        await asyncio.sleep(0)

    async def all_of_them():
        await asyncio.gather(*map(task, range(5)))

    asyncio.run(all_of_them())
    assert state() == before
    assert sorted(capsys.readouterr().out.split()) == list("01234")


def test_output_that_is_redirected_meanwhile(capsys):
    before, kept, later = state(), io.StringIO(), contextlib.ExitStack()
    with quiet():
        with contextlib.redirect_stdout(kept):
            print("kept: asked for inside")
            with quiet():
                print("hidden")
            print("kept, too")
        print("hidden")
        later.enter_context(contextlib.redirect_stdout(kept))
    print("kept last")
    later.close()  # puts the stand-in of the quiet block back
    print("heard")
    with quiet():
        print("hidden")
    print("and heard")
    assert kept.getvalue() == "kept: asked for inside\nkept, too\nkept last\n"
    assert capsys.readouterr().out == "heard\nand heard\n" and state() == before


def test_a_process_without_streams(monkeypatch):
    # As pythonw has none.
    monkeypatch.setattr(sys, "stdout", None)
    with quiet():
        print("nowhere")
    assert sys.stdout is None


def test_progress_is_heard_where_the_work_was_asked_for(capsys, monkeypatch):
    import tqdm as module

    def work():
        with reporting(lambda done, total: print(done, total), modules=("tqdm",)), working():
            for _ in module.tqdm(range(2)):
                print("hidden")

    work()
    with quiet():
        work()
    assert capsys.readouterr().out == "1 2\n2 2\n"


def test_coremltools_works_for_one_thread_at_a_time():
    inside, most = [], []

    def work():
        with working(), working():
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.005)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert most == [1] * 8


def test_a_handler_of_log_lines_that_was_made_in_a_block_is_silent_in_the_next_ones(capsys):
    logger = logging.getLogger("coremltools.a_part_with_a_level_of_its_own")
    logger.setLevel(logging.INFO)
    with quiet():
        handler = logging.StreamHandler()  # as logging.basicConfig makes it, on the stream of this moment
        logger.addHandler(handler)
    try:
        with quiet():
            logger.info("layer 1 of 3")
        assert "layer 1" not in capsys.readouterr().err
        logger.info("layer 2 of 3")
        assert "layer 2" in capsys.readouterr().err
    finally:
        logger.removeHandler(handler)
