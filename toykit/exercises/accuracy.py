"""The exercises of the accuracy chapter: a Pareto front, the damage of each layer, bits within a budget."""

import html
import itertools
from dataclasses import dataclass

import numpy as np

from ..sweep.budget import choose
from .framework import Case, Exercise, Hint, Report


def _pareto_front(nbytes, accuracy):
    smaller, better = nbytes[:, None] <= nbytes, accuracy[:, None] >= accuracy
    strictly = (nbytes[:, None] < nbytes) | (accuracy[:, None] > accuracy)
    return ~(smaller & better & strictly).any(axis=0)


pareto_front = Exercise(
    name="pareto_front",
    level="build",
    dtype="bool",
    task="Return a boolean array that is `True` for every setting that no other setting beats: none is at "
    "most as large and at least as accurate, and better in one of the two.",
    reference=_pareto_front,
    cases=[
        Case(
            np.array([10, 20, 30]), np.array([0.5, 0.9, 0.8]), about="the largest is beaten by the middle one"
        ),
        Case(np.array([30, 10, 20]), np.array([0.9, 0.5, 0.7]), about="every one has its use; not sorted"),
        Case(
            np.array([20, 10, 30]),
            np.array([0.9, 0.9, 0.9]),
            about="equally accurate: only the smallest is left",
        ),
        Case(np.array([10, 10, 20]), np.array([0.4, 0.6, 0.7]), about="two settings of one size"),
        Case(
            np.array([10, 10, 20]),
            np.array([0.6, 0.6, 0.5]),
            about="two settings are equal: neither beats the other",
        ),
        Case(np.array([5]), np.array([0.0]), about="a single setting"),
    ],
    random=lambda rng: (rng.integers(1, 30, 12), rng.integers(0, 20, 12) / 20),
    hints=[
        Hint(
            "Only one setting has the best ratio. A front keeps every setting that is best for its size.",
            lambda got, want, n, a: got.sum() == 1 < want.sum() and got[np.argmax(a / n)],
        ),
        Hint(
            "Smaller is better for bytes, larger is better for accuracy. Is one of your comparisons "
            "turned round?",
            lambda got, want, n, a: (
                n.size > 1
                and any(
                    np.array_equal(got, _pareto_front(s * n, t * a)) for s, t in ((-1, 1), (1, -1), (-1, -1))
                )
            ),
        ),
        Hint(
            "Two equal settings do not beat each other: one of the two comparisons has to be strict.",
            lambda got, want, n, a: len(set(zip(n.tolist(), a.tolist()))) < n.size and (~got & want).any(),
        ),
        Hint(
            "A setting of the same size that is more accurate beats this one, and so does a smaller one "
            "that is as "
            "accurate: being better in one of the two is enough.",
            lambda got, want, n, a: (got & ~want).any() and not (~got & want).any(),
        ),
    ],
    hint="Compare every setting with every other: n[:, None] <= n makes a table of all pairs.",
)


def _layer_damage(weights, compressed, metric):
    damage = np.zeros(len(weights))
    for layer in range(len(weights)):
        changed = weights.copy()
        changed[layer] = compressed[layer]
        damage[layer] = metric(weights) - metric(changed)
    return damage


def _accuracy(w):
    """A stand-in for a network: right on every row that sums to a positive number."""
    return float(np.mean(w.sum(axis=1) > 0))


def _product(w):
    return float(np.prod(w.sum(axis=1)))


