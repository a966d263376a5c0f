"""The weights of a package as toykit's objects: their parts, what they decompress to, what is refused."""

import itertools
import mmap
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
torch = pytest.importorskip("torch", reason="the packages are converted from torch")

import toykit as tk
from toykit._quiet import quiet
from toykit.compressed import Compressed
from toykit.coreml import Package, PackageError
from toykit.coreml.constants.reading import CONSTEXPR, read_constant
from toykit.coreml.format import weightbin
from toykit.coreml.format.package import open_package
from toykit.coreml.format.program import Operation, Type, Value
from toykit.coreml.format.schema import DTYPES

from . import architectures, constexprs
from .packages import network

# What toykit stores for each way to compress that `tk.coreml.compress` knows: (technique, options, ours).
OLD = {
    "pruned": ("prune", {"sparsity": 0.7}, lambda w, axis: tk.prune(w, sparsity=0.7)),
    "int8": ("quantize", {}, lambda w, axis: tk.quantize(w, axis=axis)),
    "uint8 affine": (
        "quantize",
        {"mode": "affine", "signed": False},
        lambda w, axis: tk.quantize(w, mode="affine", signed=False, axis=axis),
    ),
    "6-bit uniform": (
        "palettize",
        {"bits": 6, "mode": "uniform"},
        lambda w, axis: tk.palettize(w, bits=6, mode="uniform"),
    ),
}
NEW = {
    "pruned": OLD["pruned"],
    "4-bit k-means": ("palettize", {"bits": 4}, lambda w, axis: tk.palettize(w, bits=4)),
    "int4 in blocks": (
        "quantize",
        {"bits": 4, "granularity": "per_block", "block_size": 16},
        lambda w, axis: tk.quantize(w, bits=4, granularity="per_block", block_size=16, axis=axis),
    ),
    "uint4 affine": (
        "quantize",
        {"bits": 4, "mode": "affine", "signed": False},
        lambda w, axis: tk.quantize(w, bits=4, mode="affine", signed=False, axis=axis),
    ),
    "3-bit uniform in groups": (
        "palettize",
        {"bits": 3, "mode": "uniform", "group_size": 16},
        lambda w, axis: tk.palettize(w, bits=3, mode="uniform", group_size=16, axis=axis),
    ),
    "pruned, int8": (
        "joint",
        {"prune": {"sparsity": 0.7}, "quantize": {}},
        lambda w, axis: tk.quantize(tk.prune(w, sparsity=0.7), axis=axis),
    ),
    "pruned, 4-bit uniform": (
        "joint",
        {"prune": {"sparsity": 0.7}, "palettize": {"bits": 4, "mode": "uniform"}},
        lambda w, axis: tk.palettize(tk.prune(w, sparsity=0.7), bits=4, mode="uniform"),
    ),
    "4-bit uniform, int8 table": (
        "joint",
        {"palettize": {"bits": 4, "mode": "uniform"}, "quantize": {"granularity": "per_tensor"}},
        lambda w, axis: tk.quantize(tk.palettize(w, bits=4, mode="uniform")),
    ),
    "pruned, 6-bit uniform, int8 table": (
        "joint",
        {
            "prune": {"sparsity": 0.7},
            "palettize": {"bits": 6, "mode": "uniform"},
            "quantize": {"granularity": "per_tensor"},
        },
        lambda w, axis: tk.quantize(
            tk.palettize(tk.prune(w, sparsity=0.7), bits=6, mode="uniform"), granularity="per_tensor"
        ),
    ),
}
CASES = {f"iOS17 {name}": ("iOS17", *case) for name, case in OLD.items()}
CASES |= {f"iOS18 {name}": ("iOS18", *case) for name, case in NEW.items()}


@pytest.fixture(scope="module")
def networks():
    return {target: network(target) for target in ("iOS17", "iOS18")}


