"""What toykit mends in coremltools: each patch, with the fault, the issue it waits for, and the versions that have it.

`FAULTS` lists them, and what toykit works around elsewhere without changing coremltools. A patch is applied to
versions that are known to need it (`needed`), and lasts as long as the block that asks for it: nothing stays
changed. tests/parity/test_patches.py asks coremltools without the patch, and fails when a version has no fault that
it is said to have, or the other way round; the page of known failures has a table of them.
"""

import contextlib
import functools
import re
import types
from dataclasses import dataclass
from importlib import import_module, metadata

import numpy as np

from ..._quiet import ALONE, aloud

_ISSUES = "https://github.com/apple/coremltools"


@dataclass(frozen=True)
class Fault:
    """What coremltools does that a patch or a workaround is for.

    Attributes
    ----------
    what : str
    issue : str
        Where it is reported, or its correction proposed; empty if we know of no report.
    newest : tuple of int, optional
        The newest version of coremltools that is known to have it: we tried 9.0 and 9.1.dev1. None for what no
        version can do.
    numpy : tuple of int
        The oldest NumPy with which it shows.
    where : str
        The module of this folder that works around it, if no patch is here.
    """

    what: str
    issue: str = ""
    newest: tuple | None = (9, 1)
    numpy: tuple = ()
    where: str = ""


FAULTS = {
    "computed shapes": Fault(
        "makes an int of an array that has an axis, which NumPy no longer does, where a model computes a shape: "
        "`x.view(x.shape[0], -1)`",
        f"{_ISSUES}/issues/2633",
        newest=(9, 0),
        numpy=(2, 4),
    ),
    "attention": Fault(
        "does not know the one operator that torch's attention layers are in inference; they trace well without",
        f"{_ISSUES}/issues/2311",
    ),
    "ranges": Fault(
        "keeps the range of an activation in the last sample: both functions that should widen a range store the "
        "new one first, and compare it with itself",
        f"{_ISSUES}/issues/2704",
        newest=(9, 0),
    ),
    "states": Fault("looks for activations back from the outputs, and misses what only feeds a state"),
    "float16 scales": Fault("calculates scales and zero points of activations in float16, and does not look"),
    "prediction": Fault("predicts on a Mac only, and so finds ranges there only", newest=None),
    "progress": Fault(
        "says how far it is with bars only, drawn by tqdm", f"{_ISSUES}/issues/1815", newest=None
    ),
    "whole numbers": Fault(
        "fails to quantize an addition of whole numbers, such as indices", where="activations"
    ),
    "manifest": Fault("writes the manifest of a package anew that it only opens", where="opening"),
    "skipped weights": Fault(
        "divides a weight by its scales, finds out that it cannot be palettized, and leaves it divided",
        f"{_ISSUES}/pull/2777",
        where="checking",
    ),
    "nearly equal constants": Fault("stores constants that differ a little as one", where="checking"),
}


def needed(name):
    """Whether the installed coremltools and NumPy are known to have a fault of `FAULTS`."""
    return has(FAULTS[name])


def has(fault):
    """Whether the installed coremltools and NumPy are known to have a fault."""
    known = fault.newest is None or _version("coremltools") <= fault.newest
    return known and _version("numpy") >= fault.numpy


@functools.cache
def _version(package):
    return tuple(map(int, re.findall(r"\d+", metadata.version(package))[:2]))


class _Int(int):
    def __new__(cls, value):
        return int(np.asarray(value).item())


class _Float(float):
    def __new__(cls, value):
        return float(np.asarray(value).item())


# bool cannot be subclassed, and arrays of one element still have a truth.
_OF_ONE_ELEMENT = {int: _Int, float: _Float}


@contextlib.contextmanager
def convertible(torch):
    """While this lasts, shapes that a model computes and torch's attention layers can be converted.

    Parameters
    ----------
    torch : module
    """
    with contextlib.ExitStack() as restore:
        if needed("computed shapes"):
            ops = import_module("coremltools.converters.mil.frontend.torch.ops")
            cast = ops._cast

            def cast_one(context, node, dtype, name):
                cast(context, node, _OF_ONE_ELEMENT.get(dtype, dtype), name)

            restore.enter_context(_replaced(ops, "_cast", cast_one))
        if needed("attention"):
            restore.callback(
                torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled()
            )
            torch.backends.mha.set_fastpath_enabled(False)
        yield


COMPRESSION = ("coremltools.optimize.coreml._quantization_passes",)
CONVERSION = (
    "coremltools.converters.mil.frontend.torch.ops",
    "coremltools.converters.mil.mil.passes.pass_pipeline",
)


