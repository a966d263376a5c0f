"""`toykit score`: the capstone's packages, run on data that nobody has seen."""

import json

import rich_click as click

from .base import File, as_json, command
from .files import check_place, write
from .progress import progress


@command(
    ("toykit score Small.mlpackage", "run it on data that its digest draws, and say whether it passes"),
    ("toykit score Small.mlpackage --log decision.md", "and begin the decision log, with the rubric"),
    ("toykit score --collect handed_in --seed 20261201", "a teacher's table of all packages of a folder"),
    (
        "toykit score --collect handed_in --seed 20261201 --html --output class.html",
        "the same as a page; --csv for a spreadsheet",
    ),
)
@click.argument("submission", type=File(), required=False, help="an .mlpackage")
@click.option(
    "--collect", type=File(), metavar="FOLDER", help="run each package of this folder; takes --seed"
)
@click.option("--task", default="pitch", metavar="NAME", help="pitch, sentiment or reading (pitch)")
@click.option(
    "--seed", type=int, metavar="N", help="of the test data; by default the digest of the package makes it"
)
@click.option("--samples", type=int, metavar="N", help="how many (as many as the task says)")
@click.option(
    "--seconds", type=float, default=900, metavar="S", help="of processor time, for each package (900)"
)
@click.option("--memory", type=int, default=2048, metavar="MIB", help="for each package (2048)")
@click.option("--log", type=File(), metavar="FILE", help="write a decision log to fill in, in Markdown")
@as_json
@click.option("--csv", "as_csv", is_flag=True, help="with --collect: a line for each package")
@click.option("--html", "as_html", is_flag=True, help="with --collect: a page that needs no other file")
@click.option(
    "--output", type=File(), metavar="FILE", help="write the answer to this file; it must not exist"
)
@click.option("--force", is_flag=True, help="replace the files of --log and --output")
def score(
    submission, collect, task, seed, samples, seconds, memory, log, as_json, as_csv, as_html, output, force
):
    """Say what a capstone's package is worth, by running it.

    It runs in a process of its own, with a limit of time and memory, and nothing that it says of itself counts.
    Leaves with 0 if the package passes, and with 1 if not; --collect leaves with 0 if the table is made.
    """
    if (submission is None) == (collect is None):
        raise ValueError("name one package, or a folder of them with --collect")
    if as_json + as_csv + as_html > 1:
        raise ValueError("choose one of --json, --csv and --html")
    if collect is None and (as_csv or as_html):
        raise ValueError("--csv and --html go with --collect")
    if collect is not None and log is not None:
        raise ValueError("--log goes with one package, and not with --collect")
    if collect is not None and seed is None:
        raise ValueError("--collect takes --seed: a number that you choose when all packages are in")
    from .. import capstone

    source = submission if collect is None else collect
    places = {path: check_place(path, source, force=force) for path in (log, output) if path is not None}
    limits = {"seed": seed, "samples": samples, "seconds": seconds, "memory": memory * 2**20}
    if collect is None:
        found = capstone.score(submission, task, **limits)
        passed, report = found.passed, found.as_log()
        text = json.dumps(found.as_data(), indent=2) if as_json else str(found)
    else:
        with progress("packages") as show:
            found = capstone.collect(collect, task, **limits, progress=show)
        passed, report = True, ""
        text = (
            found.as_json()
            if as_json
            else found.as_csv()
            if as_csv
            else found.as_html()
            if as_html
            else str(found)
        )
    if log is not None:
        write(report, places[log], force=force)
    if output is None:
        print(text)
    else:
        write(text + "\n", places[output], force=force)
    return 0 if passed else 1
