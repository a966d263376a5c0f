"""How far the answers of two packages are apart: the same inputs for both, on any computer.

What is compared is what an app would get: numbers by their signal-to-noise ratio, labels as labels, a
classifier's probabilities class by class. Without inputs of your own, random ones show that something
broke (see `toykit.coreml.runtime.random_inputs`); how good a model is, only your own data can say.

    20 log10(size of the reference's answer / size of the error), in decibels (dB)

Not here: whether the answers are right (`toykit.coreml.accuracy`).
"""

import contextlib
import math
import zipfile
import zlib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median_low

import numpy as np

from ..._text import in_table, printable
from ...compressed import check_int
from ..format.package import open_package
from ..format.protobuf import PackageError
from .model import Model, load
from .random_inputs import SPREADS, RandomInputs

MEANING = (
    "20 dB: the error is a tenth of the answer in size (root mean square); 40 dB: a hundredth; "
    "6 dB more: half the error"
)
_OWN = "give inputs as the model gets them in use: --inputs file.npz, or inputs= in Python"


@dataclass(frozen=True, repr=False)
class OutputComparison:
    """One output of two packages.

    Attributes
    ----------
    name : str
    function : str
        "" for a package with one function.
    kind : {"numbers", "labels"}
        Labels, and whole numbers, are the same or not; they have no decibels.
    decibels : tuple of float
        One a sample: the signal-to-noise ratio. Infinite for an identical answer, minus infinity where
        the reference is all zeros and the model is not.
    total : float
        The same of all samples taken together.
    same : int
        Labels, or numbers, that are the same.
    count : int
        Labels, or numbers, compared.
    samples : int
    problem : str
        Why it could not be compared, as a sentence; "" if it was.
    """

    name: str
    function: str = ""
    kind: str = "numbers"
    decibels: tuple = ()
    total: float = math.inf
    same: int = 0
    count: int = 0
    samples: int = 0
    problem: str = ""

    @property
    def identical(self):
        """Whether every number or label is the same."""
        return not self.problem and self.same == self.count

    @property
    def worst(self):
        """The lowest of `decibels`; None where there are none."""
        return min(self.decibels, default=None)

    @property
    def median(self):
        """The middle one of `decibels`, of an even number the lower; None where there are none."""
        return median_low(self.decibels) if self.decibels else None

    @property
    def label(self):
        """The name as it is shown, with its function."""
        return printable(f"{self.function}/{self.name}" if self.function else self.name)

    @property
    def verdict(self):
        """What was found, in words."""
        samples = f"{self.samples} sample{'s' * (self.samples != 1)}"
        if self.problem:
            return f"not compared: {printable(self.problem)}"
        if self.identical:
            return f"identical ({samples})"
        if self.kind == "labels":
            return (
                f"the same for {self.same:,} of {self.count:,}, {_share(self.same, self.count)} ({samples})"
            )
        alike = sum(value == math.inf for value in self.decibels)
        alike = f", {alike} of them identical" if alike else ""
        if self.samples == 1:
            return f"{_in_words(self.worst)} (1 sample)"
        return f"median {_in_words(self.median)}, worst {_in_words(self.worst)} ({samples}{alike})"

    def __repr__(self):
        return f"OutputComparison({self.label}: {self.verdict})"


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `compare` found, output by output.

    Attributes
    ----------
    outputs : tuple of OutputComparison
    inputs : tuple of str
        What the packages were tried with, in words.
    """

    outputs: tuple
    inputs: tuple

    def __getitem__(self, name):
        """The output of that name: "scores", or "function/scores"."""
        found = [one for one in self.outputs if name in (one.name, f"{one.function}/{one.name}")]
        if len(found) != 1:
            known = ", ".join(repr(one.label) for one in self.outputs)
            raise KeyError(f"name must be one of {known}; got {name!r}")
        return found[0]

    @property
    def worst(self):
        """The lowest decibels of any output and sample; None where the outputs are labels."""
        return min((one.worst for one in self.outputs if one.worst is not None), default=None)

    def below(self, decibels):
        """The outputs that could not be compared, or fall below `decibels` for any sample: list.

        Raises
        ------
        TypeError, ValueError
            If `decibels` is no finite number, or there is no output that has decibels.
        """
        if isinstance(decibels, bool) or not isinstance(decibels, int | float):
            raise TypeError(f"decibels must be a number; got {decibels!r}")
        if not math.isfinite(decibels):
            raise ValueError(f"decibels must be a finite number, such as 30; got {decibels}")
        if not any(one.decibels or one.problem for one in self.outputs):
            raise ValueError("the outputs are labels only, which have no decibels")
        return [one for one in self.outputs if one.problem or (one.decibels and one.worst < decibels)]

    def as_data(self):
        """Numbers, lists and dictionaries, for JSON. Decibels that are not finite are None."""
        return {
            "outputs": [_as_data(one) for one in self.outputs],
            "inputs": list(self.inputs),
            "decibels": MEANING,
        }

    def __str__(self):
        lines = [f"{one.label}: {one.verdict}" for one in self.outputs]
        lines += [MEANING] * any(one.decibels and not one.identical for one in self.outputs)
        return "\n".join([*lines, *map(printable, self.inputs)])

    __repr__ = __str__

    def _repr_html_(self):
        said = "".join(f"<p>{escape(printable(text))}</p>" for text in (MEANING, *self.inputs))
        return in_table(("output", "answers"), ((one.label, one.verdict) for one in self.outputs)) + said


def compare(model, reference, inputs=None, *, samples=None, seed=0, function=None, progress=None, **options):
    """Run two packages with the same inputs, and say how far their answers are apart.

    Parameters
    ----------
    model, reference : str, Path, Package, coremltools.models.MLModel or Model
        Such as a compressed package and the one that it was made from.
    inputs : dict of str to array, list of such dictionaries, str or Path, optional
        What both are given. In a dictionary, an array has the shape that the model takes, or one more
        axis in front: that of the samples, of which all arrays that have it need the same number. An
        array without it goes with every sample. A path is that of an .npz file with such arrays by the
        names of the inputs, or of an .npy file for a model of one input. The dictionaries of a list are
        a sample each. For a model with states, the samples follow each other in one state.

        By default inputs are random: token numbers visit the whole table that they index, images are
        bytes, other numbers are normal; and where the reference has no finite answer to those, as a
        model that takes a logarithm, uniform from 0 to 1. A model with states gets four in a row. Of
        flexible shapes, the ends are tried too.
    samples : int, optional
        How many random inputs. By default 8, and where a table has more rows than these visit, as many
        as visit all, up to 1,000 and to what is estimated to take some tens of seconds.
    seed : int
        Of the random inputs.
    function : str, optional
        Of packages with several functions; by default all are compared. A package with one function is
        taken as it is.
    progress : callable (done, total), optional
        Called after each sample.
    **options
        As for `load`, such as `precision="float16"`.

    Returns
    -------
    Comparison

    Raises
    ------
    FileNotFoundError
        If there is no package, or no file of inputs.
    TypeError, ValueError
        If the packages have different inputs, outputs or functions, the inputs do not fit, or an
        argument is not as described; and as `load` and `Model.predict` do.

    Examples
    --------
    >>> import torch, toykit as tk
    >>> package = tk.coreml.convert(torch.nn.Linear(64, 64), torch.zeros(1, 64))
    >>> found = compare(package, package)
    >>> found.outputs[0].verdict, found.below(30)
    ('identical (8 samples)', [])
    """
    given = check_given(inputs, samples, seed)
    outputs, said = [], {}
    for name, one, two in _pairs(model, reference, function, options):
        _check_alike(one, two, name)
        found = tried(one, two, given, samples, seed, progress, name)
        outputs += found.outputs
        said |= dict.fromkeys(f"{name}: {note}" if name else note for note in found.inputs)
    return Comparison(tuple(outputs), tuple(said))


def check_given(inputs, samples, seed):
    """The inputs that `compare` was asked for, read where they are a file's; None for random ones."""
    if samples is not None:
        check_int("samples", samples, range(1, 2**31))
    check_int("seed", seed, range(2**63))
    if inputs is not None and samples is not None:
        raise ValueError("samples counts random inputs; it goes without inputs")
    return _read(inputs) if isinstance(inputs, str | Path) else inputs


