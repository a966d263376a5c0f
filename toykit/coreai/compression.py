"""Compress a Core AI program with coreai-opt, in toykit's words.

coreai-opt has three functions for a program: `quantize_weights`, `palettize_weights` and `sparsify_weights`. Here they
are `compress` with the techniques and options of `tk.quantize`, `tk.palettize` and `tk.prune`. What Core AI has no
form for, or what coreai-opt 0.4 gets wrong, is declined before any work.

Where the stored arrays may differ from toykit's own: coreai-opt adds 1e-6 to the range of a scale, has tables from
k-means that starts at random where toykit's are exact, and leaves pruned zeros out when it chooses them.

Small floats are mended, and equal toykit's own. coreai-opt chooses their codes for one scale and stores another,
which it has rounded: to a power of two, which puts the weights that run off by up to a third, or, for E5M2, to a
float16 of very few digits. And weights of one scale that are all 0 become NaN. Codes of FP4 get a byte each, of which
Apple's runtime takes two; here two share one, as those of coreai-opt's own Quantizer do.

Not here: a setting for each layer, and compression while training, for which coreai-opt has classes of its own.
"""

import contextlib
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import bits, settings, small_floats
from .._quiet import working
from ..compressed import shown
from ..quantization import quantize
from ..settings import Declined
from ..small_floats import FORMATS as FLOATS
from .asset import apples, open_program
from .program import CONSTANT, operations, type_of

_CODES = {name: name.upper() for name in ("int2", "int4", "int8", "uint2", "uint4", "uint8")}
_CODES |= {"fp8_e4m3": "FP8_E4M3FN", "fp8_e5m2": "FP8_E5M2", "fp4_e2m1": "FP4_E2M1FN"}
_FP8 = ("fp8_e4m3", "fp8_e5m2")
_MODULES = {
    "quantize_weights": "weight_quantization",
    "palettize_weights": "weight_palettization",
    "sparsify_weights": "weight_sparsification",
}
_INDEX_BITS = (1, 2, 4, 6, 8)  # coreai-opt 0.4 cannot pack indices of 3 bits


def compress(source, technique, **options):
    """Compress the weights of a Core AI program.

    Parameters
    ----------
    source : str, Path, Asset or coreai.authoring.AIProgram
        Left as it was.
    technique : {"prune", "quantize", "palettize", "joint"}
    **options
        As in `toykit.coreml.compress`, as far as Core AI has a form for them:

        - quantize: `bits` 2, 4 or 8, or `format`; `mode`, `signed`, `granularity`, one length as `block_size`. FP4 in
          blocks of 32 with "e8m0" scales only;
        - palettize: `bits` 1, 2, 4, 6 or 8, `group_size`, `cluster_dim`, `per_channel_scale="across"`;
        - prune: `sparsity`, with `block_size` along the output channels; `n_m` along the input channels;
        - joint: prune, and quantize to int8 or FP8 with one scale; prune and palettize; palettize, and quantize the
          table to 8 bits;
        - `weight_threshold`: constants of at most this many elements stay as they are (2048).

    Returns
    -------
    coreai.authoring.AIProgram
        A weight that cannot take the options, such as one whose channels a `group_size` does not divide, is in it as
        it was.

    Raises
    ------
    ImportError
        Where Apple's packages are missing.
    TypeError, ValueError
        If the technique or an option is unknown or out of range; `toykit.settings.Declined`, a ValueError, if Core AI
        does not offer it. Before any work.
    FileNotFoundError, PackageError
        As `toykit.coreai.Asset`.

    Examples
    --------
    >>> small = compress("ResNet50.aimodel", "palettize", bits=4)           # doctest: +SKIP
    >>> small = compress("ResNet50.aimodel", "quantize", format="fp8_e4m3") # doctest: +SKIP
    """
    function, arguments = plan(settings.steps(technique, options))
    utils = apples("coreai_opt.coreai_utils")
    given = {name: _member(utils, name, value) for name, value in arguments.items()}
    program = open_program(source)
    if any(one.name == CONSTANT and type_of(one.results[0])[0] == "bfloat16" for one in operations(program)):
        raise Declined("source must have no constants of bfloat16: coreai-opt 0.4 cannot read them")
    with working(), _in_this_process(), _small_floats(function, arguments):
        return getattr(utils, function)(program, **given)