layer_damage = Exercise(
    name="layer_damage",
    level="build",
    task="Return, for each layer, how much the metric falls when this layer alone is compressed. `weights` "
    "and `compressed` have one row a layer; `metric` takes an array like `weights` and returns its "
    "accuracy.",
    reference=_layer_damage,
    cases=[
        Case(
            np.array([[1.0, 2.0], [3.0, 1.0]]),
            np.array([[0.0, 2.0], [2.0, 1.0]]),
            _product,
            about="two layers",
        ),
        Case(
            np.array([[1.0, 2.0], [3.0, 1.0]]),
            np.array([[1.0, 2.0], [3.0, 1.0]]),
            _product,
            about="nothing was lost by compressing",
        ),
        Case(
            np.array([[1.0], [-1.0], [2.0], [2.0]]),
            np.array([[-1.0], [1.0], [-2.0], [2.0]]),
            _accuracy,
            about="the second layer becomes better: its damage is negative",
        ),
        Case(np.array([[2.0, 0.5]]), np.array([[2.0, 0.0]]), _product, about="a single layer"),
    ],
    random=lambda rng: (rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), _product),
    hints=[
        Hint(
            "The order of the difference: damage is what the metric had before, minus what it has now.",
            lambda got, want, w, c, m: np.any(want) and np.allclose(got, -want),
        ),
        Hint(
            "Each layer is compressed alone. Start from the trained weights again for every layer.",
            lambda got, want, w, c, m: len(w) > 1 and np.allclose(got, _one_after_the_other(w, c, m)),
        ),
        Hint(
            "These are the metric's values. How far did it fall from where it was?",
            lambda got, want, w, c, m: np.allclose(got, m(w) - want),
        ),
        Hint(
            "Compress one layer and leave the others as trained, not the other way round.",
            lambda got, want, w, c, m: len(w) > 1 and np.allclose(got, _all_but_one(w, c, m)),
        ),
        Hint(
            "A layer can get better by chance, and then its damage is negative. Do not hide that.",
            lambda got, want, w, c, m: (
                ((want < 0).any() and np.allclose(got, np.abs(want))) or np.allclose(got, np.maximum(want, 0))
            ),
        ),
    ],
    hint="Copy the weights, replace one row, ask the metric; do that for each row.",
    tolerance=1e-9,
)


def _one_after_the_other(weights, compressed, metric):
    changed, damage = weights.copy(), []
    for layer in range(len(weights)):
        changed[layer] = compressed[layer]
        damage.append(metric(weights) - metric(changed))
    return damage


def _all_but_one(weights, compressed, metric):
    damage = []
    for layer in range(len(weights)):
        changed = compressed.copy()
        changed[layer] = weights[layer]
        damage.append(metric(weights) - metric(changed))
    return damage


@dataclass(frozen=True)
class ScoredReport(Report):
    """A report with a score: 100 is the optimum, 0 is to take the fewest bits everywhere."""

    score: float = 0.0

    def __repr__(self):
        return super().__repr__() + (f" {self._verdict()}" if self.passed else "")

    def _repr_html_(self):
        card = super()._repr_html_()
        said = f"{self.tried} cases."
        return card.replace(said, f"{said} {html.escape(self._verdict())}") if self.passed else card

    def _verdict(self):
        return f"Score {self.score:.2f} of 100" + ("." if self.score < 100 - 1e-9 else ", the optimum.")


class ScoredExercise(Exercise):
    """An exercise in which more than one answer will do: it is scored against the optimum.

    Every answer has to be within the budget, and the mean score over all cases has to be at least
    `enough`.
    """

    enough = 95.0

    def _passed(self, answers):
        cases = list(self._all_cases())
        scores = [self._score(answer, *case.args) for answer, case in zip(answers, cases, strict=True)]
        mean = float(np.mean(scores))
        if mean >= self.enough:
            return ScoredReport(self.name, len(answers), score=mean)
        worst = int(np.argmin(scores))
        about = f" ({cases[worst].about})" if cases[worst].about else ""
        return self._failed(
            len(answers),
            f"Every answer is within its budget, and the score is {mean:.1f} of 100; {self.enough:g} are "
            "needed.",
            [("Worst", f"case {worst + 1}{about}: {scores[worst]:.1f} of 100")],
            hint="Where does a byte buy the most? Damage saved for each byte spent is the thing to compare.",
        )

    def _score(self, picked, nbytes, damage, budget):
        layers = np.arange(len(nbytes))
        best = damage[layers, _pick_bits(nbytes, damage, budget)].sum()
        fewest = damage[layers, nbytes.argmin(axis=1)].sum()
        return 100.0 if fewest == best else 100 * (fewest - damage[layers, picked].sum()) / (fewest - best)

    def _compare(self, got, expected, args):
        """Every choice within the budget will do here; how good it is, the score says."""
        problem, comparable = super()._compare(got, expected, args)
        if not comparable or got.dtype.kind not in "iu":
            return problem, comparable
        nbytes, _, budget = args
        inside = ((got >= 0) & (got < nbytes.shape[1])).all()
        return (None, True) if inside and _spent(got, nbytes) <= budget else (problem, True)


