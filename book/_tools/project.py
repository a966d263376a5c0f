"""What the tools share: where things are, and the environment that notebooks run in."""

import contextlib
import functools
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
HTML = BUILD / "html"
NOTEBOOKS = ROOT / "notebooks"
DATA = NOTEBOOKS / "data"
TEMPLATES = NOTEBOOKS / "templates"  # notebooks to fill in, which belong to the learner and are no chapters
WORKSHOP = BUILD / "workshop"


def chapters():
    """Return the paths of all notebooks of the book, sorted."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def shown():
    """Return the paths of the notebooks that the table of contents names, in its order."""
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    return [NOTEBOOKS / f"{name}.ipynb" for name in re.findall(r"file: notebooks/([\w-]+)", toc)]


def kernel_environment():
    """Return the environment variables under which stored outputs are made and verified.

    The two must agree, or a sum taken in another order shows up as a difference in the last digit.
    """
    one_thread = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
    return {
        **os.environ,
        # What a kernel imports is the toykit that lies here, and nothing from a path that the caller has set.
        "PYTHONPATH": str(ROOT),
        # One thread: the order of floating-point sums then does not depend on the number of cores.
        **{f"{name}_NUM_THREADS": "1" for name in one_thread},
        "VECLIB_MAXIMUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # A progress bar holds times, which differ in every run.
        "TQDM_DISABLE": "1",
        # ipykernel would otherwise warn about frozen modules when a debugger is present.
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def say(text):
    """Print a line of progress at once, also where output is not a terminal."""
    print(text, flush=True)


def fail(text):
    """Print `text` to standard error and end the program with status 1."""
    print(text, file=sys.stderr, flush=True)
    raise SystemExit(1)


@contextlib.contextmanager
def alone(file=ROOT / ".make.lock"):
    """Wait until no other process of this folder installs, builds or removes, and keep others waiting.

    The system lets go of the lock when the process ends, however it ends.
    """
    import fcntl  # of systems that have make

    with open(file, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another make is at work in this folder: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def program(main):
    """Let a tool end with a sentence where the disk is full, a folder is read-only, or a reader stops it."""

    @functools.wraps(main)
    def ended():
        try:
            return main()
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            fail(f"{Path(sys.argv[0]).name} stopped. {error.strerror or error}{where}")
        except KeyboardInterrupt:
            fail(f"{Path(sys.argv[0]).name} was stopped.")

    return ended
