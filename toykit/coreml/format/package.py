"""Read an .mlpackage without coremltools, on any computer.

A package is a folder. `Manifest.json` names the model file; `model.mlmodel` describes inputs and
outputs and holds the program, in Protocol Buffers; large constants lie in `weights/weight.bin`.

The reader trusts nothing in the folder: files must lie inside it, a constant must be as long as its
shape says, and memory grows with the bytes that are there, not with what they claim.
"""

import copy
import hashlib
import json
import mmap
import os
import shutil
import zipfile
from functools import cached_property
from pathlib import Path

from ..._text import printable
from . import protobuf
from .features import read_description
from .program import read_program
from .protobuf import PackageError
from .schema import MODEL_KINDS
from .weightbin import CAN_MAP, WeightFile

_LARGEST_MODEL_FILE = 2**31  # the protobuf library reads no message beyond 2 GiB
_LARGEST_PROGRAM = 2**26  # weights lie outside the program; those of the largest networks have a few MB
_LARGEST_MANIFEST = 2**24
_MOST_FILES = 100_000
_READ_AT_ONCE = 2**27
_MOST_WEIGHTS, _MOST_WEIGHTS_A_BYTE = 2**29, 64  # of all compressed constants together: 1 bit for 8 weights
_MODEL_PATH = "@model_path/"
PIPELINES = ("pipeline", "pipelineClassifier", "pipelineRegressor")


