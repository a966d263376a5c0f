"""What a teacher is told of each chapter: `book/teaching.toml`, with the course and the quiz."""

import functools
import tomllib
from dataclasses import dataclass

from . import course, course_map, quizzes
from .project import ROOT

FILE = ROOT / "book" / "teaching.toml"


@dataclass(frozen=True)
class Misconception:
    """What somebody believes, and the question that shows it.

    Attributes
    ----------
    belief : str
    drawn : toykit.quiz.Drawn
        The question, with numbers at which the wrong choice is among those shown.
    choice : str
        The name that the quiz gives to it.
    quiz : str
        The page that asks the question, with other numbers.
    then : str
        What to do with a class that holds it.
    """

    belief: str
    drawn: object
    choice: str
    quiz: str
    then: str

    @property
    def told_by(self):
        """The wrong answer that gives it away."""
        return next(text for text, name in self.drawn.misconceptions.items() if name == self.choice)


@dataclass(frozen=True)
class Part:
    """A part of the book that has a quiz: its number, its caption, its pages, and the page of the quiz."""

    number: int
    caption: str
    pages: list
    quiz: str

    @property
    def chapters(self):
        return [course.chapters()[page] for page in self.pages]

    @property
    def minutes(self):
        """Of teaching, of exercises, and of transfer tasks."""
        return minutes(self.chapters)


def minutes(chapters):
    """The minutes of chapters together: of teaching, of exercises, and of transfer tasks."""
    told = [(one.reading, one.exercises, one.transfer) for one in chapters]
    return tuple(map(sum, zip(*told, strict=True)))


@functools.cache
def notes():
    """What the file says, by chapter."""
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


@functools.cache
def parts():
    """Each `Part` by the name that `toykit.quiz` gives to it."""
    numbered = [part for part in course_map.parts() if part[0].startswith("Part")]
    named = list(quizzes.PAGES.items())[: len(numbered)]
    return {
        name: Part(number, caption, pages, quiz)
        for number, ((caption, pages), (name, quiz)) in enumerate(zip(numbered, named, strict=True), 1)
    }


def misconceptions(page):
    """Each `Misconception` of a chapter.

    Raises
    ------
    KeyError
        If the quiz has no such question, or the question no such wrong choice.
    """
    return [_misconception(**entry) for entry in notes()[page]["misconceptions"]]


def _misconception(belief, question, choice, then):
    from toykit import quiz

    asked = {name: (part, one) for part in quizzes.PAGES for name, one in quiz.questions(part).items()}
    part, one = asked[question]
    if choice not in one.wrong:
        raise KeyError(f"{question} has no wrong choice {choice!r}; it has {', '.join(one.wrong)}")
    # Not every draw shows every wrong choice.
    draws = (one.draw(seed) for seed in range(1, 100))
    drawn = next(each for each in draws if choice in each.misconceptions.values())
    return Misconception(belief, drawn, choice, quizzes.PAGES[part], then)
