"""Whether two packages hold the same program, and coremltools' own passes as the judge of toykit's.

coremltools compresses by a graph pass over the program, and its pipeline tidies the program up at the same time:
casts get other numbers, transposes move, constants are hoisted. So the same is done to toykit's package, by a
pass that is asked for nothing, as often as coremltools itself passed: then operators, their order, names,
contents and the model's description have to be those of coremltools' own package. Programs that such a pass
no longer changes are compared as they are written.
"""

import hashlib
import re
from dataclasses import dataclass
from unittest import mock

import numpy as np

import toykit as tk
from tests.zoo import fixtures
from tests.zoo import settings as zoo_settings
from toykit._quiet import quiet
from toykit.coreml.format.package import open_package
from toykit.coreml.tools import checking
from toykit.coreml.tools.opening import open_mlmodel
from toykit.coreml.tools.recipe import passes
from toykit.stored.parts import digest

from . import architectures, sizes

TARGETS = ("iOS15", "iOS16", "iOS17", "iOS18", "iOS26")
_NEW = TARGETS[-2:]  # systems that can hold every form
_MOST_PASSES = 4  # after which a program is taken for one that the pipeline changes again and again


def contents(package):
    """What a program says, without places in the weight file: functions, operations in order, description."""
    package = open_package(package)
    functions = {
        label: (
            {name: str(kind) for name, kind in function.inputs.items()},
            function.opset,
            _block(function.block),
        )
        for label, function in package.program.functions.items()
    }
    about = package.description
    return functions, repr(about.inputs), repr(about.outputs), repr(about.states), package.spec_version


def _block(block):
    return list(block.inputs), list(block.outputs), [_operation(operation) for operation in block.operations]


def _operation(operation):
    return (
        operation.op,
        operation.name,
        {name: [_value(value) for value in values] for name, values in sorted(operation.inputs.items())},
        {name: str(kind) for name, kind in operation.outputs.items()},
        {name: _value(value) for name, value in sorted(operation.attributes.items())},
        [_block(inner) for inner in operation.blocks],
    )


def _value(value):
    if isinstance(value, str):
        return value
    if value.blob is not None:
        return str(value.type), hashlib.sha256(value.blob.packed).hexdigest()
    if value.type.kind != "tensor":
        return str(value.type), [_value(item) for item in value.immediate]
    if value.type.dtype == "string":
        return str(value.type), list(value.immediate)
    return str(value.type), np.ascontiguousarray(value.immediate).tobytes()


def passed(package, times=1):
    """The package after a pass of coremltools that is asked for nothing."""
    import coremltools.optimize.coreml as cto

    mlmodel = open_mlmodel(package)
    for _ in range(times):
        with quiet():
            mlmodel = cto.palettize_weights(mlmodel, cto.OptimizationConfig())
    return open_package(mlmodel)


def settled(package):
    """The package after as many passes as it takes until one changes nothing; None if they do not end."""
    for _ in range(_MOST_PASSES):
        after = passed(package)
        if contents(after) == contents(package):
            return package
        package = after
    return None


def metadata(package, values=True):
    """What coremltools' `get_weights_metadata` says of a package: name, form and users of each weight, by name.

    With `values` also the weights that it decompresses, their sparsity and how many distinct ones there are. A
    constant has no name of its own inside an operation; that which coremltools gives it ends in the number of
    its calls.
    """
    import coremltools.optimize.coreml as cto

    with quiet():
        found = cto.get_weights_metadata(open_mlmodel(package), weight_threshold=0)
    entries = [
        (
            re.sub(r"_\d+$", "", name),
            str(about.val.dtype),
            about.val.shape,
            [(user.op_type, user.name, sorted(user.params_name_mapping)) for user in about.child_ops],
            (about.sparsity, about.unique_values, digest(np.ascontiguousarray(about.val))) if values else (),
        )
        for name, about in found.items()
    ]
    return sorted(entries, key=str)  # for iOS 16, attributes are in no order


@dataclass(frozen=True)
class Agreement:
    """What was equal: True, False, or None where it was not asked.

    Attributes
    ----------
    bytes : bool
        `weight.bin`, to the byte.
    passed : bool
        The programs, after coremltools' pass has gone over toykit's as often as over the source.
    direct : bool or None
        The programs as they were written, of the source that coremltools' pipeline no longer changes; None where
        there is none.
    answers : bool or None
        Of both, in toykit's interpreter, to the bit.
    stopped : str
        What coremltools stopped with, where it did: then nothing else was asked.
    """

    bytes: bool | None = None
    passed: bool | None = None
    direct: bool | None = None
    answers: bool | None = None
    stopped: str = ""

    @property
    def all(self):
        return all(found is not False for found in vars(self).values())

    @property
    def asked(self):
        """The four answers by name."""
        return {name: found for name, found in vars(self).items() if name != "stopped"}


