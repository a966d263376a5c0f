"""`toykit compress` beside Core ML Tools, as a user calls both from a shell."""

import pytest

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.benchmarks import compressing


def test_speed(tmp_path, benchmark):
    name, path = next(compressing.packages(tmp_path))
    for how in (("--quantize", "8"), ("--palettize", "4")):
        compressing.command(path, how, "toykit")
        if how[0] == "--quantize":
            ours, theirs, _ = benchmark.pedantic(compressing.duel, (path, how, 1), rounds=1)
        else:
            ours, theirs, _ = compressing.duel(path, how, 1)
        benchmark.extra_info[f"{name} {' '.join(how)}"] = theirs.seconds / ours.seconds
        assert theirs.seconds > ours.seconds
