"""Settings of a widget as a table: techniques, the options of each, and a row number for each choice.

A widget that shows the result of a setting computes the results of all of them beforehand, so that
it answers at once and without a kernel. `Technique.settings` fixes their order; the JavaScript side
finds the row of a choice by the same rule (`View.grid` in ``base.js``).
"""

import itertools
from dataclasses import dataclass

from .base import one_of


@dataclass(frozen=True)
class Axis:
    """One option: the trait that holds it, its values, and how they read.

    Attributes
    ----------
    name, label : str
    values : tuple
        Numbers in rising order for a slider, strings for a choice.
    words : tuple of str
    """

    name: str
    label: str
    values: tuple
    words: tuple

    def without(self, value):
        """The axis without one of its values."""
        kept = [(v, word) for v, word in zip(self.values, self.words, strict=True) if v != value]
        return Axis(self.name, self.label, tuple(v for v, _ in kept), tuple(word for _, word in kept))

    @classmethod
    def share(cls, name, label, values):
        """An axis of shares, read as percentages."""
        return cls(name, label, tuple(values), tuple(f"{100 * v:.0f} %" for v in values))

    @classmethod
    def bits(cls, values):
        """An axis of bit widths."""
        return cls("bits", "Bits", tuple(values), tuple(f"{b} bit{'s' * (b > 1)}" for b in values))

    @classmethod
    def choice(cls, name, label, **words):
        """An axis of named options."""
        return cls(name, label, tuple(words), tuple(words.values()))


@dataclass(frozen=True)
class Technique:
    """A technique and its options; `color` is its key in `toykit.plots.COLORS`."""

    name: str
    label: str
    color: str
    axes: tuple

    def settings(self):
        """Yield every combination of options as a dict, the last option changing fastest."""
        for values in itertools.product(*(axis.values for axis in self.axes)):
            yield dict(zip((axis.name for axis in self.axes), values))


def to_json(techniques):
    """Return the techniques as plain data for JavaScript, each with the number of its first setting."""
    listed, first = [], 0
    for technique in techniques:
        axes = [
            {"name": axis.name, "label": axis.label, "values": list(axis.values), "words": list(axis.words)}
            for axis in technique.axes
        ]
        listed.append(
            {
                "name": technique.name,
                "label": technique.label,
                "color": technique.color,
                "first": first,
                "axes": axes,
            }
        )
        first += sum(1 for _ in technique.settings())
    return listed


def check_setting(techniques, proposal):
    """What a trait is to be set to, if some technique offers it for the option of that name."""
    name = proposal["trait"].name
    if name == "technique":
        return one_of(proposal, [technique["name"] for technique in techniques])
    axes = [axis for technique in techniques for axis in technique["axes"] if axis["name"] == name]
    return one_of(proposal, list(dict.fromkeys(value for axis in axes for value in axis["values"])))
