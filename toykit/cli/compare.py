"""`toykit compare`: how far the answers of two models are apart."""

import json

import rich_click as click

from .base import File, as_json, command
from .files import is_asset
from .progress import progress


@command(
    ("toykit compare Small.mlpackage Model.mlpackage", "run both with random inputs"),
    (
        "toykit compare Small.mlpackage Model.mlpackage --inputs mine.npz --at-least 30",
        "for a script: leaves with 1 if a sample of an output is below 30 dB",
    ),
    ("toykit compare Model.aimodel Model.mlpackage", "Core AI's runtime against a Core ML package"),
)
@click.argument("model", type=File(), help="an .mlpackage or .aimodel, such as a compressed one")
@click.argument("reference", type=File(), help="the .mlpackage or .aimodel to compare with")
@click.option(
    "--inputs",
    type=File(),
    metavar="FILE",
    help="an .npz file of arrays by input name (or .npy, of one input), each as the model takes it "
    "or with an axis of samples in front; by default inputs are random",
)
@click.option("--samples", type=int, metavar="N", help="how many random inputs (8; more to reach all tokens)")
@click.option("--seed", type=int, default=0, metavar="N", help="of the random inputs (0)")
@click.option("--function", metavar="NAME", help="of packages with several (all of them)")
@click.option("--at-least", type=float, metavar="DB", help="leave with 1 if any sample of an output is below")
@as_json
def compare(model, reference, inputs, samples, seed, function, at_least, as_json):
    """Say how far the answers of two models are apart.

    Both are run with the same inputs, packages on any computer, an .aimodel where Apple's packages for Core AI can be
    installed. With random ones it shows that something broke; how good a
    model is, only your own data can say. Leaves with 1 if an output could not be compared.
    """
    from .. import coreai, coreml

    asked = {"inputs": inputs, "samples": samples, "seed": seed}
    with progress("samples") as show:
        if is_asset(model) or is_asset(reference):
            if function is not None:
                raise ValueError("--function is for packages; of an .aimodel the function is main")
            found = coreai.compare(reference, model, **asked, progress=show)
        else:
            found = coreml.compare(model, reference, **asked, function=function, progress=show)
    below = [one for one in found.outputs if one.problem] if at_least is None else found.below(at_least)
    if as_json:
        print(json.dumps({"ok": not below} | found.as_data(), indent=2))
        return 1 if below else 0
    print(found)
    if at_least is not None:
        names = ", ".join(one.label for one in below)
        print(f"below {at_least:g} dB: {names}" if below else f"at least {at_least:g} dB everywhere")
    return 1 if below else 0
