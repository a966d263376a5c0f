"""Files that are written whole or not at all, whatever stops it."""

import contextlib
import os
import tempfile


def write(text, place, *, force=False):
    """Write a file whole or not at all, and without `force` only if there is still none.

    Raises
    ------
    ValueError
        If something has appeared at the place meanwhile.
    """
    number, name = tempfile.mkstemp(prefix=".toykit-", dir=place.parent)
    try:
        with open(number, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o666 & ~_umask())
        if force:
            os.replace(name, place)
        else:
            _put(name, place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _put(name, place):
    """Give a finished file its name, unless the name is taken."""
    try:
        try:
            os.link(name, place)
        except FileExistsError:
            raise
        except OSError:  # a file system without links, such as that of a USB stick
            with open(place, "x"):
                os.replace(name, place)
    except FileExistsError:
        raise ValueError(f"{place} has appeared meanwhile; it is left as it is") from None


def _umask():
    """The permissions that new files do not get; the system tells them only to who sets them."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
