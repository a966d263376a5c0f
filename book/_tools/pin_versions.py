"""Pin in constraints.txt the newest versions that pyproject.toml allows: `make constraints`.

Installs the book afresh in a temporary environment, so that what is pinned is what a new reader would
get today, and nothing that somebody tried out. What only another system or another Python needs is looked
up for these, so that no reader installs a version that is not pinned. Look at the difference and run
`make test` before you commit it.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .project import ROOT, program, say

FILE = ROOT / "constraints.txt"
EXTRAS = ("notebooks", "book", "test", "coreai")
# The environment brings pip before there are pins to follow.
UNPINNED = {"pip", "toykit"}
# Packages for graphics cards, which plain torch brings on Linux; a reader's own system decides.
GRAPHICS = re.compile(r"^(nvidia-|triton|cuda-)")
# Where the book is read: sys_platform, platform_system, platform_machine and the tags of pip's wheels.
SYSTEMS = (
    ("linux", "Linux", "x86_64", ("manylinux2014_x86_64", "manylinux_2_28_x86_64")),
    ("linux", "Linux", "aarch64", ("manylinux2014_aarch64", "manylinux_2_28_aarch64")),
    ("darwin", "Darwin", "arm64", ("macosx_14_0_arm64",)),
)
PYTHONS = ("3.11", "3.12", "3.13")


def pinned(frozen, existing):
    """Return the new text of constraints.txt from the output of `pip freeze --all`.

    The comment at the top stays.
    """
    comments = [line for line in existing.splitlines() if line.startswith("#")]
    lines = set()
    for line in frozen.splitlines():
        name, _, version = line.partition("==")
        if version and is_pinned(name):
            lines.add(f"{name}=={version.partition('+')[0]}")
    return "\n".join([*comments, *sorted(lines, key=str.lower)]) + "\n"


def is_pinned(name):
    """Whether a version of a package belongs into constraints.txt."""
    name = canonicalize_name(name)
    return name not in UNPINNED and not GRAPHICS.match(name)


def pins(text):
    """Return the names that constraints.txt pins, as PyPI compares them."""
    return {
        canonicalize_name(line.partition("==")[0])
        for line in text.splitlines()
        if "==" in line[1:] and line[0] != "#"
    }


def needed(requirements):
    """Return what a reader's pip installs, on any system.

    Parameters
    ----------
    requirements : dict of str to list of str
        Of each package that is known, what its metadata require.

    Returns
    -------
    dict of str to tuple
        Name to the first need of it that was met: Python, tags of wheels, versions that fit.
    """
    found = {}
    for python in PYTHONS:
        for system in SYSTEMS:
            place = {
                "python_version": python,
                "python_full_version": f"{python}.9",
                "os_name": "posix",
                "sys_platform": system[0],
                "platform_system": system[1],
                "platform_machine": system[2],
                "implementation_name": "cpython",
                "platform_python_implementation": "CPython",
            }
            todo, seen = [("toykit", "", "")], set()
            while todo:
                name, extra, versions = todo.pop()
                if (name, extra) in seen:
                    continue
                seen.add((name, extra))
                found.setdefault(name, (python, system[3], versions))
                for line in requirements.get(name, ()):
                    wanted = Requirement(line)
                    if wanted.marker is None or wanted.marker.evaluate(place | {"extra": extra}):
                        name_of = canonicalize_name(wanted.name)
                        todo += [(name_of, extra, str(wanted.specifier)) for extra in ("", *wanted.extras)]
    return {name: need for name, need in found.items() if is_pinned(name)}


def installed(folders=None):
    """Return the requirements of every installed package, and toykit's own as pyproject.toml has them now."""
    options = {} if folders is None else {"path": folders}
    known = {
        canonicalize_name(found.metadata["Name"]): found.requires or [] for found in distributions(**options)
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project["optional-dependencies"]
    return known | {
        "toykit": [*project["dependencies"], *(line for extra in EXTRAS for line in groups[extra])]
    }


def look_up(python, name, version, tags, versions):
    """Return the newest version of a package that fits a need, and what it requires."""
    # pip compares what a package says of Python with the one that runs pip, and not with the one that is
    # asked for; the tags of the wheels are compared with the latter.
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--report",
        "-",
        "--no-deps",
        "--ignore-requires-python",
        "--only-binary",
        ":all:",
        "--python-version",
        version,
        *(f"--platform={tag}" for tag in tags),
    ]
    with tempfile.TemporaryDirectory() as nowhere:
        report = subprocess.run(
            [*command, "--target", nowhere, name + versions], check=True, capture_output=True, text=True
        ).stdout
    metadata = json.loads(report)["install"][0]["metadata"]
    return metadata["version"], metadata.get("requires_dist", [])


def elsewhere(python, known):
    """Return lines for the packages that only other systems or Pythons need."""
    lines, known = [], dict(known)
    while missing := needed(known).keys() - known.keys():
        name = min(missing)
        version, known[name] = look_up(python, name, *needed(known)[name])
        lines.append(f"{name}=={version}")
    return lines


@program
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the Python to install with")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([python, "-m", "venv", scratch], check=True)
        inside = Path(scratch, "bin", "python")
        # setuptools by name, because a fresh environment of Python 3.11 holds an old one.
        packages = ["setuptools", "-e", f".[{','.join(EXTRAS)}]"]
        subprocess.run(
            [inside, "-m", "pip", "install", "--progress-bar", "on", "--upgrade", *packages],
            cwd=ROOT,
            check=True,
        )
        frozen = subprocess.run(
            [inside, "-m", "pip", "freeze", "--all", "--exclude-editable"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        known = installed([str(path) for path in Path(scratch, "lib").glob("python*/site-packages")])
        frozen += "\n".join(elsewhere(inside, known))
    old = FILE.read_text(encoding="utf-8")
    FILE.write_text(pinned(frozen, old), encoding="utf-8")
    say(f"{FILE.name} was {'left as it was' if FILE.read_text(encoding='utf-8') == old else 'changed'}.")


if __name__ == "__main__":
    main()
