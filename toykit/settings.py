"""A technique and its options: what there is, what is allowed, what holds if left out, and what divides.

The techniques themselves, the ledger that predicts a size, sweeps, the latency model and the writer of packages
take the same options. All of them read them here, so that what is predicted is what is then done.

`complete` fills up and checks the options of one technique, whatever the weights are; `steps` and `read_setting`
those of several that are joined. `fit` says what a weight of some shape makes of them: where a block does not
divide an axis, the weight declines. `label` and `name_of` put options in words.

Not here: what depends on the weights' values, such as how many bits the distinct ones take.
"""

import numbers

import numpy as np

from .compressed import (
    ENDLESS,
    SEEDS,
    check_choice,
    check_flag,
    check_fraction,
    check_int,
    check_number,
    check_type,
    check_weights,
    shown,
)
from .small_floats import FORMATS as FLOATS

TECHNIQUES = ("prune", "quantize", "palettize", "joint")
THRESHOLD = 2048  # elements; Core ML leaves constants of this many or fewer as they are
CODE_BITS = range(1, 9)  # widths of a linear code
STORED_CODE_BITS = (4, 8)  # those that Core ML stores
FORMATS = {"int2": 2} | {name: bits for name, (bits, *_) in FLOATS.items()}  # of codes, by name
INDEX_BITS = (1, 2, 3, 4, 6, 8)  # widths of an index into a table, all of which it stores
BLOCK_SIZE = 32  # what coremltools takes for a block when it is not told

OPTIONS = {
    "prune": {"sparsity": None, "threshold": None, "block_size": None, "n_m": None, "dim": None},
    "quantize": {
        "bits": 8,
        "mode": "symmetric",
        "granularity": None,
        "block_size": None,
        "axis": None,
        "signed": True,
        "format": None,
        "scale_format": None,
    },
    "palettize": {
        "bits": None,
        "mode": "kmeans",
        "lut": None,
        "group_size": None,
        "axis": None,
        "cluster_dim": 1,
        "per_channel_scale": False,
    },
}
# What only the technique's function takes, for it belongs to one array; and what only a model takes.
_OF_ARRAYS = {"palettize": {"sensitivities": None, "seed": 0}}
_OF_MODELS = {"weight_threshold": THRESHOLD}
_OF_MODELS = dict.fromkeys(OPTIONS, _OF_MODELS) | {"prune": {"minimum_sparsity": 0.5} | _OF_MODELS}
_JOINT_ORDER = ("prune", "palettize", "quantize")


class Declined(ValueError):
    """A weight cannot take the options; of a whole model's, the others can."""


def complete(technique, options, before=(), model=False):
    """All options of one technique.

    Parameters
    ----------
    technique : {"prune", "quantize", "palettize"}
    options : dict
        Those that are given.
    before : sequence of str
        The techniques that were applied already: pruned weights take no vectors, and a table one scale.
    model : bool
        Whether the options are for all weights of a model: then there are `weight_threshold` and
        `minimum_sparsity`, and nothing that belongs to one array.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If an option is unknown, or out of range whatever the weights are.

    Examples
    --------
    >>> complete("prune", {"n_m": (2, 4)})
    {'sparsity': None, 'threshold': None, 'block_size': None, 'n_m': (2, 4), 'dim': 1}
    """
    defaults = OPTIONS[technique] | (_OF_MODELS if model else _OF_ARRAYS).get(technique, {})
    for name in options:
        if name not in defaults:
            raise TypeError(f"{technique} has no option {name!r}; it has {', '.join(defaults)}")
    chosen = defaults | options
    _COMPLETE[technique](chosen, before, model)
    if model:
        chosen["weight_threshold"] = check_int("weight_threshold", chosen["weight_threshold"], _at_least(0))
    return chosen


