"""`tk.marking.mark`: what a class handed in, each answer run and checked, in one table."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import _apart
from .._text import as_csv, printable
from ..compressed import check_int, check_number, check_path, check_progress
from ..exercises import check
from ..verification import display

SECONDS, MEMORY = 60, 2**31
_PATIENCE = 3  # seconds by the clock for each of the processor
_RANKS = ("untouched", "failed", "passed")
_KINDS = (".ipynb", ".py")
# What a process needs to start; the rest of the environment is none of a stranger's business.
_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL")


@dataclass(frozen=True)
class Mark:
    """What came of an answer.

    Attributes
    ----------
    learner, exercise : str
    result : {"passed", "failed", "untouched"}
    problem : str
        What the checker says of an answer that failed.
    file : str
        Where it stands, below the folder of all.
    """

    learner: str
    exercise: str
    result: str
    problem: str
    file: str


@dataclass(frozen=True, repr=False)
class Marks:
    """The marks of a folder.

    Attributes
    ----------
    learners : tuple of str
        All that handed in something, in the order of their names.
    marks : tuple of Mark
        One for each exercise that a learner's files check: the best, where several do.
    left : tuple of str
        What was not marked, and why.
    """

    learners: tuple
    marks: tuple
    left: tuple = ()

    @property
    def exercises(self):
        """The names of all exercises that somebody's files check, in the order of the book: list of str."""
        there = {mark.exercise for mark in self.marks}
        return [name for name in check.all() if name in there]

    def as_data(self):
        """Lists and dictionaries, for JSON."""
        marks = [asdict(mark) for mark in self.marks]
        return {
            "learners": [*self.learners],
            "exercises": self.exercises,
            "marks": marks,
            "left": [*self.left],
        }

    def as_json(self):
        return json.dumps(self.as_data(), indent=2)

    def as_csv(self):
        """A line for each learner and a column for each exercise; empty where it was not handed in."""
        found = {(mark.learner, mark.exercise): mark.result for mark in self.marks}
        rows = [[who, *(found.get((who, name), "") for name in self.exercises)] for who in self.learners]
        return as_csv(["learner", *self.exercises], rows)

    def _of(self, **wanted):
        return [mark.exercise for mark in self.marks if wanted.items() <= asdict(mark).items()]

    def _counts(self, **wanted):
        return [str(len(self._of(result=result, **wanted))) for result in _RANKS[::-1]]

    def __str__(self):
        lines = [f"{_counted(self.learners, 'learner')}, {_counted(self.exercises, 'exercise')}"]
        if self.marks:
            rows = [
                [who, *self._counts(learner=who), ", ".join(self._of(learner=who, result="failed"))]
                for who in self.learners
            ]
            lines += ["", *display.text(("learner", *_RANKS[::-1], "which failed"), rows, {1, 2, 3})]
            rows = [[name, *self._counts(exercise=name)] for name in self.exercises]
            lines += ["", *display.text(("exercise", *_RANKS[::-1]), rows, {1, 2, 3})]
        said = [
            f"{one.learner}, {one.exercise}: {one.problem}" for one in self.marks if one.result == "failed"
        ]
        said += [f"not marked: {one}" for one in self.left]
        return "\n".join([*lines, *([""] if said else []), *display.sentences(said)])

    __repr__ = __str__


