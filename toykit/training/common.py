"""The one interface of all methods that compress while a network trains.

    pruner = training.Pruner()
    model = pruner.prepare(model, training.PruningConfig(sparsity=0.9, end=500))
    for x, y in batches:
        loss(model(x), y).backward()
        optimizer.step()            # made after prepare: it is the prepared model that trains
        pruner.step()
    model = pruner.finalize()
    pruner.compressed               # {"conv1": Sparse(...), ...}: what is stored, to the byte

`prepare` copies the model and registers a *parametrization* of each weight (`torch.nn.utils.parametrize`): a
small module that takes the weights that train and gives the weights that run (masked, rounded, averaged).
torch keeps the weights that train as `layer.parametrizations.weight.original`. The optimizer moves those;
the layer only ever sees what the parametrization makes of them. `finalize` removes it and leaves the
weights that run, and beside them what Core ML needs to store them (`toykit.training.compression_metadata`).

Not here: several methods at once on the same layer.
"""

import contextlib
import copy
import warnings
from typing import Generic, Protocol, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from .._modules import evaluating
from ..compressed import check_int, check_names, check_type
from .compression_metadata import is_stored, store

NEVER = 2**62  # no training has that many steps
# Layers whose weight has the output channel on axis 0, as every technique of Part II expects.
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Scope(Protocol):
    """The options that every config has: which layers a method acts on."""

    @property
    def skip(self) -> tuple: ...
    @property
    def min_size(self) -> int: ...


Config = TypeVar("Config", bound=Scope)


class Method(Generic[Config]):
    """Prepare, step, finalize. A kind of method says what the parametrization does, and when it changes.

    Attributes
    ----------
    compressed : dict of str to Compressed
        After `finalize`: what is stored for each layer, by the layer's name.
    skipped : dict of str to str
        After `finalize`: layers that were not compressed as the config says, and why. They are warned of.
    model : torch.nn.Module
        After `prepare`: the copy that it made.
    config : object
        After `prepare`: what it was given.
    steps : int
        How many times `step` was called.
    """

    config_type: type[Config]
    model: nn.Module
    config: Config

    def __init__(self):
        self.compressed, self.skipped, self.steps = {}, {}, 0
        self._prepared = self._finalized = False

    def prepare(self, model: nn.Module, config: Config) -> nn.Module:
        """Copy a model and let this method act on its weights.

        Parameters
        ----------
        model : torch.nn.Module
            Its weights are float32. Frozen layers (``requires_grad=False``) are compressed as well;
            their weights that train stay where they are. A weight that two layers share stays shared.
        config : the config of this method

        Returns
        -------
        torch.nn.Module
            The copy, in training mode. Make the optimizer from its parameters.

        Raises
        ------
        RuntimeError
            If this method is in use already.
        TypeError
            If the model or the config is of another kind, or a weight is not float32.
        ValueError
            If the model has no layer to compress, or a layer is compressed already.
        """
        if self._prepared:
            kind = type(self).__name__
            raise RuntimeError(f"prepare() was called before; make a new {kind}() for each model")
        check_type("model", model, nn.Module, "a torch.nn.Module")
        check_type("config", config, self.config_type, f"a {self.config_type.__name__}")
        try:
            model = copy.deepcopy(model).train()
        except RuntimeError as problem:
            raise ValueError(f"model cannot be copied: {problem}") from problem
        self.config = config
        layers = self.choose(model)
        self.layers = {}
        registered = {}  # by the identity of the weight: layers that share one share its parametrization
        for name, layer in layers.items():
            weight = layer.weight
            if id(weight) not in registered:
                registered[id(weight)] = self.parametrization(name, weight.detach())
                self.layers[name] = layer
            if registered[id(weight)] is not None:
                # `unsafe` skips a trial run of it, which would count as a training step.
                parametrize.register_parametrization(layer, "weight", registered[id(weight)], unsafe=True)
                layer.parametrizations.weight.original = weight
        self.model, self._all_layers, self._prepared = model, layers, True
        self.begin(layers)
        return model

    def step(self):
        """Advance the schedule by one optimizer step. Call it after `optimizer.step()`.

        Raises
        ------
        FloatingPointError
            If a weight has become infinite or not a number: the loss was NaN, or the rate too high.
        RuntimeError
            Before `prepare` or after `finalize`.
        """
        self.check_active("step()")
        self.steps += 1
        for name, layer in self.layers.items():
            if not torch.isfinite(trained_weight(layer)).all():
                raise FloatingPointError(
                    f"the weights of {name!r} are not finite after step {self.steps}: the loss was NaN or "
                    "infinite. Lower the learning rate, or clip the gradient."
                )
        self.advance()

    @torch.no_grad()
    def finalize(self) -> nn.Module:
        """Settle on the weights that run, and put what Core ML stores beside them.

        Returns
        -------
        torch.nn.Module
            The prepared model in evaluation mode, without parametrizations. `coremltools.convert` finds how
            its weights are compressed, and stores exactly the parts in `compressed`.

        Raises
        ------
        RuntimeError
            Before `prepare`, twice, or before the schedule has reached its target.
        """
        self.check_active("finalize()")
        self.check_complete()
        made = {}
        with evaluating(self.model):  # as it was, if a layer cannot be compressed: training may go on
            for name, layer in self._all_layers.items():
                weight = trained_weight(layer)
                if id(weight) not in made:
                    made[id(weight)] = self.compress(name, layer, weight)
        self.model.eval()
        # The parametrizations go only now: layers that share a weight ask the same one.
        tied = {}
        for name, layer in self._all_layers.items():
            key = id(trained_weight(layer))
            if parametrize.is_parametrized(layer, "weight"):
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            if key in tied:
                layer.weight = tied[key]
            store(layer, made[key])
            tied[key] = layer.weight
            self.compressed[name] = made[key]
        self.end()
        self._finalized = True
        if self.skipped:
            said = "; ".join(f"{name!r} {why}" for name, why in self.skipped.items())
            warnings.warn(f"not compressed as the config says: {said}", stacklevel=3)
        return self.model

    @property
    def nbytes(self):
        """Bytes of all that is stored for the compressed layers; a shared weight counts once."""
        return sum(c.nbytes for c in {id(c): c for c in self.compressed.values()}.values())

    def check_active(self, call):
        """Raise RuntimeError unless `call` comes between `prepare` and `finalize`."""
        if not self._prepared:
            raise RuntimeError(f"{call} needs a prepared model: call prepare(model, config) first")
        if self._finalized:
            raise RuntimeError(f"{call} was called after finalize(); make a new {type(self).__name__}()")

    def leave_out(self, names, why):
        """Before anything is compressed: leave the weights of these layers, and of those that share them."""
        weights = {id(trained_weight(self.layers[name])) for name in names}
        for name, layer in list(self._all_layers.items()):
            if id(trained_weight(layer)) in weights:
                self.skipped[name] = why
                del self._all_layers[name]

    # What a kind of method fills in.

    def choose(self, model):
        """The layers to compress, by name."""
        return find_layers(model, self.config.skip, self.config.min_size)

    def parametrization(self, name, weight):
        """A module from the weights that train to the weights that run, or None: those run until the end."""
        raise NotImplementedError

    def compress(self, name, layer, weight):
        """The `Compressed` form of the weights of a layer, `weight` being those that trained."""
        raise NotImplementedError

    def begin(self, layers):
        """Called at the end of `prepare`."""

    def advance(self):
        """Called at the end of `step`."""

    def check_complete(self):
        """Called at the start of `finalize`: raise RuntimeError if it comes too early."""

    def end(self):
        """Called at the end of `finalize`."""