def steps(technique, options, model=True):
    """The techniques to apply one after the other, each with all its options.

    Parameters
    ----------
    technique : {"prune", "quantize", "palettize", "joint"}
    options : dict
        For "joint", technique -> its options, in order.
    model : bool
        As in `complete`.

    Returns
    -------
    list of (str, dict)

    Raises
    ------
    TypeError, ValueError
        If a technique or option is unknown, an option is out of range, or the techniques cannot be
        joined in this order.

    Examples
    --------
    >>> steps("quantize", {"bits": 4})[0][1]["granularity"]
    'per_channel'
    """
    check_choice("technique", technique, TECHNIQUES)
    if technique != "joint":
        return [(technique, complete(technique, options, model=model))]
    for name, given in options.items():
        check_choice("a technique of joint compression", name, TECHNIQUES[:3])
        check_type(name, given, dict, "a dictionary of its options when it is joined")
    order = list(options)
    if len(order) < 2 or order != sorted(order, key=_JOINT_ORDER.index):
        raise ValueError(
            "joint compression takes two or three of prune, palettize and quantize, in this order, such as "
            f"prune={{'sparsity': 0.7}}, palettize={{'bits': 4}}; got {', '.join(order) or 'none'}"
        )
    chosen = [
        (name, complete(name, given, order[:place], model))
        for place, (name, given) in enumerate(options.items())
    ]
    if model and order[0] == "palettize":
        _check_plain(chosen[0][1], "before quantize")
    return chosen


def read_setting(setting, model=False):
    """A setting of `toykit.sweep`: a technique and its options in a dictionary.

    Parameters
    ----------
    setting : dict
        With a key "technique": "float16", a technique, or "joint" with the options of each.
    model : bool
        As in `complete`.

    Returns
    -------
    list of (str, dict)
        As `steps`; empty for "float16".

    Raises
    ------
    TypeError, ValueError
        If it is no such dictionary, and as `steps`.

    Examples
    --------
    >>> [(technique, options["bits"]) for technique, options in read_setting({"technique": "palettize"})]
    [('palettize', 4)]
    """
    if not isinstance(setting, dict) or "technique" not in setting:
        raise TypeError(
            f"a setting is a dict like {{'technique': 'palettize', 'bits': 4}}; got {shown(setting)}"
        )
    options = {name: value for name, value in setting.items() if name != "technique"}
    if check_choice("technique", setting["technique"], (*TECHNIQUES, "float16")) != "float16":
        return steps(setting["technique"], options, model)
    if options:
        raise ValueError(f"technique 'float16' has no options; got {', '.join(map(shown, options))}")
    return []


def is_recipe(setting):
    """Whether there is a setting for each layer."""
    return (
        isinstance(setting, dict) and bool(setting) and all(isinstance(one, dict) for one in setting.values())
    )


def fit(technique, options, shape, output_axis=0, input_axis=1):
    """What a weight makes of complete options: they fit its axes, and mean the same.

    Parameters
    ----------
    technique : {"prune", "quantize", "palettize"}
    options : dict
        As `complete` returns them.
    shape : tuple of int
    output_axis, input_axis : int or None
        Where no `axis` is given; None where the users of the weight disagree.

    Returns
    -------
    dict
        With `axis` counted from the front, `group_size` in numbers, and `block_size` as a length for each
        axis unless there is one scale for all.

    Raises
    ------
    Declined
        If the weight has no such axis, or what must divide does not.

    Examples
    --------
    >>> fitted = fit("quantize", complete("quantize", {"axis": -1}), (64, 32))
    >>> fitted["block_size"], scale_shape(fitted, (64, 32))
    ((0, 1), (1, 32))
    """
    return _FIT[technique](options, shape, output_axis, input_axis)


def code_type(options):
    """The type of a code, by name, for complete options of `quantize`."""
    return options["format"] or f"{'int' if options['signed'] else 'uint'}{options['bits']}"


