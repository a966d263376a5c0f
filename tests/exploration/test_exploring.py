"""`tk.explore` as a whole: what lies in the folder is what the result says, and is what was asked for."""

import numpy as np
import pytest

import toykit as tk
from tests.exploration import nets

FEW = [
    {"technique": "quantize", "bits": 8},
    {"technique": "palettize", "bits": 6},
    {"technique": "palettize", "bits": 4},
    {"technique": "palettize", "bits": 2},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return nets.chain(tmp_path_factory.mktemp("model") / "Model.mlpackage")


def test_what_is_found_is_written_verified_and_judged_by_inputs_that_it_was_not_sought_with(model, tmp_path):
    found = tk.explore(model, out=tmp_path / "out", at_least="25dB", settings=FEW)
    assert found.met and found.verification.ok and found.nbytes < found.nbytes_before
    assert found.held_out.value >= 25 and found.held_out.samples == 2
    package = tk.coreml.Package(found.package)
    assert package.nbytes == found.nbytes == found.recipe.nbytes
    inputs = [{"x": np.random.default_rng(n).normal(size=(2, 48))} for n in range(9)]
    assert tk.coreml.compare(package, model, inputs).worst > 15
    again = tk.coreml.compress(model, tmp_path / "out/recipe.toml")
    assert [one.packed.tobytes() for one in again.weight_blobs] == [
        one.packed.tobytes() for one in package.weight_blobs
    ]


def test_a_second_run_measures_nothing_and_another_budget_no_weight(model, tmp_path):
    first = tk.explore(model, out=tmp_path / "out", at_least=20, settings=FEW)
    again = tk.explore(model, out=tmp_path / "out", at_least=20, settings=FEW)
    assert first.measured and not again.measured and again.recipe == first.recipe
    other = tk.explore(model, out=tmp_path / "out", budget=first.nbytes + 2000, settings=FEW)
    rows = (tmp_path / "out/measurements.csv").read_text().splitlines()
    assert sum(",alone," in row for row in rows) == 3 * len(FEW)
    assert other.met and other.nbytes <= first.nbytes + 2000
    assert len({row.split(",")[0] for row in rows}) == len(rows)
