"""The forward value is the function's, the gradient is the surrogate's, and nothing else."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toykit.training.straight_through import StraightThrough, fake_quantize, half_through, round_through

SURROGATES = {
    "identity": lambda x: x,
    "clamp": lambda x: x.clamp(-1, 1),
    "tanh": torch.tanh,
    "soft": lambda x: x * torch.sigmoid(3 * x),
}


def gradient(function, x, weights):
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad((function(x) * weights).sum(), x)
    return found


@pytest.mark.parametrize("name", SURROGATES)
def test_the_gradient_is_that_of_the_surrogate(name):
    surrogate = SURROGATES[name]
    torch.manual_seed(0)
    x, weights = 2 * torch.randn(3, 50, dtype=torch.float64), torch.randn(3, 50, dtype=torch.float64)
    found = gradient(lambda x: StraightThrough.apply(x, torch.sign, surrogate), x, weights)
    assert torch.equal(found, gradient(surrogate, x, weights))
    # And that is the slope of the surrogate: not autograd's word for it, but its differences.
    step = 1e-6
    differences = (surrogate(x + step) - surrogate(x - step)) / (2 * step) * weights
    assert torch.allclose(found, differences, atol=1e-6)


def test_the_value_is_that_of_the_function():
    x = torch.randn(100)
    assert torch.equal(StraightThrough.apply(x, torch.sign, torch.tanh), torch.sign(x))
    assert torch.equal(round_through(x), torch.round(x))
    assert torch.equal(half_through(x), x.half().float())


@pytest.mark.parametrize("function", [round_through, half_through])
def test_shortcuts_pass_the_gradient_unchanged(function):
    x, weights = torch.randn(40), torch.randn(40)
    assert torch.equal(gradient(function, x, weights), weights)


def test_the_true_derivative_of_rounding_is_zero():
    x = torch.randn(40)
    assert not gradient(torch.round, x, torch.ones(40)).any()


@given(
    scale=st.floats(0.01, 10),
    low=st.integers(-128, -1),
    high=st.integers(1, 127),
    zero_point=st.integers(-20, 20),
    seed=st.integers(0, 99),
)
def test_fake_quantize_has_the_gradients_of_its_surrogates(scale, low, high, zero_point, seed):
    torch.manual_seed(seed)
    x = (torch.randn(64, dtype=torch.float64) * 40 * scale).requires_grad_()
    s = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    fake_quantize(x, s, low, high, zero_point).sum().backward()
    with torch.no_grad():
        codes = torch.round(x / s) + zero_point
        inside = (codes >= low) & (codes <= high)
        # To the input: the slope of clamp. To the scale: Esser et al., equation 3.
        expected = torch.where(inside, torch.round(x / s) - x / s, codes.clamp(low, high) - zero_point)
    assert torch.equal(x.grad, inside.double())
    assert torch.allclose(s.grad, expected.sum(), rtol=1e-9, atol=1e-9)


def test_fake_quantize_agrees_with_torch():
    x = torch.randn(1000) * 3
    theirs = torch.fake_quantize_per_tensor_affine(x, 0.031, 100, 0, 255)
    assert torch.allclose(fake_quantize(x, 0.031, 0, 255, 100), theirs, atol=1e-6)
