"""Predictions with the same inputs and another value of one weight: what comes before the weight is computed once.

To see what a weight does, a network is run again and again with other values for it. What the program computes before
the weight's first use is the same each time. It is kept, and moves forward: weights are asked for in the order of the
program, so nothing is computed twice.

Not here: models with states, whose results depend on what came before, and pipelines.
"""

import contextlib

import numpy as np

from ..format.protobuf import PackageError
from .inputs_outputs import check_inputs
from .plan import SEVERAL


class Partial:
    """A model, what it is given, and how far each of its predictions has come.

    Parameters
    ----------
    model : Model
        Without states, loaded with weights "ahead".
    inputs : sequence of dict
        What the model is given, one prediction each.
    memory : int
        Bytes of results that may be kept. Predictions whose results do not fit start anew each time.

    Attributes
    ----------
    steps : int
        Steps of the program that were taken so far.
    kept : int
        Bytes of results that are kept.
    """

    def __init__(self, model, inputs, memory=2**30):
        if model.states or not hasattr(model, "_steps"):
            kind = "a model with states" if model.states else "a pipeline"
            raise PackageError(f"{model.package} is {kind}, which cannot begin in the middle")
        self.model, self.memory, self.steps, self.kept = model, memory, 0, 0
        self._plan = model._steps
        self._arrays = [check_inputs(one, model.inputs) for one in inputs]
        self._at = 0
        self._results: list[tuple | None] = [None] * len(self._arrays)

    def first_use(self, operation):
        """The number of the first step that a constant reaches.

        Parameters
        ----------
        operation : toykit.coreml.format.program.Operation
            That makes the constant.
        """
        return min((number for number, _ in _uses(self._plan, operation)), default=len(self._plan.steps))

    def forward(self, to):
        """Keep what the steps before number `to` make. Of a place further back, all is computed anew."""
        if to < self._at:
            self._results = [None] * len(self._arrays)
        self._at, self.kept = to, 0
        for number in range(len(self._arrays)):
            results = self._run(number, to)
            size = sum(getattr(value, "nbytes", 0) for value in results.values())
            fits = self.kept + size <= self.memory
            self._results[number] = (to, results) if fits else None
            self.kept += size * fits

    def answers(self):
        """What the model answers with the weights that it has now: list of dict of str to array."""
        model, found = self.model, []
        for number in range(len(self._arrays)):
            results = model._named(self._plan.outputs(self._run(number, len(self._plan.steps))))
            found.append({name: model._given(name, results[name]) for name in model.outputs})
        return found

    @contextlib.contextmanager
    def changed(self, values):
        """A block in which constants have other values.

        Parameters
        ----------
        values : dict of Operation to array
            By the operation that makes the constant, in its shape.
        """
        before = []
        try:
            for operation, array in values.items():
                array = np.ascontiguousarray(array, np.float32)
                tensor = self.model._xp.array(array)
                for _, step in _uses(self._plan, operation):
                    before.append((step, step.given, step.later))
                    _give(step, next(iter(operation.outputs)), array if step.operator.numpy else tensor)
            yield
        finally:
            for step, given, later in reversed(before):
                step.given, step.later = given, later

    def _run(self, number, stop):
        """The results of a prediction after the steps before number `stop`."""
        model, arrays = self.model, self._arrays[number]
        prediction = model._prediction(arrays, {}, None)
        try:
            with model._xp.running(), prediction.running():
                start, results = self._results[number] or (0, model._entering(arrays))
                results = dict(results)
                held = {name: prediction.allocate(value) for name, value in results.items()}
                self._plan.take(results, held, prediction, start, stop)
        except PackageError as error:
            raise type(error)(f"{model.package}: {error}") from error
        self.steps += stop - start
        return results


def _uses(plan, operation, known=False):
    """Each step that a constant is given to, with the number of the outermost step around it.

    Names belong to a block: an inner one that makes the same name anew means another constant.
    """
    (name,) = operation.outputs
    if operation in plan.block.operations:
        known = True
    elif known and any(name in other.outputs for other in plan.block.operations):
        known = False
    for number, step in enumerate(plan.steps):
        if known and name in step.operation.names:
            yield number, step
        for inner in step.blocks:
            yield from ((number, used) for _, used in _uses(inner, operation, known))


def _give(step, name, tensor):
    """Hand a step another tensor where it has the constant of that name."""
    places = {parameter: [one == name for one in given] for parameter, given in step.operation.inputs.items()}
    places = {parameter: here for parameter, here in places.items() if any(here)}
    step.given = {
        parameter: _exchanged(parameter, value, places[parameter], tensor) if parameter in places else value
        for parameter, value in step.given.items()
    }
    step.later = [
        (parameter, _later(parameter, get, places[parameter], tensor) if parameter in places else get)
        for parameter, get in step.later
    ]


def _exchanged(parameter, value, here, tensor):
    if parameter not in SEVERAL:
        return tensor
    return [tensor if changed else one for one, changed in zip(value, here, strict=True)]


def _later(parameter, get, here, tensor):
    return lambda results: _exchanged(parameter, get(results), here, tensor)
