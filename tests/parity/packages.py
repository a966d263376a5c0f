"""A small network, compressed by coremltools itself, and the arrays that its package then holds."""

import numpy as np
import torch
from torch import nn

from toykit._quiet import coremltools, quiet
from toykit.bits import unpack
from toykit.coreml import convert
from toykit.coreml.format.package import Package

LAYERS = ("conv", "linear", "conv_transpose")


class Network(nn.Module):
    """A convolution, a transposed one and a linear layer, with outliers as trained weights have them.

    Each has more than 10,000 weights: for fewer, coremltools' k-means depends on its start.
    """

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(32, 64, 3, padding=1)
        self.transposed = nn.ConvTranspose2d(64, 64, 2, stride=2)
        self.linear = nn.Linear(64, 192)
        generator = torch.Generator().manual_seed(0)
        for layer in (self.conv, self.transposed, self.linear):
            noise = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.data = 0.05 * noise * (1 + noise**2 / 4)

    def forward(self, x):
        return self.linear(torch.relu(self.transposed(torch.relu(self.conv(x)))).mean((2, 3)))


def network(target="iOS18", precision="float16"):
    """The network as coremltools converts it."""
    torch.manual_seed(0)
    return convert(
        Network().eval(), torch.zeros(1, 32, 8, 8), target=target, precision=precision, check=False
    )


def compressed(model, *steps):
    """The model after one or more of coremltools' functions: ("prune_weights", a config), ...

    Every weight is compressed, however small; the second step and those after it are joint.
    """
    ct = coremltools()
    import coremltools.optimize.coreml as cto

    with quiet():
        for number, (function, config) in enumerate(steps):
            optimization = cto.OptimizationConfig(global_config=config)
            joint = {"joint_compression": True} if number else {}
            model = getattr(cto, function)(model, optimization, **joint)
    assert isinstance(model, ct.models.MLModel)
    return model


def stored(model, path):
    """The weights of a model as its package on disk holds them.

    Returns
    -------
    dict of (layer, operation, parameter) to Value
        For example ("conv", "constexpr_sparse_to_dense", "mask"); a weight that is not compressed
        is ("conv", "const", "val").
    """
    with quiet():
        model.save(str(path))
    package = Package(path)
    makers = {name: operation for operation in package.program.walk() for name in operation.outputs}
    found = {}

    def follow(layer, name):
        maker = makers[name]
        for parameter, value in maker.attributes.items():
            if parameter != "name":
                found[layer, maker.op, parameter] = value
        for parameter, arguments in maker.inputs.items():
            for argument in arguments:
                if not isinstance(argument, str):
                    found[layer, maker.op, parameter] = argument
                elif makers[argument].op == "const":
                    found[layer, maker.op, parameter] = makers[argument].attributes["val"]
                else:
                    follow(layer, argument)

    for operation in package.program.walk():
        if operation.op in LAYERS:
            (weight,) = operation.inputs["weight"]
            if isinstance(weight, str):
                follow(operation.op, weight)
            else:
                found[operation.op, "const", "val"] = weight
    return found


def agrees(value, stored):
    """Whether a constant of a package is an array of toykit's, to the bit.

    A constant of fewer than 10 elements lies in the program, not in the weight file, and is compared
    unpacked.
    """
    if value.blob is not None:
        return np.asarray(value.blob.packed).tobytes() == stored.tobytes()
    theirs = value.numpy()
    width = value.type.dtype.removeprefix("u").removeprefix("int")
    if width in ("1", "2", "3", "4", "6"):
        stored = unpack(stored, int(width), theirs.size, signed=value.type.dtype.startswith("int"))
    return stored.dtype == theirs.dtype and np.array_equal(theirs.ravel(), stored.ravel())
