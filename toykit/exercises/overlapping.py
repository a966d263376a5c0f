"""The exercises of the chapter about requests that overlap: Little's law, a pipeline, a batch, room for requests."""

import math

import numpy as np

from .framework import Case, Exercise, Hint


def _in_flight(arrivals, ends):
    return float((ends - arrivals).sum() / (ends.max() - arrivals.min()))


def _near(make):
    return lambda got, want, *args: math.isclose(got, make(*args), rel_tol=1e-9)


def _random_requests(rng):
    count = int(rng.integers(2, 12))
    arrivals = np.cumsum(rng.integers(0, 5, count)).astype(float)
    return arrivals, arrivals + rng.integers(1, 10, count)


in_flight = Exercise(
    name="in_flight",
    level="build",
    task="Return how many requests were there on average, between the first arrival and the last end: each "
    "is there from its arrival to its end.",
    reference=_in_flight,
    cases=[
        Case(np.array([0.0, 2.0, 4.0]), np.array([2.0, 4.0, 6.0]), about="one after the other: always one"),
        Case(np.array([0.0, 0.0]), np.array([1.0, 2.0]), about="two at once, and one is done earlier"),
        Case(np.array([0.0, 5.0]), np.array([1.0, 6.0]), about="nobody is there most of the time"),
        Case(
            np.array([3.0, 4.0, 4.0]),
            np.array([9.0, 6.0, 8.0]),
            about="the clock does not begin at 0, and the first ends last",
        ),
        Case(
            np.array([5.0, 2.0, 4.0]),
            np.array([6.0, 9.0, 7.0]),
            about="not in the order in which they arrived",
        ),
    ],
    random=_random_requests,
    hints=[
        Hint(
            "The average counts time: two requests that were there for a moment weigh less than two that "
            "stayed.",
            _near(lambda a, e: len(a)),
        ),
        Hint(
            "Divide by the time from the first arrival to the last end, not by the number of requests.",
            _near(lambda a, e: (e - a).mean()),
        ),
        Hint("The clock begins with the first arrival.", _near(lambda a, e: (e - a).sum() / e.max())),
        Hint(
            "The last to arrive need not be the last to end: take the largest end.",
            _near(lambda a, e: (e - a).sum() / (e[-1] - a[0])),
        ),
        Hint(
            "That is the rate. Times the mean stay it becomes the number of requests: Little's law.",
            _near(lambda a, e: len(a) / (e.max() - a.min())),
        ),
    ],
    hint="Add up how long each one stayed, and divide by how long the whole took.",
    tolerance=1e-9,
)


def _pipeline_seconds(stages, requests):
    return sum(stages) + (requests - 1) * max(stages)


pipeline_seconds = Exercise(
    name="pipeline_seconds",
    level="build",
    task="Return when the last of several requests is done. All are there at 0 and go through the stages in "
    "order; each stage works on one request at a time, and different stages on different requests at "
    "the same time.",
    reference=_pipeline_seconds,
    cases=[
        Case((2, 4, 1), 1, about="a single request: nothing to overlap with"),
        Case((2, 4, 1), 3, about="three requests; the middle stage is the slowest"),
        Case((5, 1, 1), 4, about="the first stage is the slowest"),
        Case((1, 1, 1), 10, about="all equally long"),
        Case((4,), 3, about="a single stage"),
        Case((1, 2, 7, 2), 2),
    ],
    random=lambda rng: (
        tuple(map(int, rng.integers(1, 20, int(rng.integers(1, 6))))),
        int(rng.integers(1, 30)),
    ),
    hints=[
        Hint(
            "That is one request after the other. While one is in the second stage, the next can be in "
            "the first.",
            lambda got, want, stages, requests: got == sum(stages) * requests,
        ),
        Hint(
            "The first request passes through all stages by itself: only the others come at the pace of "
            "the slowest stage.",
            lambda got, want, stages, requests: got == requests * max(stages),
        ),
        Hint(
            "The first has the whole way to go; the others are requests - 1.",
            lambda got, want, stages, requests: got == sum(stages) + requests * max(stages),
        ),
        Hint(
            "The slowest stage sets the pace, whichever it is.",
            lambda got, want, stages, requests: got == sum(stages) + (requests - 1) * stages[0],
        ),
        Hint(
            "A mean does not set the pace: everybody queues at the slowest stage.",
            lambda got, want, stages, requests: math.isclose(
                got, sum(stages) + (requests - 1) * sum(stages) / len(stages)
            ),
        ),
        Hint(
            "All requests would have to be worked on at once. Each stage can only take one at a time.",
            lambda got, want, stages, requests: got == sum(stages),
        ),
    ],
    hint="Draw three requests. When does the first end, and how much later does each of the others?",
)


