"""Intervals of medians against counting every outcome and against simulated runs; requests that overlap."""

import itertools
import math
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toykit import latency


# ---------------------------------------------------------------- intervals
@pytest.mark.parametrize("runs", range(1, 11))
@pytest.mark.parametrize("dropped", range(5))
def test_coverage_counts_coin_tosses(runs, dropped):
    # Brute force: in how many of all sequences of coins lie more than `dropped` on either side?
    tosses = itertools.product((0, 1), repeat=runs)
    inside = sum(min(sum(toss), runs - sum(toss)) > dropped for toss in tosses)
    assert latency.coverage(runs, dropped) == inside / 2**runs


@given(st.floats(0, 0.9999))
def test_runs_needed_is_the_fewest(confidence):
    runs = latency.runs_needed(confidence)
    assert latency.coverage(runs, 0) >= confidence
    assert runs == 1 or latency.coverage(runs - 1, 0) < confidence


@given(st.lists(st.floats(1e-6, 1e3), min_size=6, max_size=60), st.sampled_from((0.5, 0.9, 0.95)))
def test_interval_is_the_narrowest_that_is_sure_enough(times, confidence):
    found = latency.median_interval(times, confidence)
    ordered = sorted(times)
    assert found.low == ordered[found.dropped] and found.high == ordered[-1 - found.dropped]
    assert found.low <= found.median <= found.high
    assert found.confidence >= confidence
    one_more = found.dropped + 1
    assert latency.coverage(len(times), one_more) < confidence or 2 * one_more >= len(times)


def test_interval_holds_the_median_as_often_as_it_says():
    # Times with a floor and a long tail, whose true median is known: 1 + exp(0).
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(4000):
        times = 1 + rng.lognormal(0, 1, 25)
        found = latency.median_interval(times, 0.95)
        hits += found.low <= 2 <= found.high
    deviation = math.sqrt(found.confidence * (1 - found.confidence) / 4000)
    assert abs(hits / 4000 - found.confidence) < 4 * deviation


def test_a_measurement_has_an_interval():
    found = latency.measure({"nothing": lambda: None}, rounds=9, at_least=0)["nothing"]
    assert latency.median_interval(found).median == found.median


def test_speed_up_pairs_the_rounds():
    rng = np.random.default_rng(1)
    disturbance = rng.lognormal(0, 1, 30)  # of each round, and the same for both
    found = latency.speed_up(3 * disturbance, disturbance)
    assert (found.low, found.median, found.high) == pytest.approx((3, 3, 3))
    assert "(3 to 3" in str(found)


@pytest.mark.parametrize(
    "call, message",
    (
        (
            lambda: latency.median_interval([1.0] * 5),
            "5 runs are too few for a confidence of 95 %: at least 6",
        ),
        (lambda: latency.median_interval([]), "0 runs"),
        (lambda: latency.median_interval([1.0, np.nan] * 5), "finite"),
        (lambda: latency.median_interval([1.0] * 9, 95), "confidence"),
        (lambda: latency.runs_needed(1.0), "makes certain"),
        (lambda: latency.speed_up([1.0] * 6, [1.0] * 7), "same rounds; got 6 and 7"),
        (lambda: latency.speed_up([1.0] * 6, [0.0] * 6), "above 0"),
    ),
)
def test_bad_times(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- overlapping requests
def test_workers_overlap_and_results_keep_their_order():
    together = threading.Barrier(3)  # passes only if three are worked on at once
    done = latency.overlap(lambda x: (together.wait(5), x)[1], range(6), workers=3)
    assert done.results == list(range(6))
    assert done.workers == 3 and (done.ends > done.starts).all()


def test_no_more_than_the_workers_at_a_time():
    done = latency.overlap(lambda x: time.sleep(0.01), range(6), workers=2)
    begins, ends = np.sort(done.starts), np.sort(done.ends)
    assert (begins[2:] >= ends[:-2]).all()
    assert done.working <= 2 + 1e-9
    assert "6 requests, 2 workers" in repr(done)


def test_littles_law_holds():
    done = latency.overlap(lambda x: time.sleep(0.004), range(8), workers=2, gap=0.001)
    assert done.in_flight == pytest.approx(done.rate * done.latency.mean())
    assert (done.starts >= done.arrivals).all() and (done.ends > done.starts).all()
    assert np.diff(done.arrivals) == pytest.approx(0.001)


def test_an_error_stops_the_rest_and_is_raised():
    tried = []

    def fail(x):
        tried.append(x)
        raise OSError(f"request {x}")

    with pytest.raises(OSError, match="request 0"):
        latency.overlap(fail, range(50))
    assert tried == [0]


@pytest.mark.parametrize(
    "options, message",
    (
        ({"inputs": []}, "at least one of its inputs"),
        ({"workers": 0}, "workers"),
        ({"gap": -1.0}, "gap must be a number from 0 to 3600"),
        ({"gap": math.inf}, "gap"),
    ),
)
def test_bad_requests(options, message):
    with pytest.raises(ValueError, match=message):
        latency.overlap(**{"function": lambda x: x, "inputs": [1], **options})
