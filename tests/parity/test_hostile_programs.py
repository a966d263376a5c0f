"""Programs that lie, or never end: a clear error, soon."""

import copy
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

import contextlib

from tests.parity import running
from tests.parity.hostile import ALLOWED, MODEL, SOON, Written, predict, program, refused
from tests.parity.operators.case import seeded
from toykit.coreml.format import package, protobuf
from toykit.coreml.format.features import Feature
from toykit.coreml.runtime import costs


@pytest.fixture(params=running.BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def convolution(tmp_path):
    """A convolution, a norm and a sum: relu(conv(x)) + conv's weights' own."""
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)))
    mlmodel = tk.coreml.convert(
        network, torch.zeros(1, 3, 6, 6), target="iOS17", skip_model_load=True, check=False
    )
    return Written(mlmodel, tmp_path / "m.mlpackage")


class TestNames:
    def test_dangling(self, convolution):
        convolution.operation("relu")["inputs"]["x"]["arguments"] = [{"name": "nowhere"}]
        refused(convolution.write(), "'nowhere' is used, and nothing before it makes it")

    def test_forward(self, convolution):
        last = convolution.block["operations"][-1]["outputs"][0]["name"]
        convolution.operation("relu")["inputs"]["x"]["arguments"] = [{"name": last}]
        refused(convolution.write(), "is used, and nothing before it makes it")

    def test_itself(self, convolution):
        relu = convolution.operation("relu")
        relu["inputs"]["x"]["arguments"] = [{"name": relu["outputs"][0]["name"]}]
        refused(convolution.write(), "is used, and nothing before it makes it")

    def test_circle(self, convolution):
        one, two = (part for part in convolution.block["operations"] if part["type"] == "conv")
        one["inputs"]["x"]["arguments"] = [{"name": two["outputs"][0]["name"]}]
        refused(convolution.write(), "is used, and nothing before it makes it")

    def test_made_twice(self, convolution):
        relu, conv = convolution.operation("relu"), convolution.operation("conv")
        relu["outputs"][0]["name"] = conv["outputs"][0]["name"]
        refused(convolution.write(), "is made twice|is used, and nothing")

    def test_output_that_nothing_makes(self, convolution):
        convolution.block["outputs"] = ["nowhere"]
        refused(convolution.write(), "nowhere|not in both")

    def test_input_that_the_description_lacks(self, convolution):
        convolution.model["description"]["input"] = []
        refused(convolution.write(), "in the program, or in the description, but not in both")

    def test_no_operations(self, convolution):
        convolution.block["operations"] = []
        refused(convolution.write(), "nothing before it makes it|not in both")

    def test_missing_parameter(self, convolution):
        del convolution.operation("conv")["inputs"]["weight"]
        refused(convolution.write(), r"\(conv\): lacks weight")

    def test_crops_without_boxes(self, tmp_path):
        """Both ways to pass them are optional; one of them is needed."""
        written = program(
            tmp_path,
            lambda mb, x: mb.crop_resize(
                x=mb.expand_dims(x=x, axes=[0, 1]),
                boxes=np.float32([[0, 0, 1, 1]]),
                target_height=2,
                target_width=2,
            ),
        )
        del written.operation("crop_resize")["inputs"]["boxes"]
        refused(written.write(), r"\(crop_resize\): lacks boxes")

    def test_unknown_parameter(self, convolution):
        relu = convolution.operation("relu")
        relu["inputs"]["warp"] = copy.deepcopy(relu["inputs"]["x"])
        refused(convolution.write(), "has a parameter 'warp'")

    def test_parameter_without_an_argument(self, convolution):
        convolution.operation("relu")["inputs"]["x"]["arguments"] = []
        refused(convolution.write(), "x has 0 arguments")

    def test_parameter_of_another_type(self, convolution):
        conv = convolution.operation("conv")
        conv["inputs"]["x"] = conv["inputs"]["pad_type"]
        refused(convolution.write(), "conv")

    def test_numbers_in_place_of_a_word(self, tmp_path):
        """A parameter of a layer that takes a name, given an array."""
        written = program(
            tmp_path,
            lambda mb, x, h: mb.rnn(
                x=x,
                initial_h=h,
                weight_ih=np.ones((2, 3), np.float32),
                weight_hh=np.ones((2, 2), np.float32),
                activation="tanh",
            ),
            x=np.ones((4, 1, 3), np.float32),
            h=np.ones((1, 2), np.float32),
        )
        rnn = written.operation("rnn")
        rnn["inputs"]["activation"] = rnn["inputs"]["weight_hh"]
        refused(written.write(), r"\(rnn\)")

    def test_more_results_than_declared(self, convolution):
        relu = convolution.operation("relu")
        relu["outputs"].append(copy.deepcopy(relu["outputs"][0]) | {"name": "another"})
        refused(convolution.write(), r"\(relu\)")

    def test_blocks_where_none_belong(self, convolution):
        inner = {"inputs": [], "outputs": ["x"], "operations": []}
        convolution.operation("relu")["blocks"] = [inner, inner]
        path = convolution.write()
        with contextlib.suppress(ALLOWED):
            predict(path)


