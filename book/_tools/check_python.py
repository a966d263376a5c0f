"""Say in a sentence when this Python is too old or too new for the book. Runs on any Python 3."""

import sys


def complaint(version, program):
    """Return what is wrong with a `version` such as (3, 9), or None."""
    if (3, 11) <= version[:2] < (3, 14):
        return None
    return (
        "Python 3.11, 3.12 or 3.13 is needed, and {} is {}.{}. Install one of them beside it and run, "
        "for example: make setup PYTHON=python3.12"
    ).format(program, *version[:2])


if __name__ == "__main__":
    sys.exit(complaint(sys.version_info, sys.executable))
