"""The arithmetic of an interpreted program in NumPy alone.

Convolutions and pools look at windows of their input without copying them, and leave the sums to a
matrix product. It is the readable one of the two backends, and runs where nothing else is installed.
"""

import math

import numpy as np

from ...format.protobuf import PackageError


class NumPy:
    """Arrays are numpy.ndarray. Names that are not here are NumPy's own functions."""

    name = "numpy"

    def __getattr__(self, name):
        return getattr(np, name)

    def running(self):
        """A context for a run: what overflows becomes infinite, as on the device, without a warning."""
        return np.errstate(all="ignore")

    def array(self, values):
        """A NumPy array as an array of this backend."""
        return values

    def numpy(self, array):
        return np.asarray(array)

    def kind(self, array):
        """ "float", "int" or "bool"."""
        return {"f": "float", "b": "bool"}.get(array.dtype.kind, "int")

    def to_float(self, array):
        return np.asarray(array, np.float32)

    def to_float16(self, array):
        """Rounded to numbers that float16 has; still float32."""
        return np.asarray(array, np.float32).astype(np.float16).astype(np.float32)

    def to_int(self, array, dtype):
        return np.asarray(array).astype(dtype)

    def to_bool(self, array):
        return np.asarray(array).astype(bool)

    def erf(self, x):
        """The error function; off by at most 1.2e-7 of its complement.

        The Chebyshev fit of Press et al., Numerical Recipes in C, 2nd edition, section 6.2 (erfcc).
        """
        wide = np.asarray(x, np.float64)
        t = 1 / (1 + 0.5 * np.abs(wide))
        fit = np.polynomial.polynomial.polyval(
            t,
            [
                -1.26551223,
                1.00002368,
                0.37409196,
                0.09678418,
                -0.18628806,
                0.27886807,
                -1.13520398,
                1.48851587,
                -0.82215223,
                0.17087277,
            ],
        )
        complement = t * np.exp(-wide * wide + fit)
        return np.where(wide >= 0, 1 - complement, complement - 1).astype(np.float32)

    def sigmoid(self, x):
        # tanh saturates where exp would overflow.
        return 0.5 * (1 + np.tanh(0.5 * x))

    def softmax(self, x, axis):
        if not x.size:
            return x
        grown = np.exp(x - np.max(x, axis=axis, keepdims=True))
        return grown / np.sum(grown, axis=axis, keepdims=True)

    def clip(self, x, low, high):
        return np.minimum(np.maximum(x, low), high)

    def pad(self, x, widths, value):
        """`widths`: (before, after) for each axis."""
        return np.pad(x, widths, constant_values=value)

    def permute(self, x, order):
        return np.transpose(x, order)

    def linear(self, x, weight, bias):
        product = x @ weight.T
        return product if bias is None else product + bias

    def conv(self, x, weight, bias, strides, pads, dilations, groups):
        """Convolve x (n, C, *D), padded with zeros, with weight (K, C / groups, *kernel).

        `pads`: (before, after) for each of D.
        """
        total = self._conv(np.pad(x, [(0, 0), (0, 0), *pads]), weight, strides, dilations, groups)
        return total if bias is None else total + bias.reshape(-1, *[1] * (x.ndim - 2))

    def _conv(self, x, weight, strides, dilations, groups):
        kernel = weight.shape[2:]
        windows = _windows(x, kernel, strides, dilations)  # n, C, *out, *kernel
        n, out, rank = x.shape[0], windows.shape[2 : 2 + len(kernel)], len(kernel)
        if weight.shape[1] == 1 and groups == x.shape[1] == weight.shape[0]:
            # Depthwise: no sum over channels, so a product and a sum for each place of the kernel.
            places = weight.reshape(groups, *[1] * rank, *kernel)
            total = np.zeros((n, groups, *out), np.float32)
            for place in np.ndindex(*kernel):
                at = (..., *place)
                total += windows[at] * places[at]
            return total
        split = windows.reshape(n, groups, x.shape[1] // groups, *out, *kernel)
        # One row for each output position, with all that its window holds: n, groups, *out, C/g, *kernel.
        rows = np.moveaxis(split, 2, 2 + rank).reshape(n, groups, math.prod(out), math.prod(weight.shape[1:]))
        matrix = weight.reshape(groups, weight.shape[0] // groups, rows.shape[-1])
        return (matrix @ rows.swapaxes(-1, -2)).reshape(n, weight.shape[0], *out)

    def conv_transpose(self, x, weight, strides, dilations, groups):
        """All that the input spreads to: x (n, C, *D), weight (C, K / groups, *kernel)."""
        n, kernel = x.shape[0], weight.shape[2:]
        inner, outer = weight.shape[0] // groups, weight.shape[1]
        sizes = [
            (d - 1) * s + (k - 1) * spread + 1
            for d, s, k, spread in zip(x.shape[2:], strides, kernel, dilations)
        ]
        total = np.zeros((n, groups, outer, *sizes), np.float32)
        columns = x.reshape(n, groups, inner, -1)
        for place in np.ndindex(*kernel):
            matrix = weight[(..., *place)].reshape(groups, inner, outer).swapaxes(-1, -2)
            spots = tuple(
                slice(p * spread, p * spread + (d - 1) * s + 1, s)
                for p, spread, d, s in zip(place, dilations, x.shape[2:], strides)
            )
            total[(..., *spots)] += (matrix @ columns).reshape(n, groups, outer, *x.shape[2:])
        return total.reshape(n, groups * outer, *sizes)

    def window_sum(self, x, kernel, strides):
        return _over_windows(np.add, x, kernel, strides)

    def window_max(self, x, kernel, strides):
        return _over_windows(np.maximum, x, kernel, strides)


def _windows(x, kernel, strides, dilations):
    """A view of x (n, C, *D) with the kernel's window at each output position: (n, C, *out, *kernel)."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    if any(r > size for r, size in zip(reach, x.shape[2:])):
        raise PackageError(f"a window of {tuple(reach)} does not fit into {tuple(x.shape[2:])}")
    axes = tuple(range(2, x.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, axes)
    steps = tuple(slice(None, None, s) for s in strides)
    gaps = tuple(slice(None, None, d) for d in dilations)
    return windows[(slice(None), slice(None), *steps, *gaps)]


def _over_windows(combine, x, kernel, strides):
    windows = _windows(x, kernel, strides, [1] * len(kernel))
    places = np.ndindex(*kernel)
    total = windows[(..., *next(places))].copy()
    for place in places:
        combine(total, windows[(..., *place)], out=total)
    return total
