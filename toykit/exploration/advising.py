"""What to do with the result of an exploration: steps for a person with an app, each with the lines to run."""

import shlex

from ..coreml.format.package import open_package
from ..coreml.writing.forms import VERSIONS
from .repeating import command

ON_A_DEVICE = """\
Open the package in Xcode, choose Performance, and make a report on your oldest device, for the compute units that the \
app will use. Do the same with the original.
Take turns, six times each: the least and the most of six medians hold the true one with 97 %. A phone that grows hot \
gets slower.
See in the report which operations run on which unit, and compare loading as well as predicting."""
_EXAM = """# exam.py
import numpy as np
search, held_out = ...  # lists of your own samples: ({inputs}, the right answer)

def right(predict, part):
    samples = search if part == "search" else held_out
    return [np.argmax(predict({{{given}}})[{answer!r}]) == wanted for {inputs}, wanted in samples]"""


def steps(found):
    """What to do, in order.

    Parameters
    ----------
    found : Exploration

    Yields
    ------
    tuple of str
        What, how, and lines of code.
    """
    if not found.verification.ok:
        how = "It is not what its recipe makes of the original; what differs is said above."
        yield "Do not ship this package.", how
    elif not found.met:
        yield "Decide whether the nearest is enough.", _what_it_takes(found)
    yield _data(found)
    if not found.metric and "inputs" not in found.arguments:
        how = "Random numbers are no pictures and no sounds. Samples of your own tell more, even without answers:"
        yield "Or at least use inputs of your own.", how, command(found.arguments, inputs="mine.npz")
    yield "Put it into the app.", _system(found)
    how = "on the oldest phone that you support: what is unknown, below, says how. Smaller is not always faster."
    yield "Measure how fast it is,", how
    share = 1.2 if found.goal.nbytes is not None else 0.8
    line = command(found.arguments, at_least=None, budget=round(found.nbytes * share))
    how = (
        "The recipes below show what a megabyte more or less costs. Another budget measures no weight again:"
    )
    yield "Too large, or too rough?", how, line
    plan = [
        "--plan",
        str(found.folder / "recipe.toml"),
        *(["--target", found.target] if found.target else []),
    ]
    line = shlex.join(["toykit", "compress", str(found.source), "smaller.mlpackage", *plan])
    yield "Keep recipe.toml with your code.", "It makes the same package again, without a search:", line


def _what_it_takes(found):
    wider = ["without --unit"] * (found.unit is not None)
    if open_package(found.package).spec_version < VERSIONS["iOS18"]:
        wider.append("with --target iOS18, which holds finer settings")
    tried = f" Or search again {' and '.join(wider)}." if wider else ""
    return f"It is the package that you have; what the goal would take is said above.{tried}"


def _data(found):
    if found.metric:
        judge, wanted = found.held_out or found.judgements[0], found.goal.at_least
        if wanted is not None and judge.low < wanted:
            how = f"The interval reaches down to {judge.low:.3f}, and {wanted:g} was asked for: more samples narrow it."
            return "Judge with more samples.", how
        how = "The metric says how many are right, and not which: try the cases that matter most."
        return "Look at the answers that changed.", how
    description = open_package(found.source).description
    names = ["x" if number == 0 else f"x{number + 1}" for number in range(len(description.inputs))]
    given = ", ".join(f"{name!r}: {variable}" for name, variable in zip(description.inputs, names))
    code = _EXAM.format(given=given, inputs=", ".join(names), answer=next(iter(description.outputs)))
    line = command(found.arguments, inputs=None, budget=None, metric="exam.py:right", at_least=0.98)
    how = "Write a function that says which answers are right, and let it judge:"
    return "Ask your own data.", how, code, line


def _system(found):
    version = open_package(found.package).spec_version
    systems = [name.replace("iOS", "iOS ") for name, number in VERSIONS.items() if number >= version]
    return (
        f"{found.package.name} takes the place of {found.model}: its inputs and outputs are the same. It needs "
        f"{(*systems, 'a newer system')[0]}, or a system of the same year: set the app's deployment target."
    )
