"""How sure is a share of right answers, and how sure is a difference of two?

Both intervals are for samples that were drawn alike and don't depend on each other. Two networks that answered
the same samples are compared sample by sample: those that both get right, or both wrong, say nothing about which
is better, so the interval of the difference is much narrower than those of the two shares suggest.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..compressed import check_array, check_number


@dataclass(frozen=True)
class Interval:
    """A share, or a difference of shares, and the bounds around it.

    Attributes
    ----------
    low, value, high : float
    """

    low: float
    value: float
    high: float

    def __str__(self):
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


def share_interval(right, confidence=0.95):
    """The share of right answers, by Wilson's score interval.

    Parameters
    ----------
    right : (n,) bool array
        Which answers are right.
    confidence : float in (0, 1)
        How often such intervals hold the true share, about.

    Returns
    -------
    Interval

    Raises
    ------
    TypeError, ValueError
        If `right` is no row of at least one bool, or `confidence` is not between 0 and 1.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the
    American Statistical Association 22, 1927.

    Examples
    --------
    >>> print(share_interval([True] * 90 + [False] * 10))
    90.0 % (82.6 to 94.5)
    """
    right, z = _bools("right", right), _normal(confidence)
    n, share = len(right), float(np.mean(right))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(max(0.0, centre - reach), share, min(1.0, centre + reach))


def paired_interval(right, before, confidence=0.95):
    """How much larger one share of right answers is than another, on the same samples.

    Parameters
    ----------
    right, before : (n,) bool arrays
        Which answers of the two networks are right, sample by sample.
    confidence : float in (0, 1)

    Returns
    -------
    Interval
        Of the share of `right` minus that of `before`. If it leaves out 0, the two networks differ.

    Raises
    ------
    TypeError, ValueError
        As for `share_interval`, and if the two are not equally long.

    Notes
    -----
    The normal approximation, after one sample was added that only the first network gets right and one that only
    the other does: no change at all is then not taken for certainty.

    References
    ----------
    D. G. Bonett and R. M. Price, "Adjusted Wald Confidence Interval for a Difference of Binomial Proportions
    Based on Paired Data", Journal of Educational and Behavioral Statistics 37, 2012.

    Examples
    --------
    >>> before = [True] * 90 + [False] * 10
    >>> print(paired_interval([True] * 85 + [False] * 15, before))
    -5.0 % (-9.9 to 0.1)
    """
    right, before, z = _bools("right", right), _bools("before", before), _normal(confidence)
    if len(right) != len(before):
        raise ValueError(f"right and before must be of the same samples; got {len(right)} and {len(before)}")
    n = len(right)
    gained, lost = ((int(np.sum(one)) + 1) / (n + 2) for one in (right & ~before, before & ~right))
    reach = z * math.sqrt((gained + lost - (gained - lost) ** 2) / (n + 2))
    difference = float(np.mean(right) - np.mean(before))
    return Interval(max(-1.0, gained - lost - reach), difference, min(1.0, gained - lost + reach))


def _bools(name, value):
    return check_array(name, value, "b", ("n",))


def _normal(confidence):
    if not 0 < check_number("confidence", confidence) < 1:
        raise ValueError(f"confidence must be between 0 and 1, for 95 % pass 0.95; got {confidence}")
    return NormalDist().inv_cdf((1 + confidence) / 2)
