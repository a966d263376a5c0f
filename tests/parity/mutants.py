"""Packages with something changed in them, and every way of the library to look at one.

    python -m tests.parity.mutants FOLDER --count 10000 --seed 0

takes the packages in a folder, changes bytes or decoded messages, and asks every entry point. Allowed are an
answer and a PackageError, ValueError or TypeError that toykit itself raises: anything else, more than ten
seconds of the processor, or more than 2 GiB of memory is a failure, and is printed with the number of the
mutant. Each number is a mutant of its own: `--first 4711 --count 1` makes one again.

A process of its own: it limits its memory, and a mutant that ends it is the parent's to report
(`test_mutants`).
"""

import argparse
import contextlib
import copy
import io
import json
import random
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import toykit as tk
from toykit import cli
from toykit.coreml.format import protobuf
from toykit.coreml.view import graph

MODEL = "Data/com.apple.CoreML/model.mlmodel"
SECONDS, MEMORY = 10, 2**31
NUMBERS = [
    0,
    1,
    2,
    3,
    5,
    7,
    64,
    255,
    1000,
    2**16,
    2**20,
    2**28,
    2**31 - 1,
    2**31,
    2**40,
    2**62,
    2**63 - 1,
    2**64 - 1,
]
NUMBERS += [-1, -2, -3, -(2**31), -(2**63)]
FLOATS = [0.0, -1.0, 0.5, 1e30, -1e30, float("inf"), float("nan")]
TEXTS = [
    "",
    "x",
    "main",
    "\x1b[2J",
    "a" * 5000,
    "const",
    "conv",
    "while_loop",
    "@model_path/weights/weight.bin",
    "$x_",
]


class Hang(BaseException):
    """Ten seconds are over."""


