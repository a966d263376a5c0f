"""The one place that quiets other libraries.

Importing coremltools 9 logs that torch and scikit-learn are newer than it was tested with, and
that its runtime library is missing: true of every computer that is not a Mac, and no reason to
worry, since converting and compressing do not use it. Tracing a torch module warns about shapes
that become constants, which is what tracing means. Each compression draws progress bars. On a page
all of this hides the one line that matters, so toykit runs these calls inside `quiet()`.

Nothing that went wrong is hidden: exceptions pass, and what the block had printed is shown first.
"""

import contextlib
import io
import logging
import sys
import warnings

from ._optional import require

_LOGGERS = ("coremltools", "torch")


@contextlib.contextmanager
def quiet():
    """Hold back warnings, log lines below an error, progress bars and prints of a block.

    If the block raises, what it wrote is passed on to standard error before the exception leaves.

    Examples
    --------
    >>> with quiet():
    ...     print("Running MIL default pipeline: 0%")
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    written = io.StringIO()
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stderr(written), contextlib.redirect_stdout(written):
            warnings.simplefilter("ignore")
            yield
    except BaseException:
        sys.stderr.write(written.getvalue())
        raise
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def coremltools():
    """The module coremltools, imported quietly.

    Raises
    ------
    ImportError
        With a sentence that says what to install, and where coremltools does not exist.
    """
    with quiet():
        return require("coremltools", "toykit.coreml needs coremltools to convert and compress")
