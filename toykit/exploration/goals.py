"""What is asked for: at most so many bytes, or at least so good.

12MB  12000kB  12MiB  12000000       a budget of bytes
40dB                                  fidelity: the answers' signal-to-noise ratio
0.98                                  of a metric, its own number
"""

import math
import re
from dataclasses import dataclass

from ..compressed import check_int, check_number, shown

_UNITS = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
DEFAULT = 30.0  # dB: the error is 3 % of the answer


@dataclass(frozen=True)
class Goal:
    """One of the two.

    Attributes
    ----------
    nbytes : int or None
        The package takes at most so many.
    at_least : float or None
        Decibels, or what the metric must reach.
    unit : {"dB", ""}
        Of what is measured.
    """

    nbytes: int | None = None
    at_least: float | None = None
    unit: str = "dB"

    def met(self, nbytes, value):
        """Whether a package of some bytes, that measures some value, is what was asked for."""
        return nbytes <= self.nbytes if self.nbytes is not None else value >= self.at_least

    def __str__(self):
        if self.nbytes is not None:
            small = self.nbytes < 1e5
            return f"at most {self.nbytes / (1e3 if small else 1e6):g} {'kB' if small else 'MB'}"
        return f"at least {said(self.at_least, self.unit)}"


def goal(budget=None, at_least=None, metric=False):
    """Read what is asked for.

    Parameters
    ----------
    budget : int or str, optional
        Bytes, or such as "12MB".
    at_least : float or str, optional
        Decibels, or such as "40dB"; with a metric, a number of it. By default 30 dB, if there is neither a budget nor a
        metric.
    metric : bool
        Whether a metric judges.

    Returns
    -------
    Goal

    Raises
    ------
    TypeError, ValueError
        If both are given, or what is given cannot be read.

    Examples
    --------
    >>> str(goal("12MB")), str(goal(9000)), str(goal(at_least="40dB"))
    ('at most 12 MB', 'at most 9 kB', 'at least 40.0 dB')
    """
    unit = "" if metric else "dB"
    if budget is not None and at_least is not None:
        raise ValueError("give one of budget and at_least: the other is what is found")
    if budget is not None:
        return Goal(nbytes=_bytes(budget), unit=unit)
    if at_least is None:
        if metric:
            raise ValueError("with a metric, say what to reach, at_least, or a budget of bytes")
        return Goal(at_least=DEFAULT, unit=unit)
    return Goal(at_least=_level(at_least, unit), unit=unit)


def said(value, unit):
    """A measured number in words.

    Examples
    --------
    >>> said(41.26, "dB"), said(0.98125, ""), said(math.inf, "dB")
    ('41.3 dB', '0.9812', 'the same answers')
    """
    if unit != "dB":
        return f"{value:.4g}"
    if math.isinf(value):
        return "the same answers" if value > 0 else "no signal"
    return f"{value:.1f} dB"


def _bytes(budget):
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", budget) if isinstance(budget, str) else None
    if found and found[2] in _UNITS:
        budget = math.floor(float(found[1]) * _UNITS[found[2]])
    elif isinstance(budget, str):
        raise ValueError(
            f"budget must be a number of bytes, or such as '12MB' or '12MiB'; got {shown(budget)}"
        )
    return check_int("budget", budget, range(1, 2**63))


def _level(at_least, unit):
    if isinstance(at_least, str):
        found = re.fullmatch(r"\s*([-+]?\d+(?:\.\d+)?)\s*(dB)?\s*", at_least)
        if not found or (found[2] and unit != "dB"):
            what = "decibels, such as '40dB'" if unit == "dB" else "a number of the metric, such as 0.98"
            raise ValueError(f"at_least must be {what}; got {shown(at_least)}")
        at_least = float(found[1])
    at_least = check_number("at_least", at_least)
    if unit == "dB" and at_least <= 1:
        raise ValueError(
            f"at_least is in decibels, where no metric is given, and must be above 1, such as 40; got {at_least:g}"
        )
    return at_least