class TestShapes:
    def test_declared_shape_that_is_not_the_result(self, convolution, backend):
        convolution.declare("relu", 1, 4, 6, 7)
        refused(convolution.write(), r"\(relu\): the result has shape \(1, 4, 6, 6\)", backend=backend)

    def test_declared_rank(self, convolution, backend):
        convolution.declare("relu", 1, 4, 6)
        refused(convolution.write(), "the result has shape", backend=backend)

    def test_declared_shape_without_bounds(self, convolution):
        convolution.declare("relu", 2**20, 2**20)
        refused(convolution.write(), "elements; toykit allows")
        convolution.declare("relu", 2**40, 2**40)
        refused(convolution.write(), "more elements than any tensor")

    def test_input_without_bounds(self, convolution):
        array = convolution.model["description"]["input"][0]["type"]["multiArrayType"]
        array["shape"] = [2**40, 2**40]
        with pytest.raises((*ALLOWED, MemoryError)):
            predict_shape = tk.coreml.load(convolution.write()).inputs
            name = next(iter(predict_shape))
            tk.coreml.run(convolution.path, {name: np.zeros((1, 3, 6, 6), np.float32)})

    @pytest.mark.parametrize("numbers", [(0, 0), (-1, 1), (2**31 - 1, 1)])
    def test_strides(self, convolution, backend, numbers):
        convolution.set_ints("conv", "strides", *numbers)
        refused(convolution.write(), r"\(conv\)", backend=backend)

    @pytest.mark.parametrize("number", [0, -1, 2, 5, 2**31 - 1])
    def test_groups(self, convolution, backend, number):
        convolution.set_ints("conv", "groups", number)
        refused(convolution.write(), r"\(conv\)", backend=backend)

    @pytest.mark.parametrize("numbers", [(-9, 0, 0, 0), (2**30,) * 4, (1,), (1,) * 6])
    def test_padding(self, convolution, backend, numbers):
        convolution.set_ints("conv", "pad", *numbers)
        value = convolution.constant("conv", "pad_type")
        value["immediateValue"]["tensor"]["strings"]["values"] = ["custom"]
        refused(convolution.write(), r"\(conv\)", backend=backend)

    @pytest.mark.parametrize("numbers", [(0, 1), (2**30, 2**30), (-1, 1)])
    def test_dilations(self, convolution, backend, numbers):
        convolution.set_ints("conv", "dilations", *numbers)
        refused(convolution.write(), r"\(conv\)", backend=backend)


