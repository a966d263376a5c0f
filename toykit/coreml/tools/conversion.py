"""From a torch module to a Core ML package, quietly.

A thin layer on `coremltools.convert`: it traces the module in evaluation mode, asks for an ML program,
and returns coremltools' own `MLModel`. Whatever coremltools can do beyond that is passed through.
"""

import numpy as np

from ..._modules import check_example, evaluating
from ..._optional import require
from ..._quiet import coremltools, working
from ...compressed import check_choice
from .patches import CONVERSION, convertible, reporting
from .verification import verify

TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18", "iOS26")
PRECISIONS = ("float16", "float32")


def convert(model, example, target=None, precision="float16", *, check=True, progress=None, **options):
    """Convert a torch module to a Core ML program, and check that it computes the same.

    Parameters
    ----------
    model : torch.nn.Module
        Traced in evaluation mode; left as it was.
    example : torch.Tensor or tuple of torch.Tensor
        Inputs to trace with. Their shapes become the shapes of the package's inputs.
    target : {"iOS15", "iOS16", "iOS17", "iOS18", "iOS26"}, optional
        The oldest system that has to run the package, as an iOS version; macOS, watchOS, tvOS and
        visionOS of the same year are meant too. Newer targets have more compressed forms: 4-bit
        blocks, grouped palettes and joint compression need iOS18. By default coremltools chooses
        iOS15, which has no compressed forms (coremltools raises it when it compresses).
    precision : {"float16", "float32"}
        Of weights and activations in the package.
    check : bool
        Run the package in toykit's interpreter on the example, beside torch, and compare the answers. It
        takes a small part of the conversion's own time. Where the example is the same everywhere, such
        as zeros, noise is used in its place.
    progress : callable (done, total), optional
        Called after each step of a stage of the conversion; `total` is that of the stage, and several
        stages follow each other.
    **options
        Passed to `coremltools.convert`, such as `inputs=` for images or flexible shapes, in place of
        the plain tensors described by `example`.

    Returns
    -------
    coremltools.models.MLModel
        On macOS ready to predict; elsewhere it can be saved, compressed and read.

    Raises
    ------
    ImportError
        Where torch or coremltools is missing.
    TypeError, ValueError
        If an argument has the wrong type, or a name is unknown. And if the package answers otherwise than
        torch: coremltools passes over some options in silence, such as an `output_padding` that is larger
        than what the kernel leaves. The error says at which layer they part, where that can be found.

    Warns
    -----
    UserWarning
        If the package could not be checked, such as for an operator that toykit cannot run; or if
        float16 alone moves the answers far.
    """
    torch = require("torch", "toykit.coreml.convert needs torch to trace the model")
    ct = coremltools()
    examples = check_example(torch, model, example)
    if target is not None:
        check_choice("target", target, TARGETS)
    check_choice("precision", precision, PRECISIONS)

    with (
        reporting(progress, CONVERSION),
        working(),
        evaluating(model),
        convertible(torch),
        torch.no_grad(),
    ):
        traced = torch.jit.trace(model, examples)
        options.setdefault("inputs", [_input(ct, torch, tensor) for tensor in examples])
        mlmodel = ct.convert(
            traced,
            convert_to="mlprogram",
            minimum_deployment_target=None if target is None else getattr(ct.target, target),
            compute_precision=getattr(ct.precision, precision.upper()),
            **options,
        )
    if check:
        verify(torch, traced, examples, mlmodel, options["inputs"], precision)
    return mlmodel


def _input(ct, torch, tensor):
    """Describe an input: its shape and, where it is an integer, its type (Core ML has int32 only)."""
    integer = not (tensor.is_floating_point() or tensor.is_complex())
    return ct.TensorType(shape=tuple(tensor.shape), **({"dtype": np.int32} if integer else {}))
