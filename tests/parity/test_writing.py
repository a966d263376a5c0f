"""Packages that toykit writes, held against coremltools; and coremltools' own, held against the source."""

import gc

import numpy as np
import pytest

ct = pytest.importorskip("coremltools")
torch = pytest.importorskip("torch")

import coremltools.optimize.coreml as cto
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types
from torch import nn

import toykit as tk
from tests import handmade
from toykit import settings
from toykit._quiet import quiet
from toykit.coreml.format.package import Package, open_package
from toykit.coreml.tools import checking
from toykit.coreml.tools.opening import open_mlmodel
from toykit.coreml.writing.rewriting import Rewriter
from toykit.coreml.writing.store import Store

from . import packages, sizes
from .writing import metadata

ENGINES = ("toykit", "coremltools")
RANDOM = np.random.default_rng(0)


def saved(network, example, folder, target="iOS18", **options):
    torch.manual_seed(0)
    mlmodel = tk.coreml.convert(network, example, target=target, **options)
    return tk.coreml.save(mlmodel, folder / "net.mlpackage")


def agree(path, technique, equal=True, **options):
    """Predicted = written; weight.bin is coremltools'. Returns the prediction and what toykit wrote."""
    predicted = tk.size.ledger(path).after(technique, **options)
    ours = tk.coreml.compress(path, technique, **options)
    assert predicted.exact and predicted.nbytes == ours.nbytes
    if equal:
        theirs = tk.coreml.compress(path, technique, engine="coremltools", **options)
        assert sizes.weight_file(ours) == sizes.weight_file(theirs)
    return predicted, ours


@pytest.mark.parametrize(
    ("technique", "options"),
    [
        ("quantize", {"axis": 1}),
        ("quantize", {"axis": -2, "granularity": "per_block", "block_size": 16}),
        ("palettize", {"axis": -2, "group_size": 12, "mode": "uniform"}),
        ("joint", {"prune": {"sparsity": 0.5}, "quantize": {"axis": 1}}),
    ],
)
def test_an_axis_that_is_asked_for(technique, options, tmp_path):
    """coremltools has no word for it: it is given the lengths of blocks in its place."""
    weight = RANDOM.normal(size=(96, 48, 1)).astype(np.float16)
    _, ours = agree(handmade.write(tmp_path / "net.mlpackage", [("conv", weight)]), technique, **options)
    if technique != "joint":
        (stored,) = tk.coreml.weights(ours).values()
        np.testing.assert_array_equal(stored.dense(), getattr(tk, technique)(weight, **options).dense())


class TestSharing:
    def test_equal_arrays_with_a_record_each(self, tmp_path):
        weight = RANDOM.normal(size=(64, 64)).astype(np.float16)
        layers = [(kind, weight[..., None]) for kind in ("conv", "conv")]
        layers += [("gather", weight), ("conv", 2 * weight[..., None])]
        path = handmade.write(tmp_path / "net.mlpackage", layers)
        for technique, options in [
            ("quantize", {}),
            ("quantize", {"granularity": "per_tensor", "mode": "affine"}),
            ("prune", {"sparsity": 0.6}),
            ("palettize", {"bits": 4, "mode": "uniform"}),
            ("palettize", {"bits": 8, "mode": "uniform"}),
            ("joint", {"prune": {"sparsity": 0.5}, "quantize": {"bits": 8}}),
            (
                "joint",
                {"palettize": {"bits": 8, "mode": "uniform"}, "quantize": {"granularity": "per_tensor"}},
            ),
        ]:
            agree(path, technique, **options)

    def test_arrays_that_differ_by_a_hair_are_not_equal(self, tmp_path):
        """coremltools takes float16 numbers for equal that are up to 6e-8 apart; then a weight changes."""
        weight = RANDOM.normal(size=(48, 48)).astype(np.float16)
        other = weight.copy()
        other[-1, -1] = weight[-1, -1] = 0
        other[-1, -1] = np.finfo(np.float16).smallest_subnormal
        path = handmade.write(
            tmp_path / "net.mlpackage", [("linear", weight), ("linear", other), ("linear", -weight)]
        )
        plan = {"w2": {"technique": "quantize"}}
        stored = tk.coreml.weights(tk.coreml.compress(path, plan))
        assert stored["w0"].tobytes() == weight.tobytes() and stored["w1"].tobytes() == other.tobytes()
        with pytest.raises(tk.coreml.PackageError, match="'w1' is not what it was"):
            tk.coreml.compress(path, plan, engine="coremltools")


