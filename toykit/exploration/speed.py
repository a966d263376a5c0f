"""How long the packages may take, modelled: two rooflines that explain Apple's latencies of another network.

Nothing is measured here, and nothing is promised: a network can have operators that no roofline knows of, and run
on another unit than it was meant for. Who wants to know measures on a device.
"""

from dataclasses import dataclass

from ..coreml.format.package import open_package
from ..coreml.format.protobuf import PackageError
from ..latency.chips import IPHONE_15_PRO
from ..latency.formats import format_of
from ..latency.package_layers import layers
from ..latency.roofline import timing
from .settings import FLOAT16


@dataclass(frozen=True)
class Modelled:
    """Modelled seconds, of which nothing was measured.

    Attributes
    ----------
    before, after : (float, float)
        The least and the most, of the model as it was and as it is, over two kinds of chip and both ways to decompress:
        just in time, and ahead of time.
    layers : int
        Convolutions and linear layers that were counted; all else was not.
    """

    before: tuple
    after: tuple
    layers: int


def modelled(source, recipe):
    """Model how long a network takes, as it was and with a recipe.

    Parameters
    ----------
    source : str, Path or Package
        The model as it was.
    recipe : dict of str to dict
        A setting for weights, by name.

    Returns
    -------
    Modelled or str
        Why it cannot be modelled, where it cannot.
    """
    package = open_package(source)
    try:
        found = layers(package)
        weights = _weights(package, {layer.name for layer in found})
        formats = {layer.name: format_of(recipe.get(weights.get(layer.name), FLOAT16)) for layer in found}
        if not found:
            return "it has no convolution and no linear layer"
        return Modelled(
            _range(found, {name: format_of(FLOAT16) for name in formats}), _range(found, formats), len(found)
        )
    except (PackageError, ValueError) as problem:
        return str(problem)


def _weights(package, names):
    """The name of the weight of each layer."""
    function = next(iter(package.program.functions.values()))
    found = {}
    for operation in function.block.walk():
        if operation.name in names:
            found[operation.name] = next(
                (value for value in operation.inputs.get("weight", []) if isinstance(value, str)), None
            )
    return found


def _range(layers, formats):
    seconds = [
        timing(layers, chip, formats, when).total
        for chip in IPHONE_15_PRO
        for when in ("just_in_time", "ahead_of_time")
    ]
    return min(seconds), max(seconds)
