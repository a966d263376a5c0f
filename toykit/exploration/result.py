"""What an exploration found, as data: what was tried, what was chosen and why, what was verified, what is unknown."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path

from .._log import decision_log
from .._text import printable
from ..verification.verdicts import Verification
from .goals import Goal, said
from .report import show
from .report_parts import size, verdict
from .settings import Advice


@dataclass(frozen=True)
class Candidate:
    """A setting, tried on one weight alone.

    Attributes
    ----------
    setting : dict
        As in `toykit.sweep`.
    label : str
    nbytes : int
        Of the weight in the weight file.
    snr_db : float
        Of the answers when this weight alone has the setting; infinite if they are the same.
    advice : Advice
        What Apple's guide says of the setting on the unit.
    """

    setting: dict
    label: str
    nbytes: int
    snr_db: float
    advice: Advice


@dataclass(frozen=True)
class WeightFound:
    """A weight, what was tried on it, and what it got.

    Attributes
    ----------
    name : str
    operators : tuple of str
        The kinds of operators that use it.
    shape : tuple of int
    nbytes : int
        As it was, in the weight file.
    candidates : tuple of Candidate
        In the order of the settings; those that the weight cannot take are missing.
    chosen : Candidate or None
        None where it stays as it is.
    why : str
        The reason for the choice, in a sentence.
    """

    name: str
    operators: tuple
    shape: tuple
    nbytes: int
    candidates: tuple
    chosen: Candidate | None
    why: str

    @property
    def parameters(self):
        return math.prod(self.shape)


@dataclass(frozen=True)
class Recipe:
    """A whole recipe that was measured.

    Attributes
    ----------
    settings : dict of str to dict
        By weight; those that stay as they are are missing.
    nbytes : int
        Of the package, predicted to the byte.
    predicted_db : float
        What the sum of the single weights' damage says of the answers.
    snr_db : float
        What was measured.
    value : float
        What counts: decibels, or the metric.
    kind : {"chosen", "on the way"}
    """

    settings: dict = field(repr=False)
    nbytes: int
    predicted_db: float
    snr_db: float
    value: float
    kind: str = "on the way"


@dataclass(frozen=True)
class Judgement:
    """A measurement of the package that was written, on one part of the inputs.

    Attributes
    ----------
    part : {"search", "held out"}
    value : float
        Decibels, or the metric.
    original : float
        The same of the model as it was; infinite decibels.
    low, high : float
        The interval of a share (95 %, Wilson's); NaN otherwise.
    difference : tuple of float or None
        Of a share: low, value and high of the compressed minus the original, sample by sample.
    samples : int
    met : bool
        Whether it is what was asked for.
    """

    part: str
    value: float
    original: float
    low: float = math.nan
    high: float = math.nan
    difference: tuple | None = None
    samples: int = 0
    met: bool = True


@dataclass(frozen=True)
class Bound:
    """How good any recipe of these settings could be, if damage adds up.

    Attributes
    ----------
    nbytes : int or None
        No recipe with as little predicted damage is smaller than this.
    snr_db : float or None
        No recipe of at most these bytes has a higher predicted signal-to-noise ratio.
    gap : float
        The share of bytes by which the recipe is above the bound, at most.
    """

    nbytes: int | None
    snr_db: float | None
    gap: float


@dataclass(frozen=True, repr=False)
class Exploration:
    """What `tk.explore` found.

    Attributes
    ----------
    model : str
        The name of the package that was explored.
    folder : Path
        With `recipe.toml`, the compressed package, `report.html` and `measurements.csv`.
    package : Path
        The compressed package.
    goal : Goal
    met : bool
        Whether the package is what was asked for, by the held-out part where there is one.
    metric : str
        The metric's name; "" for fidelity to the uncompressed model.
    target : str or None
    unit : str or None
    nbytes_before, nbytes : int
        Of the whole packages.
    weights : tuple of WeightFound
        In the order of the program.
    recipes : tuple of Recipe
        All whole recipes that were measured, by rising bytes.
    front : tuple of Recipe
        Those of them that no other one beats.
    recipe : Recipe
        The chosen one.
    judgements : tuple of Judgement
        Of the package: on the part that was searched with, and on the held-out part.
    bound : Bound
    curve : tuple of (int, float)
        Bytes of the package, and decibels, of the best recipes for budgets in even steps: predicted, not measured.
    verification : toykit.verification.verdicts.Verification
    inputs : tuple of str
        What was tried, in sentences.
    notes : tuple of str
        What the reader should know: a budget that cannot be met and what it would take, a metric that is not
        deterministic.
    unknown : tuple of str
        What was not measured, and how to.
    measured, remembered : int
        Measurements that were made, and found from an earlier run.
    seconds : float
    source : Path
        The package that was explored.
    arguments : dict of str to str
        What it was called with, as Python text.
    digests : dict of str to str
        SHA-256 of what went in and came out.
    """

    model: str
    folder: Path
    package: Path
    goal: Goal
    met: bool
    metric: str
    target: str | None
    unit: str | None
    nbytes_before: int
    nbytes: int
    weights: tuple
    recipes: tuple
    front: tuple
    recipe: Recipe
    judgements: tuple
    bound: Bound
    curve: tuple
    verification: Verification
    inputs: tuple
    notes: tuple
    unknown: tuple
    measured: int
    remembered: int
    seconds: float
    source: Path
    arguments: dict
    digests: dict

    @property
    def held_out(self):
        """The judgement of the held-out part; None if nothing was held out."""
        return next((one for one in self.judgements if one.part == "held out"), None)

    @property
    def measure(self):
        """What the numbers are, in words."""
        if self.metric:
            return f"the metric {self.metric}"
        return "fidelity: the answers' signal-to-noise ratio against the uncompressed model, and no accuracy"

    def as_data(self):
        """Numbers, lists and dictionaries, for JSON. Numbers that are not finite are None."""
        data = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "verification"}
        data |= {"verified": self.verification.ok, "problems": list(self.verification.problems)}
        return _plain(data | {"measure": self.measure})

    def as_log(self):
        """A decision log in Markdown: three numbers that were found, three sentences to be written, and the rubric.

        The rubric is the capstone's. Of the second number it is the held-out judgement, where there is one.
        """
        judged, unit = self.held_out or self.judgements[0], self.goal.unit
        budget, level = self.goal.nbytes, self.goal.at_least
        count = len(self.verification.weights)
        smaller = self.nbytes < self.nbytes_before if budget is None else self.nbytes <= budget
        numbers = [
            (
                "bytes",
                f"{self.nbytes:,}",
                f"fewer than {self.nbytes_before:,}" if budget is None else f"at most {budget:,}",
                smaller,
            ),
            (
                f"{judged.part}, {judged.samples} samples" if judged.samples else judged.part,
                said(judged.value, unit),
                f"at least {said(level, unit)}" if budget is None else "the most there is",
                judged.met,
            ),
            ("verified", f"{count} compressed weights", "all", self.verification.ok),
        ]
        head = f"Judged by {self.measure}. {self.model} has {self.nbytes_before:,} bytes."
        return decision_log(f"{self.package.name}, from {self.model}", numbers, head)

    def _sentences(self):
        unit = self.goal.unit
        share = 1 - self.nbytes / self.nbytes_before
        yield (
            f"{size(self.nbytes_before)} -> {size(self.nbytes)} ({share:.0%} less); "
            f"asked for: {self.goal}{'' if self.met else ', which is not met'}"
        )
        yield f"judged by {self.measure}"
        for one in self.judgements:
            interval = "" if math.isnan(one.low) else f" ({one.low:.4g} to {one.high:.4g})"
            counted = f", {one.samples} samples" if one.samples else ""
            before = "" if unit == "dB" else f"; the original {said(one.original, unit)}"
            yield f"{one.part}: {said(one.value, unit)}{interval}{counted}{before}"
        if self.bound.nbytes is not None:
            yield f"if damage adds up, at most {self.bound.gap:.1%} above the smallest recipe of these settings"
        count = len(self.verification.weights)
        yield f"verified: {count} weights" if self.verification.ok else "NOT verified"
        yield from self.verification.problems
        yield from self.notes
        yield from self.inputs
        yield from (f"unknown: {one}" for one in self.unknown)
        yield f"{self.measured} measurements made, {self.remembered} remembered; {self.seconds:.0f} s"
        yield f"in {self.folder}: recipe.toml, {self.package.name}, report.html, measurements.csv"

    def __str__(self):
        return "\n".join(map(printable, self._sentences()))

    __repr__ = __str__

    def _repr_html_(self):
        return verdict(self)

    def _ipython_display_(self):
        show(self)


def _plain(value):
    if hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
