"""Print how much of toykit the tests ran, by folder: `make coverage`.

Fails where the small library at the core, which is the root and `kmeans/`, has less than is asked of it, and
says which lines and branches of it no test takes.
"""

import json
from collections import Counter
from pathlib import PurePath

import coverage

from .project import ROOT, fail, program, say

LEAST = 95  # percent of the lines and the branches of each of these folders
CORE = ("toykit", "toykit/kmeans")
KINDS = {"lines": ("covered_lines", "num_statements"), "branches": ("covered_branches", "num_branches")}


def measured(data):
    """Return what was measured of each file, by its path in the project, as coverage's own report has it."""
    found = coverage.Coverage(data_file=data, config_file=ROOT / "pyproject.toml")
    found.load()
    report = data.with_name("report.json")
    found.json_report(outfile=str(report))
    files = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {PurePath(ROOT, name).relative_to(ROOT): file for name, file in files.items()}


def by_folder(files):
    """Return, of each folder, how many lines and branches its own files have, and how many were taken."""
    folders = {}
    for path, file in sorted(files.items()):
        counts = {name: file["summary"][name] for names in KINDS.values() for name in names}
        folders.setdefault(path.parent.as_posix(), Counter()).update(counts)
    return folders


def percent(counts, *kinds):
    """Return the share of some kinds of what there is that was taken; all of it where there is nothing."""
    taken, there = (sum(counts[KINDS[kind][i]] for kind in kinds) for i in (0, 1))
    return 100 * taken / there if there else 100


def missing(files):
    """Return a line for each file of the core that says what no test takes."""
    for path, file in sorted(files.items()):
        lines = file["missing_lines"]
        ways = [way for way in file["missing_branches"] if not {*way} & {*lines}]
        left = [*map(str, lines), *(f"{here} to {there if there > 0 else 'the end'}" for here, there in ways)]
        if path.parent.as_posix() in CORE and left:
            yield f"{path}: {', '.join(left)}"


@program
def main():
    files = measured(ROOT / "_build" / "coverage" / "data")
    folders = by_folder(files)
    folders["all of toykit"] = sum(folders.values(), Counter())
    say("  lines  branches   both")
    for name, counts in folders.items():
        shares = percent(counts, "lines"), percent(counts, "branches"), percent(counts, "lines", "branches")
        say("{:6.1f}% {:8.1f}% {:5.1f}%  {}".format(*shares, name))
    say("\n".join(["", "Not run, of the small library:", *missing(files)]))
    low = [name for name in CORE if percent(folders[name], "lines", "branches") < LEAST]
    if low:
        fail(f"Less than {LEAST} % of {' and of '.join(low)} is tested.")


if __name__ == "__main__":
    main()
