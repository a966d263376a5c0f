"""Make `.venv` and install what the book needs, at pinned versions: `make setup`.

Two terminals may ask at once: one installs, the other waits and finds it done.
"""

import subprocess
import sys

from .project import ROOT, alone, fail, program, say

VENV = ROOT / ".venv"
READY = VENV / ".ready"
LISTS = (ROOT / "pyproject.toml", ROOT / "constraints.txt")


def is_ready():
    """Whether the environment was made after the last change to the list of packages."""
    return READY.exists() and all(READY.stat().st_mtime >= path.stat().st_mtime for path in LISTS)


def steps():
    """The commands that make the environment, each with what it is for."""
    inside = VENV / "bin" / "python"
    packages = ["-c", "constraints.txt", "-e", ".[book,test]"]
    return [
        ("make .venv", [sys.executable, "-m", "venv", VENV]),
        ("install the packages", [inside, "-m", "pip", "install", "--progress-bar", "on", *packages]),
        ("try what was installed", [inside, "-m", "book._tools.warm_up"]),
        ("bring the trained networks", [inside, "-m", "book._tools.trained_networks"]),
    ]


@program
def main():
    with alone():
        if is_ready():
            return
        for purpose, command in steps():
            say(" ".join(str(part) for part in command))
            if subprocess.run(command, cwd=ROOT).returncode:
                fail(f"Could not {purpose}; the lines above say why. 'make setup' goes on from here.")
        READY.touch()


if __name__ == "__main__":
    main()
