"""Telling a learner's result from the expected one, in words.

Type first, then shape, then dtype, then values: a wrong shape explains wrong values, and not the
other way round.
"""

import linecache
import numbers
import traceback
from pathlib import Path

import numpy as np

_KINDS = {"b": "booleans", "i": "signed integers", "u": "unsigned integers", "f": "floating-point numbers"}


def show(value, indent=0, digits=None):
    """Return a value as a learner would type it, shortened if it is long, the same on every machine.

    Numbers have 6 digits, those of arrays 4 behind the point, unless `digits` asks for more.
    """
    if isinstance(value, np.ndarray):
        with np.printoptions(
            precision=digits or 4, suppress=True, threshold=64, edgeitems=2, linewidth=76, floatmode="maxprec"
        ):
            text = np.array2string(value, separator=", ", prefix=" " * indent)
        long = f", shape {value.shape}" if value.ndim > 1 or value.size > 64 else ""
        return f"{text}  ({_type(value)}{long})"
    if isinstance(value, np.generic):
        return show(value.item(), digits=digits)
    if isinstance(value, float):
        text = f"{value:.{digits or 6}g}"
        return f"{text}.0" if text.lstrip("-").isdigit() else text  # 3.0 is a float and should look like one
    if isinstance(value, (tuple, list)):
        inside = ", ".join(show(item, digits=digits) for item in value[:64]) + (
            ", ..." if len(value) > 64 else ""
        )
        return f"({inside}{',' * (len(value) == 1)})" if isinstance(value, tuple) else f"[{inside}]"
    if callable(value):
        return f"the function {getattr(value, '__name__', 'without a name')}"
    try:
        text = repr(value)
    except Exception:  # a stranger's object, or a whole number too long for Python to print
        return f"an object of type {type(value).__name__}"
    # The default repr holds a memory address, which is another one in every run.
    return f"an object of type {type(value).__name__}" if " at 0x" in text else text[:200]


def _type(array):
    """The name of an array's type. NumPy's `int` has 64 bits, and 32 in a browser: its width is not said."""
    return "int" if array.dtype in (np.int32, np.int64) else str(array.dtype)


def show_apart(got, expected):
    """Two values with as many digits as it takes to tell them apart."""
    for digits in (None, 9, 12, 17):
        mine, theirs = show(got, digits=digits), show(expected, digits=digits)
        if mine != theirs:
            break
    return mine, theirs


def compare(got, expected, tolerance, dtype=""):
    """Say how `got` differs from `expected`.

    Parameters
    ----------
    got, expected : object
    tolerance : float
        As in `Exercise`.
    dtype : str
        As in `Exercise`: the type that an array must have.

    Returns
    -------
    problem : str or None
        None if they agree.
    comparable : bool
        Whether type and shape agree, so that the values can say more.
    """
    if isinstance(expected, np.ndarray):
        return _compare_arrays(got, expected, tolerance, dtype)
    if isinstance(expected, dict):
        return _compare_dictionaries(got, expected, tolerance)
    if isinstance(expected, (tuple, list)):
        values = as_array(got) if hasattr(got, "__array__") else None
        if values is not None and values.ndim == 1:
            got = list(values)
        if not isinstance(got, (tuple, list, range)):
            return f"Your function returned {_kind(got)} instead of {len(expected)} values.", False
        if len(got) != len(expected):
            return f"Your function returned {len(got)} values instead of {len(expected)}.", False
        for place, (mine, theirs) in enumerate(zip(got, expected), start=1):
            problem, comparable = compare(mine, theirs, tolerance)
            if problem:
                return f"Value {place} of {len(expected)}: {problem[0].lower()}{problem[1:]}", comparable
        return None, True
    if expected is None:
        return (None, True) if got is None else (f"There is {_kind(got)} instead of None.", False)
    if isinstance(expected, str):
        return (None, True) if got == expected else (f"There is {show(got)} instead of {expected!r}.", True)
    return _compare_numbers(got, expected, tolerance)


