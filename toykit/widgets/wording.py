"""A form of compression in words, and as the Core ML Tools code that makes it."""

from .. import settings as _settings
from ..coreml.tools.configs import FUNCTIONS, MODES

_FIELDS = {  # toykit's options -> coremltools' fields, where only the names differ
    "sparsity": "target_sparsity",
    "minimum_sparsity": "minimum_sparsity_percentile",
    "axis": "channel_axis",
}


def name_of(technique, options):
    """A form in a few words.

    Parameters
    ----------
    technique : {"none", "prune", "quantize", "palettize", "joint"}
    options : dict
        As for `toykit.coreml.compress`.

    Returns
    -------
    str

    Examples
    --------
    >>> name_of("palettize", {"bits": 4, "group_size": 8})
    '4-bit palette, groups of 8'
    >>> name_of("joint", {"prune": {"sparsity": 0.5}, "quantize": {"bits": 8}})
    'pruned 50 % + int8'
    """
    if technique == "none":
        return "float16"
    if technique == "joint":
        # Joined linear codes always have one scale: it goes without saying.
        names = [
            _NAME[step]({name: value for name, value in chosen.items() if name != "granularity"})
            for step, chosen in options.items()
        ]
        return " + ".join(names) + " lut" * (list(options)[-2:] == ["palettize", "quantize"])
    return _NAME[technique](options)


def _pruned(options):
    if "n_m" in options:
        return "pruned {}:{}".format(*options["n_m"])
    if "threshold" in options:
        return f"pruned up to {options['threshold']}" + ", all layers" * ("minimum_sparsity" in options)
    return f"pruned {100 * options['sparsity']:g} %" + _with(options, "block_size", ", blocks of {}")


def _quantized(options):
    words = f"int{options['bits']}" + " affine" * (options.get("mode") == "affine")
    words += ", a scale a layer" * (options.get("granularity") == "per_tensor")
    return words + _with(options, "block_size", ", blocks of {}")


def _palettized(options):
    words = f"{options['bits']}-bit palette"
    words += ", even" * (options.get("mode") == "uniform")
    words += ", channel scales" * ("per_channel_scale" in options)
    words += _with(options, "group_size", ", groups of {}")
    return words + _with(options, "cluster_dim", ", vectors of {}")


def _with(options, name, words):
    return words.format(options[name]) if name in options else ""


_NAME = {"prune": _pruned, "quantize": _quantized, "palettize": _palettized}


def configuration(technique, options):
    """The configuration of one step as Python code.

    Parameters
    ----------
    technique : {"prune", "quantize", "palettize"}
    options : dict
        As for `toykit.coreml.compress`.

    Returns
    -------
    str

    Examples
    --------
    >>> configuration("quantize", {"bits": 4})
    "cto.OpLinearQuantizerConfig(dtype='int4')"
    """
    _settings.steps(technique, dict(options))  # refuses what coremltools would
    kind = {
        "prune": "OpThresholdPrunerConfig" if "threshold" in options else "OpMagnitudePrunerConfig",
        "quantize": "OpLinearQuantizerConfig",
        "palettize": "OpPalettizerConfig",
    }[technique]
    fields = {}
    for name, value in options.items():
        match name:
            case "bits" if technique == "quantize":
                fields["dtype"] = f"{'int' if options.get('signed', True) else 'uint'}{value}"
            case "bits":
                fields["nbits"] = value
            case "signed":
                pass  # said by dtype
            case "mode":
                fields["mode"] = MODES.get(value, value)
            case "group_size":
                fields |= {"granularity": "per_grouped_channel", "group_size": value}
            case "per_channel_scale":
                fields["enable_per_channel_scale"] = value == "across"
            case "n_m":
                fields["n_m_ratio"] = tuple(value)
            case _:
                fields[_FIELDS.get(name, name)] = value
    return f"cto.{kind}({', '.join(f'{name}={value!r}' for name, value in fields.items())})"


def code(steps):
    """A program that converts and compresses; `{target}` stands for the deployment target."""
    lines = [
        "import coremltools as ct",
        "import coremltools.optimize.coreml as cto",
        "",
        "model = ct.convert(",
        "    traced,",
        "    inputs=[ct.TensorType(shape=example.shape)],",
        "    minimum_deployment_target=ct.target.{target},",
        ")",
    ]
    for number, (technique, options) in enumerate(steps):
        joint = ", joint_compression=True" * (number > 0)
        lines += [
            "config = cto.OptimizationConfig(",
            f"    global_config={configuration(technique, options)}",
            ")",
            f"model = cto.{FUNCTIONS[technique]}(model, config{joint})",
        ]
    return "\n".join([*lines, 'model.save("Small.mlpackage")'])
