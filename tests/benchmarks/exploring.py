"""Print what `toykit explore` takes and finds: `python -m tests.benchmarks.exploring [part ...]`.

Parts: `sensitivity` (200 settings of ResNet-50 on one input), `whole` (the default search of ResNet-50 and of CREPE),
`best` (bytes over the best of all combinations, on networks small enough), `pitch` (CREPE by its exam, against the best
uniform setting of equal accuracy) and `killed` (what is lost). Seconds are of the processor, of all processes together,
and of the clock in brackets; a clock that is far above half of the processor's was on a loaded machine. ResNet-50 has
random weights: it is here for speed.
"""

import itertools
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

import toykit as tk
from tests.benchmarks.compressing import packages
from tests.exploration import nets
from toykit.exploration.judging import Fidelity
from toykit.exploration.metrics import HELD_OUT, SEARCH, Metric
from toykit.exploration.store import NAME
from toykit.exploration.writing import Writer

JOBS = 2
UNIFORM = [
    *({"technique": "palettize", "bits": bits} for bits in (8, 6, 4, 3, 2)),
    *({"technique": "palettize", "bits": bits, "group_size": 16} for bits in (4, 3, 2)),
    {"technique": "quantize", "bits": 8},
    {"technique": "quantize", "bits": 4, "granularity": "per_block", "block_size": 32},
    {"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 4}},
]
EXAM = """
import numpy as np
import toykit as tk

N = 300
TONES = {part: tk.data.tones.hard_tones(N, seed=seed) for part, seed in (("search", 2), ("held out", 5))}


def within_50(predict, part):
    tones = TONES[part]
    batches = np.split(tones.frames.astype(np.float32), N // 50)
    answers = np.concatenate([next(iter(predict({"INPUT": one}).values())) for one in batches])
    return np.abs(tk.data.pitch.error_cents(tk.data.pitch.decode(answers), tones.hertz)) <= 50
"""


def command(model, out, *more, jobs=JOBS):
    """What stands behind `python`, to explore a model."""
    return list(map(str, ("-m", "toykit.cli", "explore", model, "--jobs", jobs, "--out", out, *more)))


def timed(line, **options):
    """(seconds of processor, of clock, peak bytes of a process) of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *map(str, line)], check=False, stdout=subprocess.DEVNULL, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - start, after.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def sensitivity(folder, resnet):
    """The first 200 settings."""
    code = (
        "import sys, toykit as tk\n"
        "from pathlib import Path\n"
        "from toykit.exploration import measuring, sensitivity as s, settings, sources, store\n"
        "package = tk.coreml.Package(sys.argv[1])\n"
        "inputs = sources.parts_of(tk.coreml.load(package), None, 1)[0]['search']\n"
        "main = measuring.Measurer(package, inputs, 9)\n"
        "few = settings.ALL[3:7]\n"
        "main.weights = dict([i for i in main.weights.items() if main.nbytes(i[0], few[0])][:50])\n"
        "with store.Store(Path(sys.argv[2])).opened() as kept:\n"
        "    s.sensitivity(package, main, inputs, few, kept, jobs=int(sys.argv[3]))\n"
        "    print(kept.measured, file=sys.stderr)\n"
    )
    used, clock, peak = timed(["-c", code, resnet, folder, JOBS])
    print(
        f"200 settings of ResNet-50 on one input: {used:.0f} s ({clock:.0f}), {peak / 2**20:,.0f} MiB a process at most"
    )
    print(f"that is {200 * 60 * JOBS / used:.0f} settings a minute on {JOBS} quiet cores")


def whole(folder, *models):
    """The default search, as it is typed."""
    for model in models:
        out = Path(folder, f"whole {model.stem}")
        used, clock, peak = timed(command(model, out))
        print(
            f"default search of {model.stem}: {used:.0f} s ({clock:.0f}), {peak / 2**20:,.0f} MiB a process at most"
        )
        found = tk.explore(model, out=out, jobs=JOBS)
        uniform = smallest_uniform(model, found)
        print(
            f"  {found.nbytes_before / 1e6:.2f} -> {found.nbytes / 1e6:.2f} MB, "
            f"{found.held_out.value:.1f} dB held out"
        )
        print(f"  the smallest uniform setting of 30 dB, held out: {uniform}")


def smallest_uniform(model, found):
    """Of the settings for all weights alike the smallest that the held-out part lets pass, in words."""
    package = tk.coreml.Package(model)
    judge, writer = Fidelity(package, 9, 2**30, None, 2, 0), Writer(package, None, 9)
    passed = []
    for setting in UNIFORM:
        recipe = {
            name: setting for name in judge.main.weights if judge.main.nbytes(name, setting) is not None
        }
        level, _ = judge.recipe(recipe, "held out")
        if level >= found.goal.at_least:
            passed.append((writer.nbytes(recipe), level, setting))
    if not passed:
        return "none"
    nbytes, level, setting = min(passed, key=lambda one: one[0])
    return f"{tk.sweep.label(setting)}, {nbytes / 1e6:.2f} MB, {level:.1f} dB"


def best(folder, networks=6):
    """Bytes over the smallest of all combinations that both parts let pass."""
    few = [
        {"technique": "quantize", "bits": 8},
        *({"technique": "palettize", "bits": bits} for bits in (6, 4, 3, 2)),
    ]
    over = []
    for seed in range(networks):
        path = nets.chain(Path(folder, f"chain {seed}.mlpackage"), (48, 64, 56, 72, 50), 10 * seed)
        package = tk.coreml.Package(path)
        judge, writer = Fidelity(package, 9, 2**30, None, 2, 0), Writer(package, None, 9)
        every = []
        for settings in itertools.product([None, *few], repeat=4):
            recipe = {f"w{n}": one for n, one in enumerate(settings) if one}
            every.append(
                (writer.nbytes(recipe), *(judge.recipe(recipe, part)[0] for part in ("search", "held out")))
            )
        for goal in (15, 20, 25, 30, 35):
            found = tk.explore(path, out=Path(folder, f"best {seed}"), at_least=goal, settings=few)
            least = min(nbytes for nbytes, *levels in every if min(levels) >= goal)
            over.append(found.nbytes / least - 1)
    print(
        f"bytes over the best of {len(every):,} recipes, {len(over)} searches: {sum(one == 0 for one in over)} found "
        f"it, mean {np.mean(over):.2%}, most {max(over):.2%}"
    )


def pitch(folder):
    """CREPE by its exam of hard tones, 50 frames at a time: at most one of a hundred fewer within 50 cents."""
    import torch

    crepe = Path(folder, "CREPE of 50.mlpackage")
    tk.coreml.save(tk.coreml.convert(tk.models.crepe(), torch.zeros(50, 1024), target="iOS18"), crepe)
    model = tk.coreml.load(crepe)
    exam = Path(folder, "exam.py")
    exam.write_text(EXAM.replace("INPUT", next(iter(model.inputs))))
    metric, out = f"{exam}:within_50", Path(folder, "pitch")
    judge = Metric(metric)
    goal = judge(model.predict, SEARCH).value - 0.01
    used, clock, peak = timed(command(crepe, out, "--metric", metric, "--at-least", goal))
    print(
        f"CREPE by its exam, at least {goal:.3f}: {used:.0f} s ({clock:.0f}), {peak / 2**20:,.0f} MiB a process at most"
    )
    print(tk.explore(crepe, out=out, metric=metric, at_least=goal, jobs=JOBS))
    for setting in UNIFORM:
        small = tk.coreml.compress(crepe, [setting])
        predict = tk.coreml.load(small).predict
        search, held_out = judge(predict, SEARCH), judge(predict, HELD_OUT)
        print(
            f"  {tk.sweep.label(setting):32} {small.nbytes / 1e6:6.2f} MB  search {search.value:.3f}, held out "
            f"{held_out.value:.3f} ({held_out.low:.3f} to {held_out.high:.3f})"
        )


def until(out, line, count):
    """Seconds of the processor of a run that is killed after more than `count` measurements, and the file's lines."""
    file = out / NAME
    run = psutil.Popen(line, stdout=subprocess.DEVNULL)
    while not file.exists() or file.read_bytes().count(b"\n") <= count + 1:
        time.sleep(0.05)
    spent = run.cpu_times()
    run.kill()
    run.wait()
    return spent.user + spent.system, file.read_text().splitlines()[1:]


def killed(folder, crepe):
    """What a kill loses: what the run had spent and did not keep, and what the next needs before it goes on."""
    out = Path(folder, "killed")
    line = [sys.executable, *command(crepe, out, jobs=1)]
    spent, rows = until(out, line, 40)
    kept = sum(float(row.rpartition(",")[2]) for row in rows)
    again, more = until(out, line, len(rows))
    twice = len(more) - len({row.partition(",")[0] for row in more})
    print(
        f"killed after {len(rows)} measurements: {spent:.1f} s spent, {kept:.1f} s kept; the first new measurement "
        f"came after {again:.1f} s, {twice} were made twice"
    )


def main(parts):
    with tempfile.TemporaryDirectory() as folder:
        needed = {"sensitivity", "whole", "killed"} & set(parts)
        crepe, resnet = packages(folder) if needed else (None, None)
        calls = {
            "sensitivity": lambda: sensitivity(folder, resnet),
            "whole": lambda: whole(folder, resnet, crepe),
            "best": lambda: best(folder),
            "pitch": lambda: pitch(folder),
            "killed": lambda: killed(folder, crepe),
        }
        for part in parts:
            calls[part]()


if __name__ == "__main__":
    main(sys.argv[1:] or ["sensitivity", "whole", "best", "pitch", "killed"])
