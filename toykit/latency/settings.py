"""From a setting of `toykit.sweep` to the format that a roofline needs."""

from .shapes import Format

_SCALE_BITS = 16  # a block's scale is a float16 number


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
    ValueError
        If the setting names no technique that is known.

    Examples
    --------
    >>> format_of({"technique": "quantize", "bits": 4, "granularity": "per_block", "block_size": 32})
    Format(bits=4.5, sparsity=0.0, table=False, group_size=None)
    >>> format_of({"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 2}})
    Format(bits=2, sparsity=0.5, table=True, group_size=None)
    >>> format_of({"conv1.weight": {"technique": "float16"}})
    {'conv1': Format(bits=16, sparsity=0.0, table=False, group_size=None)}
    """
    if setting and all(isinstance(one, dict) for one in setting.values()):
        return {name.removesuffix(".weight"): format_of(one) for name, one in setting.items()}
    technique = setting.get("technique")
    if technique == "float16":
        return Format()
    options = {name: value for name, value in setting.items() if name != "technique"}
    steps = options if technique == "joint" else {technique: options}
    unknown = set(steps) - {"prune", "quantize", "palettize"}
    if unknown or not steps:
        raise ValueError(
            f"a setting is float16, prune, quantize, palettize or a joint of them; got {setting!r}"
        )
    kept = {"sparsity": steps["prune"].get("sparsity", 0.0)} if "prune" in steps else {}
    if "palettize" in steps:
        palette = steps["palettize"]
        return Format(palette["bits"], table=True, group_size=palette.get("group_size"), **kept)
    if "quantize" in steps:
        codes = steps["quantize"]
        scale = _SCALE_BITS / codes.get("block_size", 32) if codes.get("granularity") == "per_block" else 0
        return Format(codes["bits"] + scale if scale else codes["bits"], **kept)
    return Format(**kept)
