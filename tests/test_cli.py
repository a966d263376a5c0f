"""`toykit doctor`: what it finds on machines of every kind, and what it says."""

import errno
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from unittest import mock

import pytest

from tests.nightly import nightly
from toykit import _ending, cli, doctor

PROJECT = """
[project]
dependencies = ["numpy>=2.0"]
[project.optional-dependencies]
book = [
    "coremltools==9.0; sys_platform == 'darwin'",
    "torch==2.13.0",
]
test = ["pytest>=8"]
"""


@pytest.fixture
def book(tmp_path):
    """A folder with a list of packages, as a clone of the book has."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "constraints.txt").write_text(
        "# pins\ncoremltools==9.0\nnumpy==2.4.6\ntorch==2.13.0\nzipp==4.1.2\n"
    )
    return tmp_path


@pytest.fixture
def installed(monkeypatch):
    """Say which packages are installed: a dict that a test may change."""
    versions = {"numpy": "2.4.6", "torch": "2.13.0+cpu", "coremltools": "9.0"}

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(doctor.metadata, "version", version)
    return versions


def status(findings):
    return {finding.name: finding.status for finding in findings}


def test_a_complete_machine_has_nothing_to_fix(book, installed):
    assert status(doctor.packages(book)) == {"numpy": "ok", "coremltools": "ok", "torch": "ok"}


def test_a_missing_package_is_to_be_fixed(book, installed):
    del installed["torch"]
    missing = next(finding for finding in doctor.packages(book) if finding.name == "torch")
    assert (missing.status, missing.found, missing.advice) == ("problem", "not installed", "Run: make setup")


def test_a_missing_package_of_an_environment_that_is_there(book, installed, monkeypatch):
    del installed["torch"]
    advice = lambda: next(finding.advice for finding in doctor.packages(book) if finding.name == "torch")
    (book / ".venv").mkdir()
    (book / ".venv" / ".ready").touch()
    assert advice() == "The book has a Python of its own. Run: .venv/bin/toykit doctor"
    monkeypatch.setattr(sys, "prefix", str(book / ".venv"))
    assert advice() == "Run: rm .venv/.ready; make setup"


def test_another_version_is_worth_a_note(book, installed):
    installed["numpy"] = "2.1.0"
    other = next(finding for finding in doctor.packages(book) if finding.name == "numpy")
    assert other.status == "note"
    assert "the book was made with 2.4.6" in other.found
    assert "pip install 'numpy==2.4.6'" in other.advice


def test_coremltools_is_not_missed_where_it_cannot_be(book, installed, monkeypatch):
    del installed["coremltools"]
    assert status(doctor.packages(book)).get("coremltools") in ("problem", None)
    monkeypatch.setattr(doctor.platform, "system", lambda: "Windows")
    assert "coremltools" not in status(doctor.packages(book))
    assert "WSL" in doctor.system().advice


CORE_AI = ("coreai-core", "coreai-opt", "coreai-torch")


def test_core_ai_is_optional(book, installed, monkeypatch):
    (book / "pyproject.toml").write_text(PROJECT + '\ncoreai = [\n    "torchao==0.18.0",\n]\n')
    (book / "constraints.txt").write_text("numpy==2.4.6\ntorchao==0.18.0\n")
    assert status(doctor.packages(book)) == {"numpy": "ok"}
    monkeypatch.setattr(doctor, "core_ai_wheel", lambda: "")
    assert (doctor.core_ai().status, doctor.core_ai().found) == (
        "note",
        f"not installed: {', '.join(CORE_AI)}",
    )
    assert "make coreai" in doctor.core_ai().advice
    monkeypatch.setattr(doctor, "core_ai_wheel", lambda: "there is no wheel of it for Windows on AMD64")
    assert doctor.core_ai().found == "there is no wheel of it for Windows on AMD64"
    assert "make coreai" not in doctor.core_ai().advice
    installed.update(dict.fromkeys(CORE_AI, "1.0"))
    assert doctor.core_ai() == doctor.Finding(
        "Core AI", "ok", "coreai-core 1.0, coreai-opt 1.0, coreai-torch 1.0"
    )


@pytest.mark.parametrize(
    "system, said",
    [
        (("Linux", "x86_64", "2.34"), ""),
        (("Linux", "x86_64", "2.31"), "its wheels need glibc 2.34 or newer, and this is glibc 2.31"),
        (("Linux", "x86_64", ""), "its wheels need glibc 2.34 or newer, and there is no glibc here"),
        (("Linux", "aarch64", "2.39"), "there is no wheel of it for Linux on aarch64"),
        (("Darwin", "arm64", "26.1"), ""),
        (("Darwin", "x86_64", "26.1"), "there is no wheel of it for Darwin on x86_64"),
    ],
)
def test_where_core_ai_has_wheels(system, said):
    assert doctor.core_ai_wheel(*system) == said


def test_a_toykit_without_its_book_says_so(tmp_path):
    (finding,) = doctor.packages(tmp_path)
    assert finding.status == "note" and "folder of the book" in finding.advice


@pytest.mark.parametrize(
    "version, expected",
    [
        ((3, 9, 6), "problem"),
        ((3, 10, 1), "problem"),
        ((3, 11, 0), "ok"),
        ((3, 13, 9), "ok"),
        ((3, 14, 0), "problem"),
    ],
)
def test_pythons(version, expected):
    finding = doctor.python(version)
    assert finding.status == expected
    assert bool(finding.advice) == (expected == "problem")


@pytest.mark.parametrize(
    "name, machine, expected",
    [
        ("Darwin", "arm64", "ok"),
        ("Darwin", "x86_64", "ok"),
        ("Linux", "x86_64", "ok"),
        ("Linux", "aarch64", "note"),
        ("Windows", "AMD64", "note"),
    ],
)
def test_systems(name, machine, expected):
    assert doctor.system(name, machine).status == expected


def test_memory_and_disk(tmp_path, monkeypatch):
    assert doctor.memory(16e9).status == "ok"
    assert doctor.memory(2e9).status == "note"
    assert doctor.disk(tmp_path, 50e9).status == "ok"
    assert doctor.disk(tmp_path, 1e8).status == "problem"
    monkeypatch.delattr(doctor.os, "sysconf")
    assert doctor.memory().found == "size unknown"


def test_a_browser_is_found_by_name_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.delenv("TOYKIT_BROWSER", raising=False)
    monkeypatch.setattr(doctor, "MAC_BROWSERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.find_browser() is None
    assert "install Chromium or Chrome" in doctor.browser().advice
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert doctor.find_browser() == str(program)
    monkeypatch.setenv("TOYKIT_BROWSER", str(tmp_path / "nowhere"))
    assert doctor.find_browser() is None


@pytest.mark.parametrize("bad, code", [(0, 0), (1, 1)])
def test_the_status_tells_scripts_what_the_text_tells_people(monkeypatch, capsys, bad, code):
    findings = [doctor.Finding("Python", "ok", "3.12.1"), doctor.Finding("torch", "note", "2.12", "maybe")]
    findings += [doctor.Finding("numpy", "problem", "not installed", "Run: make setup")] * bad
    monkeypatch.setattr(doctor, "examine", lambda: findings)
    assert cli.main(["doctor"]) == code
    text = capsys.readouterr().out
    assert ("FIX   numpy" in text) == bool(bad)
    assert ("1 thing to fix" if bad else "Everything that the book needs is here.") in text
    assert cli.main(["doctor", "--json"]) == code
    data = json.loads(capsys.readouterr().out)
    assert data["ok"] is (not bad)
    assert data["findings"][0] == {"name": "Python", "status": "ok", "found": "3.12.1", "advice": ""}


def test_the_command_runs_here():
    result = subprocess.run(
        [sys.executable, "-m", "toykit.cli", "doctor", "--json"], capture_output=True, text=True
    )
    assert result.returncode in (0, 1)
    assert {"Python", "System", "numpy", "Memory", "Disk", "Browser"} <= {
        finding["name"] for finding in json.loads(result.stdout)["findings"]
    }


@pytest.mark.parametrize("arguments", [[], ["heal"], ["doctor", "--loud"]])
def test_a_wrong_command_is_explained(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: toykit" in capsys.readouterr().err.lower()


def left_by_its_reader(*arguments):
    """Run a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "toykit.cli", *map(str, arguments)]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    return result.returncode, result.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["doctor", "--json"], ["--help"]])
