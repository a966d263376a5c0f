"""Programs that lie, never end, or ask for the moon: a clear error, soon, in little memory."""

import copy
import struct
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.parity import running  # noqa: E402
from tests.parity.operators.case import Function, ProgramCase, normal, seeded  # noqa: E402
from toykit.coreml import prediction, protobuf  # noqa: E402
from toykit.coreml.operators import lists, registry  # noqa: E402

MODEL = "Data/com.apple.CoreML/model.mlmodel"
ALLOWED = (ValueError, TypeError)  # PackageError and UnsupportedOperator are ValueErrors
SOON = 20.0  # seconds, on a busy computer; each of these takes a fraction of one
GIB = 2**30


def peak_memory(code, *arguments):
    """Run code in a process that may use 2 GiB more than it starts with; returns what it printed."""
    import subprocess
    import sys

    preamble = """
import resource, sys
import numpy as np
import toykit as tk
tk.coreml.load  # imported before memory is limited
try:
    import torch
except ImportError:
    pass
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2 * 2**30,) * 2)
"""
    done = subprocess.run(
        [sys.executable, "-c", preamble + code, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    return done.stdout + done.stderr[-2000:]


class Written:
    """A package whose program can be changed and written again."""

    def __init__(self, mlmodel, path):
        self.path = tk.coreml.save(mlmodel, path)
        self.model = protobuf.decode((self.path / MODEL).read_bytes(), "Model")
        self.program = protobuf.decode(self.model["mlProgram"], "Program")
        ((_, function),) = self.program["functions"].items()
        ((_, self.block),) = function["block_specializations"].items()

    def operation(self, kind):
        """The first operation of a kind; an operation stands for itself."""
        if isinstance(kind, dict):
            return kind
        return next(part for part in self.block["operations"] if part["type"] == kind)

    def constant(self, operation, parameter):
        """The value of a parameter, to be changed."""
        (binding,) = self.operation(operation)["inputs"][parameter]["arguments"]
        if "value" in binding:
            return binding["value"]
        maker = next(
            part for part in self.block["operations"] if part["outputs"][0]["name"] == binding["name"]
        )
        return maker["attributes"]["val"]

    def set_ints(self, operation, parameter, *numbers):
        value = self.constant(operation, parameter)
        value["immediateValue"]["tensor"] = {"ints": {"values": list(numbers)}}

    def declare(self, operation, *sizes):
        """What an operation says that it makes; None stands for a size that is not known."""
        kind = self.operation(operation)["outputs"][0]["type"]["tensorType"]
        kind["rank"] = len(sizes)
        kind["dimensions"] = [
            {"unknown": {"variadic": False}} if size is None else {"constant": {"size": size}} for size in sizes
        ]

    def write(self):
        self.model["mlProgram"] = protobuf.encode(self.program, "Program")
        (self.path / MODEL).write_bytes(protobuf.encode(self.model, "Model"))
        return self.path


def predict(path, **options):
    """Load and predict with ones."""
    model = tk.coreml.load(path, **options)
    inputs = {name: np.ones(feature.shape, np.float32) for name, feature in model.inputs.items()}
    return model.predict(inputs)


def refused(path, reason, **options):
    start = time.perf_counter()
    with pytest.raises(tk.coreml.PackageError, match=reason) as caught:
        predict(path, **options)
    assert time.perf_counter() - start < SOON
    assert str(path) in str(caught.value)


@pytest.fixture(params=running.BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def convolution(tmp_path):
    """A convolution, a norm and a sum: relu(conv(x)) + conv's weights' own."""
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1)))
    mlmodel = tk.coreml.convert(network, torch.zeros(1, 3, 6, 6), target="iOS17", skip_model_load=True)
    return Written(mlmodel, tmp_path / "m.mlpackage")


