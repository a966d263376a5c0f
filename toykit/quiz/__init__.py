"""Questions with numbers drawn from a seed, answers that toykit computes, and wrong choices that say what went wrong.

Each part of the book has a module of its questions, and the weight puzzles have one. A question is a function that
draws numbers; what it asks, and what it says of each wrong choice, are texts with places for these numbers. A wrong
choice is what a misconception makes of the same numbers, so another seed asks anew.

    question = tk.quiz.questions("techniques")["pruned_bytes"]
    drawn = question.draw(seed=3)
    drawn.text, drawn.choices, drawn.right
    drawn.feedback[drawn.choices[0]]
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
