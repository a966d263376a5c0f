"""What a picture of a program is made of, and where: cards, tabs for constants, lines for what flows.

Everything is laid out in inches, so that letters have one size in every picture, however large it is.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from .._text import in_figure
from ..coreml.view.graph import read_graph
from .layered import place

MOST_STEPS = 40
MARGIN, ABOVE, LINE, TAB, _GAP, _NEXT = 0.06, 0.07, 0.185, 0.185, 0.3, 0.3  # inches
NAMES = {
    "dense": "not compressed",
    "pruning": "pruned",
    "quantization": "quantized",
    "palettization": "palettized",
    "joint": "joint",
    "written": "in the program itself",
    "decompresses": "decompresses",
    "folded": "several operations",
}
HEAD, BODY = 9.0, 7.5  # points
FONT = "DejaVu Sans"  # ships with matplotlib, so a width that is measured is the width that is drawn


@dataclass
class Card:
    """An operation, an input or an output as it is drawn.

    Attributes
    ----------
    lines : list of (text, points, weight)
        Centred, from the top.
    tabs : list of (left text, right text, technique or "written")
    kind : {"operation", "decompresses", "folded", "end"}
    fill : colour
        "" for that of its kind.
    left, top, width, height : float
        Inches, from the top left of the picture.
    """

    lines: list
    tabs: list = field(default_factory=list)
    kind: str = "operation"
    fill: str = ""
    left: float = 0
    top: float = 0
    width: float = 0
    height: float = 0

    def __post_init__(self):
        widths = [text_width(*line) for line in self.lines]
        widths += [text_width(a, BODY) + text_width(b, BODY) + 0.2 for a, b, _ in self.tabs]
        self.width = max(0.9, max(widths) + 0.2)
        self.height = 2 * ABOVE + LINE * len(self.lines) + TAB * len(self.tabs)

    @property
    def box(self):
        """Left, top, right, bottom."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    @property
    def middle(self):
        return self.left + self.width / 2


@dataclass
class Picture:
    """Cards, the lines between them and the labels at the lines, in inches from the top left.

    Attributes
    ----------
    cards : list of Card
    lines : list of list of (x, y)
        Each goes straight down between its 1st and 2nd point, the 3rd and 4th, and so on, and bends
        between the others.
    labels : list of (text, left, top, right, bottom)
    signs : list of str
        What the legend explains: the techniques of the tabs in the order of the book, and dashed cards.
    width, height : float
    """

    cards: list
    lines: list
    labels: list
    signs: list
    width: float
    height: float


@lru_cache(maxsize=4096)
def text_width(text, size, weight="normal"):
    """Width of a text in inches."""
    if not text:
        return 0.0
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), in_figure(text), size=size, prop=FontProperties(family=FONT, weight=weight))
    return path.get_extents().width / 72


def compose(package, function=None, noise=None, important=()):
    """Lay out the program of a small package, or what is important in that of a large one.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
    function : str, optional
    noise : dict of str to float or None, optional
        Decibels of results, for cards that are coloured by them.
    important : sequence of str
        Results whose operations have cards of their own, the most important first, in a program of more than 40
        operations. Each run of others is folded into one card; there are 40 at most.

    Returns
    -------
    Picture

    Raises
    ------
    ValueError
        If the program has more than 40 operations and none is important, or if it has none.
    """
    graph = read_graph(package, function)
    runs = _runs(graph, important)
    cards = [
        Card([(name, HEAD, "bold"), (str(kind), BODY, "normal")], kind="end")
        for name, kind in graph.inputs.items()
    ]
    numbers = {name: number for number, name in enumerate(graph.inputs)}
    card_of = {step: len(cards) + number for number, run in enumerate(runs) for step in run}
    cards += [_card_of(run, graph, noise) for run in runs]
    flows, owners, types = {}, [], {}
    for number, step in enumerate(graph.steps):
        here, inside = card_of[number], False
        for _, name in step.inputs:
            source = graph.source(number, name)
            if source is not None:
                if card_of[source] != here:
                    flows.setdefault((card_of[source], here), {})[_shape(types[name])] = None
                inside |= graph.steps[source].depth == step.depth
            elif name in numbers:
                flows.setdefault((numbers[name], here), {})
        types |= step.outputs
        # The body of a condition or a loop hangs below it.
        owners[step.depth :] = [here]
        if step.depth and not inside and owners[step.depth - 1] != here:
            flows.setdefault((owners[step.depth - 1], here), {})
    for name in graph.outputs:
        source = graph.made_by.get(name)
        if source is not None:
            flows[card_of[source], len(cards)] = {}
            kind = graph.steps[source].outputs[name]
            cards.append(Card([(name, HEAD, "bold"), (str(kind), BODY, "normal")], kind="end"))
    late = {card_of[number] for number, step in enumerate(graph.steps) if step.decompresses}
    return _lay_out(
        cards, flows, late & {number for number, card in enumerate(cards) if card.kind != "folded"}
    )


