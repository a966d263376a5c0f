"""The ledger of CREPE's package and its predictions, before a program was decoded once, and now."""

from pathlib import Path

import pytest

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.benchmarks import sizes


def test_speed(tmp_path, benchmark):
    before = sizes.earlier(tmp_path / "before")
    if before is None:
        pytest.skip(f"the history has no commit {sizes.BEFORE}")
    trees = [before, Path(__file__).parents[2]]
    (old, new), _ = benchmark.pedantic(sizes.times, (sizes.package(tmp_path), trees), {"turns": 1}, rounds=1)
    for task, seconds in new.items():
        benchmark.extra_info[task] = seconds / old[task]
