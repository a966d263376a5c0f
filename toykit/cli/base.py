"""What the commands share: names of files as arguments, and examples below their help."""

import re
import textwrap

import rich_click as click
from click.shell_completion import CompletionItem


class File(click.ParamType):
    """The name of a file or folder, as it was typed; shells complete it."""

    name = "path"

    def shell_complete(self, ctx, param, incomplete):
        return [CompletionItem(incomplete, type="file")]


as_json = click.option("--json", "as_json", is_flag=True, help="print JSON instead of lines")


def pair(function):
    """The arguments of a command that holds a compressed package against the original, and what both are run with."""
    for add in (
        click.option(
            "--inputs",
            type=File(),
            metavar="FILE",
            help="an .npz file of arrays by input name (or .npy, of one input); by default inputs are random",
        ),
        click.option(
            "--against",
            type=File(),
            required=True,
            metavar="MODEL",
            help="the model that it was made from",
        ),
        click.argument("small", type=File(), help="the compressed model"),
    ):
        function = add(function)
    return function


class Trimmed(click.RichCommand):
    """A command whose help has no blanks at the ends of lines."""

    def get_help(self, ctx):
        return re.sub(r" +$", "", super().get_help(ctx), flags=re.MULTILINE).rstrip()


class Command(Trimmed):
    """A command whose help ends with examples.

    Parameters
    ----------
    examples : sequence of (str, str)
        A line as it is typed, and what it does.
    """

    def __init__(self, *arguments, examples=(), **options):
        super().__init__(*arguments, **options)
        self.examples = examples

    def collect_usage_pieces(self, ctx):
        """With the options that must be given, too."""
        needed = [p for p in self.get_params(ctx) if p.param_type_name == "option" and p.required]
        return super().collect_usage_pieces(ctx) + [
            f"{one.opts[0]} {one.make_metavar(ctx)}" for one in needed
        ]

    def format_epilog(self, ctx, formatter):
        plain = {"markup": False, "highlight": False}
        formatter.write("Examples:", **plain)
        for line, purpose in self.examples:
            shown = line if len(line) <= formatter.width - 2 else _wrapped(line, formatter.width - 6)
            formatter.write(f"  {shown}", style=formatter.config.style_command, **plain)
            formatter.write(f"      {purpose}", **plain)


def _wrapped(line, width):
    """A line for a shell on several lines: it reads on after a backslash. An option keeps its value."""
    together = re.sub(r"(--[\w-]+) (?!-)", "\\1\xa0", line)
    lines = textwrap.wrap(together, max(20, width), break_long_words=False, break_on_hyphens=False)
    return " \\\n    ".join(lines).replace("\xa0", " ")


def command(*examples):
    """A decorator that makes a command of a function: its name and docstring are those of the command.

    Examples
    --------
    >>> @command(("toykit double 4", "prints 8"))
    ... @click.argument("number", type=int, help="any whole number")
    ... def double(number):
    ...     '''Double a number.'''
    ...     print(2 * number)
    ...     return 0
    >>> double.main(["4"], standalone_mode=False)
    8
    0
    """
    return click.command(cls=Command, examples=examples)
