"""Products of a compressed matrix with a vector, or with many: what is called. numba comes in with the first."""

import re

import numpy as np

from .._optional import require
from ..compressed import SEEDS, Compressed, as_array, check_int, check_shape, check_type, check_weights, shown
from ..palettization import Palettized
from ..pruning import Sparse
from ..quantization import Quantized

# Bytes of the weights that are decompressed at once in a product with many vectors: at least, at most.
# Few enough to stay in the cache; but each tile's dense product reads all of x, so not far fewer than x.
TILE_BYTES = 2**19, 2**22
# Up to so many vectors it is quicker to decompress again for every few of them than to write a tile.
FEW = 16
_KIND = re.compile(
    r"float(?P<float>16|32)|int(?P<codes>[1248])|table (?P<table>[124])|(?P<zero>100|\d{1,2}(\.\d*)?) % sparse"
)


class AheadOfTime:
    """Weights decompressed once, then a dense float32 product.

    Parameters
    ----------
    compressed : Compressed, or array of float, shape (m, ...)
        The axes after the first are joined, as in the matrix product of a convolution.

    Attributes
    ----------
    shape : (m, n)
    nbytes : int
        What the weights take in memory while running.
    """

    def __init__(self, compressed):
        if isinstance(compressed, Compressed):
            dense = compressed.dense()
        else:
            dense = check_weights(compressed, "compressed")
        self.weights = np.ascontiguousarray(dense.reshape(len(dense), -1), np.float32)
        self.shape, self.nbytes = self.weights.shape, self.weights.nbytes

    def __call__(self, x):
        """W x for a vector of n numbers, or for each column of an (n, batch) array; float32."""
        return self.weights @ _check_input(x, self.shape[1])


