"""`toykit verify`: is a compressed model what it should be?"""

import json

import rich_click as click

from .base import as_json, command, pair
from .files import is_asset
from .progress import progress


@command(
    ("toykit verify Small.mlpackage --against Model.mlpackage", "weights, everything else, and answers"),
    (
        "toykit verify Small.mlpackage --against Model.mlpackage --inputs mine.npz --at-least 20",
        "for CI: leaves with 1 also if a sample of an output is below 20 dB",
    ),
    (
        "toykit verify Small.mlpackage --against Model.mlpackage --given-tables",
        "scales and tables are those of a calibration, a training or your own",
    ),
    ("toykit verify Small.aimodel --against Model.aimodel", "the same of assets of Core AI"),
)
@pair
@click.option("--samples", type=int, metavar="N", help="how many random inputs (8; more to reach all tokens)")
@click.option("--seed", type=int, default=0, metavar="N", help="of the random inputs (0)")
@click.option("--function", metavar="NAME", help="whose answers, of packages with several (all of them)")
@click.option("--at-least", type=float, metavar="DB", help="what every sample of every output has to reach")
@click.option("--given-tables", is_flag=True, help="take scales and tables as they are, and check the codes")
@click.option(
    "--all-weights", is_flag=True, help="no weight of more than 2,048 elements may be left as it is"
)
@click.option("--no-answers", is_flag=True, help="do not run the packages")
@as_json
def verify(
    small, against, inputs, samples, seed, function, at_least, given_tables, all_weights, no_answers, as_json
):
    """Hold a compressed model against the one that it was made from: two packages, or two assets of Core AI.

    Every compressed weight must lie as near to the original as its form promises, everything else must be the same
    to the bit, and the answers must be finite, and above --at-least. Leaves with 0 if the package is verified, with 1
    if it is not, and with 2 if that could not be found out.
    """
    from .. import coreai
    from ..verification import verdicts

    asked = {
        "inputs": inputs,
        "samples": samples,
        "seed": seed,
        "at_least": at_least,
        "tables": "given" if given_tables else "derived",
        "all_weights": all_weights,
        "run": not no_answers,
    }
    assets = [is_asset(small), is_asset(against)]
    with progress("samples") as show:
        if not any(assets):
            found = verdicts.verify(small, against, function=function, progress=show, **asked)
        elif not all(assets):
            raise ValueError(
                f"SMALL and --against must be of one kind; got {small} and {against} (toykit compare takes both)"
            )
        elif function is not None:
            raise ValueError("--function is for packages; of an .aimodel the function is main")
        else:
            found = coreai.verify(small, against, progress=show, **asked)
    print(json.dumps(found.as_data(), indent=2) if as_json else found)
    return 0 if found.ok else 1
