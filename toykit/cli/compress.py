"""`toykit compress`: write a compressed package, or a compressed asset of Core AI."""

from pathlib import Path

import rich_click as click

from .._text import printable
from .base import File, command
from .files import is_asset
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
    ("toykit compress Model.mlpackage Small.mlpackage --plan plan.toml", "each layer as a file says"),
    (
        "toykit compress Model.mlpackage Small.mlpackage --palettize 6 --skip 'head.*'",
        "all layers but those whose names begin with head",
    ),
    (
        "toykit compress Model.aimodel Small.aimodel --palettize 4",
        "an asset of Core AI, with Apple's coreai-opt",
    ),
)
@click.argument("model", type=File(), help="an .mlpackage or .aimodel; left as it is")
@click.argument(
    "out", type=File(), help="the .mlpackage or .aimodel to write; must not exist, or take --force"
)
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
    "--plan",
    type=File(),
    metavar="FILE",
    help="a .toml file that says what each layer gets; rules in order, the first that fits decides",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="compress no other weights than these: a layer's name, a pattern such as 'layer4.*', or operator=conv; "
    "can be given several times",
)
@click.option("--skip", multiple=True, metavar="NAME", help="leave these weights as they are; as --only")
@click.option(
    "--target",
    type=click.Choice(["iOS16", "iOS17", "iOS18", "iOS26"]),
    help="the system that the package may need, if what you ask takes a newer one than it has",
)
@click.option("--force", is_flag=True, help="replace what lies at OUT")
@click.option(
    "--with",
    "--engine",
    "engine",
    type=click.Choice(["toykit", "coremltools"]),
    help="who writes the package: toykit itself (the default), or Core ML Tools",
)
def compress(model, out, engine, only, skip, target, force, **how):
    """Write a compressed package.

    All weights are compressed, or those of a plan. Several techniques are joined: --prune 0.7 --palettize 4 (for iOS
    18 and later). Whatever stops it, no half of a package lies at OUT. An .aimodel takes one setting for all weights.
    """
    if is_asset(model):
        given = {"--only": only, "--skip": skip, "--target": target, "--with": engine, "--plan": how["plan"]}
        if wrong := [option for option, value in given.items() if value]:
            raise ValueError(f"{wrong[0]} is for packages, and not for an .aimodel")
        return _compress_asset(model, out, force, *_plan(**how))
    from .. import coreml
    from ..coreml.tools.compression import outcome
    from ..coreml.writing.output import check_output

    plan, details = _plan(**how)
    out = check_output(out, model, replace=force)
    before = coreml.Package(model)
    with progress("weights") as show:
        found = outcome(
            before,
            plan,
            engine=engine or "toykit",
            target=target,
            only=only,
            skip=skip,
            progress=show,
            **details,
        )
    if not found.compressed:
        reason = next(iter(found.declined.items()), None)
        said = f"; {reason[0]}, for one: {'; '.join(reason[1])}" if reason else ""
        said += f"; {_already(before)}" * bool(_already(before))
        raise ValueError(f"{model} has no weight that can take this{said}. Nothing was written")
    coreml.save(found.package, out, replace=force)
    old, new = before.nbytes, found.package.nbytes
    print(f"{old / 1e6:.2f} MB -> {new / 1e6:.2f} MB, {old / new:.1f} times smaller")
    for line in [*_account(found), *filter(None, [_already(before)])]:
        print(printable(line))
    print(printable(f"next: toykit compare {out} {model}, and your own test set"))
    return 0


def _compress_asset(model, out, force, technique, options):
    """The same for Core AI."""
    from .. import coreai
    from ..coreai.saving import ASSET
    from ..coreml.writing.output import check_output

    if technique == "joint" and "prune" in options and "quantize" in options:
        options["quantize"].setdefault("granularity", "per_tensor")  # the one scale that Core AI has for them
    out = check_output(out, model, replace=force, kind=ASSET)
    asset = coreai.Asset(model)
    original = asset.program()
    with progress("weights"):
        program = coreai.compress(original, technique, **options)
    before, after = (
        {n: getattr(w, "form", "") for n, w in coreai.weights(p).items()} for p in (original, program)
    )
    compressed = [name for name, form in after.items() if form != before.get(name)]
    if not compressed:
        raise ValueError(f"{model} has no weight that can take this. Nothing was written")
    coreai.save(program, out, replace=force)
    old, new = asset.nbytes, coreai.Asset(out).nbytes
    print(f"{old / 1e6:.2f} MB -> {new / 1e6:.2f} MB, {old / new:.1f} times smaller")
    print(f"{len(compressed)} weights compressed, {len(after) - len(compressed)} not")
    print(printable(f"next: toykit verify {out} --against {model}, and your own test set"))
    return 0


def _account(found):
    """Lines that say which weights stayed as they are, and what else has changed."""
    small = [
        name for name, why in found.declined.items() if all("elements are not more" in one for one in why)
    ]
    reasons = {}
    for name, why in found.declined.items():
        if name not in small:
            reasons.setdefault("; ".join(why), []).append(name)
    yield f"{len(found.compressed)} weights compressed" + (f", {len(small)} small ones not" if small else "")
    for reason, names in reasons.items():
        yield f"not as asked: {_listed(names)} ({reason})"
    if found.left:
        yield f"left alone: {_listed(found.left)}"
    yield from found.changes


def _already(package):
    """A sentence about constants that were compressed before; empty if there are none."""
    steps = [operation.op for part in package.programs for operation in part.program.walk()]
    count = sum(op.startswith("constexpr_") for op in steps)
    return f"what is compressed already stays as it is ({count} operations decompress it)" if count else ""


def _listed(names, most=5):
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _plan(prune, palettize, group_size, quantize, block_size, plan):
    """What `coreml.compress` is asked for: a technique and its options, or the path of a plan."""
    if plan is not None:
        if any(option is not None for option in (prune, palettize, group_size, quantize, block_size)):
            raise ValueError(
                "--plan says what each layer gets: leave out --prune, --palettize, --quantize and their options"
            )
        return Path(plan), {}
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
        raise ValueError("say how: --prune, --palettize, --quantize or several of them, or --plan")
    return next(iter(chosen.items())) if len(chosen) == 1 else ("joint", chosen)
