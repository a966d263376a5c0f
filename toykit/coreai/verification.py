"""Is a compressed Core AI program what it should be?

As `toykit.verification` asks of a Core ML package: does every compressed weight keep the promise of its form, is
everything else as it was, and what do the two answer to the same inputs? Weights are brought together by their names,
which compression keeps.

Not here: programs whose operators differ, such as an original that was converted in another way, or a Core ML package
of the same network, whose converter folds batch norms in another precision. Their answers can be compared:
`toykit.coreai.compare`.
"""

import os
from pathlib import Path

import numpy as np

from .._quiet import working
from ..compressed import Compressed, check_choice, check_flag, check_number, dense_of, error
from ..coreml.format.protobuf import PackageError
from ..settings import THRESHOLD
from ..stored.parts import digest
from ..verification import promises
from ..verification.verdicts import Verification, WeightVerdict
from .asset import Asset, open_program
from .comparison import compare, is_module
from .conversion import convert
from .model import load
from .names import short_name
from .program import CONSTANT, operations, read
from .weights_of import found, weights


def verify(
    small,
    big,
    inputs=None,
    *,
    samples=None,
    seed=0,
    at_least=None,
    tables="derived",
    all_weights=False,
    run=True,
    progress=None,
):
    """Hold a compressed program against the one that it was made from.

    Parameters
    ----------
    small : str, Path, Asset or coreai.authoring.AIProgram
    big : the same, or torch.nn.Module
        What it was made from. A module is converted by `toykit.coreai.convert`, for the inputs of `small` and in its
        precision: a program that another converter made of it has other operators, and is told so.
    inputs, samples, seed, progress
        As in `toykit.coreai.compare`, for the answers.
    at_least : float, optional
        Decibels that every sample of every output has to reach. By default the answers have to be finite and of the
        same shape.
    tables : {"derived", "given"}
        "derived": scales must be those that the original weights ask for, and tables about as good as toykit's.
        "given": they are taken as they are; codes are held against them. So do with a float32 program that is
        quantized: its scales keep the 1e-6 that coreai-opt adds to a range, and are not the derived ones.
    all_weights : bool
        Whether each weight of more than 2,048 elements has to be compressed. By default those that are not are noted.
    run : bool
        Whether to compare answers.

    Returns
    -------
    toykit.verification.verdicts.Verification

    Raises
    ------
    ImportError
        Where Apple's packages are missing.
    FileNotFoundError
        If there is no asset.
    PackageError
        If `big` is not sound, or cannot be run. A `small` that is not sound is not verified.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> verify("Small.aimodel", "Model.aimodel").ok                         # doctest: +SKIP
    True
    """
    check_choice("tables", tables, promises.TABLES)
    check_flag("run", run)
    check_flag("all_weights", all_weights)
    if at_least is not None:
        at_least = check_number("at_least", at_least)
    if is_module(big):
        big = _converted(big, small)
    original = _opened("big", big)
    try:
        pair = _Pair(_opened("small", small), original)
        pair.judge(tables, all_weights)
    except PackageError as problem:
        return Verification(_name(small), _name(big), (), 0, (str(problem),), ())
    answers = None
    if run and not pair.faces:
        asked = {"inputs": inputs, "samples": samples, "seed": seed, "progress": progress}
        try:
            answers = compare(big, small, **asked)
        except PackageError as problem:
            compare(big, big, **asked)  # the original runs, or nothing can be said
            pair.problems.append(f"it cannot be run: {problem}")
        else:
            pair.problems += [f"output {one.label}: {one.verdict}" for one in answers.outputs if one.problem]
    if answers is not None and at_least is not None:
        low = [one for one in answers.below(at_least) if not one.problem]
        pair.problems += [f"output {one.label} is below {at_least:g} dB: {one.verdict}" for one in low]
    return Verification(
        _name(small),
        _name(big),
        tuple(pair.weights),
        pair.unchanged,
        tuple(pair.problems),
        tuple(pair.notes),
        answers,
    )


def _converted(module, small):
    """The program of a torch module, as the one that `small` was made from would have been converted."""
    import torch

    declared = [(one.shape, one.dtype) for one in load(_opened("small", small)).inputs.values()]
    # `convert` casts a module of float32, and its inputs, by itself.
    example = tuple(
        torch.zeros(shape, dtype=getattr(torch, dtype.replace("float16", "float32")))
        for shape, dtype in declared
    )
    half = any(value.dtype == np.float16 for value in weights(small).values())
    return convert(module, example, precision="float16" if half else "float32")


def _opened(argument, source):
    try:
        return open_program(source)
    except TypeError as error:
        raise TypeError(str(error).replace("source", argument, 1)) from None


def _name(source):
    path = source.path if isinstance(source, Asset) else source
    return Path(path).name if isinstance(path, str | os.PathLike) else "the program"


