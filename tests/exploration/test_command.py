"""`toykit explore`, as it is typed."""

import inspect
import json
from pathlib import Path

import toykit as tk
from tests.exploration import nets
from toykit import cli
from toykit.cli.explore import explore as command
from toykit.exploration.goals import DEFAULT
from toykit.exploration.sensitivity import SMALL

PAGE = Path(__file__).parents[2] / "book/writing_packages.md"


def run(capsys, *arguments):
    status = cli.main(["explore", *map(str, arguments)])
    return status, *capsys.readouterr()


def test_it_leaves_with_0_if_it_is_what_was_asked_for_and_with_1_if_it_is_not(capsys, tmp_path):
    model, out = nets.chain(tmp_path / "Model.mlpackage", (46, 47, 48), version=7), tmp_path / "out"
    status, said, _ = run(capsys, model, "--at-least", "20dB", "--unit", "cpu", "--out", out)
    assert status == 0 and "verified: " in said and "judged by fidelity" in said
    text = (out / "recipe.toml").read_text()
    assert 'name = "w1"' in text and "Apple's guide" in text
    small = tmp_path / "Small.mlpackage"
    assert cli.main(["compress", str(model), str(small), "--plan", str(out / "recipe.toml")]) == 0
    capsys.readouterr()
    status, said, _ = run(capsys, model, "--budget", "2kB", "--out", out, "--json")
    data = json.loads(said)
    assert status == 1 and not data["met"] and data["verified"] and data["measured"] < 5


def test_what_cannot_be_done_is_one_sentence(capsys, tmp_path):
    model = nets.chain(tmp_path / "Model.mlpackage", (48, 64, 48))
    (tmp_path / "exam.py").write_text("def right(predict, part):\n    raise OSError('no data')\n")
    metric = ("--metric", f"{tmp_path}/exam.py:right", "--at-least", "0.9")
    for arguments, wanted in (
        (("--budget", "small"), "budget must be"),
        (metric, "raised OSError: no data"),
        (("--inputs", tmp_path / "gone.npz"), "no file"),
    ):
        status, out, said = run(capsys, model, "--out", tmp_path / "out", *arguments)
        assert (status, out) == (2, "") and wanted in said and said.count("\n") == 1


def test_help_the_docstring_and_the_book_say_the_same_defaults():
    asked, options = inspect.signature(tk.explore).parameters, {one.name: one for one in command.params}
    for name in ("samples", "seed"):
        assert options[name].default == asked[name].default
    samples, jobs = asked["samples"].default, f"at most {SMALL / 2**20:g} MiB"
    for name, said in (("at_least", f"({DEFAULT:g}dB;"), ("samples", f"({samples})"), ("jobs", jobs)):
        assert said in options[name].help
    for text in (tk.explore.__doc__, PAGE.read_text("utf-8")):
        words = " ".join(text.split())
        assert f"{DEFAULT:g} dB, an error of 3 %" in words and jobs in words
    assert f"tried with {samples} inputs" in PAGE.read_text("utf-8")