# Why a layer has no inputs: torch.nn.MultiheadAttention hands the weight of its out_proj to a function.
NEVER_CALLED = "was never called: the model uses its weight without calling the layer, or not at all"


@contextlib.contextmanager
def hooked(layer, hook):
    """A forward hook on a layer inside the block, and not after it, whatever happens there."""
    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def check_tensor(name, value, least=None):
    """A torch tensor of floating-point numbers that lie in memory; `least` of them along the first axis.

    With `least` the numbers must be finite, too. Without, nothing is looked at: it is called in training.
    """
    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
        raise TypeError(f"{name} must be a tensor of floating-point numbers; got {kind}")
    if value.is_meta or value.layout != torch.strided:
        raise TypeError(
            f"{name} must be a dense tensor in memory; got one of {value.layout} on {value.device}"
        )
    if least is not None:
        if value.dim() == 0 or len(value) < least or value.numel() == 0:
            raise ValueError(
                f"{name} must hold at least one sample; got a tensor of shape {tuple(value.shape)}"
            )
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} must be finite; one holds NaN or infinity")
    return value


def check_scope(config):
    """The options that say which layers a method acts on, the same for all methods."""
    if not isinstance(config.skip, str):
        check_names("skip", config.skip)
    check_int("min_size", config.min_size, range(NEVER))


def parametrization_of(layer):
    """The parametrization of a layer's weight."""
    return layer.parametrizations.weight[0]


def trained_weight(layer):
    """The weights that train: those behind the parametrization, if there is one."""
    if parametrize.is_parametrized(layer, "weight"):
        return layer.parametrizations.weight.original
    return layer.weight


def find_layers(model, skip=(), min_size=0):
    """The layers of a model that can be compressed, by name.

    Parameters
    ----------
    model : torch.nn.Module
    skip : sequence of str
        Names of layers to leave alone.
    min_size : int
        Layers with fewer weights are left alone.

    Returns
    -------
    dict of str to torch.nn.Module

    Raises
    ------
    TypeError
        If a weight is not float32.
    ValueError
        If no layer is left, a name in `skip` does not exist, or a layer is compressed already.
    """
    skip = (skip,) if isinstance(skip, str) else check_names("skip", skip)
    known = dict(model.named_modules())
    for name in skip:
        if name not in known:
            raise ValueError(
                f"skip names {name!r}, which the model does not have; it has "
                + ", ".join(repr(n) for n, m in known.items() if isinstance(m, LAYERS))
            )
    layers = {}
    for name, layer in known.items():
        if not isinstance(layer, LAYERS) or name in skip or layer.weight.numel() < min_size:
            continue
        if parametrize.is_parametrized(layer, "weight") or is_stored(layer):
            raise ValueError(f"{name!r} is compressed already: start from the model as it was before")
        if layer.weight.is_meta:
            raise ValueError(
                f"{name}.weight of the model is on torch's meta device, which holds shapes and no numbers"
            )
        if layer.weight.dtype != torch.float32:
            raise TypeError(
                f"{name}.weight is {layer.weight.dtype}: updates are lost in less than float32. Train "
                "model.float(); torch.autocast gives the speed, and the package stores float16 anyway."
            )
        layers[name] = layer
    if not layers:
        kinds = ", ".join(kind.__name__ for kind in LAYERS)
        raise ValueError(
            f"the model has no layer to compress: none is a {kinds}"
            + (f" of at least {min_size} weights" if min_size else "")
            + (" outside skip" if skip else "")
        )
    return layers
