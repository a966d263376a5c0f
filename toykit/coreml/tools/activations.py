"""Quantize the activations of a package on any computer.

coremltools can do this: it runs the package on samples, notes the smallest and the largest value of
every activation, and puts pairs of `quantize` and `dequantize` around the operators that have 8-bit
versions. It runs the package with Core ML, though, and so needs a Mac. Here the package runs in
toykit's interpreter (`toykit.coreml.load`), and everything else is coremltools' own code: which
operators are chosen, how ranges become scales, and the program that comes out.

coremltools 9 keeps the range of the *last* sample. Here a range covers all of them; this and what else is
mended on the way is in `patches`.
"""

import math

import numpy as np

from ..._quiet import coremltools, working
from ...compressed import Compressed, check_choice
from ..constants.reading import CONSTEXPR, read_constant
from ..format.package import open_package
from ..runtime.model import Model
from .configs import MODES
from .opening import open_mlmodel
from .patches import activation_quantizer, needed

_TINY = 255 * float(np.finfo(np.float16).smallest_subnormal)


def quantize_activations(
    package,
    samples,
    *,
    mode="symmetric",
    signed=True,
    config=None,
    backend=None,
    precision="float32",
):
    """Quantize the activations of an ML program to 8 bits, by what samples show of their ranges.

    Follow it by `compress(..., "quantize")` for 8-bit weights and activations (W8A8). Quantizing the
    weights first works, too.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        Left as it was.
    samples : iterable of dict, or of lists of dict
        Inputs as for `Model.predict`. A range covers all of them, so a hundred typical samples are
        better than one. Of a model with states, a list holds the steps of one sequence, in order: its
        first step finds fresh states, of zeros, the others what the steps before them left. A dictionary
        alone is a sequence of one step; the order of the samples makes no difference.
    mode : {"symmetric", "affine"}
        Whether the codes lie around 0, or fill the range from the smallest value to the largest.
    signed : bool
        Whether codes are int8 or uint8.
    config : coremltools.optimize.coreml.OptimizationConfig, optional
        In place of `mode` and `signed`: settings for operators and single operations, with None for
        those that stay in float. Left as it was.
    backend, precision
        As for `toykit.coreml.load`: how the samples are run.

    Returns
    -------
    coremltools.models.MLModel
        For iOS 17 or macOS 14 and later, where the operators that it uses appeared; a package for older
        systems is raised to iOS 17. Run it with `toykit.coreml.load`; to predict on a Mac, save it and
        open it with `coremltools.models.MLModel`.

    Raises
    ------
    ImportError
        Where coremltools is missing.
    PackageError
        If the package is not sound, or cannot be run (`UnsupportedOperator`).
    TypeError, ValueError
        If there are no samples, or an empty sequence, an option is unknown, a sample does not fit the inputs,
        the program has several functions, branches or loops, or a range cannot be quantized: because it is not finite,
        too wide for float16 (coremltools calculates in it), or, in mode "affine", nothing but 0.

    Notes
    -----
    coremltools 9 quantizes what goes into and comes out of `conv`, `linear`, `avg_pool`, `max_pool` and
    `add` of two activations; other operators stay in float. It fails on an `add` of whole numbers, such
    as indices, so those are left out here.

    Examples
    --------
    >>> small = quantize_activations("ResNet50.mlpackage", [{"image": pixels}])     # doctest: +SKIP
    >>> small = compress(small, "quantize", bits=8)                                 # doctest: +SKIP
    """
    check_choice("mode", mode, tuple(MODES))
    sequences = [_sequence(sample) for sample in samples]
    if not sequences:
        raise ValueError("samples must hold at least one dictionary of inputs; got none")
    coremltools()
    import coremltools.optimize.coreml as cto

    package = open_package(package)
    _check_program(package)
    model = Model(package, backend, precision)
    if config is None:
        dtype = "int8" if signed else "uint8"
        config = cto.OptimizationConfig(cto.OpLinearQuantizerConfig(mode=MODES[mode], dtype=dtype))
    else:
        # coremltools annotates its dictionaries as what they hold.
        by_type, by_name = (dict(one or {}) for one in (config.op_type_configs, config.op_name_configs))
        config = cto.OptimizationConfig(config.global_config, by_type, by_name)  # pyright: ignore[reportArgumentType]
    mlmodel = open_mlmodel(package)
    if needed("whole numbers"):
        _leave_integers(config, package)
    # Kept by identity: coremltools hands each dictionary on as it is, one after the other.
    predict = _prediction(model, {id(steps[0]) for steps in sequences})
    ranges = {}
    try:
        with working(), np.errstate(all="ignore"):
            quantize = activation_quantizer(predict, _check_scale, ranges)
            return quantize(mlmodel, config, [step for steps in sequences for step in steps])
    except ValueError as error:
        if "scale cannot be 0" not in str(error):
            raise
        small = [repr(name) for name, known in ranges.items() if max(map(abs, known.values())) < _TINY]
        raise ValueError(
            f"coremltools makes a scale of 0 of a range that is 0, or too small for float16; so are those of "
            f"{', '.join(small)}. Give samples in which they differ from 0, or leave their operators out by "
            "config="
        ) from error


