"""Print how long the ledger of CREPE's package takes, before and now: `python -m tests.benchmarks.sizes`.

Before is the toykit of commit 37d0b3d, in which a program was decoded to dictionaries, read from them, and for
each prediction decoded, written and read again. Both run in processes of their own, in turns, on one thread and
the same package; times are the fastest of several rounds, and the ratio is what counts.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import toykit as tk

BEFORE = "37d0b3d"
TASKS = ("ledger", "palettized", "explored")
# Runs in a fresh process: the package, and how many rounds; prints seconds.
_TIMES = """
import json, sys, time
import toykit as tk
from toykit.widgets import sizes

path, rounds = sys.argv[1], int(sys.argv[2])
ledger = tk.size.ledger(path)
tasks = {
    "ledger": (rounds, lambda: tk.size.ledger(path)),
    "palettized": (rounds, lambda: ledger.after("palettize", bits=4)),
    "explored": (2, lambda: sizes._offered(tk.size.ledger(path))),
}
best = {}
for name, (times, task) in tasks.items():
    for _ in range(times):
        start = time.perf_counter()
        task()
        best[name] = min(best.get(name, 9e9), time.perf_counter() - start)
settings = sum(len(found) for _, found in sizes._offered(ledger))
print(json.dumps({"seconds": best, "settings": settings}))
"""


def package(folder):
    """CREPE as a package for iOS 18, which can hold every form."""
    import torch

    mlmodel = tk.coreml.convert(tk.models.crepe(), torch.zeros(1, 1024), target="iOS18", check=False)
    return tk.coreml.save(mlmodel, Path(folder) / "CREPE.mlpackage")


def earlier(folder, commit=BEFORE):
    """The toykit of an earlier commit in a folder; None where the history does not reach so far."""
    root = Path(__file__).parents[2]
    command = ["git", "-C", str(root), "archive", commit, "toykit"]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return Path(folder)


def times(path, trees, turns=3, rounds=20):
    """Fastest times of each tree's toykit: a dict of task to seconds for each, and how many settings there are."""
    best, settings = [dict.fromkeys(TASKS, float("inf")) for _ in trees], set()
    for _ in range(turns):
        for tree, known in zip(trees, best, strict=True):
            done = subprocess.run(
                [sys.executable, "-c", _TIMES, str(path), str(rounds)],
                capture_output=True,
                text=True,
                check=True,
                cwd=path.parent,
                env=os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
            )
            found = json.loads(done.stdout)
            settings.add(found["settings"])
            known |= {task: min(known[task], seconds) for task, seconds in found["seconds"].items()}
    (settings,) = settings
    return best, settings


def main():
    with tempfile.TemporaryDirectory() as folder:
        before = earlier(Path(folder, "before"))
        if before is None:
            sys.exit(f"the history has no commit {BEFORE}")
        (old, new), settings = times(package(folder), [before, Path(__file__).parents[2]])
    names = {
        "ledger": "tk.size.ledger(path)",
        "palettized": '.after("palettize", bits=4)',
        "explored": f"ledger and all {settings} settings of the size explorer",
    }
    if hasattr(os, "getloadavg"):
        print(f"load average {os.getloadavg()[0]:.1f}\n")
    print("| task | before | now | now / before |")
    print("|---|---|---|---|")
    for task, name in names.items():
        print(
            f"| {name} | {1e3 * old[task]:.1f} ms | {1e3 * new[task]:.1f} ms | {new[task] / old[task]:.2f} |"
        )


if __name__ == "__main__":
    main()
