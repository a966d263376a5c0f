"""Figures as SVG: the same bytes each time, clouds as pictures, and letters that a phone can show."""

import base64
import io
import re
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from toykit import plots
from toykit.plots.narrow import _clashes, narrowed, smallest_letters
from toykit.plots.vector import COLUMN, LEAST, NARROW

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt
from PIL import Image

WIDE = "image/svg+xml"


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def lines(count=2, **size):
    figure, axes = plt.subplots(1, count, **({"figsize": (7.2, 2.6)} | size))
    for number, ax in enumerate(np.atleast_1d(axes)):
        ax.plot([1, 3, 2], label=f"line {number}")
        ax.set(xlabel="how far it went", ylabel="how often", title=f"number {number}")
    return figure


def width_of(svg):
    return float(re.search(r'width="([\d.]+)pt"', svg)[1])


def labels_of(svg):
    return re.findall(r"<!-- (.*?) -->", svg)


def test_the_same_figure_gives_the_same_bytes_in_every_process():
    code = (
        "import matplotlib; matplotlib.use('Agg')\n"
        "import sys, toykit as tk, matplotlib.pyplot as plt\n"
        "tk.plots.use_style()\n"
        "figure, ax = plt.subplots()\n"
        "ax.plot([1, 3, 2], 'o-'); ax.set_title('a <b> & c')\n"
        "sys.stdout.write(tk.plots.svg(figure))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment).stdout
        for environment in ({"PYTHONHASHSEED": seed, "PATH": ""} for seed in ("1", "2"))
    }
    assert len(runs) == 1


def test_an_svg_holds_no_date_no_creator_and_no_name_that_chance_gave():
    svg = plots.svg(lines())
    root = ElementTree.fromstring(svg)
    assert "metadata" not in svg and "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", svg)
    names = [node.get("id") for node in root.iter() if node.get("id")]
    assert all(re.fullmatch(r"n\d+", name) for name in names) and len(set(names)) == len(names)
    asked = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    assert asked == set(names)


def test_an_svg_keeps_every_text_and_draws_it_as_outlines():
    svg = plots.svg(lines(1))
    assert "how far it went" in labels_of(svg) and "<text" not in svg


def test_places_have_two_decimals_and_sums_in_another_order_change_nothing():
    values = np.random.default_rng(0).normal(size=40)
    drawn = []
    for shift in (0, 1e-13):
        figure, ax = plt.subplots()
        ax.plot(values + shift)
        ax.set_ylim(-4, 4)
        drawn.append(plots.svg(figure))
    assert drawn[0] == drawn[1]
    assert not re.search(r' d="[^"]*\.\d{3}', re.sub(r"<defs>.*?</defs>", "", drawn[0], flags=re.DOTALL))


@pytest.mark.parametrize("draw", ["line", "collection"])
def test_a_large_cloud_is_a_picture_and_a_small_one_is_not(draw):
    def drawing(count):
        x, y = np.random.default_rng(0).normal(size=(2, count))
        figure, ax = plt.subplots()
        artist = ax.plot(x, y, ".")[0] if draw == "line" else ax.scatter(x, y)
        svg = plots.svg(figure)
        assert not artist.get_rasterized()  # the figure is left as it was
        return svg

    assert "<image" not in drawing(400)
    large = drawing(20_000)
    assert large.count("<image") == 1 and len(large) < 100_000
    found = re.search(r'href="data:image/png;base64,([^"]+)"', large)[1]
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(found, validate=True)))).any()


def test_a_figure_of_a_column_is_drawn_again_for_a_phone_and_a_small_one_is_not():
    assert set(plots.drawings(plots.matrix([[1.0, 2.0]]).figure)) == {WIDE}
    found = plots.drawings(lines())
    assert set(found) == {WIDE, NARROW}
    words = [set(re.findall("[a-z]{3,}", " ".join(labels_of(drawing)))) for drawing in found.values()]
    assert words[0] == words[1] and "often" in words[0]
    for kind, enough in ((WIDE, False), (NARROW, True)):
        pixels = 9 * COLUMN / width_of(found[kind])
        assert (pixels >= LEAST) == enough


@pytest.mark.parametrize("count, size", [(1, 9), (2, 8), (3, 7)])
def test_letters_of_a_narrow_figure_are_tall_enough_and_run_into_no_other(count, size):
    figure = lines(count)
    figure.axes[0].text(1, 2, "small", fontsize=size)
    found = plots.drawings(figure)
    assert smallest_letters(figure) == size
    assert size * COLUMN / width_of(found[NARROW]) >= LEAST
    with narrowed(figure, 4.3):
        assert _clashes(figure) == 0


def test_what_does_not_fit_side_by_side_stands_below():
    figure = lines(3)
    places = [axes.get_position().bounds for axes in figure.axes]
    with narrowed(figure, 4.3):
        bounds = [axes.get_position() for axes in figure.axes]
        assert bounds[0].y0 > bounds[1].y0 > bounds[2].y0
    figure.draw_without_rendering()
    assert figure.get_size_inches().tolist() == [7.2, 2.6]
    np.testing.assert_allclose([axes.get_position().bounds for axes in figure.axes], places, atol=0.2)


def test_axes_that_shared_a_label_have_their_own_below_each_other():
    figure, axes = plt.subplots(1, 3, figsize=(7.6, 3), sharey=True)
    for ax in axes:
        ax.plot([0, 1])
        ax.set_xticks([0, 1], ["a long name of a place", "another long name"])
    axes[0].set_ylabel("how often")
    svg = plots.drawings(figure)
    assert labels_of(svg[WIDE]).count("how often") == 1
    assert labels_of(svg[NARROW]).count("how often") == 3
    assert [ax.get_ylabel() for ax in axes] == ["how often", "", ""]  # as it was


def test_a_long_title_is_broken_and_long_names_are_turned_on_a_phone_alone():
    figure, ax = plt.subplots()
    ax.bar(range(6), 1)
    names = [f"a long name {number}" for number in range(6)]
    ax.set_xticks(range(6), names)
    title = "what nobody would have thought of all these long names at the axis of a small figure"
    ax.set_title(title)
    with narrowed(figure, 4.3):
        assert "\n" in ax.get_title(loc="left") and ax.get_xticklabels()[0].get_rotation() == 35
    assert ax.get_title(loc="left") == title and ax.get_xticklabels()[0].get_rotation() == 0


def test_a_picture_of_a_program_keeps_its_size():
    # Without a layout engine nothing knows how to rearrange it.
    figure = plt.figure(figsize=(7, 3), layout="none")
    figure.add_axes((0, 0, 1, 1)).text(0.5, 0.5, "an operation", fontsize=7)
    assert set(plots.drawings(figure)) == {WIDE}


def test_a_notebook_shows_figures_as_drawings():
    pytest.importorskip("IPython")
    code = (
        "from IPython.testing.globalipapp import start_ipython\n"
        "shell = start_ipython()\n"
        "import matplotlib; matplotlib.use('module://matplotlib_inline.backend_inline')\n"
        "import toykit as tk, matplotlib.pyplot as plt\n"
        "tk.plots.use_style()\n"
        "figure, ax = plt.subplots()\n"
        "print(sorted(shell.display_formatter.format(figure)[0]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(f"['{WIDE}', '{NARROW}', 'text/plain']")
