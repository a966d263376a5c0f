"""Files of trained networks and test sentences, which `make setup` puts beside the installed packages.

They come out of packages in a registry (`book/_tools/trained_networks.py`), by digest, and lie in
`share/toykit` of this Python's environment. Nothing here asks a network.
"""

import hashlib
import os
import sys
from pathlib import Path

VARIABLE = "TOYKIT_NETWORKS"


def folder():
    """Where the files lie: in this environment, or where the variable TOYKIT_NETWORKS says."""
    return Path(os.environ.get(VARIABLE) or Path(sys.prefix, "share", "toykit"))


def checked(part, name, sha256):
    """The path of a file that was brought, after a look at its digest.

    Raises
    ------
    FileNotFoundError
        If it was not brought.
    ValueError
        If it is another file.
    """
    path = folder() / part / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{part}/{name} is not in {folder()}: 'make networks' in the book's folder brings it, or set "
            f"{VARIABLE} to the folder in which it lies"
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ValueError(
            f"{path} is not the file that this book was written with (SHA-256 {found}, expected {sha256}): "
            "delete it, and 'make networks' brings it again"
        )
    return path