def program(tmp_path, build, **inputs):
    case = ProgramCase("hostile", build, inputs or {"x": np.ones((2, 3), np.float32)})
    return Written(running.program(case), tmp_path / "m.mlpackage")


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

    def test_more_results_than_declared(self, convolution):
        relu = convolution.operation("relu")
        relu["outputs"].append(copy.deepcopy(relu["outputs"][0]) | {"name": "another"})
        refused(convolution.write(), r"\(relu\)")

    def test_blocks_where_none_belong(self, convolution):
        inner = {"inputs": [], "outputs": ["x"], "operations": []}
        convolution.operation("relu")["blocks"] = [inner, inner]
        path = convolution.write()
        try:
            predict(path)
        except ALLOWED:
            pass


class TestShapes:
    def test_declared_shape_that_is_not_the_result(self, convolution, backend):
        convolution.declare("relu", 1, 4, 6, 7)
        refused(convolution.write(), r"\(relu\): the result has shape \(1, 4, 6, 6\)", backend=backend)

    def test_declared_rank(self, convolution, backend):
        convolution.declare("relu", 1, 4, 6)
        refused(convolution.write(), "the result has shape", backend=backend)

    def test_declared_shape_without_bounds(self, convolution):
        convolution.declare("relu", 2**40, 2**40)
        refused(convolution.write(), "elements; toykit allows")

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
        value = convolution.constant("conv", "pad")
        value["type"]["tensorType"]["dimensions"] = [{"constant": {"size": len(numbers)}}]
        value = convolution.constant("conv", "pad_type")
        value["immediateValue"]["tensor"]["strings"]["values"] = ["custom"]
        refused(convolution.write(), r"\(conv\)", backend=backend)

    @pytest.mark.parametrize("numbers", [(0, 1), (2**30, 2**30), (-1, 1)])
    def test_dilations(self, convolution, backend, numbers):
        convolution.set_ints("conv", "dilations", *numbers)
        refused(convolution.write(), r"\(conv\)", backend=backend)


HUGE = 2**30


def outer(mb, join):
    """A column and a row, filled, which `greedy` makes long: what joins them has a huge result."""
    return join(x=mb.fill(shape=[3, 1], value=1.0), y=mb.fill(shape=[1, 3], value=2.0))


