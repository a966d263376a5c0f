"""The parameters of a torch module, as the ledger wants them.

Works on the `meta` device too, where shapes exist without weights. Torch itself is not imported: who
has a module has it.
"""

from functools import partial

from ..compressed import as_array
from ..stored.parts import Weight


def named_tensors(module):
    """Name, layer type and weight of every parameter, in the module's order.

    Parameters
    ----------
    module : torch.nn.Module

    Returns
    -------
    list of (str, str, toykit.stored.parts.Weight)
        Buffers, such as the running mean of a batch norm, are not parameters and not listed.
    """
    layers = dict(module.named_modules())
    tensors = []
    for name, parameter in module.named_parameters():
        layer = layers[name.rpartition(".")[0]]
        kind = type(layer).__name__
        # A transposed convolution keeps its input channels first.
        axes = (1, 0) if kind.startswith("ConvTranspose") else (0, 1)
        weight = Weight(
            tuple(parameter.shape),
            str(parameter.dtype).removeprefix("torch."),
            None if parameter.is_meta else partial(as_array, name, parameter),
            *axes,
            groups=getattr(layer, "groups", 1),
            structured=kind == "Linear" or kind in ("Conv1d", "Conv2d", "Conv3d"),
        )
        tensors.append((name, kind, weight))
    return tensors