@pytest.mark.parametrize("target, technique, options, ours", CASES.values(), ids=CASES)
def test_parts_are_those_of_toykit(networks, target, technique, options, ours):
    before = tk.coreml.weights(networks[target])
    package = tk.coreml.compress(networks[target], technique, engine="coremltools", **options)
    after = tk.coreml.weights(package)
    assert set(after) == set(before) == {row.name for row in tk.size.ledger(package).rows}
    compressed = [name for name, weight in after.items() if isinstance(weight, Compressed)]
    assert len(compressed) == 3
    for name in compressed:
        expected = ours(before[name], 1 if "transposed" in name else 0)
        parts = dict(after[name].parts)
        if target == "iOS17" and technique == "quantize" and "zero_point" not in expected.parts:
            assert not parts.pop("zero_point").any()  # there is always one; here it is 0
        assert type(after[name]) is type(expected)
        assert parts.keys() == expected.parts.keys()
        for key, part in parts.items():
            assert part.dtype == expected.parts[key].dtype
            assert part.shape == expected.parts[key].shape
            assert part.tobytes() == expected.parts[key].tobytes()
        assert same(after[name].dense(), expected.dense())


def same(ours, theirs):
    return ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()


def test_scales_for_channels_of_a_palette(networks):
    """For iOS 18 coremltools repeats the table for every scale; `dense()` is that of the table and scales."""
    options = {"bits": 4, "mode": "uniform", "per_channel_scale": "across"}
    before = tk.coreml.weights(networks["iOS18"])
    after = tk.coreml.weights(
        tk.coreml.compress(networks["iOS18"], "palettize", engine="coremltools", **options)
    )
    kinds = set()
    for name, weight in after.items():
        if isinstance(weight, Compressed):
            axis = 1 if "transposed" in name else 0
            expected = tk.palettize(before[name], axis=axis, **options)
            assert same(weight.dense(), expected.dense())
            assert weight.parts["indices"].tobytes() == expected.indices.tobytes()
            kinds.add(type(weight).__name__)
    assert kinds == {"Palettized"}


SYSTEMS = {"iOS16": constexprs.IOS16, "iOS18": constexprs.IOS18}
FORMS = [(system, form) for system, forms in SYSTEMS.items() for form in forms]


@cache
def operations_of(system, form):
    """The operations of a package that decompress a weight of this form, one after another."""
    makers, _ = made(system)
    found = []

    def follow(name):
        if name in makers and makers[name].op in CONSTEXPR:
            for argument in itertools.chain(*makers[name].inputs.values()):
                if isinstance(argument, str):
                    follow(argument)
            if all(makers[name] is not step for step in found):  # both outputs of one, for example
                found.append(makers[name])

    user = makers[f"weight_{list(SYSTEMS[system]).index(form)}"]
    follow(user.inputs["x" if user.op == "cast" else "input"][0])
    return found


@cache
def made(system):
    """A package of all forms: name of a result -> operation; and what coremltools decompresses."""
    program = open_package(constexprs.model(SYSTEMS[system])).program
    makers = {name: operation for operation in program.walk() for name in operation.outputs}
    return makers, constexprs.decompressed(SYSTEMS[system])


class TestEveryForm:
    """Forms that Core ML allows, built by hand: what coremltools decompresses them to, to the bit."""

    @pytest.mark.parametrize("system, form", FORMS, ids=[" ".join(form) for form in FORMS])
    def test_form(self, system, form):
        _, kind = SYSTEMS[system][form]
        operations, values = operations_of(system, form), {}
        for operation in operations:
            values |= read_constant(operation, values.__getitem__)
        *_, weight = values.values()
        assert type(weight).__name__ == kind
        assert same(weight.dense(), made(system)[1][form])
        assert weight.dtype == weight.dense().dtype
        assert kind in repr(weight)
        # Every array of the file is a part, and once.
        places = [part.__array_interface__["data"][0] for part in weight.parts.values()]
        arguments = [
            a for o in operations for a in [*o.attributes.values(), *itertools.chain(*o.inputs.values())]
        ]
        blobs = {a.blob.offset: a.blob for a in arguments if isinstance(a, Value) and a.blob is not None}
        for blob in blobs.values():
            assert places.count(blob.packed.__array_interface__["data"][0]) == 1


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    mlmodel = tk.coreml.convert(*architectures.build("pointwise"), target="iOS18", check=False)
    small = tk.coreml.compress(mlmodel, "joint", engine="coremltools", prune={"sparsity": 0.5}, quantize={})
    return tk.coreml.save(small, tmp_path_factory.mktemp("weights") / "small.mlpackage")


