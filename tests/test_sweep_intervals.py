"""Intervals of paired differences: how often they hold the truth, counted exactly."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toykit.data.pitch import share_interval
from toykit.sweep import paired_interval

answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=300)


@given(answers)
def test_differences_lie_in_their_intervals_and_turn_round(both):
    right, before = map(np.array, zip(*both))
    found, turned = paired_interval(right, before), paired_interval(before, right)
    assert found.low <= found.value <= found.high and found.value == right.mean() - before.mean()
    assert (found.low, found.high) == pytest.approx((-turned.high, -turned.low))


@pytest.mark.parametrize("gained, lost", [(0.02, 0.02), (0.0, 0.05), (0.01, 0.1), (0.2, 0.3)])
def test_ninety_five_of_a_hundred_hold_the_truth(gained, lost):
    """Every outcome of 60 samples, with its probability."""
    n, holds = 60, 0.0
    for plus, minus in itertools.product(range(n + 1), repeat=2):
        same = n - plus - minus
        if same < 0:
            continue
        probability = (
            math.comb(n, plus) * math.comb(n - plus, minus)
            * gained**plus * lost**minus * (1 - gained - lost) ** same
        )  # fmt: skip
        if probability > 1e-9:
            right = [True] * plus + [False] * minus + [True] * same
            before = [False] * plus + [True] * minus + [True] * same
            found = paired_interval(right, before)
            holds += probability * (found.low <= gained - lost <= found.high)
    assert holds > 0.94


def test_pairs_tell_apart_what_two_shares_cannot():
    before = np.arange(1000) < 900
    right = np.arange(1000) < 880
    assert share_interval(0.88, 1000)[1] > share_interval(0.9, 1000)[0]
    assert paired_interval(right, before).high < 0


@pytest.mark.parametrize("bad", [[], [0.5], [1, 0], [[True]], "yes", None])
def test_what_is_no_row_of_answers_is_refused(bad):
    with pytest.raises((TypeError, ValueError), match="right"):
        paired_interval(bad, [True])
    with pytest.raises((TypeError, ValueError), match="before"):
        paired_interval([True], bad)


def test_other_lengths_and_confidences_are_refused():
    with pytest.raises(ValueError, match="right and before must be of the same samples; got 2 and 1"):
        paired_interval([True, False], [True])
    for confidence in (0, 1, 95):
        with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
            paired_interval([True], [True], confidence)
