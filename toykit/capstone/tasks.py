"""What the capstone asks for: a network, a budget of bytes, a share of right answers, and a system.

The test data are drawn from a seed. They are made, or chosen from many, when the package has been handed in: nobody
can have compressed it for them.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .. import models
from ..compressed import SEEDS, check_choice, check_int
from ..data import pitch, word_pieces, words
from ..data.sentences import sentiment
from ..data.tones import hard_tones

SAMPLES = range(2, 4001)  # there are not many more rated sentences
PIECES = 64  # of a word, in a sentence
DIFFICULTY = 0.95  # of the words to read


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
    draw : callable (samples, seed) -> (dict of str to array, callable (answers, places) -> array of bool)
        The inputs, and who marks the answers to those samples: right or wrong, for each.
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

    def mark(answers, places):
        return np.abs(pitch.error_cents(pitch.decode(answers), tones.hertz[places])) <= 50

    return {"frames": tones.frames}, mark


def _sentences(samples, seed):
    drawn = sentiment(samples, seed=seed)
    inputs = {}
    for name, part in zip(("pieces", "mask"), word_pieces.numbers(drawn.texts, PIECES), strict=True):
        inputs[name] = np.pad(part, ((0, 0), (0, PIECES - part.shape[1])))
    head, offset = _head()
    return inputs, lambda answers, places: (answers @ head + offset > 0) == (drawn.ratings[places] > 0)


@cache
def _head():
    """What tells good from bad by the given network's vectors; found on the part for training."""
    exam = models.SentimentExam(sentiment(2))
    return exam.head, exam.offset


def _words(samples, seed):
    drawn = words.draw(samples, seed, DIFFICULTY)
    texts = np.array(drawn.texts)
    return {"images": drawn.images}, lambda answers, places: np.array(models.read(answers)) == texts[places]


_BEST = json.loads(Path(__file__).with_name("best.json").read_text(encoding="utf-8"))
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
        Task(
            "sentiment",
            "MiniLM's vectors tell good sentences from bad ones",
            9_000_000,
            0.72,
            "iOS18",
            {"pieces": (PIECES,), "mask": (PIECES,)},
            (384,),
            1000,
            _BEST["sentiment"],
            _sentences,
        ),
        Task(
            "reading",
            "PP-OCRv6 reads small, noisy words, every letter right",
            4_500_000,
            0.88,
            "iOS18",
            {"images": (3, words.HEIGHT, words.WIDTH)},
            (24, 18_710),
            400,
            _BEST["reading"],
            _words,
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
    mark : callable (answers, places) -> array of bool
    """
    samples = task.samples if samples is None else check_int("samples", samples, SAMPLES)
    return task.draw(samples, check_int("seed", seed, SEEDS))
