"""`tk.explore` as a whole: what lies in the folder is what the result says, and is what was asked for."""

import csv
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import toykit as tk
from tests.exploration import nets
from tests.nightly import NIGHTLY, nightly
from toykit.exploration.judging import Fidelity
from toykit.exploration.writing import Writer

FEW = [
    {"technique": "quantize", "bits": 8},
    {"technique": "quantize", "bits": 4},
    *({"technique": "palettize", "bits": bits, "mode": "uniform"} for bits in (6, 4, 2)),
]
INPUTS = {"x": np.random.default_rng(7).normal(size=(6, 2, 48)).astype(np.float32)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return nets.chain(tmp_path_factory.mktemp("model") / "Model.mlpackage")


@pytest.fixture(scope="module")
def first(model, tmp_path_factory):
    return tk.explore(model, out=tmp_path_factory.mktemp("found"), at_least="20dB", settings=FEW)


def rows_of(folder):
    with (folder / "measurements.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_what_is_found_is_written_verified_and_judged_by_what_was_held_out(first, model):
    assert first.met and first.verification.ok and first.nbytes < first.nbytes_before
    assert first.held_out.value >= 20 and first.held_out.samples == 2
    log = first.as_log()
    assert log.count("| yes |") == 3 and f"| held out, 2 samples | {first.held_out.value:.1f} dB |" in log
    package = tk.coreml.Package(first.package)
    assert package.nbytes == first.nbytes == first.recipe.nbytes
    again = tk.coreml.compress(model, first.folder / "recipe.toml")
    stored = [[one.packed.tobytes() for one in each.weight_blobs] for each in (package, again)]
    assert stored[0] == stored[1]
    chosen = {one.name: one.chosen.setting for one in first.weights if one.chosen}
    assert chosen == first.recipe.settings and all(one.why for one in first.weights)
    assert first.recipe in first.front and first.bound.nbytes <= first.nbytes
    json.dumps(first.as_data(), allow_nan=False)
    assert "fidelity" in str(first) and "no accuracy" in str(first) and "held out" in first._repr_html_()


def test_a_second_run_measures_nothing_and_another_budget_no_weight(first, model):
    again = tk.explore(model, out=first.folder, at_least=20, settings=FEW)
    assert first.measured and not again.measured
    assert (again.recipe, again.weights) == (first.recipe, first.weights)
    budget = first.nbytes + 1500
    other = tk.explore(model, out=first.folder, budget=budget, settings=FEW)
    assert other.met and other.nbytes <= budget and other.recipe.snr_db >= first.recipe.snr_db
    rows = rows_of(first.folder)
    assert sum(row["part"] == "alone" for row in rows) == 3 * len(FEW)
    assert len({row["key"] for row in rows}) == len(rows)


@pytest.mark.parametrize("seed", range(5) if NIGHTLY else [1])
def test_of_all_combinations_the_best_is_at_most_a_hundredth_smaller(seed, tmp_path):
    path = nets.chain(tmp_path / "Model.mlpackage", seed=10 * seed)
    package = tk.coreml.Package(path)
    judge, writer = Fidelity(package, 9, 2**30, None, 2, 0), Writer(package, None, 9)
    every = []
    for settings in itertools.product([None, *FEW], repeat=3):
        recipe = {f"w{n}": one for n, one in enumerate(settings) if one}
        levels = [judge.recipe(recipe, part)[0] for part in ("search", "held out")]
        every.append((writer.nbytes(recipe), *levels))
    for goal in (15, 25, 35):
        found = tk.explore(path, out=tmp_path / "out", at_least=goal, settings=FEW)
        best = min(nbytes for nbytes, *levels in every if min(levels) >= goal)
        assert best <= found.nbytes <= 1.01 * best
    budget = int(np.median([nbytes for nbytes, *_ in every]))
    found = tk.explore(path, out=tmp_path / "out", budget=budget, settings=FEW)
    best = max(level for nbytes, level, _ in every if nbytes <= budget)
    assert found.nbytes <= budget and found.recipe.snr_db >= best - 0.5


def test_where_the_held_out_part_fell_short_a_smaller_one_near_that_recipe_is_found(tmp_path):
    path = nets.chain(tmp_path / "Model.mlpackage", (48, 64, 56, 72, 50))
    few = [
        {"technique": "quantize", "bits": 8},
        *({"technique": "palettize", "bits": bits} for bits in (6, 4, 3, 2)),
    ]
    found = tk.explore(path, out=tmp_path / "out", at_least=15, settings=few)
    assert any("which fell short" in note for note in found.notes)
    # Of all 1,296 combinations no smaller one passes; the next one in reserve had 7 % more bytes.
    bits = [few[place - 1]["bits"] for place in (2, 3, 2, 3)]
    assert [setting["bits"] for setting in found.recipe.settings.values()] == bits and found.met


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"budget": 5000}, "the smallest has .* which is the budget that it would take"),
        ({"at_least": 90}, "It would take"),
    ],
)
def test_what_cannot_be_met_gives_the_nearest_and_says_what_it_would_take(asked, said, model, tmp_path):
    found = tk.explore(model, out=tmp_path, settings=FEW[:3], **asked)
    assert not found.met and found.verification.ok and found.package.is_dir()
    assert any(re.search(said, one) for one in found.notes)


