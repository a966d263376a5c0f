"""The exercises of the last chapter: what a budget allows, who may judge, how many samples, two models in one app."""

import math

import numpy as np

from .framework import Case, Exercise, Hint


def _bits_allowed(budget, package, weights):
    return 8 * (budget - (package - 2 * weights)) / weights


def _would(answer):
    """Whether the learner got what a certain mistake would get."""
    return lambda got, want, *args: np.allclose(got, answer(*args))


bits_allowed = Exercise(
    name="bits_allowed",
    level="warm-up",
    task="Return how many bits each weight may have on average so that the package fits the budget. All are bytes but "
    "`weights`, the number of weights that can be compressed, in float16 now; whatever else is in `package` stays.",
    reference=_bits_allowed,
    cases=[
        Case(500, 2000, 1000, about="nothing but weights, a quarter of the bytes"),
        Case(700, 2200, 1000, about="200 bytes are no weights"),
        Case(2200, 2200, 1000, about="a budget that asks for nothing"),
        Case(200, 2200, 1000, about="what is no weight fills the budget"),
        Case(100, 2200, 1000, about="what is no weight does not fit"),
    ],
    random=lambda rng: (int(rng.integers(1, 4000)), int(rng.integers(2048, 4000)), 1024),
    hints=[
        Hint(
            "Not all of the package is weights: what stays takes its bytes from the budget first.",
            _would(lambda budget, package, weights: 8 * budget / weights),
        ),
        Hint(
            "That scales the whole package down. Only the weights shrink.",
            _would(lambda budget, package, weights: 16 * budget / package),
        ),
        Hint("These are bytes for each weight. A byte has 8 bits.", lambda got, want, *args: got == want / 8),
        Hint(
            "A weight in float16 takes two bytes: so many of the package's bytes are weights.",
            _would(lambda budget, package, weights: 8 * (budget - (package - weights)) / weights),
        ),
        Hint(
            "Below zero is an answer, too: no recipe can meet such a budget.",
            lambda got, want, *args: want < 0 and got == 0,
        ),
    ],
    hint="First the bytes that are no weights, then what the budget leaves, then bits for each weight.",
    tolerance=1e-9,
)


def _smallest(nbytes, good):
    return int(np.flatnonzero(good)[np.argmin(nbytes[good])]) if good.any() else -1


def _honest_choice(nbytes, searched, held_out, needed):
    taken = _smallest(nbytes, searched >= needed)
    return taken if taken >= 0 and held_out[taken] >= needed else -1


def _random_recipes(rng):
    count = int(rng.integers(2, 8))
    searched = rng.integers(40, 64, count) / 64
    return (
        rng.permutation(np.arange(1, 30))[:count],
        searched,
        searched - rng.integers(-2, 4, count) / 64,
        float(rng.integers(44, 60)) / 64,
    )


honest_choice = Exercise(
    name="honest_choice",
    level="decide",
    task="Return the number of the recipe that ships, from 0: the smallest whose score in the search reaches what is "
    "`needed`, if its held-out score does, too; -1 otherwise. The held-out part judges one recipe, and chooses none.",
    reference=_honest_choice,
    cases=[
        Case(
            np.array([30, 20, 10]),
            np.array([0.9, 0.85, 0.6]),
            np.array([0.82, 0.84, 0.6]),
            0.8,
            about="the smallest good one holds",
        ),
        Case(
            np.array([30, 20, 10]),
            np.array([0.9, 0.85, 0.6]),
            np.array([0.9, 0.75, 0.6]),
            0.8,
            about="it falls short where it was not sought",
        ),
        Case(
            np.array([30, 20, 10]),
            np.array([0.9, 0.85, 0.75]),
            np.array([0.9, 0.84, 0.85]),
            0.8,
            about="one looks good on the held-out part alone",
        ),
        Case(
            np.array([10, 30, 20]),
            np.array([0.9, 0.95, 0.9]),
            np.array([0.85, 0.9, 0.9]),
            0.8,
            about="not sorted by size",
        ),
        Case(np.array([8]), np.array([0.75]), np.array([0.75]), 0.75, about="exactly what is needed, twice"),
        Case(
            np.array([8, 9]),
            np.array([0.5, 0.6]),
            np.array([0.9, 0.9]),
            0.75,
            about="the search found nothing",
        ),
    ],
    random=_random_recipes,
    hints=[
        Hint(
            "It passed the search and falls short on samples that it was not chosen with: that one does not ship.",
            lambda got, want, nbytes, searched, held_out, needed: (
                want == -1 and got == _smallest(nbytes, searched >= needed)
            ),
        ),
        Hint(
            "You let the held-out part choose, and who is chosen by it has luck with it: say -1, and search again with "
            "other samples.",
            lambda got, want, nbytes, searched, held_out, needed: (
                got
                in (
                    _smallest(nbytes, held_out >= needed),
                    _smallest(nbytes, (searched >= needed) & (held_out >= needed)),
                    int(np.argmax(held_out)),
                )
            ),
        ),
        Hint(
            "More than needed is not asked for: of those that reach it in the search, the smallest.",
            lambda got, want, nbytes, searched, held_out, needed: got == int(np.argmax(searched)),
        ),
        Hint(
            "A recipe exactly at the limit has reached it.",
            lambda got, want, nbytes, searched, held_out, needed: got == _smallest(nbytes, searched > needed),
        ),
    ],
    hint="Choose with the searched scores alone. Only then look at one number of the held-out ones.",
)