def _counted(things, name):
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def mark(folder, *, seconds=SECONDS, memory=MEMORY, progress=None):
    """Run the answers of a class to the book's exercises, and make the table.

    Each file is run in a process of its own, in an empty folder, with limits of time and memory and without your
    environment. It is a stranger's code all the same: it runs with your rights, and can read your files and reach the
    network. An account or a computer that holds nothing else is the place for it. A checker shares the process with
    what it checks, so whoever wants to cheat can: read what passed.

    Parameters
    ----------
    folder : str or Path
        Holds a file for each learner, or a folder for each: notebooks, or toykit-answers.py. What the file or folder
        is called is the learner's name.
    seconds : float
        Of processor time for each file. What takes longer has failed; the answers behind it are checked all the same.
        A case of an exercise that has not ended after ten seconds has failed anyway.
    memory : int
        Bytes for each file, where the system has such a limit (Linux).
    progress : callable (done, total), optional
        Counts files.

    Returns
    -------
    Marks

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there is nothing in it, or an argument is not as described.

    Examples
    --------
    >>> print(mark("handed_in"))                                             # doctest: +SKIP
    """
    place = Path(check_path("folder", folder))
    seconds, memory = check_number("seconds", seconds), check_int("memory", memory, range(2**20, 2**48))
    if seconds <= 0:
        raise ValueError(f"seconds must be above 0; got {seconds:g}")
    check_progress(progress)
    if not place.is_dir():
        raise FileNotFoundError(f"there is no folder {printable(place)}")
    handed_in, left = _handed_in(place)
    if not handed_in:
        raise ValueError(
            f"{printable(place)} holds no notebook, and no file that a page of the book has saved"
        )
    best: dict = {}
    for number, (who, path) in enumerate(handed_in):
        name = path.relative_to(place).as_posix()
        results, problem = _examined(path, seconds, memory)
        if problem:
            left.append(f"{name}: {problem}")
        for exercise, (result, said) in results.items():
            one = Mark(who, exercise, result, said, name)
            best[who, exercise] = max(
                best.get((who, exercise), one), one, key=lambda mark: _RANKS.index(mark.result)
            )
        if progress is not None:
            progress(number + 1, len(handed_in))
    learners = dict.fromkeys(who for who, _ in handed_in)
    order = [(who, exercise) for who in learners for exercise in check.all()]
    return Marks(tuple(learners), tuple(best[one] for one in order if one in best), tuple(left))


def _handed_in(place):
    """(learner, file) of all files that may hold answers, and the names of what else lies in the folder."""
    found, left = [], []
    for entry in sorted(entry for entry in place.iterdir() if not entry.name.startswith(".")):
        inside = [entry]
        if entry.is_dir() and not entry.is_symlink():
            inside = sorted(one for one in entry.rglob("*") if not _is_hidden(one.relative_to(entry)))
        files = [one for one in inside if one.suffix in _KINDS and one.is_file() and not one.is_symlink()]
        found += [(entry.stem if inside == [entry] else entry.name, one) for one in files]
        if not files:
            left.append(f"{entry.name}: no notebook, and no file that a page has saved")
    return found, left


def _is_hidden(path):
    return any(part.startswith(".") for part in path.parts)


def _examined(path, seconds, memory):
    """The results of a file by the name of the exercise, (result, problem) each, and why it could not be read."""
    results: dict = {}
    while True:
        asked = {"path": os.path.abspath(path), "done": [*results], "seconds": seconds, "memory": memory}
        lines, ended = _run(asked)
        if not lines:
            return results, ended
        if "problem" in lines[0]:
            return results, lines[0]["problem"]
        names = lines[0]["exercises"]
        results |= {
            line["exercise"]: (line["result"], str(line.get("problem", "")))
            for line in lines[1:]
            if line.get("exercise") in names and line.get("result") in _RANKS
        }
        missing = [name for name in names if name not in results]
        if not missing:
            return results, ""
        results[missing[0]] = ("failed", ended)


def _run(asked):
    """What the other process wrote, and how it ended, in words."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment |= {"PYTHONPATH": _apart.paths(), "PYTHONIOENCODING": "utf-8", "HOME": scratch}
        # A file, because a pipe stays open as long as whatever the code has started.
        with tempfile.TemporaryFile() as told:
            process = subprocess.Popen(
                [sys.executable, "-m", "toykit.marking.examining"],
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=subprocess.DEVNULL,
                env=environment,
                cwd=scratch,
                start_new_session=True,
            )
            stopped = f"It took longer than {asked['seconds']:g} seconds, and was stopped."
            try:
                process.communicate(json.dumps(asked).encode(), timeout=_PATIENCE * asked["seconds"])
                ended = f"It ended the process ({process.returncode})."
                if -process.returncode == getattr(signal, "SIGXCPU", None):
                    ended = stopped
            except subprocess.TimeoutExpired:
                ended = stopped
            finally:
                _stop(process)
            told.seek(0)
            lines = told.read().decode("utf-8", "replace").splitlines()
    return [found for line in lines if isinstance(found := _parsed(line), dict)], ended


def _parsed(line):
    """What a line says, or None: the last may be half of one, and a stranger may have written others."""
    try:
        return json.loads(line)
    except (RecursionError, ValueError):
        return None


def _stop(process):
    """End the process and what it has started."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