def _largest_batch(fixed, each, gap, deadline):
    batch = int((deadline - fixed + gap) // (each + gap)) if each + gap > 0 else 0
    return max(batch, 0)


largest_batch = Exercise(
    name="largest_batch",
    level="decide",
    task="Return the largest batch whose first input is answered within the deadline. Inputs arrive `gap` "
    "apart; the batch starts when its last one is there, and takes `fixed + batch * each`. 0 if even "
    "one is too many.",
    reference=_largest_batch,
    cases=[
        Case(2, 1, 0, 10, about="all inputs are there already"),
        Case(2, 1, 3, 10, about="the first waits 3 for each further one"),
        Case(2, 1, 3, 3, about="just enough for a single one"),
        Case(5, 1, 1, 5, about="the fixed time alone is the whole deadline"),
        Case(0, 2, 2, 9, about="nothing fixed: a single one takes 2, two take 2 + 4"),
        Case(1, 4, 1, 100),
        Case(20, 1, 1, 10, about="the fixed time alone is twice the deadline: not even one"),
        Case(0, 1, 0, 100_000, about="a deadline far away"),
    ],
    random=lambda rng: (
        *map(int, rng.integers(0, 10, 1)),
        *map(int, rng.integers(1, 6, 2)),
        int(rng.integers(1, 60)),
    ),
    hints=[
        Hint(
            "If not even one is in time, the answer is 0.",
            lambda got, want, f, e, g, d: d + g < f and got > 0,
        ),
        Hint(
            "The first input also waits for the others to arrive: (batch - 1) * gap.",
            lambda got, want, f, e, g, d: g > 0 and got == max((d - f) // e, 0),
        ),
        Hint(
            "The first one has arrived already: it waits for batch - 1 others.",
            lambda got, want, f, e, g, d: g > 0 and got == max((d - f) // (e + g), 0),
        ),
        Hint(
            "There is a fixed time in each run, however large the batch is.",
            lambda got, want, f, e, g, d: f > 0 and got == max((d + g) // (e + g), 0),
        ),
        Hint(
            "Answered exactly at the deadline is in time.",
            lambda got, want, f, e, g, d: got == want - 1 and want >= 1,
        ),
        Hint(
            "With one more the deadline is missed: round down.", lambda got, want, f, e, g, d: got == want + 1
        ),
        Hint(
            "A batch is a whole number of inputs, and at least 0.",
            lambda got, want, f, e, g, d: got != int(got) or got < 0,
        ),
    ],
    hint="The first input is answered after (batch - 1) * gap + fixed + batch * each. Solve that for the "
    "batch.",
)


def _keeps_up(nbytes, milliseconds, rate, each, memory):
    in_flight = -(-rate * milliseconds // 1000)
    return _first(nbytes + in_flight * each <= memory, in_flight)


def _first(good, in_flight):
    return (int(good.argmax()), int(in_flight[good.argmax()])) if good.any() else (-1, 0)


def _takes(choose):
    return lambda got, want, *args: tuple(got) == choose(*args) != want


def _random_candidates(rng):
    count = int(rng.integers(2, 6))
    nbytes = rng.integers(10, 90, count)
    return (
        nbytes,
        rng.integers(5, 400, count),
        int(rng.integers(1, 50)),
        int(rng.integers(1, 9)),
        int(rng.integers(20, 110)),
    )


keeps_up = Exercise(
    name="keeps_up",
    level="decide",
    task="Return (number, requests): the first candidate, counted from 0, that keeps up with `rate` requests a "
    "second within `memory` bytes, and how many requests of it are in flight: the rate times its time, rounded "
    "up. Its `nbytes` of weights are there once, and each request in flight takes `each` bytes more. Candidates "
    "stand in the order of their accuracy, the best first. (-1, 0) if none keeps up.",
    reference=_keeps_up,
    cases=[
        Case(np.array([40, 20]), np.array([100, 100]), 30, 5, 60, about="three requests in flight; both fit"),
        Case(
            np.array([40, 20]),
            np.array([100, 100]),
            30,
            5,
            42,
            about="only the smaller one leaves room for any request",
        ),
        Case(
            np.array([40, 20]),
            np.array([100, 100]),
            30,
            5,
            50,
            about="only the smaller one leaves room for three",
        ),
        Case(np.array([40, 30]), np.array([200, 110]), 30, 5, 60, about="3.3 requests: four"),
        Case(np.array([40, 20]), np.array([100, 400]), 30, 5, 55, about="exactly at the limit"),
        Case(
            np.array([20, 40]),
            np.array([400, 50]),
            30,
            5,
            60,
            about="the smaller one is so slow that more wait",
        ),
        Case(np.array([40, 20]), np.array([100, 100]), 30, 50, 60, about="none keeps up"),
        Case(
            np.array([10, 10]),
            np.array([7, 9]),
            1000,
            1,
            19,
            about="a thousand a second, seven and nine in flight",
        ),
    ],
    random=_random_candidates,
    hints=[
        Hint("If none keeps up, say so with (-1, 0).", lambda got, want, *args: want[0] == -1 != got[0]),
        Hint(
            "Exactly at the limit is within it.",
            _takes(lambda n, ms, rate, each, memory: _keeps_up(n, ms, rate, each, memory - 1)),
        ),
        Hint(
            "Each request in flight needs memory of its own.",
            _takes(lambda n, ms, rate, each, memory: _first(n + each <= memory, -(-rate * ms // 1000))),
        ),
        Hint(
            "The weights are there once, whatever is in flight.",
            _takes(
                lambda n, ms, rate, each, memory: _first(
                    -(-rate * ms // 1000) * (n + each) <= memory, -(-rate * ms // 1000)
                )
            ),
        ),
        Hint(
            "The weights take memory, too.",
            _takes(
                lambda n, ms, rate, each, memory: _first(
                    -(-rate * ms // 1000) * each <= memory, -(-rate * ms // 1000)
                )
            ),
        ),
        Hint(
            "A request that is in flight for a part of the time needs its memory, too: round up.",
            lambda got, want, *args: 0 < want[1] - got[1] < 1 + (got[0] == want[0]) and got[1] > 0,
        ),
        Hint(
            "The first that keeps up is the most accurate. A smaller one is not asked for.",
            lambda got, want, nbytes, *args: want[0] < got[0] < len(nbytes),
        ),
    ],
    hint="Little's law says how many are in flight. What do they take together with the weights?",
)