class TestLoops:
    def test_a_block_uses_a_name_of_another(self, tmp_path):
        """What only the condition of a loop has is unknown in its body."""
        written = program(
            tmp_path,
            lambda mb, x: mb.while_loop(
                _cond=lambda i, y: mb.less(x=i, y=5),
                _body=lambda i, y: (mb.add(x=i, y=1), mb.mul(x=y, y=1.0)),
                loop_vars=(np.int32(0), x),
            )[1],
        )
        condition, _ = written.operation("while_loop")["blocks"]
        condition["inputs"][0]["name"] = "elsewhere"
        less = next(part for part in condition["operations"] if part["type"] == "less")
        less["inputs"]["x"]["arguments"] = [{"name": "elsewhere"}]
        _, body = written.operation("while_loop")["blocks"]
        add = next(part for part in body["operations"] if part["type"] == "add")
        add["inputs"]["x"]["arguments"] = [{"name": "elsewhere"}]
        refused(written.write(), "'elsewhere' is used, and nothing before it makes it")

    def test_that_never_end(self, tmp_path, backend):
        written = program(
            tmp_path,
            lambda mb, x: mb.while_loop(
                _cond=lambda i, y: mb.less(x=i, y=5),
                _body=lambda i, y: (mb.mul(x=i, y=1), mb.mul(x=y, y=1.0)),
                loop_vars=(np.int32(0), x),
            )[1],
        )
        reason = r"\(while_loop\).*more than 1,000,000,000 multiply-adds.*raise it with work_limit=\.\.\."
        refused(written.path, reason, backend=backend, work_limit=10**9)

    def test_loops_in_loops_that_never_end(self, tmp_path, backend):
        """The work of all loops together is limited, or two would take the square of the time."""

        def inner(mb, y):
            return mb.while_loop(
                _cond=lambda i, z: mb.less(x=i, y=90_000),
                _body=lambda i, z: (mb.add(x=i, y=1), mb.mul(x=z, y=1.0)),
                loop_vars=(np.int32(0), y),
            )[1]

        written = program(
            tmp_path,
            lambda mb, x: mb.while_loop(
                _cond=lambda i, y: mb.less(x=i, y=90_000),
                _body=lambda i, y: (mb.add(x=i, y=1), inner(mb, y)),
                loop_vars=(np.int32(0), x),
            )[1],
        )
        reason = r"\(while_loop\).*\(while_loop\).*more than 2,000,000,000 multiply-adds"
        refused(written.path, reason, backend=backend, work_limit=2e9)

    def test_that_grow(self, tmp_path, backend):
        """A result that doubles with every round soon has more elements than are allowed."""
        written = program(
            tmp_path,
            lambda mb, x: mb.while_loop(
                _cond=lambda i, y: mb.less(x=i, y=90_000),
                _body=lambda i, y: (mb.add(x=i, y=1), mb.reshape(x=mb.mul(x=y, y=2.0), shape=[-1, 3])),
                loop_vars=(np.int32(0), mb.reshape(x=x, shape=[-1, 3])),
            )[1],
        )
        (loop,) = (part for part in written.block["operations"] if part["type"] == "while_loop")
        for operation in loop["blocks"][1]["operations"]:
            if operation["type"] == "mul":  # x + x becomes x after x
                operation["type"] = "concat"
                y = operation["inputs"].pop("x")["arguments"]
                del operation["inputs"]["y"]
                operation["inputs"]["values"] = {"arguments": y * 2}
                zero = {
                    "type": {"tensorType": {"dataType": 23}},
                    "immediateValue": {"tensor": {"ints": {"values": [0]}}},
                }
                operation["inputs"]["axis"] = {"arguments": [{"value": zero}]}
        made = [part for part in loop["blocks"][1]["operations"] if part["type"] != "const"]
        for operation in [loop, *made]:
            for output in operation["outputs"]:
                for size in output["type"].get("tensorType", {}).get("dimensions", []):
                    size.clear()
                    size["unknown"] = {"variadic": False}
        for block in loop["blocks"]:
            for entry in block["inputs"]:
                for size in entry["type"].get("tensorType", {}).get("dimensions", []):
                    size.clear()
                    size["unknown"] = {"variadic": False}
        reason = "elements; toykit allows 1,048,576: raise it with memory_limit="
        refused(written.write(), reason, backend=backend, memory_limit=2**25)

    def test_deep(self, tmp_path):
        """Blocks in blocks, more than any program has and fewer than protobuf allows."""
        written = program(
            tmp_path,
            lambda mb, x: mb.cond(
                pred=mb.greater(x=mb.reduce_sum(x=x), y=0.0),
                _true_fn=lambda: mb.mul(x=x, y=2.0),
                _false_fn=lambda: mb.sub(x=x, y=1.0),
            ),
        )
        cond = written.operation("cond")
        for depth in range(90):
            inner = copy.deepcopy(cond)
            inner["outputs"] = [output | {"name": f"{output['name']}_{depth}"} for output in inner["outputs"]]
            inner["attributes"] = {}
            names = [output["name"] for output in inner["outputs"]]
            block = {"inputs": [], "outputs": names, "operations": [inner]}
            cond = copy.deepcopy(cond) | {"blocks": [block, copy.deepcopy(block)] if depth < 3 else [block]}
        written.block["operations"] = [
            cond if part["type"] == "cond" else part for part in written.block["operations"]
        ]
        with contextlib.suppress(ALLOWED):
            predict(written.write())

    def test_a_block_too_few(self, tmp_path):
        written = program(
            tmp_path,
            lambda mb, x: mb.cond(
                pred=mb.greater(x=mb.reduce_sum(x=x), y=0.0),
                _true_fn=lambda: mb.mul(x=x, y=2.0),
                _false_fn=lambda: mb.sub(x=x, y=1.0),
            ),
        )
        del written.operation("cond")["blocks"][1]
        refused(written.write(), r"\(cond\): a condition has two blocks")


