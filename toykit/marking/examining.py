"""Check the answers of one file, in a process that is there for nothing else: `python -m toykit.marking.examining`.

It reads from standard input what it shall do, as JSON, and writes a line of JSON with the names of the exercises, and
one for each as soon as it is checked. Where an answer never ends, or ends the process, `marks` knows by the line that
is missing which one it was.
"""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np

import toykit

from .. import _apart
from ..exercises import check
from ..exercises.limits import LIMIT, TimeUp, time_limit
from . import answers

LARGEST = 50_000_000  # bytes; the book's own notebooks have less than 3,000,000


def examine(answer):
    """The result of an answer, "passed", "failed" or "untouched", and what is wrong with it."""
    checker = check.all()[answer.exercise]
    if not answer.function:
        return "failed", "There is no function of that name."
    names = {"__name__": "__main__", "np": np, "tk": toykit, "check": check}
    try:
        with time_limit():
            exec(compile(answer.code, "<answer>", "exec"), names)
        report = checker(names.get(answer.function))
    except TimeUp:
        return "failed", f"Its cell had not ended after {LIMIT} seconds."
    except BaseException as error:  # whatever a stranger's code raises, the end of the program included
        return "failed", f"Its cell stopped: {type(error).__name__}: {error}"
    if report.untouched:
        return "untouched", ""
    said = [report.problem, *(value for heading, value in report.details if heading == "Error")]
    return "passed" if report.passed else "failed", " ".join(said).strip()


def main():
    asked = json.load(sys.stdin)
    # What an answer prints must not pass for a result.
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdin = io.StringIO()
    path = Path(asked["path"])
    check.all()
    _apart.limit(asked["memory"], asked["seconds"])
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST:,} bytes")
        text = path.read_text(encoding="utf-8")
        found = (answers.in_notebook if path.suffix == ".ipynb" else answers.in_file)(text)
    except (MemoryError, OSError, RecursionError, ValueError) as error:
        said = "it is no text" if isinstance(error, UnicodeDecodeError) else str(error)
        print(json.dumps({"problem": said or type(error).__name__}), file=told, flush=True)
        return
    print(json.dumps({"exercises": [one.exercise for one in found]}), file=told, flush=True)
    for one in found:
        if one.exercise not in asked["done"]:
            result, problem = examine(one)
            line = json.dumps({"exercise": one.exercise, "result": result, "problem": problem[:2000]})
            print(line, file=told, flush=True)


if __name__ == "__main__":
    main()
