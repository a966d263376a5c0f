"""How good a model is, by what counts: the decibels of its answers, or a metric. Asked of any predictor.

A judge also knows which inputs single weights are tried with. A metric's are those that it passed to the model when
it was asked first, or some of them: what it makes of the answers does not count there, only how far they have moved.
"""

import numpy as np

from ..coreml.runtime.comparison import add, tallies_of
from ..coreml.runtime.model import load
from .goals import said
from .measuring import Measurer, decibels, digest_of_inputs, one_thread
from .metrics import HELD_OUT, SEARCH, Value
from .sources import parts_of, spread

_MOST_RECORDED = 256  # inputs of a metric that are remembered


class Fidelity:
    """The answers' signal-to-noise ratio against those of the model as it is.

    Attributes
    ----------
    name : str
        "" here.
    digest : str
        Of all that its numbers depend on besides the model.
    samples : list of dict
        What single weights are tried with.
    original : dict of str to (Value or None)
        What the model as it is gets, by part; None where nothing is held out.
    notes, inputs : list of str
    """

    name = ""

    def __init__(self, package, version, memory, inputs, samples, seed):
        parts, self.inputs = parts_of(load(package), inputs, samples, seed)
        self.notes = []
        self.samples = spread(parts[SEARCH], samples)
        if len(self.samples) < len(parts[SEARCH]):
            self.inputs.append(f"single weights were tried with {len(self.samples)} of them")
        self.digest = digest_of_inputs(parts[SEARCH] + parts[HELD_OUT])
        dense = {}
        self._measurers = {
            part: Measurer(package, given, version, memory, dense) for part, given in parts.items() if given
        }
        self.main = self._measurers[SEARCH]
        _check_answers(self.main)
        self.original = dict.fromkeys(parts) | {
            part: self._value(np.inf, one) for part, one in self._measurers.items()
        }

    def recipe(self, recipe, part):
        """(decibels, Value) of the model with the weights of a recipe."""
        measurer = self._measurers[part]
        level = measurer.together(recipe)
        return level, self._value(level, measurer)

    def package(self, model, part):
        """Value of a package that was written."""
        measurer = self._measurers[part]
        with one_thread():
            found = [model.predict(one) for one in measurer.inputs]
        return self._value(decibels(measurer.model, found, measurer.expected()), measurer)

    def remarks(self):
        """What is known of the measure in the end."""
        return []

    def _value(self, level, measurer):
        return Value(-np.inf if np.isnan(level) else float(level), samples=len(measurer.inputs))


class Judge:
    """A metric of the user's, with the same face as `Fidelity`."""

    def __init__(self, package, version, memory, metric, samples):
        self._metric, self.name, recorded = metric, metric.name, []
        model = load(package)

        def recording(inputs):
            if len(recorded) < _MOST_RECORDED and isinstance(inputs, dict):
                recorded.append({name: np.array(value) for name, value in inputs.items()})
            return model.predict(inputs)

        with one_thread():
            first = self._metric(recording, SEARCH)
            if not recorded:
                raise ValueError(f"metric {self.name} did not call what it was given to predict with")
            again = self._metric(model.predict, SEARCH)
            self.original = {SEARCH: first, HELD_OUT: self._metric(model.predict, HELD_OUT)}
        self.samples = spread(recorded, samples)
        self.digest = f"{self._metric.digest} {first.value!r} {digest_of_inputs(recorded)}"
        self.inputs = [f"single weights were tried with {len(self.samples)} of the inputs of the metric"]
        self.notes = []
        if first.value != again.value:
            self.notes.append(
                f"the metric is not deterministic: it gave the same model {first.value:.6g} and {again.value:.6g}; "
                "smaller differences mean nothing"
            )
        if self.original[HELD_OUT] is None:
            self.notes.append(
                "nothing was held out, for the metric returns a single number: let it take a second argument, part, "
                "and judge by other samples where that is 'held out'"
            )
        self.main = Measurer(package, self.samples, version, memory)

    def recipe(self, recipe, part):
        """(decibels, Value) of the model with the weights of a recipe."""
        level = self.main.together(recipe)
        with one_thread(), self.main.compressed(recipe):
            return level, self._metric(self.main.model.predict, part)

    def package(self, model, part):
        """Value of a package that was written."""
        with one_thread():
            return self._metric(model.predict, part)

    def remarks(self):
        """What is known of the metric in the end."""
        return ["the metric prints, which went to standard error"] * self._metric.printed


def _check_answers(measurer):
    """Raise if the answers of the model as it is have no decibels, or none that tell anything."""
    answers, tallies = measurer.expected(), tallies_of(measurer.model, measurer.model)
    add(tallies, answers, answers)
    for tally in tallies.values():
        if tally.problem:
            raise ValueError(tally.problem)
    signals = [tally.signals for tally in tallies.values() if tally.signals]
    if not signals:
        raise ValueError(
            "the answers are labels, which have no decibels: give a metric, a function that says how good they are"
        )
    if not np.any(signals):
        raise ValueError(
            "all answers to these inputs are zero, whatever the weights: give inputs as the model gets them in use"
        )


def check_reach(judge, goal):
    """Raise if the model itself does not reach what its compressed form must."""
    mine = judge.original[SEARCH]
    if judge.name and goal.at_least is not None and mine.value < goal.at_least:
        raise ValueError(
            f"at_least is {said(goal.at_least, '')}, and the model itself reaches {said(mine.value, '')} by "
            f"{judge.name}"
        )
