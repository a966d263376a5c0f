"""`tk.diff`: what became of each weight, what was left out and why, and what changed that should not have."""

from collections import Counter
from dataclasses import asdict, dataclass

from .. import settings
from ..compressed import error
from ..coreml.writing import forms
from ..coreml.writing.candidates import constants_in
from ..stored.prediction import predict
from . import display, promises
from .pairs import Pairings

_ASKED = (
    "bits",
    "mode",
    "signed",
    "granularity",
    "block_size",
    "group_size",
    "cluster_dim",
    "per_channel_scale",
)


@dataclass(frozen=True)
class Change:
    """A weight in both packages.

    Attributes
    ----------
    name : str
    status : {"same", "compressed", "skipped", "changed"}
        The same to the bit; stored in another form; a weight of more than 2,048 elements that is as it was although
        others were compressed; or another one, in no compressed form.
    before, after : str
        The forms.
    bits_before, bits_after : float
        A weight.
    bytes_before, bytes_after : int
    snr_db, max_abs : float or None
        The error; None where it cannot be said.
    why : str
        Of a skipped weight: what keeps it from being stored as the others are; or what changed.
    """

    name: str
    status: str
    before: str
    after: str
    bits_before: float
    bits_after: float
    bytes_before: int
    bytes_after: int
    snr_db: float | None
    max_abs: float | None
    why: str = ""


@dataclass(frozen=True, repr=False)
class Difference:
    """What `diff` found.

    Attributes
    ----------
    a, b : str
        Names of the packages.
    bytes_a, bytes_b : int
        Of everything.
    weights : tuple of Change
        Constants that lie in a weight file.
    others : tuple of str
        What else is not as it was and should be: settings, what goes in and out, functions.
    program : tuple of str
        In what the programs differ as graphs. Passes of Core ML Tools rename, move and merge operations; whether the
        program still computes the same is `verify`'s question.
    """

    a: str
    b: str
    bytes_a: int
    bytes_b: int
    weights: tuple
    others: tuple
    program: tuple

    def of(self, status):
        """The weights of a status: list of Change."""
        return [one for one in self.weights if one.status == status]

    @property
    def unexpected(self):
        """What changed and should not have, in sentences: list of str."""
        return [*(one.why for one in self.of("changed")), *self.others]

    def as_data(self):
        """Numbers, lists and dictionaries, for JSON. Decibels that are not finite are None."""
        return {
            "a": self.a,
            "b": self.b,
            "bytes_a": self.bytes_a,
            "bytes_b": self.bytes_b,
            "weights": [
                asdict(one) | {"snr_db": display.finite(one.snr_db), "max_abs": display.finite(one.max_abs)}
                for one in self.weights
            ],
            "unexpected": self.unexpected,
            "program": list(self.program),
        }

    def _rows(self):
        for one in self.weights:
            if one.status != "same":
                size = f"{one.bytes_after:,}"
                worst = "-" if one.max_abs is None else f"{one.max_abs:.2g}"
                after = one.after if one.status == "compressed" else one.status
                yield [one.name, after, f"{one.bits_after:.1f}", size, display.decibels(one.snr_db), worst]

    def _sentences(self):
        same = len(self.of("same"))
        yield f"{self.a}: {self.bytes_a:,} bytes; {self.b}: {self.bytes_b:,} bytes"
        if same:
            constants = (
                "other constant of the weight file is"
                if same == 1
                else "other constants of the weight file are"
            )
            yield f"{same:,} {constants} the same, to the bit"
        yield from (f"skipped: {one.name}: {one.why}" for one in self.of("skipped"))
        yield from (f"changed, and should not have: {sentence}" for sentence in self.unexpected)
        yield from (f"the program: {sentence}" for sentence in self.program)
        if self.program:
            yield "whether the program still computes the same, verify says"

    def __str__(self):
        rows = list(self._rows())
        table = display.text(_HEAD, rows, _NUMBERS) if rows else []
        return "\n".join([*table, *display.sentences(self._sentences())])

    __repr__ = __str__

    def _repr_html_(self):
        caption, *said = self._sentences()
        return display.html(caption, _HEAD, list(self._rows()), said, _NUMBERS)


_HEAD, _NUMBERS = ("weight", "now", "bits", "bytes", "dB", "max error"), {2, 3, 4, 5}


def diff(a, b):
    """What is different in package `b`, which was made from `a`.

    Parameters
    ----------
    a, b : str, Path, Package or coremltools.models.MLModel
        Before and after. Nothing is run.

    Returns
    -------
    Difference

    Raises
    ------
    FileNotFoundError
        If there is no package.
    PackageError
        If one is not sound.
    TypeError, ValueError
        If they are no packages of ML programs, or one is a pipeline and the other is not.

    Examples
    --------
    >>> found = diff("Model.mlpackage", "Small.mlpackage")                   # doctest: +SKIP
    >>> [(one.name, one.snr_db) for one in found.of("compressed")]           # doctest: +SKIP
    [('fc_weight_to_fp16', 41.2)]
    """
    pairings = Pairings(b, a)
    left_out = skipped(pairings)
    changes = [_change(pair, left_out.get(id(pair))) for pair in pairings.constants if _is_weight(pair)]
    return Difference(
        pairings.big.path.name,
        pairings.small.path.name,
        pairings.big.nbytes,
        pairings.small.nbytes,
        tuple(changes),
        (*pairings.differences, *description_changes(pairings), *_settings(pairings), *turned(pairings)),
        tuple(pairings.structure),
    )


