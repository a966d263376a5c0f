"""The help of the command line: quick, plain where nobody sees colours, and true in its examples."""

import ast
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from book._tools import command_line
from toykit import cli
from toykit.cli.commands import COMMANDS, toykit
from toykit.cli.progress import progress

HELPS = [["--help"], *([name, "--help"] for name in COMMANDS)]
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TERM", "PYTHONIOENCODING")
}


def told(*arguments, **environment):
    """What a command prints into a pipe."""
    command = [sys.executable, "-m", "toykit.cli", *arguments]
    return subprocess.run(command, capture_output=True, check=True, env=ENVIRONMENT | environment).stdout


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("arguments", HELPS, ids=lambda words: words[0])
def test_help_is_plain_text_of_80_columns_in_any_encoding(arguments, encoding, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding, newline="")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "80")
    # GitHub's computers ask for colours by a name of their own, which is nobody's wish about this pipe.
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with contextlib.suppress(SystemExit):  # so argparse ends
        cli.main(arguments)
    shown = stream.buffer.getvalue().decode("ascii")
    assert "usage: toykit" in shown.lower() and "\x1b" not in shown
    assert all(len(line) <= 80 and line == line.rstrip() for line in shown.splitlines())


def test_help_needs_no_numpy():
    code = (
        "import sys\nfrom toykit import cli\nassert 'rich_click' not in sys.modules\ncli.main(['--help'])\n"
    )
    code += "cli.main(['compress', '--help'])\nprint([name for name in ('numpy', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("columns", [40, 200])
def test_help_is_as_wide_as_its_terminal_and_no_wider_than_reads_well(columns):
    letters = lambda text: re.sub(r"[\s\\]+", "", text)
    shown = told("compare", "--help", COLUMNS=str(columns)).decode()
    assert letters(shown) == letters(told("compare", "--help").decode())
    assert 0.4 * columns < max(map(len, shown.splitlines())) <= min(columns, 100)


@pytest.mark.parametrize("columns", ["0", "1", "-3", "wide", "99999"])
def test_help_of_a_terminal_without_a_sensible_width_is_help(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    assert cli.main(["compress", "--help"]) == 0
    assert "Examples:" in re.sub(r"\s", "", capsys.readouterr().out)


def in_terminal(**environment):
    """What help writes to a terminal."""
    pty = pytest.importorskip("pty")  # not on Windows
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "toykit.cli", "size", "--help"]
    environment = ENVIRONMENT | {"TERM": "xterm-256color"} | environment
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 10000):
                shown += piece
        except OSError:  # so Linux says that the other end has gone
            pass
    os.close(ours)
    return shown.decode()


def test_a_terminal_has_colours_unless_its_user_wants_none():
    colours = re.compile(r"\x1b\[(?:\d+;)*(?:3|9)\d")
    assert colours.search(in_terminal())
    assert not colours.search(in_terminal(NO_COLOR="1"))
    assert "\x1b" not in in_terminal(TERM="dumb")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "doctor"])
def test_every_command_has_examples_that_can_be_typed(name, monkeypatch, capsys):
    command = toykit.commands[name]
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main([name, "--help"]) == 0
    shown = capsys.readouterr().out.partition("Examples:\n")[2].replace(" \\\n   ", "")
    assert command.examples and all(f"  {line}\n" in shown + "\n" for line, _ in command.examples)
    for line, _ in command.examples:
        program, asked, *arguments = shlex.split(line.partition(" > ")[0])
        assert (program, asked) == ("toykit", name)
        command.make_context(name, arguments)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "doctor"])
