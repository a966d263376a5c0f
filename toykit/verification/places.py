"""`tk.where`: where the signal is lost between two packages, and which weights lose it.

Both programs run side by side, and each result of the one is held against the same result of the other: first
the operators, in the order of the program. What falls there may recover, though, or not matter. So then single
weights are put back, one after the other, and what counts is the answers.
"""

import math
from dataclasses import asdict, dataclass, field

import numpy as np

from ..compressed import check_int, check_number
from ..coreml.runtime.comparison import Tally, add, answers, sequences, tallies_of, worst
from ..coreml.runtime.model import load
from . import differences, display
from .pairs import Pairings, with_values

UNHARMED = 60.0  # dB: an error of a thousandth
SAMPLES = 2  # random ones, where nobody says how many
CLEAR = 6.0  # dB that a weight must bring to be named: it halves the error


@dataclass(frozen=True)
class OperatorNoise:
    """An operator of the small package, beside the same one of the original.

    Attributes
    ----------
    name, op : str
        The name of its result in the original, with the model of a pipeline before it.
    snr_db : float or None
        Of its result; None where it has no decibels.
    fall_db : float
        How much less than the worst of what it is given, counted from 60 dB down.
    weights : tuple of str
        Weights that it uses and that are not the original's.
    """

    name: str
    op: str
    snr_db: float | None
    fall_db: float
    weights: tuple = ()


@dataclass(frozen=True)
class Blame:
    """A weight, and what the answers are when it alone is put back.

    Attributes
    ----------
    name, form : str
    snr_db : float or None
        Of the weight itself.
    answers_db : float
        The worst output's signal-to-noise ratio with the original's weight in its place.
    gain_db : float
        That is so much more than with the small package's own.
    """

    name: str
    form: str
    snr_db: float | None
    answers_db: float
    gain_db: float


@dataclass(frozen=True, repr=False)
class Location:
    """What `where` found.

    Attributes
    ----------
    small, against : str
    operators : tuple of OperatorNoise
        In the order of the program.
    weights : tuple of Blame
        Those that bring most first.
    answers_db : float or None
        The signal-to-noise ratio of the worst output; None where outputs are labels only.
    below : float
        Decibels that count as a fall.
    notes : tuple of str
    """

    small: str
    against: str
    operators: tuple
    weights: tuple
    answers_db: float | None
    below: float
    notes: tuple
    package: object = field(default=None, compare=False)
    function: str | None = field(default=None, compare=False)

    @property
    def first(self):
        """The first operator below `below` decibels; None if there is none."""
        return next(
            (one for one in self.operators if one.snr_db is not None and one.snr_db < self.below), None
        )

    @property
    def steepest(self):
        """The operator at which most is lost; None if nothing is."""
        found = max(self.operators, key=lambda one: one.fall_db, default=None)
        return found if found is not None and found.fall_db > 0 else None

    @property
    def culprit(self):
        """The weight that brings most when it is put back; None if none halves the error (6 dB)."""
        return self.weights[0] if self.weights and self.weights[0].gain_db >= CLEAR else None

    def as_data(self):
        """Numbers, lists and dictionaries, for JSON. Decibels that are not finite are None."""

        def plain(one):
            return {
                name: display.finite(value) if isinstance(value, float) else value
                for name, value in asdict(one).items()
            }

        return {
            "small": self.small,
            "against": self.against,
            "answers_db": display.finite(self.answers_db),
            "below": self.below,
            "first": self.first and plain(self.first),
            "steepest": self.steepest and plain(self.steepest),
            "culprit": self.culprit and plain(self.culprit),
            "operators": [plain(one) for one in self.operators],
            "weights": [plain(one) for one in self.weights],
            "notes": list(self.notes),
        }

    def plot(self, ax=None):
        """Draw the program, each operator coloured by the signal that is left. Returns the matplotlib axes.

        Of a program of more than 40 operators those are drawn at which most is lost, the first below `below`, those
        that use the weights to blame, and each one's neighbours; every run of others is one box.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from ..plots.programs import program

        known = {one.name: one.snr_db for one in self.operators}
        return program(self.package, self.function, ax, noise=known, important=self._important())

    def as_svg(self):
        """The picture of `plot` as the text of an SVG file.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from ..plots import vector

        figure = self.plot().figure
        try:
            return vector.svg(figure, f"{self.small} beside {self.against}: {'; '.join(self._sentences())}")
        finally:
            vector.pyplot().close(figure)

    def _important(self):
        """Names of operators that a picture must show, the most important first, each before its neighbours."""
        blamed = [one.name for one in self.weights[:3] if one.gain_db > 0]
        by_loss = sorted(self.operators, key=_loss)[:_MOST_DRAWN]
        users = [one for one in self.operators if any(name in one.weights for name in blamed)]
        chosen = [self.first, self.steepest, *users, *(one for one in by_loss if _loss(one))]
        places = {id(one): place for place, one in enumerate(self.operators)}
        for one in (one for one in chosen if one is not None):
            place = places[id(one)]
            yield from (near.name for near in (one, *self.operators[max(place - 1, 0) : place + 2]))
        if self.operators:  # where nothing is lost, the end stands for the rest
            yield self.operators[-1].name

    def _rows(self, most=None):
        shown = self.operators
        if most is not None and len(shown) > most:
            # What loses most is shown, in the order of the program.
            lost = sorted(shown, key=_loss)[:most]
            chosen = {id(one) for one in lost} | {id(self.first)}
            shown = [one for one in shown if id(one) in chosen]
        return [
            [
                one.name,
                one.op,
                display.decibels(one.snr_db),
                f"{one.fall_db:.1f}" if one.fall_db > 0.05 else "",
            ]
            for one in shown
        ]

    def _blame_rows(self):
        return [
            [
                one.name,
                one.form,
                display.decibels(one.snr_db),
                display.decibels(one.answers_db),
                _gain(one.gain_db),
            ]
            for one in self.weights[:_MOST_ROWS]
        ]

    def _sentences(self):
        if self.answers_db is not None:
            level = display.decibels(self.answers_db)
            yield f"the answers: {level}{' dB' * math.isfinite(self.answers_db)}"
        if self.first is not None:
            yield f"below {self.below:g} dB for the first time: {_named(self.first)}"
        elif self.steepest is not None:
            yield f"most is lost at {_named(self.steepest)}, {self.steepest.fall_db:.1f} dB"
        if self.culprit is not None:
            one = self.culprit
            level = f"{one.answers_db:.1f} dB" if math.isfinite(one.answers_db) else "the original's"
            yield f"to blame: {one.name} ({one.form}); with the original's weight there, the answers have {level}"
        elif self.weights:
            yield "no single weight is to blame: put back alone, none halves the error (6 dB)"
        yield from self.notes

    def __str__(self):
        lines = display.text(_HEAD, self._rows(_MOST_ROWS), _NUMBERS)
        if len(self.operators) > _MOST_ROWS:
            lines.append(f"({len(self.operators):,} operators; those at which most is lost)")
        if self.weights:
            lines += ["", *display.text(_BLAME, self._blame_rows(), _BLAME_NUMBERS)]
        return "\n".join([*lines, "", *display.sentences(self._sentences())])

    __repr__ = __str__

    def _repr_html_(self):
        caption, *said = self._sentences()
        table = display.html("", _BLAME, self._blame_rows(), (), _BLAME_NUMBERS) if self.weights else ""
        return display.html(caption, _HEAD, self._rows(_MOST_ROWS), said, _NUMBERS) + table


