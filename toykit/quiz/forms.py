"""Two equivalent forms of a test, for before and after a course: the same questions with other numbers.

A form is fixed: whoever prints it next year prints the same. Which one is handed out first does not matter, and should
be drawn: the page "Measuring what was learned" says how.
"""

from ..compressed import check_choice
from .parts import questions

FORMS = {"A": 101, "B": 202}  # the seed of each
# Three of each part: one of reckoning, one of a default that surprises, one of judgement.
_ASKED = {
    "size": ("conv_parameters", "folded", "in_memory"),
    "techniques": ("pruned_bytes", "outlier", "palette_bytes"),
    "accuracy": ("beaten", "output_off", "straight_through"),
    "tools": ("oldest_system", "joint_flag", "where_parts_lie"),
    "speed": ("half_the_bits", "reported", "smallest_good"),
}


def form(name):
    """The questions of a form, in the order of the book.

    Parameters
    ----------
    name : {"A", "B"}

    Returns
    -------
    list of Drawn

    Raises
    ------
    TypeError, ValueError
        If there is no such form.

    Examples
    --------
    >>> a, b = form("A"), form("B")
    >>> [one.name for one in a] == [other.name for other in b]
    True
    """
    seed = FORMS[check_choice("name", name, tuple(FORMS))]
    return [questions(part)[asked].draw(seed) for part, names in _ASKED.items() for asked in names]
