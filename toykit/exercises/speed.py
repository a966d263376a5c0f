"""The exercises of the chapters about speed: intensity, the batch where it turns, a session; a format, claims."""

import math

import numpy as np

from .framework import Case, Exercise, Hint


def _arithmetic_intensity(outputs, inputs, batch, bits):
    operations = 2 * outputs * inputs * batch
    return operations / (outputs * inputs * bits / 8 + 2 * batch * (inputs + outputs))


def _is(got, outputs, inputs, batch, weight_bytes, activation_bytes, operations=2):
    """Whether `got` is the intensity with other bytes or operations than the task's."""
    moved = outputs * inputs * weight_bytes + activation_bytes
    return moved > 0 and math.isclose(got, operations * outputs * inputs * batch / moved, rel_tol=1e-9)


arithmetic_intensity = Exercise(
    name="arithmetic_intensity",
    level="warm-up",
    task="Return operations per byte of a linear layer: a multiplication and an addition are two operations; "
    "the weights are read once for the whole batch, and inputs and outputs are float16.",
    reference=_arithmetic_intensity,
    cases=[
        Case(4, 4, 1, 16, about="a tiny layer: 32 operations, 32 bytes of weights, 16 of inputs and outputs"),
        Case(4, 4, 2, 16, about="a batch of two"),
        Case(4, 8, 1, 4, about="half a byte a weight"),
        Case(2, 6, 1, 16, about="more inputs than outputs"),
        Case(1000, 2048, 1, 16, about="the classifier of ResNet-50"),
        Case(4096, 4096, 256, 4),
    ],
    random=lambda rng: (
        *map(int, rng.integers(1, 5000, 2)),
        int(rng.integers(1, 500)),
        int(rng.choice([1, 2, 4, 8, 16])),
    ),
    hints=[
        Hint(
            "A multiplication and the addition that follows are two operations.",
            lambda got, want, m, n, batch, bits: math.isclose(2 * got, want, rel_tol=1e-9),
        ),
        Hint(
            "The weights are read once, however large the batch is: that is what a batch is good for.",
            lambda got, want, m, n, batch, bits: (
                batch > 1 and _is(got, m, n, batch, bits / 8 * batch, 2 * batch * (m + n))
            ),
        ),
        Hint(
            "Each input of the batch brings its own numbers: inputs and outputs grow with the batch.",
            lambda got, want, m, n, batch, bits: batch > 1 and _is(got, m, n, batch, bits / 8, 2 * (m + n)),
        ),
        Hint(
            "Do not forget what goes in and comes out: it is moved too.",
            lambda got, want, m, n, batch, bits: _is(got, m, n, batch, bits / 8, 0),
        ),
        Hint(
            "bits says how wide a stored weight is; 16 bits are 2 bytes.",
            lambda got, want, m, n, batch, bits: bits != 16 and _is(got, m, n, batch, 2, 2 * batch * (m + n)),
        ),
        Hint(
            "Only weights are compressed: inputs and outputs stay at 2 bytes each.",
            lambda got, want, m, n, batch, bits: (
                bits != 16 and _is(got, m, n, batch, bits / 8, bits / 8 * batch * (m + n))
            ),
        ),
        Hint(
            "A byte has 8 bits.",
            lambda got, want, m, n, batch, bits: (
                _is(got, m, n, batch, bits, 2 * batch * (m + n))
                or _is(got, m, n, batch, bits, 16 * batch * (m + n))
            ),
        ),
        Hint(
            "It is operations per byte, not bytes per operation.",
            lambda got, want, m, n, batch, bits: want != 1 and math.isclose(got, 1 / want, rel_tol=1e-9),
        ),
    ],
    hint="Count the operations first; then three kinds of bytes: weights, inputs, outputs.",
    tolerance=1e-9,
)