@contextlib.contextmanager
def reporting(progress, modules):
    """Tell `progress(done, total)` how far coremltools is, in place of its bars.

    Parameters
    ----------
    progress : callable or None
        What it prints is seen if this stands outside of `quiet()`: it goes where prints went before.
    modules : tuple of str
        Where coremltools counts: `COMPRESSION`, or `CONVERSION`.
    """
    if progress is None:
        yield
        return
    tell = aloud(progress)

    def count(iterable, **_):
        items = list(iterable)
        for done, item in enumerate(items):
            yield item
            tell(done + 1, len(items))

    with ALONE, contextlib.ExitStack() as restore:
        for module in map(import_module, modules):
            restore.enter_context(_replaced(module, "_tqdm" if hasattr(module, "_tqdm") else "tqdm", count))
        yield


@contextlib.contextmanager
def _replaced(module, name, value):
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def activation_quantizer(predict, check, ranges):
    """coremltools' `linear_quantize_activations` for any computer, with ranges that cover all samples.

    Its functions are bound anew, to other names; coremltools itself goes on as before.

    Parameters
    ----------
    predict : callable (dict of inputs, set of names) -> dict of str to array
        Values inside the program. Inputs are handed on as they are, one dictionary after the other.
    check : callable (name, range, scale, zero point, dtype)
        Raises if a scale cannot be used; `range` is a dict of rmin and rmax.
    ranges : dict
        Filled with the range of each tensor.

    Returns
    -------
    callable (mlmodel, config, samples) -> coremltools.models.MLModel
    """
    import coremltools.optimize.coreml as cto
    from coremltools.optimize.coreml.experimental import _post_training_quantization as theirs

    parts: dict = {"predict_intermediate_outputs": _predicting(predict)}
    names: dict = {}
    if needed("ranges"):
        parts["record_intermediate_output"] = staticmethod(
            lambda value, name, known: _widen(name, value, known)
        )
        names["_update_tensor_range"] = _widen
    if needed("states"):
        parts["get_all_outputs"] = classmethod(
            lambda _, block: [made.outputs[name] for name, made in block.operations.items()]
        )
    names["ModelDebugger"] = type("Interpreted", (theirs.ModelDebugger,), parts)
    calibrate = _bound(theirs._get_activation_calibration_stats, **names)

    def calibrated(mlmodel, samples, group_size):
        ranges.update(calibrate(mlmodel, samples, group_size))
        return ranges

    function = cto.linear_quantize_activations
    apply = function.__globals__["_model_utils"]._apply_graph_pass
    if needed("float16 scales"):
        apply = _checking(apply, check, ranges)
    return _bound(
        function,
        _get_activation_calibration_stats=calibrated,
        _model_utils=types.SimpleNamespace(_apply_graph_pass=apply),
    )


def _predicting(predict):
    """The method that finds the values inside a program, in place of clones that Core ML runs."""

    def predict_intermediate_outputs(self, inputs, names, compute_units=None):
        made = self.block_info.operations
        return predict(inputs, {n for n in names if self.get_output_feature_type(n, made) is not None})

    return predict_intermediate_outputs


def _bound(function, **names):
    """The same function, with some of its global names bound to others."""
    bound = types.FunctionType(
        function.__code__, function.__globals__ | names, function.__name__, function.__defaults__
    )
    bound.__kwdefaults__ = function.__kwdefaults__
    return bound


def _widen(name, value, ranges):
    """Let the range of a tensor cover one more sample. `ranges` is a defaultdict of dicts."""
    value, known = np.asarray(value), ranges[name]
    known["rmin"] = np.minimum(value.min(), known.get("rmin", np.inf))
    known["rmax"] = np.maximum(value.max(), known.get("rmax", -np.inf))


def _checking(apply, check, ranges):
    """coremltools' function that applies passes, with one more in the end: it looks whether scales fit.

    Passes may move a scale from one operator to another, so this is the place where one belongs to a range.
    """
    from coremltools.converters.mil.mil.passes.graph_pass import AbstractGraphPass

    class Check(AbstractGraphPass):
        def apply(self, prog):
            for function in prog.functions.values():
                for step in function.find_ops(op_type="quantize"):
                    if step.input.op is not None and step.input.op.op_type == "dequantize":
                        continue  # quantized already
                    zero = 0 if step.zero_point is None else step.zero_point.val
                    name, scale = step.input.name, float(step.scale.val)
                    check(name, ranges[name], scale, float(zero), step.output_dtype.val)

    return lambda mlmodel, passes, **options: apply(mlmodel, [*passes, Check()], **options)
