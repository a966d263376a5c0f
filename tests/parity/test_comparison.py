"""`tk.coreml.compare`: what it says of answers, and which inputs it tries, against arithmetic done by hand."""

import contextlib
import io
import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ct = pytest.importorskip("coremltools")

from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types
from torch import nn

import toykit as tk
from tests.parity import running  # noqa: F401 - what makes conversions quick
from toykit import cli
from toykit._quiet import quiet
from toykit.coreml.runtime import comparison, random_inputs

NUMBERS = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)
TABLE = np.random.default_rng(1).normal(size=(800, 8)).astype(np.float32)


@pytest.fixture
def make(tmp_path):
    """Write a package of a program: of a function of inputs, (shape, type) or shape, float32 each."""
    made = []

    def write(build, *inputs, target=ct.target.iOS17, **options):
        specs = [
            mb.TensorSpec(shape, dtype=kind)
            for shape, kind in (one if isinstance(one[0], tuple) else (one, types.fp32) for one in inputs)
        ]
        with quiet():
            mlmodel = ct.convert(
                mb.program(input_specs=specs, opset_version=target)(build),
                convert_to="mlprogram",
                minimum_deployment_target=target,
                compute_precision=ct.precision.FLOAT32,
                skip_model_load=True,
                **options,
            )
        made.append(tk.coreml.save(mlmodel, tmp_path / f"{len(made)}.mlpackage"))
        return made[-1]

    return write


def linear(weight):
    return lambda x: mb.linear(x=x, weight=weight, name="y")


def times(number):
    return lambda x: mb.mul(x=x, y=np.float32(number), name="y")


def best_of(weight):
    return lambda x: mb.reduce_argmax(x=mb.linear(x=x, weight=weight), axis=-1, name="y")


def told(one, *words):
    """What a comparison says has no answer that is no number, and these words."""
    for text in (str(one), one._repr_html_(), json.dumps(one.as_data(), allow_nan=False), repr(one.outputs)):
        assert not {"nan", "inf", "NaN", "Infinity"} & set(text.replace(",", " ").replace(":", " ").split())
    for word in words:
        assert word in str(one)
    return one


# --- what is said of answers ---


@pytest.mark.parametrize("error", [1e-4, 0.01, 0.1, 1.0])
def test_decibels_are_those_of_the_arithmetic(make, error):
    off = NUMBERS + error * np.random.default_rng(2).normal(size=NUMBERS.shape).astype(np.float32)
    x = np.random.default_rng(3).normal(size=(5, 1, 16)).astype(np.float32)
    found = comparison.compare(make(linear(off), (1, 16)), make(linear(NUMBERS), (1, 16)), {"x": x})
    right, wrong = (x.astype(np.float64) @ w.astype(np.float64).T for w in (NUMBERS, off))
    size = lambda values, axis: np.sqrt(np.sum(values**2, axis))
    expected = 20 * np.log10(size(right, (1, 2)) / size(right - wrong, (1, 2)))
    assert found["y"].decibels == pytest.approx(expected, abs=0.01)
    assert found["y"].median == pytest.approx(np.median(expected), abs=0.01)
    assert found.worst == found["y"].worst == pytest.approx(expected.min(), abs=0.01)
    assert found["y"].total == pytest.approx(
        20 * np.log10(size(right, None) / size(right - wrong, None)), abs=0.01
    )
    told(
        found,
        f"median {np.median(expected):.1f} dB, worst {expected.min():.1f} dB (5 samples)",
        "a tenth of the answer",
    )


def test_identical_answers_are_said_to_be_identical(make):
    package = make(linear(NUMBERS), (1, 16))
    found = told(comparison.compare(package, package), "y: identical (8 samples)")
    assert found["y"].identical and found["y"].worst == math.inf and not found.below(100)
    # Some samples alike, and some not: zeros go in.
    x = np.stack([np.zeros((1, 16)), np.ones((1, 16)), np.zeros((1, 16))])
    other = make(linear(NUMBERS * 1.1), (1, 16))
    found = told(
        comparison.compare(other, package, {"x": x}),
        "median identical, worst 20.0 dB (3 samples, 2 of them identical)",
    )
    assert not found["y"].identical


