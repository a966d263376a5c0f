"""Layers of networks: counted from a module or a package, and of two well-known ones by arithmetic.

Only layers with weights count: convolutions and linear layers. Batch norms are folded into them,
and what is left (activations, pooling, additions) is little work that a compiler fuses.
"""

from pathlib import Path

from .._optional import require
from ..compressed import check_shape
from .descriptions import Layer
from .package_layers import layers as of_package


def layers(source, input_shape=None):
    """The layers of a model and what they do for one input.

    Parameters
    ----------
    source : torch.nn.Module, path of an .mlpackage, or Package
        A module may lie on torch's meta device: only shapes are needed.
    input_shape : tuple of int
        Of the input of a module, batch of 1 first. A package knows its own.

    Returns
    -------
    list of Layer
        In the order in which they run.

    Raises
    ------
    TypeError
        If `source` is something else.
    ValueError
        If a module comes without a shape, or nothing in the model has weights.

    Examples
    --------
    >>> import torch
    >>> layers(torch.nn.Linear(3, 2, device="meta"), (1, 3))
    [Layer(name='', shape=(2, 3), macs=6, inputs=3, outputs=2)]
    """
    if isinstance(source, (str, Path)) or type(source).__name__ == "Package":
        found = of_package(source)
    else:
        torch = require("torch", "toykit.latency.layers needs torch to read a module")
        if not isinstance(source, torch.nn.Module):
            raise TypeError(
                f"source must be a torch module or the path of a package, got {type(source).__name__}"
            )
        if input_shape is None:
            raise ValueError("input_shape must say how large an input is, for example (1, 3, 224, 224)")
        from .module_layers import layers as of_module

        found = of_module(source, check_shape("input_shape", input_shape, most=8))
    if not found:
        raise ValueError("source has no convolution or linear layer")
    return found


def _convolution(name, channels_in, channels, kernel, size_in, size, groups=1):
    shape = (channels, channels_in // groups, kernel, kernel)
    weights = channels * (channels_in // groups) * kernel**2
    return Layer(name, shape, weights * size**2, channels_in * size_in**2, channels * size**2)


def resnet50_layers():
    """ResNet-50 for one image of 224 x 224: 54 layers, as `layers` counts them in the module.

    Examples
    --------
    >>> found = resnet50_layers()
    >>> len(found), sum(layer.weights for layer in found), sum(layer.macs for layer in found)
    (54, 25502912, 4089184256)
    """
    found = [_convolution("conv1", 3, 64, 7, 224, 112)]
    size, channels_in = 56, 64
    for stage, (channels, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(blocks):
            size_in = size
            if stage > 1 and block == 0:
                size //= 2
            name = f"layer{stage}.{block}"
            found.append(_convolution(f"{name}.conv1", channels_in, channels, 1, size_in, size_in))
            found.append(_convolution(f"{name}.conv2", channels, channels, 3, size_in, size))
            found.append(_convolution(f"{name}.conv3", channels, 4 * channels, 1, size, size))
            if block == 0:
                shortcut = f"{name}.downsample.0"
                found.append(_convolution(shortcut, channels_in, 4 * channels, 1, size_in, size))
            channels_in = 4 * channels
    return [*found, Layer("fc", (1000, 2048), 2048 * 1000, 2048, 1000)]


def mobilenet_v2_layers():
    """MobileNetV2 (width 1.0) for one image of 224 x 224.

    References
    ----------
    Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018, table 2.

    Examples
    --------
    >>> found = mobilenet_v2_layers()
    >>> len(found), sum(layer.weights for layer in found), sum(layer.macs for layer in found)
    (53, 3469760, 300774272)
    """
    found = [_convolution("conv1", 3, 32, 3, 224, 112)]
    size, channels_in, number = 112, 32, 0
    # Expansion, output channels, blocks, stride of the first block.
    for widen, channels, blocks, stride in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for block in range(blocks):
            size_in, wide, name = size, widen * channels_in, f"block{number}"
            if block == 0:
                size //= stride
            if widen > 1:
                found.append(_convolution(f"{name}.expand", channels_in, wide, 1, size_in, size_in))
            found.append(_convolution(f"{name}.depthwise", wide, wide, 3, size_in, size, groups=wide))
            found.append(_convolution(f"{name}.project", wide, channels, 1, size, size))
            channels_in, number = channels, number + 1
    found.append(_convolution("last", 320, 1280, 1, 7, 7))
    return [*found, Layer("fc", (1000, 1280), 1280 * 1000, 1280, 1000)]
