"""What is explored, and what it is tried with: a package, and the inputs of its two parts.

Not here: a metric's own samples (`toykit.exploration.metrics`).
"""

import sys

import numpy as np

from ..coreml.format.package import open_package
from ..coreml.runtime.comparison import sequences
from ..coreml.tools.conversion import convert
from ..coreml.writing.saving import save
from .metrics import HELD_OUT, SEARCH
from .store import NAME
from .writing import SOURCE


def package_of(model, folder, inputs, target):
    """The package to explore, and the inputs by its names; a network of torch is converted, and kept in the folder.

    Parameters
    ----------
    model : str, Path, Package, coremltools.models.MLModel, torch.nn.Module or torch.export.ExportedProgram
    folder : Path
    inputs : dict of str to array, or list of them, optional
        Of a network of torch: samples, in the order of its arguments.
    target : str, optional

    Returns
    -------
    (Package, inputs)

    Raises
    ------
    ValueError
        If toykit cannot explore it.
    """
    torch = sys.modules.get("torch")
    exported = getattr(getattr(torch, "export", None), "ExportedProgram", ())
    if torch is not None and isinstance(model, (torch.nn.Module, exported)):
        model, inputs = _converted(torch, model, folder, inputs, target)
    package = open_package(model)
    if package.models or package.number is not None:
        raise ValueError(f"{package} is a pipeline: explore one of its models, converted by itself")
    if package.description.states:
        raise ValueError(
            f"{package} has states ({', '.join(package.description.states)}), and weights are tried with "
            "predictions that do not depend on each other"
        )
    if len(package.program.functions) > 1:
        names = ", ".join(package.program.functions)
        raise ValueError(f"{package} has several functions ({names}): explore a package of one")
    return package, inputs


def _converted(torch, model, folder, inputs, target):
    """(the package of a network of torch, inputs by its names)"""
    given = inputs if isinstance(inputs, list) else [] if inputs is None else [inputs]
    module = isinstance(model, torch.nn.Module)
    if (module and not given) or any(not isinstance(one, dict) or not one for one in given):
        raise ValueError(
            "a torch module needs example inputs to be converted: inputs={'x': array}, one sample, in the order of its "
            "arguments, or a list of such samples"
        )
    (folder / NAME).touch()  # whatever stops it now, the folder is one of ours
    try:
        if module:
            example = tuple(torch.as_tensor(np.asarray(value)) for value in given[0].values())
        else:
            example, model = tuple(model.example_inputs[0]), model.module()
            for name in ("train", "eval"):  # it has one mode, and refuses to be asked for evaluation
                vars(model).pop(name, None)
        if any(len(one) != len(example) for one in given):
            raise TypeError(f"a sample has as many arrays as the network takes, which is {len(example)}")
        mlmodel = convert(model, example, target=target or "iOS18", check=False)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"the network cannot be converted with these inputs: {error}") from error
    package = open_package(save(mlmodel, folder / SOURCE))
    names = package.description.inputs
    return package, [dict(zip(names, one.values(), strict=True)) for one in given] or None


def parts_of(model, inputs=None, samples=2, seed=0):
    """The inputs to search with, and those that judge.

    Parameters
    ----------
    model : Model
    inputs : optional
        As in `toykit.coreml.compare`: every third sample is held out, of two the second.
    samples : int
        How many random ones, in each part, where there are no others.
    seed : int

    Returns
    -------
    (dict of str to list of dict, list of str)
        By part, and where they come from in sentences.
    """
    if inputs is None:
        found, note = sequences(model, None, samples, seed)
        judges, _ = sequences(model, None, samples, seed + 1)
        parts = {SEARCH: _flat(found), HELD_OUT: _flat(judges)}
        return parts, [f"{note}; and as many held out, seed {seed + 1}"]
    found, note = sequences(model, inputs)
    every = _flat(found)
    held = [number % 3 == 2 or len(every) == 2 > number > 0 for number in range(len(every))]
    parts = {
        part: [one for one, judges in zip(every, held, strict=True) if judges == (part == HELD_OUT)]
        for part in (SEARCH, HELD_OUT)
    }
    count = len(parts[HELD_OUT])
    said = f"{count} of them held out" if count else "nothing is held out: there is only one"
    return parts, [f"{note}; {said}"]


def spread(inputs, most):
    """Some of the inputs, evenly spaced."""
    places = np.linspace(0, len(inputs) - 1, min(most, len(inputs))).round().astype(int)
    return [inputs[place] for place in places]


def _flat(found):
    return [sample for sequence in found for sample in sequence]