def test_many_large_results(tmp_path, backend):
    """Each result is allowed, all together are not: memory is limited for the program as a whole."""
    written = program(tmp_path, lambda mb, x: mb.add(x=mb.fill(shape=[2, 3], value=1.0), y=x))
    fill, add = written.operation("fill"), written.operation("add")
    written.set_ints("fill", "shape", 2**10, 2**10)
    written.declare("fill", 2**10, 2**10)
    fills = []
    for number in range(9):
        fills.append(copy.deepcopy(fill))
        fills[-1]["outputs"][0]["name"] = f"large_{number}"
    position = written.block["operations"].index(fill)
    written.block["operations"][position + 1 : position + 1] = fills
    # Seven fit, and are used at the very end, so none is dropped before.
    written.declare(add, None, None)
    written.block["outputs"] += [f"large_{number}" for number in range(9)]
    reason = r"\(fill\): constants and results would take [\d,]+ bytes at a time; toykit allows 33,554,432"
    refused(written.write(), reason, backend=backend, memory_limit=2**25)


def test_results_that_are_dropped_count_no_longer(tmp_path, backend):
    """A hundred results of which two are alive at a time take the memory of two."""

    def chain(mb, x):
        for _ in range(100):
            x = mb.add(x=x, y=1.0)
        return x

    written = program(tmp_path, chain, x=np.zeros((16, 16), np.float32))
    model = tk.coreml.load(written.path, backend=backend, memory_limit=2**13)
    (found,) = model.predict({"x": np.zeros((16, 16), np.float32)}).values()
    assert (found == 100).all()


