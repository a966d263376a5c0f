"""A package of somebody else's, given as a folder or as a zip archive: found, weighed, compressed and compared.

The page "Weigh your package" calls these functions in the reader's browser; they run in any Python. What they
return are plain lists and dictionaries.

    found = weigh("Model.mlpackage.zip")
    found["report"]["bytes"], found["report"]["predictions"][0]["bytes"]
    made = compress("Model.mlpackage.zip", "palettize", {"bits": 4})
    made["archive"]                                             # a zip archive of the new package
    verify("Model.mlpackage.zip", made["path"])["ok"]

Not here: how anything is computed. Sizes are `toykit.size`'s, what the explorer draws is `toykit.coreml.view`'s,
packages are written by `toykit.coreml.compress`, and verified by `toykit.verify`.
"""

import io
import os
import shutil
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ._text import printable
from .coreml.format.package import Package
from .coreml.format.protobuf import PackageError
from .coreml.tools.compression import compress as _compress
from .coreml.view.contents import contents
from .settings import THRESHOLD, name_of
from .size import ledger, report
from .verification.verdicts import verify as _verify

LARGEST = 10**9  # bytes of a package, or of what an archive holds: they lie in the memory of a page
MOST_FILES = 10_000
_MANIFEST = "Manifest.json"
_OF_THE_SYSTEM = ("__MACOSX", ".DS_Store")  # what macOS adds to an archive
_ENCRYPTED = 1  # a flag of an entry
SAMPLES = 2  # inputs that `verify` runs both packages on: a browser is slow

_made = []  # the package that was made last: its folder lasts as long as the object


def _silent(share, text):
    """Where nobody is told of progress."""


def weigh(source, inside=None, progress=None):
    """What a package weighs, and would weigh compressed.

    Parameters
    ----------
    source : str or Path
        An .mlpackage, a folder that holds some, or a zip archive of either.
    inside : str, optional
        Which of several packages, by its path in `source`.
    progress : callable (share, text), optional
        Told how much of the work is done, from 0 to 1, and what is next.

    Returns
    -------
    dict
        Where there are several packages and none was chosen, `packages`: their paths in `source`. Else

        - `name`, `kind` and `specification` of the package;
        - `report`: see `toykit.size.Report.as_data`; each prediction has a `stays` more: those of `declined` that are
          large enough for compression;
        - `programs`: (number of the model in a pipeline or None, function) for each that can be explored;
        - `explorer`: see `toykit.coreml.view.contents`, for the first of them, or None.

    Raises
    ------
    FileNotFoundError
        If nothing lies there.
    ValueError
        If there is no package, it is not sound, or the archive cannot be read or could do harm.

    Examples
    --------
    >>> weigh("Model.mlpackage")["report"]["bytes"]                         # doctest: +SKIP
    51148003
    """
    tell = progress or _silent
    tell(0.0, "Reading the package")
    with _unpacked(source) as root:
        packages = _packages(root, Path(source))
        if inside is None and len(packages) > 1:
            return {"packages": list(packages)}
        package = _open(root, packages, inside)

        def predicted(done, total):
            tell(0.1 + 0.8 * done / total, f"Prediction {done + 1} of {total}")

        found = report(ledger(package), progress=predicted)
        tell(0.9, "Reading the program")
        programs = [
            (part.number, function) for part in package.programs for function in part.program.functions
        ]
        return {
            "name": package.path.name,
            "kind": package.kind,
            "specification": package.spec_version,
            "report": _with_what_stays(found),
            "programs": programs,
            "explorer": _contents(package, *programs[0]) if programs else None,
        }


def predict(source, technique, options, inside=None, progress=None):
    """One more prediction, as in the `report` of `weigh`: `technique` and `options` as `Ledger.after` takes them."""
    (progress or _silent)(None, "Weighing")
    with _unpacked(source) as root:
        weighed = ledger(_open(root, _packages(root, Path(source)), inside))
        choice = {name_of(technique, options): (technique, options)}
        return _with_what_stays(report(weighed, choice))["predictions"][0]


