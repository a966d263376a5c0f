"""The pictures among what to draw on the board, made with the plots of the book."""

import base64
import html

import numpy as np

from .page_figures import size_on_page

_SMALL = (4.5, 1.8)  # inches: on a phone, too, the letters have 9 pixels


def image(page):
    """The picture of a chapter as HTML that needs no file beside it; how other figures look stays as it is."""
    import matplotlib

    from toykit import plots

    figure, alt = PICTURES[page]
    with matplotlib.rc_context():
        plots.use_style()
        drawn = plots.svg(figure())
    width, height = size_on_page(drawn)
    data = base64.b64encode(drawn.encode()).decode()
    return (
        f'<img class="book-drawn" src="data:image/svg+xml;base64,{data}" alt="{html.escape(alt)}" '
        f'width="{width}" height="{height}">'
    )


def _axes(columns=1, size=_SMALL):
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, constrained_layout=True)
    return figure, figure.subplots(1, columns)


def _bare(ax, x=True):
    """Take away all that nobody would draw by hand."""
    ax.grid(False)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    if x:
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)


def pairs(inputs=3, outputs=4):
    """Each output looks at each input through a grid of its own."""
    figure, ax = _axes()
    _bare(ax)
    left, right = np.linspace(0, 1, inputs), np.linspace(-0.1, 1.1, outputs)
    for y in left:
        for end in right:
            ax.plot([0, 1], [y, end], color="#8b929a", linewidth=1)
    ax.plot(np.zeros(inputs), left, "o", color="#0067a5")
    ax.plot(np.ones(outputs), right, "o", color="#c24a00")
    ax.set_xlim(-0.1, 2.2)
    lines = inputs * outputs
    ax.text(1.15, 0.5, f"{lines} lines, a grid of 3 x 3 at each:\n{9 * lines} weights", va="center")
    return figure


def pruned():
    """A grid, and the bit for each place."""
    import toykit as tk

    weights = np.random.default_rng(4).normal(size=(4, 4)).round(1).astype(np.float32)
    kept = tk.prune(weights, sparsity=0.5).dense() != 0
    figure, axes = _axes(2, (4.5, 2.4))
    tk.plots.matrix(weights, axes[0], fmt=".1f", title="weights")
    tk.plots.matrix(kept.astype(int), axes[1], title="mask: a bit for each")
    return figure


def rulers(bits=3):
    """The marks of a ruler that reaches to the largest weight, without and with an outlier."""
    import toykit as tk

    weights = np.array([-0.9, -0.6, -0.25, 0.1, 0.3, 0.75])
    figure, ax = _axes()
    _bare(ax, x=False)
    for height, more in ((1, []), (0, [2.7])):
        row = np.append(weights, more)[None].astype(np.float32)
        scale = tk.quantize(row, bits=bits).parts["scale"].item()
        marks = scale * np.arange(1 - 2 ** (bits - 1), 2 ** (bits - 1))
        ax.plot(marks, np.full(len(marks), height), "|", color="#c24a00", markersize=18)
        ax.plot(row[0], np.full(row.size, height + 0.25), "o", color="#0067a5")
    ax.set_ylim(-0.4, 1.6)
    return figure


def table():
    """A table before and after one step of Lloyd's algorithm."""
    weights = np.array([-1.0, -0.8, -0.7, -0.1, 0.2, 0.9])
    entries = np.array([-0.3, 0.5])
    nearest = np.abs(weights[:, None] - entries).argmin(1)
    moved = np.array([weights[nearest == one].mean() for one in range(2)])
    figure, ax = _axes()
    _bare(ax, x=False)
    for height, places in ((1, entries), (0, moved)):
        ax.plot(weights, np.full(6, height), "o", color="#0067a5")
        ax.plot(places, np.full(2, height + 0.35), "x", color="#00775a", markersize=9)
        for weight, one in zip(weights, nearest, strict=True):
            ax.plot([weight, places[one]], [height, height + 0.35], color="#8b929a", linewidth=0.8)
    ax.set_ylim(-0.3, 1.6)
    return figure


