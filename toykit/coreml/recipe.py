"""A setting for each layer, handed to Core ML Tools.

`toykit.sweep.choose` finds settings by the names of a torch module's tensors, `conv1.weight`. In a
converted package the same tensor is a constant called `conv1_weight_to_fp16`, and coremltools takes
an `OptimizationConfig` whose `op_name_configs` name such constants. One configuration holds one
technique, so a recipe is applied in a few passes: first one for each technique, then a second one
over what was pruned, which by then is called `conv1_weight_to_fp16_sparsified`.
"""

import re

from .. import options as _options
from .._quiet import coremltools, working
from .configs import apply, configuration, one


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
    constants = constant_names(mlmodel)
    passes = {}
    for layer, setting in settings.items():
        if setting["technique"] == "float16":
            continue
        chosen = {name: value for name, value in setting.items() if name != "technique"}
        steps = _options.steps(setting["technique"], chosen)
        if len(steps) > 2 or len(steps) == 2 and steps[0][0] != "prune":
            raise ValueError(
                f"{layer}: of joint compression, a recipe takes pruning and one more; got {setting}"
            )
        key = _plain(layer)
        if key not in constants:
            raise ValueError(
                f"the package has no constant for layer {layer!r}; it has {', '.join(constants)}"
            )
        for number, (technique, complete) in enumerate(steps):
            name = constants[key] + "_sparsified" * number
            passes.setdefault((number > 0, technique), {})[name] = one(technique, complete)
    return [
        (technique, joint, configuration(op_name_configs=passes[joint, technique]))
        for joint, technique in sorted(passes)
    ]


def compress_layers(mlmodel, settings, *, progress=None):
    """Compress each layer of a converted package with its own setting.

    Parameters
    ----------
    mlmodel, settings
        As in `configurations`.
    progress : callable (done, total), optional
        As in `compress`.

    Returns
    -------
    coremltools.models.MLModel
    """
    for technique, joint, config in configurations(mlmodel, settings):
        with working(progress):
            mlmodel = apply(technique, mlmodel, config, joint)
    return mlmodel


def constant_names(mlmodel):
    """The compressible constants of a package: plain name of the layer -> name of the constant.

    The plain name has underscores for dots, and not the `_to_fp16` that the conversion appends.
    """
    coremltools()
    import coremltools.optimize.coreml as cto

    with working():
        found = cto.get_weights_metadata(mlmodel, weight_threshold=_options.THRESHOLD)
    return {_plain(name): name for name in found}


def _plain(name):
    return re.sub(r"_to_fp(16|32)$", "", name.replace(".", "_"))
