"""Checkers for the book's exercises: `check.pruning_mask(my_function)`.

A checker runs the learner's function on small cases with known answers, on edge cases and on random
ones. It says which input broke it, what came out, what was expected, and what to look at; it never
shows the solution. Each chapter's exercises are in the module of the chapter's name; NumPy is all
that they need.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
