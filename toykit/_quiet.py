"""The one place that quiets other libraries.

Importing coremltools 9 logs that torch and scikit-learn are newer than it was tested with, and
that its runtime library is missing: true of every computer that is not a Mac, and no reason to
worry, since converting and compressing do not use it. Tracing a torch module warns about shapes
that become constants, which is what tracing means. Each compression draws progress bars. On a page
all of this hides the one line that matters, so toykit runs these calls inside `quiet()`.

Nothing that went wrong is hidden: exceptions pass, and log lines from errors upwards.

What is held back belongs to the whole process: two streams, the warnings' filters, the level of two
loggers. So blocks are counted, and the last to end puts back what the first one found. What other
threads and tasks print meanwhile is shown; their warnings are held back with the rest. And coremltools
works for one thread at a time: what it keeps in its own modules, and what toykit mends there
(`toykit.coreml.tools.patches`), is everybody's.
"""

import contextlib
import io
import logging
import sys
import threading
import warnings
from contextvars import ContextVar

from ._optional import require

_LOGGERS = ("coremltools", "torch", "torchao", "coreai", "coreai_torch", "coreai_opt")
ALONE = threading.RLock()  # held while coremltools works
_GUARD = threading.RLock()  # held while the process's streams, filters and levels change
_OPEN = {}  # each block of quiet() that has begun and not ended: the streams it is silent on
_SETTINGS = contextlib.ExitStack()  # the filters and levels that the first block found
_INSIDE: ContextVar[tuple] = ContextVar("_INSIDE", default=())  # the blocks that this thread or task is in


@contextlib.contextmanager
def quiet():
    """Hold back warnings, log lines below an error, progress bars and prints of a block.

    Blocks may be nested, and may overlap in threads and tasks: what a thread prints outside of its own
    blocks is shown.

    Examples
    --------
    >>> with quiet():
    ...     print("Running MIL default pipeline: 0%")
    """
    block = object()
    try:
        _begin(block)
        _INSIDE.set((*_INSIDE.get(), block))
        yield
    finally:
        _INSIDE.set(tuple(other for other in _INSIDE.get() if other is not block))
        _end(block)


class _Stream:
    """Standard output or error while there are quiet blocks: silent inside of them, as ever elsewhere.

    Somebody may keep it for longer: who redirects output meanwhile and puts this back, or a handler of log
    lines that was made in a block. It is silent in later blocks too, and else the stream that it stands for.
    """

    def __init__(self, stream):
        self.stream, self.blocks = stream, set()

    def __getattr__(self, name):
        return getattr(io.StringIO() if _INSIDE.get() else self.stream, name)


def _begin(block):
    with _GUARD:
        if not _OPEN:
            _SETTINGS.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            for logger in map(logging.getLogger, _LOGGERS):
                _SETTINGS.callback(logger.setLevel, logger.level)
                logger.setLevel(logging.ERROR)
        _OPEN[block] = streams = {}
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None and not isinstance(stream, _Stream):
                stream = _Stream(stream)
                setattr(sys, name, stream)
            if stream is not None:
                stream.blocks.add(block)
                streams[name] = stream


def _end(block):
    with _GUARD:
        for name, stream in _OPEN.pop(block, {}).items():
            stream.blocks.discard(block)
            if not stream.blocks and getattr(sys, name) is stream:
                setattr(sys, name, stream.stream)
        if not _OPEN:
            _SETTINGS.close()


def aloud(function):
    """The function, heard in later blocks of `quiet()` as it is here."""
    here = _INSIDE.get()

    def call(*args):
        inside = _INSIDE.set(here)
        try:
            return function(*args)
        finally:
            _INSIDE.reset(inside)

    return call


@contextlib.contextmanager
def working():
    """A block in which coremltools works: alone and quietly."""
    with ALONE, quiet():
        yield


def coremltools():
    """The module coremltools, imported quietly.

    Raises
    ------
    ImportError
        With a sentence that says what to install, and where coremltools does not exist.
    """
    with quiet():
        return require("coremltools", "toykit.coreml needs coremltools to convert and compress")