def tried(one, two, given, samples, seed, progress, function=""):
    """Two models that take the same inputs, run with them: a Comparison.

    Parameters
    ----------
    one, two : Model, or what has its `package`, `inputs`, `outputs`, `states`, `make_state` and `_answer`
        The second is the reference.
    given : dict of str to array, list of such dictionaries, or None
        None for random inputs.
    samples, seed, progress
        As in `compare`.
    function : str
        Name of the function that they are; "" for the only one.
    """
    if given is None:
        found, notes = _with_random(one, two, samples, seed, progress)
    else:
        found, notes = _with_given(one, two, given, progress)
    return Comparison(tuple(tally.result(name, function) for name, tally in found.items()), tuple(notes))


def _pairs(model, reference, function, options):
    """Yield (name of the function or "", model, reference), ready to predict."""
    if isinstance(model, Model) or isinstance(reference, Model):
        if options or function is not None:
            said = ", ".join(options) or "function"
            raise TypeError(f"{said}: goes with packages, and a model is loaded already")
        yield "", *(one if isinstance(one, Model) else load(one) for one in (model, reference))
        return
    packages = [open_package(model), open_package(reference)]
    ours, theirs = (list(package.description.functions or {}) for package in packages)
    if function is None and set(ours) != set(theirs):
        raise ValueError(
            f"the packages have different functions: {packages[0]} has {_names(ours)}, {packages[1]} has "
            f"{_names(theirs)}; say which to compare: --function, or function= in Python"
        )
    for name in (ours or [None]) if function is None else [function]:
        # The only function of a package stands for whichever is asked for.
        asked = [name if known or not (ours or theirs) else None for known in (ours, theirs)]
        pair = [load(package, function=one, **options) for package, one in zip(packages, asked)]
        pair[0].allow_as(pair[1])
        pair[1].allow_as(pair[0])
        yield name or "", *pair