def plan(steps):
    """What to ask coreai-opt for.

    Parameters
    ----------
    steps : list of (str, dict)
        As `toykit.settings.steps` gives them.

    Returns
    -------
    (str, dict)
        The name of the function of coreai-opt, and its arguments; members of its enumerations by their names.

    Raises
    ------
    Declined
        If there is none.

    Examples
    --------
    >>> from toykit.settings import steps
    >>> plan(steps("palettize", {"bits": 6}))[1]["n_bits"]
    6
    """
    names = tuple(name for name, _ in steps)
    if names not in _PLANS:
        raise Declined(f"Core AI joins two techniques; got {', '.join(names)}")
    thresholds = {options["weight_threshold"] for _, options in steps}
    if len(thresholds) > 1:
        raise Declined(f"weight_threshold must be the same for both techniques; got {sorted(thresholds)}")
    function, arguments = _PLANS[names](*(options for _, options in steps))
    return function, arguments | {"weight_num_threshold": thresholds.pop()}


def _quantize(options):
    code = _code(options)
    if isinstance(options["block_size"], tuple):
        raise Declined(f"block_size must be one length in Core AI; got {options['block_size']}")
    granularity, block, scale = (options[name] for name in ("granularity", "block_size", "scale_format"))
    if code == "fp4_e2m1" and (granularity, block, scale) != ("per_block", 32, "e8m0"):
        raise Declined(
            "fp4_e2m1 has blocks of 32 with e8m0 scales in Core AI: pass granularity='per_block'; "
            f"got granularity={granularity!r}, block_size={block}, scale_format={scale!r}"
        )
    arguments = {"dtype": _CODES[code], "granularity": granularity.upper()}
    arguments["qscheme"] = "SYMMETRIC" if options["mode"] == "symmetric" else "ASYMMETRIC"
    if block is not None:
        arguments["block_size"] = block
    if code in _FP8 and scale == "e8m0":
        arguments["scale_dtype"] = "FP8_E8M0FNU"
    return "quantize_weights", arguments


def _palettize(options):
    arguments = {"lut_dtype": None, "n_bits": _index_bits(options), "granularity": "PER_TENSOR"}
    if options["group_size"] is not None:
        arguments |= {"granularity": "PER_GROUPED_CHANNEL", "group_size": options["group_size"]}
    scaled = options["per_channel_scale"] == "across"
    if scaled and options["cluster_dim"] > 1:
        raise Declined("per_channel_scale must be False with vectors in Core AI; got 'across'")
    arguments |= {"cluster_dim": options["cluster_dim"], "enable_per_channel_scale": scaled}
    # Rounded to four digits, as coreai-opt would by default, small weights all become 0.
    return "palettize_weights", arguments | {"enable_fast_kmeans_mode": False, "num_kmeans_workers": 1}


def _prune(options):
    if options["threshold"] is not None:
        raise Declined(
            f"threshold must be left out: coreai-opt prunes by sparsity or n_m; got {shown(options['threshold'])}"
        )
    along = "n_m" if options["n_m"] else "block_size"
    axis = int(along == "n_m")
    if options[along] is not None and options["dim"] != axis:
        raise Declined(f"dim must be {axis} for {along} in coreai-opt; got {options['dim']}")
    return "sparsify_weights", {
        "target_sparsity": options["sparsity"],
        "block_size": options["block_size"],
        "n_m_ratio": options["n_m"],
    }


def _prune_and_quantize(pruning, options):
    code = _code(options)
    # Of unsigned codes 0 is the smallest weight, and coreai-opt puts 0 where weights were pruned.
    _check_joined(options, code, ("int8", *_FP8), "pruned weights are quantized")
    if options["granularity"] != "per_tensor":
        raise Declined(
            "granularity must be 'per_tensor' for pruned weights in Core AI, which has one scale for them; "
            f"got {options['granularity']!r}"
        )
    function, arguments = _prune(pruning)
    return function, arguments | {"quantize_dtype": _CODES[code]}


def _prune_and_palettize(pruning, options):
    bits = _index_bits(options)
    if options["group_size"] is not None:
        raise Declined(
            f"group_size must be left out for pruned weights in Core AI; got {options['group_size']}"
        )
    function, arguments = _prune(pruning)
    return function, arguments | {"palettize_nbits": bits}


def _palettize_and_quantize(palette, options):
    code = _code(options)
    _check_joined(options, code, ("int8", "uint8", *_FP8), "a table is quantized")
    function, arguments = _palettize(palette)
    return function, arguments | {"lut_dtype": _CODES[code]}


def _check_joined(options, code, allowed, what):
    """Of what is quantized after another technique, codes have 8 bits and scales are floats."""
    if code not in allowed or options["mode"] != "symmetric" or options["scale_format"] == "e8m0":
        words = f"{code}, {options['mode']}" + ", e8m0" * (options["scale_format"] == "e8m0")
        raise Declined(
            f"{what} to {', '.join(allowed[:-1])} or {allowed[-1]} in Core AI, symmetric and with a float as its "
            f"scale; got {words}"
        )