class Package:
    """A Core ML package on disk.

    Parameters
    ----------
    path : str or Path
        The .mlpackage folder.
    field_limit : int, optional
        How many fields of the model file are decoded, at some 500 bytes of memory each; by default 2**19,
        which is 25 times what ResNet-50 has. Raise it for a larger program that you trust.
    owner : object, optional
        What the folder goes with, such as the coremltools model that it belongs to: held as long as the package,
        and as each of its `models`.

    Attributes
    ----------
    path : Path
    spec_version : int
        Of the format: 6 is iOS 15, 7 iOS 16, 8 iOS 17, 9 iOS 18.
    description : toykit.coreml.format.features.Description
        Inputs, outputs, states and metadata, as an app sees them.
    kind : str
        "mlProgram", or "pipeline", "pipelineClassifier" or "pipelineRegressor": several models that run
        one after the other.
    models : tuple of Package
        Those of a pipeline, in order, of whatever kind. Each can be used wherever a package can be read:
        its description and program are its own, its `files` are its weight files. For an ML program: ().
    number : int or None
        Of a model in a pipeline: its place there.
    program : toykit.coreml.format.program.Program
    files : dict of str to int
        Bytes of every file, by its path inside the package.
    nbytes : int
        Bytes of all files together: what the package takes on disk.
    model_file : Path
    program_bytes : bytes-like
        The program as it is stored.
    weight_files : dict of str to WeightFile
        By the name that the program uses, "@model_path/weights/weight.bin".

    Raises
    ------
    FileNotFoundError
        If there is no folder at `path`.
    PackageError
        If the folder is not a sound package with an ML program or a pipeline; the sentence says where and
        why. So does asking a pipeline for its `program`.

    Examples
    --------
    >>> package = Package("ResNet50.mlpackage")                             # doctest: +SKIP
    >>> package.program.functions["main"].block.operations[-1]              # doctest: +SKIP
    """

    def __init__(self, path, *, field_limit=protobuf.MOST_FIELDS, owner=None):
        self.path, self.owner = Path(path), owner
        self.number = None
        self.field_limit, self._budget = field_limit, protobuf.FieldBudget(field_limit)
        if not os.path.exists(self.path):
            raise FileNotFoundError(f"there is no package at {printable(self.path)}")
        try:
            # The manifest first: in a folder that is no package there may be a whole disk to list.
            self.model_file = _inside(self.path, _model_path(self.path))
            self.files = _files(self.path)
            self._read(protobuf.decode(_content(self.model_file), "Model", self._budget))
            if self.kind not in ("mlProgram", *PIPELINES):
                raise PackageError(
                    f"the model is of type {self.kind}, not an ML program; convert with "
                    "convert_to='mlprogram'"
                )
            if not self.programs:
                kinds = ", ".join(part.kind for part in self.models) or "none"
                raise PackageError(
                    f"the model is a pipeline without an ML program (of types: {kinds}); convert its "
                    "models with "
                    "convert_to='mlprogram', and join them again"
                )
        except PackageError as error:
            raise PackageError(f"{self.path}: {error}") from error
        except OSError as error:
            raise PackageError(f"{self.path}: {error.filename} cannot be read: {error.strerror}") from error

    def _read(self, model):
        """Take over what a "Model" message says: the file's, or that of one model of a pipeline."""
        self.spec_version = model.get("specificationVersion", 0)
        self.description = read_description(model.get("description", {}))
        # Of kinds that exclude each other the last one holds.
        kinds = [name for name in model if name in MODEL_KINDS.values()]
        self.kind = kinds[-1] if kinds else "that is unknown"
        self.weight_files, self.models, self._program = {}, (), None
        if self.kind in PIPELINES and self.number is None:
            pipeline = protobuf.decode(
                model[self.kind], f"{self.kind[0].upper()}{self.kind[1:]}", self._budget
            )
            messages = pipeline.get("pipeline", pipeline).get("models", [])
            self.models = tuple(self._model(number, message) for number, message in enumerate(messages))
            for part in self.models:
                self.weight_files |= part.weight_files
        elif self.kind == "mlProgram":
            self.program_bytes = model["mlProgram"]
            if len(self.program_bytes) > _LARGEST_PROGRAM:
                raise PackageError(f"the program has {len(self.program_bytes):,} bytes, more than any needs")
            most = _MOST_WEIGHTS + _MOST_WEIGHTS_A_BYTE * sum(self.files.values())
            self._program = read_program(self.program_bytes, self.find_blob, self._budget, most)

    def _model(self, number, message):
        """One model of this pipeline, as a package of its own."""
        part = copy.copy(self)
        part.number = number
        try:
            part._read(message)
        except PackageError as error:
            raise PackageError(f"model {number} of the pipeline: {error}") from error
        root = self.path.resolve()
        weights = {weights.path.relative_to(root).as_posix() for weights in part.weight_files.values()}
        part.files = {name: size for name, size in self.files.items() if name in weights}
        return part

    @property
    def program(self):
        if self._program is not None:
            return self._program
        if self.models:
            kinds = ", ".join(f"{part.number} is of type {part.kind}" for part in self.models)
            raise PackageError(
                f"{self}: a pipeline has a program for each of its models ({kinds}): "
                "ask for one of them, such as Package(path).models[0]"
            )
        raise PackageError(f"{self} is of type {self.kind}, not an ML program")

    @property
    def programs(self):
        """The ML programs in it, each as a package: itself, or those of a pipeline."""
        return tuple(part for part in self.models or (self,) if part.kind == "mlProgram")

    def full_name(self, function, name):
        """A constant's name in ledgers and plans: with the model and the function, where there are several."""
        model = [] if self.number is None else [str(self.number)]
        return "/".join([*model, *([function] if len(self.program.functions) > 1 else []), name])

    @property
    def nbytes(self):
        return sum(self.files.values())

    @cached_property
    def weight_blobs(self):
        """Every array of the weight files, in order: list of Blob."""
        return [blob for weights in self.weight_files.values() for blob in weights.blobs()]

    def __str__(self):
        """Where it lies, as errors say it."""
        return f"{self.path}" if self.number is None else f"{self.path}, model {self.number} of the pipeline"

    def __repr__(self):
        name = self.path.name if self.number is None else f"{self.path.name}, model {self.number}"
        parts = self.models or (self,)
        operations = sum(1 for part in parts if part._program for _ in part.program.walk())
        return f"Package({name!r}, {operations} operations, {self.nbytes:,} bytes)"

    def save(self, path):
        """Copy the package to `path`, where nothing lies yet. `toykit.coreml.save` can also replace one."""
        shutil.copytree(self.path, path, symlinks=True)

    def find_blob(self, name, offset):
        """The array that the program refers to as `name` and `offset`."""
        if name not in self.weight_files:
            if not name.startswith(_MODEL_PATH):
                raise PackageError(f"a constant lies in {name!r}, which does not start with {_MODEL_PATH!r}")
            folder = self.model_file.parent
            self.weight_files[name] = WeightFile(_inside(self.path, folder / name.removeprefix(_MODEL_PATH)))
        return self.weight_files[name].blob(offset)

    def with_program(self, program):
        """The same package with another program, in memory: nothing is written, and the files stay as they are."""
        other = copy.copy(self)
        other._program = program
        return other

    def with_models(self, models):
        """The same pipeline with other models."""
        other = copy.copy(self)
        other.models = tuple(models)
        return other

    def release_pages(self):
        """Tell the system that the pages of the weight files can leave memory; they can be read again."""
        for weights in self.weight_files.values():
            weights.release_pages()


