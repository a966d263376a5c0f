"""`tk.verify`: is the compressed package what it should be?

Three questions, of which each finds what the others cannot. Does every compressed weight keep the promise of its
form (`toykit.verification.promises`)? Is everything else as it was, to the bit: operations, settings, biases, what
goes in and out? And what do the two packages answer to the same inputs?

Where the programs differ, as after Core ML Tools' passes, which rename, move and merge operations, nobody can
say by looking whether they compute the same. Then the original's weights are put into the small program: with
these it has to answer as the original does.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..compressed import check_choice, check_flag, check_number
from ..coreml.format.package import open_package
from ..coreml.format.protobuf import PackageError
from ..coreml.runtime.comparison import Comparison, compare
from . import differences, display, promises
from .pairs import Pairings, with_values

ENOUGH = 80.0  # dB: an error of a ten-thousandth; sums in another order, in float32, make a tenth of that
QUANTIZED = 20.0  # dB where activations are quantized, too; what coremltools got wrong had 17 at most
_ACTIVATIONS = {"quantize", "dequantize"}
_MEANS = {
    "equal": "nothing was lost",
    "exact": "as the original asks for, to the bit",
    "near": "as near as promised, with a table that chance found",
    "given": "as near as promised, with scales or tables taken as they are",
    "wrong": "wrong",
}


@dataclass(frozen=True)
class WeightVerdict:
    """A compressed weight, held against the original.

    Attributes
    ----------
    name, form : str
    bits : float
        A weight.
    snr_db, max_abs : float or None
        How far it is from the original; None if that cannot be said.
    status : {"equal", "exact", "near", "given", "wrong"}
    problem : str
        "" unless it is wrong.
    """

    name: str
    form: str
    bits: float
    snr_db: float | None
    max_abs: float | None
    status: str
    problem: str = ""


@dataclass(frozen=True, repr=False)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    small, against : str
        Names of the packages.
    weights : tuple of WeightVerdict
        The compressed ones.
    unchanged : int
        Constants that are the same in both, to the bit.
    problems : tuple of str
        Why the package is not verified; empty if it is.
    notes : tuple of str
        What else there is to know.
    answers : toykit.coreml.runtime.comparison.Comparison or None
        Of the two packages; None where they were not run.
    with_originals : Comparison or None
        Of the original and the small program with the original's weights; None where the programs are the same.
    """

    small: str
    against: str
    weights: tuple
    unchanged: int
    problems: tuple
    notes: tuple
    answers: Comparison | None = None
    with_originals: Comparison | None = None

    @property
    def ok(self):
        """Whether the package is verified."""
        return not self.problems

    def as_data(self):
        """Numbers, lists and dictionaries, for JSON. Decibels that are not finite are None."""
        return {
            "ok": self.ok,
            "small": self.small,
            "against": self.against,
            "problems": list(self.problems),
            "notes": list(self.notes),
            "weights": [
                asdict(one) | {"snr_db": display.finite(one.snr_db), "max_abs": display.finite(one.max_abs)}
                for one in self.weights
            ],
            "unchanged": self.unchanged,
            "answers": self.answers and self.answers.as_data(),
            "with_originals": self.with_originals and self.with_originals.as_data(),
        }

    @property
    def _verdict(self):
        return f"{self.small} is {'' if self.ok else 'not '}verified against {self.against}"

    def _rows(self):
        return [
            [one.name, one.form, f"{one.bits:.1f}", display.decibels(one.snr_db), one.status]
            for one in self.weights
        ]

    def _sentences(self):
        met = dict.fromkeys(one.status for one in self.weights if one.status != "wrong")
        yield from (f"{status}: {_MEANS[status]}" for status in met)
        yield f"{self.unchanged:,} other constant{' is' if self.unchanged == 1 else 's are'} the same, to the bit"
        yield from self.notes
        if self.answers is not None:
            yield from str(self.answers).splitlines()

    def __str__(self):
        lines = display.text(_HEAD, self._rows(), _NUMBERS) if self.weights else []
        lines += display.sentences(self._sentences())
        lines += display.sentences([f"{self._verdict}{':' * (not self.ok)}"])
        return "\n".join([*lines, *display.sentences(self.problems, "- ")])

    __repr__ = __str__

    def _repr_html_(self):
        said = [*self._sentences(), *self.problems]
        return display.html(self._verdict, _HEAD, self._rows(), said, _NUMBERS)


