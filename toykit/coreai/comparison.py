"""How far the answers of two models are apart, on whichever stack each runs.

A Core ML package runs in toykit's interpreter, a Core AI asset in Apple's runtime, a torch module in torch. Their
inputs and outputs are brought together by name, or by their order, and what is said of the answers is what
`toykit.coreml.compare` says of two packages.

Not here: inputs that are images and outputs that are labels, which Core AI does not have.
"""

import contextlib
import inspect
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .._modules import evaluating
from ..compressed import shown
from ..coreml.format.features import Feature
from ..coreml.runtime import model as coreml
from ..coreml.runtime.comparison import Comparison, check_given, tried
from .asset import Asset, is_program
from .model import Model, load

SOURCES = "an .mlpackage, an .aimodel, an AIProgram or a torch module"


def compare(reference, model, inputs=None, *, samples=None, seed=0, progress=None):
    """Run two models with the same inputs, and say how far their answers are apart.

    Parameters
    ----------
    reference, model : str, Path, Package, MLModel, Asset, AIProgram or torch.nn.Module
        An .mlpackage runs in toykit's interpreter, an .aimodel or AIProgram in Apple's runtime, a module in torch,
        in evaluation mode. Models that `tk.coreml.load` or `tk.coreai.load` returned are taken as they are.
    inputs : dict of str to array, list of such dictionaries, str or Path, optional
        As in `toykit.coreml.compare`, under the names of either model. Two torch modules need them; a module's
        inputs have the names of the parameters of its `forward`.

        By default inputs are random. What whole numbers may be is read from the program of an .mlpackage; without
        one they are 0 and 1.
    samples : int, optional
        How many random inputs; 8 by default.
    seed : int
        Of the random inputs.
    progress : callable (done, total), optional
        Called after each sample.

    Returns
    -------
    toykit.coreml.runtime.comparison.Comparison
        Outputs have the names of the reference, or, where that is a module, of the model. Numbers that only one of
        the two takes in float16 are rounded to it for both, so that the same numbers go into each.

    Raises
    ------
    FileNotFoundError
        If there is no model at a path.
    ImportError
        If an .aimodel is to run, and coreai-core is not installed.
    TypeError, ValueError
        If the models have different inputs or outputs, these are images or labels, there are states, the inputs
        do not fit, or an argument is not as described.

    Examples
    --------
    >>> import torch, toykit as tk
    >>> net = torch.nn.Linear(64, 64).half().float()
    >>> found = compare(net, tk.coreml.convert(net, torch.zeros(1, 64)))
    >>> found.worst > 50
    True
    """
    given = check_given(inputs, samples, seed)
    two, one = _side("reference", reference), _side("model", model)
    with one.ready(), two.ready():
        pair, notes = _brought_together(one, two, given)
        names = {own: shared for asked in pair for shared, own in asked.input_names.items()}
        found = tried(*pair, _renamed(given, names), samples, seed, progress)
    return Comparison(found.outputs, (*found.inputs, *notes))


def _renamed(given, names):
    """Inputs by the names that both models are asked with."""
    if isinstance(given, list | tuple):
        return [_renamed(sample, names) for sample in given]
    return (
        {names.get(name, name): array for name, array in given.items()} if isinstance(given, dict) else given
    )


# --- what answers ---


@dataclass(frozen=True)
class _Label:
    """What a model is called, and its size."""

    text: str
    nbytes: int

    def __str__(self):
        return self.text


class _CoreML:
    """A package, in toykit's interpreter."""

    def __init__(self, model):
        self.package, self.inputs, self.outputs = model.package, model.inputs, model.outputs
        self._model, self.models = model, getattr(model, "models", (model,))
        if model.states:
            names = ", ".join(model.states)
            raise ValueError(
                f"{self.package} has states ({names}); tk.coreml.compare can compare such packages"
            )
        for feature in (*self.inputs.values(), *self.outputs.values()):
            if feature.kind != "multiArray":
                raise ValueError(
                    f"{self.package}: {feature.name!r} is of kind {feature.kind}, and Core AI has arrays alone; two "
                    "packages are compared by tk.coreml.compare"
                )

    def dtype(self, name):
        return self.inputs[name].dtype

    def ready(self):
        return contextlib.nullcontext()

    def answer(self, arrays, watch=None):
        return self._model._answer(arrays, None, watch)