def test_inputs_of_ones_own_are_split(model, tmp_path):
    found = tk.explore(model, INPUTS, out=tmp_path / "six", at_least=20, settings=FEW[:3])
    assert (found.judgements[0].samples, found.held_out.samples) == (4, 2)
    single = {"x": INPUTS["x"][0]}
    found = tk.explore(model, single, out=tmp_path / "one", at_least=20, settings=FEW[:3])
    assert found.held_out is None and "nothing is held out" in str(found)


def test_a_metric_judges_and_its_samples_are_what_weights_are_tried_with(model, tmp_path):
    data = {
        part: np.random.default_rng(n).normal(size=(30, 2, 48))
        for n, part in enumerate(("search", "held out"))
    }
    plain = tk.coreml.load(model)
    right = {part: [plain.predict({"x": x})["y2"].argmax(-1) for x in some] for part, some in data.items()}

    def same(predict, part):
        print("asked")
        return [
            bool(one)
            for x, answer in zip(data[part], right[part])
            for one in predict({"x": x})["y2"].argmax(-1) == answer
        ]

    found = tk.explore(model, out=tmp_path, metric=same, at_least=0.9, settings=FEW)
    assert found.met and found.metric.endswith("same") and found.held_out.samples == 60
    assert found.held_out.low < found.held_out.value < found.held_out.high
    assert found.held_out.difference[0] < found.held_out.difference[1] <= 0
    assert "prints" in str(found) and "fidelity" not in str(found)
    with pytest.raises(ValueError, match="itself reaches 1 by"):
        tk.explore(model, out=tmp_path, metric=same, at_least=1.5, settings=FEW)


def test_a_metric_that_is_not_deterministic_is_noticed(model, tmp_path):
    calls = itertools.count()

    def noisy(predict):
        predict({"x": INPUTS["x"][0]})
        return 0.9 + 0.001 * (next(calls) % 7)

    found = tk.explore(model, out=tmp_path, metric=noisy, at_least=0.5, settings=FEW[:2])
    assert "not deterministic" in str(found) and "nothing was held out" in str(found)


def test_a_metric_that_does_not_predict_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="did not call"):
        tk.explore(model, out=tmp_path, metric=lambda predict: 0.5, at_least=0.5)


@pytest.mark.parametrize(
    "given, error, said",
    [
        ({"inputs": {"x": np.zeros((3, 7))}}, ValueError, "shape"),
        ({"inputs": {"z": np.zeros((2, 48))}}, ValueError, "no input 'z'"),
        ({"inputs": {"x": np.full((2, 48), np.nan)}}, ValueError, "has no finite answer to these inputs"),
        ({"inputs": {"x": np.zeros((2, 48))}}, ValueError, "are zero, whatever the weights"),
        ({"inputs": "gone.npz"}, FileNotFoundError, "no file gone.npz"),
        ({"samples": 0}, ValueError, "samples"),
        ({"jobs": 0}, ValueError, "jobs"),
        ({"scheduler": object()}, TypeError, "scheduler must be the address"),
        ({"settings": []}, ValueError, "settings"),
        ({"settings": [{"technique": "shrink"}]}, ValueError, "technique"),
        (
            {"settings": [{"technique": "palettize", "group_size": 5}]},
            ValueError,
            "no weight that can take any",
        ),
        ({"metric": len, "inputs": INPUTS, "at_least": 1}, ValueError, "one of inputs and metric"),
        ({"budget": "10MB", "at_least": 4}, ValueError, "one of budget and at_least"),
    ],
)
def test_what_does_not_fit_is_said(given, error, said, model, tmp_path):
    with pytest.raises(error, match=said):
        tk.explore(model, out=tmp_path / "out", **given)


