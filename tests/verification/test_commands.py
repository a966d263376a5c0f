"""`toykit diff`, `verify` and `where`: exit codes for CI, lines of 80 columns, and JSON."""

import json
import sys

import numpy as np
import pytest

from tests.zoo import fixtures, nets
from toykit import cli

PLAIN, SMALL, OTHER = (
    str(fixtures.Fixture("9.0", name).path) for name in ("iOS18 plain", "iOS18 palette 4", "iOS18 state")
)
COMMANDS = {
    "diff": ["diff", PLAIN, SMALL],
    "verify": ["verify", SMALL, "--against", PLAIN, "--samples", "1"],
    "where": ["where", SMALL, "--against", PLAIN, "--samples", "1"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_lines_and_json(name, capsys):
    assert cli.main(COMMANDS[name]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 4 and max(map(len, lines)) <= 80
    assert cli.main([*COMMANDS[name], "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert {"diff": "unexpected", "verify": "ok", "where": "operators"}[name] in data


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples(name, capsys):
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"toykit {name} " in text.partition("Examples:")[2]


def test_exit_codes(tmp_path, capsys):
    verify = ["verify", SMALL, "--against", PLAIN, "--samples", "1"]
    assert cli.main([*verify, "--at-least", "60"]) == 1
    assert "not verified" in capsys.readouterr().out
    assert cli.main(["verify", OTHER, "--against", PLAIN]) == 1
    assert cli.main(["diff", PLAIN, OTHER]) == 1
    for bad in (
        ["verify", "none.mlpackage", "--against", PLAIN],
        ["verify", SMALL, "--against", "none.mlpackage"],
        [*verify, "--inputs", str(tmp_path / "none.npz")],
        [*verify[:-2], "--samples", "0"],
        ["diff", PLAIN, "none.mlpackage"],
        ["where", OTHER, "--against", PLAIN],
        ["where", SMALL, "--against", PLAIN, "--below", "nan"],
    ):
        assert cli.main(bad) == 2, bad
        said = capsys.readouterr().err
        assert said.startswith(f"toykit {bad[0]}: ") and "Traceback" not in said
    with pytest.raises(SystemExit, match="2"):
        cli.main(["verify", SMALL])
    assert "--against" in capsys.readouterr().err


def test_inputs_of_ones_own(tmp_path, capsys):
    np.savez(tmp_path / "mine.npz", **nets.inputs())
    for command in (COMMANDS["verify"][:-2], COMMANDS["where"][:-2]):
        assert cli.main([*command, "--inputs", str(tmp_path / "mine.npz")]) == 0
        assert "inputs: 1 of your own" in capsys.readouterr().out


def test_a_picture_is_written_whole_and_over_nothing(tmp_path, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    picture = tmp_path / "where.svg"
    command = [*COMMANDS["where"], "--json", "--svg", str(picture)]
    assert cli.main(command) == 0 and json.loads(capsys.readouterr().out)["operators"]
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    assert cli.main(command) == 2
    assert "exists; choose another name, or add --force" in capsys.readouterr().err
    assert cli.main([*command, "--force"]) == 0
    for bad in (PLAIN, f"{SMALL}/where.svg", str(tmp_path / "no" / "where.svg")):
        assert cli.main([*COMMANDS["where"], "--svg", bad, "--force"]) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["where.svg"]


def test_without_matplotlib_there_is_no_picture_and_that_is_said_first(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert cli.main(["where", "none", "--against", "none", "--svg", "where.svg"]) == 2
    assert "matplotlib" in capsys.readouterr().err