class TestWeights:
    def test_takes_what_names_a_package(self, package):
        with quiet():
            mlmodel = constexprs.ct.models.MLModel(str(package), skip_model_load=True)
        for source in (package, str(package), Package(package), mlmodel):
            weights = tk.coreml.weights(source)
            assert list(weights) == list(tk.coreml.weights(package))

    def test_bytes_are_those_of_the_file(self, package):
        total = sum(weight.nbytes for weight in tk.coreml.weights(package).values())
        assert total == sum(blob.nbytes for blob in Package(package).weight_blobs)
        assert total == sum(row.nbytes for row in tk.size.ledger(package).rows)

    def test_is_mapped_and_read_only(self, package, monkeypatch):
        monkeypatch.setattr(weightbin, "_READ_AT_ONCE", 0)
        for weight in tk.coreml.weights(package).values():
            for array in weight.parts.values() if isinstance(weight, Compressed) else [weight]:
                assert not array.flags.writeable
                base = array
                while isinstance(base, np.ndarray):
                    base = base.base
                assert isinstance(base, memoryview) and isinstance(base.obj, mmap.mmap)

    def test_shared_parts(self):
        """coremltools stores equal arrays once, here the zero points; each weight has them."""
        layers = torch.nn.Sequential(torch.nn.Linear(128, 128), torch.nn.ReLU(), torch.nn.Linear(128, 128))
        mlmodel = tk.coreml.convert(layers, torch.zeros(1, 128), target="iOS17", check=False)
        quantized = tk.coreml.compress(mlmodel, "quantize", engine="coremltools")
        weights = tk.coreml.weights(quantized).values()
        one, two = (weight.zero_point for weight in weights if isinstance(weight, Compressed))
        assert one.__array_interface__["data"] == two.__array_interface__["data"]
        stored = sum(row.nbytes for row in tk.size.ledger(quantized).rows)
        assert sum(weight.nbytes for weight in weights) == stored + one.nbytes

    def test_not_a_package(self, tmp_path):
        with pytest.raises(TypeError, match="got int"):
            tk.coreml.weights(3)
        with pytest.raises(FileNotFoundError):
            tk.coreml.weights(tmp_path / "none.mlpackage")


def operation(op, parts, shape=(4, 6), dtype="float16", outputs=None, old=False):
    """An operation with parts given as (dtype, array) or the name of an earlier result."""
    values = {name: part if isinstance(part, str) else value(*part) for name, part in parts.items()}
    outputs = outputs or {"w": Type("tensor", dtype, shape)}
    inputs = {} if old else {name: [part] for name, part in values.items()}
    return Operation(op, "w", inputs, outputs, values if old else {}, [])


def value(dtype, array):
    array = np.asarray(array)
    return Value(Type("tensor", dtype, array.shape), immediate=array.ravel())


ZEROS = np.zeros((4, 6), np.int8)
HALVES = ("float16", np.full((2, 1), 0.5, np.float16))
LUT = np.arange(4, dtype=np.float16)


def scaled(shape=(4, 6), **parts):
    parts = {"data": ("int8", ZEROS), "scale": HALVES} | parts
    return operation("constexpr_blockwise_shift_scale", parts, shape)


def looked_up(entries=4, length=1, **parts):
    table = ("float16", np.ones((1, 1, entries, length), np.float16))
    return operation("constexpr_lut_to_dense", {"indices": ("uint2", ZEROS), "lut": table} | parts)


def ones(*shape):
    return "float16", np.ones(shape, np.float16)