class _CoreAI:
    """An asset or a program, in Apple's runtime."""

    models = ()

    def __init__(self, model, package):
        self._model, self.package = model, package
        self.inputs, self.outputs = model.inputs, model.outputs
        if model.states:
            names = ", ".join(model.states)
            raise ValueError(f"{package} has states ({names}), and models are compared without any")

    def dtype(self, name):
        return self.inputs[name].dtype

    def ready(self):
        return contextlib.nullcontext()

    def answer(self, arrays, watch=None):
        return self._model.predict(arrays)


class _Torch:
    """A module. What goes in and comes out is known from the other model, or from what it is given."""

    models, inputs, outputs = (), None, None

    def __init__(self, module):
        parameters = list(module.parameters())
        nbytes = sum(one.numel() * one.element_size() for one in parameters)
        self.package, self._module = _Label(type(module).__name__, nbytes), module
        self._like = next((one for one in parameters if one.is_floating_point()), None)
        self.parameters = [
            name
            for name, one in inspect.signature(module.forward).parameters.items()
            if one.kind is one.POSITIONAL_OR_KEYWORD
        ]

    def dtype(self, name):
        return "float32" if self._like is None else str(self._like.dtype).removeprefix("torch.")

    @contextlib.contextmanager
    def ready(self):
        """In evaluation mode for a while: each part of the module gets its own mode back."""
        import torch

        with evaluating(self._module), torch.no_grad():
            yield

    def answer(self, arrays, watch=None):
        """Arrays by the names that the module gives them, or by their place."""
        tensors = {name: self._tensor(values) for name, values in arrays.items()}
        by_name = set(tensors) <= set(self.parameters)
        try:
            found = self._module(**tensors) if by_name else self._module(*tensors.values())
        except Exception as problem:  # whatever a module raises on an input that is not for it
            raise ValueError(f"{self.package} does not take these inputs: {problem}") from problem
        flat = _flat(found)
        named = (
            found
            if isinstance(found, dict)
            else {f"output {n}" if n else "output": one for n, one in enumerate(flat)}
        )
        return {name: _array(tensor) for name, tensor in named.items()}

    def _tensor(self, values):
        import torch

        tensor = torch.from_numpy(np.array(values))  # of native byte order, and its own
        if tensor.dtype is torch.bool:
            return tensor if self._like is None else tensor.to(self._like.device)
        tensor = tensor.float() if tensor.is_floating_point() else tensor.long()
        if self._like is None:
            return tensor
        return tensor.to(self._like.device, self._like.dtype if tensor.is_floating_point() else None)


def _flat(value):
    """The tensors of an answer, in order."""
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in _flat(part)]
    return [value]


def _array(tensor):
    tensor = tensor.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def is_module(source):
    """Whether something is a torch module; torch is not imported to find out."""
    return hasattr(source, "named_parameters")


def _side(argument, source):
    """What runs a model."""
    if is_module(source):
        return _Torch(source)
    if isinstance(source, coreml.Model):
        return _CoreML(source)
    kind, is_path = type(source).__name__, isinstance(source, str | os.PathLike)
    suffix = Path(source).suffix.lower() if is_path else ""
    if suffix == ".mlpackage" or kind in ("Package", "MLModel"):
        return _CoreML(coreml.load(source))
    if isinstance(source, Model):
        return _CoreAI(source, _Label("the model", 0))
    if is_program(source):
        return _CoreAI(load(source), _Label("the program", 0))
    if suffix == ".aimodel" or isinstance(source, Asset):
        asset = source if isinstance(source, Asset) else Asset(source)
        return _CoreAI(load(asset), _Label(asset.path.name, asset.nbytes))
    raise (ValueError if is_path else TypeError)(f"{argument} must be {SOURCES}; got {shown(source)}")


# --- which input is which ---


