"""Convert a case, run it, and say how far two answers are apart."""

import gc
import json
from functools import cache

import numpy as np

from toykit._quiet import coremltools, quiet
from toykit.coreml import convert

ct = coremltools()
# Each conversion ends in a gc.collect() over all that was ever imported, three quarters of its time for a
# small function. What is frozen is left out.
gc.freeze()

BACKENDS = ("numpy", "torch")


def distance(ours, reference):
    """How far an answer is from its reference: the largest difference over the largest reference.

    Integers and bools have to be equal: they are 0 or infinitely far apart. So are answers whose shape or
    whose places of infinity and NaN differ.
    """
    ours, reference = np.asarray(ours), np.asarray(reference)
    if ours.shape != reference.shape:
        return np.inf
    if reference.dtype.kind in "biu":
        return 0.0 if np.array_equal(ours, reference) else np.inf
    ours, reference = ours.astype(np.float64), reference.astype(np.float64)
    finite = np.isfinite(reference)
    if (
        not np.array_equal(ours[~finite], reference[~finite], equal_nan=True)
        or not np.isfinite(ours[finite]).all()
    ):
        return np.inf
    if not finite.any():
        return 0.0
    largest = np.abs(reference[finite]).max()
    difference = np.abs(ours[finite] - reference[finite]).max()
    return float(difference / largest) if largest else (0.0 if difference == 0 else np.inf)


def tells(reference, tolerance):
    """Whether a reference can tell a right answer from none: zeros, and its mean, must be far from it."""
    reference = np.asarray(reference, np.float64)
    finite = np.where(np.isfinite(reference), reference, 0)
    guesses = [np.zeros_like(finite)] + ([np.full_like(finite, finite.mean())] if finite.size > 1 else [])
    return all(distance(guess, finite) > 10 * tolerance for guess in guesses)


@cache
def torch_case(case, precision):
    """A torch case as a package; converted once."""
    return convert(
        case.module, case.inputs, target=case.target, precision=precision, skip_model_load=True, check=False
    )


def function(case):
    """A program case as coremltools builds it."""
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import Function

    with quiet():
        inputs = {
            name: mb.placeholder(shape=value.shape, dtype=_kind(value.dtype))
            for name, value in case.inputs.items()
        }
        with Function(inputs, opset_version=getattr(ct.target, case.target)) as made:
            found = case.build(mb, **made.inputs)
            made.set_outputs(list(found) if isinstance(found, (tuple, list)) else [found])
    return made


@cache
def program(case, precision="float32"):
    """A program case as a package, with no operator optimized away."""
    with quiet():
        return ct.convert(
            _program(function(case)),
            convert_to="mlprogram",
            minimum_deployment_target=getattr(ct.target, case.target),
            compute_precision=getattr(ct.precision, precision.upper()),
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
        )


def _program(function):
    from coremltools.converters.mil.mil import Program

    whole = Program()
    whole.add_function("main", function)
    return whole


def saved(function, target, path):
    """Write a function of coremltools as it is: a package without passes, in a tenth of a conversion's time."""
    from coremltools.converters.mil.backend.mil.load import load

    data = path / "Data/com.apple.CoreML"
    (data / "weights").mkdir(parents=True)
    with quiet():
        version = getattr(ct.target, target).value
        message = load(_program(function), weights_dir=str(data / "weights"), specification_version=version)
    (data / "model.mlmodel").write_bytes(message.SerializeToString())
    item = {"author": "com.apple.CoreML", "path": "com.apple.CoreML/model.mlmodel"}
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": {"1": item}, "rootModelIdentifier": "1"}
    (path / "Manifest.json").write_text(json.dumps(manifest))
    return path


def program_expected(case):
    """What a program case has to answer, as a list of arrays."""
    if case.oracle is None:
        found = _folded(case)
    else:
        found = case.oracle(**case.inputs)
    return list(map(np.asarray, found if isinstance(found, (tuple, list)) else [found]))


def _folded(case):
    """What coremltools computes when all inputs are constants."""
    from coremltools.converters.mil import Builder as mb
    from coremltools.converters.mil.mil import Function

    with quiet():
        opset = getattr(ct.target, case.target)
        with Function({"unused": mb.placeholder(shape=(1,))}, opset_version=opset):
            # Copies: coremltools folds thresholded_relu in place, and would change the case.
            found = case.build(
                mb, **{name: mb.const(val=value.copy()) for name, value in case.inputs.items()}
            )
            found = found if isinstance(found, (tuple, list)) else [found]
            values = [variable.val for variable in found]
    assert all(value is not None for value in values), f"coremltools does not fold {case.name}"
    return values


def _kind(dtype):
    from coremltools.converters.mil.mil import types

    return {"float32": types.fp32, "int32": types.int32, "float16": types.fp16}[str(dtype)]
