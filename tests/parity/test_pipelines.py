"""Packages of several models that run one after the other, against coremltools and torch."""

import gc

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ct = pytest.importorskip("coremltools")

from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import toykit as tk
from tests.nightly import cases
from tests.parity.running import distance
from toykit.coreml.format import protobuf


def part(network, example, given, gives, **options):
    return tk.coreml.convert(
        network,
        example,
        "iOS16",
        inputs=[ct.TensorType(name=given, shape=tuple(example.shape))],
        outputs=[ct.TensorType(name=gives)],
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval(), nn.Sequential(
        nn.Flatten(), nn.Linear(288, 16)
    ).eval()


@pytest.fixture(scope="module")
def parts(networks):
    first, second = networks
    return (
        part(first, torch.zeros(1, 3, 8, 8), "image", "seen"),
        part(second, torch.zeros(1, 8, 6, 6), "seen", "scores"),
    )


@pytest.fixture(scope="module")
def path(parts, tmp_path_factory):
    """Two ML programs as coremltools joins them."""
    return tk.coreml.save(
        ct.utils.make_pipeline(*parts), tmp_path_factory.mktemp("pipelines") / "joined.mlpackage"
    )


def rewritten(path, folder, change):
    """A copy of the pipeline with `change` made to its "Model" message."""
    import shutil

    copy = folder / "copy.mlpackage"
    shutil.copytree(path, copy)
    file = copy / "Data/com.apple.CoreML/model.mlmodel"
    model = protobuf.decode(file.read_bytes(), "Model")
    pipeline = protobuf.decode(model["pipeline"], "Pipeline")
    change(model, pipeline)
    if "pipeline" in model:
        model["pipeline"] = protobuf.encode(pipeline, "Pipeline")
    file.write_bytes(protobuf.encode(model, "Model"))
    return copy


def suppressing(model, pipeline):
    """Put a model in the end that is no program, as detectors have one."""
    nms = ct.proto.Model_pb2.Model(specificationVersion=3)
    nms.nonMaximumSuppression.iouThreshold = 0.5
    pipeline["models"].append(protobuf.decode(nms.SerializeToString(), "Model"))


class TestReading:
    def test_the_ledger_is_what_lies_on_disk(self, path):
        ledger = tk.size.ledger(path)
        assert ledger.nbytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        weighed = {row.name: row.nbytes for row in ledger.rows}
        assert {name.partition("/")[0] for name in weighed} == {"0", "1"}
        assert sum(weighed.values()) == 2 * (8 * 27 + 288 * 16 + 16)  # 8 biases lie in the program
        assert all(count >= 0 for count in ledger.rest.values())

    def test_weights(self, path, networks):
        found = tk.coreml.weights(path)
        assert list(found) == [row.name for row in tk.size.ledger(path).rows]
        (name,) = (name for name in found if name.startswith("1/") and found[name].ndim == 2)
        assert np.array_equal(found[name], networks[1][1].weight.detach().half().numpy())

    def test_each_model_is_a_package(self, path):
        package = tk.coreml.Package(path)
        assert [part.kind for part in package.models] == ["mlProgram"] * 2
        assert [list(part.description.outputs) for part in package.models] == [["seen"], ["scores"]]
        assert sum(part.nbytes for part in package.models) == sum(
            count for name, count in package.files.items() if name.endswith(".bin")
        )
        whole = [name for part in package.models for name in tk.coreml.weights(part)]
        assert len(whole) == len(tk.size.ledger(path).rows)
        assert "model 1" in repr(package.models[1]) and "operations" in repr(package)

    def test_what_is_no_program_counts_in_the_rest(self, path, tmp_path):
        copy = rewritten(path, tmp_path, suppressing)
        ledger = tk.size.ledger(copy)
        assert ledger.nbytes == sum(file.stat().st_size for file in copy.rglob("*") if file.is_file())
        assert len(ledger.rows) == len(tk.size.ledger(path).rows)
        assert tk.coreml.Package(copy).models[2].kind == "nonMaximumSuppression"

    @pytest.mark.parametrize("kind", ["pipelineClassifier", "pipelineRegressor"])
    def test_classifiers_and_regressors(self, path, tmp_path, kind):
        def change(model, pipeline):
            content = {"pipeline": protobuf.decode(model.pop("pipeline"), "Pipeline")}
            model[kind] = protobuf.encode(content, kind[0].upper() + kind[1:])

        copy = rewritten(path, tmp_path, change)
        assert len(tk.size.ledger(copy).rows) == len(tk.size.ledger(path).rows)
        assert tk.coreml.Package(copy).kind == kind

    def test_pipelines_in_pipelines_are_no_programs(self, path, tmp_path):
        def change(model, pipeline):
            pipeline["models"].append({"pipeline": model["pipeline"]})

        copy = rewritten(path, tmp_path, change)
        assert tk.coreml.Package(copy).models[2].kind == "pipeline"
        with pytest.raises(ValueError, match="model 2 of the pipeline is of type pipeline"):
            tk.coreml.load(copy)

    def test_a_damaged_model_is_named(self, path, tmp_path):
        def change(model, pipeline):
            pipeline["models"][1]["mlProgram"] = b"\xff"

        with pytest.raises(tk.coreml.PackageError, match="copy.mlpackage: model 1 of the pipeline: "):
            tk.coreml.Package(rewritten(path, tmp_path, change))

    @pytest.mark.parametrize("left", [0, 1])
    def test_without_a_program_it_is_refused(self, path, tmp_path, left):
        def change(model, pipeline):
            suppressing(model, pipeline)
            del pipeline["models"][: 3 - left]

        with pytest.raises(tk.coreml.PackageError, match="without an ML program .of types: (nonMax|none)"):
            tk.size.ledger(rewritten(path, tmp_path, change))


class TestRunning:
    @pytest.mark.parametrize("backend", ["numpy", "torch"])
    def test_models_run_one_after_the_other(self, path, networks, backend):
        x = torch.randn(1, 3, 8, 8)
        answers = tk.coreml.run(path, {"image": x.numpy()}, backend=backend)
        assert list(answers) == ["scores"]
        assert distance(answers["scores"], networks[1](networks[0](x)).detach().numpy()) < 2e-3

    def test_a_model_alone(self, path, networks):
        x = torch.randn(1, 3, 8, 8)
        answers = tk.coreml.run(tk.coreml.Package(path).models[0], {"image": x.numpy()})
        assert distance(answers["seen"], networks[0](x).detach().numpy()) < 2e-3

    def test_results_inside(self, path):
        model = tk.coreml.load(path)
        seen = model.inspect({"image": np.ones((1, 3, 8, 8))})
        assert {name.partition("/")[0] for name in seen} == {"0", "1"}
        assert list(model.inspect({"image": np.ones((1, 3, 8, 8))}, ["1/scores"])) == ["1/scores"]

    def test_batches_and_accuracy(self, path):
        x = {"image": np.ones((1, 3, 8, 8))}
        model = tk.coreml.load(path)
        assert len(model.predict([x, x])) == 2 and model.make_state() == {}
        assert tk.coreml.accuracy(model, [(x, 0)], lambda answers, targets: len(answers)) == 1

    @pytest.mark.parametrize(
        ("inputs", "said"),
        [
            ({}, "input 'image' is missing"),
            ({"seen": 1}, "no input 'seen'"),
            ({"image": [1]}, "must have shape"),
        ],
    )
    def test_bad_inputs(self, path, inputs, said):
        with pytest.raises(ValueError, match=said):
            tk.coreml.run(path, inputs)

    def test_a_function_is_refused(self, path):
        with pytest.raises(ValueError, match="function must be None"):
            tk.coreml.load(path, function="main")

    def test_what_is_no_program_cannot_run_and_the_rest_can(self, path, tmp_path):
        copy = rewritten(path, tmp_path, suppressing)
        with pytest.raises(
            tk.coreml.PackageError, match="model 2 of the pipeline is of type nonMax"
        ) as caught:
            tk.coreml.load(copy)
        assert "load(Package(path).models[0])" in str(caught.value)
        assert tk.coreml.load(tk.coreml.Package(copy).models[0]).predict({"image": np.ones((1, 3, 8, 8))})

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda model, pipeline: pipeline["models"].reverse(), "model 0 .*gives its input 'seen'"),
            (lambda model, pipeline: pipeline["models"].pop(), "gives its output 'scores'"),
        ],
    )
    def test_names_that_do_not_meet(self, path, tmp_path, change, said):
        with pytest.raises(tk.coreml.PackageError, match=said):
            tk.coreml.load(rewritten(path, tmp_path, change))


