"""What the capstone asks for: a network, a budget of bytes, a share of right answers, and a system.

The test data are drawn from a seed. They are made, or chosen from many, when the package has been handed in: nobody
can have compressed it for them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from ..compressed import SEEDS, check_choice, check_int
from ..data import pitch
from ..data.tones import hard_tones


@dataclass(frozen=True)
class Task:
    """A network to be made small, and how small it must become.

    Attributes
    ----------
    name, about : str
    budget : int
        Bytes that the package may take, all its files together.
    floor : float
        Share of the answers that must be right.
    target : str
        The oldest system that must read it, such as "iOS18".
    inputs : dict of str to tuple of int
        Shapes of one sample by the names of the given package, without the axis of samples.
    output : tuple of int
        Shape of the answer to one sample.
    samples : int
        How many are drawn.
    best : dict
        What we have reached ourselves: `how`, `bytes`, `right`, `samples` and `seed`.
    draw : callable (samples, seed) -> (dict of str to array, callable (answers) -> array of bool)
        The inputs, and who marks the answers: right or wrong, for each.
    """

    name: str
    about: str
    budget: int
    floor: float
    target: str
    inputs: dict
    output: tuple
    samples: int
    best: dict
    draw: Callable


def _tones(samples, seed):
    tones = hard_tones(samples, seed)
    return {
        "frames": tones.frames
    }, lambda answers: np.abs(pitch.error_cents(pitch.decode(answers), tones.hertz)) <= 50


_BEST = json.loads(files(__package__).joinpath("best.json").read_text(encoding="utf-8"))
TASKS = {
    task.name: task
    for task in (
        Task(
            "pitch",
            "CREPE hears the pitch of noisy tones, to within 50 cents",
            5_900_000,
            0.94,
            "iOS18",
            {"frames": (1024,)},
            (360,),
            400,
            _BEST["pitch"],
            _tones,
        ),
    )
}


def find_task(task):
    """A task by its name, or one as it is."""
    return task if isinstance(task, Task) else TASKS[check_choice("task", task, tuple(TASKS))]


def draw(task, seed, samples=None):
    """The test data of a seed: the same on every computer, up to rounding.

    Parameters
    ----------
    task : Task
    seed : int
    samples : int, optional
        By default as many as the task says.

    Returns
    -------
    inputs : dict of str to array
    mark : callable (answers) -> (n,) array of bool
    """
    samples = task.samples if samples is None else check_int("samples", samples, range(1, 100_001))
    return task.draw(samples, check_int("seed", seed, SEEDS))
