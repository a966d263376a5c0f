"""Print what `toykit compress` takes beside Core ML Tools: `python -m tests.benchmarks.compressing [rounds]`.

Both as a user calls them from a shell, start-up included, in processes of their own and in turns, on one thread:
`toykit compress Model.mlpackage Small.mlpackage --palettize 4`, and the same `--with coremltools`, which is
coremltools and a look at what it wrote. Seconds are those of the processor, of the fastest round, so that others who
use the machine disturb them little (in brackets: what the clock says); the ratio is what counts. The peak is the
most memory that toykit's process had, over the size of the package.
"""

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import toykit as tk

# How many times faster toykit is to be.
AIMS = {
    ("--palettize", "8"): 20,
    ("--palettize", "6"): 10,
    ("--palettize", "4"): 8,
    ("--quantize", "8"): 5,
    ("--prune", "0.5"): 5,
}
PEAK = 2.5  # times the package


@dataclass
class Run:
    """The fastest of some rounds in seconds of the processor and of the clock, and the peak of memory in bytes."""

    seconds: float = float("inf")
    clock: float = float("inf")
    peak: int = 0

    def add(self, seconds, clock, peak):
        self.seconds, self.clock = min(self.seconds, seconds), min(self.clock, clock)
        self.peak = max(self.peak, peak)

    def __str__(self):
        return f"{self.seconds:.2f} s ({self.clock:.1f})"


def write_packages(folder):
    """CREPE and ResNet-50 for iOS 18."""
    import torch

    for name, network, example in (
        ("CREPE", tk.models.crepe, torch.zeros(1, 1024)),
        ("ResNet-50", tk.models.resnet50, torch.zeros(1, 3, 224, 224)),
    ):
        mlmodel = tk.coreml.convert(network(), example, target="iOS18", check=False)
        tk.coreml.save(mlmodel, Path(folder, f"{name}.mlpackage"))


def packages(folder):
    """The two packages, written by another process: Linux counts what a process had before it started another."""
    writing = multiprocessing.get_context("spawn").Process(target=write_packages, args=(folder,))
    writing.start()
    writing.join()
    return sorted(Path(folder).glob("*.mlpackage"))


def command(path, how, engine):
    """Seconds of processor and clock, bytes and exit status of one command in a fresh process."""
    small = path.with_name("small.mlpackage")
    shutil.rmtree(small, ignore_errors=True)
    line = [sys.executable, "-m", "toykit.cli", "compress", str(path), str(small), *how, "--with", engine]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # Python keeps what it compiled, as it does for users
    start = time.perf_counter()
    child = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    clock, peak = time.perf_counter() - start, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return used.ru_utime + used.ru_stime, clock, peak, child.returncode


def duel(path, how, rounds):
    """Both sides, in turns: toykit's Run, coremltools' Run, and whether what coremltools wrote was refused."""
    sides, refused = {"toykit": Run(), "coremltools": Run()}, False
    for _ in range(rounds):
        for engine, run in sides.items():
            *used, status = command(path, how, engine)
            if status and engine == "toykit":
                raise RuntimeError(f"toykit compress {path.name} {' '.join(how)} left with {status}")
            refused |= bool(status)
            run.add(*used)
    return sides["toykit"], sides["coremltools"], refused


def main(rounds):
    if hasattr(os, "getloadavg"):
        print(f"load average {os.getloadavg()[0]:.1f}\n")
    print(
        "| package | command | toykit | coremltools | ratio | aim "
        "| toykit's peak | of the package | aim | coremltools' peak |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for path in packages(folder):
            size = tk.coreml.Package(path).nbytes
            command(path, ("--palettize", "4"), "toykit")  # Python compiles once, and keeps what it made
            for how, aim in AIMS.items():
                ours, theirs, refused = duel(path, how, rounds)
                note = " (then refused: a weight had changed)" * refused
                print(
                    f"| {path.stem} | {' '.join(how)} | {ours} | {theirs}{note} "
                    f"| {theirs.seconds / ours.seconds:.1f} | {aim} "
                    f"| {ours.peak / 1e6:.0f} MB | {ours.peak / size:.2f} | {PEAK} | {theirs.peak / 1e6:.0f} MB |",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
