"""With a few samples and no training: run a calibration set, and repair what can be repaired for free.

Methods that calibrate have the same interface as those that train. Instead of an optimizer there is a
calibration set, a few samples without labels:

    gptq = training.GPTQ()
    model = gptq.prepare(model, training.GPTQConfig(bits=4))
    training.calibrate(gptq, samples)
    model = gptq.finalize()
"""

import torch
from torch import nn

from .._modules import evaluating
from ..compressed import check_int, check_type
from .common import LAYERS, NEVER, Method, check_tensor, find_layers, hooked


def calibrate(method, samples, batch_size=64):
    """Run a calibration set through a prepared model, in evaluation mode and without gradients.

    Parameters
    ----------
    method : Method
        After `prepare`. Its `step` is called once a batch.
    samples : tensor
        Samples along the first axis.
    batch_size : int

    Raises
    ------
    TypeError
        If `samples` is not a floating-point tensor.
    ValueError
        If there are no samples, one is not finite, or the model does not take their shape.
    """
    check_type("method", method, Method, "a method such as training.GPTQ()")
    check_tensor("samples", samples, least=1)
    batch_size = check_int("batch_size", batch_size, range(1, NEVER))
    method.check_active("calibrate()")
    with evaluating(method.model):
        for batch in samples.split(batch_size):
            with torch.no_grad():
                _run(method.model, batch)
            method.step()


def _run(model, samples):
    try:
        model(samples)
    except Exception as problem:  # whatever the model raises on samples that are not for it
        raise ValueError(
            f"the model does not take samples of shape {tuple(samples.shape[1:])}: {problem}"
        ) from problem


@torch.no_grad()
def correct_biases(model, original, samples):
    """Give each channel back the mean that compression took from it.

    Rounding errors do not average out over a channel: its output is shifted, by the errors times the
    mean of the inputs. The shift is constant, so a bias can carry the correction, for free.

    Parameters
    ----------
    model : torch.nn.Module
        After `finalize`. Its biases are changed in place; layers without one get one, and layers that the
        model never calls stay as they are: what they put out is not seen.
    original : torch.nn.Module
        The network before compression.
    samples : tensor

    Returns
    -------
    torch.nn.Module
        `model`. Both networks are in the modes that they were in.

    Raises
    ------
    TypeError, ValueError
        If a model is no module, `model` lacks a layer of `original`, or one does not take the samples.
        The biases are then as they were.

    References
    ----------
    Nagel, van Baalen, Blankevoort, Welling, "Data-free quantization through weight equalization and
    bias correction", ICCV 2019.
    """
    check_type("model", model, nn.Module, "a torch.nn.Module")
    check_type("original", original, nn.Module, "a torch.nn.Module")
    check_tensor("samples", samples, least=1)
    names = find_layers(original)
    parts = dict(model.named_modules())
    for name, before in names.items():
        if not isinstance(parts.get(name), LAYERS) or parts[name].weight.shape != before.weight.shape:
            raise ValueError(
                f"model must be original after compression; it has no layer {name!r} of its shape"
            )
    biases = {name: None if parts[name].bias is None else parts[name].bias.clone() for name in names}
    try:
        with evaluating(model, original):
            # In order: what reaches a layer depends on the biases before it.
            for name, before in names.items():
                layer = parts[name]
                wanted, found = (
                    _mean_output(*each, samples) for each in ((before, original), (layer, model))
                )
                if wanted is None or found is None:
                    continue
                shift = wanted - found
                if layer.bias is None:
                    layer.bias = nn.Parameter(shift)
                else:
                    layer.bias += shift
    except BaseException:
        for name, bias in biases.items():
            if bias is None:
                parts[name].bias = None
            else:
                parts[name].bias.copy_(bias)
        raise
    return model


def _mean_output(layer, model, samples):
    """The mean of each output channel of a layer over samples; None if it is not called."""
    seen = []
    with hooked(layer, lambda layer, inputs, output: seen.append(output)):
        _run(model, samples)
    if not seen:
        return None
    channel = -1 if isinstance(layer, nn.Linear) else 1
    return torch.cat([output.movedim(channel, 0).flatten(1) for output in seen], 1).mean(1)
