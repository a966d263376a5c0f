"""From CREPE's 360 answers to a frequency, and how good the answers are.

Pitch is compared in cents, hundredths of a semitone: an octave is 1200 cents, and 5 cents are about
what a trained ear can tell. The measures are those of pitch tracking: the share of frames within 50
cents of the truth (a wrong note fails, a slightly flat one passes), the share within 10 cents, and
the median distance.
"""

import numpy as np

from ..compressed import check_array, check_fraction, check_int

# Cents above 10 Hz of the 360 answers: 20 cents apart, from 31.70 Hz to 2005.5 Hz.
BIN_CENTS = 1997.3794084376191 + 20 * np.arange(360)


def cents(hertz):
    """Pitch in cents above 10 Hz, CREPE's zero.

    Examples
    --------
    >>> (cents(880.0) - cents(440.0)).round(6)
    np.float64(1200.0)
    """
    hertz = check_array("hertz", hertz, dtype=np.float64, empty=True)
    if hertz.size and hertz.min() <= 0:
        raise ValueError(f"hertz must be above 0; got {hertz.min():g}")
    return 1200 * np.log2(hertz / 10)


def decode(answers):
    """The pitch that 360 activations stand for.

    The winner and its four neighbours on either side vote, each for its own pitch and with its
    activation as weight: finer than the 20 cents between two answers.

    Parameters
    ----------
    answers : (n, 360) array
        CREPE's output, from 0 to 1.

    Returns
    -------
    (n,) float64 array
        Hz. Where all nine activations are zero, the winner's own pitch.

    Raises
    ------
    ValueError
        If the last axis is not 360 long, or an activation is not finite.

    Examples
    --------
    >>> answers = np.zeros((1, 360))
    >>> answers[0, 200:202] = 1  # halfway between two answers
    >>> decode(answers).round(2)
    array([321.37])
    """
    answers = check_array("answers", answers, "fiub", ("n", 360), np.float64, empty=True)
    winner = answers.argmax(1)
    near = winner[:, None] + np.arange(-4, 5)
    inside = (near >= 0) & (near < 360)
    near = near.clip(0, 359)
    votes = np.take_along_axis(answers, near, 1) * inside
    total = votes.sum(1)
    heard = np.where(
        total > 0, (votes * BIN_CENTS[near]).sum(1) / np.where(total > 0, total, 1), BIN_CENTS[winner]
    )
    return 10 * 2 ** (heard / 1200)


def error_cents(heard, hertz):
    """How far each answer is off, in cents: positive is sharp, negative is flat.

    Parameters
    ----------
    heard, hertz : (n,) arrays of Hz

    Returns
    -------
    (n,) float64 array
    """
    heard, hertz = check_array("heard", heard, empty=True), check_array("hertz", hertz, empty=True)
    if heard.shape != hertz.shape:
        raise ValueError(f"heard and hertz must be of one shape; got {heard.shape} and {hertz.shape}")
    if heard.size and heard.min() <= 0:
        raise ValueError(f"heard must be above 0; got {heard.min():g}")
    return cents(heard) - cents(hertz)


def scores(heard, hertz):
    """The three measures of pitch tracking.

    Parameters
    ----------
    heard, hertz : (n,) arrays of Hz

    Returns
    -------
    dict
        `within_50` and `within_10`, shares from 0 to 1, and `median_cents`, the median distance.

    Examples
    --------
    >>> scores([440, 441, 880], [440, 440, 440])["within_50"].round(3)
    np.float64(0.667)
    """
    off = np.abs(error_cents(heard, hertz))
    if not off.size:
        raise ValueError("heard must hold at least one answer; got none")
    return {
        "within_50": np.mean(off <= 50),
        "within_10": np.mean(off <= 10),
        "median_cents": np.median(off),
    }


def share_interval(share, n, confidence=0.95):
    """Wilson's interval of a share measured on `n` frames.

    Unlike the textbook's plus or minus 1.96 standard errors it stays inside [0, 1], and does not
    claim certainty when all frames are right.

    Parameters
    ----------
    share : float in [0, 1]
    n : int
    confidence : float in (0, 1)

    Returns
    -------
    (low, high) : tuple of float

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22, 1927.

    Examples
    --------
    >>> [round(end, 4) for end in share_interval(1.0, 2000)]
    [0.9981, 1.0]
    """
    from statistics import NormalDist

    share, confidence = check_fraction("share", share), check_fraction("confidence", confidence)
    n = check_int("n", n, range(1, 2**53))
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be above 0 and below 1; got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
