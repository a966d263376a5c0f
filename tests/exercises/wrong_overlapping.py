"""Wrong answers that people give to the exercises of the chapter about requests that overlap."""

import numpy as np


def _keeping(nbytes, milliseconds, rate, each, memory, fits, up=999):
    for number, (size, ms) in enumerate(zip(nbytes.tolist(), milliseconds.tolist())):
        count = (rate * ms + up) // 1000
        if fits(size, count, each, memory):
            return number, count
    return -1, 0


def _whole(size, count, each, memory):
    return size + count * each <= memory


def _smallest_first(n, ms, *rest):
    order = np.argsort(n, kind="stable")
    number, count = _keeping(n[order], ms[order], *rest, _whole)
    return (int(order[number]), count) if number >= 0 else (-1, 0)


WRONG = {
    "in_flight": [
        (lambda a, e: float(len(a)), "counts time"),
        (lambda a, e: (e - a).mean(), "not by the number"),
        (lambda a, e: (e - a).sum() / e.max(), "begins with the first"),
        (lambda a, e: (e - a).sum() / (e[-1] - a[0]), "need not be the last"),
        (lambda a, e: len(a) / (e.max() - a.min()), "That is the rate"),
        (lambda a, e: float((e - a).sum()), "Add up"),
        (lambda a, e: e - a, ""),
    ],
    "pipeline_seconds": [
        (lambda stages, requests: sum(stages) * requests, "one request after the other"),
        (lambda stages, requests: requests * max(stages), "passes through all"),
        (lambda stages, requests: sum(stages) + requests * max(stages), "requests - 1"),
        (lambda stages, requests: sum(stages) + (requests - 1) * stages[0], "whichever it is"),
        (lambda stages, requests: sum(stages) + (requests - 1) * sum(stages) / len(stages), "A mean"),
        (lambda stages, requests: sum(stages), "have to be worked on at once"),
        (lambda stages, requests: requests, "Draw three"),
        (lambda stages, requests: [0] * requests, ""),
    ],
    "largest_batch": [
        (lambda fixed, each, gap, deadline: max((deadline - fixed) // each, 0), "waits for the others"),
        (
            lambda fixed, each, gap, deadline: max((deadline - fixed) // (each + gap), 0),
            "has arrived already",
        ),
        (lambda fixed, each, gap, deadline: max((deadline + gap) // (each + gap), 0), "fixed time in each"),
        (
            lambda fixed, each, gap, deadline: max(-(-(deadline - fixed + gap) // (each + gap)) - 1, 0),
            "is in time",
        ),
        (
            lambda fixed, each, gap, deadline: max((deadline - fixed + gap) // (each + gap), 0) + 1,
            "round down",
        ),
        (lambda fixed, each, gap, deadline: (deadline - fixed + gap) / (each + gap), "whole number"),
        (lambda fixed, each, gap, deadline: abs((deadline - fixed + gap) // (each + gap)), "not even one"),
        (lambda fixed, each, gap, deadline: 100, "Solve that"),
        (lambda fixed, each, gap, deadline: "8", ""),
    ],
    "keeps_up": [
        (
            lambda *args: found if (found := _keeping(*args, _whole))[0] >= 0 else (len(args[0]) - 1, 0),
            "say so with",
        ),
        (
            lambda *args: _keeping(*args, lambda size, count, each, memory: size + each <= memory),
            "memory of its own",
        ),
        (
            lambda *args: _keeping(*args, lambda size, count, each, memory: count * (size + each) <= memory),
            "there once",
        ),
        (
            lambda *args: _keeping(*args, lambda size, count, each, memory: count * each <= memory),
            "weights take memory",
        ),
        (lambda *args: _keeping(*args, _whole, up=0), "round up"),
        (
            lambda *args: _keeping(*args, lambda size, count, each, memory: size + count * each < memory),
            "Exactly at",
        ),
        (_smallest_first, "A smaller one is not asked for"),
        (lambda *args: (7, 7), "Little's law"),
        (lambda *args: _keeping(*args, _whole)[0], ""),
    ],
}
