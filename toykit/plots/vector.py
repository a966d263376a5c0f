"""Figures as SVG, for the column of a page and once more for that of a phone.

Letters are outlines, so that they look the same everywhere; large clouds of points are pictures inside of the
drawing. The same figure gives the same bytes: names are given in order, no date is kept, and coordinates have
two decimals of a point, which hides in which order another processor added.
"""

import io
import re
from xml.etree import ElementTree

import numpy as np

from .._optional import require
from ..compressed import check_type
from .narrow import can_be_narrowed, narrowed, smallest_letters

# What a notebook stores beside "image/svg+xml": the figure for a column of 350 pixels.
NARROW = "image/svg+xml;width=350"
COLUMN = 350  # pixels: the column on a phone that is 390 wide
LEAST = 9  # pixels: the least height of letters that everyone can read
_MARGIN = 0.05  # inches
_CLOUD = 500  # points
_RASTER = 150  # dots an inch

_SETTINGS = {
    "svg.hashsalt": "toykit",
    "svg.fonttype": "path",
    "svg.image_inline": True,
    "path.simplify": False,
}


def pyplot():
    return require("matplotlib.pyplot", "toykit.plots needs matplotlib to draw figures")


def svg(figure, title=None):
    """Draw a figure as SVG; the same figure gives the same bytes.

    A collection or a line of more than 500 points without a line between them becomes a picture of 150 dots
    an inch inside of the drawing.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    title : str, optional
        Of the drawing, for those who cannot see it.

    Returns
    -------
    str

    Examples
    --------
    >>> import matplotlib.figure
    >>> figure = matplotlib.figure.Figure(figsize=(2, 1))
    >>> _ = figure.subplots().plot([1, 3, 2])
    >>> svg(figure) == svg(figure)
    True
    """
    plt = pyplot()
    check_type("figure", figure, plt.Figure, "a figure of matplotlib")
    if title is not None:
        check_type("title", title, str, "a text")
    clouds = [artist for artist in figure.findobj(_is_cloud) if not artist.get_rasterized()]
    for cloud in clouds:
        cloud.set_rasterized(True)
    file = io.StringIO()
    try:
        with plt.rc_context(_SETTINGS):
            nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
            named = {} if title is None else {"Title": title}
            tight = {"bbox_inches": "tight", "pad_inches": _MARGIN}
            figure.savefig(file, format="svg", dpi=_RASTER, metadata=nothing | named, **tight)
    finally:
        for cloud in clouds:
            cloud.set_rasterized(False)
    return _plain(file.getvalue())


def drawings(figure):
    """The figure as SVG by MIME type; for a narrow column as well, where its letters would be under 9 pixels.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    dict of str to str
        "image/svg+xml", and where it is needed "image/svg+xml;width=350".
    """
    wide = svg(figure)
    found = {"image/svg+xml": wide}
    points = smallest_letters(figure)
    if points * COLUMN / _width(wide) < LEAST and can_be_narrowed(figure):
        widest = points * COLUMN / LEAST  # points
        width = min(4.4, widest / 72 - 2 * _MARGIN)
        for _ in range(3):
            with narrowed(figure, width):
                found[NARROW] = svg(figure)
            beyond = _width(found[NARROW]) - widest  # what stands out of the figure is drawn, too
            if beyond <= 0:
                break
            width -= beyond / 72
    return found


def show_as_svg():
    """Have IPython show figures as `drawings` does, where there is IPython."""
    plt = pyplot()
    shell = _shell()
    if shell is None:
        return
    from matplotlib.figure import Figure

    # The backend of notebooks registers its PNG when it is loaded, which is with the first figure.
    plt.switch_backend(plt.get_backend())
    for formatter in shell.display_formatter.formatters.values():
        formatter.pop(Figure, None)
    shell.display_formatter.mimebundle_formatter.for_type(
        Figure, lambda figure, include=None, exclude=None: drawings(figure)
    )


def _shell():
    """IPython's shell, if this process has one."""
    import sys

    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


def _is_cloud(artist):
    from matplotlib.collections import PathCollection, QuadMesh
    from matplotlib.lines import Line2D

    if isinstance(artist, Line2D):
        return artist.get_linestyle() == "None" and np.size(artist.get_xdata()) > _CLOUD
    if isinstance(artist, PathCollection):
        return np.shape(artist.get_offsets())[0] > _CLOUD
    return isinstance(artist, QuadMesh) and np.asarray(artist.get_array()).size > _CLOUD


def _width(text):
    """Width of an SVG in points."""
    return float(text.partition(' width="')[2].partition("pt")[0])


_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
# Where coordinates stand. Scales and matrices keep their digits.
_COORDINATES = ("d", "x", "y", "width", "height", "viewBox")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_SHIFT = re.compile(r"translate\(([-\d.]+) ([-\d.]+)\)")


def _plain(text):
    """The SVG without what says nothing: metadata, groups of nothing, unused names, digits beyond the second."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(
        text, ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    )
    _unwrap(root)
    href, names = f"{{{_XLINK}}}href", {}

    def name(old):
        return names.setdefault(old, f"n{len(names)}")

    for node in root.iter():
        for key, value in node.items():
            if key == href:
                node.set(key, f"#{name(value[1:])}" if value.startswith("#") else "".join(value.split()))
            elif key in _COORDINATES:
                node.set(key, " ".join(_NUMBER.sub(_short, value).split()))
            elif key == "transform":
                value = _SHIFT.sub(lambda shift: _NUMBER.sub(_short, shift[0]), value)
                shift = _SHIFT.fullmatch(value)
                # The glyphs of a text stand one after the other: x says it in fewer bytes.
                if shift and node.tag == f"{{{_SVG}}}use" and not {"x", "y"} & node.attrib.keys():
                    del node.attrib[key]
                    node.attrib |= {place: at for place, at in zip("xy", shift.groups()) if float(at)}
                else:
                    node.set(key, value)
            elif "url(#" in value:
                node.set(key, _REFERENCE.sub(lambda found: f"url(#{name(found[1])})", value))
    for node in root.iter():
        if "id" in node.attrib:
            old = node.attrib.pop("id")
            if old in names:
                node.set("id", names[old])
    ElementTree.indent(root, "")
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _unwrap(node):
    """Replace groups that have no attribute but a name by what they hold."""
    for child in list(node):
        _unwrap(child)
        if child.tag == f"{{{_SVG}}}metadata":
            node.remove(child)
        elif child.tag == f"{{{_SVG}}}g" and not child.attrib.keys() - {"id"}:
            place = list(node).index(child)
            node[place : place + 1] = list(child)


def _short(number):
    short = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if short == "-0" else short
