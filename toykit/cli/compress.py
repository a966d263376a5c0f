"""`toykit compress`: write a compressed package."""

import rich_click as click

from .._text import printable
from .base import File, command
from .progress import progress


@command(
    (
        "toykit compress Model.mlpackage Small.mlpackage --palettize 4 --group-size 8",
        "4-bit palettes, a table for each 8 channels (iOS 18 and later)",
    ),
    ("toykit compress Model.mlpackage Small.mlpackage --quantize 8", "8-bit weights, a scale a channel"),
    (
        "toykit compress Model.mlpackage Small.mlpackage --prune 0.7 --palettize 4",
        "zero 70 % of the weights, and give the others a palette (iOS 18 and later)",
    ),
)
@click.argument("model", type=File(), help="an .mlpackage; left as it is")
@click.argument("out", type=File(), help="the .mlpackage to write; must not exist")
@click.option("--prune", type=float, metavar="SPARSITY", help="share of the weights to zero, such as 0.5")
@click.option(
    "--palettize",
    type=int,
    metavar="BITS",
    help="1, 2, 3, 4, 6 or 8 bits, with a single look-up table for each weight; without data, take a "
    "--group-size from 4 bits down",
)
@click.option(
    "--group-size",
    type=int,
    metavar="N",
    help="with --palettize: a table for each N channels, such as 8 or 16 (for iOS 18 and later)",
)
@click.option("--quantize", type=int, metavar="BITS", help="linear, 8 or 4 bits, a scale a channel")
@click.option("--block-size", type=int, metavar="N", help="with --quantize: a scale for each N weights")
@click.option(
    "--engine",
    type=click.Choice(["toykit", "coremltools"]),
    default="toykit",
    help="who writes the package: toykit itself (the default), or Core ML Tools",
)
def compress(model, out, engine, **how):
    """Write a compressed package.

    All weights are compressed. Several techniques are joined: --prune 0.7 --palettize 4 (for iOS 18 and later).
    """
    from .. import coreml
    from ..coreml.writing.output import check_output

    plan, details = _plan(**how)
    out = check_output(out, model)
    before = coreml.Package(model)
    with progress("weights") as show:
        small = coreml.compress(before, plan, engine=engine, progress=show, **details)
    after = coreml.Package(coreml.save(small, out, replace=False))
    print(
        f"{before.nbytes / 1e6:.2f} MB -> {after.nbytes / 1e6:.2f} MB, {before.nbytes / after.nbytes:.1f} "
        "times smaller"
    )
    print(printable(f"next: toykit compare {out} {model}, and your own test set"))
    return 0


def _plan(prune, palettize, group_size, quantize, block_size):
    """What `coreml.compress` is asked for: a technique, and its options."""
    if group_size is not None and palettize is None:
        raise ValueError("--group-size goes with --palettize")
    if block_size is not None and (quantize is None or palettize is not None):
        raise ValueError("--block-size goes with --quantize, and not with --palettize")
    chosen = {}
    if prune is not None:
        chosen["prune"] = {"sparsity": prune}
    if palettize is not None:
        chosen["palettize"] = {"bits": palettize, "group_size": group_size}
    if quantize is not None:
        chosen["quantize"] = {"bits": quantize}
        if block_size is not None:
            chosen["quantize"] |= {"granularity": "per_block", "block_size": block_size}
    if not chosen:
        raise ValueError("say how: --prune, --palettize, --quantize, or several of them")
    return next(iter(chosen.items())) if len(chosen) == 1 else ("joint", chosen)