# An operator, how to build it small, the parameter that is then changed, to what.
GREEDY = {
    "fill": (lambda mb, x: mb.fill(shape=[2, 3], value=1.0), "shape", (HUGE, HUGE)),
    "tile": (lambda mb, x: mb.tile(x=x, reps=[1, 2]), "reps", (HUGE, HUGE)),
    "pad": (lambda mb, x: mb.pad(x=x, pad=[1, 1, 1, 1], mode="constant"), "pad", (0, HUGE, 0, HUGE)),
    "one_hot": (
        lambda mb, x: mb.one_hot(indices=mb.cast(x=x, dtype="int32"), one_hot_vector_size=3),
        "one_hot_vector_size",
        (HUGE,),
    ),
    "range_1d": (lambda mb, x: mb.range_1d(start=0, end=5, step=1), "end", (2**31 - 1,)),
    "sliding_windows": (lambda mb, x: mb.sliding_windows(x=x, axis=1, size=2), "stride", (0,)),
    "reshape": (lambda mb, x: mb.reshape(x=x, shape=[3, 2]), "shape", (HUGE, HUGE)),
    "resize_bilinear": (
        lambda mb, x: mb.resize_bilinear(
            x=mb.expand_dims(x=x, axes=[0]), target_size_height=2, target_size_width=2
        ),
        "target_size_height",
        (2**31 - 1,),
    ),
    "resize_nearest_neighbor": (
        lambda mb, x: mb.resize_nearest_neighbor(
            x=mb.expand_dims(x=x, axes=[0]), target_size_height=2, target_size_width=2
        ),
        "target_size_width",
        (2**31 - 1,),
    ),
    "upsample_nearest_neighbor": (
        lambda mb, x: mb.upsample_nearest_neighbor(
            x=mb.expand_dims(x=x, axes=[0]), scale_factor_height=2, scale_factor_width=2
        ),
        "scale_factor_height",
        (2**31 - 1,),
    ),
    "upsample_bilinear": (
        lambda mb, x: mb.upsample_bilinear(
            x=mb.expand_dims(x=x, axes=[0]), scale_factor_height=2, scale_factor_width=2
        ),
        "scale_factor_height",
        (2**31 - 1,),
    ),
    "crop_resize": (
        lambda mb, x: mb.crop_resize(
            x=mb.expand_dims(x=x, axes=[0, 1]), boxes=np.float32([[0, 0, 1, 1]]), target_height=2, target_width=2
        ),
        "target_height",
        (2**31 - 1,),
    ),
    "space_to_batch": (
        lambda mb, x: mb.space_to_batch(
            x=mb.expand_dims(x=x, axes=[0, 1]), block_shape=[1, 1], paddings=[[0, 0], [0, 0]]
        ),
        "paddings",
        (0, HUGE, 0, HUGE),
    ),
    "random_normal": (
        lambda mb, x: mb.random_normal(shape=[2, 3], mean=0.0, stddev=1.0, seed=1), "shape", (HUGE, HUGE)
    ),
    "topk": (lambda mb, x: mb.topk(x=x, k=1, axis=1)[0], "k", (2**31 - 1,)),
    "make_list": (
        lambda mb, x: mb.list_length(
            ls=mb.list_write(
                ls=mb.make_list(init_length=2, elem_shape=(np.int32(2), np.int32(3)), dynamic_length=True), index=0, value=x
            )
        ),
        "init_length",
        (2**31 - 1,),
    ),
    "list_write": (
        lambda mb, x: mb.list_length(
            ls=mb.list_write(
                ls=mb.make_list(init_length=2, elem_shape=(np.int32(2), np.int32(3)), dynamic_length=True), index=0, value=x
            )
        ),
        "index",
        (2**31 - 1,),
    ),
    "slice_by_size": (lambda mb, x: mb.slice_by_size(x=x, begin=[0, 0], size=[1, 1]), "size", (HUGE, HUGE)),
    "reverse_sequence": (
        lambda mb, x: mb.reverse_sequence(x=x, lengths=[1, 2], seq_axis=1, batch_axis=0), "lengths", (HUGE, -HUGE)
    ),
    "gather": (lambda mb, x: mb.gather(x=x, indices=[0, 1], axis=0), "indices", (HUGE, -HUGE)),
    "split": (lambda mb, x: mb.split(x=x, num_splits=3, axis=1), "num_splits", (2**31 - 1,)),
    "max_pool": (
        lambda mb, x: mb.max_pool(x=mb.expand_dims(x=x, axes=[0]), kernel_sizes=[2], strides=[1], pad_type="custom", pad=[0, 0]),
        "pad",
        (HUGE, HUGE),
    ),
    "avg_pool": (
        lambda mb, x: mb.avg_pool(x=mb.expand_dims(x=x, axes=[0]), kernel_sizes=[2], strides=[1], pad_type="custom", pad=[0, 0]),
        "kernel_sizes",
        (HUGE,),
    ),
    "conv_transpose": (
        lambda mb, x: mb.conv_transpose(x=mb.expand_dims(x=x, axes=[0]), weight=np.ones((2, 1, 2), np.float32), strides=[1], pad_type="valid"),
        "strides",
        (2**31 - 1,),
    ),
    "pixel_shuffle": (
        lambda mb, x: mb.pixel_shuffle(x=mb.reshape(x=x, shape=[1, 4, 2, 3]), upscale_factor=2), "upscale_factor", (HUGE,)
    ),
    "add": (lambda mb, x: outer(mb, mb.add), "y", None),
    "select": (lambda mb, x: outer(mb, lambda x, y: mb.select(cond=mb.greater(x=x, y=0.0), a=x, b=y)), "b", None),
    "matmul": (lambda mb, x: outer(mb, mb.matmul), "y", None),
    "conv": (
        lambda mb, x: mb.conv(x=mb.fill(shape=[1, 1, 2, 2], value=1.0), weight=np.ones((64, 1, 1, 1), np.float32)), "x", None
    ),
    "transpose": (lambda mb, x: mb.transpose(x=x, perm=[1, 0]), "perm", (0, 0)),
    "transpose, far": (lambda mb, x: mb.transpose(x=x, perm=[1, 0]), "perm", (7, -9)),
    "cumsum": (lambda mb, x: mb.cumsum(x=x, axis=1), "axis", (9,)),
    "softmax": (lambda mb, x: mb.softmax(x=x, axis=1), "axis", (-9,)),
    "expand_dims": (lambda mb, x: mb.expand_dims(x=x, axes=[0]), "axes", (HUGE,)),
    "squeeze": (lambda mb, x: mb.squeeze(x=mb.expand_dims(x=x, axes=[0]), axes=[0]), "axes", (1,)),
    "local_response_norm": (
        lambda mb, x: mb.local_response_norm(x=mb.expand_dims(x=x, axes=[0]), size=3), "size", (2**31 - 1,)
    ),
}  # fmt: skip


