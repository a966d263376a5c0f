"""Write a package under its name, so that whatever happens meanwhile, nothing is lost.

A package is a folder of several files, and no system writes those in one step. So the new package is
written in a hidden folder beside its place, in full and down to the disk, and takes its name in the
end: where nothing lies there, by one renaming; where an older package does, by letting the two change
places, which Linux and macOS do in one step, too. Whoever looks finds a whole package, the old or the
new one, and so does whoever comes after a crash.

Other systems, and some network drives, take two steps, between which the name is free. Who is stopped
there, however rudely, still has both packages in the hidden folder, and the next `save` into that place
gives the old one its name back. The folder carries the number of its process, and the next `save` tidies
up after processes that are no more.
"""

import contextlib
import ctypes
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

from ..._quiet import working
from ..format.package import Package
from .output import PACKAGE, check_output, move_into_place

# A number of a process says nothing to another computer that writes to the same network drive.
_PREFIX = f".toykit-save-{hashlib.sha256(platform.node().encode()).hexdigest()[:8]}-"
_AT_WORKING_FOLDER = -100  # AT_FDCWD of Linux
_CHANGE_PLACES = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def save(mlmodel, path, *, replace=True):
    """Write a model as an .mlpackage.

    Stopped at any moment, it leaves a whole package under the name: the new one, or what was there
    before (nothing, if nothing was). Where the system cannot exchange two folders in one step (Windows,
    some network drives) a process that is killed between two steps leaves the name free; the next `save`
    into that folder gives the old package its name back.

    Parameters
    ----------
    mlmodel : coremltools.models.MLModel or Package
    path : str or Path
        Ends in .mlpackage.
    replace : bool
        Whether a package that lies there may be replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TypeError
        If `mlmodel` is something else.
    ValueError
        If `mlmodel` is one model of a pipeline, the path does not end in .mlpackage, its folder is missing
        or cannot be written to, or something lies there: a package if `replace` is false, anything else in
        any case.
    OSError
        If it cannot be written, such as on a full disk; what was there stays as it was.
    """
    if not isinstance(mlmodel, Package) and not getattr(mlmodel, "package_path", None):
        raise TypeError(
            "mlmodel must be a Package, or a coremltools MLModel with an ML program in it; "
            f"got {type(mlmodel).__name__}"
        )
    if getattr(mlmodel, "number", None) is not None:
        raise ValueError(f"{mlmodel} lies in one package with the others: save the pipeline")
    return write_whole(lambda new: _write(mlmodel, new), path, PACKAGE, replace)


def write_whole(write, path, kind, replace):
    """Write a folder under its name, in the steps that this module describes.

    Parameters
    ----------
    write : callable (Path) -> None
        Makes the new folder at the path that it is given, which has the same name and is free.
    path : str or Path
    kind : toykit.coreml.writing.output.Kind
    replace : bool
        Whether one of this kind that lies there may be replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TypeError, ValueError, OSError
        As `save`.
    """
    path = check_output(path, replace=replace, kind=kind)
    try:
        for left in _left_behind(path.parent):
            _settle(left)
        with _nearby(path.parent) as folder:
            new = Path(folder, "new", path.name)
            new.parent.mkdir()
            write(new)
            _to_disk(new)
            check_output(path, replace=replace, kind=kind)  # once more: writing takes its time
            if replace and os.path.lexists(path):
                _change_places(new, path, Path(folder, "old"))
            else:
                move_into_place(new, path)
    except OSError as error:
        raise OSError(f"{path} was not written: {_reason(error)}. What was there is as it was") from error
    return path


def _write(mlmodel, new):
    if isinstance(mlmodel, Package):
        _copy(mlmodel.path, new)
        return
    with working():
        try:
            mlmodel.save(str(new))
        except RuntimeError as error:  # so says the part of coremltools that writes the manifest
            raise OSError(str(error)) from error


def _copy(folder, new):
    """Copy a folder; links stay links, and who may write is the user's choice and not the source's."""
    new.mkdir()
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            _copy(entry, new / entry.name)
        else:
            shutil.copyfile(entry, new / entry.name, follow_symlinks=False)


def _to_disk(package):
    """Wait until the disk holds every file, so that no crash finds the new name with half of its bytes."""
    mode = "rb" if os.name == "posix" else "r+b"  # Windows waits for files only that it may write to
    for file in package.rglob("*"):
        if file.is_file():
            with file.open(mode) as opened:
                os.fsync(opened.fileno())


@contextlib.contextmanager
def _nearby(parent):
    """A hidden folder beside the place of the package, so that renaming moves no bytes."""
    folder = None
    try:
        folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
        yield folder
    finally:
        if folder is not None:
            _settle(Path(folder))


def _change_places(new, path, aside):
    """Let two packages change places, or, in two steps, put the one at `path` aside for the other."""
    if _exchange(new, path):
        return
    aside.mkdir()
    path.rename(aside / path.name)
    new.rename(path)


def _exchange(one, other):
    """Let two names change places in one step. False where the system or the drive cannot do that."""
    paths = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "linux":
            at = _AT_WORKING_FOLDER
            return not ctypes.CDLL(None).renameat2(at, paths[0], at, paths[1], _CHANGE_PLACES)
        if sys.platform == "darwin":
            return not ctypes.CDLL(None).renamex_np(*paths, _CHANGE_PLACES)
    except AttributeError:  # a C library that is older than the call, or another one
        pass
    return False


def _settle(folder):
    """Give a package that was put aside its name back, if that is free, and remove a hidden folder."""
    with contextlib.suppress(OSError):  # another process may be at it, or the drive is gone
        for old in Path(folder, "old").glob("*"):
            place = folder.parent / old.name
            # Out of "old" before it is removed: what is half removed must never get its name back.
            old.rename(Path(folder, "replaced") if os.path.lexists(place) else place)
        shutil.rmtree(folder)


def _left_behind(parent):
    """The hidden folders of processes of this computer that are no more."""
    for folder in parent.glob(f"{_PREFIX}*"):
        process = re.match(rf"{_PREFIX}(\d+)-", folder.name)
        if process and not _alive(int(process[1])):
            yield folder


def _alive(process):
    """Whether a process runs. Where that cannot be found out without harm, it does."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _reason(error):
    """What went wrong, of an error that may hold those of many files."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][-1])
    return error.strerror or str(error)
