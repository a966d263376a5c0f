"""The exercises of the chapters about speed: intensity, the batch where it turns, a format for a chip."""

import math

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
