"""Cluster numbers, and vectors, around a few centroids: what palettization stands on.

`line` holds what is asked of it for numbers, where the least error can be found; `dynamic_programming` and
`lagrangian` find it, by two routes. `vectors` is the k-means of machine learning, for rows of several
numbers. `tables` makes the look-up tables of palettization with them.
"""

from .._lazy import lazy

# Public name -> the module that defines it.
_HOME = {
    "Clusters": "line",
    "RunCosts": "dynamic_programming",
    "cheapest_partition": "lagrangian",
    "check_values": "line",
    "distinct": "line",
    "exact": "line",
    "lloyd": "line",
    "nearest": "line",
}

__all__, __getattr__, __dir__ = lazy(__name__, _HOME)
