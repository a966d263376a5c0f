"""Format the code cells of the notebooks as ruff does, and close what the page folds: `make format`.

Ruff itself writes the whole file, and with it every stored number anew, some of them off in the last
digit. Here it is given the code alone. The metadata says to JupyterLab what the tags say to the page;
nothing else in the notebook changes.
"""

import json
import subprocess
import sys

from .project import ROOT, chapters, say

# Tags of cells whose code the page folds.
FOLDED = {"hide-input", "hide-cell", "solution"}


def ruff(command, text, name):
    """Return what ruff makes of the text of a file."""
    call = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", name, "-"]
    return subprocess.run(call, input=text, capture_output=True, text=True, cwd=ROOT, check=True).stdout


def formatted(notebook, name):
    """Return the notebook with its code formatted and folded; `name` says whose settings hold."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    bare = [{**cell, "outputs": [], "metadata": {}} for cell in code]
    text = json.dumps({**notebook, "metadata": {}, "cells": bare})
    for command in (["check", "--fix-only", "--exit-zero"], ["format"]):
        text = ruff(command, text, name)
    sources = iter(cell["source"] for cell in json.loads(text)["cells"])
    cells = [
        {**cell, "source": next(sources)} if cell["cell_type"] == "code" else cell
        for cell in notebook["cells"]
    ]
    return folded({**notebook, "cells": cells})


def folded(notebook):
    """Return the notebook with the code that the page folds closed in JupyterLab, and no other."""
    cells = []
    for cell in notebook["cells"]:
        metadata = {name: value for name, value in cell["metadata"].items() if name != "jupyter"}
        if FOLDED & set(metadata.get("tags", ())):
            metadata["jupyter"] = {"source_hidden": True}
        cells.append({**cell, "metadata": dict(sorted(metadata.items()))})
    return {**notebook, "cells": cells}


def main():
    for path in chapters():
        notebook = json.loads(path.read_text(encoding="utf-8"))
        made = formatted(notebook, str(path))
        if made != notebook:
            path.write_text(
                json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
            )
            say(f"{path.name}: formatted")


if __name__ == "__main__":
    main()