_SHAPES = {1: [(1, 1, 2**12, 2**12)], 2: [(2**24, 1), (1, 2**24)]}


def greedy(name, folder):
    """A package whose operator is asked for too much, and which says nothing about the result's shape."""
    build, parameter, numbers = GREEDY[name]
    x = normal(4, 6).numpy() if name == "pixel_shuffle" else np.ones((2, 3), np.float32)
    case = ProgramCase(name, build, {"x": x})
    written = Written(running.program(case), folder / f"{name}.mlpackage")
    operation = name.partition(",")[0]
    if numbers is None:  # the shapes that fills have, one of 2**24 rows and one of 2**24 columns
        fills = [part for part in written.block["operations"] if part["type"] == "fill"]
        for fill, shape in zip(fills, _SHAPES[len(fills)], strict=True):
            written.set_ints(fill, "shape", *shape)
    else:
        written.set_ints(operation, parameter, *numbers)
    unsaid = [part for part in written.block["operations"] if part["type"] in (operation, "fill", "greater")]
    for output in (output for part in unsaid for output in part["outputs"]):
        if "tensorType" in output["type"]:
            for size in output["type"]["tensorType"].get("dimensions", []):
                size.clear()
                size["unknown"] = {"variadic": False}
    return written.write()


@pytest.mark.parametrize("name", GREEDY)
def test_what_asks_for_too_much(name, tmp_path, backend):
    path = greedy(name, tmp_path)
    start = time.perf_counter()
    with pytest.raises(tk.coreml.PackageError, match=name.partition(",")[0]):
        predict(path, backend=backend)
    assert time.perf_counter() - start < SOON


@pytest.mark.skipif(not hasattr(__import__("os"), "sched_getaffinity"), reason="reads /proc")
def test_in_little_memory(tmp_path):
    """None of them asks the system for 2 GiB."""
    paths = [greedy(name, tmp_path) for name in GREEDY]
    code = """
for path in sys.argv[1:]:
    for backend in ("numpy", "torch"):
        try:
            model = tk.coreml.load(path, backend=backend)
            name, feature = next(iter(model.inputs.items()))
            model.predict({name: np.ones(feature.shape, np.float32)})
        except tk.coreml.PackageError as error:
            if "MemoryError" in str(error) or "allocate" in str(error):
                print("asked for memory:", path, backend, str(error)[-200:])
print("done")
"""
    assert peak_memory(code, *paths) == "done\n"


