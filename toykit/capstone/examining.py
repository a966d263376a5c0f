"""Look at one package and run it, in a process that is there for nothing else: `python -m toykit.capstone.examining`.

It reads from standard input what it shall do, as JSON, and writes what it found. A stranger's package can ask for
more time or memory than there is, or find a fault of ours; then this process ends, and `scoring` says so.
"""

import json
import os
import stat
import sys
from pathlib import Path

import numpy as np

from .. import _apart
from ..coreml.format.package import Package, digest_of
from ..coreml.runtime.backends import find_backend
from ..coreml.runtime.model import load
from . import systems
from .tasks import TASKS, draw

LARGEST = 2**31  # bytes; nobody shrinks a network to more


def examine(path, task, seed, samples, memory):
    """What there is to say about a package.

    Parameters
    ----------
    path : str
    task : Task
    seed : int or None
        None takes the one that the package's digest makes.
    samples : int or None
    memory : int
        Bytes that the package may take while it runs.

    Returns
    -------
    dict
        `nbytes`, `digest`, `seed`, `needs`, `right` and `samples`, as far as it came, and `problem`: "" if all is well.
    """
    found: dict = {"problem": ""}
    try:
        found["nbytes"], found["digest"] = fingerprint(Path(path))
        found["seed"] = int(found["digest"][:12], 16) if seed is None else seed
        package = Package(path)
        found["needs"] = systems.system(systems.needs(package))
        inputs, mark = draw(task, found["seed"], samples)
        marks = [mark(*some) for some in answers(load(package, memory_limit=memory), inputs, task)]
        found |= {"right": int(sum(map(np.sum, marks))), "samples": sum(map(len, marks))}
    except (MemoryError, OSError, TypeError, ValueError) as error:
        found["problem"] = (
            str(error).removeprefix(f"{path}: ").replace(f"{path}{os.sep}", "") or type(error).__name__
        )
        # Who scores has given the limit under another name than who loads.
        found["problem"] = found["problem"].replace(
            "memory_limit=...", "--memory, in MiB, or memory= in Python"
        )
        if isinstance(error, MemoryError):
            found["problem"] = f"it takes more than the {memory / 2**20:,.0f} MiB that it may"
    return found


def fingerprint(path):
    """Bytes of all files, and a digest of what is in them.

    Raises
    ------
    ValueError
        If there is a link or anything else than files and folders, or more than 2 GiB.
    """
    if not path.is_dir():
        raise ValueError("it is no package: a package is a folder")
    files, total = [], 0
    for place in sorted(path.rglob("*")):
        kind = place.lstat()
        if stat.S_ISDIR(kind.st_mode):
            continue
        if not stat.S_ISREG(kind.st_mode):
            raise ValueError(
                f"{place.relative_to(path).as_posix()} is no file, such as a link; a package has none"
            )
        files.append(place)
        total += kind.st_size
        if total > LARGEST or len(files) > 10_000:
            raise ValueError("it is larger than 2 GiB, or has more than 10,000 files, and was not read")
    return total, digest_of(path, (place.relative_to(path).as_posix() for place in files))


def answers(model, inputs, task):
    """What a model says: for each batch, as large as it takes them, (k, *task.output) float32 and the k places.

    Raises
    ------
    ValueError
        If its inputs or its output are not those of the given package, or an answer is not finite.
    """
    wanted = ", ".join(f"{name} of shape (n, {_listed(shape)})" for name, shape in task.inputs.items())
    shapes: dict = {name: tuple(feature.shape or ()) for name, feature in model.inputs.items()}
    if {name: shape[1:] for name, shape in shapes.items()} != task.inputs or len(model.outputs) != 1:
        raise ValueError(
            f"it is not the given network: that takes {wanted}, and has one output; this takes "
            f"{', '.join(f'{name} of shape {shape}' for name, shape in shapes.items()) or 'nothing'}"
        )
    (batch,) = {shape[0] for shape in shapes.values()}
    (output,) = model.outputs
    count = len(next(iter(inputs.values())))
    for start in range(0, count, batch):
        places = np.minimum(np.arange(start, start + batch), count - 1)  # the last sample fills up
        answer = model.predict({name: values[places] for name, values in inputs.items()})[output]
        if np.shape(answer) != (batch, *task.output):
            raise ValueError(f"it is not the given network: its answer has shape {np.shape(answer)}")
        if not np.isfinite(answer).all():
            raise ValueError("an answer is not a finite number")
        kept = min(batch, count - start)
        yield answer[:kept].astype(np.float32), places[:kept]


def _listed(shape):
    return ", ".join(map(str, shape))


def main():
    asked = json.load(sys.stdin)
    task = TASKS[asked.pop("task")]
    backend = find_backend(None).name
    used = [sys.modules[name] for name in ("toykit", "numpy", backend)]
    draw(task, 0, 2)  # what the data need is there, or that is no fault of the package
    print(json.dumps({module.__name__: module.__version__ for module in used}), flush=True)
    _apart.limit(asked["memory"], asked.pop("seconds"))
    print(json.dumps(examine(task=task, **asked)))


if __name__ == "__main__":
    main()
