"""`toykit size`: what a package weighs, and would weigh compressed."""

from pathlib import Path

import rich_click as click

from .._text import printable
from .base import File, command

CHOICES = {
    "8-bit linear, per channel": ("quantize", {"bits": 8}),
    "6-bit palette": ("palettize", {"bits": 6}),
    "4-bit palette": ("palettize", {"bits": 4}),
    "2-bit palette": ("palettize", {"bits": 2}),
    "half of the weights pruned": ("prune", {"sparsity": 0.5}),
    "three quarters pruned": ("prune", {"sparsity": 0.75}),
}


@command(("toykit size Model.mlpackage", "what it weighs, and would weigh compressed in six ways"))
@click.argument("model", type=File(), help="an .mlpackage")
def size(model):
    """Say what a package weighs, and would weigh compressed.

    Sizes are computed, to the byte; nothing is compressed.
    """
    from ..size import ledger as weigh

    ledger = weigh(Path(model))
    print(f"{ledger.mb:9.2f} MB = {ledger.mib:.2f} MiB, {ledger.parameters:,} parameters")
    for about, (technique, chosen) in CHOICES.items():
        try:
            after = ledger.after(technique, **chosen)
        except ValueError as error:
            # What the package weighs is known, and other choices may be, too.
            print(f"{'?':>9} MB  {about}: {printable(error)}")
            continue
        print(f"{after.mb:9.2f} MB  {about}, {ledger.nbytes / after.nbytes:.1f} times smaller")
    return 0