def side_by_side():
    """Three techniques on one layer: bits a weight, and decibels."""
    import toykit as tk

    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float16)
    made = {
        "pruning": tk.prune(weights, sparsity=0.75),
        "quantization": tk.quantize(weights, bits=4),
        "palettization": tk.palettize(weights, bits=4),
    }
    figure, ax = _axes(size=(4.5, 2.4))
    for (name, one), above in zip(made.items(), (0, -6, 6), strict=True):
        x, y = one.bits_per_weight, tk.error(weights, one).snr_db
        ax.plot(x, y, "o", color=tk.plots.COLORS[name])
        ax.annotate(name, (x, y), xytext=(6, above), textcoords="offset points", va="center")
    ax.set_xlim(3.5, 6.5)
    ax.set_ylim(0, 25)
    ax.set_xlabel("bits a weight")
    ax.set_ylabel("decibels")
    return figure


def valley():
    """Equal error of the output: an ellipse on the plane of two weights, whose inputs are nearly alike."""
    inputs = np.array([[1, -2, 3, -1], [1.2, -1.8, 3, -1.4]])
    best = np.array([0.4, 0.4])
    a, b = np.meshgrid(np.linspace(-0.6, 1.6, 60), np.linspace(-0.6, 1.6, 60))
    off = np.stack([a.ravel(), b.ravel()], 1) - best
    lost = ((off @ inputs) ** 2).mean(1).reshape(a.shape)
    figure, ax = _axes(size=(3.2, 3.0))
    ax.contour(a, b, lost, levels=[0.05, 0.2, 0.8], colors="#8b929a", linewidths=1)
    corners = np.array([[i, j] for i in (0, 1) for j in (0, 1)])
    ax.plot(*corners.T, "s", color="#c24a00")
    ax.plot(*best, "o", color="#0067a5")
    ax.set_xlabel("first weight")
    ax.set_ylabel("second weight")
    return figure


def staircase():
    figure, ax = _axes(size=(3.6, 2.4))
    x = np.linspace(-2, 2, 400)
    ax.plot(x, x.round(), color="#c24a00")
    ax.plot(x, x, "--", color="#0067a5")
    ax.text(-1.9, 1.5, "forward: the stairs\nbackward: the line", va="top")
    return figure


def bars():
    """Reading and computing of one layer, side by side, before and after compression (modelled)."""
    from toykit.latency import Chip, Format, Layer, timing

    chip = Chip("a chip of round numbers", operations=1e12, bandwidth=10e9)
    layer = Layer("fc", (1000, 2048), 2_048_000, 2048, 1000)
    figure, ax = _axes(size=(4.5, 2.2))
    for place, (name, form) in enumerate({"4 bits": Format(bits=4), "float16": Format()}.items()):
        read = 1e3 * form.nbytes(layer) / chip.bandwidth
        computed = 1e3 * timing([layer], Chip("", operations=1e12, bandwidth=1e15), form, batch=40).total
        ax.barh(place + 0.17, read, 0.3, color="#0067a5")
        ax.barh(place - 0.17, computed, 0.3, color="#c24a00")
        ax.text(-0.01, place, name, ha="right", va="center")
    _bare(ax, x=False)
    ax.set_xlabel("ms, modelled: reading (blue), computing (orange)")
    return figure


def runs():
    """Times of runs, with mean and median."""
    times = np.array([40.2, 40.4, 40.4, 41.3, 41.9, 57.0, 63.0])
    figure, ax = _axes(size=(4.5, 1.4))
    _bare(ax, x=False)
    ax.plot(times, np.zeros(len(times)), "o", color="#0067a5")
    for value, name in ((np.median(times), "median"), (times.mean(), "mean")):
        ax.axvline(value, color="#c24a00", linewidth=1)
        ax.text(value + 0.3, 0.04, name)
    ax.set_xlabel("ms")
    return figure


# By chapter, with a text for those who cannot see it.
PICTURES = {
    "01_where_50_mb": (pairs, "Three inputs and four outputs, every pair joined by a line"),
    "02_pruning": (pruned, "A grid of weights, and beside it a grid with a bit for each"),
    "03_quantization": (
        rulers,
        "Weights above the marks of a ruler; with an outlier the marks are farther apart",
    ),
    "04_palettization": (
        table,
        "Weights joined to the nearest of two entries, which then move to their averages",
    ),
    "05_side_by_side": (
        side_by_side,
        "Three dots: a palette above a ruler above pruning, by bits and decibels",
    ),
    "07_calibration": (
        valley,
        "A long tilted ellipse; the nearest of four corners is not the one deepest in it",
    ),
    "08_during_training": (staircase, "A staircase, and a straight line through it"),
    "13_ahead_or_just_in_time": (bars, "Bars for reading and computing, with float16 and with 4 bits"),
    "15_measuring_on_a_device": (
        runs,
        "Seven times on a line, the median among most of them, the mean beside",
    ),
}
