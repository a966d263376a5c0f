"""Look at a reader's machine: what is there, what is missing, and what to do about it.

`toykit doctor` runs on a machine where anything else may be missing, so this module, and the command line
up to here, import nothing but the standard library, and ask for the version of a package without importing
it. Before there is a .venv, `python3 -m toykit.doctor` runs in the folder of the book, from Python 3.8 on.
"""

import argparse
import json
import os
import platform
import re
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from . import _ending
from ._text import printable

OK, NOTE, PROBLEM = "ok", "note", "problem"

LOCK = Path("wheelhouse", "requirements.txt")  # of a kit: each package with its version

MEMORY_GB = 4  # converting ResNet-50 peaks at about half of this
DISK_GB = 3  # free space for what the notebooks write; the packages themselves are installed by then

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
MAC_BROWSERS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked at.
    status : str
        "ok", "note" (something works in part) or "problem" (something will fail).
    found : str
        What is there.
    advice : str
        What to do; empty where there is nothing to do.
    """

    name: str
    status: str
    found: str
    advice: str = ""


def examine(root=None):
    """Look at everything, and return a list of `Finding`.

    Parameters
    ----------
    root : path, optional
        The folder of the book, which holds pyproject.toml and constraints.txt, or of a kit. By default
        the one that toykit is installed from.

    Examples
    --------
    >>> examine()[0].name
    'Python'
    """
    root = Path(root) if root else home()
    return [python(), system(), *packages(root), core_ai(), memory(), disk(root), browser()]


def home(environment=sys.prefix):
    """Return the folder of the kit in which Python's environment lies, or that of the book."""
    kit = Path(environment).resolve().parent
    return kit if (kit / LOCK).is_file() else Path(__file__).resolve().parents[1]


def python(version=None):
    """Look at the version of Python, or at `version`, a tuple."""
    version = tuple(version or sys.version_info[:3])
    found = ".".join(map(str, version))
    if (3, 11) <= version[:2] <= (3, 13):
        return Finding("Python", OK, found)
    return Finding(
        "Python",
        PROBLEM,
        found,
        "The book needs Python 3.11, 3.12 or 3.13. Install one of them, "
        "remove .venv, and run: make setup PYTHON=python3.12",
    )


def system(name=None, machine=None):
    """Look at the operating system: what of Core ML Tools runs here."""
    name, machine = name or platform.system(), machine or platform.machine()
    if name == "Darwin":
        return Finding(
            "System", OK, f"macOS {platform.mac_ver()[0]} on {machine}: converts models and runs them"
        )
    if name == "Linux" and machine == "x86_64":
        return Finding(
            "System",
            OK,
            "Linux on x86-64: converts and compresses models; running them with "
            "Core ML itself takes a Mac, and no chapter needs one",
        )
    return Finding(
        "System",
        NOTE,
        f"{name} on {machine}",
        "coremltools has no package for this system. The "
        "book, the widgets and toykit work without it; for the cells that need it, use WSL (on "
        "Windows) or an x86-64 machine.",
    )