def _pick_bits(nbytes, damage, budget):
    options = {
        layer: [(place, int(n), float(d)) for place, (n, d) in enumerate(zip(sizes, harms, strict=True))]
        for layer, (sizes, harms) in enumerate(zip(nbytes, damage, strict=True))
    }
    return np.array(list(choose(options, max_bytes=budget).settings.values()))


def _spent(got, nbytes):
    return nbytes[np.arange(len(nbytes)), got].sum()


def _random_budget_case(rng):
    # Layers of very different sizes; a bit more costs a layer's size and saves three quarters of its damage.
    layers = int(rng.integers(3, 8))
    size, harm = rng.integers(1, 60, layers) * 8, rng.lognormal(0, 2, layers)
    bits = np.array([1, 2, 3, 4, 6, 8])
    nbytes = size[:, None] * bits
    damage = harm[:, None] * rng.uniform(0.15, 0.4, layers)[:, None] ** bits
    low, high = nbytes.min(axis=1).sum(), nbytes.max(axis=1).sum()
    return nbytes, damage, int(low + (high - low) * rng.uniform(0.15, 0.6))


pick_bits = ScoredExercise(
    name="pick_bits",
    level="decide",
    dtype="integer",
    task="Return, for each layer, which of its options to take, an integer array: the bytes of all layers "
    "together at most `budget`, and as little damage as you can. `nbytes` and `damage` have one row a "
    "layer, one column an option.",
    reference=_pick_bits,
    cases=[
        Case(
            np.array([[10, 20, 60], [10, 30, 60]]),
            np.array([[8.0, 2.0, 1.0], [4.0, 3.0, 1.0]]),
            40,
            about="the first layer needs its second option more",
        ),
        Case(
            np.array([[10, 20], [100, 200]]),
            np.array([[3.0, 1.0], [4.0, 1.0]]),
            120,
            about="the large layer gains more, and cannot be paid for",
        ),
        Case(
            np.array([[10, 20], [10, 40]]),
            np.array([[6.0, 1.0], [13.0, 1.0]]),
            55,
            about="the step that saves most for a byte leaves no room for the better one",
        ),
        Case(
            np.array([[10, 20], [10, 20]]), np.array([[8.0, 1.0], [2.0, 1.0]]), 20, about="no byte to spare"
        ),
        Case(
            np.array([[10, 20], [10, 20]]), np.array([[8.0, 1.0], [2.0, 1.0]]), 1000, about="more than enough"
        ),
        Case(
            np.array([[60, 10, 20], [20, 60, 10]]),
            np.array([[1.0, 8.0, 2.0], [3.0, 1.0, 4.0]]),
            40,
            about="the options are in no order",
        ),
        Case(
            np.array([[10, 20, 30], [10, 20, 30]]),
            np.array([[3.0, 5.0, 1.0], [2.0, 4.0, 3.0]]),
            40,
            about="an option that costs more and damages more",
        ),
    ],
    random=_random_budget_case,
    hints=[
        Hint(
            "These are indices of options: there is no option with this number.",
            lambda got, want, n, d, budget: (
                got.dtype.kind in "iu" and (got.min() < 0 or got.max() >= n.shape[1])
            ),
        ),
        Hint(
            "This is over the budget. Damage is not all that counts: add up what the choice costs.",
            lambda got, want, n, d, budget: np.array_equal(got, d.argmin(axis=1)) and _spent(got, n) > budget,
        ),
        Hint(
            "The budget is for all layers together, not for each of them.",
            lambda got, want, n, d, budget: (
                _spent(got, n) > budget and (n[np.arange(len(n)), got] <= budget).all()
            ),
        ),
    ],
    hint="Add up the bytes of the options you took, over all layers, and compare with the budget.",
)