class TestLoops:
    def test_that_never_end(self, tmp_path, backend, monkeypatch):
        written = program(
            tmp_path,
            lambda mb, x: mb.while_loop(
                _cond=lambda i, y: mb.less(x=i, y=5),
                _body=lambda i, y: (mb.mul(x=i, y=1), mb.mul(x=y, y=1.0)),
                loop_vars=(np.int32(0), x),
            )[1],
        )
        monkeypatch.setattr(lists, "LONGEST_LOOP", 3000)
        refused(written.path, r"\(while_loop\): a loop did not end within 3,000 rounds", backend=backend)

    def test_loops_in_loops_that_never_end(self, tmp_path, backend, monkeypatch):
        """The rounds of all loops together are limited, or two would take the square of the time."""

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
        monkeypatch.setattr(prediction, "MOST_CALLS", 5000)
        refused(written.path, r"\(while_loop\).*the loops did not end within 5,000 rounds together", backend=backend)

    def test_that_grow(self, tmp_path, backend, monkeypatch):
        """A result that doubles with every round soon has more elements than are allowed."""
        monkeypatch.setattr(registry, "_LARGEST", 2**20)
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
        for operation in [loop, *loop["blocks"][1]["operations"]]:
            for output in operation["outputs"]:
                for size in output["type"].get("tensorType", {}).get("dimensions", []):
                    size.clear()
                    size["unknown"] = {"variadic": False}
        for block in loop["blocks"]:
            for entry in block["inputs"]:
                for size in entry["type"].get("tensorType", {}).get("dimensions", []):
                    size.clear()
                    size["unknown"] = {"variadic": False}
        refused(written.write(), "elements; toykit allows 1,048,576", backend=backend)

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
        try:
            predict(written.write())
        except ALLOWED:
            pass

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


def test_many_large_results(tmp_path, backend, monkeypatch):
    """Each result is allowed, all together are not: memory is limited for the program as a whole."""
    monkeypatch.setattr(prediction, "LARGEST", 2**24)
    written = program(tmp_path, lambda mb, x: mb.add(x=mb.fill(shape=[2, 3], value=1.0), y=x))
    fill, add = written.operation("fill"), written.operation("add")
    written.set_ints("fill", "shape", 2**10, 2**10)
    written.declare("fill", 2**10, 2**10)
    fills = []
    for number in range(5):
        fills.append(copy.deepcopy(fill))
        fills[-1]["outputs"][0]["name"] = f"large_{number}"
    position = written.block["operations"].index(fill)
    written.block["operations"][position + 1 : position + 1] = fills
    # Four fit, and are used at the very end, so none is dropped before.
    written.declare(add, None, None)
    written.block["outputs"] += [f"large_{number}" for number in range(5)]
    refused(written.write(), r"\(fill\): results would take [\d,]+ bytes at a time; toykit allows 16,777,216", backend=backend)


def test_results_that_are_dropped_count_no_longer(tmp_path, backend, monkeypatch):
    """A hundred results of which two are alive at a time take the memory of two."""
    monkeypatch.setattr(prediction, "LARGEST", 2**12)

    def chain(mb, x):
        for _ in range(100):
            x = mb.add(x=x, y=1.0)
        return x

    written = program(tmp_path, chain, x=np.zeros((16, 16), np.float32))
    model = tk.coreml.load(written.path, backend=backend)
    (found,) = model.predict({"x": np.zeros((16, 16), np.float32)}).values()
    assert (found == 100).all()


class TestAnyBytes:
    """Whatever is changed in a small program, the answer is a prediction or a clear error, soon."""

    @pytest.fixture(scope="class")
    def sound(self, tmp_path_factory):
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
        mlmodel = tk.coreml.convert(network, torch.zeros(1, 2, 8, 8), target="iOS17", skip_model_load=True)
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
                holder[key] = data.draw(st.sampled_from([0, 1, 2, 3, 5, 64, 2**20, 2**31 - 1, -1, -3, -(2**31)]))
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
