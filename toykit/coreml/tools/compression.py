"""Compress a package: the weights that a plan names, in a new package.

toykit writes the package itself, with NumPy alone (`toykit.coreml.writing.packages`). With `engine="coremltools"`
coremltools does it; it compresses by configurations, classes with many fields, one class a technique, and
here they are the same options. What either has written is held against the source and against toykit's own
arrays (`toykit.coreml.tools.checking`).
"""

from pathlib import Path

from ... import settings as _settings
from ..._quiet import coremltools, working
from ...compressed import check_choice
from ..format.package import Package, open_package
from ..writing import forms
from ..writing.packages import write_package
from .checking import compress_with_coremltools
from .recipe import steps_of_layers

ENGINES = ("toykit", "coremltools")


def compress(package, plan, *, engine="toykit", progress=None, **options):
    """Compress the weights of an ML program.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        Left as it was.
    plan : {"prune", "quantize", "palettize", "joint"} or dict of str to dict
        A technique for all weights; or a setting for each layer, as `toykit.sweep.choose` finds them:
        `{"conv1.weight": {"technique": "palettize", "bits": 4}}`. See `compress_layers`.
    engine : {"toykit", "coremltools"}
        Who writes the package: toykit, which needs NumPy alone, or coremltools. Where coremltools is
        deterministic, `weight.bin` is the same to the byte; else toykit's tables are its own, of k-means'
        least error for numbers. coremltools takes longer, renames operations and drops notes.
    progress : callable (done, total), optional
        Called after each weight; `total` is the number of weights of a pass over the package.
    **options
        For one technique: those of `tk.prune`, `tk.quantize` or `tk.palettize` that can hold for all weights
        (not `lut`, `sensitivities` and `seed`; without `axis` each weight has its own), and

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
    TypeError, ValueError
        If the technique or an option is unknown or out of range, or needs a package of a newer system;
        before any work.
    PackageError
        If the package is not sound, or what was written is not what was meant; the weight is named.

    Examples
    --------
    >>> small = compress("ResNet50.mlpackage", "palettize", bits=4)          # doctest: +SKIP
    """
    check_choice("engine", engine, ENGINES)
    source = open_package(package)
    if isinstance(plan, dict):
        if options:
            raise TypeError(f"a plan for each layer has its options inside; got {', '.join(options)} as well")
        chosen, others = steps_of_layers(source, plan), ()
    else:
        check_choice("plan", plan, _settings.TECHNIQUES)
        chosen, others = {}, _settings.steps(plan, options)
    for steps in (*chosen.values(), others):
        forms.check(source, steps)

    def steps_of(name):
        return chosen.get(name, others)

    is_mlmodel = not isinstance(package, str | Path | Package)
    if engine == "coremltools":
        written = compress_with_coremltools(source, steps_of, progress)
    else:
        written = write_package(source, steps_of, progress)
    if not is_mlmodel:
        return written
    return written.owner if hasattr(written.owner, "package_path") else _mlmodel(written)


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
