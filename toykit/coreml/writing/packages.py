"""A package with compressed weights, written into a new folder and read back.

The model file gets a new program, the weight file is written anew, and every other file is copied. What models
of other kinds hold, and every field that toykit does not know, stays as it is, to the byte.

Not here: the program (`toykit.coreml.writing.rewriting`), and a name that is kept (`toykit.coreml.writing.saving`).
"""

import shutil
import tempfile
import weakref
from pathlib import Path

from ...stored.parts import digest
from ..format import protobuf
from ..format.package import Package, PackageError
from ..format.schema import MODEL_KINDS
from .forms import IOS16
from .rewriting import Rewriter
from .store import Store

_VERSION, _PROGRAM = 1, 502  # numbers of the fields of a model that hold its version and an ML program


def model_bytes(package, rewriters):
    """The model file with a new program for each; everything else in it stays as it is, to the byte."""

    def changed(model, rewritten):
        return protobuf.replace(model, {_VERSION: rewritten.spec_version, _PROGRAM: rewritten.content})

    whole = package.model_file.read_bytes()
    if not package.models:
        return changed(whole, *rewriters)
    parts, new = iter(package.models), iter(rewriters)

    def models(pipeline):
        def change(model):
            return changed(model, next(new)) if next(parts).kind == "mlProgram" else model

        return protobuf.replace(pipeline, {1: change})

    field = next(number for number, kind in MODEL_KINDS.items() if kind == package.kind)
    inside = models if package.kind == "pipeline" else lambda content: protobuf.replace(content, {1: models})
    version = max(package.spec_version, *(rewritten.spec_version for rewritten in rewriters))
    return protobuf.replace(whole, {_VERSION: version, field: inside})


def weight_file(package):
    """The name by which the program refers to its weights, and the file's path inside the package."""
    root = package.path.resolve()
    for name, weights in package.weight_files.items():
        return name, weights.path.relative_to(root)
    return "@model_path/weights/weight.bin", None


def write_package(package, steps_of, progress=None, version=IOS16):
    """Compress constants of a package.

    Parameters
    ----------
    package : Package
        Left as it is.
    steps_of, progress, version
        As in `Rewriter`.

    Returns
    -------
    Package
        In a folder of its own, which goes when the object and the models in it are gone.
    list of Rewriter
        Of each program: what became of its constants.

    Raises
    ------
    PackageError
        If a file of the package has changed meanwhile, or what was written is not what was meant.
    """
    folder, before = _Folder(), _states(package)
    try:
        path = folder.path / package.path.name
        try:
            rewriters = _write(package, steps_of, path, progress, version)
        finally:  # also where something went wrong: this is why
            changed = sorted(name for name, _ in _states(package).items() ^ before.items())
            if changed:
                raise PackageError(
                    f"{package.path} has changed while it was compressed: {changed[0]}. Start again"
                )
        return Package(path, owner=folder), rewriters
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def _states(package):
    """What the system says of each file of a package: another state is another content."""
    states = {}
    for name in package.files:
        try:
            found = (package.path / name).stat()
            states[name] = found.st_ino, found.st_size, found.st_mtime_ns
        except OSError:  # it is gone
            states[name] = None
    return states


class _Folder:
    """A new folder that lasts as long as the object."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="toykit-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _write(package, steps_of, path, progress, version):
    root = package.path.resolve()
    model = package.model_file.relative_to(root)
    replaced = {model, *(old.path.relative_to(root) for old in package.weight_files.values())}

    def skip(folder, names):
        here = Path(folder).relative_to(root)
        return [name for name in names if here / name in replaced]

    shutil.copytree(root, path, symlinks=True, ignore=skip)
    rewriters, digests = [], []
    for part in package.programs:
        name, weights = weight_file(part)
        store = Store(name)
        if weights is None:
            rewriters.append(Rewriter(part, steps_of, store, progress, version))
        else:
            with (path / weights).open("wb") as file:
                store = Store(name, file)
                rewriters.append(Rewriter(part, steps_of, store, progress, version))
                store.close()
        digests.append(store.digests)
    (path / model).write_bytes(model_bytes(package, rewriters))
    for written, rewritten, known in zip(Package(path).programs, rewriters, digests, strict=True):
        _check(written, rewritten, known)
    return rewriters


def _check(written, rewritten, digests):
    """Read back what was written: the program, and every array, bit for bit."""
    path = written.path
    if written.program_bytes != rewritten.content:
        raise PackageError(f"{path.name}: the program that was written is not the one that was made")
    users = {}
    for operation in written.program.walk():
        for _, value in operation.constants:
            for blob in value.blobs:
                users.setdefault(blob.offset, (operation.name, blob))
    for offset, (name, blob) in users.items():
        if digest(blob.packed) != digests[offset]:
            raise PackageError(f"{path.name}: what was written of {name!r} is not what was made")
