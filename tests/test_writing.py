"""Compressed packages that toykit writes: what was predicted is written, and what was left is left."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toykit as tk
from tests import handmade
from tests.nightly import cases
from toykit.compressed import Compressed
from toykit.coreml.format import protobuf
from toykit.coreml.format.program import Operation, Type
from toykit.coreml.format.schema import MESSAGES
from toykit.coreml.writing import messages

KINDS = ("linear", "matmul", "tied", "gather", "conv", "conv_transpose", "add")


@st.composite
def networks(draw):
    """Layers with the weights that make trouble: equal, scaled, constant, few values, tiny, not finite."""
    layers = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(KINDS))
        dtype = draw(st.sampled_from(("float16", "float16", "float32")))
        sizes = st.sampled_from((4, 6, 8, 12, 16, 32))
        shape = (
            draw(sizes),
            draw(sizes),
            *([draw(st.sampled_from((1, 2, 3)))] if kind.startswith("conv") else []),
        )
        earlier = [weight for other, weight in layers if weight.size == np.prod(shape)]
        how = draw(
            st.sampled_from(
                ("normal", "normal", "again", "twice", "zeros", "few", "tiny", "infinite", "nearly")
            )
        )
        random = np.random.default_rng(draw(st.integers(0, 3)))
        weight = random.normal(size=shape)
        if how in ("again", "twice", "nearly") and earlier:
            weight = draw(st.sampled_from(earlier)).reshape(shape).astype(np.float64) * (
                2 if how == "twice" else 1
            )
        if how == "zeros":
            weight = np.zeros(shape)
        elif how == "few":
            weight = random.integers(-1, 2, shape) / 2
        elif how == "tiny":
            weight *= 1e-7
        with np.errstate(over="ignore"):
            weight = weight.astype(dtype)
        if how == "infinite":
            weight[0, 0] = -np.inf
        elif how == "nearly":
            weight.ravel()[-1] = np.nextafter(weight.ravel()[-1], weight.dtype.type(9))
        layers.append((kind, weight))
    return layers


BITS = st.sampled_from((1, 2, 3, 4, 6, 8))
PRUNE = st.one_of(
    st.fixed_dictionaries({"sparsity": st.sampled_from((0, 0.3, 0.5, 0.9, 1))}),
    st.fixed_dictionaries(
        {"threshold": st.sampled_from((0.1, 1.0)), "minimum_sparsity": st.sampled_from((0, 0.5))}
    ),
    st.fixed_dictionaries({"sparsity": st.just(0.5), "block_size": st.sampled_from((2, 4))}),
    st.fixed_dictionaries({"n_m": st.sampled_from(((2, 4), (1, 3))), "dim": st.sampled_from((0, 1))}),
)
QUANTIZE = st.one_of(
    st.fixed_dictionaries(
        {
            "bits": st.sampled_from((4, 8)),
            "mode": st.sampled_from(("symmetric", "affine")),
            "signed": st.booleans(),
            "granularity": st.sampled_from(("per_tensor", "per_channel")),
        }
    ),
    st.fixed_dictionaries(
        {"granularity": st.just("per_block"), "block_size": st.sampled_from((2, 4, 5, (2, 2)))}
    ),
)
PALETTIZE = st.one_of(
    st.fixed_dictionaries({"bits": BITS, "mode": st.sampled_from(("uniform", "kmeans"))}),
    st.fixed_dictionaries({"mode": st.just("unique")}),
    st.fixed_dictionaries(
        {"bits": BITS, "group_size": st.sampled_from((2, 4)), "axis": st.sampled_from((None, 0, 1, 2))}
    ),
    st.fixed_dictionaries({"bits": BITS, "per_channel_scale": st.just("across"), "mode": st.just("uniform")}),
    st.fixed_dictionaries({"bits": st.sampled_from((1, 2, 4)), "cluster_dim": st.sampled_from((2, 4))}),
)
TABLE = st.fixed_dictionaries(
    {"bits": st.just(8), "granularity": st.just("per_tensor"), "signed": st.booleans()}
)


@st.composite
def plans(draw):
    """(technique, options) as `compress` takes them; all weights are asked, however small."""
    technique = draw(st.sampled_from(("prune", "quantize", "palettize", "joint")))
    choices = {"prune": PRUNE, "quantize": QUANTIZE, "palettize": PALETTIZE}
    if technique != "joint":
        return technique, draw(choices[technique]) | {"weight_threshold": draw(st.sampled_from((0, 20)))}
    chosen = draw(
        st.sampled_from(
            (
                ("prune", "quantize"),
                ("prune", "palettize"),
                ("palettize", "quantize"),
                ("prune", "palettize", "quantize"),
            )
        )
    )
    options = {}
    for name in chosen:
        kind = TABLE if name == "quantize" and "palettize" in chosen else choices[name]
        options[name] = draw(kind) | {"weight_threshold": 0}
    return technique, options


def outcome(call):
    """What a call returns, or the words of its refusal."""
    try:
        return call()
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def contents(path):
    return {
        file.relative_to(path): hashlib.sha256(file.read_bytes()).digest()
        for file in path.rglob("*")
        if file.is_file()
    }


@settings(max_examples=cases(120, 5000), deadline=None)
@given(layers=networks(), plan=plans(), version=st.sampled_from((6, 7, 9, 9, 9, 10)))
def test_what_is_predicted_is_written_fuzz(layers, plan, version):
    technique, options = plan
    with tempfile.TemporaryDirectory() as folder:
        path = handmade.write(Path(folder, "net.mlpackage"), layers, version)
        before = contents(path)
        predicted = outcome(lambda: tk.size.ledger(path).after(technique, **options))
        written = outcome(lambda: tk.coreml.compress(path, technique, **options))
        assert contents(path) == before
        if isinstance(predicted, str) or isinstance(written, str):
            assert predicted == written
            return
        assert predicted.exact
        assert (
            predicted.nbytes
            == written.nbytes
            == sum(f.stat().st_size for f in written.path.rglob("*") if f.is_file())
        )
        found = tk.size.ledger(written)
        assert [row.nbytes for row in predicted.rows] == [row.nbytes for row in found.rows]
        assert dict(predicted.rest.items()) == found.rest
        stored = tk.coreml.weights(written)
        if len(stored) < len(layers):  # what is left of one is so little that it lies in the program
            return
        for number, (_, weight) in enumerate(layers):
            value = stored[f"w{number}"]
            if isinstance(value, Compressed):
                continue
            # What is not compressed was declined with a reason, and is what it was, to the bit.
            assert value.tobytes() == weight.tobytes()
            assert f"w{number}" in predicted.declined
        check_answers(Path(folder), layers, stored, written)


def check_answers(folder, layers, stored, written):
    """The compressed package answers as one that holds the same weights as they are."""
    dense = []
    for number, (kind, weight) in enumerate(layers):
        value = stored[f"w{number}"]
        dense.append((kind, np.ascontiguousarray(value.dense() if isinstance(value, Compressed) else value)))
        assert dense[-1][1].dtype == weight.dtype and dense[-1][1].shape == weight.shape
    plain = handmade.write(folder / "dense.mlpackage", dense, version=9)
    inputs = handmade.examples(layers)
    with np.errstate(all="ignore"):
        ours, theirs = tk.coreml.run(written, inputs), tk.coreml.run(plain, inputs)
    for name, answer in theirs.items():
        np.testing.assert_array_equal(ours[name], answer)


def test_signed_codes_that_lie_in_the_program(tmp_path):
    weights = np.linspace(-1, 1, 12, dtype=np.float16).reshape(2, 6)
    package = tk.coreml.Package(handmade.write(tmp_path / "m.mlpackage", [("linear", weights)]))
    options = {"bits": 4, "mode": "affine", "granularity": "per_tensor"}
    small = tk.coreml.compress(package, "quantize", weight_threshold=0, **options)
    stored = tk.coreml.weights(small)["w0"]
    np.testing.assert_array_equal(stored.dense(), tk.quantize(weights, **options).dense())


NOTE = protobuf.encode({"name": "a field that toykit does not know"}, "NamedValueType").replace(
    b"\x0a", b"\x7a", 1
)
LAYERS = [
    (kind, np.random.default_rng(0).normal(size=(64, 64)).astype(np.float16)) for kind in ("linear", "tied")
]


@given(kinds=st.sets(st.sampled_from(sorted(MESSAGES))))
def test_a_message_of_which_nothing_is_changed_stays_as_it_is(kinds):
    with tempfile.TemporaryDirectory() as folder:
        program = tk.coreml.Package(handmade.write(Path(folder, "net.mlpackage"), LAYERS)).program_bytes
        same = dict.fromkeys(kinds, lambda content, key: bytes(content))
        assert protobuf.rewrite(program, "Program", same) == program


@pytest.mark.parametrize("kind", ["Function", "Block", "Operation", "Argument", "Argument.Binding", "Value"])
def test_fields_that_toykit_does_not_know_stay(kind, tmp_path):
    def note(content, key):
        return bytes(content) + NOTE

    plain, noted = (handmade.write(tmp_path / f"{name}.mlpackage", LAYERS) for name in ("plain", "noted"))
    program = protobuf.rewrite(tk.coreml.Package(plain).program_bytes, "Program", {kind: note})
    file = noted / handmade.MODEL
    file.write_bytes(protobuf.replace(file.read_bytes(), {502: program}))
    plan = {"w0": {"technique": "palettize", "bits": 4}}  # the other weight gets another place
    written, expected = (tk.coreml.compress(path, plan) for path in (noted, plain))
    inside = lambda package: protobuf.decode(package.program_bytes, "Program")
    assert inside(written) == inside(expected)
    gone = program.count(NOTE) - bytes(written.program_bytes).count(NOTE)
    assert gone == {"Operation": 1, "Value": 2}.get(kind, 0)  # those of the constant that is compressed
    predicted = tk.size.ledger(noted).after("palettize", bits=4, weight_threshold=20)
    assert predicted.nbytes == tk.coreml.compress(noted, "palettize", bits=4, weight_threshold=20).nbytes


def with_branches(path, weights):
    """A package that multiplies by one of two weights, each a constant of its branch, and both of one name."""
    file, blocks = handmade.File(), []
    kinds = {"x": Type("tensor", "float16", (1, 64)), "which": Type("tensor", "int32", (1,))}
    y = Type("tensor", "float16", (1, 64))
    for number, weight in enumerate(weights):
        value = file.add(weight)
        made = Operation("const", "w", {}, {"w": value.type}, {"val": value}, [])
        layer = handmade.operation("linear", f"y{number}", {"x": "x", "weight": "w"}, y)
        operations = [messages.encode_operation(made, handmade.FILE), layer]
        blocks.append(protobuf.encode({"outputs": [f"y{number}"], "operations": operations}, "Block"))
    flag = Type("tensor", "bool", (1,))
    truth = handmade.operation("cast", "true", {"x": "which", "dtype": messages.text("bool")}, flag)
    chosen = handmade.operation("cond", "y", {"pred": "true"}, y)
    chosen += protobuf.encode({"blocks": blocks}, "Operation")
    inputs = [(name, kind.shape, kind.dtype) for name, kind in kinds.items()]
    return handmade.save(path, file, [truth, chosen], inputs, ["y"])


@pytest.mark.parametrize(("technique", "options"), [("palettize", {"bits": 2}), ("quantize", {"bits": 8})])
@pytest.mark.parametrize("compressed", [(True, True), (True, False), (False, True)])
def test_constants_of_two_branches_may_have_one_name(technique, options, compressed, tmp_path):
    """Each is compressed from its own values; one that declines keeps its name, whatever the other does."""
    random = np.random.default_rng(0)
    weights = [random.normal(size=(64, 64)).astype(np.float16) for _ in compressed]
    for weight, taken in zip(weights, compressed, strict=True):
        if not taken:
            weight[0, 0] = np.inf
    path = with_branches(tmp_path / "m.mlpackage", weights)
    predicted = tk.size.ledger(path).after(technique, **options)
    written = tk.coreml.compress(path, technique, **options)
    assert predicted.nbytes == written.nbytes
    call = {"palettize": tk.palettize, "quantize": tk.quantize}[technique]
    x = random.normal(size=(1, 64)).astype(np.float16)
    x[0, 0] = 0.5
    dense = [call(w, **options).dense() if taken else w for w, taken in zip(weights, compressed, strict=True)]
    plain = with_branches(tmp_path / "plain.mlpackage", dense)
    for which in (0, 1):
        given = {"x": x, "which": np.int32([which])}
        with np.errstate(all="ignore"):
            ours, theirs = tk.coreml.run(written, given), tk.coreml.run(plain, given)
        np.testing.assert_array_equal(ours["y"], theirs["y"])


def test_a_compressed_constant_does_not_take_the_name_of_an_input(tmp_path):
    file, weight = handmade.File(), np.linspace(-1, 1, 4096, dtype=np.float16).reshape(64, 64)
    value, taken = file.add(weight), "w_quantized"
    made = Operation("const", "w", {}, {"w": value.type}, {"val": value}, [])
    y = Type("tensor", "float16", (1, 64))
    layer = handmade.operation("linear", "y", {"x": taken, "weight": "w"}, y)
    operations = [messages.encode_operation(made, handmade.FILE), layer]
    path = handmade.save(tmp_path / "m.mlpackage", file, operations, [(taken, (1, 64), "float16")], ["y"])
    x = np.ones((1, 64), np.float16)
    (answer,) = tk.coreml.run(tk.coreml.compress(path, "quantize"), {taken: x}).values()
    assert tk.error(tk.coreml.run(path, {taken: x})["y"], answer).snr_db > 30
