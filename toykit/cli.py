"""The command line; `python -m toykit.cli` is the same, also where toykit is not installed.

toykit doctor                           look at this machine and say what to do
toykit size MODEL                       what a package weighs, and would weigh compressed
toykit compress MODEL OUT --palettize 4 write a compressed package
toykit compare MODEL OTHER              how far the answers of two packages are apart
"""

import argparse
import errno
import json
import os
import shutil
import sys
from pathlib import Path

from . import __version__, doctor
from ._text import printable

SIGPIPE = 128 + 13  # what a shell says of a command whose reader has gone
STOPPED = 128 + 2  # and of one that was stopped with Ctrl-C


def add_doctor(commands):
    parser = commands.add_parser(
        "doctor",
        help="check this machine, and say what to do",
        description="Check Python, packages, memory, disk and browser.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.set_defaults(run=run_doctor)


def run_doctor(options):
    findings = doctor.examine()
    data = doctor.as_data(findings)
    print(json.dumps(data, indent=2) if options.json else doctor.as_text(findings))
    return 0 if data["ok"] else 1


CHOICES = {
    "8-bit linear, per channel": ("quantize", {"bits": 8}),
    "6-bit palette": ("palettize", {"bits": 6}),
    "4-bit palette": ("palettize", {"bits": 4}),
    "2-bit palette": ("palettize", {"bits": 2}),
    "half of the weights pruned": ("prune", {"sparsity": 0.5}),
    "three quarters pruned": ("prune", {"sparsity": 0.75}),
}


def add_size(commands):
    parser = commands.add_parser(
        "size",
        help="say what a package weighs, and would weigh compressed",
        description="Sizes are computed, to the byte; nothing is compressed.",
    )
    parser.add_argument("model", help="an .mlpackage")
    parser.set_defaults(run=run_size)


def run_size(options):
    from . import size

    ledger = size.ledger(Path(options.model))
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


def add_compress(commands):
    parser = commands.add_parser(
        "compress",
        help="write a compressed package",
        description="Compress all weights of a package. Several techniques are joined: --prune "
        "0.7 --palettize 4 (for iOS 18 and later).",
    )
    parser.add_argument("model", help="an .mlpackage; left as it is")
    parser.add_argument("out", help="the .mlpackage to write; must not exist")
    parser.add_argument(
        "--prune", type=float, metavar="SPARSITY", help="share of the weights to zero, such as 0.5"
    )
    parser.add_argument(
        "--palettize",
        type=int,
        metavar="BITS",
        help="1, 2, 3, 4, 6 or 8 bits, with a single look-up table for each weight; without data, take a "
        "--group-size from 4 bits down",
    )
    parser.add_argument(
        "--group-size",
        type=int,
        metavar="N",
        help="with --palettize: a table for each N channels, such as 8 or 16 (for iOS 18 and later)",
    )
    parser.add_argument("--quantize", type=int, metavar="BITS", help="linear, 8 or 4 bits, a scale a channel")
    parser.add_argument(
        "--block-size", type=int, metavar="N", help="with --quantize: a scale for each N weights"
    )
    parser.add_argument(
        "--engine",
        choices=("toykit", "coremltools"),
        default="toykit",
        help="who writes the package: toykit itself (the default), or Core ML Tools",
    )
    parser.set_defaults(run=run_compress)


def run_compress(options):
    from . import coreml
    from .coreml.writing.output import check_output

    plan, details = _plan(options)
    out = check_output(options.out, options.model)
    before = coreml.Package(options.model)
    small = coreml.compress(before, plan, engine=options.engine, progress=_progress("weights"), **details)
    after = coreml.Package(coreml.save(small, out, replace=False))
    print(
        f"{before.nbytes / 1e6:.2f} MB -> {after.nbytes / 1e6:.2f} MB, {before.nbytes / after.nbytes:.1f} "
        "times smaller"
    )
    print(printable(f"next: toykit compare {out} {options.model}, and your own test set"))
    return 0


def _plan(options):
    """What `coreml.compress` is asked for: a technique, and its options."""
    if options.group_size is not None and options.palettize is None:
        raise ValueError("--group-size goes with --palettize")
    if options.block_size is not None and (options.quantize is None or options.palettize is not None):
        raise ValueError("--block-size goes with --quantize, and not with --palettize")
    chosen = {}
    if options.prune is not None:
        chosen["prune"] = {"sparsity": options.prune}
    if options.palettize is not None:
        chosen["palettize"] = {"bits": options.palettize, "group_size": options.group_size}
    if options.quantize is not None:
        chosen["quantize"] = {"bits": options.quantize}
        if options.block_size is not None:
            chosen["quantize"] |= {"granularity": "per_block", "block_size": options.block_size}
    if not chosen:
        raise ValueError("say how: --prune, --palettize, --quantize, or several of them")
    return next(iter(chosen.items())) if len(chosen) == 1 else ("joint", chosen)


def _progress(what, end="\n"):
    """A function that shows how far something is, in one line, and ends it."""
    return lambda done, total: print(
        f"\r{done} of {total} {what}", end=end if done == total else "", file=sys.stderr, flush=True
    )


def add_compare(commands):
    parser = commands.add_parser(
        "compare",
        help="say how far the answers of two packages are apart",
        description="Run two packages with the same inputs, on any computer. With random ones "
        "it shows that something broke; how good a model is, only your own data "
        "can say. Leaves with 1 if an output could not be compared.",
    )
    parser.add_argument("model", help="an .mlpackage, such as a compressed one")
    parser.add_argument("reference", help="the .mlpackage to compare with")
    parser.add_argument(
        "--inputs",
        metavar="FILE",
        help="an .npz file of arrays by input name (or .npy, of one input), each as the model takes it "
        "or with an axis of samples in front; by default inputs are random",
    )
    parser.add_argument(
        "--samples", type=int, metavar="N", help="how many random inputs (8; more to reach all tokens)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random inputs (0)")
    parser.add_argument("--function", metavar="NAME", help="of packages with several (all of them)")
    parser.add_argument(
        "--at-least", type=float, metavar="DB", help="leave with 1 if any sample of an output is below"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.set_defaults(run=run_compare)


def run_compare(options):
    from . import coreml

    watched = sys.stderr is not None and sys.stderr.isatty()
    found = coreml.compare(
        options.model,
        options.reference,
        options.inputs,
        samples=options.samples,
        seed=options.seed,
        function=options.function,
        progress=_progress("samples", end="") if watched else None,
    )
    if watched:
        print(end="\r\x1b[K", file=sys.stderr)
    if options.at_least is None:
        below = [one for one in found.outputs if one.problem]
    else:
        below = found.below(options.at_least)
    print(json.dumps({"ok": not below} | found.as_data(), indent=2) if options.json else found)
    if options.at_least is not None and not options.json:
        names = ", ".join(one.label for one in below)
        print(
            f"below {options.at_least:g} dB: {names}"
            if below
            else f"at least {options.at_least:g} dB everywhere"
        )
    return 1 if below else 0


# Each command adds its own parser, whose `run` takes the options and returns the exit status.
COMMANDS = (add_doctor, add_size, add_compress, add_compare)


class _Parser(argparse.ArgumentParser):
    """One whose complaints are printable: arguments can be names of files, as a shell's star finds them."""

    def error(self, message):
        super().error(printable(message))


def main(arguments=None):
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        0 if all is well; 1 if what was looked at is not; 2 if it could not be done, with a sentence that
        says why. Stopped with Ctrl-C, or left by its reader (`| head`): as a shell says it, 130 or 141.
    """
    try:
        try:
            return _answer(arguments)
        finally:
            print(
                end="", flush=True
            )  # so that what cannot be written is known here, and not at the end of Python
    except BrokenPipeError:
        _write_no_more()
        return SIGPIPE
    except OSError as error:
        _write_no_more()
        print(f"toykit: the answer could not be written: {error.strerror}", file=sys.stderr)
        return 2


def _answer(arguments):
    parser = _Parser(prog="toykit", description="The library of the book, from the command line.")
    parser.add_argument("--version", action="version", version=f"toykit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for add in COMMANDS:
        add(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        print(f"\ntoykit {options.command}: stopped", file=sys.stderr)
        return STOPPED
    except (ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        # These sentences are written for people; a trace of calls would only hide them.
        print(f"toykit {options.command}: {printable(_sentence(error))}", file=sys.stderr)
        return 2


def _sentence(error):
    """What an error says; the system's own errors are put in words."""
    # Copying a folder collects what went wrong with each file: one reason is enough.
    full = os.strerror(errno.ENOSPC)
    if isinstance(error, OSError) and (error.errno == errno.ENOSPC or full in str(error)):
        return "there is no room left on the disk; nothing was written"
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(dict.fromkeys(str(reason) for *_, reason in error.args[0]))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(
        error, ModuleNotFoundError
    ):  # not one that toykit can live without: those say what to install
        return f"{error}: toykit doctor says what to do"
    if isinstance(error, MemoryError):
        return f"there is not enough memory{': ' * bool(str(error))}{error}"
    return str(error)


def _write_no_more():
    """Nothing more reaches a reader that has gone; Python would try again at its end, and complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
