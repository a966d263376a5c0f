"""Print the ledger's predictions against what toykit writes, and its weight.bin against coremltools'.

    python -m tests.parity.report_sizes [architecture ...]

A line for each architecture and technique: bytes of weight.bin, predicted and on disk, bytes of the
package, predicted and on disk, and whether coremltools writes the same weight.bin, byte for byte ("chance"
where its k-means starts at random). Takes some minutes, most of it ResNet-50.
"""

import sys

import torch

import toykit as tk

from . import architectures, sizes

HEADINGS = ("weight.bin", "predicted", "package", "predicted", "coremltools")


def cases(name):
    """(target, technique, options) of an architecture."""
    if name == "resnet50":
        return [("iOS18", *case) for case in sizes.LARGE]
    old = [("iOS16", *case) for case in sizes.OLD]
    return old + [("iOS18", *case) for case in [*sizes.OLD, *sizes.NEW, *sizes.KMEANS]]


def main(names):
    torch.set_num_threads(1)
    exact = equal = asked = total = 0
    print(f"{'architecture':13}{'target':8}{'technique':62}{''.join(f'{word:>12}' for word in HEADINGS)}")
    for name in names or [*architectures.EXAMPLES, "resnet50"]:
        if name == "resnet50":
            network, example = tk.models.resnet50(), torch.zeros(1, 3, 224, 224)
        else:
            network, example = architectures.build(name)
        models = {}
        for target, technique, options in cases(name):
            if target not in models:
                models[target] = tk.coreml.convert(network, example, target=target, check=False)
            found = sizes.compare(models[target], technique, options)
            (weights, weight_file), (whole, package) = found.weights, found.whole
            chance = not sizes.deterministic(technique, options)
            print(
                f"{name:13}{target:8}{sizes.label(technique, options):62}"
                f"{weight_file:>12,}{weights:>12,}{package:>12,}{whole:>12,}"
                f"{'equal' if found.equal else 'chance' if chance else 'DIFFERS':>12}",
                flush=True,
            )
            total += 1
            exact += weights == weight_file and whole == package
            asked += not chance
            equal += found.equal and not chance
    print(
        f"predicted to the byte: {exact} of {total}; weight.bin equal to coremltools', where it is "
        f"deterministic: {equal} of {asked}"
    )
    return exact == total and equal == asked


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