def _names(names):
    return ", ".join(map(repr, names)) or "one, without a name"


def _check_alike(one, two, function):
    where = f" of function {function!r}" if function else ""
    for what in ("inputs", "outputs"):
        ours, theirs = getattr(one, what), getattr(two, what)
        apart = [f"only {one.package} has {name!r}" for name in ours if name not in theirs]
        apart += [f"only {two.package} has {name!r}" for name in theirs if name not in ours]
        for name in ours:
            if name in theirs and _form(ours[name], what) != _form(theirs[name], what):
                forms = _form(ours[name], what), _form(theirs[name], what)
                apart.append(f"{name!r} is {forms[0]} in {one.package}, and {forms[1]} in {two.package}")
        if apart:
            raise ValueError(f"the packages have different {what}{where}: {'; '.join(apart)}")


def _form(feature, what):
    """What must be the same in both, in words. Shapes of outputs are seen when they are there."""
    whole = "whole numbers, " if feature.dtype.startswith("int") else ""
    if what == "outputs":
        return f"{whole}{feature.kind}"
    color = f", {feature.color}" if feature.color else ""
    shapes = (
        f" or {feature.shapes}" if feature.shapes else f" from {feature.ranges}" if feature.ranges else ""
    )
    return f"{whole}{feature.kind} {feature.shape}{shapes}{color}"


def _as_data(one):
    def finite(value):
        return value if value is not None and math.isfinite(value) else None

    return {
        "name": one.name,
        "function": one.function,
        "kind": one.kind,
        "samples": one.samples,
        "identical": one.identical,
        "same": one.same,
        "count": one.count,
        "median_db": finite(one.median),
        "worst_db": finite(one.worst),
        "total_db": finite(one.total),
        "problem": one.problem,
    }


def _share(same, count):
    """In per cent, rounded down: all is all."""
    return f"{math.floor(1000 * same / count) / 10:.1f} %"


def _in_words(decibels):
    if math.isinf(decibels):
        return "identical" if decibels > 0 else "all error, where the reference answers zeros,"
    return f"{decibels:.1f} dB"


# --- running both ---


def _with_random(one, two, samples, seed, progress):
    """Tallies by output, and what was tried, in sentences."""
    drawn = RandomInputs(two, seed)
    counts = drawn.counts(samples)
    *others, last = drawn.spreads
    for spread in others:
        with contextlib.suppress(PackageError):
            tallies, left_out = _attempt(one, two, drawn, counts, spread, progress, patient=False)
            if not any(tally.unfit for tally in tallies.values()):
                return tallies, _notes(drawn, counts, spread, two.package, left_out)
    try:
        tallies, left_out = _attempt(one, two, drawn, counts, last, progress, patient=True)
    except PackageError as error:
        raise PackageError(f"{error}. That was with random inputs; {_OWN}") from error
    return tallies, _notes(drawn, counts, last, two.package, left_out)


def _attempt(one, two, drawn, counts, spread, progress, patient):
    """Tallies by output, and why shapes were left out, by their number; not `patient`: up to a bad sample."""
    tallies, left_out = tallies_of(one, two), {}
    for done, (number, sequence) in enumerate(drawn.draw(counts, spread)):
        if number in left_out:
            continue
        try:
            expected = answers(two, sequence, drawn.watch)
        except PackageError as error:
            # An end of a range may be more than the program itself can take.
            if number == 0:
                raise
            left_out[number] = str(error)
            continue
        add(tallies, answers(one, sequence), expected)
        if progress is not None:
            progress(done + 1, sum(counts))
        if not patient and any(tally.unfit for tally in tallies.values()):
            break
    return tallies, left_out


