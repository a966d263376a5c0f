"""How an exercise is checked, and what the learner reads.

An `Exercise` is data: a reference solution, cases with a note on what each is about, a generator of
random arguments, and hints for mistakes that can be recognised from what came out. Calling it with
the learner's function runs the cases, the small ones first, stops at the first that fails, and
returns a `Report`. The text of a report depends on nothing but the function: no address, no time.

The learner's function gets copies of a case, never the case itself: whatever it does to them, the
next case and the next check find what was written down.
"""

import contextlib
import copy
import dis
import inspect
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .diagnosis import as_expected, compare, learners_line, show, show_apart
from .limits import LIMIT, TimeUp, time_limit
from .picture import grids
from .report import UNWRITTEN, Report

LEVELS = ("warm-up", "build", "decide")


@dataclass(frozen=True)
class Case:
    """Arguments to try, and in a few words what is special about them ("ties", "no weights")."""

    args: tuple
    about: str = ""

    def __init__(self, *args, about=""):
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "about", about)


@dataclass(frozen=True)
class Hint:
    """A sentence for a mistake that shows in the result.

    `when(got, expected, *args)` says whether this mistake was made; it is only asked about a result
    of the right type and shape, unless `anything` is true. An error inside it counts as a no.
    """

    text: str
    when: Callable
    anything: bool = False


