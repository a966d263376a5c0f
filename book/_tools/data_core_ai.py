"""ResNet-50 for Core AI, and coreai-opt writing for Core ML; write notebooks/data/core_ai.json (chapter 12b).

Two parts, each with its date and its versions. "resnet50": the asset in five forms, its bytes beside those of the
Core ML package with the same setting, and what takes how long on one core; six minutes, most of them k-means and runs
in Apple's interpreter. "core_ml": a small network compressed in torch by coreai-opt, converted by coremltools, read
back by toykit. coreai-opt's extra `coreml` asks for a NumPy before 2.4, so this part runs in an environment of its
own, `_build/coreai-coreml`.

    python -m book._tools.data_core_ai                    # both parts
    python -m book._tools.data_core_ai core_ml            # one of them
"""

import copy
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from importlib import metadata
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

import toykit as tk

from . import next_version
from .data_post_training import same
from .project import BUILD, DATA, ROOT, fail, say

FILE = DATA / "core_ai.json"
NUMPY = "numpy>=2,<2.4"  # as the extra has it
BLOCKS = {"granularity": "per_block", "block_size": 32}
# Technique and options of ResNet-50, in toykit's words.
FORMS = [
    ("none", {}),
    ("quantize", {"bits": 8, "granularity": "per_channel"}),
    ("quantize", {"bits": 4, **BLOCKS}),
    ("prune", {"sparsity": 0.75}),
    ("palettize", {"bits": 4}),
]
# The class and the preset, or the config, of coreai-opt; and the same in toykit's words.
IN_TORCH = [
    ("Quantizer", "w8", "quantize", {"bits": 8, "granularity": "per_channel"}),
    ("Quantizer", "w4", "quantize", {"bits": 4, "granularity": "per_channel"}),
    ("Quantizer", "w4_per_block", "quantize", {"bits": 4, **BLOCKS}),
    ("KMeansPalettizer", "w4", "palettize", {"bits": 4, "group_size": 16}),
    ("MagnitudePruner", {"target_sparsity": 0.75}, "prune", {"sparsity": 0.75}),
]


def small_network():
    """Two convolutions with a ReLU between them, and an example of their input."""
    torch.manual_seed(0)
    layers = nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)
    return nn.Sequential(*layers).eval(), torch.zeros(1, 32, 8, 8)


def compressor(network, kind, preset):
    """coreai-opt's object of this class around the network."""
    from coreai_opt import palettization, pruning, quantization

    module = {"Quantizer": quantization, "KMeansPalettizer": palettization, "MagnitudePruner": pruning}[kind]
    config = getattr(module, f"{kind}Config")
    if isinstance(preset, str):
        # "eager" is for weights, says session 325; the default, "graph", takes a minute where this takes none.
        mode = {"execution_mode": module.ExecutionMode.EAGER} if kind == "Quantizer" else {}
        return getattr(module, kind)(network, getattr(config.presets, preset)(**mode))
    weight = {"global_config": {"op_state_spec": {"weight": preset}}}
    return getattr(module, kind)(network, config.from_dict({"magnitude_pruning_config": weight}))


def finalized(network, example, kind, preset):
    """The network, compressed in torch and noted down for Core ML; the original is left alone."""
    from coreai_opt import ExportBackend

    with tk.quiet():
        chosen = compressor(copy.deepcopy(network), kind, preset)
        chosen.prepare((example,))
        return chosen.finalize(backend=ExportBackend.CoreML)


