"""Storing outputs, comparing them, and knowing when the comparison no longer counts."""

import base64
import io
import json

import matplotlib
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from book._tools import compare_images, execute, verify_outputs
from book._tools.page_figures import WIDE
from toykit import plots
from toykit.plots.vector import NARROW

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture
def chapter(tmp_path):
    """A notebook as an author leaves it: with the names of the author's machine in it."""
    cells = [
        new_code_cell("import traitlets, ipywidgets\nprint('a', end='')\nprint('b')"),
        new_code_cell("ipywidgets.IntSlider(value=3)"),
        new_code_cell("6 * 7", metadata={"execution": {"iopub.status.busy": "2026-01-01"}}),
    ]
    path = tmp_path / "chapter.ipynb"
    metadata = {"jupytext": {"formats": "ipynb"}, "kernelspec": {"display_name": "mine", "name": "python3"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_running_twice_stores_the_same_bytes(chapter):
    execute.execute(chapter)
    first = chapter.read_bytes()
    execute.execute(chapter)
    assert chapter.read_bytes() == first
    notebook = json.loads(first)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info", "widgets"}
    assert "version" not in notebook["metadata"]["language_info"]
    assert [cell["metadata"] for cell in notebook["cells"]] == [{}, {}, {}]
    assert notebook["cells"][0]["outputs"] == [{"name": "stdout", "output_type": "stream", "text": ["ab\n"]}]
    # The view and the model still know each other by their new names.
    view = notebook["cells"][1]["outputs"][0]["data"][execute.WIDGET_VIEW]["model_id"]
    state = notebook["metadata"]["widgets"][execute.WIDGET_STATE]["state"]
    assert state[view]["model_name"] == "IntSliderModel"
    assert state[view]["state"]["layout"].removeprefix("IPY_MODEL_") in state


def test_a_failing_cell_leaves_the_file_as_it_was(chapter):
    notebook = nbformat.read(chapter, 4)
    notebook.cells.append(new_code_cell("1 / 0"))
    nbformat.write(notebook, chapter)
    before = chapter.read_bytes()
    with pytest.raises(execute.CellExecutionError, match="ZeroDivisionError"):
        execute.execute(chapter)
    assert chapter.read_bytes() == before
    assert list(chapter.parent.iterdir()) == [chapter]


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def figure(height=300, width=400, level=200):
    pixels = np.full((height, width, 3), 255)
    pixels[level] = 0  # a line
    return pixels


def test_equal_figures_are_equal():
    assert compare_images.difference(png(figure()), png(figure())) == ""


def test_antialiasing_and_a_rounded_size_are_tolerated():
    softer = figure()
    softer[199] = 230
    assert compare_images.difference(png(figure()), png(softer)) == ""
    assert compare_images.difference(png(figure(width=400)), png(figure(width=401))) == ""


def test_a_line_that_moved_is_a_difference():
    assert "pixels changed, between (0, 190) and (399, 200)" in compare_images.difference(
        png(figure()), png(figure(level=190))
    )


def test_another_label_is_a_difference():
    changed = figure()
    changed[20:30, 20:26] = 0
    assert "pixels changed" in compare_images.difference(png(figure()), png(changed))


def test_another_size_is_a_difference():
    assert "was 400 x 300 pixels and is 500 x 300" in compare_images.difference(
        png(figure()), png(figure(width=500))
    )


def test_a_transparent_figure_is_seen_on_white():
    clear = np.dstack([figure(), np.where(figure()[..., 0] == 255, 0, 255)])
    assert compare_images.difference(png(figure()), png(clear)) == ""


def drawing(points=(1, 4, 9), label="steps", **style):
    shown, axes = plt.subplots(figsize=(4, 3))
    axes.plot([1, 2, 3], points, **style)
    axes.set(xlabel=label, xlim=(1, 3), ylim=(0, 10))
    plt.close(shown)
    return plots.svg(shown)


def test_equal_drawings_are_equal_and_the_last_digit_of_a_sum_does_not_count():
    stored = drawing()
    assert compare_images.drawing_difference(stored, stored) == ""
    assert compare_images.drawing_difference(stored, drawing((1, 4, 9.0005))) == ""
    assert compare_images.drawing_difference(stored, stored.replace(" L ", " L 0.1", 1)) != ""


@pytest.mark.parametrize(
    "other, fault",
    [
        ({"points": (1, 4, 8.8)}, "something in the figure moved by"),
        ({"points": (1, 4, float("nan"))}, "shapes and styles"),
        ({"label": "step"}, "label of the figure was 'steps' and is 'step'"),
        ({"label": ""}, "label of the figure was 'steps' and is '0'"),
        ({"color": "#0067a6"}, "shapes and styles"),
        ({"linewidth": 3}, "shapes and styles"),
        ({"marker": "o"}, "shapes and styles"),
    ],
)
def test_a_drawing_of_other_data_in_another_colour_or_with_another_label_is_a_difference(other, fault):
    assert fault in compare_images.drawing_difference(
        drawing(color="#0067a5"), drawing(**{"color": "#0067a5"} | other)
    )


def test_a_letter_of_another_size_is_a_difference():
    stored = drawing()
    assert "scale(0.1 -0.1)" in stored
    assert compare_images.drawing_difference(stored, stored.replace("scale(0.1 -0.1)", "scale(0.11 -0.11)"))


def test_a_cloud_in_a_drawing_is_compared_as_pixels():
    def cloud(level):
        return f'<svg><image href="{compare_images.PICTURE}{png(figure(level=level))}" x="0" /></svg>'

    assert compare_images.drawing_difference(cloud(200), cloud(200)) == ""
    assert "pixels changed" in compare_images.drawing_difference(cloud(200), cloud(190))


def test_a_figure_that_is_stale_does_not_agree(tmp_path, capfd):
    # The whole way: stored figures, pixels and a drawing, that show other data than their cells draw now.
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3], [1, 4, 9])\nplt.ylim(0, 10)\nplt.show()"
    path = tmp_path / "figure.ipynb"
    metadata = {"kernelspec": {"display_name": "Python 3", "name": "python3"}}
    cells = [new_code_cell(plot), new_code_cell(f"import toykit\ntoykit.plots.use_style()\n{plot}")]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    execute.execute(path)
    kinds = [set(cell["outputs"][0]["data"]) for cell in json.loads(path.read_text())["cells"]]
    assert kinds == [{"image/png", "text/plain"}, {WIDE, NARROW, "text/plain"}]
    path.write_text(path.read_text().replace("[1, 4, 9]", "[1, 4, 8]"))
    assert not verify_outputs.agree([path])
    said = capfd.readouterr().out
    assert "of the figure's pixels changed" in said and "something in the figure moved by" in said