def test_a_folder_of_somebody_else_is_left_alone(model, tmp_path):
    (tmp_path / "recipe.md").write_text("eggs")
    with pytest.raises(ValueError, match="out must be new"):
        tk.explore(model, out=tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        tk.explore(model, out=tmp_path / "recipe.md")
    with pytest.raises(ValueError, match="lie in the package"):
        tk.explore(model, out=model / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["recipe.md"]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("seed", range(6) if NIGHTLY else [0])
def test_killed_at_a_random_moment_the_same_command_goes_on(seed, first, model, tmp_path):
    code = "import sys, json, toykit as tk\n"
    code += "tk.explore(sys.argv[1], out=sys.argv[2], at_least=20, settings=json.loads(sys.argv[3]))"
    out = tmp_path / "out"
    run = subprocess.Popen([sys.executable, "-c", code, str(model), str(out), json.dumps(FEW)])
    while run.poll() is None and not (out / "measurements.csv").exists():
        time.sleep(0.01)
    time.sleep(random.Random(seed).random())
    run.send_signal(signal.SIGKILL)
    run.wait()
    before = len(rows_of(out))
    found = tk.explore(model, out=out, at_least=20, settings=FEW)
    rows = rows_of(out)
    assert found.recipe == first.recipe and found.met
    assert len({row["key"] for row in rows}) == len(rows) == before + found.measured


@nightly
def test_nightly_several_processes_find_the_same(first, model, tmp_path):
    pytest.importorskip("joblib")
    found = tk.explore(model, out=tmp_path, at_least=20, settings=FEW, jobs=2)
    assert found.recipe == first.recipe and found.measured == first.measured


def test_a_network_of_torch_is_converted(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("coremltools")
    network = torch.nn.Sequential(torch.nn.Linear(48, 64), torch.nn.Dropout(), torch.nn.Linear(64, 48))
    some = [{"x": values[:1]} for values in INPUTS["x"]]
    asked = {"out": tmp_path / "module", "at_least": 20, "settings": FEW[:3]}
    for given, said in (
        (None, "example inputs"),
        ([], "example inputs"),
        ({"x": np.zeros((1, 7), np.float32)}, "cannot be converted with these inputs: mat1"),
        ({"x": some[0]["x"], "y": 1}, "cannot be converted with these inputs: .* positional arguments"),
        ({"x": np.zeros((1, 48), "U1")}, "cannot be converted with these inputs: can't convert np.ndarray"),
    ):
        with pytest.raises(ValueError, match=said):
            tk.explore(network, given, **asked)
    first, again = (tk.explore(network, some[0], **asked) for _ in range(2))
    assert first.met and first.measured and not again.measured  # although it was converted anew
    assert (tmp_path / "module/uncompressed.mlpackage").is_dir()
    assert network.training
    exported = torch.export.export(network.eval(), (torch.zeros(1, 48),))
    asked["out"] = tmp_path / "exported"
    with pytest.raises(ValueError, match="which is 1"):
        tk.explore(exported, {"x": some[0]["x"], "y": 1}, **asked)
    found = tk.explore(exported, some, **asked)
    assert found.met and (found.judgements[0].samples, found.held_out.samples) == (4, 2)


def test_a_recipe_that_falls_short_on_the_held_out_part_alone_is_the_nearest(model, tmp_path):
    """What was found is not denied: it is the goal with something in reserve that no recipe reaches."""
    x = {"x": INPUTS["x"][0]}
    right = tk.coreml.run(model, x)

    def exact(predict, part):
        answers = predict(x)
        same = all(np.array_equal(answers[name], value) for name, value in right.items())
        return 1.0 if same else {"search": 0.9, "held out": 0.8}[part]

    found = tk.explore(model, out=tmp_path, metric=exact, at_least=0.85, settings=FEW)
    assert not found.met and found.recipe.value == 0.9 and found.held_out.value == 0.8
    said = " ".join(found.notes)
    assert "the last one stays" in said and "reaches 0.85" not in said and "as it is has" not in said


def test_what_the_model_itself_does_not_reach_on_the_held_out_part_is_said(model, tmp_path):
    def poor(predict, part):
        predict({"x": INPUTS["x"][0]})
        return {"search": 0.9, "held out": 0.8}[part]

    found = tk.explore(model, out=tmp_path, metric=poor, at_least=0.85, settings=FEW[:2])
    assert (
        not found.met
        and "the model as it is has 0.8 on the held-out part, less than was asked for" in str(found)
    )
