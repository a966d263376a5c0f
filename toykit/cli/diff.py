"""`toykit diff`: what became of each weight."""

import json

import rich_click as click

from .base import File, as_json, command


@command(
    (
        "toykit diff Model.mlpackage Small.mlpackage",
        "form, bits, bytes, error; what was skipped, and why",
    ),
    ("toykit diff Model.mlpackage Small.mlpackage --json > diff.json", "the same for a script"),
)
@click.argument("a", type=File(), help="the .mlpackage before")
@click.argument("b", type=File(), help="the .mlpackage after")
@as_json
def diff(a, b, as_json):
    """Say what is different in a package that was made from another.

    Nothing is run. Leaves with 1 if something changed besides weights that were compressed.
    """
    from ..verification import differences

    found = differences.diff(a, b)
    print(json.dumps(found.as_data(), indent=2) if as_json else found)
    return 1 if found.unexpected else 0
