"""`toykit mark`: the answers of a class to the exercises, each run and checked."""

import rich_click as click

from .base import File, as_json, command
from .files import check_place, write
from .progress import progress


@command(
    ("toykit mark handed_in", "how many exercises each learner has passed, and what failed"),
    ("toykit mark handed_in --csv --output class.csv", "a line for each learner, for a spreadsheet"),
    ("toykit mark handed_in --seconds 10", "give up earlier on what does not end"),
)
@click.argument("folder", type=File(), help="holds a file or a folder for each learner")
@click.option("--seconds", type=float, default=60, metavar="S", help="of processor time, for each file (60)")
@click.option("--memory", type=int, default=2048, metavar="MIB", help="for each file (2048)")
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="print a line for each learner")
@click.option("--output", type=File(), metavar="FILE", help="write the table to this file; it must not exist")
@click.option("--force", is_flag=True, help="replace the file of --output")
def mark(folder, seconds, memory, as_json, as_csv, output, force):
    """Check what a class handed in: notebooks, or toykit-answers.py, which the pages save.

    Each answer is passed, failed or untouched; nothing of a notebook runs that the answers do not need.

    What you run is a stranger's code. Each file gets a process of its own, with limits of time and memory, in an empty
    folder and without your environment, but it has your rights: use an account that holds nothing else. And whoever
    wants to cheat can, so read what passed.
    """
    if as_json and as_csv:
        raise ValueError("choose one of --json and --csv")
    from ..marking.marks import mark as mark_folder

    place = None if output is None else check_place(output, folder, force=force)
    with progress("files") as show:
        found = mark_folder(folder, seconds=seconds, memory=memory * 2**20, progress=show)
    text = found.as_json() if as_json else found.as_csv() if as_csv else str(found)
    if place is None:
        print(text)
    else:
        write(text + "\n", place, force=force)
    return 0
