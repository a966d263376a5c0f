"""The schedule is the paper's, masks are exact, and bad schedules are refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from toykit.training import Pruner, PruningConfig, magnitude_mask, scheduled_sparsity
from toykit.training.pruning import SMALLEST

from .networks import steps, tiny


@given(
    sparsity=st.floats(0, 1),
    part=st.floats(0, 1),
    begin=st.integers(0, 50),
    length=st.integers(0, 100),
    every=st.integers(1, 30),
    power=st.floats(0.5, 5),
)
def test_the_schedule_rises_from_initial_to_target(sparsity, part, begin, length, every, power):
    config = PruningConfig(sparsity, begin, begin + length, every, part * sparsity, power)
    values = [scheduled_sparsity(step, config) for step in range(begin + length + 10)]
    assert not any(values[:begin])
    assert all(b >= a - 1e-12 for a, b in zip(values, values[1:], strict=False))
    assert values[begin + length :] == [sparsity] * 10
    if length:
        assert values[begin] == pytest.approx(config.initial)


def test_the_schedule_of_zhu_and_gupta():
    config = PruningConfig(sparsity=0.9, begin=10, end=110, initial=0.1)
    for step in range(10, 111):
        assert scheduled_sparsity(step, config) == pytest.approx(
            0.9 + (0.1 - 0.9) * (1 - (step - 10) / 100) ** 3
        )


def test_between_helpings_the_sparsity_stays():
    config = PruningConfig(sparsity=0.8, begin=0, end=25, every=10)
    values = [scheduled_sparsity(step, config) for step in range(27)]
    assert [len(set(values[i:j])) for i, j in ((0, 10), (10, 20), (20, 25), (25, 27))] == [1, 1, 1, 1]
    assert len(set(values)) == 4


@given(st.integers(1, 200), st.floats(0, 1), st.integers(0, 5))
def test_masks_keep_exactly_as_many_of_the_largest(n, sparsity, distinct):
    torch.manual_seed(n)
    weight = torch.randn(n) if not distinct else torch.randint(-distinct, distinct + 1, (n,)).float()
    mask = magnitude_mask(weight, sparsity)
    assert int(mask.sum()) == np.ceil((1 - sparsity) * n - 1e-9)
    if 0 < mask.sum() < n:
        assert weight.abs()[mask].min() >= weight.abs()[~mask].max()


def test_ninety_percent_of_ten_is_nine():
    assert int(magnitude_mask(torch.randn(10), 0.9).sum()) == 1


def test_masks_are_exact_at_the_end_and_do_not_change_after_the_schedule():
    pruner = Pruner()
    model = pruner.prepare(tiny(), PruningConfig(sparsity=0.9, end=6, every=2))
    steps(pruner, model, 6)
    masks = [model[i].parametrizations.weight[0].mask.clone() for i in (0, 4)]
    steps(pruner, model, 5)
    model = pruner.finalize()
    for i, mask in zip((0, 4), masks, strict=True):
        expected = mask & (model[i].weight.abs() > SMALLEST)
        assert torch.equal(model[i].weight != 0, expected)
        assert int(mask.sum()) == np.ceil(0.1 * mask.numel() - 1e-9)
        assert np.array_equal(pruner.compressed[str(i)].kept, expected.numpy())


def test_one_shot_prunes_when_prepared():
    pruner = Pruner()
    model = pruner.prepare(tiny(), PruningConfig(sparsity=0.5))
    assert int((model[4].weight == 0).sum()) == 120


def test_a_masked_weight_gets_no_gradient():
    pruner = Pruner()
    model = pruner.prepare(tiny(), PruningConfig(sparsity=0.5))
    model(torch.randn(4, 1, 1, 10)).square().sum().backward()
    parametrization = model[4].parametrizations.weight
    assert not parametrization.original.grad[~parametrization[0].mask].any()
    assert parametrization.original.grad[parametrization[0].mask].any()


def test_survivors_that_coremltools_would_drop_are_dropped():
    model = tiny()
    with torch.no_grad():
        model[4].weight.fill_(SMALLEST)
        model[4].weight[0] = 1.0
    pruner = Pruner()
    pruner.prepare(model, PruningConfig(sparsity=0.0))
    assert int((pruner.finalize()[4].weight != 0).sum()) == 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"begin": 10, "end": 5}, "never reaches sparsity 0.5; got begin=10, end=5"),
        ({"initial": 0.9}, "initial must not exceed sparsity"),
        ({"sparsity": 90}, "sparsity must be between 0 and 1.*pass 0.9"),
        ({"every": 0}, "every must be a whole number"),
        ({"power": 0}, "power must be a number above 0; got 0"),
        ({"begin": -1}, "begin must be a whole number"),
    ],
)
def test_bad_schedules(options, message):
    with pytest.raises(ValueError, match=message):
        PruningConfig(**options)


def test_a_training_that_ends_before_the_schedule():
    pruner = Pruner()
    model = pruner.prepare(tiny(), PruningConfig(sparsity=0.9, end=100))
    steps(pruner, model, 10)
    with pytest.raises(
        RuntimeError, match="reaches sparsity 0.9 at step 100, but step.. was called 10 times"
    ):
        pruner.finalize()


@pytest.mark.parametrize("sparsity", [1.5, 50, -1.0, float("nan"), "0.5", None])
def test_a_mask_of_no_share_is_refused(sparsity):
    with pytest.raises((TypeError, ValueError), match="sparsity must be between 0 and 1"):
        magnitude_mask(torch.arange(1.0, 101.0), sparsity)