def test_one_program_is_asked_of_a_pipeline_and_can_be_had(path):
    from toykit.coreml.view.graph import read_graph

    for look in (lambda source: tk.coreml.Package(source).program, read_graph, tk.latency.layers):
        with pytest.raises(tk.coreml.PackageError, match=r"Package\(path\).models\[0\]"):
            look(path)
    parts = tk.coreml.Package(path).models
    assert len(read_graph(parts[0]).steps) >= 2
    assert [layer.shape for part in parts for layer in tk.latency.layers(part)] == [(8, 3, 3, 3), (16, 288)]


@pytest.fixture(scope="module")
def mutable(path, tmp_path_factory):
    copy = rewritten(path, tmp_path_factory.mktemp("mutants"), lambda model, pipeline: None)
    return copy, (copy / "Data/com.apple.CoreML/model.mlmodel").read_bytes()


@settings(max_examples=cases(100, 3000))
@given(st.integers(0, 2**32))
def test_fuzz_any_byte_may_be_wrong(mutable, seed):
    """A mutant weighs, compresses and runs, or says why it does not."""
    (copy, sound), random = mutable, np.random.default_rng(seed)
    content = bytearray(sound)
    for place in random.integers(len(content), size=random.integers(1, 4)):
        content[place] = random.integers(256)
    if random.random() < 0.1:
        del content[random.integers(1, len(content)) :]
    (copy / "Data/com.apple.CoreML/model.mlmodel").write_bytes(content)
    try:
        predicted = tk.size.ledger(copy).after("quantize", bits=8, **SMALL).nbytes
        assert tk.coreml.compress(copy, "quantize", bits=8, **SMALL).nbytes == predicted
        tk.coreml.run(copy, {"image": np.ones((1, 3, 8, 8))})
    except ValueError:
        pass


