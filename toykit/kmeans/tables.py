"""Look-up tables: ways to choose the few values that will stand for all weights of a group.

Each takes (n, cluster_dim) vectors, numbers if cluster_dim is 1, and returns a table of at most
2**bits entries and the number of the entry that stands for each vector.

Not here: groups, scales and the stored form (`toykit.palettization`).
"""

import numpy as np

from ..settings import Declined
from . import line as kmeans


def chooser(bits, mode, lut, cluster_dim, seed, dtype):
    """The number of bits, None if it depends on the weights, and the function that fills a table.

    All are as `toykit.settings` completes them.
    The function takes (n, cluster_dim) vectors and their importance, and returns a table of at most
    2**bits entries and the entry of each vector. `dtype` is what the table will be stored in.
    """
    if lut is not None:
        table = own_table(lut, dtype)
        return bits, lambda vectors, _: (table, _nearest_entry(table, vectors))
    if mode == "unique":
        return None, lambda vectors, _: _unique_table(vectors)
    if mode == "kmeans":
        return bits, lambda vectors, importance: _kmeans_table(vectors, bits, importance, seed)
    return bits, lambda vectors, _: _uniform_table(vectors.ravel(), bits)


def own_table(lut, dtype):
    """The entries of one's own table in the type of the weights, as (2**bits, cluster_dim)."""
    with np.errstate(over="ignore"):
        table = np.asarray(lut).astype(dtype)
    if not np.isfinite(table).all():
        raise Declined(f"lut must fit into the weights' type, {dtype}; it has {np.abs(lut).max():g}")
    return table


def _kmeans_table(vectors, bits, importance, seed):
    """The optimum for numbers; for vectors the best that k-means++ and Lloyd find.

    Codes belong to the centroids as found; the table is rounded to the weights' type afterwards.
    """
    if importance is not None:
        importance = importance.sum(axis=1)  # a vector counts as much as its weights together
        if not importance.any():
            importance = None
    if vectors.shape[1] == 1:
        clusters = kmeans.exact(vectors.ravel(), 2**bits, importance)
        return clusters.centroids[:, None], clusters.labels
    from .vectors import cluster_vectors

    clusters = cluster_vectors(vectors, 2**bits, importance, seed=seed)
    return clusters.centroids, clusters.labels


def _uniform_table(values, bits):
    """Evenly spaced entries; the arithmetic is in the weights' own type, as in coremltools."""
    where = slice(None)
    if values.dtype == np.float16:  # there are at most 65,536 of these: find the code of each once
        levels, _, where = kmeans.distinct(values)
        values = levels.astype(np.float16)
    low, high = values.min(), values.max()
    last = 2**bits - 1
    if not _representable(low, high, last):
        values, low, high = values.astype(np.float64), np.float64(low), np.float64(high)
    if low == high:
        codes = np.zeros(values.size)
    else:
        codes = np.round((values - low) / (high - low) * last)
    return evenly_spaced(low, high, bits)[:, None], codes.astype(np.uint8)[where]


def evenly_spaced(low, high, bits):
    """The 2**bits entries of "uniform", in float64, before they are rounded to the type of the weights."""
    last = 2**bits - 1
    if not _representable(low, high, last):
        low, high = np.float64(low), np.float64(high)
    return np.arange(last + 1) * np.float64((high - low) / last) + np.float64(low)


def _representable(low, high, last):
    """Whether the type of two weights holds the step between entries.

    Where the span overflows its type, or a step of it vanishes, coremltools stores infinities, or one value
    for everything. These are computed in float64.
    """
    with np.errstate(over="ignore"):
        step = (high - low) / last
    return np.isfinite(step) and (step > 0 or low == high)


def _unique_table(vectors):
    """Every distinct value, ascending; vectors by their first value, then by the next ones."""
    if vectors.shape[1] == 1:
        levels, _, codes = kmeans.distinct(vectors.ravel())
        return levels[:, None], codes
    table, codes = np.unique(vectors, axis=0, return_inverse=True)
    return table, codes.ravel()


def _nearest_entry(table, vectors):
    """The first of the nearest entries of `table` for each vector."""
    if table.shape[1] > 1:
        from .vectors import nearest_vector

        return nearest_vector(table, vectors)[0].astype(np.uint8)
    entries, place = np.unique(table.ravel(), return_index=True)
    values = vectors.ravel().astype(np.float64)
    above = np.clip(np.searchsorted(entries, values), 1, max(entries.size - 1, 1))
    if entries.size == 1:
        return np.full(values.size, place[0], np.uint8)
    below = above - 1
    to_above, to_below = np.abs(entries[above] - values), np.abs(values - entries[below])
    choose_above = (to_above < to_below) | ((to_above == to_below) & (place[above] < place[below]))
    return np.where(choose_above, place[above], place[below]).astype(np.uint8)