_PLANS = {
    ("quantize",): _quantize,
    ("palettize",): _palettize,
    ("prune",): _prune,
    ("prune", "quantize"): _prune_and_quantize,
    ("prune", "palettize"): _prune_and_palettize,
    ("palettize", "quantize"): _palettize_and_quantize,
}


def _code(options):
    _check_axis(options)
    code = settings.code_type(options)
    if code not in _CODES:
        raise Declined(f"bits must be 2, 4 or 8 in Core AI; got {options['bits']}")
    return code


def _index_bits(options):
    _check_axis(options)
    if options["lut"] is not None:
        raise Declined("lut must be left out: coreai-opt chooses the tables itself")
    if options["mode"] != "kmeans":
        raise Declined(f"mode must be 'kmeans' in coreai-opt; got {options['mode']!r}")
    if options["bits"] not in _INDEX_BITS:
        raise Declined(
            f"bits must be {', '.join(map(str, _INDEX_BITS[:-1]))} or 8: coreai-opt 0.4 cannot pack indices of "
            f"{options['bits']}"
        )
    return options["bits"]


def _check_axis(options):
    if options["axis"] is not None:
        raise Declined(
            f"axis must be left out: coreai-opt finds the channels of each weight; got {options['axis']}"
        )


def _member(utils, name, value):
    """A member of one of coreai-opt's enumerations, of its name; anything else as it is."""
    kinds = {"dtype": "DType", "lut_dtype": "DType", "quantize_dtype": "DType", "scale_dtype": "DType"}
    kinds |= {"granularity": "CompressionGranularity", "qscheme": "QScheme"}
    if name not in kinds or value is None:
        return value
    return getattr(getattr(utils, kinds[name]), value)


class _Here:
    """What coreai-opt takes for a pool of processes."""

    @staticmethod
    def starmap(function, arguments):
        return [function(*one) for one in arguments]


@contextlib.contextmanager
def _in_this_process():
    """Clusters are found in this process.

    For what is pruned, coreai-opt asks four others whatever it is told. They are forked from this one beside torch's
    threads, and can wait for each other for ever.
    """
    with _replaced("_utils.palettize_utils", "_compress_pool", _Here):
        yield


@contextlib.contextmanager
def _small_floats(function, arguments):
    """Scales and codes of small floats are toykit's own."""
    chosen = {arguments.get(name) for name in ("dtype", "quantize_dtype", "lut_dtype")}
    kind = next((name for name in FLOATS if _CODES[name] in chosen), None)
    if kind is None:
        yield
        return
    scale_format = "float" if kind in _FP8 and "scale_dtype" not in arguments else "e8m0"

    def of_weight(weight, dtype, scheme, lengths):
        row = weight if any(lengths) else weight.ravel()  # a table has more axes than a weight may have
        blocks = {"granularity": "per_block", "block_size": tuple(lengths[: row.ndim])}
        own: Any = quantize(row, **blocks, format=kind, scale_format=scale_format)
        scale = small_floats.worth(own.scale)
        numbers = own.numbers.astype(dtype).reshape(weight.shape)
        return numbers, scale if any(lengths) else scale.reshape((1,) * weight.ndim), None

    with contextlib.ExitStack() as stack:
        stack.enter_context(_replaced(f"passes.{_MODULES[function]}", "_compute_qparams_by_dtype", of_weight))
        if kind == "fp4_e2m1":
            loose = apples(f"coreai_opt.coreai_utils.passes.{_MODULES[function]}")._authoring_constant
            fitting = partial(_constant, loose)
            stack.enter_context(_replaced(f"passes.{_MODULES[function]}", "_authoring_constant", fitting))
        yield


def _constant(loose, array, dtype):
    """A constant as coreai-opt makes one, but of FP4 two codes to a byte."""
    if array.dtype.name != "float4_e2m1fn":
        return loose(array, dtype=dtype)
    ir, authoring = (apples(f"coreai.{name}") for name in ("_compiler.ir", "authoring"))
    dialect = apples("coreai._compiler.dialects.coreai")
    kind = authoring.TensorType(shape=list(array.shape), dtype=dtype)._to_mlir()
    packed = bits.pack(np.ascontiguousarray(array).view(np.uint8), 4)
    value = dialect.ConstantOp(value=ir.DenseResourceElementsAttr.get_from_buffer(packed, "fp4", kind)).result
    return SimpleNamespace(_to_mlir=lambda: value)


@contextlib.contextmanager
def _replaced(module, name, value):
    """Another value for a name in one of coreai-opt's modules."""
    module = apples(f"coreai_opt.coreai_utils.{module}")
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
