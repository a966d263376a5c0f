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

from ..compressed import check_int
from .common import NEVER, find_layers


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
    if not isinstance(samples, torch.Tensor) or not samples.is_floating_point():
        kind = samples.dtype if isinstance(samples, torch.Tensor) else type(samples).__name__
        raise TypeError(f"samples must be a tensor of floating-point numbers; got {kind}")
    if samples.dim() == 0 or len(samples) == 0:
        shape = tuple(samples.shape)
        raise ValueError(f"samples must hold at least one sample; got a tensor of shape {shape}")
    if not torch.isfinite(samples).all():
        raise ValueError("samples must be finite; one holds NaN or infinity")
    check_int("batch_size", batch_size, range(1, NEVER))
    if method.model is None:
        raise RuntimeError("calibrate() needs a prepared model: call prepare(model, config) first")
    method.model.eval()
    for batch in samples.split(batch_size):
        try:
            with torch.no_grad():
                method.model(batch)
        except RuntimeError as problem:
            raise ValueError(
                f"the model does not take samples of shape {tuple(samples.shape[1:])}: {problem}"
            ) from problem
        method.step()


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
        `model`.

    References
    ----------
    Nagel, van Baalen, Blankevoort, Welling, "Data-free quantization through weight equalization and
    bias correction", ICCV 2019.
    """
    model.eval(), original.eval()
    # In order: what reaches a layer depends on the biases before it.
    for name in find_layers(original):
        layer, before = model.get_submodule(name), original.get_submodule(name)
        wanted = _mean_output(before, original, samples)
        if wanted is None:
            continue
        shift = wanted - _mean_output(layer, model, samples)
        if layer.bias is None:
            layer.bias = nn.Parameter(shift)
        else:
            layer.bias += shift
    return model


def _mean_output(layer, model, samples):
    """The mean of each output channel of a layer over samples; None if it is not called."""
    seen = []
    hook = layer.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    model(samples)
    hook.remove()
    if not seen:
        return None
    channel = -1 if isinstance(layer, nn.Linear) else 1
    return torch.cat([output.movedim(channel, 0).flatten(1) for output in seen], 1).mean(1)