def test_a_stamp_counts_only_while_nothing_changes(tmp_path, monkeypatch):
    for name in (
        "constraints.txt",
        "pyproject.toml",
        "toykit/a.py",
        "notebooks/01.ipynb",
        "notebooks/data/rows.csv",
        "book/page.md",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(verify_outputs, "ROOT", tmp_path)
    monkeypatch.setattr(verify_outputs, "STAMP", tmp_path / "verified.json")
    monkeypatch.setattr(verify_outputs, "chapters", lambda: [tmp_path / "notebooks/01.ipynb"])
    assert "have not been verified" in verify_outputs.explain_stamp()
    verify_outputs.STAMP.write_text(json.dumps(verify_outputs.digests()))
    assert verify_outputs.explain_stamp() == ""
    (tmp_path / "book/page.md").write_text("prose decides no output")
    assert verify_outputs.explain_stamp() == ""
    (tmp_path / "toykit/a.py").write_text("another")
    (tmp_path / "toykit/b.py").write_text("new")
    (tmp_path / "notebooks/data/rows.csv").write_text("measured again")
    assert "notebooks/data/rows.csv, toykit/a.py, toykit/b.py" in verify_outputs.explain_stamp()


def test_what_calls_for_core_ai_is_left_out_only_where_it_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(verify_outputs, "ROOT", tmp_path)
    (tmp_path / "a.ipynb").write_text("tk.coreml.load")
    (tmp_path / "b.ipynb").write_text("tk.coreai.load")
    for absence, expected in (("", (["a.ipynb", "b.ipynb"], [])), ("no wheel", (["a.ipynb"], ["b.ipynb"]))):
        monkeypatch.setattr(verify_outputs.core_ai_packages, "absence", lambda absence=absence: absence)
        assert verify_outputs.runnable(["a.ipynb", "b.ipynb"]) == expected