class _Pair:
    """Two programs, held against each other.

    Attributes
    ----------
    faces : bool
        Whether inputs or outputs differ.
    weights : list of WeightVerdict
    unchanged : int
    problems, notes : list of str
    """

    def __init__(self, small, big):
        with working():
            self.small, self.big = _Program(small), _Program(big)
        self.weights, self.unchanged, self.notes = [], 0, []
        self.faces = self.small.faces != self.big.faces
        self.problems = ["inputs, outputs or functions are not what they were"] * self.faces
        self.problems += _differences(self.small.steps, self.big.steps)

    def judge(self, tables, all_weights):
        ours, theirs = self.small.weights, self.big.weights
        self.problems += [f"{name}: is missing" for name in theirs if name not in ours]
        self.problems += [f"{name}: was not there" for name in ours if name not in theirs]
        for name, value in theirs.items():
            if name in ours:
                self._judge(name, ours[name], value, tables)
        if not any(isinstance(value, Compressed) for value in ours.values()):
            return
        for name, value in ours.items():
            if not isinstance(value, Compressed) and value.size > THRESHOLD and value.ndim > 1:
                (self.problems if all_weights else self.notes).append(f"{name} is not compressed")

    def _judge(self, name, ours, theirs, tables):
        if not isinstance(ours, Compressed) or (isinstance(theirs, Compressed) and ours.form == theirs.form):
            dense, before = dense_of(ours), dense_of(theirs)
            if dense.shape != before.shape or dense.dtype != before.dtype:
                self.problems.append(
                    f"{name}: is {dense.dtype} {dense.shape}; it was {before.dtype} {before.shape}"
                )
            elif (apart := _apart(dense, before)).any():
                self.problems.append(f"{name}: {promises.some(apart, 'are not what they were')}")
            else:
                self.unchanged += 1
            return
        before = dense_of(theirs)
        judgement = promises.judge(before, ours, tables, chance=True)
        snr = worst = None
        if before.shape == ours.shape:
            far = error(before, ours.dense())
            snr, worst = far.snr_db, far.max_abs
        self.weights.append(
            WeightVerdict(
                name, ours.form, ours.bits_per_weight, snr, worst, judgement.status, judgement.problem
            )
        )
        if judgement.problem:
            self.problems.append(f"{name}: {judgement.problem}")


class _Program:
    """What is compared of a program.

    Attributes
    ----------
    faces : list of str
        Of each function: its name, inputs and outputs.
    weights : dict of str to Compressed or ndarray
    steps : list of tuple
        Of each operator that decompresses nothing: its name, what it is given, its settings, types of its results.
    """

    def __init__(self, program):
        graphs = program._module._mlir_module.operation.regions[0].blocks[0].operations
        self.faces = [_settings(graph.operation) for graph in graphs]
        self._names, self.weights, inside = {}, {}, set()
        for name, value, operation in found(program):
            self.weights[name] = value
            self._names[hash(operation)] = name
            inside |= set(map(hash, _chain(operation)))
        self._numbers, self.steps = {}, []
        for operation in operations(program):
            if operation.name != CONSTANT and hash(operation) not in inside:
                self._numbers[hash(operation)] = len(self.steps)
                self.steps.append(self._step(operation))

    def _step(self, operation):
        given = tuple(self._given(operand) for operand in operation.operands)
        kinds = tuple(str(result.type) for result in operation.results)
        return short_name(operation), given, _settings(operation), kinds

    def _given(self, value):
        """What an operator is given, in words that are the same in both programs."""
        operation = getattr(value.owner, "operation", None)
        if operation is None:
            return f"input {_place(value, value.owner.arguments)}"
        if hash(operation) in self._names:
            return self._names[hash(operation)]
        if operation.name == CONSTANT:
            stored = read(operation)
            return f"{stored.dtype} {stored.shape} {digest(np.ascontiguousarray(stored.array)).hex()}"
        return f"result {_place(value, operation.results)} of operator {self._numbers[hash(operation)]}"


def _place(value, values):
    return [hash(one) for one in values].index(hash(value))


def _settings(operation):
    # The compiler's own marks, such as __coreai_pure__, are not saved.
    return str([str(one) for one in operation.attributes if not one.name.startswith("__")])


def _chain(operation):
    """The operators and constants that a weight is made by."""
    yield operation
    for operand in operation.operands:
        yield from _chain(operand.owner.operation)


def _apart(ours, theirs):
    """Where two arrays differ; where both hold no number they do not."""
    return (ours != theirs) & ((ours == ours) | (theirs == theirs))


def _differences(ours, theirs):
    """Sentences on the operators that differ: the first, and how many."""
    if len(ours) != len(theirs):
        return [f"the program: has {len(ours):,} operators; it had {len(theirs):,}"]
    apart = [number for number, (one, two) in enumerate(zip(ours, theirs)) if one != two]
    if not apart:
        return []
    one, two = ours[apart[0]], theirs[apart[0]]
    if one[0] != two[0]:
        what = f"is {one[0]}; it was {two[0]}"
    else:
        parts = ("name", "what it is given", "its settings", "the type of its result")
        what = f"{two[0]}: {next(part for part, a, b in zip(parts, one, two) if a != b)} is not what it was"
    more = f", the first of {len(apart):,} that differ" if len(apart) > 1 else ""
    return [f"the program: operator {apart[0]}, {what}{more}"]
