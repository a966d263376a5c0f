"""Pictures of programs: nothing overlaps, everything is there, and a large one is refused with a way out."""

import itertools

import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt

pytest.importorskip("coremltools")
pytest.importorskip("torch")

import toykit as tk
from toykit import plots
from toykit.coreml.view.graph import read_graph
from toykit.plots import composing, drawing

from .parity import inside


@pytest.fixture(autouse=True)
def clean():
    with matplotlib.rc_context():
        plots.use_style()
        yield
    plt.close("all")


@pytest.fixture(params=inside.NAMES)
def name(request):
    return request.param


def test_boxes_and_labels_do_not_overlap_and_lie_in_the_picture(name):
    picture = composing.compose(inside.package(name))
    boxes = [card.box for card in picture.cards] + [box for _, *box in picture.labels]
    for a, b in itertools.combinations(boxes, 2):
        assert not composing.overlap(a, b)
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= picture.width and 0 <= top < bottom <= picture.height


def test_lines_pass_beside_the_boxes_and_the_labels(name):
    picture = composing.compose(inside.package(name))
    for line in picture.lines:
        ends = [
            card.box
            for card in picture.cards
            if line[0] == (card.middle, card.box[3]) or line[-1] == (card.middle, card.top)
        ]
        assert len(ends) == 2
        for x, y in composing.samples(line, 90)[1:-1]:
            for left, top, right, bottom in [card.box for card in picture.cards] + [
                box for _, *box in picture.labels
            ]:
                assert not (left < x < right and top + 1e-6 < y < bottom - 1e-6)


def test_text_stays_inside_its_box(name):
    ax = tk.plots.program(inside.package(name))
    ax.figure.canvas.draw()
    drawn = [text.get_window_extent().transformed(ax.transData.inverted()) for text in ax.texts]
    picture = composing.compose(inside.package(name))
    words = {line[0] for card in picture.cards for line in card.lines}
    boxes = [card.box for card in picture.cards]
    for text, box in zip(ax.texts, drawn):
        if text.get_text() in words:
            assert any(
                left < box.x0 and box.x1 < right and top < min(box.y0, box.y1)
                for left, top, right, _ in boxes
            )
    for a, b in itertools.combinations(drawn, 2):
        one, other = ((c.x0, min(c.y0, c.y1), c.x1, max(c.y0, c.y1)) for c in (a, b))
        assert not composing.overlap(one, other)


def test_every_operation_and_every_byte_of_the_weight_file_is_shown(name):
    path = inside.package(name)
    steps, picture = read_graph(path).steps, composing.compose(path)
    shown = sorted("".join(text for text, *_ in card.lines) for card in picture.cards if card.kind != "end")
    assert shown == sorted(step.op for step in steps)
    tabs = sorted(size for card in picture.cards for _, size, sign in card.tabs if sign != "written")
    assert tabs == sorted(f"{c.blob.nbytes:,} B" for step in steps for c in step.constants)
    assert sum(card.kind == "decompresses" for card in picture.cards) == sum(
        step.decompresses for step in steps
    )
    assert set(picture.signs) - {"decompresses", "written"} == {
        c.technique for step in steps for c in step.constants
    }


def test_weights_that_lie_in_the_program_are_white_tabs_and_settings_are_none():
    path = inside.package("tiny")
    (step,) = (step for step in read_graph(path).steps if step.op == "linear")
    assert not step.constants and set(step.written) == {"weight", "bias"}
    picture = composing.compose(path)
    (card,) = (card for card in picture.cards if card.lines[0][0] == "linear")
    assert card.tabs == [("bias  float16 3", "", "written"), ("weight  float16 3×2", "", "written")]
    assert picture.signs == ["written"]
    assert all(not step.written for step in read_graph(inside.package("plain")).steps)


def test_a_figure_has_the_size_of_the_picture_and_given_axes_shrink_the_letters():
    path = inside.package("plain")
    whole = tk.plots.program(path)
    size = drawing.extent(composing.compose(path))
    assert tuple(whole.figure.get_size_inches()) == pytest.approx(size)
    assert max(text.get_fontsize() for text in whole.texts) == 9
    figure = plt.figure(figsize=(size[0] / 2, size[1] / 2), layout="none")
    ax = tk.plots.program(path, ax=figure.add_axes((0, 0, 1, 1)))
    assert max(text.get_fontsize() for text in ax.texts) == pytest.approx(4.5)


def test_the_body_of_a_loop_hangs_below_it():
    path = inside.package("loop")
    picture = composing.compose(path)
    first = len(read_graph(path).inputs)
    loop = picture.cards[first]
    assert loop.lines[0][0] == "while_loop"
    assert all(card.top > loop.box[3] for card in picture.cards[first + 1 :])


def test_of_a_long_program_runs_are_folded_and_nothing_is_lost(name, monkeypatch):
    path = inside.package(name)
    steps = read_graph(path).steps
    if len(steps) < 3:
        pytest.skip("nothing to fold")
    names = [next(iter(steps[number].outputs)) for number in (len(steps) // 2, 0) if steps[number].outputs]
    monkeypatch.setattr(composing, "MOST_STEPS", len(steps) - 1)
    picture = composing.compose(path, important=["no such result", *names])
    cards = [card for card in picture.cards if card.kind != "end"]
    folded = [int(card.lines[0][0].split()[0]) for card in cards if card.kind == "folded"]
    assert len(cards) < len(steps) and len(cards) - len(folded) + sum(folded) == len(steps)
    held = [int(size[:-2].replace(",", "")) for card in cards for _, size, _ in card.tabs if size]
    assert sum(held) == sum(constant.blob.nbytes for step in steps for constant in step.constants)
    boxes = [card.box for card in picture.cards] + [box for _, *box in picture.labels]
    assert not any(composing.overlap(a, b) for a, b in itertools.combinations(boxes, 2))
    assert ("folded" in picture.signs) == bool(folded)


def test_as_many_of_the_important_are_drawn_as_there_is_room_for(monkeypatch):
    path = inside.package("plain")
    steps = read_graph(path).steps
    middle = next(iter(steps[len(steps) // 2].outputs))
    monkeypatch.setattr(composing, "MOST_STEPS", 3)
    every_other = [next(iter(step.outputs)) for step in steps[1::2]]
    (card,) = (
        card
        for card in composing.compose(path, important=[middle, *every_other]).cards
        if card.kind == "operation"
    )
    assert card.lines[0][0] == steps[len(steps) // 2].op


def test_too_many_operations_are_refused_with_their_number_and_a_way_out(monkeypatch):
    monkeypatch.setattr(composing, "MOST_STEPS", 5)
    steps = len(read_graph(inside.package("plain")).steps)
    with pytest.raises(ValueError, match=rf"has {steps} operations.*up to 5.*tk\.widgets\.package_explorer"):
        tk.plots.program(inside.package("plain"))
