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


def show(value, indent=0):
    """Return a value as a learner would type it, shortened if it is long, the same on every machine."""
    if isinstance(value, np.ndarray):
        with np.printoptions(precision=4, suppress=True, threshold=64, edgeitems=2, linewidth=76,
                             floatmode="maxprec"):
            text = np.array2string(value, separator=", ", prefix=" " * indent)
        long = f", shape {value.shape}" if value.ndim > 1 or value.size > 64 else ""
        return f"{text}  ({value.dtype}{long})"
    if isinstance(value, np.generic):
        return show(value.item())
    if isinstance(value, float):
        text = f"{value:.6g}"
        return f"{text}.0" if text.lstrip("-").isdigit() else text  # 3.0 is a float and should look like one
    if isinstance(value, (tuple, list)):
        inside = ", ".join(show(item) for item in value[:64]) + (", ..." if len(value) > 64 else "")
        return f"({inside}{',' * (len(value) == 1)})" if isinstance(value, tuple) else f"[{inside}]"
    if callable(value):
        return f"the function {getattr(value, '__name__', 'without a name')}"
    try:
        text = repr(value)
    except Exception:  # a stranger's object, or a whole number too long for Python to print
        return f"an object of type {type(value).__name__}"
    # The default repr holds a memory address, which is another one in every run.
    return f"an object of type {type(value).__name__}" if " at 0x" in text else text[:200]


def compare(got, expected, tolerance):
    """Say how `got` differs from `expected`.

    Returns
    -------
    problem : str or None
        None if they agree.
    comparable : bool
        Whether type and shape agree, so that the values can say more.
    """
    if isinstance(expected, np.ndarray):
        return _compare_arrays(got, expected, tolerance)
    if isinstance(expected, dict):
        return _compare_dictionaries(got, expected, tolerance)
    if isinstance(expected, (tuple, list)):
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
    return _compare_numbers(got, expected, tolerance)


def _compare_dictionaries(got, expected, tolerance):
    if not isinstance(got, dict):
        return f"Your function returned {_kind(got)} instead of a dictionary.", False
    for missing in expected.keys() - got.keys():
        return f"The key {missing!r} is missing.", False
    for unknown in got.keys() - expected.keys():
        return f"The key {unknown!r} does not belong there.", False
    for key, value in expected.items():
        problem, comparable = compare(got[key], value, tolerance)
        if problem:
            return f"Under {key!r}: {problem[0].lower()}{problem[1:]}", comparable
    return None, True


def _compare_numbers(got, expected, tolerance):
    if isinstance(got, np.ndarray) and got.ndim == 0:
        got = got[()]
    if isinstance(got, (bool, np.bool_)) or not isinstance(got, (numbers.Real, np.number)):
        return f"Your function returned {_kind(got)} instead of a number.", False
    with np.errstate(all="ignore"):
        close = np.isclose(got, expected, rtol=tolerance, atol=tolerance) if tolerance else got == expected
    return (None, True) if close else ("The result is wrong.", True)


def _compare_arrays(got, expected, tolerance):
    if not isinstance(got, np.ndarray):
        return f"Your function returned {_kind(got)} instead of a NumPy array.", False
    if got.shape != expected.shape:
        return f"The shape is {got.shape} instead of {expected.shape}.", False
    if got.dtype.kind not in _KINDS:
        return f"The array holds {got.dtype} values.", False
    if got.dtype.kind != expected.dtype.kind:
        return f"The array holds {_KINDS[got.dtype.kind]} ({got.dtype}) instead of {expected.dtype}.", True
    # Packed bytes and codes are what is stored, so their width is part of the answer.
    if expected.dtype.kind in "iu" and got.dtype != expected.dtype:
        return f"The array is {got.dtype} instead of {expected.dtype}.", True
    with np.errstate(all="ignore"):
        if tolerance:
            same = np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
        else:
            same = got == expected
    if same.all():
        return None, True
    first = tuple(int(i) for i in np.argwhere(~same)[0])
    at = ", ".join(map(str, first))
    count = f"{int((~same).sum())} of {same.size} values are wrong" if same.size > 1 else "The value is wrong"
    return f"{count}; the first is [{at}]: {show(got[first])} instead of {show(expected[first])}.", True


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def learners_line(error):
    """Return the deepest line of the learner's own code in a traceback, as "line 3: x = y[9]"."""
    toykit = str(Path(__file__).parents[1])
    frames = [f for f in traceback.extract_tb(error.__traceback__)
              if not f.filename.startswith((toykit, "<frozen")) and "site-packages" not in f.filename]
    for frame in reversed(frames):
        line = (frame.line or linecache.getline(frame.filename, frame.lineno)).strip()
        if line:
            return f"line {frame.lineno}: {line}"
    return ""
