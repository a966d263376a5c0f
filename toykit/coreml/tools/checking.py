"""Compress with coremltools, and hold what it wrote against the source and against toykit's own arrays.

coremltools changes weights that it then decides to skip (its pull request 2777), and stores constants that
differ a little as one. So a weight that can't take a technique is not offered to it, and afterwards every
constant is looked at: one that was to stay as it is must be that of the source, bit for bit, and a
compressed one must hold the arrays that toykit makes. Where coremltools leaves an array to chance, the
error must be about as small.
"""

import numpy as np

from ..._quiet import working
from ...compressed import Compressed
from ...stored.arrays import compress
from ...stored.parts import digest
from ...verification import promises
from ..constants.weights_of import weights
from ..format.package import open_package
from ..format.protobuf import PackageError
from ..writing.packages import weight_file, write_package
from ..writing.rewriting import Rewriter
from ..writing.store import Store
from .configs import apply
from .opening import open_mlmodel
from .patches import COMPRESSION, reporting
from .recipe import passes

# What coremltools dies of where its passes do not agree with each other.
_ITS_OWN = (
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


def compress_with_coremltools(source, steps_of, progress=None):
    """Compress constants of a package with coremltools.

    Parameters
    ----------
    source, steps_of, progress
        As in `toykit.coreml.writing.packages.write_package`.

    Returns
    -------
    Package
        Its `owner` is coremltools' MLModel; where there is nothing to compress, a copy, and toykit's folder.
    list of Rewriter
        What was asked of its constants, and what should have become of them.

    Raises
    ------
    ValueError
        If the package has several functions.
    PackageError
        If coremltools did not write what was asked for.
    """
    if source.models or len(source.program.functions) > 1:
        several = "is a pipeline" if source.models else "has several functions"
        raise ValueError(
            f"{source.path.name} {several}, which coremltools does not compress; engine='toykit' does"
        )
    expected = Rewriter(source, steps_of, Store(weight_file(source)[0]))
    chosen = {}
    for name, stored in expected.stored.items():
        taken = dict(stored.applied)
        chosen[expected.operations[name]] = [
            (technique, _with_axis(options, taken[technique]))
            for technique, options in steps_of(name)
            if technique in taken
        ]
    if not chosen:
        return write_package(source, lambda _: ())[0], [expected]
    mlmodel = open_mlmodel(source)
    for technique, joint, config in passes(chosen):
        try:
            with reporting(progress, COMPRESSION), working():
                mlmodel = apply(technique, mlmodel, config, joint=joint)
        except _ITS_OWN as error:
            raise ValueError(
                f"coremltools cannot {technique} {source.path.name} ({type(error).__name__}: {error}); "
                "engine='toykit' can"
            ) from error
    written = open_package(mlmodel)
    check(source, expected, written)
    return written, [expected]


def _with_axis(options, fitted):
    """Options in which an axis that was asked for is one that coremltools understands, or a tuple of blocks."""
    if options.get("axis") is None:
        return options
    return options | {name: fitted[name] for name in ("axis", "granularity", "block_size") if name in fitted}


def check(source, expected, written):
    """Raise a `PackageError` that names the first weight that is not what it should be.

    Parameters
    ----------
    source : Package
    expected : Rewriter
        What was asked of each constant, and what should have become of it.
    written : Package
    """
    before, after = weights(source), weights(written)
    arrays = {}
    for value in after.values():
        if not isinstance(value, Compressed):
            arrays.setdefault((value.dtype, value.shape), set()).add(digest(np.ascontiguousarray(value)))
    compressed = [value for value in after.values() if isinstance(value, Compressed)]
    for name, value in before.items():
        if isinstance(value, Compressed):
            continue
        if name not in expected.stored:
            if digest(np.ascontiguousarray(value)) not in arrays.get((value.dtype, value.shape), ()):
                raise PackageError(_changed(name, "is not what it was, though no technique takes it"))
            continue
        weight, applied = expected.sources[name], expected.stored[name].applied
        ours = compress(weight, applied)
        theirs = after.get(name)
        # Of equal constants coremltools keeps one, under the name of the first.
        candidates = [theirs] if isinstance(theirs, Compressed) else compressed
        if not any(_same(weight, applied, ours, candidate) for candidate in candidates):
            raise PackageError(_changed(name, "is not stored as asked"))


def _changed(name, what):
    return f"coremltools: the weight {name!r} {what}; engine='toykit' writes the package without coremltools"


def _same(weight, applied, ours, theirs):
    """Whether coremltools stored what toykit would: the same weights, however their tables are arranged."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return False
    mine, other = ours.dense(), theirs.dense()
    if np.array_equal(mine, other):
        return True
    if all(promises.deterministic(weight, *step) for step in applied):
        return len(applied) == 1 and promises.tied(weight.values(), mine, other, *applied[0])
    return promises.about_as_good(weight.values(), mine, other)
