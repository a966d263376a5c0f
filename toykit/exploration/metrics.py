"""A metric of the user's: how good are the answers for the task?

    def right(predict, part):
        ...
        return [predict({"x": x})["y"].argmax() == target for x, target in samples[part]]

It is given a function that predicts as the package does, and the part to ask: "search" while the recipe is sought,
"held out" for the judgement. It returns a number, or one for each sample: truth values, whose share counts and has an
interval, or numbers, whose mean counts. More is better. A metric without `part` that returns a number for each sample
has every third one held out; one that returns a single number has nothing held out, which is then said.
"""

import contextlib
import hashlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..compressed import check_type, shown
from ..data.pitch import share_interval
from ..sweep.intervals import paired_interval

PARTS = SEARCH, HELD_OUT = "search", "held out"
_EVERY = 3  # samples of which one is held out


@dataclass(frozen=True)
class Value:
    """What a metric found.

    Attributes
    ----------
    value : float
        More is better.
    low, high : float
        The interval of a share; NaN for another number.
    samples : int
        0 for a single number.
    marks : array or None
        Of each sample.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    samples: int = 0
    marks: np.ndarray | None = field(default=None, repr=False, compare=False)

    def less_than(self, other):
        """The interval of how much larger the share of `other` is, on the same samples; None for another number."""
        if any(one.marks is None or one.marks.dtype != bool for one in (self, other)):
            return None
        return paired_interval(self.marks, other.marks)


class Metric:
    """A function that judges, called with care.

    Parameters
    ----------
    function : callable, or str
        Or where it is: "file.py:function".

    Attributes
    ----------
    name : str
    digest : str
        Of its source.
    printed : bool
        Whether it has printed; that went to standard error.
    """

    def __init__(self, function):
        check_type("metric", function, (str, Callable), "a function, or where it is: 'file.py:function'")
        self.name = (
            function if isinstance(function, str) else getattr(function, "__qualname__", repr(function))
        )
        self.function = _found(function) if isinstance(function, str) else function
        self.digest = hashlib.sha256(_source(self.function).encode()).hexdigest()
        self.parts = _takes_part(self.function)
        self.printed = False

    def __call__(self, predict, part):
        """What it finds: Value, or None for the held-out part of a single number.

        Raises
        ------
        ValueError
            If it raises, or what it returns is no number, or is not finite.
        """
        marks = self._marks(self._ask(predict, part))
        if not np.isfinite(marks).all():
            raise ValueError(
                f"metric {self.name} returned {marks[~np.isfinite(marks)].flat[0]}, which is no number"
            )
        if marks.ndim == 0:
            return None if part == HELD_OUT and not self.parts else Value(float(marks))
        if not self.parts:
            held = np.arange(len(marks)) % _EVERY == _EVERY - 1
            marks = marks[held if part == HELD_OUT else ~held]
            if not len(marks):
                return None
        value, low, high = float(marks.mean()), math.nan, math.nan
        if marks.dtype == bool:
            low, high = map(float, share_interval(value, len(marks)))
        return Value(value, low, high, len(marks), marks)

    def _marks(self, answer):
        """A number, or a row of them."""
        try:
            marks = np.asarray(answer)
        except (TypeError, ValueError):  # rows of different lengths
            marks = np.zeros(0)
        if marks.dtype.kind not in "fiub" or marks.ndim > 1 or not marks.size:
            raise ValueError(
                f"metric {self.name} must return a number, or one for each sample; got {shown(answer)}"
            )
        return marks

    def _ask(self, predict, part):
        said = _Counted(sys.stderr)
        try:
            with contextlib.redirect_stdout(said):
                answer = self.function(predict, part) if self.parts else self.function(predict)
                return list(answer) if isinstance(answer, Iterator) else answer
        except (Exception, SystemExit) as problem:  # whatever a user's function raises
            raise ValueError(f"metric {self.name} raised {type(problem).__name__}: {problem}") from problem
        finally:
            self.printed |= said.count > 0


class _Counted:
    """A stream that passes on what it is given, and knows whether there was anything."""

    def __init__(self, stream):
        self.stream, self.count = stream, 0

    def write(self, text):
        self.count += len(text)
        return self.stream.write(text)

    def flush(self):
        self.stream.flush()


def _found(place):
    """The function that "file.py:function" names."""
    path, colon, name = place.rpartition(":")
    if not colon or not name.isidentifier():
        raise ValueError(
            f"metric must be such as 'exam.py:right', a file and a function in it; got {place!r}"
        )
    if not Path(path).is_file():
        raise FileNotFoundError(f"metric: there is no file {path}")
    module = Path(path).stem
    spec = importlib.util.spec_from_file_location(module, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"metric: {path} is no Python file")
    loaded = importlib.util.module_from_spec(spec)
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)  # what lies beside it, it may import
    try:
        spec.loader.exec_module(loaded)
    except (Exception, SystemExit) as problem:  # whatever the user's file does
        raise ValueError(f"metric: {path} raised {type(problem).__name__}: {problem}") from problem
    finally:
        sys.path.remove(folder)
    function = getattr(loaded, name, None)
    if not callable(function):
        raise ValueError(f"metric: {path} has no function {name!r}")
    return function


def _source(function):
    """The text of the file that a function is in, or what else says which it is."""
    with contextlib.suppress(OSError, TypeError):
        return Path(inspect.getfile(function)).read_text("utf-8", "replace") + function.__qualname__
    return f"{type(function).__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _takes_part(function):
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of C, say
        return False
    plain = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one for one in plain if one.default is one.empty]
    return len(needed) > 1 or any(one.name == "part" for one in plain)
