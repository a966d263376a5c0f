"""Python's side of the live cells: it runs a cell of the page and says what came out.

worker.js loads this module into Pyodide beside toykit. It runs in any Python: the tests run it in theirs.
"""

import ast
import importlib
import io
import linecache
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress

LONGEST = 100_000  # characters of output that a page is given
PIECES = 1000  # of output that a page is told line by line; after them, what gathers in
PAUSE = 0.1  # seconds
LINES = 12  # of a traceback

_namespaces = {}
_cells = {}  # file name of a cell, as tracebacks know it -> the cell's name


class Namespace:
    """The names that the cells of a group share, and which cells made them."""

    def __init__(self):
        self.names = {"__name__": "__main__", "__builtins__": __builtins__}
        self.done = set()


class Output(io.TextIOBase):
    """What a cell prints: kept up to `LONGEST` characters, and told to the page in pieces."""

    def __init__(self, tell=None):
        self.text, self._tell, self._waiting, self._stream = "", tell, "", "stdout"
        self._pieces, self._told = 0, 0.0

    def stream(self, name):
        return _Stream(self, name)

    def put(self, stream, text):
        if len(self.text) >= LONGEST:
            return
        if len(self.text) + len(text) >= LONGEST:
            text = (
                text[: LONGEST - len(self.text)]
                + f"\n(More than {LONGEST:,} characters: the rest is not shown.)\n"
            )
        self.text += text
        if self._tell:
            if stream != self._stream:
                self.pass_on()
            self._stream = stream
            self._waiting += text
            now = self._pieces < PIECES or time.monotonic() - self._told > PAUSE
            if now and text.endswith("\n"):
                self.pass_on()

    def pass_on(self):
        """Tell the page what has gathered."""
        if self._tell and self._waiting:
            self._tell(self._stream, self._waiting)
            self._pieces += 1
        self._waiting, self._told = "", time.monotonic()


class _Stream(io.TextIOBase):
    def __init__(self, output, name):
        self._output, self._name = output, name

    def writable(self):
        return True

    def write(self, text):
        self._output.put(self._name, text)
        return len(text)


def run(code, namespace="page", before=(), reset=False, name="cell", began=None, tell=None):
    """Run a cell, and first the cells that it needs and that have not run in its namespace.

    Parameters
    ----------
    code : str
    namespace : str
        Cells that name the same one share their names.
    before : list of str
        The cells that it needs, in their order. What they print and show is not reported.
    reset : bool
        Start from an empty namespace.
    name : str
        What the cell is called in tracebacks.
    began : function, optional
        Called before each cell runs: the page measures its time from there.
    tell : function, optional
        Given ("stdout" or "stderr", text) while the cell runs.

    Returns
    -------
    dict
        `ok`, `output`, `value`, `error` and `fresh`, as the page's `tkLive.run` answers.
    """
    if reset:
        _namespaces.pop(namespace, None)
    fresh = namespace not in _namespaces
    space = _namespaces.setdefault(namespace, Namespace())
    output, error, value = Output(tell), None, None
    for number, (text, label) in enumerate([*((text, "an earlier cell") for text in before), (code, name)]):
        last = number == len(before)
        if not last and text in space.done:
            continue
        if began:
            began()
        printed = output if last else Output()
        value, error = _execute(text, label, space.names, printed)
        if error:
            error["before"] = None if last else number
            break
        space.done.add(text)
    shown = None
    if not error and value is not None:
        with redirect_stdout(output.stream("stdout")), redirect_stderr(output.stream("stderr")):
            try:
                shown = _shown(value)
            except Exception as raised:  # a learner's __repr__
                error = _explained(raised) | {"before": None}
    output.pass_on()
    return {"ok": error is None, "output": output.text, "value": shown, "error": error, "fresh": fresh}


