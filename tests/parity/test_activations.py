"""Activations quantized off a Mac: coremltools' own pass, with the interpreter where it would predict."""

import numpy as np
import pytest

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
torch = pytest.importorskip("torch", reason="the packages are converted from torch")

import toykit as tk
from toykit._quiet import coremltools, quiet
from toykit.coreml import Package

from . import architectures

ct = coremltools()
with quiet():
    import coremltools.optimize.coreml as cto
    from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
    from coremltools.optimize.coreml import _post_training_quantization as theirs
    from coremltools.optimize.coreml.experimental import _model_debugger, _post_training_quantization


class Network(torch.nn.Module):
    """Convolutions with a shortcut, pooling, and a linear layer: every operator that the pass knows."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 16, 3, padding=1)
        self.body = torch.nn.Conv2d(16, 16, 3, padding=1)
        self.head = torch.nn.Linear(16, 10)

    def forward(self, pixels):
        x = torch.nn.functional.max_pool2d(self.stem(pixels).relu(), 2)
        x = x + self.body(x)
        return self.head(torch.nn.functional.avg_pool2d(x, 4).flatten(1))


@pytest.fixture(scope="module")
def mlmodel():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return tk.coreml.convert(Network().eval(), torch.zeros(1, 3, 8, 8), target="iOS17")


def samples(scales=(1.0, 3.0, 0.5), seed=0):
    random = np.random.default_rng(seed)
    return [{"pixels": (scale * random.normal(size=(1, 3, 8, 8))).astype(np.float32)} for scale in scales]


def quantizers(mlmodel):
    """What each `quantize` is given: name of its input -> (scale, zero point or None, output type)."""
    package = Package(mlmodel.package_path)
    constants = {}
    found = {}
    for operation in package.program.walk():
        if operation.op == "const":
            constants |= dict.fromkeys(operation.outputs, operation.attributes["val"])
        elif operation.op == "quantize":
            given = {
                name: (constants.get(a, a)) if isinstance(a, str) else a
                for name, (a,) in operation.inputs.items()
            }
            zero = given["zero_point"].numpy() if "zero_point" in given else None
            found[given["input"]] = given["scale"].numpy(), zero, given["output_dtype"].numpy()
    return found


@pytest.mark.parametrize("mode, signed", [("symmetric", True), ("affine", True), ("affine", False)])
def test_is_coremltools_own_pass(mlmodel, mode, signed, monkeypatch):
    """With one sample nothing can be forgotten: the same program comes out as with `MLModel.predict`."""
    monkeypatch.setattr(ct.models.MLModel, "predict", tk.coreml.run)
    dtype = "int8" if signed else "uint8"
    linear = {"symmetric": "linear_symmetric", "affine": "linear"}[mode]
    config = cto.OptimizationConfig(cto.OpLinearQuantizerConfig(mode=linear, dtype=dtype))
    with quiet():
        expected = cto.linear_quantize_activations(mlmodel, config, samples((2.0,)))
    ours = tk.coreml.quantize_activations(mlmodel, samples((2.0,)), mode=mode, signed=signed)
    assert len(quantizers(ours)) >= 5
    assert quantizers(ours) == quantizers(expected)
    assert [o.op for o in Package(ours.package_path).program.walk()] == [
        o.op for o in Package(expected.package_path).program.walk()
    ]


def test_ranges_cover_all_samples():
    # A network without shortcuts: around an addition coremltools moves scales between operators later.
    mlmodel = tk.coreml.convert(*architectures.build("pointwise"), target="iOS17")
    (name,) = mlmodel.input_description
    random = np.random.default_rng(0)
    data = [{name: np.float32(scale * random.normal(size=(1, 16, 8, 8)))} for scale in (1, 3, 0.5)]
    found = quantizers(tk.coreml.quantize_activations(mlmodel, data))
    model = tk.coreml.load(mlmodel)
    seen = [model.inspect(one) | one for one in data]
    assert len(found) >= 3
    for name, (scale, zero, _) in found.items():
        largest = np.float16(max(np.abs(one[name]).max() for one in seen))
        assert zero is None
        assert scale == (largest + largest) / np.float16(254)
    assert found == quantizers(tk.coreml.quantize_activations(mlmodel, data[::-1]))
    assert found != quantizers(tk.coreml.quantize_activations(mlmodel, data[-1:]))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("mode", ["symmetric", "affine"])
def test_w8a8_runs(mlmodel, mode, signed):
    """Every step of the interpreter on the W8A8 package, against torch on what the step was given."""
    data = samples()
    activations = tk.coreml.quantize_activations(mlmodel, data, mode=mode, signed=signed)
    both = tk.coreml.compress(activations, "quantize", weight_threshold=0)
    package = Package(both.package_path)
    model = tk.coreml.load(package)
    weights = {name: w.dense() for name, w in tk.coreml.weights(package).items() if hasattr(w, "dense")}
    assert len(weights) == 3
    checked, types = set(), set()
    for one in data:
        seen = model.inspect(one) | one
        for operation in package.program.walk():
            (output, *_) = operation.outputs or [None]
            if operation.op not in ("quantize", "dequantize", "conv", "linear", "add"):
                continue
            checked.add(operation.op)
            x = seen[operation.inputs["input" if "quant" in operation.op else "x"][0]].astype(np.float64)
            if "quant" in operation.op:
                given = {name: package_value(package, a[0]) for name, a in operation.inputs.items()}
                scale, zero = np.float64(given["scale"]), np.float64(given.get("zero_point", 0))
                if operation.op == "quantize":
                    # A later pass makes uint8 of int8 codes where that spares a zero point.
                    first, last = (-128, 127) if given["output_dtype"] == "int8" else (0, 255)
                    exact = x / scale
                    expected = np.clip(np.rint(exact) + zero, first, last)
                    # Where float32 and float64 disagree on a half, the code may be its neighbour.
                    near = np.abs(np.abs(exact - np.floor(exact)) - 0.5) < 1e-4
                    assert np.array_equal(seen[output][~near], expected[~near])
                    assert np.abs(seen[output] - expected).max() <= 1
                    types.add(given["output_dtype"])
                else:
                    np.testing.assert_allclose(seen[output], (x - zero) * scale, rtol=1e-6)
            elif operation.op == "add":
                y = seen[operation.inputs["y"][0]]
                np.testing.assert_allclose(seen[output], x + y, rtol=1e-5, atol=1e-6)
            else:
                name = operation.inputs["weight"][0]
                weight = torch.from_numpy(weights[name.removesuffix("_quantized")].astype(np.float64))
                bias = torch.from_numpy(np.float64(package_value(package, operation.inputs["bias"][0])))
                call = torch.nn.functional.linear if operation.op == "linear" else torch.nn.functional.conv2d
                same = {} if operation.op == "linear" else {"padding": 1}
                expected = call(torch.from_numpy(x), weight, bias, **same).numpy()
                small = 1e-5 * np.abs(expected).max()
                np.testing.assert_allclose(seen[output], expected, rtol=1e-4, atol=small)
        (name,) = model.outputs
        wanted = tk.coreml.run(mlmodel, one)[name]
        assert np.abs(model.predict(one)[name] - wanted).max() < 0.05 * np.abs(wanted).max()
    assert checked == {"quantize", "dequantize", "conv", "linear", "add"}
    assert ("int8" if signed else "uint8") in types


def package_value(package, argument):
    if isinstance(argument, str):
        makers = {name: op for op in package.program.walk() for name in op.outputs}
        argument = makers[argument].attributes.get("val") if argument in makers else None
    return argument.numpy() if argument is not None else None


def test_weights_first_works_too(mlmodel):
    weights = tk.coreml.compress(mlmodel, "quantize", weight_threshold=0)
    both = tk.coreml.quantize_activations(weights, samples())
    assert len(quantizers(both)) >= 5
    (name,) = both.output_description
    wanted = tk.coreml.run(mlmodel, samples()[0])[name]
    assert np.abs(tk.coreml.run(both, samples()[0])[name] - wanted).max() < 0.05 * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["depthwise", "attention", "embedding", "lstm"])
def test_other_architectures(name):
    mlmodel = tk.coreml.convert(*architectures.build(name), target="iOS17")
    (feature,) = Package(mlmodel.package_path).description.inputs.values()
    random = np.random.default_rng(0)
    shape = feature.shape
    data = [{feature.name: random.normal(size=shape).astype(np.float32)} for _ in range(2)]
    if feature.dtype == "int32":
        data = [{feature.name: random.integers(0, 1000, shape).astype(np.int32)} for _ in range(2)]
    quantized = tk.coreml.quantize_activations(mlmodel, data)
    assert quantizers(quantized)
    for output, wanted in tk.coreml.run(mlmodel, data[0]).items():
        got = tk.coreml.run(quantized, data[0])[output]
        assert np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()


@pytest.mark.parametrize("target", ["iOS15", "iOS16"])
def test_older_packages_are_raised(target):
    mlmodel = tk.coreml.convert(*architectures.build("pointwise"), target=target)
    (name,) = mlmodel.input_description
    data = [{name: np.random.default_rng(0).normal(size=(1, 16, 8, 8)).astype(np.float32)}]
    quantized = tk.coreml.quantize_activations(mlmodel, data)
    assert Package(quantized.package_path).spec_version == 8
    assert quantizers(quantized)


def test_a_setting_for_each_operator(mlmodel):
    setting = cto.OpLinearQuantizerConfig(mode="linear_symmetric")
    config = cto.OptimizationConfig(setting, op_type_configs={"conv": None, "add": None})
    every = quantizers(tk.coreml.quantize_activations(mlmodel, samples()))
    some = quantizers(tk.coreml.quantize_activations(mlmodel, samples(), config=config))
    assert 0 < len(some) < len(every)
    assert "pixels" in every and "pixels" not in some
    assert config.op_type_configs.keys() == {"conv", "add"} and not config.op_name_configs


class TestLeavesNoTrace:
    def state(self):
        names = ("insert_prefix_quantize_dequantize_pair", "insert_suffix_quantize_dequantize_pair")
        modules = (theirs, _post_training_quantization, _model_debugger)
        return (
            [dict(vars(module)) for module in modules],
            [dict(vars(_model_debugger.ModelDebugger))],
            [dict(vars(PASS_REGISTRY.passes[f"compression::{name}"])) for name in names],
            ct.models.MLModel.predict,
        )

    def test_in_coremltools(self, mlmodel):
        before = self.state()
        tk.coreml.quantize_activations(mlmodel, samples())
        assert self.state() == before

    def test_after_a_failure(self, mlmodel):
        before = self.state()
        with pytest.raises((TypeError, ValueError)):
            tk.coreml.quantize_activations(mlmodel, [*samples(), {"y": np.zeros(3, np.float32)}])
        assert self.state() == before

    def test_in_the_samples(self, mlmodel):
        data = samples()
        copies = [{name: value.copy() for name, value in one.items()} for one in data]
        tk.coreml.quantize_activations(mlmodel, (one for one in data))
        for one, copy in zip(data, copies, strict=True):
            assert one.keys() == copy.keys()
            assert np.array_equal(one["pixels"], copy["pixels"])


class TestErrors:
    def test_no_samples(self, mlmodel):
        with pytest.raises(ValueError, match="samples must hold at least one"):
            tk.coreml.quantize_activations(mlmodel, [])

    def test_mode(self, mlmodel):
        with pytest.raises(ValueError, match="mode must be one of 'symmetric', 'affine'"):
            tk.coreml.quantize_activations(mlmodel, samples(), mode="linear")

    def test_a_range_of_nothing(self, mlmodel):
        nothing = [{"pixels": np.zeros((1, 3, 8, 8), np.float32)}]
        with pytest.raises(ValueError, match="scale of 0 .* 'pixels'"):
            tk.coreml.quantize_activations(mlmodel, nothing, mode="affine")
        tk.coreml.quantize_activations(mlmodel, nothing)  # symmetric: a scale of 1, and codes of 0

    def test_a_range_beyond_float16(self, mlmodel):
        with pytest.raises(ValueError, match="calculates them in float16"):
            tk.coreml.quantize_activations(mlmodel, samples((20_000.0,)))

    def test_a_zero_point_that_float16_loses(self, mlmodel):
        """coremltools multiplies by 128 in float16: beyond 511 the zero point is off, without a word."""
        data = [{"pixels": np.linspace(-10, 2000, 192, dtype=np.float32).reshape(1, 3, 8, 8)}]
        with pytest.raises(ValueError, match="'pixels' the range from -10 to 2000"):
            tk.coreml.quantize_activations(mlmodel, data, mode="affine")

    def test_not_a_package(self):
        with pytest.raises(TypeError, match="package must be"):
            tk.coreml.quantize_activations(3, samples())

    def test_branches(self):
        """coremltools looks for ranges in the outermost block only, and then misses them."""
        with quiet():
            from coremltools.converters.mil.mil import Builder as mb

            weight = np.ones((8, 8), np.float32)
            specs = [mb.TensorSpec(shape=(1, 8)), mb.TensorSpec(shape=(1,))]

            @mb.program(input_specs=specs, opset_version=ct.target.iOS17)
            def program(x, flag):
                test = mb.greater(x=mb.squeeze(x=flag), y=0.0)
                y = mb.linear(x=x, weight=weight)
                return mb.cond(
                    pred=test,
                    _true_fn=lambda: mb.relu(x=y),
                    _false_fn=lambda: mb.linear(x=y, weight=weight),
                )

            branching = ct.convert(program, minimum_deployment_target=ct.target.iOS17)
        data = [{"x": np.ones((1, 8), np.float32), "flag": np.ones(1, np.float32)}]
        with pytest.raises(ValueError, match=r"\(cond\) has operations inside it"):
            tk.coreml.quantize_activations(branching, data)


class Counter(torch.nn.Module):
    """Adds up what it is given, a little less each time; what it remembers alone feeds a convolution of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("sum", torch.zeros(1, 8, 4))
        self.mix, self.out = torch.nn.Conv1d(8, 8, 1), torch.nn.Conv1d(8, 16, 1)

    def forward(self, x):
        self.sum.mul_(0.5)
        self.sum.add_(x)
        answer = self.out(self.sum * 1.0)
        self.sum[:] = self.mix(self.sum * 1.0)
        return answer


