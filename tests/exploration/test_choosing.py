"""The knapsack: against every combination, and its bound."""

import itertools

import numpy as np
import pytest

from toykit.exploration.choosing import Options


def random_options(seed, weights=4, settings=5):
    random = np.random.default_rng(seed)
    nbytes = [sorted(random.integers(10, 5000, settings)) for _ in range(weights)]
    damage = [sorted(random.exponential(size=settings), reverse=True) for _ in range(weights)]
    return nbytes, damage


def combinations(nbytes, damage):
    return [(sum(a), sum(b)) for a, b in zip(itertools.product(*nbytes), itertools.product(*damage))]


@pytest.mark.parametrize("seed", range(10))
def test_the_choice_is_the_best_of_all_combinations_and_the_bound_is_below_it(seed):
    nbytes, damage = random_options(seed)
    options, every = Options(nbytes, damage), combinations(nbytes, damage)
    for share in (0.1, 0.5, 0.9):
        limit = np.quantile([harm for _, harm in every], share)
        best = min(size for size, harm in every if harm <= limit)
        size, harm = options.total(options.fewest_bytes(limit))
        assert harm <= limit and best <= size <= 1.001 * best
        assert options.bound(limit) <= best + 1e-6
        budget = int(np.quantile([size for size, _ in every], share))
        least = min(harm for size, harm in every if size <= budget)
        size, harm = options.total(options.least_damage(budget))
        assert size <= budget and least <= harm <= 1.01 * least
        assert options.bound_of_damage(budget) <= least + 1e-9


def test_the_bound_of_many_weights_is_near():
    nbytes, damage = random_options(3, weights=80, settings=8)
    options = Options(nbytes, damage)
    limit = 0.5 * sum(map(max, damage))
    assert options.total(options.fewest_bytes(limit))[0] <= 1.02 * options.bound(limit)


def test_what_cannot_be_is_said():
    options = Options([[50, 25], [20, 10]], [[1.0, 8.0], [0.0, 0.5]])
    assert options.least_damage(34) is None and options.fewest_bytes(0.9) is None
    assert options.bound(0.9) == np.inf


def test_weights_may_have_different_numbers_of_settings():
    options = Options([[50], [20, 10, 5]], [[0.0], [0.0, 1.0, 2.0]])
    assert options.least_damage(61) == [0, 1]


def test_moves_are_all_changes_of_one_or_two_weights():
    nbytes, damage = random_options(5, weights=3, settings=3)
    options = Options(nbytes, damage)
    more, worse, changes = options.moves([0, 1, 2])
    before = options.total([0, 1, 2])
    found = set()
    for number in range(len(more)):
        picked = [0, 1, 2]
        for weight, place in changes(number):
            picked[weight] = place
        found.add(tuple(picked))
        after = options.total(picked)
        assert after == pytest.approx((before[0] + more[number], before[1] + worse[number]))
    near = [
        p for p in itertools.product(range(3), repeat=3) if 0 < sum(a != b for a, b in zip(p, (0, 1, 2))) < 3
    ]
    assert found == set(near)
