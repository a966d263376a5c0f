"""What parity means here: the same stored arrays, bit for bit, from the same weights.

A `Case` is one option of coremltools with toykit's way to ask for it. The parity tests run every
case on every array; `python -m tests.parity.report` prints them as a table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from tests.strategies import trained

SHAPES = ((64, 48), (32, 16, 3, 3), (30, 20, 5), (8, 8, 2, 3, 3), (48, 64, 1, 1))


@dataclass(frozen=True)
class Case:
    """One option.

    Attributes
    ----------
    technique, option : str
    ours, theirs : function of an array -> dict of str to array
        What toykit and coremltools store for it.
    exception : str
        Where the two differ on purpose, and which test shows it; empty if nowhere.
    """

    technique: str
    option: str
    ours: Callable
    theirs: Callable
    exception: str = ""

    def __str__(self):
        return f"{self.technique} {self.option}"


@cache
def arrays():
    """Labelled weights of ordinary sizes in float16 and float32, with ties, dead channels, or one sign."""
    labelled = []
    for number, shape in enumerate(SHAPES):
        for dtype in ("float16", "float32"):
            w = trained(shape, number, "float64")  # of standard deviation 0.065
            dead = np.round(w, 3)  # without weights so small that float16 cannot hold their scale
            dead[::3] = 0
            kinds = {
                "": w,
                "times 40": 40 * w,
                "rounded, with ties": np.round(w, 2),
                "positive": np.abs(w),
                "with channels of zeros": dead,
            }
            labelled += [(f"{shape} {dtype} {kind}", kinds[kind].astype(dtype)) for kind in kinds]
    return labelled


def differences(case, weights):
    """Names of the stored arrays that are not the same to the bit; an empty list is parity."""
    ours, theirs = case.ours(weights), case.theirs(weights)
    names = sorted({*ours, *theirs})
    return [name for name in names if not same(ours.get(name), theirs.get(name))]


def same(ours, theirs):
    """Equal in type, shape and every bit."""
    if ours is None or theirs is None:
        return ours is theirs
    return ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()
