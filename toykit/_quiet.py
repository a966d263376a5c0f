"""The one place that quiets other libraries.

Importing coremltools 9 logs that torch and scikit-learn are newer than it was tested with, and
that its runtime library is missing: true of every computer that is not a Mac, and no reason to
worry, since converting and compressing do not use it. Tracing a torch module warns about shapes
that become constants, which is what tracing means. Each compression draws progress bars. On a page
all of this hides the one line that matters, so toykit runs these calls inside `quiet()`.

Nothing that went wrong is hidden: exceptions pass, and log lines from errors upwards.
"""

import contextlib
import io
import logging
import sys
import warnings
from importlib import import_module

from ._optional import require

_LOGGERS = ("coremltools", "torch")


@contextlib.contextmanager
def quiet():
    """Hold back warnings, log lines below an error, progress bars and prints of a block.

    Examples
    --------
    >>> with quiet():
    ...     print("Running MIL default pipeline: 0%")
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), _redirected(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


COMPRESSION = ("coremltools.optimize.coreml._quantization_passes",)


@contextlib.contextmanager
def reporting(progress, modules=COMPRESSION):
    """Tell `progress(done, total)` how far coremltools is, in place of its bars.

    coremltools counts with tqdm, a name that is replaced in these modules for a while. What `progress`
    prints is seen if this stands outside of `quiet()`: it goes where prints went before.
    """
    if progress is None:
        yield
        return
    shown = sys.stdout, sys.stderr

    def count(iterable, **_):
        items = list(iterable)
        for done, item in enumerate(items):
            yield item
            with contextlib.redirect_stdout(shown[0]), contextlib.redirect_stderr(shown[1]):
                progress(done + 1, len(items))

    with contextlib.ExitStack() as restore:
        for module in map(import_module, modules):
            name = "_tqdm" if hasattr(module, "_tqdm") else "tqdm"
            restore.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, count)
        yield


@contextlib.contextmanager
def _redirected(target):
    with contextlib.redirect_stderr(target), contextlib.redirect_stdout(target):
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
