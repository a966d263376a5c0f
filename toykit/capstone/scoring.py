"""`tk.capstone.score`: what a submitted package is worth, found by running it."""

import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import _apart
from .._log import decision_log
from .._text import in_markdown, printable
from ..compressed import SEEDS, check_int, check_number, check_path
from ..coreml.writing.forms import VERSIONS
from ..data.pitch import share_interval
from ..verification import display
from .tasks import SAMPLES, find_task

SECONDS, MEMORY = 900, 2**31
_PATIENCE = 10  # seconds by the clock for each of the processor
_TIME_IS_UP = {getattr(signal, "SIGXCPU", None)}


@dataclass(frozen=True, repr=False)
class Score:
    """What was found about one package.

    Attributes
    ----------
    submission : str
        Its name.
    task : str
    problem : str
        Why it could not be run; "" if it was.
    nbytes, budget : int
        What it takes, and what it may; `nbytes` is 0 where that is not known.
    right, samples : int
        Answers that are right, and all.
    floor : float
        Share that must be.
    needs, target : str
        The oldest system that reads it, and the one that must.
    digest : str
        SHA-256 of what is in its files.
    seed : int or None
        Of the test data.
    drawn_from : {"digest", "given"}
        Who chose the seed.
    versions : dict of str to str
        Of what ran it.
    """

    submission: str
    task: str
    problem: str
    nbytes: int
    budget: int
    right: int
    samples: int
    floor: float
    needs: str
    target: str
    digest: str
    seed: int | None
    drawn_from: str
    versions: dict

    @property
    def share(self):
        """Share of right answers; None where it was not run."""
        return self.right / self.samples if self.samples else None

    @property
    def interval(self):
        """Wilson's interval of 95 % for the share that it would reach on more data of the kind; None if not run."""
        return share_interval(self.share, self.samples) if self.samples else None

    @property
    def fits(self):
        """Whether it takes no more bytes than it may."""
        return 0 < self.nbytes <= self.budget

    @property
    def reads(self):
        """Whether the target system reads it."""
        return VERSIONS.get(self.needs, sys.maxsize) <= VERSIONS[self.target]

    @property
    def right_enough(self):
        return self.share is not None and self.share >= self.floor

    @property
    def passed(self):
        return not self.problem and self.fits and self.reads and self.right_enough

    @property
    def reasons(self):
        """Why it has not passed, in sentences: list of str."""
        if self.problem:
            return [self.problem]
        said = []
        if not self.fits:
            said.append(f"it takes {self.nbytes:,} bytes, {self.nbytes - self.budget:,} more than it may")
        if not self.right_enough:
            said.append(f"{self.share:.1%} are right, and {self.floor:.1%} must be")
        if not self.reads:
            said.append(f"it needs {self.needs}, and must run on {self.target}")
        return said

    def as_data(self):
        """Numbers, lists and dictionaries, for JSON."""
        found = {
            "share": self.share,
            "interval": self.interval,
            "passed": self.passed,
            "reasons": self.reasons,
        }
        return asdict(self) | found

    def _sentences(self):
        yield f"{self.submission} {'passes' if self.passed else 'does not pass'} ({self.task})"
        if self.nbytes:
            yield f"size: {self.nbytes:,} of at most {self.budget:,} bytes"
        if self.interval:
            low, high = self.interval
            yield (
                f"right: {self.right} of {self.samples}, {self.share:.1%} (on more data between {low:.1%} and "
                f"{high:.1%}, 95 % sure); at least {self.floor:.1%} are asked for"
            )
        if self.needs:
            yield f"system: {self.needs}; {self.target} is asked for"
        yield from (f"why not: {reason}" for reason in self.reasons)
        if self.digest:
            yield f"digest: {self.digest[:16]}"
        if self.seed is not None:
            yield f"seed of the data: {self.seed}, {_CHOSEN[self.drawn_from]}"
        yield f"run by {', '.join(f'{name} {version}' for name, version in self.versions.items())}"
        best = find_task(self.task).best
        yield (
            f"our own best: {best['bytes']:,} bytes, {best['right']} of {best['samples']} right "
            f"({best['right'] / best['samples']:.1%}, seed {best['seed']}): {best['how']}"
        )

    def __str__(self):
        return "\n".join(display.sentences(self._sentences()))

    __repr__ = __str__

    def as_log(self):
        """A decision log in Markdown: three numbers that were found, three sentences to be written, and the rubric."""
        measured = [
            ("bytes", f"{self.nbytes:,}", f"at most {self.budget:,}", self.fits),
            (
                "right",
                "-" if self.share is None else f"{self.share:.1%}",
                f"at least {self.floor:.1%}",
                self.right_enough,
            ),
            ("system", self.needs or "-", self.target, bool(self.needs) and self.reads),
        ]
        seed = "-" if self.seed is None else f"{self.seed}, {_CHOSEN[self.drawn_from]}"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        head = f"Digest {self.digest or '-'}; seed of the test data {seed}; run by {versions}."
        if self.problem:
            head += f"\n\nIt could not be run: {in_markdown(self.problem)}"
        return decision_log(f"{self.submission} ({self.task})", measured, head)


