"""The exercises of chapter 5: signal to noise, bits of joint compression, the cheapest setting that will do."""

import contextlib

import numpy as np

from .. import palettization, pruning
from ..settings import Declined
from .framework import Case, Exercise, Hint


def _signal_to_noise(weights, decompressed):
    return float(10 * np.log10(np.sum(weights**2) / np.sum((weights - decompressed) ** 2)))


def _noisy(rng):
    weights = rng.normal(size=(3, 4)) * 10 ** rng.uniform(-2, 2)
    return weights, weights + rng.normal(size=(3, 4)) * 10 ** rng.uniform(-3, 0)


signal_to_noise = Exercise(
    name="signal_to_noise",
    level="warm-up",
    task="Return ten times the decimal logarithm of the weights' energy over the errors' energy. The energy "
    "of an array is the sum of its squares.",
    reference=_signal_to_noise,
    cases=[
        Case(
            np.array([1.0, 1.0]), np.array([0.9, 1.1]), about="errors of a tenth: a hundredth of the energy"
        ),
        Case(np.array([3.0, 4.0]), np.array([0.0, 0.0]), about="all is lost: as much noise as signal"),
        Case(np.array([1.0, -2.0]), np.array([1.0, -1.5]), about="one weight is exact"),
        Case(np.array([[10.0, 0.0]]), np.array([[10.0, 1.0]]), about="a weight that was zero"),
        Case(np.array([1.0, -1.0]), np.array([11.0, 9.0]), about="more noise than signal: below zero"),
    ],
    random=_noisy,
    hints=[
        Hint(
            "With more noise than signal the logarithm is below zero, and so is the answer.",
            lambda got, want, w, d: want < 0 <= got,
        ),
        Hint(
            "Signal over noise, not noise over signal.",
            lambda got, want, w, d: np.isclose(got, -want) and want,
        ),
        Hint(
            "20 belongs to ratios of amplitudes. Energies are squares already.",
            lambda got, want, w, d: np.isclose(got, 2 * want) and want,
        ),
        Hint(
            "The logarithm is the decimal one.",
            lambda got, want, w, d: (
                (want and np.isclose(got, want * np.log(10))) or np.isclose(got, want * np.log2(10))
            ),
        ),
        Hint(
            "Take the noise as the difference of the two arrays, weight by weight.",
            lambda got, want, w, d: (
                np.isclose(got, 10 * np.log10(np.sum(w**2) / np.sum(d**2))) if d.any() else False
            ),
        ),
        Hint(
            "Square the errors before you add them up, so that they do not cancel.",
            lambda got, want, w, d: np.isclose(got, 10 * np.log10(np.sum(w**2) / np.sum(w - d) ** 2)),
        ),
    ],
    hint="Square, add up, divide, take the logarithm, times ten.",
    tolerance=1e-9,
)


def _joint_bits(sparsity, bits):
    return 1 + (1 - sparsity) * bits


joint_bits = Exercise(
    name="joint_bits",
    level="warm-up",
    task="Return the bits a weight of a tensor that is pruned and then palettized or quantized: one bit of "
    "mask for every weight, and a code of that many bits for each weight that stays. Scales and tables "
    "are left out.",
    reference=_joint_bits,
    cases=[
        Case(0.5, 16, about="the survivors stay in float16"),
        Case(0.5, 4, about="half pruned, 4 bits"),
        Case(0.75, 8, about="a quarter stays"),
        Case(0.0, 4, about="nothing pruned: the mask is stored all the same"),
        Case(1.0, 8, about="everything pruned"),
    ],
    random=lambda rng: (float(rng.uniform()), int(rng.choice([1, 2, 3, 4, 6, 8]))),
    hints=[
        Hint(
            "Where do the survivors go? Every weight has a bit of mask.",
            lambda got, want, s, b: np.isclose(got, (1 - s) * b),
        ),
        Hint(
            "sparsity is the share that is gone; codes are stored for the others.",
            lambda got, want, s, b: s != 0.5 and np.isclose(got, 1 + s * b),
        ),
        Hint(
            "The mask has a bit for every weight, the pruned ones included.",
            lambda got, want, s, b: np.isclose(got, (1 - s) * (b + 1)),
        ),
        Hint(
            "The pruned weights have no code at all.",
            lambda got, want, s, b: s > 0 and np.isclose(got, 1 + b),
        ),
        Hint(
            "bits is an argument: survivors need not be float16.",
            lambda got, want, s, b: b != 16 and np.isclose(got, 1 + (1 - s) * 16),
        ),
    ],
    hint="Add up, for one weight on average: its bit of mask, and its code if it has one.",
    tolerance=1e-9,
)