class TestLimits:
    @pytest.mark.parametrize("weights", ["ahead", "on the fly"])
    def test_constants(self, tmp_path, backend, weights):
        network = seeded(lambda: nn.Linear(64, 64))
        path = tk.coreml.save(
            tk.coreml.convert(network, torch.zeros(1, 64), skip_model_load=True), tmp_path / "m.mlpackage"
        )
        # The weight in float32 is 16,384 bytes, its bias 256, and a result as much.
        limit = 16_500 if weights == "ahead" else 16_000  # on the fly one is there at a time
        reason = (
            rf"constants and results would take 16,\d+ bytes at a time; toykit allows {limit:,}: raise it"
        )
        refused(path, reason, backend=backend, weights=weights, memory_limit=limit)
        assert predict(path, backend=backend, weights=weights, memory_limit=20_000)

    def test_arrays_that_are_used_often_are_kept_once(self, tmp_path):
        network = seeded(lambda: nn.Linear(64, 64))
        written = Written(
            tk.coreml.convert(network, torch.zeros(1, 64), skip_model_load=True), tmp_path / "m.mlpackage"
        )
        operations = written.block["operations"]
        at, linear = operations.index(written.operation("linear")), written.operation("linear")
        (weight,) = linear["inputs"]["weight"]["arguments"]
        maker = next(part for part in operations if part["outputs"][0]["name"] == weight["name"])
        for number in range(100):
            again, use = copy.deepcopy(maker), copy.deepcopy(linear)
            again["outputs"][0]["name"], use["outputs"][0]["name"] = f"weight_{number}", f"result_{number}"
            use["inputs"]["weight"]["arguments"] = [{"name": f"weight_{number}"}]
            operations[at:at] = [again, use]
        assert predict(written.write(), memory_limit=50_000)

    def test_what_is_compressed_may_use_what_it_could_before(self, tmp_path):
        class Wide(nn.Module):
            """A result of 80 MB beside a weight of 4 MB, out of few numbers."""

            def __init__(self):
                super().__init__()
                self.wide, self.large = nn.Conv2d(1, 256, 1), nn.Linear(2048, 1024)

            def forward(self, x):
                return self.wide(x).amax((2, 3)), self.large(x.reshape(-1)[:2048])

        mlmodel = tk.coreml.convert(seeded(Wide), torch.zeros(1, 1, 280, 280), check=False)
        path = tk.coreml.save(mlmodel, tmp_path / "m.mlpackage")
        small = tk.coreml.compress(path, "palettize", bits=1)
        assert small.nbytes < tk.coreml.Package(path).nbytes / 10
        assert predict(path) and predict(small)

    def test_compressed_constants_of_few_bytes(self, tmp_path, monkeypatch):
        """However many operators decompress the same array, what they give together is limited."""
        monkeypatch.setattr(package, "_MOST_WEIGHTS", 5000)
        monkeypatch.setattr(package, "_MOST_WEIGHTS_A_BYTE", 0)
        network = seeded(lambda: nn.Linear(64, 64))
        mlmodel = tk.coreml.convert(network, torch.zeros(1, 64), target="iOS18", skip_model_load=True)
        small = tk.coreml.compress(mlmodel, "palettize", bits=2, weight_threshold=100)
        written = Written(small, tmp_path / "m.mlpackage")
        assert predict(written.path)
        first = written.operation("constexpr_lut_to_dense")
        again = first | {"outputs": [first["outputs"][0] | {"name": "again"}]}
        written.block["operations"].insert(1, again)
        refused(written.write(), "the compressed constants have more than 5,000 elements")

    def test_states(self, tmp_path):
        path = tk.coreml.save(
            tk.coreml.convert(nn.Linear(4, 4).eval(), torch.zeros(1, 4), skip_model_load=True),
            tmp_path / "m.mlpackage",
        )
        model = tk.coreml.load(path)
        model.states = {"cache": Feature("cache", "state", "float16", (2**14, 2**14))}
        with pytest.raises(tk.coreml.PackageError, match=r"m.mlpackage: .* would take 1,073,74\d,\d+ bytes"):
            model.make_state()

    @pytest.mark.parametrize("name", ["memory_limit", "work_limit"])
    def test_limits_that_are_none(self, convolution, name):
        for value, error in (
            ("1", TypeError),
            (True, TypeError),
            (0, ValueError),
            (float("nan"), ValueError),
        ):
            with pytest.raises(error, match=f"{name} must be"):
                tk.coreml.load(convolution.path, **{name: value})
        assert predict(convolution.path, **{name: float("inf")})

    def test_work_is_that_of_the_products(self):
        """The multiply-adds of layers, counted by hand; what is counted besides is a part of them."""
        x, kernel = np.zeros((2, 64, 32, 32), np.float32), np.zeros((128, 64, 3, 3), np.float32)
        products = 2 * 128 * 64 * 9 * 32 * 32
        found = costs.extra("conv", {"x": x, "weight": kernel, "pad_type": "same"})
        assert products <= found < 1.5 * products
        assert costs.extra("linear", {"x": np.zeros((5, 7)), "weight": np.zeros((3, 7))}) == 5 * 7 * 3
        left, right = np.zeros((4, 1, 5, 7)), np.zeros((6, 7, 3))
        assert costs.extra("matmul", {"x": left, "y": right}) == 6 * 7 * 3 * 5
        left = np.zeros((2, 3, 4, 5))
        assert costs.extra("matmul", {"x": left, "y": left, "transpose_y": True}) == 2 * 3 * 4 * 5 * 4
        assert set(costs._COSTS) <= set(tk.coreml.OPERATORS)