def test_where_the_reference_is_zero_every_answer_is_error(make):
    found = comparison.compare(make(linear(NUMBERS), (1, 16)), make(linear(0 * NUMBERS), (1, 16)), samples=1)
    told(found, "all error, where the reference answers zeros")
    assert found.worst == -math.inf and found.below(0) == list(found.outputs)


def test_numbers_too_large_or_small_to_be_squared_have_their_decibels(make):
    for scale in (1e-37, 1e37):
        one, two = (make(times(number), (1, 4)) for number in (scale * 1.01, scale))
        assert comparison.compare(one, two, {"x": np.ones((1, 4))}).worst == pytest.approx(40, abs=0.1)


def test_labels_are_compared_as_labels_and_probabilities_by_class(tmp_path):
    def classifier(name, labels, shift):
        net = nn.Sequential(nn.Linear(8, 3), nn.Softmax(1)).eval()
        torch.manual_seed(0)
        net[0].weight.data.normal_()
        net[0].bias.data = torch.tensor([shift, 0.0, 0.0])
        config = ct.ClassifierConfig(labels)
        return tk.coreml.save(
            tk.coreml.convert(
                net,
                torch.zeros(1, 8),
                classifier_config=config,
                inputs=[ct.TensorType(name="x", shape=(1, 8))],
                outputs=[ct.TensorType(name="shares")],
            ),
            tmp_path / f"{name}.mlpackage",
        )

    plain, shifted = classifier("a", ["a", "b", "c"], 0.0), classifier("b", ["a", "b", "c"], 4.0)
    told(comparison.compare(plain, plain), "classLabel: identical", "classLabel_probs: identical")
    x = {"x": np.random.default_rng(0).normal(size=(20, 1, 8))}
    found = comparison.compare(shifted, plain, x)
    labels = [
        [answer["classLabel"] for answer in tk.coreml.run(package, [{"x": one} for one in x["x"]])]
        for package in (plain, shifted)
    ]
    same = sum(a == b for a, b in zip(*labels))
    assert 0 < same < 20
    told(
        found,
        f"classLabel: the same for {same} of 20, {5 * same:.1f} % (20 samples)",
        "classLabel_probs: median",
    )
    assert found["classLabel"].kind == "labels" and found["classLabel"].worst is None
    told(
        comparison.compare(classifier("c", ["a", "b", "d"], 0.0), plain), "not compared", "different classes"
    )


def test_whole_numbers_are_the_same_or_not(make):
    one, two = (make(best_of(weight), (9, 16)) for weight in (NUMBERS, NUMBERS[::-1].copy()))
    found = told(comparison.compare(one, two), "y: the same for", "of 72")
    assert found["y"].kind == "labels" and found["y"].same < 72
    with pytest.raises(ValueError, match="labels only"):
        found.below(20)
    told(comparison.compare(one, one), "y: identical (8 samples)")


def test_an_answer_that_is_no_number_is_said_with_its_package_and_a_way_out(make):
    log = make(lambda x: mb.log(x=mb.sub(x=x, y=np.float32(2)), name="y"), (1, 16))
    plain = make(lambda x: mb.sub(x=x, y=np.float32(2), name="y"), (1, 16))
    found = told(
        comparison.compare(plain, log), f"{log} has no finite answer to these inputs", "--inputs file.npz"
    )
    assert found["y"].problem and not found["y"].identical and found.below(-1000) == list(found.outputs)
    told(comparison.compare(log, plain), f"{log} has no finite answer where {plain} has one")
    # With inputs as they are in use there is an answer.
    assert comparison.compare(log, log, {"x": np.full((1, 16), 3.0)})["y"].identical


@pytest.mark.parametrize(
    "build",
    [
        lambda x: mb.log(x=x, epsilon=1e-4, name="y"),
        lambda x: mb.sqrt(x=x, name="y"),
        lambda x: mb.rsqrt(x=x, name="y"),
    ],
)
def test_models_that_take_positive_numbers_get_positive_numbers(make, build):
    package = make(build, (1, 16))
    told(
        comparison.compare(package, package),
        "y: identical",
        "uniform from 0 to 1",
        "has no finite answer to others",
    )


