"""How sure is a difference of two shares of right answers?

Two networks that answered the same samples are compared sample by sample: those that both get right, or both
wrong, say nothing about which is better, so the interval of the difference is much narrower than those of the two
shares suggest. The samples are drawn alike and do not depend on each other.

Not here: the interval of one share (`toykit.data.pitch.share_interval`).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ..compressed import check_array, check_number


@dataclass(frozen=True)
class Interval:
    """A difference of shares and the bounds around it.

    Attributes
    ----------
    low, value, high : float
    """

    low: float
    value: float
    high: float

    def __str__(self):
        return f"{100 * self.value:.1f} points ({100 * self.low:.1f} to {100 * self.high:.1f})"


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
        If the two are no rows of bools, are not equally long or empty, or `confidence` is not between 0 and 1.

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
    -5.0 points (-9.9 to 0.1)
    """
    right, before = (
        check_array(name, row, "b", ("n",)) for name, row in (("right", right), ("before", before))
    )
    if len(right) != len(before):
        raise ValueError(f"right and before must be of the same samples; got {len(right)} and {len(before)}")
    if not 0 < check_number("confidence", confidence) < 1:
        raise ValueError(f"confidence must be between 0 and 1, for 95 % pass 0.95; got {confidence}")
    n, z = len(right), NormalDist().inv_cdf((1 + confidence) / 2)
    gained, lost = ((int(np.sum(one)) + 1) / (n + 2) for one in (right & ~before, before & ~right))
    reach = z * math.sqrt((gained + lost - (gained - lost) ** 2) / (n + 2))
    difference = float(np.mean(right) - np.mean(before))
    return Interval(max(-1.0, gained - lost - reach), difference, min(1.0, gained - lost + reach))
