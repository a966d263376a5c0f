"""The figures' style: colours that can be told apart and read, labels at lines, numbers in matrices."""

import itertools
import re

import numpy as np
import pytest

from toykit import plots
from toykit._text import printable

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def clean():
    with matplotlib.rc_context():
        yield
    plt.close("all")


def linear(color):
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear sRGB, under daylight D65."""
    xyz = (
        np.array(
            [
                [0.4124564, 0.3575761, 0.1804375],
                [0.2126729, 0.7151522, 0.0721750],
                [0.0193339, 0.1191920, 0.9503041],
            ]
        )
        @ rgb
        / [0.95047, 1, 1.08883]
    )
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", 2009, at full severity.
SEEN_BY = {
    "everyone": np.eye(3),
    "protanopes": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopes": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopes": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TECHNIQUES = ("dense", "pruning", "quantization", "palettization", "joint")


@pytest.mark.parametrize("color", TECHNIQUES)
def test_text_in_each_colour_is_legible_on_white(color):
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear(plots.COLORS[color])
    assert 1.05 / (luminance + 0.05) >= 4.5


@pytest.mark.parametrize("who", SEEN_BY)
def test_the_techniques_colours_can_be_told_apart(who):
    seen = {name: lab(np.clip(SEEN_BY[who] @ linear(plots.COLORS[name]), 0, 1)) for name in TECHNIQUES}
    distances = {(a, b): np.linalg.norm(seen[a] - seen[b]) for a, b in itertools.combinations(TECHNIQUES, 2)}
    closest = min(distances, key=distances.get)
    assert distances[closest] >= 10, (closest, distances[closest])  # about 2 is just noticeable


def test_style_makes_white_sharp_figures_with_one_colour_cycle():
    plots.use_style()
    figure, axes = plt.subplots()
    assert figure.get_size_inches().tolist() == [6.4, 3.6] and figure.dpi == 160
    assert matplotlib.colors.to_hex(figure.get_facecolor()) == "#ffffff"
    (line,) = axes.plot([0, 1])
    assert line.get_color() == plots.COLORS["pruning"]


def test_label_stands_at_the_end_of_its_line_in_its_colour():
    axes = plt.subplots()[1]
    (line,) = axes.plot([3, 1, 2], [30, 10, 20], color="#94449c")
    at_end = plots.label_line(line, "here")
    assert at_end.xy == (3, 30) and at_end.get_color() == "#94449c"
    assert plots.label_line(line, "there", x=1.5, ha="right").xy == (1.5, 15)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_matrix_shows_every_number_in_reading_order():
    axes = plots.matrix([[1.0, -0.5], [0.001, -0.001]])
    assert texts(axes) == ["1.00", "\u22120.50", "0.00", "0.00"]
    assert texts(plots.matrix(np.array([[1, -2]], np.int8))) == ["1", "\u22122"]
    assert texts(plots.matrix([[True, False]])) == ["1", "0"]
    assert texts(plots.matrix([[0.25]], fmt=".1e")) == ["2.5e\u221201"]
    assert texts(plots.matrix([[0.25]], fmt=lambda value: f"{100 * value:.0f} %")) == ["25 %"]


def cells(axes):
    return np.asarray(axes.images[0].get_array())


def test_matrix_colours_by_sign_and_size_and_fades_what_is_not_highlighted():
    w = np.array([[2.0, -2.0, 0.0, 1.0]])
    colors = cells(plots.matrix(w))[0]
    assert matplotlib.colors.to_hex(colors[0]) == plots.COLORS["pruning"]
    assert matplotlib.colors.to_hex(colors[1]) == plots.COLORS["quantization"]
    assert colors[2] == pytest.approx([1, 1, 1, 1], abs=0.01)
    faded = cells(plots.matrix(w, highlight=abs(w) > 1))[0]
    assert np.array_equal(faded[:2], colors[:2]) and np.ptp(faded[2:, :3]) < 0.02
    assert not np.array_equal(cells(plots.matrix(w, limit=4))[0, 0], colors[0])


@pytest.mark.parametrize("w", [np.zeros((3, 3)), np.array([[np.nan, np.inf]]), np.zeros((1, 1), bool)])
def test_matrix_of_nothing_in_particular(w):
    assert len(texts(plots.matrix(w))) == w.size


@pytest.mark.parametrize("w", [np.zeros(3), np.zeros((17, 2)), np.zeros((0, 3)), 1.0])
def test_matrix_refuses_what_has_no_room_for_numbers(w):
    with pytest.raises(ValueError, match="w must be a matrix of 1 to 16 rows and columns"):
        plots.matrix(w)


def test_matrix_refuses_a_mask_of_another_shape():
    with pytest.raises(ValueError, match=r"highlight must have the shape of w, \(2, 2\); got \(2,\)"):
        plots.matrix(np.eye(2), highlight=[True, False])


def test_matrix_draws_where_it_is_told():
    _figure, pair = plt.subplots(1, 2)
    assert plots.matrix(np.eye(2), ax=pair[1], title="Kept") is pair[1]
    assert pair[1].get_title(loc="left") == "Kept" or pair[1].get_title() == "Kept"


@pytest.mark.parametrize("name", ["a$\\frac{$", "$x$", "cost \\$5$", "\x1b[31mred\n$"])
def test_a_name_with_dollars_is_no_formula(name):
    from toykit import size

    axes = size.ledger({name: np.ones((64, 64), np.float32)}).plot()
    axes.figure.canvas.draw()
    (label,) = axes.get_yticklabels()
    assert label._preprocess_math(label.get_text()) == (printable(name), False)  # what is drawn, sign by sign


def test_names_in_tables_are_text_and_nothing_else():
    from toykit import size

    name = "a|b\n| c | <img src=x onerror=alert(1)> [go](http://x) \x1b[2J `$1$` \u202e"
    ledger = size.ledger(
        {name: np.ones((64, 64), np.float32), "layers.0.fc_1.weight": np.ones(4096, np.float32)}
    )
    head, _, row, plain, total = ledger.to_markdown().split("\n")
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in (head, row, plain, total)] == [8] * 4
    for text in (ledger.to_markdown(), ledger._repr_html_()):
        assert "<img" not in text and "\x1b" not in text and "\u202e" not in text
    assert r"a\|b" in row and r"\[go\](" in row and r"\$1\$" in row
    assert plain.startswith("| layers.0.fc_1.weight |")
