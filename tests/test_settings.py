"""A technique and its options: one reader, whoever asks."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import settings as how
from hypothesis import strategies as st

import toykit as tk
from tests import handmade
from tests.nightly import cases
from toykit import latency, settings, sweep
from toykit.settings import Declined

W = np.random.default_rng(0).normal(size=(64, 48)).astype(np.float16)


def read(technique, options, weights=W):
    """What each reader makes of options: bytes, "declined", or the kind of error."""
    setting = {"technique": technique, **options}
    readers = {
        "function": lambda: getattr(tk, technique)(weights, **options).nbytes,
        "after": lambda: _after(tk.size.ledger({"w": weights}), technique, options),
        "sweep": lambda: _applied(weights, setting),
        "latency": lambda: latency.format_of(setting),
    }
    found = {}
    for name, reader in readers.items():
        try:
            found[name] = reader()
        except Declined:
            found[name] = "declined"
        except (TypeError, ValueError) as error:
            found[name] = type(error)
    return found


def _after(ledger, technique, options):
    after = ledger.after(technique, **options)
    return "declined" if after.declined else after.nbytes


def _applied(weights, setting):
    applied = sweep.apply({"w": weights}, setting)
    return "declined" if applied.declined else applied.nbytes


@pytest.mark.parametrize(
    "technique, options, expected",
    [
        ("quantize", {}, 64 * 48 + 64 * 2),
        ("palettize", {}, 64 * 48 // 2 + 16 * 2),
        ("quantize", {"granularity": "per_block", "block_size": (0, 16)}, 64 * 48 + 3 * 2),
        ("quantize", {"axis": 1}, 64 * 48 + 48 * 2),
        ("quantize", {"axis": -1}, 64 * 48 + 48 * 2),
        ("quantize", {"axis": 1, "granularity": "per_block", "block_size": 16}, 64 * 48 + 4 * 48 * 2),
        ("quantize", {"format": "int2"}, 64 * 48 // 4 + 64 * 2),
        ("quantize", {"format": "fp8_e4m3"}, 64 * 48 + 64 * 2),
        ("quantize", {"format": "fp4_e2m1", "granularity": "per_block", "block_size": 16}, 64 * 24 + 64 * 3),
        ("quantize", {"format": "fp4_e2m1", "axis": 1, "scale_format": "e8m0"}, 64 * 24 + 48),
        ("quantize", {"format": "fp4_e2m1", "bits": 3}, ValueError),
        ("quantize", {"format": "int2", "signed": False}, ValueError),
        ("quantize", {"format": "fp8_e4m3", "mode": "affine"}, ValueError),
        ("quantize", {"scale_format": "e8m0"}, ValueError),
        ("palettize", {"axis": -1, "group_size": 12}, 64 * 48 // 2 + 4 * 16 * 2),
        ("palettize", {"cluster_dim": 3}, "declined"),
        ("prune", {"sparsity": 0.5, "block_size": 40}, "declined"),
        ("quantize", {"axis": 2}, "declined"),
        ("quantize", {"granularity": "per_block", "block_size": (16,)}, "declined"),
        ("palettize", {"axis": -3}, "declined"),
        ("quantize", {"axis": 5}, ValueError),
        ("quantize", {"axis": "0"}, TypeError),
        ("quantize", {"bits": 1}, ValueError),
        ("prune", {"threshold": "a"}, TypeError),
        ("prune", {"sparcity": 0.1}, TypeError),
        ("prune", {"n_m": (2.0, 4)}, TypeError),
        ("prune", {"n_m": 2}, TypeError),
        ("prune", {"n_m": (True, 4)}, TypeError),
    ],
)
def test_all_readers_agree(technique, options, expected):
    found = read(technique, options)
    modelled = found.pop("latency")
    if (
        technique == "prune" and "sparcity" in options
    ):  # Python itself refuses what the function has no name for
        assert found.pop("function") is TypeError
    assert found == dict.fromkeys(found, expected)
    if isinstance(expected, type):
        assert modelled is expected


def test_a_format_has_the_share_and_the_defaults_of_the_technique():
    assert latency.format_of({"technique": "prune", "n_m": (2, 4)}).sparsity == 0.5
    assert latency.format_of({"technique": "quantize"}).bits == 8
    assert latency.format_of({"technique": "palettize"}).bits == 4


def test_a_grid_refuses_with_the_names():
    with pytest.raises(TypeError, match="prune has no option 'sparcity'; it has sparsity, threshold"):
        sweep.grid("prune", sparcity=(0.1,))


@pytest.mark.parametrize(
    "setting, kind, message",
    [
        ("prune", TypeError, "a setting is a dict like"),
        ({"bits": 4}, TypeError, "a setting is a dict like"),
        ({"technique": "float16", "bits": 4}, ValueError, "'float16' has no options; got 'bits'"),
        ({"technique": "joint"}, ValueError, "two or three of prune, palettize and quantize.*; got none"),
        ({"technique": "joint", "quantize": {}}, ValueError, "two or three of .*; got quantize"),
        (
            {"technique": "joint", "quantize": {}, "prune": {"sparsity": 0.5}},
            ValueError,
            "in this order, such as .*; got quantize, prune",
        ),
        (
            {"technique": "joint", "prune": 0.5, "quantize": {}},
            TypeError,
            "prune must be a dictionary of its",
        ),
    ],
)
def test_what_is_no_setting_is_told_what_is(setting, kind, message):
    with pytest.raises(kind, match=message):
        settings.read_setting(setting)


@pytest.mark.parametrize("technique", ["quantize", "palettize"])
def test_operations_that_disagree_on_the_axes_of_a_weight_decline(technique):
    for axes in ((None, 1), (0, None)):
        with pytest.raises(settings.Declined, match="disagree on which axis is which"):
            settings.fit(technique, settings.complete(technique, {}), W.shape, *axes)


@pytest.mark.parametrize(
    "setting, words",
    [
        ({"technique": "float16"}, "float16"),
        ({"technique": "prune", "n_m": (2, 4)}, "prune 2:4"),
        ({"technique": "quantize", "bits": 4, "granularity": "per_channel"}, "quantize 4-bit per-channel"),
        (
            {"technique": "quantize", "granularity": "per_block", "block_size": (0, 8)},
            "quantize per-block block 0x8",
        ),
        ({"technique": "palettize", "lut": np.ones(4)}, "palettize lut"),
        ({"technique": "palettize", "lut": None}, "palettize"),
        ({"technique": "joint", "prune": {"sparsity": 0.5}, "quantize": {}}, "prune 50 % + quantize"),
    ],
)
def test_labels(setting, words):
    assert settings.label(setting) == words


def test_a_table_is_quantized_per_tensor_without_being_told():
    expected = tk.quantize(tk.palettize(W)).nbytes
    joint = {"palettize": {}, "quantize": {}}
    assert tk.size.ledger({"w": W}).after("joint", **joint).nbytes == expected
    assert sweep.apply({"w": W}, {"technique": "joint", **joint}).nbytes == expected


def test_a_joint_setting_declines_technique_by_technique():
    joint = {"prune": {"n_m": (20, 40)}, "quantize": {}}
    applied = sweep.apply({"w": W}, {"technique": "joint", **joint})
    after = tk.size.ledger({"w": W}).after("joint", **joint)
    assert applied.declined == ("w",) and applied.nbytes == after.nbytes == tk.quantize(W).nbytes
    assert [reason.partition(":")[0] for reason in after.declined["w"]] == ["prune"]


@pytest.mark.parametrize(
    "technique, options",
    [
        ("prune", {"sparsity": 0.5, "block_size": 4, "dim": 0}),
        ("prune", {"n_m": (1, 2), "dim": 1}),
        ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 8, "axis": 0}),
        ("quantize", {"bits": 4, "granularity": "per_block", "block_size": (1, 8)}),
        ("palettize", {"bits": 2, "group_size": 64, "axis": 1}),
        ("palettize", {"bits": 2, "cluster_dim": 2, "seed": 3}),
    ],
)
def test_a_whole_number_of_numpy_counts_as_far_as_one_of_python(technique, options):
    # 512 channels are more than an int8 can count, which an option may well be.
    def as_int8(value):
        return tuple(map(np.int8, value)) if isinstance(value, tuple) else np.int8(value)

    whole = {name: as_int8(value) for name, value in options.items() if isinstance(value, int | tuple)}
    weights = np.random.default_rng(0).normal(size=(512, 64)).astype(np.float16)
    expected, found = (getattr(tk, technique)(weights, **given) for given in (options, options | whole))
    assert found.nbytes == expected.nbytes
    assert np.array_equal(found.dense(), expected.dense())


def test_what_belongs_to_one_array_is_not_for_a_whole_model():
    own = {"sensitivities": np.ones(W.shape), "seed": 1, "per_channel_scale": True}
    for name, value in own.items():
        assert tk.palettize(W, **{name: value}).nbytes
        with pytest.raises((TypeError, ValueError), match=name):
            tk.size.ledger({"w": W}).after("palettize", **{name: value})
    for options in ({"weight_threshold": 0}, {"minimum_sparsity": 0.1}):
        with pytest.raises(TypeError, match="prune has no option"):
            sweep.apply({"w": W}, {"technique": "prune", "sparsity": 0.5, **options})


@pytest.mark.parametrize("technique", ["prune", "quantize", "palettize"])
def test_what_fits_a_weight_fits_it_again_and_stores_the_same(technique):
    for options in (
        {"sparsity": 0.5, "block_size": 3},
        {"axis": -1},
        {"axis": 1},
        {"format": "fp4_e2m1"},
        {},
    ):
        if options.keys() <= settings.OPTIONS[technique].keys() and (options or technique != "prune"):
            complete = settings.complete(technique, options)
            fitted = settings.fit(technique, complete, W.shape)
            assert settings.fit(technique, settings.complete(technique, fitted), W.shape) == fitted
            one, other = (getattr(tk, technique)(W, **chosen) for chosen in (options, fitted))
            assert {n: a.tobytes() for n, a in one.parts.items()} == {
                n: a.tobytes() for n, a in other.parts.items()
            }


@pytest.mark.parametrize(
    "technique, options, words",
    [
        ("none", {}, "float16"),
        ("quantize", {}, "int8"),
        ("palettize", {}, "4-bit palette"),
        ("palettize", {"mode": "unique"}, "palette of all values"),
        ("palettize", {"bits": 6, "mode": "uniform", "cluster_dim": 1}, "6-bit palette, even"),
        ("palettize", {"per_channel_scale": "across"}, "4-bit palette, channel scales"),
        ("quantize", {"bits": 4, "granularity": "per_block"}, "int4, blocks of 32"),
        ("quantize", {"granularity": "per_tensor", "signed": False}, "uint8, a scale a layer"),
        ("quantize", {"format": "int2"}, "int2"),
        ("quantize", {"format": "fp4_e2m1", "granularity": "per_block"}, "fp4_e2m1, blocks of 32"),
        ("prune", {"n_m": [2, 4]}, "pruned 2:4"),
        ("prune", {"threshold": 0.01, "minimum_sparsity": 0.0}, "pruned up to 0.01, all layers"),
        ("joint", {"palettize": {"bits": 2}, "quantize": {}}, "2-bit palette + int8 lut"),
        ("joint", {"prune": {"sparsity": 0.5}, "quantize": {}}, "pruned 50 % + int8"),
    ],
)
def test_words(technique, options, words):
    assert settings.name_of(technique, options) == words


# What people pass, and what they pass by mistake.
ODD = [0, -1, 3, 2**70, 2.5, "a", True, (0, 16), (4,), [], float("nan"), np.int64(2), 10]
VALUES = {
    "prune": {
        "sparsity": (0, 0.25, 0.5, 1),
        "threshold": (0.0, 0.5, 9),
        "block_size": (2, 3, 4),
        "n_m": ((1, 2), (2, 4), [1, 3], (3, 2)),
        "dim": (0, 1),
    },
    "quantize": {
        "bits": (8, 4, 4, 2, 1),
        "mode": ("symmetric", "affine"),
        "granularity": ("per_tensor", "per_channel", "per_block", "per_block"),
        "block_size": (2, 4, (0, 2), (1, 4), [2, 0], (1, 2, 0), (0, 2, 0, 0)),
        "axis": (0, 1, 2, -1, -2, -4),
        "signed": (True, False),
        "format": ("int2", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1", "fp4"),
        "scale_format": ("float", "e8m0"),
    },
    "palettize": {
        "bits": (1, 2, 3, 4, 6, 8, 5),
        "mode": ("kmeans", "uniform", "unique"),
        "group_size": (1, 2, 3, 4),
        "axis": (0, 1, 2, -1, -3),
        "cluster_dim": (1, 2, 3),
        "per_channel_scale": (False, "across", True),
    },
}
ORDERS = [
    *([name] for name in VALUES),
    ["prune", "quantize"],
    ["prune", "palettize"],
    ["palettize", "quantize"],
    ["prune", "palettize", "quantize"],
]


@st.composite
def options(draw, technique):
    """Options of a technique, some of them wrong."""
    values = VALUES[technique]
    names = draw(st.lists(st.sampled_from(list(values)), max_size=3, unique=True))
    if technique == "prune" and not set(names) & {"sparsity", "threshold", "n_m"}:
        names.append(draw(st.sampled_from(("sparsity", "n_m"))))
    if "block_size" in names and technique == "quantize" and draw(st.integers(0, 3)):
        names.append("granularity")
    odd = draw(st.integers(0, 9)) == 0
    chosen = {name: draw(st.sampled_from(values[name])) for name in names}
    if "granularity" in names and "block_size" in names:
        chosen["granularity"] = "per_block"
    if odd and names:
        chosen[names[0]] = draw(st.sampled_from(ODD))
    return chosen


@st.composite
def questions(draw):
    """Techniques with options, and a weight."""
    steps = {name: draw(options(name)) for name in draw(st.sampled_from(ORDERS))}
    shape = tuple(draw(st.lists(st.sampled_from((1, 2, 3, 4, 6, 8, 12)), min_size=2, max_size=4)))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    weights = random.normal(size=shape)
    return steps, (np.round(weights) if draw(st.booleans()) else weights).astype(np.float16)


def by_functions(weights, steps):
    """The techniques one after the other: what is stored and which of them declined, or None if one is refused."""
    result, complete, declined, before = weights, weights, [], []
    for name, chosen in steps.items():
        function = getattr(tk, name)
        try:
            complete = function(complete, **chosen)
            of_table = {"granularity": "per_tensor"} if "palettize" in before and name == "quantize" else {}
            result = function(result, **chosen | of_table)
        except Declined:
            declined.append(name)
            # What the next technique would be given; it must refuse what it always refuses.
            complete = function(complete, **{"sparsity": 0} if name == "prune" else {})
        except (TypeError, ValueError):
            return None
        before.append(name)
    return result, declined


def of_one_array(steps):
    """Whether a whole model cannot be asked for this, though arrays can."""
    palette = steps.get("palettize", {})
    scaled, vectors = palette.get("per_channel_scale", False), palette.get("cluster_dim", 1)
    return scaled is True or (
        list(steps) == ["palettize", "quantize"] and (scaled == "across" or vectors != 1)
    )


def of_values(steps):
    """Whether the bits of a weight depend on the weights."""
    palette = steps.get("palettize", {})
    return (
        steps.get("prune", {}).get("threshold") is not None
        or palette.get("mode") == "unique"
        or palette.get("cluster_dim", 1) != 1
    )


def refused(reader, *arguments, **options):
    """What a reader says, or None if it refuses."""
    try:
        return reader(*arguments, **options)
    except (TypeError, ValueError) as error:
        assert not isinstance(error, Declined)
        return None


COUNTS = Counter()


@how(max_examples=cases(200, 20_000), deadline=None)
@given(questions())
def test_all_readers_agree_about_any_options(question):
    steps, weights = question
    expected = by_functions(weights, steps)
    (technique, given), *others = steps.items()
    if others:
        technique, given = "joint", steps
    setting = {"technique": technique, **given}
    outcome = "refused" if expected is None else "declined" if expected[1] else "stored"
    COUNTS[technique, outcome] += 1
    event(f"{technique}: {outcome}")

    applied = refused(sweep.apply, {"w": weights}, setting, only=["w"])
    modelled = refused(latency.format_of, setting)
    of_models = {name: {"weight_threshold": 0} for name in steps}
    if "threshold" in steps.get("prune", {}):
        of_models["prune"]["minimum_sparsity"] = 0.0
    whole = {name: chosen | of_models[name] for name, chosen in steps.items()}
    whole = whole if others else whole[technique]
    after = refused(tk.size.ledger({"w": weights}).after, technique, **whole)
    if expected is None:
        assert applied is modelled is after is None
    else:
        result, declined = expected
        assert bool(applied.declined) == bool(declined) and applied.nbytes == result.nbytes
        if applied.stored:
            assert parts(applied.stored["w"]) == parts(result)
        assert (modelled is None) == of_values(steps)
        assert (after is None) == of_one_array(steps)
        if after is not None:
            assert after.nbytes == result.nbytes
            assert techniques(after.declined.get("w", ())) == declined
    if weights.size >= 10:  # smaller constants lie in the program
        in_a_package(weights, technique, whole, after, expected)


def in_a_package(weights, technique, whole, after, expected):
    """A package says the same, but for what Core ML cannot hold."""
    kind = "linear" if weights.ndim == 2 else "conv"
    with tempfile.TemporaryDirectory() as folder:
        package = tk.coreml.Package(handmade.write(Path(folder) / "one.mlpackage", [(kind, weights)]))
        told = refused(tk.size.ledger(package).after, technique, **whole)
        written = refused(tk.coreml.compress, package, technique, **whole)
        assert (told is None) == (written is None)
        if written is None:
            assert after is None or "quantize" in (technique, *whole)
            if after is not None:  # linear codes of another width than Core ML's
                COUNTS["package", "refuses a width"] += 1
                with pytest.raises(ValueError, match="Core ML quantizes to 4 or 8 bits"):
                    tk.coreml.compress(package, technique, **whole)
            return
        assert after is not None
        assert told.nbytes == tk.size.ledger(written).nbytes
        result, declined = expected
        reasons = told.declined.get("w0", ())
        if any("in the program" in reason or "entries of a table" in reason for reason in reasons):
            COUNTS["package", "declines what is small"] += 1
            return
        assert techniques(reasons) == declined
        stored = tk.coreml.weights(written)["w0"]
        dense = result if result is weights else result.dense()
        np.testing.assert_array_equal(stored.dense() if hasattr(stored, "dense") else stored, dense)
        COUNTS["package", "same weights"] += 1


def parts(compressed):
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in compressed.parts.items()}


def techniques(reasons):
    return [reason.partition(":")[0] for reason in reasons]