def _runs(graph, important):
    """Numbers of steps, in order, by the card that they share."""
    count = len(graph.steps)
    if 1 <= count <= MOST_STEPS:
        return [[number] for number in range(count)]
    alone, runs = set(), []
    for name in important:
        if name in graph.made_by and graph.made_by[name] not in alone:
            alone.add(graph.made_by[name])
            found = _cut(count, alone)
            if len(found) > MOST_STEPS:
                break
            runs = found
    if not runs:
        raise ValueError(
            f"the program has {count} operations, constants not counted; a picture is readable up to "
            f"{MOST_STEPS}. tk.widgets.package_explorer(package) shows a program of any length"
        )
    return runs


def _cut(count, alone):
    """The numbers below `count` in runs: one for each number in `alone`, one for all between two of these."""
    runs = []
    for number in range(count):
        if number in alone or not runs or runs[-1][-1] in alone:
            runs.append([])
        runs[-1].append(number)
    return runs


def _card_of(run, graph, noise):
    steps = [graph.steps[number] for number in run]
    levels = (
        [noise[name] for step in steps for name in step.outputs if noise.get(name) is not None]
        if noise
        else []
    )
    if len(steps) > 1:
        return _folded(steps, levels)
    (step,) = steps

    def words(parameter, kind):
        return f"{parameter}  {kind.dtype} {_shape(kind)}"

    tabs = [(words(c.parameter, c.type), f"{c.blob.nbytes:,} B", c.technique) for c in step.constants]
    tabs += [(words(parameter, kind), "", "written") for parameter, kind in step.written.items()]
    if step.decompresses:
        prefix, _, rest = step.op.partition("_")
        return Card([(f"{prefix}_", BODY, "normal"), (rest, HEAD, "bold")], tabs, "decompresses")
    lines = [
        (step.op, HEAD, "bold"),
        *((_level(level), BODY, "normal") for level in levels and [min(levels)]),
    ]
    return Card(lines, tabs, fill=_red(min(levels)) if levels else "")


def _folded(steps, levels):
    """One card for a run of steps: how many of each kind, what their weights take, and the least of their levels."""
    kinds = Counter(step.op for step in steps).most_common()
    most = ", ".join(f"{count} {op}" for op, count in kinds[:3]) + ", ..." * (len(kinds) > 3)
    lines = [(f"{len(steps)} operations", HEAD, "bold"), (most, BODY, "normal")]
    held = {}
    for constant in (constant for step in steps for constant in step.constants):
        held.setdefault(constant.technique, []).append(constant.blob.nbytes)
    tabs = [
        (f"{len(sizes)} array{'s' * (len(sizes) > 1)}", f"{sum(sizes):,} B", technique)
        for technique, sizes in held.items()
    ]
    if not levels:
        return Card(lines, tabs, "folded")
    least = _level(min(levels))
    return Card(
        [*lines, (f"{least}" if len(set(levels)) == 1 else f"{least} at least", BODY, "normal")],
        tabs,
        "folded",
        _red(min(levels)),
    )