def _samples_needed(share, needed):
    if share <= needed:
        return -1
    return max(1, math.ceil(4 * share * (1 - share) / (share - needed) ** 2))


def _random_share(rng):
    """In 1/64, which floats hold exactly, and never with an end exactly at the limit: that would ask how sums round."""
    while True:
        share, needed = (int(one) for one in rng.integers(20, 64, 2))
        if share <= needed or 4 * share * (64 - share) % (share - needed) ** 2:
            return share / 64, needed / 64


samples_needed = Exercise(
    name="samples_needed",
    level="build",
    task="Return how many held-out samples it takes, at least 1, until a share of right answers is shown to be above "
    "what is `needed`: until the share less two standard errors, sqrt(share (1 - share) / n), reaches it. -1 if no "
    "number does.",
    reference=_samples_needed,
    cases=[
        Case(0.9, 0.83, about="seven points to spare"),
        Case(0.9, 0.895, about="half a point to spare"),
        Case(0.75, 0.5, about="many points to spare"),
        Case(1.0, 0.9, about="no answer is wrong, and none in doubt"),
        Case(0.8, 0.8, about="nothing to spare"),
        Case(0.7, 0.8, about="too few are right"),
    ],
    random=_random_share,
    hints=[
        Hint("Without a sample nothing is shown.", lambda got, want, *args: got == 0),
        Hint(
            "Two standard errors, not one: an interval of 95 %.",
            _would(lambda share, needed: math.ceil(share * (1 - share) / (share - needed) ** 2)),
        ),
        Hint(
            "A share that is not above what is needed is never shown to be, however many samples there are: -1.",
            lambda got, want, *args: want == -1,
        ),
        Hint(
            "The error falls with the square root of n: half of it takes four times as many samples.",
            _would(lambda share, needed: math.ceil(2 * math.sqrt(share * (1 - share)) / (share - needed))),
        ),
        Hint(
            "One sample fewer than that is not enough: round up.",
            _would(lambda share, needed: math.floor(4 * share * (1 - share) / (share - needed) ** 2)),
        ),
    ],
    hint="Which n makes 2 sqrt(share (1 - share) / n) just as large as share - needed?",
)


def _share_budget(first_bytes, first_loss, second_bytes, second_loss, budget):
    pairs = [
        (max(first_loss[a], second_loss[b]), first_bytes[a] + second_bytes[b], a, b)
        for a in range(len(first_bytes))
        for b in range(len(second_bytes))
        if first_bytes[a] + second_bytes[b] <= budget
    ]
    return np.array(min(pairs)[2:] if pairs else (-1, -1))


def _pair_by(key, within=np.less_equal):
    """What somebody gets who picks the pair by another key."""

    def answer(first_bytes, first_loss, second_bytes, second_loss, budget):
        pairs = [
            (*key(first_bytes[a], first_loss[a], second_bytes[b], second_loss[b]), a, b)
            for a in range(len(first_bytes))
            for b in range(len(second_bytes))
            if within(first_bytes[a] + second_bytes[b], budget)
        ]
        return np.array(min(pairs)[-2:] if pairs else (-1, -1))

    return answer


