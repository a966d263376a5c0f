"""Two libraries that do the arithmetic of an interpreted program: NumPy, which everybody has, and torch.

A backend is a few products and sums under the same names (`conv`, `window_sum`, ...), and otherwise
passes on what both libraries call alike: `backend.exp` is `numpy.exp` or `torch.exp`. Operators are
written once, against a backend. All its numbers with a fraction are float32; whether results are
rounded to float16 as well is the interpreter's decision.
"""

from importlib.util import find_spec

from ....compressed import check_choice
from .with_numpy import NumPy

BACKENDS = ("torch", "numpy")


def find_backend(name=None):
    """The backend called `name`; torch where it is installed, if none is named.

    Raises
    ------
    ValueError
        If there is no backend of that name.
    ImportError
        If torch is asked for and missing.
    """
    if name is None:
        name = "torch" if find_spec("torch") else "numpy"
    check_choice("backend", name, BACKENDS)
    if name == "torch":
        from .with_torch import Torch

        return Torch()
    return NumPy()