def test_best_tables_of_many_weights(tmp_path):
    """From 10,000 float16 weights a table on, coremltools' k-means finds the best one, too."""
    path = tk.coreml.save(packages.network("iOS18"), tmp_path / "net.mlpackage")
    table = {"granularity": "per_tensor"}
    for technique, options in [
        ("palettize", {"bits": 4}),
        ("palettize", {"bits": 8}),
        ("joint", {"prune": {"sparsity": 0.6}, "palettize": {"bits": 4}, "quantize": table}),
    ]:
        agree(path, technique, **options)


class TestDeclined:
    def test_constants_handed_to_loops(self, tmp_path):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.recurrent, self.linear = nn.GRU(24, 32, batch_first=True), nn.Linear(32, 96)

            def forward(self, x):
                return self.linear(self.recurrent(x)[0])

        path = saved(Net(), torch.rand(2, 5, 24), tmp_path)
        predicted, ours = agree(path, "prune", n_m=(2, 4), weight_threshold=300)
        assert any(
            "blocks and n:m are for" in reason
            for reasons in predicted.declined.values()
            for reason in reasons
        )
        assert isinstance(tk.coreml.weights(ours)["linear_weight_to_fp16"], tk.Sparse)
        agree(path, "quantize", weight_threshold=100)

    def test_coremltools_own_errors_are_put_in_words(self, tmp_path):
        """Equal weights become one after the first pass, and then it does not know which axis is which."""
        weight = RANDOM.normal(size=(64, 64, 1)).astype(np.float16)
        path = handmade.write(tmp_path / "net.mlpackage", [("conv", weight), ("conv_transpose", weight)])
        options = {"prune": {"sparsity": 0.5}, "quantize": {"bits": 8}}
        predicted, _ = agree(path, "joint", equal=False, **options)
        assert not predicted.declined
        with pytest.raises(ValueError, match="coremltools cannot quantize .*engine='toykit'"):
            tk.coreml.compress(path, "joint", engine="coremltools", **options)

    def test_a_matrix_used_both_ways(self, tmp_path):
        tied, plain = (RANDOM.normal(size=(64, 64)).astype(np.float16) for _ in range(2))
        path = handmade.write(tmp_path / "net.mlpackage", [("tied", tied), ("conv", plain[..., None])])
        options = {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4, "mode": "uniform"}}
        predicted, ours = agree(path, "joint", **options)
        assert list(predicted.declined) == ["w0"] and "disagree" in predicted.declined["w0"][0]
        assert type(tk.coreml.weights(ours)["w0"]) is tk.Sparse

    @pytest.mark.parametrize("engine", ENGINES)
    def test_fewer_vectors_than_entries(self, engine, tmp_path):
        path = saved(nn.Linear(48, 48), torch.rand(1, 48), tmp_path)
        options = {"bits": 8, "cluster_dim": 12}
        predicted = tk.size.ledger(path).after("palettize", **options)
        assert "192 vectors are fewer than the 256 entries" in predicted.declined["weight_to_fp16"][0]
        written = tk.coreml.compress(path, "palettize", engine=engine, **options)
        before, after = (tk.coreml.weights(source)["weight_to_fp16"] for source in (path, written))
        assert before.tobytes() == after.tobytes()

    @pytest.mark.parametrize("engine", ENGINES)
    def test_what_is_skipped_does_not_change(self, engine, tmp_path):
        """120 channels are no groups of 16; coremltools has scaled the weight before it finds out (PR 2777)."""
        path = saved(nn.Linear(128, 120), torch.rand(1, 128), tmp_path)
        options = {"bits": 4, "group_size": 16, "per_channel_scale": "across"}
        written = tk.coreml.compress(path, "palettize", engine=engine, **options)
        before, after = (tk.coreml.weights(source)["weight_to_fp16"] for source in (path, written))
        assert before.tobytes() == after.tobytes()