def test_a_reader_that_has_gone_ends_a_command_quietly(monkeypatch, arguments, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    status, said = left_by_its_reader(*arguments)
    assert (status, said) == (_ending.SIGPIPE, "")


@pytest.mark.skipif(os.name == "nt", reason="as shells of Unix close a stream")
@pytest.mark.parametrize(
    "arguments",
    ["size nothing", "siz", "size --jsn", "doctor --jsn", "doctor --help", "size --help", "doctor"],
)
def test_what_goes_to_a_closed_stream_goes_nowhere_else(arguments):
    line = f"exec {shlex.quote(sys.executable)} -m toykit.cli {arguments}"
    usual, no_err, no_out = (
        subprocess.run(["sh", "-c", line + closed], capture_output=True, text=True)
        for closed in ("", " 2>&-", " >&-")
    )
    assert usual.returncode == no_err.returncode == no_out.returncode
    assert (no_err.stdout, no_err.stderr) == (usual.stdout, "")
    assert (no_out.stdout, no_out.stderr) == ("", usual.stderr)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_names_that_a_console_cannot_show_are_escaped(encoding, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    header = json.dumps({"γ.weight": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, newline="") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert cli.main(["size", str(path), "--layers"]) == 0
    assert r"\u03b3.weight" in out.buffer.getvalue().decode(encoding) and out.errors == "strict"
    assert cli.main(["size", "γ.mlpackage"]) == 2
    assert err.buffer.getvalue().decode(encoding) == "toykit size: there is no package at \\u03b3.mlpackage\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a full disk at hand")
def test_an_answer_that_cannot_be_written_is_a_sentence(monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", "")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "toykit.cli", "doctor"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 2
    assert result.stderr == f"toykit: the answer could not be written: {os.strerror(errno.ENOSPC)}\n"


def test_arguments_are_repeated_without_their_escape_sequences(capsys):
    with pytest.raises(SystemExit):
        cli.main(["doctor", "\x1b[2J.mlpackage"])
    assert r"\x1b[2J" in capsys.readouterr().err
    assert cli.main(["size", "\x1b[2J.mlpackage"]) == 2
    assert r"\x1b[2J" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a"), "no room left"),
        (shutil.Error([("a", "b", f"[Errno 28] {os.strerror(errno.ENOSPC)}: 'b'")]), "no room left"),
        (shutil.Error([("a", "b", "it is odd"), ("c", "d", "it is odd")]), "doctor: it is odd"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "\x1b[2J"), r"Permission denied: \x1b[2J"),
        (MemoryError(), "not enough memory"),
        (ModuleNotFoundError("No module named 'numpy'"), "'numpy': toykit doctor says what to do"),
        (ValueError("\x1b[2J\n"), r"doctor: \x1b[2J\n"),
        (KeyboardInterrupt(), "doctor: stopped"),
    ],
)
def test_errors_of_the_system_are_sentences(monkeypatch, capsys, error, words):
    monkeypatch.setattr(doctor, "examine", mock.Mock(side_effect=error))
    assert cli.main(["doctor"]) == (_ending.STOPPED if isinstance(error, KeyboardInterrupt) else 2)
    assert words in capsys.readouterr().err


