"""Print the ledger's predictions against what coremltools writes.

    python -m tests.parity.report_sizes [architecture ...]

A line for each architecture and technique: bytes of weight.bin, predicted and on disk, bytes of the
package, predicted and on disk. Takes some minutes, most of it ResNet-50.
"""

import sys
import tempfile
from pathlib import Path

import torch

import toykit as tk

from . import architectures, sizes

HEADINGS = ("weight.bin", "predicted", "package", "predicted")


def cases(name):
    """(target, technique, options) of an architecture."""
    if name == "resnet50":
        return [("iOS18", *case) for case in sizes.LARGE]
    old = [("iOS16", *case) for case in sizes.OLD]
    return old + [("iOS18", *case) for case in [*sizes.OLD, *sizes.NEW, *sizes.KMEANS]]


def main(names):
    torch.set_num_threads(1)
    exact = close = total = 0
    print(f"{'architecture':13}{'target':8}{'technique':62}{''.join(f'{word:>12}' for word in HEADINGS)}")
    for name in names or [*architectures.EXAMPLES, "resnet50"]:
        if name == "resnet50":
            network, example = tk.models.resnet50(), torch.zeros(1, 3, 224, 224)
        else:
            network, example = architectures.build(name)
        models = {}
        with tempfile.TemporaryDirectory() as folder:
            for target, technique, options in cases(name):
                if target not in models:
                    models[target] = tk.coreml.convert(network, example, target=target)
                found = sizes.compare(models[target], technique, options, Path(folder, "small.mlpackage"))
                (weights, weight_file), (whole, package) = found.weights, found.whole
                print(
                    f"{name:13}{target:8}{sizes.label(technique, options):62}"
                    f"{weight_file:>12,}{weights:>12,}{package:>12,}{whole:>12,}",
                    flush=True,
                )
                total += 1
                exact += weights == weight_file
                close += abs(whole - package) <= 0.01 * package
    print(f"weight.bin exact to the byte: {exact} of {total}; package within 1 %: {close} of {total}")
    return exact == close == total


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
