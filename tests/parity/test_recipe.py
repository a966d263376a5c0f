"""A setting for each layer: coremltools stores in the package what the recipe predicted."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import toykit as tk
from toykit import sweep

DATA = Path(__file__).parents[2] / "notebooks" / "data"

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools")


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv1d(16, 64, 5)
        self.second = torch.nn.Conv1d(64, 64, 3)
        self.third = torch.nn.Conv1d(64, 48, 3)
        self.fourth = torch.nn.Conv1d(48, 48, 3)
        self.head = torch.nn.Linear(48, 96)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        return self.head(torch.relu(self.fourth(torch.relu(self.third(x)))).mean(-1))


RECIPE = {
    "first.weight": {"technique": "palettize", "bits": 2, "mode": "uniform"},
    "second.weight": {"technique": "prune", "sparsity": 0.7},
    "third.weight": {"technique": "quantize", "bits": 8, "granularity": "per_channel"},
    "fourth.weight": {
        "technique": "joint",
        "prune": {"sparsity": 0.6},
        "palettize": {"bits": 4, "mode": "uniform"},
    },
    "head.weight": {"technique": "float16"},
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Small().eval()


@pytest.fixture(scope="module")
def package(model):
    return tk.coreml.convert(model, torch.zeros(1, 16, 40), target="iOS18", check=False)


def test_each_layer_is_stored_as_predicted(model, package, tmp_path):
    stored = tk.coreml.Package(
        tk.coreml.save(tk.coreml.compress_layers(package, RECIPE), tmp_path / "a.mlpackage")
    )
    found = Counter(blob.nbytes for blob in stored.weight_blobs)
    predicted = sweep.apply(model, RECIPE)
    assert list(predicted.stored) == ["first.weight", "second.weight", "third.weight", "fourth.weight"]
    # Arrays of fewer than ten elements, such as a table of four, are written into the program instead.
    parts = Counter(p.nbytes for c in predicted.stored.values() for p in c.parts.values() if p.size >= 10)
    assert parts - found == Counter()
    assert 2 * 48 * 96 in found


def test_configurations_name_the_constants(package):
    found = tk.coreml.configurations(package, RECIPE)
    assert [(technique, joint, list(config.op_name_configs)) for technique, joint, config in found] == [
        ("palettize", False, ["first_weight_to_fp16"]),
        ("prune", False, ["second_weight_to_fp16", "fourth_weight_to_fp16"]),
        ("quantize", False, ["third_weight_to_fp16"]),
        ("palettize", True, ["fourth_weight_to_fp16_sparsified"]),
    ]


def test_only_float16_leaves_the_package_alone(package):
    assert tk.coreml.configurations(package, {"head.weight": {"technique": "float16"}}) == []


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"fifth.weight": {"technique": "palettize", "bits": 2}}, "no constant for layer 'fifth.weight'"),
        (
            {
                "head.weight": {
                    "technique": "joint",
                    "palettize": {"bits": 2},
                    "quantize": {"bits": 8, "granularity": "per_tensor"},
                }
            },
            "pruning and one more",
        ),
        ({"head.weight": {"technique": "palettize", "bits": 5}}, "bits"),
        ({"head.weight": {"technique": "quantize", "axis": 1}}, "axis cannot be said to coremltools"),
    ],
)
def test_recipes_that_make_no_sense(package, settings, message):
    with pytest.raises(ValueError, match=message):
        tk.coreml.configurations(package, settings)


def test_the_exact_choice_for_crepe_has_the_predicted_bytes(tmp_path):
    """CREPE's recipe of chapter 6 at 2.5 bits: the indices of seven layers, to the byte."""
    rows = sweep.read(DATA / "crepe_layers.csv").where(technique="palettize")
    options = sweep.candidates(rows, "tune_changed", keep=("technique", "bits", "mode"))
    weights = tk.models.crepe_weights()
    choice = sweep.choose(options, max_bytes=2.5 * sum(weights[name].size for name in options) / 8)
    predicted = sweep.apply(weights, choice.settings)
    assert choice.nbytes == sum(compressed.nbytes for compressed in predicted.stored.values())
    network = tk.coreml.convert(tk.models.crepe(), torch.zeros(1, 1024), target="iOS18", check=False)
    stored = tk.coreml.Package(
        tk.coreml.save(tk.coreml.compress_layers(network, choice.settings), tmp_path / "c.mlpackage")
    )
    indices = sorted(c.parts["indices"].nbytes for c in predicted.stored.values())
    assert sorted(blob.nbytes for blob in stored.weight_blobs)[-7:] == indices
    assert np.isclose(stored.nbytes, predicted.nbytes, rtol=0.01)


def test_compress_takes_a_plan_for_each_layer_and_reports_progress(package):
    seen = []
    by_plan = tk.coreml.compress(package, RECIPE, progress=lambda done, total: seen.append((done, total)))
    by_layers = tk.coreml.compress_layers(package, RECIPE)
    one, two = (tk.coreml.weights(mlmodel) for mlmodel in (by_plan, by_layers))
    assert list(one) == list(two)
    for name, value in one.items():
        if hasattr(value, "parts"):
            for part, array in value.parts.items():
                np.testing.assert_array_equal(array, two[name].parts[part])
    assert seen == [(done, len(seen)) for done in range(1, len(seen) + 1)]
    # Each of coremltools' passes counts its own weights: three techniques, and one over what was pruned.
    seen.clear()
    report = lambda done, total: seen.append((done, total))
    theirs = tk.coreml.weights(tk.coreml.compress(package, RECIPE, engine="coremltools", progress=report))
    assert sum(done == total for done, total in seen) == 4
    assert list(theirs) == list(one) and all(
        np.array_equal(value.dense(), theirs[name].dense())
        for name, value in one.items()
        if hasattr(value, "parts")
    )
    with pytest.raises(TypeError, match="bits"):
        tk.coreml.compress(package, RECIPE, bits=4)


class _FullDisk:
    package_path = "somewhere"

    def save(self, path):
        Path(path).mkdir()
        (Path(path) / "half").write_text("written")
        raise OSError("no space left on device")


def test_a_package_that_is_there_survives_when_saving_fails(package, tmp_path):
    path = tk.coreml.save(package, tmp_path / "kept.mlpackage")
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    with pytest.raises(OSError, match="no space"):
        tk.coreml.save(_FullDisk(), path)
    assert before == {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert [file.name for file in tmp_path.iterdir()] == ["kept.mlpackage"]


def test_saving_replaces_a_package_and_nothing_else(package, tmp_path):
    path = tk.coreml.save(package, tmp_path / "p.mlpackage")
    small = tk.coreml.compress(package, "quantize")
    assert (
        tk.coreml.Package(tk.coreml.save(small, path)).nbytes < tk.coreml.Package(package.package_path).nbytes
    )
    (tmp_path / "photos.mlpackage").mkdir()
    with pytest.raises(ValueError, match="Manifest.json"):
        tk.coreml.save(package, tmp_path / "photos.mlpackage")
