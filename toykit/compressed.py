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
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

FLOAT16_BYTES = 2  # what Core ML stores for a weight that is not compressed
SEEDS = range(2**63)  # of random numbers
Part = np.ndarray | Any  # a part is an array, or itself compressed
ENDLESS = 2**64  # stands for the end of a range that has none


class Compressed:
    """Weights in a stored form; each technique has its own kind.

    A kind is a frozen dataclass. Its arrays are what is stored, its other fields say how to read
    them. The arrays are read-only, so that what was weighed stays what is stored. In place of an
    array there may be something compressed, such as a quantized table (`toykit.joint`).

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
    form : str
        In words, such as "int8 symmetric, 64 scales".
    """

    shape: tuple[int, ...]
    if TYPE_CHECKING:  # some kinds have it as a field, others from a part

        @property
        def dtype(self) -> np.dtype: ...

    def __post_init__(self):
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                value = value.view()
                value.flags.writeable = False
                object.__setattr__(self, name, value)

    def check(self):
        """Refuse parts that do not fit together, as those of a form made by hand may not.

        `dense()` and the products of `toykit.kernels` ask first: loops in machine code would read
        beyond the arrays.

        Raises
        ------
        TypeError, ValueError
        """

    def dense(self):
        """The weights that the stored arrays stand for, of shape `shape` and type `dtype`."""
        raise NotImplementedError

    def quantize_further(self, quantize, **options) -> Any:
        """What `quantize` makes of weights that are compressed already: joint compression."""
        raise TypeError(
            f"weights must be an array, or pruned or palettized weights; got {self!r}. Its dense() is an array"
        )

    def palettize_further(self, palettize, **options) -> Any:
        """What `palettize` makes of weights that are compressed already: joint compression."""
        raise TypeError(f"weights must be an array, or pruned weights; got {self!r}. Its dense() is an array")

    @property
    def parts(self):
        stored, places = {}, set()
        for name, value in vars(self).items():
            inside = value.parts if isinstance(value, Compressed) else {"": value}
            for inner, part in inside.items():
                if isinstance(part, np.ndarray):
                    place = part.__array_interface__["data"][0], part.nbytes
                    if place not in places or not part.nbytes:  # what two parts share is stored once
                        stored[f"{name}_{inner}" if inner else name] = part
                    places.add(place)
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

    @property
    def form(self):
        return self._summary()

    def __repr__(self):
        shape = "x".join(map(str, self.shape))
        return f"{type(self).__name__}({shape}, {self.form}, {self.bits_per_weight:.1f} bits a weight)"

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


