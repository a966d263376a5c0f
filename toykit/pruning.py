"""Pruning: set the smallest weights to zero and store only the rest.

A pruned tensor is stored as the values that are left, in row-major order, and a bitmask that says
where they go: 16 bits for each survivor and 1 bit for each weight. At 50 % sparsity that is
16/2 + 1 = 9 bits a weight, not 8, which is why a 51 MB network becomes 28.8 MB and not 25.5.

Which weights go is decided by comparing sizes, in one of four ways: against a size that a given
share of the weights does not reach (`sparsity`), against a given size (`threshold`), a row of
neighbours at a time (`block_size`), or as a contest inside each group of m (`n_m`).

Not here: pruning while training (`toykit.training`), and removing whole channels, which changes
the shape of the network instead of its storage.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from . import settings
from .compressed import Compressed, Part, as_array, check_part, check_shape, check_weights, dense_of

_AT_ONCE = 1 << 18  # weights


@dataclass(frozen=True, eq=False, repr=False)
class Sparse(Compressed):
    """Weights of which many are zero.

    Attributes
    ----------
    values : (n,) float array
        The weights that are not zero, in row-major order; or SmallFloats with one scale.
    mask : (ceil(size / 8),) uint8 array
        One bit a weight, 1 where it was kept; the first weight is the lowest bit of the first
        byte, as Core ML stores it.
    shape : tuple of int
    kept : bool array of shape `shape`
        The mask, unpacked.
    sparsity : float
        The share of the weights that is zero.
    """

    values: Part
    mask: np.ndarray
    shape: tuple

    def check(self):
        check_shape("shape", self.shape, least=0, most=8, empty=True)
        check_part("mask", self.mask, np.uint8, (-(-self.size // 8),))
        check_part("values", self.values, np.floating, (None,))

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def kept(self):
        return unpack_mask(self.mask, self.shape)

    @property
    def sparsity(self):
        return (self.size - self.values.size) / self.size

    def dense(self):
        self.check()
        return spread(dense_of(self.values), self.kept)

    def quantize_further(self, quantize, **options):
        """Quantized survivors; the zeros take part in the choice of scales, but have no codes."""
        if isinstance(self.values, Compressed):
            return super().quantize_further(quantize)
        chosen = settings.complete("quantize", options, before=("prune",))
        if chosen["format"]:  # of all survivors the same scale
            of_floats = {name: chosen[name] for name in ("format", "scale_format", "granularity")}
            return replace(self, values=quantize(self.values, **of_floats)) if self.values.size else self
        return quantize(self.dense(), **options).behind(self.mask)

    def palettize_further(self, palettize, **options):
        """Palettized survivors; the zeros take part in the choice of tables, but have no indices."""
        if isinstance(self.values, Compressed):
            return super().palettize_further(palettize)
        settings.complete("palettize", options, before=("prune",))
        return palettize(self.dense(), **options).behind(self.mask)

    def _summary(self):
        kind = f", the rest {getattr(self.values, 'kind', '')}" if isinstance(self.values, Compressed) else ""
        return f"{100 * self.sparsity:.1f} % zero{kind}"


def prune(weights, sparsity=None, threshold=None, block_size=None, n_m=None, dim=None):
    """Zero the weights that are nearest to zero, and store the others and a bitmask.

    Give one of `sparsity`, `threshold` and `n_m`.

    Parameters
    ----------
    weights : array of float, 1 to 5 dimensions
        Output channels first, as in torch and Core ML.
    sparsity : float in [0, 1], optional
        The share of the weights to zero. The weights at or below that percentile of |w| go, so
        ties with it all go and the result can be a little sparser than asked for: weights of one
        size all become zero. 0 zeroes nothing, 1 zeroes everything.
    threshold : float, optional
        Zero the weights with |w| <= threshold, taken in the weights' own type: 0.1 is 0.09998 in
        float16.
    block_size : int, optional
        With `sparsity`: zero whole blocks of this many neighbours along `dim`, those with the
        smallest root of the sum of squares. From 2 to half the length of `dim`; the last block is
        shorter where it does not divide. `sparsity` is then the share of blocks.
    n_m : (int, int), optional
        Zero the n smallest of each m neighbours along `dim`. From 1 <= n <= m, and m is at most
        half the length of `dim`. Of equal weights the first ones go. Where m does not divide, the
        last group is filled up with zeros, which are the first to go.
    dim : 0 or 1, optional
        The axis of `block_size` (default 0, output channels) and of `n_m` (default 1, inputs).

    Returns
    -------
    Sparse
        Weights that were zero already are not stored, whatever was asked for.

    Raises
    ------
    TypeError, ValueError
        If the weights are not finite floating-point numbers, or the options are out of range or
        do not go together.

    Notes
    -----
    The stored arrays are those of coremltools 9 (`OpMagnitudePrunerConfig`,
    `OpThresholdPrunerConfig`), with two exceptions. It adds up the squares of a block in the type
    of the weights; where the threshold's squares leave the range of float16 it would zero too
    many blocks or none, and here they are added in float64. And it breaks ties inside a group of
    m by an unstable sort.

    References
    ----------
    Han et al., "Learning both weights and connections for efficient neural networks", NeurIPS
    2015. Mishra et al., "Accelerating sparse deep neural networks", 2021, for n:m.

    Examples
    --------
    >>> prune([[0.1, -2.0], [0.0, 0.5]], sparsity=0.5).dense().tolist()
    [[0.0, -2.0], [0.0, 0.5]]
    >>> prune(np.linspace(-1, 1, 64, dtype=np.float16), sparsity=0.5)
    Sparse(64, 50.0 % zero, 9.0 bits a weight)
    """
    weights = check_weights(weights)
    options = {"sparsity": sparsity, "threshold": threshold, "block_size": block_size, "n_m": n_m, "dim": dim}
    options = settings.fit("prune", settings.complete("prune", options), weights.shape)
    sparsity, threshold, block_size, n_m, dim = (
        options[name] for name in ("sparsity", "threshold", "block_size", "n_m", "dim")
    )

    magnitude = np.abs(weights)
    if n_m is not None:
        kept = _largest_in_groups(magnitude, n_m, dim)
    elif block_size is not None:
        kept = _largest_blocks(magnitude, sparsity, block_size, dim)
    else:
        kept = above(magnitude, cut_off(_magnitudes(magnitude), sparsity, threshold))
    values = _selected(weights.ravel(), kept.ravel())
    return Sparse(values, np.packbits(kept, bitorder="little"), weights.shape)


def _selected(values, kept):
    """`values[kept]`, in parts: `compress` is the quicker way, and takes 8 bytes for each that it keeps."""
    found, end = np.empty(np.count_nonzero(kept), values.dtype), 0
    for start in range(0, values.size, _AT_ONCE):
        part = values[start : start + _AT_ONCE].compress(kept[start : start + _AT_ONCE])
        found[end : end + part.size] = part
        end += part.size
    return found


def unpack_mask(mask, shape):
    """The bool array that `Sparse.mask` packs."""
    shape = check_shape("shape", shape, least=0, most=8, empty=True)
    mask = as_array("mask", mask)
    check_part("mask", mask, np.uint8, (-(-math.prod(shape) // 8),))
    bits = np.unpackbits(mask, count=math.prod(shape), bitorder="little")
    return bits.view(bool).reshape(shape)


def spread(values, kept):
    """The values in a row, put where `kept` is True, and 0 elsewhere."""
    values, kept = as_array("values", values), as_array("kept", kept)
    if kept.dtype != bool or values.shape != (np.count_nonzero(kept),):
        raise ValueError(
            f"values must be a row, one for each weight that the mask keeps; got {values.shape} for a mask of "
            f"{kept.dtype} that keeps {np.count_nonzero(kept)}"
        )
    whole = np.zeros(kept.shape, values.dtype)
    whole[kept] = values
    return whole


class Magnitudes:
    """The magnitudes of weights, of which one asks for those at some ranks, and how many are larger.

    There are only 32,768 of float16: each is counted, once, and every answer is read off the running total.

    Parameters
    ----------
    values : callable () -> array
        The weights; what it returns is not kept.
    size : int
    dtype : str or dtype
    """

    def __init__(self, values, size, dtype):
        self.values, self.size, self.dtype = values, size, np.dtype(dtype)

    @cached_property
    def _counts(self):
        """How many weights have each magnitude: a row for the positive ones, and one for the negative."""
        patterns, counts = self.values().view(np.uint16).ravel(), np.zeros(2**16, np.int64)
        for start in range(0, patterns.size, _AT_ONCE):  # in parts, for bincount takes 8 bytes a number
            counts += np.bincount(patterns[start : start + _AT_ONCE], minlength=2**16)
        return counts.reshape(2, 2**15)

    @cached_property
    def _running(self):
        return np.cumsum(self._counts.sum(0))

    def at(self, ranks):
        """Those that would be at these places if the magnitudes were sorted."""
        if self.dtype != np.float16:
            return np.partition(np.abs(self.values()).ravel(), ranks)[ranks]
        # Where the running total passes the rank, we are.
        return np.searchsorted(self._running, ranks, side="right").astype(np.uint16).view(np.float16)

    def count_above(self, threshold):
        """How many are larger."""
        if self.dtype != np.float16:
            return int(np.count_nonzero(np.abs(self.values()) > threshold))
        return int(self.size - self._running[_comparable(threshold)])

    def ends_above(self, threshold):
        """The smallest and the largest of the weights whose magnitude is larger, and how many values they have.

        None where it is not read off: of other types than float16, or without weights on both sides of zero.
        """
        if self.dtype != np.float16:
            return None
        first = int(_comparable(threshold)) + 1
        above, below = (first + np.flatnonzero(counts[first:]) for counts in self._counts)
        if not (above.size and below.size):
            return None
        low, high = np.array([below[-1], above[-1]], np.uint16).view(np.float16)
        return -low, high, above.size + below.size


def _magnitudes(numbers):
    return Magnitudes(lambda: numbers, numbers.size, numbers.dtype)


def cut_off(magnitudes, sparsity=None, threshold=None):
    """The magnitude at and below which weights go, in their own type: of a share of them or of a threshold."""
    if threshold is None:
        return _percentile(magnitudes, sparsity)
    with np.errstate(over="ignore"):  # beyond the type's range it is infinite and zeroes everything
        return magnitudes.dtype.type(threshold)


def _percentile(magnitudes, share):
    """The magnitude that `share` of them do not exceed; 0 for none and infinity for all.

    Between two neighbours in sorted order it is interpolated in their own type, so it may round
    onto the upper one. That is what coremltools gets from `numpy.percentile`, which is not called
    here because it is several times slower, and rounds differently in older versions of NumPy.
    """
    if share in (0, 1):
        return magnitudes.dtype.type(0 if share == 0 else np.inf)
    last = magnitudes.size - 1
    rank = last * (share * 100 / 100)  # by way of percent, as in coremltools
    below = math.floor(rank)
    low, high = magnitudes.at([below, min(below + 1, last)])
    part = rank - below
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def above(magnitude, threshold):
    """Where a magnitude is larger."""
    return _comparable(magnitude) > _comparable(threshold)


def _comparable(magnitude):
    """The same order in numbers that are quick to compare.

    Without a sign, float16 numbers are in the order of their bit patterns, read as whole numbers.
    """
    return magnitude.view(np.uint16) if magnitude.dtype == np.float16 else magnitude


def _largest_blocks(magnitude, share, block_size, dim):
    """Where the block of `block_size` neighbours along `dim` is among the largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = _block_norms(_squares(magnitude), block_size, dim)
        threshold = _percentile(_magnitudes(norms), share)
        # The type of the weights is what coremltools calculates in, and it will do as long as it
        # holds the square of the threshold to 6 bits. Where it does not, norms are 0 or infinite.
        if not 64 * np.finfo(magnitude.dtype).smallest_subnormal <= threshold**2 < np.inf:
            norms = _block_norms(_squares(magnitude.astype(np.float64)), block_size, dim)
            threshold = _percentile(_magnitudes(norms), share)
    return above(norms, threshold) & (magnitude != 0)


