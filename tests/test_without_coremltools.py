"""What compresses, compares and verifies packages needs no coremltools: its tests run where it cannot be imported."""

import os
import subprocess
import sys
from pathlib import Path

from tests.nightly import NIGHTLY

HERE = Path(__file__).parent
FILES = [
    "test_plans.py",
    "test_compressing.py",
    "test_writing.py",
    "test_saving.py",
    "verification",
    "test_cli.py",
]
# Stands in for an environment without the packages: Python finds nothing under their names.
BLOCKED = """
import sys
from importlib.machinery import PathFinder

import pytest

find = PathFinder.find_spec


def others(name, path=None, target=None):
    return None if name.split(".")[0] in ("coremltools", "torch") else find(name, path, target)


PathFinder.find_spec = staticmethod(others)
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_the_suite_of_the_writer_runs_without_coremltools():
    files = [str(HERE / name) for name in (FILES if NIGHTLY else FILES[:1])]
    chosen = ["-q", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [sys.executable, "-c", BLOCKED, *chosen, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=HERE.parent,
        # As many examples as in `make test`: the nightly tests try all of them with coremltools at hand.
        env={name: value for name, value in os.environ.items() if name != "TOYKIT_NIGHTLY"},
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]
    assert "passed" in found.stdout and "failed" not in found.stdout
