"""Bring the JavaScript of stored widgets up to date: `make widgets`.

A stored widget holds its data and a copy of its code, so a page shows what was current when the
notebook was run. nbval compares the data; the code is compared here (`stale`, which a test calls)
and can be replaced without running anything, because it computes nothing that is stored.
"""

import json
import os
from importlib import import_module

from .project import chapters, say

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
CODE = ("_esm", "_css")


def instruments(notebook):
    """Yield the state of every stored widget of toykit, and the class that it came from."""
    stored = notebook["metadata"].get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for model in stored.values():
        module, _, name = model["state"].get("_anywidget_id", "").rpartition(".")
        if module.startswith("toykit."):
            yield model["state"], getattr(import_module(module), name)


def stale(notebook):
    """Return the names of the widgets whose stored code is not the present one."""
    return sorted(
        {
            cls.__name__
            for state, cls in instruments(notebook)
            if any(state.get(key) != getattr(cls, key) for key in CODE)
        }
    )


def refresh(path):
    """Replace old code in the notebook at `path`; return the names of the widgets that had it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    names = stale(notebook)
    if names:
        for state, cls in instruments(notebook):
            state.update({key: str(getattr(cls, key)) for key in CODE})
        temporary = path.with_suffix(".ipynb.tmp")
        text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    return names


def main():
    for path in chapters():
        names = refresh(path)
        say(f"{path.name}: {'renewed ' + ', '.join(names) if names else 'up to date'}")


if __name__ == "__main__":
    main()
