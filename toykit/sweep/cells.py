"""One cell of a sweep: settings applied to a network's tensors, and what that weighs.

As in a Core ML package, tensors are stored in float16; the weights of layers are compressed, and
biases, batch norms and other tensors of at most 2,048 numbers are not. A layer that cannot take a
setting, because a block does not divide its channels, stays in float16 as well: coremltools leaves
such layers alone too.
"""

import itertools
import math
import sys
from dataclasses import dataclass

import numpy as np

from ..compressed import FLOAT16_BYTES, as_array, check_choice, check_names, check_type
from ..palettization import palettize
from ..pruning import prune
from ..quantization import quantize
from ..settings import THRESHOLD, Declined, is_recipe, read_setting

TECHNIQUES = {"prune": prune, "quantize": quantize, "palettize": palettize}


@dataclass(frozen=True)
class Applied:
    """A network after compression.

    Attributes
    ----------
    weights : dict of str to float32 array
        All tensors, as they would run.
    stored : dict of str to Compressed
        The tensors that were compressed, in their stored form.
    declined : tuple of str
        Layers that could not take their setting and stay in float16, or of a joint setting not all of it.
    nbytes : int
        Of all tensors: the parts of the compressed ones, 2 bytes a number for the others.
    parameters : int
    snr_db : float
        Weight error over the layers that were meant to be compressed: 10 log10 of the weights'
        energy over the errors'.
    """

    weights: dict
    stored: dict
    declined: tuple
    nbytes: int
    parameters: int
    snr_db: float

    @property
    def bits_per_weight(self):
        return 8 * self.nbytes / self.parameters


def layers(weights):
    """The names of the tensors that compression is for: two axes or more, and over 2,048 numbers.

    Parameters
    ----------
    weights : dict of str to array

    Returns
    -------
    list of str
    """
    weights = tensors(weights)
    return [name for name, array in weights.items() if array.ndim > 1 and array.size > THRESHOLD]


def grid(technique, **options):
    """Settings for every combination of the options given as lists or tuples.

    Parameters
    ----------
    technique : {"prune", "quantize", "palettize", "float16"}
    **options
        A list or tuple is a choice of values; wrap a value that is itself one: `n_m=[(2, 4)]`.

    Returns
    -------
    list of dict

    Examples
    --------
    >>> grid("palettize", bits=(2, 4), mode="kmeans")
    [{'technique': 'palettize', 'bits': 2, 'mode': 'kmeans'}, {'technique': 'palettize', 'bits': 4, 'mode': 'kmeans'}]
    """
    choices = [value if isinstance(value, list | tuple) else [value] for value in options.values()]
    settings = [
        {"technique": technique, **dict(zip(options, chosen, strict=True))}
        for chosen in itertools.product(*choices)
    ]
    for setting in settings:
        read_setting(setting)
    return settings


def apply(weights, setting, only=None):
    """Compress a network's layers and count the bytes.

    Parameters
    ----------
    weights : dict of str to float array, or torch.nn.Module
        Not modified.
    setting : dict
        One for all layers, with options of `tk.prune`, `tk.quantize` or `tk.palettize`:
        `{"technique": "quantize", "bits": 8}`; for joint compression
        `{"technique": "joint", "prune": {"sparsity": 0.7}, "palettize": {"bits": 4}}`; or one for
        each layer, `{"conv1.weight": {"technique": ...}, ...}`, where layers not named stay in
        float16.
    only : list of str, optional
        Layers to compress with a single setting; by default those that `layers` names.

    Returns
    -------
    Applied

    Raises
    ------
    TypeError, ValueError
        If the setting has no known technique, an option is out of range, or there is no such layer.

    Examples
    --------
    >>> network = {"a.weight": np.ones((64, 64)), "a.bias": np.ones(64)}
    >>> apply(network, {"technique": "palettize", "bits": 1}).nbytes  # 512 + 4, and 128 for the bias
    644
    """
    weights = tensors(weights)
    if is_recipe(setting):
        assignment = setting
    else:
        read_setting(setting)  # also where no layer will take it
        assignment = dict.fromkeys(layers(weights) if only is None else check_names("only", only), setting)
    plans = {}
    for name, chosen in assignment.items():
        check_choice("a layer of setting or only", name, tuple(weights))
        plans[name] = read_setting(chosen)

    running, stored, declined = dict(weights), {}, []
    nbytes = sum(FLOAT16_BYTES * array.size for array in weights.values())
    signal = noise = 0.0
    for name, steps in plans.items():
        trained = weights[name]
        half = trained.astype(np.float16)
        compressed = half
        for technique, options in steps:
            try:
                compressed = TECHNIQUES[technique](compressed, **options)
            except Declined:
                declined.append(name)
        if compressed is not half:
            stored[name] = compressed
            nbytes += compressed.nbytes - FLOAT16_BYTES * half.size
            half = compressed.dense()
        running[name] = half.astype(np.float32)
        signal += float(np.sum(trained.astype(np.float64) ** 2))
        noise += float(np.sum((trained.astype(np.float64) - running[name]) ** 2))
    snr_db = 10 * math.log10(signal / noise) if noise and signal else math.inf
    parameters = sum(array.size for array in weights.values())
    return Applied(running, stored, tuple(dict.fromkeys(declined)), nbytes, parameters, snr_db)


def tensors(weights):
    """The float tensors of a torch module or of a dictionary, as arrays.

    Raises
    ------
    TypeError, ValueError
        If it is neither, or there is no tensor in it.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(weights, torch.nn.Module):
        weights = {
            name: tensor for name, tensor in weights.state_dict().items() if tensor.is_floating_point()
        }
    if not isinstance(weights, dict):
        raise TypeError(f"weights must be a torch module or a dict of arrays; got {type(weights).__name__}")
    if not weights:
        raise ValueError("weights must hold at least one tensor; got an empty dict")
    found = {}
    for name, array in weights.items():
        check_type("every name in weights", name, str, "a text")
        found[name] = as_array(f"weights[{name!r}]", array)
        if found[name].dtype.kind not in "fiub":
            raise TypeError(f"weights[{name!r}] must be an array of numbers, got {found[name].dtype}")
    return found
