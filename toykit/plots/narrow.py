"""The same figure in a narrow column: letters keep their size, and what stood side by side may stand below.

Of all numbers of columns the largest is taken in which no two texts overlap and no axis with numbers is shorter
than 1.7 inches. Titles and labels that are wider than their place are broken into lines, a wide legend goes below
its axes, and names at an axis that run into each other are turned.
"""

import contextlib
import textwrap

import numpy as np

_TURNED = 35  # degrees
_GAP = 6  # points, between an axis and the legend below it
_SHORTEST = 1.7  # inches: an x axis with numbers or names


def can_be_narrowed(figure):
    """Whether a layout engine places all axes of a figure; a picture with places of its own is left alone."""
    return all(axes.get_subplotspec() is not None for axes in figure.axes)


def smallest_letters(figure):
    """Size of the smallest text of a figure, in points."""
    return min((text.get_fontsize() for text in _texts(figure)), default=9)


@contextlib.contextmanager
def narrowed(figure, width):
    """Arrange a figure for `width` inches, until the end of the `with`.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        One that `can_be_narrowed`.
    width : float
        In inches.
    """
    with contextlib.ExitStack() as undo:
        size = figure.get_size_inches().copy()
        undo.callback(figure.set_size_inches, size)
        grid = _grid(figure)
        most = grid.ncols if grid else 1
        found = {}
        for columns in range(most, 0, -1):
            with contextlib.ExitStack() as trial:
                _arrange(figure, grid, columns, width, size, trial)
                found[columns] = _clashes(figure)
            if not found[columns]:
                break
        _arrange(figure, grid, min(found, key=lambda columns: (found[columns], -columns)), width, size, undo)
        yield


def _grid(figure):
    """The one grid that all axes of a figure stand in, a cell each; else None."""
    specs = [axes.get_subplotspec() for axes in figure.axes]
    if not specs or None in specs or len({id(spec.get_gridspec()) for spec in specs}) > 1:
        return None
    return specs[0].get_gridspec()


def _arrange(figure, grid, columns, width, size, undo):
    height = size[1]
    if grid and columns < grid.ncols:
        rows = -(-len(figure.axes) // columns)
        height *= rows / grid.nrows
        _move(figure, grid, rows, columns, undo)
    figure.set_size_inches(width, height)
    figure.draw_without_rendering()
    for axes in figure.axes:
        box, page = axes.get_window_extent(), figure.bbox
        alone = axes.get_subplotspec() is None or columns == 1
        title = axes.title if axes.title.get_text() else axes._left_title
        _wrap(title, page.x1 - box.x0 if alone else 1.05 * box.width, undo)
        _wrap(axes.xaxis.label, 2 * (page.x1 - (box.x0 + box.x1) / 2) if alone else 1.05 * box.width, undo)
        _wrap(axes.yaxis.label, 1.1 * box.height, undo)
        names = _tick_labels(axes.xaxis)
        if _overlaps(names) and not any(name.get_rotation() for name in names):
            for name in names:
                undo.callback(name.set, rotation=0, ha=name.get_ha(), rotation_mode=name.get_rotation_mode())
                name.set(rotation=_TURNED, ha="right", rotation_mode="anchor")
    _put_below(figure, undo)


def _put_below(figure, undo):
    """Put legends that take more than a third of the width below their axes, on paper added for them."""
    from matplotlib.transforms import ScaledTranslation

    for axes in figure.axes:
        legend, box = axes.get_legend(), axes.get_window_extent()
        if legend is None or legend.get_window_extent().width < box.width / 3:
            continue
        undo.callback(setattr, legend, "_loc", legend._loc)
        undo.callback(setattr, legend, "_bbox_to_anchor", legend._bbox_to_anchor)
        below = [text.get_window_extent().y0 for text in (axes.xaxis.label, *_tick_labels(axes.xaxis))]
        down = (box.y0 - min(below)) / figure.dpi + _GAP / 72
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + legend.get_window_extent().height / figure.dpi + _GAP / 72)
        # From the lower edge of the axes, in inches: right however tall the layout makes them.
        place = axes.transAxes + ScaledTranslation(0, -down, figure.dpi_scale_trans)
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((0, 0, 0, 0), transform=place)


def _move(figure, grid, rows, columns, undo):
    """Give the axes of a figure places in another grid, in reading order; columns of two become rows."""
    from matplotlib.gridspec import GridSpec

    def place(axes):
        spec = axes.get_subplotspec()
        across = columns == grid.nrows > 1
        return (
            (spec.colspan.start, spec.rowspan.start) if across else (spec.rowspan.start, spec.colspan.start)
        )

    other = GridSpec(rows, columns, figure=figure)
    ordered = sorted(figure.axes, key=place)
    for number, axes in enumerate(ordered):
        undo.callback(axes.set_subplotspec, axes.get_subplotspec())
        row, column = divmod(number, columns)
        axes.set_subplotspec(other[row, column])
        # What an axis shared with its neighbour must be said again where it has none.
        if column == 0 and axes.get_shared_y_axes().get_siblings(axes)[1:] and axes.yaxis.get_visible():
            shown = axes.yaxis.get_tick_params().get("labelleft", True)
            undo.callback(axes.tick_params, axis="y", labelleft=shown)
            undo.callback(axes.set_ylabel, axes.get_ylabel())
            axes.tick_params(axis="y", labelleft=True)
            axes.set_ylabel(axes.get_ylabel() or ordered[0].get_ylabel())


def _wrap(text, room, undo):
    """Break a text into lines that are no longer than `room`, in pixels."""
    words, box = text.get_text(), text.get_window_extent()
    length = max(box.width, box.height)
    if "\n" not in words and length > room:
        undo.callback(text.set_text, words)
        text.set_text(textwrap.fill(words, max(8, int(len(words) * room / length)), break_long_words=False))


def _tick_labels(axis):
    """Names at an axis that are in view."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-6 * (high - low)
    ticks = [tick for tick in axis.get_major_ticks() if low - slack <= tick.get_loc() <= high + slack]
    return [tick.label1 for tick in ticks if tick.label1.get_visible() and tick.label1.get_text()]


def _texts(figure):
    """All texts that a figure shows."""
    found = list(figure.texts)
    for axes in figure.axes:
        found += [*axes.texts, axes.title, axes._left_title, axes._right_title]
        if axes.axison:
            for axis in (axes.xaxis, axes.yaxis):
                found += [axis.label, *_tick_labels(axis)]
        if axes.get_legend():
            found += axes.get_legend().get_texts()
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _clashes(figure):
    """How many pairs of texts overlap, how many texts leave the figure, and how many axes are too short."""
    figure.draw_without_rendering()
    texts = [text for text in _texts(figure) if text.get_rotation() in (0, 90)]
    page = figure.bbox
    outside = [text for text in texts if _box(text).x0 < page.x0 - 2 or _box(text).x1 > page.x1 + 2]
    shortest = _SHORTEST * figure.dpi
    short = [ax for ax in figure.axes if _tick_labels(ax.xaxis) and ax.get_window_extent().width < shortest]
    return _overlaps(texts) + len(outside) + len(short)


def _box(text):
    from matplotlib.text import Text

    return Text.get_window_extent(text)  # an annotation would add its arrow


def _overlaps(texts):
    """Number of pairs of texts whose boxes overlap by more than a pixel."""
    boxes = np.array([_box(text).extents for text in texts]).reshape(-1, 4)
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    shared = np.minimum(high, boxes[None, :, 2:]) - np.maximum(low, boxes[None, :, :2])
    return int(np.triu((shared > 1).all(axis=2), 1).sum())
