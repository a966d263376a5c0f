"""Compress a package: the weights that a plan names, in a new package.

toykit writes the package itself, with NumPy alone (`toykit.coreml.writing.packages`). With `engine="coremltools"`
coremltools does it; it compresses by configurations, classes with many fields, one class a technique, and
here they are the same options. What either has written is held against the source and against toykit's own
arrays (`toykit.coreml.tools.checking`).
"""

from dataclasses import dataclass
from pathlib import Path

from ..._quiet import coremltools, working
from ...compressed import check_choice
from ..format.package import Package, open_package
from ..writing import forms
from ..writing.packages import write_package
from ..writing.plans import Weights, choose
from .checking import compress_with_coremltools

ENGINES = ("toykit", "coremltools")


@dataclass(frozen=True)
class Outcome:
    """A compressed package, and what became of each weight.

    Attributes
    ----------
    package : Package
        In a temporary folder, which goes with the object.
    compressed : dict of str to tuple of str
        Weights that were compressed -> the techniques that were applied.
    declined : dict of str to tuple of str
        Weights that cannot take what was asked, or take only some of the techniques -> why.
    left : tuple of str
        Weights of which the plan asks nothing.
    changes : tuple of str
        What else is different from the source, in sentences: what a newer system means.
    """

    package: Package
    compressed: dict
    declined: dict
    left: tuple
    changes: tuple


def compress(package, plan, *, engine="toykit", target=None, only=(), skip=(), progress=None, **options):
    """Compress the weights of an ML program.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        Left as it was.
    plan : {"prune", "quantize", "palettize", "joint"}, Path, dict of str to dict, or list of dict
        A technique for all weights; or a setting for each layer, as `toykit.sweep.choose` finds them:
        `{"conv1.weight": {"technique": "palettize", "bits": 4}}`; or rules in order, of which the first that
        fits a weight decides: `[{"operator": "gather", "skip": True}, {"technique": "palettize", "bits": 4}]`.
        A rule may have `name` and `operator`, or lists of them; names may be patterns, as `"layer4.*"`. Rules can
        be kept in a file of TOML, of which the path is given: see the page on writing packages.
    engine : {"toykit", "coremltools"}
        Who writes the package: toykit, which needs NumPy alone, or coremltools. Where coremltools is
        deterministic, `weight.bin` is the same to the byte; else toykit's tables are its own, of k-means'
        least error for numbers. coremltools takes longer, renames operations and drops notes.
    target : {"iOS16", "iOS17", "iOS18", "iOS26"}, optional
        The system that the package may need: where what is asked takes a newer one than the package's, its
        specification is raised to this.
    only, skip : sequence of str
        Names of weights or patterns; or operators that use them, as "operator=gather". Whatever the plan says,
        others than `only` stay as they are, and so do those of `skip`.
    progress : callable (done, total), optional
        Called after each weight; `total` is the number of weights of a pass over the package.
    **options
        For one technique: those of `tk.prune`, `tk.quantize` or `tk.palettize` that can hold for all weights
        (not `sensitivities` and `seed`; without `axis` each weight has its own), and

        - `weight_threshold`: constants of at most this many elements stay as they are (2048);
        - `minimum_sparsity`, for pruning by `threshold`: so does a constant of which a smaller share
          would be zero (0.5).

        For "joint": one dictionary of options for each technique, in the order in which they are
        applied, such as `prune={"sparsity": 0.7}, palettize={"bits": 4}`.

    Returns
    -------
    Package or coremltools.models.MLModel
        An MLModel for an MLModel, else a Package. It lies in a temporary folder, which goes with the
        object; `toykit.coreml.save` keeps it. Where a weight cannot take the options, such as a
        `group_size` that does not divide its channels, it stays as it is, bit for bit; `declined` in the
        prediction of the ledger says which, and why.

    Raises
    ------
    ImportError
        Where coremltools is missing, and the package is an MLModel or the engine coremltools.
    OSError
        If the plan cannot be read, or the temporary folder cannot hold the package.
    TypeError, ValueError
        If the technique or an option is unknown or out of range, or needs a package of a newer system; if a name
        or pattern means no weight. Before any work.
    PackageError
        If the package is not sound, a file of it has changed meanwhile, or what was written is not what was
        meant; the weight is named.

    Examples
    --------
    >>> small = compress("ResNet50.mlpackage", "palettize", bits=4)          # doctest: +SKIP
    >>> small = compress("ResNet50.mlpackage", "plan.toml")                  # doctest: +SKIP
    >>> small = compress("ResNet50.mlpackage", "palettize", lut=[-0.1, -0.03, 0.03, 0.1])  # doctest: +SKIP
    """
    is_mlmodel = not isinstance(package, str | Path | Package)
    written = outcome(
        package, plan, engine=engine, target=target, only=only, skip=skip, progress=progress, **options
    ).package
    if not is_mlmodel:
        return written
    return written.owner if hasattr(written.owner, "package_path") else _mlmodel(written)


def outcome(package, plan, *, engine="toykit", target=None, only=(), skip=(), progress=None, **options):
    """As `compress`, with an account of what became of each weight.

    Returns
    -------
    Outcome
    """
    check_choice("engine", engine, ENGINES)
    if target is not None:
        check_choice("target", target, tuple(forms.VERSIONS)[1:])
    source = open_package(package)
    forms.check(source, ())
    weights = Weights(source)
    chosen = choose(weights, plan, options, only, skip)
    version, changes = forms.IOS16, []
    if target is not None and any(forms.needs(source, steps) for steps in chosen.values()):
        version, changes = forms.raised(source, target)
    for steps in chosen.values():
        forms.check(source, steps, version)

    def steps_of(name):
        return chosen.get(name, ())

    if engine == "coremltools":
        if version > source.spec_version:
            source, _ = write_package(source, lambda _: (), version=version)
        written, rewriters = compress_with_coremltools(source, steps_of, progress)
    else:
        written, rewriters = write_package(source, steps_of, progress, version)
    stored = {name: found for rewritten in rewriters for name, found in rewritten.stored.items()}
    return Outcome(
        written,
        {name: tuple(technique for technique, _ in found.applied) for name, found in stored.items()},
        {name: why for rewritten in rewriters for name, why in rewritten.declined.items()},
        tuple(name for name in weights.operators if name not in chosen),
        tuple(changes),
    )


def compress_layers(package, settings, *, engine="toykit", progress=None):
    """Compress each layer of a converted package with its own setting.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        Left as it was.
    settings
        As in `configurations`.
    engine, progress
        As in `compress`.

    Returns
    -------
    Package or coremltools.models.MLModel
        As `compress`.
    """
    return compress(package, settings, engine=engine, progress=progress)


def _mlmodel(package):
    """coremltools' model of a package that was just written, and goes with the model."""
    ct = coremltools()
    with working():
        mlmodel = ct.models.MLModel(str(package.path), skip_model_load=True)
    mlmodel.written = package
    return mlmodel
