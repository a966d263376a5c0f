"""The arithmetic of an interpreted program in torch: the same answers as NumPy's, sooner.

Arrays are torch tensors on the processor. They share their memory with NumPy, so an operator that
only moves numbers about runs in NumPy under this backend too.
"""

import math

import numpy as np

from ...._optional import require

torch = require("torch", "toykit.coreml needs torch for backend='torch'; backend='numpy' runs without")

# Unsigned integers of more than 8 bits are second-class in torch: the next wider signed type holds them.
_TYPES = {"int8": torch.int8, "uint8": torch.uint8, "int16": torch.int16, "uint16": torch.int32}
_TYPES |= {"int32": torch.int32, "uint32": torch.int64, "int64": torch.int64, "uint64": torch.int64}
_CONV = {1: torch.nn.functional.conv1d, 2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}
_CONV_TRANSPOSE = {
    1: torch.nn.functional.conv_transpose1d,
    2: torch.nn.functional.conv_transpose2d,
    3: torch.nn.functional.conv_transpose3d,
}
_AVG_POOL = {
    1: torch.nn.functional.avg_pool1d,
    2: torch.nn.functional.avg_pool2d,
    3: torch.nn.functional.avg_pool3d,
}
_MAX_POOL = {
    1: torch.nn.functional.max_pool1d,
    2: torch.nn.functional.max_pool2d,
    3: torch.nn.functional.max_pool3d,
}


class Torch:
    """Arrays are torch.Tensor. Names that are not here are torch's own functions."""

    name = "torch"

    def __getattr__(self, name):
        return getattr(torch, name)

    def running(self):
        """A context for a run: nothing is recorded for gradients."""
        return torch.inference_mode()

    def array(self, values):
        """A NumPy array as a tensor, in the same memory where torch can use it."""
        values = np.asarray(values)
        if values.dtype.name in ("uint16", "uint32", "uint64"):
            values = values.astype(np.int32 if values.dtype.name == "uint16" else np.int64)
        # torch has no negative strides, and warns of memory that is read-only.
        if any(step < 0 for step in values.strides) or not values.flags.writeable:
            values = values.copy()
        return torch.from_numpy(values)

    def numpy(self, tensor):
        return tensor.numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)

    def kind(self, tensor):
        """ "float", "int" or "bool"."""
        if tensor.is_floating_point():
            return "float"
        return "bool" if tensor.dtype == torch.bool else "int"

    def to_float(self, tensor):
        return tensor.float()

    def to_float16(self, tensor):
        """Rounded to numbers that float16 has; still float32."""
        return tensor.half().float()

    def to_int(self, tensor, dtype):
        return tensor.to(_TYPES[dtype])

    def to_bool(self, tensor):
        return tensor.bool()

    def minimum(self, x, y):
        return torch.minimum(x, y) if isinstance(y, torch.Tensor) else torch.clamp(x, max=y)

    def maximum(self, x, y):
        return torch.maximum(x, y) if isinstance(y, torch.Tensor) else torch.clamp(x, min=y)

    def clip(self, x, low, high):
        return torch.clamp(x, low, high)

    def softmax(self, x, axis):
        return torch.softmax(x, axis)

    def concatenate(self, tensors, axis):
        return torch.cat(tensors, axis)

    def stack(self, tensors, axis):
        return torch.stack(tensors, axis)

    def pad(self, x, widths, value):
        """`widths`: (before, after) for each axis."""
        return torch.nn.functional.pad(x, [n for pair in reversed(widths) for n in pair], value=value)

    def permute(self, x, order):
        return x.permute(order)

    def expand_dims(self, x, axis):
        return x.unsqueeze(axis)

    def linear(self, x, weight, bias):
        return torch.nn.functional.linear(x, weight, bias)

    def conv(self, x, weight, bias, strides, pads, dilations, groups):
        """Convolve x (n, C, *D), padded with zeros, with weight (K, C / groups, *kernel).

        `pads`: (before, after) for each of D.
        """
        around = [before for before, _ in pads]
        if any(before != after for before, after in pads):
            x, around = self.pad(x, [(0, 0), (0, 0), *pads], 0.0), 0
        return _CONV[x.ndim - 2](x, weight, bias, strides, around, dilations, groups)

    def conv_transpose(self, x, weight, strides, dilations, groups):
        """All that the input spreads to: x (n, C, *D), weight (C, K / groups, *kernel)."""
        return _CONV_TRANSPOSE[x.ndim - 2](x, weight, None, strides, 0, 0, groups, dilations)

    def window_sum(self, x, kernel, strides):
        return _AVG_POOL[x.ndim - 2](x, kernel, strides) * math.prod(kernel)

    def window_max(self, x, kernel, strides):
        return _MAX_POOL[x.ndim - 2](x, kernel, strides)
