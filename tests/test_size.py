"""The ledger of arrays and modules, and its predictions against the techniques themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk
from toykit import settings as options
from toykit.stored.parts import Part, Weight
from toykit.stored.prediction import predict


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    return {
        "conv.weight": rng.normal(size=(64, 32, 3, 3)).astype(np.float16),
        "conv.bias": rng.normal(size=64).astype(np.float16),
        "fc.weight": rng.normal(size=(30, 70)).astype(np.float32),
        "tiny.weight": rng.normal(size=(4, 5)).astype(np.float16),
    }


class TestLedger:
    def test_counts(self, arrays):
        ledger = tk.size.ledger(arrays)
        assert [row.nbytes for row in ledger.rows] == [array.nbytes for array in arrays.values()]
        assert ledger.parameters == sum(array.size for array in arrays.values())
        assert ledger.nbytes == 45_432 and ledger.mb == 0.045432 and ledger.mib == 45_432 / 2**20
        assert sum(row.share for row in ledger.rows) == pytest.approx(1)
        assert ledger.exact and not ledger.rest

    def test_as_if_in_another_type(self, arrays):
        ledger = tk.size.ledger(arrays, dtype="float16")
        assert ledger.nbytes == 2 * ledger.parameters
        assert {row.dtype for row in ledger.rows} == {"float16"}

    def test_group(self, arrays):
        groups = tk.size.ledger(arrays).group(1)
        found = [(row.name, row.parameters) for row in groups.rows]
        assert found == [("conv", 18_496), ("fc", 2100), ("tiny", 20)]
        assert groups.nbytes == tk.size.ledger(arrays).nbytes
        with pytest.raises(ValueError, match="a prediction or a summary"):
            groups.after("prune", sparsity=0.5)

    def test_markdown(self, arrays):
        lines = tk.size.ledger(arrays).to_markdown(limit=2).splitlines()
        assert len(lines) == 2 + 2 + 1 + 1
        assert lines[2] == "| conv.weight |  | 64×32×3×3 | float16 | 18,432 | 36,864 | 81.1% |"
        assert lines[4].startswith("| 2 smaller ones |") and "**45,432**" in lines[5]

    def test_html_is_escaped(self):
        html = tk.size.ledger({"<b>": np.ones((2, 2), np.float16)})._repr_html_()
        assert "&lt;b&gt;" in html and "<b>" not in html

    def test_repr_is_stable(self, arrays):
        assert repr(tk.size.ledger(arrays)) == "Ledger('4 arrays', 4 weights, 20,616 parameters, 0.05 MB)"

    def test_plot(self, arrays):
        pyplot = pytest.importorskip("matplotlib.pyplot")
        axes = tk.size.ledger(arrays).plot(limit=2)
        bars = [patch.get_width() * 1e6 for patch in axes.patches]
        assert np.allclose(bars, [36_864, 8400, 168])
        assert [text.get_text() for text in axes.get_yticklabels()][2] == "2 smaller ones"
        pyplot.close("all")


class TestModules:
    def test_resnet50_without_weights(self):
        pytest.importorskip("torch")
        ledger = tk.size.ledger(tk.models.resnet50(device="meta"), dtype="float16")
        assert ledger.parameters == 25_557_032 and ledger.nbytes == 51_114_064
        assert ledger.rows[0].op == "Conv2d" and ledger.rows[-1].op == "Linear"
        stages = [row.name for row in ledger.group(1).rows]
        assert stages == ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"]
        half = ledger.after("prune", sparsity=0.5)
        assert not half.exact and "about" in repr(half)
        assert ledger.after("palettize", bits=4).exact

    def test_meta_pruning_is_close_to_real_pruning(self):
        torch = pytest.importorskip("torch")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            real = torch.nn.Conv2d(16, 48, 5)
        shapes = torch.nn.Conv2d(16, 48, 5, device="meta")
        blocks = {"sparsity": 0.5, "block_size": 3}
        for chosen in ({"sparsity": 0.5}, {"sparsity": 0.9}, {"n_m": (2, 4)}, blocks):
            guess = tk.size.ledger(shapes).after("prune", **chosen)
            truth = tk.size.ledger(real).after("prune", **chosen)
            assert truth.exact and not guess.exact
            assert guess.nbytes == pytest.approx(truth.nbytes, rel=0.01)

    def test_values_are_needed_where_they_decide(self):
        torch = pytest.importorskip("torch")
        ledger = tk.size.ledger(torch.nn.Linear(100, 100, device="meta"))
        with pytest.raises(ValueError, match="threshold needs the weights' values"):
            ledger.after("prune", threshold=0.1)
        with pytest.raises(ValueError, match="'unique' needs the weights' values"):
            ledger.after("palettize", mode="unique")

    def test_transposed_convolutions_keep_outputs_second(self):
        torch = pytest.importorskip("torch")
        ledger = tk.size.ledger(torch.nn.ConvTranspose2d(64, 24, 2, bias=False)).after("quantize")
        assert ledger.nbytes == 64 * 24 * 4 + 24 * 4  # codes, and a float32 scale for each of 24 outputs


# What each technique stores, told in advance and counted afterwards.
CASES = [
    ("prune", {"sparsity": 0.5}),
    ("prune", {"sparsity": 0.0}),
    ("prune", {"sparsity": 1.0}),
    ("prune", {"threshold": 0.7}),
    ("prune", {"sparsity": 0.6, "block_size": 4}),
    ("prune", {"n_m": (1, 3)}),
    *(("quantize", {"bits": bits, "mode": mode}) for bits in (2, 4, 8) for mode in ("symmetric", "affine")),
    ("quantize", {"signed": False}),
    ("quantize", {"granularity": "per_tensor"}),
    ("quantize", {"granularity": "per_block", "block_size": 8}),
    ("quantize", {"granularity": "per_block", "block_size": (1, 4, 0, 0)}),
    *(("palettize", {"bits": bits, "mode": "uniform"}) for bits in (1, 2, 3, 4, 6, 8)),
    ("palettize", {"bits": 2, "mode": "kmeans", "group_size": 4}),
    ("palettize", {"bits": 2, "mode": "kmeans", "cluster_dim": 2}),
    ("palettize", {"bits": 4, "mode": "uniform", "per_channel_scale": "across"}),
]


@pytest.mark.parametrize(("technique", "chosen"), CASES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_prediction_is_what_the_technique_stores(technique, chosen, dtype):
    weights = np.random.default_rng(1).normal(size=(24, 16, 3, 3)).astype(dtype)
    extra = {"minimum_sparsity": 0.0} if technique == "prune" else {}
    predicted = tk.size.ledger({"w": weights}).after(technique, weight_threshold=0, **chosen, **extra)
    stored = getattr(tk, technique)(weights, **chosen)
    assert predicted.nbytes == stored.nbytes and predicted.exact


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 3, 4, 6, 8]), st.integers(1, 6))
def test_palettes_of_any_shape(channels, inputs, bits, groups):
    weights = np.random.default_rng(channels).random((channels * groups, inputs)).astype(np.float16)
    ledger = tk.size.ledger({"w": weights})
    predicted = ledger.after("palettize", bits=bits, mode="uniform", group_size=channels, weight_threshold=0)
    assert predicted.nbytes == tk.palettize(weights, bits, "uniform", group_size=channels).nbytes


def test_unique_counts_values():
    lattice = np.random.default_rng(0).integers(0, 5, (40, 60)).astype(np.float16)
    predicted = tk.size.ledger({"w": lattice}).after("palettize", mode="unique")
    assert predicted.nbytes == tk.palettize(lattice, mode="unique").nbytes == 40 * 60 * 3 // 8 + 8 * 2
    many = tk.size.ledger({"w": np.arange(2400, dtype=np.float32).reshape(40, 60)})
    assert "2,400 distinct values" in many.after("palettize", mode="unique").declined["w"][0]


def test_joint_is_what_composition_stores():
    weights = np.random.default_rng(2).normal(size=(64, 48)).astype(np.float16)
    ledger = tk.size.ledger({"w": weights})
    sparse = tk.prune(weights, sparsity=0.7)
    joined = ledger.after("joint", prune={"sparsity": 0.7}, palettize={"bits": 4, "mode": "uniform"})
    assert joined.nbytes == tk.palettize(sparse, bits=4, mode="uniform").nbytes
    assert joined.rows[0].form == "sparse+palette"
    joined = ledger.after("joint", prune={"sparsity": 0.7}, quantize={"bits": 8})
    assert joined.nbytes == tk.quantize(sparse, bits=8).nbytes


class TestDeclined:
    """Weights that stay as they are, and why."""

    def weight(self, shape=(30, 70), **given):
        return Weight(shape, "float16", **given)

    def reason(self, technique, chosen, **given):
        stored = predict(self.weight(**given), options.steps(technique, chosen))
        assert stored.parts == {}
        (sentence,) = stored.declined
        return sentence

    def test_small_and_flat(self):
        assert "2,048 elements are not more than 2,048" in self.reason("quantize", {}, shape=(32, 64))
        assert "a vector is not compressed" in self.reason("quantize", {}, shape=(5000,))

    def test_what_does_not_divide(self):
        groups = self.reason("palettize", {"group_size": 16}, shape=(1000, 20))
        assert "group_size must divide the 1000 channels of axis 0; got 16" in groups
        assert "cluster_dim must divide the 30 channels of a group; got 4" in self.reason(
            "palettize", {"cluster_dim": 4}
        )
        blocks = {"granularity": "per_block", "block_size": 32}
        assert "block_size must divide axis 1, which is 70 long" in self.reason("quantize", blocks)
        assert "vectors of 2" in self.reason("palettize", {"cluster_dim": 2}, shape=(54, 70), groups=18)

    def test_patterns(self):
        assert "convolutions and linear layers" in self.reason("prune", {"n_m": (2, 4)}, structured=False)
        assert "at most half of axis 0, which is 30 long; got 16" in self.reason(
            "prune", {"sparsity": 0.5, "block_size": 16}
        )

    def test_too_little_to_prune(self):
        weights = np.ones((60, 60), np.float16)
        assert "less than minimum_sparsity" in self.reason(
            "prune", {"threshold": 0.5}, shape=(60, 60), values=lambda: weights
        )

    def test_a_declined_step_of_two_leaves_the_other(self):
        steps = options.steps("joint", {"prune": {"n_m": (20, 40)}, "quantize": {}})
        stored = predict(self.weight(), steps)
        assert set(stored.parts) == {"codes", "scale"} and "prune" in stored.declined[0]

    def test_disagreeing_users(self):
        assert "disagree" in self.reason("quantize", {}, output_axis=None)


class TestBadInput:
    def test_sources(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no package at .*gone.mlpackage"):
            tk.size.ledger(tmp_path / "gone.mlpackage")
        with pytest.raises(tk.coreml.PackageError, match=r"empty.mlpackage: the folder has no Manifest.json"):
            (tmp_path / "empty.mlpackage").mkdir()
            tk.size.ledger(str(tmp_path / "empty.mlpackage"))
        with pytest.raises(TypeError, match="source must be a torch module.*got list"):
            tk.size.ledger([1, 2])
        with pytest.raises(ValueError, match="the source, 0 arrays, has no parameters"):
            tk.size.ledger({})
        with pytest.raises(TypeError, match="'w' of the source holds object"):
            tk.size.ledger({"w": np.array([None])})
        with pytest.raises(ValueError, match="dtype must be one of"):
            tk.size.ledger({"w": np.ones(3)}, dtype="float12")

    def test_module_without_parameters(self):
        torch = pytest.importorskip("torch")
        with pytest.raises(ValueError, match="the source, ReLU, has no parameters"):
            tk.size.ledger(torch.nn.ReLU())

    @pytest.mark.parametrize(
        ("technique", "chosen", "message"),
        [
            ("zip", {}, "technique must be one of"),
            ("prune", {}, "give one of sparsity, threshold and n_m; got none of them"),
            ("prune", {"sparsity": 0.5, "n_m": (2, 4)}, "got sparsity and n_m"),
            ("prune", {"sparsity": 50}, r"sparsity must be between 0 and 1.*pass 0\.5"),
            ("prune", {"threshold": -1}, "threshold must be a number of at least 0"),
            ("prune", {"threshold": 1, "block_size": 2}, "block_size goes with sparsity"),
            ("prune", {"sparsity": 0.5, "dim": 1}, "dim is the axis of block_size or n_m"),
            ("prune", {"n_m": (4, 2)}, "n of n_m must be a whole number from 1 to 2; got 4"),
            ("quantize", {"bits": 9}, "bits must be a whole number from 1 to 8"),
            ("quantize", {"block_size": 32}, "goes with granularity='per_block'"),
            ("palettize", {"bits": 5}, "bits must be one of 1, 2, 3, 4, 6, 8"),
            ("palettize", {"bits": 4, "mode": "unique"}, "bits must be left out with mode='unique'"),
            ("palettize", {"bits": 4, "per_channel_scale": True}, "'across'"),
            (
                "palettize",
                {"bits": 4, "mode": "uniform", "cluster_dim": 2},
                "cluster_dim must be 1 with mode='uniform'",
            ),
            ("joint", {"prune": {"sparsity": 0.5}}, "two or three of prune, palettize and quantize"),
            ("joint", {"quantize": {}, "prune": {"sparsity": 0.5}}, "in this order"),
            (
                "joint",
                {"palettize": {}, "quantize": {"granularity": "per_channel"}},
                "granularity must be 'per_tensor' for the table",
            ),
            ("joint", {"palettize": {"cluster_dim": 2}, "quantize": {}}, "cluster_dim must be 1 before"),
        ],
    )
    def test_options(self, arrays, technique, chosen, message):
        with pytest.raises(ValueError, match=message):
            tk.size.ledger(arrays).after(technique, **chosen)

    def test_unknown_options(self, arrays):
        with pytest.raises(TypeError, match="palettize has no option 'nbits'; it has bits, mode"):
            tk.size.ledger(arrays).after("palettize", nbits=4)
        with pytest.raises(TypeError, match="prune must be a dictionary of its options"):
            tk.size.ledger(arrays).after("joint", prune=0.5, palettize={})


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 6, 8])
def test_a_part_fills_its_last_byte(bits):
    assert Part(f"uint{bits}", (3, 5)).nbytes == tk.bits.pack(np.zeros(15, np.uint8), bits).nbytes


@pytest.mark.parametrize(
    "technique, wrong, message",
    [
        ("quantize", {"bits": 1}, "at least 2 bits; got bits=1"),
        ("quantize", {"signed": "no"}, "signed must be True or False; got 'no'"),
        ("prune", {"threshold": "a"}, "threshold must be a number of at least 0; got 'a'"),
        ("prune", {"threshold": float("nan")}, "threshold must be a number of at least 0; got nan"),
    ],
)
def test_options_that_the_techniques_refuse_are_refused_before_a_size_is_said(technique, wrong, message):
    ledger = tk.size.ledger({"w": np.ones((64, 64), np.float16)})
    with pytest.raises((TypeError, ValueError), match=message):
        ledger.after(technique, **wrong)


def test_every_constant_that_is_handed_to_one_parameter_is_weighed():
    from toykit.coreml.format.program import Block, Operation, Type, Value
    from toykit.coreml.format.weightbin import Blob
    from toykit.coreml.writing.store import Store
    from toykit.size import rows

    kind, file = Type("tensor", "float16", (16,)), Store("weight.bin")
    blobs = [Blob(offset, "float16", 16, 32, offset + 64, file) for offset in (64, 192, 320)]
    parts = [Value(kind, blob=blob) for blob in blobs]
    whole = Type("tensor", "float16", (48,))
    concat = Operation("concat", "c", {"values": [parts[0], "x", *parts[1:]]}, {"c": whole}, {}, [])
    (row,) = rows._Rows(Block({}, ["c"], [concat]), set()).rows()
    assert row.nbytes == 96


@pytest.mark.parametrize("dtype", ["<f2", ">f2", ">f4"])
@pytest.mark.parametrize("options", [{"sparsity": 0.3}, {"threshold": 0.5, "minimum_sparsity": 0}])
def test_pruned_weights_of_either_byte_order_are_counted(dtype, options):
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(dtype)
    pruned = tk.prune(weights, **{name: options[name] for name in options if name != "minimum_sparsity"})
    assert tk.size.ledger({"w": weights}).after("prune", **options).nbytes == pruned.nbytes


@pytest.mark.parametrize("technique", ["prune", "quantize", "palettize"])
def test_float64_is_predicted_in_float32_as_the_techniques_store_it(technique):
    weights = np.random.default_rng(0).normal(size=(64, 64))
    given = {"sparsity": 0.5} if technique == "prune" else {}
    ledger = tk.size.ledger({"w": weights})
    assert ledger.nbytes == weights.nbytes
    assert ledger.after(technique, **given).nbytes == getattr(tk, technique)(weights, **given).nbytes


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_weights_in_bfloat16_take_two_bytes_and_are_predicted_in_float32(device):
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(64, 64, dtype=torch.bfloat16, device=device)
    ledger = tk.size.ledger(layer)
    assert [(row.dtype, row.nbytes) for row in ledger.rows] == [("bfloat16", 8192), ("bfloat16", 128)]
    assert ledger.after("quantize", bits=4).rows[0].nbytes == 64 * 64 // 2 + 64 * 4
    if device == "cpu":
        named = tk.size.ledger(dict(layer.named_parameters()))  # with gradients, of which NumPy knows nothing
        assert [row.nbytes for row in named.rows] == [8192, 128]
        assert named.after("quantize", bits=4).nbytes == ledger.after("quantize", bits=4).nbytes
    with pytest.raises(TypeError, match="'weight' of the source holds complex64, which weights cannot be"):
        tk.size.ledger(torch.nn.Linear(4, 4, dtype=torch.complex64, device=device))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            {"w": np.ma.masked_array([1.0, 2.0], [True, False])},
            r"source\['w'\] must be an array without a mask",
        ),
        ({"w": [[1.0], [1.0, 2.0]]}, r"source\['w'\] must be rows of the same length"),
        ({3: np.ones(4)}, "a name in source must be a text; got 3"),
    ],
)
def test_what_no_technique_takes_is_not_weighed(source, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tk.size.ledger(source)
