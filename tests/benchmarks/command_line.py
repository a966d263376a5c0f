"""Print what commands take, as typed in a shell, start-up included: `python -m tests.benchmarks.command_line`.

Each is run several times in a process of its own on one thread; the fastest counts, and the largest memory.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

import toykit as tk

from .sizes import package


def take(*arguments, turns=5):
    """Fastest seconds, seconds of processor in that run, and peak bytes, of a command."""
    command = [sys.executable, "-m", "toykit.cli", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(tk.__file__).parents[1])}
    runs = []
    for _ in range(turns):
        measured = subprocess.run(
            [sys.executable, "-c", _MEASURE, *command],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        runs.append(tuple(map(float, measured.stdout.split()[-3:])))
    seconds, processor, _ = min(runs)
    return seconds, processor, max(peak for *_, peak in runs)


# Runs the command that it is given; prints seconds, seconds of processor and peak bytes.
_MEASURE = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
seconds = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
unit = 1 if sys.platform == "darwin" else 1024
print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit)
"""


def main():
    import torch

    with tempfile.TemporaryDirectory() as folder:
        crepe, resnet = package(folder), Path(folder) / "ResNet-50.mlpackage"
        network = tk.coreml.convert(tk.models.resnet50(), torch.zeros(1, 3, 224, 224), "iOS18", check=False)
        tk.coreml.save(network, resnet)
        commands = [("--help",), *((*command, path) for path in (crepe, resnet) for command in _COMMANDS)]
        print(f"load average {psutil.getloadavg()[0]:.1f}\n")
        print("| command | seconds | of the processor | peak |")
        print("|---|--:|--:|--:|")
        for command in commands:
            seconds, processor, peak = take(*command)
            words = " ".join(getattr(word, "name", word) for word in command)
            print(f"| toykit {words} | {seconds:.2f} | {processor:.2f} | {peak / 1e6:.0f} MB |", flush=True)


_COMMANDS = (("size",), ("size", "--layers", "--json"))

if __name__ == "__main__":
    main()