def test_minus_infinity_where_both_have_it_is_an_answer(make):
    def masked(scale):
        return make(
            lambda x: mb.select(
                cond=mb.greater(x=x, y=np.float32(0)),
                a=mb.mul(x=x, y=np.float32(scale)),
                b=np.float32(-np.inf),
                name="y",
            ),
            (1, 64),
        )

    told(comparison.compare(masked(1.1), masked(1.0)), "20.0 dB", "normal")


# --- which inputs are tried ---


def gathered(table):
    return lambda ids: mb.gather(x=table, indices=ids, axis=0, name="y")


@pytest.mark.parametrize("kept", [range(2), range(798), range(0, 800, 2)])
def test_rows_of_an_embedding_that_are_gone_are_seen(make, kept):
    gone = np.zeros_like(TABLE)
    gone[list(kept)] = TABLE[list(kept)]
    packages = [make(gathered(table), ((1, 16), types.int32)) for table in (gone, TABLE)]
    found = told(
        comparison.compare(*packages), "800 of 800 rows of", "visited, 100.0 %", "whole numbers from 0 to 799"
    )
    assert found.worst < 25 and found["y"].samples == 50
    # Two rows in 800 may be missed by few samples, and the share says so.
    told(comparison.compare(*packages, samples=2), "32 of 800 rows", "visited, 4.0 %; --samples 50")


@pytest.mark.parametrize("default, counts", [(1, [8, 50]), (16, [50, 1]), (3, [8, 1, 50])])
def test_the_largest_shape_visits_the_rows(default, counts):
    package = tk.coreml.convert(
        nn.Embedding(800, 8),
        torch.zeros(1, 4, dtype=torch.int32),
        "iOS17",
        inputs=[ct.TensorType(name="ids", shape=(1, ct.RangeDim(1, 16, default=default)), dtype=np.int32)],
    )
    assert random_inputs.RandomInputs(tk.coreml.load(package), 0).counts() == counts
    told(comparison.compare(package, package), "800 of 800 rows")


class Tokens(nn.Module):
    """An embedding, used in the ways that models use them."""

    def __init__(self, how):
        super().__init__()
        self.how, self.table, self.places = how, nn.Embedding(50, 8), nn.Embedding(7, 8)

    def forward(self, ids, other=None):
        return self.how(self, ids, other)


