"""Figures on the built pages: each loads, its letters can be read on a phone, and the dark page turns it dark."""

import io
import re

import numpy as np
from PIL import Image

from .conftest import SITE
from .visit import PHONE, WIDE

LEAST = {"phone": 9, "wide": 8.5}  # pixels: the smallest letters
DRAWN = """async () => {
  const found = [...document.querySelectorAll("img.book-drawn")];
  document.querySelectorAll("details").forEach(details => { details.open = true; });
  found.forEach(image => { image.loading = "eager"; });
  await Promise.all(found.map(image => image.decode()));
  return found.map(image => [
    image.currentSrc.split("/").pop(), image.getBoundingClientRect().width, image.complete && image.naturalWidth]);
}"""


def letters(name, width):
    """Size of the smallest text of a drawing that is `width` pixels wide on the page; None without a text."""
    svg = (SITE / "_images" / name).read_text(encoding="utf-8")
    points = [100 * float(scale) for scale in re.findall(r"<g [^>]*scale\(([\d.]+) -", svg)]
    return min(points, default=None) and min(points) * width / float(re.search(r'width="([\d.]+)pt"', svg)[1])


def test_every_figure_loads_and_its_letters_can_be_read_on_a_phone(visit):
    if "book-drawn" not in visit.source:
        return
    found = {"wide": visit.page.evaluate(DRAWN)}
    visit.page.set_viewport_size(PHONE)
    visit.settle()
    found["phone"] = visit.page.evaluate(DRAWN)
    visit.page.set_viewport_size(WIDE)
    visit.settle()
    for screen, images in found.items():
        for name, width, loaded in images:
            assert loaded and width, f"{visit.name}, {screen}: {name} is not shown"
            size = letters(name, width)
            assert size is None or round(size, 1) >= LEAST[screen], (
                f"{visit.name}, {screen}: letters of {size:.1f} px in {name}"
            )
    narrow = [one[0] != other[0] for one, other in zip(*found.values(), strict=True)]
    assert len(narrow) == visit.source.count("book-drawn")
    assert sum(narrow) == visit.source.count("<source media")


def test_figures_follow_the_page_into_the_dark(visit):
    if "book-drawn" not in visit.source:
        return
    visit.page.evaluate(DRAWN)  # opens what is folded
    image = visit.page.locator("img.book-drawn").first
    shots = {}
    for scheme in ("light", "dark"):
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.wait_for_function(
            "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
        )
        visit.hold_still()
        shots[scheme] = np.asarray(Image.open(io.BytesIO(image.screenshot())).convert("RGB"), float)
    visit.page.emulate_media(color_scheme="light")
    assert np.median(shots["light"]) > 200 and np.median(shots["dark"]) < 90
    corner = shots["dark"][0, 0]
    ground = visit.page.evaluate(
        "() => { document.documentElement.dataset.theme = 'dark'; "
        "return getComputedStyle(document.body).backgroundColor; }"
    )
    assert np.abs(corner - [int(part) for part in re.findall(r"\d+", ground)[:3]]).max() <= 2
