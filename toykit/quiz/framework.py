"""A question as data: texts with places for numbers, and a function that draws the numbers.

    @question(
        "01_where_50_mb#From parameters to bytes",
        "A network has {millions} million parameters. How large are they in float16?",
        because="{millions} million times 2 bytes.",
        answer="{} MB",
        wrong={"counted a byte each": "A float16 takes 2 bytes.", ...},
    )
    def float16_bytes(random):
        millions = pick(random, 5, 7, 12)
        return case(2 * millions, {"counted a byte each": millions, ...}, millions=millions)

The name of a wrong choice is that of its misconception. A question may know more misconceptions than one draw shows.
What is shown is compared: where two choices look alike, the numbers are drawn again, so no seed makes a choice right
by accident.
"""

import re
import string
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..compressed import SEEDS, check_int

_MINUS = re.compile(r"(?<![\w.])-(?=\d)")  # of a number; a hyphen stands between letters
TRIES = 200  # draws until the choices differ; a question that needs more is badly made


@dataclass(frozen=True)
class Drawn:
    """A question with its numbers.

    Attributes
    ----------
    name : str
        Of the question.
    section : str
        Where it can be answered from: a notebook and one of its headings, "02_pruning#Five by five".
    text : str
        What is asked, in the small Markdown of `toykit.widgets`.
    choices : tuple of str
        In the order in which they are shown.
    right : str
        One of them.
    misconceptions : dict of str to str
        The name of the misconception behind each wrong choice.
    feedback : dict of str to str
        What is said of each wrong choice. It does not tell the right one.
    because : str
        How the right one comes about.
    given : dict
        The numbers that were drawn, as they are.
    grids : tuple of (str, list of lists of str)
        Pictures of weights, with a caption each.
    """

    name: str
    section: str
    text: str
    choices: tuple
    right: str
    misconceptions: dict
    feedback: dict
    because: str
    given: dict
    grids: tuple = ()


def fill(text, *values, **named):
    """A text with its numbers, and a true minus sign before those below zero."""
    return _MINUS.sub("\N{MINUS SIGN}", text.format(*values, **named))


@dataclass(frozen=True)
class Case:
    """What a question's function returns: the right answer, wrong ones by misconception, and its numbers."""

    right: object
    wrong: dict
    given: dict
    grids: tuple = ()


@dataclass(frozen=True)
class Question:
    """A question that can be drawn with any seed.

    Attributes
    ----------
    name, section : str
    text, because : str
        With places for numbers, such as ``{n:,}``.
    answer : str
        How an answer is shown, such as ``{:,} bytes``.
    wrong : dict of str to str
        What is said to each misconception.
    function : callable
        Takes a `numpy.random.Generator`, returns a `Case`, or None for numbers that it does not like.
    """

    name: str
    section: str
    text: str
    because: str
    answer: str
    wrong: dict
    function: Callable = field(repr=False)

    @property
    def places(self):
        """The places for numbers in all its texts: ``{"n:,": ("n", ",")}``."""
        texts = (self.text, self.because, *self.wrong.values())
        parsed = (part for text in texts for part in string.Formatter().parse(text))
        return {f"{name}:{form}" if form else name: (name, form) for _, name, form, _ in parsed if name}

    def show(self, value):
        """An answer as a choice shows it."""
        values = value if isinstance(value, tuple) else (value,)
        return fill(self.answer, *values)

    def case(self, seed):
        """The `Case` of a seed, and its choices: (misconception or None for the right one, text), as shown.

        Raises
        ------
        TypeError, ValueError
            If `seed` is not a whole number from 0 to 2**63 - 1.
        """
        seed = check_int("seed", seed, SEEDS)
        # Of the question's own, so that the first numbers of one tell nothing of the next one's.
        random = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        for _ in range(TRIES):
            found = self.function(random)
            if found is None:
                continue
            choices = [(None, self.show(found.right)), *((k, self.show(v)) for k, v in found.wrong.items())]
            if len({text for _, text in choices}) == len(choices):
                return found, [choices[i] for i in random.permutation(len(choices))]
        raise RuntimeError(f"{self.name}: in {TRIES} draws no choices that differ")

    def draw(self, seed):
        """The question with the numbers of a seed.

        Parameters
        ----------
        seed : int
            From 0 to 2**63 - 1.

        Returns
        -------
        Drawn

        Raises
        ------
        TypeError, ValueError
            If `seed` is something else.

        Examples
        --------
        >>> from toykit.quiz import questions
        >>> drawn = questions("size")["bytes_of_type"].draw(seed=2)
        >>> drawn.text
        'A network has 14.3 million parameters, stored in float32. How large is that?'
        >>> drawn.right, drawn.misconceptions["14.3 MB"]
        ('57.2 MB', 'a byte for each')
        """
        found, choices = self.case(seed)
        return Drawn(
            name=self.name,
            section=self.section,
            text=fill(self.text, **found.given),
            choices=tuple(text for _, text in choices),
            right=self.show(found.right),
            misconceptions={text: name for name, text in choices if name},
            feedback={text: fill(self.wrong[name], **found.given) for name, text in choices if name},
            because=fill(self.because, **found.given),
            given=found.given,
            grids=found.grids,
        )


def question(section, text, *, because, wrong, answer="{}"):
    """Make a `Question` of the function below, which has its name."""

    def made(function):
        return Question(function.__name__, section, text, because, answer, wrong, function)

    return made


def case(right, wrong, grids=(), **given):
    """What the function of a question returns."""
    return Case(right, wrong, given, grids)


def pick(random, *options):
    """One of several values, as it is."""
    return options[random.integers(len(options))]


def layer(random, *shape):
    """Up to 2,253 weights in float16, no two magnitudes so near that a threshold between them is one of them."""
    patterns = random.choice(
        np.arange(0x1400, 0x4000, 5, dtype=np.uint16), int(np.prod(shape)), replace=False
    )
    signs = random.choice(np.array([-1, 1], np.float16), patterns.size)
    return (patterns.view(np.float16) * signs).reshape(shape)
