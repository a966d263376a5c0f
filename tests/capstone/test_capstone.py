"""The capstone's scores: a right package passes, and whatever else is handed in gets a sentence, and never a point."""

import csv
import io
import json
import pickle
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

import toykit as tk
from book._tools.project import ROOT
from book._tools.trained_networks import FILES, missing
from tests import handmade
from tests.nightly import nightly
from tests.strategies import trained
from tests.verification import nets
from toykit import _log, cli
from toykit.capstone import examining, scoring, systems
from toykit.capstone.tasks import TASKS, Task, draw
from toykit.coreml.format import protobuf
from toykit.coreml.format.package import Package

WEIGHT = trained((64, 96), 3)
MEMORY = 2**29
MISSING = [part for part in FILES if missing(part)]


def _draw(samples, seed):
    """Vectors, of which the network tells the largest of 64 products."""
    vectors = np.random.default_rng(seed).normal(size=(samples, 96)).astype(np.float32)
    truth = (vectors @ WEIGHT.astype(np.float32).T).argmax(1)
    return {"x0": vectors}, lambda answers, places: answers.argmax(1) == truth[places]


BEST = {"how": "8-bit linear", "bytes": 8000, "right": 50, "samples": 50, "seed": 1}
TASK = Task("largest", "of 64 products", 9500, 0.8, "iOS17", {"x0": (96,)}, (64,), 50, BEST, _draw)


@pytest.fixture(autouse=True)
def task(monkeypatch):
    monkeypatch.setitem(TASKS, "largest", TASK)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return handmade.write(
        tmp_path_factory.mktemp("given") / "Given.mlpackage", [("linear", WEIGHT)], version=8
    )


@pytest.fixture(scope="module")
def right(given):
    made = tk.coreml.compress(given, "quantize")
    return tk.coreml.save(made, given.with_name("Right.mlpackage"))


@pytest.fixture
def copied(right, tmp_path):
    return nets.copy(right, tmp_path / "Copied.mlpackage")


def examined(path, seed=7, task=TASK, samples=None):
    """The score of a package, found in this process."""
    found = examining.examine(str(path), task, seed, samples, MEMORY)
    return scoring.made(path.name, task, found, seed, {"toykit": "0"})


def test_a_right_package_passes(right):
    found = examined(right)
    assert found.passed and not found.reasons and found.samples == 50
    assert found.nbytes == Package(right).nbytes and found.needs == "iOS17"
    inputs, mark = draw(TASK, 7)
    small = tk.coreml.weights(right)["w0"].dense().astype(np.float32)
    assert found.right == mark(inputs["x0"] @ small.T, slice(None)).sum()
    low, high = found.interval
    assert low < found.share <= high


def test_data_are_another_for_each_seed_and_the_digest_makes_one(right):
    assert examined(right, None).seed == int(examined(right).digest[:12], 16)
    one, two = (draw(TASKS["pitch"], seed, 3)[0]["frames"] for seed in (1, 2))
    assert one.shape == two.shape == (3, 1024) and not np.array_equal(one, two)


def test_the_digest_is_that_of_what_is_in_it(right, copied):
    manifest = copied / "Manifest.json"
    manifest.write_text(manifest.read_text().replace("a network", "another"))
    assert examined(copied).digest == examined(right).digest
    nets.flip(copied, "w0_quantized", "quantized_data")
    assert examined(copied).digest != examined(right).digest


def refused(found, said):
    assert not found.passed and any(said in reason for reason in found.reasons), found.reasons
    return found


def test_too_big(given):
    found = refused(examined(given), "more than it may")
    assert found.right == found.samples  # it is the original


def test_what_lies_beside_the_program_counts(copied):
    (copied / "notes.bin").write_bytes(bytes(9000))
    refused(examined(copied), "more than it may")


def test_too_inaccurate(given, tmp_path):
    made = tk.coreml.compress(given, "prune", sparsity=0.995)
    found = refused(examined(tk.coreml.save(made, tmp_path / "a.mlpackage")), "must be")
    assert found.fits and found.reads


