"""Measurements, kept: a line of a CSV file each, found again by a key.

The key is a digest of all that a measurement depends on: the model, the inputs, the setting and toykit's version.
Lines are only ever appended, each in one piece and down to the disk, so whatever stops a run leaves whole lines, and at
most half of a last one, which the next run cuts off. One run at a time writes to a folder.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import math
import os
from pathlib import Path

from .._rows import Rows

NAME = "measurements.csv"
_NUMBERS = ("nbytes", "snr_db", "value", "low", "high", "samples", "seconds")
COLUMNS = ("key", "part", "tried", "weight", "setting", *_NUMBERS)
_LOCK = ".explore.lock"


class Store:
    """The measurements of a folder.

    Parameters
    ----------
    folder : Path
    about : sequence of str
        What every key of this run has in common, such as the digest of the model.

    Attributes
    ----------
    path : Path
    measured : int
        How many were added.
    """

    def __init__(self, folder, about=()):
        self.path, self.about = Path(folder, NAME), tuple(about)
        self.measured, self._old, self._asked = 0, set(), set()
        self._rows: dict[str, dict] = {}
        self._file: io.FileIO  # while it is opened

    def key(self, part, tried, weight, setting):
        """A digest of what a measurement depends on."""
        what = json.dumps([*self.about, part, tried, weight, setting], sort_keys=True)
        return hashlib.sha256(what.encode()).hexdigest()[:32]

    def get(self, *what):
        """A row that was measured before, or None.

        Parameters
        ----------
        *what
            As the first four of `add`.
        """
        key = self.key(*what)
        self._asked.add(key)
        return self._rows.get(key)

    @property
    def found(self):
        """How many were asked for that an earlier run had measured."""
        return len(self._asked & self._old)

    def add(self, part, tried, weight, setting, **numbers):
        """Keep a measurement, and return its row.

        Parameters
        ----------
        part : {"alone", "search", "held out"}
        tried : str
            A digest of the inputs, or of the metric.
        weight : str
            "" for a whole recipe.
        setting : dict
            Or a recipe.
        **numbers
            Of `nbytes`, `snr_db`, `value`, `low`, `high`, `samples` and `seconds` those that are known.

        Raises
        ------
        OSError
            If it cannot be written, as on a full disk. What was written before is there.
        """
        key = self.key(part, tried, weight, setting)
        row = {"key": key, "part": part, "tried": tried[:12], "weight": weight, "setting": setting}
        # As it is read again, so that a run that goes on decides as one that was never stopped.
        row |= {name: float(_text(numbers.get(name, math.nan))) for name in _NUMBERS}
        self._append(_line(_texts(row).values()))
        self._rows[key] = row
        self.measured += 1
        return row

    def rows(self):
        """All of this run's and earlier ones': Rows, in the order in which they were measured."""
        return Rows(self._rows.values())

    @contextlib.contextmanager
    def opened(self):
        """A block in which this run alone reads and writes the folder's measurements.

        Raises
        ------
        ValueError
            If another run does, or the file is something else.
        """
        with _alone(self.path.parent):
            self._read()
            self._old = set(self._rows)
            with self.path.open("ab", buffering=0) as self._file:
                if not self._file.tell():
                    self._append(_line(COLUMNS))
                yield self

    def _read(self):
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.decode("utf-8", "replace").splitlines()
        if whole and lines[0] != _line(COLUMNS).decode().strip():
            raise ValueError(f"{self.path} holds something else than measurements; choose another folder")
        if len(whole) < len(content):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        for texts in csv.reader(lines[1:]):
            with contextlib.suppress(ValueError):  # a line that somebody has edited is measured anew
                row: dict = dict(zip(COLUMNS, texts, strict=True))
                row |= {name: float(row[name]) for name in _NUMBERS}
                self._rows[row["key"]] = row | {"setting": json.loads(row["setting"])}

    def _append(self, line):
        try:
            written = self._file.write(line)
            if written < len(line):  # a disk that is full takes a part: the next write says why
                self._file.write(line[written:])
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, error.errno)
            raise OSError(
                f"{self.path} takes no more ({code}: is the disk full?). What "
                "was measured before is kept, and the same command goes on from there"
            ) from error


def _texts(row):
    setting = json.dumps(row["setting"], sort_keys=True)
    return row | {"setting": setting} | {name: _text(row[name]) for name in _NUMBERS}


def _text(number):
    return f"{number:.9g}"


def _line(values):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


@contextlib.contextmanager
def _alone(folder):
    """A block that only one process at a time is in. The system lets go of the lock of one that is killed."""
    with Path(folder, _LOCK).open("a+b") as file:
        try:
            _lock(file)
        except OSError:
            raise ValueError(
                f"another run is at work in {folder}: wait for its end, or choose another folder"
            ) from None
        yield


def _lock(file):
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
