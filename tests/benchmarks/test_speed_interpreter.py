"""Packages run by toykit against eager torch; `python -m tests.benchmarks.interpreter` prints a table."""

import pytest

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.benchmarks import interpreter


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return interpreter.packages(tmp_path_factory.mktemp("packages"))


@pytest.mark.parametrize("name", interpreter.NETWORKS)
def test_speed(built, name, benchmark):
    network, example, path = built[name]
    ways = [way for way in interpreter.WAYS if way["backend"] == "torch"]
    theirs, ours = benchmark.pedantic(
        interpreter.times, (network, example, path, ways), {"rounds": 3}, rounds=1
    )
    for way, seconds in zip(ways, ours, strict=True):
        benchmark.extra_info[" ".join(way.values())] = seconds / theirs