def open_package(package):
    """A `Package` from a path, a coremltools model, or a `Package`.

    The folder of a coremltools model goes with the model, so the `Package` holds on to it.

    Raises
    ------
    TypeError
        If it is none of them.
    ValueError
        If the coremltools model is not an ML program, or not in a package.
    """
    if isinstance(package, Package):
        return package
    if isinstance(package, str | Path):
        return Package(package)
    if not hasattr(package, "package_path"):
        raise TypeError(
            "package must be the path of an .mlpackage, a Package or a coremltools MLModel; "
            f"got {type(package).__name__}"
        )
    if not package.package_path:
        raise ValueError("the MLModel is not a package: it is an older .mlmodel file without an ML program")
    if hasattr(package, "opened_from"):  # its folder holds links, which lead out of it
        return package.opened_from
    return Package(package.package_path, owner=package)


def digest_of(path, names):
    """SHA-256 of what a package holds, as text: of its files and their names in it.

    The manifest does not count: its names are made by chance, and differ each time the same model is written.

    Parameters
    ----------
    path : Path
    names : iterable of str
        Of the files, in an order that follows from the names.
    """
    digest = hashlib.sha256()
    for name in names:
        if name != "Manifest.json":
            with (path / name).open("rb") as file:
                digest.update(f"{name}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _files(path):
    """Bytes of every file in the package. Links count as links: they are not followed."""

    def refused(error):  # os.walk would go on without the folder
        raise error

    files = {}
    for folder, _, names in os.walk(path, onerror=refused):
        for name in names:
            file = Path(folder, name)
            files[file.relative_to(path).as_posix()] = file.lstat().st_size
        if len(files) > _MOST_FILES:
            raise PackageError(f"the folder holds more than {_MOST_FILES:,} files, which no package needs")
    return dict(sorted(files.items()))


def _inside(package, path):
    """The regular file at `path`, if it lies inside the package: links may not lead out of it."""
    try:
        root, target = package.resolve(strict=True), Path(path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:  # missing, a circle of links, a NUL in the name
        raise PackageError(f"{_short(package, path)} cannot be opened: {type(error).__name__}") from error
    if not target.is_relative_to(root):
        raise PackageError(f"{_short(package, path)} leads out of the package")
    if not target.is_file():
        raise PackageError(f"{_short(package, path)} is not a file")
    return target


def _what_it_is(path):
    """Of something that is no package: what it is instead, and what to do."""
    around = next((parent for parent in path.parents if parent.suffix == ".mlpackage"), None)
    if around is not None:
        return f"it lies inside a package: give {printable(around)} itself"
    if path.is_file():
        if zipfile.is_zipfile(path):
            return "it is a zip archive: unpack it, and give the .mlpackage folder inside"
        if path.suffix == ".mlmodel":
            return (
                "an .mlmodel file has no ML program, in which weights are compressed: convert the "
                "network anew "
                "with coremltools, convert_to='mlprogram', and save it as an .mlpackage"
            )
        return "a package is a folder, and this is a file"
    if path.suffix == ".mlmodelc" or (path / "coremldata.bin").exists():
        return "it is compiled for a device: give the .mlpackage that it was compiled from"
    inside = sorted(path.glob("*.mlpackage"))
    hint = f"; did you mean {printable(inside[0])}?" if len(inside) == 1 else ""
    return f"the folder has no Manifest.json, so it is not a package{hint}"


def _model_path(package):
    """Where the manifest says that the model file is."""
    if not package.is_dir() or not (package / "Manifest.json").exists():
        raise PackageError(_what_it_is(package))
    manifest = _inside(package, package / "Manifest.json")
    if manifest.stat().st_size > _LARGEST_MANIFEST:
        raise PackageError(f"Manifest.json has {manifest.stat().st_size:,} bytes, which no manifest needs")
    try:
        content = json.loads(manifest.read_bytes())
        path = content["itemInfoEntries"][content["rootModelIdentifier"]]["path"]
    except (ValueError, RecursionError) as error:
        raise PackageError(f"Manifest.json is not JSON: {error}") from error
    except (KeyError, TypeError) as error:
        raise PackageError("Manifest.json does not say where the model is (rootModelIdentifier)") from error
    if not isinstance(path, str) or not path:
        raise PackageError(f"Manifest.json gives {path!r} as the path of the model")
    return package / "Data" / path


def _content(file):
    """The bytes of the model file; mapped if they are many, for then they are a model of another kind."""
    size = file.stat().st_size
    if not 0 < size < _LARGEST_MODEL_FILE:
        raise PackageError(f"{file.name} has {size:,} bytes; a model file has 1 to 2**31 - 1")
    if size <= _READ_AT_ONCE or not CAN_MAP:
        return file.read_bytes()
    with file.open("rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)


def _short(package, path):
    """A path as the reader of an error wants it: from the package on."""
    path = Path(path)
    return path.relative_to(package) if path.is_relative_to(package) else path
