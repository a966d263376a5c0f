"""Pin in constraints.txt the newest versions that pyproject.toml allows: `make constraints`.

Installs the book afresh in a temporary environment, so that what is pinned is what a new reader would
get today, and nothing that somebody tried out. Look at the difference and run `make test` before you
commit it.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT, say

FILE = ROOT / "constraints.txt"
# What the environment brings itself, and the book does not pin.
UNPINNED = {"pip", "setuptools", "wheel", "toykit"}
# Packages for graphics cards, which plain torch brings on Linux; a reader's own system decides.
GRAPHICS = re.compile(r"^(nvidia-|triton|cuda-)")


def pinned(frozen, existing):
    """Return the new text of constraints.txt from the output of `pip freeze`.

    The comment at the top stays, and so do lines with a marker for another system.
    """
    kept = [line for line in existing.splitlines() if line.startswith("#") or ";" in line]
    lines = []
    for line in frozen.splitlines():
        name, _, version = line.partition("==")
        if version and name.lower() not in UNPINNED and not GRAPHICS.match(name.lower()):
            lines.append(f"{name}=={version.partition('+')[0]}")
    comments = [line for line in kept if line.startswith("#")]
    return "\n".join([*comments, *sorted({*lines, *(line for line in kept if ";" in line)}, key=str.lower)]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the Python to install with")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([python, "-m", "venv", scratch], check=True)
        inside = Path(scratch, "bin", "python")
        subprocess.run([inside, "-m", "pip", "install", "--progress-bar", "on", "-e", ".[book,test]"],
                       cwd=ROOT, check=True)
        frozen = subprocess.run([inside, "-m", "pip", "freeze", "--exclude-editable"], check=True,
                                capture_output=True, text=True).stdout
    old = FILE.read_text(encoding="utf-8")
    FILE.write_text(pinned(frozen, old), encoding="utf-8")
    say(f"{FILE.name} was {'left as it was' if FILE.read_text(encoding='utf-8') == old else 'changed'}.")


if __name__ == "__main__":
    main()