_MOST_ROWS = 20
_MOST_DRAWN = 8
_HEAD, _NUMBERS = ("result", "operator", "dB", "lost"), {2, 3}
_BLAME, _BLAME_NUMBERS = ("weight put back", "stored as", "weight dB", "answers dB", "gain"), {2, 3, 4}


def _loss(one):
    """What an operator loses as it is printed, the most first: the last digits of a sum differ between machines."""
    return -round(one.fall_db, 1)


def _gain(decibels):
    return f"{decibels:+.1f}" if math.isfinite(decibels) else "all"


def _named(one):
    level = f"{one.snr_db:.1f} dB" if math.isfinite(one.snr_db) else display.decibels(one.snr_db)
    weights = f", with {', '.join(one.weights)}" if one.weights else ""
    return f"{one.op} {one.name!r} ({level}{weights})"


def where(
    small,
    against,
    inputs=None,
    *,
    samples=SAMPLES,
    seed=0,
    function=None,
    below=20.0,
    most=64,
    progress=None,
    **options,
):
    """Find where the answers of a compressed package part from the original's.

    Parameters
    ----------
    small, against : str, Path, Package or coremltools.models.MLModel
    inputs, seed
        As in `toykit.coreml.compare`. Random inputs show where something broke; which layer matters for your task,
        only your own data can say.
    samples : int
        How many random inputs.
    function : str, optional
        Of packages with several; by default the one that the package names.
    below : float
        Decibels under which an operator's result counts as lost: at 20 dB the error is a tenth of it.
    most : int
        How many weights are put back one by one; of more, those that are furthest from the original.
    progress : callable (done, total), optional
        Called after each weight.
    **options
        As in `toykit.coreml.load`.

    Returns
    -------
    Location

    Raises
    ------
    FileNotFoundError
        If there is no package.
    PackageError
        If one is not sound, or cannot be run with these inputs.
    TypeError, ValueError
        If the packages have different inputs or outputs, or an argument is not as described.

    Examples
    --------
    >>> found = where("Small.mlpackage", "Model.mlpackage")                  # doctest: +SKIP
    >>> found.first.name, found.culprit.name                                # doctest: +SKIP
    ('conv1', 'conv1_weight_to_fp16')
    """
    check_int("samples", samples, range(1, 2**31))
    check_int("seed", seed, range(2**63))
    check_int("most", most, range(2**31))
    below = check_number("below", below)
    pairings = Pairings(small, against)
    changes = differences.description_changes(pairings) + pairings.differences
    if changes:
        raise ValueError(f"the packages cannot be run side by side: {'; '.join(changes)}")
    return _Search(pairings, function, options).run(inputs, samples, seed, below, most, progress)