def scale_shape(fitted, shape):
    """How many scales there are along each axis of a weight, for options of `quantize` that fit it."""
    lengths = fitted["block_size"] or shape
    return tuple(size // (length or size) for size, length in zip(shape, lengths, strict=True))


def _prune(options, before, model):
    given = [name for name in ("sparsity", "threshold", "n_m") if options[name] is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise ValueError(f"give one of sparsity, threshold and n_m; got {found}")
    structured = given == ["n_m"] or options["block_size"] is not None
    if options["block_size"] is not None:
        if given != ["sparsity"]:
            raise ValueError("block_size goes with sparsity, the share of blocks to zero")
        options["block_size"] = check_int("block_size", options["block_size"], _at_least(2))
    if options["dim"] is not None and not structured:
        raise ValueError("dim is the axis of block_size or n_m; give one of them, or leave dim out")
    if structured:
        dim = options["dim"]
        options["dim"] = check_int("dim", int(given == ["n_m"]) if dim is None else dim, (0, 1))
    if given == ["sparsity"]:
        options["sparsity"] = check_fraction("sparsity", options["sparsity"], "the share of weights to zero")
    elif given == ["threshold"]:
        options["threshold"] = check_number("threshold", options["threshold"], least=0)
    else:
        try:
            n, m = options["n_m"]
        except (TypeError, ValueError):
            raise TypeError(
                f"n_m must be two whole numbers, zero n of each m; got {shown(options['n_m'])}"
            ) from None
        m = check_int("m of n_m", m, _at_least(1))
        options["n_m"] = check_int("n of n_m", n, range(1, m + 1)), m
    if model:
        options["minimum_sparsity"] = check_fraction("minimum_sparsity", options["minimum_sparsity"])


def _quantize(options, before, model):
    options["bits"] = check_int("bits", options["bits"], CODE_BITS)
    check_choice("mode", options["mode"], ("symmetric", "affine"))
    if options["bits"] == 1 and options["mode"] == "symmetric":
        raise ValueError("symmetric quantization needs at least 2 bits; got bits=1. Use mode='affine'.")
    options["signed"] = check_flag("signed", options["signed"])
    if options["format"] is not None:
        _check_format(options)
    options["axis"] = _check_axis(options["axis"])
    if options["granularity"] is None:
        one = "palettize" in before or (before and options["format"])
        options["granularity"] = "per_tensor" if one else "per_channel"
    granularity, block = options["granularity"], options["block_size"]
    check_choice("granularity", granularity, ("per_tensor", "per_channel", "per_block"))
    if "palettize" in before and granularity != "per_tensor":
        raise ValueError(f"granularity must be 'per_tensor' for the table of a palette; got {granularity!r}")
    if before and options["format"] and granularity != "per_tensor":
        raise ValueError(
            f"granularity must be 'per_tensor' for small floats of pruned weights; got {granularity!r}"
        )
    if granularity == "per_block" and isinstance(block, tuple | list):
        options["block_size"] = tuple(check_int("a length in block_size", n, _at_least(0)) for n in block)
    elif granularity == "per_block":
        block = BLOCK_SIZE if block is None else block
        options["block_size"] = check_int("block_size", block, _at_least(1))
    elif block is not None:
        raise ValueError(f"block_size goes with granularity='per_block'; got {granularity!r}")
    scale = options["scale_format"]
    if options["format"] is None and scale is not None:
        raise ValueError(f"scale_format goes with small floats, {', '.join(FLOATS)}; got {shown(scale)}")
    if options["format"] is not None:
        scale = ("e8m0" if granularity == "per_block" else "float") if scale is None else scale
        options["scale_format"] = check_choice("scale_format", scale, ("float", "e8m0"))


def _check_format(options):
    """What a named format leaves open of the other options; "int2" is another word for 2 bits."""
    name = check_choice("format", options["format"], tuple(FORMATS))
    fixed = {"bits": FORMATS[name], "signed": True} | ({"mode": "symmetric"} if name in FLOATS else {})
    for option, value in fixed.items():
        if options[option] not in (value, OPTIONS["quantize"][option]):
            raise ValueError(f"{option} must be left out with format={name!r}; got {shown(options[option])}")
    options |= fixed
    options["format"] = name if name in FLOATS else None


def _palettize(options, before, model):
    check_choice("mode", options["mode"], ("kmeans", "uniform", "unique"))
    mode = options["mode"] if options["lut"] is None else "lut"
    if mode == "unique" and options["bits"] is not None:
        raise ValueError(
            f"bits must be left out with mode='unique', which takes what it needs; got {shown(options['bits'])}"
        )
    if options["bits"] is None and mode in ("kmeans", "uniform"):
        options["bits"] = 4
    for name, allowed in (
        ("bits", INDEX_BITS),
        ("group_size", _at_least(1)),
        ("cluster_dim", _at_least(1)),
        ("seed", SEEDS),
    ):
        if options.get(name) is not None or name == "cluster_dim":
            options[name] = check_int(name, options[name], allowed)
    options["axis"] = _check_axis(options["axis"])
    if mode == "lut":
        options["lut"] = _check_lut(
            **{name: options[name] for name in ("lut", "bits", "mode", "cluster_dim")}
        )
        options["bits"] = len(options["lut"]).bit_length() - 1
    if mode == "uniform" and options["cluster_dim"] > 1:
        raise ValueError(
            f"cluster_dim must be 1 with mode='uniform', which spaces numbers; got {options['cluster_dim']}"
        )
    if mode != "kmeans" and options.get("sensitivities") is not None:
        raise ValueError(f"sensitivities need mode='kmeans', which weighs errors; got them with {mode!r}")
    scale = options["per_channel_scale"]
    if not isinstance(scale, bool | np.bool_) and not (isinstance(scale, str) and scale == "across"):
        raise ValueError(f"per_channel_scale must be False, True or 'across'; got {shown(scale)}")
    if model and scale is not False and scale != "across":
        raise ValueError(
            "per_channel_scale must be False or 'across', as coremltools.optimize.coreml stores it; "
            f"got {shown(scale)}"
        )
    if "prune" in before:
        _check_plain(options, "for pruned weights")


def _check_lut(lut, bits, mode, cluster_dim):
    """A table of one's own as tuples of numbers, an entry each: options are compared, and told apart by their repr."""
    if mode != OPTIONS["palettize"]["mode"]:
        raise ValueError(
            f"mode is how a table is chosen, and lut is one: leave out one of them; got {mode!r}"
        )
    table = check_weights(lut, "lut")
    table = table[:, None] if table.ndim == 1 else table
    entries = [2**width for width in INDEX_BITS]
    if table.ndim != 2 or table.shape[1] != cluster_dim or len(table) not in entries:
        raise ValueError(
            f"lut must hold {', '.join(map(str, entries[:-1]))} or {entries[-1]} entries of cluster_dim = "
            f"{cluster_dim} values, got an array of shape {np.shape(lut)}; fill up with any value to the next size"
        )
    own = len(table).bit_length() - 1
    if bits not in (None, own):
        raise ValueError(f"bits follows from lut: {own} for {len(table)} entries; got {bits}")
    return tuple(map(tuple, table.tolist()))


def _at_least(least):
    return range(least, ENDLESS)


def _check_axis(axis):
    return None if axis is None else check_int("axis", axis, range(-5, 5))


def _check_plain(options, where):
    """A palette that can be joined: of numbers, without scales."""
    for name in ("cluster_dim", "per_channel_scale"):
        off = OPTIONS["palettize"][name]
        if options[name] != off:
            raise ValueError(f"{name} must be {off} {where}; got {options[name]!r}")


def _fit_prune(options, shape, *axes):
    structured = "n_m" if options["n_m"] else "block_size"
    length = options["n_m"][1] if options["n_m"] else options["block_size"]
    if length is None:
        return options
    if len(shape) < 2:
        raise Declined(f"{structured} needs weights of 2 to 5 dimensions, got {len(shape)}")
    channels = shape[options["dim"]]
    if length > channels // 2:
        raise Declined(
            f"{structured} must take at most half of axis {options['dim']}, which is {channels} long; got {length}"
        )
    return options


def _fit_quantize(options, shape, output_axis, input_axis):
    axis, block = _find_axis(options, shape, output_axis), options["block_size"]
    if isinstance(block, tuple):
        lengths = block
        if len(lengths) != len(shape):
            raise Declined(f"block_size must have a length for each of the {len(shape)} axes; got {block}")
    else:
        lengths = [0] * len(shape)  # of a block on each axis; 0 is the whole axis, as coremltools writes it
        if options["axis"] is not None or len(shape) == 1:
            input_axis = 1 - axis if len(shape) > 1 else 0
        _check_agreed(axis, input_axis)
        if options["granularity"] == "per_tensor":
            return options | {"axis": axis}
        lengths[axis] = 1
        if block is not None:
            if input_axis < 0:
                raise Declined(f"with axis={axis}, block_size must be a tuple, a length for each axis")
            lengths[input_axis] = block
    for number, (size, length) in enumerate(zip(shape, lengths, strict=True)):
        if length and size % length:
            divisors = ", ".join(str(n) for n in range(1, size + 1) if size % n == 0)
            raise Declined(
                f"block_size must divide axis {number}, which is {size} long: {divisors}; got {length}"
            )
    return options | {"granularity": "per_block", "block_size": tuple(lengths), "axis": axis}


def _fit_palettize(options, shape, output_axis, input_axis):
    axis = _find_axis(options, shape, output_axis)
    _check_agreed(axis, input_axis)
    channels = shape[axis]
    group = options["group_size"] or channels
    if channels % group:
        raise Declined(f"group_size must divide the {channels} channels of axis {axis}; got {group}")
    if group % options["cluster_dim"]:
        raise Declined(
            f"cluster_dim must divide the {group} channels of a group; got {options['cluster_dim']}"
        )
    return options | {"axis": axis, "group_size": group}


def _find_axis(options, shape, otherwise):
    """The axis of the output channels, counted from the front."""
    axis, rank = options["axis"], len(shape)
    if axis is None:
        return otherwise
    if not -rank <= axis < rank:
        raise Declined(f"axis must be a whole number from {-rank} to {rank - 1}; got {axis}")
    return axis % rank


def _check_agreed(*axes):
    if None in axes:
        raise Declined("the operations that use it disagree on which axis is which")


_COMPLETE = {"prune": _prune, "quantize": _quantize, "palettize": _palettize}
_FIT = {"prune": _fit_prune, "quantize": _fit_quantize, "palettize": _fit_palettize}


def label(setting):
    """A short name of a setting, for tables and axes.

    Examples
    --------
    >>> label({"technique": "palettize", "bits": 2, "group_size": 16})
    'palettize 2-bit group 16'
    >>> label({"technique": "prune", "sparsity": 0.7})
    'prune 70 %'
    """
    read_setting(setting)
    technique = setting["technique"]
    given = {name: value for name, value in setting.items() if name != "technique"}
    joined = given.items() if technique == "joint" else [(technique, given)]
    return " + ".join(f"{name}{''.join(_short(options))}" for name, options in joined)


def _short(options):
    for name, value in options.items():
        if name == "bits":
            yield f" {value}-bit"
        elif name == "sparsity":
            yield f" {100 * value:g} %"
        elif name == "lut":
            yield " lut" * (value is not None)
        elif name == "n_m":
            yield f" {value[0]}:{value[1]}"
        elif isinstance(value, str):
            yield f" {value.replace('_', '-')}"
        elif isinstance(value, numbers.Real):
            yield f" {name.removesuffix('_size').replace('_', ' ')} {value:g}"
        elif isinstance(value, tuple | list):
            yield f" {name.removesuffix('_size').replace('_', ' ')} {'x'.join(map(str, value))}"
        elif value is not None:  # an array of sensitivities
            yield f" {name}"


def name_of(technique, options):
    """A form of compression in a few words.

    Parameters
    ----------
    technique : {"none", "prune", "quantize", "palettize", "joint"}
    options : dict
        As for `toykit.coreml.compress`.

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        As `steps`.

    Examples
    --------
    >>> name_of("palettize", {"bits": 4, "group_size": 8})
    '4-bit palette, groups of 8'
    >>> name_of("joint", {"prune": {"sparsity": 0.5}, "quantize": {"bits": 8}})
    'pruned 50 % + int8'
    """
    if technique == "none":
        return "float16"
    chosen = steps(technique, options)
    names = [_NAME[name](complete, joined=len(chosen) > 1) for name, complete in chosen]
    return " + ".join(names) + " lut" * ([name for name, _ in chosen][-2:] == ["palettize", "quantize"])


def _pruned(options, joined):
    if options["n_m"]:
        return "pruned {}:{}".format(*options["n_m"])
    if options["threshold"] is not None:
        return f"pruned up to {options['threshold']:g}" + ", all layers" * (options["minimum_sparsity"] == 0)
    return f"pruned {100 * options['sparsity']:g} %" + _with(options["block_size"], ", blocks of {}")


def _quantized(options, joined):
    words = code_type(options) + " affine" * (options["mode"] == "affine")
    # Joined linear codes always have one scale: it goes without saying.
    words += ", a scale a layer" * (options["granularity"] == "per_tensor" and not joined)
    return words + _with(options["block_size"], ", blocks of {}")


def _palettized(options, joined):
    words = f"{options['bits']}-bit palette" if options["bits"] else "palette of all values"
    words += ", even" * (options["mode"] == "uniform")
    words += ", own table" * (options["lut"] is not None)
    words += ", channel scales" * bool(options["per_channel_scale"])
    words += _with(options["group_size"], ", groups of {}")
    return words + _with(options["cluster_dim"] > 1 and options["cluster_dim"], ", vectors of {}")


def _with(value, words):
    return words.format(value) if value else ""


_NAME = {"prune": _pruned, "quantize": _quantized, "palettize": _palettized}
