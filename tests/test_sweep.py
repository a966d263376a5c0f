"""Sweeps: what is stored and counted, the cache, and the exact and greedy choices."""

import itertools
import json
import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toykit as tk
from toykit import sweep


@pytest.fixture
def network():
    random = np.random.default_rng(0)
    return {
        "a.weight": random.normal(size=(64, 48, 3)).astype(np.float32),
        "a.bias": random.normal(size=64).astype(np.float32),
        "b.weight": random.laplace(size=(32, 64)).astype(np.float32),
        "small.weight": random.normal(size=(32, 64)).astype(np.float32)[:, :60],
    }


def spread(weights):
    return {"spread": float(np.std(weights["a.weight"])), "sum": float(weights["b.weight"].sum())}


# Settings and what they store.


def test_layers_follow_core_mls_threshold(network):
    network["exactly"] = np.zeros((2, 1024))
    network["one more"] = np.zeros((1, 2049))
    network["vector"] = np.zeros(5000)
    assert sweep.layers(network) == ["a.weight", "one more"]


@pytest.mark.parametrize(
    "setting, function, options",
    [
        ({"technique": "prune", "sparsity": 0.7}, tk.prune, {"sparsity": 0.7}),
        ({"technique": "quantize", "bits": 4}, tk.quantize, {"bits": 4}),
        (
            {"technique": "palettize", "bits": 2, "mode": "uniform"},
            tk.palettize,
            {"bits": 2, "mode": "uniform"},
        ),
    ],
)
def test_apply_is_the_technique(network, setting, function, options):
    before = {name: array.copy() for name, array in network.items()}
    applied = sweep.apply(network, setting)
    alone = function(network["a.weight"].astype(np.float16), **options)
    np.testing.assert_array_equal(applied.weights["a.weight"], alone.dense().astype(np.float32))
    rest = sum(array.size for name, array in network.items() if name != "a.weight")
    assert applied.nbytes == alone.nbytes + 2 * rest
    assert applied.bits_per_weight == 8 * applied.nbytes / sum(array.size for array in network.values())
    for name, array in network.items():
        np.testing.assert_array_equal(array, before[name])
        if name != "a.weight":
            assert applied.weights[name] is array


def test_snr_is_that_of_the_compressed_layers(network):
    applied = sweep.apply(network, {"technique": "quantize", "bits": 3}, only=["a.weight"])
    assert applied.snr_db == pytest.approx(tk.error(network["a.weight"], applied.weights["a.weight"]).snr_db)
    assert sweep.apply({"zero": np.zeros((64, 64))}, {"technique": "float16"}).snr_db == math.inf


def test_joint(network):
    pytest.importorskip("toykit.joint")
    setting = {"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 2}}
    alone = tk.palettize(tk.prune(network["a.weight"].astype(np.float16), sparsity=0.5), bits=2)
    applied = sweep.apply(network, setting)
    np.testing.assert_array_equal(applied.weights["a.weight"], alone.dense().astype(np.float32))
    assert sweep.label(setting) == "prune 50 % + palettize 2-bit"


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"technique": "palettize", "group_size": 1.5}, "group_size must be a whole number"),
        ({"technique": "palettize", "group_size": -7}, "group_size must be a whole number"),
        ({"technique": "palettize", "group_size": math.nan}, "group_size must be a whole number"),
        ({"technique": "palettize", "group_size": 0}, "group_size must be a whole number"),
        (
            {"technique": "quantize", "granularity": "per_block", "block_size": 0},
            "block_size must be a whole number",
        ),
        (
            {"technique": "quantize", "granularity": "per_block", "block_size": (0.5, 16)},
            "block_size must be",
        ),
        ({"technique": "quantize", "signed": "no"}, "signed must be True or False; got 'no'"),
        ({"technique": "quantize", "bits": 1}, "at least 2 bits"),
        ({"technique": "prune", "sparcity": 0.5}, "prune has no option 'sparcity'; it has sparsity,"),
        ({"technique": "prune", "sparsity": 0.5, "weight_threshold": 0}, "no option 'weight_threshold'"),
        ({"technique": "prune", "threshold": "a"}, "threshold must be a number"),
        ({"technique": "joint", "palettize": {"bits": 4}, "prune": {"sparsity": 0.5}}, "in this order"),
        ({"technique": "joint", "prune": 0.5, "palettize": {}}, "prune must be a dictionary"),
        ({"technique": "float16", "bits": 8}, "float16' has no options; got 'bits'"),
    ],
)
def test_a_setting_that_is_wrong_for_every_layer_is_refused(network, setting, message):
    for read in (lambda: sweep.apply(network, setting), lambda: sweep.label(setting)):
        with pytest.raises((TypeError, ValueError), match=message):
            read()


