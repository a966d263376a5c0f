"""Operations and shapes of a torch module's layers, found by running it once on torch's meta device.

Looked up by `toykit.latency.layers`.
"""

import copy
import math

from .._optional import require
from .descriptions import Layer

torch = require("torch", "toykit.models needs torch to trace a module")
nn = torch.nn
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def layers(module, input_shape):
    """The convolutions and linear layers that run, in order; a layer that runs twice counts twice.

    Parameters
    ----------
    module : torch.nn.Module
        It is copied, not run itself.
    input_shape : tuple of int
        A batch of one.

    Returns
    -------
    list of toykit.latency.Layer
    """
    if not input_shape or input_shape[0] != 1:
        raise ValueError(f"input_shape must begin with a batch of 1, got {input_shape}")
    shapes = copy.deepcopy(module).to("meta").eval()  # with the hooks and the mode, which stay its own
    names = {layer: name for name, layer in shapes.named_modules()}
    found = []

    def note(layer, inputs, output):
        into = inputs[0]
        if isinstance(layer, _TRANSPOSED):
            uses, channels_first = into.numel() // layer.in_channels, True
        elif isinstance(layer, _CONVOLUTIONS):
            uses, channels_first = output.numel() // layer.out_channels, False
        else:
            uses, channels_first = output.numel() // layer.out_features, False
        # A transposed convolution spreads every input; all others gather into every output.
        shape = tuple(layer.weight.shape)
        if channels_first:
            shape = (shape[1] * layer.groups, shape[0] // layer.groups, *shape[2:])
        found.append(Layer(names[layer], shape, math.prod(shape) * uses, into.numel(), output.numel()))

    for layer in names:
        if isinstance(layer, (*_CONVOLUTIONS, *_TRANSPOSED, nn.Linear)):
            layer.register_forward_hook(note)
    try:
        with torch.no_grad():
            shapes(torch.empty(input_shape, device="meta"))
    except Exception as problem:  # whatever the module raises on an input that is not for it
        raise ValueError(
            f"the module does not take an input of input_shape {input_shape}: {problem}"
        ) from problem
    return found
