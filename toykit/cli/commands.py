"""All commands under one name, and how a line is read.

A command is a file of this folder, with a function of the file's name that returns the exit status (0, or 1 if what
it looked at is not well), and a word in `COMMANDS`. What is heavier than click is imported inside the function,
so that help is quick.
"""

import os
import shutil
import sys
from importlib import import_module

import rich_click as click
from click.exceptions import Exit, NoArgsIsHelpError, UsageError

from .. import __version__
from .._text import printable
from .base import Trimmed

# In the order of the help.
COMMANDS = (
    "doctor",
    "size",
    "compress",
    "explore",
    "compare",
    "diff",
    "verify",
    "where",
    "score",
    "mark",
)
# The theme has no frames: what is copied or read aloud is text alone. Of the environment rich asks NO_COLOR
# and FORCE_COLOR, and nothing that is not a user's: on GitHub's computers a pipe is a pipe.
_LOOK = {
    "theme": "cargo-slim",
    "enable_theme_env_var": False,
    "force_terminal": None,
    "width": None,
    "max_width": 100,
    "text_markup": None,
    "text_paragraph_linebreaks": "\n\n",
    "padding_helptext_first_line": (0, 0, 1, 0),
}
_COMPLETE = "_TOYKIT_COMPLETE"  # which click's scripts for shells set


class _Group(Trimmed, click.RichGroup):
    def list_commands(self, ctx):
        return list(self.commands)


@click.group(cls=_Group, context_settings={"rich_help_config": _LOOK})
@click.version_option(__version__, message="toykit %(version)s")
def toykit():
    """The library of the book, from the command line.

    Each command has a --help of its own, with examples.
    """


for _name in COMMANDS:
    toykit.add_command(getattr(import_module(f".{_name}", __package__), _name))


def run(arguments):
    """Carry out a line and return its exit status.

    Raises
    ------
    SystemExit
        With 2, if the line is wrong; what is wrong is printed.
    """
    if _COMPLETE in os.environ:
        from click.shell_completion import shell_complete

        return shell_complete(toykit, {}, "toykit", _COMPLETE, os.environ[_COMPLETE])
    try:
        # That of standard output, or 80; rich takes COLUMNS=0 at its word.
        width = max(20, shutil.get_terminal_size().columns)
        with toykit.make_context("toykit", arguments, terminal_width=width) as context:
            return toykit.invoke(context)
    except Exit as end:  # after --help and --version
        return end.exit_code
    except NoArgsIsHelpError as alone:
        print(alone.message, file=sys.stderr)
        raise SystemExit(2) from None
    except UsageError as wrong:
        name = wrong.ctx.command_path if wrong.ctx else "toykit"
        if wrong.ctx:
            pieces = wrong.ctx.command.collect_usage_pieces(wrong.ctx)
            print(" ".join(["usage:", name, *pieces]), file=sys.stderr)
        print(f"{name}: {printable(wrong.format_message())} See {name} --help", file=sys.stderr)
        raise SystemExit(2) from None
