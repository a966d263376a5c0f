"""A pytest plugin that makes nbval compare figures as what they show.

A figure that no longer shows what its cell computes is worse than a stale number: nobody reads it
twice. Figures are drawings in SVG. Their texts, their shapes and their colours have to be the same; places may
differ by a quarter of a point, because another processor adds in another order, and a sum that ends in another
digit may be rounded to another hundredth. Pictures inside of drawings, such as clouds of points, are
compared as pixels, for which antialiasing gets a tolerance too. A curve that moved, or a label that changed,
is far beyond both.
"""

import base64
import io
import itertools
import re
from xml.etree import ElementTree

import numpy as np
from nbval.plugin import IPyNbCell
from PIL import Image

from toykit.plots.vector import NARROW

from .page_figures import WIDE

SIZE_TOLERANCE = 2  # pixels; figures are cut to their content, and a text's extent is rounded
LEVEL_TOLERANCE = 64  # of 255; smaller changes are antialiasing
SHARE_TOLERANCE = 1e-4  # share of the pixels that may change by more than that


PLACE_TOLERANCE = 0.25  # points, of a figure that is some 460 wide

# Where the numbers are places; in styles, scales and turns they are compared as text.
PLACES = ("d", "x", "y", "width", "height", "viewBox")
SHIFT = re.compile(r"(?<=translate\()[^)]*")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
PICTURE = "data:image/png;base64,"


def pixels(encoded):
    """Decode a base64 PNG into a (height, width, 3) int16 array, on white."""
    image = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(white, image).convert("RGB"), np.int16)


def difference(stored, computed):
    """Return what differs between two base64 PNGs, in words, or "" if they show the same."""
    old, new = pixels(stored), pixels(computed)
    if np.abs(np.subtract(old.shape, new.shape)).max() > SIZE_TOLERANCE:
        return f"the figure was {old.shape[1]} x {old.shape[0]} pixels and is {new.shape[1]} x {new.shape[0]}"
    height, width = np.minimum(old.shape, new.shape)[:2]
    changed = np.abs(old[:height, :width] - new[:height, :width]).max(axis=2) > LEVEL_TOLERANCE
    if changed.mean() > SHARE_TOLERANCE:
        rows, columns = np.nonzero(changed)
        return (
            f"{changed.mean():.2%} of the figure's pixels changed, between "
            f"({columns.min()}, {rows.min()}) and ({columns.max()}, {rows.max()})"
        )
    return ""


def taken_apart(drawing):
    """Return the labels of an SVG, its shapes without their places, the places, and the pictures in it."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    labels, shapes, places, pictures = [], [], [], []

    def number(found):
        places.append(float(found[0]))
        return "#"

    for node in ElementTree.fromstring(drawing, parser).iter():
        if node.tag is ElementTree.Comment:
            labels.append((node.text or "").strip())
            continue
        for key, value in node.items():
            if value.startswith(PICTURE):
                pictures.append(value.removeprefix(PICTURE))
            elif key in PLACES:
                shapes.append((node.tag, key, NUMBER.sub(number, value)))
            else:
                shapes.append((node.tag, key, SHIFT.sub(lambda shift: NUMBER.sub(number, shift[0]), value)))
    return labels, shapes, np.array(places), pictures


def drawing_difference(stored, computed):
    """Return what differs between two drawings in SVG, in words, or "" if they show the same."""
    if stored == computed:
        return ""
    (labels, shapes, places, pictures), (labels_now, shapes_now, places_now, pictures_now) = map(
        taken_apart, (stored, computed)
    )
    if labels != labels_now:
        old, new = next(pair for pair in itertools.zip_longest(labels, labels_now) if pair[0] != pair[1])
        return f"a label of the figure was {old!r} and is {new!r}"
    if shapes != shapes_now or len(pictures) != len(pictures_now):
        return f"the figure had {len(shapes)} shapes and styles and has {len(shapes_now)}, or others"
    moved = np.abs(places - places_now).max(initial=0)
    if moved > PLACE_TOLERANCE:
        return f"something in the figure moved by {moved:.2f} points"
    return next((fault for pair in zip(pictures, pictures_now) if (fault := difference(*pair))), "")


def figures(outputs, kind):
    """Return the figures of one kind among the outputs of a cell, in order."""
    return ["".join(output["data"][kind]) for output in outputs if kind in output.get("data", {})]


JUDGES = {"image/png": difference, WIDE: drawing_difference, NARROW: drawing_difference}


def pytest_configure():
    compare_text = IPyNbCell.compare_outputs

    def compare_outputs(cell, test, ref, skip_compare=None):
        if not compare_text(cell, test, ref, (*(skip_compare or cell.parent.skip_compare), *JUDGES)):
            return False
        faults = []
        for kind, judge in JUDGES.items():
            old, new = figures(ref, kind), figures(test, kind)
            if len(old) != len(new):
                faults.append(f"the cell stored {len(old)} figures ({kind}) and now draws {len(new)}")
            else:
                faults += [fault for pair in zip(old, new) if (fault := judge(*pair))]
        cell.comparison_traceback = faults
        return not faults

    IPyNbCell.compare_outputs = compare_outputs