class TestAnyBytes:
    """Whatever is changed in a small program, the answer is a prediction or a clear error, soon."""

    @pytest.fixture(scope="class")
    @classmethod
    def sound(cls, tmp_path_factory):
        folder = tmp_path_factory.mktemp("fuzz")

        class Small(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.scores = nn.Conv2d(2, 3, 3, padding=1, stride=2), nn.Linear(12, 4)

            def forward(self, x):
                y = nn.functional.max_pool2d(self.conv(x).relu(), 2)
                y = torch.cat([y, y[:, :, :1].repeat(1, 1, 2, 1)], 1)[:, :3]
                y = nn.functional.pad(y, (1, 1)).softmax(1)[..., 1:3]
                return self.scores(y.flatten(1).repeat(1, 1)).topk(2)[0]

        network = seeded(Small)
        mlmodel = tk.coreml.convert(
            network, torch.zeros(1, 2, 8, 8), target="iOS17", skip_model_load=True, check=False
        )
        path = tk.coreml.save(mlmodel, folder / "sound.mlpackage")
        return path, (path / MODEL).read_bytes()

    @staticmethod
    def attempt(path, content, backend):
        (path / MODEL).write_bytes(content)
        start = time.perf_counter()
        try:
            model = tk.coreml.load(path, backend=backend)
            shapes = {name: feature.shape for name, feature in model.inputs.items()}
            sizes = [np.prod(shape, dtype=float) for shape in shapes.values()]
            if max(sizes, default=0) < 1e6:  # ours is the program, not the array that goes in
                model.predict({name: np.ones(shape, np.float32) for name, shape in shapes.items()})
        except ALLOWED:
            return False
        finally:
            assert time.perf_counter() - start < SOON
        return True

    @given(data=st.data())
    @settings(max_examples=250)
    def test_bytes(self, sound, data):
        path, content = sound
        changed = bytearray(content)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(changed) - 1))
            changed[place] = data.draw(st.integers(0, 255))
        self.attempt(path, bytes(changed), data.draw(st.sampled_from(running.BACKENDS)))

    @given(data=st.data())
    @settings(max_examples=400)
    def test_numbers(self, sound, data):
        """Numbers of the program, each replaced by another: shapes, axes, strides, names, types."""
        path, content = sound
        model = protobuf.decode(content, "Model")
        tree = protobuf.decode(model["mlProgram"], "Program")
        leaves = list(_leaves(tree))
        for _ in range(data.draw(st.integers(1, 2))):
            holder, key = leaves[data.draw(st.integers(0, len(leaves) - 1))]
            old = holder[key]
            if isinstance(old, str):
                names = [h[k] for h, k in leaves if isinstance(h[k], str)]
                holder[key] = names[data.draw(st.integers(0, len(names) - 1))]
            elif isinstance(old, bool):
                holder[key] = not old
            elif isinstance(old, int):
                holder[key] = data.draw(
                    st.sampled_from([0, 1, 2, 3, 5, 64, 2**20, 2**31 - 1, -1, -3, -(2**31)])
                )
            else:
                holder[key] = data.draw(st.sampled_from([0.0, -1.0, float("nan"), float("inf"), 1e30]))
        model["mlProgram"] = protobuf.encode(tree, "Program")
        self.attempt(path, protobuf.encode(model, "Model"), data.draw(st.sampled_from(running.BACKENDS)))


def _leaves(tree):
    """Every (holder, key) of a message at which a number or text is."""
    pairs = list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree))
    for key, value in pairs:
        if isinstance(value, (dict, list)):
            yield from _leaves(value)
        elif isinstance(value, (str, bool, int, float)):
            yield tree, key
