"""`tk.capstone.collect`: the packages of a whole class, each run again, in one table."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from .._page import page
from .._text import as_csv, printable
from ..compressed import check_path, check_progress
from ..verification import display
from .scoring import MEMORY, SECONDS, score
from .tasks import find_task

_COLUMNS = (
    "rank",
    "submission",
    "passed",
    "bytes",
    "right",
    "samples",
    "share",
    "needs",
    "remarks",
    "digest",
    "seed",
)
# Written beside packages, by people and by their computers.
_BESIDE = (".md", ".txt", ".csv", ".html", ".json", ".toml")


@dataclass(frozen=True, repr=False)
class Scores:
    """The scores of a folder, those that pass first, the smallest on top.

    Attributes
    ----------
    task : str
    scores : tuple of Score
    left : tuple of str
        Names in the folder that were not taken for submissions.
    """

    task: str
    scores: tuple
    left: tuple = ()

    def remarks(self, one):
        """Why a submission does not pass, and who handed in the same."""
        twins = [
            other.submission for other in self.scores if other is not one and other.digest == one.digest != ""
        ]
        return [*one.reasons, *([f"the same files as {', '.join(sorted(twins))}"] if twins else [])]

    def rows(self):
        """A dictionary for each submission."""
        rank = 0
        for one in self.scores:
            rank += one.passed
            values = (
                rank if one.passed else "",
                one.submission,
                "yes" if one.passed else "no",
                one.nbytes or "",
                one.right if one.samples else "",
                one.samples or "",
                f"{one.share:.4f}" if one.samples else "",
                one.needs,
                "; ".join(self.remarks(one)),
                one.digest[:16],
                "" if one.seed is None else one.seed,
            )
            yield dict(zip(_COLUMNS, values, strict=True))

    def as_data(self):
        """Numbers, lists and dictionaries, for JSON."""
        scores = [one.as_data() | {"remarks": self.remarks(one)} for one in self.scores]
        return {
            "task": self.task,
            "best": find_task(self.task).best,
            "scores": scores,
            "left": list(self.left),
        }

    def as_json(self):
        return json.dumps(self.as_data(), indent=2)

    def as_csv(self):
        """A line for each submission, for a spreadsheet."""
        return as_csv(_COLUMNS, (row.values() for row in self.rows()))

    def as_html(self):
        """A page that needs no other file."""
        table = f'<div tabindex="0" role="region" aria-label="Scores">{self._repr_html_()}</div>'
        return page(self._title, table)

    @property
    def _title(self):
        passed = sum(one.passed for one in self.scores)
        return f"Capstone {self.task}: {passed} of {len(self.scores)} pass"

    def _cells(self):
        for row in self.rows():
            nbytes, share = row["bytes"], row["share"]
            yield [
                row["rank"] or "-",
                row["submission"],
                f"{nbytes:,}" if nbytes else "-",
                f"{float(share):.1%}" if share else "-",
                row["needs"] or "-",
            ]

    def _sentences(self):
        task = find_task(self.task)
        yield f"at most {task.budget:,} bytes, at least {task.floor:.1%} right, for {task.target}"
        best = task.best
        yield f"our own best: {best['bytes']:,} bytes, {best['right'] / best['samples']:.1%} right: {best['how']}"
        for one in self.scores:
            if remarks := self.remarks(one):
                yield f"{one.submission}: {'; '.join(remarks)}"
        if self.left:
            yield f"not taken for submissions: {', '.join(self.left)}"

    def __str__(self):
        table = display.text(_HEAD, list(self._cells()), _NUMBERS) if self.scores else []
        return "\n".join([self._title, *table, *display.sentences(self._sentences())])

    __repr__ = __str__

    def _repr_html_(self):
        return display.html(self._title, _HEAD, list(self._cells()), list(self._sentences()), _NUMBERS)


_HEAD, _NUMBERS = ("rank", "submission", "bytes", "right", "needs"), {0, 2, 3}


def collect(folder, task="pitch", *, seed, samples=None, seconds=SECONDS, memory=MEMORY, progress=None):
    """Run every package of a folder on the same data, and make the table.

    Parameters
    ----------
    folder : str or Path
        Holds a package for each submission, or a folder for each with one package in it. Whatever else a folder
        holds is a submission that is no package; notes (.md, .txt, ...) and hidden files are left aside.
    task, samples, seconds, memory
        As in `score`; the last two for each package.
    seed : int
        Of the test data; chosen when all packages are in.
    progress : callable (done, total), optional

    Returns
    -------
    Scores

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If there is nothing in it, or an argument is not as described.

    Examples
    --------
    >>> print(collect("handed_in", seed=20261201))                           # doctest: +SKIP
    """
    place = Path(check_path("folder", folder))
    check_progress(progress)
    if seed is None:
        raise TypeError("seed must be a whole number that you choose when all packages are in; got None")
    if not place.is_dir():
        raise FileNotFoundError(f"there is no folder {printable(place)}")
    entries = sorted(entry for entry in place.iterdir() if not entry.name.startswith("."))
    left = [entry.name for entry in entries if entry.suffix.lower() in _BESIDE and entry.is_file()]
    entries = [entry for entry in entries if entry.name not in left]
    if (place / "Manifest.json").exists():
        raise ValueError(f"{printable(place)} is a package itself; --collect takes a folder of packages")
    if not entries:
        raise ValueError(f"{printable(place)} holds no package")
    scores = []
    for number, entry in enumerate(entries):
        found = score(_package(entry), task, seed=seed, samples=samples, seconds=seconds, memory=memory)
        scores.append(replace(found, submission=entry.name))
        if progress is not None:
            progress(number + 1, len(entries))
    scores.sort(key=lambda one: (not one.passed, one.nbytes or 2**63, -(one.share or 0), one.submission))
    return Scores(find_task(task).name, tuple(scores), tuple(left))


def _package(entry):
    """The one package in a student's folder; the entry itself where there is not exactly one."""
    if entry.suffix != ".mlpackage" and entry.is_dir() and not entry.is_symlink():
        inside = [one for one in entry.iterdir() if one.suffix == ".mlpackage"]
        if len(inside) == 1:
            return inside[0]
    return entry
