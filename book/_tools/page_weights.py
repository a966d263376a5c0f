"""Print what each page of the built book weighs, and each of its widgets: `make page-weights`.

A page's own bytes are those of its HTML: its text, its widgets' data, and the JavaScript that each stored widget
carries. What pages share, such as styles and the scripts that draw widgets, lies beside them and is loaded once.
"""

import json
import re
import sys
from pathlib import Path

from .project import HTML, fail, program, say

STATE = re.compile(r'<script type="application/vnd\.jupyter\.widget-state\+json">(.*?)</script>', re.DOTALL)
# The JavaScript and the style of a widget, which are the same for all of its kind.
CODE = ("_esm", "_css")


def widgets(page):
    """Yield the kind of each widget of toykit on a page, and the bytes of its data, as the page holds them."""
    for text in STATE.findall(page):
        for model in json.loads(text)["state"].values():
            kind = model["state"].get("_anywidget_id", "")
            if kind.startswith("toykit."):
                own = {name: value for name, value in model["state"].items() if name not in CODE}
                arrays = sum(len(buffer["data"]) for buffer in model.get("buffers", ()))
                yield kind.rpartition(".")[2], len(json.dumps(own, ensure_ascii=False).encode()) + arrays


def weigh(folder):
    """Return of each page in a folder, the heaviest first: its name, its bytes, its widgets as `widgets` gives them."""
    pages = []
    for path in folder.rglob("*.html"):
        data = path.read_bytes()
        found = list(widgets(data.decode(errors="replace")))
        pages.append((path.relative_to(folder).as_posix(), len(data), found))
    return sorted(pages, key=lambda page: (-page[1], page[0]))


@program
def main():
    folder = Path(sys.argv[1]) if sys.argv[1:] else HTML
    pages = weigh(folder)
    if not pages:
        fail(f"There is no page in {folder}. Run 'make book OPEN=0' first.")
    for name, size, found in pages:
        say(f"{size:9,} {name}")
        for kind, own in found:
            say(f"{own:19,} {kind}")
    say(f"{sum(size for _, size, _ in pages):9,} bytes in {len(pages)} pages; the heaviest is {pages[0][0]}")


if __name__ == "__main__":
    main()
