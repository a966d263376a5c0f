"""The command line; `python -m toykit.cli` is the same, also where toykit is not installed.

Each command is a file of this folder, and `commands` gathers them. `toykit doctor` needs the standard library
alone: it is looked for here, before any package is imported, and so is `python -m toykit.doctor`.
"""

import sys

from .. import _ending
from ..doctor import main as doctor_alone


def main(arguments=None):
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 if all is well; 1 if what was looked at is not; 2 if it could not be done, with a sentence that
        says why. Stopped with Ctrl-C, or left by its reader (`| head`): as a shell says it, 130 or 141.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["doctor"]:
        return doctor_alone(arguments[1:])

    def command():
        from . import commands

        return commands.run(arguments)

    return _ending.run(" ".join(["toykit", *arguments[:1]]), command)