def old(op, **parts):
    return operation(op, parts, old=True)


REFUSED = {
    "scales that do not divide": (
        scaled(scale=ones(3, 1)),
        r"scales of shape \(3, 1\) do not divide data of \(4, 6\)",
    ),
    "scales of another rank": (scaled(scale=ones(4)), "scale has shape"),
    "no scales at all": (scaled(scale=ones(0, 1)), "do not divide"),
    "an offset of another type": (
        scaled(offset=("uint8", np.zeros((2, 1), np.uint8))),
        "offset is of uint8, and the data of int8",
    ),
    "no data": (operation("constexpr_blockwise_shift_scale", {"scale": HALVES}), "has no data"),
    "data of a type that is not known": (scaled(data=("int32", ZEROS)), "data is of int32"),
    "another shape than declared": (scaled(shape=(6, 4)), "declared as"),
    "a result that is not there": (scaled(data="nowhere"), "refers to 'nowhere'"),
    "nothing": (
        scaled((0, 6), data=("int8", np.zeros((0, 6), np.int8)), scale=ones(1, 1)),
        "holds no weights",
    ),
    "too many axes": (
        scaled((1,) * 9, data=("int8", np.zeros((1,) * 9, np.int8)), scale=ones(*[1] * 9)),
        "has 9 dimensions",
    ),
    "five entries": (looked_up(5), "not for 2-bit indices: 4 entries"),
    "vectors without an axis": (looked_up(length=2), "need a vector_axis"),
    "an axis that is not there": (
        looked_up(length=2, vector_axis=("int32", np.int32(2))),
        "vector_axis is 2, and there are 2 axes",
    ),
    "two axes": (looked_up(vector_axis=("int32", np.int32([0, 1]))), "must be one number, and has 2"),
    "a few bytes for all memory": (
        looked_up(
            indices=("uint1", np.zeros((1000, 1000), np.uint8)),
            lut=("uint8", np.zeros((1, 1, 2, 2**17), np.uint8)),
            vector_axis=("int32", np.int32(0)),
        ),
        "would make 131,072,000,000 weights",
    ),
    "a mask that keeps more": (
        operation("constexpr_sparse_to_dense", {"nonzero_data": ones(4), "mask": ("uint1", ZEROS + 1)}),
        "the mask keeps 24",
    ),
    "fewer index bytes": (
        old(
            "constexpr_lut_to_dense",
            indices=("uint8", np.zeros(5, np.uint8)),
            lut=("float16", LUT),
            shape=("uint32", np.uint32([4, 6])),
        ),
        r"24 codes of 2 bits take 6 bytes, and indices has shape \(5,\)",
    ),
    "a table that Core ML does not have": (
        old(
            "constexpr_lut_to_dense",
            indices=("uint8", np.zeros(9, np.uint8)),
            lut=ones(8),
            shape=("uint32", np.uint32([4, 6])),
        ),
        "2, 4, 16, 64 or 256 entries",
    ),
    "a shape beyond all memory": (
        old(
            "constexpr_sparse_to_dense",
            nonzero_data=ones(4),
            mask=("uint8", np.zeros(3, np.uint8)),
            shape=("uint32", np.uint32([2**32 - 1] * 4)),
        ),
        "codes of 1 bits take",
    ),
    "a zero point for another axis": (
        old(
            "constexpr_affine_dequantize",
            quantized_data=("int8", ZEROS),
            scale=ones(4),
            zero_point=("int8", np.zeros(6, np.int8)),
            axis=("int32", np.int32(0)),
        ),
        r"zero_point has shape \(6,\); axis 0 has 4",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    spoilt, message = REFUSED[name]
    with pytest.raises(PackageError, match=message) as error:
        read_constant(spoilt, {}.__getitem__)
    assert spoilt.op in str(error.value)


def test_a_million_weights_with_two_left():
    """What is very sparse takes few bytes, and is no reason for suspicion."""
    shape = (1024, 1024)
    kept = np.zeros(shape, np.uint8)
    kept[5, 7] = kept[900, 3] = 1
    parts = {
        "indices_mask": ("uint1", kept),
        "indices_nonzero_data": ("uint2", np.uint8([3, 1])),
        "lut": ("float16", np.float16([0, 1, 2, 3]).reshape(1, 1, 4, 1)),
    }
    outputs = {"mask": Type("tensor", "uint1", shape), "left": Type("tensor", "float16", (2,))}
    _, left = read_constant(operation("constexpr_lut_to_sparse", parts, outputs=outputs), {}.get).values()
    assert left.dense().tolist() == [3, 1]
    assert left.nbytes < 2**17 + 16


def test_a_row_of_results_without_end():
    values, name = {}, None
    with pytest.raises(PackageError, match="in a row"):
        for number in range(100):
            data = ("int8", ZEROS) if name is None else name
            name = f"w{number}"
            outputs = {name: Type("tensor", "float16", (4, 6))}
            parts = {"data": data, "scale": HALVES, "offset": HALVES}
            step = operation("constexpr_blockwise_shift_scale", parts, outputs=outputs)
            values |= read_constant(step, values.__getitem__)


def _spoilt(draw, part):
    """A part with another type, shape or elements; as long as its type says, as the reader has checked."""
    array, dtype, shape = part.numpy(), part.type.dtype, part.type.shape
    if dtype == "string":
        return part
    kind = draw(st.sampled_from(("shape", "rank", "elements", "type", "gone")))
    if kind == "gone":
        return None
    if kind == "shape":
        shape = tuple(draw(st.lists(st.integers(0, 9), min_size=len(shape), max_size=len(shape))))
    elif kind == "rank":
        shape = tuple(draw(st.lists(st.integers(0, 4), max_size=12)))
        shape = shape if np.prod(shape, dtype=float) < 10**5 else (3,)
    elif kind == "type":
        dtype = draw(st.sampled_from([name for name, bits in DTYPES.values() if bits]))
    random = np.random.default_rng(draw(st.integers(0, 99)))
    if kind in ("elements", "type"):
        array = random.permutation(array.ravel())
    bits = dict(DTYPES.values())[dtype]
    held = {"bfloat16": "uint16"}.get(dtype, "uint8" if dtype.startswith("float8") else dtype)
    if bits < 8:
        held = "int8" if dtype.startswith("int") else "uint8"
    with np.errstate(all="ignore"):
        filled = np.resize(array, int(np.prod(shape))).astype(np.int64 if held != "bool" else bool)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if dtype.startswith("int") else (0, 2**bits - 1)
        if bits < 8:
            filled = np.clip(filled, low, high)
        filled = filled.astype(held)
    return Value(Type("tensor", dtype, shape), immediate=filled)


@given(st.data())
@settings(max_examples=1000, deadline=None)
def test_spoilt_operations_give_weights_or_an_error(data):
    values = {}
    row = operations_of(*data.draw(st.sampled_from(FORMS)))
    which = data.draw(st.integers(0, len(row) - 1))
    for number, step in enumerate(row):
        if number == which:
            holder = step.inputs or step.attributes
            name = data.draw(st.sampled_from(sorted(holder)))
            before = holder[name][0] if step.inputs else holder[name]
            if isinstance(before, str):
                after = data.draw(st.sampled_from((*values, "nowhere")))
            else:
                after = _spoilt(data.draw, before)
            holder = {key: part for key, part in holder.items() if key != name}
            if after is not None:
                holder[name] = [after] if step.inputs else after
            step = replace(step, **{"inputs" if step.inputs else "attributes": holder})
        try:
            made = read_constant(step, values.__getitem__)
        except PackageError as error:
            assert step.op in str(error)
            return
        values |= made
        for kind, result in zip(step.outputs.values(), made.values(), strict=True):
            with np.errstate(all="ignore"):
                dense = result.dense() if isinstance(result, Compressed) else result
            assert dense.shape == kind.shape == result.shape
            assert dense.dtype == result.dtype
