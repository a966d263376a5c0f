"""Print the speed ratios: `python -m tests.benchmarks.report [whole]`.

One thread, 2 million float16 weights; with "whole" also all weights of ResNet-50. Ratios are of one
run on this machine, and the last column says what toykit promises.
"""

import os
import sys

# Before NumPy loads its libraries, which read these once.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

from importlib import import_module, util

from tests.benchmarks.duels import fight

MODULES = ("test_speed_pruning_quantization", "test_speed_palettization")


def main(whole):
    print("| task | toykit | coremltools | ratio | toykit's peak | coremltools' peak | promised |")
    print("|---|---|---|---|---|---|---|")
    for module in MODULES:
        name = f"tests.benchmarks.{module}"
        if not util.find_spec(name):
            continue
        benchmarks = import_module(name)
        for duel in benchmarks.duels() + (benchmarks.whole_duels() if whole else []):
            result = fight(duel, rounds=3 if whole else 5)
            print(
                f"| {duel} | {1e3 * result.ours:.1f} ms | {1e3 * result.theirs:.1f} ms | {result.ratio:.1f} "
                f"| {result.our_peak / 1e6:.1f} MB | {result.their_peak / 1e6:.1f} MB | {duel.least:g} |",
                flush=True,
            )


if __name__ == "__main__":
    main("whole" in sys.argv[1:])
