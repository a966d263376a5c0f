"""The reference of the command line, written from the commands themselves whenever the book is built."""

import argparse
import functools
import inspect
import re

from toykit import doctor
from toykit.cli.commands import COMMANDS, toykit

MARK = "<!-- commands -->"


def reference():
    """Markdown: a section for each command."""
    return "\n".join(line for name in COMMANDS for line in _section(name))


def _section(name):
    command = toykit.commands[name]
    yield f"## toykit {name}\n"
    if name == "doctor":  # which parses its options itself, and has no package to help it
        parser = doctor.parser()
        parser.formatter_class = functools.partial(argparse.HelpFormatter, width=80)
        yield from ("```text", parser.format_help().rstrip(), "```\n")
        return
    yield _prose(inspect.cleandoc(command.help)) + "\n"
    with command.make_context(f"toykit {name}", [], resilient_parsing=True) as context:
        usage = " ".join(["toykit", name, *command.collect_usage_pieces(context)])
        yield f"```text\n{usage}\n```\n"
        for parameter in command.params:
            yield f"{_names(parameter, context)}\n: {_prose(parameter.help)}\n"
    lines = [line for example, purpose in command.examples for line in (f"# {purpose}", example)]
    yield "\n".join(["```sh", *lines, "```\n"])


def _names(parameter, context):
    if parameter.param_type_name == "argument":
        return f"`{parameter.make_metavar(context)}`"
    value = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
    return ", ".join(f"`{name}{value}`" for name in parameter.opts)


def _prose(text):
    """Help as Markdown: options are code, or typography makes dashes of them."""
    return re.sub(r"(?<![\w`])--[\w-]+", r"`\g<0>`", text)
