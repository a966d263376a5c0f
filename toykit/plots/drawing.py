"""Draw a picture of a program with matplotlib."""

import math

from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path

from .._text import in_figure
from .composing import ABOVE, BODY, FONT, LINE, MARGIN, NAMES, TAB, text_width


def draw(picture, ax, colors, ink, soft):
    """Draw a picture into axes; letters shrink with it where the axes are smaller than it is.

    Parameters
    ----------
    picture : Picture
    ax : matplotlib.axes.Axes
    colors : dict of str to colour
        One a technique.
    ink, soft : colour
        Of text and lines, and of what is less important.
    """
    legend, (_, height) = legend_of(picture), extent(picture)
    ax.set(xlim=(0, picture.width), ylim=(height, 0), aspect="equal")
    ax.set_axis_off()
    box = ax.get_position()
    inches = ax.figure.get_size_inches()
    scale = min(1, box.width * inches[0] / picture.width, box.height * inches[1] / height)

    def write(x, y, text, size, color, **style):
        ax.text(
            x,
            y,
            in_figure(text),
            fontsize=size * scale,
            color=color,
            family=FONT,
            **{"va": "center_baseline", "ha": "center"} | style,
        )

    dashed = {"linestyle": (0, (4 * scale, 2.5 * scale)), "facecolor": "#ffffff", "linewidth": scale}

    def fills(sign):
        """How a tab is filled, and the colour of its letters."""
        if sign == "written":
            return {"facecolor": "#ffffff", "edgecolor": soft, "linewidth": 0.7 * scale}, ink
        return {"facecolor": colors[sign], "linewidth": 0}, "#ffffff"

    for line in picture.lines:
        vertices, codes = [line[0]], [Path.MOVETO]
        for i, (a, b) in enumerate(zip(line, line[1:])):
            if i % 2 == 0:
                vertices.append(b)
                codes.append(Path.LINETO)
            else:
                half = (a[1] + b[1]) / 2
                vertices += [(a[0], half), (b[0], half), b]
                codes += [Path.CURVE4] * 3
        path = Path(vertices, codes)
        ax.add_patch(PathPatch(path, fill=False, edgecolor=soft, linewidth=1.1 * scale, zorder=1))
        x, y = line[-1]
        ax.add_patch(
            PathPatch(
                Path([(x - 0.035, y - 0.075), (x + 0.035, y - 0.075), (x, y), (x, y)]),
                facecolor=soft,
                linewidth=0,
                zorder=2,
            )
        )
    for text, left, top, right, bottom in picture.labels:
        write((left + right) / 2, (top + bottom) / 2, text, BODY, soft)
    for card in picture.cards:
        left, top, right, _ = card.box
        radius = min(0.12, card.height / 2) if card.kind == "end" else 0.04
        filled = {"facecolor": "#eef0f2" if card.kind == "end" else "#f7f8f9", "linewidth": scale}
        style = (
            dashed
            if card.kind == "decompresses"
            else filled | ({"facecolor": card.fill} if card.fill else {})
        )
        corners = f"round,pad=0,rounding_size={radius}"
        if card.kind == "folded":
            behind = (left + 0.04, top + 0.04)
            ax.add_patch(
                FancyBboxPatch(behind, card.width, card.height, corners, edgecolor=ink, zorder=2.5, **style)
            )
        box = FancyBboxPatch((left, top), card.width, card.height, corners, edgecolor=ink, zorder=3, **style)
        ax.add_patch(box)
        y = top + ABOVE
        for text, size, weight in card.lines:
            write(card.middle, y + LINE / 2, text, size, ink, weight=weight, zorder=4)
            y += LINE
        for text, size, technique in card.tabs:
            style, color = fills(technique)
            ax.add_patch(Rectangle((left + 0.04, y), card.width - 0.08, TAB - 0.02, zorder=4, **style))
            write(left + 0.09, y + TAB / 2 - 0.01, text, BODY, color, ha="left", zorder=5)
            write(right - 0.09, y + TAB / 2 - 0.01, size, BODY, color, ha="right", zorder=5)
            y += TAB
    for row, entries in enumerate(legend):
        y = picture.height + 0.08 + 0.22 * (row + 0.5)
        for x, sign in entries:
            if sign == "folded":
                style = {"edgecolor": ink, "facecolor": "#f7f8f9", "linewidth": scale}
                ax.add_patch(Rectangle((x + 0.03, y - 0.03), 0.1, 0.1, **style))
                ax.add_patch(Rectangle((x, y - 0.06), 0.1, 0.1, **style))
            else:
                style = {"edgecolor": ink, **dashed} if sign == "decompresses" else fills(sign)[0]
                ax.add_patch(Rectangle((x, y - 0.06), 0.12, 0.12, **style))
            write(x + 0.18, y, NAMES[sign], BODY, ink, ha="left")
    return ax


def legend_of(picture):
    """Rows of (left, sign) that fit into the picture's width; none where nothing is stored."""
    rows, x = [], math.inf
    for sign in picture.signs:
        width = 0.18 + text_width(NAMES[sign], BODY) + 0.2
        if x + width > picture.width:
            rows.append([])
            x = MARGIN
        rows[-1].append((x, sign))
        x += width
    return rows


def extent(picture):
    """Width and height of the whole picture in inches, its legend included."""
    legend = legend_of(picture)
    return picture.width, picture.height + (0.22 * len(legend) + 0.08 if legend else 0)
