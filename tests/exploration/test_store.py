"""Measurements on disk: whole lines whatever happens, and one run at a time."""

import errno
import math
import subprocess
import sys

import pytest

from toykit.exploration.store import NAME, Store

WHAT = "alone", "inputs", "w", {"technique": "quantize", "bits": 8}


def filled(folder, count=3):
    with Store(folder, ["model"]).opened() as store:
        for number in range(count):
            store.add(*WHAT[:3], {"bits": number}, snr_db=number + 1 / 3)
    return (folder / NAME).read_bytes()


def test_what_was_measured_is_found_again_by_another_run_and_by_no_other_model(tmp_path):
    with Store(tmp_path, ["model", "0.1"]).opened() as store:
        row = store.add(*WHAT[:3], dict(sorted(WHAT[3].items())), snr_db=1 / 3, value=math.inf)
    with Store(tmp_path, ["model", "0.1"]).opened() as store:
        assert repr(sorted(store.get(*WHAT).items())) == repr(sorted(row.items()))  # nan is not equal to nan
        assert store.get(*WHAT[:3], {"bits": 4}) is None
        assert (store.found, store.measured) == (1, 0)
    for about in (["model", "0.2"], ["other", "0.1"]):
        with Store(tmp_path, about).opened() as store:
            assert store.get(*WHAT) is None


def test_cut_at_any_byte_the_whole_lines_are_there_and_the_next_run_goes_on(tmp_path):
    content = filled(tmp_path)
    for end in range(len(content)):
        (tmp_path / NAME).write_bytes(content[:end])
        with Store(tmp_path, ["model"]).opened() as store:
            whole = content[:end].count(b"\n")
            assert len(store.rows()) == max(0, whole - 1)
            store.add(*WHAT, snr_db=9)
        with Store(tmp_path, ["model"]).opened() as store:
            assert store.get(*WHAT)["snr_db"] == 9 and len(store.rows()) == max(0, whole - 1) + 1


def test_a_line_that_somebody_has_edited_is_measured_anew(tmp_path):
    content = filled(tmp_path)
    (tmp_path / NAME).write_bytes(content.replace(b"1.33333333", b"a lot"))
    with Store(tmp_path, ["model"]).opened() as store:
        assert len(store.rows()) == 2


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / NAME).write_text("name,weight\nsomebody,70\n")
    with pytest.raises(ValueError, match="something else"), Store(tmp_path).opened():
        pass
    assert (tmp_path / NAME).read_text() == "name,weight\nsomebody,70\n"


def test_two_runs_in_one_folder_are_one_too_many(tmp_path):
    code = (
        "import sys; from pathlib import Path; from toykit.exploration.store import Store\n"
        "with Store(Path(sys.argv[1])).opened(): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "in\n"
        with pytest.raises(ValueError, match="another run is at work"), Store(tmp_path).opened():
            pass
        other.kill()  # however rudely: the system lets go
        other.wait()
        with Store(tmp_path).opened():
            pass
    finally:
        other.kill()
        other.communicate()


class Full:
    """A disk with room for so many bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, line):
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.file.write(line[: self.room])
        self.room -= written
        return written


def test_a_full_disk_is_said_and_what_was_measured_is_kept(tmp_path):
    with Store(tmp_path, ["model"]).opened() as store:
        store.add(*WHAT, snr_db=1)
        store._file = Full(store._file, 20)
        with pytest.raises(OSError, match="ENOSPC.* is kept"):
            store.add(*WHAT[:3], {"bits": 4}, snr_db=2)
    with Store(tmp_path, ["model"]).opened() as store:
        assert store.get(*WHAT)["snr_db"] == 1 and len(store.rows()) == 1
