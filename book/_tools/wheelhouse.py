"""Collect what the notebooks need as wheels for this system, with a lock: for a kit that installs without a network.

    make(folder)     ->  wheels, `requirements.txt` with their digests, and `made_for.json`, in `folder`

The versions are those of .venv, to the local part: where the small torch was installed, the kit has the small one.
pip looks for them where it is set to look, as `make setup` did.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .project import ROOT, fail, say

LOCK, MADE_FOR = "requirements.txt", "made_for.json"
EXTRA = "notebooks"
HEAD = "# Every package, by version and SHA-256. install.py has pip take these and no others.\n"


def make(folder):
    """Write the wheelhouse into the empty `folder`."""
    _collect(folder)
    wheels = sorted(folder.glob("*.whl"), key=lambda path: path.name.lower())
    (folder / LOCK).write_text(HEAD + "".join(map(locked, wheels)), encoding="utf-8")
    made_for = described(sum(map(unpacked, wheels)))
    (folder / MADE_FOR).write_text(json.dumps(made_for, indent=1) + "\n", encoding="utf-8")


def _collect(folder):
    """Have pip find the wheels, and build those that there are none of; toykit's own is the same every time."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    frozen = subprocess.run([*pip, "freeze", "--exclude-editable"], check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch, "pins.txt")
        pins.write_bytes(frozen)
        command = [*pip, "wheel", "-qq", "-c", pins, "--wheel-dir", folder, f".[{EXTRA}]"]
        say("Collecting the packages: this takes some minutes")
        # The stamp of files in the wheels that are built here: the earliest that an archive can hold.
        environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}
        # What an earlier build left there would go into the wheel, and a module that is gone with it.
        shutil.rmtree(ROOT / "build", ignore_errors=True)
        done = subprocess.run(command, cwd=ROOT, env=environment)
        shutil.rmtree(ROOT / "build", ignore_errors=True)
        if done.returncode:
            fail(
                "The packages could not be collected; the lines above say why. It takes the network and "
                "the settings of pip that 'make setup' had. 'make kit WHEELS=0' makes a kit without them."
            )


def locked(wheel):
    """The line of a wheel in the lock."""
    name, version = wheel.name.split("-")[:2]
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{name}=={version} --hash=sha256:{digest}\n"


def unpacked(wheel):
    """How many bytes a wheel takes when it is installed."""
    with zipfile.ZipFile(wheel) as archive:
        return sum(member.file_size for member in archive.infolist())


def described(size):
    """What the installer compares a computer with; Python's own compiled files take a fourth beside the packages."""
    python = list(sys.version_info[:2])
    called = "{} -{}.{}" if os.name == "nt" else "{}{}.{}"
    return {
        "python": python,
        "command": called.format("py" if os.name == "nt" else "python", *python),
        "system": platform.system(),
        "machine": platform.machine(),
        "bytes": size * 5 // 4,
    }
