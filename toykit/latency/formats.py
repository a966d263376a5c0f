"""From a setting of `toykit.sweep` to the format that a roofline needs."""

import math

from ..settings import is_recipe, read_setting
from .descriptions import Format

_SCALE_BITS = {None: 16, "float": 16, "e8m0": 8}  # of a block's scale; a float is a float16 number


def format_of(setting):
    """The format in which a setting stores weights.

    Scales of whole tensors and channels are left out: they are a few bytes a layer.

    Parameters
    ----------
    setting : dict
        As in `toykit.sweep.apply`: one for all layers, or a setting for each layer.

    Returns
    -------
    Format, or dict of str to Format
        For a recipe, by layer; ".weight" at the end of a name is dropped, so that names are those of
        `layers`.

    Raises
    ------
    TypeError, ValueError
        If the setting names no technique that is known, an option is out of range, or the bits or the
        zeros depend on the weights: a threshold, a table given or of all values, vectors.

    Examples
    --------
    >>> format_of({"technique": "quantize", "bits": 4, "granularity": "per_block", "block_size": 32})
    Format(bits=4.5, sparsity=0.0, table=False, group_size=None)
    >>> format_of({"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 2}})
    Format(bits=2, sparsity=0.5, table=True, group_size=None)
    >>> format_of({"conv1.weight": {"technique": "float16"}})
    {'conv1': Format(bits=16, sparsity=0.0, table=False, group_size=None)}
    """
    if is_recipe(setting):
        return {name.removesuffix(".weight"): format_of(one) for name, one in setting.items()}
    steps = dict(read_setting(setting))
    kept = {"sparsity": _sparsity(steps["prune"])} if "prune" in steps else {}
    if "palettize" in steps:
        palette = steps["palettize"]
        if palette["mode"] == "unique" or palette["lut"] is not None or palette["cluster_dim"] > 1:
            raise ValueError(
                f"setting must give the bits of one weight, for a table of single weights; got {setting!r}"
            )
        return Format(palette["bits"], table=True, group_size=palette["group_size"], **kept)
    if "quantize" in steps:
        codes = steps["quantize"]
        weights = _weights_a_scale(codes["block_size"]) if codes["granularity"] == "per_block" else 0
        scale_bits = _SCALE_BITS[codes["scale_format"]]
        return Format(codes["bits"] + scale_bits / weights if weights else codes["bits"], **kept)
    return Format(**kept)


def _sparsity(pruned):
    """The share of zeros that pruning asks for."""
    if pruned["threshold"] is not None:
        raise ValueError(
            "setting must say how many weights are zeroed, by sparsity or n_m; a threshold does not"
        )
    if pruned["n_m"] is not None:
        n, m = pruned["n_m"]
        return n / m
    return pruned["sparsity"]


def _weights_a_scale(block):
    """How many weights share a scale; 0 where whole channels do, whose scales are few.

    A kernel's axis of unknown length (0) counts as 1, so that what is modelled is at most too large.
    """
    if not isinstance(block, tuple):
        return block
    return 0 if 0 in block[:2] else math.prod(length or 1 for length in block)
