"""The common form: what is stored, what it weighs, and the weights that run.

Every technique of this library turns an array of weights into a few smaller arrays, and can turn
those back into weights:

    compressed = tk.prune(w, sparsity=0.5)      # or tk.quantize, tk.palettize
    compressed.parts                            # the arrays that are stored, packed
    compressed.nbytes                           # their bytes, and nothing else's
    compressed.dense()                          # the weights that the hardware multiplies by

Also here: how far the second set of weights is from the first (`error`), and the checks of
arguments that all techniques share.
"""

import math
import operator
import sys
from dataclasses import dataclass, fields

import numpy as np

FLOAT16_BYTES = 2  # what Core ML stores for a weight that is not compressed


@dataclass(frozen=True, eq=False)
class Compressed:
    """Weights in a stored form; each technique has its own kind.

    A kind is a frozen dataclass. Its arrays are what is stored, its other fields say how to read
    them. The arrays are read-only, so that what was weighed stays what is stored.

    Attributes
    ----------
    shape : tuple of int
        Of the weights that were compressed, and of `dense()`.
    dtype : numpy.dtype
        Of `dense()`: float16 or float32.
    parts : dict of str to array
        Every array that is stored, as it is stored: codes of fewer than 8 bits are packed.
    nbytes : int
        Bytes of all parts.
    size : int
        Number of weights.
    bits_per_weight : float
    compression_factor : float
        How many times smaller than the same weights in float16.
    """

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = value.view()
                value.flags.writeable = False
                object.__setattr__(self, field.name, value)

    def dense(self):
        """The weights that the stored arrays stand for, of shape `shape` and type `dtype`."""
        raise NotImplementedError

    @property
    def parts(self):
        stored = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                stored[field.name] = value
            elif isinstance(value, Compressed):  # a part that is itself compressed
                stored |= {f"{field.name}_{name}": part for name, part in value.parts.items()}
        return stored

    @property
    def nbytes(self):
        return sum(part.nbytes for part in self.parts.values())

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def bits_per_weight(self):
        return 8 * self.nbytes / self.size

    @property
    def compression_factor(self):
        return FLOAT16_BYTES * self.size / self.nbytes

    def __repr__(self):
        shape = "x".join(map(str, self.shape))
        return f"{type(self).__name__}({shape}, {self._summary()}, {self.bits_per_weight:.1f} bits a weight)"

    def _summary(self):
        """What this kind's `repr` says between the shape and the bits."""
        raise NotImplementedError


@dataclass(frozen=True)
class Error:
    """How far the weights that run are from the weights that were trained.

    Attributes
    ----------
    max_abs : float
        The largest error of a weight.
    mse : float
        The mean of the squared errors.
    snr_db : float
        Signal-to-noise ratio in decibels: 10 log10 of the weights' energy over the errors'.
        6 dB more is an error half as large. Infinite where nothing was lost.
    """

    max_abs: float
    mse: float
    snr_db: float

    def __repr__(self):
        return f"Error(max_abs={self.max_abs:.4g}, mse={self.mse:.4g}, snr_db={self.snr_db:.2f})"


def error(weights, compressed):
    """Compare weights with their compressed form, in float64.

    Parameters
    ----------
    weights : array of float
    compressed : Compressed, or array of the same shape

    Returns
    -------
    Error

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> error([1.0, -2.0], np.float32([1.0, -1.5]))
    Error(max_abs=0.5, mse=0.125, snr_db=13.01)
    """
    weights = check_weights(weights).astype(np.float64)
    dense = compressed.dense() if isinstance(compressed, Compressed) else compressed
    dense = check_weights(dense, "compressed")
    if dense.shape != weights.shape:
        raise ValueError(f"the weights are {weights.shape} and their compressed form is {dense.shape}")
    lost = weights - dense
    signal, noise = float(np.sum(weights**2)), float(np.sum(lost**2))
    if noise == 0:
        snr_db = math.inf
    else:
        snr_db = 10 * math.log10(signal / noise) if signal else -math.inf
    return Error(float(np.max(np.abs(lost))), noise / weights.size, snr_db)


