"""`timeline_explorer`: eight requests on their way through three stages, with a cap on how many are on it.

The arithmetic is a few lines, and the widget does it itself, because its sliders have too many
positions for a table. A test holds it equal to `schedule`.
"""

from dataclasses import dataclass

import traitlets

from ..compressed import check_int
from .base import Instrument, between, table

REQUESTS = 8
RANGES = {"prepare": (0, 8), "predict": (1, 8), "finish": (0, 8), "gap": (0, 8), "cap": (1, REQUESTS)}


@dataclass(frozen=True)
class Schedule:
    """When everything happens, in units of time.

    Attributes
    ----------
    arrivals, ends : tuple
        Of each request.
    stages : tuple of tuple of (begin, end)
        For each request: preparing, predicting, finishing.
    """

    arrivals: tuple
    stages: tuple
    ends: tuple

    @property
    def rate(self):
        return len(self.ends) / self.ends[-1]

    @property
    def latency(self):
        return (sum(self.ends) - sum(self.arrivals)) / len(self.ends)


def schedule(prepare=2, predict=4, finish=1, gap=0, cap=3):
    """Run the requests: each stage works on one at a time, in order of arrival.

    Parameters
    ----------
    prepare, predict, finish : int
        Units of time that a stage takes.
    gap : int
        Between two arrivals; with 0 all are there at the beginning.
    cap : int
        How many requests may be between their preparing and their end. With 1 nothing overlaps.

    Returns
    -------
    Schedule

    Examples
    --------
    >>> schedule(cap=1).ends[-1], schedule(cap=8).ends[-1]
    (56, 35)
    """
    free, arrivals, stages, ends = [0, 0, 0], [], [], []
    for number in range(REQUESTS):
        now = arrival = number * gap
        if number >= cap:
            now = max(now, ends[number - cap])
        steps = []
        for stage, length in enumerate((prepare, predict, finish)):
            begin = max(now, free[stage])
            now = free[stage] = begin + length
            steps.append((begin, now))
        arrivals.append(arrival)
        stages.append(tuple(steps))
        ends.append(now)
    return Schedule(tuple(arrivals), tuple(stages), tuple(ends))


class TimelineExplorer(Instrument, js="timeline"):
    """The widget; its options are traits, set by its controls or from Python."""

    ranges = traitlets.Dict().tag(sync=True)
    requests = traitlets.Int(REQUESTS).tag(sync=True)
    prepare = traitlets.Int(2).tag(sync=True)
    predict = traitlets.Int(4).tag(sync=True)
    finish = traitlets.Int(1).tag(sync=True)
    gap = traitlets.Int(0).tag(sync=True)
    cap = traitlets.Int(3).tag(sync=True)

    @traitlets.validate("prepare", "predict", "finish", "gap", "cap")
    def _check(self, proposal):
        return between(proposal, *RANGES[proposal["trait"].name])

    def schedule(self):
        """Return the `Schedule` of the present settings."""
        return schedule(self.prepare, self.predict, self.finish, self.gap, self.cap)

    def fallback(self):
        rows = []
        for cap in (1, 2, 3, REQUESTS):
            found = schedule(self.prepare, self.predict, self.finish, self.gap, cap)
            rows.append((cap, found.ends[-1], f"{found.rate:.2f}", f"{found.latency:.1f}"))
        return table(
            f"{self.label}: preparing takes {self.prepare}, predicting {self.predict}, "
            f"finishing {self.finish}",
            ("At most in flight", "All done at", "Done in a unit of time", "Mean latency"),
            rows,
        )


def timeline_explorer(prepare=2, predict=4, finish=1, gap=0, cap=3):
    """Let requests overlap, and watch who waits for whom.

    Parameters
    ----------
    prepare, finish : int from 0 to 8
        Units of time before and after the prediction.
    predict : int from 1 to 8
    gap : int from 0 to 8
        Units of time between two arrivals.
    cap : int from 1 to 8
        Requests in flight at most.

    Returns
    -------
    TimelineExplorer

    Examples
    --------
    >>> timeline_explorer(cap=1).schedule().ends[-1]
    56
    """
    given = {"prepare": prepare, "predict": predict, "finish": finish, "gap": gap, "cap": cap}
    given = {
        name: check_int(name, value, range(RANGES[name][0], RANGES[name][1] + 1))
        for name, value in given.items()
    }
    ranges = {name: list(ends) for name, ends in RANGES.items()}
    return TimelineExplorer(label="Eight requests", ranges=ranges, **given)
