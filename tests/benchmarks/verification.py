"""Print how long `diff`, `verify` and `where` take on ResNet-50 and CREPE: `python -m tests.benchmarks.verification`.

As a user calls them from a shell, start-up included, one run each, on one thread: commands in processes of their own.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import toykit as tk

FORMS = {"int8": ("quantize", {"bits": 8}), "4-bit palette": ("palettize", {"bits": 4})}
COMMANDS = {
    "diff": lambda small, big: ["diff", big, small],
    "verify": lambda small, big: ["verify", small, "--against", big],
    "verify --no-answers": lambda small, big: ["verify", small, "--against", big, "--no-answers"],
    "where": lambda small, big: ["where", small, "--against", big],
}


def packages(folder):
    """ResNet-50 with weights at random, and CREPE with its own, in float16."""
    import torch

    networks = {"CREPE": (tk.models.crepe(), torch.zeros(1, 1024))}
    networks["ResNet-50"] = tk.models.resnet50(), torch.zeros(1, 3, 224, 224)
    for name, (network, example) in networks.items():
        mlmodel = tk.coreml.convert(network.eval(), example, target="iOS18", check=False)
        yield name, tk.coreml.save(mlmodel, Path(folder) / f"{name}.mlpackage")


def seconds(arguments):
    """How long a command takes, and whether it found all well."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "toykit.cli", *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


def main():
    if hasattr(os, "getloadavg"):
        print(f"load average {os.getloadavg()[0]:.1f}\n")
    print(f"| package | {' | '.join(COMMANDS)} |")
    print(f"|---|{'--:|' * len(COMMANDS)}")
    with tempfile.TemporaryDirectory() as folder:
        for name, big in packages(folder):
            for form, (technique, options) in FORMS.items():
                small = Path(folder, f"{name} {form}.mlpackage")
                tk.coreml.save(tk.coreml.compress(big, technique, **options), small)
                times = [f"{seconds(make(small, big)):.1f} s" for make in COMMANDS.values()]
                print(f"| {name}, {form} | {' | '.join(times)} |", flush=True)


if __name__ == "__main__":
    main()
