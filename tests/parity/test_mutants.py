"""Whatever is wrong in a package, every entry point gives an answer or a sentence, soon, and stays within 2 GiB."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

ct = pytest.importorskip("coremltools")
torch = pytest.importorskip("torch")

import toykit as tk
from tests.nightly import NIGHTLY, cases
from tests.parity import inside, mutants, running
from tests.parity.operators import programs
from tests.zoo import fixtures

STUCK = 120  # seconds of the clock without news from the child; it gives itself ten of the processor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Packages to change: other writers' of every compressed form, and ours of what those have not."""
    folder = tmp_path_factory.mktemp("mutants")
    zoo = [(version, name) for version in fixtures.versions() for name in fixtures.index(version)["packages"]]
    for version, name in zoo if NIGHTLY else zoo[::5]:
        path = folder / f"{version} {name}.mlpackage"
        path.symlink_to(fixtures.Fixture(version, name).path)
    for name in ("while_loop", "cond"):
        tk.coreml.save(running.program(programs.CASES[name]), folder / f"{name}.mlpackage")
    torch.manual_seed(0)
    image = [ct.ImageType(name="image", shape=(1, 3, 6, 6))]
    scores = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AvgPool2d(4), torch.nn.Flatten())
    labels = ct.ClassifierConfig(["a", "b", "c", "d"])
    sequence = [ct.TensorType(name="x", shape=(1, ct.RangeDim(2, 9, default=3), 4))]
    for name, network, example, options in (
        (
            "classifier",
            scores.eval(),
            torch.zeros(1, 3, 6, 6),
            {"inputs": image, "classifier_config": labels},
        ),
        ("lstm", torch.nn.LSTM(4, 3, batch_first=True).eval(), torch.zeros(1, 3, 4), {"inputs": sequence}),
    ):
        mlmodel = tk.coreml.convert(network, example, target="iOS17", check=False, **options)
        tk.coreml.save(mlmodel, folder / f"{name}.mlpackage")
    parts = [
        tk.coreml.convert(
            torch.nn.Linear(8, 8).eval(),
            torch.zeros(1, 8),
            check=False,
            inputs=[ct.TensorType(name=given, shape=(1, 8))],
            outputs=[ct.TensorType(name=gives)],
        )
        for given, gives in (("x", "between"), ("between", "y"))
    ]
    tk.coreml.save(ct.utils.make_pipeline(*parts), folder / "pipeline.mlpackage")
    return folder


def run(folder, count, seed, *options):
    """All failures of `count` mutants; the child is started again behind a mutant that ends it."""
    print(f"seed {seed}: python -m tests.parity.mutants FOLDER --seed {seed}")
    first, failures, asked, log = 0, [], 0, folder / "log.json"
    while first < count:
        log.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.parity.mutants", folder, "--seed", seed, "--first", first]
        command += ["--count", count - first, "--log", log, *options]
        child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        try:
            out = watch(child, log)
        finally:
            child.kill()
        if child.returncode in (0, 1):
            found = json.loads(out.splitlines()[-1])
            asked += sum(found["counts"].values())
            return failures + found["failures"], asked
        last = json.loads(log.read_text())
        failures.append(
            [last["number"], last["source"], last["entry"], "ended the process", child.returncode]
        )
        first = last["number"] + 1
    return failures, asked


def watch(child, log):
    """What the child prints, when it ends; it is killed where it stands still."""
    while True:
        try:
            return child.communicate(timeout=5)[0]
        except subprocess.TimeoutExpired:
            if log.exists() and time.time() - log.stat().st_mtime > STUCK:
                child.kill()


def test_fuzz_of_mutants(folder, request):
    seed = request.config.getoption("--hypothesis-seed") or "0"  # the day's, in `make test-fuzz`
    failures, asked = run(folder, cases(500), seed, *([] if NIGHTLY else ["--entries", 1]))
    assert not failures, "\n".join(map(str, failures))
    assert asked >= cases(500)


class TestTheFuzzItself:
    """It can fail: an entry point that crashes, hangs or takes memory is found."""

    @pytest.fixture
    def path(self):
        return inside.package("tiny")

    def test_sound(self, path):
        for entry in mutants.ENTRIES:
            assert mutants.ask(entry, path, path) == ("answer", ""), entry

    @pytest.mark.parametrize(
        ("does", "result"),
        [
            (lambda *_: {}["rank"], "crash"),
            (lambda *_: np.zeros(3).reshape(2), "crash"),
            (lambda *_: np.ones(2**62, np.uint8), "memory"),
            (lambda path, _: tk.coreml.Package(path.parent), "refused"),
        ],
    )
    def test_what_it_finds(self, path, does, result, monkeypatch):
        monkeypatch.setitem(mutants.ENTRIES, "Package", does)
        assert mutants.ask("Package", path, path)[0] == result

    def test_what_hangs(self, path, monkeypatch):
        monkeypatch.setattr(mutants, "SECONDS", 0.2)

        def spin(*_):
            while True:
                pass

        monkeypatch.setitem(mutants.ENTRIES, "Package", spin)
        assert mutants.ask("Package", path, path)[0] == "hang"
