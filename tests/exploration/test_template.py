"""The template "A model of my own": with its three cells edited it runs as a whole, on two networks."""

import json

import nbformat
import pytest

from book._tools import workshop
from book._tools.execute import execute
from book._tools.project import TEMPLATES
from tests.exploration import nets
from toykit.coreml import Package

TEMPLATE = TEMPLATES / "own_model.ipynb"
PLACES = ("edit-model", "edit-inputs", "edit-budget")
FEW = '[{"technique": "quantize", "bits": 8}, {"technique": "palettize", "bits": 4}]'
BUDGET = 'budget, at_least, target, unit = {}, {}, "iOS18", None\nout, settings = Path("mine"), {}'
AGREES = """
inputs = None
original = tk.coreml.load(model)


def metric(predict, part):
    rng = np.random.default_rng(part == "search")
    for _ in range(12):
        x = {"x": rng.normal(size=(2, 48))}
        (ours,), (theirs,) = predict(x).values(), original.predict(x).values()
        yield bool((ours.argmax(1) == theirs.argmax(1)).all())
"""
NETWORKS = {
    "fidelity, on inputs of one's own, within a budget": (
        (48, 64, 56, 64),
        "inputs = [{'x': np.full((2, 48), n + 1.0)} for n in range(6)]\nmetric = None",
        BUDGET.format("'12kB'", None, FEW),
    ),
    "a metric, as small as can be": ((48, 80, 32), AGREES, BUDGET.format(None, 0.5, FEW)),
}


def edited(path, cells):
    """A copy of the template with other cells in the three places."""
    notebook = nbformat.read(TEMPLATE, 4)
    for place, source in cells.items():
        (cell,) = (one for one in notebook.cells if place in one.metadata.get("tags", ()))
        cell.source = source
    nbformat.write(notebook, path)
    return path


def test_there_are_three_places_and_nothing_was_run():
    notebook = nbformat.read(TEMPLATE, 4)
    nbformat.validate(notebook)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", ())]
    assert tuple(tags) == PLACES
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert sum("**Edit.**" in cell.source for cell in notebook.cells) == 3


@pytest.mark.parametrize("name", NETWORKS)
def test_it_runs_on_a_network_of_ones_own(name, tmp_path):
    sizes, inputs, budget = NETWORKS[name]
    model = nets.chain(tmp_path / "Model.mlpackage", sizes)
    before = Package(model).nbytes
    path = edited(
        tmp_path / "mine.ipynb",
        dict(zip(PLACES, (f"model = {str(model)!r}", inputs, budget), strict=True)),
    )
    execute(path)
    small = Package(tmp_path / "mine/compressed.mlpackage")
    assert small.nbytes < before
    shown = json.dumps(nbformat.read(path, 4).cells)
    assert f"| bytes | {small.nbytes:,} |" in shown and "is verified against" in shown
    assert "NOT verified" not in shown


def test_the_learners_copies_bring_it(tmp_path):
    workshop.make([], tmp_path)
    assert (tmp_path / "templates/own_model.ipynb").read_bytes() == TEMPLATE.read_bytes()
