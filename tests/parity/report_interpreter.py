"""Print what the interpreter can run, and how it agrees: `python -m tests.parity.report_interpreter [whole]`.

The first table counts operators: all that coremltools knows for ML programs, those that toykit runs, and
those that the packages of `test_operators` hold. The second counts the values they are tried on
(`operators.variants`): numbers without an axis, parameters and lengths that a program computes, and axes of
length 0, where coremltools' inference accepts them. The third is the distance (`running.distance`) between
toykit's answers and torch's with the same weights, for every architecture; with "whole" also ResNet-50 and
CREPE in compressed forms, which takes minutes to compress.
"""

import sys
from collections import Counter

import torch

import toykit as tk
from tests.parity import agreement, networks, running
from tests.parity.operators import elementwise, layers, programs, tensors, variants
from toykit._quiet import coremltools

# Not of ML programs: one that only older neural networks have, and one that coremltools uses inside.
_ELSEWHERE = {"conv_quantized", "_const_symbolic"}
# Tested without a place in these tables: with what goes in and out, and by their distribution.
_TESTED = {
    "test_predicting": {"classify", "read_state", "write_state"},
    "test_operators.test_random": {
        "random_bernoulli",
        "random_categorical",
        "random_normal",
        "random_uniform",
    },
}


def known():
    """Operators of coremltools' registry, with the one of its Core ML dialect that is stored."""
    coremltools()
    from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

    return set(SSAOpRegistry.core_ops) - _ELSEWHERE | {"write_state"}


def supported():
    """Operators that toykit runs, or reads as constants."""
    from toykit.coreml.constants.reading import CONSTEXPR

    return set(tk.coreml.OPERATORS) | set(CONSTEXPR) | {"const"}


def emitted():
    """Operators in the packages of the test suite: dict of operator to the number of packages it is in."""
    cases = (elementwise.CASES | layers.CASES | tensors.CASES).values()
    packages = [running.torch_case(case, "float32") for case in cases]
    packages += [running.program(case) for case in programs.CASES.values()]
    packages += [agreement.package(name) for name in networks.NETWORKS]
    packages += [agreement.compressed(*pair) for pair in agreement.COMPRESSED]
    counts = {}
    for path in packages:
        package = tk.coreml.Package(getattr(path, "package_path", path))
        for operator in {operation.op for operation in package.program.walk()}:
            counts[operator] = counts.get(operator, 0) + 1
    return counts


def values():
    """Print what the operators are tried on, and how often they are not as coremltools says."""
    surveyed = list(variants.survey(variants.calls()))
    print("| values | operators that coremltools lets take them | tried | attempts | differences |")
    print("|---|---|---|---|---|")
    for name, chosen in variants.VALUES.items():
        found = [row for row in surveyed if chosen(row[0])]
        kept = [row for row in found if not row[2]]
        accepted, tried = ({attempt.call.operator for attempt, *_ in rows} for rows in (found, kept))
        differences = sum(bool(problem) for _, problem, _ in kept)
        missing = f" (all but {', '.join(sorted(accepted - tried))})" if accepted - tried else ""
        print(f"| {name} | {len(accepted)} | {len(tried)}{missing} | {len(kept)} | {differences} |")
    excuses = Counter(excuse for *_, excuse in surveyed if excuse)
    print("\nLeft out, because coremltools itself is wrong there or compares nothing:")
    for excuse, count in excuses.most_common():
        print(f"- {excuse}: {count} attempts")
    print(flush=True)


def main(whole):
    torch.set_num_threads(1)
    counts, ours, all_of_them = emitted(), supported(), known()
    print("| operators | number | missing |\n|---|---|---|")
    print(f"| known to coremltools | {len(all_of_them)} | |")
    print(
        f"| run by toykit | {len(ours & all_of_them)} | {', '.join(sorted(all_of_them - ours)) or 'none'} |"
    )
    tried = set(counts).union(*_TESTED.values()) & all_of_them
    print(f"| tried by the tests | {len(tried)} | {', '.join(sorted(all_of_them - tried)) or 'none'} |\n")
    values()
    places = [(backend, precision) for precision in ("float32", "float16") for backend in running.BACKENDS]
    print(
        "| network | weights | "
        + " | ".join(f"{precision}, {backend}" for backend, precision in places)
        + " |"
    )
    print("|---|---|" + "---|" * len(places))
    pairs = [(name, None) for name in networks.NETWORKS] + agreement.COMPRESSED
    for name, form in pairs + (agreement.LARGE if whole else []):
        _, example = agreement.network(name)
        path = agreement.compressed(name, form) if form else agreement.package(name)
        model = agreement.with_weights(name, path) if form else agreement.rounded(name)
        found = agreement.distances(path, model, example)
        print(
            f"| {name} | {form or 'float16'} | "
            + " | ".join(f"{found[place]:.1e}" for place in places)
            + " |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main("whole" in sys.argv[1:]))
