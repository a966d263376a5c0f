"""A form of compression in words, and as the Core ML Tools code that makes it."""

from ..coreml.tools.configs import FUNCTIONS, MODES, check
from ..settings import name_of, steps

__all__ = ["code", "configuration", "name_of"]

_FIELDS = {  # toykit's options -> coremltools' fields, where only the names differ
    "sparsity": "target_sparsity",
    "minimum_sparsity": "minimum_sparsity_percentile",
    "axis": "channel_axis",
}


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
    ((_, complete),) = steps(technique, options)
    check(technique, complete)
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
            case "signed" | "axis" if technique == "quantize":
                pass  # said by dtype; of no effect where `check` lets it through
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


def code(chosen):
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
    for number, (technique, options) in enumerate(chosen):
        joint = ", joint_compression=True" * (number > 0)
        lines += [
            "config = cto.OptimizationConfig(",
            f"    global_config={configuration(technique, options)}",
            ")",
            f"model = cto.{FUNCTIONS[technique]}(model, config{joint})",
        ]
    return "\n".join([*lines, 'model.save("Small.mlpackage")'])