class _Search:
    def __init__(self, pairings, function, options):
        self.pairings, self.function, self.options = pairings, function, options
        self.small, self.big = pairings.small, pairings.big
        self.reference = load(self.big, function=function, **options)
        chosen = self.reference.function if not self.big.models else None
        self.functions = [one for one in pairings.functions if chosen in (None, one.small.label)]

    def _load(self, package):
        model = load(package, function=self.function, **self.options)
        model.allow_as(self.reference)
        return model

    def run(self, inputs, samples, seed, below, most, progress):
        tried, note = sequences(self.reference, inputs, samples, seed)
        model = self._load(self.small)
        tallies, expected, measured = tallies_of(model, self.reference), [], _Listener(self.functions)
        for sequence in tried:
            expected.append(answers(self.reference, sequence, measured.reference))
            add(tallies, answers(model, sequence, measured.small), expected[-1])
            measured.forget()
        level = worst(tallies)
        notes = [note, *(f"the programs differ: {one}" for one in self.pairings.structure)]
        blamed = ()
        if level is None:
            notes.append("the answers are labels, which have no decibels: no weight was put back")
        elif level < math.inf:
            del model
            blamed, left = self._blame(tried, expected, level, most, progress)
            if left:
                notes.append(
                    f"{left:,} more, nearer to the original, not put back: --most N (most= in Python)"
                )
        return Location(
            self.small.path.name,
            self.big.path.name,
            tuple(measured.operators()),
            blamed,
            level,
            below,
            tuple(notes),
            self.big,
            self.function,
        )

    def _blame(self, tried, expected, level, most, progress):
        pairs = [
            pair
            for function in self.functions
            for pair in function.constants
            if pair.small.operation and pair.small.type == pair.big.type and not pair.same
        ]
        far = {id(pair): differences.distance(pair)[0] for pair in pairs}
        pairs.sort(key=lambda pair: float(far[id(pair)] or 0))  # one without a distance is far
        chosen, found = pairs[:most], []
        own = {pair.small.operation: pair.small.dense() for pair in pairs}
        for done, pair in enumerate(chosen):
            values = own | {pair.small.operation: pair.big.dense()}
            model = self._load(with_values(self.small, values))
            tallies = tallies_of(model, self.reference)
            for sequence, theirs in zip(tried, expected):
                add(tallies, answers(model, sequence), theirs)
            reached = float(worst(tallies) or 0)
            found.append(
                Blame(pair.big.name, pair.small.form, far[id(pair)], reached, _difference(reached, level))
            )
            if progress is not None:
                progress(done + 1, len(chosen))
        return tuple(sorted(found, key=lambda one: -one.gain_db)), len(pairs) - len(chosen)


def _difference(reached, level):
    return 0.0 if reached == level else reached - level


class _Listener:
    """Holds the results of the small program against those of the original, as they are made."""

    def __init__(self, functions):
        self.tallies, self.steps, self.names = {}, [], {}
        for pairing in functions:
            package = pairing.small.package
            prefix = "" if package.number is None else f"{package.number}/"
            used = _changed_weights(pairing)
            for ours, theirs in pairing.matched.items():
                one, two = pairing.small.steps[ours], pairing.big.steps[theirs]
                names = {prefix + mine: prefix + other for mine, other in zip(one.outputs, two.outputs)}
                self.names |= names
                given = [
                    prefix + a for values in one.arguments.values() for a in values if isinstance(a, str)
                ]
                self.steps.append((one, names, given, used.get(id(one), ())))
        self._expected, self._wanted = {}, set(self.names.values())

    def reference(self, operation, name, value):
        if name in self._wanted and hasattr(value, "shape"):
            self._expected.setdefault(name, []).append(np.asarray(value).copy())

    def small(self, operation, name, value):
        waiting = self._expected.get(self.names.get(name))
        if waiting and hasattr(value, "shape"):
            tally = self.tallies.setdefault(name, Tally("multiArray", "the small one", "the original"))
            tally.add(np.asarray(value), waiting.pop(0))

    def forget(self):
        self._expected.clear()

    def operators(self):
        """Each operator with what is left of its signal, in the order of the program."""
        left = {}
        for name, tally in self.tallies.items():
            found = tally.result(name, "")
            if found.decibels:
                left[name] = found.total
        for step, names, given, weights in self.steps:
            levels = [left[name] for name in names if name in left]
            if not names:
                continue
            worst = min(levels, default=None)
            before = min([UNHARMED, *(left[name] for name in given if name in left)])
            fall = 0.0 if worst is None else max(0.0, before - min(worst, UNHARMED))
            yield OperatorNoise(next(iter(names.values())), step.op, worst, fall, weights)


def _changed_weights(pairing):
    """The weights of each step that are not the original's: id of the step -> names."""
    changed = {id(pair.small): pair.big.name for pair in pairing.constants if not pair.same}
    return {
        id(step): tuple(
            changed[id(a)] for values in step.arguments.values() for a in values if id(a) in changed
        )
        for step in pairing.small.steps
    }
