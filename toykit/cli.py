"""The command line: `toykit doctor` looks at this machine and says what to do."""

import argparse
import json
import sys

from . import __version__, doctor


def add_doctor(commands):
    parser = commands.add_parser("doctor", help="check this machine, and say what to do",
                                 description="Check Python, packages, memory, disk and browser.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.set_defaults(run=run_doctor)


def run_doctor(options):
    findings = doctor.examine()
    data = doctor.as_data(findings)
    print(json.dumps(data, indent=2) if options.json else doctor.as_text(findings))
    return 0 if data["ok"] else 1


# Each command adds its own parser, whose `run` takes the options and returns the exit status.
COMMANDS = (add_doctor,)


def main(arguments=None):
    """Run the command line and return its exit status.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.
    """
    parser = argparse.ArgumentParser(prog="toykit", description="The library of the book, from the command line.")
    parser.add_argument("--version", action="version", version=f"toykit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in COMMANDS:
        add(commands)
    options = parser.parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
