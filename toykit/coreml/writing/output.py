"""Where a package is to be written: looked at before any work, and taken without replacing anything.

Compression can take minutes. That its result has no place to go must be said before it, not after.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """What is written: its suffix, a file that each has, who knows the suffix, and what it is called."""

    suffix: str
    sign: str
    known: str
    name: str


PACKAGE = Kind(".mlpackage", "Manifest.json", "the folder that Xcode recognises", "a package")


def check_output(path, source=None, *, replace=False, kind=PACKAGE):
    """A path at which a package, or a folder of another kind, can be written.

    Parameters
    ----------
    path : str or Path
    source : str or Path, optional
        A package that must stay as it is.
    replace : bool
        Whether a package may lie there already.
    kind : Kind

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If `path` is no path.
    ValueError
        If it does not end in the suffix, lies in no folder, in one that cannot be written to, or inside
        of a package; or if something lies there: with `replace`, something else than a package.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a str or Path; got {type(path).__name__}")
    path = Path(path)
    if "\0" in str(path):
        raise ValueError(f"path must not hold a NUL; got {str(path)!r}")
    if path.suffix != kind.suffix:
        raise ValueError(f"path must end in {kind.suffix}, {kind.known}; got {path.name!r}")
    try:
        _check_place(path, source, replace, kind)
    except OSError as error:  # a name that is too long, a circle of links
        raise ValueError(f"path cannot be used: {error.strerror}: {str(path)!r}") from error
    return path


def move_into_place(new, path):
    """Move the finished package `new` to `path`, unless something has appeared there meanwhile.

    Both lie in the same file system. Of several that take one name at a time, exactly one gets it: a
    folder is never renamed over one that holds something.

    Raises
    ------
    ValueError
        If something lies at `path`.
    """
    try:
        os.rename(new, path)
    except OSError as error:
        if not os.path.lexists(path):
            raise
        raise ValueError(f"{path} has appeared meanwhile; it is left as it is") from error
    return path


def _check_place(path, source, replace, kind):
    folder = path.parent
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise ValueError(f"the folder {str(folder)!r} {what}: make it first, or choose another path")
    real = folder.resolve()
    for around in (real, *real.parents):
        if around.suffix == kind.suffix or (source is not None and around == Path(source).resolve()):
            what = kind.name.split()[1]
            raise ValueError(f"{path} lies inside the {what} {around.name!r}; choose a path outside of it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"the folder {str(folder)!r} cannot be written to: choose another path")
    try:
        path.lstat()
    except FileNotFoundError:
        return
    if source is not None and path.exists() and path.samefile(source):
        raise ValueError(f"{path} is the package to compress, which is left as it is; choose another path")
    if not replace:
        raise ValueError(f"{path} exists; choose another name, or remove it")
    if not (path / kind.sign).is_file():
        raise ValueError(f"{path} exists and is not {kind.name} (it has no {kind.sign}); not replaced")
