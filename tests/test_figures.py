"""Drawings stored in notebooks become files of the site, and the page asks for the one that fits the screen."""

import base64
import re
import subprocess
from pathlib import Path

import pytest

from book._tools import page_figures
from book._tools.project import ROOT
from toykit.plots.vector import NARROW

WIDEST_TREE = 20_000_000  # bytes of all files that git knows


def drawing(width):
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="90pt" viewBox="0 0 {width} 90"></svg>\n'


def notebook(*kinds, alt="a > b"):
    data = {kind: [drawing(450 if kind == page_figures.WIDE else 300)] for kind in kinds} | {
        "text/plain": "<Figure>"
    }
    return {
        "cells": [
            {"metadata": {}, "source": "text"},
            {
                "metadata": {"mystnb": {"image": {"alt": alt}}},
                "outputs": [{"text": "printed"}, {"data": data}],
            },
        ]
    }


def test_a_drawing_becomes_a_file_and_html_that_works_without_a_script(tmp_path):
    made = notebook(page_figures.WIDE, NARROW)
    page_figures.place(made, tmp_path / "_images", "../_images")
    data = made["cells"][1]["outputs"][1]["data"]
    assert set(data) == {"text/html", "text/plain"}
    names = re.findall(r'(?:src|srcset)="\.\./_images/([0-9a-f]{32}\.svg)"', data["text/html"])
    assert [(tmp_path / "_images" / name).read_text() for name in names] == [drawing(300), drawing(450)]
    assert 'alt="a &gt; b" width="700" height="140"' in data["text/html"]
    assert '<source media="screen and (max-width: 576px)"' in data["text/html"]
    assert "script" not in data["text/html"]


def test_a_drawing_that_a_phone_can_show_has_one_file_and_other_outputs_are_left_alone(tmp_path):
    made = notebook(page_figures.WIDE)
    page_figures.place(made, tmp_path, "_images")
    assert "<source" not in made["cells"][1]["outputs"][1]["data"]["text/html"]
    assert len(list(tmp_path.iterdir())) == 1
    table = {"cells": [{"metadata": {}, "outputs": [{"data": {"text/html": "<table></table>"}}]}]}
    page_figures.place(table, tmp_path, "_images")
    assert table["cells"][0]["outputs"][0]["data"] == {"text/html": "<table></table>"}


def test_a_drawing_inside_of_a_page_becomes_a_file(tmp_path):
    inside = base64.b64encode(drawing(300).encode()).decode()
    kinds = ("svg+xml", "png")
    drawn, other = (f'<img src="data:image/{kind};base64,{inside}" alt="a">' for kind in kinds)
    taken = page_figures.take_out(f"<p>Text.</p>{drawn}{other}", tmp_path / "_images", "../_images")
    (name,) = re.findall(r'<img src="\.\./_images/([0-9a-f]{32}\.svg)" alt="a">', taken)
    assert (tmp_path / "_images" / name).read_text() == drawing(300)
    assert taken.startswith("<p>Text.</p>") and taken.endswith(other)


def test_the_tree_is_small():
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a clone: git lists no files")
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    assert sum(path.stat().st_size for path in files if path.is_file()) < WIDEST_TREE


# What the filter of book.css makes of a colour, as the standard on filter effects defines hue-rotate(180deg).
def turned(color):
    turn = [[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]]
    red, green, blue = (1 - int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [min(1, max(0, a * red + b * green + c * blue)) for a, b, c in turn]


def luminance(rgb):
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_in_each_colour_is_legible_on_the_dark_page():
    from toykit import plots

    css = Path(ROOT, "book/_assets/book.css").read_text(encoding="utf-8")
    assert "img.book-drawn { filter: invert(1) hue-rotate(180deg) !important; mix-blend-mode: screen;" in css
    ground = re.search(r'data-theme="dark"\] \{.*?--pst-color-background: (#\w{6})', css, re.DOTALL)[1]
    dark = [int(ground[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    for color in {*plots.COLORS.values(), plots.INK, "#4b5158"}:
        screened = [1 - (1 - one) * (1 - below) for one, below in zip(turned(color), dark, strict=True)]
        assert (luminance(screened) + 0.05) / (luminance(dark) + 0.05) >= 4.5, color
