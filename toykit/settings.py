"""The options of all techniques in one table: names, what is allowed, and what holds if left out.

The ledger that predicts a size and the wrapper that compresses a package take the same options. They
read them here, so that what is predicted is what is then done.
"""

import operator

from .compressed import check_choice, check_flag, check_fraction, check_int, check_number, check_type, shown

TECHNIQUES = ("prune", "quantize", "palettize", "joint")
THRESHOLD = 2048  # elements; Core ML leaves constants of this many or fewer as they are

_EVERY = {"weight_threshold": THRESHOLD}
_DEFAULTS = {
    "prune": {
        "sparsity": None,
        "threshold": None,
        "block_size": None,
        "n_m": None,
        "dim": None,
        "minimum_sparsity": 0.5,
    },
    "quantize": {
        "bits": 8,
        "mode": "symmetric",
        "granularity": "per_channel",
        "block_size": None,
        "signed": True,
    },
    "palettize": {
        "bits": None,
        "mode": "kmeans",
        "group_size": None,
        "axis": None,
        "cluster_dim": 1,
        "per_channel_scale": False,
    },
}


def steps(technique, options):
    """The techniques to apply one after the other, each with all its options.

    Parameters
    ----------
    technique : {"prune", "quantize", "palettize", "joint"}
    options : dict
        For "joint", technique -> its options, in order.

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
        return [(technique, _complete(technique, options))]
    for name, chosen in options.items():
        check_choice("a part of joint compression", name, TECHNIQUES[:3])
        if not isinstance(chosen, dict):
            raise TypeError(f"{name} must be a dictionary of its options when it is joined; got {chosen!r}")
    _check_order(options)
    chosen = [(name, _complete(name, options[name])) for name in options]
    for name, choice in chosen:
        if name == "palettize" and (choice["cluster_dim"] > 1 or choice["per_channel_scale"]):
            raise ValueError("palettize takes no cluster_dim and no per_channel_scale in joint compression")
        if name == "quantize" and "palettize" in options and choice["granularity"] != "per_tensor":
            raise ValueError(
                "after palettize, quantize compresses the tables, which takes granularity='per_tensor'; "
                f"got {choice['granularity']!r}"
            )
    return chosen


_JOINT_ORDER = ("prune", "palettize", "quantize")


def _check_order(options):
    order = list(options)
    if len(order) < 2 or order != sorted(order, key=_JOINT_ORDER.index):
        raise ValueError(
            "joint compression takes two or three of prune, palettize and quantize, in this order, such as "
            f"prune={{'sparsity': 0.7}}, palettize={{'bits': 4}}; got {', '.join(order) or 'none'}"
        )


# What the functions of the techniques take and coremltools has no word for, with what holds if left out.
_FUNCTIONS_OWN = {
    "prune": {},
    "quantize": {"axis": 0},
    "palettize": {"axis": 0, "per_channel_scale": False, "lut": None, "sensitivities": None, "seed": 0},
}
_PACKAGES_OWN = ("minimum_sparsity", *_EVERY)


def read_setting(setting):
    """A setting of `toykit.sweep`: options of `tk.prune`, `tk.quantize` and `tk.palettize` in a dictionary.

    Parameters
    ----------
    setting : dict
        With a key "technique": "float16", a technique, or "joint" with the options of each.

    Returns
    -------
    list of (str, dict, dict)
        Each technique in order, with the options that were given, and with all that hold.

    Raises
    ------
    TypeError, ValueError
        If it is no such dictionary, a technique or option is unknown, or an option is out of range
        whatever the weights are.

    Examples
    --------
    >>> read_setting({"technique": "palettize", "bits": 2})[0][:2]
    ('palettize', {'bits': 2})
    """
    if not isinstance(setting, dict) or "technique" not in setting:
        raise TypeError(
            f"a setting is a dict like {{'technique': 'palettize', 'bits': 4}}; got {shown(setting)}"
        )
    options = {name: value for name, value in setting.items() if name != "technique"}
    technique = check_choice("technique", setting["technique"], (*TECHNIQUES, "float16"))
    if technique == "float16":
        if options:
            raise ValueError(f"technique 'float16' has no options; got {', '.join(map(shown, options))}")
        return []
    if technique != "joint":
        return [_read_step(technique, options)]
    for name, chosen in options.items():
        check_choice("a technique of joint compression", name, TECHNIQUES[:3])
        check_type(name, chosen, dict, "a dictionary of its options when it is joined")
    _check_order(options)
    return [_read_step(name, chosen) for name, chosen in options.items()]


def _read_step(technique, given):
    own = _FUNCTIONS_OWN[technique]
    for name in given:
        if name in _PACKAGES_OWN or (name not in _DEFAULTS[technique] and name not in own):
            names = (*(n for n in _DEFAULTS[technique] if n not in _PACKAGES_OWN), *own)
            raise TypeError(f"{technique} has no option {name!r}; it has {', '.join(dict.fromkeys(names))}")
    if "axis" in own:
        own = own | {"axis": check_int("axis", given.get("axis", 0), range(-5, 5))}
    complete = _complete(technique, {name: value for name, value in given.items() if name not in own})
    return technique, dict(given), complete | own | {name: given[name] for name in given if name in own}


def _complete(technique, options):
    defaults = _DEFAULTS[technique] | _EVERY
    for name in options:
        if name not in defaults:
            raise TypeError(f"{technique} has no option {name!r}; it has {', '.join(defaults)}")
    options = defaults | options
    options["weight_threshold"] = check_int("weight_threshold", options["weight_threshold"], range(2**63))
    return _CHECK[technique](options)


def _prune(options):
    given = [name for name in ("sparsity", "threshold", "n_m") if options[name] is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise ValueError(f"prune takes one of sparsity, threshold and n_m; got {found}")
    if given == ["sparsity"]:
        options["sparsity"] = check_fraction("sparsity", options["sparsity"], "the share of weights to zero")
    if given == ["threshold"]:
        options["threshold"] = check_number("threshold", options["threshold"], least=0)
    if given == ["n_m"]:
        try:
            n, m = map(operator.index, options["n_m"])
        except (TypeError, ValueError):
            raise TypeError(f"n_m must be two numbers, such as (2, 4); got {shown(options['n_m'])}") from None
        if not 1 <= n <= m:
            raise ValueError(f"n_m = (n, m) zeroes n of each m weights: 1 <= n <= m; got {shown((n, m))}")
        options["n_m"] = (n, m)
    if options["block_size"] is not None:
        if given != ["sparsity"]:
            raise ValueError(f"block_size goes with sparsity, not with {given[0]}")
        options["block_size"] = check_int("block_size", options["block_size"], range(2, 2**63))
    structured = options["block_size"] is not None or given == ["n_m"]
    if options["dim"] is not None:
        if not structured:
            raise ValueError("dim goes with block_size or n_m: without them there is no axis to follow")
        options["dim"] = check_int("dim", options["dim"], (0, 1))
    elif structured:
        options["dim"] = 1 if given == ["n_m"] else 0
    options["minimum_sparsity"] = check_fraction("minimum_sparsity", options["minimum_sparsity"])
    return options


def _quantize(options):
    options["bits"] = check_int("bits", options["bits"], range(1, 9))
    check_choice("mode", options["mode"], ("symmetric", "affine"))
    check_choice("granularity", options["granularity"], ("per_tensor", "per_channel", "per_block"))
    options["signed"] = check_flag("signed", options["signed"])
    if options["bits"] == 1 and options["mode"] == "symmetric":
        raise ValueError("symmetric quantization needs at least 2 bits; got bits=1. Use mode='affine'.")
    if options["block_size"] is None:
        options["block_size"] = 32 if options["granularity"] == "per_block" else None
    elif options["granularity"] != "per_block":
        raise ValueError(f"block_size goes with granularity='per_block', not {options['granularity']!r}")
    elif isinstance(options["block_size"], tuple | list):
        sizes = tuple(check_int("block_size", size, range(2**63)) for size in options["block_size"])
        options["block_size"] = sizes
    else:
        options["block_size"] = check_int("block_size", options["block_size"], range(1, 2**63))
    return options


def _palettize(options):
    check_choice("mode", options["mode"], ("kmeans", "uniform", "unique"))
    if options["mode"] == "unique":
        if options["bits"] is not None:
            raise ValueError(f"mode='unique' finds its own bits; got bits={options['bits']!r}")
    else:
        bits = 4 if options["bits"] is None else options["bits"]
        options["bits"] = check_int("bits", bits, (1, 2, 3, 4, 6, 8))
    for name in ("group_size", "cluster_dim"):
        if options[name] is not None:
            options[name] = check_int(name, options[name], range(1, 2**63))
    if options["axis"] is not None:
        options["axis"] = check_int("axis", options["axis"], range(5))
    if options["per_channel_scale"] not in (False, "across"):
        raise ValueError(
            "per_channel_scale must be False or 'across', as coremltools.optimize.coreml stores it; "
            f"got {options['per_channel_scale']!r}"
        )
    if options["mode"] == "uniform" and options["cluster_dim"] > 1:
        raise ValueError(f"mode='uniform' takes cluster_dim=1, no vectors; got {options['cluster_dim']}")
    return options


_CHECK = {"prune": _prune, "quantize": _quantize, "palettize": _palettize}
