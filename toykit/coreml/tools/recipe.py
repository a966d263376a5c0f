"""A setting for each layer.

`toykit.sweep.choose` finds settings by the names of a torch module's tensors, `conv1.weight`. In a
converted package the same tensor is a constant called `conv1_weight_to_fp16`. coremltools takes an
`OptimizationConfig` whose `op_name_configs` name such constants. One configuration holds one technique, so
there a recipe is a few passes: first one for each technique, then a second one over what was pruned, which
by then is called `conv1_weight_to_fp16_sparsified`.
"""

from ..format.package import open_package
from ..writing.plans import Weights, choose
from .configs import configuration, one

# What coremltools appends to the name of a constant that was compressed, and may be again.
_AFTER = {"prune": "_sparsified", "palettize": "_palettized"}


def configurations(mlmodel, settings):
    """The recipe as coremltools' own configurations.

    Parameters
    ----------
    mlmodel : coremltools.models.MLModel, str, Path or Package
        Converted from the network whose layers the recipe names.
    settings : dict of str to dict
        Layer to setting, as `toykit.sweep.choose(...).settings`. Layers with `{"technique":
        "float16"}` and layers not named stay as they are. In a package of several functions, or in a
        pipeline, a name means the layers of all that have it, and "main/conv1.weight" or "0/conv1.weight"
        that of one.

    Returns
    -------
    list of (str, bool, coremltools.optimize.coreml.OptimizationConfig)
        For each pass the technique ("prune", "quantize" or "palettize"), whether it works on what an
        earlier pass pruned (`joint_compression=`), and the configuration.

    Raises
    ------
    ImportError
        Where coremltools is missing.
    ValueError
        If a layer is not a constant of the package, or its setting joins techniques in another way
        than pruning and one more.
    """
    package = open_package(mlmodel)
    weights = Weights(package)
    chosen = choose(weights, settings)
    for name, steps in chosen.items():
        if len(steps) > 2 or (len(steps) == 2 and steps[0][0] != "prune"):
            joined = " and ".join(technique for technique, _ in steps)
            raise ValueError(
                f"{name}: of joint compression, a recipe takes pruning and one more; got {joined}"
            )
    return passes({weights.operations[name]: steps for name, steps in chosen.items()})


def passes(chosen):
    """The configurations for names of constants' operations -> steps."""
    found = {}
    for name, steps in chosen.items():
        for number, (technique, complete) in enumerate(steps):
            suffix = _AFTER[steps[0][0]] if number else ""
            found.setdefault((number, technique), {})[name + suffix] = one(technique, complete)
    return [
        (technique, number > 0, configuration(op_name_configs=found[number, technique]))
        for number, technique in sorted(found)
    ]
