"""How a command ends: its exit status, and a sentence for whatever stopped it.

Needs the standard library alone, of Python 3.8 or later, as `toykit doctor` does.
"""

import contextlib
import errno
import io
import os
import shutil
import sys

from ._text import printable

SIGPIPE = 128 + 13  # what a shell says of a command whose reader has gone
STOPPED = 128 + 2  # and of one that was stopped with Ctrl-C


def run(name, work):
    """Run `work`, a command, and say in a sentence what kept it from its answer.

    Parameters
    ----------
    name : str
        The command as it was typed, such as "toykit size".
    work : callable () -> int
        Prints the answer and returns the exit status.

    Returns
    -------
    int
        That of `work`; 2 if the answer could not be given or written. Stopped with Ctrl-C, or left by its
        reader (`| head`): as a shell says it, 130 or 141.
    """
    with _any_sign():
        try:
            try:
                return _answer(name, work)
            finally:
                # What cannot be written is to be known here, and not at the end of Python.
                print(end="", flush=True)
        except BrokenPipeError:
            _write_no_more()
            return SIGPIPE
        except OSError as error:
            _write_no_more()
            print(f"toykit: the answer could not be written: {error.strerror}", file=sys.stderr)
            return 2


def _answer(name, work):
    try:
        return work()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print(f"\n{name}: stopped", file=sys.stderr)
        return STOPPED
    except (ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        # These sentences are written for people; a trace of calls would only hide them.
        print(f"{name}: {printable(_sentence(error))}", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _any_sign():
    """A block that writes any sign to any stream.

    Signs that a stream's encoding lacks are written as escapes: cp1252 has no Greek name of a layer. What goes to a
    stream that is closed (`2>&-`) goes nowhere: print would send it to the other.
    """
    with contextlib.ExitStack() as after:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None:
                after.callback(setattr, sys, name, None)
                setattr(sys, name, after.enter_context(open(os.devnull, "w")))
            elif isinstance(stream, io.TextIOWrapper):
                after.callback(stream.reconfigure, errors=stream.errors)
                stream.reconfigure(errors="backslashreplace")
        yield


def _sentence(error):
    """What an error says; the system's own errors are put in words."""
    # Copying a folder collects what went wrong with each file: one reason is enough.
    full = os.strerror(errno.ENOSPC)
    if isinstance(error, OSError) and (error.errno == errno.ENOSPC or full in str(error)):
        return "there is no room left on the disk; nothing was written"
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(dict.fromkeys(str(reason) for *_, reason in error.args[0]))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, ModuleNotFoundError):
        # Not one that toykit can live without: those say what to install.
        return f"{error}: toykit doctor says what to do"
    if isinstance(error, MemoryError):
        return f"there is not enough memory{': ' * bool(str(error))}{error}"
    return str(error)


def _write_no_more():
    """Nothing more reaches a reader that has gone; Python would try again at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