def test_a_grid_of_an_option_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="no option 'sparcity'"):
        sweep.grid("prune", sparcity=(0.1,))


def test_weights_behind_a_mask_are_refused():
    masked = np.ma.array(np.ones((64, 64), np.float32), mask=np.eye(64, dtype=bool))
    with pytest.raises(TypeError, match="without a mask"):
        sweep.apply({"a.weight": masked}, {"technique": "quantize"})


@pytest.mark.parametrize(
    "setting",
    [
        {"technique": "quantize", "bits": 4, "granularity": "per_block", "block_size": 32},
        {"technique": "palettize", "bits": 4, "group_size": 7},
        {"technique": "palettize", "bits": 4, "cluster_dim": 7},
        {"technique": "palettize", "bits": 4, "axis": 3},
        {"technique": "prune", "sparsity": 0.5, "block_size": 5000},
        {"technique": "prune", "n_m": (1, 5000)},
        {"technique": "quantize", "granularity": "per_block", "block_size": (0, 7)},
    ],
)
def test_a_layer_that_cannot_take_a_setting_stays(network, setting):
    applied = sweep.apply(network, setting)
    assert applied.declined == ("a.weight",) and not applied.stored
    assert applied.nbytes == 2 * sum(array.size for array in network.values())
    np.testing.assert_array_equal(applied.weights["a.weight"], network["a.weight"].astype(np.float16))


def test_a_setting_for_each_layer(network):
    applied = sweep.apply(
        network, {"a.weight": {"technique": "palettize", "bits": 1}, "b.weight": {"technique": "float16"}}
    )
    assert list(applied.stored) == ["a.weight"]
    np.testing.assert_array_equal(applied.weights["b.weight"], network["b.weight"].astype(np.float16))


def test_grid_and_labels():
    made = sweep.grid("quantize", bits=(4, 8), granularity=("per_tensor", "per_channel"), signed=True)
    assert len(made) == 4 and made[1]["granularity"] == "per_channel"
    assert sweep.label({"technique": "float16"}) == "float16"
    assert sweep.label({"technique": "prune", "n_m": (2, 4)}) == "prune 2:4"


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"technique": "shrink"}, "technique must be one of 'prune'"),
        ({"bits": 4}, "a setting is a dict like"),
        ("palettize", "a setting is a dict like"),
        ({"technique": "joint", "crush": {}}, "'crush'"),
        ({"technique": "palettize", "bits": 5}, "bits must be"),
        ({"nowhere": {"technique": "float16"}}, "nowhere"),
    ],
)
def test_settings_that_make_no_sense(network, setting, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sweep.apply(network, setting)


@pytest.mark.parametrize("weights", [[1.0], {}, None])
def test_weights_that_make_no_sense(weights):
    with pytest.raises((TypeError, ValueError), match="weights must"):
        sweep.apply(weights, {"technique": "float16"})


def test_torch_module():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Conv2d(16, 32, 3), torch.nn.BatchNorm2d(32))
    before = model[0].weight.clone()
    applied = sweep.apply(model, {"technique": "palettize", "bits": 2})
    assert list(applied.stored) == ["0.weight"] and "1.num_batches_tracked" not in applied.weights
    assert torch.equal(model[0].weight, before)


# Running.


def test_rows_are_tidy_and_in_order(network):
    made = [*sweep.grid("prune", sparsity=(0.5, 0.9)), *sweep.grid("quantize", bits=(8, 4))]
    rows = sweep.run(network, made, spread, workers=3)
    assert rows.column("label") == ["prune 50 %", "prune 90 %", "quantize 8-bit", "quantize 4-bit"]
    assert rows.column("sparsity") == [0.5, 0.9, None, None]
    for row, setting in zip(rows, made, strict=True):
        assert row["spread"] == spread(sweep.apply(network, setting).weights)["spread"]
    assert len(rows.where(technique="prune")) == 2
    assert "spread</th>" in rows._repr_html_()


def test_frame(network):
    rows = sweep.run(network, sweep.grid("prune", sparsity=(0.5, 0.9)), spread)
    try:
        import pandas
    except ImportError:
        with pytest.raises(ImportError, match="pip install 'pandas"):
            rows.frame()
    else:
        assert isinstance(rows.frame(), pandas.DataFrame) and list(rows.frame()["sparsity"]) == [0.5, 0.9]