def _halves(first_bytes, first_loss, second_bytes, second_loss, budget):
    best = [
        min(
            ((loss[i], nbytes[i], i) for i in range(len(nbytes)) if 2 * nbytes[i] <= budget),
            default=(0, 0, -1),
        )
        for nbytes, loss in ((first_bytes, first_loss), (second_bytes, second_loss))
    ]
    return np.array([one[-1] for one in best])


def _random_fronts(rng):
    """No two losses alike: of two pairs of equal bytes, none would be the right one."""
    first, second = (int(count) for count in rng.integers(2, 6, 2))
    losses = rng.permutation(np.arange(60))
    return (
        rng.permutation(np.arange(2, 30))[:first],
        losses[:first],
        rng.permutation(np.arange(2, 30))[:second],
        losses[first : first + second],
        int(rng.integers(5, 50)),
    )


share_budget = Exercise(
    name="share_budget",
    level="decide",
    task="Return which recipe of the first and which of the second model an app takes, from 0: together at most "
    "`budget` bytes, and the larger of the two losses as small as can be; of equal ones the pair of fewest bytes. Two "
    "times -1 if no pair fits.",
    reference=_share_budget,
    cases=[
        Case(
            np.array([10, 4]),
            np.array([1, 5]),
            np.array([10, 4]),
            np.array([1, 8]),
            15,
            about="one may be large",
        ),
        Case(
            np.array([9, 5]),
            np.array([0, 6]),
            np.array([9, 5]),
            np.array([5, 8]),
            15,
            about="not the least sum",
        ),
        Case(
            np.array([10, 8]),
            np.array([1, 2]),
            np.array([5, 4]),
            np.array([3, 9]),
            16,
            about="a covered loss",
        ),
        Case(
            np.array([12, 6, 2]),
            np.array([0, 4, 9]),
            np.array([6, 4, 1]),
            np.array([1, 3, 4]),
            10,
            about="halves of the budget would be worse",
        ),
        Case(np.array([6]), np.array([2]), np.array([4]), np.array([2]), 10, about="exactly the budget"),
        Case(np.array([6]), np.array([2]), np.array([5]), np.array([2]), 10, about="nothing fits"),
    ],
    random=_random_fronts,
    hints=[
        Hint(
            "If no pair fits, say so with -1 and -1.",
            lambda got, want, *args: want[0] == -1 != got[0],
        ),
        Hint(
            "Together they have to stay within the budget.",
            lambda got, want, n, lost, m, gone, budget: got.min() >= 0 and n[got[0]] + m[got[1]] > budget,
        ),
        Hint(
            "Another pair is as good, and smaller: the larger loss decides, and then the bytes.",
            lambda got, want, n, lost, m, gone, budget: (
                got.min() >= 0 and max(lost[got[0]], gone[got[1]]) == max(lost[want[0]], gone[want[1]])
            ),
        ),
        Hint(
            "That is the smallest sum of the losses. Whoever uses the app meets the worse of the two.",
            lambda got, want, *args: np.array_equal(
                got, _pair_by(lambda n, lost, m, gone: (lost + gone, n + m))(*args)
            ),
        ),
        Hint(
            "Half of the budget for each is a choice that nobody asked for: what one model does not need, the other "
            "may have.",
            lambda got, want, *args: np.array_equal(got, _halves(*args)),
        ),
        Hint(
            "The first model took the best for itself. Try each of its recipes with each of the other's.",
            lambda got, want, *args: np.array_equal(
                got, _pair_by(lambda n, lost, m, gone: (lost, gone))(*args)
            ),
        ),
        Hint(
            "A pair of exactly the budget is within it.",
            lambda got, want, *args: np.array_equal(
                got, _pair_by(lambda n, lost, m, gone: (max(lost, gone), n + m), np.less)(*args)
            ),
        ),
    ],
    hint="There are few recipes: try all pairs, drop those above the budget, and compare their larger losses.",
)