PLANS = {
    "int8": ("quantize", {"bits": 8}),
    "palette": ("palettize", {"bits": 4}),
    "pruned": ("prune", {"sparsity": 0.5}),
}
SMALL = {"weight_threshold": 100}  # the convolution has 216 weights


class TestCompressing:
    """Against pipelines of models that were compressed before coremltools joined them."""

    @pytest.mark.parametrize("name", ["int8", "palette", "pruned"])
    def test_as_joined_afterwards(self, parts, name, path, tmp_path):
        plan, options = PLANS[name]
        options = options | SMALL
        small = tk.coreml.compress(path, plan, **options)
        joined = ct.utils.make_pipeline(*(tk.coreml.compress(one, plan, **options) for one in parts))
        joined = tk.coreml.Package(tk.coreml.save(joined, tmp_path / "joined.mlpackage"))
        for ours, theirs in zip(small.models, joined.models, strict=True):
            assert [weights.path.read_bytes() for weights in ours.weight_files.values()] == [
                weights.path.read_bytes() for weights in theirs.weight_files.values()
            ]
        x = {"image": np.random.default_rng(0).normal(size=(1, 3, 8, 8))}
        assert np.array_equal(tk.coreml.run(small, x)["scores"], tk.coreml.run(joined, x)["scores"])

    @pytest.mark.parametrize("name", ["int8", "palette", "pruned"])
    @pytest.mark.parametrize("last", [None, suppressing])
    def test_what_is_predicted_is_written(self, path, name, last, tmp_path):
        source = rewritten(path, tmp_path, last) if last else path
        plan, options = PLANS[name]
        predicted = tk.size.ledger(source).after(plan, **options, **SMALL)
        small = tk.coreml.compress(source, plan, **options, **SMALL)
        found = tk.size.ledger(small)
        assert predicted.nbytes == small.nbytes == found.nbytes < tk.size.ledger(source).nbytes
        assert predicted.rows == found.rows
        assert all(predicted.rest[file] == found.rest[file] for file in found.rest)
        assert [one.kind for one in small.models] == [one.kind for one in tk.coreml.Package(source).models]

    def test_its_folder_stays_while_a_model_of_it_is_held(self, path):
        model = tk.coreml.compress(path, "quantize").models[0]
        assert model.model_file.exists() and tk.coreml.load(model)
        folder = model.path.parent
        del model
        gc.collect()
        assert not folder.exists()

    def test_coremltools_opens_it(self, path):
        small = tk.coreml.compress(path, "palettize", bits=4)
        spec = ct.models.MLModel(str(small.path), skip_model_load=True).get_spec()
        assert [one.WhichOneof("Type") for one in spec.pipeline.models] == ["mlProgram"] * 2

    def test_what_is_no_program_stays_as_it_is(self, path, tmp_path):
        copy = rewritten(path, tmp_path, suppressing)
        small = tk.coreml.compress(copy, "quantize", bits=8)
        before, after = (ct.utils.load_spec(str(one)).pipeline.models[2] for one in (copy, small.path))
        assert before == after and before.nonMaximumSuppression.iouThreshold == 0.5

    @pytest.mark.parametrize("kind", ["pipelineClassifier", "pipelineRegressor"])
    def test_pipelines_of_other_kinds(self, path, tmp_path, kind):
        def change(model, pipeline):
            content = {"pipeline": protobuf.decode(model.pop("pipeline"), "Pipeline")}
            model[kind] = protobuf.encode(content, kind[0].upper() + kind[1:])

        copy = rewritten(path, tmp_path, change)
        small = tk.coreml.compress(copy, "quantize", bits=8)
        assert small.kind == kind and small.nbytes == tk.size.ledger(copy).after("quantize", bits=8).nbytes
        assert small.nbytes < tk.size.ledger(path).nbytes

    def test_one_model_of_it_by_a_plan(self, path):
        (name,) = (row.name for row in tk.size.ledger(path).rows if row.parameters == 288 * 16)
        small = tk.coreml.compress(path, {name: {"technique": "quantize", "bits": 8}})
        assert [row.name for row in tk.size.ledger(small).rows if row.form] == [name.replace("var_", "op_")]

    def test_systems_are_checked_of_each_model(self, path):
        with pytest.raises(ValueError, match="iOS 18"):
            tk.coreml.compress(path, "quantize", bits=4)
        with pytest.raises(ValueError, match="iOS 18"):
            tk.size.ledger(path).after("quantize", bits=4)

    def test_a_model_alone_is_not_written(self, path, tmp_path):
        one = tk.coreml.Package(path).models[1]
        with pytest.raises(ValueError, match="model 1 of the pipeline is compressed with the others"):
            tk.coreml.compress(one, "quantize", bits=8)
        with pytest.raises(ValueError, match="save the pipeline"):
            tk.coreml.save(one, tmp_path / "one.mlpackage")
        for source in (path, one):
            with pytest.raises(ValueError, match="make_pipeline afterwards"):
                tk.coreml.quantize_activations(source, [{"image": np.ones((1, 3, 8, 8))}])

    def test_coremltools_is_not_asked(self, path):
        with pytest.raises(
            ValueError, match="is a pipeline, which coremltools does not compress; engine='toykit' does"
        ):
            tk.coreml.compress(path, "quantize", bits=8, engine="coremltools")

    def test_compared(self, path):
        small = tk.coreml.compress(path, "palettize", bits=6)
        assert 15 < tk.coreml.compare(small, path).worst < 60