_HEAD, _NUMBERS = ("weight", "stored as", "bits", "dB", "is"), {2, 3}


def verify(
    small,
    against,
    inputs=None,
    *,
    samples=None,
    seed=0,
    function=None,
    at_least=None,
    tables="derived",
    all_weights=False,
    run=True,
    progress=None,
    **options,
):
    """Hold a compressed package against the one that it was made from.

    Parameters
    ----------
    small, against : str, Path, Package or coremltools.models.MLModel
    inputs, samples, seed, function, progress
        As in `toykit.coreml.compare`, for the answers. Weights and programs of all functions are looked at.
    at_least : float, optional
        Decibels that every sample of every output has to reach. By default the answers have to be finite and of
        the same shape: how much accuracy a task can spare, only your own data can say.
    tables : {"derived", "given"}
        "derived": scales and tables must be those that the original weights ask for, as data-free compression
        finds them. "given": they are taken as they are, as after calibration or training or with a table of
        your own; codes are held against them.
    all_weights : bool
        Whether each weight of more than 2,048 elements has to be compressed. By default those that are not are
        noted, with the reason.
    run : bool
        Whether to compare answers.
    **options
        As in `toykit.coreml.load`.

    Returns
    -------
    Verification

    Raises
    ------
    FileNotFoundError
        If there is no package.
    PackageError
        If `against` is not sound, or cannot be run. A `small` that is not sound is not verified.
    TypeError, ValueError
        If the packages cannot be compared, or an argument is not as described.

    Examples
    --------
    >>> found = verify("Small.mlpackage", "Model.mlpackage")                 # doctest: +SKIP
    >>> found.ok, found.problems                                            # doctest: +SKIP
    (True, ())
    """
    check_choice("tables", tables, promises.TABLES)
    check_flag("run", run)
    check_flag("all_weights", all_weights)
    if at_least is not None:
        at_least = check_number("at_least", at_least)
    big = open_package(against)
    try:
        pairings = Pairings(small, big)
        found = _Verifier(pairings, tables, all_weights)
    except PackageError as problem:
        return Verification(_name(small), big.path.name, (), 0, (str(problem),), ())
    if run:
        given = {
            "inputs": inputs,
            "samples": samples,
            "seed": seed,
            "function": function,
            "progress": progress,
        }
        found.run(at_least, given | options)
    return found.result()


def _name(package):
    return open_package(package).path.name if hasattr(package, "package_path") else Path(str(package)).name


