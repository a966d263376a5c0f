"""Where to draw the nodes of a directed graph: in layers, with few crossings and straight lines.

Sugiyama's method in its plain form. Each node goes to the layer after the last of those that it
depends on; an edge that passes layers gets a place in each; layers are sorted by the mean place of
their neighbours, up and down in turn; then every node moves as near to its neighbours as the widths
allow. Meant for pictures of a few dozen nodes.

References
----------
Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981.
"""

from dataclasses import dataclass

import numpy as np

PASSING = 0.24  # width of the place of an edge that passes a layer
_ROUNDS, _MOVES = 12, 200


@dataclass(frozen=True)
class Places:
    """Where everything goes.

    Attributes
    ----------
    layers : list of list of int
        The nodes of each layer from left to right. Numbers from the count of nodes on are places of
        edges that pass.
    layer_of : list of int
        Of every node and passing place.
    x : list of float
        The middle of every node and passing place.
    chains : dict of (int, int) to list of int
        For each edge the nodes and passing places from its start to its end.
    """

    layers: list
    layer_of: list
    x: list
    chains: dict


def assign_layers(count, edges, late=()):
    """The layer of each node: one more than the highest of its predecessors.

    Parameters
    ----------
    count : int
        Nodes are numbered from 0 so that every edge goes from a lower number to a higher one.
    edges : iterable of (int, int)
    late : collection of int
        Nodes to place just before the first of their successors, instead of as early as can be.

    Returns
    -------
    list of int

    Examples
    --------
    >>> assign_layers(5, [(0, 1), (1, 3), (2, 3), (3, 4)])
    [0, 1, 0, 2, 3]
    >>> assign_layers(5, [(0, 1), (1, 3), (2, 3), (3, 4)], late=[2])
    [0, 1, 1, 2, 3]
    """
    layer = [0] * count
    for start, end in sorted(edges, key=lambda edge: edge[1]):
        if not start < end:
            raise ValueError(f"edges must go from a lower number to a higher one; got {start} to {end}")
        layer[end] = max(layer[end], layer[start] + 1)
    for node in sorted(late, reverse=True):
        after = [layer[end] for start, end in edges if start == node]
        if after:
            layer[node] = min(after) - 1
    return layer


def place(widths, edges, late=(), gap=0.3):
    """Place the nodes of a graph.

    Parameters
    ----------
    widths : sequence of float
        Of the nodes, which are numbered so that every edge goes from a lower number to a higher one.
    edges : iterable of (int, int)
    late : collection of int
        As for `assign_layers`. Their edges bend, if one must, and those of other nodes stay straight.
    gap : float
        Between neighbours in a layer.

    Returns
    -------
    Places
    """
    edges, widths, count, late = list(dict.fromkeys(edges)), list(widths), len(widths), set(late)
    layer_of = assign_layers(count, edges, late)
    layers = [[] for _ in range(max(layer_of, default=-1) + 1)]
    for node, layer in enumerate(layer_of):
        layers[layer].append(node)
    chains, links = {}, []
    for start, end in edges:
        chain = [start]
        for layer in range(layer_of[start] + 1, layer_of[end]):
            chain.append(len(widths))
            layers[layer].append(len(widths))
            layer_of.append(layer)
            widths.append(PASSING)
        chain.append(end)
        chains[start, end] = chain
        # What runs from node to node stays straight first, then the middle of a long edge.
        pull = 0.1 if start in late else 1.0
        for a, b in zip(chain, chain[1:]):
            links.append((a, b, pull * (1.0, 0.3, 4.0)[(a >= count) + (b >= count)]))
    layers = _sort(layers, links)
    return Places(layers, layer_of, _straighten(layers, links, widths, gap), chains)


def crossings(layers, links):
    """How often edges between neighbouring layers cross.

    Parameters
    ----------
    layers : list of list of int
    links : iterable of (int, int, ...)

    Examples
    --------
    >>> crossings([[0, 1], [2, 3]], [(0, 3), (1, 2)]), crossings([[0, 1], [2, 3]], [(0, 2), (1, 3)])
    (1, 0)
    """
    position = {node: i for layer in layers for i, node in enumerate(layer)}
    layer_of = {node: number for number, layer in enumerate(layers) for node in layer}
    between = {}
    for a, b, *_ in links:
        between.setdefault(layer_of[a], []).append((position[a], position[b]))
    total = 0
    for pairs in between.values():
        for i, (a, b) in enumerate(pairs):
            total += sum((a - c) * (b - d) < 0 for c, d in pairs[:i])
    return total


def _neighbours(links):
    above, below = {}, {}
    for a, b, pull in links:
        above.setdefault(b, []).append((a, pull))
        below.setdefault(a, []).append((b, pull))
    return above, below


def _sort(layers, links):
    """Each layer by the mean position of its neighbours in the layer before, then after, and again."""
    above, below = _neighbours(links)
    best, fewest = layers, crossings(layers, links)
    for turn in range(_ROUNDS):
        if not fewest:
            break
        numbers = range(1, len(layers)) if turn % 2 == 0 else range(len(layers) - 2, -1, -1)
        near = above if turn % 2 == 0 else below
        layers = [list(layer) for layer in layers]
        for number in numbers:
            position = {node: i for layer in layers for i, node in enumerate(layer)}

            def mean(node, position=position, near=near):
                others = [position[other] for other, _ in near.get(node, ())]
                return sum(others) / len(others) if others else position[node]

            layers[number].sort(key=mean)
        found = crossings(layers, links)
        if found < fewest:
            best, fewest = layers, found
    return best


def _straighten(layers, links, widths, gap):
    """The middle of each node: near its neighbours, in order, and a gap away from the next."""
    above, below = _neighbours(links)
    x = np.zeros(len(widths))
    for layer in layers:
        x[layer] = _apart(layer, np.zeros(len(layer)), np.ones(len(layer)), widths, gap)
    for turn in range(_MOVES):
        down = turn % 2 == 0
        for layer in layers if down else layers[::-1]:
            wanted, weight = np.empty(len(layer)), np.empty(len(layer))
            for i, node in enumerate(layer):
                near = above.get(node, []) + below.get(node, [])
                pulls = sum(pull for _, pull in near)
                wanted[i] = sum(pull * x[other] for other, pull in near) / pulls if near else x[node]
                weight[i] = max(pulls, 0.01)
            x[layer] = _apart(layer, wanted, weight, widths, gap)
    left = min((x[node] - widths[node] / 2 for node in range(len(widths))), default=0)
    return [float(value - left) for value in x]


def _apart(layer, wanted, weight, widths, gap):
    """The positions nearest to those wanted, in squares, that keep the order and the distances.

    Without the distances this is isotonic regression, and they are taken off first: neighbours that
    would overlap are pooled, and their pool stands at its mean.
    """
    half = np.array([widths[node] / 2 for node in layer])
    offset = np.concatenate([[0], np.cumsum(half[:-1] + half[1:] + gap)]) if layer else half
    pools = []  # mean, weight, how many
    for value, w in zip(wanted - offset, weight, strict=True):
        pools.append((value, w, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2:]
            pools[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    return np.repeat([mean for mean, _, _ in pools], [n for _, _, n in pools]) + offset
