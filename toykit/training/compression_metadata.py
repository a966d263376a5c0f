"""Put compressed weights into a torch layer so that coremltools stores them compressed.

coremltools reads *compression metadata* from a traced model: buffers of a layer named
`_COREML_/weight/...` that say how the weight beside them was made. It derives codes, indices or a mask
from the dense weight and the metadata, and stores those:

    compression_type        [1] pruned, [2] palettized, [3] quantized
    lut                     the table, as many dimensions as the weight and two more
    vector_axis             along which axis an entry of several weights lies
    palettization_scale     one a channel, where channels were scaled first
    quantization_n_bits, quantization_scale, zero_point

Since the dense weight is exactly `compressed.dense()`, what it derives is what we started from: the
arrays in the package equal `compressed.parts`. The metadata needs a deployment target of iOS 16 or later.

What Core ML cannot store (quantized to 3 bits, say) gets none: the package then holds the dense
weights in float16, correct and not smaller.
"""

import numpy as np
import torch

from ..compressed import check_type
from ..joint import is_joint
from ..palettization import Palettized
from ..pruning import Sparse
from ..quantization import Quantized

PREFIX = "_COREML_/weight/"


def is_stored(layer):
    """Whether a layer carries compression metadata already."""
    return any(name.startswith("_COREML_/") for name, _ in layer.named_buffers(recurse=False))


@torch.no_grad()
def store(layer, compressed):
    """Set a layer's weight to the compressed one, and say to coremltools how it is stored.

    Parameters
    ----------
    layer : torch.nn.Module
        With a `weight` of the shape of `compressed`.
    compressed : Sparse, Palettized or Quantized

    Raises
    ------
    TypeError
        If it is another kind of compressed weights, or several techniques are joined in it.
    ValueError
        If the shapes differ, or the layer is compressed already.

    Examples
    --------
    >>> import toykit as tk
    >>> linear = torch.nn.Linear(8, 4)
    >>> store(linear, tk.palettize(linear.weight.half(), bits=2))
    >>> len(linear.weight.unique())
    4
    """
    check_type("layer", layer, torch.nn.Module, "a torch.nn.Module with a weight")
    check_type("layer.weight", getattr(layer, "weight", None), torch.Tensor, "a tensor")
    check_type("compressed", compressed, (Sparse, Palettized, Quantized), "Sparse, Palettized or Quantized")
    if is_joint(compressed):
        raise TypeError(f"compressed must be the result of one technique; got {compressed!r}")
    if layer.weight.is_meta:
        raise ValueError("layer.weight must lie in memory; it is on torch's meta device")
    if tuple(layer.weight.shape) != tuple(compressed.shape):
        shape = tuple(layer.weight.shape)
        raise ValueError(f"the layer's weight is {shape}, the compressed one {compressed.shape}")
    if is_stored(layer):
        raise ValueError("the layer is compressed already: start from the model as it was before")
    metadata = _metadata(compressed)
    layer.weight.copy_(torch.from_numpy(compressed.dense().astype(np.float32)))
    for name, value in metadata.items():
        layer.register_buffer(PREFIX + name, torch.from_numpy(np.array(value)))


def _metadata(compressed):
    if isinstance(compressed, Sparse):
        return {"compression_type": [1]}
    if isinstance(compressed, Palettized):
        metadata = {"compression_type": [2], "lut": compressed.lut.astype(np.float32)}
        if compressed.cluster_dim > 1:
            metadata["vector_axis"] = compressed.axis
        if compressed.scale is not None:
            metadata["palettization_scale"] = compressed.scale.astype(np.float32)
        return metadata
    if compressed.bits not in (4, 8):
        return {}
    metadata = {
        "compression_type": [3],
        "quantization_n_bits": compressed.bits,
        "quantization_scale": compressed.scale.astype(np.float32),
    }
    if compressed.zero_point is not None:
        metadata["zero_point"] = compressed.zero_points.astype(np.float32)
    return metadata
