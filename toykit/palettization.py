"""Palettization: a small table of values, and for each weight its number in the table.

With 16 values to choose from, a weight is stored as 4 bits that say which, and the 16 values
themselves are stored once: paint by numbers. The work is in choosing the values (the look-up
table, or LUT): evenly spaced (`uniform`), the values that are there if they are few (`unique`),
given by you (`lut=`), or those that make the squared error least (`kmeans`, the default).

    4 bits a weight, 16 entries of 16 bits:   size / 2 + 32 bytes, against 2 size in float16

One table need not serve a whole tensor. Grouped channels (`group_size`) have a table each; vector
palettes (`cluster_dim`) have entries of several weights at once; a scale for each channel
(`per_channel_scale`) lets channels of different loudness share a table.

The stored arrays are Core ML's. Where coremltools finds its k-means by exact search (float16, at
least 10,000 weights a table) they are equal to its own; elsewhere coremltools runs scikit-learn's
k-means, which depends on its start, and the error here is at most as large.

Not here: clustering itself (`toykit.kmeans`), palettes learned while training
(`toykit.training`), and palettes of pruned or quantized weights (`toykit.joint`).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from . import bits as bit_packing
from . import settings
from .compressed import (
    Compressed,
    Part,
    as_array,
    check_int,
    check_part,
    check_shape,
    check_weights,
    dense_of,
)
from .kmeans.tables import chooser
from .pruning import spread, unpack_mask


@dataclass(frozen=True, eq=False, repr=False)
class Palettized(Compressed):
    """Weights as numbers of table entries.

    Attributes
    ----------
    indices : uint8 array
        One index of `bits` bits for each weight (for each vector of weights), packed as Core ML
        packs them. Behind a mask: of those that were kept.
    lut : (1, ..., groups, ..., 1, 2**bits, cluster_dim) float16 or float32 array, Quantized or SmallFloats
        The tables, in the shape of Core ML's iOS 18 operation: as many leading dimensions as the
        weights, of which `axis` counts the groups. Entries that are not needed are zero.
    shape : tuple of int
    bits : int
    axis : int
        The axis whose channels are grouped, cut into vectors, or scaled.
    scale : array of float or None
        Multiplies the entries; it broadcasts to the weights' shape. Counted here is what is stored
        for iOS 26: the table once. For iOS 18, coremltools repeats the table for every scale.
    mask : uint8 array or None
        Where the weights were pruned before, as in `toykit.Sparse`, with one bit for each index.
    codes : uint8 array
        The indices, unpacked: the weights' shape, with `axis` divided by `cluster_dim`; 0 behind
        the mask.
    kept : bool array of shape `shape`
        Which weights the mask keeps; all, where there is none.
    """

    indices: np.ndarray
    lut: Part
    shape: tuple[int, ...]
    bits: int
    axis: int = 0
    scale: np.ndarray | None = None
    mask: np.ndarray | None = None

    def check(self):
        shape = check_shape("shape", self.shape, most=8)
        check_int("bits", self.bits, range(1, 9))
        axis = check_int("axis", self.axis, range(-len(shape), len(shape)))
        check_part("lut", self.lut, np.floating, (*[None] * len(shape), 2**self.bits, None))
        vectors, length = self._vectors, self.cluster_dim
        if shape[axis] != vectors[axis] * length or any(
            not tables or size % tables for size, tables in zip(vectors, self.lut.shape)
        ):
            raise ValueError(
                f"lut must hold tables and vectors that divide the shape {shape}; got an array of {self.lut.shape}"
            )
        count = math.prod(vectors) if self.mask is None else np.count_nonzero(unpack_mask(self.mask, vectors))
        check_part("indices", self.indices, np.uint8, (-(-count * self.bits // 8),))
        if self.scale is not None:
            check_part("scale", self.scale, np.floating, (None,) * len(shape))
            if any(n not in (1, size) for n, size in zip(self.scale.shape, shape)):
                raise ValueError(
                    f"scale must broadcast to the shape {shape}; got an array of {self.scale.shape}"
                )

    @property
    def dtype(self):
        return self.lut.dtype

    @property
    def cluster_dim(self):
        return self.lut.shape[-1]

    @property
    def _vectors(self):
        """How many vectors there are along each axis."""
        shape = list(self.shape)
        shape[self.axis] //= max(1, self.cluster_dim)
        return tuple(shape)

    @property
    def codes(self):
        shape = self._vectors
        if self.mask is None:
            return bit_packing.unpack(self.indices, self.bits, math.prod(shape)).reshape(shape)
        kept = unpack_mask(self.mask, shape)
        return spread(bit_packing.unpack(self.indices, self.bits, np.count_nonzero(kept)), kept)

    @property
    def kept(self):
        if self.mask is None:
            return np.ones(self.shape, bool)
        return np.repeat(unpack_mask(self.mask, self._vectors), self.cluster_dim, self.axis)

    def dense(self):
        self.check()
        codes, tables = self.codes, dense_of(self.lut).reshape(-1, 2**self.bits, self.cluster_dim)
        # Which table: along each axis the blocks that have one are counted, the last axis fastest.
        table = 0
        for axis, (size, blocks) in enumerate(zip(codes.shape, self.lut.shape)):
            if blocks > 1:
                block = np.arange(size) * blocks // size
                table = table * blocks + block.reshape([-1 if i == axis else 1 for i in range(codes.ndim)])
        # What an index says is a vector, which lies along the channel axis.
        vectors = np.moveaxis(tables[table, codes], -1, self.axis % codes.ndim + 1)
        weights = vectors.reshape(self.shape)
        if self.scale is not None:
            weights = weights * self.scale
        return weights if self.mask is None else np.where(self.kept, weights, self.dtype.type(0))

    def behind(self, mask):
        """The same indices, but only of the weights that a mask keeps."""
        codes = self.codes[unpack_mask(mask, self._vectors)]
        return replace(self, indices=bit_packing.pack(codes, self.bits), mask=mask)

    def quantize_further(self, quantize, **options):
        """A quantized table: one row of numbers that share a scale."""
        if isinstance(self.lut, Compressed):
            return super().quantize_further(quantize)
        options = settings.complete("quantize", options, before=("palettize",))
        settings.fit("quantize", options, self.shape)
        names = ("format", "scale_format") if options["format"] else ("bits", "mode", "signed")
        of_numbers = {name: options[name] for name in ("granularity", *names)}
        return replace(self, lut=quantize(self.lut.ravel(), **of_numbers).in_shape(self.lut.shape))

    def _summary(self):
        tables = self.lut.size // (2**self.bits * self.cluster_dim)
        table = "a table" if tables == 1 else f"{tables} tables"
        kind = f" {getattr(self.lut, 'kind', self.lut.dtype)}" if isinstance(self.lut, Compressed) else ""
        entries = (
            f"{2**self.bits}{kind} {f'vectors of {self.cluster_dim}' if self.cluster_dim > 1 else 'values'}"
        )
        if self.mask is None:
            return f"{table} of {entries}"
        return f"{100 * (1 - self.kept.mean()):.1f} % zero, the rest one of {entries}"


def palettize(
    weights,
    bits=None,
    mode="kmeans",
    *,
    lut=None,
    group_size=None,
    axis=0,
    cluster_dim=1,
    per_channel_scale=False,
    sensitivities=None,
    seed=0,
):
    """Replace every weight by the number of an entry in a table of 2**bits values.

    Parameters
    ----------
    weights : array of float, 1 to 5 dimensions, or Sparse
        Of pruned weights the survivors are palettized; see `toykit.joint`.
    bits : {1, 2, 3, 4, 6, 8}, optional
        Of an index. 4 if left out; "unique" and `lut` find their own.
    mode : {"kmeans", "uniform", "unique"}
        How the tables are chosen. "kmeans": least squared error, over all tables there are when
        `cluster_dim` is 1. "uniform": evenly spaced from the smallest to the largest weight.
        "unique": the values themselves, of which there may be 256; nothing is lost.
    lut : (2**bits,) or (2**bits, cluster_dim) array, optional
        Your own table, in any order, used for every group; each weight takes the nearest entry, the
        first of equally near ones. `mode` is then left out.
    group_size : int, optional
        Channels that share a table. It must divide the number of channels. All, if left out.
    axis : int
        Which axis counts the channels: 0 is the output channel.
    cluster_dim : int
        Weights that an index stands for: that many neighbouring channels. It must divide
        `group_size`. Each index costs `bits` bits, so a weight costs bits / cluster_dim.
    per_channel_scale : bool or "across"
        Divide each channel by its largest magnitude first, as coremltools.optimize.torch does.
        "across" divides by the largest magnitude across the channels instead, one scale for each
        position in a channel: this is what coremltools.optimize.coreml 9 stores under the name
        `enable_per_channel_scale`.
    sensitivities : array of float, the weights' shape, optional
        How much the squared error of each weight counts in "kmeans". Not negative. A group in which
        nothing counts is clustered as if everything counted the same.
    seed : int
        For vector k-means, which starts at random.

    Returns
    -------
    Palettized
        With fewer distinct values than table entries nothing is lost, and the entries left over
        are zero. Constant weights are such a case.

    Raises
    ------
    TypeError, ValueError
        If the weights are not finite floating-point numbers, an option is none of those above, a
        size does not divide, or "unique" meets more than 256 values.

    References
    ----------
    Han, Mao and Dally, "Deep compression: compressing deep neural networks with pruning, trained
    quantization and Huffman coding", ICLR 2016.

    Examples
    --------
    >>> w = np.float16([[0.1, 0.2, 0.9], [1.1, 0.2, 1.0]])
    >>> p = palettize(w, bits=1)
    >>> p.codes.tolist(), p.lut.ravel().tolist()
    ([[0, 0, 1], [1, 0, 1]], [0.1666259765625, 1.0])
    >>> p.nbytes                                        # 6 bits, and two entries of 16 bits
    5
    """
    if isinstance(weights, Compressed):
        options = {"bits": bits, "mode": mode, "lut": lut, "group_size": group_size, "axis": axis}
        options |= {"cluster_dim": cluster_dim, "per_channel_scale": per_channel_scale}
        return weights.palettize_further(palettize, **options, sensitivities=sensitivities, seed=seed)
    weights = check_weights(weights)
    options = {"bits": bits, "mode": mode, "group_size": group_size, "axis": axis, "cluster_dim": cluster_dim}
    options |= {
        "per_channel_scale": per_channel_scale,
        "lut": lut,
        "sensitivities": sensitivities,
        "seed": seed,
    }
    options = settings.fit("palettize", settings.complete("palettize", options), weights.shape)
    axis, group_size, cluster_dim = (options[name] for name in ("axis", "group_size", "cluster_dim"))
    channels = weights.shape[axis]
    bits, choose = chooser(options["bits"], mode, options["lut"], cluster_dim, options["seed"], weights.dtype)
    importance = _check_sensitivities(sensitivities, weights)

    scale = _scale(weights, per_channel_scale, axis)
    if scale is not None:
        weights = weights / scale

    groups = channels // group_size
    vectors = as_vectors(weights, axis, groups, cluster_dim)
    counts = [None] * groups if importance is None else as_vectors(importance, axis, groups, cluster_dim)
    tables, codes = zip(*map(choose, vectors, counts), strict=True)

    if bits is None:  # "unique": the widest need of any group
        most = max(map(len, tables))
        bits = next((b for b in settings.INDEX_BITS if most <= 2**b), None)
        if bits is None:
            what = "values" if cluster_dim == 1 else f"vectors of {cluster_dim}"
            raise settings.Declined(
                f"mode 'unique' stores at most 256 distinct {what} a table, these weights have {most}; "
                "use mode='kmeans', or a smaller group_size"
            )
    stored = np.zeros((groups, 2**bits, cluster_dim), weights.dtype)
    for table, room in zip(tables, stored, strict=True):
        room[: len(table)] = table
    # Tables and codes were made with the channels first; Core ML keeps them where they were.
    lut_shape = (groups,) + (1,) * (weights.ndim - 1) + stored.shape[1:]
    swapped = list(np.swapaxes(weights, 0, axis).shape)
    swapped[0] //= cluster_dim
    codes = np.swapaxes(np.concatenate(codes).reshape(swapped), 0, axis)
    return Palettized(
        indices=bit_packing.pack(codes, bits),
        lut=np.ascontiguousarray(np.swapaxes(stored.reshape(lut_shape), 0, axis)),
        shape=weights.shape,
        bits=bits,
        axis=axis,
        scale=scale,
    )


def as_vectors(array, axis, groups, cluster_dim):
    """Cut an array into groups of channels, and each group into its (n, cluster_dim) vectors."""
    array = as_array("array", array)
    axis = check_int("axis", axis, range(-array.ndim, array.ndim))
    cluster_dim = check_int("cluster_dim", cluster_dim, range(1, 2**31))
    groups = check_int("groups", groups, range(1, 2**31))
    if array.shape[axis] % (groups * cluster_dim):
        raise ValueError(
            f"groups of whole vectors must divide axis {axis}, which is {array.shape[axis]} long; got {groups} groups "
            f"and cluster_dim={cluster_dim}"
        )
    array = np.swapaxes(array, 0, axis)
    vectors = array.reshape(array.shape[0] // cluster_dim, cluster_dim, *array.shape[1:])
    vectors = np.moveaxis(vectors, 1, -1)
    return np.ascontiguousarray(vectors).reshape(groups, -1, cluster_dim)


def _scale(weights, per_channel_scale, axis):
    """The divisors of `per_channel_scale`, None without; a channel of zeros is divided by 1."""
    if not per_channel_scale:
        return None
    if per_channel_scale != "across":
        over = tuple(other for other in range(weights.ndim) if other != axis)
    else:
        over = axis
    scale = np.max(np.abs(weights), axis=over, keepdims=True)
    scale[scale == 0] = 1
    return scale


def _check_sensitivities(sensitivities, weights):
    if sensitivities is None:
        return None
    sensitivities = check_weights(sensitivities, "sensitivities").astype(np.float64)
    if sensitivities.shape != weights.shape:
        raise ValueError(
            f"sensitivities must have the weights' shape {weights.shape}, got {sensitivities.shape}"
        )
    if sensitivities.min() < 0:
        raise ValueError(f"sensitivities must not be negative, got {sensitivities.min():g}")
    return sensitivities
