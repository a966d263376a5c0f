"""`toykit explore`: a budget in, a verified recipe out."""

import json

import rich_click as click

from .base import File, as_json, command
from .progress import progress


@command(
    (
        "toykit explore Model.mlpackage --out smaller",
        "the smallest of 30 dB fidelity, an error of 3 %",
    ),
    ("toykit explore Model.mlpackage --budget 12MB --unit ane --out smaller", "the best within 12 MB"),
    (
        "toykit explore Model.mlpackage --inputs mine.npz --at-least 40dB --jobs 8 --out smaller",
        "with inputs of your own, of which every third is held out; eight processes measure",
    ),
    (
        "toykit explore Model.mlpackage --metric exam.py:right --at-least 0.98 --out smaller",
        "the smallest that a function of yours gives 0.98",
    ),
)
@click.argument("model", type=File(), help="an .mlpackage; left as it is")
@click.option(
    "--inputs",
    type=File(),
    metavar="FILE",
    help="an .npz file of arrays by input name (or .npy, of one input); by default inputs are random",
)
@click.option(
    "--metric",
    metavar="FILE:FUNCTION",
    help="a Python file and a function in it, called as function(predict, part), that says how good answers are; it "
    "is run, with your rights",
)
@click.option("--budget", metavar="SIZE", help="what the package may take, such as 12MB; the best is sought")
@click.option(
    "--at-least",
    metavar="LEVEL",
    help="decibels, such as 40dB, or what the metric must return; the smallest is sought (30dB; with a metric, none)",
)
@click.option(
    "--target",
    type=click.Choice(["iOS16", "iOS17", "iOS18", "iOS26"]),
    help="the system that the package may need (that of the model)",
)
@click.option(
    "--unit",
    type=click.Choice(["ane", "gpu", "cpu"]),
    help="where it will run: what Apple's guide advises against there is not tried",
)
@click.option(
    "--samples",
    type=int,
    default=2,
    metavar="N",
    help="inputs that single weights are tried with, and random ones in each part (2)",
)
@click.option("--seed", type=int, default=0, metavar="N", help="of the random inputs (0)")
@click.option(
    "--jobs",
    type=int,
    metavar="N",
    help="processes that measure (as many as there are cores; 1 for a package of at most 4 MiB)",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="of a Dask cluster that measures, such as tcp://10.0.0.1:8786"
)
@click.option(
    "--out",
    type=File(),
    required=True,
    metavar="FOLDER",
    help="new, or of an earlier run, which is gone on with",
)
@as_json
def explore(
    model, inputs, metric, budget, at_least, target, unit, samples, seed, jobs, scheduler, out, as_json
):
    """Find a recipe for a budget or a quality, write its package, verify it and measure it.

    FOLDER gets report.html, to read first, recipe.toml, compressed.mlpackage and measurements.csv. Whatever stops it,
    the same command goes on where it was, and another budget measures no weight again. Leaves with 0 if the package is
    verified and what was asked for, with 1 if it is not: then it is the nearest there is, and what it would take is
    said.
    """
    from ..exploration.exploring import explore as run

    with progress("weights") as show:
        found = run(
            model,
            inputs,
            out=out,
            metric=metric,
            budget=budget,
            at_least=at_least,
            target=target,
            unit=unit,
            samples=samples,
            seed=seed,
            jobs=jobs,
            scheduler=scheduler,
            progress=show,
        )
    print(json.dumps(found.as_data(), indent=2) if as_json else found)
    return 0 if found.met else 1
