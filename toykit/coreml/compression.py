"""Compress a package with coremltools, by the names that toykit uses.

coremltools compresses by configurations: classes with many fields, one class a technique. Here they
are one function with the options of `tk.prune`, `tk.quantize` and `tk.palettize`. What is stored is
coremltools' work alone; `toykit.coreml.layout` predicts its bytes.
"""

from .. import options as _options
from .._quiet import coremltools, quiet
from .package import open_package


def compress(package, technique, **options):
    """Compress the weights of an ML program.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        Left as it was.
    technique : {"prune", "quantize", "palettize", "joint"}
    **options
        Those of `tk.prune`, `tk.quantize` or `tk.palettize`, and

        - `weight_threshold`: constants of at most this many elements stay as they are (2048);
        - `minimum_sparsity`, for pruning by `threshold`: so does a constant of which a smaller share
          would be zero (0.5).

        For "joint": one dictionary of options for each technique, in the order in which they are
        applied, such as `prune={"sparsity": 0.7}, palettize={"bits": 4}`.

    Returns
    -------
    coremltools.models.MLModel
        Where a layer cannot take the options, such as a `group_size` that does not divide its
        channels, coremltools leaves that layer as it is; the ledger of the package shows it.

    Raises
    ------
    ImportError
        Where coremltools is missing.
    TypeError, ValueError
        If the technique or an option is unknown or out of range, or needs a package of a newer system.

    Examples
    --------
    >>> small = compress("ResNet50.mlpackage", "palettize", bits=4)          # doctest: +SKIP
    """
    steps = _options.steps(technique, options)
    ct = coremltools()
    import coremltools.optimize.coreml as cto

    calls = {
        "prune": cto.prune_weights,
        "quantize": cto.linear_quantize_weights,
        "palettize": cto.palettize_weights,
    }
    package = open_package(package)
    with quiet():
        mlmodel = ct.models.MLModel(str(package.path), skip_model_load=True)
    for number, (name, chosen) in enumerate(steps):
        with quiet():
            config = cto.OptimizationConfig(global_config=CONFIGURE[name](cto, chosen))
            mlmodel = calls[name](mlmodel, config, joint_compression=number > 0)
    return mlmodel


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
        mode={"symmetric": "linear_symmetric", "affine": "linear"}[options["mode"]],
        dtype=f"{'int' if options['signed'] else 'uint'}{options['bits']}",
        granularity=options["granularity"],
        **({"block_size": options["block_size"]} if options["block_size"] is not None else {}),
        weight_threshold=options["weight_threshold"],
    )


def _palettize(cto, options):
    grouped = options["group_size"] is not None
    return cto.OpPalettizerConfig(
        mode=options["mode"],
        nbits=options["bits"],
        granularity="per_grouped_channel" if grouped else "per_tensor",
        **({"group_size": options["group_size"]} if grouped else {}),
        channel_axis=options["axis"],
        cluster_dim=options["cluster_dim"],
        enable_per_channel_scale=options["per_channel_scale"] == "across",
        weight_threshold=options["weight_threshold"],
    )


CONFIGURE = {"prune": _prune, "quantize": _quantize, "palettize": _palettize}