@pytest.mark.parametrize("target", ["iOS15", "iOS17"])
@pytest.mark.parametrize(
    "how, ranges",
    [
        (lambda m, ids, other: m.table(ids), {"ids": (0, 49)}),
        (lambda m, ids, other: m.table(ids + 3), {"ids": (0, 46)}),
        (lambda m, ids, other: m.table(49 - ids.view(-1)), {"ids": (0, 49)}),
        (lambda m, ids, other: m.table(ids * 2), {"ids": (0, 24)}),
        (lambda m, ids, other: m.table(ids // 4), {"ids": (0, 196)}),
        (lambda m, ids, other: m.table(ids) + m.places(ids.clamp(0, 6)), {"ids": (0, 6)}),
        (
            lambda m, ids, other: m.table(torch.cat([ids[:, :2], ids[:, 2:]], 1).unsqueeze(-1)),
            {"ids": (0, 49)},
        ),
        (lambda m, ids, other: m.table(ids) * other.float().unsqueeze(-1), {"ids": (0, 49), "other": (0, 1)}),
        (lambda m, ids, other: m.table(ids) + m.places(other), {"ids": (0, 49), "other": (0, 6)}),
        (lambda m, ids, other: nn.functional.one_hot(ids.long(), 9).float(), {"ids": (0, 8)}),
        (lambda m, ids, other: m.table.weight.T.reshape(-1)[ids.long()], {"ids": (0, 399)}),
    ],
)
def test_whole_numbers_are_drawn_as_far_as_their_use_allows(how, ranges, target):
    torch.manual_seed(0)
    example = tuple(torch.zeros(1, 5, dtype=torch.int32) for _ in ranges)
    inputs = [ct.TensorType(name=name, shape=(1, 5), dtype=np.int32) for name in ranges]
    package = tk.coreml.convert(Tokens(how).eval(), example, target, inputs=inputs)
    assert random_inputs.RandomInputs(tk.coreml.load(package), 0).whole == ranges
    told(comparison.compare(package, package), "identical")


def test_floats_that_pick_rows_are_whole(make):
    package = make(
        lambda x: mb.gather(x=TABLE, indices=mb.cast(x=x, dtype="int32"), axis=0, name="y"), (1, 4)
    )
    told(comparison.compare(package, package), "800 of 800 rows")


def test_sizes_and_rounds_are_few(make):
    def looped(x, n):
        n = mb.squeeze(x=n, axes=[0])
        return mb.while_loop(
            _cond=lambda i, y: mb.less(x=i, y=n),
            _body=lambda i, y: (mb.add(x=i, y=1), mb.linear(x=y, weight=NUMBERS[:16])),
            loop_vars=(np.int32(0), x),
        )[1]

    for build in (
        looped,
        lambda x, n: mb.tile(x=x, reps=mb.concat(values=[n, np.int32([1])], axis=0)),
        lambda x, n: mb.slice_by_size(x=x, begin=mb.concat(values=[np.int32([0]), n], axis=0), size=[1, 3]),
    ):
        package = make(build, (1, 16), ((1,), types.int32))
        told(comparison.compare(package, package), "identical", "n: whole numbers from")


def test_masks_that_leave_nothing_give_way_to_masks_that_leave_all(make):
    def attention(x, mask):
        left = mb.select(cond=mb.equal(x=mask, y=1), a=x, b=np.float32(-np.inf))
        return mb.softmax(x=left, axis=-1, name="y")

    package = make(attention, (1, 1), ((1, 1), types.int32))
    told(comparison.compare(package, package), "y: identical", "mask: 1", "has no finite answer")


def test_images_get_bytes_and_are_compared_as_pictures(tmp_path):
    torch.manual_seed(0)
    net = nn.Conv2d(3, 3, 3, padding=1).eval()
    with torch.no_grad():
        net.weight.mul_(0.3)
        net.bias.fill_(128)
    size = (1, 3, ct.RangeDim(8, 32, default=16), 16)
    package = tk.coreml.save(
        tk.coreml.convert(
            net,
            torch.zeros(1, 3, 16, 16),
            "iOS17",
            inputs=[ct.ImageType(name="image", shape=size)],
            outputs=[ct.ImageType(name="picture")],
        ),
        tmp_path / "a.mlpackage",
    )
    small = tk.coreml.compress(package, "palettize", bits=4, weight_threshold=0)
    found = told(comparison.compare(small, package), "picture: median", "image (8, 16)", "image (32, 16)")
    assert found["picture"].samples == 10 and 15 < found.worst < 50 and found["picture"].kind == "numbers"
    pixels = np.zeros((4, 16, 16, 3), np.uint8)
    assert comparison.compare(package, package, {"image": pixels})["picture"].samples == 4
    assert comparison.compare(package, package, {"image": pixels[0]})["picture"].samples == 1


@pytest.mark.parametrize(
    "shapes, tried",
    [
        (ct.EnumeratedShapes([[1, 8], [4, 8], [2, 8]], default=[1, 8]), [(1, 8), (4, 8)]),
        ((ct.RangeDim(2, 9, default=3), 8), [(3, 8), (2, 8), (9, 8)]),
        ((ct.RangeDim(1, 2**30, default=1), 8), [(1, 8), (2**13, 8)]),
    ],
)
def test_flexible_shapes_are_tried_at_their_ends(shapes, tried):
    package = tk.coreml.convert(
        nn.Linear(8, 2), torch.zeros(4, 8), "iOS17", inputs=[ct.TensorType(name="x", shape=shapes)]
    )
    assert [one["x"] for one in random_inputs.RandomInputs(tk.coreml.load(package), 0).shapes] == tried
    told(comparison.compare(package, package), *(f"1 more with x {shape}" for shape in tried[1:]))


def test_an_end_that_the_program_cannot_take_is_left_out():
    class Valid(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(2, 2, 5)

        def forward(self, x):
            return self.conv(x)

    package = tk.coreml.convert(
        Valid(),
        torch.zeros(1, 2, 8),
        "iOS17",
        inputs=[ct.TensorType(name="x", shape=(1, 2, ct.RangeDim(1, 20, default=8)))],
    )
    found = told(
        comparison.compare(package, package), "identical", "1 more with x (1, 2, 1): left out", "x (1, 2, 20)"
    )
    assert found.outputs[0].samples == 9


class Accumulator(nn.Module):
    def __init__(self, decay):
        super().__init__()
        self.decay = decay
        self.register_buffer("sum", torch.zeros(1, 4))

    def forward(self, x):
        self.sum.mul_(self.decay)
        self.sum.add_(x)
        return self.sum * 1


def test_states_are_carried_from_step_to_step():
    one, two = (
        tk.coreml.convert(
            Accumulator(decay),
            torch.zeros(1, 4),
            "iOS18",
            states=[ct.StateType(wrapped_type=ct.TensorType(shape=(1, 4)), name="sum")],
        )
        for decay in (0.25, 0.5)
    )
    found = told(comparison.compare(one, two, samples=3), "each of 4 steps in one state")
    decibels = found.outputs[0].decibels
    assert len(decibels) == 12
    # Only the first step of each of the three does not depend on what came before.
    assert [i for i, value in enumerate(decibels) if value == math.inf] == [0, 4, 8]
    x = {next(iter(tk.coreml.load(one).inputs)): np.ones((5, 1, 4))}
    found = told(comparison.compare(one, two, x), "5 of your own, in one state")
    states = np.cumsum(0.5 ** np.arange(5)), np.cumsum(0.25 ** np.arange(5))
    expected = 20 * np.log10(states[0][1:] / (states[0] - states[1])[1:])
    assert found.outputs[0].decibels == pytest.approx([math.inf, *expected], abs=0.1)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A package of two functions, and one of its parts."""
    folder, description = tmp_path_factory.mktemp("several"), ct.utils.MultiFunctionDescriptor()
    for n in (1, 2):
        part = tk.coreml.save(
            tk.coreml.convert(nn.Linear(4, 4), torch.rand(n, 4), "iOS18"), folder / f"{n}.mlpackage"
        )
        description.add_function(str(part), "main", f"f{n}")
    description.default_function_name = "f1"
    with quiet():
        ct.utils.save_multifunction(description, str(folder / "both.mlpackage"))
    return folder / "both.mlpackage", folder / "2.mlpackage"


def test_all_functions_are_compared(several):
    both, second = several
    found = told(comparison.compare(both, both), "f1/", "f2/")
    assert [one.function for one in found.outputs] == ["f1", "f2"] and all(
        one.identical for one in found.outputs
    )
    assert found[found.outputs[0].label].function == "f1"
    with pytest.raises(KeyError, match="f1/"):
        found["nothing"]
    with pytest.raises(
        ValueError, match="different functions: .* has 'f1', 'f2', .* has one, without a name"
    ):
        comparison.compare(both, second)
    (one,) = comparison.compare(both, second, function="f2").outputs
    assert one.identical
    with pytest.raises(
        ValueError, match="multiArray \\(1, 4\\) in .* and multiArray \\(2, 4\\) in .*2.mlpackage"
    ):
        comparison.compare(both, second, function="f1")
    with pytest.raises(ValueError, match="function must be one of 'f.', 'f.'; got 'f3'"):
        comparison.compare(both, both, function="f3")


def test_a_pipeline_is_compared_as_a_whole_and_its_tables_are_visited():
    def part(network, example, given, gives, **options):
        return tk.coreml.convert(
            network,
            example,
            "iOS16",
            inputs=[ct.TensorType(name=given, shape=tuple(example.shape), **options)],
            outputs=[ct.TensorType(name=gives)],
        )

    joined = ct.utils.make_pipeline(
        part(nn.Embedding(60, 4), torch.zeros(1, 5, dtype=torch.int32), "ids", "seen", dtype=np.int32),
        part(nn.Linear(4, 3), torch.zeros(1, 5, 4), "seen", "scores"),
    )
    told(comparison.compare(joined, joined), "scores: identical (12 samples)", "60 of 60 rows")


# --- inputs of one's own ---


def test_inputs_come_from_files_lists_and_dictionaries(make, tmp_path):
    one, two = (make(linear(NUMBERS * scale), (1, 16)) for scale in (1.1, 1))
    x = np.random.default_rng(0).normal(size=(3, 1, 16))
    np.savez(tmp_path / "in.npz", x=x)
    np.save(tmp_path / "in.npy", x)
    ways = [
        {"x": x},
        [{"x": part} for part in x],
        tmp_path / "in.npz",
        str(tmp_path / "in.npy"),
        {"x": x.tolist()},
    ]
    assert {comparison.compare(one, two, inputs)["y"].decibels for inputs in ways} == {
        comparison.compare(one, two, {"x": x})["y"].decibels
    }
    assert comparison.compare(one, two, {"x": x[0]})["y"].samples == 1
    assert "1 of your own" in str(comparison.compare(one, two, {"x": x[0]}))
    # An array without an axis of samples goes with each of them.
    added = make(lambda x, z: mb.add(x=x, y=z, name="y"), (1, 16), (1, 16))
    assert comparison.compare(added, added, {"x": x, "z": x[0]})["y"].samples == 3


@pytest.mark.parametrize(
    "inputs, words",
    [
        ({"y": np.ones((1, 16))}, "no input 'y'"),
        ({}, "'x' is missing"),
        ({"x": np.ones((1, 15))}, r"must have shape \(1, 16\); got \(1, 15\)"),
        ({"x": np.ones((3, 1, 15))}, r"must have shape \(1, 16\); got \(1, 15\)"),
        ({"x": np.ones((2, 3, 1, 16))}, "must have shape"),
        ({"x": np.ones((0, 1, 16))}, "1 or more; got 'x' 0"),
        ({"x": np.array([["a"] * 16])}, "array of numbers"),
        ({"x": None}, "'x' is missing"),
        ([], "must hold a sample"),
        (3, "must be a dictionary of arrays by input name, a list of such dictionaries, or the path"),
        ("missing.npz", "there is no file missing.npz"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(make, inputs, words):
    package = make(linear(NUMBERS), (1, 16))
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=words):
        comparison.compare(package, package, inputs)


def test_arrays_of_different_lengths_are_no_samples(make):
    added = make(lambda x, z: mb.add(x=x, y=z, name="y"), (1, 16), (1, 16))
    with pytest.raises(ValueError, match="one number of samples, 1 or more; got 'x' 2, 'z' 3"):
        comparison.compare(added, added, {"x": np.ones((2, 1, 16)), "z": np.ones((3, 1, 16))})
    with pytest.raises(ValueError, match="one array is for a model of one input, and this has 'x', 'z'"):
        comparison.compare(added, added, np.ones((2, 1, 16)))


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00v\x00{'descr'", b"text", "objects", "cut"]
)
def test_files_that_are_no_inputs_are_refused(make, tmp_path, content):
    package, file = make(linear(NUMBERS), (1, 16)), tmp_path / "in.npz"
    if content == "objects":
        np.save(tmp_path / "in.npy", np.array([{}]), allow_pickle=True)
        file = tmp_path / "in.npy"
    elif content == "cut":
        np.savez_compressed(file, x=np.ones((500, 1, 16)))
        file.write_bytes(file.read_bytes()[:200])
    else:
        file.write_bytes(content)
    with pytest.raises(ValueError, match="is not an .npz or .npy file"):
        comparison.compare(package, package, file)


# --- packages and arguments ---


def test_packages_that_differ_are_told_apart(make):
    one = make(linear(NUMBERS), (1, 16))
    with pytest.raises(ValueError, match=f"different inputs: only {one} has 'x'; only .* has 'z'"):
        comparison.compare(one, make(lambda z: mb.relu(x=z, name="y"), (1, 16)))
    with pytest.raises(ValueError, match=r"'x' is multiArray \(1, 16\) in .* and multiArray \(2, 16\) in"):
        comparison.compare(one, make(linear(NUMBERS), (2, 16)))
    with pytest.raises(ValueError, match="'x' is multiArray .* and whole numbers, multiArray"):
        comparison.compare(one, make(lambda x: mb.cast(x=x, dtype="fp32", name="y"), ((1, 16), types.int32)))
    with pytest.raises(ValueError, match="different outputs: only .* has 'y'; only .* has 'u'"):
        comparison.compare(one, make(lambda x: mb.relu(x=x, name="u"), (1, 16)))
    told(
        comparison.compare(one, make(linear(NUMBERS[:5]), (1, 16))),
        "not compared",
        "in shape (1, 64)",
        "in (1, 5)",
    )


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"samples": 0}, "samples must be"),
        ({"samples": 1.5}, "samples must be"),
        ({"samples": True}, "samples must be"),
        ({"seed": -1}, "seed must be"),
        ({"samples": 2, "inputs": {"x": np.ones((1, 16))}}, "goes without inputs"),
        ({"precision": "float8"}, "precision"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_wrong_arguments_are_named(make, arguments, words):
    package = make(linear(NUMBERS), (1, 16))
    with pytest.raises((TypeError, ValueError), match=words):
        comparison.compare(package, package, **arguments)


def test_the_limit_is_a_number(make):
    package = make(linear(NUMBERS), (1, 16))
    found = comparison.compare(package, package, samples=1)
    for wrong in (math.nan, math.inf, "30", True, None):
        with pytest.raises((TypeError, ValueError), match="decibels must be a"):
            found.below(wrong)


def test_models_that_are_loaded_are_compared_in_their_precision(make):
    package = make(linear(NUMBERS), (1, 16))
    exact = tk.coreml.load(package)
    assert tk.coreml.compare(exact, package)["y"].identical
    with pytest.raises(TypeError, match="precision: goes with packages"):
        comparison.compare(exact, package, precision="float16")
    seen = []
    comparison.compare(exact, exact, samples=3, progress=lambda *steps: seen.append(steps))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_the_same_seed_gives_the_same_numbers(make):
    one, two = make(linear(NUMBERS * np.float32(1.01) + 0.001), (1, 16)), make(linear(NUMBERS), (1, 16))
    a, b, other = (comparison.compare(one, two, seed=seed)["y"].decibels for seed in (5, 5, 6))
    assert a == b != other


# --- the command line ---


def said(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(list(map(str, arguments)))
    return status, out.getvalue(), err.getvalue()


def test_the_command_leaves_with_1_below_a_limit(make, tmp_path):
    one, two = make(linear(NUMBERS * np.float32(1.1)), (1, 16)), make(linear(NUMBERS), (1, 16))
    status, out, err = said("compare", one, two)
    assert (status, err) == (0, "") and "y: median 20.0 dB" in out
    assert said("compare", one, two, "--at-least", "19")[0] == 0
    status, out, _ = said("compare", one, two, "--at-least", "21")
    assert status == 1 and "below 21 dB: y" in out
    status, out, _ = said("compare", one, two, "--at-least", "21", "--json")
    data = json.loads(out)
    assert (
        status == 1 and data["ok"] is False and data["outputs"][0]["worst_db"] == pytest.approx(20, abs=0.01)
    )
    data = json.loads(said("compare", two, two, "--json")[1])
    assert data["ok"] and data["outputs"][0]["identical"] and data["outputs"][0]["worst_db"] is None
    np.savez(tmp_path / "in.npz", x=np.ones((3, 1, 16)))
    assert "(3 samples)" in said("compare", one, two, "--inputs", tmp_path / "in.npz")[1]
    for wrong in (
        ["--at-least", "nan"],
        ["--inputs", "none.npz"],
        ["--function", "f"],
        ["--seed", "-1"],
        ["--inputs", tmp_path / "in.npz", "--samples", "2"],
    ):
        status, out, err = said("compare", one, two, *wrong)
        assert (status, out) == (2, "") and err.startswith("toykit compare: ") and err.count("\n") == 1