def _with_given(one, two, inputs, progress):
    tallies = tallies_of(one, two)
    found, note = sequences(two, inputs)
    for done, sequence in enumerate(found):
        add(tallies, answers(one, sequence), answers(two, sequence))
        if progress is not None:
            progress(done + 1, len(found))
    return tallies, [note]


def sequences(model, inputs=None, samples=1, seed=0):
    """The inputs that a model is tried with: those given, or random ones of the usual shapes.

    Parameters
    ----------
    model : Model
    inputs, samples, seed
        As in `compare`.

    Returns
    -------
    (list, str)
        Lists of inputs that follow each other, and where they come from, in words.

    Raises
    ------
    PackageError
        If the model has no finite answer to random inputs.
    """
    if inputs is not None:
        given = _samples(_read(inputs) if isinstance(inputs, str | Path) else inputs, model.inputs)
        note = f"inputs: {len(given)} of your own"
        if model.states:
            return [given], note + ", in one state" * (len(given) > 1)
        return [[sample] for sample in given], note
    drawn = RandomInputs(model, seed)
    counts = [samples] + [0] * (len(drawn.shapes) - 1)
    problem = None
    for spread in drawn.spreads:
        found = [sequence for _, sequence in drawn.draw(counts, spread)]
        tallies = tallies_of(model, model)
        try:
            for sequence in found:
                expected = answers(model, sequence)
                add(tallies, expected, expected)
        except PackageError as error:
            problem = str(error)
            continue
        unfit = [tally.problem for tally in tallies.values() if tally.unfit]
        if not unfit:
            return found, _notes(drawn, counts, spread, model.package, {})[0]
        problem = unfit[0]
    raise PackageError(f"{problem}. That was with random inputs; {_OWN}")


def answers(model, sequence, watch=None):
    """What a model answers to inputs that follow each other."""
    state, found = model.make_state() or None, []
    for inputs in sequence:
        if watch is not None:
            for name, value in inputs.items():
                watch(None, name, value)
        found.append(model._answer(inputs, state, watch))
    return found


def tallies_of(one, two):
    """A tally for each output of two models."""
    return {name: Tally(feature.kind, one.package, two.package) for name, feature in two.outputs.items()}


def add(tallies, found, expected):
    """Count what two models answered."""
    for ours, theirs in zip(found, expected):
        for name, tally in tallies.items():
            tally.add(ours[name], theirs[name])


def worst(tallies):
    """The least decibels of any output, of all samples together; None where outputs are labels only."""
    found = [tally.result(name, "") for name, tally in tallies.items()]
    levels = [-math.inf if one.problem else one.total for one in found if one.problem or one.decibels]
    return min(levels, default=None)


class Tally:
    """What is known of an output, sample after sample.

    `unfit` tells that the reference itself has no finite answer: other inputs may have one.
    """

    def __init__(self, kind, model, reference):
        self.image, self.model, self.reference = kind == "image", model, reference
        self.kind, self.problem, self.unfit = "numbers", "", False
        self.decibels, self.signals, self.noises = [], [], []
        self.same = self.count = self.samples = 0

    def add(self, ours, theirs):
        self.samples += 1
        if self.problem:
            return
        if isinstance(theirs, dict):
            if set(ours) != set(theirs):
                self.problem = f"{self.model} and {self.reference} have different classes"
                return
            ours, theirs = ([answer[label] for label in theirs] for answer in (ours, theirs))
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        if ours.shape != theirs.shape:
            self.problem = f"{self.model} answers in shape {ours.shape}, {self.reference} in {theirs.shape}"
        elif self.image or theirs.dtype.kind == "f":
            self._add_numbers(ours.astype(np.float64), theirs.astype(np.float64))
        else:
            self.kind = "labels"
            self._count(ours == theirs)

    def _count(self, alike):
        self.same += int(np.sum(alike))
        self.count += alike.size

    def _add_numbers(self, ours, theirs):
        alike = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        finite = np.isfinite(theirs)
        # Both may answer minus infinity, where a mask rules something out: that is an answer, nan is none.
        if np.isnan(theirs).any() or not np.all(alike | finite):
            self.unfit = True
            self.problem = f"{self.reference} has no finite answer to these inputs; {_OWN}"
        elif not np.isfinite(ours[finite]).all():
            self.problem = f"{self.model} has no finite answer where {self.reference} has one"
        else:
            self._count(alike)
            signal, noise = _norm(theirs[finite]), _norm(ours[finite] - theirs[finite])
            self.signals.append(signal)
            self.noises.append(noise)
            self.decibels.append(_ratio(signal, noise))

    def result(self, name, function):
        total = _ratio(math.hypot(*self.signals), math.hypot(*self.noises))
        return OutputComparison(
            name,
            function,
            self.kind,
            () if self.problem else tuple(self.decibels),
            total,
            self.same,
            self.count,
            self.samples,
            self.problem,
        )


