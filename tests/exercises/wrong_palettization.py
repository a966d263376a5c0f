"""Wrong answers that people give to the exercises on palettization, each with a part of the hint it must get."""

import numpy as np

from toykit import bits as packing


def step_once(values, centroids, middle=np.mean, key=np.abs, empty=None):
    nearest = key(values[:, None] - centroids).argmin(axis=1)
    groups = [values[nearest == j] for j in range(len(centroids))]
    return np.array(
        [
            middle(group) if group.size else (c if empty is None else empty)
            for group, c in zip(groups, centroids)
        ]
    )


def between_neighbours(values, centroids):
    """Borders half-way between neighbours: right for sorted centroids only."""
    place = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, values)
    return np.array([values[place == j].mean() if (place == j).any() else c for j, c in enumerate(centroids)])


def spelled(indices, bits):
    return np.unpackbits(indices.reshape(-1, 1), axis=1, bitorder="little", count=bits)


def whole_bytes(indices, bits):
    room = 8 // bits
    lanes = np.zeros(-(-indices.size // room) * room, np.uint8)
    lanes[: indices.size] = indices.ravel()
    return np.sum(lanes.reshape(-1, room) << (bits * np.arange(room)), axis=1).astype(np.uint8)


def split(values, left, power=2):
    return sum(np.sum(np.abs(part - part.mean()) ** power) for part in (values[:left], values[left:]))


def every_border(values, power=2):
    return min(split(values, left, power) for left in range(1, len(values)))


WRONG = {
    "uniform_table": [
        (lambda w, b: np.linspace(w.min(), w.max(), b), "2**bits of them"),
        (lambda w, b: w.min() + (w.max() - w.min()) / 2**b * np.arange(2**b), "one gap fewer"),
        (lambda w, b: np.linspace(w.min(), w.max(), 2**b)[:-1], "largest weight itself"),
        (lambda w, b: np.linspace(-np.abs(w).max(), np.abs(w).max(), 2**b), "symmetric around zero"),
        (lambda w, b: np.quantile(w, np.linspace(0, 1, 2**b)), "equally many weights"),
        (lambda w, b: np.linspace(w.max(), w.min(), 2**b), "first entry is the smallest"),
        (lambda w, b: np.linspace(0, w.max() - w.min(), 2**b), "How wide is the gap"),
    ],
    "lloyd_step": [
        (lambda v, c: step_once(v, c, empty=np.nan), "0 divided by 0"),
        (lambda v, c: step_once(v, c, empty=0.0), "0 divided by 0"),
        (lambda v, c: step_once(v, c, empty=v.mean()), "stay where it is"),
        (lambda v, c: c[np.abs(v[:, None] - c).argmin(axis=1)], "one number for each value"),
        (lambda v, c: step_once(v, step_once(v, c)), "single step"),
        (lambda v, c: step_once(v, c, key=lambda d: d), "no sign"),
        (lambda v, c: c.copy(), "did not move"),
        (lambda v, c: step_once(v, c, middle=np.median), "The mean makes"),
        (lambda v, c: step_once(v, c, middle=lambda x: (x.min() + x.max()) / 2), "The mean makes"),
        (lambda v, c: step_once(v, c)[::-1] if len(c) > 1 else step_once(v, c) + 1, "table of all distances"),
        (between_neighbours, "any order"),
        (lambda v, c: np.sort(step_once(v, c)), "any order"),
    ],
    "pack_indices": [
        (lambda i, b: i.ravel(), "One byte for each index"),
        (lambda i, b: np.packbits(spelled(i, b)[:, ::-1], bitorder="big"), "lowest bits of the byte"),
        (
            lambda i, b: packing.pack(
                packing.unpack(
                    np.packbits(spelled(i, b)[:, ::-1], axis=1, bitorder="little").ravel(), 8, i.size
                ),
                b,
            ),
            "turned round",
        ),
        (whole_bytes, "run over into the next byte"),
        (lambda i, b: packing.pack(i, b).astype(np.int64), "type uint8"),
        (lambda i, b: packing.pack(i, b)[::-1].copy(), "Write out all bits"),
    ],
    "best_border": [
        (lambda v: float(every_border(v)), "Sort the values"),
        (lambda v: float(split(np.sort(v), int(np.argmax(np.diff(np.sort(v)))) + 1)), "widest gap"),
        (lambda v: float(split(np.sort(v), len(v) // 2)), "middle of the values"),
        (lambda v: float(every_border(np.sort(v)) / len(v)), "do not divide"),
        (lambda v: float(every_border(np.sort(v), power=1)), "sum of their squares"),
        (lambda v: 0.0, "For each border"),
    ],
}