def test_another_network(tmp_path):
    for number, layer in enumerate([("linear", trained((64, 80))), ("linear", trained((60, 96)))]):
        path = handmade.write(tmp_path / f"{number}.mlpackage", [layer])
        refused(examined(path), "it is not the given network")
    two = handmade.write(tmp_path / "two.mlpackage", [("linear", WEIGHT), ("linear", WEIGHT)])
    refused(examined(two), "it is not the given network")


def test_a_version_that_lies(given, tmp_path):
    """4-bit codes in a package that says it is for iOS 17."""
    newer = handmade.write(tmp_path / "newer.mlpackage", [("linear", WEIGHT)])
    small = tk.coreml.compress(newer, "quantize", bits=4, granularity="per_block", block_size=16)
    path = tk.coreml.save(small, tmp_path / "small.mlpackage")
    model = protobuf.decode((path / handmade.MODEL).read_bytes(), "Model")
    (path / handmade.MODEL).write_bytes(protobuf.encode(model | {"specificationVersion": 8}, "Model"))
    assert Package(path).spec_version == 8 and systems.needs(Package(path)) == 9
    refused(examined(path), "it needs iOS18, and must run on iOS17")


def test_a_description_that_lies_counts_for_nothing(copied):
    model = protobuf.decode((copied / handmade.MODEL).read_bytes(), "Model")
    model["description"]["metadata"] |= {"userDefined": {"right": "50", "passed": "true", "bytes": "1"}}
    (copied / handmade.MODEL).write_bytes(protobuf.encode(model, "Model"))
    nets.flip(copied, "w0_quantized", "scale", byte=1, by=0x80)  # another sign
    assert examined(copied).right < 50


def test_broken_packages(copied, tmp_path):
    file = copied / nets.WEIGHTS
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    found = refused(examined(copied), "end of the file")
    assert str(tmp_path) not in found.problem and nets.WEIGHTS in found.problem
    file.write_bytes(whole)
    nets.reword(copied, b"linear", b"lineax")
    refused(examined(copied), "lineax")
    shutil.rmtree(copied / "Data")
    refused(examined(copied), "")
    (tmp_path / "empty").mkdir()
    refused(examined(tmp_path / "empty"), "Manifest.json")


class Runs:
    def __reduce__(self):
        return pytest.fail, ("it was run",)


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "Model.mlpackage"
    path.write_bytes(pickle.dumps(Runs()))
    refused(examined(path), "it is no package")


def test_weights_that_lie_elsewhere(copied, tmp_path):
    file = copied / nets.WEIGHTS
    shutil.move(file, tmp_path / "weight.bin")
    file.symlink_to(tmp_path / "weight.bin")
    refused(examined(copied), "no file, such as a link")


def test_answers_that_are_no_numbers(given, tmp_path):
    path = nets.copy(given, tmp_path / "nan.mlpackage")
    blob = nets.record(path, "w0")
    for place in range(blob.start, blob.start + 192):
        nets.set_byte(path, place, 0xFF)
    refused(examined(path), "not a finite number")


def test_batches_are_filled_up():
    class Model:
        inputs = {"x0": SimpleNamespace(shape=(8, 96))}
        outputs = {"y": None}

        def predict(self, inputs):
            assert inputs["x0"].shape == (8, 96)
            return {"y": inputs["x0"][:, :64]}

    vectors = np.arange(20 * 96, dtype=np.float32).reshape(20, 96)
    found, places = map(np.concatenate, zip(*examining.answers(Model(), {"x0": vectors}, TASK), strict=True))
    np.testing.assert_array_equal(found, vectors[:, :64])
    assert places.tolist() == list(range(20))


def test_in_words_and_as_data(right, given):
    for found in (examined(right), examined(given)):
        text, data = str(found), json.loads(json.dumps(found.as_data()))
        assert max(map(len, text.splitlines())) <= 80 and "our own best: 8,000 bytes" in text
        assert data["passed"] == found.passed and data["digest"][:16] in text
        log = found.as_log()
        assert f"| {2 + found.passed} |" in log and log.count("\n1. ") == log.count("\n3. ") == 1


