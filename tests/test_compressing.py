"""Whatever stops `toykit compress`, nothing of the user's is lost and nothing half-written has the final name."""

import contextlib
import errno
import os
import random
import shutil
import subprocess
import tempfile

import numpy as np
import pytest

import toykit as tk
from tests import handmade
from tests.nightly import cases
from tests.test_saving import die, disturbed, hidden, in_a_child, posix, system
from tests.test_writing import contents
from toykit import cli
from toykit.coreml.tools import compression
from toykit.coreml.writing import saving

RANDOM = np.random.default_rng(0)
LAYERS = [("linear", RANDOM.normal(size=(64, 64)).astype(np.float16)) for _ in range(3)]


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A package in a folder of its own; temporary folders are made beside it."""
    monkeypatch.setattr(os, "fsync", os.fstat)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "mine").mkdir()
    return handmade.write(tmp_path / "mine" / "net.mlpackage", LAYERS)


def compress(path, *more):
    return cli.main(["compress", str(path), str(path.with_name("small.mlpackage")), "--prune", "0.5", *more])


def calls(path, **options):
    """How many C functions a command calls."""
    with disturbed(-1, None, **options) as counted:
        assert compress(path, "--force") == 0
    return counted[0]


@posix
@pytest.mark.parametrize("there", [False, True], ids=["new", "replaced"])
def test_fuzz_killed_at_random_moments(path, there, tmp_path):
    small, other, before = path.with_name("small.mlpackage"), tmp_path / "other.mlpackage", contents(path)
    assert compress(path) == 0
    new = contents(small)
    shutil.rmtree(small)
    old = contents(handmade.write(other, LAYERS[:2]))
    total, chance = calls(path), random.Random(0)
    moments = sorted(chance.sample(range(total), cases(10, 200)))
    one_step = saving._exchange(path, path) or True
    for number in moments:
        shutil.rmtree(small, ignore_errors=True)
        if there:
            shutil.copytree(other, small)

        def work(number=number):
            with disturbed(number, die):
                compress(path, "--force")

        in_a_child(work)
        found = contents(small) if small.exists() else None
        assert found in ((old, new) if there and one_step else (None, new)), number
        assert contents(path) == before
    assert compress(path, "--force") == 0
    assert contents(small) == new and not hidden(path.parent)  # the next one tidies up


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_fuzz_what_the_system_refuses_is_said(path, code, monkeypatch, capsys):
    small, before = path.with_name("small.mlpackage"), contents(path)
    monkeypatch.setattr(saving, "_alive", lambda process: False)
    total, chance = calls(path, only=system), random.Random(1)
    old, new = contents(small), None
    for number in sorted(chance.sample(range(total), cases(8, 100))):

        def refuse(function):
            raise OSError(code, os.strerror(code))

        with disturbed(number, refuse, only=system):
            status = compress(path, "--palettize", "4", "--force")
        said = capsys.readouterr().err
        assert status == 0 or (status == 2 and said.startswith("toykit") and "Traceback" not in said), said
        assert contents(path) == before
        found = contents(small)
        new = new or (found if not status else None)
        if status and "nothing was written" in said:
            assert found == old
        assert found in (old, new), number
        if found != old:
            shutil.rmtree(small)
            assert compress(path) == 0


@posix
def test_a_full_disk(path, tmp_path, capsys):
    """A drive on which there is room for half of the package, where this may be made."""
    drive = tmp_path / "drive"
    drive.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(drive)], capture_output=True
    )
    if made.returncode:
        pytest.skip("only root may mount a drive")
    try:
        assert cli.main(["compress", str(path), str(drive / "small.mlpackage"), "--quantize", "8"]) == 2
        assert "no room left on the disk; nothing was written" in capsys.readouterr().err
        assert not list(drive.iterdir())
        assert cli.main(["compress", str(path), str(drive / "small.mlpackage"), "--palettize", "1"]) == 0
        old = contents(drive / "small.mlpackage")
        assert (
            cli.main(["compress", str(path), str(drive / "small.mlpackage"), "--quantize", "8", "--force"])
            == 2
        )
        assert contents(drive / "small.mlpackage") == old and not hidden(drive)
        subprocess.run(["mount", "-o", "remount,ro", str(drive)], check=True)
        assert cli.main(["compress", str(path), str(drive / "new.mlpackage"), "--quantize", "8"]) == 2
        assert "cannot be written to" in capsys.readouterr().err
    finally:
        subprocess.run(["umount", str(drive)], check=True)


def test_a_folder_that_cannot_be_written_to(path, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert compress(path) == 2
    assert "cannot be written to" in capsys.readouterr().err and list(path.parent.iterdir()) == [path]


def longer(path):
    with path.open("ab") as file:
        file.write(b"\0")


def rewritten(path):
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("what", [longer, rewritten, os.unlink], ids=["longer", "rewritten", "gone"])
@pytest.mark.parametrize("file", ["Manifest.json", handmade.MODEL])
def test_a_package_that_changes_meanwhile_is_noticed(path, what, file, tmp_path):
    def change(done, total):
        if done == 2:
            what(path / file)

    with pytest.raises(tk.coreml.PackageError, match=f"has changed while it was compressed: {file}"):
        tk.coreml.compress(path, "quantize", progress=change)
    assert [folder.name for folder in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("how", [["--prune", "0.5"], ["--palettize", "4", "--group-size", "5"]])
def test_a_package_with_no_weight_that_takes_it(path, how, capsys):
    few = handmade.write(path.with_name("few.mlpackage"), [("linear", np.ones((4, 8), np.float16))])
    out = path.with_name("small.mlpackage")
    assert cli.main(["compress", str(few), str(out), *how]) == 2
    assert "no weight that can take this; w0, for one: " in capsys.readouterr().err
    assert not out.exists()


def test_what_is_compressed_already_is_said(path, capsys):
    assert compress(path, "--only", "w0") == 0
    small, out = path.with_name("small.mlpackage"), path.with_name("smaller.mlpackage")
    assert cli.main(["compress", str(small), str(out), "--prune", "0.5", "--only", "w1"]) == 0
    assert "already stays as it is (1 operations decompress it)" in capsys.readouterr().out
    shutil.rmtree(small)
    shutil.rmtree(out)
    assert compress(path) == 0
    assert cli.main(["compress", str(small), str(out), "--prune", "0.5"]) == 2
    assert "no weight that can take this; what is compressed already stays" in capsys.readouterr().err


def test_a_program_without_weights(path, capsys):
    none = handmade.write(path.with_name("none.mlpackage"), [])
    assert cli.main(["compress", str(none), str(path.with_name("small.mlpackage")), "--prune", "0.5"]) == 2
    assert "no weight that can take this. Nothing was written" in capsys.readouterr().err


def test_stopped_with_ctrl_c(path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(compression, "write_package", stop)
    with contextlib.suppress(KeyboardInterrupt):
        assert compress(path) == 130
    assert list(path.parent.iterdir()) == [path]
