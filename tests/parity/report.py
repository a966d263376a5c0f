"""Print the parity table: `python -m tests.parity.report`.

Every option, on how many arrays its stored arrays were equal to coremltools' to the bit, and where
the two differ on purpose. The same cases run as tests, and so does every exception.
"""

import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.parity.cases import arrays, differences

TECHNIQUES = ("test_pruning", "test_quantization", "test_palettization")


def any_array(case, label, w):
    """For techniques whose cases hold for every array."""
    return True


def main():
    print("| technique | option | equal arrays | exceptions, by test |")
    print("|---|---|---|---|")
    unequal = 0
    for module in TECHNIQUES:
        tests = import_module(f"tests.parity.{module}")
        for case in tests.CASES:
            chosen = [w for label, w in arrays() if getattr(tests, "usable", any_array)(case, label, w)]
            equal = sum(not differences(case, w) for w in chosen)
            unequal += len(chosen) - equal
            exception = case.exception or "none"
            print(f"| {case.technique} | {case.option} | {equal} of {len(chosen)} | {exception} |")
    joint = import_module("tests.parity.test_joint")
    for name in joint.JOINED:
        with TemporaryDirectory() as folder:
            compared = joint.compare(Path(folder), name)
        equal = sum(compared.values())
        unequal += len(compared) - equal
        print(f"| joint | {name} | {equal} of {len(compared)} in a package | none |")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