@pytest.fixture(scope="module")
def counter():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = ct.StateType(wrapped_type=ct.TensorType(shape=(1, 8, 4), dtype=np.float16), name="sum")
        return tk.coreml.convert(Counter(), torch.rand(1, 8, 4), "iOS18", states=[state])


class TestStates:
    """Models that remember: a list is one sequence, and each sequence starts anew."""

    @staticmethod
    def steps(*values):
        return [{"x": np.full((1, 8, 4), value, np.float32)} for value in values]

    def test_ranges_are_those_of_the_sequences(self, counter):
        sequences = [self.steps(1, 2, -3), self.steps(4, 1)]
        found = quantizers(tk.coreml.quantize_activations(counter, sequences))
        model, seen = tk.coreml.load(counter), []
        for steps in sequences:
            state = model.make_state()
            seen += [model.inspect(step, state=state) | step for step in steps]
        # Around an addition coremltools moves scales between operators.
        moved = {name for o in model.package.program.walk() if o.op == "add" for name in o.outputs}
        assert len(found.keys() - moved) >= 4
        for name in found.keys() - moved:
            (scale, _, _), largest = found[name], np.float16(max(np.abs(one[name]).max() for one in seen))
            assert scale == (largest + largest) / np.float16(254), name

    def test_sequences_in_any_order_and_their_steps_in_one(self, counter):
        found = [
            quantizers(tk.coreml.quantize_activations(counter, samples))
            for samples in (
                [self.steps(1, 5), self.steps(4)],
                [*self.steps(4), tuple(self.steps(1, 5))],
                [self.steps(5, 1), self.steps(4)],
                self.steps(1, 5, 4),
            )
        ]
        assert found[0] == found[1]
        assert found[0] != found[2] and found[0] != found[3]

    def test_the_same_sample_twice(self, counter):
        (step,) = self.steps(3)
        once = quantizers(tk.coreml.quantize_activations(counter, [step]))
        assert once == quantizers(tk.coreml.quantize_activations(counter, [step, step]))
        assert once != quantizers(tk.coreml.quantize_activations(counter, [[step, step]]))

    def test_it_runs_as_before(self, counter):
        sequence = self.steps(1, 2, -3, 0.5)
        small = tk.coreml.load(tk.coreml.quantize_activations(counter, [sequence]))
        model = tk.coreml.load(counter)
        state, other = small.make_state(), model.make_state()
        for step in sequence:
            (ours,), (wanted,) = small.predict(step, state).values(), model.predict(step, other).values()
            assert np.abs(ours - wanted).max() < 0.05 * np.abs(wanted).max()
        assert "state" in Package(small.package.path).description.states["sum"].kind

    def test_lists_without_states_are_samples(self, mlmodel):
        data = samples()
        assert quantizers(tk.coreml.quantize_activations(mlmodel, [data])) == quantizers(
            tk.coreml.quantize_activations(mlmodel, data)
        )

    def test_an_empty_sequence(self, counter):
        with pytest.raises(ValueError, match="samples holds an empty list"):
            tk.coreml.quantize_activations(counter, [[]])
