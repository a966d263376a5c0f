"""Predictions that begin in the middle: the same answers as from the beginning, with fewer steps."""

import numpy as np
import pytest

import toykit as tk
from tests.exploration import nets
from toykit.coreml.format.protobuf import PackageError
from toykit.coreml.runtime.partial import Partial
from toykit.verification.pairs import with_values

INPUTS = [{"x": np.random.default_rng(seed).normal(size=(2, 48)).astype(np.float32)} for seed in range(3)]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return tk.coreml.Package(nets.chain(tmp_path_factory.mktemp("model") / "Model.mlpackage"))


def constants(package):
    return [one for one in package.program.functions["main"].block.operations if one.op == "const"]


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_changed_weight_answers_as_a_package_that_holds_it(package, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    partial = Partial(tk.coreml.load(package, backend=backend), INPUTS)
    whole = partial.answers()
    for operation in constants(package):
        values = np.round(operation.attributes["val"].numpy().astype(np.float32), 1)
        model = tk.coreml.load(with_values(package, {operation: values.astype(np.float16)}), backend=backend)
        partial.forward(partial.first_use(operation))
        with partial.changed({operation: values.astype(np.float16)}):
            found = partial.answers()
        for inputs, answer, before in zip(INPUTS, found, whole):
            expected = model.predict(inputs)
            assert all(np.array_equal(answer[name], expected[name]) for name in expected)
            assert any(not np.array_equal(answer[name], before[name]) for name in before)
    again = partial.answers()  # as it was
    assert all(np.array_equal(a[name], b[name]) for a, b in zip(again, whole) for name in a)


def test_what_comes_before_is_computed_once(package):
    partial = Partial(tk.coreml.load(package), INPUTS)
    last = constants(package)[-1]
    partial.forward(partial.first_use(last))
    assert partial.steps == 4 * len(INPUTS)
    partial.answers(), partial.answers()
    assert partial.steps == 4 * len(INPUTS) + 2 * len(INPUTS)


def test_it_keeps_no_more_than_it_may_and_answers_the_same(package):
    one = 2 * (48 + 64) * 4  # bytes of the input and a result
    expected = Partial(tk.coreml.load(package), INPUTS).answers()
    for memory, kept in ((1, 0), (one, 1), (2 * one, 2), (9 * one, 3)):
        partial = Partial(tk.coreml.load(package), INPUTS, memory)
        partial.forward(2)
        assert partial.kept == kept * one
        partial.forward(4)
        found = partial.answers()
        assert all(np.array_equal(a[name], b[name]) for a, b in zip(found, expected) for name in a)


def test_an_error_leaves_the_weights_as_they_were(package):
    partial = Partial(tk.coreml.load(package), INPUTS)
    operation, before = constants(package)[0], partial.answers()
    with pytest.raises(PackageError), partial.changed({operation: np.zeros((3, 3))}):
        partial.answers()
    assert np.array_equal(partial.answers()[0]["y2"], before[0]["y2"])
