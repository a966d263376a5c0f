"""Print how long toykit takes to run a package and how much memory: `python -m tests.benchmarks.interpreter`.

Times are of toykit and of eager torch in turns in one process, the fastest of several rounds, with one
thread and with all; the ratio is what counts. Memory is the peak of a fresh process that loads a package
and predicts once, above what the process takes after importing and running something small. toykit
promises at most 1.5 times eager torch's time on ResNet-50, and at most its float32 weights (102.2 MB) and
the activations in memory.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

import toykit as tk

NETWORKS = {
    "ResNet-50": (tk.models.resnet50, lambda: torch.rand(1, 3, 224, 224)),
    "CREPE": (tk.models.crepe, lambda: torch.randn(1, 1024)),
}
# How a package is loaded.
WAYS = [
    {"backend": backend, "precision": precision, "weights": weights}
    for backend in ("torch", "numpy")
    for precision in ("float32", "float16")
    for weights in ("ahead", "on the fly")
]
TOGETHER = 1.5

# Runs in a fresh process: package, backend, precision, weights; prints bytes. The backend "eager" is torch
# with a network of its own, in a file beside the package.
_MEMORY = """
import sys
import numpy as np
import toykit as tk
from toykit.coreml import load

path, backend, precision, weights = sys.argv[1:]
if backend != "numpy":
    import torch  # and the libraries that its first convolution loads
    with torch.inference_mode():
        torch.nn.functional.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(3, 3, 3, 3))

def kilobytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))

package = tk.coreml.Package(path)
shape = next(iter(package.description.inputs.values())).shape
image = np.random.default_rng(0).random(shape, np.float32)
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here
before = kilobytes("VmRSS")
if backend == "eager":
    with torch.inference_mode():
        network = torch.load(path.replace("mlpackage", "pt"), weights_only=False)
        loaded = kilobytes("VmRSS")
        network(torch.from_numpy(image))
else:
    model = load(package, backend=backend, precision=precision, weights=weights)
    loaded = kilobytes("VmRSS")
    model.predict({next(iter(model.inputs)): image})
print(1024 * (loaded - before), 1024 * (kilobytes("VmHWM") - before))
"""


def packages(folder, names=NETWORKS):
    """The networks as packages on disk: dict of name to (network, example, path)."""
    found = {}
    for name in names:
        build, example = NETWORKS[name]
        network, example = build(), example()
        mlmodel = tk.coreml.convert(network, example, target="iOS17", skip_model_load=True)
        found[name] = network.eval(), example, tk.coreml.save(mlmodel, Path(folder) / f"{name}.mlpackage")
        torch.save(network, Path(folder) / f"{name}.pt")
    return found


def times(network, example, path, ways, rounds=7):
    """Fastest times in seconds: of eager torch, and of toykit in each of the `ways`, in turns."""
    array = example.numpy()
    models = [tk.coreml.load(path, **way) for way in ways]

    def eager():
        with torch.inference_mode():
            return network(example).numpy()

    def ours(model):
        return lambda: model.predict({next(iter(model.inputs)): array})

    tasks = [eager, *map(ours, models)]
    best = [float("inf")] * len(tasks)
    for task in tasks:  # once in vain: first calls choose algorithms and lay out weights
        task()
    for _ in range(rounds):
        for number, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            best[number] = min(best[number], time.perf_counter() - start)
    return best[0], best[1:]


def memory(path, backend="torch", precision="float32", weights="ahead"):
    """Bytes of a fresh process after loading, and at its peak, above what it had before. Linux only.

    glibc keeps large blocks that are freed for the next ones, more or less of them from run to run (37 to
    63 MB on the fly, where 30 are in use). With a fixed threshold it gives them back at once, and what is
    measured is what the program asked for.
    """
    command = [sys.executable, "-c", _MEMORY, str(path), backend, precision, weights]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**17)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return tuple(map(int, done.stdout.split()))


def main():
    with tempfile.TemporaryDirectory() as folder:
        built = packages(folder)
        print(
            "| network | threads | backend | precision | weights | toykit | eager torch | ratio | promised |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        everything = torch.get_num_threads()
        for threads in dict.fromkeys((1, everything)):
            torch.set_num_threads(threads)
            threadpool_limits(threads)  # NumPy's
            for name, (network, example, path) in built.items():
                # Apart: for a while after a product, NumPy's threads keep the cores from torch's.
                theirs, ours = times(network, example, path, WAYS[:4])
                ours += times(network, example, path, WAYS[4:])[1]
                for way, seconds in zip(WAYS, ours, strict=True):
                    promised = TOGETHER if name == "ResNet-50" and way == WAYS[0] else ""
                    print(
                        f"| {name} | {threads} | {' | '.join(way.values())} | {1e3 * seconds:.0f} ms "
                        f"| {1e3 * theirs:.0f} ms | {seconds / theirs:.2f} | {promised} |",
                        flush=True,
                    )
        if not sys.platform.startswith("linux"):
            return
        print("\n| network | backend | precision | weights | after loading | peak | float32 weights |")
        print("|---|---|---|---|---|---|---|")
        for name, (network, _, path) in built.items():
            dense = 4e-6 * sum(parameter.numel() for parameter in network.parameters())
            for way in [{"backend": "eager", "precision": "float32", "weights": "ahead"}, *WAYS]:
                loaded, peak = memory(path, **way)
                print(
                    f"| {name} | {' | '.join(way.values())} | {1e-6 * loaded:.0f} MB | {1e-6 * peak:.0f} MB "
                    f"| {dense:.0f} MB |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
