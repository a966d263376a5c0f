"""A time limit for a learner's function, so that an endless loop ends in a sentence.

After the limit the main thread is interrupted as by Ctrl-C, which stops a loop of Python, not a single long
call of NumPy. Where the check does not run in the main thread, or no thread can be started (in a browser),
there is no limit: there the page stops it.
"""

import _thread
import contextlib
import signal
import threading

LIMIT = 10  # seconds for one case; a right answer takes thousandths of one


class TimeUp(Exception):
    """The limit was reached."""


@contextlib.contextmanager
def time_limit(seconds=None):
    """Raise `TimeUp` in the block if it takes longer.

    Examples
    --------
    >>> with time_limit(10):
    ...     1 + 1
    2
    """
    expired = threading.Event()

    def interrupt():
        expired.set()
        _thread.interrupt_main()

    timer = threading.Timer(LIMIT if seconds is None else seconds, interrupt)
    timer.daemon = True
    here = threading.current_thread() is threading.main_thread()
    # A program that a shell starts in the background ignores Ctrl-C, and would ignore the interrupt, too.
    ignored = here and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    try:
        if ignored:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if here:
            with contextlib.suppress(RuntimeError):  # no threads here
                timer.start()
        yield
        timer.cancel()
        if timer.ident is not None:
            timer.join()  # an interrupt that is on its way arrives here, not in what comes next
    except KeyboardInterrupt:
        if not expired.is_set():
            raise
        raise TimeUp from None
    finally:
        timer.cancel()
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
