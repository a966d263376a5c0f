"""Install what the notebooks need out of this folder, without a network: python install.py

It makes `.venv` beside this file from the wheels in `wheelhouse`, each held to its SHA-256, and puts the
trained networks into it. It writes nothing else, and nothing outside of this folder. A second run goes on where the
first one stopped. Python alone is enough, of the version and the system for which the wheels were made.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).resolve().parent
WHEELS = KIT / "wheelhouse"
VENV = KIT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")


def complaint(made_for, version, system, machine, free):
    """Say why the wheels cannot be installed here, or return None.

    Parameters
    ----------
    made_for : dict
        What `wheelhouse/made_for.json` holds: python, system, machine, and the bytes that are needed.
    version : tuple of int
        Of this Python, (3, 11, 9).
    system, machine : str
        As `platform` calls them.
    free : int
        Bytes on the disk of the kit.
    """
    needed, found = tuple(made_for["python"]), tuple(version[:2])
    if (system, machine) != (made_for["system"], made_for["machine"]):
        return (
            f"The packages of this kit are for {made_for['system']} on {made_for['machine']}, and this is {system} "
            f"on {machine}. The book works here all the same: open index.html. For the notebooks, ask for a kit "
            "that was made on a system such as yours ('make kit' in the folder of the book)."
        )
    if found != needed:
        wanted, this = (".".join(map(str, numbers)) for numbers in (needed, found))
        return (
            f"The packages of this kit are for Python {wanted}, and this is Python {this}. If Python {wanted} is "
            f"installed beside it, run it with: {made_for['command']} install.py"
        )
    if free < made_for["bytes"]:
        return (
            f"{made_for['bytes'] / 1e9:.1f} GB are needed in {KIT}, and {free / 1e9:.1f} GB are free. Make room "
            "there, or copy the kit to a larger disk."
        )
    return None


def steps():
    """The commands that install, each with what it is for."""
    pip = [BIN / "python", "-I", "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    offline = ["--no-index", "--no-cache-dir", "--find-links", WHEELS, "--require-hashes"]
    return [
        ("make .venv", [sys.executable, "-I", "-m", "venv", VENV]),
        ("install the packages", [*pip, *offline, "--quiet", "-r", WHEELS / "requirements.txt"]),
    ]


def bring_networks():
    """Put the trained networks where toykit looks for them; on the same disk as second names of the same files."""
    for source in sorted(path for path in (KIT / "networks").rglob("*") if path.is_file()):
        target = VENV / "share" / "toykit" / source.relative_to(KIT / "networks")
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            try:
                os.link(source, target)
            except OSError:
                shutil.copyfile(source, target)


def main():
    made_for = json.loads((WHEELS / "made_for.json").read_text(encoding="utf-8"))
    here = (sys.version_info, platform.system(), platform.machine(), shutil.disk_usage(KIT).free)
    said = complaint(made_for, *here)
    if said:
        sys.exit(said)
    # No setting of this computer's pip leads anywhere else.
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    for purpose, command in steps():
        print(f"Now: {purpose}. This can take some minutes.", flush=True)
        if subprocess.run([str(part) for part in command], env=environment).returncode:
            sys.exit(f"Could not {purpose}; the lines above say why. A second run goes on from here.")
    bring_networks()
    subprocess.run([str(BIN / "toykit"), "doctor"])
    inside = BIN.relative_to(KIT)
    print(f"\nInstalled. In {KIT}, run:\n\n    {inside / 'jupyter'} lab notebooks\n")


if __name__ == "__main__":
    main()