class _Verifier:
    """Looks at everything that lies in the packages, and then runs them."""

    def __init__(self, pairings, tables, all_weights):
        self.small, self.big, self.pairings = pairings.small, pairings.big, pairings
        self.problems, self.notes = [*pairings.differences, *differences.description_changes(pairings)], []
        self.alike = not self.problems
        self.answers = self.with_originals = None
        self.weights, self.unchanged = [], 0
        self._check_files()
        judgements = []
        for pair in pairings.constants:
            if pair.small.compressed and not (pair.big.compressed and pair.same):
                judgements.append(self._judge(pair, tables))
            elif pair.same:
                self.unchanged += 1
            else:
                self.problems.append(differences.changed(pair))
        if promises.written_by_toykit(judgements):
            for number, judgement in enumerate(judgements):
                if judgement.status == "near":
                    differ = f"{judgement.count - judgement.alike:,} of {judgement.count:,} weights"
                    problem = f"{differ} are not those of the table that toykit finds, and the others are"
                    self.weights[number] = replace(self.weights[number], status="wrong", problem=problem)
        self.problems += [f"{one.name}: {one.problem}" for one in self.weights if one.problem]
        left_out = differences.skipped(pairings)
        for pair in pairings.constants:
            if id(pair) in left_out:
                said = f"{pair.big.name} is not compressed: {left_out[id(pair)]}"
                (self.problems if all_weights else self.notes).append(said)

    def _check_files(self):
        """Files that nobody compresses, and the records of the weight files: one that is broken is found by Core ML."""
        ours, theirs = (
            {name: size for name, size in package.files.items() if not _is_rewritten(package, name)}
            for package in (self.small, self.big)
        )
        for name in sorted({*ours, *theirs}):
            if name not in ours or name not in theirs:
                self.problems.append(f"the file {name} is {'new' if name in ours else 'missing'}")
            elif (self.small.path / name).read_bytes() != (self.big.path / name).read_bytes():
                self.problems.append(f"the file {name} is not what it was")
        known = {(blob.path, blob.offset) for blob in self.small.weight_blobs}
        for part in self.small.programs:
            for operation in part.program.walk():
                for parameter, value in operation.constants:
                    if any((blob.path, blob.offset) not in known for blob in value.blobs):
                        self.problems.append(
                            f"{operation.name}, {parameter}: its array is none of the records of the weight file"
                        )

    def _judge(self, pair, tables):
        compressed = pair.small.stored
        judgement = promises.judge(pair.big.dense(), compressed, tables)
        snr, worst = differences.distance(pair)
        status, problem = judgement.status, judgement.problem
        bits = compressed.bits_per_weight
        self.weights.append(WeightVerdict(pair.big.name, compressed.form, bits, snr, worst, status, problem))
        self.small.release_pages()
        self.big.release_pages()
        return judgement

    def run(self, at_least, given):
        """Compare the answers; where the programs differ, also those with the original's weights in the small one."""
        if not self.alike:
            return  # other inputs or outputs: there is nothing to compare
        try:
            if self.pairings.structure:
                values = {
                    pair.small.operation: pair.big.dense()
                    for pair in self.pairings.constants
                    if pair.small.operation and pair.small.type == pair.big.type and not pair.same
                }
                self.with_originals = compare(with_values(self.small, values), self.big, **given)
            self.answers = compare(self.small, self.big, **given)
        except PackageError as problem:
            few = {} if given["inputs"] is not None else {"samples": 1}
            compare(self.big, self.big, **given | few)  # the original runs, or nothing can be said
            self.problems.append(f"it cannot be run: {problem}")
            return
        self.problems += [f"output {one.label}: {one.verdict}" for one in self.answers.outputs if one.problem]
        if at_least is not None:
            low = [one for one in self.answers.below(at_least) if not one.problem]
            self.problems += [f"output {one.label} is below {at_least:g} dB: {one.verdict}" for one in low]

    def _judge_structure(self):
        """Where the programs differ: whether they compute the same with the same weights."""
        structure, found = self.pairings.structure, self.with_originals
        if not structure:
            return
        if found is None:
            self.problems += [f"the program: {sentence}" for sentence in structure]
            return
        inserted = {step.op for function in self.pairings.functions for step in function.only_small}
        needed = QUANTIZED if inserted & _ACTIVATIONS else ENOUGH
        said = ", ".join(f"{one.label} {one.verdict}" for one in found.outputs)
        said = f"the programs differ; with the original's weights in both, the answers are: {said}"
        kept = all(one.identical or (one.decibels and one.worst >= needed) for one in found.outputs)
        if not kept:
            said += f", where {needed:g} dB are needed"
        (self.notes if kept else self.problems).extend([said, *(f"the program: {one}" for one in structure)])

    def result(self):
        self._judge_structure()
        return Verification(
            self.small.path.name,
            self.big.path.name,
            tuple(self.weights),
            self.unchanged,
            tuple(
                dict.fromkeys([*self.problems, *differences.turned(self.pairings)] if self.problems else ())
            ),
            tuple(dict.fromkeys(self.notes)),
            self.answers,
            self.with_originals,
        )


def _is_rewritten(package, name):
    """Whether a file is one that compressing writes anew, or names by chance."""
    root = package.path.resolve()
    anew = {package.model_file, *(weights.path for weights in package.weight_files.values())}
    return name == "Manifest.json" or name in {file.relative_to(root).as_posix() for file in anew}
