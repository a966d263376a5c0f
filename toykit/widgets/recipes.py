"""`recipe_explorer`: what an exploration found, a recipe at a time.

The pictures are drawn in Python (`toykit.plots.recipes`), for pages without JavaScript as well; the widget only
moves the marks in them.
"""

import traitlets

from .._text import printable
from ..compressed import check_type
from ..exploration.goals import said
from ..exploration.repeating import command
from ..plots.recipes import pictures
from ..plots.sensitivity import in_decibels
from .base import Instrument, between, table


class RecipeExplorer(Instrument, js="recipes"):
    """The widget; `recipe` and `weight` follow its controls, and may be set.

    Attributes
    ----------
    picture : str
        HTML.
    recipes : list of dict
        From the smallest: `nbytes`, `words`, `next` (the command for it), and `places`: for each weight the place of
        its setting, or -1 where it stays as it is.
    weights : list of dict
        `name`, `nbytes`, and `settings`: for each its words, bytes and decibels in words.
    before : int
        Bytes of the model as it was.
    recipe, weight : int
        What the reader looks at.
    """

    picture = traitlets.Unicode().tag(sync=True)
    recipes = traitlets.List().tag(sync=True)
    weights = traitlets.List().tag(sync=True)
    before = traitlets.Int().tag(sync=True)
    recipe = traitlets.Int(0).tag(sync=True)
    weight = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("recipe", "weight")
    def _check(self, proposal):
        several = self.recipes if proposal["trait"].name == "recipe" else self.weights
        return between(proposal, 0, max(0, len(several) - 1))

    def _digested(self):
        # Decibels are measured, and have other digits on other processors.
        return {"weights": [[one["name"], one["nbytes"]] for one in self.weights], "before": self.before}

    def fallback(self):
        rows = [(weight["name"], *setting) for weight in self.weights for setting in weight["settings"]]
        return self.picture + table(
            "Every setting of every weight", ("Weight", *_COLUMNS), rows, "measurements"
        )


_NEEDED = (
    "model",
    "nbytes_before",
    "front",
    "recipes",
    "recipe",
    "weights",
    "goal",
    "metric",
    "curve",
    "arguments",
)
_COLUMNS = ("Setting", "Bytes", "The answers, with it alone")


def recipe_explorer(found):
    """Walk along the recipes that an exploration measured, and see what each weight gets.

    Parameters
    ----------
    found : dict
        What an exploration found, as `Exploration.as_data` and `toykit explore --json` give it.

    Returns
    -------
    RecipeExplorer

    Raises
    ------
    TypeError, ValueError
        If `found` is something else.

    Examples
    --------
    >>> recipe_explorer(tk.explore("Model.mlpackage", out="smaller").as_data())  # doctest: +SKIP
    """
    check_type("found", found, dict, "what an exploration found: its as_data()")
    if missing := [name for name in _NEEDED if name not in found]:
        raise ValueError(f"found must be an exploration's as_data(); it has no {', '.join(missing)}")
    best = [one for one in found["front"] if one["value"] is not None]
    return RecipeExplorer(
        label=f"Recipes for {printable(found['model'])}",
        picture=pictures(found),
        recipes=[_recipe(one, found) for one in best],
        weights=[_weight(one) for one in found["weights"]],
        before=found["nbytes_before"],
        recipe=best.index(found["recipe"]) if found["recipe"] in best else 0,
        weight=max(range(len(found["weights"])), key=lambda one: found["weights"][one]["nbytes"], default=0),
    )


def _recipe(one, found):
    """A recipe as the widget shows it."""
    places = []
    for weight in found["weights"]:
        settings = [candidate["setting"] for candidate in weight["candidates"]]
        setting = one["settings"].get(weight["name"])
        places.append(settings.index(setting) if setting in settings else -1)
    written = one == found["recipe"]
    again = command(found["arguments"], at_least=None, budget=one["nbytes"])
    return {
        "nbytes": one["nbytes"],
        "words": said(one["value"], found["goal"]["unit"]),
        "next": "" if written else again,
        "places": places,
    }


def _weight(one):
    settings = [
        [candidate["label"], f"{candidate['nbytes']:,}", in_decibels(candidate["snr_db"])]
        for candidate in one["candidates"]
    ]
    return {"name": printable(one["name"]), "nbytes": one["nbytes"], "settings": settings}