def compare(source, technique, options, unchanging, answers=True):
    """Compress a package with both engines and compare.

    Parameters
    ----------
    source : Package
    technique, options
        As in `tk.coreml.compress`.
    unchanging : Package or None
        The source, or what it becomes when coremltools' pipeline no longer changes it (`settled`).
    answers : bool
        Whether both packages are run.
    """
    made = []  # coremltools' passes: of a joint form also those for the weights that only the second technique takes
    try:
        with mock.patch.object(checking, "passes", lambda chosen: made.extend(passes(chosen)) or made):
            ours, theirs = both = with_both(source, technique, options)
    except ValueError as error:
        if "coremltools cannot" not in str(error):
            raise
        return Agreement(stopped=str(error))
    equal = None
    if answers:
        found = tk.coreml.compare(ours, theirs, samples=1)
        equal = all(not one.problem and min(one.decibels) == np.inf for one in found.outputs)
    direct = both if unchanging is source else unchanging and with_both(unchanging, technique, options)
    return Agreement(
        sizes.weight_file(ours) == sizes.weight_file(theirs),
        contents(passed(ours, len(made))) == contents(theirs),
        contents(direct[0]) == contents(direct[1]) if direct else None,
        equal,
    )


def with_both(source, technique, options):
    """A package as toykit and as coremltools compress it."""
    return tuple(
        tk.coreml.compress(source, technique, engine=engine, **options)
        for engine in ("toykit", "coremltools")
    )


def settings(target, **every):
    """What coremltools' arrays do not depend on chance for, of what a system can hold."""
    own = {"lut": [0.05, -0.2, 0.2, -0.05]}
    found = [*sizes.OLD, ("palettize", {"mode": "unique"}), ("palettize", own)]
    if target in _NEW:
        found += sizes.NEW
        found += [
            ("palettize", {"bits": 8, "mode": "uniform", "group_size": 2}),
            ("quantize", {"bits": 4, "mode": "affine", "granularity": "per_tensor"}),
            ("joint", {"prune": {"n_m": (2, 4)}, "quantize": {"bits": 4}}),
        ]
    return shared(found, **every)


def every(target):
    """Each option of each technique with each value that a system can hold, and each pair of them that may matter.

    As `settings`, for one network.
    """
    new = target in _NEW
    prune = [{"sparsity": share} for share in (0, 0.3, 0.75, 1)]
    prune += [{"sparsity": 0.5, "block_size": size, "dim": dim} for size in (2, 3, 4) for dim in (None, 0, 1)]
    prune += [{"n_m": ratio, "dim": dim} for ratio in ((1, 2), (2, 4), (3, 7)) for dim in (None, 0, 1)]
    prune += [
        {"threshold": size, "minimum_sparsity": least} for size in (0.01, 0.1) for least in (0, 0.5, 0.9)
    ]
    kinds = [
        {"bits": bits, "mode": mode, "signed": signed}
        for bits in ((8, 4) if new else (8,))
        for mode in ("symmetric", "affine")
        for signed in (True, False)
    ]
    lengths = [{"granularity": "per_tensor"}, {"granularity": "per_channel"}]
    if new:
        lengths += [{"granularity": "per_block", "block_size": size} for size in (4, 32, (8, 16), (0, 16))]
    quantize = [kind | length for kind in kinds for length in lengths]
    widths = (1, 2, 3, 4, 6, 8) if new else (1, 2, 4, 6, 8)
    palettize = [{"bits": bits, "mode": "uniform"} for bits in widths]
    if new:
        palettize += [
            options | more
            for options in palettize
            for more in (
                {"group_size": 4},
                {"group_size": 8, "axis": 0},
                {"group_size": 8, "axis": 1},
                {"per_channel_scale": "across"},
                {"per_channel_scale": "across", "group_size": 16},
            )
        ]
    palettize.append({"mode": "unique"})
    found = [("prune", options) for options in prune]
    found += [("quantize", options) for options in quantize]
    found += [("palettize", options) for options in palettize]
    found += [("prune", {"sparsity": 0.5, "weight_threshold": 20_000})]
    found += [("quantize", {"weight_threshold": 20_000})]
    found += [("palettize", {"bits": 4, "mode": "uniform", "weight_threshold": 20_000})]
    if new:
        pruned = [{"sparsity": 0.5}, {"n_m": (2, 4)}]
        tables = [{"bits": bits, "mode": "uniform"} for bits in widths]
        codes = [options for options in kinds if options["bits"] == 8]
        codes = [options | {"granularity": "per_tensor"} for options in codes]
        found += [("joint", {"prune": first, "quantize": second}) for first in pruned for second in quantize]
        found += [("joint", {"prune": first, "palettize": second}) for first in pruned for second in tables]
        found += [
            ("joint", {"palettize": first, "quantize": second})
            for first in [*tables, {"bits": 4, "mode": "uniform", "group_size": 8}]
            for second in codes
        ]
        found += [
            ("joint", {"prune": pruned[0], "palettize": first, "quantize": second})
            for first in tables
            for second in codes
        ]
    return found


def shared(settings, **every):
    """Settings with options of every technique in them."""
    return [(technique, zoo_settings.shared(technique, options, every)) for technique, options in settings]


def network(name, target):
    """A package of `architectures`, and what it is when coremltools' pipeline no longer changes it."""
    model, example = architectures.build(name)
    with quiet():
        mlmodel = tk.coreml.convert(model, example, target=target, check=False)
    source = open_package(mlmodel)
    return source, settled(source)


def zoo():
    """Names of the packages of the zoo whose weights are not compressed yet, of coremltools 9.0."""
    return [
        name
        for name in fixtures.index("9.0")["packages"]
        if name.split(maxsplit=1)[1] in ("plain", "float32", "state", "quantized activations")
    ]


def fixture(name):
    source = fixtures.Fixture("9.0", name).package
    return source, settled(source)
