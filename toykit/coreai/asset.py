"""An asset of Core AI: a folder with a program, its large arrays, and notes about it.

    Net.aimodel/main.mlirb       the program and all of its numbers
    Net.aimodel/main.hash        the SHA-256 of main.mlirb
    Net.aimodel/metadata.json    version, producer, date; what the author says

Not here: what is inside main.mlirb. `toykit.coreai.container` reads its sections without Apple's packages; `program`
reads all of it with them.
"""

import hashlib
import json
import os
from functools import cached_property
from pathlib import Path

from .._optional import require
from .._quiet import working
from .._text import printable
from ..coreml.format.protobuf import PackageError
from .container import Container

SUFFIX = ".aimodel"
PROGRAM, HASH = "main.mlirb", "main.hash"


class Asset:
    """A Core AI asset on the disk. Nothing is changed in it.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    path : Path
    files : dict of str to int
        Every file, by its path inside the asset, and its bytes.
    nbytes : int
        Of all files.
    metadata : dict
        What metadata.json says.
    container : toykit.coreai.container.Container
        The sections of main.mlirb.
    blobs : tuple of toykit.coreai.container.Blob
        The large constants of main.mlirb: bytes by keys, without names and types.

    Raises
    ------
    TypeError
        If `path` is no path.
    FileNotFoundError
        If there is no asset.
    PackageError
        If it is not an asset, or what is there is not sound.

    Examples
    --------
    >>> asset = Asset("ResNet50.aimodel")                                   # doctest: +SKIP
    >>> asset.nbytes, asset.metadata["producer"]                            # doctest: +SKIP
    (51112195, 'coreai-core 1.0.0b3')
    """

    def __init__(self, path):
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be a str or Path; got {type(path).__name__}")
        self.path = Path(path)
        if "\0" in str(self.path) or not self.path.exists():
            raise FileNotFoundError(f"there is no asset {printable(self.path)}")
        if not (self.path / PROGRAM).is_file():
            raise PackageError(f"{self.path} is not a Core AI asset: it has no {PROGRAM}")
        self.files = {
            file.relative_to(self.path).as_posix(): file.stat().st_size
            for file in sorted(self.path.rglob("*"))
            if file.is_file()
        }

    def __repr__(self):
        return f"Asset({self.path.name!r}, {self.nbytes:,} bytes)"

    @property
    def nbytes(self):
        return sum(self.files.values())

    @cached_property
    def container(self):
        return Container(self.path / PROGRAM)

    @property
    def blobs(self):
        return self.container.blobs

    @cached_property
    def metadata(self):
        file = self.path / "metadata.json"
        try:
            metadata = json.loads(file.read_bytes())
        except OSError as error:
            raise PackageError(f"{file} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise PackageError(f"{file} is not JSON: {error}") from error
        if not isinstance(metadata, dict):
            raise PackageError(f"{file} must hold an object of JSON; got {type(metadata).__name__}")
        return metadata

    def check(self):
        """Refuse a program that is not what was saved.

        Apple's reader ends the whole process at a file that is not sound, so this is asked before it is. A hash says
        that a file is whole, and not who wrote it: what a stranger has made may still end the process.

        Raises
        ------
        PackageError
            If main.mlirb is no sound MLIR bytecode, or not the file of which main.hash is the hash.
        """
        file = Container(self.path / PROGRAM).path
        try:
            with file.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").digest()
            wanted = (self.path / HASH).read_bytes()
        except OSError as error:
            raise PackageError(f"{error.filename} cannot be read: {error.strerror}") from error
        if found != wanted:
            raise PackageError(f"{file} is not the file that was saved: its SHA-256 is not that in {HASH}")

    def program(self):
        """The program, as Apple's packages read it: a new one each time, which may be changed.

        Returns
        -------
        coreai.authoring.AIProgram

        Raises
        ------
        ImportError
            Where Apple's packages are missing.
        PackageError
            As `check`, or if they cannot read it.
        """
        authoring = apples("coreai.authoring")
        self.check()
        file = self.path / PROGRAM
        try:
            with working():
                return authoring.AIProgram._load_bytecode(file)
        except RuntimeError as error:
            raise PackageError(f"{file} cannot be read by coreai: {str(error).splitlines()[0]}") from error


def apples(name):
    """A module of Apple's packages, imported quietly.

    Raises
    ------
    ImportError
        With a sentence that says what to install, and where there are wheels.
    """
    with working():
        return require(name, "toykit.coreai needs Apple's packages for Core AI")


def open_program(source):
    """The program of a path, an `Asset`, or an AIProgram, which is given back as it is.

    Raises
    ------
    TypeError
        If `source` is something else.
    """
    if isinstance(source, str | os.PathLike):
        source = Asset(source)
    if isinstance(source, Asset):
        return source.program()
    if not is_program(source):
        raise TypeError(
            "source must be the path of an .aimodel, an Asset, or coreai's AIProgram; "
            f"got {type(source).__name__}"
        )
    return source


def is_program(value):
    """Whether something is coreai's AIProgram; coreai is not imported to find out."""
    return any(
        kind.__module__ == "coreai.authoring.asset" and kind.__name__ == "AIProgram"
        for kind in type(value).__mro__
    )