def _break_even_batch(operations, bandwidth, unpacking):
    return max(1, -((unpacking * bandwidth - 2 * operations) // (2 * bandwidth)))


break_even_batch = Exercise(
    name="break_even_batch",
    level="build",
    task="Return the smallest batch for which just in time is not faster than ahead of time: reading a "
    "float16 weight takes `2 / bandwidth`, and just in time each weight costs `unpacking` operations "
    "before its `2 * batch`.",
    reference=_break_even_batch,
    cases=[
        Case(100, 10, 0, about="ten operations a byte, and unpacking costs nothing"),
        Case(100, 10, 4, about="unpacking costs as much as two inputs"),
        Case(105, 10, 0, about="between 10 and 11: at 10 just in time is still faster"),
        Case(100, 10, 40, about="unpacking takes longer than reading ever did"),
        Case(10, 100, 0, about="a fast memory: never faster"),
        Case(3_000_000, 2, 0, about="a slow memory: a batch of more than a million"),
        Case(200_000_000_000, 20_000_000_000, 3, about="200 billion operations and 20 GB a second"),
    ],
    random=lambda rng: (int(rng.integers(1, 10**6)), int(rng.integers(1, 10**4)), int(rng.integers(0, 40))),
    hints=[
        Hint("A batch is a whole number of inputs.", lambda got, want, o, b, u: got != int(got)),
        Hint(
            "At that batch just in time must no longer be faster: round up.",
            lambda got, want, o, b, u: got == want - 1 == (2 * o - u * b) // (2 * b) and got >= 1,
        ),
        Hint("There is no batch of less than one input.", lambda got, want, o, b, u: got < 1),
        Hint(
            "Just in time also has to unpack each weight: it computes 2 * batch + unpacking.",
            lambda got, want, o, b, u: u > 0 and got == max(1, -(-o // b)),
        ),
        Hint(
            "An input costs two operations a weight, so unpacking counts for half as many inputs.",
            lambda got, want, o, b, u: u > 0 and got == max(1, -((u * b - o) // b)),
        ),
        Hint(
            "A float16 weight is two bytes, and a multiplication with an addition two operations: do "
            "both count?",
            lambda got, want, o, b, u: (
                got in (max(1, -((u * b - 4 * o) // (2 * b))), max(1, -((u * b - o) // (2 * b))))
            ),
        ),
        Hint(
            "Unpacking makes just in time lose earlier, not later.",
            lambda got, want, o, b, u: u > 0 and got == -((-u * b - 2 * o) // (2 * b)),
        ),
    ],
    hint="Write down when (2 * batch + unpacking) / operations reaches 2 / bandwidth.",
)


def _seconds(macs, weights, form, chip):
    (bits, tables), (operations, bandwidth, table_cost) = form, chip
    return max(2 * macs / operations, weights * bits / 8 / bandwidth) + tables * table_cost


def _choose_format(macs, weights, formats, chip):
    return min(range(len(formats)), key=lambda i: (_seconds(macs, weights, formats[i], chip), -formats[i][0]))


_FORMATS = [(16, 0), (8, 0), (4, 1), (4, 64), (2, 1)]


def _picked(key):
    """What a learner picks who sorts by something else."""
    return lambda got, want, m, w, formats, chip: (
        got == min(range(len(formats)), key=lambda i: key(m, w, formats[i], chip))
    )


def _random_choice(rng):
    weights = int(rng.integers(1, 10)) * 100_000
    formats = [(bits, int(rng.choice([0, 1, 16, 64]))) for bits in rng.permutation([1, 2, 4, 8, 16]).tolist()]
    speed, bandwidth, table_cost = (
        rng.choice([1e11, 1e12, 1e13]),
        rng.choice([1e10, 5e10]),
        rng.choice([0, 1e-8, 1e-6]),
    )
    chip = (float(speed), float(bandwidth), float(table_cost))
    return weights * int(rng.choice([1, 49, 3136])), weights, formats, chip


choose_format = Exercise(
    name="choose_format",
    level="decide",
    task="Return the number of the fastest format for a layer on a chip, by the roofline plus the cost of "
    "its tables. Of equally fast ones take the one with the most bits.",
    reference=_choose_format,
    cases=[
        Case(
            2_000_000,
            2_000_000,
            [(16, 0), (8, 0), (4, 0)],
            (1e12, 1e10, 0.0),
            about="reading is the bottleneck",
        ),
        Case(
            2_000_000_000,
            500_000,
            [(16, 0), (8, 0), (4, 1)],
            (1e12, 1e10, 1e-7),
            about="computing is the bottleneck, so the first two are equally fast",
        ),
        Case(
            2_000_000_000,
            500_000,
            [(4, 0), (8, 0), (16, 0)],
            (1e12, 1e10, 0.0),
            about="all equally fast, in another order",
        ),
        Case(2_000_000, 2_000_000, _FORMATS, (1e12, 1e10, 0.0), about="tables that cost nothing"),
        Case(
            2_000_000,
            2_000_000,
            [(16, 0), (8, 0), (4, 4000), (2, 4000)],
            (1e12, 1e10, 1e-7),
            about="many tables that cost 0.1 microseconds each",
        ),
        Case(
            49_000_000,
            1_000_000,
            _FORMATS,
            (1e12, 1e10, 1e-7),
            about="the bottleneck turns between 8 and 4 bits",
        ),
    ],
    random=_random_choice,
    hints=[
        Hint(
            "If several are equally fast, there is no reason to lose accuracy: take the most bits.",
            lambda got, want, m, w, formats, c: (
                _seconds(m, w, formats[int(got)], c) == _seconds(m, w, formats[want], c)
            ),
        ),
        Hint(
            "Reading and computing go on at the same time. Where computing takes longer, fewer bytes "
            "save nothing: "
            "take the longer of the two, neither the bytes alone nor the sum.",
            _picked(lambda m, w, f, c: w * f[0] / 8 / c[1] + f[1] * c[2]),
        ),
        Hint(
            "Each table costs table_cost, on top of the longer of the two times.",
            _picked(lambda m, w, f, c: (max(2 * m / c[0], w * f[0] / 8 / c[1]), -f[0])),
        ),
        Hint(
            "That is the slowest one.",
            lambda got, want, m, w, formats, c: (
                got == max(range(len(formats)), key=lambda i: _seconds(m, w, formats[i], c))
            ),
        ),
    ],
    hint="For each format: the longer of operations and bytes, in seconds, plus its tables. Then the "
    "smallest.",
)


def _sessions(weights, bits, unpacking, batches, operations, bandwidth, longer=max, writes=2):
    """Seconds of loading, of all calls ahead of time, of all calls just in time; the last two are for mistakes."""
    packed, whole = weights * bits / 8, 2 * weights

    def step(nbytes, each):
        return longer(nbytes / bandwidth, weights * each / operations)

    return (
        step(packed + writes * weights, unpacking),
        sum(step(whole, 2 * batch) for batch in batches),
        sum(step(packed, unpacking + 2 * batch) for batch in batches),
    )


def _plan(*args, loads=True, **change):
    loading, ahead, packed = _sessions(*args, **change)
    ahead += loading * loads
    return (0, ahead) if ahead < packed else (1, packed)


def _when_to_unpack(weights, bits, unpacking, batches, operations, bandwidth):
    return _plan(weights, bits, unpacking, batches, operations, bandwidth)


def _same_plan(plan, other):
    return plan[0] == other[0] and math.isclose(plan[1], other[1], rel_tol=1e-9)


def _plans(mistake):
    """Whether a mistake makes another plan, and the learner's."""
    return lambda got, want, *args: _same_plan(got, mistake(*args)) and not _same_plan(want, mistake(*args))


def _if_batches_were(other):
    def plan(weights, bits, unpacking, batches, *chip):
        return _plan(weights, bits, unpacking, other(batches) if batches else [], *chip)

    return plan


def _random_session(rng):
    batches = rng.choice([1, 64, 128, 256], rng.integers(3, 20)).tolist()
    # Powers of two, with which the seconds are exact: whether two sessions are equally long is no question of rounding.
    return (
        64,
        int(rng.choice([2, 4, 8])),
        int(rng.choice([8, 16, 32])),
        batches,
        1024,
        int(rng.choice([32, 64, 128])),
    )


when_to_unpack = Exercise(
    name="when_to_unpack",
    level="decide",
    task="Return (plan, seconds) of the shorter session: 0 with the weights unpacked ahead of time, 1 just in time, "
    "also if both are equally long, since that needs less memory. A step takes `bytes / bandwidth` or `work / "
    "operations` seconds, whichever is longer. Ahead of time, a first step reads the packed weights, `bits` "
    "each, writes them in float16, and does `unpacking` operations for each of them; a call then reads float16 "
    "and does `2 * batch` operations a weight. Just in time there is no first step, and a call reads the packed "
    "weights and does `unpacking + 2 * batch` operations a weight. `batches` is a list with the batch of each "
    "call.",
    reference=_when_to_unpack,
    cases=[
        Case(64, 4, 8, [1, 1, 1, 1], 1024, 64, about="single inputs, which wait for memory"),
        Case(
            64,
            4,
            8,
            [64] * 8,
            1024,
            64,
            about="eight large batches: each is half a second shorter ahead of time",
        ),
        Case(64, 4, 8, [64] * 3, 1024, 64, about="three large batches: too few to make up for loading"),
        Case(64, 4, 8, [64] * 5, 1024, 64, about="five large batches: equally long"),
        Case(64, 4, 8, [64] * 8 + [1] * 2, 1024, 64, about="two single inputs among large batches"),
        Case(64, 4, 16, [4] * 6 + [64] * 6, 1024, 128, about="small batches and large ones"),
        Case(64, 4, 8, [], 1024, 64, about="no call at all"),
        Case(64, 4, 8, [200], 1024, 64, about="a single call, of a large batch"),
    ],
    random=_random_session,
    hints=[
        Hint(
            "Ahead of time a session begins with a step that unpacks. It counts, too.",
            _plans(lambda *args: _plan(*args, loads=False)),
        ),
        Hint(
            "Equally long: then just in time, which needs less memory.",
            lambda got, want, *args: (
                got[0] == 0 and math.isclose(sum(_sessions(*args)[:2]), _sessions(*args)[2])
            ),
        ),
        Hint(
            "While bytes are moved, operations are done: a step takes the longer of the two, not both.",
            _plans(lambda *args: _plan(*args, longer=lambda a, b: a + b)),
        ),
        Hint(
            "The first step also writes the weights in float16.",
            _plans(lambda *args: _plan(*args, writes=0)),
        ),
        Hint(
            "Calls are not alike: a mean batch hides those that wait for memory.",
            _plans(_if_batches_were(lambda batches: [sum(batches) / len(batches)] * len(batches))),
        ),
        Hint("Each call reads the weights again.", _plans(_if_batches_were(lambda batches: [sum(batches)]))),
        Hint(
            "The seconds are right. 0 is ahead of time, 1 is just in time.",
            lambda got, want, *args: got[1] == want[1],
        ),
    ],
    tolerance=1e-9,
    hint="Write a function for the seconds of one step. Both sessions are sums of it.",
)


def _percent(before, after):
    """What whoever reads two times may call the gain, in the order of the numbers."""
    return 100 * np.stack([before / after - 1, 1 - after / before, after / before - 1])


def _read_claims(before, after, claimed):
    explained = np.abs(_percent(before, after) - claimed) <= 0.5
    return np.where(explained.any(axis=0), explained.argmax(axis=0), 3)


def _random_claims(rng):
    before, after = rng.uniform(1, 9, (2, 6)).round(4)
    meant = np.vstack([_percent(before, after), rng.uniform(150, 200, 6)])[
        rng.integers(0, 4, 6), np.arange(6)
    ]
    return before, after, np.rint(meant)


read_claims = Exercise(
    name="read_claims",
    level="build",
    task="Return an array that says of each row of a colleague's table what the claimed gain, in percent, is: 0 a "
    "speed-up, `before / after - 1`; 1 the time saved, `1 - after / before`; 2 a speed-up with the two times "
    "exchanged; 3 none of these. A claim is a number that was rounded, so it may be off by up to 0.5. "
    "Of several that explain a row, return the smallest.",
    reference=_read_claims,
    cases=[
        Case(np.array([2.0]), np.array([1.0]), np.array([100.0]), about="half of the time: 100 % faster"),
        Case(np.array([2.0]), np.array([1.0]), np.array([50.0]), about="half of the time is saved"),
        Case(np.array([1.0]), np.array([2.0]), np.array([100.0]), about="twice the time"),
        Case(np.array([2.0]), np.array([1.0]), np.array([75.0]), about="another number"),
        Case(np.array([1.0]), np.array([2.0]), np.array([-50.0]), about="slower, and the claim says so"),
        Case(
            np.array([3.0, 3.0]),
            np.array([2.0, 2.0]),
            np.array([50.0, 33.0]),
            about="33.3 % of the time is saved",
        ),
        Case(np.array([1.0]), np.array([1.0]), np.array([0.0]), about="equally fast: all three explain it"),
        Case(np.array([8.0]), np.array([5.01]), np.array([37.0]), about="37.4 % are saved"),
        Case(np.array([101.0]), np.array([100.0]), np.array([1.0]), about="so small that two explain it"),
        Case(np.array([]), np.array([]), np.array([]), about="an empty table"),
    ],
    random=_random_claims,
    hints=[
        Hint(
            "Claims were rounded: compare with 0.5 of room.",
            lambda got, want, *args: (got[want != got] == 3).all(),
        ),
        Hint(
            "Several explain this row: return the smallest number.",
            lambda got, want, before, after, claimed: (np.abs(_percent(before, after) - claimed) <= 0.5)[
                got, np.arange(got.size)
            ][got != want].all(),
        ),
        Hint(
            "Not every claim is explained by two times. Then it is 3.",
            lambda got, want, *args: (want[want != got] == 3).all(),
        ),
        Hint(
            "A speed-up compares with the new time, time saved with the old one.",
            lambda got, want, *args: (got[want != got] + want[want != got] == 1).all(),
        ),
    ],
    hint="Calculate all three for every row, in percent, and see which are near the claim.",
)
