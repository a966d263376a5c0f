"""Packages of several functions, which share weights: weighed, compressed and run, each function."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from torch import nn

import toykit as tk
from toykit import cli
from toykit._quiet import coremltools, quiet

ct = coremltools()
PLANS = {
    "int8": ("quantize", {"bits": 8}),
    "int4 in blocks": ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 32}),
    "palette": ("palettize", {"bits": 4}),
    "grouped": ("palettize", {"bits": 4, "group_size": 16}),
    "pruned": ("prune", {"sparsity": 0.5}),
    "joint": ("joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4}}),
}
of_each = pytest.mark.parametrize("name", PLANS)


@pytest.fixture(scope="module")
def singles(tmp_path_factory):
    """A body that two networks share, with a head each; the second takes three rows."""
    folder = tmp_path_factory.mktemp("singles")
    torch.manual_seed(0)
    body, found = nn.Linear(64, 64), {}
    for name, rows in (("small", 1), ("large", 3)):
        network = nn.Sequential(body, nn.ReLU(), nn.Linear(64, 48)).eval()
        mlmodel = tk.coreml.convert(network, torch.zeros(rows, 64), "iOS18", check=False)
        found[name] = tk.coreml.save(mlmodel, folder / f"{name}.mlpackage")
    return found


@pytest.fixture(scope="module")
def path(singles, tmp_path_factory):
    description = ct.utils.MultiFunctionDescriptor()
    for name, single in singles.items():
        description.add_function(str(single), "main", name)
    description.default_function_name = "large"
    path = tmp_path_factory.mktemp("functions") / "both.mlpackage"
    with quiet():
        ct.utils.save_multifunction(description, str(path))
    return path


def answer(package, function=None):
    model = tk.coreml.load(package, function=function)
    ((name, feature),) = model.inputs.items()
    (value,) = model.predict({name: np.random.default_rng(0).normal(size=feature.shape)}).values()
    return value


def test_what_is_shared_weighs_once(path):
    ledger = tk.size.ledger(path)
    assert ledger.nbytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    assert {row.name.partition("/")[0] for row in ledger.rows} == {"small", "large"}
    assert sum(row.nbytes for row in ledger.rows) == 2 * (64 * 64 + 64 + 2 * (48 * 64 + 48))
    assert len({row.name for row in ledger.rows}) == len(ledger.rows) == 6
    assert len(tk.coreml.weights(path)) == 8


def test_the_command_line_says_its_sizes(path, capsys):
    assert cli.main(["size", str(path)]) == 0
    assert "times smaller" in capsys.readouterr().out


@of_each
def test_what_is_predicted_is_written(path, name):
    plan, options = PLANS[name]
    predicted, small = tk.size.ledger(path).after(plan, **options), tk.coreml.compress(path, plan, **options)
    assert predicted.nbytes == small.nbytes and predicted.exact
    assert predicted.rows == tk.size.ledger(small).rows


@of_each
def test_each_function_answers_as_if_it_were_alone(path, singles, name):
    plan, options = PLANS[name]
    small = tk.coreml.compress(path, plan, **options)
    for function, single in singles.items():
        alone = tk.coreml.compress(single, plan, **options)
        assert np.array_equal(answer(small, function), answer(alone))
        mlmodel = ct.models.MLModel(str(small.path), function_name=function, skip_model_load=True)
        assert mlmodel.function_name == function


@of_each
def test_what_is_shared_is_stored_once(path, singles, name):
    """Every array that one function would have alone, and those of the other's head, and no more."""
    plan, options = PLANS[name]
    small = tk.coreml.compress(path, plan, **options)
    alone = {key: tk.coreml.compress(single, plan, **options) for key, single in singles.items()}
    stored = [sorted(blob.packed.tobytes() for blob in one.weight_blobs) for one in (small, *alone.values())]
    body = [blob for blob in stored[1] if blob in stored[2]]
    assert stored[0] == sorted(stored[1] + [blob for blob in stored[2] if blob not in body])


def test_a_plan_names_the_function(path):
    name = next(row.name for row in tk.size.ledger(path).rows if row.parameters == 48 * 64)
    small = tk.coreml.compress(path, {name: {"technique": "palettize", "bits": 2}})
    assert [row.name for row in tk.size.ledger(small).rows if row.form] == [name.replace("var_", "op_")]


@pytest.mark.parametrize(
    "names, forms",
    [
        (["0.weight", "2.weight"], 3),
        (["2.weight"], 2),
        (["small/2.weight"], 1),
        (["small/2.weight", "large/2.weight"], 2),
    ],
)
def test_a_layer_of_torch_is_that_of_every_function(path, names, forms):
    setting = {"technique": "quantize", "bits": 8}
    small = tk.coreml.compress(path, dict.fromkeys(names, setting))
    assert len([row for row in tk.size.ledger(small).rows if row.form]) == forms


def test_an_unknown_layer_is_answered_with_those_that_are_there(path):
    with pytest.raises(
        ValueError, match="no constant for layer '7.weight'; did you mean .*small/var_0_weight"
    ):
        tk.coreml.compress(path, {"7.weight": {"technique": "quantize", "bits": 8}})


def test_a_shared_weight_that_one_function_compresses(path):
    """The other keeps it as it was: both are stored."""
    shared = next(row.name for row in tk.size.ledger(path).rows if row.parameters == 64 * 64)
    small = tk.coreml.compress(path, {shared: {"technique": "quantize", "bits": 8}})
    function, other = shared.partition("/")[0], {"small": "large", "large": "small"}[shared.partition("/")[0]]
    assert np.array_equal(answer(small, other), answer(path, other))
    assert not np.array_equal(answer(small, function), answer(path, function))


def test_functions_are_told_apart_by_their_masks():
    """Operations whose large arrays are equal and whose earlier results differ are not one."""
    from toykit.coreml.writing.store import Store
    from toykit.stored.parts import Part

    store = Store("@model_path/weights/weight.bin")
    store.together = True
    arrays = [np.full(200, fill, np.uint8) for fill in (1, 2)]
    masks = [Part("uint8", (200,), array.tobytes()) for array in arrays]
    table = Part("float16", (200,), np.arange(200, dtype=np.float16).tobytes())
    places = []
    for scope, mask in enumerate(masks):
        store.values(scope, "first", ["w_mask"], {"data": mask})
        values = store.values(scope, "second", ["w"], {"mask": "w_mask", "table": table})
        places.append(values["table"].blob.offset)
        assert values["mask"] == "w_mask"
    assert len(store.blobs) == 3 and places[0] == places[1]


def test_coremltools_is_not_asked(path):
    with pytest.raises(ValueError, match="both.mlpackage has several functions.*engine='toykit' does"):
        tk.coreml.compress(path, "quantize", bits=8, engine="coremltools")


def test_what_looks_at_one_function_takes_the_one_that_the_package_names(path):
    from toykit.coreml.view.graph import read_graph

    assert read_graph(path).inputs == read_graph(path, "large").inputs != read_graph(path, "small").inputs
    with pytest.raises(ValueError, match="function must be one of the package's: .*'small'"):
        read_graph(path, "medium")


def test_activations_say_what_to_do(path):
    with pytest.raises(ValueError, match="with each, before coremltools.utils.save_multifunction joins them"):
        tk.coreml.quantize_activations(path, [{}])
