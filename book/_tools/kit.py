"""Make one zip for a computer without a network: `make kit`, or without packages: `make kit WHEELS=0`.

It holds a start page, the built site, the learner's notebooks with their data, the instructor edition apart, and,
with packages, a wheelhouse for this system, the trained networks, and an installer that needs Python alone. The
same files make the same zip, and their names are right on Windows and macOS, too.
"""

import argparse
import html
import json
import re
import shutil
import tempfile
import zipfile
from pathlib import Path
from string import Template

from bs4 import BeautifulSoup

import toykit

from . import instructor, trained_networks, wheelhouse, workshop
from .live import DATE
from .project import BUILD, HTML, ROOT, alone, chapters, fail, program, say

TARGET = BUILD / "kit"
SOURCES = ROOT / "book" / "_kit"
TOP = "toykit-kit"
# Folder of the kit -> what the start page says of it.
PARTS = {
    "site": "the book",
    "notebooks": "its chapters for JupyterLab, without solutions, and their data",
    "instructor": "for teachers: solutions, with the usual wrong paths",
    "wheelhouse": "the packages that the notebooks run on",
    "networks": "trained networks and sentences that some chapters ask",
}
# What is packed as small as it gets already.
PACKED = {".whl", ".png", ".woff", ".woff2", ".npz", ".gz", ".safetensors"}
# Windows stops at 260 characters; a reader's own folders come before these.
LONGEST = 140
FORBIDDEN = re.compile(
    r'[<>:"\\|?*\x00-\x1f]|[. ](/|$)|(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)', re.IGNORECASE
)


def bad_names(names):
    """Say what is wrong with names of files for Windows or macOS, in sorted sentences."""
    said, seen = [], {}
    for name in sorted(names):
        if FORBIDDEN.search(name) or not name.isascii():
            said.append(f"{name}: Windows takes no such name")
        if len(name) > LONGEST:
            said.append(f"{name}: longer than {LONGEST} characters")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            said.append(f"{name}: the same as {other} where capitals do not count")
    return said


def folder_of(path, inside=""):
    """The files of a folder by their names in the kit, hidden ones left out."""
    names = {file: file.relative_to(path) for file in path.rglob("*") if file.is_file()}
    return {
        str(Path(inside, name).as_posix()): file
        for file, name in names.items()
        if not any(part.startswith(".") for part in name.parts)
    }


def gathered(scratch, wheels=True):
    """Every file of the kit by its name; what is made for it alone lies in the folder `scratch`."""
    if not (HTML / "index.html").is_file():
        fail("There is no built book yet. Run 'make book' first.")
    workshop.make(chapters(), scratch / "notebooks", workshop.IN_THE_KIT)
    instructor.write(scratch / "instructor")
    shutil.copyfile(ROOT / "LICENSE", scratch / "LICENSE.txt")
    networks = {}
    if wheels:
        (scratch / "wheelhouse").mkdir()
        wheelhouse.make(scratch / "wheelhouse")
        shutil.copyfile(SOURCES / "install.py", scratch / "install.py")
        networks = trained_networks.shipped()
    files = (
        folder_of(scratch)
        | folder_of(HTML, "site")
        | {f"networks/{name}": networks[name] for name in networks}
    )
    page = start_page(files, (SOURCES / "index.html").read_text(encoding="utf-8"))
    (scratch / "index.html").write_text(page, encoding="utf-8")
    return files | {"index.html": scratch / "index.html"}


def sizes(files):
    """Bytes of each part of the kit, in the order of `PARTS`."""
    sums = dict.fromkeys(PARTS, 0)
    for name, path in files.items():
        part = name.partition("/")[0]
        if part in sums:
            sums[part] += path.stat().st_size
    return {part: size for part, size in sums.items() if size}


def start_page(files, template):
    """The start page of a kit with these files: it speaks of the parts that are there."""
    parts, words = sizes(files), {"version": toykit.__version__, "python": "python3"}
    if "wheelhouse" in parts:
        made_for = json.loads(files[f"wheelhouse/{wheelhouse.MADE_FOR}"].read_text(encoding="utf-8"))
        words |= system_in_words(made_for)
    rows = (
        f"<tr><td><code>{part}</code></td><td>{html.escape(PARTS[part])}</td><td>{size / 1e6:.0f} MB</td></tr>"
        for part, size in parts.items()
    )
    page = BeautifulSoup(Template(template).safe_substitute(words, contents="".join(rows)), "html.parser")
    for element in page.select("[data-with], [data-without]"):
        if element.get("data-with", "site") not in parts or element.get("data-without") in parts:
            element.decompose()
    return str(page)


def system_in_words(made_for):
    """What the start page says of the system that the wheels are for."""
    windows = made_for["system"] == "Windows"
    inside = ".venv\\Scripts\\" if windows else ".venv/bin/"
    system = made_for["system"].replace("Darwin", "macOS")
    return {
        "made_for": f"Python {'.'.join(map(str, made_for['python']))} and {system} on {made_for['machine']}",
        "python": made_for["command"],
        "jupyter": f"{inside}jupyter",
        "toykit": f"{inside}toykit",
        "space": f"{made_for['bytes'] / 1e9:.1f} GB",
    }


def pack(files, target):
    """Write the zip; its name appears when it is whole."""
    scratch = target.with_suffix(".part")
    with zipfile.ZipFile(scratch, "w") as archive:
        for name, path in sorted(files.items()):
            info = zipfile.ZipInfo(f"{TOP}/{name}", DATE)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as member:
                shutil.copyfileobj(source, member)
    scratch.replace(target)


def name_of(made_for=None):
    """The name of the zip, with the system where it holds packages."""
    if made_for is None:
        return f"toykit-kit-{toykit.__version__}-small.zip"
    python = "".join(map(str, made_for["python"]))
    return f"toykit-kit-{toykit.__version__}-{made_for['system'].lower()}-{made_for['machine']}-python{python}.zip"


def make(target, wheels=True):
    """Write the kit into the folder `target`, and return the path of the zip."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        files = gathered(Path(scratch), wheels)
        if said := bad_names(f"{TOP}/{name}" for name in files):
            fail("The kit cannot be made:\n" + "\n".join(said))
        zipped = target / name_of(wheelhouse.described(0) if wheels else None)
        pack(files, zipped)
        for part, size in sizes(files).items():
            say(f"  {part:12} {size / 1e6:7.1f} MB")
    say(f"{zipped.stat().st_size / 1e6:.1f} MB: {zipped}")
    return zipped


@program
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-wheels", action="store_true", help="a small kit, without packages")
    options = parser.parse_args()
    with alone():
        make(TARGET, wheels=not options.no_wheels)


if __name__ == "__main__":
    main()
