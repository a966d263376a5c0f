"""A few packages on disk to look inside of: plain, compressed in several ways, with shortcuts and blocks, and tiny."""

import tempfile
from functools import cache
from pathlib import Path

import torch

from toykit._quiet import quiet
from toykit.coreml import convert

from . import architectures, packages, running
from .operators import programs

NAMES = ("plain", "palette", "joint", "unet", "text", "loop", "tiny")


@cache
def _folder():
    return tempfile.TemporaryDirectory(prefix="toykit-inside-")


@cache
def package(name):
    """The path of a package; made once."""
    import coremltools.optimize.coreml as cto

    palette = cto.OpPalettizerConfig(nbits=4, weight_threshold=0)
    if name == "plain":
        model = packages.network()
    elif name == "palette":
        model = packages.compressed(packages.network("iOS16"), ("palettize_weights", palette))
    elif name == "joint":
        pruner = cto.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0)
        model = packages.compressed(
            packages.network(), ("prune_weights", pruner), ("palettize_weights", palette)
        )
    elif name == "tiny":
        torch.manual_seed(0)
        model = convert(torch.nn.Linear(2, 3).eval(), torch.zeros(1, 2), target="iOS18", check=False)
    elif name == "loop":
        model = running.program(programs.CASES["while_loop"])
    else:
        model = convert(
            *architectures.build({"text": "embedding"}.get(name, name)), target="iOS18", check=False
        )
    path = Path(_folder().name, f"{name}.mlpackage")
    with quiet():
        model.save(str(path))
    return path
