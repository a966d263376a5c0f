"""Operators that are asked for absurd or senseless sizes: a clear error, soon, in little memory."""

import sys
import time

import numpy as np
import pytest

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.nightly import nightly
from tests.parity import running
from tests.parity.hostile import SOON, Written, predict
from tests.parity.operators.case import ProgramCase, normal


@pytest.fixture(params=running.BACKENDS)
def backend(request):
    return request.param


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
        [sys.executable, "-c", preamble + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout + done.stderr[-2000:]


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
    "one_hot, far": (
        lambda mb, x: mb.one_hot(indices=mb.cast(x=x, dtype="int32"), one_hot_vector_size=3),
        "axis",
        (-(2**31),),
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
            x=mb.expand_dims(x=x, axes=[0, 1]),
            boxes=np.float32([[0, 0, 1, 1]]),
            target_height=2,
            target_width=2,
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
        lambda mb, x: mb.random_normal(shape=[2, 3], mean=0.0, stddev=1.0, seed=1),
        "shape",
        (HUGE, HUGE),
    ),
    "topk": (lambda mb, x: mb.topk(x=x, k=1, axis=1)[0], "k", (2**31 - 1,)),
    "make_list": (
        lambda mb, x: mb.list_length(
            ls=mb.list_write(
                ls=mb.make_list(init_length=2, elem_shape=(np.int32(2), np.int32(3)), dynamic_length=True),
                index=0,
                value=x,
            )
        ),
        "init_length",
        (2**31 - 1,),
    ),
    "list_write": (
        lambda mb, x: mb.list_length(
            ls=mb.list_write(
                ls=mb.make_list(init_length=2, elem_shape=(np.int32(2), np.int32(3)), dynamic_length=True),
                index=0,
                value=x,
            )
        ),
        "index",
        (2**31 - 1,),
    ),
    "slice_by_size": (lambda mb, x: mb.slice_by_size(x=x, begin=[0, 0], size=[1, 1]), "size", (HUGE, HUGE)),
    "reverse_sequence": (
        lambda mb, x: mb.reverse_sequence(x=x, lengths=[1, 2], seq_axis=1, batch_axis=0),
        "lengths",
        (HUGE, -HUGE),
    ),
    "gather": (lambda mb, x: mb.gather(x=x, indices=[0, 1], axis=0), "indices", (HUGE, -HUGE)),
    "split": (lambda mb, x: mb.split(x=x, num_splits=3, axis=1), "num_splits", (2**31 - 1,)),
    "max_pool": (
        lambda mb, x: mb.max_pool(
            x=mb.expand_dims(x=x, axes=[0]), kernel_sizes=[2], strides=[1], pad_type="custom", pad=[0, 0]
        ),
        "pad",
        (HUGE, HUGE),
    ),
    "avg_pool": (
        lambda mb, x: mb.avg_pool(
            x=mb.expand_dims(x=x, axes=[0]), kernel_sizes=[2], strides=[1], pad_type="custom", pad=[0, 0]
        ),
        "kernel_sizes",
        (HUGE,),
    ),
    "conv_transpose": (
        lambda mb, x: mb.conv_transpose(
            x=mb.expand_dims(x=x, axes=[0]),
            weight=np.ones((2, 1, 2), np.float32),
            strides=[1],
            pad_type="valid",
        ),
        "strides",
        (2**31 - 1,),
    ),
    "pixel_shuffle": (
        lambda mb, x: mb.pixel_shuffle(x=mb.reshape(x=x, shape=[1, 4, 2, 3]), upscale_factor=2),
        "upscale_factor",
        (HUGE,),
    ),
    "add": (lambda mb, x: outer(mb, mb.add), "y", None),
    "select": (
        lambda mb, x: outer(mb, lambda x, y: mb.select(cond=mb.greater(x=x, y=0.0), a=x, b=y)),
        "b",
        None,
    ),
    "matmul": (lambda mb, x: outer(mb, mb.matmul), "y", None),
    "conv": (
        lambda mb, x: mb.conv(
            x=mb.fill(shape=[1, 1, 2, 2], value=1.0), weight=np.ones((64, 1, 1, 1), np.float32)
        ),
        "x",
        None,
    ),
    "transpose": (lambda mb, x: mb.transpose(x=x, perm=[1, 0]), "perm", (0, 0)),
    "transpose, far": (lambda mb, x: mb.transpose(x=x, perm=[1, 0]), "perm", (7, -9)),
    "cumsum": (lambda mb, x: mb.cumsum(x=x, axis=1), "axis", (9,)),
    "softmax": (lambda mb, x: mb.softmax(x=x, axis=1), "axis", (-9,)),
    "expand_dims": (lambda mb, x: mb.expand_dims(x=x, axes=[0]), "axes", (HUGE,)),
    "squeeze": (lambda mb, x: mb.squeeze(x=mb.expand_dims(x=x, axes=[0]), axes=[0]), "axes", (1,)),
    "local_response_norm": (
        lambda mb, x: mb.local_response_norm(x=mb.expand_dims(x=x, axes=[0]), size=3),
        "size",
        (2**31 - 1,),
    ),
    # Sizes that make no sense: NumPy would count from the end, leave out or read backwards what they say.
    "crop, more than there is": (
        lambda mb, x: mb.crop(x=mb.expand_dims(x=x, axes=[0]), crop_height=[0, 1], crop_width=[0, 1]),
        "crop_height",
        (1, 7),
    ),
    "crop, less than nothing": (
        lambda mb, x: mb.crop(x=mb.expand_dims(x=x, axes=[0]), crop_height=[0, 1], crop_width=[0, 1]),
        "crop_width",
        (-2, 0),
    ),
    "conv, no groups": (lambda mb, x: small_conv(mb, x), "groups", (0,)),
    "conv, groups below zero": (lambda mb, x: small_conv(mb, x), "groups", (-1,)),
    "conv, no dilation": (lambda mb, x: small_conv(mb, x), "dilations", (0,)),
    "conv, dilation below zero": (lambda mb, x: small_conv(mb, x), "dilations", (-1,)),
    "conv, strides of more axes": (lambda mb, x: small_conv(mb, x), "strides", (1, 1)),
    "conv, padding below zero": (lambda mb, x: small_conv(mb, x), "pad", (-1, -1)),
    "max_pool, no stride": (
        lambda mb, x: mb.max_pool(
            x=mb.expand_dims(x=x, axes=[0]), kernel_sizes=[2], strides=[1], pad_type="valid"
        ),
        "strides",
        (0,),
    ),
    "conv_transpose, no stride": (
        lambda mb, x: mb.conv_transpose(
            x=mb.expand_dims(x=x, axes=[0]), weight=np.ones((2, 1, 2), np.float32), strides=[1]
        ),
        "strides",
        (0,),
    ),
    "sliding_windows, backwards": (lambda mb, x: mb.sliding_windows(x=x, axis=1, size=2), "stride", (-1,)),
    "slice_by_index, of fewer axes": (
        lambda mb, x: mb.slice_by_index(x=x, begin=[0, 1], end=[2, 3]),
        "begin",
        (1,),
    ),
    "slice_by_size, before the first": (
        lambda mb, x: mb.slice_by_size(x=x, begin=[0, 1], size=[2, 2]),
        "begin",
        (0, -1),
    ),
    "depth_to_space, no block": (
        lambda mb, x: mb.depth_to_space(x=mb.expand_dims(x=x, axes=[0, 1]), block_size=1),
        "block_size",
        (0,),
    ),
    "cumsum, two axes": (lambda mb, x: mb.cumsum(x=x, axis=1), "axis", (0, 1)),
}


def small_conv(mb, x):
    return mb.conv(
        x=mb.expand_dims(x=x, axes=[0]),
        weight=np.ones((2, 2, 1), np.float32),
        strides=[1],
        pad_type="custom",
        pad=[1, 1],
        dilations=[1],
        groups=1,
    )


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


@nightly
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_nightly_in_little_memory(tmp_path):
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