class JustInTime:
    """Weights that stay compressed in memory and are decompressed inside every product.

    Parameters
    ----------
    compressed : Quantized, Palettized or Sparse, or array of float16 or float32, of weights of shape (m, ...)
        8-bit codes, or codes of 4, 2 or 1 bits, with a scale a tensor or an output channel; 4-, 2-
        and 1-bit tables, also for groups of output channels; float16 weights behind a bitmask. An array
        of floats stays as it is: what the others are compared with, in the same loops.

    Attributes
    ----------
    shape : (m, n)
    nbytes : int
        What is kept in memory, and read in each product. A little more than `compressed.nbytes`:
        tables are kept as 16 float32 each, sparse rows know where they begin, and a row that does
        not fill whole vector registers is filled up.

    Raises
    ------
    TypeError
        If `compressed` is something else.
    ValueError
        If it is of a kind that has no loop here, and the message names what has; or if its parts do not
        fit together.
    ImportError
        If numba is not installed.

    Notes
    -----
    A product with one vector or up to sixteen decompresses into registers, and again for every few
    vectors. One with more, and with several of a bitmask, decompresses a tile of rows that fits into
    the cache, and hands it to NumPy's dense product.

    The weights multiplied are those of `compressed.dense()`, with one difference: 8-bit codes of
    float16 weights meet their scale in float32, and are not rounded to float16 in between.

    Examples
    --------
    >>> import toykit as tk
    >>> weights = np.float32([[1, -2], [0.5, 1.5]])
    >>> print(JustInTime(tk.quantize(weights, bits=8))([1.0, 1.0]).round(2))
    [-0.99  2.  ]
    """

    def __init__(self, compressed):
        self._format = _formats().stored_rows(compressed)
        self.shape = compressed.shape[0], compressed.size // compressed.shape[0]
        self.nbytes = self._format.nbytes

    def __call__(self, x):
        """W x for a vector of n numbers, or for each column of an (n, batch) array; float32."""
        x = self._format.arrange(_check_input(x, self.shape[1]))
        y = np.empty((self.shape[0], *x.shape[1:]), np.float32)
        if x.ndim == 1:
            self._format.product(x[None], y[:, None])
        elif self._format.vectors > 1 and x.shape[-1] <= FEW:
            self._few(x, y)
        else:
            self._many(x, y)
        return y

    def _few(self, x, y):
        """Each weight is decompressed once for every few vectors; the last few are filled up with zeros."""
        together = self._format.vectors
        part = np.empty((len(y), together), np.float32)
        for first in range(0, x.shape[1], together):
            some = x[:, first : first + together]
            vectors = np.zeros((together, len(x)), np.float32)
            vectors[: some.shape[1]] = some.T
            self._format.product(vectors, part)
            y[:, first : first + together] = part[:, : some.shape[1]]

    def _many(self, x, y):
        """Each weight is decompressed once for all vectors, into a tile that stays in the cache."""
        least, most = TILE_BYTES
        rows = max(1, min(max(4 * x.nbytes, least), most) // (4 * len(x)))
        tile = np.empty((min(rows, len(y)), len(x)), np.float32)
        for start in range(0, len(y), rows):
            out = tile[: len(y) - start]
            self._format.rows(start, out)
            np.matmul(out, x, out=y[start : start + rows])


class Int8Int8:
    """8-bit weights times 8-bit inputs, in whole numbers; what W8A8 runs on.

    The input is quantized in every product, symmetrically and with one scale, so the result has
    that rounding in it: it is not the dense product up to float rounding.

    Parameters
    ----------
    compressed : Quantized
        Signed symmetric, 8 bits, with a scale a tensor or an output channel.
    """

    def __init__(self, compressed):
        rows = _formats().stored_rows(compressed)
        if not isinstance(rows, _formats().Int8Rows) or rows.codes.dtype != np.int8 or rows.zero.any():
            raise ValueError(
                "compressed must be signed, symmetric 8-bit weights, as tk.quantize(w, bits=8) gives; "
                f"got {compressed!r}"
            )
        self.shape = compressed.shape[0], compressed.size // compressed.shape[0]
        if (n := self.shape[1]) > 2**17:  # 2**17 products of 2**7 x 2**7 are 2**31
            raise ValueError(
                f"compressed has rows of {n} weights, which can overflow a sum of 32 bits; at most {2**17} fit"
            )
        self._rows, self.nbytes = rows, rows.nbytes

    def __call__(self, x):
        """W x for a vector of n numbers, float32."""
        x = _check_input(x, self.shape[1])
        if x.ndim != 1:
            raise ValueError(f"x must be one vector, got an array of shape {x.shape}")
        scale = np.float32(np.max(np.abs(x)) / 127) or np.float32(1)
        y = np.empty(self.shape[0], np.float32)
        codes = np.rint(x / scale).astype(np.int8)
        _formats().loops.int8_int8_product(self._rows.codes, self._rows.scale, codes, scale, y)
        return y


def dense_product(weights, x):
    """W x by this package's own dense loop, for a fair comparison with the others.

    Parameters
    ----------
    weights : (m, n) float32 array
    x : (n,) array

    Returns
    -------
    (m,) float32 array

    Examples
    --------
    >>> dense_product(np.float32([[1, 2], [3, 4]]), [1, 1]).tolist()
    [3.0, 7.0]
    """
    weights = _numbers("weights", weights)
    if weights.ndim != 2:
        raise ValueError(f"weights must be an array of shape (m, n), got {weights.shape}")
    y = np.empty(len(weights), np.float32)
    _formats().loops.dense_product(weights, _check_input(x, weights.shape[1]), y)
    return y


def _formats():
    """The part that needs numba."""
    require("numba", "toykit.kernels needs numba to compile its loops")
    from . import formats

    return formats


def _check_input(x, n):
    x = _numbers("x", x)
    if x.ndim not in (1, 2) or len(x) != n or 0 in x.shape:
        raise ValueError(
            f"x must be a vector of {n} numbers or an array of shape ({n}, batch), got shape {x.shape}"
        )
    return x


def _numbers(name, value):
    """Numbers as the loops read them; NaN goes in and comes out."""
    value = as_array(name, value)
    if value.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of numbers, got {value.dtype}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(value, np.float32)


def random_weights(kind, shape, seed=0):
    """Compressed weights of random codes, for timing: as fast to multiply as any, and quick to make.

    Parameters
    ----------
    kind : str
        "int8", "int4", "table 4" (or 2, 1: bits), "90 % sparse" (or any other share), "float16" or "float32".
    shape : (m, n)
        Rows of a whole number of bytes.
    seed : int

    Returns
    -------
    Quantized, Palettized or Sparse, or array

    Raises
    ------
    TypeError, ValueError
        If the kind is none of these, or a row is not a whole number of bytes.

    Examples
    --------
    >>> random_weights("table 2", (64, 64))
    Palettized(64x64, a table of 4 values, 2.0 bits a weight)
    """
    found = _KIND.fullmatch(check_type("kind", kind, str, "a text"))
    if found is None:
        raise ValueError(
            f"kind must be like 'int8', 'table 4', '90 % sparse' or 'float16'; got {shown(kind)}"
        )
    shape = check_shape("shape", shape, least=2, most=2)
    rng = np.random.default_rng(check_int("seed", seed, SEEDS))
    if found["float"]:
        return rng.standard_normal(shape, np.float32).astype(f"float{found['float']}", copy=False)
    bits = int(found["codes"] or found["table"] or 8)
    if shape[1] * bits % 8:
        raise ValueError(
            f"shape must have rows of a whole number of bytes; {shape[1]} x {bits} bits are none"
        )
    size = shape[0] * shape[1]
    if found["zero"]:
        kept = rng.random(size, np.float32) >= float(found["zero"]) / 100
        values = rng.standard_normal(np.count_nonzero(kept), np.float32).astype(np.float16)
        return Sparse(values, np.packbits(kept, bitorder="little"), shape)
    codes = rng.integers(0, 256, size * bits // 8, np.uint8)
    if found["table"]:
        table = rng.standard_normal((1, 1, 2**bits, 1)).astype(np.float16)
        return Palettized(codes, table, shape, bits)
    if bits == 8:
        codes = codes.view(np.int8).reshape(shape)
    return Quantized(codes, np.full((shape[0], 1), 0.01, np.float16), None, shape, bits, True)