def _sequence(sample):
    """The steps of a sample, copies that are all different objects."""
    steps = [dict(step) for step in (sample if isinstance(sample, list | tuple) else [sample])]
    if not steps:
        raise ValueError("samples holds an empty list: a sequence has at least one step")
    return steps


def _check_program(package):
    """Raise for programs on which coremltools 9 fails, with an error that does not say why."""
    if package.models or package.number is not None:
        raise ValueError(
            f"{package.path.name} is a pipeline, and coremltools quantizes the activations of single "
            "models: do "
            "it with each of them, and join them with coremltools.utils.make_pipeline afterwards"
        )
    program = package.program
    if len(program.functions) > 1:
        raise ValueError(
            f"the package has {len(program.functions)} functions, and coremltools quantizes the "
            "activations of "
            "packages with one: do it with each, before coremltools.utils.save_multifunction joins them"
        )
    inner = next((operation for operation in program.walk() if operation.blocks), None)
    if inner is not None:
        raise ValueError(
            f"operation {inner.name!r} ({inner.op}) has operations inside it, and coremltools does not look "
            "there for ranges: activations cannot be quantized in programs with branches or loops"
        )


def _leave_integers(config, package):
    """Keep coremltools from quantizing additions of whole numbers, on which it fails."""
    for operation in package.program.walk():
        kinds = {kind.dtype for kind in operation.outputs.values()}
        if operation.op == "add" and not kinds & {"float16", "float32"}:
            config.set_op_name(operation.name, None)


def _prediction(model, first):
    """The values inside a program, by toykit's interpreter; `first` says which samples begin a sequence."""
    constants, state = _ranges_of_constants(model.package), {}

    def predict(inputs, names):
        if id(inputs) in first:
            state.update(model.make_state())
        values = model.inspect(inputs, names - constants.keys(), state)
        return values | {name: constants[name] for name in names & constants.keys()}

    return predict


def _ranges_of_constants(package):
    """The smallest and the largest weight of each compressed constant, for they are results, too."""
    found = {}
    for function in package.program.functions.values():
        values = {}
        for operation in function.block.operations:
            if operation.op == "const":
                values |= dict.fromkeys(operation.outputs, operation.attributes.get("val"))
            elif operation.op in CONSTEXPR:
                made = read_constant(operation, values.__getitem__)
                values |= made
                for name, value in made.items():
                    dense = value.dense() if isinstance(value, Compressed) else value
                    found[name] = np.array([dense.min(), dense.max()])
    return found


def _check_scale(name, found, scale, zero, dtype):
    """Raise if a scale cannot be used, or its codes do not reach the ends of the range."""
    low, high = float(found["rmin"]), float(found["rmax"])
    first, last = (0, 255) if dtype == "uint8" else (-128, 127)
    reached = (first - zero - 1) * scale <= low and high <= (last - zero + 1) * scale
    if not (math.isfinite(scale) and reached):
        raise ValueError(
            f"the samples give {name!r} the range from {low:g} to {high:g}, of which coremltools makes "
            f"scale {scale:g} and zero point {zero:g}: it calculates them in float16. With "
            "mode='symmetric' a range may reach to 32,752 on either side of 0, with mode='affine' to 511"
        )