def mutate(rng, path):
    """Change a package on disk in one or two places."""
    kind = rng.choices(["messages", "model", "weights", "manifest"], [60, 20, 15, 5])[0]
    weights = next(iter(sorted(path.rglob("weight.bin"))), None)
    if kind == "weights" and weights is None:
        kind = "model"
    if kind == "messages":
        model = protobuf.decode((path / MODEL).read_bytes(), "Model")
        inner = next(name for name in ("mlProgram", "pipeline") if name in model)
        message = {"mlProgram": "Program", "pipeline": "Pipeline"}[inner]
        model[inner] = protobuf.decode(model[inner], message)
        model = plain(model)
        for _ in range(rng.choice([1, 1, 2])):
            change(rng, model)
        if isinstance(model.get(inner), dict):
            model[inner] = protobuf.encode(model[inner], message)
        (path / MODEL).write_bytes(protobuf.encode(model, "Model"))
        return
    file = {"model": path / MODEL, "weights": weights, "manifest": path / "Manifest.json"}[kind]
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.randrange(len(content) + 1)
        if kind == "weights" and rng.random() < 0.7:  # headers and records, not the middle of an array
            at = rng.choice(
                [0, 4, *(64 * rng.randrange(len(content) // 64 + 1) + k for k in (0, 4, 8, 16, 24))]
            )
        how = rng.randrange(5)
        if how == 0:
            del content[at:]
        elif how == 1:
            del content[at : at + rng.randint(1, 8)]
        elif how == 2:
            content[at:at] = rng.randbytes(rng.randint(1, 8))
        else:
            new = rng.randbytes(1) if how == 3 else (rng.choice(NUMBERS) % 2**64).to_bytes(8, "little")
            content[at : at + len(new)] = new
    file.write_bytes(content)


def plain(tree):
    """A message with lists for arrays, so that it can be changed; bytes of other messages stay."""
    if isinstance(tree, dict):
        return {name: plain(value) for name, value in tree.items()}
    if isinstance(tree, list | np.ndarray):
        return [plain(value) for value in (tree.tolist() if isinstance(tree, np.ndarray) else tree)]
    return bytes(tree) if isinstance(tree, memoryview) else tree


def _places(tree, found):
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        found.append((tree, key))
        if isinstance(value, dict | list):
            _places(value, found)
    return found


def change(rng, model):
    places = _places(model, [])
    holder, key = rng.choice(places)
    value, how = holder[key], rng.random()
    if how < 0.15:
        del holder[key]
    elif how < 0.25 and isinstance(holder, list):
        holder[key:key] = [copy.deepcopy(value)] * rng.choice([1, 1, 2, 100])
    elif how < 0.5:  # another of the same name or kind, and perhaps this one in its place
        alike = [p for p in places if p[1] == key and isinstance(key, str)]
        other, there = rng.choice(alike or [p for p in places if type(p[0][p[1]]) is type(value)])
        if rng.random() < 0.5:
            other[there], holder[key] = copy.deepcopy(value), copy.deepcopy(other[there])
        else:
            holder[key] = copy.deepcopy(other[there])
    elif isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int):
        holder[key] = rng.choice([*NUMBERS, value + 1, value - 1, value * 2])
    elif isinstance(value, float):
        holder[key] = rng.choice(FLOATS)
    elif isinstance(value, str):
        texts = [h[k] for h, k in places if isinstance(h[k], str)]
        holder[key] = rng.choice([*texts, *TEXTS]) if rng.random() < 0.7 else rng.choice(TEXTS)
    elif isinstance(value, bytes):
        holder[key] = value[: rng.randrange(len(value) + 1)] + rng.randbytes(rng.choice([0, 1, 64]))
    else:
        change(rng, value) if value else holder.pop(key)


def _inputs(model):
    given = {}
    for name, feature in model.inputs.items():
        shape = feature.shape
        if np.prod(shape, dtype=float) > 1e6:
            raise ValueError(f"input {name!r} is not made: it would have shape {shape}")
        if feature.kind == "image":
            given[name] = np.ones(shape if feature.color.startswith("GRAY") else (*shape, 3), np.uint8)
        else:
            given[name] = np.ones(shape, feature.dtype if feature.dtype.startswith("int") else np.float32)
    return given


def _predict(path, backend):
    package = tk.coreml.Package(path)
    functions = package.description.functions
    model = tk.coreml.load(package, backend=backend, function=next(iter(functions)) if functions else None)
    model.predict(_inputs(model), model.make_state() or None)


def _after(path):
    ledger = tk.size.ledger(path)
    for technique, options in (("prune", {"sparsity": 0.5}), ("quantize", {}), ("palettize", {"bits": 4})):
        ledger.after(technique, **options, weight_threshold=100).to_markdown()


def _weights(path):
    for weight in tk.coreml.weights(path).values():
        weight.dense() if hasattr(weight, "dense") else np.array(weight)


def _command(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as said:
        status = cli.main(list(map(str, arguments)))
    text = (out.getvalue() + said.getvalue()).replace("\n", "")
    if not text.isprintable():
        raise AssertionError(f"printed what does not print: {text!r}")
    if status not in (0, 1):
        raise ValueError("refused")


ENTRIES = {
    "Package": lambda path, sound: repr(tk.coreml.Package(path)),
    "ledger": lambda path, sound: tk.size.ledger(path).to_markdown(),
    "after": lambda path, sound: _after(path),
    "weights": lambda path, sound: _weights(path),
    "predict with NumPy": lambda path, sound: _predict(path, "numpy"),
    "predict with torch": lambda path, sound: _predict(path, "torch"),
    "compress": lambda path, sound: tk.coreml.compress(path, "quantize", weight_threshold=16),
    "graph": lambda path, sound: graph.read_graph(path).edges(),
    "layers": lambda path, sound: tk.latency.layers(path),
    "explorer": lambda path, sound: tk.widgets.package_explorer(path).fallback(),
    "diff": lambda path, sound: str(tk.diff(sound, path)),
    "verify": lambda path, sound: str(tk.verify(path, sound, samples=1)),
    "where": lambda path, sound: str(tk.where(path, sound, samples=1)),
    "toykit size": lambda path, sound: _command("size", path),
    "toykit compare": lambda path, sound: _command("compare", path, sound, "--samples", "1"),
}


def ask(entry, path, sound):
    """What an entry point makes of a package: ("answer" or "refused", "") or (a kind of failure, a sentence)."""
    signal.signal(signal.SIGPROF, _over)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ENTRIES[entry](path, sound)
        return "answer", ""
    except Hang:
        return "hang", f"more than {SECONDS} s"
    except Exception as error:
        # A sentence is one that toykit raises; what NumPy or Python raise by themselves is a crash.
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        ours = Path(last).is_relative_to(Path(tk.__file__).parent) or last == __file__
        said = f"{type(error).__name__}: {str(error)[-300:]}"
        if any(sign in said for sign in ("MemoryError", "allocate memory", "Unable to allocate")):
            return "memory", said
        if isinstance(error, ValueError | TypeError) and ours:
            return "refused", ""
        return "crash", f"{said} ({last})"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _over(*_):
    raise Hang


def _limit_memory():
    """No more address space than there is now and 2 GiB, where the system knows such a limit."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _peak():
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="of packages to change")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--entries", type=int, help="how many entry points each mutant is shown to (all)")
    parser.add_argument(
        "--log", type=Path, help="where the number of the mutant is noted, and what was found"
    )
    options = parser.parse_args(arguments)
    sources = sorted(options.folder.glob("*.mlpackage"))
    work = options.folder / f"mutant-{options.seed}-{options.first}"
    work.mkdir(exist_ok=True)
    for entry in ENTRIES:  # all that is imported on the way counts before
        for source in sources[:: max(1, len(sources) // 8)]:
            ask(entry, source, source)
    _limit_memory()
    counts, failures, peak = Counter(), [], _peak()
    for number in range(options.first, options.first + options.count):
        rng = random.Random(f"{options.seed} {number}")
        source = rng.choice(sources)
        path = work / "mutant.mlpackage"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(source, path)
        while True:  # a change can be one that no message can say
            with contextlib.suppress(Exception):
                mutate(rng, path)
                break
        chosen = list(ENTRIES)
        if options.entries:
            chosen = ["Package", *rng.sample(chosen[1:], options.entries)]
        for entry in chosen:
            if options.log:
                options.log.write_text(json.dumps({"number": number, "source": source.name, "entry": entry}))
            start = time.process_time()
            result, said = ask(entry, path, source)
            if result in ("answer", "refused") and _peak() > max(MEMORY, peak):
                result, said = "memory", f"{_peak():,} bytes"
            peak = max(peak, _peak())
            counts[f"{entry}: {result}"] += 1
            if result not in ("answer", "refused"):
                failures.append(
                    [number, source.name, entry, result, said, round(time.process_time() - start, 1)]
                )
                print(*failures[-1], sep="\t", file=sys.stderr, flush=True)
    shutil.rmtree(work, ignore_errors=True)
    print(json.dumps({"counts": dict(sorted(counts.items())), "failures": failures, "peak": peak}))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