def _cheapest(bits, snr, enough):
    good = np.flatnonzero(snr >= enough)
    return int(good[np.argmin(bits[good])]) if good.size else -1


cheapest = Exercise(
    name="cheapest",
    level="decide",
    task="Return the index of the setting with the fewest bits among those whose signal to noise is at least "
    "`enough`; -1 if there is none.",
    reference=_cheapest,
    cases=[
        Case(np.array([8.0, 4.0, 2.0]), np.array([40.0, 20.0, 8.0]), 15.0, about="the middle one is enough"),
        Case(np.array([2.0, 8.0, 4.0]), np.array([8.0, 40.0, 20.0]), 15.0, about="not sorted"),
        Case(np.array([8.0, 4.0]), np.array([40.0, 20.0]), 20.0, about="exactly enough is enough"),
        Case(np.array([4.0, 4.5, 3.0]), np.array([19.0, 21.0, 10.0]), 25.0, about="nothing is good enough"),
        Case(np.array([5.0, 4.0]), np.array([30.0, 31.0]), 1.0, about="the smaller one is better, too"),
        Case(np.array([1.0, 2.0, 3.0]), np.array([-9.0, -3.0, -1.0]), -5.0, about="decibels below zero"),
    ],
    random=lambda rng: (rng.permutation(8) + 1.0, rng.uniform(0, 40, 8).round(1), float(rng.integers(5, 45))),
    hints=[
        Hint("When nothing is good enough, return -1.", lambda got, want, b, q, e: want == -1),
        Hint(
            "A setting that is just good enough counts.",
            lambda got, want, b, q, e: q[want] == e and got == _cheapest(b, q, np.nextafter(e, np.inf)),
        ),
        Hint(
            "Decibels can be below zero, and -3 is more than -5: compare them as they are.",
            lambda got, want, b, q, e: e < 0,
        ),
        Hint(
            "That is a place among the good ones. Return the place in the original arrays.",
            lambda got, want, b, q, e: got == int(np.argmin(b[q >= e])),
        ),
        Hint(
            "That one is the best, not the cheapest that is good enough.",
            lambda got, want, b, q, e: got == int(np.argmax(q)),
        ),
        Hint("That one is not good enough.", lambda got, want, b, q, e: q[got] < e),
    ],
    hint="First throw out what is not good enough. Then look for the fewest bits, and return a place in the "
    "original arrays.",
)


def _forms(weights):
    """Bytes of each form as the library stores it, by its number."""
    sparse = pruning.prune(weights, threshold=0)
    found = {0: 2 * weights.size, 1: sparse.nbytes}
    for form, values in ((2, weights), (3, sparse)):
        with contextlib.suppress(Declined):  # more than 256 different weights fit no table
            found[form] = palettization.palettize(values, mode="unique").nbytes
    return found


def _lossless(weights):
    found = _forms(weights)
    form = min(found, key=lambda form: (found[form], form))
    return form, found[form]