def wanted(root):
    """Return {package: version} for what the book asks for by name, as far as this machine can have it."""
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    project = re.sub(r"^coreai = \[.*?^\]", "", project, flags=re.DOTALL | re.MULTILINE)  # see core_ai
    pinned = dict(
        line.strip().split("==")
        for line in (root / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    )
    pinned = {normal(name): version for name, version in pinned.items()}
    names = re.findall(r'^\s*(?:dependencies = \[)?"([A-Za-z0-9._-]+)[^"]*",?\]?$', project, re.MULTILINE)
    return {name: pinned[normal(name)] for name in names if normal(name) in pinned}


def normal(name):
    """Return the form in which two names of one package are equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installing(root):
    """Say how a package comes to be there that is not."""
    if not (root / ".venv" / ".ready").exists():
        return "Run: make setup"
    if Path(sys.prefix).resolve() != (root / ".venv").resolve():
        return "The book has a Python of its own. Run: .venv/bin/toykit doctor"
    return "Run: rm .venv/.ready; make setup"  # which finds nothing to do while that file is there


def packages(root):
    """Look at each package that the book asks for, against the version that it was made with."""
    if (root / LOCK).is_file():
        return [of_kit(root)]
    if not (root / "constraints.txt").is_file():
        return [
            Finding(
                "Packages",
                NOTE,
                f"no constraints.txt in {root}",
                "toykit was installed on its own. To check the book's packages, run "
                "'toykit doctor' in the folder of the book.",
            )
        ]
    findings = []
    for name, version in wanted(root).items():
        found = installed(name)
        if found is None and name == "coremltools" and system().status == NOTE:
            continue  # said already
        if found is None:  # also what an installation that was stopped leaves: a folder without metadata
            findings.append(Finding(name, PROBLEM, "not installed", installing(root)))
            continue
        # A local part, as in 2.13.0+cpu, says how it was built and not what it does.
        if found.partition("+")[0] == version:
            findings.append(Finding(name, OK, found))
        else:
            findings.append(
                Finding(
                    name,
                    NOTE,
                    f"{found}; the book was made with {version}",
                    f"If a chapter shows other numbers: pip install '{name}=={version}'",
                )
            )
    return findings


def of_kit(root):
    """Look at all packages of a kit at once, against its lock."""
    lines = (root / LOCK).read_text(encoding="utf-8").splitlines()
    pinned = [line.split()[0].split("==") for line in lines if "==" in line]
    other = [name for name, version in pinned if installed(name) != version]
    if not other:
        return Finding("Packages", OK, f"all {len(pinned)} of the kit")
    found = f"missing, or of another version: {', '.join(other)}"
    return Finding(
        "Packages", PROBLEM, found, "Run install.py in the folder of the kit, or unzip the kit anew."
    )


def installed(name):
    """Return the version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def core_ai_wheel(name=None, machine=None, version=None):
    """Say why Apple's Core AI packages have no wheel for a system; "" where they have one.

    Looked up for coreai-core 1.0.0b3 on 27 November 2026.

    Parameters
    ----------
    name, machine : str, optional
        As `platform.system()` and `platform.machine()` say them.
    version : str, optional
        That of macOS, or of glibc on Linux; "" for another library of C.

    Examples
    --------
    >>> core_ai_wheel("Windows", "AMD64")
    'there is no wheel of it for Windows on AMD64'
    >>> core_ai_wheel("Darwin", "arm64", "15.7")
    'its wheels need macOS 26 or newer, and this is macOS 15.7'
    >>> core_ai_wheel("Linux", "x86_64", "2.36")
    ''
    """
    name, machine = name or platform.system(), machine or platform.machine()
    if (name, machine) == ("Darwin", "arm64"):
        found = platform.mac_ver()[0] if version is None else version
        least, label = (26, 0), "macOS"
    elif (name, machine) == ("Linux", "x86_64"):
        found = platform.libc_ver()[1] if version is None else version
        least, label = (2, 34), "glibc"
    else:
        return f"there is no wheel of it for {name} on {machine}"
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) >= least:
        return ""
    needed = "26" if label == "macOS" else "2.34"
    this = f"this is {label} {found}" if found else f"there is no {label} here"
    return f"its wheels need {label} {needed} or newer, and {this}"


def core_ai():
    """Look at Apple's Core AI packages, which one chapter can use and nothing needs."""
    versions = {name: installed(name) for name in ("coreai-core", "coreai-opt", "coreai-torch")}
    missing = [name for name, version in versions.items() if version is None]
    if not missing:
        return Finding("Core AI", OK, ", ".join(f"{name} {version}" for name, version in versions.items()))
    reason = core_ai_wheel()
    return Finding(
        "Core AI",
        NOTE,
        reason or f"not installed: {', '.join(missing)}",
        "The chapter on Core AI shows what its cells gave elsewhere; all else works without it."
        if reason
        else "Optional, for the chapter on Core AI and tk.coreai. In the book: make coreai. Elsewhere: "
        "pip install 'toykit[coreai]'",
    )


