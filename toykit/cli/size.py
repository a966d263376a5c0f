"""`toykit size`: what a model weighs, and would weigh compressed."""

from pathlib import Path

import rich_click as click

from .base import File, command
from .files import check_place, write
from .progress import progress

SORTS = ("model", "size", "name")


@command(
    ("toykit size Model.mlpackage", "what it weighs, and would weigh compressed in several ways"),
    ("toykit size Model.mlpackage --layers --sort size", "and each weight, the largest first"),
    ("toykit size model.safetensors --dtype float16", "a file of weights, as Core ML would store them"),
    ("toykit size Model.aimodel", "an asset of Core AI: predictions are close, not exact"),
    ("toykit size Model.mlpackage --html --output size.html", "the same as a page"),
    ("toykit size Model.mlpackage --csv --output weights.csv", "a line for each weight, for a spreadsheet"),
)
@click.argument(
    "model",
    type=File(),
    help="an .mlpackage, an .aimodel, a .safetensors file, or a state dict that torch saved (.pt, .pth, .bin, .ckpt)",
)
@click.option("--layers", is_flag=True, help="list each weight, too")
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    help="list each weight in this order: of the model, by size (largest first) or by name",
)
@click.option(
    "--dtype",
    metavar="TYPE",
    help="count the weights of a file as if stored in this type, such as float16",
)
@click.option("--json", "form", flag_value="json", help="everything as JSON")
@click.option("--csv", "form", flag_value="csv", help="a line for each weight, as CSV")
@click.option("--html", "form", flag_value="html", help="everything as a page that needs no other file")
@click.option("--output", type=File(), metavar="FILE", help="write to this file; it must not exist")
@click.option("--force", is_flag=True, help="replace the file of --output")
def size(model, layers, sort, dtype, form, output, force):
    """Say what a model weighs, and would weigh compressed.

    Sizes are computed, to the byte (of an .aimodel nearly); nothing is compressed, and no code of a file is run.
    """
    from ..size import ledger, report

    place = None if output is None else check_place(output, model, force=force)
    weighed = ledger(Path(model), dtype)
    with progress("predictions") as show:
        found = report(weighed, sort=sort or "model", progress=show)
    if form is None:
        text = found.as_text(layers or sort is not None)
    else:
        text = {"json": found.as_json, "csv": found.as_csv, "html": found.as_html}[form]()
    if place is None:
        print(text)
    else:
        write(text + "\n", place, force=force)
    return 0
