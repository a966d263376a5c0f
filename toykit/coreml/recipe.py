"""A setting for each layer, handed to Core ML Tools.

`toykit.sweep.choose` finds settings by the names of a torch module's tensors, `conv1.weight`. In a
converted package the same tensor is a constant called `conv1_weight_to_fp16`, and coremltools takes
an `OptimizationConfig` whose `op_name_configs` name such constants. One configuration holds one
technique; a recipe that mixes techniques is applied one technique after the other.
"""

import re

from .. import options as _options
from .._quiet import coremltools, quiet
from .compression import _CONFIG


def configurations(mlmodel, settings):
    """The recipe as coremltools' own configurations.

    Parameters
    ----------
    mlmodel : coremltools.models.MLModel
        Converted from the network whose layers the recipe names.
    settings : dict of str to dict
        Layer to setting, as `toykit.sweep.choose(...).settings`. Layers with `{"technique":
        "float16"}` and layers not named stay as they are.

    Returns
    -------
    dict of str to coremltools.optimize.coreml.OptimizationConfig
        For each technique that the recipe uses, what to pass to `prune_weights`,
        `linear_quantize_weights` or `palettize_weights`.

    Raises
    ------
    ImportError
        Where coremltools is missing.
    ValueError
        If a layer is not a constant of the package, or its setting is joint compression.
    """
    coremltools()
    import coremltools.optimize.coreml as cto

    constants = constant_names(mlmodel)
    named = {}
    for layer, setting in settings.items():
        if setting["technique"] == "float16":
            continue
        if setting["technique"] == "joint":
            raise ValueError(f"{layer}: joint compression of single layers has no one configuration")
        chosen = {name: value for name, value in setting.items() if name != "technique"}
        ((technique, complete),) = _options.steps(setting["technique"], chosen)
        key = _plain(layer)
        if key not in constants:
            raise ValueError(f"the package has no constant for layer {layer!r}; it has {', '.join(constants)}")
        named.setdefault(technique, {})[constants[key]] = _CONFIG[technique](cto, complete)
    return {technique: cto.OptimizationConfig(op_name_configs=configs) for technique, configs in named.items()}


def compress_layers(mlmodel, settings):
    """Compress each layer of a converted package with its own setting.

    Parameters
    ----------
    mlmodel, settings
        As in `configurations`.

    Returns
    -------
    coremltools.models.MLModel
    """
    import coremltools.optimize.coreml as cto

    calls = {"prune": cto.prune_weights, "quantize": cto.linear_quantize_weights, "palettize": cto.palettize_weights}
    for technique, config in configurations(mlmodel, settings).items():
        with quiet():
            mlmodel = calls[technique](mlmodel, config)
    return mlmodel


def constant_names(mlmodel):
    """The compressible constants of a package: plain name of the layer -> name of the constant.

    The plain name has underscores for dots, and not the `_to_fp16` that the conversion appends.
    """
    coremltools()
    import coremltools.optimize.coreml as cto

    with quiet():
        found = cto.get_weights_metadata(mlmodel, weight_threshold=_options.THRESHOLD)
    return {_plain(name): name for name in found}


def _plain(name):
    return re.sub(r"_to_fp(16|32)$", "", name.replace(".", "_"))
