"""Marking: the answers of a whole class to the exercises, each run again, in one table.

`answers` finds the exercises in what was handed in, `examining` checks those of one file in a process of its own, and
`marks` makes the table.

    print(tk.marking.mark("handed_in"))
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
