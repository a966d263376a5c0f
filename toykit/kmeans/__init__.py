"""Cluster numbers, and vectors, around a few centroids: what palettization stands on.

`line` holds what is asked of it for numbers, where the least error can be found; `dynamic_programming` and
`lagrangian` find it, by two routes, the second one with NumPy (`blocks`) or machine code (`loops`). `vectors` is the
k-means of machine learning, for rows of several numbers. `tables` makes the look-up tables of palettization with them.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
