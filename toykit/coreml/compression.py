"""Compress a package with coremltools, by the names that toykit uses.

coremltools compresses by configurations: classes with many fields, one class a technique. Here they
are one function with the options of `tk.prune`, `tk.quantize` and `tk.palettize`. What is stored is
coremltools' work alone; `toykit.coreml.layout` predicts its bytes.
"""

from .. import options as _options
from .._quiet import working
from ..compressed import check_choice
from .configs import apply, configuration, one
from .opening import open_mlmodel
from .recipe import compress_layers


def compress(package, plan, *, progress=None, **options):
    """Compress the weights of an ML program.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        Left as it was.
    plan : {"prune", "quantize", "palettize", "joint"} or dict of str to dict
        A technique for all weights; or a setting for each layer, as `toykit.sweep.choose` finds them:
        `{"conv1.weight": {"technique": "palettize", "bits": 4}}`. See `compress_layers`.
    progress : callable (done, total), optional
        Called after each weight; `total` is the number of weights of a pass over the package.
    **options
        For one technique: those of `tk.prune`, `tk.quantize` or `tk.palettize`, and

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
    if isinstance(plan, dict):
        if options:
            raise TypeError(f"a plan for each layer has its options inside; got {', '.join(options)} as well")
        return compress_layers(open_mlmodel(package), plan, progress=progress)
    check_choice("plan", plan, _options.TECHNIQUES)
    steps = _options.steps(plan, options)
    mlmodel = open_mlmodel(package)
    for number, (name, chosen) in enumerate(steps):
        with working(progress):
            config = configuration(global_config=one(name, chosen))
            mlmodel = apply(name, mlmodel, config, joint=number > 0)
    return mlmodel
