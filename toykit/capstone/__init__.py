"""The capstone: make a network smaller than a budget, and as right as asked for, for a stated system.

`tasks` says what is asked, `scoring` runs one package in a process of its own, and `collecting` all packages of a
class. What counts is the file: whoever made it, and whatever it says of itself.

    print(tk.capstone.score("Small.mlpackage", "pitch"))
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