def as_expected(got, expected):
    """An answer that `compare` found comparable, as the hints want it: an array where one is expected."""
    if isinstance(expected, np.ndarray) and not isinstance(got, np.ndarray):
        return np.asarray(got)
    return got


def _compare_dictionaries(got, expected, tolerance):
    if not isinstance(got, dict):
        return f"Your function returned {_kind(got)} instead of a dictionary.", False
    # In their own order, which no hash changes.
    for missing in (key for key in expected if key not in got):
        return f"The key {missing!r} is missing.", False
    for unknown in (key for key in got if key not in expected):
        return f"The key {unknown!r} does not belong there.", False
    for key, value in expected.items():
        problem, comparable = compare(got[key], value, tolerance)
        if problem:
            return f"Under {key!r}: {problem[0].lower()}{problem[1:]}", comparable
    return None, True


def _compare_numbers(got, expected, tolerance):
    if hasattr(got, "shape") and got.shape == ():  # a NumPy array or a torch tensor of one number
        got = np.asarray(got)[()]
    if isinstance(got, (bool, np.bool_)) or not isinstance(got, (numbers.Real, np.number)):
        return f"Your function returned {_kind(got)} instead of a number.", False
    return (None, True) if close(got, expected, tolerance) else ("The result is wrong.", True)


def close(got, expected, tolerance):
    """Whether numbers agree. Those that were computed in float32 have its seven digits."""
    if not tolerance:
        return got == expected
    if getattr(got, "dtype", None) == np.float32:
        tolerance = max(tolerance, 8 * float(np.finfo(np.float32).eps))
    expected = np.asarray(expected, np.float64)  # a float of Python would take on the few digits of a float16
    try:
        return np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=np.ndim(got) > 0)
    except OverflowError:  # a whole number beyond all floats is none of the expected ones
        return False


def _compare_arrays(got, expected, tolerance, dtype):
    if not isinstance(got, np.ndarray):
        values = None if dtype else as_array(got)
        if values is None:
            return f"Your function returned {_kind(got)} instead of a NumPy array.", False
        got = values
    if got.shape != expected.shape:
        return f"The shape is {got.shape} instead of {expected.shape}.", False
    kind = got.dtype.kind
    if kind not in _KINDS:
        return f"The array holds {got.dtype} values.", False
    if (kind == "b") != (expected.dtype.kind == "b") or (dtype and kind != expected.dtype.kind):
        whole = dtype == "integer" and kind in "iu"
        if not whole:
            return (
                f"The array holds {_KINDS[kind]} ({_type(got)}) instead of {dtype or _type(expected)}.",
                True,
            )
    # Packed bytes and codes are what is stored, so their width is part of the answer.
    if dtype not in ("", "integer") and got.dtype != np.dtype(dtype):
        return f"The array is {_type(got)} instead of {dtype}.", True
    same = np.asarray(close(got, expected, tolerance))
    if same.all():
        return None, True
    first = tuple(int(i) for i in np.argwhere(~same)[0])
    at = ", ".join(map(str, first))
    count = f"{int((~same).sum())} of {same.size} values are wrong" if same.size > 1 else "The value is wrong"
    mine, theirs = show_apart(got[first], expected[first])
    return f"{count}; the first is [{at}]: {mine} instead of {theirs}.", True


def as_array(value):
    """Numbers as an array: an array of them, a list, a tuple or a torch tensor; None for anything else."""
    if not isinstance(value, (list, tuple, range)) and not hasattr(value, "__array__"):
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError):  # rows of different lengths; a tensor with a gradient
        return None
    return array if array.dtype.kind in _KINDS else None


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def learners_line(error):
    """Return the deepest line of the learner's own code in a traceback, as "line 3: x = y[9]"."""
    toykit = str(Path(__file__).parents[1])
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith((toykit, "<frozen")) and "site-packages" not in f.filename
    ]
    for frame in reversed(frames):
        line = (frame.line or linecache.getline(frame.filename, frame.lineno or 0)).strip()
        if line:
            return f"line {frame.lineno}: {line}"
    return ""
