"""The look of the book's figures: one style, one colour a technique, small matrices with numbers.

Call `use_style()` once at the top of a notebook. Every line of the book that shows pruning is then
blue, every one that shows quantization orange, and so on, and a label stands at the line instead of
in a legend. The colours are Okabe and Ito's, darkened until text in them is legible on white (at
least 4.5:1), and stay apart for readers with red-green or blue-yellow colour blindness.

In notebooks figures become SVG, drawn again for a phone where that is needed (`vector`, `narrow`). They keep
dark ink on white paper: the site's dark theme turns the colours, which leaves each technique its hue.
"""

import numpy as np

from ..compressed import as_array, check_number, check_type, shown
from .vector import pyplot, show_as_svg

COLORS = {
    "dense": "#5f6670",
    "pruning": "#0067a5",
    "quantization": "#c24a00",
    "palettization": "#00775a",
    "joint": "#782070",
}
COLORS["float"] = COLORS["dense"]
INK, PAPER = "#1f2328", "#ffffff"

# 6.4 inches fill the text column; 160 dpi are sharp on a dense screen where somebody asks for pixels.
_STYLE = {
    "figure.figsize": (6.4, 3.6),
    "figure.dpi": 160,
    "figure.facecolor": PAPER,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": PAPER,
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same letters on every machine
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8b929a",
    "axes.facecolor": PAPER,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "text.color": INK,
    "xtick.color": "#4b5158",
    "ytick.color": "#4b5158",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "image.interpolation": "nearest",
}


