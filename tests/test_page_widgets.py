"""A widget on a page without the scripts of notebooks: its data, its code, and what stands in for it."""

import base64
import json
import re

from book._tools import page_widgets
from toykit.widgets import embedded


def test_the_landing_page_holds_the_small_explorer_and_its_data():
    page = page_widgets.small_explorer()
    assert page.startswith("````{raw} html\n") and page.count("````") == 2
    assert page.count("<script") == page.count("</script>") == 1  # nothing in the data ends it early
    state = json.loads(re.search(r"^const state = (.*);$", page, re.MULTILINE)[1])
    assert state["content"]["tones_of_each"] == 150 and state["score"] == state["content"]["scores"][0][0]
    packed = json.loads(re.search(r"Object.entries\((.*)\)\)$", page, re.MULTILINE)[1])
    cells = len(state["content"]["pruned"]) * len(state["content"]["palettes"])
    assert len(base64.b64decode(packed["nbytes"])) == 4 * cells
    assert "export default" not in page and "<noscript>" in page
    assert len(page) < 50_000


def test_data_cannot_end_the_script(monkeypatch):
    widget = embedded_widget("</script><script>alert(1)</script>")
    html = embedded.embedded(widget)
    assert "<script>alert" not in html.split("<noscript>")[0] and html.count("</script>") == 1


def embedded_widget(label):
    from toykit.widgets import accuracy_slider

    rows = [
        {"nbytes": 100}
        | dict.fromkeys(("easy_within_50", "easy_within_10", "hard_within_50", "hard_within_10"), 1.0)
    ]
    return accuracy_slider(rows, [label], "Bits", "quantization")
