"""Layers, crossings and places of a graph's nodes."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toykit.plots import layered

GAP = 0.3


@st.composite
def graphs(draw):
    """Widths, edges from lower to higher numbers, and some nodes without predecessors to place late."""
    count = draw(st.integers(1, 14))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []
    widths = draw(st.lists(st.floats(0.3, 3), min_size=count, max_size=count))
    sources = [node for node in range(count) if not any(end == node for _, end in edges)]
    return widths, edges, draw(st.sets(st.sampled_from(sources)))


@given(graphs())
def test_edges_go_down_and_late_nodes_stand_just_before_they_are_used(graph):
    widths, edges, late = graph
    layer = layered.assign_layers(len(widths), edges, late)
    assert all(layer[a] < layer[b] for a, b in edges)
    for node in range(len(widths)):
        after = [layer[b] for a, b in edges if a == node]
        before = [layer[a] for a, b in edges if b == node]
        if node in late and after:
            assert layer[node] == min(after) - 1
        elif not late:
            assert layer[node] == max(before, default=-1) + 1


@given(graphs())
def test_neighbours_keep_their_distance_and_every_edge_has_a_place_in_each_layer(graph):
    widths, edges, late = graph
    places = layered.place(widths, edges, late, GAP)
    count = len(widths)
    assert sorted(node for layer in places.layers for node in layer) == list(range(len(places.x)))
    width = [*widths, *[layered.PASSING] * (len(places.x) - count)]
    for layer in places.layers:
        for a, b in itertools.pairwise(layer):
            assert places.x[b] - places.x[a] >= (width[a] + width[b]) / 2 + GAP - 1e-9
    assert set(places.chains) == set(edges)
    for (start, end), chain in places.chains.items():
        assert (chain[0], chain[-1]) == (start, end) and all(node >= count for node in chain[1:-1])
        layers = [places.layer_of[node] for node in chain]
        assert layers == list(range(layers[0], layers[-1] + 1))
    assert min(x - w / 2 for x, w in zip(places.x, width)) == pytest.approx(0)


@given(graphs())
def test_sorting_never_adds_crossings(graph):
    widths, edges, late = graph
    places = layered.place(widths, edges, late, GAP)
    links = [pair for chain in places.chains.values() for pair in itertools.pairwise(chain)]
    unsorted = [sorted(layer) for layer in places.layers]
    assert layered.crossings(places.layers, links) <= layered.crossings(unsorted, links)


@given(st.permutations(range(5)))
def test_crossings_of_a_matching_are_its_inversions(order):
    links = [(i, 5 + to) for i, to in enumerate(order)]
    inversions = sum(a > b for a, b in itertools.combinations(order, 2))
    assert layered.crossings([list(range(5)), list(range(5, 10))], links) == inversions
    untangled = layered._sort([list(range(5)), list(range(5, 10))], [(a, b, 1) for a, b in links])
    assert layered.crossings(untangled, links) == 0


@pytest.mark.parametrize(
    "edges",
    [
        [(0, 1), (1, 2), (2, 3), (0, 3), (3, 4), (4, 5), (5, 6), (3, 6)],  # two shortcuts in a row
        [
            (0, 1),
            (1, 2),
            (2, 3),
            (3, 4),
            (4, 5),
            (5, 6),
            (1, 5),
            (0, 6),
            (2, 4),
        ],  # a U-Net: shortcuts inside each other
        [(0, 1), (0, 2), (0, 3), (1, 4), (2, 5), (3, 6), (4, 7), (5, 7), (6, 7)],  # branches
    ],
)
def test_shortcuts_cross_nothing_and_the_main_line_is_straight(edges):
    places = layered.place([1.0] * (max(map(max, edges)) + 1), edges, gap=GAP)
    links = [pair for chain in places.chains.values() for pair in itertools.pairwise(chain)]
    assert layered.crossings(places.layers, links) == 0
    for chain in places.chains.values():
        passing = chain[1:-1]
        assert np.ptp([places.x[node] for node in passing] or [0]) < 0.35


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 2), st.floats(0.1, 2)), min_size=1, max_size=6),
    st.randoms(),
)
def test_no_allowed_place_is_nearer_to_what_was_wanted(nodes, random):
    wanted, weight, widths = map(np.array, zip(*nodes))
    layer = list(range(len(nodes)))
    x = layered._apart(layer, wanted, weight, widths, GAP)
    least = (widths[:-1] + widths[1:]) / 2 + GAP
    assert np.all(np.diff(x) >= least - 1e-9)
    cost = np.sum(weight * (x - wanted) ** 2)
    for _ in range(50):
        other = x + np.array([random.uniform(-0.5, 0.5) for _ in layer])
        for i in range(1, len(other)):
            other[i] = max(other[i], other[i - 1] + least[i - 1])
        assert np.sum(weight * (other - wanted) ** 2) >= cost - 1e-9


def test_edges_upwards_are_refused():
    with pytest.raises(ValueError, match="lower number to a higher one; got 2 to 1"):
        layered.assign_layers(3, [(2, 1)])
