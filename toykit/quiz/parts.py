"""The questions of each part of the book, by name."""

from ..compressed import check_choice
from . import accuracy, puzzles, size, speed, techniques, tools
from .framework import Question

_MODULES = {
    "size": size,
    "techniques": techniques,
    "accuracy": accuracy,
    "tools": tools,
    "speed": speed,
    "puzzles": puzzles,
}
PARTS = tuple(_MODULES)


def questions(part):
    """The questions of a part, in the order of the book.

    Parameters
    ----------
    part : {"size", "techniques", "accuracy", "tools", "speed", "puzzles"}

    Returns
    -------
    dict of str to Question

    Raises
    ------
    TypeError, ValueError
        If there is no such part.

    Examples
    --------
    >>> len(questions("puzzles"))
    12
    """
    module = _MODULES[check_choice("part", part, PARTS)]
    return {name: found for name, found in vars(module).items() if isinstance(found, Question)}