def _norm(values):
    """The root of the sum of squares, of numbers so large or small that their squares are none."""
    peak = float(np.max(np.abs(values), initial=0))
    return peak * float(np.linalg.norm(values / peak)) if peak else 0.0


def _ratio(signal, noise):
    if not noise:
        return math.inf
    return 20 * (math.log10(signal) - math.log10(noise)) if signal else -math.inf


# --- in words ---


def _notes(drawn, counts, spread, reference, left_out):
    """What was tried, in sentences."""
    count = counts[0]
    said = f"inputs: {count} random {'sample' if count == 1 else 'samples'}, seed {drawn.seed}"
    if drawn.steps > 1:
        said += f", each of {drawn.steps} steps in one state"
    if drawn.has_numbers:
        said += f"; numbers are {SPREADS[spread][0]}"
    if spread != drawn.spreads[0]:
        said += f" ({reference} has no finite answer to others)"
    notes = [said]
    for name in drawn.whole:
        low, high = drawn.range(name, spread)
        notes.append(f"{name}: whole numbers from {low:,} to {high:,}" if low < high else f"{name}: {low:,}")
    for name, table, seen, rows in drawn.coverage():
        enough = drawn.enough()
        more = (
            f"; --samples {enough} (samples= in Python) visits all" if seen < rows and enough > count else ""
        )
        notes.append(f"{name}: {seen:,} of {rows:,} rows of {table!r} visited, {_share(seen, rows)}{more}")
    for number, shapes in enumerate(drawn.shapes[1:], 1):
        shape = ", ".join(f"{name} {size}" for name, size in shapes.items())
        reason = f": left out, {left_out[number]}" if number in left_out else ""
        notes.append(f"{counts[number]} more with {shape}{reason}")
    return notes


# --- inputs of one's own ---


def _read(path):
    """The arrays of a file: a dictionary, or one array."""
    path = Path(path)
    wrong = f"inputs: {path} is not an .npz or .npy file of arrays of numbers, as numpy.savez writes it"
    try:
        content = np.load(path, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"inputs: there is no file {path}") from None
    except (EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        # NumPy's advice on what it takes for a pickle is to run it.
        raise ValueError(wrong if "pickle" in str(error) else f"{wrong}: {error}") from error


def _samples(inputs, features):
    """Inputs as they were given, as a list of dictionaries."""
    if isinstance(inputs, np.ndarray):
        if len(features) != 1:
            raise ValueError(
                f"inputs: one array is for a model of one input, and this has {_names(features)}: save them "
                "in an .npz file, numpy.savez('inputs.npz', name=array, ...)"
            )
        inputs = dict.fromkeys(features, inputs)
    if isinstance(inputs, (list, tuple)):
        if not inputs:
            raise ValueError("inputs must hold a sample; got none")
        return list(inputs)
    if not isinstance(inputs, dict):
        raise TypeError(
            "inputs must be a dictionary of arrays by input name, a list of such dictionaries, or the path "
            f"of a file; got {type(inputs).__name__}"
        )
    several = {
        name: value
        for name, value in inputs.items()
        if name in features and _has_samples(value, features[name])
    }
    counts = {len(value) for value in several.values()}
    if not several:
        return [inputs]
    if len(counts) > 1 or counts == {0}:
        said = ", ".join(f"{name!r} {len(value)}" for name, value in several.items())
        raise ValueError(f"inputs must have one number of samples, 1 or more; got {said}")
    return [
        {name: value[i] if name in several else value for name, value in inputs.items()}
        for i in range(*counts)
    ]


def _has_samples(value, feature):
    """Whether an array has one axis more than the input."""
    if hasattr(value, "convert"):  # a PIL image
        return False
    if feature.kind == "image":
        rank = 2 if feature.color.startswith("GRAY") else 3
    else:
        rank = len(feature.ranges or feature.shape)
    return bool(rank) and np.ndim(value) == rank + 1