def test_sensitivity_changes_one_layer(network):
    seen = []

    def metric(weights):
        seen.append([name for name in network if not np.array_equal(weights[name], network[name])])
        return 0.0

    rows = sweep.sensitivity(
        network, sweep.grid("palettize", bits=(1, 2)), metric, only=["a.weight", "b.weight"]
    )
    assert seen == [["a.weight"]] * 2 + [["b.weight"]] * 2
    assert rows.column("layer") == ["a.weight"] * 2 + ["b.weight"] * 2
    for row in rows:
        array = network[row["layer"]]
        assert row["nbytes"] == array.size * row["bits"] // 8 + 2 * 2 ** row["bits"]
        assert row["bits_per_weight"] == 8 * row["nbytes"] / array.size


def test_cache_answers_again_and_resumes(network, tmp_path):
    calls = []

    def metric(weights):
        calls.append(1)
        return spread(weights)

    made = sweep.grid("quantize", bits=(8, 4, 3))
    how = {"cache": tmp_path, "metric_name": "spread v1"}
    first = sweep.run(network, made[:2], metric, **how)
    again = sweep.run(network, made, metric, **how)
    assert len(calls) == 3 and again[:2] == first
    sweep.run(network, made, metric, cache=tmp_path, metric_name="spread v2")
    assert len(calls) == 6
    changed = network | {"a.bias": network["a.bias"] + 1}
    sweep.run(changed, made, metric, **how)
    assert len(calls) == 9
    assert not list(tmp_path.glob("*.part"))


def test_a_damaged_answer_is_measured_again(network, tmp_path):
    how = {"cache": tmp_path, "metric_name": "v1"}
    made = sweep.grid("quantize", bits=8)
    rows = sweep.run(network, made, spread, **how)
    (file,) = tmp_path.iterdir()
    file.write_text('{"spread": 1')
    assert sweep.run(network, made, spread, **how) == rows
    assert json.loads(file.read_text())["spread"] == rows[0]["spread"]


def test_a_failure_names_its_setting_and_keeps_the_rest(network, tmp_path):
    def fails_at_4_bits(weights):
        if len(np.unique(weights["a.weight"])) < 17:
            raise FloatingPointError("the network overflowed")
        return 1.0

    how = {"cache": tmp_path, "metric_name": "v1"}
    with pytest.raises(RuntimeError, match="'bits': 4.*overflowed"):
        sweep.run(network, sweep.grid("palettize", bits=(8, 4)), fails_at_4_bits, **how)
    assert len(list(tmp_path.iterdir())) == 1


def test_workers_run_side_by_side(network):
    meet = threading.Barrier(2, timeout=20)

    def metric(weights):
        meet.wait()
        return 1.0

    assert len(sweep.run(network, sweep.grid("quantize", bits=(8, 4)), metric, workers=2)) == 2


def test_arguments_of_run(network):
    with pytest.raises(ValueError, match="a cache needs metric_name"):
        sweep.run(network, [], spread, cache="somewhere")
    with pytest.raises(ValueError, match="workers"):
        sweep.run(network, [], spread, workers=0)


# Fronts and budgets, against all combinations.


def dominates(a, b):
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_pareto_against_the_definition(points):
    rows = [{"nbytes": x, "within_50": y, "place": i} for i, (x, y) in enumerate(points)]
    front = sweep.pareto(rows)
    wanted = {p for p in points if not any(dominates(q, p) for q in points)}
    assert [(row["nbytes"], row["within_50"]) for row in front] == sorted(wanted)


def test_pareto_wants_numbers():
    with pytest.raises(ValueError, match="column 'within_50'"):
        sweep.pareto([{"nbytes": 1}])
    with pytest.raises(ValueError, match="nbytes"):
        sweep.pareto([{"nbytes": math.nan, "within_50": 1}])


LAYERS = st.lists(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 40)), min_size=1, max_size=5),
    min_size=1,
    max_size=4,
)


def as_options(drawn):
    return {
        f"layer {i}": [(f"option {j}", nbytes, damage / 8) for j, (nbytes, damage) in enumerate(layer)]
        for i, layer in enumerate(drawn)
    }


def all_combinations(options):
    for picked in itertools.product(*options.values()):
        yield sum(nbytes for _, nbytes, _ in picked), sum(damage for _, _, damage in picked)


@settings(max_examples=150)
@given(LAYERS, st.integers(1, 120))
def test_exact_choice_against_all_combinations(drawn, budget):
    options = as_options(drawn)
    within = [(damage, nbytes) for nbytes, damage in all_combinations(options) if nbytes <= budget]
    if not within:
        with pytest.raises(ValueError, match="no combination fits"):
            sweep.choose(options, max_bytes=budget)
        return
    found = sweep.choose(options, max_bytes=budget)
    assert (found.damage, found.nbytes) == min(within)
    greedy = sweep.choose(options, max_bytes=budget, method="greedy")
    assert greedy.nbytes <= budget and greedy.damage >= found.damage


