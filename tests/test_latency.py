"""The roofline against sums done by hand, the fit against its own model, and fair timing."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toykit import latency
from toykit.latency import Chip, Format, Layer, computer, measuring, published, timing
from toykit.latency.chips import IPHONE_15_PRO

PUBLISHED = Path(__file__).parents[1] / "notebooks" / "data" / "apple_published.csv"
FC = Layer("fc", (1000, 2048), 2_048_000, 2048, 1000)
CONV = Layer("conv", (64, 64, 3, 3), 36_864 * 56**2, 64 * 56**2, 64 * 56**2)
CHIP = Chip("round numbers", operations=1e12, bandwidth=10e9, int8_speed=2, table_cost=1e-6, overhead=1e-3)


# ---------------------------------------------------------------- roofline
def test_one_layer_by_hand():
    one = timing([FC], CHIP)
    assert one.memory[0] == pytest.approx(4_096_000 / 10e9)
    assert one.compute[0] == pytest.approx(4_096_000 / 1e12)
    assert one.total == pytest.approx(4_096_000 / 10e9 + 1e-3)
    assert one.bottleneck == ("memory",)
    assert timing([CONV], CHIP).bottleneck == ("compute",)
    assert "modelled" in repr(one)


def test_each_strategy():
    four = Format(bits=4, table=True, group_size=8)
    assert four.tables(FC) == 125
    just = timing([FC], CHIP, four, "just_in_time")
    ahead = timing([FC], CHIP, four, "ahead_of_time")
    assert just.memory[0] == pytest.approx((1_024_000 + 125 * 32) / 10e9)
    assert just.tables[0] == pytest.approx(125e-6)
    assert ahead.layers == pytest.approx(timing([FC], CHIP).layers)
    assert ahead.load == pytest.approx((1_024_000 + 125 * 32 + 4_096_000) / 10e9)
    both = timing([CONV], CHIP, Format(bits=8), "int8_int8")
    assert both.compute[0] == pytest.approx(timing([CONV], CHIP).compute[0] / 2)


def test_a_format_for_each_layer():
    formats = {"fc": Format(bits=4, table=True), "conv": Format(sparsity=0.5)}
    chip = replace(CHIP, zero_skipping=0.5)
    both = timing([FC, CONV], chip, formats)
    alone = [timing([FC], chip, formats["fc"]), timing([CONV], chip, formats["conv"])]
    for part in ("compute", "memory", "tables"):
        assert getattr(both, part) == pytest.approx(np.concatenate([getattr(one, part) for one in alone]))
    with pytest.raises(ValueError, match="no entry for the layers conv; it has fc"):
        timing([FC, CONV], chip, {"fc": Format()})


@pytest.mark.parametrize(
    "setting",
    (
        {"technique": "float16"},
        {"technique": "prune", "sparsity": 0.75},
        {"technique": "quantize", "bits": 8},
        {"technique": "quantize", "bits": 4, "granularity": "per_block", "block_size": 32},
        {"technique": "palettize", "bits": 2, "group_size": 8},
        {"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 4}},
    ),
)
def test_format_of_a_setting_has_the_bytes_of_the_sweep(setting):
    from toykit import sweep

    weights = np.random.default_rng(0).normal(0, 1, (64, 128)).astype(np.float32)
    layer = Layer("fc", (64, 128), 8192, 128, 64)
    stored = sweep.apply({"fc.weight": weights}, setting).nbytes
    modelled = latency.format_of(setting).nbytes(layer)
    assert abs(stored - modelled) <= 2 * 64  # at most a scale a channel apart
    recipe = latency.format_of({"fc.weight": setting})
    assert timing([layer], CHIP, recipe).total == timing([layer], CHIP, latency.format_of(setting)).total


def test_format_of_nothing_known():
    for setting, message in (
        ({"technique": "distil"}, "technique must be one of 'prune'"),
        ({"technique": "joint"}, "two or three of prune, palettize and quantize"),
        ({"bits": 4}, "a setting is a dict like"),
        ({"technique": "prune", "threshold": 0.1}, "a threshold does not"),
        ({"technique": "palettize", "mode": "unique"}, "the bits of one weight"),
        ({"technique": "palettize", "cluster_dim": 2}, "the bits of one weight"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            latency.format_of(setting)


@pytest.mark.parametrize(
    "setting, expected",
    [
        ({"technique": "prune", "n_m": (2, 4)}, Format(sparsity=0.5)),
        ({"technique": "quantize"}, Format(bits=8)),
        ({"technique": "palettize"}, Format(bits=4, table=True)),
        ({"technique": "quantize", "granularity": "per_block"}, Format(bits=8.5)),
        ({"technique": "quantize", "granularity": "per_block", "block_size": (1, 16)}, Format(bits=9)),
        ({"technique": "quantize", "granularity": "per_block", "block_size": (0, 16)}, Format(bits=8)),
        ({"technique": "joint", "prune": {"n_m": (1, 4)}, "quantize": {}}, Format(bits=8, sparsity=0.25)),
    ],
)
def test_a_setting_means_what_the_techniques_make_of_it(setting, expected):
    assert latency.format_of(setting) == expected


def test_activations_count_where_they_go_through_memory():
    outside = replace(CHIP, activations_in_memory=True)
    more = timing([CONV], outside, batch=3).memory - timing([CONV], CHIP, batch=3).memory
    assert more == pytest.approx(3 * 2 * 2 * 64 * 56**2 / 10e9)
    half = timing([CONV], outside, Format(bits=8), "int8_int8").memory
    assert half == pytest.approx((36_864 + 2 * 64 * 56**2) / 10e9)


def test_groups_that_do_not_divide_stay_float16():
    assert Format(bits=4, table=True, group_size=16).nbytes(FC) == 4_096_000
    assert Format(bits=4, table=True, group_size=16).tables(FC) == 0


def test_skipping_zeros_saves_operations_just_in_time_only():
    chip = replace(CHIP, zero_skipping=0.5)
    for when, left in (("just_in_time", 0.7), ("ahead_of_time", 1)):
        found = timing([CONV], chip, Format(sparsity=0.6), when)
        assert found.compute[0] == pytest.approx(left * timing([CONV], CHIP).compute[0])


@given(st.integers(1, 300), st.sampled_from((1, 2, 4, 8, 16)))
def test_intensity_meets_the_ridge_where_the_bottleneck_turns(batch, bits):
    above = latency.intensity(FC, Format(bits=bits), batch, activations=False) >= CHIP.ridge
    bottleneck = "compute" if above else "memory"
    assert timing([FC], CHIP, Format(bits=bits), batch=batch).bottleneck == (bottleneck,)


@given(st.integers(1, 64), st.sampled_from((1, 2, 4, 8)))
def test_fewer_bits_are_never_slower_but_for_tables(batch, bits):
    both = [FC, CONV]
    assert timing(both, CHIP, Format(bits=bits), batch=batch).total <= timing(both, CHIP, batch=batch).total


@pytest.mark.parametrize(
    "call, message",
    (
        (lambda: timing([], CHIP), "at least one"),
        (lambda: timing([FC], CHIP, when="later"), "just_in_time"),
        (lambda: timing([FC], CHIP, batch=0), "batch"),
        (lambda: Format(bits=0), "bits"),
        (lambda: Format(sparsity=50), "sparsity"),
        (lambda: Format(group_size=0), "group_size"),
        (lambda: Chip("x", 0, 1), "operations must be a number above 0"),
        (lambda: latency.intensity(FC, batch=0), "batch"),
    ),
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- layers of networks
def test_resnet50_by_arithmetic_is_the_module():
    pytest.importorskip("torch")
    from toykit.models import resnet50

    assert latency.layers(resnet50(device="meta"), (1, 3, 224, 224)) == latency.resnet50_layers()


def test_mobilenet_has_its_published_size():
    layers = latency.mobilenet_v2_layers()
    # The paper: 3.4 million parameters and 300 million multiply-adds, without batch norms and biases.
    assert sum(layer.weights for layer in layers) == 3_469_760
    assert sum(layer.macs for layer in layers) == 300_774_272


def test_kinds_of_layer():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv1d(4, 8, 3, groups=2, padding=1),
        nn.ConvTranspose1d(8, 6, 2, stride=2),
        nn.Flatten(),
        nn.Linear(60, 5),
    )
    conv, up, fc = latency.layers(net, (1, 4, 5))
    assert (conv.shape, conv.macs, conv.inputs, conv.outputs) == ((8, 2, 3), 8 * 2 * 3 * 5, 20, 40)
    assert (up.shape, up.macs, up.outputs) == ((6, 8, 2), 6 * 8 * 2 * 5, 60)
    assert fc.macs == 300


def test_layers_of_a_package(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("coremltools")
    from toykit import coreml

    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ConvTranspose2d(8, 8, 2, stride=2, groups=2),
        nn.Flatten(),
        nn.Linear(8 * 144, 30),
    ).eval()
    path = tmp_path / "net.mlpackage"
    coreml.save(coreml.convert(net, torch.zeros(1, 3, 6, 6)), path)
    of_module = latency.layers(net, (1, 3, 6, 6))
    of_package = latency.layers(path)
    key = [(layer.shape, layer.macs, layer.inputs, layer.outputs) for layer in of_module]
    assert [(layer.shape, layer.macs, layer.inputs, layer.outputs) for layer in of_package] == key


def test_bad_sources():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="torch module or the path"):
        latency.layers(3)
    with pytest.raises(ValueError, match="input_shape"):
        latency.layers(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="batch of 1"):
        latency.layers(torch.nn.Linear(2, 2), (4, 2))
    with pytest.raises(ValueError, match="no convolution or linear layer"):
        latency.layers(torch.nn.ReLU(), (1, 2))
    with pytest.raises(FileNotFoundError, match="no package"):
        latency.layers("nowhere.mlpackage")


# ---------------------------------------------------------------- fits
def test_every_row_of_the_table_is_understood():
    rows = latency.read_published(PUBLISHED)
    assert len(rows) == 53
    assert all(0 < row.seconds < 7e-3 for row in rows)
    assert {row.system for row in rows} == {"iOS 17", "iOS 18 seed"}
    with pytest.raises(ValueError, match="no known kind"):
        published.read_config("magic")
    with pytest.raises(ValueError, match="no row"):
        latency.read_published(PUBLISHED, model="VGG")


def same(fitted, chip):
    """Whether a chip of the library is the one that was fitted."""
    names = ("operations", "bandwidth", "int8_speed", "table_cost", "zero_skipping", "overhead")
    alike = [getattr(fitted, name) == pytest.approx(getattr(chip, name), rel=0.02) for name in names]
    return all(alike) and fitted.activations_in_memory == chip.activations_in_memory


def test_fit_and_null_on_resnet50_ios18():
    """The figures that the book states, and who wins."""
    rows = latency.read_published(PUBLISHED, source="opt-resnet")
    roofline, null = latency.fit(rows), latency.fit_null(rows)
    assert len(rows) == 11
    assert roofline.error == pytest.approx(0.020, abs=0.001)
    assert roofline.left_out_error == pytest.approx(0.044, abs=0.003)
    assert null.left_out_error == pytest.approx(0.112, abs=0.001)
    assert roofline.chip.bandwidth == pytest.approx(50.4e9, rel=0.01)
    assert roofline.chip.table_cost == pytest.approx(76.5e-9, rel=0.02)
    assert same(roofline.chip, IPHONE_15_PRO[0])
    assert np.isnan(roofline.left_out[-1])  # one row alone has 8-bit inputs
    assert roofline.chip.int8_speed == pytest.approx(1.58, abs=0.01) and roofline.parameters == 6


def test_a_rival_explains_the_same_rows_as_well():
    """Activations in memory and no faster 8-bit products: five numbers, and the row that was left out."""
    rows = latency.read_published(PUBLISHED, source="opt-resnet")
    rival = latency.fit(rows, activations_in_memory=True, int8_speed=1)
    assert rival.parameters == 5 and rival.chip.int8_speed == 1 and rival.chip.activations_in_memory
    assert rival.error == pytest.approx(0.020, abs=0.001)
    assert rival.left_out_error == pytest.approx(0.040, abs=0.002)
    assert rival.left_out[-1] == pytest.approx(rows[-1].seconds, rel=0.01)
    assert rival.chip.overhead < 0.1e-3 and same(rival.chip, IPHONE_15_PRO[1])
    with pytest.raises(ValueError, match="5 numbers cannot be fitted to 5 rows; at least 6"):
        latency.fit(rows[:5], int8_speed=1)


@pytest.mark.parametrize("model", ("ResNet50", "MobileNetv2-1.0"))
def test_the_null_model_wins_on_ios17(model):
    rows = latency.read_published(PUBLISHED, model=model, device="iPhone 14 Pro")
    assert latency.fit_null(rows).left_out_error < latency.fit(rows).left_out_error


@pytest.mark.parametrize("in_memory", (False, True))
def test_fit_finds_the_chip_that_made_the_rows(in_memory):
    rows = latency.read_published(PUBLISHED, source="opt-resnet")
    chip = Chip("known", 12e12, 45e9, 1.8, 60e-9, 0.4, 3e-4, in_memory)
    layers = latency.resnet50_layers()
    made = [replace(row, seconds=timing(layers, chip, row.format, row.when).total) for row in rows]
    found = latency.fit(made, in_memory)
    assert found.error < 1e-6
    for name in ("operations", "bandwidth", "int8_speed", "table_cost", "zero_skipping", "overhead"):
        assert getattr(found.chip, name) == pytest.approx(getattr(chip, name), rel=1e-3)


@pytest.mark.parametrize("in_memory", (False, True))
def test_fit_adds_up_as_timing_does(in_memory):
    rows = latency.read_published(PUBLISHED, source="opt-resnet")
    found = latency.fit(rows, in_memory, int8_speed=1.2)
    layers = latency.resnet50_layers()
    again = [timing(layers, found.chip, row.format, row.when).total for row in rows]
    assert again == pytest.approx(found.predicted)


def test_fits_refuse_too_few_and_mixed_rows():
    few = latency.read_published(PUBLISHED, model="ResNet50", device="iPhone 15 Pro", system="iOS 17")
    with pytest.raises(ValueError, match="6 numbers cannot be fitted to 3 rows"):
        latency.fit(few)
    with pytest.raises(ValueError, match="ResNet50 or MobileNetv2-1.0, whose layers are known"):
        latency.fit(latency.read_published(PUBLISHED, model="MobileNetv3-small"))
    with pytest.raises(ValueError, match="with one system"):
        latency.fit(latency.read_published(PUBLISHED, model="ResNet50", device="iPhone 15 Pro"))
    with pytest.raises(ValueError, match="one model on one device"):
        latency.fit_null(latency.read_published(PUBLISHED))


# ---------------------------------------------------------------- measuring
def test_measure_orders_and_repeats():
    functions = {"long": lambda: time.sleep(0.02), "short": lambda: None}
    found = latency.measure(functions, rounds=3, at_least=0.001)
    assert found["long"].median > found["short"].median
    assert found["long"].median >= 0.02
    assert len(found["short"].times) == 3 and found["short"].spread >= 0
    assert "ms +-" in repr(found["long"])


def test_measure_skips_with_a_sentence(monkeypatch):
    monkeypatch.setattr(measuring, "available_memory", lambda: 10**9)
    found = latency.measure({"huge": lambda: 1 / 0}, memory=4 * 10**9)["huge"]
    assert found.skipped == "it needs 4.0 GB of memory, and 1.0 GB are free"
    assert np.isnan(found.median) and np.isnan(found.spread) and "skipped" in repr(found)


def test_measure_restores_threads():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    inside = []
    latency.measure({"note": lambda: inside.append(torch.get_num_threads())}, rounds=1, at_least=0)
    assert set(inside) == {1} and torch.get_num_threads() == before


def test_progress_goes_to_standard_error(capsys):
    latency.measure({"nothing": lambda: None}, rounds=2, at_least=0, progress=True)
    assert "round 2 of 2" in capsys.readouterr().err


def test_bad_measurements():
    with pytest.raises(ValueError, match="at least one"):
        latency.measure({})
    with pytest.raises(ValueError, match="rounds"):
        latency.measure({"nothing": lambda: None}, rounds=0)


def test_bandwidth_is_plausible():
    assert 1e8 < latency.bandwidth(2**24, rounds=3) < 1e13


def test_machine_is_known_or_guessed(monkeypatch):
    here = latency.machine()
    assert here.cpu and here.cores >= 1 and here.last_cache >= 2**18
    assert here.cpu in str(here)
    monkeypatch.setattr(computer, "_last_cache", lambda: None)
    computer.machine.cache_clear()
    assert latency.machine().last_cache == computer.FALLBACK_CACHE and "a guess" in str(latency.machine())
    computer.machine.cache_clear()


def test_machine_on_a_mac(monkeypatch):
    answers = {
        "machdep.cpu.brand_string": "Apple M2",
        "hw.perflevel0.l2cachesize": "16777216",
        "hw.memsize": "8589934592",
    }
    monkeypatch.setattr(computer, "_sysctl", answers.get)
    monkeypatch.setattr(computer, "Path", lambda path: Path("/nowhere") / path.lstrip("/"))
    assert computer._cpu() == "Apple M2"
    assert computer._last_cache() == 16 * 2**20
    assert computer.available_memory() == 4 * 2**30