def memory(total=None):
    """Look at the size of the memory; `total` is in bytes."""
    if total is None:
        try:
            total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, ValueError, OSError):  # Windows has no sysconf
            return Finding("Memory", NOTE, "size unknown", f"The largest chapters use up to {MEMORY_GB} GB.")
    found = f"{total / 1e9:.1f} GB"
    if total >= MEMORY_GB * 1e9:
        return Finding("Memory", OK, found)
    return Finding(
        "Memory",
        NOTE,
        found,
        f"Chapters that convert ResNet-50 use up to {MEMORY_GB} GB. Close "
        "other programs, and run one notebook at a time.",
    )


def disk(root, free=None):
    """Look at the free space where the book lies; `free` is in bytes."""
    free = shutil.disk_usage(root).free if free is None else free
    found = f"{free / 1e9:.1f} GB free"
    if free >= DISK_GB * 1e9:
        return Finding("Disk", OK, found)
    return Finding(
        "Disk",
        PROBLEM,
        found,
        f"The notebooks write packages of up to 51 MB each, and pip unpacks "
        f"large files: keep {DISK_GB} GB free.",
    )


def find_browser():
    """Return the path of a browser that the tests can drive, or None.

    The environment variable TOYKIT_BROWSER names one; otherwise the usual names and places are tried.
    """
    chosen = os.environ.get("TOYKIT_BROWSER")
    if chosen:
        return chosen if Path(chosen).is_file() else None
    installed = (shutil.which(name) for name in BROWSERS)
    mac = (path for path in MAC_BROWSERS if Path(path).is_file())
    return next((path for path in (*installed, *mac) if path), None)


def browser():
    """Look for a browser that the tests can drive."""
    path = find_browser()
    if path:
        return Finding("Browser", OK, path)
    return Finding(
        "Browser",
        NOTE,
        "no Chromium, Chrome or Edge",
        "Reading the book works in any browser. To run "
        "the tests of the site, install Chromium or Chrome, or set TOYKIT_BROWSER to its path.",
    )


def as_text(findings):
    """Return the findings as lines for a terminal, with the advice under each that has one."""
    mark = {OK: "ok  ", NOTE: "note", PROBLEM: "FIX "}
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{mark[finding.status]}  {finding.name:<{width}}  {finding.found}")
        if finding.advice:
            lines.append(f"      {'':<{width}}  {finding.advice}")
    problems = sum(finding.status == PROBLEM for finding in findings)
    lines.append("")
    lines.append(
        "Everything that the book needs is here."
        if not problems
        else f"{problems} thing{'s' if problems > 1 else ''} to fix, marked FIX."
    )
    return "\n".join(lines)


def as_data(findings):
    """Return the findings as plain lists and dicts, for JSON."""
    return {
        "ok": all(finding.status != PROBLEM for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


class _Parser(argparse.ArgumentParser):
    """One whose complaints are printable: arguments can be names of files, as a shell's star finds them."""

    def error(self, message):
        super().error(printable(message))


def parser():
    """What reads the options of `toykit doctor`."""
    reader = _Parser(
        prog="toykit doctor",
        description="Check Python, packages, memory, disk and browser. Needs Python alone: nothing has to be "
        "installed.",
        epilog="Leaves with 1 if there is something to fix.",
    )
    reader.add_argument("--json", action="store_true", help="print JSON instead of lines")
    return reader


def main(arguments=None):
    """Run `toykit doctor` and return its exit status: 1 if there is something to fix.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.
    """

    def command():
        options = parser().parse_args(arguments)
        findings = examine()
        data = as_data(findings)
        print(json.dumps(data, indent=2) if options.json else as_text(findings))
        return 0 if data["ok"] else 1

    return _ending.run("toykit doctor", command)


if __name__ == "__main__":
    sys.exit(main())