def compress(source, technique, options, inside=None, progress=None):
    """Make a compressed package, and pack it into a zip archive.

    Parameters
    ----------
    source, inside, progress
        As in `weigh`.
    technique : {"prune", "quantize", "palettize", "joint"}
    options : dict
        As `toykit.coreml.compress` takes them.

    Returns
    -------
    dict
        `name`, `bytes` and `path` of the package, which lies there until the next one is made; `archive`: bytes.

    Raises
    ------
    ValueError
        As `weigh` and `toykit.coreml.compress`.
    """
    tell = progress or _silent
    tell(0.0, "Reading the package")
    with _unpacked(source) as root:
        package = _open(root, _packages(root, Path(source)), inside)

        def compressed(done, total):
            tell(0.05 + 0.85 * done / max(1, total), f"Weight {done} of {total}")

        _made[:] = [_compress(package, technique, progress=compressed, **options)]
    tell(0.9, "Packing the archive")
    (small,) = _made
    archive, name = io.BytesIO(), _small_name(small.path.name)
    # Compressed weights do not become smaller again, and plain archives are read everywhere.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
        for path in small.files:
            packed.write(small.path / path, f"{name}/{path}")
    return {"name": name, "bytes": small.nbytes, "path": str(small.path), "archive": archive.getvalue()}


def _small_name(name):
    """Not that of the original: what is unpacked beside it must not take its place."""
    return f"{name.removesuffix('.mlpackage')}-small.mlpackage"


def verify(source, path, inside=None, progress=None):
    """Hold a package that was made against the one that it was made from.

    Parameters
    ----------
    source, inside, progress
        As in `weigh`.
    path : str
        Of the package that was made.

    Returns
    -------
    dict
        `ok`, `problems`: sentences, and `text`: all that was found (`toykit.verify`).
    """
    tell = progress or _silent
    tell(None, "Comparing every weight with the original's")
    with _unpacked(source) as root:
        package = _open(root, _packages(root, Path(source)), inside)

        def run(done, total):
            tell(done / max(1, total), f"Running both: {done} of {total}")

        found = _verify(path, package, samples=SAMPLES, progress=run)
    return {"ok": found.ok, "problems": list(found.problems), "text": str(found)}


def _with_what_stays(found):
    """The report; biases and other small weights, which no technique takes by default, are nothing to tell."""
    data = found.as_data()
    large = {row.name for row in found.ledger.rows if row.parameters > THRESHOLD}
    for one in data["predictions"]:
        one["stays"] = {name: why for name, why in one.get("declined", {}).items() if name in large}
    return data


def explore(source, number, function, inside=None, progress=None):
    """What the explorer draws of one function: `number` and `function` as in the `programs` of `weigh`."""
    (progress or _silent)(None, "Reading the program")
    with _unpacked(source) as root:
        return _contents(_open(root, _packages(root, Path(source)), inside), number, function)


def _contents(package, number, function):
    return contents(package if number is None else package.models[number], function)


def _open(root, packages, inside):
    if inside is not None and inside not in packages:
        raise ValueError(f"inside must be one of {', '.join(packages)}; got {inside!r}")
    (path,) = [packages[inside]] if inside is not None else packages.values()
    try:
        package = Package(path)
    except PackageError as error:  # where it lies is a folder that only this module knows
        raise PackageError(str(error).replace(f"{path}", path.name)) from error
    if package.nbytes > LARGEST:
        raise ValueError(
            f"{path.name} has {package.nbytes:,} bytes, and at most {LARGEST:,} are weighed here"
        )
    if not package.programs:
        raise ValueError(
            f"{path.name} holds no ML program but a model of type {package.kind}, whose weights Core ML does not "
            "compress: convert the network anew with coremltools, convert_to='mlprogram'"
        )
    return package


def _packages(root, source):
    """Packages by their path below `root`, which may be one itself."""
    if (root / _MANIFEST).exists():
        return {root.name: root}
    found, count = {}, 0
    for folder, folders, files in os.walk(root):
        count += len(files)
        if count > MOST_FILES:
            raise ValueError(
                f"{printable(source.name)} holds more than {MOST_FILES:,} files: choose the .mlpackage itself"
            )
        if _MANIFEST in files:
            found[Path(folder).relative_to(root).as_posix()] = Path(folder)
            folders.clear()  # what lies in a package belongs to it
    if not found:
        raise ValueError(_what_is_missing(root, source))
    return dict(sorted(found.items()))