class TestChecking:
    def test_finds_a_weight_that_coremltools_changed_and_skipped(self, tmp_path):
        source = Package(saved(nn.Linear(128, 120), torch.rand(1, 128), tmp_path))
        expected = Rewriter(source, lambda _: [], Store("@model_path/weights/weight.bin"))
        config = cto.OpPalettizerConfig(
            nbits=4, granularity="per_grouped_channel", group_size=16, enable_per_channel_scale=True
        )
        with quiet():
            mlmodel = cto.palettize_weights(
                open_mlmodel(source), cto.OptimizationConfig(global_config=config)
            )
        with pytest.raises(tk.coreml.PackageError, match="'weight_to_fp16' is not what it was"):
            checking.check(source, expected, open_package(mlmodel))

    def test_finds_a_compressed_weight_that_is_another(self, tmp_path):
        layers = [("linear", RANDOM.normal(size=(64, 64)).astype(np.float16)) for _ in range(2)]
        source, other = (
            Package(handmade.write(tmp_path / name, chosen))
            for name, chosen in [("a.mlpackage", layers), ("b.mlpackage", layers[::-1])]
        )
        steps = settings.steps("quantize", {})
        expected = Rewriter(source, lambda _: steps, Store("@model_path/weights/weight.bin"))
        checking.check(source, expected, tk.coreml.compress(source, "quantize"))
        with pytest.raises(tk.coreml.PackageError, match="'w0' is not stored as asked"):
            checking.check(source, expected, tk.coreml.compress(other, "quantize"))

    def test_reads_back_what_toykit_wrote(self, tmp_path, monkeypatch):
        path = handmade.write(
            tmp_path / "net.mlpackage", [("linear", RANDOM.normal(size=(64, 64)).astype(np.float16))]
        )
        close = Store.close

        def spoil(store):
            close(store)
            store._file.seek(-1, 2)
            store._file.write(b"\x55")

        monkeypatch.setattr(Store, "close", spoil)
        with pytest.raises(tk.coreml.PackageError, match="w0.*is not what was made"):
            tk.coreml.compress(path, "prune", sparsity=0.5)

    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize(
        ("target", "technique", "options"),
        [
            ("iOS16", "joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4}}),
            ("iOS17", "palettize", {"bits": 4, "group_size": 8}),
            ("iOS18", "quantize", {"bits": 3}),
            ("iOS18", "prune", {"sparsity": 2}),
        ],
    )
    def test_refuses_before_any_work(self, engine, target, technique, options, tmp_path):
        path, seen = saved(nn.Linear(64, 96), torch.rand(1, 64), tmp_path, target), []
        with pytest.raises((TypeError, ValueError)) as first:
            tk.size.ledger(path).after(technique, **options)
        with pytest.raises((TypeError, ValueError)) as second:
            tk.coreml.compress(
                path, technique, engine=engine, progress=lambda *at: seen.append(at), **options
            )
        assert str(first.value) == str(second.value) and not seen


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.recurrent, self.linear = (
            nn.Embedding(300, 32),
            nn.GRU(32, 40, batch_first=True),
            nn.Linear(40, 64),
        )

    def forward(self, words):
        return self.linear(self.recurrent(self.table(words))[0]).mean(1)


@pytest.mark.parametrize(
    ("target", "sizes_of"), [("iOS16", "range"), ("iOS17", "enumerated"), ("iOS18", "range")]
)
def test_flexible_shapes(target, sizes_of, tmp_path):
    shape = (1, ct.RangeDim(1, 64, 8))
    if sizes_of == "enumerated":
        shape = ct.EnumeratedShapes(shapes=[(1, 8), (1, 16)], default=(1, 8))
    inputs = [ct.TensorType(name="words", shape=shape, dtype=np.int32)]
    path = saved(Words(), torch.zeros(1, 8).int(), tmp_path, target, inputs=inputs)
    for technique, options in [("palettize", {"bits": 4, "mode": "uniform"}), ("quantize", {})]:
        agree(path, technique, **options)


class TestSeveralFunctions:
    @pytest.fixture(scope="class")
    @staticmethod
    def joined(tmp_path_factory):
        """Two functions of one network, and one of them alone."""
        folder = tmp_path_factory.mktemp("functions")
        torch.manual_seed(0)
        network, described = (
            nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 48)),
            ct.utils.MultiFunctionDescriptor(),
        )
        for rows in (1, 2):
            mlmodel = tk.coreml.convert(network, torch.rand(rows, 64), "iOS18")
            alone = tk.coreml.save(mlmodel, folder / f"{rows}.mlpackage")
            described.add_function(str(alone), "main", f"rows{rows}")
        described.default_function_name = "rows1"
        with quiet():
            ct.utils.save_multifunction(described, str(folder / "both.mlpackage"))
        return folder / "both.mlpackage", alone

    @pytest.mark.parametrize(
        ("technique", "options"), [("quantize", {}), ("palettize", {"bits": 4}), ("prune", {"sparsity": 0.5})]
    )
    def test_weights_of_two_functions_are_compressed_once(self, joined, technique, options):
        both, _alone = joined
        predicted = tk.size.ledger(both).after(technique, **options)
        written, single = (tk.coreml.compress(path, technique, **options) for path in joined)
        assert predicted.nbytes == written.nbytes
        assert sizes.weight_bytes(tk.size.ledger(written)) == sizes.weight_bytes(tk.size.ledger(single))
        stored = tk.coreml.weights(written)
        for name, weight in tk.coreml.weights(single).items():
            dense = weight.dense() if hasattr(weight, "dense") else weight
            found = [value for other, value in stored.items() if other.rpartition("/")[2] == name]
            assert found and all(
                np.array_equal(value.dense() if hasattr(value, "dense") else value, dense) for value in found
            )

    def test_coremltools_does_not_compress_them(self, joined):
        with pytest.raises(ValueError, match="several functions, which coremltools does not compress"):
            tk.coreml.compress(joined[0], "quantize", engine="coremltools")

    def test_coremltools_opens_them(self, joined):
        written = tk.coreml.compress(joined[0], "quantize")
        with quiet():
            mlmodel = ct.models.MLModel(str(written.path), function_name="rows2", skip_model_load=True)
        assert {function.name for function in mlmodel.get_spec().description.functions} == {"rows1", "rows2"}