def test_every_argument_and_option_is_explained(name):
    for parameter in toykit.commands[name].params:
        assert parameter.help, parameter.name


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["siz"], "No such command 'siz'. Did you mean 'size'? See toykit --help"),
        (["compress", "a"], "toykit compress: Missing argument 'OUT'. See toykit compress --help"),
        (["compare", "a", "b", "--sample", "1"], "Did you mean '--samples'?"),
        (["compare", "a", "b", "--samples", "two"], "'two' is not a valid integer"),
    ],
)
def test_a_wrong_line_is_answered_with_what_is_right(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    said = capsys.readouterr()
    assert (stop.value.code, said.out) == (2, "") and words in said.err


def test_the_version_is_that_of_the_package(capsys):
    from toykit import __version__

    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"toykit {__version__}\n"


@pytest.mark.parametrize(
    "line, completed",
    [
        ("toykit co", ["plain,compress", "plain,compare"]),
        ("toykit compress --eng", ["plain,--engine"]),
        ("toykit size Mod", ["file,Mod"]),
    ],
)
def test_a_shell_completes_commands_options_and_files(line, completed):
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    assert told(_TOYKIT_COMPLETE="bash_complete", **words).decode().splitlines() == completed


@pytest.mark.parametrize("way", ["toykit.doctor", "toykit.cli"])
def test_doctor_needs_the_standard_library_alone(way):
    code = f"""
import runpy, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        if top != 'toykit' and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {{top!r}}", name=top)
sys.meta_path.insert(0, Blocked())
sys.argv = ['toykit', *{["doctor"] * (way == "toykit.cli")}, '--json']
runpy.run_module({way!r}, run_name='__main__', alter_sys=False)
"""
    # Without site-packages, too: nothing that a .pth file brings is there already.
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=Path(cli.__file__).parents[2]
    )
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 1 and {"Python", "rich-click"} <= {finding["name"] for finding in findings}


def test_doctor_is_written_for_older_pythons():
    home = Path(cli.__file__).parents[1]
    for name in ("__init__", "_lazy", "_ending", "_text", "doctor", "cli/__init__", "cli/__main__"):
        ast.parse((home / f"{name}.py").read_text(encoding="utf-8"), feature_version=(3, 8))


def test_doctor_is_explained_in_both_places(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["doctor", "--help"])
    assert stop.value.code == 0 and "--json" in capsys.readouterr().out
    assert cli.main(["--help"]) == 0
    assert re.search(r"doctor +Check this machine", capsys.readouterr().out)


def test_other_commands_say_what_to_do_without_their_packages():
    code = "import sys\nsys.modules['rich_click'] = None\nfrom toykit import cli\nsys.exit(cli.main(['size', 'a']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("toykit size: ")
    assert done.stderr.endswith("toykit doctor says what to do\n") and done.stderr.count("\n") == 1


def test_progress_is_for_terminals_and_leaves_no_line(monkeypatch, capsys):
    with progress("weights") as show:
        assert show is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(KeyboardInterrupt), progress("weights") as show:
        show(1, 3)
        show(2, 3)
        raise KeyboardInterrupt
    said = capsys.readouterr()
    assert said.out == "" and "2 of 3 weights" in said.err and said.err.endswith("\x1b[2K")
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    with progress("weights") as show:
        assert show is None


def test_the_page_of_the_book_has_every_command_option_and_example():
    page = Path(cli.__file__).parents[2] / "book" / "command_line.md"
    assert page.read_text(encoding="utf-8").count(command_line.MARK) == 1
    sections = dict(
        re.findall(r"^## toykit (\w+)\n(.*?)(?=^## |\Z)", command_line.reference(), re.DOTALL | re.MULTILINE)
    )
    assert list(sections) == list(COMMANDS) and "--json" in sections.pop("doctor")
    for name, section in sections.items():
        command = toykit.commands[name]
        assert all(f"\n{line}\n" in section for line, _ in command.examples)
        for parameter in command.params:
            shown = parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper()
            assert re.search(rf"^`\[?{shown}[^`]*`(, `[^`]+`)?\n: \S", section, re.MULTILINE)
        prose = re.sub(r"```.*?```|`[^`]*`", "", section, flags=re.DOTALL)
        assert "--" not in prose  # which typography would make a dash of