# --- commands on packages ---


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A small package, once for all tests."""
    pytest.importorskip("coremltools")
    torch = pytest.importorskip("torch")
    from toykit import coreml

    net = torch.nn.Sequential(torch.nn.Linear(64, 96), torch.nn.ReLU(), torch.nn.Linear(96, 8)).eval()
    for layer in (net[0], net[2]):
        torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    path = tmp_path_factory.mktemp("cli") / "small.mlpackage"
    return coreml.save(coreml.convert(net, torch.zeros(1, 64), target="iOS18"), path)


def test_size_says_what_a_package_weighs_and_would_weigh(package, capsys):
    assert cli.main(["size", str(package)]) == 0
    lines = capsys.readouterr().out.splitlines()
    nbytes = sum(file.stat().st_size for file in package.rglob("*") if file.is_file())
    assert f"{nbytes / 1e6:.2f} MB" in lines[0]
    assert "     0.01 MB  3 weights of float16" in lines
    assert sum("times smaller" in line for line in lines) == 11 and any(
        "4-bit palette" in line for line in lines
    )


def test_size_goes_on_where_a_prediction_is_not_possible(package, monkeypatch, capsys):
    from toykit import size

    after = size.Ledger.after

    def some(ledger, technique, **options):
        if technique == "prune":
            raise ValueError("not \x1b[2J here")
        return after(ledger, technique, **options)

    monkeypatch.setattr(size.Ledger, "after", some)
    assert cli.main(["size", str(package)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert r"        ? MB  half of the weights pruned: not \x1b[2J here" in lines


def test_size_lists_the_weights_in_any_order(package, capsys):
    def names(*options):
        assert cli.main(["size", str(package), *options]) == 0
        head, *rows = re.split(r"\n\n +bytes", capsys.readouterr().out)[1].splitlines()
        assert head.split() == ["share", "parameters", "type", "shape", "operation", "name"]
        return [row.split()[-1] for row in rows]

    of_model = names("--layers")
    assert len(of_model) > 2 and of_model == names("--sort", "model")
    assert names("--layers", "--sort", "name") == sorted(of_model)
    assert names("--sort", "size")[0] == of_model[0]


@pytest.mark.parametrize("form", ["--json", "--csv", "--html"])
def test_size_writes_a_file_only_where_there_is_none(package, tmp_path, capsys, form):
    out = tmp_path / "size.txt"
    command = ["size", str(package), form, "--output", str(out)]
    assert cli.main(command) == 0 and not capsys.readouterr().out
    assert cli.main(command[:3]) == 0 and capsys.readouterr().out == out.read_text(encoding="utf-8")
    out.write_text("mine")
    assert cli.main(command) == 2
    assert "exists; choose another name, or add --force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert cli.main([*command, "--force"]) == 0 and out.stat().st_size > 100
    assert [file.name for file in tmp_path.iterdir()] == ["size.txt"]
    out.unlink()
    assert cli.main(command) == 0
    mask = os.umask(0)
    os.umask(mask)
    assert os.name == "nt" or out.stat().st_mode & 0o777 == 0o666 & ~mask


def test_size_replaces_nothing_but_a_file(package, tmp_path, monkeypatch, capsys):
    inside = package / "size.html"
    for place, words in (
        (package, "is, or lies in, what is looked at"),
        (inside, "is, or lies in, what is looked at"),
        (tmp_path / "other.mlpackage" / "size.html", "lies inside a package"),
        (tmp_path, "is no file"),
        (tmp_path / "none" / "size.html", "does not exist"),
        (os.devnull, "is no file"),
    ):
        assert cli.main(["size", str(package), "--html", "--output", str(place), "--force"]) == 2
        assert words in capsys.readouterr().err
    assert not inside.exists() and not list(tmp_path.iterdir())
    monkeypatch.setattr(os, "access", lambda *asked: False)  # as in a read-only folder
    assert cli.main(["size", str(package), "--html", "--output", str(tmp_path / "a.html")]) == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_size_leaves_no_half_of_a_file(package, tmp_path, monkeypatch, capsys):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    command = ["size", str(package), "--csv", "--output", str(tmp_path / "a.csv")]
    for name in ("chmod", "link"):
        with monkeypatch.context() as here:
            here.setattr(os, name, mock.Mock(side_effect=KeyboardInterrupt))
            assert cli.main(command) == _ending.STOPPED
    with monkeypatch.context() as here:
        here.setattr(os, "fdopen", mock.Mock(side_effect=full))
        here.setattr(os, "chmod", mock.Mock(side_effect=full))
        assert cli.main(command) == 2
        assert "no room left" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with monkeypatch.context() as here:  # as on a USB stick
        here.setattr(os, "link", mock.Mock(side_effect=PermissionError(errno.EPERM, "no links here")))
        assert cli.main(command) == 0
        assert [file.name for file in tmp_path.iterdir()] == ["a.csv"] and (tmp_path / "a.csv").stat().st_size

    def appears(name, place):
        (tmp_path / "b.csv").write_text("another's")
        raise FileExistsError

    with monkeypatch.context() as here:
        here.setattr(os, "link", appears)
        assert cli.main([*command[:-1], str(tmp_path / "b.csv")]) == 2
    assert "has appeared meanwhile" in capsys.readouterr().err
    assert (tmp_path / "b.csv").read_text() == "another's"


def test_size_weighs_files_of_weights(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.zeros(100, 50)}, tmp_path / "a.pt")
    assert cli.main(["size", str(tmp_path / "a.pt"), "--dtype", "float16"]) == 0
    assert "     0.01 MB = 0.01 MiB, 5,000 parameters" in capsys.readouterr().out
    (tmp_path / "b.pkl").write_bytes(b"")
    for name, words in (
        ("b.pkl", "is not opened"),
        ("c.safetensors", "there is no file"),
        ("a.pt", "dtype must be"),
    ):
        assert cli.main(["size", str(tmp_path / name), "--dtype", "int99"]) == 2
        said = capsys.readouterr()
        assert not said.out and words in said.err and said.err.count("\n") == 1


@pytest.mark.parametrize(
    "how, smaller",
    [
        (["--quantize", "8"], 1.5),
        (["--palettize", "4", "--group-size", "16"], 2),
        (["--quantize", "4", "--block-size", "32"], 2),
        (["--prune", "0.75", "--palettize", "4"], 2),
        (["--palettize", "4", "--engine", "coremltools"], 2),
    ],
)
def test_compress_writes_a_smaller_package_and_compare_reads_it(package, tmp_path, capsys, how, smaller):
    out = tmp_path / "out.mlpackage"
    before = sorted((file, file.read_bytes()) for file in package.rglob("*") if file.is_file())
    assert cli.main(["compress", str(package), str(out), *how]) == 0
    said = capsys.readouterr()
    assert "times smaller" in said.out and not said.err  # nobody watches
    weigh = lambda path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert weigh(package) > smaller * weigh(out) - 5000
    assert before == sorted((file, file.read_bytes()) for file in package.rglob("*") if file.is_file())
    assert cli.main(["compare", str(out), str(package)]) == 0
    decibels = float(re.search(r"median ([\d.]+) dB", capsys.readouterr().out)[1])
    assert 1 < decibels < 60


def test_a_package_equals_itself(package, capsys):
    assert cli.main(["compare", str(package), str(package), "--samples", "1"]) == 0
    assert "identical (1 sample)" in capsys.readouterr().out


def test_compare_shows_its_progress_to_who_watches_and_holds_to_a_bound(package, monkeypatch, capsys):
    compare = ["compare", str(package), str(package), "--samples", "2", "--at-least", "60"]
    assert cli.main(compare) == 0
    said = capsys.readouterr()
    assert "at least 60 dB everywhere" in said.out and not said.err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(compare) == 0
    shown = capsys.readouterr().err
    assert "2 of 2 samples" in shown and shown.endswith("\x1b[2K")  # and is wiped at the end


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["size", "missing.mlpackage"], "there is no package"),
        (["compress", "{}", "new.mlpackage"], "say how"),
        (["compress", "{}", "{}", "--quantize", "8"], "is the package to compress"),
        (["compress", "{}", "{}/new.mlpackage", "--quantize", "8"], "inside the package"),
        (["compress", "{}", "none/new.mlpackage", "--quantize", "8"], "does not exist"),
        (["compress", "{}", "new.mlpackage", "--quantize", "8", "--block-size", "0"], "block_size"),
        (["compress", "{}", "new.mlpackage", "--palettize", "4", "--group-size", "0"], "group_size"),
        (["compress", "{}", "new.mlpackage", "--quantize", "5"], "bits"),
        (["compress", "{}", "new.mlpackage", "--prune", "1.5"], "sparsity"),
        (
            ["compress", "{}", "new.mlpackage", "--quantize", "8", "--group-size", "8"],
            "goes with --palettize",
        ),
        (["compress", "{}", "new.mlpackage", "--prune", "0.5", "--block-size", "32"], "goes with --quantize"),
        (["compress", "{}", "new.txt", "--prune", "0.5"], ".mlpackage"),
        (["compare", "{}", "{}", "--samples", "0"], "samples"),
    ],
)
def test_mistakes_are_said_in_a_sentence(package, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert cli.main([argument.format(package) for argument in arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_a_package_that_appears_meanwhile_is_left_as_it_is(package, tmp_path, monkeypatch, capsys):
    from toykit import coreml
    from toykit.coreml.tools import compression

    out, compress = tmp_path / "out.mlpackage", compression.outcome

    def slow(*arguments, **options):
        made = compress(*arguments, **options)
        shutil.copytree(package, out)
        return made

    monkeypatch.setattr(compression, "outcome", slow)
    assert cli.main(["compress", str(package), str(out), "--prune", "0.5"]) == 2
    assert "exists" in (said := capsys.readouterr().err) or "has appeared" in said
    assert coreml.Package(out).nbytes == coreml.Package(package).nbytes
    assert [file.name for file in tmp_path.iterdir()] == [out.name]


@nightly
def test_of_two_compressions_to_one_name_exactly_one_writes(package, tmp_path):
    command = [sys.executable, "-m", "toykit.cli", "compress", str(package), str(tmp_path / "out.mlpackage")]
    both = [
        subprocess.Popen([*command, "--palettize", bits], stderr=subprocess.PIPE, text=True) for bits in "24"
    ]
    said = [one.communicate()[1] for one in both]
    assert sorted(one.returncode for one in both) == [0, 2] and not any("Traceback" in text for text in said)
    assert [file.name for file in tmp_path.iterdir()] == ["out.mlpackage"]


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """A folder of things that are no packages."""
    folder = tmp_path_factory.mktemp("things")
    (folder / "old.mlmodel").write_bytes(b"\x08\x01")
    (folder / "plain.mlpackage").write_text("a file")
    for name in ("app.mlmodelc", "renamed", "empty", "unpacked", "in.mlpackage/Data"):
        (folder / name).mkdir(parents=True)
    (folder / "renamed" / "coremldata.bin").touch()
    (folder / "unpacked" / "Net.mlpackage").mkdir()
    with zipfile.ZipFile(folder / "Net.mlpackage.zip", "w") as archive:
        archive.writestr("Net.mlpackage/Manifest.json", "{}")
    return folder


@pytest.mark.parametrize(
    "name, words",
    [
        ("missing.mlpackage", "there is no package"),
        ("old.mlmodel", "convert the network anew"),
        ("plain.mlpackage", "this is a file"),
        ("Net.mlpackage.zip", "unpack it"),
        ("app.mlmodelc", "compiled"),
        ("renamed", "compiled"),
        ("empty", "has no Manifest.json"),
        ("unpacked", "did you mean"),
        ("in.mlpackage/Data", "in.mlpackage itself"),
    ],
)
@pytest.mark.parametrize(
    "command", [["size"], ["compare", "{0}"], ["compress", "{1}/out.mlpackage", "--prune", "0.5"]]
)
def test_what_is_no_package_is_told_with_what_to_do(things, capsys, command, name, words):
    command, *rest = command
    assert (
        cli.main([command, str(things / name), *(word.format(things / name, things) for word in rest)]) == 2
    )
    said = capsys.readouterr()
    assert said.out == "" and words in said.err and said.err.count("\n") == 1
    assert not list(things.rglob("out.mlpackage"))


def test_packages_are_weighed_and_compared_with_numpy_alone(package):
    code = (
        "import sys\n"
        "for name in ('coremltools', 'torch', 'numba', 'google', 'sklearn'): sys.modules[name] = None\n"
        "from toykit import cli\n"
        f"sys.exit(cli.main(['size', {str(package)!r}]) or cli.main(['compare', {str(package)!r}, {str(package)!r}]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "4-bit palette" in said and "identical (8 samples)" in said
