"""`toykit where`: which operator loses the signal, and which weight is to blame."""

import json

import rich_click as click

from .base import File, as_json, command, pair
from .files import check_place, write
from .progress import progress


@command(
    ("toykit where Small.mlpackage --against Model.mlpackage", "operator by operator, then weight by weight"),
    (
        "toykit where Small.mlpackage --against Model.mlpackage --inputs mine.npz --below 30",
        "with inputs of your own; 30 dB count as lost",
    ),
    (
        "toykit where Small.mlpackage --against Model.mlpackage --svg where.svg",
        "and a picture of the program, the redder the less signal is left",
    ),
)
@pair
@click.option("--samples", type=int, default=2, metavar="N", help="how many random inputs (2)")
@click.option("--seed", type=int, default=0, metavar="N", help="of the random inputs (0)")
@click.option("--function", metavar="NAME", help="of packages with several (the one that the package names)")
@click.option("--below", type=float, default=20.0, metavar="DB", help="what counts as lost (20)")
@click.option("--most", type=int, default=64, metavar="N", help="how many weights are put back at most (64)")
@click.option(
    "--svg",
    type=File(),
    metavar="FILE",
    help="draw the program into this file, coloured by the signal that is left (needs matplotlib)",
)
@click.option("--force", is_flag=True, help="replace the file of --svg")
@as_json
def where(small, against, inputs, samples, seed, function, below, most, svg, force, as_json):
    """Find where the answers of a compressed package part from the original's.

    Both run side by side: how much signal is left after each operator, in decibels. Then single weights are put back,
    one after the other, and the answers are compared again.
    """
    from ..verification import places

    place = None
    if svg is not None:
        from ..plots.vector import pyplot

        pyplot()  # where it is missing, that is said before any work
        place = check_place(svg, against, force=force)
    with progress("weights") as show:
        found = places.where(
            small,
            against,
            inputs,
            samples=samples,
            seed=seed,
            function=function,
            below=below,
            most=most,
            progress=show,
        )
    if place is not None:
        write(found.as_svg(), place, force=force)
    print(json.dumps(found.as_data(), indent=2) if as_json else found)
    return 0
