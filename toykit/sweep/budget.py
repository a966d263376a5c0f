"""Spend a budget: which setting for which layer?

Suppose that damage adds up: a network with several compressed layers loses the sum of what each
compressed alone would lose. Then choosing a setting for each layer so that the bytes fit and the
damage is least is a knapsack problem. It is solved exactly here, by keeping only the combinations
of the first k layers that no other one beats in both bytes and damage (Nemhauser and Ullmann,
1969), and approximately by a greedy walk. Whether damage does add up is for a measurement to say.
"""

import heapq
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass

from .._rows import Rows
from ..compressed import check_choice, check_each, check_names, check_number, check_type, shown


@dataclass(frozen=True)
class Choice:
    """A setting for each layer, with its bytes and its predicted damage.

    Attributes
    ----------
    settings : dict of str to object
        Layer to setting, as `apply` takes it.
    nbytes : int
    damage : float
        The sum over the layers.
    """

    settings: dict
    nbytes: int
    damage: float


def pareto(rows, cost="nbytes", value="within_50"):
    """The rows that no other row beats: none is as small and better, or smaller and as good.

    Parameters
    ----------
    rows : list of dict
    cost, value : str
        Columns: less of the first is better, more of the second is better.

    Returns
    -------
    Rows
        By rising cost. Of equal rows the first.

    Raises
    ------
    ValueError
        If a row lacks one of the columns or has NaN there.

    Examples
    --------
    >>> points = [{"nbytes": 3, "within_50": 0.9}, {"nbytes": 4, "within_50": 0.8}, {"nbytes": 5, "within_50": 1.0}]
    >>> [row["nbytes"] for row in pareto(points)]
    [3, 5]
    """
    rows = check_each("rows", rows, dict, "dicts")
    for argument, column in (("cost", cost), ("value", value)):
        check_type(argument, column, str, "the name of a column")
        for row in rows:
            number = row.get(column)
            if not isinstance(number, numbers.Real) or math.isnan(number):
                raise ValueError(f"every one of rows needs a number in column {column!r}; got {shown(row)}")
    front, best = Rows(), -math.inf
    for row in sorted(rows, key=lambda row: (row[cost], -row[value])):
        if row[value] > best:
            front.append(row)
            best = row[value]
    return front


def candidates(rows, damage, keep=("technique",)):
    """Options for `choose` out of a sensitivity sweep.

    Parameters
    ----------
    rows : Rows
        From `sensitivity`.
    damage : str or callable
        A column of which less is better, or a function of a row.
    keep : tuple of str
        Columns that make up the setting, such as ("technique", "bits").

    Returns
    -------
    dict of str to list of (setting, nbytes, damage)
    """
    rows, keep = check_each("rows", rows, dict, "dicts"), check_names("keep", keep)
    check_type("damage", damage, (str, Callable), "the name of a column or a function of a row")
    for column in ("layer", "nbytes", *([damage] if isinstance(damage, str) else [])):
        for row in rows:
            if column not in row:
                raise ValueError(f"every one of rows needs a column {column!r}; got {shown(row)}")

    def measure(row):
        try:
            return damage(row) if callable(damage) else row[damage]
        except Exception as problem:  # whatever the caller's function raises
            raise ValueError(f"damage cannot be computed of {shown(row)}: {problem}") from problem

    options = {}
    for row in rows:
        setting = {name: row[name] for name in keep if row.get(name) is not None}
        options.setdefault(row["layer"], []).append((setting, row["nbytes"], measure(row)))
    return options


def frontier(options):
    """Every combination that no other combination beats in both bytes and damage, exactly.

    Parameters
    ----------
    options : dict of str to list of (setting, nbytes, damage)
        For each layer, what it could be.

    Returns
    -------
    list of Choice
        By rising bytes and falling damage.

    Raises
    ------
    ValueError
        If there is no layer, or a layer has no option.
    """
    _check(options)
    states = [(0, 0.0, ())]  # bytes, damage, places of the options taken so far
    for choices in options.values():
        grown = (
            (nbytes + more, damage + worse, (*taken, place))
            for nbytes, damage, taken in states
            for place, (_, more, worse) in enumerate(choices)
        )
        states, least = [], math.inf
        for state in sorted(grown):
            if state[1] < least:
                states.append(state)
                least = state[1]
    return [_choice(options, taken) for _, _, taken in states]