_CHOSEN = {"digest": "made from the digest", "given": "chosen afterwards"}


def score(submission, task="pitch", *, seed=None, samples=None, seconds=SECONDS, memory=MEMORY):
    """Run a submitted package on data drawn for it, and say whether it does what the task asks for.

    It is run in a process of its own, by toykit, on any computer. Nothing that it says of itself counts.

    Parameters
    ----------
    submission : str or Path
        An .mlpackage.
    task : str or Task
        A name in `TASKS`.
    seed : int, optional
        Of the test data. By default the package's digest makes it; a teacher chooses one when all packages are in.
    samples : int, optional
        How many; by default as many as the task says.
    seconds : float
        Of processor time, after which the process is stopped: a busy computer is no fault of the package. Where the
        system sets no such limit (Windows), ten times as many by the clock; everywhere that is the last resort.
    memory : int
        Bytes that the package may take while it runs. Where the system sets no such limit (macOS, Windows), toykit's
        interpreter counts.

    Returns
    -------
    Score
        Also of what is no package, takes too long or breaks: `problem` says so.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ImportError, RuntimeError
        If this computer lacks what it takes to run it.
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> score("Small.mlpackage", "pitch").passed                             # doctest: +SKIP
    True
    """
    task, path = find_task(task), Path(check_path("submission", submission))
    if seed is not None:
        seed = check_int("seed", seed, SEEDS)
    if samples is not None:
        samples = check_int("samples", samples, SAMPLES)
    seconds, memory = check_number("seconds", seconds), check_int("memory", memory, range(2**20, 2**48))
    if seconds <= 0:
        raise ValueError(f"seconds must be above 0; got {seconds:g}")
    if not os.path.lexists(path):
        raise FileNotFoundError(f"there is no package at {printable(path)}")
    asked = {"path": str(path), "task": task.name, "seed": seed, "samples": samples}
    found, backend = _examined(asked | {"memory": memory, "seconds": seconds})
    versions = {"python": platform.python_version(), **backend}
    return made(path.name, task, found, seed, versions)


def made(name, task, found, seed, versions):
    """A score of what was found about a package, a dict as `examine` gives it."""
    return Score(
        name,
        task.name,
        found["problem"],
        found.get("nbytes", 0),
        task.budget,
        found.get("right", 0),
        found.get("samples", 0),
        task.floor,
        found.get("needs", ""),
        task.target,
        found.get("digest", ""),
        found.get("seed", seed),
        "digest" if seed is None else "given",
        versions,
    )


def _examined(asked):
    """What the other process found about a package, and the versions of what it ran with."""
    command = [sys.executable, "-m", "toykit.capstone.examining"]
    environment = os.environ | {"PYTHONPATH": _apart.paths(), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        encoding="utf-8",
    )
    try:
        told, said = process.communicate(json.dumps(asked), timeout=_PATIENCE * asked["seconds"])
        stopped = False
    except subprocess.TimeoutExpired:
        process.kill()
        told, said = process.communicate()
        stopped = True
    finally:
        process.kill()
    lines = [json.loads(line) for line in told.splitlines() if line.endswith("}")]
    if not lines and not stopped:
        reason = (said.strip().splitlines() or [f"its process ended with {process.returncode}"])[-1]
        raise RuntimeError(f"nothing can be scored here: {reason}")
    if stopped or -process.returncode in _TIME_IS_UP:
        found = {"problem": f"it took longer than {asked['seconds']:g} seconds, and was stopped"}
    elif len(lines) == 1:
        found = {"problem": f"running it ended the process ({process.returncode}), as where memory is short"}
    else:
        found = lines[1]
    return found, lines[0] if lines else {}