def test_our_best_is_what_the_sweep_found():
    """The share is that of 2,000 tones, as the committed sweep measured it; the package holds little but the arrays."""
    best = TASKS["pitch"].best
    rows = tk.sweep.read(ROOT / "notebooks/data/crepe_mixed.csv").where(kind="pruned palettes")
    (row,) = (row for row in rows if row["setting"] == best["setting"])
    assert best["right"] == round(best["samples"] * row["hard_within_50"])
    assert 0 < best["bytes"] - row["nbytes"] < 50_000
    assert best["bytes"] <= TASKS["pitch"].budget and best["right"] / best["samples"] >= TASKS["pitch"].floor


def test_our_best_does_what_each_task_asks_for():
    for one in TASKS.values():
        assert one.best["bytes"] <= one.budget and one.best["right"] / one.best["samples"] >= one.floor


@pytest.mark.skipif(bool(MISSING), reason=f"not brought: {MISSING}")
@pytest.mark.parametrize("name", ["reading", pytest.param("sentiment", marks=nightly)])
def test_answers_are_marked_as_the_exams_do(name):
    """What the book's own networks say of a few samples; the last of them first."""
    torch = pytest.importorskip("torch")
    if name == "reading":
        exam = tk.models.ReadingExam(tk.data.words.draw(6, 3, 0.95))
    else:
        exam = tk.models.SentimentExam(tk.data.sentences.sentiment(30, seed=3))
    inputs, mark = draw(TASKS[name], 3, 6 if name == "reading" else 30)
    for sample, shape in TASKS[name].inputs.items():
        assert inputs[sample].shape[1:] == shape
    with torch.inference_mode():
        answers = exam.network(*map(torch.from_numpy, inputs.values())).numpy()
    assert answers.shape[1:] == TASKS[name].output
    backwards = np.arange(len(answers))[::-1]
    np.testing.assert_array_equal(mark(answers[backwards], backwards), exam.marks({})[0][backwards])


def test_the_page_says_what_the_tasks_ask_for():
    page = (ROOT / "book/capstone.md").read_text(encoding="utf-8")
    for one in TASKS.values():
        if one is not TASK:
            row = next(line for line in page.splitlines() if line.startswith(f"| {one.name} |"))
            asked = f"{one.budget:,} bytes", f"{100 * one.floor:.1f} % of {one.samples}", one.target[3:]
            assert all(said in row for said in asked)
            assert f"{one.best['bytes']:,} bytes, {one.best['right']:,} of {one.best['samples']:,}" in page
    rubric = _log._LOG.partition("## Rubric")[2]
    for points in (
        "names technique, bits and granularity (1)",
        "really tried (1)",
        "a limit of this test (1)",
    ):
        assert points in rubric and points in page


# --- in a process of its own ---