@dataclass(frozen=True, eq=False)
class Exercise:
    """A task and everything that is needed to check an answer to it.

    Attributes
    ----------
    name : str
        As in ``check.name(my_function)``.
    task : str
        One sentence: what the function gets and what it should return.
    reference : callable
        A solution. Its argument names are those that the learner reads.
    cases : list of Case
        Small and exact first: the first failing case is the one that is shown.
    random : callable, optional
        From a numpy Generator to a tuple of arguments.
    hints : list of Hint
    hint : str
        For a mistake that no hint recognises.
    tolerance : float
        Relative and, for values below 1, absolute. 0 asks for exact equality.
    dtype : str
        Where the task asks for an array of one type, because that is what is stored or used: a NumPy
        type such as "uint8", or "integer". Otherwise a list, a tuple or an array of any type will do
        that holds the right values.
    normal : callable, optional
        From an answer to the form in which it is compared, where several say the same: a dictionary
        with its defaults filled in. May raise TypeError, ValueError or KeyError for an answer that
        has no such form; it is then compared as it is.
    trials : int
        How many random cases to run.
    level : {"warm-up", "build", "decide"}
        One idea of its section, in a line or three; a piece of the method, where edges count; or a choice between
        possibilities, as at work. The text of the exercise says it, too.
    """

    name: str
    task: str
    reference: Callable
    cases: list
    random: Callable | None = None
    hints: list = field(default_factory=list)
    hint: str = ""
    tolerance: float = 0.0
    dtype: str = ""
    normal: Callable | None = None
    trials: int = 20
    level: str = ""

    def __call__(self, function):
        names = list(inspect.signature(self.reference).parameters)
        call = f"{self.name}({', '.join(names)})"
        if not callable(function):
            return self._failed(
                0,
                f"This is {show(function)}, not a function.",
                hint=f"Hand over the function itself, without calling it: check.{self.name}(your_function).",
            )
        try:
            inspect.signature(function).bind(*names)
        except TypeError:
            count = f"{len(names)} argument{'s' * (len(names) > 1)}"
            return self._failed(
                0, f"Your function cannot be called as {call}.", hint=f"It gets {count}: {', '.join(names)}."
            )
        except ValueError:  # some built-in functions do not tell their arguments
            pass
        if _is_unwritten(function):
            return self._unwritten(0)
        answers = []
        # The learner's session may raise on every rounding; the checker's own arithmetic must not.
        with np.errstate(all="ignore"):
            for tried, case in enumerate(self._all_cases()):
                report, answer = self._try(function, names, case, tried)
                if report is not None:
                    return report
                answers.append(answer)
            return self._passed(answers)

    def __repr__(self):
        return f"<exercise {self.name}: {self.task}>"

    def _all_cases(self):
        yield from self.cases
        if self.random is not None:
            for seed in range(self.trials):
                yield Case(*self.random(np.random.default_rng(seed)), about=f"random case {seed}")

    def _failed(self, tried, problem, details=(), hint=None, picture=""):
        return Report(self.name, tried, problem, tuple(details), self.hint if hint is None else hint, picture)

    def _unwritten(self, tried):
        return self._failed(tried, UNWRITTEN, hint=self.task)

    def _passed(self, answers):
        """The report when no case has failed, given the answers to all cases."""
        return Report(self.name, len(answers))

    def _try(self, function, names, case, tried):
        """(report, or None if the answer is right; the answer)"""
        given = "\n".join(
            f"{name} = {show(value, indent=len(name) + 3)}" for name, value in zip(names, case.args)
        )
        details = [("Input", given + (f"\n({case.about})" if case.about else ""))]
        expected = self.reference(*copy.deepcopy(case.args))
        args = copy.deepcopy(case.args)
        try:
            got = _call(function, args)
        except NotImplementedError:
            return self._unwritten(tried), None
        except TimeUp:
            return self._failed(
                tried,
                f"Your function had not answered after {LIMIT} seconds.",
                details,
                "Is there a loop whose condition never becomes false?",
            ), None
        except Exception as error:  # whatever a learner's code may raise is theirs to read about
            where = learners_line(error)
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            return self._failed(
                tried,
                "Your function stopped with an error.",
                details + [("Error", said)] + ([("At", where)] if where else []),
                hint="",
            ), None
        if got is None:
            forgot = "Some way through it ends without a return." if tried else "Did you forget the return?"
            return self._failed(tried, "Your function returned None.", details, forgot), None
        changed = [name for name, before, after in zip(names, case.args, args) if not _same(before, after)]
        if changed:
            return self._failed(
                tried,
                f"Your function changed its input {changed[0]}.",
                details,
                "The caller still needs it: work on a copy, or compute something new.",
            ), None
        problem, comparable = self._compare(got, expected, case.args)
        if problem is None:
            return None, got
        hint = self._find_hint(got, expected, case.args, comparable)
        mine, theirs = show_apart(got, expected)
        details += [("You gave", mine), ("Expected", theirs)]
        return self._failed(tried, problem, details, hint, self._picture(got, expected)), None

    def _picture(self, got, expected):
        """Small grids of both answers; an answer that is judged by another form of it has none."""
        return "" if self.normal else grids(got, expected, self.tolerance)

    def _compare(self, got, expected, args) -> tuple[str | None, bool]:
        """As `diagnosis.compare`; `args` are those of the case, for answers that are judged by them."""
        if self.normal is not None:
            with contextlib.suppress(TypeError, ValueError, KeyError):
                got, expected = self.normal(copy.deepcopy(got)), self.normal(expected)
        return compare(got, expected, self.tolerance, self.dtype)

    def _find_hint(self, got, expected, args, comparable):
        seen = as_expected(got, expected) if comparable else got
        if comparable and self.tolerance and _nearly(seen, expected):
            return (
                "The first digits are right and the others are not. Do not round, and calculate in float64."
            )
        for hint in self.hints:
            if not comparable and not hint.anything:
                continue
            try:
                if hint.when(copy.deepcopy(seen), expected, *copy.deepcopy(args)):
                    return hint.text
            except Exception:  # a hint that does not apply must not hide what went wrong
                continue
        return self.hint if comparable else ""


def _call(function, args):
    """What the function returns within the time limit, with NumPy as it is when the kernel starts."""
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"), time_limit():
        return function(*args)


def _is_unwritten(function):
    """Whether a function has no statement but its docstring, `pass` or `...`."""
    code = getattr(function, "__code__", None)
    steps = dis.get_instructions(code) if code is not None else ()
    # Whatever does something else names something: an argument, a function, a constant that is not None.
    return code is not None and all(step.opname == "RESUME" or step.argval is None for step in steps)


def _nearly(got, expected):
    """Whether numbers agree in three digits: hints that compare would take them for equal."""
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return np.allclose(np.asarray(got, float), np.asarray(expected, float), rtol=5e-4, atol=0)
    return False


def _same(before: Any, after: Any):
    if isinstance(before, np.ndarray):
        return (
            before.shape == after.shape
            and before.dtype == after.dtype
            and np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
        )
    if isinstance(before, numbers.Number):
        return True
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_same(before[key], after[key]) for key in before)
    return before == after