def _squares(magnitude):
    if magnitude.dtype != np.float16:
        return magnitude * magnitude
    # Again only 32,768 cases: square each once and look it up, for float16 arithmetic is slow.
    every = np.arange(2**15, dtype=np.uint16).view(np.float16)
    return (every * every).take(_comparable(magnitude))


def _block_norms(squares, block_size, dim):
    """For each weight, the root of the sum of squares of the block that it is in."""
    rows = np.swapaxes(squares, 0, dim)
    missing = -len(rows) % block_size
    if missing:
        rows = np.pad(rows, [(0, missing)] + [(0, 0)] * (rows.ndim - 1))
    blocks = rows.reshape(-1, block_size, *rows.shape[1:])
    norms = np.sqrt(np.sum(blocks, axis=1))
    each = np.repeat(norms, block_size, axis=0)[: squares.shape[dim]]
    return np.ascontiguousarray(np.swapaxes(each, 0, dim))


def _largest_in_groups(magnitude, n_m, dim):
    """Where a weight is not one of the n smallest of its group of m neighbours along `dim`."""
    (n, m), length = n_m, magnitude.shape[dim]
    rows = np.moveaxis(_comparable(magnitude), dim, -1)
    padded = np.zeros((*rows.shape[:-1], -(length // -m) * m), rows.dtype)
    padded[..., :length] = rows
    members = np.ascontiguousarray(padded.reshape(-1, m).T)  # one row for each place in the group
    # A weight's place in the order of its group is the number of members that go before it.
    before = np.zeros(members.shape, np.min_scalar_type(m))
    for later in range(m):
        for earlier in range(later):
            earlier_first = members[earlier] <= members[later]  # of equals, the earlier goes
            before[later] += earlier_first
            before[earlier] += ~earlier_first
    kept = (before >= n).T.reshape(padded.shape)[..., :length]
    return np.moveaxis(kept, -1, dim) & (magnitude != 0)