def _execute(code, label, names, output):
    """(value of the last expression or None, error or None)"""
    file = f"<{label} {len(_cells) + 1}>"
    _cells[file] = label
    # Without a date, linecache keeps the text: tracebacks and inspect.getsource find it.
    linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
    with redirect_stdout(output.stream("stdout")), redirect_stderr(output.stream("stderr")):
        try:
            tree = ast.parse(code, file)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            value = None
            exec(compile(tree, file, "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), file, "eval"), names)
                value = None if code.rstrip().endswith(";") else value
        except BaseException as raised:
            return None, _explained(raised)
    return value, None


def _explained(raised):
    """An exception as the page shows it: with the lines of cells, and no others."""
    said = f"{type(raised).__name__}: {raised}".rstrip(": ")
    if isinstance(raised, SyntaxError) and raised.filename in _cells:
        said = f"{type(raised).__name__}: {raised.msg}"
        text = (raised.text or "").rstrip("\n")
        frames = [{"cell": _cells[raised.filename], "line": raised.lineno, "text": text, "function": ""}]
        kind, column = "syntax", raised.offset
    else:
        frames = [
            {
                "cell": _cells[frame.filename],
                "line": frame.lineno,
                "text": (frame.line or "").strip(),
                "function": "" if frame.name == "<module>" else frame.name,
            }
            for frame in traceback.extract_tb(raised.__traceback__)
            if frame.filename in _cells
        ]
        kind, column = "python", None
    line = frames[-1]["line"] if frames else None
    if len(frames) > LINES:  # a function that calls itself
        left = {"cell": "", "line": None, "text": f"({len(frames) - LINES} more lines)", "function": ""}
        frames = [*frames[: LINES // 2], left, *frames[-LINES // 2 :]]
    return {
        "kind": kind,
        "type": type(raised).__name__,
        "message": said,
        "line": line,
        "column": column,
        "traceback": frames,
    }


def _shown(value):
    """What the page shows of a value."""
    text = repr(value)
    if len(text) > LONGEST:
        text = text[:LONGEST] + f"\n(More than {LONGEST:,} characters: the rest is not shown.)"
    shown = {"text": text, "html": None, "passed": None, "exercise": None}
    if hasattr(value, "_repr_html_") and not isinstance(value, type):
        shown["html"] = value._repr_html_()
    framework = sys.modules.get("toykit.exercises.framework")
    if framework and isinstance(value, framework.Report):
        shown |= {"passed": value.passed, "exercise": value.exercise}
    with suppress(TypeError, RecursionError):
        # A large array has a short text; it stays where it is.
        if len(text) <= LONGEST and getattr(value, "size", 0) <= LONGEST:
            shown["json"] = handed_over(value)
    return shown


def call(module, function, args=(), kwargs=None, folder="", progress=None, tell=None):
    """Call a function of a module for the page.

    Parameters
    ----------
    module, function : str
    args : list
        A dict with the one key "$file" stands for the path of a mounted file or folder below `folder`.
    kwargs : dict, optional
    folder : str
        Where the page's files are mounted.
    progress : function, optional
        Given to the function as `progress`, which calls it with (share or None, text).
    tell : function, optional
        As in `run`.

    Returns
    -------
    dict
        `value`, or `error` with its `type`, `message` and whole `traceback`.
    """
    output = Output(tell)

    def placed(value):
        if isinstance(value, dict):
            if list(value) == ["$file"]:
                return f"{folder}/{value['$file']}"
            return {key: placed(inner) for key, inner in value.items()}
        return [placed(inner) for inner in value] if isinstance(value, list) else value

    with redirect_stdout(output.stream("stdout")), redirect_stderr(output.stream("stderr")):
        try:
            kwargs = placed(dict(kwargs or {}))
            if progress:
                kwargs["progress"] = progress
            found = getattr(importlib.import_module(module), function)
            return {"value": handed_over(found(*placed(list(args)), **kwargs))}
        except BaseException as raised:
            said = str(raised) or type(raised).__name__
            whole = "".join(traceback.format_exception(raised))
            return {"error": {"type": type(raised).__name__, "message": said, "traceback": whole}}
        finally:
            output.pass_on()


def handed_over(value):
    """A value in the types that JavaScript takes over.

    Raises
    ------
    TypeError
        If something in it is neither a number, text, None, bytes, an array, a dict, a list nor a tuple.
    """
    numpy = sys.modules.get("numpy")
    if numpy and isinstance(value, numpy.generic):
        value = value.item()
    if numpy and isinstance(value, numpy.ndarray):
        value = numpy.ascontiguousarray(value).ravel()
        if value.dtype == numpy.float16:  # JavaScript has no array of them everywhere
            return value.astype(numpy.float32)
        if value.dtype == bool:
            return value.view(numpy.uint8)
        if value.dtype.kind not in "iuf":
            raise TypeError(f"an array of {value.dtype} cannot be given to the page")
        return value
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, dict):
        return {str(key): handed_over(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [handed_over(inner) for inner in value]
    raise TypeError(f"a {type(value).__name__} cannot be given to the page")