def _what_is_missing(root, source):
    """Why there is no package below `root`, and what to do."""
    name = printable(source.name)
    around = next((part for part in source.parts if part.endswith(".mlpackage")), None)
    files = [path for path in root.rglob("*") if path.is_file()]
    suffixes = {path.suffix for path in files}
    if any(path.suffix == ".mlmodelc" or path.name == "coremldata.bin" for path in root.rglob("*")):
        return f"{name} holds a model that is compiled for a device: give the .mlpackage that it was compiled from"
    if (
        any(path.name == "weight.bin" for path in files)
        or around
        or ".mlpackage" in {path.suffix for path in root.rglob("*")}
    ):
        return (
            f"{name} holds half a package: its {_MANIFEST} is missing. Choose the whole .mlpackage folder, and look "
            "whether it was copied in full"
        )
    if ".mlmodel" in suffixes:
        return (
            f"{name} holds an .mlmodel file and no package. An .mlmodel has no ML program, in which weights are "
            "compressed: convert the network anew with coremltools, convert_to='mlprogram', and save it as an "
            ".mlpackage"
        )
    return f"{name} holds no package: choose a folder that ends in .mlpackage, or a zip archive of it"


@contextmanager
def _unpacked(source):
    """The folder that `source` is, or that its archive becomes until the end of the block."""
    source = Path(source)
    if source.is_dir():
        yield source
        return
    if not source.exists():
        raise FileNotFoundError(f"there is nothing at {printable(source)}")
    if not zipfile.is_zipfile(source):
        raise ValueError(_what_it_is(source))
    with tempfile.TemporaryDirectory(prefix="toykit-") as scratch:
        folder = Path(scratch, source.stem)  # what lies in the archive without a folder gets its name
        folder.mkdir()
        _extract(source, folder)
        yield folder


def _what_it_is(file):
    name = printable(file.name)
    if file.suffix == ".mlmodel":
        return (
            f"{name} is an .mlmodel file. It has no ML program, in which weights are compressed: convert the network "
            "anew with coremltools, convert_to='mlprogram', and save it as an .mlpackage"
        )
    if file.suffix == ".zip":
        return f"{name} is not a zip archive, or it is cut off: make it again"
    return f"{name} is no package: choose the .mlpackage folder, or a zip archive of it"


def _extract(file, target):
    """Unpack a zip archive below `target`, if nothing in it leads out of there or grows beyond all measure."""
    name = printable(file.name)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not _is_of_the_system(entry.filename)]
            _check_entries(entries, name)
            for entry in entries:
                path = target.joinpath(*PurePosixPath(entry.filename.replace("\\", "/")).parts)
                if entry.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                # Not more is read than the entry says it holds, which was counted.
                with archive.open(entry) as packed, path.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 2**20)
    except NotImplementedError as error:
        raise ValueError(
            f"{name} is packed in a way that Python does not know ({error}): make a plain zip"
        ) from error
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{name} is damaged ({error}): make it again") from error
    except OSError as error:  # a name that is a file here and a folder there, or too long
        raise ValueError(f"{name} cannot be unpacked: {error.strerror}") from error


def _is_of_the_system(path):
    return any(part in _OF_THE_SYSTEM for part in path.split("/"))


def _check_entries(entries, name):
    if any(entry.flag_bits & _ENCRYPTED for entry in entries):
        raise ValueError(f"{name} is encrypted: unpack it, and choose the folder")
    if len(entries) > MOST_FILES:
        raise ValueError(f"{name} holds {len(entries):,} files, and no package has more than {MOST_FILES:,}")
    for entry in entries:
        # `orig_filename` is what the archive says; Python cuts `filename` at a NUL.
        parts = entry.orig_filename.replace("\\", "/").split("/")
        if not parts[0] or ".." in parts or ":" in parts[0] or "\0" in entry.orig_filename:
            raise ValueError(
                f"{name} holds the path {printable(repr(entry.orig_filename))}, which leads out of the archive: "
                "it is not unpacked"
            )
    total = sum(entry.file_size for entry in entries)
    if total > LARGEST:
        raise ValueError(f"{name} would unpack to {total:,} bytes, and at most {LARGEST:,} are weighed here")
