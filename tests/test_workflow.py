"""The workflow for a public CI calls what is there. It can't be run here."""

import re

import pytest
import yaml

from book._tools.project import ROOT

TEXT = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
JOBS = yaml.safe_load(TEXT)["jobs"]
COMMANDS = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]


def test_every_target_and_every_file_that_it_names_is_there():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    words = " ".join(COMMANDS).split()
    called = [word for one in COMMANDS for word in re.findall(r"^make (.*)$", one) for word in word.split()]
    assert {*called} == {"lint", "test-lib"} and {*called} <= {*targets}
    files = [word for word in words if "/" in word]
    assert len(files) > 12 and [name for name in files if not (ROOT / name).exists()] == []


def test_the_pythons_are_those_of_the_project_and_no_job_runs_for_ever():
    pythons = set(re.findall(r'python(?:-version)?: "([\d.]+)"', TEXT))
    assert pythons == {"3.11", "3.12", "3.13"}
    assert all(job["timeout-minutes"] <= 120 for job in JOBS.values())


@pytest.mark.parametrize("system", ["ubuntu-24.04", "ubuntu-24.04-arm", "macos", "windows"])
def test_each_system_has_a_job(system):
    entries = [
        entry
        for job in JOBS.values()
        for entry in job.get("strategy", {}).get("matrix", {}).get("include", ())
    ]
    machines = {entry["os"] for entry in entries} | {job["runs-on"] for job in JOBS.values()}
    assert any(machine.startswith(system) for machine in machines)