def use_style():
    """Give every figure made after this call the book's look, and have notebooks show figures as SVG.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    plt = pyplot()
    plt.rcParams.update(_STYLE)
    plt.rcParams["axes.prop_cycle"] = plt.cycler(
        color=[COLORS[k] for k in ("pruning", "quantization", "palettization", "joint", "dense")]
    )
    show_as_svg()


def diverging():
    """Return the colour map for weights: orange below zero, white at zero, blue above.

    Returns
    -------
    matplotlib.colors.LinearSegmentedColormap
    """
    pyplot()
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list(
        "toykit", [COLORS["quantization"], "#f3b98f", PAPER, "#8fc1e6", COLORS["pruning"]]
    )


def label_line(line, text, x=None, dx=4, dy=0, **style):
    """Write `text` at a line, in the line's colour, instead of in a legend.

    Parameters
    ----------
    line : matplotlib.lines.Line2D
        What `ax.plot` returned, one line.
    text : str
    x : float, optional
        Where along the line, in data units; its right end by default.
    dx, dy : float
        Shift of the text from there, in points.
    **style
        Passed on to `Axes.annotate`, for instance ``ha="right"``.

    Returns
    -------
    matplotlib.text.Annotation
    """
    if not hasattr(line, "get_xdata"):
        raise TypeError(f"line must be one line of those that ax.plot returns; got {shown(line)}")
    check_type("text", text, str, "a text")
    x = None if x is None else check_number("x", x)
    dx, dy = check_number("dx", dx), check_number("dy", dy)
    along, height = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    order = np.argsort(along, kind="stable")
    at = along[order[-1]] if x is None else x
    style = {"color": line.get_color(), "va": "center", "ha": "left", "fontsize": 9} | style
    try:
        return line.axes.annotate(
            text,
            (at, np.interp(at, along[order], height[order])),
            xytext=(dx, dy),
            textcoords="offset points",
            annotation_clip=False,
            **style,
        )
    except Exception as problem:  # whatever matplotlib raises on a property that it does not know
        raise ValueError(f"style must be properties of a matplotlib text: {problem}") from problem


def _formatter(w, fmt):
    if callable(fmt):
        return lambda value: str(fmt(value))
    if fmt is None:
        fmt = "d" if w.dtype.kind in "iub" else ".2f"
    check_type("fmt", fmt, str, "a format or a function")
    try:
        format(1 if fmt == "d" else 1.0, fmt)
    except ValueError as problem:
        raise ValueError(
            f"fmt must be a format of numbers, such as '.1f'; got {shown(fmt)}: {problem}"
        ) from None

    # A minus sign as wide as a figure, and no "-0.00": the sign of a rounded zero says nothing.
    def text(value):
        out = format(int(value) if fmt == "d" else float(value), fmt)
        if out.startswith("-") and not out.strip("-0."):
            out = out[1:]
        return out.replace("-", "\u2212")

    return text


def matrix(w, ax=None, fmt=None, highlight=None, title=None, limit=None, fontsize=9):
    """Draw a small matrix as coloured cells with the number in each.

    Parameters
    ----------
    w : (rows, columns) array, at most 16 by 16
        Real numbers, integers or booleans. Blue is positive, orange negative, white zero.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure just large enough by default.
    fmt : str or callable, optional
        Format of the numbers, such as ``".1f"``, or a function from a value to text. Two decimals
        for floats and plain digits for integers by default.
    highlight : (rows, columns) bool array, optional
        Cells to keep in full colour; the others fade to grey, as weights that a mask drops.
    title : str, optional
    limit : float, optional
        Magnitude drawn in the strongest colour; the largest in `w` by default. Pass the same
        number to compare two matrices.
    fontsize : float
        Of the numbers, in points.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `w` is not a matrix of 1 to 16 rows and columns, or `highlight` has another shape.
    """
    w = as_array("w", w)
    if w.dtype.kind not in "fiub":
        raise TypeError(f"w must be a matrix of real numbers, got {w.dtype}")
    title = None if title is None else check_type("title", title, str, "a text")
    limit = None if limit is None else check_number("limit", limit, above=0)
    fontsize = check_number("fontsize", fontsize, above=0, most=1000)
    if ax is not None and not hasattr(ax, "imshow"):
        raise TypeError(f"ax must be the axes of a figure; got {shown(ax)}")
    if w.ndim != 2 or not all(1 <= n <= 16 for n in w.shape):
        raise ValueError(
            f"w must be a matrix of 1 to 16 rows and columns to show its numbers; "
            f"got shape {w.shape}. For a larger one use imshow."
        )
    kept = np.ones(w.shape, bool) if highlight is None else as_array("highlight", highlight)
    if kept.shape != w.shape:
        raise ValueError(f"highlight must have the shape of w, {w.shape}; got {kept.shape}.")
    if kept.dtype != bool:
        raise TypeError(f"highlight must be an array of bool, got {kept.dtype}")
    rows, columns = w.shape
    if ax is None:
        size = (0.52 * columns + 0.2, 0.42 * rows + (0.45 if title else 0.2))
        ax = pyplot().subplots(figsize=size)[1]
    values = w.astype(float)
    finite = np.abs(values[np.isfinite(values)])
    limit = limit or (finite.max() if finite.size and finite.max() > 0 else 1.0)
    cells = diverging()((np.clip(values / limit, -1, 1) + 1) / 2)
    cells[~kept] = (0.945, 0.95, 0.955, 1)
    ax.imshow(cells, aspect="auto")
    text = _formatter(w, fmt)
    for (r, c), value in np.ndenumerate(w):
        dark = kept[r, c] and 0.6 * cells[r, c, 1] + 0.3 * cells[r, c, 0] + 0.1 * cells[r, c, 2] < 0.55
        ink = "#6b727a" if not kept[r, c] else PAPER if dark else INK
        # A number stands inside of its cell, and takes no place from the layout.
        place = {"ha": "center", "va": "center", "in_layout": False}
        ax.text(c, r, text(value), color=ink, fontsize=fontsize, **place)
    ax.set_xticks(np.arange(columns + 1) - 0.5, labels=[])
    ax.set_yticks(np.arange(rows + 1) - 0.5, labels=[])
    ax.grid(True, color=PAPER, linewidth=1.5)
    ax.set_axisbelow(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    if title:
        ax.set_title(title)
    return ax