def _level(decibels):
    return f"{decibels:.1f} dB" if math.isfinite(decibels) else "no loss" if decibels > 0 else "all error"


def _red(decibels):
    """White where 40 dB are left, and as dark a red as black letters can stand on where nothing is."""
    left = min(max(decibels / 40, 0), 1)
    return "#" + "".join(f"{round(low + (255 - low) * left):02x}" for low in (0xE8, 0x7A, 0x6A))


def _shape(kind):
    return "×".join("?" if size is None else str(size) for size in kind.shape) or "scalar"


def _lay_out(cards, flows, late):
    places = place([card.width for card in cards], flows, late, _GAP)
    tops, bottoms, y = [], [], MARGIN
    for layer in places.layers:
        height = max((cards[node].height for node in layer if node < len(cards)), default=0)
        tops.append(y)
        bottoms.append(y + height)
        y += height + _NEXT
        for node in layer:
            if node < len(cards):
                cards[node].left, cards[node].top = places.x[node] - cards[node].width / 2 + MARGIN, tops[-1]
    lines = {}
    for pair, chain in places.chains.items():
        start, *passing, end = chain
        # A card shorter than its layer is left by a straight line to the layer's end.
        x, bottom = cards[start].middle, cards[start].box[3]
        points = [(x, bottom), (x, bottoms[places.layer_of[start]])]
        for node in passing:
            x, layer = places.x[node] + MARGIN, places.layer_of[node]
            points += [(x, tops[layer]), (x, bottoms[layer])]
        lines[pair] = [*points, (cards[end].middle, cards[end].top)]
    used = {card.kind for card in cards} | {technique for card in cards for _, _, technique in card.tabs}
    signs = [name for name in NAMES if name in used]
    labels = _labels(cards, lines, flows)
    right = max(
        [card.box[2] for card in cards]
        + [x for line in lines.values() for x, _ in line]
        + [label[3] for label in labels]
    )
    return Picture(cards, list(lines.values()), labels, signs, right + MARGIN, y - _NEXT + MARGIN)


def samples(line, steps=60):
    """Points along a line, as it is drawn."""
    points = [line[0]]
    for i, ((x0, y0), (x1, y1)) in enumerate(zip(line, line[1:])):
        for t in (step / steps for step in range(1, steps + 1)):
            bend = t if i % 2 == 0 else t * t * (3 - 2 * t)
            # A cubic with both handles at half height: the height has a closed form, too.
            rise = t if i % 2 == 0 else 1.5 * t * (1 - t) ** 2 + 1.5 * t * t * (1 - t) + t**3
            points.append((x0 + (x1 - x0) * bend, y0 + (y1 - y0) * rise))
    return points


def _labels(cards, lines, flows):
    """Shapes at the lines, where neither a card nor another line or label is in the way."""
    placed, taken = [], [card.box for card in cards]
    traced = np.array([point for line in lines.values() for point in samples(line)]).reshape(-1, 2)
    named = set()
    for pair, texts in flows.items():
        start, _end = pair
        text = ", ".join(texts)
        if not text or (start, text) in named:
            continue
        width, height = text_width(text, BODY) + 0.04, 0.14
        alone = all(", ".join(other) == text for (source, _), other in flows.items() if source == start)
        x0, y0 = lines[pair][1]
        x1, y1 = lines[pair][-1]
        at_start = [(x0 + 0.05, y0 + 0.04), (x0 - 0.05 - width, y0 + 0.04)]
        at_end = [(x1 + 0.05, y1 - 0.04 - height), (x1 - 0.05 - width, y1 - 0.04 - height)]
        for left, top in at_start + at_end if alone else at_end:
            box = (left, top, left + width, top + height)
            crossed = np.all((traced >= box[:2]) & (traced <= box[2:]), axis=1).any()
            if left > 0 and not crossed and not any(overlap(box, one) for one in taken):
                placed.append((text, *box))
                taken.append(box)
                if alone:
                    named.add((start, text))
                break
    return placed


def overlap(a, b):
    """Tell whether two boxes (left, top, right, bottom) share more than an edge."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
