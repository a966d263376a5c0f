"""A disk that takes no more, at each file of an exploration: a sentence, nothing half-written, no measurement lost."""

import csv

import pytest

import toykit as tk
from tests.exploration import nets

resource = pytest.importorskip("resource")
FEW = [{"technique": "quantize", "bits": 8}, {"technique": "palettize", "bits": 4}]
BUDGETS = 14_000, 20_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return nets.chain(tmp_path_factory.mktemp("model") / "Model.mlpackage")


def said(model, out, room):
    """What is said where no file may grow beyond so many bytes; "" if all goes well."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))  # the signal Python leaves alone
    try:
        tk.explore(model, out=out, budget=BUDGETS[1], settings=FEW)
    except OSError as error:
        return str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    return ""


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".explore.lock"
    }


def test_a_disk_that_is_full_from_the_start_costs_no_measurement(model, tmp_path):
    out = tmp_path / "out"
    for room in (50, 900):  # less than the names of the columns; some lines
        assert said(model, out, room).startswith(
            f"{out / 'measurements.csv'} takes no more (EFBIG: is the disk full?)"
        )
    found = tk.explore(model, out=out, budget=BUDGETS[1], settings=FEW)
    with (out / "measurements.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["key"] for row in rows}) == len(rows) > found.measured > 0


def test_each_file_is_there_whole_or_as_it_was(model, tmp_path):
    out = tmp_path / "out"
    for budget in reversed(BUDGETS):  # so that all is measured
        tk.explore(model, out=out, budget=budget, settings=FEW)
    before = contents(out)
    for room, name in ((500, "recipe.toml"), (5000, "compressed.mlpackage")):
        sentence = said(model, out, room)
        assert sentence.startswith(f"{out / name} was not written: File too large. What was")
        assert sentence.endswith("What was measured is kept, and the same command goes on from there")
        assert contents(out) == before
    sentence = said(model, out, 30_000)
    assert sentence.startswith(f"{out / 'report.html'} was not written: File too large. What was measured is")
    after = contents(out)
    assert "report.html" not in after  # that of the other budget would tell of another package
    assert after["measurements.csv"] == before["measurements.csv"]
    assert after["recipe.toml"] != before["recipe.toml"]
    assert not tk.verify(out / "compressed.mlpackage", model).problems
    assert said(model, out, 2**24) == "" and set(contents(out)) == set(before)