def _impossible(percent, tones):
    possible = {round(1000 * right / tones) for right in range(tones + 1)}
    return np.array([round(10 * share) not in possible for share in percent], bool)


def _claims(percent, tones):
    return np.array(percent, float), tones


def _random_claims_case(rng):
    tones = int(rng.choice([7, 12, 30, 60, 150, 200, 340, 999]))
    honest = np.round(100 * rng.integers(0, tones + 1, 4) / tones, 1)
    return _claims(rng.permutation([*honest, *rng.integers(0, 1001, 4) / 10]), tones)


impossible_shares = Exercise(
    name="impossible_shares",
    dtype="bool",
    level="build",
    task="A colleague's table has shares of right answers in `percent`, rounded to one decimal, each of a test with "
    "`tones` tones. Return a boolean array that is `True` for each share that no number of right tones gives. `tones` "
    "is no multiple of 16, so no share lies half-way between two decimals.",
    reference=_impossible,
    cases=[
        Case(*_claims([50.0, 25.0, 30.0, 75.0], 4), about="four tones"),
        Case(*_claims([33.3, 66.7, 66.6, 33.4], 3), about="three tones: thirds are rounded"),
        Case(*_claims([0.0, 100.0], 60), about="none, and all"),
        Case(*_claims([98.3, 97.3, 96.7, 99.0], 60), about="sixty tones"),
        Case(*_claims([100.7, -0.7, 99.3, 0.7], 150), about="more than all, and fewer than none"),
        Case(
            *_claims([14.3, 28.6, 42.9, 57.1, 71.4, 85.7], 7), about="sevenths, and all of them are possible"
        ),
        Case(*_claims([99.9, 99.8, 99.7, 99.6], 600), about="six hundred tones leave few gaps"),
        Case(*_claims([12.3, 45.6, 78.9, 99.9], 1500), about="of 1,500 tones, any share is possible"),
        Case(*_claims([], 60), about="an empty table"),
    ],
    random=_random_claims_case,
    hints=[
        Hint(
            "The shares are rounded: 2 of 3 stands in the table as 66.7, which is no third of 100.",
            lambda got, want, p, n: (
                np.array_equal(got, ~np.isin(p, 100 * np.arange(n + 1) / n)) and (got & ~want).any()
            ),
        ),
        Hint(
            "It is the other way round: True is for the shares that cannot be.",
            lambda got, want, p, n: np.array_equal(got, ~want),
        ),
        Hint(
            "None of the tones, and all of them, are numbers of tones, too.",
            lambda got, want, p, n: (got & ~want & ((p == 0) | (p == 100))).any(),
        ),
        Hint(
            "Fewer than no tone and more than all cannot be right.",
            lambda got, want, p, n: (want & ~got & ((p < 0) | (p > 100))).any(),
        ),
        Hint(
            "Round the share of each number of tones as the table does, to the nearest decimal, and compare.",
            lambda got, want, p, n: (got != want).any() and n < 1000,
        ),
    ],
    hint="There are `tones + 1` numbers of right tones. Which share does each stand for in the table?",
)


def _bytes_to_spare(weights, compressed, nbytes, metric, floor):
    costs = []
    for spared in itertools.product([False, True], repeat=len(weights)):
        spared = np.array(spared)
        if metric(np.where(spared[:, None], weights, compressed)) >= floor:
            costs.append(int(nbytes[spared].sum()))
    return min(costs, default=-1)


def _weakest(w):
    """A network that is as good as its worst layer."""
    return float(w.sum(axis=1).min())