def choose(options, max_bytes=None, max_damage=None, method="exact"):
    """The least damage within a budget of bytes, or the fewest bytes within a budget of damage.

    Parameters
    ----------
    options : dict of str to list of (setting, nbytes, damage)
        As for `frontier`; `candidates` makes it from measured rows.
    max_bytes, max_damage : float
        Give one of them.
    method : {"exact", "greedy"}
        "greedy" starts with the least damage everywhere and takes, again and again, the step that
        costs the least damage for each byte saved; it is what most tools do, and seldom far off.

    Returns
    -------
    Choice

    Raises
    ------
    ValueError
        If no combination is within the budget, or not exactly one budget is given.

    References
    ----------
    G. L. Nemhauser and Z. Ullmann, "Discrete dynamic programming and capital allocation",
    Management Science 15, 1969.

    Examples
    --------
    >>> layer = [("2 bits", 25, 8.0), ("4 bits", 50, 1.0)]
    >>> choose({"a": layer, "b": [("2 bits", 10, 0.5), ("4 bits", 20, 0.0)]}, max_bytes=65).settings
    {'a': '4 bits', 'b': '2 bits'}
    """
    if (max_bytes is None) == (max_damage is None):
        raise ValueError("give one budget, max_bytes or max_damage")
    check_choice("method", method, ("exact", "greedy"))
    max_bytes = None if max_bytes is None else check_number("max_bytes", max_bytes)
    max_damage = None if max_damage is None else check_number("max_damage", max_damage)
    bytes_allowed = math.inf if max_bytes is None else max_bytes
    damage_allowed = math.inf if max_damage is None else max_damage
    path = frontier(options) if method == "exact" else _greedy(options)
    within = [c for c in path if c.nbytes <= bytes_allowed and c.damage <= damage_allowed]
    if not within:
        smallest, best = min(c.nbytes for c in path), min(c.damage for c in path)
        raise ValueError(
            f"no combination fits: the smallest has {smallest:,} bytes, the least damaged {best:.4g}; "
            + (f"max_bytes was {max_bytes:,}" if max_damage is None else f"max_damage was {max_damage:.4g}")
        )
    if max_damage is None:
        return min(within, key=lambda c: (c.damage, c.nbytes))
    return min(within, key=lambda c: (c.nbytes, c.damage))


def _greedy(options):
    """The walk from least damage to fewest bytes, one layer's step at a time."""
    _check(options)
    names = list(options)
    taken = [min(range(len(o)), key=lambda p, o=o: (o[p][2], o[p][1])) for o in options.values()]
    path = [_choice(options, taken)]

    def steps(layer):
        _, nbytes, damage = options[names[layer]][taken[layer]]
        for place, (_, fewer, worse) in enumerate(options[names[layer]]):
            if fewer < nbytes:
                yield (worse - damage) / (nbytes - fewer), layer, place, taken[layer]

    heap = [step for layer in range(len(names)) for step in steps(layer)]
    heapq.heapify(heap)
    while heap:
        _, layer, place, was = heapq.heappop(heap)
        if taken[layer] != was:  # priced before this layer moved
            continue
        taken[layer] = place
        path.append(_choice(options, taken))
        for step in steps(layer):
            heapq.heappush(heap, step)
    return path


def _choice(options, taken):
    picked = {name: choices[place] for (name, choices), place in zip(options.items(), taken, strict=True)}
    return Choice(
        {name: setting for name, (setting, _, _) in picked.items()},
        sum(nbytes for _, nbytes, _ in picked.values()),
        math.fsum(damage for _, _, damage in picked.values()),
    )


def _check(options):
    check_type("options", options, dict, "a dict of (setting, nbytes, damage) by layer")
    if not options:
        raise ValueError("options must name at least one layer")
    for name, choices in options.items():
        where = f"options[{shown(name)}]"
        if not check_each(where, choices, (tuple, list), "(setting, nbytes, damage)"):
            raise ValueError(f"layer {shown(name)} of options has no option to choose from")
        for choice in choices:
            if len(choice) != 3:
                raise ValueError(f"{where} must hold (setting, nbytes, damage); got {shown(choice)}")
            check_number(f"nbytes in {where}", choice[1])
            check_number(f"damage in {where}", choice[2])