def test_a_process_of_its_own(right, capsys):
    """What is no CREPE gets a sentence, from the command line."""
    assert cli.main(["score", str(right), "--samples", "2", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert "it is not the given network" in data["problem"]
    assert data["nbytes"] == Package(right).nbytes and data["drawn_from"] == "digest"
    assert {"toykit", "python", "numpy"} <= data["versions"].keys()


def test_what_takes_forever_is_stopped(right):
    found = scoring.score(right, "pitch", seconds=0.001)
    refused(found, "took longer than 0.001 seconds")


def test_what_ends_the_process(right, monkeypatch):
    """A fault that no Python catches, after the process has begun."""
    code = "import os, sys; sys.stdin.read(); print('{}', flush=True); os.kill(os.getpid(), 9)"
    run = scoring.subprocess.Popen
    monkeypatch.setattr(scoring.subprocess, "Popen", lambda command, **o: run([command[0], "-c", code], **o))
    refused(scoring.score(right), "ended the process")
    code = "import sys; sys.stdin.read(); sys.exit('torch is broken')"
    with pytest.raises(RuntimeError, match="nothing can be scored here: torch is broken"):
        scoring.score(right)


def test_memory_that_it_may_not_take(given):
    found = examining.examine(str(given), TASK, 1, None, 2**10)
    assert "--memory" in found["problem"] and "memory_limit" not in found["problem"] and "right" not in found


# --- a class ---


@pytest.fixture
def handed_in(right, given, tmp_path, monkeypatch):
    """A folder of submissions, scored in this process."""

    def here(asked):
        asked.pop("seconds")
        return examining.examine(**asked | {"task": TASK}), {}

    monkeypatch.setattr(scoring, "_examined", here)
    folder = tmp_path / "handed_in"
    nets.copy(right, folder / "Ada.mlpackage")
    nets.copy(right, folder / "Bob" / "Small.mlpackage")
    nets.copy(given, folder / "=Eve.mlpackage")
    nets.copy(right, folder / "Zoe.mlpackage")
    made = tk.coreml.compress(given, "quantize", mode="affine")
    shutil.rmtree(folder / "Zoe.mlpackage")
    tk.coreml.save(made, folder / "Zoe.mlpackage")
    (folder / "Dan.pt").write_bytes(pickle.dumps(Runs()))
    (folder / "Fay").mkdir()
    (folder / "notes.md").write_text("- passed: all")
    (folder / ".DS_Store").touch()
    return folder


def test_a_table_of_a_class(handed_in):
    seen = []
    found = tk.capstone.collect(handed_in, "largest", seed=5, progress=lambda *at: seen.append(at))
    assert [one.submission for one in found.scores[:3]] == ["Ada.mlpackage", "Bob", "Zoe.mlpackage"]
    assert [one.passed for one in found.scores] == [True] * 3 + [False] * 3
    assert found.left == ("notes.md",) and seen[-1] == (6, 6)
    assert found.remarks(found.scores[0]) == ["the same files as Bob"]
    assert {one.seed for one in found.scores} == {5}
    rows = list(csv.DictReader(io.StringIO(found.as_csv())))
    assert [row["rank"] for row in rows] == ["1", "2", "3", "", "", ""]
    assert "'=Eve.mlpackage" in {row["submission"] for row in rows}
    assert max(map(len, str(found).splitlines())) <= 80
    assert len(json.loads(found.as_json())["scores"]) == 6
    assert found.as_html().count("<tr>") == 7 and "<caption>Capstone largest: 3 of 6 pass" in found.as_html()


def test_the_table_by_a_command(handed_in, tmp_path, capsys):
    line = ["score", "--collect", str(handed_in), "--task", "largest", "--seed", "5"]
    page = tmp_path / "class.html"
    assert cli.main([*line, "--html", "--output", str(page)]) == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert cli.main([*line, "--html", "--output", str(page)]) == 2
    assert "add --force" in capsys.readouterr().err
    assert cli.main([*line, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("rank,submission,passed,")


def test_a_folder_that_is_none_of_submissions(right, tmp_path):
    with pytest.raises(ValueError, match="is a package itself"):
        tk.capstone.collect(right, seed=1)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="holds no package"):
        tk.capstone.collect(tmp_path, seed=1)
    with pytest.raises(TypeError, match="seed must be a whole number that you choose"):
        tk.capstone.collect(tmp_path, seed=None)


def test_a_log_by_a_command(handed_in, tmp_path, capsys):
    line = ["score", str(handed_in / "Ada.mlpackage"), "--task", "largest", "--log", str(tmp_path / "log.md")]
    assert cli.main(line) == 0
    assert "passes (largest)" in capsys.readouterr().out
    assert (tmp_path / "log.md").read_text().startswith("# Decision log: Ada.mlpackage (largest)")
    assert cli.main(line) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ([], "name one package, or a folder"),
        (["a", "--collect", "b"], "name one package, or a folder"),
        (["none.mlpackage"], "there is no package at none.mlpackage"),
        (["--collect", "none"], "--collect takes --seed"),
        (["--collect", "none", "--seed", "1"], "there is no folder none"),
        (["none", "--task", "pich"], "task must be one of"),
        (["none", "--csv"], "go with --collect"),
        (["none", "--json", "--csv"], "choose one of"),
        (["--collect", "none", "--seed", "1", "--log", "a.md"], "--log goes with one package"),
        (["none", "--seconds", "0"], "seconds must be above 0"),
        (["none", "--seed", "-1"], "seed must be"),
        (["none", "--memory", "0"], "memory must be"),
    ],
)
def test_wrong_lines(line, said, capsys):
    assert cli.main(["score", *line]) == 2
    assert said in capsys.readouterr().err