def _by_sum(weights, compressed, nbytes, metric, floor):
    """What an answer makes that adds the damages of single layers instead of asking."""
    damage, costs = _layer_damage(weights, compressed, metric), []
    for spared in itertools.product([False, True], repeat=len(weights)):
        if metric(weights) - damage[~np.array(spared)].sum() >= floor:
            costs.append(int(nbytes[np.array(spared)].sum()))
    return min(costs, default=-1)


def _spare_case(rows, lost, nbytes, metric, floor):
    weights = np.array(rows, float)
    return weights, weights - np.array(lost, float), np.array(nbytes), metric, float(floor)


def _random_spare_case(rng):
    layers = int(rng.integers(2, 6))
    rows, lost = rng.integers(2, 5, (layers, 2)), rng.integers(0, 3, (layers, 2))
    metric = [_product, _weakest][int(rng.integers(2))]
    weights, compressed, nbytes, metric, _ = _spare_case(
        rows, lost, rng.integers(1, 50, layers) * 10, metric, 0
    )
    best, worst = metric(weights), metric(compressed)
    return weights, compressed, nbytes, metric, float(np.ceil(worst + (best - worst) * rng.random()))


bytes_to_spare = Exercise(
    name="bytes_to_spare",
    level="decide",
    task="Some layers may stay as trained, so that the network is good enough for the phone's users. Return the fewest "
    "bytes of such layers with which `metric` is at least `floor`; -1 if it never is. `weights` and `compressed` have "
    "one row a layer, `nbytes` has what a layer costs as trained, and `metric` takes an array like `weights` and "
    "returns its accuracy. There are at most 6 layers, and what they lose together is not the sum of what each loses.",
    reference=_bytes_to_spare,
    cases=[
        Case(*_spare_case([[2], [3]], [[1], [0]], [10, 20], _product, 6), about="one of two layers has lost"),
        Case(*_spare_case([[2], [3]], [[1], [1]], [10, 20], _product, 1), about="good enough as it is"),
        Case(*_spare_case([[2], [3]], [[1], [1]], [10, 20], _product, 7), about="never good enough"),
        Case(
            *_spare_case([[4], [4], [4]], [[2], [1], [1]], [90, 30, 40], _product, 36),
            about="one large, two small",
        ),
        Case(
            *_spare_case([[4], [4], [4]], [[2], [1], [1]], [90, 30, 40], _product, 31),
            about="the same layers, for users who ask for less",
        ),
        Case(
            *_spare_case([[4], [4], [4]], [[2], [2], [2]], [10, 20, 30], _weakest, 3),
            about="the worst layer decides",
        ),
        Case(
            *_spare_case([[4], [4], [4]], [[2], [1], [0]], [10, 20, 30], _weakest, 3),
            about="exactly the floor",
        ),
        Case(
            *_spare_case([[4], [4], [8]], [[2], [2], [4]], [20, 20, 10], _product, 32),
            about="all of them lose half",
        ),
        Case(
            *_spare_case([[2], [3]], [[-1], [1]], [10, 20], _product, 9),
            about="compressed, the first layer is better",
        ),
    ],
    random=_random_spare_case,
    hints=[
        Hint(
            "Single damages, added up, say so. Ask the network with everything compressed that is to be.",
            lambda got, want, w, c, n, m, f: got == _by_sum(w, c, n, m, f),
        ),
        Hint(
            "Floors can be reached exactly: at least means that this is enough.",
            lambda got, want, w, c, n, m, f: got == _bytes_to_spare(w, c, n, m, np.nextafter(f, np.inf)),
        ),
        Hint(
            "It is never good enough here: the answer to that is -1.",
            lambda got, want, w, c, n, m, f: want == -1,
        ),
        Hint(
            "Good enough, and another choice takes fewer bytes. One step after the other does not always find it.",
            lambda got, want, w, c, n, m, f: got > want,
        ),
        Hint(
            "No choice of layers with so few bytes reaches the floor.",
            lambda got, want, w, c, n, m, f: got < want,
        ),
    ],
    hint="With 6 layers there are 64 choices. Ask the network about each.",
)
