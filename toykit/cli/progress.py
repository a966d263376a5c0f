"""How far a command is, for those who watch.

Drawn by rich, which the commands' help needs anyway, and imported only where standard error is a terminal: pipes
and logs get nothing.
"""

import contextlib
import sys


@contextlib.contextmanager
def progress(what):
    """A block in which a line shows how far something is; the line is gone at its end.

    Parameters
    ----------
    what : str
        What is counted, such as "weights".

    Yields
    ------
    callable (done, total) or None
        None where nobody watches.

    Examples
    --------
    >>> with progress("weights") as show:
    ...     print(show)
    None
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn(f"{{task.completed:g}} of {{task.total:g}} {what}"),
        TimeRemainingColumn(),
    )
    # Names that are printed meanwhile go through `printable` and nothing else: no stream is replaced.
    with Progress(
        *columns,
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as shown:
        task = shown.add_task("", total=None, visible=False)
        yield lambda done, total: shown.update(task, completed=done, total=total, visible=True)
