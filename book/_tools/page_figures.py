"""Figures on the pages of the site: a file for a wide column, and where one is stored another for a phone.

The browser chooses by the width of the screen, without a script. What is drawn stays a file of its own, which
a page may load late and a reader may save; the dark page turns its colours with the two lines of book.css.
"""

import base64
import hashlib
import html
import re

from toykit.plots.vector import NARROW

WIDE = "image/svg+xml"
_INSIDE = re.compile(r'src="data:image/svg\+xml;base64,([\w+/=]+)"')
_PER_POINT = 112 / 72  # pixels: a figure of 6.4 inches fills the column of a wide screen
_PHONE = "screen and (max-width: 576px)"


def place(notebook, folder, to_folder):
    """Replace the drawings stored in a notebook by HTML that shows them, and write their files.

    Parameters
    ----------
    notebook : dict
        Is changed.
    folder : Path
        Where the files go.
    to_folder : str
        How the page calls that folder.
    """
    for cell in notebook["cells"]:
        alt = cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if WIDE in data:
                drawings = {kind: "".join(data.pop(kind)) for kind in (WIDE, NARROW) if kind in data}
                data["text/html"] = _picture(drawings, alt, folder, to_folder)


def take_out(text, folder, to_folder):
    """Give drawings that stand inside of a page's text files of their own; folders as in `place`."""
    return _INSIDE.sub(
        lambda found: f'src="{to_folder}/{_store(base64.b64decode(found[1]).decode(), folder)}"', text
    )


def _picture(drawings, alt, folder, to_folder):
    found = {kind: (_store(text, folder), *size_on_page(text)) for kind, text in drawings.items()}
    name, width, height = found[WIDE]
    size = 'width="{}" height="{}"'
    source = ""
    if NARROW in found:
        other, *narrow = found[NARROW]
        source = f'<source media="{_PHONE}" srcset="{to_folder}/{other}" {size.format(*narrow)}>'
    return (
        f'<picture>{source}<img class="book-drawn" src="{to_folder}/{name}" alt="{html.escape(alt)}" '
        f'{size.format(width, height)} loading="lazy"></picture>'
    )


def _store(text, folder):
    name = hashlib.sha256(text.encode()).hexdigest()[:32] + ".svg"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return name


def size_on_page(text):
    """Width and height on the page, in pixels."""
    width, height = re.search(r'<svg [^>]*?\bwidth="([\d.]+)pt" height="([\d.]+)pt"', text).groups()
    return round(float(width) * _PER_POINT), round(float(height) * _PER_POINT)