def _is_weight(pair):
    return pair.small.on_file or pair.big.on_file


def _settings(pairings):
    """Constants that are no weights and not as they were."""
    return [changed(pair) for pair in pairings.constants if not (_is_weight(pair) or pair.same)]


def turned(pairings):
    """A sentence where the two seem to be given the wrong way round: only the original is compressed."""
    if any(pair.big.compressed for pair in pairings.constants) and not any(
        pair.small.compressed for pair in pairings.constants
    ):
        names = pairings.big.path.name, pairings.small.path.name
        yield f"is the order right? {names[0]}, the original, is compressed, and {names[1]} is not"


def description_changes(pairings):
    """What an app sees of it that is not as it was."""
    ours, theirs = pairings.small.description, pairings.big.description
    found = []
    both = [("", ours, theirs)]
    for name in (theirs.functions or {}).keys() & (ours.functions or {}).keys():
        both.append((f"{name}: ", ours.functions[name], theirs.functions[name]))
    for before, one, two in both:
        for what in ("inputs", "outputs", "states"):
            mine, others = getattr(one, what), getattr(two, what)
            if mine != others:
                names = [name for name in {**others, **mine} if mine.get(name) != others.get(name)]
                names = names or list(others)
                found.append(f"{before}the {what} are declared otherwise: {', '.join(map(repr, names))}")
    if ours.default_function != theirs.default_function:
        found.append(f"the default function is {ours.default_function!r}; it was {theirs.default_function!r}")
    if ours.predicted_feature != theirs.predicted_feature:
        found.append(
            f"the predicted feature is {ours.predicted_feature!r}; it was {theirs.predicted_feature!r}"
        )
    return found


def changed(pair):
    """A constant that is not what it was, in a sentence."""
    where = f"{pair.big.name} of {', '.join(dict.fromkeys(pair.uses))}"
    if pair.same:
        return f"{where}: the same numbers, and no longer compressed"
    if pair.small.type != pair.big.type:
        return f"{where}: is {pair.small.type}; it was {pair.big.type}"
    ours, theirs = pair.small.dense(), pair.big.dense()
    if pair.big.type.kind != "tensor" or isinstance(theirs, str | list) or theirs.size <= 4:
        return f"{where}: is {_short(ours)}; it was {_short(theirs)}"
    apart = (ours != theirs) & ~((ours != ours) & (theirs != theirs))
    return (
        f"{where}: {promises.some(apart, 'are not what they were')}"
        if apart.any()
        else f"{where}: other bits"
    )


def _short(value):
    words = repr(value.tolist() if hasattr(value, "tolist") else value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _change(pair, why):
    count = max(1, _count(pair.big.type))
    status = "same" if pair.same else "compressed" if pair.small.compressed else "changed"
    if pair.same and pair.small.compressed != pair.big.compressed:
        status = "compressed" if pair.small.compressed else "changed"
    if why:
        status = "skipped"
    snr, worst = distance(pair)
    return Change(
        pair.big.name,
        status,
        pair.big.form,
        pair.small.form,
        8 * pair.big.nbytes / count,
        8 * pair.small.nbytes / count,
        pair.big.nbytes,
        pair.small.nbytes,
        snr,
        worst,
        why or (changed(pair) if status == "changed" else ""),
    )


def _count(kind):
    count = 1
    for size in kind.shape:
        count *= size or 1
    return count


def distance(pair):
    """Signal to noise in decibels, and the largest error; None where there is no such thing."""
    if pair.same:
        return float("inf"), 0.0
    try:
        found = error(pair.big.dense(), pair.small.dense())
    except (TypeError, ValueError):
        return None, None
    return found.snr_db, found.max_abs


def skipped(pairings):
    """Weights that are as they were although others are compressed: id of the pair -> why."""
    asked, found = _asked(pairings), {}
    if not any(pair.small.compressed for pair in pairings.constants):
        return found
    for function in pairings.functions:
        known = None
        for pair in function.constants:
            small = pair.small
            if small.compressed or not (small.on_file and small.floats and pair.same):
                continue
            if _count(small.type) <= settings.THRESHOLD:
                continue
            known = known or constants_in(function.small.package)[function.small.label]
            found[id(pair)] = _reason(small, known, asked, function.small.package.spec_version)
    return found


def _asked(pairings):
    """What most of the compressed weights were asked for: a technique and its options."""
    counts = Counter()
    for pair in pairings.constants:
        if pair.small.compressed and not pair.big.compressed:
            for technique, options in promises.settings_of(pair.small.stored)[:1]:
                chosen = {name: options[name] for name in _ASKED if options.get(name) is not None}
                lengths = chosen.get("block_size")
                if lengths is not None:
                    rest = sorted(set(lengths) - {0, 1})
                    chosen.pop("block_size")
                    chosen |= {"granularity": "per_channel"} if not rest else {"block_size": rest[0]}
                counts[technique, tuple(sorted(chosen.items()))] += 1
    if not counts:
        return None
    (technique, chosen), _ = counts.most_common(1)[0]
    return technique, dict(chosen)


def _reason(constant, known, asked, version):
    if constant.operation in known.results:
        return "it is a result of the network"
    weight = known.floats.get(constant.operation)
    if weight is None:
        return "what uses it takes no compressed constant"
    if asked is not None:
        technique, options = asked
        steps = settings.steps(technique, options)
        declined = predict(weight, steps, forms.IN_PROGRAM, forms.widths(version)).declined
        if declined:
            return "; ".join(declined)
    return "it could be compressed as the others are; a plan or an option left it out"
