"""Print how toykit's packages compare with coremltools': `python -m tests.parity.report_writing [label ...]`.

A line for each source, as soon as it is known: how many settings there are, and in how many weight.bin is the same to
the byte, the program is the same after coremltools' own pass, the program is the same as it was written (of the source
that such a pass no longer changes), and the answers are the same to the bit. Takes an hour of one core for all;
beginnings of labels choose some: `CREPE`, `"zoo iOS18"`, `attention wheel`.
"""

import sys
from collections import Counter
from functools import partial

import toykit as tk
from book._tools.fetch import Unreachable, Vanished
from tests.zoo import strangers
from toykit._quiet import quiet
from toykit.coreml.format.package import Package, open_package

from . import architectures, networks, packages, sizes, writing

HEADINGS = ("cases", "bytes", "after a pass", "directly", "answers", "stopped")
_KMEANS = [
    *(("palettize", {"bits": bits}) for bits in (1, 2, 3, 4, 6, 8)),
    ("joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4}}),
]


def sources():
    """(label, function that returns the source and what coremltools' pipeline no longer changes, settings)."""
    for name in architectures.EXAMPLES:
        for target in writing.TARGETS:
            yield f"{name} {target}", partial(writing.network, name, target), writing.settings(target)
    for target in writing.TARGETS:
        yield f"every option {target}", partial(_small, target), writing.every(target)
    for name in writing.zoo():
        settings = writing.settings(name.split()[0], weight_threshold=16)
        yield f"zoo {name}", partial(writing.fixture, name), settings
    for stranger in strangers.PROGRAMS:
        target = "iOS16"  # none needs more, and older ones are raised
        yield f"wheel {stranger.name}", partial(_stranger, stranger), writing.settings(target)
    yield "k-means of 10,000 weights a table", partial(_small, "iOS18"), _KMEANS
    for name in ("CREPE", "ResNet-50"):
        # The first layer of ResNet-50 has 9,408 weights: k-means of so few is left to chance.
        kmeans = writing.shared(_KMEANS, weight_threshold=9_999)
        yield f"{name} iOS18", partial(_large, name), [*sizes.LARGE, *kmeans]


def _small(target):
    source = open_package(packages.network(target))
    return source, writing.settled(source)


def _large(name):
    network, example = networks.build(name)
    with quiet():
        source = open_package(tk.coreml.convert(network, example, target="iOS18", check=False))
    return source, writing.settled(source)


def _stranger(stranger):
    source = Package(stranger.package())
    return source, writing.settled(source)


def main(names):
    total = Counter()
    print(f"{'source':34}" + "".join(f"{word:>14}" for word in HEADINGS), flush=True)
    for label, make, settings in sources():
        if names and not label.startswith(tuple(names)):
            continue
        try:
            source, unchanging = make()
        except (Unreachable, Vanished) as error:
            print(f"{label:34} not here: {error}", flush=True)
            continue
        counts = Counter()
        for technique, options in settings:
            found = writing.compare(source, technique, options, unchanging)
            counts["cases"] += 1
            counts["stopped"] += bool(found.stopped)
            for key, value in found.asked.items():
                counts[f"asked {key}"] += value is not None
                counts[f"equal {key}"] += value is True
            if not found.all:
                print(f"  {sizes.label(technique, options)}: {found}", flush=True)
        _show(label, counts)
        total += counts
    _show("all", total)
    return all(total[f"equal {key}"] == total[f"asked {key}"] for key in writing.Agreement().asked)


def _show(label, counts):
    cells = [f"{counts[f'equal {key}']} of {counts[f'asked {key}']}" for key in writing.Agreement().asked]
    cells = [counts["cases"], *cells, counts["stopped"]]
    print(f"{label:34}" + "".join(f"{cell:>14}" for cell in cells), flush=True)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