@settings(max_examples=100)
@given(LAYERS, st.integers(0, 120))
def test_a_budget_of_damage(drawn, budget):
    options = as_options(drawn)
    within = [(nbytes, damage) for nbytes, damage in all_combinations(options) if damage <= budget / 8]
    if within:
        found = sweep.choose(options, max_damage=budget / 8)
        assert (found.nbytes, found.damage) == min(within)


@given(LAYERS)
def test_frontier_against_the_definition(drawn):
    options = as_options(drawn)
    points = set(all_combinations(options))
    wanted = {p for p in points if not any(q[0] <= p[0] and q[1] <= p[1] and q != p for q in points)}
    assert {(c.nbytes, c.damage) for c in sweep.frontier(options)} == wanted


def test_greedy_can_miss_the_optimum():
    """It takes the cheap step first and then has to pay for the large one all the same."""
    options = {"a": [(8, 10, 0.0), (4, 5, 1.0)], "b": [(8, 30, 0.0), (4, 10, 5.0)]}
    assert sweep.choose(options, max_bytes=25).settings == {"a": 8, "b": 4}
    assert sweep.choose(options, max_bytes=25, method="greedy").damage == 6.0


@pytest.mark.parametrize(
    "options, budget, message",
    [
        ({}, {"max_bytes": 1}, "at least one layer"),
        ({"a": []}, {"max_bytes": 1}, "'a' of options has no option"),
        ({"a": [(0, 1, math.nan)]}, {"max_bytes": 1}, "damage in options.*; got nan"),
        ({"a": [(0, 1, 0.0)]}, {}, "give one budget"),
        ({"a": [(0, 1, 0.0)]}, {"max_bytes": 1, "max_damage": 1}, "give one budget"),
        ({"a": [(0, 5, 0.5)]}, {"max_bytes": 1}, "the smallest has 5 bytes"),
        ({"a": [(0, 5, 0.5)]}, {"max_bytes": 9, "method": "magic"}, "method must be one of"),
    ],
)
def test_budgets_that_make_no_sense(options, budget, message):
    with pytest.raises(ValueError, match=message):
        sweep.choose(options, **budget)


def test_candidates_out_of_a_sensitivity_sweep(network):
    rows = sweep.sensitivity(
        network, sweep.grid("palettize", bits=(1, 2)), spread, only=["a.weight", "b.weight"]
    )
    options = sweep.candidates(rows, lambda row: -row["snr_db"], keep=("technique", "bits"))
    assert list(options) == ["a.weight", "b.weight"]
    assert options["a.weight"][1][0] == {"technique": "palettize", "bits": 2}
    chosen = sweep.choose(options, max_bytes=sum(max(n for _, n, _ in o) for o in options.values()))
    assert sweep.apply(network, chosen.settings).stored.keys() == {"a.weight", "b.weight"}


# Files.


def test_files_keep_everything(network, tmp_path):
    made = [*sweep.grid("palettize", bits=(1, 2), mode="uniform"), {"technique": "prune", "sparsity": 0.5}]
    rows = sweep.run(network, made, spread)
    sweep.write(tmp_path / "rows.csv", rows, made)
    again = sweep.read(tmp_path / "rows.csv")
    assert again.column("setting") == made and again.column("bits") == [1, 2, None]
    assert again.column("nbytes") == rows.column("nbytes")
    np.testing.assert_allclose(again.column("spread"), rows.column("spread"), rtol=1e-8)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_files_of_single_layers_and_of_recipes(network, tmp_path):
    made = sweep.grid("quantize", bits=(8, 4))
    rows = sweep.sensitivity(network, made, spread, only=["a.weight"])
    sweep.write(tmp_path / "layers.csv", rows, made, ("layer",))
    assert sweep.read(tmp_path / "layers.csv").column("layer") == ["a.weight"] * 2
    recipe = {"a.weight": made[0], "b.weight": made[1]}
    sweep.write(tmp_path / "mixed.csv", sweep.run(network, [recipe], spread), [recipe])
    (row,) = sweep.read(tmp_path / "mixed.csv")
    assert row["setting"] == recipe and row["technique"] == row["label"] == "mixed"


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="make data"):
        sweep.read(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match="a setting in settings for every one of rows"):
        sweep.write(tmp_path / "rows.csv", [], [])
