"""toykit's options as coremltools' configuration objects, one class a technique."""

from functools import partial

from ...compressed import check_int
from ...palettization import palettize
from ...settings import STORED_CODE_BITS, code_type

# toykit's names -> coremltools'
FUNCTIONS = {
    "prune": "prune_weights",
    "quantize": "linear_quantize_weights",
    "palettize": "palettize_weights",
}
MODES = {"symmetric": "linear_symmetric", "affine": "linear"}


def one(technique, options):
    """The configuration of one technique, with all options given.

    Parameters
    ----------
    technique : {"prune", "quantize", "palettize"}
    options : dict
        Complete, as `toykit.settings.steps` returns them.

    Returns
    -------
    coremltools.optimize.coreml.OpMagnitudePrunerConfig or another of its kind
    """
    import coremltools.optimize.coreml as cto

    check(technique, options)
    return _ONE[technique](cto, options)


def check(technique, options):
    """Refuse complete options that coremltools has no word for."""
    axis = options.get("axis")
    if technique == "palettize" and axis is not None and axis < 0:
        raise ValueError(f"axis must be counted from the front for coremltools; got {axis}")
    if technique != "quantize":
        return
    if options["format"]:
        raise ValueError(f"coremltools 9 stores no small floats; got format={options['format']!r}")
    check_int("bits", options["bits"], STORED_CODE_BITS)
    if (
        axis is not None
        and options["granularity"] != "per_tensor"
        and not isinstance(options["block_size"], tuple)
    ):
        raise ValueError(
            "axis cannot be said to coremltools, which quantizes along the operation's own; give block_size "
            f"as a tuple, with a length for each axis; got axis={axis}"
        )


def configuration(**configs):
    """coremltools' `OptimizationConfig`: `global_config=` or `op_name_configs=`."""
    import coremltools.optimize.coreml as cto

    return cto.OptimizationConfig(**configs)


def apply(technique, mlmodel, config, joint):
    """Compress a coremltools model by a configuration; `joint` works on what is compressed already."""
    import coremltools.optimize.coreml as cto

    return getattr(cto, FUNCTIONS[technique])(mlmodel, config, joint_compression=joint)


def _prune(cto, options):
    if options["threshold"] is not None:
        return cto.OpThresholdPrunerConfig(
            threshold=float(options["threshold"]),
            minimum_sparsity_percentile=float(options["minimum_sparsity"]),
            weight_threshold=options["weight_threshold"],
        )
    return cto.OpMagnitudePrunerConfig(
        target_sparsity=None if options["sparsity"] is None else float(options["sparsity"]),
        block_size=options["block_size"],
        n_m_ratio=options["n_m"],
        dim=options["dim"],
        weight_threshold=options["weight_threshold"],
    )


def _quantize(cto, options):
    return cto.OpLinearQuantizerConfig(
        mode=MODES[options["mode"]],
        dtype=code_type(options),
        granularity=options["granularity"],
        **({"block_size": options["block_size"]} if options["block_size"] is not None else {}),
        weight_threshold=options["weight_threshold"],
    )


def _palettize(cto, options):
    grouped = options["group_size"] is not None
    table = {"mode": options["mode"], "nbits": options["bits"]}
    if options["lut"] is not None:
        own = partial(_own_table, lut=options["lut"], cluster_dim=options["cluster_dim"])
        table = {"mode": "custom", "lut_function": own}
    return cto.OpPalettizerConfig(
        **table,
        granularity="per_grouped_channel" if grouped else "per_tensor",
        **({"group_size": options["group_size"]} if grouped else {}),
        channel_axis=options["axis"],
        cluster_dim=options["cluster_dim"],
        enable_per_channel_scale=options["per_channel_scale"] == "across",
        weight_threshold=options["weight_threshold"],
    )


def _own_table(weights, lut, cluster_dim):
    """What coremltools asks of a function of one's own: the table for some channels, and each weight's entry."""
    made = palettize(weights, lut=lut, cluster_dim=cluster_dim)
    table = made.lut.reshape(-1, cluster_dim)
    return table if cluster_dim > 1 else table[:, 0], made.codes.ravel()


_ONE = {"prune": _prune, "quantize": _quantize, "palettize": _palettize}