def beside_toykit(stored, weights, technique, options):
    """What a stored weight of a package has in common with toykit's form of the weights that it came from.

    `equal`: of how many weights, so many come back as toykit's do. `error`: their squared error over that of ours.
    Where there are scales: `scale`, theirs over ours, and `codes`, how many are the nearest with their scale.
    """
    ours = getattr(tk, technique)(weights, **options)
    there, here = (one.dense().astype(np.float16).astype(np.float64) for one in (stored, ours))
    found = {
        "weights": weights.size,
        "equal": int((there == here).sum()),
        "error": round(float(((there - weights) ** 2).sum() / ((here - weights) ** 2).sum()), 4),
    }
    if technique == "quantize":
        there, here = (np.asarray(one.scale, np.float64) for one in (stored, ours))
        half = 2 ** (options["bits"] - 1)
        scale = here * (half - 1) / (half - 0.5)
        for axis, count in enumerate(weights.shape):
            scale = np.repeat(scale, count // scale.shape[axis], axis)
        nearest = np.clip(np.rint(weights / scale), -half, half - 1)
        found |= {
            "scale": round(float((there / here).mean()), 4),
            "codes": int((stored.integers == nearest).sum()),
        }
    return found


def core_ml():
    """One row a form: what coreai-opt and coremltools wrote. For the environment with their NumPy."""
    import coremltools

    network, example = small_network()
    weights = {
        tuple(layer.weight.shape): layer.weight.detach().numpy()
        for layer in network
        if hasattr(layer, "weight")
    }
    rows = []
    for kind, preset, technique, options in IN_TORCH:
        module = finalized(network, example, kind, preset)
        with tk.quiet(), tempfile.TemporaryDirectory() as folder:
            model = coremltools.convert(
                torch.jit.trace(module, example),
                inputs=[coremltools.TensorType(shape=tuple(example.shape))],
                minimum_deployment_target=coremltools.target.iOS18,
                skip_model_load=True,
            )
            path = Path(folder, "small.mlpackage")
            model.save(str(path))
            package = tk.coreml.Package(path)
            compressed = [w for w in tk.coreml.weights(package).values() if not isinstance(w, np.ndarray)]
            stored = [beside_toykit(w, weights[tuple(w.shape)], technique, options) for w in compressed]
            nbytes = package.nbytes
        row = {"class": kind, "preset": preset, "technique": technique, "options": options}
        rows.append(row | {"package_bytes": nbytes, "weights": stored})
    return {"versions": versions("coreai-opt", "coremltools", "numpy", "torch"), "forms": rows}


@cache
def resnet():
    """ResNet-50 for both stacks: a program and a package, and an example of the input."""
    network, example = tk.models.resnet50(), torch.zeros(1, 3, 224, 224)
    return tk.coreai.convert(network, example), tk.coreml.convert(network, example, target="iOS18"), example


def seconds(call, *args, **options):
    """What a call returns, and the seconds of processor time that it took: others may be at work on this computer."""
    start = time.process_time()
    result = call(*args, **options)
    return result, round(time.process_time() - start, 1)


def bytes_and_arrays(technique, options):
    """The program in one form, and its row without the run."""
    program, package, _ = resnet()
    took = ours = 0.0
    if technique != "none":
        program, took = seconds(tk.coreai.compress, program, technique, **options)
        package, ours = seconds(tk.coreml.compress, package, technique, **options)
    with tempfile.TemporaryDirectory() as folder:
        asset_bytes = tk.coreai.Asset(tk.coreai.save(program, Path(folder, "resnet.aimodel"))).nbytes
        package_bytes = tk.coreml.Package(tk.coreml.save(package, Path(folder, "resnet.mlpackage"))).nbytes
    row = {
        "technique": technique,
        "options": options,
        "asset_bytes": asset_bytes,
        "package_bytes": package_bytes,
    }
    # Both converters fold batch norms into weights, and round differently on the way: each is held against its own.
    small, dense = tk.coreai.weights(program), tk.coreai.weights(resnet()[0])
    stored = {name: weight for name, weight in small.items() if not isinstance(weight, np.ndarray)}
    equal = sum(
        same(weight, getattr(tk, technique)(dense[name], **options)) for name, weight in stored.items()
    )
    row |= {"compressed": len(stored), "equal": equal}
    return program, row | {"compress_seconds": took, "toykit_seconds": ours}


def resnet50():
    """One row a form, with the seconds of one run in Apple's interpreter."""
    x = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float16)
    rows = []
    for technique, options in FORMS:
        program, row = bytes_and_arrays(technique, options)
        model = tk.coreai.load(program)
        (name,) = model.inputs
        _, took = seconds(model.predict, {name: x})
        rows.append(row | {"run_seconds": took})
        say(f"  {rows[-1]}")
    return {"versions": versions("coreai-core", "coreai-torch", "coreai-opt", "torch"), "forms": rows}


def versions(*names):
    return {name: metadata.version(name).partition("+")[0] for name in names}


def in_its_environment():
    """What `core_ml` finds with a NumPy before 2.4."""
    python = next_version.prepare(BUILD / "coreai-coreml", NUMPY)
    code = "import json; from book._tools.data_core_ai import core_ml; print(json.dumps(core_ml()))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([python, "-c", code], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE)
    return done.stdout.splitlines()[-1:] or fail(
        "coreai-opt wrote nothing for Core ML; the lines above say why."
    )


PARTS = {"resnet50": resnet50, "core_ml": lambda: json.loads(in_its_environment()[0])}


def read():
    """The parts of the file, by name."""
    return json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}


def main():
    torch.set_num_threads(1)
    for part in sys.argv[1:] or PARTS:
        say(part)
        found = {"date": datetime.date.today().isoformat()} | PARTS[part]()
        FILE.write_text(json.dumps(read() | {part: found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
