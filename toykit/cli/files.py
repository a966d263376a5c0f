"""Where a command writes its answer: to standard output, or to a file that was not there before."""

import os
from pathlib import Path

from .._atomic import write as write


def is_asset(path):
    """Whether a path is that of an asset of Core AI."""
    return Path(path).suffix.lower() == ".aimodel"


def check_place(path, source, *, force=False):
    """The path at which an answer about `source` can be written; looked at before any work.

    Raises
    ------
    ValueError
        If something lies there: with `force`, something else than a file. Also if it is the source or lies inside
        of it or of another package, or in no folder that can be written to.
    """
    place = Path(os.path.realpath(path))  # where a link leads to
    source = Path(os.path.realpath(source))
    if source == place or source in place.parents:
        raise ValueError(f"{path} is, or lies in, what is looked at; choose another path")
    if any(around.suffix in (".mlpackage", ".aimodel") for around in place.parents):
        raise ValueError(f"{path} lies inside a package; choose a path outside of it")
    if place.exists() and not (force and place.is_file()):
        if place.is_file():
            raise ValueError(f"{path} exists; choose another name, or add --force to replace it")
        raise ValueError(f"{path} exists and is no file; choose another name")
    if not place.parent.is_dir():
        raise ValueError(f"the folder of {path} does not exist; make it first, or choose another path")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise ValueError(f"the folder of {path} cannot be written to; choose another path")
    return place
