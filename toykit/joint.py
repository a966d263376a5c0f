"""Joint compression: prune, then store the survivors in fewer bits, or a table in fewer bits.

Each technique leaves something to squeeze for the next:

    tk.quantize(tk.prune(w, sparsity=0.7))      a mask, and int8 codes of what is kept
    tk.palettize(tk.prune(w, sparsity=0.7))     a mask, and indices of what is kept
    tk.quantize(tk.palettize(w))                the table itself in int8
    tk.quantize(tk.palettize(tk.prune(w, sparsity=0.7)))    all three

With format="fp8_e4m3", say, what is quantized becomes small floats instead, as in Core AI.

No form of its own comes of it: a `toykit.Quantized` or `toykit.Palettized` with a mask, a `Palettized` whose
table is `Quantized` or `SmallFloats`, and a `toykit.Sparse` whose values are `SmallFloats`. What a form does to
be compressed further is said in its class (`quantize_further`, `palettize_further`); `toykit.quantize` and
`toykit.palettize` ask it, and the functions here are theirs for what is compressed already.

The arrays are those that Core ML stores since iOS 18, and the order is the one in which it decompresses:
table, then codes, then mask. As in coremltools, the zeros of a pruned tensor take part when scales
and tables are chosen (they are part of the range, and of the k-means), but their codes are not stored.

Not here: pruning what is quantized already, and palettes of quantized codes.
"""

from . import palettization, quantization
from .compressed import Compressed, check_type
from .pruning import Sparse


def quantize(weights, bits=8, mode="symmetric", granularity=None, **options):
    """Quantize what is left of pruned weights, or the table of palettized ones.

    Parameters
    ----------
    weights : Sparse, or Palettized (of pruned weights too)
    bits, mode, granularity, **options
        As in `toykit.quantize`. A table has no channels: its granularity is "per_tensor".

    Returns
    -------
    Quantized or Palettized; Sparse of pruned weights that become small floats

    Raises
    ------
    TypeError
        If there is nothing in `weights` to quantize.
    ValueError
        If a table is to be quantized in another way than "per_tensor", and as `toykit.quantize`.

    Notes
    -----
    coremltools leaves tables of fewer than 10 entries as they are: int8 would not save anything.

    Examples
    --------
    >>> import numpy as np, toykit as tk
    >>> pruned = tk.prune(np.linspace(-1, 1, 256, dtype="float32"), sparsity=0.75)
    >>> tk.quantize(pruned, granularity="per_tensor")
    Quantized(256, 75.0 % zero, the rest int8, 3.1 bits a weight)
    """
    check_type("weights", weights, Compressed, "pruned or palettized weights")
    return quantization.quantize(weights, bits, mode, granularity, **options)


def palettize(weights, bits=None, mode="kmeans", **options):
    """Palettize what is left of pruned weights.

    Parameters
    ----------
    weights : Sparse
    bits, mode, **options
        As in `toykit.palettize`, but for vectors (`cluster_dim`) and `per_channel_scale`, which
        coremltools cannot join with pruning.

    Returns
    -------
    Palettized

    Raises
    ------
    TypeError
        If the weights are compressed in another way than pruned.
    ValueError
        If an option cannot be joined with pruning, and as `toykit.palettize`.

    Examples
    --------
    >>> import numpy as np, toykit as tk
    >>> tk.palettize(tk.prune(np.linspace(-1, 1, 256, dtype="float16"), sparsity=0.75), bits=2)
    Palettized(256, 75.0 % zero, the rest one of 4 values, 1.8 bits a weight)
    """
    check_type("weights", weights, Compressed, "pruned weights")
    return palettization.palettize(weights, bits, mode, **options)


def is_joint(compressed):
    """Whether several techniques are joined: codes behind a mask, or a part that is itself compressed."""
    parts = vars(check_type("compressed", compressed, Compressed, "compressed weights"))
    masked = parts.get("mask") is not None and not isinstance(compressed, Sparse)
    return masked or any(isinstance(part, Compressed) for part in parts.values())
