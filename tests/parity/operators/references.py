"""Core ML operators as its reference describes them, in the plainest NumPy: oracles for `programs`."""

import numpy as np


def grid(length, size, mode):
    """Where each of `size` samples lies on an axis of `length` pixels, counted from 0."""
    i = np.arange(size)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if size == 1:
            points = np.array([(length - 1) / 2 if mode == "ALIGN_CORNERS" else 0.0])
        else:
            points = i * (length - 1) / (size - 1)
    elif mode == "DEFAULT":
        points = i * length / size
    elif mode == "OFFSET_CORNERS":
        points = (i + 0.5) * max(1, length - 1) / size
    elif mode == "UNALIGN_CORNERS":
        points = (i + 0.5) * length / size - 0.5
    return np.clip(points, 0, length - 1)


def sample(image, rows, columns):
    """`image` (..., H, W) at the crossings of fractional rows and columns, by linear interpolation."""

    def along(x, points):
        low = np.floor(points).astype(int)
        high = np.minimum(low + 1, x.shape[-1] - 1)
        return x[..., low] * (1 - (points - low)) + x[..., high] * (points - low)

    return np.swapaxes(along(np.swapaxes(along(image, columns), -1, -2), rows), -1, -2)


def resized(image, height, width, mode):
    """Bilinear resizing of (..., H, W)."""
    rows, columns = image.shape[-2:]
    return sample(image, grid(rows, height, mode), grid(columns, width, mode))


def activation(name, x):
    return {
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "tanh": lambda: np.tanh(x),
        "relu": lambda: np.maximum(x, 0),
        "linear": lambda: x,
        "hard_sigmoid": lambda: np.clip(0.2 * x + 0.5, 0, 1),
        "sigmoid_hard": lambda: np.clip(0.2 * x + 0.5, 0, 1),
    }[name]()


def gru(x, h, weight_ih, weight_hh, bias, reverse=False, gate="sigmoid", new="tanh", after=False):
    """Rows of the weights are those of the reset, output and update gates, in this order.

    The reset gate scales the state before the product with the weights, as coremltools' tests ask of
    Core ML; the formula in its reference has it after.
    """
    (w_r, w_o, w_z), (b_r, b_o, b_z) = np.split(weight_hh, 3), np.split(bias, 3)
    r_x, o_x, z_x = np.split(x @ weight_ih.T, 3, -1)
    steps = []
    for t in range(len(x))[:: -1 if reverse else 1]:
        r, z = activation(gate, r_x[t] + h @ w_r.T + b_r), activation(gate, z_x[t] + h @ w_z.T + b_z)
        inner = r * (h @ w_o.T + b_o) if after else (r * h) @ w_o.T + b_o
        h = (1 - z) * activation(new, o_x[t] + inner) + z * h
        steps.append(h)
    return np.stack(steps), h


def lstm(x, h, c, weight_ih, weight_hh, bias, peephole, clip, gate="sigmoid", cell="tanh", out="tanh"):
    """Rows of the weights are those of the input, forget, output and cell gates, in this order."""
    p_i, p_f, p_o = np.split(peephole, 3)
    steps = []
    for frame in x:
        i, f, o, z = np.split(frame @ weight_ih.T + h @ weight_hh.T + bias, 4, -1)
        i, f = activation(gate, i + p_i * c), activation(gate, f + p_f * c)
        c = f * c + i * activation(cell, z)
        c = np.clip(c, -clip, clip)
        h = activation(gate, o + p_o * c) * activation(out, c)
        steps.append(h)
    return np.stack(steps), h, c


def rnn(x, h, weight_ih, weight_hh, bias, name, reverse=False):
    """What is read backwards comes out backwards."""
    steps = []
    for frame in x[:: -1 if reverse else 1]:
        h = activation(name, frame @ weight_ih.T + h @ weight_hh.T + bias)
        steps.append(h)
    return np.stack(steps), h


def pooled(x, size, stride, before, after, reduce, fill):
    """Windows over the last two axes of (n, c, h, w); `reduce` gets the windows, flat, and which are real."""
    width = [(0, 0), (0, 0), (before[0], after[0]), (before[1], after[1])]
    padded = np.pad(x, width, constant_values=fill)
    real = np.pad(np.ones_like(x), width)
    windows = [
        np.lib.stride_tricks.sliding_window_view(a, size, (2, 3))[:, :, :: stride[0], :: stride[1]]
        for a in (padded, real)
    ]
    return reduce(*(w.reshape(*w.shape[:4], -1) for w in windows))


def suppressed(boxes, scores, overlap, least, count):
    """Greedy non-maximum suppression of one image's boxes (x, y, width, height), by their best scores."""
    best = scores.max(1)
    order = [i for i in np.argsort(-best) if best[i] >= least]
    chosen = []
    while order and len(chosen) < count:
        first = order.pop(0)
        chosen.append(first)
        order = [i for i in order if _overlap(boxes[first], boxes[i]) <= overlap]
    return chosen


def _overlap(a, b):
    sides = [
        max(0, min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2))
        for i in (0, 1)
    ]
    shared = sides[0] * sides[1]
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def windows(x, axis, size, stride):
    """All windows along an axis, as a new axis after it."""
    starts = range(0, x.shape[axis] - size + 1, stride)
    return np.stack([np.take(x, range(s, s + size), axis) for s in starts], axis)


def scattered(data, indices, updates, mode):
    """`updates[i]` into `data[indices[i]]`, one after the other."""
    data = data.copy()
    combine = {
        "update": lambda old, new: new,
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "div": np.divide,
        "max": np.maximum,
        "min": np.minimum,
    }[mode]
    for place in np.ndindex(indices.shape):
        data[indices[place]] = combine(data[indices[place]], updates[place])
    return data