@pytest.mark.parametrize("target", ["iOS16", "iOS18", "iOS26"])
def test_coremltools_reads_every_form(target, tmp_path):
    """Its own metadata of the weights are those of the same package of its own."""
    path = saved(
        nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64)), torch.rand(1, 64), tmp_path, target
    )
    for technique, options in sizes.OLD[::5] + (sizes.NEW[1::3] if target == "iOS18" else []):
        found = [
            metadata(tk.coreml.compress(path, technique, engine=engine, **options)) for engine in ENGINES
        ]
        assert found[0] == found[1]


class TestResults:
    def test_are_of_the_kind_that_was_given(self, tmp_path):
        path = saved(nn.Linear(64, 64), torch.rand(1, 64), tmp_path)
        with quiet():
            mlmodel = ct.models.MLModel(str(path), skip_model_load=True)
        for engine in ENGINES:
            compress = lambda given: tk.coreml.compress(given, "quantize", engine=engine)
            assert isinstance(compress(mlmodel), ct.models.MLModel)
            assert all(isinstance(compress(given), Package) for given in (path, str(path), Package(path)))
            sizes_of = {
                Package(tk.coreml.save(compress(given), tmp_path / "small.mlpackage")).nbytes
                for given in (path, mlmodel)
            }
            assert len(sizes_of) == 1

    def test_folders_go_with_them(self, tmp_path):
        path = saved(nn.Linear(64, 64), torch.rand(1, 64), tmp_path)
        package = tk.coreml.compress(path, "quantize")
        folder = package.path.parent
        assert folder.is_dir()
        del package
        gc.collect()
        assert not folder.exists()

    def test_names_that_are_taken(self, tmp_path):
        """A program may have the name already that the decompressed weight would get."""
        weight = RANDOM.normal(size=(64, 64)).astype(np.float16)

        @mb.program(input_specs=[mb.TensorSpec((1, 64), dtype=types.fp16)], opset_version=ct.target.iOS18)
        def program(x):
            kept = mb.const(val=weight, name="w")
            return mb.linear(
                x=mb.relu(x=mb.linear(x=x, weight=kept, name="w_quantized"), name="w_quantized_0"),
                weight=kept,
            )

        with quiet():
            mlmodel = ct.convert(program, minimum_deployment_target=ct.target.iOS18, skip_model_load=True)
        path = tk.coreml.save(mlmodel, tmp_path / "net.mlpackage")
        written = tk.coreml.compress(path, "quantize")
        (name,) = tk.coreml.load(path).inputs
        example = {name: RANDOM.normal(size=(1, 64)).astype(np.float16)}
        ours, theirs = (next(iter(tk.coreml.run(package, example).values())) for package in (written, path))
        assert np.linalg.norm(ours - theirs) < 0.05 * np.linalg.norm(theirs)
