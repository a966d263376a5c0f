"""What goes into a model and what comes out, as with `MLModel.predict`; and what is refused."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import toykit as tk

ct = pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.parity import running
from tests.parity.operators.case import Function, normal, seeded
from toykit._quiet import quiet
from toykit.coreml.format import protobuf


def converted(model, example, target="iOS17", precision="float32", **options):
    """A function or module as a package."""
    module = model if isinstance(model, nn.Module) else Function(model)
    return tk.coreml.convert(
        module.eval(), example, target=target, precision=precision, skip_model_load=True, **options
    )


def close(ours, reference, within=1e-4):
    reference = reference.numpy() if isinstance(reference, torch.Tensor) else reference
    return running.distance(ours, reference) <= within


def only(outputs):
    (value,) = outputs.values()
    return value


@pytest.fixture(scope="module", params=running.BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def convolution():
    return seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()))


class TestFlexibleShapes:
    @pytest.fixture(scope="class")
    @classmethod
    def ranged(cls, convolution):
        shape = ct.Shape((ct.RangeDim(1, 3), 3, ct.RangeDim(8, 64, default=16), 12))
        return converted(convolution, torch.zeros(1, 3, 16, 12), inputs=[ct.TensorType("x", shape)])

    @pytest.fixture(scope="class")
    @classmethod
    def listed(cls, convolution):
        shape = ct.EnumeratedShapes([(1, 3, 8, 8), (1, 3, 16, 12)])
        return converted(convolution, torch.zeros(1, 3, 8, 8), inputs=[ct.TensorType("x", shape)])

    @pytest.mark.parametrize("shape", [(1, 3, 16, 12), (2, 3, 8, 12), (3, 3, 64, 12)])
    def test_range(self, ranged, convolution, shape, backend):
        x = normal(*shape)
        assert close(only(tk.coreml.run(ranged, {"x": x.numpy()}, backend=backend)), convolution(x))

    @pytest.mark.parametrize(
        "shape", [(1, 3, 7, 12), (1, 3, 65, 12), (4, 3, 16, 12), (1, 3, 16, 13), (3, 16, 12)]
    )
    def test_outside_the_range(self, ranged, shape):
        with pytest.raises(ValueError, match=r"'x' must have shape \(1 to 3, 3, 8 to 64, 12\); got"):
            tk.coreml.run(ranged, {"x": np.zeros(shape, np.float32)})

    @pytest.mark.parametrize("shape", [(1, 3, 8, 8), (1, 3, 16, 12)])
    def test_listed(self, listed, convolution, shape, backend):
        x = normal(*shape)
        assert close(only(tk.coreml.run(listed, {"x": x.numpy()}, backend=backend)), convolution(x))

    def test_not_listed(self, listed):
        with pytest.raises(ValueError, match=r"'x' must have shape \(1, 3, 8, 8\) or \(1, 3, 16, 12\); got"):
            tk.coreml.run(listed, {"x": np.zeros((1, 3, 8, 12), np.float32)})

    def test_shapes_that_follow(self, backend):
        """Programs that ask for the sizes of what they are given."""

        def function(x):
            y = F.interpolate(x, scale_factor=2)
            y = torch.cat([y, x.repeat(1, 1, 2, 2)], 1).flatten(2)
            return (y * torch.arange(y.shape[2])).mean(2)

        shape = ct.Shape((1, 3, ct.RangeDim(4, 16, default=8), ct.RangeDim(4, 16, default=8)))
        package = converted(function, torch.zeros(1, 3, 8, 8), inputs=[ct.TensorType("x", shape)])
        model = tk.coreml.load(package, backend=backend)
        for sizes in ((8, 8), (4, 16), (13, 5)):
            x = normal(1, 3, *sizes)
            assert close(only(model.predict({"x": x.numpy()})), function(x))

    def test_sequences_of_any_length(self, backend):
        network = seeded(lambda: nn.Sequential(nn.Embedding(20, 8), nn.LayerNorm(8), nn.Linear(8, 4)))
        kind = ct.TensorType("tokens", ct.Shape((1, ct.RangeDim(1, 256, default=5))), dtype=np.int32)
        package = converted(network, torch.zeros(1, 5, dtype=torch.int32), inputs=[kind])
        model = tk.coreml.load(package, backend=backend)
        for length in (1, 5, 200):
            tokens = torch.arange(length, dtype=torch.int32)[None] % 20
            assert close(only(model.predict({"tokens": tokens.numpy()})), network(tokens))
        with pytest.raises(ValueError, match=r"must have shape \(1, 1 to 256\); got \(1, 0\)"):
            model.predict({"tokens": np.zeros((1, 0), np.int32)})


class TestImages:
    PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    GRAY = np.random.default_rng(1).integers(0, 256, (6, 8), np.uint8)

    @pytest.fixture(scope="class")
    @classmethod
    def package(cls, convolution):
        @quiet()
        def make(color):
            kind = ct.ImageType(
                "x",
                (1, 3, 6, 8),
                scale=1 / 127.5,
                bias=[-1.0, -0.9, -1.1],
                color_layout=getattr(ct.colorlayout, color),
            )
            return converted(convolution, torch.zeros(1, 3, 6, 8), inputs=[kind])

        return {color: make(color) for color in ("RGB", "BGR")}

    @pytest.mark.parametrize("as_image", [False, True])
    @pytest.mark.parametrize("color", ["RGB", "BGR"])
    def test_colours(self, package, convolution, color, as_image, backend):
        PIL = pytest.importorskip("PIL.Image")
        pixels = self.PIXELS if color == "RGB" else self.PIXELS[..., ::-1]
        x = torch.tensor(pixels / 127.5 + [-1.0, -0.9, -1.1], dtype=torch.float32).permute(2, 0, 1)[None]
        given = PIL.fromarray(self.PIXELS) if as_image else self.PIXELS
        assert close(only(tk.coreml.run(package[color], {"x": given}, backend=backend)), convolution(x))

    @pytest.mark.parametrize("color", ["GRAYSCALE", "GRAYSCALE_FLOAT16"])
    def test_gray(self, color, backend):
        PIL = pytest.importorskip("PIL.Image")
        kind = ct.ImageType(
            "x", (1, 1, 6, 8), scale=0.5, bias=3.0, color_layout=getattr(ct.colorlayout, color)
        )
        package = converted(lambda x: x * 2, torch.zeros(1, 1, 6, 8), inputs=[kind], precision="float16")
        for given in (self.GRAY, PIL.fromarray(self.GRAY)):
            answer = only(tk.coreml.run(package, {"x": given}, backend=backend))
            assert close(answer, (self.GRAY[None, None] * 0.5 + 3) * 2)

    @pytest.mark.parametrize("color", ["RGB", "BGR", "GRAYSCALE"])
    def test_images_come_out(self, color, backend):
        PIL = pytest.importorskip("PIL.Image")
        channels = 1 if color == "GRAYSCALE" else 3
        layout = getattr(ct.colorlayout, color)
        package = converted(
            lambda x: 255 - x,
            torch.zeros(1, channels, 6, 8),
            inputs=[ct.ImageType("x", (1, channels, 6, 8), color_layout=layout)],
            outputs=[ct.ImageType("y", color_layout=layout)],
        )
        given = self.GRAY if channels == 1 else self.PIXELS
        answer = tk.coreml.run(package, {"x": given}, backend=backend)["y"]
        assert isinstance(answer, PIL.Image)
        assert np.array_equal(np.asarray(answer), 255 - given)

    def test_pixels_are_cut_to_bytes(self):
        pytest.importorskip("PIL.Image")
        package = converted(
            lambda x: x * 4 - 300,
            torch.zeros(1, 1, 6, 8),
            inputs=[ct.ImageType("x", (1, 1, 6, 8), color_layout=ct.colorlayout.GRAYSCALE)],
            outputs=[ct.ImageType("y", color_layout=ct.colorlayout.GRAYSCALE)],
        )
        answer = np.asarray(tk.coreml.run(package, {"x": self.GRAY})["y"])
        assert np.array_equal(answer, np.clip(self.GRAY.astype(int) * 4 - 300, 0, 255))

    @pytest.mark.parametrize(
        "given",
        [
            np.zeros((3, 6, 8), np.uint8),
            np.zeros((6, 8), np.uint8),
            np.zeros((6, 8, 4), np.uint8),
            np.array(["a"]),
        ],
    )
    def test_what_is_no_image(self, package, given):
        with pytest.raises((TypeError, ValueError), match="input 'x' must"):
            tk.coreml.run(package["RGB"], {"x": given})

    def test_wrong_size(self, package):
        with pytest.raises(ValueError, match=r"'x' must have shape \(6, 8\); got \(8, 6\)"):
            tk.coreml.run(package["RGB"], {"x": np.zeros((8, 6, 3), np.uint8)})


class TestClassifiers:
    NETWORK = seeded(lambda: nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1)))

    @pytest.mark.parametrize("labels", [["cat", "dog", "owl"], [3, 5, 7]])
    def test_label_and_probabilities(self, labels, backend):
        package = converted(self.NETWORK, torch.zeros(1, 4), classifier_config=ct.ClassifierConfig(labels))
        x = normal(1, 4)
        answer = tk.coreml.run(
            package, {next(iter(tk.coreml.load(package).inputs)): x.numpy()}, backend=backend
        )
        probabilities = self.NETWORK(x)[0]
        assert answer["classLabel"] == labels[int(probabilities.argmax())]
        assert type(answer["classLabel"]) is type(labels[0])
        (shares,) = (value for value in answer.values() if isinstance(value, dict))
        assert list(shares) == labels and close(np.array(list(shares.values())), probabilities)


class TestStates:
    class Counter(nn.Module):
        """Adds what it is given to what it remembers."""

        def __init__(self):
            super().__init__()
            self.register_buffer("sum", torch.zeros(3, dtype=torch.float16))

        def forward(self, x):
            self.sum.mul_(0.5)
            self.sum.add_(x)
            return self.sum * 2

    @pytest.fixture(scope="class")
    @classmethod
    def package(cls):
        state = ct.StateType(ct.TensorType(shape=(3,), dtype=np.float16), name="sum")
        return converted(
            cls.Counter(),
            torch.zeros(3, dtype=torch.float16),
            "iOS18",
            "float16",
            inputs=[ct.TensorType("x", (3,), dtype=np.float16)],
            outputs=[ct.TensorType("y", dtype=np.float16)],
            states=[state],
        )

    @pytest.mark.parametrize("precision", ["float32", "float16"])
    def test_a_state_is_kept(self, package, precision, backend):
        model = tk.coreml.load(package, backend=backend, precision=precision)
        state, other = model.make_state(), model.make_state()
        found = [only(model.predict({"x": np.float32([1, 2, k])}, state)).tolist() for k in (4, 8)]
        assert found == [[2, 4, 8], [3, 6, 20]]
        assert only(model.predict({"x": np.float32([1, 2, 4])}, other)).tolist() == [2, 4, 8]

    def test_answers_do_not_change_with_the_state(self, package, backend):
        model = tk.coreml.load(package, backend=backend)
        state = model.make_state()
        first = only(model.predict({"x": np.float32([1, 2, 4])}, state))
        model.predict({"x": np.float32([1, 2, 4])}, state)
        assert first.tolist() == [2, 4, 8]

    @pytest.mark.parametrize("state", [None, {}, {"else": np.zeros(3)}, 3])
    def test_no_state(self, package, state):
        with pytest.raises((TypeError, ValueError), match="state"):
            tk.coreml.load(package).predict({"x": np.zeros(3)}, state)

    def test_a_model_without_states(self, convolution):
        package = converted(convolution, torch.zeros(1, 3, 4, 4))
        model = tk.coreml.load(package)
        assert model.make_state() == {}
        name = next(iter(model.inputs))
        model.predict({name: np.zeros((1, 3, 4, 4))}, model.make_state())


class TestInputs:
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls):
        kinds = [ct.TensorType("x", (2, 3)), ct.TensorType("n", (2, 1), dtype=np.int32)]
        package = converted(
            lambda x, n: (x * n, n + 1),
            (torch.zeros(2, 3), torch.zeros(2, 1, dtype=torch.int32)),
            inputs=kinds,
        )
        return tk.coreml.load(package)

    GOOD = {"x": np.ones((2, 3), np.float32), "n": np.int32([[2], [3]])}

    def test_types_of_outputs(self, model):
        one, two = model.predict(self.GOOD).values()
        assert one.dtype == np.float32 and two.dtype == np.int32
        assert two.tolist() == [[3], [4]]

    @pytest.mark.parametrize(
        ("x", "n"),
        [
            (np.ones((2, 3)), np.int64([[2], [3]])),
            (np.ones((2, 3), np.float16), [[2], [3]]),
            (np.ones((2, 3), bool), np.uint8([[2], [3]])),
            ([[1, 1, 1], [1, 1, 1]], np.float32([[2], [3]])),
            (torch.ones(2, 3), torch.tensor([[2], [3]])),
        ],
    )
    def test_whatever_holds_the_numbers(self, model, x, n):
        one, two = model.predict({"x": x, "n": n}).values()
        assert one.tolist() == [[2] * 3, [3] * 3] and two.tolist() == [[3], [4]]

    def test_many(self, model):
        found = model.predict([self.GOOD, self.GOOD | {"n": np.int32([[5], [7]])}])
        assert [only({0: list(part.values())[1]}).ravel().tolist() for part in found] == [[3, 4], [6, 8]]
        assert model.predict([]) == []

    def test_inputs_are_left_alone(self, model):
        given = {name: values.copy() for name, values in self.GOOD.items()}
        found = list(model.predict(given).values())
        for part in found:
            part += 1
        assert all(np.array_equal(given[name], self.GOOD[name]) for name in given)
        assert np.array_equal(list(model.predict(given).values())[1], [[3], [4]])

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_goes_through(self, model, value, backend):
        model = tk.coreml.load(model.package, backend=backend)
        x = np.ones((2, 3), np.float32)
        x[0, 1] = value
        found = next(iter(model.predict(self.GOOD | {"x": x}).values()))
        assert np.array_equal(found[0, 1], 2 * value, equal_nan=True) and found[1].tolist() == [3, 3, 3]

    @pytest.mark.parametrize(
        ("changes", "error", "reason"),
        [
            ({"x": None}, ValueError, "input 'x' is missing; the model's inputs are 'x', 'n'"),
            ({"extra": 1}, ValueError, "no input 'extra'; its inputs are 'x', 'n'"),
            ({"x": np.ones((3, 2))}, ValueError, r"'x' must have shape \(2, 3\); got \(3, 2\)"),
            ({"x": np.ones(6)}, ValueError, r"'x' must have shape \(2, 3\); got \(6,\)"),
            ({"x": 1.0}, ValueError, r"'x' must have shape \(2, 3\); got \(\)"),
            ({"x": "word"}, TypeError, "'x' must be an array of numbers"),
            ({"x": [["a"] * 3] * 2}, TypeError, "'x' must be an array of numbers"),
            ({"x": [[1, 2, 3], [4]]}, TypeError, "'x' must be an array of numbers"),
            ({"x": np.ones((2, 3), complex)}, TypeError, "'x' must be an array of numbers; got complex"),
            ({"x": {"a": 1}}, TypeError, "'x' must be an array of numbers"),
            ({"n": np.float32([[0.5], [1]])}, TypeError, "'n' must hold whole numbers"),
            ({"n": [[np.nan], [1]]}, TypeError, "'n' must hold whole numbers"),
            ({"n": [[2**40], [1]]}, (TypeError, ValueError), "'n' must"),
            ({"n": [[-1e30], [1]]}, (TypeError, ValueError), "'n' must"),
        ],
    )
    def test_refused(self, model, changes, error, reason):
        given = {name: value for name, value in (self.GOOD | changes).items() if value is not None}
        with pytest.raises(error, match=reason):
            model.predict(given)

    @pytest.mark.parametrize("inputs", [None, 3, "x", np.ones((2, 3)), {3: 4}, [3]])
    def test_no_dictionary(self, model, inputs):
        with pytest.raises((TypeError, ValueError), match="inputs must be|has no input"):
            model.predict(inputs)

    @pytest.mark.parametrize("weights", ["ahead", "on the fly"])
    def test_threads(self, convolution, backend, weights):
        """Several threads may ask one model at the same time."""
        model = tk.coreml.load(
            converted(convolution, torch.zeros(1, 3, 32, 32)), backend=backend, weights=weights
        )
        name = next(iter(model.inputs))
        given = [{name: normal(1, 3, 32, 32, seed=seed).numpy()} for seed in range(16)]
        with ThreadPoolExecutor(8) as pool:
            at_once = list(pool.map(model.predict, given))
        for together, alone in zip(at_once, model.predict(given), strict=True):
            assert close(only(together), only(alone), 1e-6)

    def test_defaults(self, backend):
        default = np.array([[1.5, 1.5, 1.5]], np.float32)
        kinds = [ct.TensorType("x", (1, 3)), ct.TensorType("y", (1, 3), default_value=default)]
        package = converted(lambda x, y: x * y, (torch.zeros(1, 3), torch.zeros(1, 3)), inputs=kinds)
        model = tk.coreml.load(package, backend=backend)
        x = np.float32([[1, 2, 3]])
        assert only(model.predict({"x": x})).tolist() == [[1.5, 3, 4.5]]
        assert only(model.predict({"x": x, "y": x})).tolist() == [[1, 4, 9]]


class TestOptions:
    @pytest.fixture(scope="class")
    @classmethod
    def package(cls, convolution):
        return converted(convolution, torch.zeros(1, 3, 4, 4), precision="float16")

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"backend": "jax"}, "backend must be one of .*torch.*numpy.*jax"),
            ({"precision": "float64"}, "precision must be one of .*float32.*float16.*float64"),
            ({"weights": "later"}, "weights must be one of .*ahead.*on the fly.*later"),
            ({"function": "other"}, "function must be .*main.*other"),
        ],
    )
    def test_unknown(self, package, options, reason):
        with pytest.raises(ValueError, match=reason):
            tk.coreml.load(package, **options)

    def test_paths_packages_and_models(self, package, tmp_path, convolution):
        x = normal(1, 3, 4, 4)
        path = tk.coreml.save(package, tmp_path / "m.mlpackage")
        name = next(iter(tk.coreml.load(path).inputs))
        for given in (path, str(path), tk.coreml.Package(path), package):
            assert close(only(tk.coreml.run(given, {name: x.numpy()})), convolution(x), 1e-3)
        with pytest.raises(FileNotFoundError):
            tk.coreml.load(tmp_path / "none.mlpackage")
        for given in (None, 3, convolution):
            with pytest.raises(TypeError, match="package must be"):
                tk.coreml.load(given)

    def test_float16_is_rounded(self, package, backend):
        """In float16 the answers are float16 numbers, in float32 they are not."""
        name = next(iter(tk.coreml.load(package).inputs))
        x = {name: normal(1, 3, 4, 4).numpy()}
        fine = only(tk.coreml.run(package, x, backend=backend))
        coarse = only(tk.coreml.run(package, x, backend=backend, precision="float16"))
        assert not np.array_equal(fine, np.float16(fine))
        assert np.array_equal(coarse.astype(np.float32), np.float16(fine)) or close(coarse, fine, 1e-3)
        assert np.array_equal(coarse, np.float16(coarse))

    def test_several_functions(self, tmp_path, backend):
        paths = []
        for factor in (2.0, 3.0):
            package = converted(
                lambda x, f=factor: x * f, torch.zeros(2), "iOS18", inputs=[ct.TensorType("x", (2,))]
            )
            paths.append(tk.coreml.save(package, tmp_path / f"{factor}.mlpackage"))
        description = ct.utils.MultiFunctionDescriptor()
        for name, path in zip(("double", "triple"), paths, strict=True):
            description.add_function(str(path), "main", name)
        description.default_function_name = "triple"
        with quiet():
            ct.utils.save_multifunction(description, str(tmp_path / "both.mlpackage"))
        x = {"x": np.float32([1, -2])}
        for function, expected in ((None, [3, -6]), ("double", [2, -4]), ("triple", [3, -6])):
            found = tk.coreml.run(tmp_path / "both.mlpackage", x, function=function, backend=backend)
            assert only(found).tolist() == expected


class TestUnsupported:
    @pytest.fixture
    def path(self, tmp_path):
        """A package with an operator that nobody knows."""
        path = tk.coreml.save(converted(lambda x: torch.cos(x) + 1, torch.zeros(3)), tmp_path / "m.mlpackage")
        file = path / "Data/com.apple.CoreML/model.mlmodel"
        model = protobuf.decode(file.read_bytes(), "Model")
        program = protobuf.decode(model["mlProgram"], "Program")
        (block,) = program["functions"]["main"]["block_specializations"].values()
        for operation in block["operations"]:
            if operation["type"] == "cos":
                operation["type"] = "warp"
        model["mlProgram"] = protobuf.encode(program, "Program")
        file.write_bytes(protobuf.encode(model, "Model"))
        return path

    def test_names_operator_place_and_list(self, path):
        with pytest.raises(tk.coreml.UnsupportedOperator) as caught:
            tk.coreml.load(path)
        said = str(caught.value)
        assert "'warp'" in said and "m.mlpackage" in said
        assert all(name in said for name in tk.coreml.OPERATORS)
        (operation,) = (op for op in tk.coreml.Package(path).program.walk() if op.op == "warp")
        assert repr(operation.name) in said

    def test_is_a_package_error(self):
        assert issubclass(tk.coreml.UnsupportedOperator, tk.coreml.PackageError)

    def test_the_package_itself_can_be_read(self, path):
        assert tk.size.ledger(path).nbytes >= 0