def split(array, scale_shape):
    """The array with each axis split in two: which block, and where in the block."""
    return array.reshape(
        [n for size, scales in zip(array.shape, scale_shape) for n in (scales, size // scales)]
    )


def to_each_block(scale):
    """A number for each block, so that it meets the weights of its block as `split` arranges them."""
    return scale.reshape([n for scales in scale.shape for n in (scales, 1)])


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
        If the weights are not floating-point numbers, or lie where there are none: behind a mask, or
        on torch's meta device.
    ValueError
        If there are no weights, more than 5 dimensions, or a weight is not finite.
    """
    weights = as_array(name, weights)
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
    _check_finite(name, weights)
    dtype = np.float16 if weights.dtype.type is np.float16 else np.float32
    if weights.dtype.type is np.float64 and np.max(np.abs(weights)) > np.finfo(np.float32).max:
        raise ValueError(f"{name} must fit into float32, got one of size {np.max(np.abs(weights)):.3g}")
    return np.ascontiguousarray(weights, dtype)


_KINDS = {
    "b": "True and False",
    "f": "floating-point numbers",
    "iu": "whole numbers",
    "fiu": "real numbers",
    "fiub": "numbers",
}


def check_array(name, value, kinds="fiu", shape=None, dtype=None, empty=False):
    """An array of finite numbers, of a shape.

    Parameters
    ----------
    name : str
        What to call it in an error.
    value : array, nested list, number or torch tensor
    kinds : {"b", "f", "iu", "fiu", "fiub"}
        Kinds of numbers that are allowed, as NumPy abbreviates them.
    shape : tuple of int and str, optional
        A length for each axis; a word stands for any length.
    dtype : optional
        What to convert to.
    empty : bool
        Whether there may be no number at all.

    Returns
    -------
    ndarray
        The same array where nothing had to change. It is never written to.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> check_array("hertz", [440, 880], shape=("n",)).tolist()
    [440, 880]
    """
    value = as_array(name, value)
    if value.dtype.kind not in kinds and (value.size or value.dtype.kind != "f"):  # [] is of float64
        raise TypeError(f"{name} must be an array of {_KINDS[kinds]}, got {value.dtype}")
    if shape is not None and (
        value.ndim != len(shape)
        or any(not isinstance(want, str) and want != n for want, n in zip(shape, value.shape))
    ):
        wanted = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
        raise ValueError(f"{name} must be an array of shape ({wanted}), got {value.shape}")
    if value.size == 0 and not empty:
        raise ValueError(f"{name} must hold at least one number, got an array of shape {value.shape}")
    if value.dtype.kind == "f":
        _check_finite(name, value)
    if dtype is None:
        return value
    with np.errstate(over="ignore"):
        converted = value.astype(dtype, copy=False)
    if converted.dtype.kind == "f" and not np.isfinite(converted).all():
        raise ValueError(
            f"{name} must fit into {converted.dtype}, got a number of size {np.abs(value).max():.3g}"
        )
    return converted


def as_array(name, value):
    """Anything that NumPy reads as an array; torch itself is never imported for a tensor.

    Raises
    ------
    TypeError
        If something would be lost on the way: a mask, or the numbers of a tensor that holds none.
    ValueError
        If rows differ in length.
    """
    if isinstance(value, Compressed):
        raise TypeError(f"{name} must be an array; got {value!r}. Its dense() is an array")
    if _is_masked(value):
        raise TypeError(
            f"{name} must be an array without a mask: its masked numbers would count. Say what stands in "
            f"their place, such as {name}.filled(0)"
        )
    if isinstance(value, np.ndarray):
        return value
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return _from_torch(name, value)
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be rows of the same length") from None
    except Exception as problem:  # whatever the elements do when they are asked for numbers
        raise TypeError(f"{name} must be an array of numbers; got {shown(value)}: {problem}") from None


def _is_masked(value):
    if isinstance(value, np.ndarray):
        return np.ma.is_masked(value)
    # Of a list, NumPy takes the data of its arrays and leaves the masks. Lists of numbers hold none.
    holds = isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple, np.ndarray))
    return bool(holds) and any(map(_is_masked, value))


def _from_torch(name, tensor):
    """A torch tensor as an array."""
    torch = sys.modules["torch"]
    if tensor.is_meta:
        raise TypeError(
            f"{name} must hold numbers; it is a tensor on torch's meta device, which has shapes only"
        )
    try:
        tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    except (RuntimeError, TypeError) as problem:  # sparse and quantized tensors, say
        raise TypeError(
            f"{name} must be a dense tensor of numbers; NumPy cannot read this one: {problem}"
        ) from None


def _check_finite(name, array):
    finite = np.isfinite(array)
    if not finite.all():
        where = tuple(map(int, np.argwhere(~finite)[0]))
        raise ValueError(
            f"{name} must be finite, got {array[where]} at {where} "
            f"({np.sum(~finite)} of {array.size} are not)"
        )


def shown(value):
    """A value as an error quotes it: on one line, and short."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of {value.dtype} and shape {value.shape}"
    try:
        text = " ".join(repr(value).split())
    except Exception:  # of a stranger's object, or a whole number of more than 4,300 digits
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 120 else f"{text[:80]} ... ({type(value).__name__})"


def check_number(name, value, least=-math.inf, most=math.inf, above=None):
    """A finite number between two ends, as a float; `above` is a lower end that it must not reach."""
    if above is not None:
        expected = f"a number above {above:g}" + (f" and at most {most:g}" if most < math.inf else "")
    elif least > -math.inf and most < math.inf:
        expected = f"a number from {least:g} to {most:g}"
    elif least > -math.inf:
        expected = f"a number of at least {least:g}"
    else:
        expected = "a number" + (f" of at most {most:g}" if most < math.inf else "")
    number = _float(name, value, expected)
    if not (math.isfinite(number) and least <= number <= most and (above is None or number > above)):
        raise ValueError(f"{name} must be {expected}; got {shown(value)}")
    return number


def _float(name, value, expected):
    """A single number as a float; infinite where it is beyond their range."""
    if isinstance(value, (str, bytes, bool, np.bool_)) or np.ma.is_masked(value):
        raise TypeError(f"{name} must be {expected}; got {shown(value)}")
    if getattr(value, "ndim", 0):
        raise TypeError(f"{name} must be {expected}; got {shown(value)}")
    try:
        return float(
            value.item() if hasattr(value, "item") else value
        )  # a torch tensor's gradient is no matter
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except Exception:  # no number, or a tensor that holds none
        raise TypeError(f"{name} must be {expected}; got {shown(value)}") from None


def check_fraction(name, value, meaning="a share"):
    """A share from 0 to 1, as a float."""
    expected = f"between 0 and 1, {meaning}"
    if isinstance(value, (str, bool)):
        raise TypeError(f"{name} must be {expected}; got {shown(value)}. For 50 %, pass 0.5.")
    fraction = _float(name, value, expected)
    if not 0 <= fraction <= 1:
        hint = f" For {fraction:g} %, pass {fraction / 100:g}." if 2 <= fraction <= 100 else ""
        got = value if isinstance(value, float) else shown(value)
        raise ValueError(f"{name} must be {expected}; got {got}.{hint}")
    return fraction


def check_flag(name, value):
    """True or False: other values that Python takes for one of them are often mistakes, as "no" is."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {shown(value)}")
    return bool(value)


def check_choice(name, value, allowed):
    """One of the words in `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {shown(value)}")
    return value


def check_int(name, value, allowed):
    """A whole number in `allowed`, a range or a tuple."""
    if isinstance(allowed, range) and allowed.stop == ENDLESS:
        expected = f"a whole number of at least {allowed.start}"
    elif isinstance(allowed, range):
        expected = f"a whole number from {allowed.start} to {allowed.stop - 1}"
    else:
        expected = f"one of {', '.join(map(str, allowed))}"
    if isinstance(value, (bool, np.bool_)) or np.ma.is_masked(value):
        raise TypeError(f"{name} must be {expected}, got {shown(value)}")
    try:
        number = operator.index(value)
    except Exception:  # not whole, no number, or a tensor that holds none
        raise TypeError(f"{name} must be {expected}, got {shown(value)}") from None
    if number not in allowed:
        raise ValueError(f"{name} must be {expected}; got {shown(number)}")
    return number


def check_shape(name, value, least=1, most=5, empty=False):
    """The lengths of the axes of an array, as a tuple; above 0 unless it may be empty."""
    lengths = check_each(name, value, object, "whole numbers")
    if not least <= len(lengths) <= most:
        raise ValueError(f"{name} must be a tuple of {least} to {most} whole numbers; got {shown(value)}")
    return tuple(
        check_int(f"a length in {name}", length, range(0 if empty else 1, 2**40)) for length in lengths
    )


def dense_of(part):
    """An array as it is, and what is compressed as its `dense()`."""
    return part.dense() if isinstance(part, Compressed) else part


def check_part(name, part, dtype, shape):
    """A part with these lengths of its axes, None being any: an array of a NumPy type, or compressed itself."""
    if isinstance(part, Compressed):
        part.check()
    elif not isinstance(part, np.ndarray) or not np.issubdtype(part.dtype, dtype) or not part.dtype.isnative:
        raise TypeError(f"{name} must be an array of {dtype.__name__}; got {shown(part)}")
    if len(part.shape) != len(shape) or any(want not in (None, n) for want, n in zip(shape, part.shape)):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(
            f"{name} must be an array of shape ({wanted}), to fit the other parts; got {part.shape}"
        )


def check_type(name, value, kind, expected):
    """An instance of a class, or of one in a tuple of classes; `expected` says it in words."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {expected}; got {shown(value)}")
    return value


def check_divides(name, part, shape):
    """An array with a number for each block of a shape."""
    if any(n == 0 or size % n for size, n in zip(shape, part.shape)):
        raise ValueError(f"{name} must divide the shape {shape}; got an array of shape {part.shape}")


def check_progress(progress):
    """What is called while something long goes on; None for nothing."""
    if progress is not None:
        check_type("progress", progress, Callable, "a function of (done, total), or None")


def check_each(name, value, kind, expected, empty=True):
    """The elements of a sequence, all of a class, as a list."""
    if isinstance(value, (str, bytes, dict)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be a sequence of {expected}; got {shown(value)}")
    try:
        elements = list(value)
    except Exception:  # an array without axes, or a stranger's object
        raise TypeError(f"{name} must be a sequence of {expected}; got {shown(value)}") from None
    for element in elements:
        if not isinstance(element, kind):
            raise TypeError(f"{name} must be a sequence of {expected}; it holds {shown(element)}")
    if not elements and not empty:
        raise ValueError(f"{name} must hold at least one of its {expected}; got {shown(value)}")
    return elements


def check_names(name, value):
    """A sequence of texts, as a tuple; one text alone is most often a mistake."""
    return tuple(check_each(name, value, str, "texts"))


def check_path(name, value):
    """The path of a file or folder."""
    return check_type(name, value, (str, os.PathLike), "a path")