@dataclass
class _Asked:
    """A model, asked by the names that both share: as `toykit.coreml.runtime.comparison.tried` wants it.

    Attributes
    ----------
    side : _CoreML, _CoreAI or _Torch
    inputs, outputs : dict of str to Feature
        By shared names.
    input_names, output_names : dict of str to str
        Shared name -> own name. A torch module's outputs have none of their own.
    traced : _CoreML or None
        Whose program tells what whole numbers may be, if one of the two has one.
    rounded : set of str
        Inputs that the other model takes in float16.
    """

    side: Any
    inputs: dict
    outputs: dict
    input_names: dict
    output_names: dict
    traced: Any = None
    rounded: set = field(default_factory=set)
    states: dict = field(default_factory=dict)

    @property
    def package(self):
        return self.side.package

    @property
    def models(self):
        return self.traced.models if self.traced else ()

    def make_state(self):
        return {}

    def _answer(self, inputs, state=None, watch=None):
        if unknown := [name for name in inputs if name not in self.inputs]:
            known = ", ".join(map(repr, self.inputs))
            raise ValueError(f"the models have no input {unknown[0]!r}; their inputs are {known}")
        if missing := [name for name in self.inputs if name not in inputs]:
            raise ValueError(f"input {missing[0]!r} is missing")
        numbers = {name: self._number(name, values) for name, values in inputs.items()}
        found = self.side.answer({own: numbers[name] for name, own in self.input_names.items()}, watch)
        if watch is not None and self._counts_rows():
            self.traced.answer(numbers, watch)
        if self.side.outputs is None and set(found) != set(self.output_names.values()):
            if len(found) != len(self.outputs):
                raise ValueError(
                    f"{self.package} has {len(found)} outputs, and the other model {len(self.outputs)}"
                )
            found = dict(zip(self.output_names.values(), found.values()))
        return {name: found[own] for name, own in self.output_names.items()}

    def _counts_rows(self):
        """Whether the rows that are visited are seen in the other model's program alone."""
        whole = any(feature.dtype.startswith("int") for feature in self.inputs.values())
        return self.traced is not None and self.side is not self.traced and whole

    def _number(self, name, values):
        if self.inputs[name].dtype == "bool":
            return np.asarray(values, bool)
        return np.asarray(values).astype(np.float16) if name in self.rounded else values


def _brought_together(one, two, given):
    """Both models, asked by shared names, and sentences on what is not matched by name.

    Shared are the names of an .mlpackage for inputs, since its program tells what whole numbers may be, else those
    of the reference; and those of the reference for outputs.
    """
    known = [side for side in (two, one) if side.inputs is not None]
    first = next((side for side in known if side.models), known[0] if known else None)
    features = first.inputs if first else _features_of(given)
    notes, names = [], {}
    for side in (two, one):
        names[id(side)], said = _matched("input", features, first, side)
        notes += said
    rounded = {
        name
        for name in features
        if {one.dtype(names[id(one)][name]), two.dtype(names[id(two)][name])} > {"float16"}
    }
    if known:
        answers = known[0].outputs
    else:
        sample = given[0] if isinstance(given, list | tuple) else given
        answers = {name: Feature(str(name), "multiArray") for name in two.answer(sample)}
    if rounded:
        notes.append(f"{', '.join(sorted(rounded))}: rounded to float16, as one of the two takes numbers")
    traced, asked = first if first and first.models else None, []
    for side in (one, two):
        output_names, said = _matched("output", answers, known[0] if known else None, side)
        notes += said
        asked.append(_Asked(side, features, answers, names[id(side)], output_names, traced, rounded))
    return asked, notes


def _matched(what, shared, first, side):
    """Shared name -> the name that a side has for it, and sentences on what is matched by order."""
    own = getattr(side, f"{what}s")
    if own is None:
        own = dict.fromkeys(side.parameters[: len(shared)] if what == "input" and side.parameters else shared)
        if what == "input" and set(shared) <= set(side.parameters):
            own = dict.fromkeys(shared)
    if set(own) == set(shared):
        return {name: name for name in shared}, []
    both = f"{side.package} has {_names(own)}, {first.package if first else 'inputs'} {_names(shared)}"
    if len(own) != len(shared):
        raise ValueError(f"the models have different {what}s: {both}")
    # What has the same name is the same; the others follow each other in the same order.
    names = {name: name for name in shared if name in own}
    names |= zip([name for name in shared if name not in own], [name for name in own if name not in shared])
    for name, its in names.items():
        one, two = shared[name], own[its]
        if one is not None and two is not None and one.shape and two.shape and one.shape != two.shape:
            raise ValueError(
                f"the models have different {what}s: {its!r} is {two.shape}, and {name!r} {one.shape}; {both}"
            )
    pairs = ", ".join(f"{its} as {name}" for name, its in names.items() if its != name)
    return {name: names[name] for name in shared}, [
        f"{what}s of {side.package} taken by their order: {pairs}"
    ]


def _names(features):
    return ", ".join(map(repr, features)) or "none"


def _features_of(given):
    """The inputs of two torch modules, as they are given."""
    sample = given[0] if isinstance(given, list | tuple) and given else given
    if not isinstance(sample, dict):
        raise ValueError(
            "inputs must be a dictionary of arrays, or a list of such, for two torch modules: neither says "
            "what it takes"
        )
    arrays = {name: np.asarray(values) for name, values in sample.items()}
    return {name: Feature(name, "multiArray", one.dtype.name, one.shape) for name, one in arrays.items()}
