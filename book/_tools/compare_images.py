"""A pytest plugin that makes nbval compare figures too, which it leaves alone otherwise.

A figure that no longer shows what its cell computes is worse than a stale number: nobody reads it
twice. Figures are compared as pixels. The comparison is not exact: matplotlib brings its own fonts,
but antialiasing rounds differently on another kind of processor. A curve that moved, or a label that
changed, is far beyond the tolerance.
"""

import base64
import io

import numpy as np
from nbval.plugin import IPyNbCell
from PIL import Image

SIZE_TOLERANCE = 2  # pixels; figures are cut to their content, and a text's extent is rounded
LEVEL_TOLERANCE = 64  # of 255; smaller changes are antialiasing
SHARE_TOLERANCE = 1e-4  # share of the pixels that may change by more than that


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


def figures(outputs):
    """Return the base64 PNGs among the outputs of a cell, in order."""
    return [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def pytest_configure():
    compare_text = IPyNbCell.compare_outputs

    def compare_outputs(cell, test, ref, skip_compare=None):
        if not compare_text(cell, test, ref, skip_compare):
            return False
        old, new = figures(ref), figures(test)
        if len(old) != len(new):
            faults = [f"the cell stored {len(old)} figures and now draws {len(new)}"]
        else:
            faults = [fault for pair in zip(old, new) if (fault := difference(*pair))]
        cell.comparison_traceback = faults
        return not faults

    IPyNbCell.compare_outputs = compare_outputs
