"""Run a sweep: apply each setting, ask the metric, remember the answer.

A metric gets the weights that would run and nothing else, so its answer depends on them alone. The
cache uses that: an answer is filed under a digest of those very weights and the metric's name. A
stale answer is impossible, whatever changes in the techniques, and an interrupted sweep resumes
where it stopped.
"""

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .._rows import Rows
from ..compressed import check_each, check_flag, check_int, check_names, check_path, check_type
from ..settings import is_recipe, label, read_setting
from .cells import apply, layers, tensors


def run(weights, settings, metric, *, only=None, cache=None, metric_name=None, workers=1, progress=None):
    """Compress a network in many ways, and measure each.

    Parameters
    ----------
    weights : dict of str to float array, or torch.nn.Module
    settings : list of dict
        As in `apply`: for all layers, or for each layer.
    metric : callable
        Gets a dict of float32 arrays, returns a number or a dict of numbers. With several workers
        it is called from several threads at once.
    only : list of str, optional
        Layers to compress; by default every one that `layers` names.
    cache : path, optional
        A folder that keeps the answers, one small file each.
    metric_name : str, optional
        Name and version of the metric, such as "pitch on easy_tones v1"; needed with a cache.
        Change it when the metric or its data change.
    workers : int
        Settings at a time, in threads (NumPy, numba and torch leave the interpreter to the others).
    progress : bool, optional
        Whether to draw a bar, with tqdm; by default only where the output is a terminal.

    Returns
    -------
    Rows
        In the order of the settings. Each row has the setting's options, `label`, `nbytes`,
        `bits_per_weight`, `snr_db`, and the metric's numbers (`metric` if it returns just one).

    Raises
    ------
    RuntimeError
        If a setting or the metric fails: it names the setting. What was measured before is cached.

    Examples
    --------
    >>> from toykit.sweep import grid
    >>> network = {"a.weight": np.linspace(-1, 1, 4096).reshape(64, 64)}
    >>> rows = run(network, grid("quantize", bits=(4, 8)), lambda w: np.ptp(w["a.weight"]))
    >>> [(row["bits"], row["nbytes"]) for row in rows]
    [(4, 2176), (8, 4224)]
    """
    only = None if only is None else check_names("only", only)
    cells = [(setting, only) for setting in check_each("settings", settings, dict, "settings")]
    return _run(tensors(weights), cells, metric, cache, metric_name, workers, progress)


def sensitivity(weights, settings, metric, *, only=None, **how):
    """Compress one layer at a time and leave the others in float32, to see which layers matter.

    Parameters
    ----------
    weights, settings, metric
        As in `run`; settings for a single layer.
    only : list of str, optional
        Layers to try; by default every one that `layers` names.
    **how
        `cache`, `metric_name`, `workers` and `progress`, as in `run`.

    Returns
    -------
    Rows
        One for each layer and setting, with a column `layer`; `nbytes` counts that layer alone.
    """
    weights = tensors(weights)
    names = layers(weights) if only is None else check_names("only", only)
    settings = check_each("settings", settings, dict, "settings")
    cells = [(setting, [name]) for name in names for setting in settings]
    defaults = {"cache": None, "metric_name": None, "workers": 1, "progress": None}
    for name in how:
        if name not in defaults:
            raise TypeError(f"sensitivity() takes {', '.join(defaults)} as in run(); got {name!r}")
    how = defaults | how
    rows = _run(weights, cells, metric, **how)
    for row, (_, (name,)) in zip(rows, cells, strict=True):
        others = sum(2 * array.size for other, array in weights.items() if other != name)
        row["nbytes"] -= others
        row["bits_per_weight"] = 8 * row["nbytes"] / weights[name].size
    return Rows({"layer": name, **row} for row, (_, (name,)) in zip(rows, cells, strict=True))


def _run(weights, cells, metric, cache, metric_name, workers, progress):
    workers = check_int("workers", workers, range(1, 257))
    check_type("metric", metric, Callable, "a function of the weights")
    cache = None if cache is None else check_path("cache", cache)
    metric_name = "" if metric_name is None else check_type("metric_name", metric_name, str, "a text")
    progress = None if progress is None else check_flag("progress", progress)
    for setting, _ in cells:
        for one in setting.values() if is_recipe(setting) else [setting]:
            read_setting(one)
    if cache is not None and not metric_name:
        raise ValueError("a cache needs metric_name, the metric's name and version, such as 'pitch v1'")

    def measure(cell):
        setting, only = cell
        applied = apply(weights, setting, only)
        numbers = _remember(cache, metric_name, applied.weights, metric)
        options = setting if "technique" in setting else {"technique": "mixed"}
        return {
            **options,
            "label": label(setting) if "technique" in setting else "mixed",
            "nbytes": applied.nbytes,
            "bits_per_weight": applied.bits_per_weight,
            "snr_db": applied.snr_db,
            **numbers,
        }

    rows: list = [None] * len(cells)
    with _bar(len(cells), progress) as step, ThreadPoolExecutor(workers) as pool:
        jobs = {pool.submit(measure, cell): place for place, cell in enumerate(cells)}
        for job in as_completed(jobs):
            place = jobs[job]
            if job.exception() is not None:
                pool.shutdown(cancel_futures=True)
                raise RuntimeError(
                    f"the sweep stopped at {cells[place][0]}: {job.exception()}"
                ) from job.exception()
            rows[place] = job.result()
            step()
    return Rows(rows)


def _remember(cache, metric_name, weights, metric):
    """The metric's answer for these weights, from the cache if it is there."""
    if cache is None:
        return _numbers(metric(weights))
    digest = hashlib.sha256(metric_name.encode())
    for name, array in weights.items():
        digest.update(f"{name} {array.shape} {array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).data)
    path = Path(cache) / f"{digest.hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError):  # not there, or cut short by a full disk
        return json.loads(path.read_text())
    numbers = _numbers(metric(weights))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: a reader never sees half a file.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as part:
        json.dump(numbers, part)
    os.replace(part.name, path)
    return numbers


def _numbers(answer):
    answer = answer if isinstance(answer, dict) else {"metric": answer}
    return {name: float(value) for name, value in answer.items()}


@contextlib.contextmanager
def _bar(total, progress):
    """A function to call after each cell."""
    if progress is None:
        progress = sys.stderr.isatty()
    if not progress or find_spec("tqdm") is None:
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="setting") as bar:
        yield bar.update
