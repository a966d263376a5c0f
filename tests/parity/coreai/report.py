"""Print how toykit compares with Core AI's packages: `python -m tests.parity.coreai.report [arrays] [networks [N]]`.

Arrays: a line for each option of coreai-opt's passes, with how many arrays are equal to the bit, how many differ as
its source says, and how many both decline; then why they differ. Networks: of 500 by chance (or N) how many three
judges agree on, and the smallest network of each disagreement. Both, if neither is asked for; ten minutes of one core.
"""

import sys
from collections import Counter

from . import cases, judges, random_networks

OUTCOMES = ("equal", "explained", "both decline")
BATCH = 25


def arrays():
    """Prints the table; True if nothing is left unexplained."""
    total, whys = Counter(), {}
    print(f"{'option':58}" + "".join(f"{word:>14}" for word in (*OUTCOMES, "different")), flush=True)
    for case in cases.cases():
        counts = Counter()
        for label, outcome in cases.outcomes(case):
            counts[outcome if outcome in OUTCOMES else "different"] += 1
            if outcome not in OUTCOMES:
                print(f"  {label}: {outcome}")
        _show(case.name, counts)
        total += counts
        if counts["explained"]:
            whys.setdefault(case.why, []).append(counts["explained"])
    _show(f"all {len(cases.cases())} options", total)
    for why, counted in whys.items():
        print(f"{sum(counted):5} of {len(counted)} options: {why}")
    return not total["different"]


def _show(label, counts):
    print(f"{label:58}" + "".join(f"{counts[word]:>14}" for word in (*OUTCOMES, "different")), flush=True)


def batches(count):
    """(precision, compression, seeds): two fifths in float32, three tenths in float16, the rest compressed.

    A batch is one conversion on each stack.
    """
    kinds = [("float32", None)] * 4 + [("float16", None)] * 3
    shares = {kind: count * kinds.count(kind) // 10 for kind in dict.fromkeys(kinds)}
    left = count - sum(shares.values())
    for number, name in enumerate(judges.COMPRESSIONS):
        shares["float16", name] = left // len(judges.COMPRESSIONS) + (
            number < left % len(judges.COMPRESSIONS)
        )
    seed = 0
    for (precision, compression), share in shares.items():
        for start in range(0, share, BATCH):
            many = min(BATCH, share - start)
            yield precision, compression, range(seed, seed + many)
            seed += many


def verdicts(precision, compression, seeds):
    drawn = [random_networks.draw(seed, plain=compression is not None) for seed in seeds]
    return judges.judge(drawn, precision, compression)


def networks(count):
    """Prints the counts; True if the judges agree on all."""
    judged, agreed = Counter(), Counter()
    for precision, compression, seeds in batches(count):
        kind = f"{precision}{', ' + compression if compression else ''}"
        for verdict in verdicts(precision, compression, seeds):
            judged[kind] += 1
            agreed[kind] += verdict.agreed
            if not verdict.agreed:
                print(f"  {kind}: {judges.shrunk(verdict, precision, compression)}", flush=True)
    for kind, many in judged.items():
        print(f"{kind:34}{agreed[kind]:>6} of {many} without disagreement")
    print(f"{'all':34}{agreed.total():>6} of {judged.total()} without disagreement")
    return agreed == judged


def main(asked):
    count = int(asked[-1]) if asked and asked[-1].isdigit() else 500
    found = [arrays()] if "arrays" in asked or not asked else []
    found += [networks(count)] if "networks" in asked or not asked else []
    return all(found)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
