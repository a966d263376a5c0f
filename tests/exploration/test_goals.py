"""What is asked for, as people write it."""

import pytest

from toykit.exploration.goals import Goal, goal


@pytest.mark.parametrize(
    "budget, nbytes",
    [
        ("12MB", 12_000_000),
        ("1.5 MB", 1_500_000),
        ("2MiB", 2 * 2**20),
        ("900kB", 900_000),
        ("77", 77),
        (123, 123),
    ],
)
def test_a_budget_is_bytes(budget, nbytes):
    assert goal(budget) == Goal(nbytes=nbytes)


@pytest.mark.parametrize(
    "level, metric, at_least", [("40dB", False, 40), ("40", False, 40), (0.98, True, 0.98)]
)
def test_a_level_is_decibels_or_the_metric_s_own(level, metric, at_least):
    assert goal(at_least=level, metric=metric) == Goal(at_least=at_least, unit="" if metric else "dB")


@pytest.mark.parametrize(
    "given, said",
    [
        ({"budget": "12MB", "at_least": 40}, "one of budget and at_least"),
        ({"budget": "12 megs"}, "12MB"),
        ({"budget": "-3MB"}, "budget must be"),
        ({"budget": 0}, "budget must be"),
        ({"at_least": 0.98}, "decibels"),
        ({"at_least": "40 bels"}, "decibels"),
        ({"at_least": "40dB", "metric": True}, "number of the metric"),
        ({"metric": True}, "what to reach"),
    ],
)
def test_what_cannot_be_read_is_said(given, said):
    with pytest.raises(ValueError, match=said):
        goal(**given)
