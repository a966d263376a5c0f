"""The result of an exploration put together, and the sentences in it."""

import numpy as np

from .._version import __version__
from ..sweep.budget import pareto
from .goals import said
from .metrics import PARTS
from .result import Bound, Judgement, Recipe, WeightFound
from .settings import FLOAT16

_UNITS = {"ane": "the Neural Engine", "gpu": "the GPU", "cpu": "the CPU"}
UNKNOWN = (
    (
        "how fast it is: toykit models latency and does not measure it. Measure it on a device, with Xcode's "
        "performance report or Instruments (chapter 15)"
    ),
)


def weights_of(measurer, candidates, recipe, unit):
    """A WeightFound for each weight that was tried, in the order of the program."""
    found = []
    for name, some in candidates.items():
        chosen = next((one for one in some if one.setting == recipe.get(name)), None)
        before = measurer.nbytes(name, FLOAT16)
        why = "; ".join(_why(chosen, some, before, unit))
        operators, shape = tuple(sorted(measurer.operators[name])), tuple(measurer.weights[name].shape)
        found.append(WeightFound(name, operators, shape, before, some, chosen, why))
    return tuple(found)


def _why(chosen, candidates, before, unit):
    if chosen is None:
        best = max(candidates, key=lambda one: one.snr_db)
        yield "stays as it is: what its bytes cost is saved with less damage elsewhere"
        yield f"alone, {best.label} leaves the answers {said(best.snr_db, 'dB')}"
        return
    yield f"{before:,} -> {chosen.nbytes:,} bytes; alone, the answers have {said(chosen.snr_db, 'dB')}"
    smaller = [one for one in candidates if one.nbytes < chosen.nbytes]
    if smaller:
        one = max(smaller, key=lambda one: (one.nbytes, one.snr_db))
        yield f"the next smaller, {one.label}: {said(one.snr_db, 'dB')}"
    if unit is not None:
        says = (
            f"Apple's guide says: {chosen.advice.says}"
            if chosen.advice.says
            else "Apple's guide says nothing of it"
        )
        yield f"on {_UNITS[unit]}, {says}"


def head_of(package, goal, judge, best, target):
    """The sentences at the head of a recipe."""
    measure = (
        f"by the metric {judge.name}" if judge.name else "fidelity to the uncompressed model, and no accuracy"
    )
    yield f"A recipe for {package.path.name}: {goal}"
    yield f"{package.nbytes:,} -> {best.nbytes:,} bytes; {said(best.value, goal.unit)}, {measure}"
    raised = f" --target {target}" if target else ""
    yield f"found by toykit {__version__}; toykit compress MODEL OUT --plan recipe.toml{raised}"


def judgements_of(judge, goal, model):
    """A Judgement of a package that was written for each part that there is."""
    found = []
    for part in PARTS:
        original = judge.original[part]
        if original is None:
            continue
        now = judge.package(model, part)
        less = now.less_than(original)
        found.append(
            Judgement(
                part=part,
                value=now.value,
                original=original.value,
                low=now.low,
                high=now.high,
                difference=less and (less.low, less.value, less.high),
                samples=now.samples,
                met=goal.met(model.package.nbytes, now.value),
            )
        )
    return tuple(found)


def bound_of(options, best):
    """How far from the best a recipe is at most, if damage adds up."""
    nbytes, harm = options.total(best.picked)
    least = options.bound(harm) + best.nbytes - nbytes  # what is not in the weight file is as large
    level = float(decibels_of(options.bound_of_damage(nbytes)))
    return Bound(int(np.ceil(least)), level, max(0.0, float(best.nbytes / least - 1)))


def curve_of(options, best, points=32):
    """Bytes and decibels, predicted, of the best recipes for some budgets: tuple of (int, float)."""
    rest = best.nbytes - options.total(best.picked)[0]
    low, high = options.ends
    found = {}
    for budget in np.linspace(low, high, points):
        nbytes, harm = options.total(options.least_damage(budget))
        if harm > 0:
            found[int(nbytes + rest)] = decibels_of(harm)
    return tuple(sorted(found.items()))


def recipes_of(search, recipe_of, best):
    """(all that were measured by rising bytes, those that no other beats, the chosen one)"""
    every = {
        one: Recipe(
            settings=recipe_of(one.picked),
            nbytes=one.nbytes,
            predicted_db=decibels_of(one.predicted),
            snr_db=one.snr_db,
            value=one.value,
            kind="chosen" if one is best else "on the way",
        )
        for one in sorted(search.tried.values(), key=lambda one: one.nbytes)
    }
    rows = [{"recipe": one, "nbytes": one.nbytes, "value": one.value} for one in every.values()]
    front = tuple(row["recipe"] for row in pareto(rows, value="value"))
    return tuple(every.values()), front, every[best]


def decibels_of(damage):
    """Decibels, from the error's share of the answer's power."""
    return float(-10 * np.log10(damage)) if damage > 0 else np.inf