def check_weights(weights, name="weights"):
    """An array of weights as every technique takes it: finite, float16 or float32, row-major.

    Parameters
    ----------
    weights : array, nested list or torch tensor of float, of 1 to 5 dimensions
        float64 (Python's own floats too) becomes float32, the widest that Core ML stores, and so
        does torch's bfloat16.
    name : str
        What to call it in an error.

    Returns
    -------
    ndarray
        The same array where nothing had to change. It is never written to.

    Raises
    ------
    TypeError
        If the weights are not floating-point numbers.
    ValueError
        If there are no weights, more than 5 dimensions, or a weight is not finite.
    """
    if isinstance(weights, Compressed):
        raise TypeError(f"{name} must be an array; got {weights!r}. Its dense() is an array")
    if not isinstance(weights, np.ndarray):
        weights = _from_torch(weights)
        try:
            weights = np.asarray(weights)
        except ValueError:
            raise ValueError(f"{name} must be rows of the same length") from None
    if weights.dtype.type not in (np.float16, np.float32, np.float64):  # of either byte order
        raise TypeError(
            f"{name} must be float16, float32 or float64, got {weights.dtype}"
            + (f". Convert them first: np.float32({name})" if weights.dtype.kind in "iub" else "")
        )
    if weights.ndim == 0:
        raise ValueError(f"{name} must be an array of 1 to 5 dimensions, got a single number")
    if weights.size == 0:
        raise ValueError(f"{name} must hold at least one weight, got an array of shape {weights.shape}")
    if weights.ndim > 5:
        raise ValueError(f"{name} must have 1 to 5 dimensions, as in Core ML, got {weights.ndim}")
    finite = np.isfinite(weights)
    if not finite.all():
        where = tuple(map(int, np.argwhere(~finite)[0]))
        raise ValueError(
            f"{name} must be finite, got {weights[where]} at {where} "
            f"({np.sum(~finite)} of {weights.size} are not)"
        )
    dtype = np.float16 if weights.dtype.type is np.float16 else np.float32
    if weights.dtype.type is np.float64 and np.max(np.abs(weights)) > np.finfo(np.float32).max:
        raise ValueError(f"{name} must fit into float32, got one of size {np.max(np.abs(weights)):.3g}")
    return np.ascontiguousarray(weights, dtype)


def _from_torch(weights):
    """A torch tensor as an array; torch itself is never imported for it."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(weights, torch.Tensor):
        return weights
    weights = weights.detach().cpu()
    return (weights.float() if weights.dtype == torch.bfloat16 else weights).numpy()


def check_fraction(name, value, meaning="a share"):
    """A share from 0 to 1, as a float."""
    expected = f"{name} must be between 0 and 1, {meaning}"
    if isinstance(value, (str, bool)) or np.ndim(value):
        raise TypeError(f"{expected}; got {value!r}. For 50 %, pass 0.5.")
    try:
        fraction = float(value)
    except TypeError:
        raise TypeError(f"{expected}; got {value!r}") from None
    if not 0 <= fraction <= 1:
        hint = f" For {fraction:g} %, pass {fraction / 100:g}." if 2 <= fraction <= 100 else ""
        raise ValueError(f"{expected}; got {value}.{hint}")
    return fraction


def check_choice(name, value, allowed):
    """One of the words in `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}")
    return value


def check_int(name, value, allowed):
    """A whole number in `allowed`, a range or a tuple."""
    if isinstance(allowed, range):
        expected = f"a whole number from {allowed.start} to {allowed.stop - 1}"
    else:
        expected = f"one of {', '.join(map(str, allowed))}"
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be {expected}, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be {expected}, got {value!r}") from None
    if number not in allowed:
        raise ValueError(f"{name} must be {expected}; got {number}")
    return number
