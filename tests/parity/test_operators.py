"""Each operator of Core ML, run by toykit, against torch, NumPy or coremltools' own folding.

The measure is `running.distance`: the largest difference over the largest reference of an output, and
exact equality for integers and bools. `running.tells` makes sure that a wrong answer would be far off.
"""

import numpy as np
import pytest

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.parity import running
from tests.parity.operators import elementwise, layers, programs, tensors
from tests.parity.operators.case import ProgramCase

TORCH = elementwise.CASES | layers.CASES | tensors.CASES
HALF = [name for name, case in TORCH.items() if case.half]
WITHIN = {"float32": 1e-4, "float16": 1e-2}


def check(package, inputs, expected, precision, backend):
    model = tk.coreml.load(package, backend=backend, precision=precision)
    found = model.predict(dict(zip(model.inputs, inputs, strict=True)))
    assert list(found) == list(model.outputs) and len(found) == len(expected)
    for (name, ours), reference in zip(found.items(), expected, strict=True):
        reference = np.asarray(reference)
        if reference.dtype.kind == "b":  # Core ML has no bools at its border
            reference = reference.astype(np.int32)
        if reference.dtype.kind == "f":
            assert running.tells(reference, WITHIN[precision])
        apart = running.distance(ours, reference.reshape(ours.shape) if reference.ndim == 0 else reference)
        assert apart <= WITHIN[precision], f"{name} is {apart:.2g} from its reference"


@pytest.mark.parametrize("backend", running.BACKENDS)
@pytest.mark.parametrize("name", TORCH)
def test_torch(name, backend):
    case = TORCH[name]
    package = running.torch_case(case, "float32")
    check(package, [tensor.numpy() for tensor in case.inputs], case.expected(), "float32", backend)


@pytest.mark.parametrize("backend", running.BACKENDS)
@pytest.mark.parametrize("name", HALF)
def test_torch_in_float16(name, backend):
    case = TORCH[name]
    package = running.torch_case(case, "float16")
    check(package, [tensor.numpy() for tensor in case.inputs], case.expected(), "float16", backend)


@pytest.mark.parametrize("backend", running.BACKENDS)
@pytest.mark.parametrize("name", programs.CASES)
def test_program(name, backend):
    case = programs.CASES[name]
    package = running.program(case)
    check(package, list(case.inputs.values()), running.program_expected(case), "float32", backend)


# Random numbers have no reference, but a distribution: (mean, standard deviation) of 40,000 of them.
RANDOM = {
    "random_normal": (lambda mb, n: mb.random_normal(shape=n, mean=2.0, stddev=3.0, seed=5), 2, 3),
    "random_uniform": (lambda mb, n: mb.random_uniform(shape=n, low=-1.0, high=3.0, seed=5), 1, 4 / 12**0.5),
    "random_bernoulli": (
        lambda mb, n: mb.cast(x=mb.random_bernoulli(shape=n, prob=np.float32(0.3), seed=5), dtype="fp32"),
        0.3,
        0.21**0.5,
    ),
    "random_categorical": (
        lambda mb, n: mb.cast(
            x=mb.random_categorical(
                x=np.log(np.float32([[0.2, 0.5, 0.3]])), mode="logits", size=40_000, seed=5
            ),
            dtype="fp32",
        ),
        1.1,
        0.49**0.5,
    ),
}


@pytest.mark.parametrize("backend", running.BACKENDS)
@pytest.mark.parametrize("name", RANDOM)
def test_random(name, backend):
    build, mean, deviation = RANDOM[name]
    package = running.program(ProgramCase(name, build, {"n": np.int32([200, 200])}))
    draws = [
        next(iter(tk.coreml.run(package, {"n": np.int32([200, 200])}, backend=backend).values()))
        for _ in range(2)
    ]
    assert draws[0].size == 40_000 and np.array_equal(*draws), "a seed gives the same numbers again"
    # Four standard errors.
    assert abs(draws[0].mean() - mean) < 4 * deviation / 200
    assert abs(draws[0].std() - deviation) < 0.05 * deviation
