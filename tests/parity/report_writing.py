"""Print how toykit's packages compare with coremltools': `python -m tests.parity.report_writing [network ...]`.

A line for each source: how many settings there are, and in how many weight.bin is the same to the byte, the program is
the same after coremltools' own pass, the program is the same as it was written (of the source that such a pass no
longer changes), and the answers are the same to the bit. Takes a quarter of an hour for all; names of networks choose
some.
"""

import sys
from collections import Counter

from toykit.coreml.format.package import Package

from . import architectures, packages, sizes, writing

HEADINGS = ("cases", "bytes", "after a pass", "directly", "answers")


def sources(names):
    """(label, source, the same after coremltools' pipeline, settings)."""
    for name in names or architectures.EXAMPLES:
        for target in ("iOS16", "iOS18", "iOS26"):
            yield f"{name} {target}", *writing.network(name, target), writing.settings(target)
    if names:
        return
    for name in writing.zoo():
        target = name.split()[0]
        yield f"zoo {name}", *writing.fixture(name), writing.settings(target, weight_threshold=16)
    source = Package(packages.network("iOS18").package_path)
    kmeans = [("palettize", {"bits": bits}) for bits in (1, 2, 3, 4, 6, 8)]
    kmeans += [("joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4}})]
    yield "k-means of 10,000 weights a table", source, writing.settled(source), kmeans


def main(names):
    total = Counter()
    print(f"{'source':34}" + "".join(f"{word:>14}" for word in HEADINGS))
    for label, source, unchanging, settings in sources(names):
        asked, equal = Counter(), Counter()
        for technique, options in settings:
            found = writing.compare(source, technique, options, unchanging)
            for key, value in vars(found).items():
                asked[key] += value is not None
                equal[key] += value is True
            if not found.all:
                print(f"  {sizes.label(technique, options)}: {found}")
        cells = [f"{equal[key]} of {asked[key]}" for key in asked]
        print(f"{label:34}{len(settings):>14}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
        total["cases"] += len(settings)
        total.update({f"asked {key}": count for key, count in asked.items()})
        total.update({f"equal {key}": count for key, count in equal.items()})
    keys = ("bytes", "passed", "direct", "answers")
    cells = [f"{total[f'equal {key}']} of {total[f'asked {key}']}" for key in keys]
    print(f"{'all':34}{total['cases']:>14}" + "".join(f"{cell:>14}" for cell in cells))
    return all(total[f"equal {key}"] == total[f"asked {key}"] for key in keys)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
