"""Whatever stops a save, a whole package lies under the name, and the next save tidies up."""

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.nightly import NIGHTLY, cases, nightly
from toykit.coreml.format.package import Package
from toykit.coreml.writing import saving
from toykit.coreml.writing.saving import save

FILES = ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin")
posix = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")


class Model:
    """As coremltools' MLModel, as far as save needs it: it writes a folder of files."""

    package_path = "somewhere"

    def __init__(self, word):
        self.word = word

    def save(self, path):
        for name in FILES:
            Path(path, name).parent.mkdir(parents=True, exist_ok=True)
            with Path(path, name).open("w") as file:
                for _ in range(4):
                    file.write(self.word * 1000)
                    file.flush()


def content(path):
    """The word of which the package at `path` consists; None if nothing lies there."""
    if not path.exists():
        return None
    texts = {(path / name).read_text() for name in FILES}
    (text,) = texts
    word = text[: len(text) // 4000]
    assert text == word * 4000
    return word


def hidden(folder):
    return [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """A call that does not wait for the disk, in place of one that does."""
    monkeypatch.setattr(os, "fsync", os.fstat)


@pytest.fixture(params=["exchanged", "put aside"])
def path(request, tmp_path, monkeypatch):
    """A place with an old package; the system changes two names in one step, or needs two."""
    if request.param == "put aside":
        monkeypatch.setattr(saving, "_exchange", lambda one, other: False)
    return save(Model("old"), tmp_path / "net.mlpackage")


@contextlib.contextmanager
def disturbed(number, action, after=False, only=lambda function: True):
    """Do `action` at the C function with this number that the block calls, before or after it.

    Yields a list of one: how many there were.
    """
    counted = [0]

    def look(frame, event, function):
        if event != ("c_return" if after else "c_call") or function is sys.setprofile or not only(function):
            return
        if "logging" in frame.f_code.co_filename:  # which, interrupted, would keep its own lock for ever
            return
        counted[0] += 1
        if counted[0] == number + 1:
            action(function)

    sys.setprofile(look)
    try:
        yield counted
    finally:
        sys.setprofile(None)


def calls(path, **options):
    """How many C functions a save calls."""
    with disturbed(-1, None, **options) as counted:
        save(Model("old"), path)
    return counted[0]


def chosen(total, few=40):
    """Some of the places at which a save can be stopped; all of them in the nightly tests."""
    return range(total) if NIGHTLY else sorted(random.Random(0).sample(range(total), min(few, total)))


def stop(function):
    raise KeyboardInterrupt


def die(function):
    os.kill(os.getpid(), signal.SIGKILL)


def system(function):
    """Whether a C function asks the system for something that can fail."""
    of_files = type(getattr(function, "__self__", None)).__module__ == "_io"
    return of_files or (function.__module__ in ("posix", "nt", "io", "_io") and function.__name__ != "fspath")


def in_a_child(work):
    """Do `work` in a process that ends without tidying up, and wait for it."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_fuzz_a_save_that_is_interrupted_leaves_a_whole_package(path, after, monkeypatch):
    total = calls(path, after=after)
    monkeypatch.setattr(saving, "_alive", lambda process: False)
    seen = set()
    for number in chosen(total):
        shutil.rmtree(path)
        save(Model("old"), path)
        assert not hidden(path.parent)
        with contextlib.suppress(KeyboardInterrupt), disturbed(number, stop, after):
            save(Model("new"), path)
        seen.add(content(path))
        assert content(path) in ("old", "new"), number
    assert seen == {"old", "new"} or not NIGHTLY
    save(Model("last"), path)
    assert content(path) == "last" and not hidden(path.parent)


@posix
def test_fuzz_a_save_that_is_killed_leaves_a_whole_package(path):
    total = calls(path)
    one_step = saving._exchange.__name__ == "_exchange"
    for number in chosen(total, 20):

        def work(number=number):
            with disturbed(number, die):
                save(Model("new"), path)

        in_a_child(work)
        if one_step:
            assert content(path) in ("old", "new"), number
        elif content(path) is None:  # between the two steps: both are in the hidden folder
            (left,) = hidden(path.parent)
            assert content(left / "old" / path.name) == "old" and content(left / "new" / path.name) == "new"
        save(Model("other"), path.with_name("other.mlpackage"))  # the next save, of another package
        assert not hidden(path.parent) and content(path) in ("old", "new"), number
        save(Model("old"), path)


@posix
def test_nightly_a_save_that_is_killed_at_any_time(path):
    chance = random.Random(1)
    for _ in range(cases(5, 500)):
        child = os.fork()
        if not child:
            try:
                for number in range(100):
                    save(Model("new" if number % 2 else "old"), path)
            finally:
                os._exit(0)
        with contextlib.suppress(ChildProcessError):
            threading.Event().wait(chance.uniform(0, 0.2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        save(Model("other"), path.with_name("other.mlpackage"))
        assert not hidden(path.parent) and content(path) in ("old", "new")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_fuzz_what_the_system_refuses_is_said_and_nothing_is_lost(path, code, lasting, monkeypatch):
    total = calls(path, only=system)
    monkeypatch.setattr(saving, "_alive", lambda process: False)
    for number in chosen(total, 10):
        save(Model("old"), path)

        def refuse(function):
            if lasting:
                seen[0] -= 1  # so that the next call is refused, too
            raise OSError(code, os.strerror(code))

        error = None
        with disturbed(number, refuse, only=system) as seen:
            try:
                save(Model("new"), path)
            except (OSError, ValueError) as caught:
                error = caught
        if lasting and content(path) is None:  # even giving the name back was refused
            assert "old" in {content(old) for left in hidden(path.parent) for old in left.glob("old/*")}
            save(Model("other"), path.with_name("other.mlpackage"))
        assert content(path) in ("old", "new"), number
        if isinstance(error, OSError):
            assert str(error).startswith(f"{path} was not written: ") and content(path) == "old"
    save(Model("last"), path)
    assert content(path) == "last" and not hidden(path.parent)


@posix
@pytest.mark.parametrize("room", [0, 1, 5000, 11_999])
def test_a_disk_without_room_is_said_in_a_sentence(path, room, tmp_path):
    import resource

    said, (_, hard) = tmp_path / "said", resource.getrlimit(resource.RLIMIT_FSIZE)

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        try:
            save(Model("new"), path)
        except OSError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            said.write_text(str(error))

    in_a_child(work)
    assert said.read_text() == f"{path} was not written: File too large. What was there is as it was"
    assert content(path) == "old" and not hidden(path.parent)


@posix
def test_a_full_disk(tmp_path):
    """A drive of 64 kB, where this may be made."""
    drive = tmp_path / "drive"
    drive.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(drive)], capture_output=True
    )
    if made.returncode:
        pytest.skip("only root may mount a drive")
    try:
        path = save(Model("old"), drive / "net.mlpackage")
        with pytest.raises(OSError, match="net.mlpackage was not written: No space left on device. What was"):
            save(Model("a longer word"), path)
        assert content(path) == "old" and not hidden(drive)
        with pytest.raises(OSError, match="No space left on device"):
            save(Model("a longer word"), drive / "another.mlpackage")
        assert list(drive.iterdir()) == [path]
        subprocess.run(["mount", "-o", "remount,ro", str(drive)], check=True)
        with pytest.raises(ValueError, match="cannot be written to"):
            save(Model("new"), path)
    finally:
        subprocess.run(["umount", str(drive)], check=True)


def test_two_that_save_under_one_name(tmp_path):
    path, outcomes = tmp_path / "net.mlpackage", []

    def work(word):
        try:
            save(Model(word), path, replace=False)
            outcomes.append(word)
        except ValueError as error:
            assert "appeared meanwhile" in str(error) or "exists" in str(error)

    threads = [threading.Thread(target=work, args=(word,)) for word in "abcdefgh"]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert [content(path)] == outcomes and not hidden(tmp_path)


def test_replacing_from_several_threads(path):
    threads = [threading.Thread(target=save, args=(Model(word), path)) for word in "abcdefgh"]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert content(path) in set("abcdefgh") and not hidden(path.parent)


class Slow(Model):
    """Something appears under the name while the package is written."""

    def __init__(self, word, path, what):
        super().__init__(word)
        self.path, self.what = path, what

    def save(self, path):
        super().save(path)
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        (self.path / self.what).write_text("mine")


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_what_appears_meanwhile_and_is_no_package_stays(tmp_path, replace, there):
    path = tmp_path / "net.mlpackage"
    if there and replace:
        save(Model("old"), path)
    with pytest.raises(ValueError, match="exists"):
        save(Slow("new", path, "notes.txt"), path, replace=replace)
    assert (path / "notes.txt").read_text() == "mine" and not hidden(tmp_path)


def test_only_what_dead_processes_left_is_removed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    dead = int(done.stdout)
    names = {
        f"{saving._PREFIX}{dead}-abc": False,
        f"{saving._PREFIX}{os.getpid()}-abc": True,
        f"{saving._PREFIX}1-abc": True,  # another user's
        f"{saving._PREFIX}{10**30}-abc": True,
        f"{saving._PREFIX}-abc": True,
        f".toykit-save-00000000-{dead}-abc": True,  # another computer's
        f".net-{dead}": True,
    }
    for name in names:
        (tmp_path / name / "new").mkdir(parents=True)
    save(Model("new"), tmp_path / "net.mlpackage")
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_package_is_saved_as_a_copy(tmp_path, monkeypatch):
    class Opened(Package):
        def __init__(self, path):
            self.path = Path(path)

    source = Opened(save(Model("old"), tmp_path / "source.mlpackage"))
    (source.path / "link").symlink_to("Manifest.json")
    (source.path / "Data").chmod(0o555)
    try:
        path = save(source, tmp_path / "copy.mlpackage")
        assert save(source, source.path) == source.path  # onto itself
    finally:
        (source.path / "Data").chmod(0o755)
    assert content(path) == content(source.path) == "old" and os.readlink(path / "link") == "Manifest.json"
    assert (path / "Data").stat().st_mode & 0o700 == 0o700
    shutil.rmtree(source.path)
    assert content(path) == "old"


@pytest.mark.parametrize("what", [None, 3, "net.mlpackage", object()])
def test_what_is_no_model_is_refused(tmp_path, what):
    with pytest.raises(TypeError, match="mlmodel must be a Package, or a coremltools MLModel"):
        save(what, tmp_path / "net.mlpackage")
    assert not list(tmp_path.iterdir())


def test_a_link_to_a_package_is_replaced_and_the_package_stays(path):
    link = path.with_name("link.mlpackage")
    link.symlink_to(path)
    save(Model("new"), link)
    assert content(path) == "old" and content(link) == "new" and not link.is_symlink()


@nightly
def test_nightly_coremltools_writes_to_a_full_disk(tmp_path):
    ct = pytest.importorskip("coremltools")
    torch = pytest.importorskip("torch")
    import toykit as tk

    drive = tmp_path / "drive"
    drive.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(drive)], capture_output=True
    ).returncode:
        pytest.skip("only root may mount a drive")
    try:
        model = tk.coreml.convert(torch.nn.Linear(256, 256).eval(), torch.zeros(1, 256))
        assert isinstance(model, ct.models.MLModel)
        path = save(model, drive / "net.mlpackage")
        before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
        filler = drive / "filler"
        free = shutil.disk_usage(drive).free
        for room in range(0, free, 4096):
            filler.write_bytes(bytes(free - room))
            with contextlib.suppress(OSError):
                save(model, drive / "other.mlpackage")
                shutil.rmtree(drive / "other.mlpackage")
            assert sorted(drive.iterdir()) == [filler, path], room
        assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    finally:
        subprocess.run(["umount", str(drive)], check=True)
