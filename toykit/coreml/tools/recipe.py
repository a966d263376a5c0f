"""A setting for each layer.

`toykit.sweep.choose` finds settings by the names of a torch module's tensors, `conv1.weight`. In a
converted package the same tensor is a constant called `conv1_weight_to_fp16`. coremltools takes an
`OptimizationConfig` whose `op_name_configs` name such constants. One configuration holds one technique, so
there a recipe is a few passes: first one for each technique, then a second one over what was pruned, which
by then is called `conv1_weight_to_fp16_sparsified`.
"""

import re

from ... import settings as _settings
from ..format.package import open_package
from ..writing.candidates import constants_of
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
    operations = constants_of(package, _settings.THRESHOLD)
    chosen = steps_of_layers(package, settings)
    return passes({operations[name]: steps for name, steps in chosen.items()})


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


def steps_of_layers(package, settings):
    """What is asked of each constant: its name -> list of (technique, options)."""
    constants = constant_names(package)
    chosen = {}
    for layer, setting in settings.items():
        steps = _settings.read_setting(setting, model=True)
        if not steps:
            continue
        if len(steps) > 2 or (len(steps) == 2 and steps[0][0] != "prune"):
            raise ValueError(
                f"{layer}: of joint compression, a recipe takes pruning and one more; got {setting}"
            )
        keys = _named(layer, constants)
        if not keys:
            raise ValueError(
                f"the package has no constant for layer {layer!r}; it has {', '.join(constants)}"
            )
        chosen |= {constants[key]: steps for key in keys}
    return chosen


def _named(layer, constants):
    """The constants that a layer's name means: without a function or model before it, those of all."""
    before, slash, name = _plain(layer).rpartition("/")
    for word in ("", "op_", "var_"):  # what begins with a digit has a word before it in a package
        wanted = f"/{before}{slash}{word}{name}"
        if keys := [key for key in constants if f"/{key}".endswith(wanted)]:
            return keys
    return []


def constant_names(package):
    """The compressible constants of a package: plain name of the layer -> name of the constant.

    The plain name has underscores for dots, and not the `_to_fp16` that the conversion appends.
    """
    found = constants_of(package, _settings.THRESHOLD)
    others = {name[: name.rfind("/") + 1] + other: name for name, other in found.items()}
    return {_plain(name): name for name in found} | {_plain(other): name for other, name in others.items()}


def _plain(name):
    return re.sub(r"_to_fp(16|32)$", "", name.replace(".", "_"))
