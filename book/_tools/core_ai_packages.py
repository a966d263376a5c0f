"""Install Apple's Core AI packages into `.venv`, where they have wheels: `make coreai`, and CI.

They are in no default installation: they weigh 234 MB, are betas, and only `tk.coreai` and one chapter use them.
Where they cannot be had this says why, leaves the reason beside the environment for the tests, and is no failure.
Anything else that goes wrong is one.
"""

import subprocess
import sys
from pathlib import Path

from toykit.doctor import core_ai_wheel

from .project import ROOT, alone, fail, program, say

# Kept inside the environment, so that it goes with it.
ABSENT = Path(sys.prefix, ".coreai-absent")
# What pip says of a version that its registry does not have, or has no wheel of for this Python.
VANISHED = "No matching distribution found for"


def absence():
    """Why the packages are not here and need not be: a sentence, or "" where a missing one is a fault."""
    return core_ai_wheel() or (ABSENT.read_text(encoding="utf-8") if ABSENT.exists() else "")


def install(run=subprocess.run):
    """Install them; return what to say.

    Parameters
    ----------
    run : callable
        As `subprocess.run`: what asks pip.
    """
    ABSENT.unlink(missing_ok=True)
    if reason := core_ai_wheel():
        return f"Core AI is left out: {reason}"
    command = [sys.executable, "-m", "pip", "install", "-q", "-c", "constraints.txt", "-e", ".[coreai]"]
    result = run(command, cwd=ROOT, text=True, stderr=subprocess.PIPE)
    print(result.stderr, end="", file=sys.stderr)
    if not result.returncode:
        return "Core AI's packages are installed."
    gone = [line for line in result.stderr.splitlines() if VANISHED in line and "coreai" in line]
    if not gone:
        fail("Could not install Core AI's packages; the lines above say why. 'make coreai' tries again.")
    ABSENT.write_text(
        f"the registry has no {gone[0].partition(VANISHED)[2].partition(';')[0].strip()}", encoding="utf-8"
    )
    return f"Core AI is left out: {absence()}. Tests and cells that need it are skipped."


@program
def main():
    with alone():
        say(install())


if __name__ == "__main__":
    main()
