"""Two small grids beside a refusal: what came out, and what was expected, with the cells that differ marked.

A cell is blue above zero and orange below, the darker the further from it; one that differs has a thick frame, a
filled corner and bold digits, so no mark is a matter of colour alone. The text of the report says the same.

Not here: large arrays, single numbers, and numbers that differ only behind their fourth digit: text says those better.
"""

import html

import numpy as np

from .diagnosis import as_array, close, compare

SMALLEST = 4  # values of a grid that is drawn
LARGEST = 12  # rows and columns of one
_HEIGHT, _LETTER = 24, 6.7  # of a cell, and the width of a digit, in pixels
_INK, _MARK = "#1f2328", "#b04300"


def grids(got, expected, tolerance=0.0):
    """The two grids as HTML, or "" where a picture would say no more than the text.

    Parameters
    ----------
    got, expected : object
        Of a dictionary, a list or a tuple, the first part that differs is drawn.
    tolerance : float
        As in `Exercise`.

    Returns
    -------
    str

    Examples
    --------
    >>> grids(np.array([1, 0, 3, 4]), np.array([1, 2, 3, 4])).count("<svg")
    2
    """
    got, expected = _differing(got, expected, tolerance)
    got = as_array(got)
    if got is None or not isinstance(expected, np.ndarray) or not (_fits(expected) and _fits(got)):
        return ""
    if max(got.size, expected.size) < SMALLEST:
        return ""
    wrong = np.zeros(expected.shape, bool)
    if got.shape == expected.shape:
        wrong = ~np.asarray(close(got, expected, tolerance))
        texts = _texts(got), _texts(expected)
        if not wrong.any() or (texts[0] == texts[1])[wrong].any():
            return ""
    return (
        f'<div class="tk-grids" style="display:flex;flex-wrap:wrap;gap:6px 28px;margin:6px 0">'
        f"{_drawing('You gave', got, wrong)}{_drawing('Expected', expected, wrong)}</div>"
        + "<div>A thick frame and a filled corner mark what differs.</div>"
        * bool(wrong.any())
    )


def _differing(got, expected, tolerance):
    """The first parts of two results that do not agree, down to where they are no longer made of parts."""
    if isinstance(expected, dict):
        keys = list(expected)
    elif isinstance(expected, (tuple, list)):
        keys = range(len(expected))
    else:
        return got, expected
    for key in keys:
        try:
            mine = got[key]
        except (TypeError, LookupError):
            return None, None
        if compare(mine, expected[key], tolerance)[0]:
            return _differing(mine, expected[key], tolerance)
    return None, None


def _fits(array):
    return array.ndim in (1, 2) and array.size and max(array.shape) <= LARGEST


def _texts(array):
    """The values of an array in four digits, as an array of str; T is True."""
    return np.array([_short(value) for value in array.flat]).reshape(array.shape)


def _short(value):
    if isinstance(value, np.bool_):
        return "T" if value else "F"
    return (f"{value + 0:.4g}" if value.dtype.kind == "f" else f"{value}").replace("-", "\N{MINUS SIGN}")


def _drawing(heading, array, wrong):
    texts = _texts(array)
    wrong = wrong if wrong.shape == array.shape else np.zeros(array.shape, bool)
    marked = [f"{place} {texts[tuple(place)]}" for place in np.argwhere(wrong).tolist()]
    alt = f"{heading}: shape {array.shape}." + f" Marked: {', '.join(marked)}." * bool(marked)
    width = max(30, 12 + _LETTER * max(map(len, texts.flat)))
    rows, columns = np.atleast_2d(texts).shape
    numbers = np.nan_to_num(array.astype(np.float64), posinf=0, neginf=0).ravel()
    shares = numbers / (np.abs(numbers).max() or 1)
    cells = [
        _cell(
            2 + n % columns * width,
            2 + n // columns * _HEIGHT,
            width,
            text,
            _ground(shares[n]),
            wrong.flat[n],
        )
        for n, text in enumerate(texts.flat)
    ]
    # The frames of marked cells lie over those of their neighbours.
    drawn = "".join(cells[n] for n in np.argsort(wrong, axis=None, kind="stable"))
    size = f"{columns * width + 4:.0f} {rows * _HEIGHT + 4}"
    return (
        f'<div style="max-width:100%"><strong>{heading}</strong><br><svg role="img" aria-label="{html.escape(alt)}" '
        f'width="{size.split()[0]}" viewBox="0 0 {size}" style="max-width:100%;height:auto;background:#ffffff" '
        f'font-family="ui-monospace,monospace" font-size="11">{drawn}</svg></div>'
    )


def _cell(x, y, width, text, ground, is_wrong):
    frame = f'stroke="{_MARK}" stroke-width="3"' if is_wrong else 'stroke="#8b949e" stroke-width="1"'
    corner = f'<path d="M{x + width:.1f} {y}v9l-9-9z" fill="{_MARK}"/>' if is_wrong else ""
    bold = ' font-weight="bold"' if is_wrong else ""
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_HEIGHT}" fill="{ground}" {frame}/>{corner}'
        f'<text x="{x + width / 2:.1f}" y="{y + 16}" text-anchor="middle" fill="{_INK}"{bold}>{text}</text>'
    )


def _ground(share):
    """The colour behind a value from its share of the largest: pale enough at 1 that letters on it are read."""
    full = (0xA6, 0xCE, 0xF2) if share > 0 else (0xF7, 0xC9, 0x98)
    return "#" + "".join(f"{round(255 - abs(share) * (255 - part)):02x}" for part in full)