def _parts(weights, widths=(1, 2, 3, 4, 6, 8), without_zero=False):
    """Bytes of what the forms are made of, by its name."""
    kept = weights[weights != 0]

    def width(values):
        return next((bits for bits in widths if 2**bits >= np.unique(values).size), 16)

    bits, few = width(weights), width(kept if without_zero else weights)
    return {
        "values": 2 * kept.size,
        "mask": -(-weights.size // 8),
        "indices": -(-weights.size * bits // 8),
        "table": 2 * 2**bits,
        "few indices": -(-kept.size * few // 8),
        "few table": 2 * 2**few,
        "all": 2 * weights.size,
    }


def _smallest(parts):
    """The answer that follows from such bytes."""
    forms = (("all",), ("values", "mask"), ("indices", "table"), ("mask", "few indices", "few table"))
    found = {form: sum(parts[name] for name in names) for form, names in enumerate(forms)}
    form = min(found, key=lambda form: (found[form], form))
    return form, found[form]


def _leaving_out(weights, *names):
    return _smallest(_parts(weights) | dict.fromkeys(names, 0))


def _of_levels(size, levels, zeros):
    """float16 weights, so many of them, with so many different ones beside so many zeros."""
    weights = np.zeros(size, np.float16)
    weights[zeros:] = np.resize(1 + np.arange(levels), size - zeros) / 4
    return weights


def _random_lossless_case(rng):
    size = 8 * int(rng.integers(4, 80))
    levels = int(rng.choice([1, 2, 3, 7, 16, 40, 300]))
    return (rng.permutation(_of_levels(size, levels, int(size * rng.choice([0, 0.3, 0.6, 0.9])))),)


lossless = Exercise(
    name="lossless",
    level="decide",
    task="Return (form, bytes): the form that stores the float16 `weights` in the fewest bytes and gives back every "
    "one of them as it was, and how many bytes that takes. 0: as they are. 1: pruned, the weights that are not 0 and a "
    "mask. 2: a palette of 1, 2, 3, 4, 6 or 8 bits, with a table of `2 ** bits` float16 values. 3: both, a mask, the "
    "indices of the weights that are not 0, and the same table as in 2. Of equally small ones the lower number.",
    reference=_lossless,
    cases=[
        Case(_of_levels(64, 64, 0), about="64 different weights, none of them 0"),
        Case(_of_levels(64, 40, 56), about="most are 0"),
        Case(_of_levels(256, 4, 0), about="four different weights, none of them 0"),
        Case(_of_levels(256, 4, 160), about="four different weights besides 0"),
        Case(_of_levels(400, 20, 0), about="twenty different weights: there are no indices of 5 bits"),
        Case(_of_levels(512, 300, 100), about="300 different weights: no table has room for them"),
        Case(np.zeros(64, np.float16), about="nothing but zeros"),
        Case(np.ones(64, np.float16), about="all alike, and not 0"),
        Case(_of_levels(20, 3, 12), about="few weights: a table costs more than it saves"),
        Case(_of_levels(16, 2, 15), about="a single weight is not 0"),
        Case(_of_levels(8, 2, 0), about="two forms take the same bytes"),
    ],
    random=_random_lossless_case,
    hints=[
        Hint(
            "A palette is not readable without its table: count it.",
            lambda got, want, w: tuple(got) == _leaving_out(w, "table", "few table"),
        ),
        Hint(
            "How does a reader know where the weights are that are left? Count the mask.",
            lambda got, want, w: tuple(got) == _leaving_out(w, "mask"),
        ),
        Hint(
            "There are no indices of 5 or 7 bits.",
            lambda got, want, w: tuple(got) == _smallest(_parts(w, range(1, 9))),
        ),
        Hint(
            "Behind a mask no index says 0, and yet the table is the same: it has an entry for 0.",
            lambda got, want, w: tuple(got) == _smallest(_parts(w, without_zero=True)),
        ),
        Hint(
            "That many bytes, yes. A form with a lower number takes as few.",
            lambda got, want, w: got[1] == want[1],
        ),
        Hint(
            "Another form takes fewer bytes, and gives back every weight, too.",
            lambda got, want, w: got[1] > want[1],
        ),
    ],
    hint="Weigh all four forms, part by part: values or indices, mask, table. What the library stores has `nbytes`.",
)
